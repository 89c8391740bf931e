//! pi by the series of the brothers Chudnovsky, 47 bits a term, summed by binary splitting with common factors removed.
//!
//! With `A = 13591409`, `B = 545140134`, `C = 640320`:
//!
//! ```text
//! 1 / pi = 12 / C^(3/2) * sum over k >= 0 of (-1)^k (6k)! (A + B k) / ((3k)! (k!)^3 C^(3k))
//! ```
//!
//! The quotient of successive terms is `-P(k) / Q(k)` times `(A + B k) / (A + B (k - 1))`, with
//! `P(k) = (6k-5)(2k-1)(6k-1)` and `Q(k) = k^3 C^3 / 24`. A node over the terms `a < k <= b` holds `P / Q`, the product of
//! these, and `T / Q`, the sum of its terms in units of the term before them:
//!
//! ```text
//! P = P1 P2        Q = Q1 Q2        T = T1 Q2 + P1 T2
//! ```
//!
//! Only `P1` and `Q2` meet in `T`, so a divisor of both may be taken out of both without changing either quotient. Both
//! are known by their prime factors ([`super::factors`]), as in Hanhong Xue's `gmp-chudnovsky.c`; unlike there, the
//! factors of leaves are gathered a block at a time, and the powers of two of `Q` are kept apart, as a shift.

use protocol::limits::DECIMALS_MAX;
use rayon::join;
use rug::Integer;

use crate::control::{Cancelled, Control};

use super::{
    enclosure::{Enclosure, quotient, shift},
    factors::{Factors, Sieve},
    progress::Progress,
    reciprocal_root::square_root,
};

const A: u64 = 13_591_409;
const B: u64 = 545_140_134;
/// `Q(k) = k^3 * C^3 / 24 = k^3 * 2^15 * 10005^2 * 3335`.
const Q_SHIFT: u64 = 15;
const Q_ODD_SQUARE: u64 = 10_005 * 10_005;
const Q_ODD_REST: u64 = 3_335;
/// The odd primes of `C^3 / 24 = 2^15 * 3^2 * 5^3 * 23^3 * 29^3`.
const Q_PRIMES: [(u32, u32); 4] = [(3, 2), (5, 3), (23, 3), (29, 3)];

/// The word sizes in [`block`] and the sieve rest on this.
const _: () = assert!(DECIMALS_MAX <= 1_000_000_000);

/// Terms that are summed one after the other.
const BLOCK_TERMS: u32 = 32;
/// Nodes of fewer terms stay on one thread.
const PARALLEL_TERMS: u32 = 512;
/// Nodes nearer to the root than this keep their common factors: there a division costs more than it saves.
const CANCEL_DEPTH: u32 = 4;

/// pi, in units of `2^-bits`.
///
/// *Series.* Since `P(k) < 72 k^3`, `P(k) / Q(k) < 24 * 72 / C^3 = 53360^-3 < 2^-47.11`, so the term
/// of index `k` is below `(A + B k) 2^(-47.11 k)`. The terms alternate and decrease, so what the terms above `N` add is
/// below the first of them, and the sum is at least `A - 1`. With `(A + B (N + 1)) / (A - 1) < 42 (N + 1) < 2^38` for
/// `N < 2^32`, cutting the sum after `N` terms changes pi by a factor `1 + r`, `|r| < 2^(38 - 47.11 (N + 1))`; with
/// `47.11 (N + 1) >= bits + 48`, `|r| < 2^(-bits - 10)`.
///
/// *Evaluation.* pi = 426880 sqrt(10005) Q / (A Q + T). The quotient is 0.0314…, taken to `bits + 32` bits from
/// `bits + 40` leading bits: off by less than `1.01 * 2^(-bits - 32)`. The root is 100.02…, to `bits + 16` bits: off by
/// less than `1.01 * 2^(-bits - 16)`. So the product is off by less than `102 * 2^(-bits - 32) + 2^(-bits - 20)`, below
/// `2^(-bits - 19)`, and the series by `4 * 2^(-bits - 10)`. Together less than `2^-7` units.
///
/// So with `v` the product in units of `2^-bits`, pi lies in `(v - 1, v + 1)` and in
/// `[floor(v) - 1, floor(v) + 2]`.
pub(super) fn pi(bits: u32, control: &Control) -> Result<Enclosure, Cancelled> {
    let terms = terms(bits);
    let sieve = control.phase("sieve", || Sieve::new((6 * terms).max(64)));
    control.set_permille(10);
    let sum = control.phase("binary splitting", || {
        let progress = Progress::tree(control, u64::from(terms), 10, 740);
        let series = Series { sieve: &sieve, progress };
        series.split(Range { after: 0, to: terms, depth: 0 }, Wanted { p: false, factors: false })
    })?;
    drop(sieve);
    let (ratio, root) = control.phase("division and root", || {
        let Node { q, q_shift, t, .. } = sum;
        let (ratio, root) = join(
            || {
                let denominator = (Integer::from(&q * A) << shift(q_shift)) + t;
                let numerator = q * 426_880_u32;
                quotient(numerator, denominator, u64::from(bits) + 32 + q_shift, u64::from(bits) + 40)
            },
            || square_root(10_005, bits + 16, control),
        );
        Ok::<_, Cancelled>((ratio, root?))
    })?;
    control.check()?;
    control.set_permille(860);
    let product = control.phase("multiplication", || (ratio * root) >> (bits + 48));
    control.set_permille(880);
    Ok(Enclosure { low: product - 1, width: 3 })
}

