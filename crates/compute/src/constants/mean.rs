//! The arithmetic-geometric mean of two numbers (Gauss, 1799): the number of right digits doubles with every step.

use std::time::{Duration, Instant};

use rayon::join;

use crate::{
    checkpoint::PieceFault,
    control::{Interrupted, Site},
};

use super::{
    fixed::{Fixed, Reals},
    keeping::{self, Keeping, Kept},
    long::Long,
    number::Number,
};

/// The mean of `a >= b`, both between 1/2 and 2 and with errors of some units.
///
/// *Convergence.* `a' - b' = (a - b)^2 / (2 (sqrt(a) + sqrt(b))^2) < (a - b)^2 / 4`, and the mean lies between `b'` and
/// `a'`. Once `a - b <= 2^(-bits / 2)` the next two are less than half a unit apart.
///
/// *Rounding.* Both means are homogeneous of degree 1 and grow with both numbers: if `a` and `b` are off by factors within
/// `1 ± r`, so are their means. So the relative error does not grow but for the rounding of each step, of at most
/// 2 units in a number that is 1/2 or more: `r < (E + 4 n) 2^(1 - bits)` after `n` steps, and the mean, below 2, is off
/// by less than `4 (E + 4 n + 1)` units with what the convergence lacks.
pub(super) fn mean(a: &Fixed, b: &Fixed, reals: &Reals<'_, '_>) -> Result<Fixed, Interrupted> {
    let checks = reals.checks;
    let error = a.error.max(b.error);
    let keeping = {
        let begins = (a.value.form(), b.value.form());
        Keeping::new(checks, "mean of Gauss", format_args!("{begins:?}, {} bits", reals.bits))
    };
    let (mut steps, [mut a, mut b]) =
        taken(&keeping, reals).unwrap_or_else(|| (0, [a.value.clone(), b.value.clone()]));
    let mut lost = Duration::ZERO;
    loop {
        let started = Instant::now();
        checks.control().check()?;
        let gap = checks.sum(Site::Arithmetic, (&a, 0), &b, true)?;
        let is_last = gap.bits() <= reals.bits / 2;
        let arithmetic = || {
            let sum = checks.sum(Site::Arithmetic, (&a, 0), &b, false)?;
            checks.cut(Site::Arithmetic, &sum, 1)
        };
        steps += 1;
        if is_last {
            let error = error.saturating_add(4 * steps + 1).saturating_mul(4);
            return Ok(Fixed { value: arithmetic()?, error });
        }
        let geometric = || checks.square_root(&checks.product(Site::Arithmetic, &a, &b)?);
        let (next_a, next_b) = join(arithmetic, geometric);
        (a, b) = (next_a?, next_b?);
        lost += started.elapsed();
        let state = keeping::exact([&a, &b]);
        let kept = || Kept { words: Vec::new(), numbers: state.iter().collect() };
        keeping.keep(((0, steps), false), &mut lost, kept);
    }
}

/// How many steps an earlier run has made, and the numbers that it had then.
fn taken(keeping: &Keeping<'_>, reals: &Reals<'_, '_>) -> Option<(u64, [Long; 2])> {
    let steps = keeping.furthest()?;
    let state = keeping.take((0, steps), (reals.bits + 64, 0), reals.checks, |taken| {
        let state = taken.numbers()?;
        // Both are from 1/2 to 2, and whole.
        let is_sound = |number: &Number| {
            let bits = number.mantissa.bits();
            number.is_exact() && number.exponent == 0 && (reals.bits..=reals.bits + 2).contains(&bits)
        };
        if state.iter().all(is_sound) {
            Ok(state.map(|number| number.mantissa))
        } else {
            Err(PieceFault::Wrong)
        }
    })?;
    Some((steps, state))
}
