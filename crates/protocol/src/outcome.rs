//! What a task yields, as canonical bytes: the same from every engine and formula, or the task is ill-defined.
//!
//! No float is in here. Digits are truncated and proven; answers are three-valued and carry a checksum of the values
//! behind them, so that nobody can vote "true" without doing the work; a refusal (an expression over a bound) is an
//! outcome like any other and is voted on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    digest::{Digest, Domain},
    digit_extraction::Fraction,
};

/// The canonical content of a task's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The integer part, a point and the decimals asked for, ASCII.
    Digits(String),
    /// One answer per expression, in order.
    Answers(Vec<Answer>),
    /// The answer of a range task.
    Range(RangeAnswer),
    /// The sum of a stretch of terms modulo 1, with as many bits as the task says.
    HexSum(Fraction),
}

/// The checksum of the values behind an answer (a truncated digest in [`Domain::Values`]).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checksum(#[serde(with = "crate::hexadecimal")] pub [u8; 16]);

impl Checksum {
    /// The first half of a digest.
    #[must_use]
    pub fn from_digest(digest: Digest) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&digest.0[..16]);
        Self(half)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({})", data_encoding::HEXLOWER.encode(&self.0[..4]))
    }
}

/// The answer to one expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Proven.
    True {
        /// Over the evaluated sides.
        checksum: Checksum,
    },
    /// Disproven.
    False {
        /// To how many significant digits the sides of the comparison that failed agree before they part; none where
        /// no single comparison decides.
        parts_after: Option<u32>,
        /// Over the evaluated sides.
        checksum: Checksum,
    },
    /// The sides could be neither told apart nor proven equal.
    Agrees {
        /// They agree to this many significant digits.
        digits: u32,
        /// Over the evaluated sides.
        checksum: Checksum,
    },
    /// An expression without a comparison: its value.
    Value {
        /// Exact where `exact`, else truncated, with `…` after the last digit.
        text: String,
        /// Whether the text is the whole value.
        exact: bool,
    },
    /// Not computed, and why; the same on every worker.
    Refused(Refusal),
}

/// Why an expression has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of reason.
    pub kind: RefusalKind,
    /// A sentence for people, at most [`crate::limits::TEXT_BYTES_MAX`] bytes: what, the value, the limit, the remedy.
    pub message: String,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// The text is not an expression.
    Syntax,
    /// The text is too long.
    Length,
    /// Nested too deeply.
    Depth,
    /// A value would be too large.
    Size,
    /// It would take too much work.
    Work,
    /// Division by zero, log of a negative number and the like.
    Undefined,
    /// Operands of the wrong kind.
    Type,
}

/// The answer to an expression over a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RangeAnswer {
    /// True for every value.
    AllTrue {
        /// Over both sides at every value.
        checksum: Checksum,
    },
    /// The smallest value for which it is false, and it is refused for none before.
    Counterexample {
        /// That value.
        value: i128,
        /// Over both sides at every value up to it.
        checksum: Checksum,
    },
    /// Neither: false for none, refused for none, but for some the answer is only "agrees to D digits".
    Unsettled {
        /// The smallest value that is not settled.
        value: i128,
        /// See [`Answer::Agrees`].
        digits: u32,
        /// Over both sides at every value of the range.
        checksum: Checksum,
    },
    /// At the smallest such value the expression is refused, and it is false for none before.
    Refused {
        /// The value.
        value: i128,
        /// Why.
        refusal: Refusal,
    },
}

impl Outcome {
    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads canonical bytes of at most `limit_bytes`.
    ///
    /// # Errors
    /// [`DecodeError`] when they are no canonical outcome.
    pub fn from_bytes(bytes: &[u8], limit_bytes: usize) -> Result<Self, DecodeError> {
        codec::decode_canonical("outcome", bytes, limit_bytes)
    }

    /// Reads an outcome of at most `limit_bytes` that is shown and nothing else. No digest is taken of what was read, so
    /// bytes that are not canonical do no harm: they show what they say.
    ///
    /// # Errors
    /// [`DecodeError`] when they are no outcome.
    pub fn to_show(bytes: &[u8], limit_bytes: usize) -> Result<Self, DecodeError> {
        codec::decode("outcome", bytes, limit_bytes)
    }

    /// The digest of canonical bytes, which is what ballots are cast for.
    #[must_use]
    pub fn digest_of_bytes(bytes: &[u8]) -> Digest {
        Digest::of(Domain::Outcome, bytes)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::True { .. } => f.write_str("true"),
            Self::False { parts_after: Some(digits @ 1..), .. } => {
                write!(f, "false (the sides part after {digits} significant digits)")
            }
            Self::False { .. } => f.write_str("false"),
            Self::Agrees { digits, .. } => write!(f, "agrees to {digits} digits"),
            Self::Value { text, .. } => f.write_str(text),
            Self::Refused(refusal) => write!(f, "refused: {}", refusal.message),
        }
    }
}

impl fmt::Display for RangeAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllTrue { .. } => f.write_str("true"),
            Self::Counterexample { value, .. } => write!(f, "false (smallest counterexample {value})"),
            Self::Unsettled { value, digits, .. } => write!(f, "agrees to {digits} digits (at {value})"),
            Self::Refused { value, refusal } => write!(f, "refused (at {value}): {}", refusal.message),
        }
    }
}
