//! Series of rational terms, given as data and summed exactly by binary splitting.
//!
//! A series is three functions of the index: `sum over k of 1 / b(k) * product over i <= k of p(i) / q(i)`. A node over
//! a stretch holds the products `P, Q, B` and `T` with sum `T / (B Q)`; two neighbours join by
//!
//! ```text
//! P = P1 P2     Q = Q1 Q2     B = B1 B2     T = B2 Q2 T1 + B1 P1 T2
//! ```
//!
//! (Haible and Papanikolaou, "Fast multiprecision evaluation of series of rational numbers", 1998.)

use rayon::join;
use rug::Integer;

use crate::control::{Cancelled, Control};

use super::progress::Progress;

/// Terms that are summed one after the other.
const BLOCK_TERMS: u64 = 8;
/// Nodes of fewer terms stay on one thread.
const PARALLEL_TERMS: u64 = 512;

/// A series as data; see the head of this file.
pub(super) trait Series: Sync {
    /// `p(k)`.
    fn numerator(&self, k: u64) -> Integer;
    /// `q(k)`, positive.
    fn denominator(&self, k: u64) -> Integer;
    /// `b(k)`, positive.
    fn divisor(&self, k: u64) -> u64;
}

/// The sum of a stretch: `t / (b q)`.
pub(super) struct Sum {
    /// The product of the numerators; 1 where nobody needs it.
    p: Integer,
    /// The product of the denominators.
    pub(super) q: Integer,
    /// The product of the divisors.
    pub(super) b: Integer,
    /// The numerator of the sum.
    pub(super) t: Integer,
}

/// Sums the terms `from <= k < to`, at least one.
pub(super) fn sum(
    series: &impl Series,
    (from, to): (u64, u64),
    control: &Control,
    (from_permille, to_permille): (u16, u16),
) -> Result<Sum, Cancelled> {
    let progress = Progress::tree(control, to - from, from_permille, to_permille);
    split(series, from, to, false, &progress)
}

fn split(
    series: &impl Series,
    from: u64,
    to: u64,
    wants_p: bool,
    progress: &Progress<'_>,
) -> Result<Sum, Cancelled> {
    let terms = to - from;
    if terms <= BLOCK_TERMS {
        return Ok(block(series, from, to));
    }
    let middle = from + terms / 2;
    let parallel = terms >= PARALLEL_TERMS;
    let left = || split(series, from, middle, true, progress);
    let right = || split(series, middle, to, wants_p, progress);
    let (left, right) = if parallel { join(left, right) } else { (left(), right()) };
    let (left, right) = (left?, right?);
    progress.merged(terms)?;
    Ok(merge(left, right, wants_p, parallel))
}

fn merge(left: Sum, right: Sum, wants_p: bool, parallel: bool) -> Sum {
    let Sum { p: p1, q: mut q1, b: mut b1, t: mut t1 } = left;
    let Sum { p: mut p2, q: q2, b: b2, t: mut t2 } = right;
    let first = || {
        t1 *= Integer::from(&b2 * &q2);
        q1 *= &q2;
    };
    let second = || {
        t2 *= Integer::from(&b1 * &p1);
        b1 *= &b2;
        if wants_p {
            p2 *= &p1;
        }
    };
    if parallel {
        join(first, second);
    } else {
        let (mut first, mut second) = (first, second);
        first();
        second();
    }
    t1 += t2;
    Sum { p: p2, q: q1, b: b1, t: t1 }
}

fn block(series: &impl Series, from: u64, to: u64) -> Sum {
    let (mut p, mut q, mut b, mut t) = (Integer::from(1), Integer::from(1), Integer::from(1), Integer::new());
    for k in from..to {
        let (denominator, divisor) = (series.denominator(k), series.divisor(k));
        p *= series.numerator(k);
        t *= &denominator;
        t *= divisor;
        t += Integer::from(&p * &b);
        q *= denominator;
        b *= divisor;
    }
    Sum { p, q, b, t }
}
