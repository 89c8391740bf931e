//! What the settings of a program are, read off its command line: each argument that has an environment variable.

use std::{any::TypeId, collections::BTreeMap, error::Error as _, num};

use clap::{Arg, Command, error::ContextKind};

/// One setting.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    arg: Arg,
}

/// How a value is written in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Switch,
}

/// The settings of a command and of everything below it, in the order in which they are declared. The one that names
/// the configuration file cannot stand in it, so it is none.
pub(crate) fn of(command: &Command) -> Vec<Setting> {
    let mut settings = Vec::new();
    gather(command, &mut settings);
    // What holds for every command comes last.
    settings.sort_by_key(|setting| setting.arg.is_global_set());
    settings
}

fn gather(command: &Command, settings: &mut Vec<Setting>) {
    for arg in command.get_arguments() {
        let is_setting = arg.get_env().is_some() && arg.get_id() != "config";
        if is_setting && !settings.iter().any(|setting| setting.arg.get_id() == arg.get_id()) {
            settings.push(Setting { arg: arg.clone() });
        }
    }
    command.get_subcommands().for_each(|below| gather(below, settings));
}

impl Setting {
    /// Its key in the file, which is its flag's name.
    pub(crate) fn key(&self) -> &str {
        self.arg.get_id().as_str()
    }

    /// Its flag.
    pub(crate) fn flag(&self) -> String {
        format!("--{}", self.arg.get_long().unwrap_or_else(|| self.key()))
    }

    /// Its environment variable.
    pub(crate) fn variable(&self) -> String {
        self.arg.get_env().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The default that the command line declares; none where it depends on the machine.
    pub(crate) fn default(&self) -> Option<String> {
        Some(self.arg.get_default_values().first()?.to_string_lossy().into_owned())
    }

    /// How a file writes it.
    pub(crate) fn kind(&self) -> Kind {
        let is = |id: TypeId| self.arg.get_value_parser().type_id() == id;
        let numbers = [
            TypeId::of::<num::NonZeroUsize>(),
            TypeId::of::<num::NonZeroU64>(),
            TypeId::of::<num::NonZeroU32>(),
            TypeId::of::<usize>(),
            TypeId::of::<u64>(),
            TypeId::of::<u32>(),
            TypeId::of::<u16>(),
            TypeId::of::<u8>(),
        ];
        match () {
            () if !self.arg.get_action().takes_values() => Kind::Switch,
            () if numbers.into_iter().any(is) => Kind::Number,
            () => Kind::Text,
        }
    }

    /// The value as people may see it: of a secret, only the beginning.
    ///
    /// An argument whose variable's value is hidden in the help holds a secret, or may: an address is none.
    pub(crate) fn shown(&self, value: &str) -> String {
        let is_address = value
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !self.arg.is_hide_env_values_set() || is_address {
            return value.to_owned();
        }
        let beginning: String = value.chars().take((value.chars().count() / 4).min(12)).collect();
        format!("{beginning}…")
    }

    /// Why a value cannot be used: the reason, and what could be written instead.
    pub(crate) fn check(&self, value: &str) -> Result<(), (String, String)> {
        if self.kind() == Kind::Switch {
            return Ok(());
        }
        // The parser of one argument cannot be called alone; a command that has only this argument can.
        let alone = Command::new("setting").no_binary_name(true).disable_help_flag(true);
        let arg = self.arg.clone().env(None).global(false).required(false);
        let written = format!("{}={value}", self.flag());
        let Err(error) = alone.arg(arg).try_get_matches_from([written]) else { return Ok(()) };
        let words = error.get(ContextKind::ValidValue).map(ToString::to_string);
        Err(match (words, error.source()) {
            (Some(words), _) => (format!("it must be one of {words}"), String::new()),
            (None, Some(source)) => (source.to_string(), self.example()),
            (None, None) => ("it has the wrong form".to_owned(), self.example()),
        })
    }

    fn example(&self) -> String {
        self.default().map(|default| format!("; the default is `{default}`")).unwrap_or_default()
    }
}

/// The command with the values of the file in place of its defaults: what is left of the order of precedence, flag
/// before variable before this, is the command line's own.
pub(crate) fn with_defaults(command: Command, values: &BTreeMap<String, String>) -> Command {
    let replaced = command.mut_args(|arg| match values.get(arg.get_id().as_str()) {
        Some(value) if arg.get_env().is_some() => arg.default_value(value.clone()),
        _ => arg,
    });
    replaced.mut_subcommands(|below| with_defaults(below, values))
}
