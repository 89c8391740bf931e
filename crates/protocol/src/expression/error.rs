//! Why a text is no expression, and how a person is shown the place.
//!
//! A message says what was expected and what stands there instead; the source line with a caret under the place is
//! made on request, with a window around the place where the text is long.

use std::{fmt::Write as _, ops::Range};

use super::RefusalKind;
use crate::outcome::Refusal;

/// Characters shown on each side of the place, at most.
const WINDOW_CHARS: usize = 36;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}, at byte {}", .span.start + 1)]
pub struct ParseError {
    /// What kind of reason: [`RefusalKind::Syntax`], [`RefusalKind::Length`], [`RefusalKind::Depth`] or
    /// [`RefusalKind::Type`] (a comparison where a number is needed, or the other way round).
    pub kind: RefusalKind,
    /// The place in the text, in bytes, on character boundaries; empty at the end of the text.
    pub span: Range<usize>,
    /// What was expected, in a sentence without a capital and a full stop; bounded in length.
    pub message: String,
}

impl ParseError {
    /// The message, then the line with a caret under the place. Control characters are shown as spaces.
    ///
    /// `text` is the text that was parsed; a place beyond it is shown at its end.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        let start = floor_boundary(text, self.span.start);
        let end = floor_boundary(text, self.span.end).max(start);
        let before: Vec<char> = printable(text[..start].chars().rev().take(WINDOW_CHARS + 1));
        let place: Vec<char> = printable(text[start..end].chars().take(WINDOW_CHARS + 1));
        let after: Vec<char> = printable(text[end..].chars().take(WINDOW_CHARS + 1));

        let mut line = String::new();
        let mut lead = before.len().min(WINDOW_CHARS);
        if before.len() > WINDOW_CHARS {
            line.push('…');
            line.extend(before[..WINDOW_CHARS].iter().rev());
            lead += 1;
        } else {
            line.extend(before.iter().rev());
        }
        line.extend(place.iter().take(WINDOW_CHARS));
        if place.len() > WINDOW_CHARS {
            line.push('…');
        } else {
            line.extend(after.iter().take(WINDOW_CHARS));
            if after.len() > WINDOW_CHARS {
                line.push('…');
            }
        }
        let carets = place.len().clamp(1, WINDOW_CHARS);
        let mut shown = format!("error: {}\n  |\n", self.message);
        // Writing into a string cannot fail.
        let _ = write!(shown, "  | {line}\n  | {:lead$}{}", "", "^".repeat(carets));
        shown
    }
}

impl From<&ParseError> for Refusal {
    fn from(error: &ParseError) -> Self {
        Self { kind: error.kind, message: error.to_string() }
    }
}

fn printable(characters: impl Iterator<Item = char>) -> Vec<char> {
    characters.map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// The last character boundary of `text` that is not after `index`.
fn floor_boundary(text: &str, index: usize) -> usize {
    let mut boundary = index.min(text.len());
    while !text.is_char_boundary(boundary) {
        boundary -= 1;
    }
    boundary
}
