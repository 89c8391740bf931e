//! The smallest independently checkable piece of a job: a pure function of its bytes.
//!
//! A [`TaskId`] is the digest of the task's canonical encoding, so whoever holds the same task knows it by the same
//! name. How a task is computed (engine, formula) is no part of it: every way must yield the same bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    constant::{Constant, Formula},
    digest::{Digest, Domain},
    digit_extraction::HexTerms,
    domain::Engine,
    expression::parse_body,
    limits::{
        OUTCOME_OVERHEAD_BYTES_MAX, TASK_BYTES_MAX, WITNESS_BYTES_PER_DIGIT_MAX, WITNESS_OVERHEAD_BYTES_MAX,
    },
    series::SeriesFormula,
    texts::Texts,
};

/// What a worker is asked to compute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// The first `decimals` decimals of a constant, truncated.
    Digits {
        /// Which constant.
        constant: Constant,
        /// How many digits after the point, at most [`crate::limits::DECIMALS_MAX`].
        decimals: u64,
    },
    /// A batch of expressions, each to be answered on its own.
    Expressions {
        /// To how many significant digits two sides are compared before "agrees to D digits" is the answer.
        agree_digits: u32,
        /// The texts, as they were submitted.
        expressions: Texts,
    },
    /// One expression for every integer from `first` to `last`, both included.
    Range {
        /// See [`Task::Expressions`].
        agree_digits: u32,
        /// The name of the variable.
        variable: String,
        /// The expression in that variable.
        body: String,
        /// The first value.
        first: i128,
        /// The last value, not below `first`.
        last: i128,
    },
    /// A stretch of the terms of a BBP-type series, summed modulo 1.
    HexTerms(HexTerms),
    /// The first `decimals` decimals of a positive number that two formulas of the job's own yield, truncated.
    Series {
        /// The first and the second; what is computed of a task is one of them.
        formulas: Box<[SeriesFormula; 2]>,
        /// How many digits after the point, at most [`crate::limits::SERIES_DECIMALS_MAX`].
        decimals: u64,
    },
}

impl Task {
    /// The canonical encoding.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a canonical encoding of at most [`TASK_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no canonical task.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode_canonical("task", bytes, TASK_BYTES_MAX)
    }

    /// Reads a task of at most [`TASK_BYTES_MAX`] bytes whose id was taken of these very bytes. Ballots on it name that id, and
    /// whoever counts or checks them compares it with the id of the canonical bytes that the job's plan gives: of other bytes
    /// for the same task, nothing counts. So it need not be encoded again to see whether they are canonical.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no task.
    pub fn from_bytes_with_their_id(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode("task", bytes, TASK_BYTES_MAX)
    }

    /// The ways to compute this task, the fastest first.
    #[must_use]
    pub fn formulas(&self) -> &'static [Formula] {
        match self {
            Self::Digits { constant, .. } => constant.formulas(),
            Self::Series { .. } => &[Formula::FirstSeries, Formula::SecondSeries],
            Self::Expressions { .. } | Self::Range { .. } | Self::HexTerms(_) => &[Formula::Direct],
        }
    }

    /// How many decimals it asks for; none where it asks for something else.
    #[must_use]
    pub fn decimals(&self) -> Option<u64> {
        match self {
            Self::Digits { decimals, .. } | Self::Series { decimals, .. } => Some(*decimals),
            Self::Expressions { .. } | Self::Range { .. } | Self::HexTerms(_) => None,
        }
    }

    /// How outcomes of this task are audited.
    #[must_use]
    pub fn audits(&self) -> Audits {
        match self {
            Self::Digits { .. } | Self::Series { .. } => Audits::Residues,
            Self::Expressions { .. } | Self::Range { .. } => Audits::Members,
            Self::HexTerms(_) => Audits::Nothing,
        }
    }

    /// The engines that can compute this task: the processor always, a GPU where there is a kernel.
    #[must_use]
    pub fn engines(&self) -> &'static [Engine] {
        match self {
            Self::HexTerms(_) => &[Engine::Cpu, Engine::Gpu],
            Self::Range { variable, body, .. }
                if parse_body(body, variable).is_ok_and(|body| body.has_kernel()) =>
            {
                &[Engine::Cpu, Engine::Gpu]
            }
            Self::Digits { .. } | Self::Series { .. } | Self::Expressions { .. } | Self::Range { .. } => {
                &[Engine::Cpu]
            }
        }
    }

    /// The most bytes that a correct outcome can have; a worker that offers more is wrong without a vote.
    #[must_use]
    pub fn outcome_bytes_max(&self) -> u64 {
        let overhead = OUTCOME_OVERHEAD_BYTES_MAX;
        match self {
            Self::Digits { decimals, .. } | Self::Series { decimals, .. } => {
                decimals.saturating_add(overhead)
            }
            Self::Expressions { expressions, .. } => answers_bytes_max(expressions.len() as u64),
            Self::Range { .. } => 2 * overhead,
            Self::HexTerms(_) => overhead,
        }
    }

    /// The most bytes that the witness of an outcome can have.
    #[must_use]
    pub fn witness_bytes_max(&self) -> u64 {
        match self {
            Self::Digits { decimals, .. } | Self::Series { decimals, .. } => decimals
                .saturating_mul(WITNESS_BYTES_PER_DIGIT_MAX)
                .saturating_add(WITNESS_OVERHEAD_BYTES_MAX),
            Self::Expressions { .. } | Self::Range { .. } | Self::HexTerms(_) => 0,
        }
    }

    /// Whether the task is worth a worker's attention for long (a second or more), which decides how many a worker
    /// is handed in advance.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self {
            Self::Digits { decimals, .. } if *decimals > 20_000 => Weight::Heavy,
            Self::Series { .. } | Self::Range { .. } | Self::HexTerms(_) => Weight::Heavy,
            Self::Expressions { expressions, .. } if expressions.len() > 64 => Weight::Heavy,
            Self::Digits { .. } | Self::Expressions { .. } => Weight::Light,
        }
    }
}

/// How outcomes are audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audits {
    /// Not at all: the sum of many terms says nothing of its parts.
    Nothing,
    /// Some members of many are computed again.
    Members,
    /// The sums of series, and what was made of them, are looked at through primes. The worker that computed keeps the long
    /// numbers on the way, its *witness*.
    Residues,
}

impl Audits {
    /// Whether what this formula yields can be audited.
    #[must_use]
    pub fn cover(self, formula: Formula) -> bool {
        match self {
            Self::Nothing => false,
            Self::Members => true,
            Self::Residues => formula.sums_series(),
        }
    }

    /// Whether an audit needs a witness beside the outcome.
    #[must_use]
    pub fn need_witness(self) -> bool {
        self == Self::Residues
    }
}

/// How long a task is expected to take, coarsely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Milliseconds: a worker holds many.
    Light,
    /// Longer: a worker holds as many as it computes at once.
    Heavy,
}

/// The name of a task: the digest of its canonical encoding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskId(pub Digest);

/// The most bytes that correct answers to so many expressions can have.
pub(crate) fn answers_bytes_max(expressions: u64) -> u64 {
    OUTCOME_OVERHEAD_BYTES_MAX * (1 + expressions)
}

impl TaskId {
    /// The name of the task with this canonical encoding.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Digest::of(Domain::Task, bytes))
    }

    /// The name of `task`.
    #[must_use]
    pub fn of(task: &Task) -> Self {
        Self::of_bytes(&task.to_bytes())
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0.short())
    }
}
