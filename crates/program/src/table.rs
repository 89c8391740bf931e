//! `--print-config`: each setting with its value and with what gave it.

use std::{ffi::OsString, fmt::Write as _, path::Path};

use clap::{ArgMatches, parser::ValueSource};

use crate::{file::FileValues, settings::Setting};

/// Where the value of a setting comes from, loudest first, as people read it.
fn layered(
    setting: &Setting,
    matches: &ArgMatches,
    variable: Option<OsString>,
    file: Option<(&Path, &FileValues)>,
) -> (Option<String>, String) {
    if let Some(value) = flag(setting.key(), matches) {
        return (Some(value), format!("flag {}", setting.flag()));
    }
    if let Some(value) = variable {
        return (Some(value.to_string_lossy().into_owned()), format!("environment {}", setting.variable()));
    }
    if let Some((path, file)) = file
        && let Some(value) = file.values.get(setting.key())
    {
        let line = file.lines.get(setting.key()).copied().unwrap_or_default();
        return (Some(value.clone()), format!("file {}:{line}", path.display()));
    }
    (setting.default(), "default".to_owned())
}

/// What the command line gave, at whatever depth of its commands.
fn flag(key: &str, matches: &ArgMatches) -> Option<String> {
    if let Some((_, below)) = matches.subcommand()
        && let Some(value) = flag(key, below)
    {
        return Some(value);
    }
    let raw = matches.try_get_raw(key).ok()??;
    if matches.value_source(key) != Some(ValueSource::CommandLine) {
        return None;
    }
    Some(raw.map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(","))
}

/// The table. `computed` gives the defaults that depend on the machine.
pub(crate) fn render(
    settings: &[Setting],
    matches: &ArgMatches,
    file: Option<(&Path, &FileValues)>,
    computed: fn(&str) -> Option<String>,
) -> String {
    let rows: Vec<[String; 3]> = settings
        .iter()
        .map(|setting| {
            let variable = std::env::var_os(setting.variable());
            let (value, source) = layered(setting, matches, variable, file);
            let shown = value.map(|value| setting.shown(&value).replace(char::is_control, " "));
            let value = shown.or_else(|| computed(setting.key())).unwrap_or_else(|| "(none)".to_owned());
            [setting.key().to_owned(), value, source]
        })
        .collect();
    let heading = ["setting", "value", "source"].map(str::to_owned);
    let width = |column: usize| {
        rows.iter().chain([&heading]).map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let (first, second) = (width(0), width(1));
    let mut text = String::new();
    for [key, value, source] in std::iter::once(&heading).chain(&rows) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{key:first$}  {value:second$}  {source}");
    }
    text
}
