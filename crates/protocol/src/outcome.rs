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
    /// What the canonical bytes of digits begin with.
    const DIGITS_NAME: &[u8] = b"\x81\xa6Digits";

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            // Most answers are truths, of this many bytes.
            Self::Answers(answers) => codec::encode_with_room(self, 12 + 25 * answers.len()),
            Self::Digits(text) => codec::encode_with_room(self, 16 + text.len()),
            Self::Range(_) | Self::HexSum(_) => codec::encode(self),
        }
    }

    /// The canonical bytes of an outcome that is needed no longer: those of digits stay where they are, if there is room for a
    /// header in front of them.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let Self::Digits(text) = self else { return self.to_bytes() };
        let mut header = Self::DIGITS_NAME.to_vec();
        let Ok(length) = u32::try_from(text.len()) else { return Self::Digits(text).to_bytes() };
        let [_, _, high, low] = length.to_be_bytes();
        // Of the headers that a text may have, the shortest is canonical.
        match length {
            0..32 => header.push(0xa0 + low),
            32..0x100 => header.extend([0xd9, low]),
            0x100..0x1_0000 => header.extend([0xda, high, low]),
            _ => {
                header.push(0xdb);
                header.extend(length.to_be_bytes());
            }
        }
        let mut bytes = text.into_bytes();
        bytes.splice(0..0, header);
        bytes
    }

    /// Reads canonical bytes of at most `limit_bytes`.
    ///
    /// # Errors
    /// [`DecodeError`] when they are no canonical outcome.
    pub fn from_bytes(bytes: &[u8], limit_bytes: usize) -> Result<Self, DecodeError> {
        codec::decode_canonical("outcome", bytes, limit_bytes)
    }

    /// The digits that canonical bytes are, where they lie; none of other bytes.
    #[must_use]
    pub fn digits_in(bytes: &[u8]) -> Option<&str> {
        let text = bytes.strip_prefix(Self::DIGITS_NAME)?;
        // Of the headers that a text may have, the shortest is canonical.
        let (length, least, text) = match text {
            [short @ 0xa0..=0xbf, text @ ..] => (u32::from(*short - 0xa0), 0, text),
            [0xd9, length, text @ ..] => (u32::from(*length), 32, text),
            [0xda, high, low, text @ ..] => (u32::from_be_bytes([0, 0, *high, *low]), 1 << 8, text),
            [0xdb, a, b, c, d, text @ ..] => (u32::from_be_bytes([*a, *b, *c, *d]), 1 << 16, text),
            _ => return None,
        };
        let is_canonical = length >= least && usize::try_from(length) == Ok(text.len());
        if is_canonical { std::str::from_utf8(text).ok() } else { None }
    }

    /// Reads an outcome of at most `limit_bytes` that is shown and nothing else. No digest is taken of what was read, so
    /// bytes that are not canonical do no harm: they show what they say.
    ///
    /// # Errors
    /// [`DecodeError`] when they are no outcome.
    pub fn to_show(bytes: &[u8], limit_bytes: usize) -> Result<Self, DecodeError> {
        match truths(bytes) {
            Some(answers) if bytes.len() <= limit_bytes => Ok(Self::Answers(answers)),
            _ => codec::decode("outcome", bytes, limit_bytes),
        }
    }

    /// The digest of canonical bytes, which is what ballots are cast for.
    #[must_use]
    pub fn digest_of_bytes(bytes: &[u8]) -> Digest {
        Digest::of(Domain::Outcome, bytes)
    }
}

