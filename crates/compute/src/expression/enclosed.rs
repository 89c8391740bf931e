//! A term whose value is not exact: a little program that yields an interval at any precision.
//!
//! Whatever was exact in it has been folded away already ([`super::term`]); what is left is run again and again with
//! twice the bits, until the question that was asked is settled or the precision limit is reached. That limit depends
//! on nothing but the digits that were asked for, so every machine stops at the same place.

use protocol::{
    expression::{BinaryOperator, Function, NamedConstant},
    outcome::RefusalKind,
};
use rug::Rational;

use super::{
    interval::{Interval, Trouble},
    interval_function,
    work::{Stop, Work, bits, elementary_units, linear_units, product_units, refuse},
};

/// The first precision that is tried, in bits.
const PRECISION_BITS_FIRST: u32 = 128;

/// The last precision that is tried where sides are compared to `digits` significant digits, in bits: four times
/// what those digits take, and room for 1,200 digits of cancellation.
pub(super) fn precision_bits_max(digits: u32) -> u32 {
    4096 + 4 * (digits.saturating_mul(10) / 3 + 1)
}

/// One step of the program; operands are on a stack of intervals.
#[derive(Debug)]
pub(super) enum EnclosedStep {
    /// Puts an exact value on the stack.
    Exact(Rational),
    /// Puts a constant on the stack.
    Constant(NamedConstant),
    /// Puts zeta(n) on the stack.
    Zeta(u32),
    /// Unary minus.
    Negate,
    /// A function of one value; the number is the degree of a root.
    Function(Function, u32),
    /// An operator between the two topmost values.
    Binary(Operation),
    /// An operator with an exact left operand.
    ExactLeft(Operation, Rational),
    /// An operator with an exact right operand.
    ExactRight(Operation, Rational),
}

/// What is done with two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    /// The logarithm of the left operand to the base that is the right one.
    Logarithm,
}

impl Operation {
    /// The operation of an operator; `//` and `%` are made of others.
    pub(super) fn of(operator: BinaryOperator) -> Self {
        match operator {
            BinaryOperator::Add => Self::Add,
            BinaryOperator::Subtract => Self::Subtract,
            BinaryOperator::Multiply => Self::Multiply,
            BinaryOperator::Divide | BinaryOperator::FloorDivide | BinaryOperator::Modulo => Self::Divide,
            BinaryOperator::Power => Self::Power,
        }
    }

    fn units(self, precision_bits: u32) -> u64 {
        match self {
            Self::Add | Self::Subtract => 100 + linear_units(u64::from(precision_bits)),
            Self::Multiply | Self::Divide => 400 + 8 * product_units(u64::from(precision_bits)),
            Self::Logarithm => 2 * function_units(Function::Ln, precision_bits),
            Self::Power => 12 * elementary_units(u64::from(precision_bits)),
        }
    }

    fn apply(self, left: Interval, right: Interval) -> Result<Interval, Trouble> {
        match self {
            Self::Add => Ok(left.sum(&right)),
            Self::Subtract => Ok(left.difference(&right)),
            Self::Multiply => Ok(left.product(&right)),
            Self::Divide => left.quotient(&right),
            Self::Power => interval_function::power(left, &right),
            Self::Logarithm => interval_function::logarithm(left, right),
        }
    }
}

