//! The quick way through a range: 128-bit integers, checked at every step, and no allocation.
//!
//! A body is compiled once to small programs over `i128`. Whatever does not fit (an overflow, a quotient that is no
//! integer, a function that is not integer arithmetic, an operation that is undefined) gives no answer for that value
//! of the variable, and the general way is taken for it; where there is an answer, it is the same as the general one.

use protocol::expression::{BinaryOperator, Comparison, Expression, Function, Step, Term};

use super::{
    circuit::{Circuit, Question, Truth},
    evidence::MixedEvidence,
    prime::is_prime_u64,
};

/// Terms that push more than this onto the stack are left to the general way.
const STACK_DEPTH: usize = 32;

#[derive(Debug, Clone, Copy)]
enum Operation {
    Integer(i128),
    Variable,
    Negate,
    Binary(BinaryOperator),
    PowerBy(u32),
    ModuloBy(i64),
    Call(Function),
}

#[derive(Debug)]
struct Program(Vec<Operation>);

#[derive(Debug)]
enum FastQuestion {
    Compare { operator: Comparison, left: Program, right: Program },
    IsPrime(Program),
}

/// A body compiled to checked 128-bit arithmetic.
#[derive(Debug)]
pub(super) struct FastBody {
    /// By formula; nothing where the formula is a connective.
    questions: Vec<Option<FastQuestion>>,
}

impl FastBody {
    /// Compiles a body; `None` where some operation in it is never integer arithmetic.
    pub(super) fn compile(expression: &Expression, circuit: &Circuit) -> Option<Self> {
        let mut questions: Vec<Option<FastQuestion>> = Vec::new();
        questions.resize_with(expression.formulas().len(), || None);
        for (formula, question) in circuit.questions() {
            let program = |term: Term| Program::compile(expression.term(term));
            questions[formula as usize] = Some(match question {
                Question::Compare { operator, left, right } => {
                    FastQuestion::Compare { operator, left: program(left)?, right: program(right)? }
                }
                Question::IsPrime(term) => FastQuestion::IsPrime(program(term)?),
            });
        }
        Some(Self { questions })
    }

    /// The answer at one value of the variable and what it adds to the range's sum.
    pub(super) fn answer(
        &self,
        circuit: &Circuit,
        stack: &mut Vec<Truth>,
        variable: i128,
    ) -> Option<(bool, u128)> {
        let mut evidence = MixedEvidence::new(variable);
        let is_true = if let [Some(question)] = self.questions.as_slice() {
            question.judge(variable, &mut evidence)?
        } else {
            let judge = |formula: u32, _: &Question| {
                let question = self.questions[formula as usize].as_ref().ok_or(())?;
                let is_true = question.judge(variable, &mut evidence).ok_or(())?;
                Ok::<Truth, ()>(if is_true { Truth::True } else { Truth::False(None) })
            };
            circuit.run(stack, judge).ok().filter(|truth: &Truth| *truth != Truth::Open)? == Truth::True
        };
        Some((is_true, evidence.term()))
    }
}

impl FastQuestion {
    fn judge(&self, variable: i128, evidence: &mut MixedEvidence) -> Option<bool> {
        match self {
            Self::Compare { operator, left, right } => {
                let left = left.run(variable)?;
                let right = right.run(variable)?;
                evidence.integer(left);
                evidence.integer(right);
                Some(operator.accepts(left.cmp(&right)))
            }
            Self::IsPrime(program) => {
                let value = program.run(variable)?;
                evidence.integer(value);
                let is_prime = value > 1 && is_prime_u64(u64::try_from(value).ok()?);
                evidence.prime(is_prime);
                Some(is_prime)
            }
        }
    }
}

impl Program {
    fn compile(steps: &[Step]) -> Option<Self> {
        let mut operations: Vec<Operation> = Vec::with_capacity(steps.len());
        let mut depth = 0;
        for step in steps {
            let previous = operations.last().copied();
            let operation = match step {
                Step::Integer(value) => Operation::Integer(i128::from(*value)),
                Step::Variable => Operation::Variable,
                Step::Negate => Operation::Negate,
                Step::Binary(operator) => match (operator, previous) {
                    (BinaryOperator::Power, Some(Operation::Integer(exponent @ 0..=1000))) => {
                        operations.pop();
                        Operation::PowerBy(u32::try_from(exponent).ok()?)
                    }
                    (BinaryOperator::Modulo, Some(Operation::Integer(modulus)))
                        if modulus > 0 && i64::try_from(modulus).is_ok() =>
                    {
                        operations.pop();
                        Operation::ModuloBy(i64::try_from(modulus).ok()?)
                    }
                    _ => Operation::Binary(*operator),
                },
                Step::Call(function) if has_integer_form(*function) => Operation::Call(*function),
                Step::Number(_) | Step::Constant(_) | Step::Call(_) => return None,
            };
            match step {
                Step::Integer(_) | Step::Variable => depth += 1,
                Step::Binary(_) => depth -= 1,
                Step::Call(function) => depth -= function.arity() - 1,
                _ => {}
            }
            if depth > STACK_DEPTH {
                return None;
            }
            operations.push(operation);
        }
        Some(Self(operations))
    }

