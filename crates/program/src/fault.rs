//! What can be wrong in a configuration file, each as one sentence with its place, and all of them together.
//!
//! What is quoted from the file is shortened and stripped of control characters before a terminal sees it.

use std::{fmt, path::PathBuf};

use protocol::limits::{CONFIG_FILE_ERRORS_MAX, NAME_BYTES_MAX};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("not valid TOML: {0}")]
    Toml(String),
    #[error("unknown key `{key}` in [{table}]; {help}")]
    UnknownKey { key: String, table: &'static str, help: String },
    #[error("unknown table [{table}]; {help}")]
    UnknownTable { table: String, help: String },
    #[error("`{key}` stands outside of the tables; move it under [coordinator] or [worker]")]
    Homeless { key: String },
    #[error("`{key}` must be {expected}, not {found}; write {example}")]
    WrongType { key: String, expected: &'static str, found: &'static str, example: String },
    #[error("`{key}` is `{value}`, which cannot be used: {reason}{help}")]
    BadValue { key: String, value: String, reason: String, help: String },
}

/// Everything that is wrong in a configuration file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFaults {
    path: PathBuf,
    places: Vec<(usize, usize, Fault)>,
    more: usize,
}

impl ConfigFaults {
    /// Faults with their byte offsets in `text`; at least one.
    pub(crate) fn new(path: PathBuf, text: &str, mut faults: Vec<(usize, Fault)>) -> Self {
        faults.sort_by_key(|(offset, _)| *offset);
        let more = faults.len().saturating_sub(CONFIG_FILE_ERRORS_MAX);
        faults.truncate(CONFIG_FILE_ERRORS_MAX);
        let placed = |(offset, fault)| {
            let (line, column) = position(text, offset);
            (line, column, fault)
        };
        Self { path, places: faults.into_iter().map(placed).collect(), more }
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration file cannot be used")?;
        for (line, column, fault) in &self.places {
            write!(f, "\n{}:{line}:{column}: {fault}", self.path.display())?;
        }
        match self.more {
            0 => Ok(()),
            1 => f.write_str("\nand 1 more error"),
            more => write!(f, "\nand {more} more errors"),
        }
    }
}

impl std::error::Error for ConfigFaults {}

/// Line and column, from 1, of a byte offset; columns count characters.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    (line, 1 + before[line_start..].trim_start_matches('\u{feff}').chars().count())
}

/// A word from the file, fit for a terminal.
pub(crate) fn quoted(value: &str) -> String {
    let mut text: String = value.chars().take(NAME_BYTES_MAX).collect();
    text = text.replace(char::is_control, " ");
    if value.chars().nth(NAME_BYTES_MAX).is_some() {
        text.push('…');
    }
    text
}

/// "did you mean `x`?" where a known word is near, else all of them.
pub(crate) fn did_you_mean(word: &str, known: &[&str]) -> String {
    // The distance costs the product of the lengths.
    let near = known.iter().filter(|_| word.len() <= NAME_BYTES_MAX);
    let near = near.map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate));
    match near.filter(|(distance, candidate)| *distance <= candidate.len() / 3).min() {
        Some((_, near)) => format!("did you mean `{near}`?"),
        None => format!(
            "known are {}",
            known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        ),
    }
}
