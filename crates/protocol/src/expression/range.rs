//! The quantified range at the top: `for n in 1..=10^9: BODY`.
//!
//! The bounds are constant integers, worked out here in checked 128-bit arithmetic, because whoever plans a job has
//! to cut the range into tasks without computing anything.

use std::ops::Range;

use super::{
    BinaryOperator, Expression, RefusalKind, Step,
    grammar::{is_reserved, value},
    token::{Input, Parsed, at_keyword, expected, fail, require, rest, shortened, take_sign, word},
};
use crate::limits::NAME_BYTES_MAX;

/// The part of a range before its body.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) variable: String,
    pub(super) first: i128,
    pub(super) last: i128,
}

/// Parses `for n in FIRST..LAST:` and leaves the builder ready for the body.
pub(super) fn header(input: &mut Input<'_>) -> Parsed<Header> {
    take_sign(input, "for".len());
    let Ok((name, span)) = word(input) else { return expected(input, "the name of a variable") };
    check_variable(name, span)?;
    if !at_keyword(input, "in") {
        return expected(input, "`in`");
    }
    take_sign(input, "in".len());
    let (first, first_span) = bound(input, "an operator, `..` or `..=`")?;
    let is_inclusive = rest(input).starts_with("..=");
    require(input, if is_inclusive { "..=" } else { ".." }, "an operator, `..` or `..=`")?;
    let (end, end_span) = bound(input, "an operator or `:`")?;
    require(input, ":", "an operator or `:`")?;
    let last = if is_inclusive { Some(end) } else { end.checked_sub(1) };
    let Some(last) = last.filter(|last| first <= *last) else {
        let message = format!("the range from {first} to {end} holds no value; swap or widen its bounds");
        return fail(RefusalKind::Syntax, first_span.start..end_span.end, message);
    };
    input.state.restart(Some(name));
    Ok(Header { variable: name.to_owned(), first, last })
}

/// A name that a variable may have.
pub(super) fn check_variable(name: &str, span: Range<usize>) -> Parsed<()> {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    let message = if !is_word {
        format!("`{}` is no name for a variable; use letters, digits and `_`", shortened(name).escape_debug())
    } else if name.len() > NAME_BYTES_MAX {
        format!(
            "the variable's name has {} bytes, more than the limit of {NAME_BYTES_MAX}; shorten it",
            name.len()
        )
    } else if is_reserved(name) {
        format!("`{name}` already has a meaning; choose another name for the variable")
    } else {
        return Ok(());
    };
    fail(RefusalKind::Syntax, span, message)
}

/// A bound and where it stands.
fn bound(input: &mut Input<'_>, follows: &str) -> Parsed<(i128, Range<usize>)> {
    input.state.restart(None);
    let span = value(input)?;
    if !rest(input).starts_with(['.', ':']) {
        return expected(input, follows);
    }
    let built = input.state.restart(None);
    match integer_value(&built) {
        Ok(bound) => Ok((bound, span)),
        Err(reason) => fail(RefusalKind::Syntax, span, format!("the bound of a range {reason}")),
    }
}

/// The value of a constant made of integers, `+ - * ^` and parentheses.
fn integer_value(expression: &Expression) -> Result<i128, &'static str> {
    const KIND: &str = "must be made of integers, `+`, `-`, `*` and `^` only";
    const SIZE: &str = "must lie between -2^127 and 2^127 - 1, and so must every step on the way to it";
    let mut stack: Vec<i128> = Vec::new();
    for step in expression.steps() {
        let value = match step {
            Step::Integer(value) => i128::from(*value),
            Step::Number(number) => {
                let shift = u32::try_from(number.exponent).map_err(|_| KIND)?;
                let digits: i128 = number.digits.parse().map_err(|_| SIZE)?;
                10_i128.checked_pow(shift).and_then(|power| digits.checked_mul(power)).ok_or(SIZE)?
            }
            Step::Negate => stack.pop().and_then(i128::checked_neg).ok_or(SIZE)?,
            Step::Binary(operator) => {
                let (Some(right), Some(left)) = (stack.pop(), stack.pop()) else { return Err(KIND) };
                match operator {
                    BinaryOperator::Add => left.checked_add(right),
                    BinaryOperator::Subtract => left.checked_sub(right),
                    BinaryOperator::Multiply => left.checked_mul(right),
                    BinaryOperator::Power => {
                        u32::try_from(right).ok().and_then(|right| left.checked_pow(right))
                    }
                    _ => return Err(KIND),
                }
                .ok_or(SIZE)?
            }
            Step::Variable | Step::Constant(_) | Step::Call(_) => return Err(KIND),
        };
        stack.push(value);
    }
    stack.pop().ok_or(KIND)
}
