//! pi by the arithmetic-geometric mean: the number of right digits doubles with every step (Salamin and Brent, 1976).
//!
//! With `a_0 = 1`, `b_0 = 1 / sqrt(2)`, `a_{j+1} = (a_j + b_j) / 2`, `b_{j+1} = sqrt(a_j b_j)`, common limit `M`, and
//! `d_j = (a_j - b_j) / 2`, Legendre's relation gives exactly
//!
//! ```text
//! pi = M^2 / t        with        t = 1/4 - sum over j >= 0 of 2^j d_j^2
//! ```
//!
//! Squares are carried instead of products (`A = a^2`, `B = b^2`): `B' = a b = 2 A' - (A + B) / 2` and
//! `d^2 = A' - B'`, so a step is one square root and one squaring.

use std::time::{Duration, Instant};

use crate::{
    checkpoint::PieceFault,
    control::{Interrupted, Site},
};

use super::{
    fixed::{Fixed, Reals},
    keeping::{self, Keeping, Kept},
    long::{Checks, Long},
    progress::Progress,
};

/// pi, in units of `2^-bits`.
///
/// *Convergence.* `d_{j+1} (a_{j+1} + b_{j+1}) * 2 = a_{j+1}^2 - b_{j+1}^2 = d_j^2`, and `a, b > 0.84` after the first
/// step, so `d_{j+1} < d_j^2 / 3.3`. With `L_j = -log2(d_j)`: `L_0 > 2.77` and `L_{j+1} > 2 L_j + 1.7`, so by induction
/// `L_j > 2^(j+2) - 1.7`. After `n` steps `t` lacks `sum over j >= n of 2^j d_j^2 < 2^(n+1) d_n^2`, and `M` lies between
/// `b_{n+1}` and `a_{n+1}`, which are `2 d_{n+1} < d_n^2` apart. As `M < 0.8473` and `t > 0.228`, `a_{n+1}^2 / t_n`
/// differs from pi by less than `2 * 0.86 * d_n^2 / 0.228 + 3.2 * 2^(n+1) d_n^2 / 0.228 < 2^(n+6) d_n^2
/// < 2^(n + 10 - 2^(n+3))`. With `2^(n+3) >= bits + n + 14` that is below `2^(-bits - 4)`.
///
/// *Rounding.* All in units of `2^-w`. Let `e_j >= 1` bound the errors of `a, A, B` after `j` steps; `e_0 = 1`. The root:
/// `b > 0.7`, so it is off by less than `e / 1.4 + 1`. Then `a'`: `(e + e / 1.4 + 1) / 2 + 1 < 2.4 e`. `A'`: `2 a' < 1.8`
/// times that, plus 1 and the negligible square: `< 5.4 e`. `B'`: `2 * 5.4 e + e + 1 < 12.9 e`. So `e_j <= 16^j`. A step
/// changes `t` by `2^j (A' - B')`, off by less than `2^j * 18.3 e_j <= 18.3 * 32^j`; all of them by less than `32^n`. At
/// the end the mean is off by less than `2.4 * 16^n`, its square by less than `5.4 * 16^n`, and the quotient by less
/// than `(5.4 * 16^n + 3.2 * 32^n) / 0.22 + 1 < 2^(5n + 6)`. With `w = bits + 5n + 16` that is below `2^-10` of a unit.
///
/// So the result is off by less than 2 units of `2^-bits`.
pub(super) fn pi(reals: &Reals<'_, '_>) -> Result<Fixed, Interrupted> {
    let (checks, control) = (reals.checks, reals.checks.control());
    let steps = steps(reals.bits);
    let width = reals.bits + 5 * u64::from(steps) + 16;
    let site = Site::Arithmetic;
    let power = |exponent| checks.shifted(site, &checks.short(1), exponent);
    let (a, b, t) = control.phase("iteration", || {
        let progress = Progress::sequence(control, u64::from(steps), 0, 850);
        let keeping = Keeping::new(checks, "mean of Gauss and Legendre", format_args!("{width} bits"));
        let (begun, [mut a, mut a_square, mut b_square, mut t]) = match taken(&keeping, width, checks) {
            Some(taken) => taken,
            None => (0, [power(width)?, power(width)?, power(width - 1)?, power(width - 2)?]),
        };
        let mut lost = Duration::ZERO;
        progress.merged(begun)?;
        for step in u32::try_from(begun).unwrap_or(steps)..steps {
            let started = Instant::now();
            progress.merged(1)?;
            let sum = checks.sum(site, (&a, 0), &root(&b_square, width, checks)?, false)?;
            a = checks.cut(site, &sum, 1)?;
            control.check()?;
            let squares = checks.cut(site, &checks.sum(site, (&b_square, 0), &a_square, false)?, 1)?;
            a_square = checks.cut(site, &checks.square(site, &a)?, width)?;
            // B' = 2 A' - (A + B) / 2
            b_square = checks.sum(site, (&a_square, 1), &squares, true)?;
            let gap = checks.sum(site, (&b_square, 0), &a_square, true)?;
            t = checks.sum(site, (&gap, u64::from(step)), &t, false)?;
            lost += started.elapsed();
            let state = keeping::exact([&a, &a_square, &b_square, &t]);
            let kept = || Kept { words: Vec::new(), numbers: state.iter().collect() };
            keeping.keep(((0, u64::from(step) + 1), false), &mut lost, kept);
        }
        drop(a_square);
        Ok::<_, Interrupted>((a, root(&b_square, width, checks)?, t))
    })?;
    control.check()?;
    let quotient = control.phase("division and root", || {
        let mean = checks.cut(site, &checks.sum(site, (&a, 0), &b, false)?, 1)?;
        checks.quotient(Site::Division, &checks.square(site, &mean)?, &t)
    })?;
    control.set_permille(880);
    let value = checks.cut(site, &quotient, width - reals.bits)?;
    Ok(Fixed { value, error: 2 })
}

/// How many steps an earlier run has made, and what it had then.
fn taken(keeping: &Keeping<'_>, width: u64, checks: &Checks<'_>) -> Option<(u64, [Long; 4])> {
    let steps = keeping.furthest()?;
    let state = keeping.take((0, steps), (width + 64, 0), checks, |taken| {
        let state = taken.numbers()?;
        // All four are from 1/5 to 1, and whole.
        let is_sound = |number: &super::number::Number| {
            let bits = number.mantissa.bits();
            number.is_exact() && number.exponent == 0 && (width - 3..=width + 1).contains(&bits)
        };
        if state.iter().all(is_sound) {
            Ok(state.map(|number| number.mantissa))
        } else {
            Err(PieceFault::Wrong)
        }
    })?;
    Some((steps, state))
}

/// The square root of a number with `width` bits behind its point, rounded down.
fn root(square: &Long, width: u64, checks: &Checks<'_>) -> Result<Long, Interrupted> {
    checks.square_root(&checks.shifted(Site::Root, square, width)?)
}

/// The smallest `n` with `2^(n+3) >= bits + n + 14`.
fn steps(bits: u64) -> u32 {
    let mut steps = 1;
    while (1_u64 << (steps + 3)) < bits + u64::from(steps) + 14 {
        steps += 1;
    }
    steps
}
