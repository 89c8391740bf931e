//! Answers to expressions: proven where the arithmetic is exact, honest where it is not.
//!
//! A text is parsed ([`protocol::expression`]), its terms are evaluated exactly as far as they are rational and become
//! programs for enclosures where they are not (`term`, `enclosed`), and two sides are compared until they are told
//! apart or agree to as many digits as were asked for (`relation`). What is *exact* is part of the language, because
//! checksums depend on it:
//!
//! - numbers as they are written, and `+ - * / // %` and unary minus of exact values;
//! - `x ^ y` with an integer y, and with a fraction y where x is not negative and the root is rational; `0^0` is 1;
//! - `sqrt` and `root` where they are rational; `log(x)` and `log(x, b)` where they are integers; `ln(1)`;
//! - exp, cos, cosh at 0 (1), sin, tan, asin, atan, sinh, tanh at 0 and acos at 1 (0);
//! - abs, floor, ceil, gcd, lcm, factorial, binomial, powmod and fib of exact values;
//! - floor, ceil and `//` of any value, once an enclosure leaves only one integer.
//!
//! Everything else is *enclosed*: constants, zeta, and whatever is computed from an enclosed value, with MPFR and
//! outward rounding, at 128 bits first and twice as many each time up to `4096 + 4 * (10 * D / 3 + 1)` bits for D
//! digits. Exact sides give true or false. Other sides are proven to differ, and then part after k < D digits, or
//! agree to D digits, which is never "true". A value that cannot be told from what makes an operation undefined (a
//! divisor from zero) at the last precision is refused.
//!
//! Two sides agree to k digits where k is the floor of `-log10(|a - b| / max(|a|, |b|))`, not below 0, or of
//! `-log10(|a - b|)` where one side is exactly zero. Enclosed sides that cannot be told from zero at the last precision
//! agree if they are nearer to each other than `10^-D`.
//!
//! Checks of small integers alone are answered in one pass over the text (`integers`), with the same answers.
//!
//! Bounds stop what would cost too much before it costs anything, with the same refusal on every machine (`work`). An
//! equation of integers that is refused for its size is looked at again through primes, which may prove it false
//! (`residue`).
//! The checksum of the values behind an answer is defined at the head of `evidence`.

pub(crate) mod circuit;
mod digits;
mod enclosed;
mod evidence;
mod exact;
mod exact_function;
mod fast;
mod integers;
mod interval;
mod interval_function;
mod judge;
mod prime;
mod range;
mod relation;
mod residue;
mod term;
mod work;

use protocol::{
    expression::{Expression, RangeStatement, Statement, parse, parse_body},
    limits::{AGREE_DIGITS_MAX, TASK_RANGE_VALUES_MAX, WORK_UNITS_MAX},
    outcome::{Answer, RangeAnswer, Refusal, RefusalKind},
};

use self::{
    circuit::{Circuit, Truth},
    evidence::DigestEvidence,
    judge::Judge,
    work::{Work, refusal},
};
use crate::control::{Cancelled, Control};

pub(crate) use self::{
    evidence::MixedEvidence,
    integers::IntegerAnswers,
    range::{End, Stretch, Walk},
    work::Stop,
};

/// Answers one expression. Sides that are not exact are compared to `agree_digits` significant digits (at least 1, at
/// most [`AGREE_DIGITS_MAX`]).
///
/// A text that is itself a range is answered as one expression, if it has at most [`TASK_RANGE_VALUES_MAX`] values.
///
/// # Errors
/// [`Cancelled`] when it was asked to stop. Everything else, a text that is no expression included, is an answer.
pub fn answer(text: &str, agree_digits: u32, control: &Control) -> Result<Answer, Cancelled> {
    control.check()?;
    if let Some(answer) = IntegerAnswers::default().answer(text) {
        return Ok(answer);
    }
    answer_generally(text, agree_digits, control)
}

