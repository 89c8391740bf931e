//! Real numbers as integers of units `2^-bits`, with a bound on their error in the same units.
//!
//! The few steps that follow a series (quotients, roots, products) and the means of Gauss are done on these. Each
//! step's rounding is added to the bound; where in the end it is too large for the digits that were asked for, all is
//! done again with more bits.

use rug::Integer;

use crate::control::{Interrupted, Site};

use super::{
    DigitsError,
    enclosure::Enclosure,
    long::{Checks, Long},
    number::Number,
};

/// `|x - value 2^-bits| <= error 2^-bits`, with the bits of the [`Reals`] that made it.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    pub(super) value: Long,
    pub(super) error: u64,
}

/// What a division of two long numbers left.
pub(super) struct Division {
    /// Low bits of the dividend and of the divisor that were cut off first.
    pub(super) cuts: (u64, u64),
    /// With the sign of the dividend.
    pub(super) rest: Long,
}

/// Arithmetic at so many bits behind the point.
pub(super) struct Reals<'r, 'c> {
    pub(super) checks: &'r Checks<'c>,
    pub(super) bits: u64,
    /// Whether sums are kept exact, and what comes off by the way is kept for an audit.
    pub(super) keeps: bool,
}

/// Bits beyond those asked for with which a formula begins.
const GUARD_BITS: u64 = 64;
/// And with which it ends: what a thousand bits more do not tell from zero is zero, as far as anybody knows.
const GUARD_BITS_MAX: u64 = 4_096;
/// Largest error in units that an enclosure takes up.
const ERROR_MAX: u64 = 1 << 62;
/// The same where an auditor, who knows lengths only, must find it small enough.
const KEPT_ERROR_MAX: u64 = 1 << 40;

/// What was cut off when a formula's value became an enclosure.
pub(super) struct Guards {
    /// The bits of the formula's [`Reals`].
    pub(super) bits: u64,
    /// How many of them were cut off.
    pub(super) guard: u64,
    /// What they were.
    pub(super) below: Long,
}

/// What an [`Enclosure`] was made from.
pub(super) type Enclosed<P> = (Enclosure, Guards, P);

/// Runs a formula with more and more bits until its error is small, and gives an enclosure at `bits` bits, with whatever
/// else the formula gives.
pub(super) fn settled<P>(
    bits: u32,
    checks: &Checks<'_>,
    keeps: bool,
    formula: impl Fn(&Reals<'_, '_>) -> Result<(Fixed, P), DigitsError>,
) -> Result<Enclosed<P>, DigitsError> {
    let mut guard = GUARD_BITS;
    let error_max = if keeps { KEPT_ERROR_MAX } else { ERROR_MAX };
    while guard <= GUARD_BITS_MAX {
        checks.control().check().map_err(Interrupted::from)?;
        let reals = Reals { checks, bits: u64::from(bits) + guard, keeps };
        let (Fixed { value, error }, parts) = formula(&reals)?;
        if error < error_max {
            // With error < 2^62 and a guard of 64 bits, x lies in (v - 1, v + 2) for v the value cut to `bits` bits.
            let (low, below) = checks.split(Site::Arithmetic, &value, guard)?;
            let guards = Guards { bits: reals.bits, guard, below };
            if error == 0 && is_multiple(&value, guard) {
                return Ok((Enclosure { low, width: 0 }, guards, parts));
            }
            let low = checks.sum(Site::Arithmetic, (&low, 0), &checks.short(1), true)?;
            return Ok((Enclosure { low, width: 3 }, guards, parts));
        }
        guard *= 4;
    }
    Err(DigitsError::Unsettled)
}

/// Whether nothing is lost when so many bits are cut off.
fn is_multiple(value: &Long, bits: u64) -> bool {
    value.value().find_one(0).is_none_or(|first| u64::from(first) >= bits)
}

impl Reals<'_, '_> {
    /// An integer.
    pub(super) fn integer(&self, value: u64) -> Result<Fixed, Interrupted> {
        let value = self.checks.shifted(Site::Arithmetic, &self.checks.short(value), self.bits)?;
        Ok(Fixed { value, error: 0 })
    }

    /// `a + b`, or `a - b`.
    pub(super) fn sum(&self, a: &Fixed, b: &Fixed, is_minus: bool) -> Result<Fixed, Interrupted> {
        let value = self.checks.sum(Site::Arithmetic, (&a.value, 0), &b.value, is_minus)?;
        Ok(Fixed { value, error: a.error.saturating_add(b.error) })
    }

    /// `a b`. With `|a| < 2^i` and `|b| < 2^j`: `E(a) 2^j + E(b) 2^i + E(a) E(b) 2^-bits + 1` units.
    pub(super) fn product(&self, a: &Fixed, b: &Fixed) -> Result<Fixed, Interrupted> {
        Ok(self.product_and_rest(a, b)?.0)
    }

