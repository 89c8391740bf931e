//! The configuration file: read whole, within a bound, and strictly. Each program checks the table that is its own;
//! the other's is left to the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use protocol::limits::CONFIG_FILE_BYTES_MAX;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    fault::{ConfigFaults, Fault, did_you_mean, position, quoted},
    settings::{Kind, Setting},
};

/// The tables that a file may have, one for each program.
const TABLES: [&str; 2] = ["coordinator", "worker"];

/// Where the file is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Somebody named it, so it must be there.
    Named(PathBuf),
    /// The user's own, which may be absent.
    Usual(PathBuf),
    /// Nowhere: the user has no home, or wants no file.
    Nowhere,
}

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct FileValues {
    /// The value of each setting that is in it.
    pub(crate) values: BTreeMap<String, String>,
    /// On which line each is.
    pub(crate) lines: BTreeMap<String, usize>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there, or not for this user.
    #[error(
        "cannot read the configuration file {}: {source}; --config or QUORATE_CONFIG names another, and an empty \
         name none", path.display()
    )]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is too large.
    #[error(
        "the configuration file {} has more than {CONFIG_FILE_BYTES_MAX} bytes, the limit; is it another file?",
        path.display()
    )]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// It is no text.
    #[error("the configuration file {} is not UTF-8 text (byte {at}); save it as UTF-8", path.display())]
    NotText {
        /// Which.
        path: PathBuf,
        /// The first byte that is none.
        at: usize,
    },
    /// It says what cannot be.
    #[error(transparent)]
    Faults(#[from] ConfigFaults),
}

/// Reads the file, if there is one; `table` and `settings` are the program's own.
pub(crate) fn read(
    place: &Place,
    table: &'static str,
    settings: &[Setting],
) -> Result<Option<FileValues>, FileError> {
    let (path, may_be_absent) = match place {
        Place::Named(path) => (path, false),
        Place::Usual(path) => (path, true),
        Place::Nowhere => return Ok(None),
    };
    match bytes_of(path) {
        Ok(bytes) => parse(path, bytes, table, settings).map(Some),
        Err(error) if may_be_absent && is_absence(&error) => Ok(None),
        Err(source) => Err(FileError::Unreadable { path: path.clone(), source }),
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The file, or one byte more of it than it may have.
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(CONFIG_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(
    path: &Path,
    bytes: Vec<u8>,
    table: &'static str,
    settings: &[Setting],
) -> Result<FileValues, FileError> {
    if bytes.len() as u64 > CONFIG_FILE_BYTES_MAX {
        return Err(FileError::TooLong { path: path.to_owned() });
    }
    let text = String::from_utf8(bytes).map_err(|error| FileError::NotText {
        path: path.to_owned(),
        at: error.utf8_error().valid_up_to(),
    })?;
    let mut reading =
        Reading { text: &text, table, settings, faults: Vec::new(), found: FileValues::default() };
    let (document, errors) = DeTable::parse_recoverable(&text);
    if errors.is_empty() {
        reading.document(document.get_ref());
    } else {
        // What broken TOML seems to say is a guess, and the rest of a broken line an echo of its first error.
        let mut lines = BTreeSet::new();
        for error in errors {
            let offset = error.span().map_or(text.len(), |span| span.start);
            if lines.insert(position(&text, offset).0) {
                reading.faults.push((offset, Fault::Toml(error.message().to_owned())));
            }
        }
    }
    if reading.faults.is_empty() {
        return Ok(reading.found);
    }
    Err(ConfigFaults::new(path.to_owned(), &text, reading.faults).into())
}

struct Reading<'t> {
    text: &'t str,
    table: &'static str,
    settings: &'t [Setting],
    faults: Vec<(usize, Fault)>,
    found: FileValues,
}

impl Reading<'_> {
    fn document(&mut self, document: &DeTable<'_>) {
        for (key, value) in document {
            let (name, offset): (&str, usize) = (key.get_ref(), key.span().start);
            match value.get_ref() {
                DeValue::Table(table) if name == self.table => self.settings_in(table),
                DeValue::Table(_) if TABLES.contains(&name) => {}
                DeValue::Table(_) => {
                    let help = did_you_mean(name, &TABLES);
                    self.faults.push((offset, Fault::UnknownTable { table: quoted(name), help }));
                }
                other if TABLES.contains(&name) => {
                    let (expected, example) = ("a table", format!("[{name}] on a line of its own"));
                    let found = type_of(other);
                    self.faults
                        .push((offset, Fault::WrongType { key: quoted(name), expected, found, example }));
                }
                _ => self.faults.push((offset, Fault::Homeless { key: quoted(name) })),
            }
        }
    }

    fn settings_in(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            let (name, offset): (&str, usize) = (key.get_ref(), key.span().start);
            if let Some(setting) = self.settings.iter().find(|setting| setting.key() == name) {
                self.setting(setting, offset, value);
            } else {
                let known: Vec<&str> = self.settings.iter().map(Setting::key).collect();
                let help = did_you_mean(name, &known);
                self.faults.push((offset, Fault::UnknownKey { key: quoted(name), table: self.table, help }));
            }
        }
    }

    fn setting(&mut self, setting: &Setting, key_offset: usize, value: &Spanned<DeValue<'_>>) {
        let (key, offset) = (setting.key().to_owned(), value.span().start);
        let Some(text) = text_of(setting.kind(), value.get_ref()) else {
            let (expected, example) = match setting.kind() {
                Kind::Text => (
                    "a string",
                    setting.default().map_or_else(|| "it in quotes".to_owned(), |text| format!("\"{text}\"")),
                ),
                Kind::Number => ("a whole number", "it without quotes, as in 4".to_owned()),
                Kind::Switch => ("true or false", "it without quotes".to_owned()),
            };
            let found = type_of(value.get_ref());
            self.faults.push((offset, Fault::WrongType { key, expected, found, example }));
            return;
        };
        match setting.check(&text) {
            Ok(()) => {
                self.found.lines.insert(key.clone(), position(self.text, key_offset).0);
                self.found.values.insert(key, text);
            }
            Err((reason, help)) => {
                let value = quoted(&setting.shown(&text));
                self.faults.push((offset, Fault::BadValue { key, value, reason, help }));
            }
        }
    }
}

