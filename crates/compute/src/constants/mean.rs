//! The arithmetic-geometric mean of two numbers (Gauss, 1799): the number of right digits doubles with every step.

use rayon::join;

use crate::control::{Interrupted, Site};

use super::fixed::{Fixed, Reals};

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
    let (mut a, mut b) = (a.value.clone(), b.value.clone());
    let mut steps = 0_u64;
    loop {
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
    }
}