    /// The same, with what was cut off.
    pub(super) fn product_and_rest(&self, a: &Fixed, b: &Fixed) -> Result<(Fixed, Long), Interrupted> {
        let product = self.checks.product(Site::Arithmetic, &a.value, &b.value)?;
        let (value, rest) = self.checks.split(Site::Arithmetic, &product, self.bits)?;
        let error = scaled(a.error, self.log2_at_most(b))
            .saturating_add(scaled(b.error, self.log2_at_most(a)))
            .saturating_add(2);
        Ok((Fixed { value, error }, rest))
    }

    /// `a^2`.
    pub(super) fn square(&self, a: &Fixed) -> Result<Fixed, Interrupted> {
        let square = self.checks.square(Site::Arithmetic, &a.value)?;
        let value = self.checks.cut(Site::Arithmetic, &square, self.bits)?;
        let error = scaled(a.error, self.log2_at_most(a) + 1).saturating_add(2);
        Ok(Fixed { value, error })
    }

    /// `a 2^exponent`.
    pub(super) fn scaled(&self, a: &Fixed, exponent: i64) -> Result<Fixed, Interrupted> {
        let places = exponent.unsigned_abs();
        if exponent >= 0 {
            let value = self.checks.shifted(Site::Arithmetic, &a.value, places)?;
            return Ok(Fixed { value, error: scaled(a.error, exponent) });
        }
        let value = self.checks.cut(Site::Arithmetic, &a.value, places)?;
        Ok(Fixed { value, error: scaled(a.error, exponent).saturating_add(1) })
    }

    /// `a` times a rational.
    pub(super) fn times(&self, a: &Fixed, numerator: i128, denominator: u64) -> Result<Fixed, Interrupted> {
        let mut value = self.checks.product(Site::Arithmetic, &a.value, &self.checks.short(numerator))?;
        let length = i64::from(u128::BITS - numerator.unsigned_abs().leading_zeros());
        let mut error = scaled(a.error, length);
        if denominator != 1 {
            value = self.checks.quotient(Site::Arithmetic, &value, &self.checks.short(denominator))?;
            error = error.saturating_add(1);
        }
        Ok(Fixed { value, error })
    }

    /// `a / b` for positive b. With `b` at least `2^j` even where its error is taken off: at most
    /// `(E(a) + |a / b| E(b)) / 2^j + 1` units. An error that b does not outweigh by far makes the bound useless, which is
    /// what it says then.
    pub(super) fn quotient(&self, a: &Fixed, b: &Fixed) -> Result<Fixed, Interrupted> {
        Ok(self.quotient_and_rest(a, b)?.0)
    }

    fn quotient_and_rest(&self, a: &Fixed, b: &Fixed) -> Result<(Fixed, Long), Interrupted> {
        let numerator = self.checks.shifted(Site::Division, &a.value, self.bits)?;
        let (value, rest) = self.checks.quotient_and_rest(Site::Division, &numerator, &b.value)?;
        let least = self.log2_at_least(b);
        let size = self.log2_at_most(a) - least + 1;
        let error = if b.error.ilog2_or_zero() + 4 < b.value.bits() {
            scaled(a.error.saturating_add(scaled(b.error, size)), 1 - least).saturating_add(2)
        } else {
            u64::MAX
        };
        Ok((Fixed { value, error }, rest))
    }

    /// `1 / a`, and the rest of the division; where a may be zero, nothing is known of it.
    pub(super) fn reciprocal(&self, a: &Fixed) -> Result<(Fixed, Long), Interrupted> {
        if a.error.ilog2_or_zero() + 4 >= a.value.bits() {
            return Ok((Fixed { value: self.checks.short(0), error: u64::MAX }, self.checks.short(0)));
        }
        let one = self.integer(1)?;
        if *a.value.value() > 0 {
            return self.quotient_and_rest(&one, a);
        }
        let positive = Fixed { value: self.checks.negated(&a.value), error: a.error };
        let (Fixed { value, error }, rest) = self.quotient_and_rest(&one, &positive)?;
        Ok((Fixed { value: self.checks.negated(&value), error }, rest))
    }

    /// `sqrt(a)` for positive a: the error is at most halved by `sqrt(a)`, taken at its least.
    pub(super) fn square_root(&self, a: &Fixed) -> Result<Fixed, Interrupted> {
        let square = self.checks.shifted(Site::Root, &a.value, self.bits)?;
        let value = self.checks.square_root(&square)?;
        let error = scaled(a.error, -(self.log2_at_least(a) - 1).div_euclid(2)).saturating_add(1);
        Ok(Fixed { value, error })
    }

    /// The cube root of an a of 1 or more, where its derivative is below 1.
    pub(super) fn cube_root(&self, a: &Fixed) -> Result<Fixed, Interrupted> {
        let cube = self.checks.shifted(Site::Root, &a.value, 2 * self.bits)?;
        let value = self.checks.cube_root(&cube)?;
        Ok(Fixed { value, error: a.error.saturating_add(1) })
    }