/// What is known of a value at one precision.
pub(super) enum Sight {
    /// An interval that holds it.
    Within(Interval),
    /// Not even whether it is defined, and what is unclear.
    Unclear(&'static str),
}

/// Runs a program once.
pub(super) fn enclose(
    work: &mut Work<'_>,
    steps: &[EnclosedStep],
    precision_bits: u32,
) -> Result<Sight, Stop> {
    let mut stack: Vec<Interval> = Vec::new();
    for step in steps {
        let outcome = run_step(work, &mut stack, step, precision_bits)?;
        match outcome.and_then(Interval::checked) {
            Ok(interval) => stack.push(interval),
            Err(Trouble::Unclear(what)) => return Ok(Sight::Unclear(what)),
            Err(Trouble::Undefined(what)) => {
                return Err(refuse(RefusalKind::Undefined, format!("{what} is not defined")));
            }
            Err(Trouble::Huge(what)) => {
                return Err(refuse(RefusalKind::Size, format!("{what}; make the numbers smaller")));
            }
        }
    }
    Ok(stack.pop().map_or(Sight::Unclear("an empty term"), Sight::Within))
}

/// The price of a function at both ends of an interval, from measurements of MPFR at 10^2 to 10^5 bits.
fn function_units(function: Function, precision_bits: u32) -> u64 {
    let factor = match function {
        Function::Tan => 18,
        Function::Asin | Function::Acos => 13,
        Function::Log10 => 10,
        Function::Sin | Function::Cos => 9,
        Function::Atan => 8,
        _ => 3,
    };
    factor * elementary_units(u64::from(precision_bits))
}

fn run_step(
    work: &mut Work<'_>,
    stack: &mut Vec<Interval>,
    step: &EnclosedStep,
    precision_bits: u32,
) -> Result<Result<Interval, Trouble>, Stop> {
    let elementary = elementary_units(u64::from(precision_bits));
    let mut pop = || stack.pop().unwrap_or_else(|| Interval::of_rational(precision_bits, &Rational::new()));
    Ok(match step {
        EnclosedStep::Exact(value) => {
            work.charge(linear_units(bits(value)))?;
            Ok(Interval::of_rational(precision_bits, value))
        }
        EnclosedStep::Constant(constant) => {
            work.charge(elementary)?;
            Ok(Interval::of_constant(precision_bits, *constant))
        }
        EnclosedStep::Zeta(argument) => {
            // A sum of about 0.39 terms per bit, each a handful of passes over the number.
            let terms = u64::from(precision_bits) * 2 / 5;
            work.charge(elementary + 5 * terms * (40 + u64::from(precision_bits) / 8))?;
            Ok(Interval::of_zeta(precision_bits, *argument))
        }
        EnclosedStep::Negate => {
            work.charge(linear_units(u64::from(precision_bits)))?;
            Ok(pop().negated())
        }
        EnclosedStep::Function(function, degree) => {
            work.charge(function_units(*function, precision_bits))?;
            interval_function::apply(*function, *degree, pop())
        }
        EnclosedStep::Binary(operation) => {
            work.charge(operation.units(precision_bits))?;
            let right = pop();
            operation.apply(pop(), right)
        }
        EnclosedStep::ExactLeft(operation, left) => {
            work.charge(operation.units(precision_bits) + linear_units(bits(left)))?;
            operation.apply(Interval::of_rational(precision_bits, left), pop())
        }
        EnclosedStep::ExactRight(Operation::Power, exponent) if *exponent.denom() == 1 => {
            work.charge(Operation::Power.units(precision_bits))?;
            pop().integer_power(exponent.numer())
        }
        EnclosedStep::ExactRight(operation, right) => {
            work.charge(operation.units(precision_bits) + linear_units(bits(right)))?;
            operation.apply(pop(), Interval::of_rational(precision_bits, right))
        }
    })
}

/// The precisions that are tried one after another, the last one marked.
pub(super) fn precisions(last_bits: u32) -> impl Iterator<Item = (u32, bool)> {
    let mut next = Some(PRECISION_BITS_FIRST.min(last_bits));
    std::iter::from_fn(move || {
        let bits = next?;
        next = (bits < last_bits).then(|| bits.saturating_mul(2).min(last_bits));
        Some((bits, bits == last_bits))
    })
}

/// The refusal of what even the last precision does not settle.
pub(super) fn unsettled(what: &str, precision_bits: u32) -> Stop {
    refuse(
        RefusalKind::Undefined,
        format!("{what}, even with {precision_bits} bits; keep away from that place or ask for more digits"),
    )
}
