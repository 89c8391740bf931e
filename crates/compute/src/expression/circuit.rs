//! Formulas as a short program over a stack of truth values, with the jumps that `and` and `or` need.
//!
//! It is compiled once and run for every value of a range, by whatever can judge a single comparison; it never
//! recurses. Truth has three values here, and the connectives are Kleene's: what is only "agrees" leaves open what
//! depends on it.

use protocol::expression::{Comparison, Expression, Formula, Term};

/// What is known of a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    /// Proven.
    True,
    /// Disproven; where one comparison decides, with the index of that formula.
    False(Option<u32>),
    /// Neither: some sides could not be told apart.
    Open,
}

impl Truth {
    fn not(self, formula: Option<u32>) -> Self {
        match self {
            Self::True => Self::False(formula),
            Self::False(_) => Self::True,
            Self::Open => Self::Open,
        }
    }
}

/// Something that a judge must look at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question {
    Compare { operator: Comparison, left: Term, right: Term },
    IsPrime(Term),
}

/// One step of a circuit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Instruction {
    Ask {
        formula: u32,
        question: Question,
    },
    Not {
        operand: u32,
    },
    And,
    Or,
    /// Jumps, if the topmost value is already the whole answer of an `and`.
    SkipIfFalse {
        target: usize,
    },
    /// Jumps, if the topmost value is already the whole answer of an `or`.
    SkipIfTrue {
        target: usize,
    },
}

/// A compiled formula.
#[derive(Debug)]
pub(crate) struct Circuit {
    instructions: Vec<Instruction>,
}

impl Circuit {
    /// Compiles the formulas of an expression; an expression that is a value has none and gives an empty circuit.
    pub(crate) fn compile(expression: &Expression) -> Self {
        let formulas = expression.formulas();
        // Where the operands of each formula begin, and which connective's right side begins at a formula.
        let mut begins: Vec<u32> = Vec::with_capacity(formulas.len());
        let mut gates: Vec<Option<u32>> = vec![None; formulas.len()];
        for (index, formula) in (0_u32..).zip(formulas) {
            let begin = |operand: u32| begins.get(operand as usize).copied().unwrap_or(index);
            begins.push(match *formula {
                Formula::Compare { .. } | Formula::IsPrime(_) => index,
                Formula::Not(operand) => begin(operand),
                Formula::And(left, right) | Formula::Or(left, right) => {
                    gates[begin(right) as usize] = Some(index);
                    begin(left)
                }
            });
        }
        let mut instructions = Vec::with_capacity(formulas.len() * 2);
        let mut waiting: Vec<(u32, usize)> = Vec::new();
        for (index, formula) in (0_u32..).zip(formulas) {
            if let Some(gate) = gates[index as usize] {
                waiting.push((gate, instructions.len()));
                let target = usize::MAX;
                instructions.push(match formulas[gate as usize] {
                    Formula::And(..) => Instruction::SkipIfFalse { target },
                    _ => Instruction::SkipIfTrue { target },
                });
            }
            instructions.push(match *formula {
                Formula::Compare { operator, left, right } => {
                    Instruction::Ask { formula: index, question: Question::Compare { operator, left, right } }
                }
                Formula::IsPrime(term) => {
                    Instruction::Ask { formula: index, question: Question::IsPrime(term) }
                }
                Formula::Not(operand) => Instruction::Not { operand },
                Formula::And(..) => Instruction::And,
                Formula::Or(..) => Instruction::Or,
            });
            if let Some((_, skip)) = waiting.pop_if(|(gate, _)| *gate == index) {
                let end = instructions.len();
                if let Instruction::SkipIfFalse { target } | Instruction::SkipIfTrue { target } =
                    &mut instructions[skip]
                {
                    *target = end;
                }
            }
        }
        Self { instructions }
    }

    /// The steps, in order.
    pub(crate) fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// The questions and their formulas, in order.
    pub(super) fn questions(&self) -> impl Iterator<Item = (u32, Question)> + '_ {
        self.instructions.iter().filter_map(|instruction| match instruction {
            Instruction::Ask { formula, question } => Some((*formula, *question)),
            _ => None,
        })
    }

    /// Runs the circuit. `judge` answers question after question, each with the index of its formula;
    /// `stack` is scratch space.
    pub(super) fn run<E>(
        &self,
        stack: &mut Vec<Truth>,
        mut judge: impl FnMut(u32, &Question) -> Result<Truth, E>,
    ) -> Result<Truth, E> {
        stack.clear();
        let mut next = 0;
        while let Some(instruction) = self.instructions.get(next) {
            next += 1;
            let result = match instruction {
                Instruction::Ask { formula, question } => judge(*formula, question)?,
                Instruction::Not { operand } => pop(stack).not(Some(*operand)),
                Instruction::And => {
                    let right = pop(stack);
                    match (pop(stack), right) {
                        (left @ Truth::False(_), _) => left,
                        (_, right @ Truth::False(_)) => right,
                        (Truth::True, Truth::True) => Truth::True,
                        _ => Truth::Open,
                    }
                }
                Instruction::Or => {
                    let right = pop(stack);
                    match (pop(stack), right) {
                        (Truth::True, _) | (_, Truth::True) => Truth::True,
                        (Truth::False(_), Truth::False(_)) => Truth::False(None),
                        _ => Truth::Open,
                    }
                }
                Instruction::SkipIfFalse { target } => {
                    if matches!(stack.last(), Some(Truth::False(_))) {
                        next = *target;
                    }
                    continue;
                }
                Instruction::SkipIfTrue { target } => {
                    if matches!(stack.last(), Some(Truth::True)) {
                        next = *target;
                    }
                    continue;
                }
            };
            stack.push(result);
        }
        Ok(pop(stack))
    }
}

/// The topmost value; the compiler writes no instruction that finds none.
fn pop(stack: &mut Vec<Truth>) -> Truth {
    stack.pop().unwrap_or(Truth::Open)
}
