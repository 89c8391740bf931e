//! The language of expressions, as people type it: `coordinator ask "2 * 2 * 2 * 2 == 16"`.
//!
//! ```text
//! statement  = expression | "for" name "in" bound (".." | "..=") bound ":" expression
//! expression, from the loosest to the tightest:
//!              or    and    not    == != < <= > >=    + -    * / // %    unary -    ^    !
//! operand    = number | constant | variable | function "(" expression { "," expression } ")" | "(" expression ")"
//! number     = 12 | 1_000_000 | 1.5 | 2.5e-9          decimals are exact rationals: 0.1 is one tenth
//! constant   = pi | e | phi | ln2 | catalan | euler_gamma
//! function   = sqrt(x) root(x, n) exp ln log(x) log(x, base) sin cos tan asin acos atan sinh cosh tanh
//!              abs floor ceil gcd(a, b, …) lcm(a, b, …) factorial(n) binomial(n, k) powmod(a, b, m) fib(n) zeta(n)
//!              is_prime(n), which is true or false
//! ```
//!
//! `^` goes to the right and binds tighter than a minus before it: `-2^2` is `-4`, `2^-1` is one half, `2^3^2` is
//! `2^9`. `//` rounds down and `%` has the sign of its right side. `log(x)` is to base 10. Comparisons chain:
//! `1 < 2 < 3` is `1 < 2 and 2 < 3`. In a range `..` leaves its end out and `..=` includes it; the bounds are constant
//! integers made with `+ - * ^`, and the variable may not take the place of a name that has a meaning.
//!
//! An expression that holds no comparison is a value; arithmetic on truth values is an error of type
//! ([`RefusalKind::Type`]). Length and nesting are bounded ([`EXPRESSION_BYTES_MAX`],
//! [`EXPRESSION_DEPTH_MAX`](crate::limits::EXPRESSION_DEPTH_MAX)), and no text, however nested, takes more than a
//! bounded piece of the stack to parse or to drop.

mod call;
mod error;
mod grammar;
mod integers;
mod kernel;
mod operator;
mod range;
mod syntax;
mod token;

use winnow::{
    LocatingSlice,
    error::ErrMode,
    stream::{Location, Stateful},
};

pub(crate) use self::integers::is_of_integers;
pub use self::{
    error::ParseError,
    integers::{Connective, IntegerAlgebra, IntegerReading, read_integers},
    syntax::{
        BinaryOperator, Comparison, Expression, Formula, Function, NamedConstant, Number, RangeStatement,
        Statement, Step, Term,
    },
};
use self::{
    grammar::{Builder, Operand, any_expression, require_truth},
    token::{Failure, Input, Parsed, at_keyword, expected, rest, space},
};
use crate::limits::EXPRESSION_BYTES_MAX;
pub use crate::outcome::RefusalKind;

/// Parses a statement.
///
/// # Errors
/// [`ParseError`] with the first place that is wrong.
pub fn parse(text: &str) -> Result<Statement, ParseError> {
    run(text, None, statement)
}

/// Parses the body of a range over `variable`: a formula in which that name may occur.
///
/// # Errors
/// [`ParseError`] with the first place that is wrong; also where `variable` is no name for a variable.
pub fn parse_body(text: &str, variable: &str) -> Result<Expression, ParseError> {
    outcome_of(range::check_variable(variable, 0..0), 0)?;
    run(text, Some(variable), |input| {
        let operand = whole(input)?;
        require_truth(&operand)?;
        Ok(input.state.restart(None))
    })
}

/// Parses an expression without a comparison, in which the name `variable` may occur.
///
/// # Errors
/// [`ParseError`] with the first place that is wrong; also where the text is a claim, or `variable` no name for a
/// variable.
pub fn parse_value(text: &str, variable: &str) -> Result<Expression, ParseError> {
    outcome_of(range::check_variable(variable, 0..0), 0)?;
    let expression = run(text, Some(variable), |input| {
        whole(input)?;
        Ok(input.state.restart(None))
    })?;
    if expression.is_value() {
        return Ok(expression);
    }
    let message = "expected a value, found a comparison".to_owned();
    Err(ParseError { kind: RefusalKind::Type, span: 0..text.len(), message })
}

fn run<'t, T>(
    text: &'t str,
    variable: Option<&'t str>,
    parser: impl FnOnce(&mut Input<'t>) -> Parsed<T>,
) -> Result<T, ParseError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(ParseError {
            kind: RefusalKind::Length,
            span: 0..0,
            message: format!(
                "the expression has {} bytes, more than the limit of {EXPRESSION_BYTES_MAX}; split it",
                text.len()
            ),
        });
    }
    let mut input = Stateful { input: LocatingSlice::new(text), state: Builder::new(variable) };
    space(&mut input);
    let parsed = parser(&mut input);
    outcome_of(parsed, input.current_token_start())
}

fn outcome_of<T>(parsed: Parsed<T>, place: usize) -> Result<T, ParseError> {
    parsed.map_err(|error| match error {
        ErrMode::Backtrack(Failure(Some(found))) | ErrMode::Cut(Failure(Some(found))) => *found,
        // Nothing said more precisely what is wrong.
        _ => ParseError {
            kind: RefusalKind::Syntax,
            span: place..place,
            message: "expected an expression".to_owned(),
        },
    })
}

fn statement(input: &mut Input<'_>) -> Parsed<Statement> {
    if !at_keyword(input, "for") {
        whole(input)?;
        return Ok(Statement::Plain(input.state.restart(None)));
    }
    let header = range::header(input)?;
    // Not the operand's own span: a leading `not`, sign or parenthesis is part of the body.
    let start = input.current_token_start();
    let remaining = rest(input);
    let body_span = start..start + remaining.trim_end().len();
    let operand = whole(input)?;
    require_truth(&operand)?;
    let body = input.state.restart(None);
    Ok(Statement::Range(RangeStatement {
        variable: header.variable,
        first: header.first,
        last: header.last,
        body_span,
        body,
    }))
}

/// An expression with nothing after it.
fn whole(input: &mut Input<'_>) -> Parsed<Operand> {
    let operand = any_expression(input)?;
    if rest(input).is_empty() { Ok(operand) } else { expected(input, "an operator or the end") }
}
