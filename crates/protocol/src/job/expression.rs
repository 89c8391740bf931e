//! What a job needs to know of an expression before anybody answers it: that it is one, and whether it is a range
//! that has to be cut.
//!
//! Only a text that is no expression at all is an error of the job file. One that is over a bound (length, depth) or
//! that mixes kinds is sent like any other: every worker refuses it alike, and that refusal is voted on.

use std::ops::Range;

use super::fault::JobFileFault;
use crate::{
    expression::{RefusalKind, Statement, is_of_integers, parse},
    limits::{
        QUICK_EXPRESSION_BYTES_MAX, TASK_BYTES_MAX, TASK_KERNEL_RANGE_VALUES_MAX, TASK_RANGE_VALUES_MAX,
        TASKS_MAX,
    },
};

/// What an encoded task needs beside the text of its only expression, generously.
const TASK_FRAME_BYTES: usize = 1024;

/// How an expression becomes tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Together with its neighbours.
    Batched,
    /// In pieces of its own.
    Ranged(RangeReading),
}

impl Reading {
    /// How many tasks it makes by itself.
    pub(crate) fn pieces(&self) -> u64 {
        match self {
            Self::Batched => 0,
            Self::Ranged(range) => range.pieces,
        }
    }
}

/// A range, as far as cutting it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RangeReading {
    pub(crate) variable: String,
    pub(crate) body: Range<usize>,
    pub(crate) first: i128,
    pub(crate) last: i128,
    /// How many tasks it makes, at most [`TASKS_MAX`].
    pub(crate) pieces: u64,
    /// Whether a GPU kernel takes the body.
    pub(crate) has_kernel: bool,
}

impl RangeReading {
    /// First and last value of a piece.
    pub(crate) fn piece(&self, number: u64) -> (i128, i128) {
        let step = i128::from(values_max(self.has_kernel));
        let first = self.first.saturating_add(i128::from(number).saturating_mul(step));
        (first, first.saturating_add(step - 1).min(self.last))
    }
}

/// Most values in one task.
fn values_max(has_kernel: bool) -> u64 {
    if has_kernel { TASK_KERNEL_RANGE_VALUES_MAX } else { TASK_RANGE_VALUES_MAX }
}

/// Whether an expression takes no longer than reading it, whatever it says: it is short, and made of numbers, signs and
/// parentheses, without powers, factorials and names. Its values are no longer than its text.
pub(crate) fn is_quick(text: &str) -> bool {
    // Between the parentheses and `>` are the digits, `* + - . / < =`, and signs that no expression has without a name.
    let is_plain = |byte: &u8| matches!(byte, b' ' | b'%' | b'('..=b'>');
    text.len() <= QUICK_EXPRESSION_BYTES_MAX && text.as_bytes().iter().all(is_plain)
}

/// Reads one expression.
///
/// # Errors
/// The fault, and at which byte of the text it is.
pub(crate) fn read(text: &str) -> Result<Reading, (usize, JobFileFault)> {
    if text.len() > TASK_BYTES_MAX - TASK_FRAME_BYTES {
        return Err((0, JobFileFault::ExpressionTooLong { bytes: text.len() }));
    }
    if is_of_integers(text) {
        return Ok(Reading::Batched);
    }
    let range = match parse(text) {
        Ok(Statement::Range(range)) => range,
        Err(error) if error.kind == RefusalKind::Syntax => {
            // The first line repeats the message, the second is the empty top of the frame.
            let excerpt = error.render(text).lines().skip(2).collect::<Vec<_>>().join("\n");
            return Err((error.span.start, JobFileFault::Syntax { message: error.message, excerpt }));
        }
        Ok(Statement::Plain(_)) | Err(_) => return Ok(Reading::Batched),
    };
    // The width of a range of i128 can be 2^128 - 1, which leaves room for no more than itself.
    let width = range.last.abs_diff(range.first);
    let has_kernel = range.body.has_kernel();
    match u64::try_from(width / u128::from(values_max(has_kernel))) {
        Ok(steps) if steps < TASKS_MAX => Ok(Reading::Ranged(RangeReading {
            variable: range.variable,
            body: range.body_span,
            first: range.first,
            last: range.last,
            pieces: steps + 1,
            has_kernel,
        })),
        _ => {
            let values = width.saturating_add(1).to_string();
            Err((0, JobFileFault::RangeTooLong { values, values_max: values_max(has_kernel) }))
        }
    }
}
