//! What a term becomes before it is compared: one exact number, or a program for an enclosure of it.
//!
//! The postfix steps are run on a stack whose items are either exact or open. Exact operands give exact results
//! wherever the result is rational and is found to be; otherwise an item is opened, and from there on every operation
//! on it is written down instead of done. `floor`, `ceil`, `//` and `%` of an open item are settled on the spot, by
//! enclosing it until only one integer is left.

use protocol::{
    expression::{BinaryOperator, Function, Number, Step},
    limits::{EXACT_BITS_MAX, EXACT_HELD_BITS_MAX},
    outcome::RefusalKind,
};
use rug::{Integer, Rational, ops::Pow};

use super::{
    enclosed::{EnclosedStep, Operation, Sight, enclose, precisions, unsettled},
    exact,
    exact_function::{self, root_degree, zeta_argument},
    work::{Stop, Work, bits, check_bits, product_units, refuse},
};

/// The value of a term.
#[derive(Debug)]
pub(super) enum Value {
    /// It is this number.
    Exact(Rational),
    /// It is the number that this program encloses.
    Enclosed(Vec<EnclosedStep>),
}

/// An operand: an exact number, or the steps from `start` to the next operand's.
enum Item {
    Exact(Rational),
    Open { start: usize },
}

/// Evaluates a term, with a value for the variable where it has one.
pub(super) fn evaluate(
    work: &mut Work<'_>,
    steps: &[Step],
    variable: Option<i128>,
    precision_bits_max: u32,
) -> Result<Value, Stop> {
    let mut folder =
        Folder { work, precision_bits_max, held_bits: 0, items: Vec::new(), program: Vec::new() };
    for step in steps {
        folder.work.charge(5)?;
        match step {
            Step::Integer(value) => folder.items.push(Item::Exact(Rational::from(*value))),
            Step::Number(number) => {
                let value = literal(folder.work, number)?;
                folder.items.push(Item::Exact(value));
            }
            Step::Variable => folder.items.push(Item::Exact(Rational::from(variable.unwrap_or_default()))),
            Step::Constant(constant) => folder.open(EnclosedStep::Constant(*constant)),
            Step::Negate => folder.negate(),
            Step::Binary(operator) => folder.binary(*operator)?,
            Step::Call(function) => folder.call(*function)?,
        }
    }
    match folder.items.pop() {
        Some(Item::Exact(value)) => Ok(Value::Exact(value)),
        Some(Item::Open { .. }) => Ok(Value::Enclosed(folder.program)),
        None => Err(refuse(RefusalKind::Syntax, "the term is empty")),
    }
}

/// A number as it was written.
fn literal(work: &mut Work<'_>, number: &Number) -> Result<Rational, Stop> {
    // Four bits for each digit, and ten is below 2^(10/3).
    let size = number.digits.len() as u128 * 4 + u128::from(number.exponent.unsigned_abs()) * 10 / 3;
    check_bits(size, || format!("the number with the exponent {}", number.exponent))?;
    work.charge(4 * product_units(u64::try_from(size).unwrap_or(EXACT_BITS_MAX)))?;
    let digits = Integer::from_str_radix(&number.digits, 10)
        .map_err(|_| refuse(RefusalKind::Syntax, "a number is made of digits"))?;
    let power = u32::try_from(number.exponent.unsigned_abs()).unwrap_or(u32::MAX);
    let power = Integer::from(10).pow(power);
    Ok(if number.exponent < 0 { Rational::from((digits, power)) } else { Rational::from(digits * power) })
}

struct Folder<'w, 'c> {
    work: &'w mut Work<'c>,
    precision_bits_max: u32,
    held_bits: u64,
    items: Vec<Item>,
    program: Vec<EnclosedStep>,
}

impl Folder<'_, '_> {
    /// Begins an open item with its first step.
    fn open(&mut self, step: EnclosedStep) {
        self.items.push(Item::Open { start: self.program.len() });
        self.program.push(step);
    }

