//! What an adapter must show before it checks ranges: the wide integers on edge cases, and every kernel on two bodies that
//! together use every instruction, each against its twin.

use protocol::expression::parse_body;

use super::{
    GpuEngine, GpuError,
    integer_arithmetic::{integer_arithmetic, integer_edge_cases},
    range_check::check_in_one_dispatch,
    shader::Shader,
};
use crate::range_check::{Program, Width, range_check};

/// One body for the small kernel, one for that with number theory.
const BODIES: [&str; 2] = [
    "n != 11 and ((n^5 % 30 == n % 30 and n * (n + 1) // 2 - 7 <= n^2 + n^3) or (not abs(-n) + (n - 1) / 1 > 5 and 2^n != 12 * n))",
    "n != 11 and (is_prime(n) or gcd(n^2 + 1, n + 8) + powmod(3, abs(n), 1000003) % (n - 7) // (n - 50) >= n / -1)",
];
/// Where the values begin; the last are too large for the widest integers in the bodies.
const FIRSTS: [i128; 3] = [-60, (1 << 62) - 70, i128::MAX - 129];
const VALUES: u32 = 130;

impl GpuEngine {
    /// Computes what is known with the kernels that use wide integers.
    pub(super) fn range_answers(&self) -> Result<(), GpuError> {
        for width in Width::ALL {
            let cases = integer_edge_cases(width);
            let answers = self.integer_arithmetic(&cases, width)?;
            for (operands, answer) in cases.iter().zip(&answers) {
                let known = integer_arithmetic(operands, width);
                if *answer != known {
                    let difference = format!("{operands:x?} gave {answer:x?}, and should give {known:x?}");
                    return Err(self.wrong(Shader::IntegerArithmetic, difference));
                }
            }
            for body in BODIES {
                // Every body has a kernel, which a test sees to.
                let program = parse_body(body, "n").ok().and_then(|body| Program::compile(&body));
                let Some(program) = program else { continue };
                for first in FIRSTS {
                    self.range_answer(body, &program, width, first)?;
                }
            }
        }
        Ok(())
    }

    fn range_answer(&self, body: &str, program: &Program, width: Width, first: i128) -> Result<(), GpuError> {
        if width < program.least_width(first, first + i128::from(VALUES - 1)) {
            return Ok(());
        }
        let answer = check_in_one_dispatch(self, program, width, first, VALUES)?;
        let (mut sum, mut first_false, mut left) = (0_u128, None, 0);
        for value in first..=first + i128::from(VALUES - 1) {
            match range_check(program, width, value) {
                Some((is_true, term)) => {
                    sum = sum.wrapping_add(term);
                    first_false = first_false.or(Some(value).filter(|_| !is_true));
                }
                None => left += 1,
            }
        }
        if (answer.sum, answer.first_false, answer.left) == (sum, first_false, left) {
            return Ok(());
        }
        let difference = format!(
            "{VALUES} values from {first} of `{body}` in {} words gave {answer:x?}, and should give the sum {sum:x}, the \
             first false value {first_false:?} and {left} left",
            width.words()
        );
        Err(self.wrong(Shader::RangeCheck, difference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answers_cover_both_kernels_and_all_that_can_become_of_a_value() {
        let programs = BODIES.map(|body| {
            Program::compile(&parse_body(body, "n").expect("a body")).expect("a body that has a kernel")
        });
        assert_eq!(programs.each_ref().map(Program::uses_number_theory), [false, true]);
        for program in &programs {
            let answers: Vec<_> = FIRSTS
                .into_iter()
                .flat_map(|first| first..=first + i128::from(VALUES - 1))
                .map(|value| range_check(program, Width::Four, value).map(|(is_true, _)| is_true))
                .collect();
            for kind in [None, Some(true), Some(false)] {
                assert!(answers.contains(&kind), "{kind:?}");
            }
        }
    }
}
