//! What a series leaves out after some terms, bounded from its polynomials alone.
//!
//! The product of `|p(k) / q(k)|` up to the last term is taken in numbers of 64 bits with an exponent, numerators rounded
//! up and denominators rounded down. Small indices are evaluated one by one. For larger ones a factor
//! `f(k) = f_d k^d + …` is taken as `k^d` times `f_d + f_(d-1) / k + …`, each summand of which lies, for all k of a
//! stretch, between its values at both ends; stretches are a sixteenth of their first index. As the degree of q is not
//! below that of p, what is left of the powers of k divides, and is multiplied up one by one.

use protocol::series::{Convergence, Factor, Hypergeometric, Polynomial};
use rug::Integer;

use crate::control::{Cancelled, Control};

/// Indices below this are evaluated one by one.
const SINGLE_BELOW: u64 = 64;
/// A stretch is this part of its first index.
const STRETCH_PART: u64 = 16;
/// Bits behind the point of `f(k) / k^d`.
const POINT: u32 = 64;

/// `mantissa 2^exponent`, with 64 bits or zero.
#[derive(Debug, Clone, Copy)]
struct Magnitude {
    mantissa: u64,
    exponent: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Toward {
    Zero,
    Infinity,
}

impl Magnitude {
    const ONE: Self = Self { mantissa: 1 << 63, exponent: -63 };

    fn of(value: &Integer, point: u32, toward: Toward) -> Self {
        let length = value.significant_bits();
        if length == 0 {
            return Self { mantissa: 0, exponent: 0 };
        }
        let magnitude = Integer::from(value.abs_ref());
        let wide = if length > 127 {
            let top = Integer::from(&magnitude >> (length - 127)).to_u128_wrapping();
            // A lost bit is more than enough for whatever else was lost.
            if toward == Toward::Infinity { top + 1 } else { top }
        } else {
            magnitude.to_u128_wrapping()
        };
        let exponent = i64::from(length.saturating_sub(127)) - i64::from(point);
        Self::rounded(wide, exponent, toward)
    }

    /// The number `wide 2^exponent` with 64 bits.
    fn rounded(wide: u128, exponent: i64, toward: Toward) -> Self {
        if wide == 0 {
            return Self { mantissa: 0, exponent: 0 };
        }
        let shift = 64 - i64::from(wide.leading_zeros());
        if shift <= 0 {
            let mantissa = u64::try_from(wide).unwrap_or(u64::MAX) << shift.unsigned_abs();
            return Self { mantissa, exponent: exponent + shift };
        }
        let kept = wide >> shift;
        let is_short = kept << shift != wide && toward == Toward::Infinity;
        match u64::try_from(kept + u128::from(is_short)) {
            Ok(mantissa) => Self { mantissa, exponent: exponent + shift },
            // Rounded up to 2^64.
            Err(_) => Self { mantissa: 1 << 63, exponent: exponent + shift + 1 },
        }
    }

    fn times(self, other: Self, toward: Toward) -> Self {
        let wide = u128::from(self.mantissa) * u128::from(other.mantissa);
        Self::rounded(wide, self.exponent + other.exponent, toward)
    }

    fn power(self, exponent: u64, toward: Toward) -> Self {
        let mut result = Self::ONE;
        for bit in (0..u64::BITS - exponent.leading_zeros()).rev() {
            result = result.times(result, toward);
            if exponent >> bit & 1 == 1 {
                result = result.times(self, toward);
            }
        }
        result
    }
}

/// An upper bound of log2 of what all terms after index `last` add; none where nothing is left, as a term is zero.
///
/// `last` must be at least the first index, and the next one at least `2^settled_log2` of the convergence.
pub(super) fn left_out_log2(
    series: &Hypergeometric,
    convergence: &Convergence,
    last: u64,
    control: &Control,
) -> Result<Option<i64>, Cancelled> {
    let mut product = Product { series, above: Magnitude::ONE, below: Magnitude::ONE };
    let mut next = series.first;
    while next <= last {
        control.check()?;
        let wanted = if next < SINGLE_BELOW { next } else { next + next / STRETCH_PART };
        product.take(next, wanted.min(last));
        if product.above.mantissa == 0 {
            return Ok(None);
        }
        next = wanted.min(last) + 1;
    }
    let growing = convergence.degrees_gained;
    for first in (series.first..=last).step_by(1 << 16).filter(|_| growing > 0) {
        control.check()?;
        // The single indices were taken whole.
        for k in first.max(SINGLE_BELOW)..=last.min(first + (1 << 16) - 1) {
            let index = Magnitude::rounded(k.into(), 0, Toward::Zero);
            for _ in 0..growing {
                product.below = product.below.times(index, Toward::Zero);
            }
        }
    }
    let above = product.above.exponent + 64;
    let below = product.below.exponent + 63;
    Ok(Some(above - below + convergence.tail_log2(last)))
}

/// The product so far: of the `p` above, of the `q` below, without `k^(deg q - deg p)` for k from [`SINGLE_BELOW`] on.
struct Product<'s> {
    series: &'s Hypergeometric,
    above: Magnitude,
    below: Magnitude,
}

