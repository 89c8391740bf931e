//! Square roots of integers, and the golden ratio, in two ways: one long integer root, and none.

use rug::Integer;

use crate::control::{Cancelled, Control};

use super::{
    enclosure::{Enclosure, quotient, shift},
    splitting::{Series, sum},
};

/// Bits of the numerator of the convergent with which the series starts: more make fewer but longer terms.
const CONVERGENT_BITS: u32 = 62;

/// `sqrt(n)` by one integer root: `floor(sqrt(n 4^bits))` is the root in units of `2^-bits`, less than one too small,
/// and exact for a square.
pub(super) fn by_integer_root(n: u32, bits: u32, control: &Control) -> Result<Enclosure, Cancelled> {
    control.check()?;
    let low = control.phase("division and root", || (Integer::from(n) << shift(2 * u64::from(bits))).sqrt());
    control.set_permille(880);
    Ok(Enclosure { low, width: 1 })
}

/// `(1 + sqrt(5)) / 2` from an enclosure of `sqrt(5)`: halving rounds each end by less than a unit.
pub(super) fn golden_ratio(bits: u32, root: Enclosure) -> Enclosure {
    let Enclosure { low, width } = root;
    Enclosure { low: (low + (Integer::from(1) << bits)) >> 1_u32, width: width / 2 + 1 }
}

/// `sqrt(n)` without any root: a good fraction, and the binomial series for what it lacks.
///
/// Let `p / q` be a convergent of the continued fraction of `sqrt(n)`, so that `p^2 - n q^2 = m` is small (Pell's
/// equation has `m = 1`, but its solution may be huge; any small `m` will do). Then with `z = m / p^2`
///
/// ```text
/// sqrt(n) = p / q * sqrt(1 - z) = p / q * (1 + sum over k >= 1 of c(k) z^k)
/// c(k) = c(k-1) (2k - 3) / (2k),    c(0) = 1
/// ```
///
/// A square has a convergent with `m = 0`, and is exact.
///
/// *Series.* `|c(k)| <= 1/2` and `|z| < 2^-g` with `g = 2 (bits of p - 1) - (bits of m) >= 1`, so the terms after `N`
/// add less than `2^(-g (N + 1))`. With `g (N + 1) >= bits + 24` and `sqrt(n) < 2^16` that is below `2^-8` units.
///
/// *Evaluation.* The quotient is below `2^16.1` and taken from `bits + 32` leading bits: off by less than
/// `2^(16.1 + 2 - 32)` units, and rounded down. So the root lies in `(v - 1, v + 2)` with `v` the result.
pub(super) fn by_pell_series(n: u32, bits: u32, control: &Control) -> Result<Enclosure, Cancelled> {
    let Convergent { p, q, m } = convergent(n);
    if m == 0 {
        // p^2 = n q^2: the root is an integer, and q divides p.
        return Ok(Enclosure { low: (p / q) << bits, width: 0 });
    }
    let gain = (2 * (u64::from(p.significant_bits()) - 1)).saturating_sub(u64::from(m.significant_bits()));
    let terms = (u64::from(bits) + 24).div_ceil(gain.max(1)).max(2);
    let series = Binomial { m, square: Integer::from(p.square_ref()) };
    let sum = control.phase("binary splitting", || sum(&series, (1, terms + 1), control, (0, 700)))?;
    let low = control.phase("division and root", || {
        let numerator = (sum.t + &sum.q) * p;
        quotient(numerator, sum.q * q, u64::from(bits), u64::from(bits) + 32)
    });
    control.set_permille(850);
    Ok(Enclosure { low: low - 1, width: 3 })
}

/// A fraction near the root: `p^2 - n q^2 = m`.
struct Convergent {
    p: Integer,
    q: Integer,
    m: Integer,
}

/// The first convergent of `sqrt(n)` whose numerator has more than [`CONVERGENT_BITS`] bits, or the root itself for a
/// square.
///
/// The partial quotients of a quadratic irrational follow from `x = (s + sqrt(n)) / d` in small integers (`shift`, `divisor`):
/// `a = floor(x)`, `s' = a d - s`, `d' = (n - s'^2) / d`, with `s <= sqrt(n)` and `d <= 2 sqrt(n)` throughout. The one
/// root taken here is that of a machine word, to know `floor(sqrt(n))`.
fn convergent(n: u32) -> Convergent {
    let (radicand, floor_root) = (u64::from(n), u64::from(n.isqrt()));
    let mut p = [Integer::from(1), Integer::from(floor_root)];
    let mut q = [Integer::new(), Integer::from(1)];
    let (mut shift, mut divisor) = (floor_root, radicand - floor_root * floor_root);
    while divisor != 0 && p[1].significant_bits() <= CONVERGENT_BITS {
        let quotient = (floor_root + shift) / divisor;
        for pair in [&mut p, &mut q] {
            pair.swap(0, 1);
            let before = Integer::from(&pair[0] * quotient);
            pair[1] += before;
        }
        shift = quotient * divisor - shift;
        divisor = (radicand - shift * shift) / divisor;
    }
    let ([_, p], [_, q]) = (p, q);
    let m = Integer::from(p.square_ref()) - Integer::from(q.square_ref()) * n;
    Convergent { p, q, m }
}

/// The binomial series of `sqrt(1 - m / p^2)` without its leading 1, as products of `(2k - 3) m / (2k p^2)`.
struct Binomial {
    m: Integer,
    square: Integer,
}

impl Series for Binomial {
    fn numerator(&self, k: u64) -> Integer {
        Integer::from(&self.m * (2 * k)) - Integer::from(&self.m * 3_u32)
    }

    fn denominator(&self, k: u64) -> Integer {
        Integer::from(&self.square * (2 * k))
    }

    fn divisor(&self, _k: u64) -> u64 {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn convergents_of_every_kind_of_radicand_are_good_and_short() {
        let hard =
            [1_u32, 2, 3, 4, 61, 109, 181, 4_729_494, 65_535, 65_536, 4_294_836_225, u32::MAX - 1, u32::MAX];
        for n in hard.into_iter().chain((0..500).map(|i| i * 8_589_931 + 7)) {
            let Convergent { p, q, m } = convergent(n);
            assert_eq!(Integer::from(p.square_ref()), Integer::from(q.square_ref()) * n + &m);
            let square = u64::from(n.isqrt()) * u64::from(n.isqrt()) == u64::from(n);
            assert_eq!(m == 0, square, "{n}");
            assert!(m.significant_bits() <= 18, "{n}: {m}");
            assert!(square || (63..=64 + 17).contains(&p.significant_bits()), "{n}: {p}");
        }
    }
}