/// A value as a flag would give it.
fn text_of(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (Kind::Text, DeValue::String(text)) => Some(text.to_string()),
        (Kind::Switch, DeValue::Boolean(value)) => Some(value.to_string()),
        (Kind::Number, DeValue::Integer(number)) => {
            // A number that is too large for 64 bits is left to the setting's own check, as it is written.
            let parsed = u64::from_str_radix(number.as_str(), number.radix());
            Some(parsed.map_or_else(|_| number.as_str().to_owned(), |number| number.to_string()))
        }
        _ => None,
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, num::NonZeroUsize};

    use clap::{Arg, ArgAction, Command, value_parser};
    use proptest::prelude::*;

    use super::*;
    use crate::settings;

    fn settings() -> Vec<Setting> {
        let arg = |id: &'static str| Arg::new(id).long(id).env(id.to_uppercase());
        let command = Command::new("worker")
            .arg(arg("listen").value_parser(value_parser!(SocketAddr)).default_value("127.0.0.1:1"))
            .arg(arg("threads").value_parser(value_parser!(NonZeroUsize)))
            .arg(arg("gpu").action(ArgAction::SetTrue))
            .arg(arg("join").hide_env_values(true).value_parser(["abcdefgh"]))
            .arg(Arg::new("drill").long("drill"));
        settings::of(&command)
    }

    fn read_text(text: &str) -> Result<FileValues, String> {
        let read = parse(Path::new("c.toml"), text.as_bytes().to_vec(), "worker", &settings());
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn values_become_what_flags_would_say() {
        let text = "[worker]\nlisten = \"[::1]:5\"\nthreads = 0x1_0\n\ngpu = true\n";
        let found = read_text(text).unwrap();
        let value = |key: &str| (found.values[key].as_str(), found.lines[key]);
        assert_eq!(
            [value("listen"), value("threads"), value("gpu")],
            [("[::1]:5", 2), ("16", 3), ("true", 5)]
        );
        assert_eq!(read_text("").unwrap().values.len(), 0);
        // A byte order mark is what some editors put there.
        assert_eq!(read_text("\u{feff}[worker]\nthreads = 2\n").unwrap().values["threads"], "2");
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        for (text, says) in [
            (
                "[worker]\nthreads = 99999999999999999999\n",
                "c.toml:2:11: `threads` is `99999999999999999999`, which",
            ),
            ("[worker]\nthreads = -1\n", "c.toml:2:11: `threads` is `-1`, which"),
            ("[worker]\ngpu = \"yes\"\n", "c.toml:2:7: `gpu` must be true or false, not a string"),
            ("[worker]\ndrill = \"x\"\n", "unknown key `drill`"),
            ("[worker]\njoin = \"hunter2hunter2\"\n", "`join` is `hun…`, which"),
            ("\u{feff}tasks = 1\n", "c.toml:1:1: `tasks` stands"),
            ("worker = 1\n", "c.toml:1:1: `worker` must be a table"),
            ("[worker]\nthreads = 1\nthreads = 2\n", "c.toml:3:"),
            ("[[worker]]\nthreads = 1\n", "`worker` must be a table, not a list"),
            ("[worker]\n\"thr\\u001beads\" = 1\n", "unknown key `thr eads`"),
        ] {
            let told = read_text(text).err().unwrap_or_else(|| panic!("{text} is accepted"));
            assert!(told.contains(says), "{told}");
        }
        assert!(!read_text("[worker]\njoin = \"hunter2hunter2\"\n").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn more_mistakes_than_a_screen_holds_are_counted() {
        let many: Vec<String> = (0..25).map(|number| format!("key{number} = 1")).collect();
        let told = read_text(&format!("[worker]\n{}", many.join("\n"))).unwrap_err();
        assert_eq!(told.lines().count(), 22, "{told}");
        assert!(told.ends_with("and 5 more errors"), "{told}");
    }

    proptest! {
        #[test]
        fn no_file_breaks_the_reading(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(Path::new("c.toml"), bytes, "worker", &settings());
        }

        #[test]
        fn no_nearly_good_file_breaks_the_reading(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "[worker]", "[coordinator]", "threads", "listen", "=", " ", "\n", "\"", "1", "é", "\u{feff}", "[",
                    "]", "{", "}", ".", "true", "#", "'''",
                ]),
                0..40,
            ),
        ) {
            let text: String = parts.concat();
            if let Err(told) = read_text(&text) {
                prop_assert!(told.contains("c.toml:"), "{}", told);
            }
        }
    }
}
