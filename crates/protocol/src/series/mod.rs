//! Hypergeometric series as data, and the few things that may be done with their sums: what a table of constants and
//! a user's job file both consist of.
//!
//! Every series that binary splitting sums fast is `plus + sum over k >= first of a(k) / b(k) * product over j from first
//! to k of p(j) / q(j)`, four polynomials with integer coefficients. A formula is a sum of such series with rational
//! coefficients, or its reciprocal, times a rational, times the square root of an integer. That it converges is proven
//! from the coefficients before anybody begins ([`Convergence`]).

mod convergence;
mod fault;
mod polynomial;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{SERIES_SUMMANDS_MAX, SERIES_TERMS_MAX};

pub use convergence::{Convergence, UNITS_PER_BIT};
pub use fault::SeriesFault;
pub use polynomial::{Factor, INDEX_NAME, Polynomial};

/// `plus + sum over k >= first of a(k) / b(k) * product over j from first to k of p(j) / q(j)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hypergeometric {
    /// The first index.
    pub first: u64,
    /// What stands before the sum.
    pub plus: i64,
    /// The numerator of the quotient of successive factors.
    pub p: Polynomial,
    /// Its denominator.
    pub q: Polynomial,
    /// The numerator of what stands beside the factor.
    pub a: Polynomial,
    /// Its denominator.
    pub b: Polynomial,
}

/// A quotient of integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    /// Above the line; not zero.
    pub numerator: i64,
    /// Below it; positive.
    pub denominator: u64,
}

/// A series with its coefficient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summand {
    /// The coefficient.
    pub times: Ratio,
    /// The series.
    pub series: Hypergeometric,
}

/// `times * sqrt(root) * (sum of the summands)^(1 or -1)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesFormula {
    /// The rational in front.
    pub times: Ratio,
    /// The integer under the root; 1 for none.
    pub root: u32,
    /// Whether the reciprocal of the sum is taken.
    pub inverts: bool,
    /// The series.
    pub summands: Vec<Summand>,
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

impl Ratio {
    /// One.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    fn check(self, name: &'static str) -> Result<(), SeriesFault> {
        let expected = "a quotient of whole numbers other than 0";
        if self.numerator == 0 || self.denominator == 0 {
            return Err(SeriesFault::Number { name, expected });
        }
        Ok(())
    }
}

impl Hypergeometric {
    /// How many terms give `bits` bits, about and rather too many; at least as many as the proof asks for.
    ///
    /// # Errors
    /// [`SeriesFault`] where the series is not proven to converge, or takes more than [`SERIES_TERMS_MAX`] terms.
    pub fn terms(&self, bits: u64) -> Result<u64, SeriesFault> {
        let convergence = Convergence::of(self)?;
        // What the polynomials of the first terms and of the coefficient beside them take is of the size of log2(terms).
        let enough = |terms: u64| {
            let spared = 64 + 16 * i128::from(terms.max(1).ilog2() + 1);
            convergence.bits_of(terms) >= i128::from(bits) + spared
        };
        let mut high = 1 << convergence.settled_log2.min(62);
        while !enough(high) {
            if high > SERIES_TERMS_MAX {
                return Err(SeriesFault::TooSlow { terms: high });
            }
            high *= 2;
        }
        let mut low = (high / 2).max(1 << convergence.settled_log2.min(62));
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if enough(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        if high > SERIES_TERMS_MAX { Err(SeriesFault::TooSlow { terms: high }) } else { Ok(high) }
    }
}

impl SeriesFormula {
    /// The sum of these series and nothing else.
    #[must_use]
    pub fn sum_of(summands: Vec<Summand>) -> Self {
        Self { times: Ratio::ONE, root: 1, inverts: false, summands }
    }

    /// Proves that every series converges, fast enough for `decimals` decimals.
    ///
    /// # Errors
    /// [`SeriesFault`] says what is wrong.
    pub fn check(&self, decimals: u64) -> Result<(), SeriesFault> {
        self.times.check("times")?;
        if self.root == 0 {
            return Err(SeriesFault::Number {
                name: "root",
                expected: "a whole number from 1 to 4294967295",
            });
        }
        let count = self.summands.len();
        if !(1..=SERIES_SUMMANDS_MAX).contains(&count) {
            return Err(SeriesFault::Count { count, max: SERIES_SUMMANDS_MAX });
        }
        let bits = decimals.saturating_mul(3_322).div_ceil(1_000).saturating_add(256);
        for Summand { times, series } in &self.summands {
            times.check("times")?;
            series.terms(bits)?;
        }
        Ok(())
    }
}
