//! e by Euler's regular continued fraction `[2; 1, 2, 1, 1, 4, 1, 1, 6, 1, …]`, a product tree of matrices.

use std::time::{Duration, Instant};

use rayon::join;
use rug::{Integer, ops::Pow};

use crate::{
    checkpoint::PieceFault,
    control::{Interrupted, Site},
};

use super::{
    fixed::{Fixed, Reals},
    keeping::{self, KEPT_TERMS_MIN, Keeping, Kept, Taken},
    long::{Checks, Long},
    progress::Progress,
};

/// Nodes of fewer triples stay on one thread.
const PARALLEL_TRIPLES: u64 = 512;
/// Triples that are multiplied one after the other.
const BLOCK_TRIPLES: u64 = 8;

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

/// e by its continued fraction.
///
/// After the leading 2 the partial quotients come in triples `1, 2k, 1`, `k = 1, 2, …`. Every convergent `p / q` has
/// `|e - p / q| < 1 / q^2`. A triple multiplies the denominator by more than `2k`, so after `K` of them
/// `q >= 2^K K!`, and with `2^K K! >= 2^(bits / 2 + 1)` the convergent is off by less than a quarter of a unit.
/// Its quotient is rounded down. So e is off by less than 2 units.
pub(super) fn e_by_continued_fraction(reals: &Reals<'_, '_>) -> Result<Fixed, Interrupted> {
    let (checks, control) = (reals.checks, reals.checks.control());
    let triples = factorial_terms(2, reals.bits / 2 + 2);
    let [above, _, below, _] = control.phase("product tree", || {
        let progress = Progress::tree(control, triples, 0, 700);
        let keeping = Keeping::new(checks, "continued fraction", format_args!("{triples} triples"));
        let tree = Triples { checks, progress, keeping };
        Ok::<_, Interrupted>(tree.product((1, triples + 1), Columns::First)?.0)
    })?;
    let value = control.phase("division and root", || {
        // [2; x] = 2 + 1 / x, and x = above / below is the fraction of the triples.
        let numerator = checks.sum(Site::Arithmetic, (&above, 1), &below, false)?;
        let numerator = checks.shifted(Site::Division, &numerator, reals.bits)?;
        checks.quotient(Site::Division, &numerator, &above)
    })?;
    control.set_permille(850);
    Ok(Fixed { value, error: 2 })
}

/// A matrix of two rows and two columns, row by row: `[a, b, c, d]` is `(a b; c d)`.
type Matrix = [Long; 4];

/// How much of a product is needed: its second column only matters to what follows on the right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Columns {
    First,
    Both,
}

/// The tree of the triples.
struct Triples<'t, 'c> {
    checks: &'t Checks<'c>,
    progress: Progress<'t>,
    keeping: Keeping<'c>,
}

impl Triples<'_, '_> {
    /// The product of the matrices `(x 1; 1 0)` over the partial quotients `1, 2k, 1` for `from <= k < to`, and how long it
    /// took without what is kept of it.
    ///
    /// Its first column is numerator and denominator of the continued fraction `[1; 2 from, 1, 1, …]`.
    fn product(&self, (from, to): (u64, u64), columns: Columns) -> Result<(Matrix, Duration), Interrupted> {
        let (checks, triples) = (self.checks, to - from);
        let started = Instant::now();
        if triples <= BLOCK_TRIPLES {
            let mut product = triple(from, checks);
            for k in from + 1..to {
                product = times(&product, &triple(k, checks), Columns::Both, (Site::Leaf, checks), false)?;
            }
            return Ok((product, started.elapsed()));
        }
        let is_kept = triples >= KEPT_TERMS_MIN;
        if is_kept && let Some(product) = self.take((from, to), columns) {
            self.progress.skipped(triples)?;
            return Ok((product, Duration::ZERO));
        }
        let middle = from + triples / 2;
        let parallel = triples >= PARALLEL_TRIPLES;
        let left = || self.product((from, middle), Columns::Both);
        let right = || self.product((middle, to), columns);
        let (left, right) = if parallel { join(left, right) } else { (left(), right()) };
        let ((left, left_lost), (right, right_lost)) = (left?, right?);
        let started = Instant::now();
        self.progress.merged(triples)?;
        let product = times(&left, &right, columns, (Site::Merge, checks), parallel)?;
        let mut lost = left_lost + right_lost + started.elapsed();
        if is_kept {
            let numbers = keeping::exact(product.each_ref());
            let kept = || Kept { words: Vec::new(), numbers: numbers.iter().collect() };
            // The left half of anything wants both columns, the whole does not.
            let is_whole = from == 1 && columns == Columns::First;
            self.keeping.keep(((from, to), is_whole), &mut lost, kept);
        }
        Ok((product, lost))
    }