/// The smallest `N >= 1` with `47.11 (N + 1) >= bits + 48`.
fn terms(bits: u32) -> u32 {
    let terms = ((u64::from(bits) + 48) * 100).div_ceil(4711).saturating_sub(1).max(1);
    u32::try_from(terms).unwrap_or(u32::MAX)
}

/// The terms `after < k <= to`, at some depth of the tree.
#[derive(Clone, Copy)]
struct Range {
    after: u32,
    to: u32,
    depth: u32,
}

impl Range {
    fn terms(self) -> u32 {
        self.to - self.after
    }

    /// The later terms are longer, so that the earlier half gets a little more of them (Xue's 0.5224).
    fn halves(self) -> (Self, Self) {
        let first = u64::from(self.terms()) * 5_224 / 10_000;
        let middle = self.after + u32::try_from(first).unwrap_or(0);
        let depth = self.depth + 1;
        (Self { after: self.after, to: middle, depth }, Self { after: middle, to: self.to, depth })
    }
}

/// What the parent needs of a node beyond `Q` and `T`.
#[derive(Clone, Copy)]
struct Wanted {
    p: bool,
    factors: bool,
}

/// A stretch of the series; see the head of this file. `Q` is `q * 2^q_shift` with odd `q`.
struct Node {
    p: Integer,
    q: Integer,
    q_shift: u64,
    t: Integer,
    p_factors: Factors,
    q_factors: Factors,
}

struct Series<'a> {
    sieve: &'a Sieve,
    progress: Progress<'a>,
}

impl Series<'_> {
    /// Sums a stretch. At least one term.
    fn split(&self, range: Range, wanted: Wanted) -> Result<Node, Cancelled> {
        if range.terms() <= BLOCK_TERMS {
            let mut node = block(range);
            if wanted.factors {
                (node.p_factors, node.q_factors) = block_factors(range, self.sieve);
            }
            return Ok(node);
        }
        let (left, right) = range.halves();
        let cancels = range.depth >= CANCEL_DEPTH;
        let wants_left = Wanted { p: true, factors: cancels };
        let wants_right = Wanted { p: wanted.p, factors: cancels };
        let parallel = range.terms() >= PARALLEL_TERMS;
        let (left, right) = if parallel {
            join(|| self.split(left, wants_left), || self.split(right, wants_right))
        } else {
            (self.split(left, wants_left), self.split(right, wants_right))
        };
        let (mut left, mut right) = (left?, right?);
        self.progress.merged(u64::from(range.terms()))?;
        if cancels {
            cancel(&mut left, &mut right, parallel);
        }
        self.progress.merged(0)?;
        let (p_factors, q_factors) = if wanted.factors {
            let p_factors =
                if wanted.p { left.p_factors.times(&right.p_factors) } else { Factors::default() };
            (p_factors, left.q_factors.times(&right.q_factors))
        } else {
            (Factors::default(), Factors::default())
        };
        let mut node = merge(left, right, wanted.p, parallel);
        (node.p_factors, node.q_factors) = (p_factors, q_factors);
        Ok(node)
    }
}

/// Takes the greatest common divisor out of the numerator on the left and the denominator on the right.
fn cancel(left: &mut Node, right: &mut Node, parallel: bool) {
    let common = left.p_factors.cancel(&mut right.q_factors);
    if common == 1 {
        return;
    }
    if parallel {
        join(|| left.p.div_exact_mut(&common), || right.q.div_exact_mut(&common));
    } else {
        left.p.div_exact_mut(&common);
        right.q.div_exact_mut(&common);
    }
}