    /// Accounts for an exact value that the program keeps.
    fn hold(&mut self, value: Rational) -> Result<Rational, Stop> {
        self.held_bits += bits(&value);
        if self.held_bits > EXACT_HELD_BITS_MAX {
            let message = format!(
                "the exact numbers beside values that are not exact need more than the limit of {EXACT_HELD_BITS_MAX} \
                 bits together; split the expression"
            );
            return Err(refuse(RefusalKind::Size, message));
        }
        Ok(value)
    }

    fn pop(&mut self) -> Result<Item, Stop> {
        // The parser writes only steps that find their operands.
        self.items.pop().ok_or_else(|| refuse(RefusalKind::Syntax, "an operand is missing"))
    }

    fn negate(&mut self) {
        match self.items.last_mut() {
            Some(Item::Exact(value)) => *value = -std::mem::take(value),
            _ => self.program.push(EnclosedStep::Negate),
        }
    }

    fn binary(&mut self, operator: BinaryOperator) -> Result<(), Stop> {
        let right = self.pop()?;
        let left = self.pop()?;
        if let (Item::Exact(left), Item::Exact(right)) = (&left, &right)
            && let Some(value) = exact::binary(self.work, operator, left, right)?
        {
            self.items.push(Item::Exact(value));
            return Ok(());
        }
        if matches!(operator, BinaryOperator::FloorDivide | BinaryOperator::Modulo) {
            return self.floor_division(operator, left, right);
        }
        self.operate(Operation::of(operator), left, right)
    }

    /// Writes down an operation of which at least one operand, or the result, is not exact.
    fn operate(&mut self, operation: Operation, left: Item, right: Item) -> Result<(), Stop> {
        match (left, right) {
            (Item::Exact(left), Item::Exact(right)) => {
                let (left, right) = (self.hold(left)?, self.hold(right)?);
                self.open(EnclosedStep::Exact(left));
                self.program.push(EnclosedStep::ExactRight(operation, right));
            }
            (Item::Exact(left), Item::Open { start }) => {
                let left = self.hold(left)?;
                self.program.push(EnclosedStep::ExactLeft(operation, left));
                self.items.push(Item::Open { start });
            }
            (Item::Open { start }, Item::Exact(right)) => {
                if operation == Operation::Divide && right.is_zero() {
                    return Err(refuse(RefusalKind::Undefined, "a division by zero is not defined"));
                }
                let right = self.hold(right)?;
                self.program.push(EnclosedStep::ExactRight(operation, right));
                self.items.push(Item::Open { start });
            }
            (Item::Open { start }, Item::Open { .. }) => {
                self.program.push(EnclosedStep::Binary(operation));
                self.items.push(Item::Open { start });
            }
        }
        Ok(())
    }

    /// `a // b` and `a % b` where one of them is open: the quotient's floor is an exact integer q, and the remainder
    /// is `a - b * q`.
    fn floor_division(&mut self, operator: BinaryOperator, left: Item, right: Item) -> Result<(), Stop> {
        let is_modulo = operator == BinaryOperator::Modulo;
        let exact_left = if let Item::Exact(left) = &left { Some(left.clone()) } else { None };
        let exact_right = if let Item::Exact(right) = &right { Some(right.clone()) } else { None };
        let start = match (&left, &right) {
            (Item::Open { start }, _) | (_, Item::Open { start }) => *start,
            (Item::Exact(_), Item::Exact(_)) => self.program.len(),
        };
        self.operate(Operation::Divide, left, right)?;
        let quotient = self.settle(operator.symbol(), start, false)?;
        self.items.pop();
        self.program.pop();
        if !is_modulo {
            self.program.truncate(start);
            self.items.push(Item::Exact(quotient.into()));
            return Ok(());
        }
        let quotient = Rational::from(quotient);
        if let Some(right) = exact_right {
            let multiple =
                exact::binary(self.work, BinaryOperator::Multiply, &right, &quotient)?.unwrap_or_default();
            let multiple = self.hold(multiple)?;
            self.program.push(EnclosedStep::ExactRight(Operation::Subtract, multiple));
        } else {
            let quotient = self.hold(quotient)?;
            self.program.push(EnclosedStep::ExactRight(Operation::Multiply, quotient));
            let subtraction = match exact_left {
                Some(left) => EnclosedStep::ExactLeft(Operation::Subtract, self.hold(left)?),
                None => EnclosedStep::Binary(Operation::Subtract),
            };
            self.program.push(subtraction);
        }
        self.items.push(Item::Open { start });
        Ok(())
    }

