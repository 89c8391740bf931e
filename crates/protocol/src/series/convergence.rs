//! The proof that a series converges, and how fast: from its coefficients alone, with integers only.
//!
//! Past `2^s` the leading coefficient of a polynomial `f` of degree `d` rules the others: for every `k >= 2^s`,
//!
//! ```text
//! L k^d <= |f(k)| <= U k^d      U = sum of |f_i| / 2^(s (d - i))      L = |f_d| - the other summands of U
//! ```
//!
//! and a product lies between the products of its factors' bounds. So the quotient of successive factors of the terms,
//! `p / q`, is at most `U_p / L_q * 2^(-s (deg q - deg p))` from there on, which is a power of two with a fraction, known
//! in units of `2^-16` bits and rounded against us.

use super::{
    Hypergeometric,
    fault::SeriesFault,
    polynomial::{Factor, Polynomial},
};
use crate::limits::{SERIES_FIRST_MAX, SERIES_GAIN_MIN, SERIES_ZEROS_LOG2_MAX};

/// Units in a bit.
pub const UNITS_PER_BIT: i64 = 1 << 16;
/// The largest `s` that is tried for the convergence.
const LOG2_MAX: u32 = 40;
/// Bits behind the point of `U` and `L`.
const POINT: u32 = 24;
/// Terms before this one are not asked to get smaller: from here on `((k + 1) / k)^16 < 2^0.1`.
const SETTLED_LOG2_MIN: u32 = 8;

/// What is proven about a series; logarithms are to base 2, in units of [`UNITS_PER_BIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convergence {
    /// From index `2^settled_log2` on the bounds hold.
    pub settled_log2: u32,
    /// There each factor `|p / q|` is at most two to minus this; at least [`SERIES_GAIN_MIN`].
    pub gain: i64,
    /// There `|a / b|` is at most two to this times `k^growth`.
    pub weight: i64,
    /// `deg a - deg b`, or 0 where that is negative.
    pub growth: u32,
    /// The limit of the gain without what comes from growing degrees, for estimates.
    pub gain_limit: i64,
    /// `deg q - deg p`.
    pub degrees_gained: u32,
}

impl Convergence {
    /// Proves that no denominator is zero and that the series converges.
    ///
    /// # Errors
    /// [`SeriesFault`] says why not.
    pub fn of(series: &Hypergeometric) -> Result<Self, SeriesFault> {
        let Hypergeometric { first, p, q, a, b, .. } = series;
        for polynomial in [p, q, a, b] {
            polynomial.check()?;
        }
        if *first > SERIES_FIRST_MAX {
            return Err(SeriesFault::First { first: *first });
        }
        for (name, polynomial) in [("q", q), ("b", b)] {
            has_no_zero(name, polynomial, *first)?;
        }
        if p.is_zero() || a.is_zero() {
            return Err(SeriesFault::Nothing);
        }
        let degrees_gained = q.degree().checked_sub(p.degree()).ok_or(SeriesFault::Diverges)?;
        let settled = (SETTLED_LOG2_MIN..=LOG2_MAX).find_map(|s| {
            let (Some(q_least), Some(b_least)) = (bounds(q, s).0, bounds(b, s).0) else { return None };
            let gain = q_least - bounds(p, s).1 + i64::from(s) * i64::from(degrees_gained) * UNITS_PER_BIT;
            (gain >= SERIES_GAIN_MIN).then(|| (s, gain, bounds(a, s).1 - b_least))
        });
        let (settled_log2, gain, weight) = settled.ok_or(SeriesFault::Diverges)?;
        Ok(Self {
            settled_log2,
            gain,
            weight,
            growth: a.degree().saturating_sub(b.degree()),
            gain_limit: leading(q) - leading(p),
            degrees_gained,
        })
    }

    /// About how many bits the first `terms` terms after the first give.
    ///
    /// With `g` degrees gained, `sum of log2(q / p)` is about `terms * limit + g * log2(terms!)`.
    #[must_use]
    pub fn bits_of(&self, terms: u64) -> i128 {
        let terms_wide = i128::from(terms);
        let logarithm = i128::from(log2(u128::from(terms.max(1))).0) - 94_548;
        let growing = i128::from(self.degrees_gained) * logarithm;
        terms_wide * (i128::from(self.gain_limit) + growing) / i128::from(UNITS_PER_BIT)
    }

    /// About how many bits the terms grow before they fall: the least of [`Self::bits_of`], turned over. It lies where the
    /// quotient of successive terms passes 1.
    #[must_use]
    pub fn hump_bits(&self) -> u64 {
        let passes = -self.gain_limit / i64::from(self.degrees_gained.max(1)) / UNITS_PER_BIT;
        let Ok(octave @ 0..=60) = u32::try_from(passes) else { return 0 };
        let eighths = (8_u64..=16).map(|eighths| (eighths << octave) / 8);
        let lowest = eighths.map(|terms| self.bits_of(terms)).min().unwrap_or(0);
        u64::try_from(-lowest).unwrap_or(0)
    }

