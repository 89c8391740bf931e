//! Programs for one accumulator and a stack, and how they are handed to the kernel.
//!
//! The left operand stands in the accumulator; the right one is a constant, the variable, or the accumulator itself, in
//! which case the left one comes from the stack. So a body such as `n^5 % 30 == n % 30` never touches the stack but to
//! hold the left side of its comparison.

use super::wide::Wide;

/// Values that the stack of the kernel holds.
pub(super) const STACK_MAX: usize = 8;
/// Places of values that a workgroup of the kernel lists at most.
pub(crate) const LISTED_MAX: usize = 10;

/// How wide integers are while a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// 64 bits.
    One,
    /// 128 bits.
    Two,
    /// 256 bits.
    Four,
}

impl Width {
    /// All, the narrowest first.
    pub const ALL: [Self; 3] = [Self::One, Self::Two, Self::Four];

    /// How many 64-bit words that is.
    pub fn words(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
        }
    }
}

impl Width {
    /// The narrowest in which every magnitude of so many bits has room with its sign.
    fn of_bits(bits: u64) -> Self {
        match bits {
            0..=63 => Self::One,
            64..=127 => Self::Two,
            _ => Self::Four,
        }
    }
}

fn magnitude_bits(value: i128) -> u64 {
    u64::from(u128::BITS - value.unsigned_abs().leading_zeros())
}

/// What two operands become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// The right one.
    Load,
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
    Gcd,
}

/// Where the right operand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// In the accumulator; the left one is taken from the stack.
    Stack,
    /// Among the constants.
    Constant(usize),
    /// The variable.
    Variable,
}

/// One step of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Of two operands; `keep` puts the accumulator onto the stack before.
    Binary {
        operation: Operation,
        source: Source,
        keep: bool,
    },
    /// A quotient or a remainder by one of the divisors; `operation` is one of the three.
    DivideBy {
        operation: Operation,
        divisor: usize,
    },
    /// The accumulator to the power of the divisor's exponent, modulo it.
    PowerModuloBy {
        divisor: usize,
    },
    /// powmod: base and exponent from the stack, the modulus in the accumulator.
    PowerModulo,
    Negate,
    Absolute,
    /// The accumulator enters the checksum.
    Side,
    /// Left side from the stack, right side in the accumulator. Bit 0, 1 or 2 for less, equal and greater.
    Compare {
        accepted: u32,
    },
    /// Whether the accumulator is prime, which enters the checksum.
    IsPrime,
    Not,
    And,
    Or,
    SkipIfFalse {
        target: usize,
    },
    SkipIfTrue {
        target: usize,
    },
}

/// A constant divisor from 1 to 2^63 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConstantDivisor {
    pub(super) value: u64,
    /// Of [`Instruction::PowerModuloBy`].
    pub(super) exponent: u32,
}

/// The body of a range, compiled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    pub(super) instructions: Vec<Instruction>,
    pub(super) constants: Vec<i128>,
    pub(super) divisors: Vec<ConstantDivisor>,
}

/// How long a number can be that is nowhere known to be shorter.
const UNBOUNDED_BITS: u64 = 1 << 32;

impl Program {
    /// Whether it needs more than sums, products, powers, and division by constants: a kernel without the rest is
    /// smaller.
    pub(crate) fn uses_number_theory(&self) -> bool {
        self.instructions.iter().any(|instruction| {
            matches!(
                instruction,
                Instruction::PowerModulo
                    | Instruction::IsPrime
                    | Instruction::Binary {
                        operation: Operation::Divide
                            | Operation::FloorDivide
                            | Operation::Modulo
                            | Operation::Gcd,
                        ..
                    }
            )
        })
    }

    /// The narrowest width in which every value has room, for variables from `first` to `last`; the widest where none
    /// is known to do.
    pub(crate) fn width(&self, first: i128, last: i128) -> Width {
        let bits = self.magnitude_bits(magnitude_bits(first).max(magnitude_bits(last)));
        Width::of_bits(bits).max(self.least_width(first, last))
    }

    /// The narrowest width that has room for the constants and the variables from `first` to `last`: none below it may be
    /// run.
    pub fn least_width(&self, first: i128, last: i128) -> Width {
        let numbers = self.constants.iter().copied().chain([first, last]);
        Width::of_bits(numbers.map(magnitude_bits).max().unwrap_or(0))
    }

