//! A second look at equations whose sides are too large to write down: through primes, where they may be told apart.
//!
//! `2^(10^15) + 1 == 3^(10^14)` fits no memory, but both sides have residues of one word modulo any prime. If any of
//! them differ, the sides differ, which is a proof. If all agree, nothing is proven, and the refusal stays. So there is a
//! certain "false" (and a certain `!=`) beyond the bounds of exact arithmetic, and never a "true" for an equation.
//!
//! It serves a single `==` or `!=` whose sides are made of integers with `+ - *`, unary minus, and `^` with exponents
//! that are integers not below zero and small enough to be written down ([`EXPONENT_BITS_MAX`] bits). The primes
//! follow from the text of the expression ([`random_primes`] of `expression:` and the text), so that all workers use
//! the same, and nobody can look for a false equation that passes without trying as many texts as it takes.

use protocol::{
    expression::{BinaryOperator, Comparison, Expression, Formula, Number, Step},
    limits::RESIDUE_WORK_UNITS_MAX,
    outcome::{Answer, Refusal, RefusalKind},
};
use rug::{Integer, ops::Pow};

use super::{
    evidence::DigestEvidence,
    work::{Stop, Work, product_units, refusal},
};
use crate::{
    control::Control,
    residues::{self, Program, RANDOM_PRIME_BITS, random_primes, residues_side_by_side},
};

/// How many primes an equation is looked at through.
const PRIMES: usize = 8;
/// Most bits of an exponent, and of an integer that is computed on the way to one.
const EXPONENT_BITS_MAX: u32 = 4096;
/// The price of one product modulo each of the primes.
const PRODUCT_UNITS: u64 = 4 * PRIMES as u64;
/// The price of drawing the primes.
const PRIMES_UNITS: u64 = 400_000;

/// What becomes of an expression that was refused with `first` for being too large or too much work.
pub(super) fn second_look(
    text: &str,
    expression: &Expression,
    first: Refusal,
    control: &Control,
) -> Result<Answer, Stop> {
    let [Formula::Compare { operator: operator @ (Comparison::Equal | Comparison::NotEqual), left, right }] =
        expression.formulas()
    else {
        return Ok(Answer::Refused(first));
    };
    if !matches!(first.kind, RefusalKind::Size | RefusalKind::Work) {
        return Ok(Answer::Refused(first));
    }
    let mut work = Work::new(RESIDUE_WORK_UNITS_MAX, control);
    let programs = program(&mut work, expression.term(*left)).and_then(|left| {
        let right = program(&mut work, expression.term(*right))?;
        work.charge((left.products() + right.products()) * PRODUCT_UNITS + PRIMES_UNITS)?;
        Ok((left, right))
    });
    let (left, right) = match programs {
        Ok(programs) => programs,
        Err(NoProgram::Stop(Stop::Cancelled(cancelled))) => return Err(cancelled.into()),
        Err(NoProgram::Foreign | NoProgram::Stop(Stop::Refused(_))) => return Ok(Answer::Refused(first)),
    };
    let primes = random_primes(&[b"expression:", text.as_bytes()].concat(), PRIMES);
    let Ok(primes) = <[_; PRIMES]>::try_from(primes) else { return Ok(Answer::Refused(first)) };
    let left = residues_side_by_side(&left, &primes, control)?;
    let right = residues_side_by_side(&right, &primes, control)?;
    if left == right {
        let Refusal { kind, message } = first;
        let message = format!(
            "{message}; both sides agree modulo {PRIMES} primes of {RANDOM_PRIME_BITS} bits, which proves nothing"
        );
        return Ok(Answer::Refused(refusal(kind, message)));
    }
    let mut evidence = DigestEvidence::new();
    evidence.residues(&primes, &left);
    evidence.residues(&primes, &right);
    let checksum = evidence.checksum();
    Ok(match operator {
        Comparison::Equal => Answer::False { parts_after: None, checksum },
        _ => Answer::True { checksum },
    })
}

/// Why a side has no program.
enum NoProgram {
    /// Something in it is not for residues.
    Foreign,
    /// It costs too much, or nobody waits.
    Stop(Stop),
}

