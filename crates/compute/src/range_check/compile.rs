//! From a body in postfix order to a program, in one pass over its formulas.

use protocol::expression::{BinaryOperator, Comparison, Expression, Function, Step};

use super::program::{ConstantDivisor, Instruction, Operation, Program, STACK_MAX, Source};
use crate::expression::circuit::{Circuit, Instruction as Gate, Question};

/// A power with a constant exponent up to this, modulo a constant, is computed modulo that constant from the start. The
/// general way refuses no such power of a 256-bit number for its size, so neither need this one.
const FUSED_EXPONENT_MAX: i128 = 64;

impl Program {
    /// Compiles a body; none where an operation in it is not the kernel's
    /// ([`Expression::has_kernel`]).
    pub fn compile(expression: &Expression) -> Option<Self> {
        if !expression.has_kernel() {
            return None;
        }
        let circuit = Circuit::compile(expression);
        let mut program = Self::default();
        let mut starts = Vec::with_capacity(circuit.instructions().len() + 1);
        for gate in circuit.instructions() {
            starts.push(program.instructions.len());
            match *gate {
                Gate::Ask { question: Question::Compare { operator, left, right }, .. } => {
                    program.term(expression.term(left), false)?;
                    program.instructions.push(Instruction::Side);
                    program.term(expression.term(right), true)?;
                    let accepted = accepted(operator);
                    program.instructions.extend([Instruction::Side, Instruction::Compare { accepted }]);
                }
                Gate::Ask { question: Question::IsPrime(term), .. } => {
                    program.term(expression.term(term), false)?;
                    program.instructions.extend([Instruction::Side, Instruction::IsPrime]);
                }
                Gate::Not { .. } => program.instructions.push(Instruction::Not),
                Gate::And => program.instructions.push(Instruction::And),
                Gate::Or => program.instructions.push(Instruction::Or),
                // Targets count the circuit's instructions here, the program's below.
                Gate::SkipIfFalse { target } => {
                    program.instructions.push(Instruction::SkipIfFalse { target });
                }
                Gate::SkipIfTrue { target } => program.instructions.push(Instruction::SkipIfTrue { target }),
            }
        }
        starts.push(program.instructions.len());
        for instruction in &mut program.instructions {
            if let Instruction::SkipIfFalse { target } | Instruction::SkipIfTrue { target } = instruction {
                *target = *starts.get(*target)?;
            }
        }
        (program.stack_used()? <= STACK_MAX).then_some(program)
    }

    /// Appends what leaves a term's value in the accumulator; `is_held` where that holds something to keep.
    fn term(&mut self, steps: &[Step], mut is_held: bool) -> Option<()> {
        for step in steps {
            match step {
                Step::Integer(value) => self.load_constant(i128::from(*value), is_held),
                Step::Number(number) => self.load_constant(number.to_integer()?, is_held),
                Step::Variable => self.instructions.push(Instruction::Binary {
                    operation: Operation::Load,
                    source: Source::Variable,
                    keep: is_held,
                }),
                Step::Negate => self.instructions.push(Instruction::Negate),
                Step::Binary(operator) => self.binary(operation(*operator)),
                Step::Call(Function::Gcd) => self.binary(Operation::Gcd),
                Step::Call(Function::Abs) => self.instructions.push(Instruction::Absolute),
                // Every value is an integer.
                Step::Call(Function::Floor | Function::Ceil) => {}
                Step::Call(Function::PowMod) => self.instructions.push(Instruction::PowerModulo),
                Step::Call(_) | Step::Constant(_) => return None,
            }
            is_held = true;
        }
        Some(())
    }

    fn load_constant(&mut self, value: i128, keep: bool) {
        let source = Source::Constant(self.constants.len());
        self.constants.push(value);
        self.instructions.push(Instruction::Binary { operation: Operation::Load, source, keep });
    }

    /// Appends an operation; a right operand that was only just loaded becomes its own.
    fn binary(&mut self, operation: Operation) {
        let Some(Instruction::Binary { operation: Operation::Load, source, keep: true }) =
            self.instructions.last().copied()
        else {
            let source = Source::Stack;
            self.instructions.push(Instruction::Binary { operation, source, keep: false });
            return;
        };
        self.instructions.pop();
        let constant = match source {
            Source::Constant(index) => self.constants.get(index).copied(),
            Source::Stack | Source::Variable => None,
        };
        let divides = matches!(operation, Operation::Divide | Operation::FloorDivide | Operation::Modulo);
        let divisor = constant.and_then(|value| i64::try_from(value).ok()).filter(|value| *value > 0);
        let Some(value) = divisor.filter(|_| divides) else {
            self.instructions.push(Instruction::Binary { operation, source, keep: false });
            return;
        };
        // The constant was the last one.
        self.constants.pop();
        let divisor = self.divisors.len();
        let exponent = if operation == Operation::Modulo { self.take_fused_exponent() } else { None };
        self.divisors
            .push(ConstantDivisor { value: value.unsigned_abs(), exponent: exponent.unwrap_or_default() });
        self.instructions.push(match exponent {
            Some(_) => Instruction::PowerModuloBy { divisor },
            None => Instruction::DivideBy { operation, divisor },
        });
    }

    /// Takes off a power with a small constant exponent that comes last.
    fn take_fused_exponent(&mut self) -> Option<u32> {
        let Some(Instruction::Binary {
            operation: Operation::Power,
            source: Source::Constant(index),
            keep: false,
        }) = self.instructions.last()
        else {
            return None;
        };
        let exponent =
            self.constants.get(*index).filter(|value| (0..=FUSED_EXPONENT_MAX).contains(*value))?;
        let exponent = u32::try_from(*exponent).ok()?;
        self.instructions.pop();
        // Its exponent was the last constant.
        self.constants.pop();
        Some(exponent)
    }

    /// The most values on the stack; none where a program would take from an empty one.
    fn stack_used(&self) -> Option<usize> {
        let (mut height, mut most) = (0_usize, 0);
        for instruction in &self.instructions {
            let (put, taken) = match instruction {
                Instruction::Binary { source: Source::Stack, .. } | Instruction::Compare { .. } => (0, 1),
                Instruction::Binary { keep, .. } => (usize::from(*keep), 0),
                Instruction::PowerModulo => (0, 2),
                _ => (0, 0),
            };
            height = (height + put).checked_sub(taken)?;
            most = most.max(height);
        }
        Some(most)
    }
}

fn operation(operator: BinaryOperator) -> Operation {
    match operator {
        BinaryOperator::Add => Operation::Add,
        BinaryOperator::Subtract => Operation::Subtract,
        BinaryOperator::Multiply => Operation::Multiply,
        BinaryOperator::Divide => Operation::Divide,
        BinaryOperator::FloorDivide => Operation::FloorDivide,
        BinaryOperator::Modulo => Operation::Modulo,
        BinaryOperator::Power => Operation::Power,
    }
}

/// Bit 0, 1 or 2 for less, equal and greater.
fn accepted(operator: Comparison) -> u32 {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let orders = [(Less, 1), (Equal, 2), (Greater, 4)];
    orders.into_iter().filter(|(order, _)| operator.accepts(*order)).map(|(_, bit)| bit).sum()
}
