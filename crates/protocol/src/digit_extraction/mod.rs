//! Hexadecimal digits at any position: what one task sums, to the last bit, so that every engine hands in the same.
//!
//! The digits of a constant S after the first N are those of 16^N S modulo 1. A task covers a stretch of the series'
//! terms; its outcome is their sum modulo 1 in fixed point, each term truncated on its own as [`HexTerms`] says.
//! Sums wrap, so they do not depend on an order, and the sums of a job's tasks add up to the window of digits.

mod fraction;
mod series;
mod window;

use serde::{Deserialize, Serialize};

pub use fraction::Fraction;
pub use series::{DigitSeries, HexConstant, HexFormula, SeriesComponent, UnknownName};
pub use window::{HexWindow, Unsettled};

use crate::limits::{HEX_AFTER_MAX, HEX_TERMS_MAX};

/// A stretch of the terms of a series, to be summed modulo 1 in fixed point.
///
/// With N = `after`, F = `fraction_bits`, c = `series.bits_per_term` and, for each component, its a, d, n, m and p:
///
/// ```text
/// T(component, k) = floor(2^(F + 4N + d - c*k) / (n*k + m)^p) modulo 2^F
/// outcome         = sum over the components and over first_term <= k < end_term
///                   of (+1 or -1)^k * a * T(component, k), modulo 2^F
/// ```
///
/// The power of two may be below 1: then T is 0 or the floor of a fraction, and the same definition holds. Nothing
/// else is rounded, so an outcome has exactly one right value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HexTerms {
    /// The series.
    pub series: DigitSeries,
    /// N: how many hexadecimal digits after the point are skipped, at most [`HEX_AFTER_MAX`].
    pub after: u64,
    /// The first k.
    pub first_term: u64,
    /// The k after the last, more than `first_term` and at most [`HEX_TERMS_MAX`].
    pub end_term: u64,
    /// F: 64, 128, 192 or 256.
    pub fraction_bits: u32,
}

/// Why a task of this kind cannot be computed by anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HexTermsFault {
    /// A number in the series.
    #[error("{what} of the series is {value}; it must be from {min} to {max}")]
    Series {
        /// Which number.
        what: &'static str,
        /// What it is.
        value: u64,
        /// The least it may be.
        min: u64,
        /// The most it may be.
        max: u64,
    },
    /// The width of the fraction.
    #[error("the fraction has {0} bits; it must have 64, 128, 192 or 256")]
    FractionBits(u32),
    /// The position.
    #[error("the position is after {0} digits; the limit is {HEX_AFTER_MAX}")]
    After(u64),
    /// The stretch of terms.
    #[error("the terms {first} to {end} are no stretch of at least one term below {HEX_TERMS_MAX}")]
    Terms {
        /// The first.
        first: u64,
        /// The one after the last.
        end: u64,
    },
    /// A denominator is too large.
    #[error("a denominator of term {0} is not below 2^63; ask for an earlier position")]
    Denominator(u64),
}

impl HexTerms {
    /// Widest fraction.
    pub const FRACTION_BITS_MAX: u32 = 256;
    /// Most 64-bit limbs of a fraction.
    pub const LIMBS_MAX: usize = 4;

    /// Checks every bound; an engine may rely on them afterwards: no exponent leaves 63 bits, no denominator neither.
    ///
    /// # Errors
    /// [`HexTermsFault`] names the value and the bound.
    pub fn check(&self) -> Result<(), HexTermsFault> {
        self.series.check()?;
        if !matches!(self.fraction_bits, 64 | 128 | 192 | 256) {
            return Err(HexTermsFault::FractionBits(self.fraction_bits));
        }
        if self.after > HEX_AFTER_MAX {
            return Err(HexTermsFault::After(self.after));
        }
        if self.first_term >= self.end_term || self.end_term > HEX_TERMS_MAX {
            return Err(HexTermsFault::Terms { first: self.first_term, end: self.end_term });
        }
        let last = self.end_term - 1;
        let fits = |component: &SeriesComponent| component.denominator(last).is_some();
        if self.series.components.iter().all(fits) { Ok(()) } else { Err(HexTermsFault::Denominator(last)) }
    }

    /// How many 64-bit limbs the fraction has.
    #[must_use]
    pub fn limbs(&self) -> usize {
        self.fraction_bits.div_ceil(64) as usize
    }

    /// How many terms are evaluated: the stretch, times the components.
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.end_term.saturating_sub(self.first_term).saturating_mul(self.series.components.len() as u64)
    }

    /// The exponent F + 4N + d - c*k of [`HexTerms`] for a component and a k; it is negative only in the last terms.
    /// Of a task that passes [`HexTerms::check`] it fits in 63 bits and a sign.
    #[must_use]
    pub fn exponent(&self, component: &SeriesComponent, k: u64) -> i128 {
        i128::from(self.fraction_bits) + 4 * i128::from(self.after) + i128::from(component.exponent)
            - i128::from(self.series.bits_per_term) * i128::from(k)
    }
}
