//! Joining the pieces of one range: what is known of the whole once each piece is decided.
//!
//! A counterexample settles the whole, wherever it is; that it is the smallest is known only if every value before it
//! was settled as true.

use std::fmt;

use crate::outcome::{Outcome, RangeAnswer};

/// What is known of a range after its first pieces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct JoinedRange {
    counterexample: Option<i128>,
    /// What came first and was neither true nor a counterexample.
    first_open: Option<Open>,
    /// Whether that came before the counterexample.
    is_open_below: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Open {
    /// A piece was not accepted.
    Undecided,
    /// [`RangeAnswer::Unsettled`] or [`RangeAnswer::Refused`].
    Answer(RangeAnswer),
}

/// What an answer is, for the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    True,
    False,
    Agrees,
    Value,
    Refused,
    Undecided,
}

impl JoinedRange {
    /// Takes in the next piece, in ascending order; none where it was not accepted.
    pub(super) fn join(&mut self, outcome: Option<&Outcome>) {
        if self.counterexample.is_some() {
            return;
        }
        let open = match outcome {
            Some(Outcome::Range(RangeAnswer::AllTrue { .. })) => return,
            Some(Outcome::Range(RangeAnswer::Counterexample { value, .. })) => {
                self.counterexample = Some(*value);
                self.is_open_below = self.first_open.is_some();
                return;
            }
            Some(Outcome::Range(answer)) => Open::Answer(answer.clone()),
            Some(Outcome::Digits(_) | Outcome::Answers(_) | Outcome::HexSum(_)) | None => Open::Undecided,
        };
        self.first_open.get_or_insert(open);
    }

    pub(super) fn class(&self) -> Class {
        match (&self.counterexample, &self.first_open) {
            (Some(_), _) => Class::False,
            (None, None) => Class::True,
            (None, Some(Open::Answer(RangeAnswer::Unsettled { .. }))) => Class::Agrees,
            (None, Some(Open::Answer(RangeAnswer::Refused { .. }))) => Class::Refused,
            (None, Some(Open::Answer(_) | Open::Undecided)) => Class::Undecided,
        }
    }
}

impl fmt::Display for JoinedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.counterexample, &self.first_open) {
            (Some(value), _) if self.is_open_below => {
                write!(f, "false (counterexample {value}; not every smaller value is settled)")
            }
            (Some(value), _) => write!(f, "false (smallest counterexample {value})"),
            (None, None) => f.write_str("true"),
            (None, Some(Open::Answer(answer))) => answer.fmt(f),
            (None, Some(Open::Undecided)) => f.write_str("undecided"),
        }
    }
}
