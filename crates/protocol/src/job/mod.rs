//! What a user submits: one TOML file, as a type that can only hold what is valid.
//!
//! The text is parsed by [`JobSpec::parse`](crate::job::JobSpec), which reports everything that is wrong at once,
//! with line, column and remedy. From here on nobody checks a job again.

mod errors;
pub(crate) mod expression;
mod fault;
mod hex_digits;
mod parse;
mod policy;
mod section;
mod series;
mod write;

use std::{cmp::Ordering, fmt};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::{
    constant::Constant,
    digest::{Digest, Domain},
    digit_extraction::{HexConstant, HexFormula},
    policy::Policy,
    series::SeriesFormula,
};

pub(crate) use errors::Faults;
pub use errors::{JobFileError, JobFileErrors};
pub use fault::JobFileFault;
pub(crate) use fault::quoted;
pub use hex_digits::HEX_GUARD_BITS_DEFAULT;
pub use parse::AGREE_DIGITS_DEFAULT;
pub use write::ask_job_text;

/// A job's name in one coordinator: made from what was submitted and a nonce of the coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JobId(#[serde(with = "crate::hexadecimal")] pub [u8; 16]);

impl JobId {
    /// The id of a submission: the job file's text, the digest of the expression file (if any) and 16 random bytes.
    #[must_use]
    pub fn of_submission(text: &str, file: Option<Digest>, nonce: [u8; 16]) -> Self {
        let mut hasher = crate::digest::Hasher::new(Domain::Job);
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
        if let Some(file) = file {
            hasher.update(&file.0);
        }
        hasher.update(&nonce);
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finish().0[..16]);
        Self(id)
    }

    /// Reads 32 lowercase hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        Some(Self(HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()?))
    }
}

impl Ord for JobId {
    /// As the bytes are ordered.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        crate::digest::compare_bytes(&self.0, &other.0)
    }
}

impl PartialOrd for JobId {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({})", HEXLOWER.encode(&self.0[..4]))
    }
}

/// A parsed, valid job file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSpec {
    /// The job's name: lowercase letters, digits and `-`, at most [`crate::limits::NAME_BYTES_MAX`]; also the name of
    /// its results folder.
    pub name: String,
    /// One line for people; may be empty.
    pub description: String,
    /// What is to be computed.
    pub work: Work,
    /// How it is voted on.
    pub policy: Policy,
}

/// What a job computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Decimal digits of a constant.
    Digits {
        /// Which constant.
        constant: Constant,
        /// How many digits after the point.
        decimals: u64,
    },
    /// A window of hexadecimal digits of a constant.
    HexDigits {
        /// Which constant.
        constant: HexConstant,
        /// By which of its formulas.
        formula: HexFormula,
        /// How many hexadecimal digits after the point are skipped.
        after: u64,
        /// How many digits.
        digits: u32,
        /// At least how many bits to spare beyond what truncation can spoil.
        guard_bits: u32,
    },
    /// Decimal digits of a positive number, by two formulas that the job brings.
    Series {
        /// The two; they share no series.
        formulas: Box<[SeriesFormula; 2]>,
        /// How many digits after the point.
        decimals: u64,
    },
    /// Answers to expressions.
    Expressions {
        /// To how many significant digits sides are compared.
        agree_digits: u32,
        /// Most expressions in one task, at most [`crate::limits::TASK_EXPRESSIONS_MAX`]. Where the job leaves it open, it is
        /// that limit, and more of those that are quick.
        batch: Option<u16>,
        /// Where the expressions are.
        source: ExpressionSource,
    },
}

impl Work {
    /// Whether the value of the job is the outcome of its one task, byte for byte: digits are.
    #[must_use]
    pub fn value_is_outcome(&self) -> bool {
        matches!(self, Self::Digits { .. } | Self::Series { .. })
    }
}

/// Where a job's expressions are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpressionSource {
    /// In the job file.
    Inline(Vec<String>),
    /// In a file beside it, one a line; blank lines and lines that start with `#` do not count.
    File(String),
}