    fn call(&mut self, function: Function) -> Result<(), Stop> {
        let first = self.items.len().saturating_sub(function.arity());
        let mut arguments: Vec<Item> = self.items.split_off(first);
        let exact: Option<Vec<Rational>> = arguments
            .iter()
            .map(|item| if let Item::Exact(value) = item { Some(value.clone()) } else { None })
            .collect();
        if let Some(exact) = &exact
            && let Some(value) = exact_function::call(self.work, function, exact)?
        {
            self.items.push(Item::Exact(value));
            return Ok(());
        }
        match (function, arguments.pop(), arguments.pop()) {
            (Function::Zeta, Some(Item::Exact(argument)), None) => {
                self.open(EnclosedStep::Zeta(zeta_argument(&argument)?));
                Ok(())
            }
            (Function::Floor | Function::Ceil, Some(Item::Open { start }), None) => {
                let value = self.settle(function.name(), start, function == Function::Ceil)?;
                self.program.truncate(start);
                self.items.push(Item::Exact(value.into()));
                Ok(())
            }
            (Function::Root, Some(Item::Exact(degree)), Some(radicand)) => {
                let degree = root_degree(&degree)?;
                self.apply(function, degree, radicand)
            }
            (Function::LogBase, Some(base), Some(argument)) => {
                self.operate(Operation::Logarithm, argument, base)
            }
            (
                Function::Root
                | Function::Gcd
                | Function::Lcm
                | Function::Binomial
                | Function::PowMod
                | Function::Factorial
                | Function::Fib
                | Function::Zeta,
                ..,
            ) => Err(refuse(
                RefusalKind::Type,
                format!(
                    "`{}` needs integers, but got a value that is not exact; round it with floor or ceil",
                    function.name()
                ),
            )),
            (_, Some(argument), None) => {
                let degree = if function == Function::Sqrt { 2 } else { 0 };
                self.apply(function, degree, argument)
            }
            _ => Err(refuse(RefusalKind::Syntax, "an operand is missing")),
        }
    }

    /// Writes down a function of one argument.
    fn apply(&mut self, function: Function, degree: u32, argument: Item) -> Result<(), Stop> {
        match argument {
            Item::Exact(value) => {
                let value = self.hold(value)?;
                self.open(EnclosedStep::Exact(value));
            }
            open @ Item::Open { .. } => self.items.push(open),
        }
        self.program.push(EnclosedStep::Function(function, degree));
        Ok(())
    }

    /// The floor (or ceiling) of the open item whose steps begin at `start`.
    fn settle(&mut self, name: &str, start: usize, is_ceiling: bool) -> Result<Integer, Stop> {
        let mut last_bits = self.precision_bits_max;
        let mut bits = 0;
        let mut trouble = "the value cannot be told from an integer";
        while bits < last_bits {
            // As `precisions`, but a large value moves the end away once its size is known.
            bits = precisions(last_bits).map(|(next, _)| next).find(|next| *next > bits).unwrap_or(last_bits);
            let interval = match enclose(self.work, &self.program[start..], bits)? {
                Sight::Within(interval) => interval,
                Sight::Unclear(what) => {
                    trouble = what;
                    continue;
                }
            };
            let interval = if is_ceiling { interval.negated() } else { interval };
            // A wide interval may reach far beyond the value: only what the value surely needs counts.
            let exponent = interval.least_exponent();
            check_bits(u128::from(exponent), || format!("the integer of `{name}`"))?;
            last_bits = last_bits.max(self.precision_bits_max + exponent);
            if interval.is_within_bits(bits)
                && let Some(floor) = interval.floor()
            {
                return Ok(if is_ceiling { -floor } else { floor });
            }
        }
        Err(unsettled(&format!("`{name}`: {trouble}"), last_bits))
    }
}
