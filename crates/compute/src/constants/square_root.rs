//! Square roots of integers, and the golden ratio, in two ways: one long integer root, and none.

use protocol::series::{Factor, Hypergeometric, Polynomial, Ratio, SeriesFormula, Summand};
use rug::Integer;

use super::{
    DigitsError,
    fixed::{Fixed, Reals},
    formula,
};

/// Bits of the numerator of the convergent with which the series starts: more make fewer but longer terms.
const CONVERGENT_BITS: u32 = 30;

/// `sqrt(n)` by one integer root: `floor(sqrt(n 4^bits))` is the root in units of `2^-bits`, less than one too small,
/// and exact for a square.
pub(super) fn by_integer_root(n: u32, reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    let control = reals.checks.control();
    let mut root = control.phase("division and root", || reals.square_root(&reals.integer(n.into())?))?;
    if is_square(n) {
        root.error = 0;
    }
    control.set_permille(880);
    Ok(root)
}

fn is_square(n: u32) -> bool {
    u64::from(n.isqrt()) * u64::from(n.isqrt()) == u64::from(n)
}

/// `(1 + sqrt(5)) / 2` from `sqrt(5)`.
pub(super) fn golden_ratio(root: &Fixed, reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    Ok(reals.scaled(&reals.sum(root, &reals.integer(1)?, false)?, -1)?)
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
pub(super) fn by_pell_series(n: u32, reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    match pell_series(n) {
        Some(series) => formula::value(&series, reals),
        None => Ok(reals.integer(n.isqrt().into())?),
    }
}

/// The series of [`by_pell_series`]; none for a square.
pub(super) fn pell_series(n: u32) -> Option<SeriesFormula> {
    let Convergent { p, q, m } = convergent(n);
    if m == 0 {
        return None;
    }
    let [p, q, m] = [p, q, m].map(|number| number.to_i128_wrapping());
    let linear = |constant, slope| Factor { coefficients: vec![constant, slope], power: 1 };
    let series = Hypergeometric {
        first: 1,
        plus: 1,
        p: Polynomial { constant: m, factors: vec![linear(-3, 2)] },
        q: Polynomial { constant: 2 * p * p, factors: vec![linear(0, 1)] },
        a: Polynomial::constant(1),
        b: Polynomial::constant(1),
    };
    // Of both there are at most 48 bits.
    let times = Ratio {
        numerator: i64::try_from(p).unwrap_or(i64::MAX),
        denominator: u64::try_from(q).unwrap_or(u64::MAX),
    };
    Some(SeriesFormula::sum_of(vec![Summand { times, series }]))
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
            assert!(square || (31..=47).contains(&p.significant_bits()), "{n}: {p}");
        }
    }
}
