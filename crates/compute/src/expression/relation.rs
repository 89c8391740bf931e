//! How two values stand to each other: ordered, or agreeing as far as was asked.
//!
//! Two sides *agree to k digits* where k is the floor of `-log10(|a - b| / max(|a|, |b|))`, and not below 0; where one
//! side is exactly zero, of `-log10(|a - b|)`. Exact sides are always told apart or proven equal. Enclosed ones part
//! after k digits if k is proven to be below the digits that were asked for, and otherwise agree to those.

use std::cmp::Ordering;

use protocol::expression::BinaryOperator;
use rug::{Complete, Float, Integer, Rational, float::Round, ops::Pow};

use super::{
    enclosed::{Sight, enclose, precisions, unsettled},
    exact,
    interval::{Interval, Side},
    term::Value,
    work::{Stop, Work, bits, elementary_units, linear_units, product_units},
};

/// The precision of the logarithm that counts digits: a ratio nearer than 2^-180 to a power of ten is taken to be it.
const COUNT_BITS: u32 = 192;

/// How two values stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// Both are exact, and this is their order.
    Exact(Ordering),
    /// At least one is enclosed; they are proven to differ in this direction, after so many digits.
    Apart { ordering: Ordering, parts_after: u32 },
    /// They agree to the digits that were asked for.
    Agree,
}

/// Compares two values to `digits` significant digits.
pub(super) fn relate(
    work: &mut Work<'_>,
    left: &Value,
    right: &Value,
    digits: u32,
    precision_bits_max: u32,
) -> Result<Relation, Stop> {
    if let (Value::Exact(left), Value::Exact(right)) = (left, right) {
        let is_plain = left.denom() == right.denom();
        let size = bits(left) + bits(right);
        work.charge(if is_plain { linear_units(size) } else { 2 * product_units(size) })?;
        return Ok(Relation::Exact(left.cmp(right)));
    }
    let is_zero = |value: &Value| matches!(value, Value::Exact(value) if value.is_zero());
    let is_absolute = is_zero(left) || is_zero(right);
    let mut trouble = "the two sides cannot be told apart";
    for (bits, is_last) in precisions(precision_bits_max) {
        let (left, right) = match (see(work, left, bits)?, see(work, right, bits)?) {
            (Sight::Within(left), Sight::Within(right)) => (left, right),
            (Sight::Unclear(what), _) | (_, Sight::Unclear(what)) => {
                trouble = what;
                continue;
            }
        };
        let difference = left.difference(&right);
        let ordering = match difference.side() {
            Side::Negative => Some(Ordering::Less),
            Side::Positive => Some(Ordering::Greater),
            Side::AroundZero => None,
        };
        let difference = difference.absolute();
        let scale =
            if is_absolute { Interval::of_rational(bits, &Rational::from(1)) } else { larger(left, right) };
        work.charge(2 * elementary_units(u64::from(COUNT_BITS)))?;
        let (fewest, most) = agreement(&difference, &scale);
        if fewest >= i64::from(digits) {
            return Ok(Relation::Agree);
        }
        // At the end a count that is one of two neighbours sits on the boundary between them.
        if let Some(ordering) = ordering
            && (fewest == most || (is_last && most == fewest + 1))
        {
            return Ok(match u32::try_from(most) {
                Ok(parts_after) if parts_after < digits => Relation::Apart { ordering, parts_after },
                _ => Relation::Agree,
            });
        }
        if is_last
            && agreement(&difference, &Interval::of_rational(bits, &Rational::from(1))).0 >= i64::from(digits)
        {
            return Ok(Relation::Agree);
        }
    }
    Err(unsettled(trouble, precision_bits_max))
}

/// What is known of a value at a precision.
pub(super) fn see(work: &mut Work<'_>, value: &Value, precision_bits: u32) -> Result<Sight, Stop> {
    match value {
        Value::Exact(value) => {
            work.charge(linear_units(bits(value)))?;
            Ok(Sight::Within(Interval::of_rational(precision_bits, value)))
        }
        Value::Enclosed(program) => enclose(work, program, precision_bits),
    }
}

/// The larger of two magnitudes.
fn larger(left: Interval, right: Interval) -> Interval {
    let (left, right) = (left.absolute(), right.absolute());
    Interval { low: left.low.max(&right.low), high: left.high.max(&right.high) }
}

/// The fewest and the most digits to which two sides can agree that are this far apart, at this scale.
fn agreement(difference: &Interval, scale: &Interval) -> (i64, i64) {
    let least = Float::with_val_round(COUNT_BITS, &difference.low / &scale.high, Round::Down).0;
    let fewest = if difference.high.is_zero() {
        i64::MAX
    } else if scale.low.is_zero() {
        0
    } else {
        let greatest = Float::with_val_round(COUNT_BITS, &difference.high / &scale.low, Round::Up).0;
        digits_of(greatest, Round::Up)
    };
    let most = if difference.low.is_zero() { i64::MAX } else { digits_of(least, Round::Down) };
    (fewest, most)
}

/// The floor of `-log10(ratio)`, not below 0, with the logarithm rounded in this direction.
fn digits_of(mut ratio: Float, round: Round) -> i64 {
    ratio.log10_round(round);
    let digits = (-ratio).to_integer_round(Round::Down).and_then(|(digits, _)| digits.to_i64());
    digits.unwrap_or(i64::MAX).max(0)
}

/// To how many digits two different exact numbers agree.
pub(super) fn exact_parts_after(work: &mut Work<'_>, left: &Rational, right: &Rational) -> Result<u32, Stop> {
    let difference = exact::binary(work, BinaryOperator::Subtract, left, right)?.unwrap_or_default();
    let difference = difference.abs();
    let scale = if left.is_zero() || right.is_zero() {
        Rational::from(1)
    } else {
        work.charge(2 * product_units(bits(left) + bits(right)))?;
        if left.cmp_abs(right).is_lt() { right.abs_ref().complete() } else { left.abs_ref().complete() }
    };
    work.charge(
        2 * elementary_units(u64::from(COUNT_BITS)) + linear_units(bits(&difference) + bits(&scale)),
    )?;
    let (fewest, most) = agreement(
        &Interval::of_rational(COUNT_BITS, &difference),
        &Interval::of_rational(COUNT_BITS, &scale),
    );
    let fewest = u32::try_from(fewest).unwrap_or(u32::MAX);
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    if fewest == most {
        return Ok(most);
    }
    // The logarithm is too near to an integer to tell: count exactly.
    let size = bits(&difference) + bits(&scale) + 4 * u64::from(most);
    work.charge(6 * product_units(size))?;
    let shifted = difference * Rational::from(Integer::from(10).pow(most));
    Ok(if shifted <= scale { most } else { fewest })
}
