//! The quick way through one expression: 128-bit integers, answered while the text is read, and no allocation for it.
//!
//! Most checks that people send in bulk are a handful of operations on small integers. They are answered here in one
//! pass over the text ([`protocol::expression::read_integers`]), with nothing parsed into lists and nothing handed to
//! GMP. Whatever does not fit (an overflow, a quotient that is no integer, an operation that is undefined, any name)
//! gives no answer, and the general way is taken from the start; where there is an answer it is the general one, byte for
//! byte, which tests hold equal.
//!
//! The general way also counts units of work, and refuses what needs too many. Nothing that is answered here could be:
//! see [`STEP_UNITS_MAX`].

use protocol::{
    digest::{Digest, Domain},
    expression::{
        BinaryOperator, Comparison, Connective, Function, IntegerAlgebra, IntegerReading, read_integers,
    },
    limits::{EXPRESSION_BYTES_MAX, WORK_UNITS_MAX},
    outcome::{Answer, Checksum},
};

use super::{evidence::integer_bytes, fast};

/// Most units of work that the general way counts for one byte of a text whose values all are below 2^127: the dearest is a
/// comparison that fails, whose digits are counted with two logarithms of 192 bits.
const STEP_UNITS_MAX: u64 = 10_000;
const _: () = assert!(
    STEP_UNITS_MAX * EXPRESSION_BYTES_MAX as u64 <= WORK_UNITS_MAX,
    "what is answered the quick way is never refused for its work"
);

/// Answers expressions one after another, with one buffer for all of them.
#[derive(Debug, Default)]
pub(crate) struct IntegerAnswers {
    evidence: Vec<u8>,
    /// How many right sides are open that `and` or `or` skips.
    skipped: u32,
}

impl IntegerAnswers {
    /// The answer to an expression, where the quick way has one.
    pub(crate) fn answer(&mut self, text: &str) -> Option<Answer> {
        self.evidence.clear();
        self.skipped = 0;
        Some(match read_integers(text, self)? {
            IntegerReading::Value(value) => Answer::Value { text: value.to_string(), exact: true },
            IntegerReading::Claim(truth) => {
                let checksum = Checksum::from_digest(Digest::of(Domain::Values, &self.evidence));
                if truth.is_true {
                    Answer::True { checksum }
                } else {
                    Answer::False { parts_after: truth.parts_after(), checksum }
                }
            }
        })
    }
}

/// Whether a formula is true, and the sides of the only comparison that it is made of, or that makes it false.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    is_true: bool,
    sides: Option<(i128, i128)>,
}

impl Claim {
    /// To how many digits the sides agree that make it false: the most k with `|a - b| * 10^k <= max(|a|, |b|)`.
    fn parts_after(self) -> Option<u32> {
        let (left, right) = self.sides.filter(|(left, right)| left != right)?;
        let scale = if left == 0 || right == 0 { 1 } else { left.unsigned_abs().max(right.unsigned_abs()) };
        let times = scale / left.abs_diff(right);
        Some(times.checked_ilog10().unwrap_or(0))
    }
}

impl IntegerAlgebra for IntegerAnswers {
    type Number = i128;
    type Truth = Claim;

    #[inline]
    fn integer(&mut self, value: i128) -> i128 {
        value
    }

    #[inline]
    fn negate(&mut self, operand: i128) -> Option<i128> {
        operand.checked_neg()
    }

    fn factorial(&mut self, operand: i128) -> Option<i128> {
        fast::call(Function::Factorial, &[operand])
    }

    #[inline]
    fn binary(&mut self, operator: BinaryOperator, left: i128, right: i128) -> Option<i128> {
        fast::binary(operator, left, right)
    }

    #[inline]
    fn compare(&mut self, operator: Comparison, left: i128, right: i128) -> Claim {
        if self.skipped == 0 {
            integer_bytes(left, &mut self.evidence);
            integer_bytes(right, &mut self.evidence);
        }
        Claim { is_true: operator.accepts(left.cmp(&right)), sides: Some((left, right)) }
    }

    fn not(&mut self, operand: Claim) -> Claim {
        let is_true = !operand.is_true;
        Claim { is_true, sides: operand.sides.filter(|_| !is_true) }
    }

    fn begin_right(&mut self, connective: Connective, left: Claim) {
        self.skipped += u32::from(decides(connective, left));
    }

    fn join(&mut self, connective: Connective, left: Claim, right: Claim) -> Claim {
        self.skipped -= u32::from(decides(connective, left));
        match (connective, left.is_true, right.is_true) {
            (Connective::And, false, _) => left,
            (Connective::And, true, false) => right,
            (Connective::And, true, true) => Claim { is_true: true, sides: None },
            (Connective::Or, left, right) => Claim { is_true: left || right, sides: None },
        }
    }
}

/// Whether the left side is already the whole answer.
fn decides(connective: Connective, left: Claim) -> bool {
    left.is_true == (connective == Connective::Or)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_of_integers_are_answered_the_quick_way_and_no_others() {
        let mut answers = IntegerAnswers::default();
        for text in [
            "2 * 2 * 2 * 2 == 16",
            "-7 // 2 == -4 and 7 % -2 == -1 or 5! != 120",
            "2^126 > 0 and 33! > 32!",
            "not 1 < 2 < 3",
            "6 / 3",
            "1000 == 1001",
        ] {
            assert!(answers.answer(text).is_some(), "{text}");
        }
        for text in [
            "2^127 > 0",
            "34! > 0",
            "1 / 3 < 1",
            "1 / 0 == 1",
            "0^-1",
            "2^-1 < 1",
            "1 == 1 or 1 / 0 == 1",
            "1.5 > 1",
            "is_prime(7)",
            "1 +",
            "pi < 4",
        ] {
            assert!(answers.answer(text).is_none(), "{text}");
        }
    }
}
