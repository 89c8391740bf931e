//! Exact arithmetic: what the operators make of rationals, refused before it grows too large.
//!
//! Every function estimates the size of its result from above, refuses it where that is over the limit, pays for the
//! work, and only then computes. `None` means that the result is no rational, or is not looked for: then it becomes an
//! enclosure.

use protocol::{expression::BinaryOperator, limits::EXACT_BITS_MAX, outcome::RefusalKind};
use rug::{Complete, Float, Integer, Rational, float::Round, ops::Pow};

use super::work::{
    Stop, Work, bits, check_bits, gcd_units, integer_bits, linear_units, product_units, refuse, shown,
};

/// Applies an operator.
pub(super) fn binary(
    work: &mut Work<'_>,
    operator: BinaryOperator,
    left: &Rational,
    right: &Rational,
) -> Result<Option<Rational>, Stop> {
    match operator {
        BinaryOperator::Add | BinaryOperator::Subtract => sum(work, operator, left, right).map(Some),
        BinaryOperator::Multiply => product(work, operator, left, right).map(Some),
        BinaryOperator::Divide => {
            check_divisor(operator, left, right)?;
            product(work, operator, left, right).map(Some)
        }
        BinaryOperator::FloorDivide => floor_quotient(work, operator, left, right).map(Some),
        BinaryOperator::Modulo => {
            let quotient = floor_quotient(work, operator, left, right)?;
            let multiple = product(work, BinaryOperator::Multiply, right, &quotient)?;
            sum(work, BinaryOperator::Subtract, left, &multiple).map(Some)
        }
        BinaryOperator::Power => power(work, left, right),
    }
}

fn named(operator: BinaryOperator, left: &Rational, right: &Rational) -> String {
    format!("`{} {} {}`", shown(left), operator.symbol(), shown(right))
}

fn check_divisor(operator: BinaryOperator, left: &Rational, right: &Rational) -> Result<(), Stop> {
    if right.is_zero() {
        let message =
            format!("{} divides by zero; keep the divisor away from it", named(operator, left, right));
        return Err(refuse(RefusalKind::Undefined, message));
    }
    Ok(())
}

fn is_integer(value: &Rational) -> bool {
    *value.denom() == 1
}

fn sum(
    work: &mut Work<'_>,
    operator: BinaryOperator,
    left: &Rational,
    right: &Rational,
) -> Result<Rational, Stop> {
    if is_integer(left) && is_integer(right) {
        let size = bits(left).max(bits(right)) + 1;
        check_bits(u128::from(size), || named(operator, left, right))?;
        work.charge(linear_units(size))?;
    } else {
        let denominators = integer_bits(left.denom()) + integer_bits(right.denom());
        let numerators = (integer_bits(left.numer()) + integer_bits(right.denom()))
            .max(integer_bits(right.numer()) + integer_bits(left.denom()));
        let size = denominators + numerators + 1;
        check_bits(u128::from(size), || named(operator, left, right))?;
        work.charge(4 * product_units(size) + 2 * gcd_units(denominators))?;
    }
    Ok(match operator {
        BinaryOperator::Subtract => Rational::from(left - right),
        _ => Rational::from(left + right),
    })
}

/// A product, or a quotient by something that is not zero.
fn product(
    work: &mut Work<'_>,
    operator: BinaryOperator,
    left: &Rational,
    right: &Rational,
) -> Result<Rational, Stop> {
    let size = bits(left) + bits(right);
    check_bits(u128::from(size), || named(operator, left, right))?;
    let is_plain = operator == BinaryOperator::Multiply && is_integer(left) && is_integer(right);
    work.charge(product_units(size) + if is_plain { 0 } else { 2 * gcd_units(bits(left).max(bits(right))) })?;
    Ok(if operator == BinaryOperator::Multiply {
        Rational::from(left * right)
    } else {
        Rational::from(left / right)
    })
}

fn floor_quotient(
    work: &mut Work<'_>,
    operator: BinaryOperator,
    left: &Rational,
    right: &Rational,
) -> Result<Rational, Stop> {
    check_divisor(operator, left, right)?;
    let size = bits(left) + bits(right);
    check_bits(u128::from(size), || named(operator, left, right))?;
    work.charge(4 * product_units(size))?;
    if is_integer(left) && is_integer(right) {
        return Ok(left.numer().clone().div_rem_floor(right.numer().clone()).0.into());
    }
    let numerator = Integer::from(left.numer() * right.denom());
    let denominator = Integer::from(left.denom() * right.numer());
    Ok(numerator.div_rem_floor(denominator).0.into())
}

