//! The twin of the kernel `range_check`: a program at one value of the variable, on the processor.

use super::{
    program::{Instruction, Operation, Program, STACK_MAX, Source, Width},
    wide::Wide,
};
use crate::{expression::MixedEvidence, residues::is_prime as is_prime_u64};

/// Largest modulus of powmod.
const MODULUS_MAX: u64 = u64::MAX >> 1;

/// What runs.
struct Machine {
    width: Width,
    accumulator: Wide,
    stack: [Wide; STACK_MAX],
    top: usize,
    /// The topmost in bit 0.
    truths: u32,
    evidence: MixedEvidence,
}

/// Whether the body holds at a value, and what the value adds to the sum of the range; none where it is left to the
/// general way. The width must be at least [`Program::least_width`] for the value.
pub fn range_check(program: &Program, width: Width, variable: i128) -> Option<(bool, u128)> {
    let mut machine = Machine {
        width,
        accumulator: Wide::ZERO,
        stack: [Wide::ZERO; STACK_MAX],
        top: 0,
        truths: 0,
        evidence: MixedEvidence::new(variable),
    };
    let wide_variable = Wide::from(variable);
    let mut next = 0;
    while let Some(instruction) = program.instructions.get(next) {
        next += 1;
        match *instruction {
            Instruction::SkipIfFalse { target } if machine.truths & 1 == 0 => next = target,
            Instruction::SkipIfTrue { target } if machine.truths & 1 == 1 => next = target,
            Instruction::SkipIfFalse { .. } | Instruction::SkipIfTrue { .. } => {}
            other => machine.step(program, other, wide_variable)?,
        }
    }
    Some((machine.truths & 1 == 1, machine.evidence.term()))
}

impl Machine {
    fn step(&mut self, program: &Program, instruction: Instruction, variable: Wide) -> Option<()> {
        match instruction {
            Instruction::Binary { operation, source, keep } => {
                if keep {
                    self.push()?;
                }
                let (left, right) = match source {
                    Source::Stack => (self.pop()?, self.accumulator),
                    Source::Constant(index) => (self.accumulator, Wide::from(*program.constants.get(index)?)),
                    Source::Variable => (self.accumulator, variable),
                };
                self.set(binary(operation, left, right)?)?;
            }
            Instruction::DivideBy { operation, divisor } => {
                let divisor = program.divisors.get(divisor)?.value;
                self.set(divided(operation, self.accumulator, divisor, false)?)?;
            }
            Instruction::PowerModuloBy { divisor } => {
                let divisor = program.divisors.get(divisor)?;
                let exponent = u64::from(divisor.exponent);
                self.set(power_modulo(self.accumulator, exponent, divisor.value)?)?;
            }
            Instruction::PowerModulo => {
                let exponent = self.pop()?.to_word()?;
                let base = self.pop()?;
                let modulus = self.accumulator.to_word().filter(|modulus| *modulus <= MODULUS_MAX)?;
                self.set(power_modulo(base, exponent, modulus)?)?;
            }
            Instruction::Negate => self.set(Wide::ZERO.subtract(self.accumulator)?)?,
            Instruction::Absolute => self.set(Wide::signed(self.accumulator.magnitude(), false)?)?,
            Instruction::Side => self.evidence.integer(self.accumulator.low_bits().cast_signed()),
            Instruction::Compare { accepted } => {
                let order = self.pop()?.order(self.accumulator);
                self.push_truth(accepted >> (order as i8 + 1) & 1 == 1);
            }
            Instruction::IsPrime => {
                let is_below = self.accumulator.is_negative();
                let is_prime = !is_below && is_prime_u64(self.accumulator.to_word()?);
                self.evidence.prime(is_prime);
                self.push_truth(is_prime);
            }
            Instruction::Not => self.truths ^= 1,
            Instruction::And => self.truths = self.truths >> 1 & (self.truths | !1),
            Instruction::Or => self.truths = self.truths >> 1 | self.truths & 1,
            Instruction::SkipIfFalse { .. } | Instruction::SkipIfTrue { .. } => {}
        }
        Some(())
    }

    fn set(&mut self, value: Wide) -> Option<()> {
        self.accumulator = value;
        value.fits(self.width).then_some(())
    }

    fn push(&mut self) -> Option<()> {
        *self.stack.get_mut(self.top)? = self.accumulator;
        self.top += 1;
        Some(())
    }

    fn pop(&mut self) -> Option<Wide> {
        self.top = self.top.checked_sub(1)?;
        self.stack.get(self.top).copied()
    }

    fn push_truth(&mut self, is_true: bool) {
        self.truths = self.truths << 1 | u32::from(is_true);
    }
}

fn binary(operation: Operation, left: Wide, right: Wide) -> Option<Wide> {
    match operation {
        Operation::Load => Some(right),
        Operation::Add => left.plus(right),
        Operation::Subtract => left.subtract(right),
        Operation::Multiply => left.multiply(right),
        Operation::Power => left.power(u32::try_from(right.to_word()?).ok()?),
        Operation::Gcd => Wide::signed(left.gcd(right), false),
        Operation::Divide | Operation::FloorDivide | Operation::Modulo => {
            let divisor = Wide(right.magnitude()).to_word()?;
            divided(operation, left, divisor, right.is_negative())
        }
    }
}

/// A quotient that must be whole, one rounded down, or a remainder with the sign of the divisor.
fn divided(operation: Operation, left: Wide, divisor: u64, is_negative: bool) -> Option<Wide> {
    let (quotient, remainder) = left.floor_divide(divisor, is_negative)?;
    match operation {
        Operation::Modulo => Wide::signed(Wide::from(remainder).0, is_negative),
        Operation::FloorDivide => quotient,
        _ => quotient.filter(|_| remainder == 0),
    }
}

fn power_modulo(base: Wide, mut exponent: u64, modulus: u64) -> Option<Wide> {
    let wide_modulus = u128::from(modulus);
    let mut square = u128::from(base.floor_divide(modulus, false)?.1);
    let mut power = 1 % wide_modulus;
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = power * square % wide_modulus;
        }
        square = square * square % wide_modulus;
        exponent >>= 1;
    }
    u64::try_from(power).ok().map(Wide::from)
}
