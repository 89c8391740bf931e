//! An integer expression as a short program over a stack, checked once and then run modulo as many numbers as one likes.

use rug::Integer;

/// Most steps of a program.
pub const STEPS_MAX: usize = 1 << 16;
/// Most bits of all constants and exponents of a program together.
pub const PROGRAM_BITS_MAX: u64 = 1 << 26;

/// One step; operands are taken from the stack, the result goes onto it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An integer of any size and sign.
    Constant(Integer),
    /// a + b
    Add,
    /// a - b
    Subtract,
    /// a b
    Multiply,
    /// -a
    Negate,
    /// a to the power of this, which is not negative; everything to the power 0 is 1.
    Power(Integer),
}

/// Why steps are no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// A step finds too few operands.
    #[error("step {0} of the program finds too few operands; put them on the stack before it")]
    Operands(usize),
    /// Not one value is left.
    #[error("the program leaves {0} values, and must leave one; join them, or take steps away")]
    Results(usize),
    /// A negative exponent.
    #[error("step {0} of the program has a negative exponent; integers have none, so keep it from 0 up")]
    Exponent(usize),
    /// Too many steps.
    #[error("the program has {0} steps, more than the limit of {STEPS_MAX}; split it")]
    Steps(usize),
    /// Too many bits.
    #[error(
        "the constants of the program have {0} bits together, more than the limit of {PROGRAM_BITS_MAX}; split it"
    )]
    Bits(u64),
}

/// Steps that leave one value and find all their operands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    steps: Vec<Step>,
    depth: usize,
    products: u64,
}

impl Program {
    /// A checked program.
    ///
    /// # Errors
    /// [`ProgramError`] with the first thing that is wrong.
    pub fn new(steps: Vec<Step>) -> Result<Self, ProgramError> {
        if steps.len() > STEPS_MAX {
            return Err(ProgramError::Steps(steps.len()));
        }
        let (mut held, mut depth, mut products, mut bits) = (0_usize, 0, 0_u64, 0_u64);
        for (number, step) in steps.iter().enumerate() {
            let operands = match step {
                Step::Constant(_) => 0,
                Step::Negate | Step::Power(_) => 1,
                Step::Add | Step::Subtract | Step::Multiply => 2,
            };
            held = held.checked_sub(operands).ok_or(ProgramError::Operands(number))? + 1;
            depth = depth.max(held);
            match step {
                Step::Constant(value) => bits += u64::from(value.significant_bits()),
                Step::Power(exponent) if *exponent < 0 => return Err(ProgramError::Exponent(number)),
                Step::Power(exponent) => bits += u64::from(exponent.significant_bits()),
                _ => {}
            }
            if bits > PROGRAM_BITS_MAX {
                return Err(ProgramError::Bits(bits));
            }
            products += step_products(step);
        }
        if held != 1 {
            return Err(ProgramError::Results(held));
        }
        Ok(Self { steps, depth, products })
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Most values that the stack holds at once.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// How many products modulo a number it takes at most: what it costs, sums counted alike.
    pub fn products(&self) -> u64 {
        self.products
    }
}

fn step_products(step: &Step) -> u64 {
    match step {
        Step::Constant(value) => 1 + 2 * u64::from(value.significant_bits()).div_ceil(64),
        Step::Power(exponent) => 1 + 2 * u64::from(exponent.significant_bits()),
        Step::Add | Step::Subtract | Step::Multiply | Step::Negate => 1,
    }
}