/// A power; `0^0` is 1.
fn power(work: &mut Work<'_>, base: &Rational, exponent: &Rational) -> Result<Option<Rational>, Stop> {
    let name = || named(BinaryOperator::Power, base, exponent);
    if exponent.is_zero() {
        return Ok(Some(Rational::from(1)));
    }
    if base.is_zero() {
        if *exponent < 0 {
            let message = format!("{} divides by zero; keep the base away from it", name());
            return Err(refuse(RefusalKind::Undefined, message));
        }
        return Ok(Some(Rational::new()));
    }
    if !is_integer(exponent) {
        if *base < 0 {
            let message =
                format!("{} takes a root of a negative number; use root(x, n) for an odd root", name());
            return Err(refuse(RefusalKind::Undefined, message));
        }
        if *base == 1 {
            return Ok(Some(base.clone()));
        }
        let Some(degree) = exponent.denom().to_u32() else { return Ok(None) };
        return match perfect_root(work, base, degree)? {
            Some(root) => power(work, &root, &Rational::from(exponent.numer())),
            None => Ok(None),
        };
    }
    if base.numer().is_one_or_minus_one() && is_integer(base) {
        let is_even = exponent.numer().is_even();
        return Ok(Some(if is_even { Rational::from(1) } else { base.clone() }));
    }
    let magnitude = Integer::from(exponent.numer().abs_ref());
    let times = magnitude.to_u64().map_or(u128::from(u64::MAX), u128::from);
    let size = power_bits(base.numer(), times) + power_bits(base.denom(), times);
    let is_whole = is_integer(base) && *exponent > 0;
    let hint = if is_whole { " (which powmod can take modulo a number)" } else { "" };
    check_bits(size, || format!("{}{hint}", name()))?;
    let (Some(times), Ok(size)) = (magnitude.to_u32(), u64::try_from(size)) else {
        // Only ones and zeros have such powers within the limit, and they were answered above.
        return Err(refuse(RefusalKind::Size, format!("{} is too large", name())));
    };
    work.charge(3 * product_units(size))?;
    // Powers of coprime numbers are coprime: no common factor is looked for.
    let power = Rational::from(base.pow(times));
    Ok(Some(if *exponent < 0 { power.recip() } else { power }))
}

/// The size of a power from above: roughly where that fits the limit, by the logarithm where it may not.
fn power_bits(base: &Integer, times: u128) -> u128 {
    const PRECISION_BITS: u32 = 128;
    if base.is_one_or_minus_one() {
        return 1;
    }
    let rough = u128::from(integer_bits(base)) * times;
    if rough <= u128::from(EXACT_BITS_MAX) {
        return rough;
    }
    let mut exact = Float::with_val_round(PRECISION_BITS, base.abs_ref().complete(), Round::Up).0;
    exact.log2_round(Round::Up);
    let exact = Float::with_val_round(PRECISION_BITS, exact * times, Round::Up).0;
    exact.to_integer().and_then(|exact| exact.to_u128()).map_or(rough, |exact| exact + 1)
}

trait Shape {
    fn is_one_or_minus_one(&self) -> bool;
}

impl Shape for Integer {
    fn is_one_or_minus_one(&self) -> bool {
        self.cmp_abs(&Self::from(1)).is_eq()
    }
}

/// The `degree`-th root of a number, where that is a rational; the number is not negative, or the degree is odd.
pub(super) fn perfect_root(
    work: &mut Work<'_>,
    value: &Rational,
    degree: u32,
) -> Result<Option<Rational>, Stop> {
    if value.is_zero() || degree == 1 {
        return Ok(Some(value.clone()));
    }
    let largest = integer_bits(value.numer()).max(integer_bits(value.denom()));
    if u64::from(degree) >= largest && !(value.numer().is_one_or_minus_one() && is_integer(value)) {
        // A root of at least two would make a number of more bits than that.
        return Ok(None);
    }
    work.charge(8 * product_units(bits(value)) + gcd_units(bits(value) / u64::from(degree)))?;
    let (numerator, rest) = value.numer().clone().root_rem(Integer::new(), degree);
    if !rest.is_zero() {
        return Ok(None);
    }
    let (denominator, rest) = value.denom().clone().root_rem(Integer::new(), degree);
    if !rest.is_zero() {
        return Ok(None);
    }
    Ok(Some(Rational::from((numerator, denominator))))
}
