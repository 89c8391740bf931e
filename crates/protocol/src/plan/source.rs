//! Where a plan's expressions stand, so that a job of a million lines holds its text once and nothing twice.
//!
//! A cursor is a place from which the next expression is found: a number in a list, a byte offset in a file.

use std::sync::Arc;

use crate::limits::EXPRESSION_FILE_BYTES_MAX;

/// The expressions of a job, in order.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// In the job file.
    Inline(Arc<[String]>),
    /// One a line; blank lines and lines that start with `#` do not count.
    File(Arc<str>),
}

/// One expression of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<'s> {
    /// Its text, without the blanks around it.
    pub(super) text: &'s str,
    /// The byte of the file at which it begins; zero in a list.
    pub(super) offset: usize,
    /// From where it is found again.
    pub(super) cursor: u32,
    /// From where the one after it is found.
    pub(super) next: u32,
}

const _: () = assert!(EXPRESSION_FILE_BYTES_MAX < u32::MAX as u64, "a cursor is a byte offset in 32 bits");

impl Source {
    /// The first expression at or after a cursor.
    pub(super) fn find(&self, cursor: u32) -> Option<Found<'_>> {
        match self {
            Self::Inline(expressions) => {
                let text = expressions.get(cursor as usize)?;
                Some(Found { text, offset: 0, cursor, next: cursor + 1 })
            }
            Self::File(text) => find_line(text, cursor),
        }
    }

    /// The expressions from a cursor on.
    pub(super) fn from(&self, cursor: u32) -> impl Iterator<Item = Found<'_>> {
        let mut cursor = cursor;
        std::iter::from_fn(move || {
            let found = self.find(cursor)?;
            cursor = found.next;
            Some(found)
        })
    }
}

/// A line without the blanks before it, and without those on both sides.
fn trim(line: &str) -> (&str, &str) {
    let is_bare = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    if is_bare(line.as_bytes().first()) && is_bare(line.as_bytes().last()) {
        return (line, line);
    }
    let trimmed = line.trim_start_matches('\u{feff}').trim_start();
    (trimmed, trimmed.trim_end())
}

fn find_line(text: &str, cursor: u32) -> Option<Found<'_>> {
    let mut start = cursor as usize;
    loop {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let (line, next) = match memchr::memchr(b'\n', rest.as_bytes()) {
            Some(newline) => (&rest[..newline], start + newline + 1),
            None => (rest, text.len()),
        };
        let (trimmed, expression) = trim(line);
        if !expression.is_empty() && !expression.starts_with('#') {
            let lead = line.len() - trimmed.len();
            let narrow = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
            return Some(Found {
                text: expression,
                offset: start + lead,
                cursor: narrow(start),
                next: narrow(next),
            });
        }
        start = next;
    }
}
