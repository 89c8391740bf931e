//! Decimal digits of a value: truncated and proven, for people and for checksums.
//!
//! Both ends of an enclosure must give the same digits. Where they never do, because the value sits on a boundary
//! between two digit strings (`exp(ln(2))` is 2.000… or 1.999…), the boundary itself is the answer and is marked as
//! such.

use protocol::limits::VALUE_DIGITS_MAX;
use rug::{Float, Integer, Rational, float::Round, ops::Pow};

use super::{
    enclosed::{Sight, precisions, unsettled},
    interval::{Interval, Side},
    relation::see,
    term::Value,
    work::{Stop, Work, bits, integer_bits, linear_units, product_units},
};

/// The leading digits of a value, as far as they can be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leading {
    /// Cut off after so many digits, and proven.
    Truncated(Decimal),
    /// The value cannot be told from this one, which has only so many digits.
    Boundary(Decimal),
    /// The value cannot be told from zero.
    Zero,
}

/// A number with a fixed count of digits: `0.DIGITS` times ten to the power `exponent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) is_negative: bool,
    pub(super) digits: String,
    pub(super) exponent: i64,
}

impl Decimal {
    fn of_end(end: &Float, count: u32) -> Self {
        let (is_negative, mut digits, exponent) =
            end.to_sign_string_exp_round(10, Some(count as usize), Round::Zero);
        while digits.len() < count as usize {
            digits.push('0');
        }
        Self { is_negative, digits, exponent: i64::from(exponent.unwrap_or(0)) }
    }

    /// Whether `self` is the next number above `below` with as many digits, in magnitude.
    fn follows(&self, below: &Self) -> bool {
        let next = Integer::from_str_radix(&below.digits, 10).unwrap_or_default() + 1_u32;
        let next = next.to_string();
        let carried = i64::from(next.len() > below.digits.len());
        self.exponent == below.exponent + carried && next[..self.digits.len().min(next.len())] == self.digits
    }

    /// Digits with a point, and a power of ten where the point would be far away; `end` stands where they break off.
    pub(super) fn text(&self, end: &str) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        let count = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        let digits = &self.digits;
        if (-5..=0).contains(&self.exponent) {
            let zeros = "0".repeat(usize::try_from(-self.exponent).unwrap_or(0));
            return format!("{sign}0.{zeros}{digits}{end}");
        }
        if self.exponent > 0 && self.exponent <= count {
            let (whole, fraction) = digits.split_at(usize::try_from(self.exponent).unwrap_or(0));
            return format!("{sign}{whole}.{fraction}{end}");
        }
        let (whole, fraction) = digits.split_at(1);
        format!("{sign}{whole}.{fraction}{end}e{}", self.exponent - 1)
    }
}

/// The first `count` digits of a value that is not exact.
pub(super) fn leading(
    work: &mut Work<'_>,
    value: &Value,
    count: u32,
    precision_bits_max: u32,
) -> Result<Leading, Stop> {
    let last_bits = precision_bits_max.max(4 * count + 128);
    let mut trouble = "the digits of a value cannot be settled";
    for (bits, is_last) in precisions(last_bits) {
        let interval = match see(work, value, bits)? {
            Sight::Within(interval) => interval,
            Sight::Unclear(what) => {
                trouble = what;
                continue;
            }
        };
        work.charge(4 * product_units(u64::from(bits)) + 20 * u64::from(count))?;
        if let Some(found) = leading_of(&interval, count, is_last) {
            return Ok(found);
        }
    }
    Err(unsettled(trouble, last_bits))
}

/// The digits that both ends share; at the end, the boundary between them.
fn leading_of(interval: &Interval, count: u32, is_last: bool) -> Option<Leading> {
    let (inner, outer) = match interval.side() {
        Side::Positive => (&interval.low, &interval.high),
        Side::Negative => (&interval.high, &interval.low),
        // An interval that still holds zero at the end must at least be narrow to pass for it.
        Side::AroundZero => {
            let is_tiny = |end: &Float| end.get_exp().is_none_or(|exponent| exponent < -256);
            return (is_last && is_tiny(&interval.low) && is_tiny(&interval.high)).then_some(Leading::Zero);
        }
    };
    let (inner, outer) = (Decimal::of_end(inner, count), Decimal::of_end(outer, count));
    if inner == outer {
        return Some(Leading::Truncated(inner));
    }
    (is_last && outer.follows(&inner)).then_some(Leading::Boundary(outer))
}