    /// An upper bound of log2 of what all terms after index `last` add, in units of log2 of the product of the
    /// `p / q` up to `last`; `last` must be at least `2^settled_log2`, and lie below `2^62`.
    ///
    /// The next term is at most `2^(weight - gain) (last + 1)^growth` such units, and as
    /// `((k + 1) / k)^growth < 2^0.1` and the gain is a quarter bit at least, each one after it is below `2^-0.15` of the
    /// one before: together less than 10 < 2^4 times the first.
    #[must_use]
    pub fn tail_log2(&self, last: u64) -> i64 {
        let index = i64::from((last + 1).ilog2()) + 1;
        (self.weight - self.gain).div_euclid(UNITS_PER_BIT) + 1 + i64::from(self.growth) * index + 4
    }
}

/// Whether `polynomial` is not zero at any index from `first` on.
fn has_no_zero(name: &'static str, polynomial: &Polynomial, first: u64) -> Result<(), SeriesFault> {
    let ruled = (0..=SERIES_ZEROS_LOG2_MAX).find(|s| bounds(polynomial, *s).0.is_some());
    let Some(ruled) = ruled else { return Err(SeriesFault::Uneven { name }) };
    match (first..1 << ruled).find(|k| !polynomial.is_not_zero_at(*k)) {
        Some(k) => Err(SeriesFault::Zero { name, k }),
        None => Ok(()),
    }
}

/// log2 of L (rounded down; none where it is not positive) and of U (rounded up) from `2^s` on.
fn bounds(polynomial: &Polynomial, s: u32) -> (Option<i64>, i64) {
    let constant = log2(polynomial.constant.unsigned_abs().max(1));
    let mut least = (polynomial.constant != 0).then_some(constant.0);
    let mut most = constant.1;
    for factor in &polynomial.factors {
        let (low, high) = factor_bounds(factor, s);
        let power = i64::from(factor.power);
        least = least.zip(low).map(|(least, low)| least + power * low);
        most += power * high;
    }
    (least, most)
}

fn factor_bounds(factor: &Factor, s: u32) -> (Option<i64>, i64) {
    let Some((leading, others)) = factor.coefficients.split_last() else { return (None, 0) };
    let leading = leading.unsigned_abs() << POINT;
    let others: u128 = others
        .iter()
        .rev()
        .zip(1_u32..)
        .map(|(coefficient, below)| {
            let value = coefficient.unsigned_abs() << POINT;
            // Rounded up.
            value.checked_shr(s * below).unwrap_or(0) + u128::from(value != 0)
        })
        .sum();
    let point = i64::from(POINT) * UNITS_PER_BIT;
    let least = leading.checked_sub(others).filter(|least| *least > 0);
    (least.map(|least| log2(least).0 - point), log2(leading + others).1 - point)
}

/// log2 of the leading coefficient's magnitude.
fn leading(polynomial: &Polynomial) -> i64 {
    let constant = log2(polynomial.constant.unsigned_abs().max(1)).0;
    polynomial.factors.iter().fold(constant, |sum, factor| {
        let leading = factor.coefficients.last().map_or(1, |leading| leading.unsigned_abs().max(1));
        sum + i64::from(factor.power) * log2(leading).0
    })
}

/// log2 of a positive number, rounded down and up, in units of `2^-16`.
///
/// The fraction comes bit by bit from squaring a mantissa of 62 bits. Each squaring loses less than `2^-61`, and what
/// was lost before doubles, so after 16 of them the mantissa is less than `2^-44` too small: rounded down is right, and
/// two units above it is more than enough.
fn log2(number: u128) -> (i64, i64) {
    let exponent = number.max(1).ilog2();
    let mut mantissa = if exponent > 62 { number >> (exponent - 62) } else { number << (62 - exponent) };
    let mut units = i64::from(exponent);
    for _ in 0..16 {
        mantissa = (mantissa * mantissa) >> 62;
        units *= 2;
        if mantissa >= 1 << 63 {
            mantissa >>= 1;
            units += 1;
        }
    }
    if number.is_power_of_two() { (units, units) } else { (units, units + 2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_bounded_from_both_sides() {
        assert_eq!(log2(1), (0, 0));
        assert_eq!(log2(1 << 100), (100 << 16, 100 << 16));
        // log2(10) = 3.321928094887…
        let (low, high) = log2(10);
        assert!((low, high) == (217_705, 217_707), "{low} {high}");
        // log2(e) is what `bits_of` takes from log2(n!) / n.
        assert_eq!(94_548, 1_442_695_u64 * 65_536 / 1_000_000);
    }
}
