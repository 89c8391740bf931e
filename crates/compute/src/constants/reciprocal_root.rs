//! The square root of a small integer by Newton's iteration for `1 / sqrt(n)`, which never divides by a long number.
//!
//! For one machine word under the root this takes two thirds of the time of GMP's general square root.

use rug::Integer;

use crate::control::{Interrupted, Site};

use super::long::{Checks, Long};

/// `sqrt(n) * 2^bits` within one unit either way: the result `s` satisfies `|s - sqrt(n) 2^bits| < 1 + 2^-10`.
///
/// For `1 <= n < 2^32`. Write `y = (1 + e) / sqrt(n)` for an approximation of the reciprocal root, `w` for the bits
/// behind its point, and `E(w)` for the bound `|e| <= 2^(20 - w)` that is kept all the way.
///
/// *Start.* `y` is `floor(sqrt(2^(2w) / n)) / 2^w`, so it is less than `2 / 2^w` too small (the division inside the
/// root loses less than 1, the root less than 1); relative to `1 / sqrt(n) > 2^-16` that is `|e| < 2^(17 - w)`.
///
/// *Step.* From `w` to `v <= 2w - 24` bits: `d = 1 - n y^2` exactly, `y' = y + y d / 2`. Then `d = -2e - e^2` and
/// `y' sqrt(n) = (1 + e)(1 - e - e^2 / 2) = 1 - 3 e^2 / 2 - e^3 / 2`, so the new error is below `2 e^2 <= 2^(41 - 2w)
/// <= 2^(17 - v)`. Cutting `d` to `v` bits, `y d / 2` to `v` bits: each loses less than `2^-v` absolutely (`y <= 1`),
/// together `2^(1 - v)`, relative to `1 / sqrt(n) > 2^-16` below `2^(17 - v)`. The sum is below `2^(18 - v)`: `E(v)`.
///
/// *Last step.* `s0 = n y`, so `s0 = sqrt(n) (1 + e)` exactly, `r = n - s0^2` exactly, and the result is
/// `s = s0 + r y / 2`. `r = -n (2e + e^2)`, so `s / sqrt(n) - 1 = e - (e + e^2 / 2)(1 + e) = -3 e^2 / 2 - e^3 / 2`:
/// below `2 e^2 <= 2^(41 - 2w)`. With `2w >= bits + 68` that is below `2^(-27 - bits)`, times `sqrt(n) < 2^16` below
/// `2^(-11 - bits)`. Rounding `r y / 2` down to `bits` bits loses less than one unit, and so does `s0`, but they are
/// added before they are cut.
///
/// What comes off by the way tells an auditor that all this was done: see [`Steps`].
pub(super) fn square_root(n: u32, bits: u64, checks: &Checks<'_>) -> Result<(Long, Steps), Interrupted> {
    let site = Site::Root;
    let small = checks.short(n);
    let widths = widths(bits);
    let mut width = widths[0];
    let one = |places: u64| checks.shifted(site, &checks.short(1), places);
    let mut inverse = checks.short(((Integer::from(1) << super::enclosure::shift(2 * width)) / n).sqrt());
    for &next in &widths[1..] {
        checks.control().check()?;
        // d * 2^(2w), then cut to v bits behind the point.
        let square = checks.product(site, &checks.square(site, &inverse)?, &small)?;
        let defect = checks.sum(site, (&one(2 * width)?, 0), &square, true)?;
        let defect = moved(checks, &defect, 2 * width, next)?;
        // y d / 2 has w + v bits behind the point, and one more for the half.
        let change = moved(checks, &checks.product(site, &defect, &inverse)?, width + next + 1, next)?;
        inverse = checks.sum(site, (&inverse, next - width), &change, false)?;
        width = next;
    }
    checks.control().check()?;
    let root = checks.product(site, &inverse, &small)?;
    let square = checks.square(site, &root)?;
    let defect = checks.sum(site, (&small, 2 * width), &square, true)?;
    drop(square);
    checks.control().check()?;
    // r y / 2 has 3 w bits behind the point, and one more for the half; s0 has w.
    let point = bits.max(width);
    let step = checks.product(site, &defect, &inverse)?;
    let (change, lost) = checks.split(site, &step, 3 * width + 1 - point)?;
    drop(step);
    let sum = checks.sum(site, (&root, point - width), &change, false)?;
    let sum = if point == bits { sum } else { moved(checks, &sum, point, bits)? };
    Ok((sum, Steps { width, inverse, defect, lost }))
}

/// The last step of a root: with `w` the width, `s0 = n y`, `defect = n 4^w - s0^2`, and
/// `defect y = change 2^(3w + 1 - bits) + lost`; the root is `s0 2^(bits - w) + change`, if there are as many bits.
pub(super) struct Steps {
    pub(super) width: u64,
    /// y.
    pub(super) inverse: Long,
    pub(super) defect: Long,
    pub(super) lost: Long,
}

/// The bits behind the point of the successive reciprocal roots, ascending; the last satisfies `2w >= bits + 68`, and
/// each `v` follows a `w` with `v <= 2w - 24`.
fn widths(bits: u64) -> Vec<u64> {
    let mut widths = vec![bits.div_ceil(2) + 34];
    while let Some(&last) = widths.last().filter(|&&last| last > 128) {
        widths.push(last.div_ceil(2) + 12);
    }
    widths.reverse();
    widths
}

/// Moves the point of a number from `from` to `to` bits, rounding down.
fn moved(checks: &Checks<'_>, number: &Long, from: u64, to: u64) -> Result<Long, Interrupted> {
    if from >= to {
        checks.cut(Site::Root, number, from - to)
    } else {
        checks.shifted(Site::Root, number, to - from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Control;

    #[test]
    fn the_newton_root_is_within_one_unit_of_the_exact_one() {
        let control = Control::default();
        let checks = Checks::new(&control, b"root");
        for n in [1, 2, 3, 4, 5, 99, 10_005, 65_535, 65_536, u32::MAX - 1, u32::MAX] {
            for bits in (0_u32..400).chain([1_000, 5_000, 12_345, 70_001]) {
                let (root, _) = square_root(n, bits.into(), &checks).unwrap();
                let exact = (Integer::from(n) << (2 * bits)).sqrt();
                let off = Integer::from(root.value() - &exact);
                assert!(off.clone().abs() <= 1, "sqrt({n}) at {bits} bits is {off} off");
            }
        }
    }
}