/// The text of a value for an answer, and whether it is the whole value.
pub(super) fn value_text(
    work: &mut Work<'_>,
    value: &Value,
    digits: u32,
    precision_bits_max: u32,
) -> Result<(String, bool), Stop> {
    if let Value::Exact(exact) = value
        && let Some(text) = whole_text(work, exact)?
    {
        return Ok((text, true));
    }
    let count = digits.clamp(1, VALUE_DIGITS_MAX);
    let text = match (leading(work, value, count, precision_bits_max)?, value) {
        (Leading::Boundary(decimal), Value::Exact(exact)) => below_or_at(work, decimal, exact)?.text("…"),
        (Leading::Truncated(decimal) | Leading::Boundary(decimal), _) => decimal.text("…"),
        (Leading::Zero, _) => "0…".to_owned(),
    };
    Ok((text, false))
}

/// The truncation of an exact value that is as near to a boundary as can be seen, by exact comparison.
fn below_or_at(work: &mut Work<'_>, boundary: Decimal, value: &Rational) -> Result<Decimal, Stop> {
    let count = i64::try_from(boundary.digits.len()).unwrap_or(i64::MAX);
    let shift = boundary.exponent - count;
    let size = bits(value) + (boundary.exponent.unsigned_abs() + count.unsigned_abs()) * 10 / 3;
    work.charge(3 * product_units(size))?;
    let power = Integer::from(10).pow(u32::try_from(shift.unsigned_abs()).unwrap_or(u32::MAX));
    let digits = Integer::from_str_radix(&boundary.digits, 10).unwrap_or_default();
    let exact =
        if shift < 0 { Rational::from((digits.clone(), power)) } else { Rational::from(&digits * &power) };
    if value.cmp_abs(&exact).is_ge() {
        return Ok(boundary);
    }
    let below = (digits - 1_u32).to_string();
    Ok(if below.len() < boundary.digits.len() {
        Decimal { digits: "9".repeat(boundary.digits.len()), exponent: boundary.exponent - 1, ..boundary }
    } else {
        Decimal { digits: below, ..boundary }
    })
}

/// An exact value in at most [`VALUE_DIGITS_MAX`] digits: an integer, a decimal that ends, or a fraction.
fn whole_text(work: &mut Work<'_>, value: &Rational) -> Result<Option<String>, Stop> {
    // A digit takes more than three bits.
    const DECIMALS_SHOWN: u32 = 60;
    let limit = u64::from(VALUE_DIGITS_MAX);
    if bits(value) > 4 * limit {
        return Ok(None);
    }
    work.charge(linear_units(bits(value)) + 100 * limit)?;
    let text = value.to_string();
    let digits = text.bytes().filter(u8::is_ascii_digit).count() as u64;
    if digits > limit {
        return Ok(None);
    }
    if *value.denom() == 1 || integer_bits(value.denom()) > u64::from(DECIMALS_SHOWN) * 4 {
        return Ok(Some(text));
    }
    for decimals in 1..=DECIMALS_SHOWN {
        let shifted = Rational::from(value * Integer::from(10).pow(decimals));
        if *shifted.denom() == 1 {
            let numerator = shifted.numer();
            let sign = if *numerator < 0 { "-" } else { "" };
            let digits = Integer::from(numerator.abs_ref()).to_string();
            let width = decimals as usize + 1;
            let padded = format!("{digits:0>width$}");
            let (whole, fraction) = padded.split_at(padded.len() - decimals as usize);
            return Ok(Some(format!("{sign}{whole}.{fraction}")));
        }
    }
    Ok(Some(text))
}