    /// `n above / (d below)`, in magnitudes and with the sign behind: n and d are cut to so many bits as the quotient has.
    /// Where d may be zero, nothing is known of it.
    ///
    /// With `|d| >= 2^m`, errors of `2^i` of n and `2^j` of d and `|n / d| <= 2^s`, the quotient is off by at most
    /// `(2^i + 2^(s + j)) / 2^m`.
    pub(super) fn ratio(
        &self,
        (n, above): (&Number, &Integer),
        (d, below): (&Number, &Integer),
    ) -> Result<(Fixed, Division), Interrupted> {
        const SITE: Site = Site::Division;
        let checks = self.checks;
        let Some(d_least) = d.bits_at_least() else {
            let division = Division { cuts: (0, 0), rest: checks.short(0) };
            return Ok((Fixed { value: checks.short(0), error: u64::MAX }, division));
        };
        let words = i64::from(above.significant_bits()) - i64::from(below.significant_bits()) + 1;
        let keep = signed(self.bits) + signed(n.bits_at_most()) - signed(d_least) + words;
        let keep = u64::try_from(keep).unwrap_or(0) + 64;
        let magnitude = |number: &Number| {
            if *number.mantissa.value() < 0 {
                number.negated(checks).cut(checks, SITE, keep)
            } else {
                number.shortened(checks, SITE, keep)
            }
        };
        let (short_n, short_d) = (magnitude(n)?, magnitude(d)?);
        let cuts = (short_n.exponent - n.exponent, short_d.exponent - d.exponent);
        let is_negative = [n.mantissa.value(), d.mantissa.value(), above, below]
            .into_iter()
            .fold(false, |is_negative, factor| is_negative ^ (*factor < 0));
        let is_below_zero = (*n.mantissa.value() < 0) ^ (*above < 0);
        let times = |number: Number, word: &Integer| {
            let word = Integer::from(word.abs_ref());
            if word == 1 { Ok(number) } else { number.times_word(&word, checks, SITE) }
        };
        let (n, d) = (times(short_n, above)?, times(short_d, below)?);
        let (value, rest) = self.ratio_of_magnitudes(&n, &d)?;
        let value = if is_negative { checks.negated(&value) } else { value };
        let rest = if is_below_zero { checks.negated(&rest) } else { rest };
        let division = Division { cuts, rest };
        let Some(least) = d.bits_at_least() else { return Ok((Fixed { value, error: u64::MAX }, division)) };
        let size = signed(n.bits_at_most()) - signed(least);
        let units = |log2: i64| scaled(1, log2 + signed(self.bits) - signed(least) + 1);
        let of_numerator = n.error.map_or(0, |error| units(signed(error)));
        let of_denominator = d.error.map_or(0, |error| units(signed(error) + size + 1));
        let error = of_numerator.saturating_add(of_denominator).saturating_add(1);
        Ok((Fixed { value, error }, division))
    }

    fn ratio_of_magnitudes(&self, n: &Number, d: &Number) -> Result<(Long, Long), Interrupted> {
        let up = signed(self.bits) + signed(n.exponent) - signed(d.exponent);
        let places = up.unsigned_abs();
        if up >= 0 {
            let numerator = self.checks.shifted(Site::Division, &n.mantissa, places)?;
            self.checks.quotient_and_rest(Site::Division, &numerator, &d.mantissa)
        } else {
            let denominator = self.checks.shifted(Site::Division, &d.mantissa, places)?;
            self.checks.quotient_and_rest(Site::Division, &n.mantissa, &denominator)
        }
    }

    /// `|a| < 2^that`, with its error.
    fn log2_at_most(&self, a: &Fixed) -> i64 {
        let bits = a.value.bits().max(a.error.ilog2_or_zero() + 1) + 1;
        signed(bits) - signed(self.bits)
    }

    /// `|a| >= 2^that`, if its error is far below it.
    fn log2_at_least(&self, a: &Fixed) -> i64 {
        signed(a.value.bits()) - 2 - signed(self.bits)
    }
}

/// `value * 2^exponent`, rounded up and saturated.
pub(super) fn scaled(value: u64, exponent: i64) -> u64 {
    if value == 0 {
        return 0;
    }
    match u32::try_from(exponent.unsigned_abs()) {
        Ok(places) if exponent >= 0 && places < value.leading_zeros() => value << places,
        _ if exponent >= 0 => u64::MAX,
        Ok(places) if places < 64 => (value >> places) + 1,
        _ => 1,
    }
}

/// A count of bits, which is far below 2^63.
fn signed(bits: u64) -> i64 {
    i64::try_from(bits).unwrap_or(i64::MAX)
}

trait Logarithm {
    /// Of zero it is zero.
    fn ilog2_or_zero(self) -> u64;
}

impl Logarithm for u64 {
    fn ilog2_or_zero(self) -> u64 {
        u64::from(self.max(1).ilog2())
    }
}