    /// The product that an earlier run left.
    fn take(&self, (from, to): (u64, u64), columns: Columns) -> Option<Matrix> {
        let length = u64::from(u64::BITS - to.leading_zeros());
        let bits_max = (to - from).saturating_mul(length + 4).saturating_add(128);
        self.keeping.take((from, to), (bits_max, 0), self.checks, |taken| {
            if !is_product(&taken, (from, to), columns) {
                return Err(PieceFault::Wrong);
            }
            Ok(taken.numbers()?.map(|number| number.mantissa))
        })
    }
}

/// Whether the numbers are those of the triples multiplied one by one modulo a prime.
fn is_product(taken: &Taken, (from, to): (u64, u64), columns: Columns) -> bool {
    let prime = taken.prime();
    let one = prime.one();
    let mut rows = [[one, 0], [0, one]];
    for k in from..to {
        let [first, middle, last] = [2 * k + 2, 2 * k + 1, 2 * k].map(|entry| prime.enter(entry));
        let entry = |x: u64, a: u64, y: u64, b: u64| prime.add(prime.product(x, a), prime.product(y, b));
        rows = rows.map(|[x, y]| [entry(x, first, y, middle), entry(x, middle, y, last)]);
    }
    if columns == Columns::First {
        (rows[0][1], rows[1][1]) = (0, 0);
    }
    taken.numbers.iter().map(|number| taken.form(number)).eq(rows.into_iter().flatten())
        && taken.numbers.iter().all(|number| number.is_exact() && number.exponent == 0)
}

/// `(1 1; 1 0)(2k 1; 1 0)(1 1; 1 0) = (2k+2 2k+1; 2k+1 2k)`.
fn triple(k: u64, checks: &Checks<'_>) -> Matrix {
    [2 * k + 2, 2 * k + 1, 2 * k + 1, 2 * k].map(|entry| checks.short(entry))
}

/// The product of two matrices; the second column stays zero if nobody needs it.
fn times(
    left: &Matrix,
    right: &Matrix,
    columns: Columns,
    (site, checks): (Site, &Checks<'_>),
    parallel: bool,
) -> Result<Matrix, Interrupted> {
    let [a, b, c, d] = left;
    let entry = |row: (&Long, &Long), column: (&Long, &Long)| {
        let first = || checks.product(site, row.0, column.0);
        let second = || checks.product(site, row.1, column.1);
        let (first, second) = if parallel { join(first, second) } else { (first(), second()) };
        checks.sum(site, (&first?, 0), &second?, false)
    };
    let column = |x: &Long, y: &Long| {
        let upper = || entry((a, b), (x, y));
        let lower = || entry((c, d), (x, y));
        let (upper, lower) = if parallel { join(upper, lower) } else { (upper(), lower()) };
        Ok::<_, Interrupted>((upper?, lower?))
    };
    let (first_upper, first_lower) = column(&right[0], &right[2])?;
    let (second_upper, second_lower) = match columns {
        Columns::Both => column(&right[1], &right[3])?,
        Columns::First => (checks.short(0), checks.short(0)),
    };
    Ok([first_upper, second_upper, first_lower, second_lower])
}