impl Product<'_> {
    /// Takes in the terms from `from` to `to`, both included.
    fn take(&mut self, from: u64, to: u64) {
        if from < SINGLE_BELOW {
            return (from..=to).for_each(|k| self.take_one(k, false));
        }
        let terms = to - from + 1;
        let p = stretch_bound(&self.series.p, (from, to), Toward::Infinity);
        let q = stretch_bound(&self.series.q, (from, to), Toward::Zero);
        match (p, q) {
            (Some(p), Some(q)) => {
                self.above = self.above.times(p.power(terms, Toward::Infinity), Toward::Infinity);
                self.below = self.below.times(q.power(terms, Toward::Zero), Toward::Zero);
            }
            // A denominator that may vanish somewhere in between is looked at more closely.
            _ if terms > 1 => {
                let middle = from + terms / 2;
                self.take(from, middle - 1);
                self.take(middle, to);
            }
            _ => self.take_one(from, true),
        }
    }

    /// Takes in one term; what is left of the powers of its index is multiplied by elsewhere, where `is_divided`.
    fn take_one(&mut self, k: u64, is_divided: bool) {
        let p = Magnitude::of(&at(&self.series.p, k), 0, Toward::Infinity);
        let q = Magnitude::of(&at(&self.series.q, k), 0, Toward::Zero);
        self.above = self.above.times(p, Toward::Infinity);
        self.below = self.below.times(q, Toward::Zero);
        if is_divided {
            let degrees = self.series.q.degree().saturating_sub(self.series.p.degree());
            let index = Magnitude::rounded(k.into(), 0, Toward::Infinity);
            let power = index.power(degrees.into(), Toward::Infinity);
            self.above = self.above.times(power, Toward::Infinity);
        }
    }
}

fn at(polynomial: &Polynomial, k: u64) -> Integer {
    let mut value = Integer::from(polynomial.constant);
    for Factor { coefficients, power } in &polynomial.factors {
        let factor =
            coefficients.iter().rev().fold(Integer::new(), |value, coefficient| value * k + *coefficient);
        (0..*power).for_each(|_| value *= &factor);
    }
    value
}

/// A bound of `|f(k)| / k^d` for all k from `from` to `to`; none for one from below that might vanish.
fn stretch_bound(polynomial: &Polynomial, (from, to): (u64, u64), toward: Toward) -> Option<Magnitude> {
    let mut bound = Magnitude::of(&polynomial.constant.into(), 0, toward);
    for Factor { coefficients, power } in &polynomial.factors {
        let (mut least, mut most) = (Integer::new(), Integer::new());
        let mut powers = (Integer::from(1), Integer::from(1));
        for coefficient in coefficients.iter().rev() {
            let scaled = Integer::from(*coefficient) << POINT;
            let (near, far) = (quotients(&scaled, &powers.0), quotients(&scaled, &powers.1));
            least += near.0.min(far.0);
            most += near.1.max(far.1);
            powers.0 *= from;
            powers.1 *= to;
        }
        let reaches_zero = least <= 0 && most >= 0;
        let (least, most) = (least.abs(), most.abs());
        let value = match toward {
            Toward::Infinity => least.max(most),
            Toward::Zero if reaches_zero => return None,
            Toward::Zero => least.min(most),
        };
        let factor = Magnitude::of(&value, POINT, toward);
        bound = bound.times(factor.power((*power).into(), toward), toward);
    }
    Some(bound)
}

/// The quotient, rounded down and up.
fn quotients(above: &Integer, below: &Integer) -> (Integer, Integer) {
    let (floor, rest) = Integer::from(above).div_rem_floor(below.clone());
    let ceiling = if rest == 0 { floor.clone() } else { Integer::from(&floor + 1) };
    (floor, ceiling)
}
