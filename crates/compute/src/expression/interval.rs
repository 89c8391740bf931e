//! Intervals that are proven to hold a real number: two floats, each rounded away from the other.
//!
//! Every operation returns an interval that holds the result for every choice of operands inside theirs; so the truth
//! is never lost, the interval only grows, and a higher precision shrinks it again. What cannot be told at a precision
//! (whether a divisor is zero, a logarithm's argument positive) is said ([`Trouble::Unclear`]) and tried again with
//! more.

use std::cmp::Ordering;

use protocol::limits::ENCLOSED_EXPONENT_MAX;
use rug::{
    Float, Integer, Rational,
    float::{Constant, Round},
    ops::Pow,
};

use protocol::expression::NamedConstant;

/// Why an operation has no interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Not defined for any number in the operands.
    Undefined(&'static str),
    /// Defined for some numbers in the operands and not for others: more precision may tell.
    Unclear(&'static str),
    /// A power of two beyond [`ENCLOSED_EXPONENT_MAX`], or an argument too large for its function.
    Huge(&'static str),
}

/// All real numbers from `low` to `high`.
#[derive(Debug, Clone)]
pub(super) struct Interval {
    pub(super) low: Float,
    pub(super) high: Float,
}

/// Where an interval lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// All of it is below zero.
    Negative,
    /// It holds zero.
    AroundZero,
    /// All of it is above zero.
    Positive,
}

impl Interval {
    /// Computes both ends with the rounding that each needs.
    fn ends(mut end: impl FnMut(Round) -> Float) -> Self {
        Self { low: end(Round::Down), high: end(Round::Up) }
    }

    /// An exact value at this precision.
    pub(super) fn of_rational(bits: u32, value: &Rational) -> Self {
        Self::ends(|round| {
            if *value.denom() == 1 {
                Float::with_val_round(bits, value.numer(), round).0
            } else {
                Float::with_val_round(bits, value, round).0
            }
        })
    }

    /// A named constant at this precision.
    pub(super) fn of_constant(bits: u32, constant: NamedConstant) -> Self {
        let cached = |constant: Constant| Self::ends(|round| Float::with_val_round(bits, constant, round).0);
        match constant {
            NamedConstant::Pi => cached(Constant::Pi),
            NamedConstant::Ln2 => cached(Constant::Log2),
            NamedConstant::Catalan => cached(Constant::Catalan),
            NamedConstant::EulerGamma => cached(Constant::Euler),
            NamedConstant::E => Self::ends(|round| {
                let mut end = Float::with_val(bits, 1);
                end.exp_round(round);
                end
            }),
            NamedConstant::Phi => Self::ends(|round| {
                let mut end = Float::with_val(bits, 5);
                end.sqrt_round(round);
                let end = Float::with_val_round(bits, &end + 1_u32, round).0;
                Float::with_val_round(bits, &end / 2_u32, round).0
            }),
        }
    }

    /// Riemann's zeta function at an integer.
    pub(super) fn of_zeta(bits: u32, argument: u32) -> Self {
        Self::ends(|round| Float::with_val_round(bits, Float::zeta_u(argument), round).0)
    }

    pub(super) fn bits(&self) -> u32 {
        self.low.prec()
    }

    pub(super) fn side(&self) -> Side {
        if self.low > 0 {
            Side::Positive
        } else if self.high < 0 {
            Side::Negative
        } else {
            Side::AroundZero
        }
    }

    /// Refuses an interval of which every number has an exponent beyond the limit. Where only some have, because the
    /// interval is wide, more precision may tell.
    pub(super) fn checked(self) -> Result<Self, Trouble> {
        let exponent =
            |end: &Float| if end.is_zero() { None } else { Some(end.get_exp().unwrap_or(i32::MAX)) };
        let is_above = |end: &Float| exponent(end).is_some_and(|exponent| exponent > ENCLOSED_EXPONENT_MAX);
        let is_below = |end: &Float| exponent(end).is_some_and(|exponent| exponent < -ENCLOSED_EXPONENT_MAX);
        let ends = [&self.low, &self.high];
        if !ends.into_iter().any(|end| is_above(end) || is_below(end)) {
            return Ok(self);
        }
        let is_large = self.side() != Side::AroundZero && ends.into_iter().all(is_above);
        let is_small = ends.into_iter().all(|end| end.is_zero() || is_below(end));
        if is_large || is_small {
            return Err(Trouble::Huge(
                "a value that is not exact grows beyond 2^268435456 or below its inverse",
            ));
        }
        Err(Trouble::Unclear("a value whose size cannot be told"))
    }

    /// The exponent above which every number inside is, as far as the interval says: the smaller one of its ends, and 0
    /// where it holds a number below 1.
    pub(super) fn least_exponent(&self) -> u32 {
        let exponent = |end: &Float| end.get_exp().unwrap_or(0).max(0).unsigned_abs();
        if self.side() == Side::AroundZero { 0 } else { exponent(&self.low).min(exponent(&self.high)) }
    }

    /// Whether no number inside has more than this many bits before its point.
    pub(super) fn is_within_bits(&self, bits: u32) -> bool {
        [&self.low, &self.high]
            .into_iter()
            .all(|end| end.get_exp().is_none_or(|exponent| i64::from(exponent) <= i64::from(bits)))
    }

    pub(super) fn negated(self) -> Self {
        Self { low: -self.high, high: -self.low }
    }

    pub(super) fn absolute(self) -> Self {
        match self.side() {
            Side::Positive => self,
            Side::Negative => self.negated(),
            Side::AroundZero => {
                let bits = self.bits();
                let low = -self.low;
                let high = if low > self.high { low } else { self.high };
                Self { low: Float::new(bits), high }
            }
        }
    }

    pub(super) fn sum(&self, other: &Self) -> Self {
        let bits = self.bits();
        Self {
            low: Float::with_val_round(bits, &self.low + &other.low, Round::Down).0,
            high: Float::with_val_round(bits, &self.high + &other.high, Round::Up).0,
        }
    }

    pub(super) fn difference(&self, other: &Self) -> Self {
        let bits = self.bits();
        Self {
            low: Float::with_val_round(bits, &self.low - &other.high, Round::Down).0,
            high: Float::with_val_round(bits, &self.high - &other.low, Round::Up).0,
        }
    }

    pub(super) fn product(&self, other: &Self) -> Self {
        self.corners(other, |a, b, round| Float::with_val_round(a.prec(), a * b, round).0)
    }

    pub(super) fn quotient(&self, other: &Self) -> Result<Self, Trouble> {
        if other.side() == Side::AroundZero {
            return Err(Trouble::Unclear("a divisor that cannot be told from zero"));
        }
        Ok(self.corners(other, |a, b, round| Float::with_val_round(a.prec(), a / b, round).0))
    }

    /// The hull of an operation that is monotone in each operand: its extremes are at the corners.
    fn corners(&self, other: &Self, operation: impl Fn(&Float, &Float, Round) -> Float) -> Self {
        let pairs = [
            (&self.low, &other.low),
            (&self.low, &other.high),
            (&self.high, &other.low),
            (&self.high, &other.high),
        ];
        let extreme = |round: Round, wanted: Ordering| {
            let mut best: Option<Float> = None;
            for (a, b) in pairs {
                let value = operation(a, b, round);
                if best.as_ref().is_none_or(|best| value.partial_cmp(best) == Some(wanted)) {
                    best = Some(value);
                }
            }
            best.unwrap_or_else(|| Float::new(self.bits()))
        };
        Self { low: extreme(Round::Down, Ordering::Less), high: extreme(Round::Up, Ordering::Greater) }
    }

    /// A power with an integer exponent.
    pub(super) fn integer_power(self, exponent: &Integer) -> Result<Self, Trouble> {
        let bits = self.bits();
        if exponent.is_zero() {
            return Ok(Self::of_rational(bits, &Rational::from(1)));
        }
        if exponent.significant_bits() > u64::BITS {
            return Err(Trouble::Huge("an exponent above 2^64 of a value that is not exact"));
        }
        if *exponent < 0 {
            let power = self.integer_power(&Integer::from(-exponent))?;
            return Self::of_rational(bits, &Rational::from(1)).quotient(&power);
        }
        let base = if exponent.is_even() { self.absolute() } else { self };
        Ok(Self {
            low: Float::with_val_round(bits, (&base.low).pow(exponent), Round::Down).0,
            high: Float::with_val_round(bits, (&base.high).pow(exponent), Round::Up).0,
        })
    }

    /// The integer that is the floor of every number inside, if it is one.
    pub(super) fn floor(&self) -> Option<Integer> {
        let (low, _) = self.low.to_integer_round(Round::Down)?;
        let (high, _) = self.high.to_integer_round(Round::Down)?;
        (low == high).then_some(low)
    }
}
