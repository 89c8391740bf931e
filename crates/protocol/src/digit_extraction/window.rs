//! A window of digits: how wide the fractions must be, how the terms are cut, and which digits the sum proves.
//!
//! Every term is too small by less than one unit in the last place, so the sum of W weighted terms is off by less
//! than W units either way. The digits are handed out only where that cannot change them.

use super::{DigitSeries, Fraction, HexTerms};
use crate::limits::{HEX_TASK_EVALUATIONS_MAX, HEX_TASK_EVALUATIONS_MIN, HEX_TASKS_AIMED_AT, TASKS_MAX};

/// The digits that a job asks for, and how they are computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HexWindow {
    series: DigitSeries,
    after: u64,
    digits: u32,
    guard_bits: u32,
    fraction_bits: u32,
    terms: u64,
    task_terms: u64,
}

/// The sum is too near to a carry for its digits to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bits behind the last digit are so near to a carry that {guard_bits} guard bits do not prove it; submit the \
     job again with another number of `digits`, or with more `guard_bits`"
)]
pub struct Unsettled {
    /// How many bits the job had to spare.
    pub guard_bits: u32,
}

impl HexWindow {
    /// The window of `digits` digits after the first `after`, with at least `guard_bits` bits to spare beyond what
    /// truncation can spoil. All three are within the bounds of [`crate::limits`].
    #[must_use]
    pub fn new(series: DigitSeries, after: u64, digits: u32, guard_bits: u32) -> Self {
        // The widest fraction has the most terms; a few more than needed change nothing.
        let most = HexTerms::FRACTION_BITS_MAX;
        let error_bits = u64::BITS - error_units(&series, series.terms(after, most)).leading_zeros();
        let fraction_bits = (4 * digits + error_bits + guard_bits).div_ceil(64).saturating_mul(64).min(most);
        let terms = series.terms(after, fraction_bits);
        let components = series.components.len().max(1) as u64;
        let evaluations = terms.saturating_mul(components);
        let aimed =
            (evaluations / HEX_TASKS_AIMED_AT).clamp(HEX_TASK_EVALUATIONS_MIN, HEX_TASK_EVALUATIONS_MAX);
        let task_terms = aimed.div_ceil(components).max(terms.div_ceil(TASKS_MAX));
        Self { series, after, digits, guard_bits, fraction_bits, terms, task_terms }
    }

    /// How many tasks the terms are cut into.
    #[must_use]
    pub fn tasks(&self) -> u64 {
        self.terms.div_ceil(self.task_terms)
    }

    /// The task with this number; none beyond the last.
    #[must_use]
    pub fn task(&self, index: u64) -> Option<HexTerms> {
        let first_term = index.checked_mul(self.task_terms).filter(|first| *first < self.terms)?;
        let end_term = self.terms.min(first_term.saturating_add(self.task_terms));
        let series = self.series.clone();
        Some(HexTerms { series, after: self.after, first_term, end_term, fraction_bits: self.fraction_bits })
    }

    /// How many bits the fractions have.
    #[must_use]
    pub fn fraction_bits(&self) -> u32 {
        self.fraction_bits
    }

    /// How many digits are asked for, and after how many.
    #[must_use]
    pub fn place(&self) -> (u32, u64) {
        (self.digits, self.after)
    }

    /// By at most how many units in the last place the sum of all tasks is off, either way.
    #[must_use]
    pub fn error_units(&self) -> u64 {
        error_units(&self.series, self.terms)
    }

    /// The digits, uppercase, from the sum of all tasks.
    ///
    /// # Errors
    /// [`Unsettled`] where a sum that is off by [`HexWindow::error_units`] would have other digits, or where the
    /// fraction has another width.
    pub fn digits(&self, sum: &Fraction) -> Result<String, Unsettled> {
        let error = self.error_units();
        let text = |step| {
            let mut text = Fraction::from_limbs(&ripple(&sum.limbs(), error, step)).to_string();
            text.truncate(self.digits as usize);
            text
        };
        let (low, high) = (text(u64::overflowing_sub), text(u64::overflowing_add));
        let is_whole = sum.bits() == self.fraction_bits as usize;
        if is_whole && low == high { Ok(low) } else { Err(Unsettled { guard_bits: self.guard_bits }) }
    }
}

/// The truncated terms, each off by less than one unit times its coefficient, and the terms that are left out, which
/// make less than twice the weight.
fn error_units(series: &DigitSeries, terms: u64) -> u64 {
    terms.saturating_add(2).saturating_mul(series.weight())
}

/// Adds or subtracts a number at the last place, with its carry, modulo 1.
fn ripple(limbs: &[u64], by: u64, step: fn(u64, u64) -> (u64, bool)) -> Vec<u64> {
    let mut carry = by;
    let place = |limb: &u64| {
        let (result, over) = step(*limb, carry);
        carry = u64::from(over);
        result
    };
    limbs.iter().map(place).collect()
}
