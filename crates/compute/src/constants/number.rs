//! Integers with a power of two beside them and a bound on what they lack: the numbers of a binary splitting.
//!
//! A node near the root of the tree has numbers many times as long as the digits that are asked for. They are cut to
//! the length that matters, and what was cut off is remembered as a bound: a number stands for every `x` with
//! `|x - mantissa 2^exponent| < 2^error`. Below the top few levels all numbers are exact.

use rug::Integer;

use crate::control::{Interrupted, Site};

use super::{
    enclosure::shift,
    long::{Checks, Long},
};

/// See the head of this file.
#[derive(Debug, Clone)]
pub(super) struct Number {
    pub(super) mantissa: Long,
    pub(super) exponent: u64,
    /// None where the number is exact.
    pub(super) error: Option<u64>,
}

impl Number {
    /// An exact number.
    pub(super) fn exact(mantissa: Long, exponent: u64) -> Self {
        Self { mantissa, exponent, error: None }
    }

    /// Whether nothing was cut off.
    pub(super) fn is_exact(&self) -> bool {
        self.error.is_none()
    }

    /// The power of two that was taken out of it; none of zero.
    pub(super) fn twos(&self) -> u64 {
        if self.mantissa.value().is_zero() { 0 } else { self.exponent }
    }

    /// The `count` lowest bits of the mantissa's magnitude, with the sign of the number.
    pub(super) fn into_low_bits(self, count: u64) -> Integer {
        let mut low = self.mantissa.into_value();
        let is_negative = low < 0;
        low.abs_mut();
        match u32::try_from(count) {
            Ok(count) => low.keep_bits_mut(count),
            Err(_) => low -= Integer::from(&low >> shift(count)) << shift(count),
        }
        // The room that is left goes back at once.
        low.shrink_to_fit();
        if is_negative { -low } else { low }
    }

    /// `|x| < 2^that`, with what may be lacking.
    pub(super) fn bits_at_most(&self) -> u64 {
        let bits = self.mantissa.bits() + self.exponent;
        match self.error {
            None => bits,
            Some(error) => bits.max(error) + 1,
        }
    }

    /// `|x| >= 2^that`; none where it may be zero.
    pub(super) fn bits_at_least(&self) -> Option<u64> {
        let least = (self.mantissa.bits() + self.exponent).checked_sub(1)?;
        match self.error {
            None => (self.mantissa.bits() > 0).then_some(least),
            // Half of it stays where at most half is lacking.
            Some(error) => (error < least && least > 0).then(|| least - 1),
        }
    }

    /// Cuts the low end off a number of more than `keep + 64` bits, so that `keep` bits stay or a few more.
    pub(super) fn cut(self, checks: &Checks<'_>, site: Site, keep: u64) -> Result<Self, Interrupted> {
        if self.mantissa.bits() <= keep + 64 { Ok(self) } else { self.shortened(checks, site, keep) }
    }

    /// The same of a number that is needed whole as well.
    pub(super) fn shortened(&self, checks: &Checks<'_>, site: Site, keep: u64) -> Result<Self, Interrupted> {
        let bits = self.mantissa.bits();
        if bits <= keep + 64 {
            return Ok(self.clone());
        }
        let cut = bits - keep;
        let mantissa = checks.cut(site, &self.mantissa, cut)?;
        let exponent = self.exponent + cut;
        // What is cut off is less than one unit of the new last bit.
        let error = self.error.map_or(exponent, |error| error.max(exponent) + 1);
        Ok(Self { mantissa, exponent, error: Some(error) })
    }

    /// `-x`.
    pub(super) fn negated(&self, checks: &Checks<'_>) -> Self {
        Self { mantissa: checks.negated(&self.mantissa), ..*self }
    }

    /// The product, cut to about `keep` bits.
    ///
    /// `|x y - m n| <= |x| E(y) + |y| E(x)` with `|x|, |y|` taken with what they may lack: at most twice the larger.
    pub(super) fn times(
        &self,
        other: &Self,
        checks: &Checks<'_>,
        site: Site,
        keep: u64,
    ) -> Result<Self, Interrupted> {
        let mantissa = checks.product(site, &self.mantissa, &other.mantissa)?;
        let mine = self.error.map(|error| error + other.bits_at_most());
        let theirs = other.error.map(|error| error + self.bits_at_most());
        let product =
            Self { mantissa, exponent: self.exponent + other.exponent, error: joined(mine, theirs) };
        product.cut(checks, site, keep)
    }

    /// The sum, cut to about `keep` bits.
    pub(super) fn plus(
        &self,
        other: &Self,
        checks: &Checks<'_>,
        site: Site,
        keep: u64,
    ) -> Result<Self, Interrupted> {
        let (high, low) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let up = high.exponent - low.exponent;
        let mantissa = checks.sum(site, (&high.mantissa, up), &low.mantissa, false)?;
        let sum = Self { mantissa, exponent: low.exponent, error: joined(self.error, other.error) };
        sum.cut(checks, site, keep)
    }

    /// The number times a short one.
    pub(super) fn times_word(
        &self,
        word: &Integer,
        checks: &Checks<'_>,
        site: Site,
    ) -> Result<Self, Interrupted> {
        let mantissa = checks.product(site, &self.mantissa, &checks.short(word.clone()))?;
        let length = u64::from(word.significant_bits());
        let error = self.error.map(|error| error + length);
        Ok(Self { mantissa, exponent: self.exponent, error })
    }
}

/// The bound of a sum of two errors.
fn joined(mine: Option<u64>, theirs: Option<u64>) -> Option<u64> {
    match (mine, theirs) {
        (Some(mine), Some(theirs)) => Some(mine.max(theirs) + 1),
        (one, None) | (None, one) => one,
    }
}
