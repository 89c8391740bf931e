//! Which bodies of ranges a GPU kernel takes: the question that plan, dispatch and worker must answer alike.
//!
//! The answer is a pure function of the text, so it stands here and not beside the kernel. It is about operations and sizes of
//! the program only; that a value outgrows the kernel's integers shows when it is computed, and is the CPU's then.

use super::{BinaryOperator, Expression, Formula, Function, Number, Step};

/// Most steps of arithmetic in a body that the kernel takes.
const STEPS_MAX: usize = 256;
/// Most comparisons and connectives: truth values stand in the bits of one word.
const FORMULAS_MAX: usize = 30;
/// Most values that a term holds at once.
const DEPTH_MAX: usize = 8;

impl Expression {
    /// Whether the kernel `range_check` has every operation of this body: integers below 2^127, the variable,
    /// `+ - * / // % ^`, unary minus, abs, floor, ceil, gcd, powmod, `is_prime`, comparisons, and, or, not; at most 256
    /// steps, 30 formulas, and 8 values at once.
    #[must_use]
    pub fn has_kernel(&self) -> bool {
        let counts = !self.is_value() && self.steps().len() <= STEPS_MAX;
        counts
            && self.formulas().len() <= FORMULAS_MAX
            && self.formulas().iter().all(|formula| match formula {
                Formula::Compare { left, right, .. } => {
                    is_taken(self.term(*left)) && is_taken(self.term(*right))
                }
                Formula::IsPrime(term) => is_taken(self.term(*term)),
                Formula::Not(_) | Formula::And(..) | Formula::Or(..) => true,
            })
    }
}

fn is_taken(steps: &[Step]) -> bool {
    let mut depth = 0_usize;
    for step in steps {
        let (is_known, taken) = match step {
            Step::Integer(_) | Step::Variable => (true, 0),
            Step::Number(number) => (number.to_integer().is_some(), 0),
            Step::Constant(_) => (false, 0),
            Step::Negate => (true, 1),
            Step::Binary(operator) => (is_taken_operator(*operator), 2),
            Step::Call(function) => (is_taken_function(*function), function.arity()),
        };
        depth = depth.saturating_sub(taken) + 1;
        if !is_known || depth > DEPTH_MAX {
            return false;
        }
    }
    true
}

fn is_taken_operator(operator: BinaryOperator) -> bool {
    match operator {
        BinaryOperator::Add
        | BinaryOperator::Subtract
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::FloorDivide
        | BinaryOperator::Modulo
        | BinaryOperator::Power => true,
    }
}

fn is_taken_function(function: Function) -> bool {
    matches!(function, Function::Abs | Function::Floor | Function::Ceil | Function::Gcd | Function::PowMod)
}

impl Number {
    /// The number, where it is a whole one below 2^127.
    #[must_use]
    pub fn to_integer(&self) -> Option<i128> {
        let shift = u32::try_from(self.exponent).ok()?;
        let digits: i128 = self.digits.parse().ok()?;
        10_i128.checked_pow(shift).and_then(|power| digits.checked_mul(power))
    }
}

#[cfg(test)]
mod tests {
    use crate::expression::parse_body;

    #[test]
    fn integer_bodies_have_a_kernel_and_others_have_none() {
        for (body, has_kernel) in [
            ("n^5 % 30 == n % 30", true),
            ("n * (n + 1) / 2 >= 1e20 or not is_prime(n)", true),
            ("gcd(n, 6, 9) > 1 and powmod(2, n, 7) != 3 and abs(-n) // 2 < 5", true),
            ("factorial(n) > 0", false),
            ("n > 1.5", false),
            ("n < pi", false),
            ("n < 1e39", false),
            ("sqrt(n) < 5", false),
        ] {
            assert_eq!(parse_body(body, "n").expect("a body").has_kernel(), has_kernel, "{body}");
        }
    }

    #[test]
    fn bodies_that_are_long_or_deep_have_no_kernel() {
        let long = |terms: usize| format!("{} > 0", vec!["n"; terms].join(" + "));
        let wide = |claims: usize| vec!["n > 0"; claims].join(" and ");
        let deep = |levels: usize| format!("{}n{} > 0", "(n + ".repeat(levels), ")".repeat(levels));
        for (body, has_kernel) in [
            (long(128), true),
            (long(129), false),
            (wide(15), true),
            (wide(16), false),
            (deep(7), true),
            (deep(8), false),
        ] {
            assert_eq!(parse_body(&body, "n").expect("a body").has_kernel(), has_kernel, "{body}");
        }
    }
}