/// Joins two neighbours, without their factors.
fn merge(left: Node, right: Node, wants_p: bool, parallel: bool) -> Node {
    let Node { p: p1, q: mut q1, q_shift: shift1, t: mut t1, .. } = left;
    let Node { p: mut p2, q: q2, q_shift: shift2, t: mut t2, .. } = right;
    let on_left = |t1: &mut Integer, q1: &mut Integer| {
        *t1 *= &q2;
        *t1 <<= shift(shift2);
        *q1 *= &q2;
    };
    let on_right = |t2: &mut Integer, p2: &mut Integer| {
        *t2 *= &p1;
        if wants_p {
            *p2 *= &p1;
        }
    };
    if parallel && wants_p {
        join(|| on_left(&mut t1, &mut q1), || on_right(&mut t2, &mut p2));
    } else {
        on_left(&mut t1, &mut q1);
        on_right(&mut t2, &mut p2);
    }
    drop((p1, q2));
    t1 += t2;
    Node {
        p: p2,
        q: q1,
        q_shift: shift1 + shift2,
        t: t1,
        p_factors: Factors::default(),
        q_factors: Factors::default(),
    }
}

/// Sums a few terms one after the other: `T <- T Q(k) + P (-1)^k P(k) (A + B k)`.
///
/// All factors fit 64 bits: `k < 2^26.1` for the most decimals that the house computes, so that
/// `3335 k^2 < 2^63.9`, `10005^2 k < 2^52.7` and `(2k-1)(6k-1) < 2^55.8`.
fn block(range: Range) -> Node {
    let (mut p, mut q, mut t) = (Integer::from(1), Integer::from(1), Integer::new());
    let mut q_shift = 0;
    for k in u64::from(range.after) + 1..=u64::from(range.to) {
        let twos = k.trailing_zeros();
        let odd = k >> twos;
        let term_shift = Q_SHIFT + 3 * u64::from(twos);
        q_shift += term_shift;
        let (first, second) = (Q_ODD_SQUARE * odd, Q_ODD_REST * odd * odd);
        q *= first;
        q *= second;
        p *= (2 * k - 1) * (6 * k - 1);
        p *= 6 * k - 5;
        t *= first;
        t *= second;
        t <<= shift(term_shift);
        let weight = A + B * k;
        if k % 2 == 0 {
            t += &p * weight;
        } else {
            t -= &p * weight;
        }
    }
    Node { p, q, q_shift, t, p_factors: Factors::default(), q_factors: Factors::default() }
}

/// The prime factors of `P` and of the odd part of `Q` of a block.
fn block_factors(range: Range, sieve: &Sieve) -> (Factors, Factors) {
    let (mut p_parts, mut q_parts) = (Vec::with_capacity(128), Vec::with_capacity(96));
    for k in range.after + 1..=range.to {
        sieve.factorise(2 * k - 1, 1, &mut p_parts);
        sieve.factorise(6 * k - 1, 1, &mut p_parts);
        sieve.factorise(6 * k - 5, 1, &mut p_parts);
        sieve.factorise(k >> k.trailing_zeros(), 3, &mut q_parts);
    }
    let terms = range.terms();
    q_parts.extend(Q_PRIMES.map(|(prime, exponent)| (prime, exponent * terms)));
    (Factors::gather(p_parts), Factors::gather(q_parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residues::{HypergeometricSeries, random_primes, series_residues};

    #[test]
    fn the_sum_has_the_residues_of_the_same_series_as_data() {
        let control = Control::default();
        let primes = random_primes(b"chudnovsky", 3);
        for terms in [1_u32, 2, 31, 32, 33, 700, 20_000] {
            let sieve = Sieve::new((6 * terms).max(64));
            let series = Series { sieve: &sieve, progress: Progress::tree(&control, terms.into(), 0, 1000) };
            let range = Range { after: 0, to: terms, depth: 0 };
            let node = series.split(range, Wanted { p: true, factors: false }).unwrap();
            let data = HypergeometricSeries::chudnovsky();
            let sums = series_residues(&data, 1..u64::from(terms) + 1, &primes, &control).unwrap();
            for (prime, sum) in primes.iter().zip(sums) {
                // Common factors were taken out here and not there, so the quotients P / Q and T / Q are the same.
                let q = prime.residue(&(node.q.clone() << shift(node.q_shift)));
                // The signs are in T alone here, and in P there.
                let p = if terms % 2 == 0 { node.p.clone() } else { -node.p.clone() };
                assert_eq!(prime.multiply(q, sum.p), prime.multiply(prime.residue(&p), sum.q));
                assert_eq!(prime.multiply(q, sum.t), prime.multiply(prime.residue(&node.t), sum.q));
                assert!(sum.t != 0 && sum.b == 1);
            }
        }
    }
}