impl From<Stop> for NoProgram {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// A side as a program.
fn program(work: &mut Work<'_>, steps: &[Step]) -> Result<Program, NoProgram> {
    let mut writer = Writer { steps: Vec::new(), starts: Vec::new() };
    for step in steps {
        work.charge(5)?;
        match step {
            Step::Integer(value) => writer.constant(Integer::from(*value)),
            Step::Number(number) => writer.number(work, number)?,
            Step::Negate => writer.negate()?,
            Step::Binary(operator) => writer.binary(work, *operator)?,
            Step::Constant(_) | Step::Variable | Step::Call(_) => return Err(NoProgram::Foreign),
        }
    }
    Program::new(writer.steps).map_err(|_| NoProgram::Foreign)
}

/// Writes a program, and computes on the spot what is small.
struct Writer {
    steps: Vec<residues::Step>,
    /// Where the steps of each value on the stack begin.
    starts: Vec<usize>,
}

impl Writer {
    fn constant(&mut self, value: Integer) {
        self.starts.push(self.steps.len());
        self.steps.push(residues::Step::Constant(value));
    }

    fn number(&mut self, work: &mut Work<'_>, number: &Number) -> Result<(), NoProgram> {
        // An exponent at the end of its type may have been larger.
        let exponent = u64::try_from(number.exponent).map_err(|_| NoProgram::Foreign)?;
        if number.exponent == i64::MAX {
            return Err(NoProgram::Foreign);
        }
        work.charge(4 * product_units(4 * number.digits.len() as u64))?;
        let digits = Integer::from_str_radix(&number.digits, 10).map_err(|_| NoProgram::Foreign)?;
        self.constant(digits);
        if exponent > 0 {
            let power = [
                residues::Step::Constant(Integer::from(10)),
                residues::Step::Power(Integer::from(exponent)),
                residues::Step::Multiply,
            ];
            match small_power(&Integer::from(10), &Integer::from(exponent)) {
                Some(power) => {
                    self.constant(power);
                    self.binary(work, BinaryOperator::Multiply)?;
                }
                None => self.steps.extend(power),
            }
        }
        Ok(())
    }

    /// The value whose steps begin there and reach to `end`, if it is one small number.
    fn small(&self, start: usize, end: usize) -> Option<&Integer> {
        match self.steps.get(start..end)? {
            [residues::Step::Constant(value)] if value.significant_bits() <= EXPONENT_BITS_MAX => Some(value),
            _ => None,
        }
    }

    fn negate(&mut self) -> Result<(), NoProgram> {
        let start = *self.starts.last().ok_or(NoProgram::Foreign)?;
        match self.steps.get_mut(start..) {
            Some([residues::Step::Constant(value)]) => *value = -std::mem::take(value),
            _ => self.steps.push(residues::Step::Negate),
        }
        Ok(())
    }

    fn binary(&mut self, work: &mut Work<'_>, operator: BinaryOperator) -> Result<(), NoProgram> {
        let (Some(right), Some(left)) = (self.starts.pop(), self.starts.last().copied()) else {
            return Err(NoProgram::Foreign);
        };
        let (left_small, right_small) = (self.small(left, right), self.small(right, self.steps.len()));
        if operator == BinaryOperator::Power && right_small.is_none_or(|exponent| *exponent < 0) {
            return Err(NoProgram::Foreign);
        }
        if let (Some(a), Some(b)) = (left_small, right_small) {
            work.charge(product_units(2 * u64::from(EXPONENT_BITS_MAX)))?;
            let value = match operator {
                BinaryOperator::Add => Some(Integer::from(a + b)),
                BinaryOperator::Subtract => Some(Integer::from(a - b)),
                BinaryOperator::Multiply => Some(Integer::from(a * b)),
                BinaryOperator::Power => small_power(a, b),
                _ => None,
            };
            if let Some(value) = value {
                self.steps.truncate(left);
                self.steps.push(residues::Step::Constant(value));
                return Ok(());
            }
        }
        let step = match operator {
            BinaryOperator::Add => residues::Step::Add,
            BinaryOperator::Subtract => residues::Step::Subtract,
            BinaryOperator::Multiply => residues::Step::Multiply,
            BinaryOperator::Power => match self.steps.pop() {
                Some(residues::Step::Constant(exponent)) => residues::Step::Power(exponent),
                _ => return Err(NoProgram::Foreign),
            },
            BinaryOperator::Divide | BinaryOperator::FloorDivide | BinaryOperator::Modulo => {
                return Err(NoProgram::Foreign);
            }
        };
        self.steps.push(step);
        Ok(())
    }
}

/// A power of at most [`EXPONENT_BITS_MAX`] bits.
fn small_power(base: &Integer, exponent: &Integer) -> Option<Integer> {
    // |base| >= 2^(bits - 1), so more than this is too long, and what is left is at most twice as long.
    let least = u64::from(base.significant_bits().saturating_sub(1));
    let times =
        exponent.to_u32().filter(|times| least * u64::from(*times) <= u64::from(EXPONENT_BITS_MAX))?;
    let power: Integer = base.pow(times).into();
    (power.significant_bits() <= EXPONENT_BITS_MAX).then_some(power)
}