    #[inline]
    fn run(&self, variable: i128) -> Option<i128> {
        let mut stack = [0_i128; STACK_DEPTH + 1];
        let mut top = 0;
        for operation in &self.0 {
            match *operation {
                Operation::Integer(value) => {
                    top += 1;
                    *stack.get_mut(top)? = value;
                }
                Operation::Variable => {
                    top += 1;
                    *stack.get_mut(top)? = variable;
                }
                Operation::Negate => stack[top] = stack[top].checked_neg()?,
                Operation::PowerBy(exponent) => stack[top] = stack[top].checked_pow(exponent)?,
                Operation::ModuloBy(modulus) => {
                    stack[top] = match i64::try_from(stack[top]) {
                        Ok(value) => i128::from(value.rem_euclid(modulus)),
                        Err(_) => stack[top].rem_euclid(i128::from(modulus)),
                    };
                }
                Operation::Binary(operator) => {
                    let right = stack[top];
                    top -= 1;
                    stack[top] = binary(operator, stack[top], right)?;
                }
                Operation::Call(function) => {
                    top -= function.arity() - 1;
                    stack[top] = call(function, stack.get(top..)?)?;
                }
            }
        }
        Some(stack[1])
    }
}

fn has_integer_form(function: Function) -> bool {
    matches!(
        function,
        Function::Abs
            | Function::Floor
            | Function::Ceil
            | Function::Sqrt
            | Function::Gcd
            | Function::Lcm
            | Function::Factorial
            | Function::Binomial
            | Function::PowMod
            | Function::Fib
    )
}

pub(super) fn binary(operator: BinaryOperator, left: i128, right: i128) -> Option<i128> {
    match operator {
        BinaryOperator::Add => left.checked_add(right),
        BinaryOperator::Subtract => left.checked_sub(right),
        BinaryOperator::Multiply => left.checked_mul(right),
        BinaryOperator::Divide => {
            let (quotient, remainder) = divide_floor(left, right)?;
            (remainder == 0).then_some(quotient)
        }
        BinaryOperator::FloorDivide => divide_floor(left, right).map(|(quotient, _)| quotient),
        BinaryOperator::Modulo => divide_floor(left, right).map(|(_, remainder)| remainder),
        BinaryOperator::Power => left.checked_pow(u32::try_from(right).ok()?),
    }
}

/// Quotient rounded down and remainder with the sign of the divisor.
fn divide_floor(left: i128, right: i128) -> Option<(i128, i128)> {
    if let (Ok(left), Ok(right)) = (u64::try_from(left), u64::try_from(right)) {
        return Some((i128::from(left.checked_div(right)?), i128::from(left % right)));
    }
    let quotient = left.checked_div(right)?;
    let remainder = left.checked_rem(right)?;
    let is_above = remainder != 0 && (remainder < 0) != (right < 0);
    Some(if is_above { (quotient - 1, remainder + right) } else { (quotient, remainder) })
}

pub(super) fn call(function: Function, arguments: &[i128]) -> Option<i128> {
    let first = *arguments.first()?;
    let second = arguments.get(1).copied().unwrap_or_default();
    match function {
        Function::Abs => first.checked_abs(),
        Function::Floor | Function::Ceil => Some(first),
        Function::Sqrt => {
            let root = first.checked_isqrt()?;
            (root * root == first).then_some(root)
        }
        Function::Gcd => i128::try_from(gcd(first.unsigned_abs(), second.unsigned_abs())).ok(),
        Function::Lcm => {
            let (first, second) = (first.unsigned_abs(), second.unsigned_abs());
            let divisor = gcd(first, second);
            match first.checked_div(divisor) {
                Some(factor) => i128::try_from(factor.checked_mul(second)?).ok(),
                // Both are zero.
                None => Some(0),
            }
        }
        Function::Factorial => (1..=u8::try_from(first).ok()?)
            .try_fold(1_i128, |product, factor| product.checked_mul(i128::from(factor))),
        Function::Binomial => binomial(u64::try_from(first).ok()?, u64::try_from(second).ok()?),
        Function::PowMod => power_modulo(first, second, *arguments.get(2)?),
        Function::Fib => {
            let (mut value, mut next) = (0_i128, 1_i128);
            for _ in 0..u8::try_from(first).ok()? {
                (value, next) = (next, value.checked_add(next)?);
            }
            Some(value)
        }
        _ => None,
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = match (u64::try_from(a), u64::try_from(b)) {
            (Ok(a), Ok(b)) => (u128::from(b), u128::from(a % b)),
            _ => (b, a % b),
        };
    }
    a
}

fn binomial(n: u64, k: u64) -> Option<i128> {
    // With more factors than this the result, or a step towards it, is over 128 bits.
    const FACTORS_MAX: u64 = 128;
    if k > n {
        return Some(0);
    }
    let k = k.min(n - k);
    if k > FACTORS_MAX {
        return None;
    }
    (0..k).try_fold(1_i128, |product, index| {
        // A product of consecutive numbers is divisible by as many factorials: every step is an integer.
        Some(product.checked_mul(i128::from(n - index))? / i128::from(index + 1))
    })
}

fn power_modulo(base: i128, exponent: i128, modulus: i128) -> Option<i128> {
    let modulus = u64::try_from(modulus).ok().filter(|modulus| *modulus > 0)?;
    let wide = u128::from(modulus);
    let mut exponent = u128::try_from(exponent).ok()?;
    let mut base = base.rem_euclid(i128::from(modulus)).cast_unsigned();
    let mut power = 1 % wide;
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = reduce(power * base, modulus);
        }
        base = reduce(base * base, modulus);
        exponent >>= 1;
    }
    i128::try_from(power).ok()
}

/// A remainder; division of 64-bit numbers is several times faster.
fn reduce(value: u128, modulus: u64) -> u128 {
    match u64::try_from(value) {
        Ok(value) => u128::from(value % modulus),
        Err(_) => value % u128::from(modulus),
    }
}