/// As [`answer`], without the look for the quick way, which must make no difference.
pub(crate) fn answer_generally(
    text: &str,
    agree_digits: u32,
    control: &Control,
) -> Result<Answer, Cancelled> {
    let digits = agree_digits.clamp(1, AGREE_DIGITS_MAX);
    let outcome = match parse(text) {
        Ok(Statement::Plain(expression)) => match answer_plain(&expression, digits, control) {
            Err(Stop::Refused(first)) => residue::second_look(text, &expression, *first, control),
            other => other,
        },
        Ok(Statement::Range(statement)) => return answer_statement(&statement, digits, control),
        Err(error) => return Ok(Answer::Refused(Refusal::from(&error))),
    };
    match outcome {
        Ok(answer) => Ok(answer),
        Err(Stop::Refused(refusal)) => Ok(Answer::Refused(*refusal)),
        Err(Stop::Cancelled(cancelled)) => Err(cancelled),
    }
}

fn answer_plain(expression: &Expression, digits: u32, control: &Control) -> Result<Answer, Stop> {
    let work = Work::new(WORK_UNITS_MAX, control);
    let mut judge = Judge::new(expression, None, digits, work, DigestEvidence::new()).with_parts();
    if expression.is_value() {
        let (text, exact) = judge.value()?;
        return Ok(Answer::Value { text, exact });
    }
    let truth = judge.run(&Circuit::compile(expression), &mut Vec::new())?;
    let checksum = judge.evidence().checksum();
    Ok(match truth {
        Truth::True => Answer::True { checksum },
        Truth::False(formula) => {
            Answer::False { parts_after: formula.and_then(|formula| judge.parts_after(formula)), checksum }
        }
        Truth::Open => Answer::Agrees { digits, checksum },
    })
}

fn answer_statement(statement: &RangeStatement, digits: u32, control: &Control) -> Result<Answer, Cancelled> {
    let RangeStatement { first, last, body, variable, .. } = statement;
    let values = last.checked_sub(*first).and_then(|width| u64::try_from(width).ok());
    if values.is_none_or(|width| width >= TASK_RANGE_VALUES_MAX) {
        let message = format!(
            "the range from {first} to {last} holds more than the limit of {TASK_RANGE_VALUES_MAX} values for one \
             expression; submit it as a job, which cuts it into tasks"
        );
        return Ok(Answer::Refused(refusal(RefusalKind::Work, message)));
    }
    Ok(match Walk::new(body, digits, control).answer(*first, *last)? {
        RangeAnswer::AllTrue { checksum } => Answer::True { checksum },
        RangeAnswer::Counterexample { checksum, .. } => Answer::False { parts_after: None, checksum },
        RangeAnswer::Unsettled { digits, checksum, .. } => Answer::Agrees { digits, checksum },
        RangeAnswer::Refused { value, refusal: Refusal { kind, message } } => {
            Answer::Refused(refusal(kind, format!("at {variable} = {value}: {message}")))
        }
    })
}

/// Answers `body` for every value of `variable` from `first` to `last`, both included, on the rayon pool of the
/// caller: true for all, or the first value at which it is false or refused, or the first at which it only agrees.
/// `agree_digits` is as for [`answer`]. An empty range is true.
///
/// A range may be cut anywhere: the answer of the whole is the first part's answer that ends the walk
/// ([`RangeAnswer::Counterexample`], [`RangeAnswer::Refused`]), else the first that is [`RangeAnswer::Unsettled`].
///
/// # Errors
/// [`Cancelled`] when it was asked to stop.
pub fn answer_range(
    body: &str,
    variable: &str,
    first: i128,
    last: i128,
    agree_digits: u32,
    control: &Control,
) -> Result<RangeAnswer, Cancelled> {
    let digits = agree_digits.clamp(1, AGREE_DIGITS_MAX);
    match parse_body(body, variable) {
        Ok(expression) => Walk::new(&expression, digits, control).answer(first, last),
        Err(error) => Ok(RangeAnswer::Refused { value: first, refusal: Refusal::from(&error) }),
    }
}