    /// A bound for the length in bits of the magnitude of every value, for variables of at most `variable_bits`.
    fn magnitude_bits(&self, variable_bits: u64) -> u64 {
        let mut most = variable_bits;
        let (mut accumulator, mut stack) = (0, Vec::new());
        for instruction in &self.instructions {
            accumulator = match *instruction {
                Instruction::Binary { operation, source, keep } => {
                    if keep {
                        stack.push(accumulator);
                    }
                    let (left, right) = match source {
                        Source::Stack => (stack.pop().unwrap_or(UNBOUNDED_BITS), accumulator),
                        Source::Constant(index) => (accumulator, self.constant_bits(index)),
                        Source::Variable => (accumulator, variable_bits),
                    };
                    match operation {
                        Operation::Load | Operation::Modulo => right,
                        Operation::Add | Operation::Subtract => left.max(right) + 1,
                        Operation::Multiply => left + right,
                        // Rounding down adds one to a magnitude.
                        Operation::Divide | Operation::FloorDivide => left + 1,
                        Operation::Gcd => left.max(right),
                        // A power is at least 1.
                        Operation::Power => left.saturating_mul(self.largest(source)).max(1),
                    }
                }
                Instruction::DivideBy { operation: Operation::Modulo, divisor }
                | Instruction::PowerModuloBy { divisor } => {
                    let value = self.divisors.get(divisor).map_or(u64::MAX, |divisor| divisor.value);
                    u64::from(u64::BITS - value.leading_zeros())
                }
                Instruction::DivideBy { .. } => accumulator + 1,
                Instruction::PowerModulo => {
                    stack.truncate(stack.len().saturating_sub(2));
                    accumulator
                }
                Instruction::Compare { .. } => {
                    stack.pop();
                    accumulator
                }
                _ => accumulator,
            }
            .min(UNBOUNDED_BITS);
            most = most.max(accumulator);
        }
        most
    }

    fn constant_bits(&self, index: usize) -> u64 {
        magnitude_bits(self.constants.get(index).copied().unwrap_or(i128::MAX))
    }

    /// A bound for an exponent.
    fn largest(&self, source: Source) -> u64 {
        match source {
            Source::Constant(index) => {
                let value = self.constants.get(index).copied().unwrap_or(i128::MAX);
                u64::try_from(value).unwrap_or(UNBOUNDED_BITS)
            }
            Source::Stack | Source::Variable => UNBOUNDED_BITS,
        }
    }

    /// How many instructions it has.
    pub(crate) fn instruction_count(&self) -> u32 {
        u32::try_from(self.instructions.len()).unwrap_or(u32::MAX)
    }

    /// Instructions, then constants, then divisors, as the kernel reads them.
    pub(crate) fn to_words(&self) -> Vec<u32> {
        let mut words = Vec::with_capacity(2 * self.instructions.len() + 8 * self.constants.len());
        for instruction in &self.instructions {
            words.extend(self.encoded(instruction));
        }
        for constant in &self.constants {
            words.extend(Wide::from(*constant).0.into_iter().flat_map(halves));
        }
        for divisor in &self.divisors {
            let shift = divisor.value.leading_zeros();
            let normal = divisor.value << shift;
            words.extend(halves(normal));
            words.extend(halves(reciprocal(normal)));
            words.extend([shift, divisor.exponent, 0, 0]);
        }
        words
    }

    /// The numbers are those of the constants in `range_check.wgsl`.
    fn encoded(&self, instruction: &Instruction) -> [u32; 2] {
        let place = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let divisor = |index: usize| place(self.constants.len() + index);
        match *instruction {
            Instruction::Binary { operation, source, keep } => {
                let (source, argument) = match source {
                    Source::Stack => (0, 0),
                    Source::Constant(index) => (1, place(index)),
                    Source::Variable => (2, 0),
                };
                [operation.number() | source << 8 | u32::from(keep) << 16, argument]
            }
            Instruction::DivideBy { operation, divisor: index } => [operation.number() + 5, divisor(index)],
            Instruction::PowerModuloBy { divisor: index } => [12, divisor(index)],
            Instruction::PowerModulo => [13, 0],
            Instruction::Negate => [14, 0],
            Instruction::Absolute => [15, 0],
            Instruction::Side => [16, 0],
            Instruction::Compare { accepted } => [17, accepted],
            Instruction::IsPrime => [18, 0],
            Instruction::Not => [19, 0],
            Instruction::And => [20, 0],
            Instruction::Or => [21, 0],
            Instruction::SkipIfFalse { target } => [22, place(target)],
            Instruction::SkipIfTrue { target } => [23, place(target)],
        }
    }
}

impl Operation {
    fn number(self) -> u32 {
        match self {
            Self::Load => 0,
            Self::Add => 1,
            Self::Subtract => 2,
            Self::Multiply => 3,
            Self::Divide => 4,
            Self::FloorDivide => 5,
            Self::Modulo => 6,
            Self::Power => 7,
            Self::Gcd => 8,
        }
    }
}

/// floor((2^128 - 1) / normal) - 2^64, for a divisor with its top bit set.
pub(crate) fn reciprocal(normal: u64) -> u64 {
    let quotient = u128::MAX.checked_div(u128::from(normal)).unwrap_or(0);
    u64::try_from(quotient & u128::from(u64::MAX)).unwrap_or(0)
}

pub(crate) fn halves(word: u64) -> [u32; 2] {
    let half = |value: u64| u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0);
    [half(word), half(word >> 32)]
}
