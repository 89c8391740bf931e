//! Everything that is wrong with a job file at once, in the order of the file, and never more than a screenful.
//!
//! Faults are collected by byte offset, in any order; only the first few survive, so that a megabyte of nonsense
//! costs no more than its own size. Lines and columns are worked out at the end, for those that are shown.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    ops::Range,
    path::Path,
};

use super::fault::JobFileFault;
use crate::limits::JOB_FILE_ERRORS_MAX;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFileError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub fault: JobFileFault,
}

/// What is wrong with a job file, or with the expression file that it names: the first
/// [`JOB_FILE_ERRORS_MAX`] faults in the order of the file, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFileErrors {
    expression_file: Option<String>,
    first: Vec<JobFileError>,
    more: usize,
}

impl JobFileErrors {
    /// The errors that are kept, by position; never empty.
    #[must_use]
    pub fn errors(&self) -> &[JobFileError] {
        &self.first
    }

    /// How many errors there are beyond [`Self::errors`].
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }

    /// The expression file in which the errors are, as the job file names it; none when they are in the job file.
    #[must_use]
    pub fn expression_file(&self) -> Option<&str> {
        self.expression_file.as_deref()
    }

    /// The errors as lines `path:line:column: what`, for the job file at `path`. Errors of the expression file are
    /// told under that file's path, beside the job file.
    #[must_use]
    pub fn render(&self, path: &str) -> String {
        let told = match &self.expression_file {
            None => path.to_owned(),
            Some(file) => Path::new(path).with_file_name(file).display().to_string(),
        };
        self.lines(&format!("{told}:"))
    }

    fn lines(&self, prefix: &str) -> String {
        let mut text = String::new();
        for (number, JobFileError { line, column, fault }) in self.first.iter().enumerate() {
            if number > 0 {
                text.push('\n');
            }
            // Writing into a string cannot fail.
            let _ = write!(text, "{prefix}{line}:{column}: {fault}");
            for excerpt_line in fault.excerpt().unwrap_or_default().lines() {
                text.push_str("\n    ");
                text.push_str(excerpt_line);
            }
        }
        match self.more {
            0 => {}
            1 => text.push_str("\nand 1 more error"),
            more => {
                let _ = write!(text, "\nand {more} more errors");
            }
        }
        text
    }
}

impl fmt::Display for JobFileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expression_file {
            None => f.write_str(&self.lines("")),
            Some(file) => f.write_str(&self.lines(&format!("{file}:"))),
        }
    }
}

impl std::error::Error for JobFileErrors {}

/// Collects faults by byte offset and keeps the first few.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    first: Vec<(usize, JobFileFault)>,
    more: usize,
    /// First byte to last byte of each line whose TOML is broken.
    broken_lines: BTreeMap<usize, usize>,
}

impl Faults {
    /// Adds a fault at a byte offset. On a line whose TOML is broken nothing else is reported: what was read there
    /// is a guess.
    pub(crate) fn push(&mut self, offset: usize, fault: impl Into<JobFileFault>) {
        if !self.is_on_broken_line(offset) {
            self.keep(offset, fault.into());
        }
    }

    /// Adds the faults of the TOML parser and remembers the lines that they are on. What the parser says about the
    /// rest of a broken line is an echo of its first complaint, and is left out.
    pub(crate) fn push_toml(&mut self, text: &str, errors: impl Iterator<Item = (usize, String)>) {
        for (offset, message) in errors {
            let offset = offset.min(text.len());
            if !self.is_on_broken_line(offset) {
                let line = line_around(text, offset);
                self.broken_lines.insert(line.start, line.end);
                self.keep(offset, JobFileFault::Toml { message });
            }
        }
    }

    /// Whether the text is no TOML somewhere, so that keys may seem to be missing.
    pub(crate) fn is_broken(&self) -> bool {
        !self.broken_lines.is_empty()
    }

    /// Whether the heading of a table is broken, so that the keys under it seem to be another table's.
    pub(crate) fn has_broken_heading(&self, text: &str) -> bool {
        self.broken_lines.iter().any(|(start, end)| text[*start..*end].trim_start().starts_with('['))
    }

    fn is_on_broken_line(&self, offset: usize) -> bool {
        self.broken_lines.range(..=offset).next_back().is_some_and(|(_, end)| offset <= *end)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// The errors, with their places in `text`: a job file's, or that of the expression file which it names.
    pub(crate) fn into_errors(self, text: &str, expression_file: Option<&str>) -> JobFileErrors {
        let first = self
            .first
            .into_iter()
            .map(|(offset, fault)| {
                let (line, column) = position(text, offset);
                JobFileError { line, column, fault }
            })
            .collect();
        JobFileErrors { expression_file: expression_file.map(str::to_owned), first, more: self.more }
    }

    fn keep(&mut self, offset: usize, fault: JobFileFault) {
        let place = self.first.partition_point(|(other, _)| *other <= offset);
        self.first.insert(place, (offset, fault));
        if self.first.len() > JOB_FILE_ERRORS_MAX {
            self.first.pop();
            self.more += 1;
        }
    }
}

/// The bytes of the line around an offset, without its end.
fn line_around(text: &str, offset: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let start = bytes[..offset].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let end = bytes[offset..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| offset + at);
    start..end
}

/// Line and column, from 1, of a byte offset; columns count characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    (line, 1 + before[line_start..].trim_start_matches('\u{feff}').chars().count())
}