/// The answers of an outcome that says "true" to everything, as most long ones do: they are all alike but for their checksums,
/// and read several times as fast as what has to be found out byte by byte. None of any other outcome.
fn truths(bytes: &[u8]) -> Option<Vec<Answer>> {
    const TRUE: &[u8] = b"\x81\xa4True\x91\xc4\x10";
    // Shorter lists have another header, and are read quickly anyway.
    let list = bytes.strip_prefix(b"\x81\xa7Answers\xdc")?;
    let (count, list) = list.split_first_chunk()?;
    let (answers, []) = list.as_chunks::<{ TRUE.len() + 16 }>() else { return None };
    if answers.len() != usize::from(u16::from_be_bytes(*count)) {
        return None;
    }
    let truth = |answer: &[u8; TRUE.len() + 16]| {
        let checksum = Checksum(answer.strip_prefix(TRUE)?.try_into().ok()?);
        Some(Answer::True { checksum })
    };
    answers.iter().map(truth).collect()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(kind: u8, byte: u8) -> Answer {
        let checksum = Checksum([byte; 16]);
        match kind {
            0 => Answer::False { parts_after: None, checksum },
            1 => Answer::Agrees { digits: 1, checksum },
            2 => Answer::Value { text: "True".to_owned(), exact: true },
            _ => Answer::True { checksum },
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn digits_are_read_where_they_lie_as_they_are_otherwise(
            length in prop_oneof![0..40_usize, 250..260_usize, 65_530..65_540_usize],
            letter in prop_oneof![6 => Just('7'), 1 => Just('\u{664}')],
            damages in prop::collection::vec((0..16_usize, any::<u8>()), 0..3),
            (cut, more) in (prop_oneof![4 => Just(0_usize), 1 => 0..9_usize], 0..2_usize),
        ) {
            let mut bytes = Outcome::Digits(letter.to_string().repeat(length)).to_bytes();
            for (place, byte) in damages {
                let last = bytes.len() - 1;
                bytes[place.min(last)] = byte;
            }
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            bytes.extend(vec![b'1'; more]);
            let plain = match Outcome::from_bytes(&bytes, bytes.len()) {
                Ok(Outcome::Digits(text)) => Some(text),
                _ => None,
            };
            prop_assert_eq!(Outcome::digits_in(&bytes).map(str::to_owned), plain);
        }

        #[test]
        fn bytes_of_an_outcome_that_is_given_up_are_the_canonical_ones(
            length in prop_oneof![0..40_usize, 250..260_usize, 65_530..65_540_usize],
            room in 0..20_usize,
            kinds in prop::collection::vec(0..4_u8, 0..9),
        ) {
            let mut text = String::with_capacity(length + room);
            text.push_str(&"7".repeat(length));
            let answers = kinds.into_iter().map(|kind| answer(kind, 3)).collect();
            for outcome in [Outcome::Digits(text), Outcome::Answers(answers)] {
                prop_assert_eq!(outcome.to_bytes(), outcome.into_bytes());
            }
        }

        #[test]
        fn outcomes_of_truths_are_read_as_all_others_are(
            others in prop::collection::vec((0..4_u8, any::<u8>()), 0..2),
            (count, byte) in (prop_oneof![40 => 0..40_usize, 1 => 65_530..65_540_usize], any::<u8>()),
            damage in prop::option::of((0..3000_usize, any::<u8>())),
            cut in prop_oneof![4 => Just(0_usize), 1 => 0..60_usize],
        ) {
            let others = others.into_iter().map(|(kind, byte)| answer(kind, byte));
            let answers = std::iter::repeat_n(answer(9, byte), count).chain(others).collect();
            let mut bytes = Outcome::Answers(answers).to_bytes();
            if let Some((place, byte)) = damage {
                let place = place % bytes.len();
                bytes[place] = byte;
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            let plain = codec::decode::<Outcome>("outcome", &bytes, bytes.len());
            prop_assert_eq!(Outcome::to_show(&bytes, bytes.len()), plain);
            prop_assert!(bytes.is_empty() || Outcome::to_show(&bytes, bytes.len() - 1).is_err());
        }
    }

    #[test]
    fn a_long_outcome_of_truths_is_one_of_those_that_are_read_at_once() {
        let bytes = |kind| Outcome::Answers(vec![answer(kind, 7); 16]).to_bytes();
        assert!(truths(&bytes(9)).is_some() && truths(&bytes(0)).is_none());
    }
}
