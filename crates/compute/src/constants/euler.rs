//! e in two ways: the sum of 1 / k!, and Euler's regular continued fraction `[2; 1, 2, 1, 1, 4, 1, 1, 6, 1, …]`.

use rayon::join;
use rug::{Integer, ops::Pow};

use crate::control::{Cancelled, Control};

use super::{
    enclosure::{Enclosure, quotient},
    progress::Progress,
    splitting::{Series, sum},
};

/// Nodes of fewer triples stay on one thread.
const PARALLEL_TRIPLES: u64 = 512;
/// Triples that are multiplied one after the other.
const BLOCK_TRIPLES: u64 = 8;

/// `1 / k!` as a product of `1 / i`.
struct Factorials;

impl Series for Factorials {
    fn numerator(&self, _k: u64) -> Integer {
        Integer::from(1)
    }

    fn denominator(&self, k: u64) -> Integer {
        Integer::from(k)
    }

    fn divisor(&self, _k: u64) -> u64 {
        1
    }
}

/// e as `1 + sum of 1 / k!`, in units of `2^-bits`.
///
/// The terms after `N` add less than `2 / (N + 1)! < 2^(1 - bits - 8)` ([`factorial_terms`]): the sum is too small by
/// less than `2^-7` units. The quotient is cut to `bits + 16` leading bits (off by less than `e 2^(-14 - bits)`) and
/// rounded down. So e lies in `(v - 1, v + 2)` with `v` the result.
pub(super) fn e_by_factorial_series(bits: u32, control: &Control) -> Result<Enclosure, Cancelled> {
    let terms = factorial_terms(1, u64::from(bits) + 8);
    let series = control.phase("binary splitting", || sum(&Factorials, (1, terms + 1), control, (0, 740)))?;
    let low = control.phase("division and root", || {
        let numerator = series.t + &series.q;
        quotient(numerator, series.q, u64::from(bits), u64::from(bits) + 16)
    });
    control.set_permille(880);
    Ok(Enclosure { low: low - 1, width: 3 })
}

/// An `N` with `scale^N N! >= 2^bits`, close to the smallest.
///
/// `N! > (N / e)^N`, so `N (log2(scale N) - 1.4427) >= bits` is enough, counted in 1/10,000 bits. The logarithm comes
/// from `(scale N)^64`, an exact integer: rounded down, and the same on every machine.
fn factorial_terms(scale: u32, bits: u64) -> u64 {
    let log2_e4 = |n: u64| {
        let power = Integer::from(n * u64::from(scale)).pow(64);
        (u64::from(power.significant_bits()) - 1) * 10_000 / 64
    };
    let enough = |n: u64| n * log2_e4(n).saturating_sub(14_428) >= bits * 10_000;
    let mut high = 16;
    while !enough(high) {
        high *= 2;
    }
    let mut low = high / 2;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// e by its continued fraction, in units of `2^-bits`.
///
/// After the leading 2 the partial quotients come in triples `1, 2k, 1`, `k = 1, 2, …`. Every convergent `p / q` has
/// `|e - p / q| < 1 / q^2`. A triple multiplies the denominator by more than `2k`, so after `K` of them
/// `q >= 2^K K!`, and with `2^K K! >= 2^(bits / 2 + 1)` the convergent is off by less than a quarter of a unit.
/// Its quotient is rounded down. So e lies in `(v - 1, v + 2)` with `v` the result.
pub(super) fn e_by_continued_fraction(bits: u32, control: &Control) -> Result<Enclosure, Cancelled> {
    let triples = factorial_terms(2, u64::from(bits) / 2 + 2);
    let [above, _, below, _] = control.phase("product tree", || {
        let progress = Progress::tree(control, triples, 0, 700);
        triples_product(1, triples + 1, Columns::First, &progress)
    })?;
    let low = control.phase("division and root", || {
        // [2; x] = 2 + 1 / x, and x = above / below is the fraction of the triples.
        let numerator = Integer::from(&above << 1_u32) + below;
        (numerator << bits) / above
    });
    control.set_permille(850);
    Ok(Enclosure { low: low - 1, width: 3 })
}

/// A matrix of two rows and two columns, row by row: `[a, b, c, d]` is `(a b; c d)`.
type Matrix = [Integer; 4];

/// How much of a product is needed: its second column only matters to what follows on the right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Columns {
    First,
    Both,
}

/// The product of the matrices `(x 1; 1 0)` over the partial quotients `1, 2k, 1` for `from <= k < to`.
///
/// Its first column is numerator and denominator of the continued fraction `[1; 2 from, 1, 1, …]`.
fn triples_product(
    from: u64,
    to: u64,
    columns: Columns,
    progress: &Progress<'_>,
) -> Result<Matrix, Cancelled> {
    let triples = to - from;
    if triples <= BLOCK_TRIPLES {
        let mut product = triple(from);
        for k in from + 1..to {
            product = times(&product, &triple(k), Columns::Both, false);
        }
        return Ok(product);
    }
    let middle = from + triples / 2;
    let parallel = triples >= PARALLEL_TRIPLES;
    let left = || triples_product(from, middle, Columns::Both, progress);
    let right = || triples_product(middle, to, columns, progress);
    let (left, right) = if parallel { join(left, right) } else { (left(), right()) };
    let (left, right) = (left?, right?);
    progress.merged(triples)?;
    Ok(times(&left, &right, columns, parallel))
}

/// `(1 1; 1 0)(2k 1; 1 0)(1 1; 1 0) = (2k+2 2k+1; 2k+1 2k)`.
fn triple(k: u64) -> Matrix {
    [2 * k + 2, 2 * k + 1, 2 * k + 1, 2 * k].map(Integer::from)
}

/// The product of two matrices; the second column stays zero if nobody needs it.
fn times(left: &Matrix, right: &Matrix, columns: Columns, parallel: bool) -> Matrix {
    let [a, b, c, d] = left;
    let column = |x: &Integer, y: &Integer| {
        let upper = || Integer::from(a * x) + Integer::from(b * y);
        let lower = || Integer::from(c * x) + Integer::from(d * y);
        if parallel { join(upper, lower) } else { (upper(), lower()) }
    };
    let (first_upper, first_lower) = column(&right[0], &right[2]);
    let (second_upper, second_lower) = match columns {
        Columns::Both => column(&right[1], &right[3]),
        Columns::First => (Integer::new(), Integer::new()),
    };
    [first_upper, second_upper, first_lower, second_lower]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residues::{HypergeometricSeries, StretchResidues, random_primes, series_residues};

    #[test]
    fn the_sum_has_the_residues_of_the_same_series_as_data() {
        let control = Control::default();
        let primes = random_primes(b"euler", 3);
        for terms in [1, 8, 9, 5000] {
            let exact = sum(&Factorials, (1, terms + 1), &control, (0, 1000)).unwrap();
            let sums = series_residues(&HypergeometricSeries::factorials(), 1..terms + 1, &primes, &control)
                .unwrap();
            for (prime, found) in primes.iter().zip(sums) {
                let (q, t) = (prime.residue(&exact.q), prime.residue(&exact.t));
                assert_eq!(found, StretchResidues { p: 1, q, b: 1, t });
            }
        }
    }
}
