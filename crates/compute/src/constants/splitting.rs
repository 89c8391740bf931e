//! Series given as data, summed exactly by binary splitting.
//!
//! A stretch of the series `sum over k of a(k) / b(k) * product over j <= k of p(j) / q(j)` comes to the products `P`, `Q`
//! and `B` of its p, q and b, and to `T` with sum `T / (B Q)`; two neighbours join by
//!
//! ```text
//! P = P1 P2     Q = Q1 Q2     B = B1 B2     T = B2 Q2 T1 + B1 P1 T2
//! ```
//!
//! (Haible and Papanikolaou, "Fast multiprecision evaluation of series of rational numbers", 1998.) Only `P1` and `Q2`
//! meet in `T`, so a divisor of both may be taken out of both without changing any quotient. Where p and q are products
//! of linear factors, both are known by their primes ([`super::factors`]), as in Hanhong Xue's `gmp-chudnovsky.c`;
//! unlike there, the primes of leaves are gathered a block at a time. Powers of two are kept apart, as a shift.
//!
//! Each leaf is compared with the same terms summed modulo a prime by the plain recurrence, and each merge with what
//! the residues of its children make. Near the root, numbers are cut to the length that matters ([`Number`]). What is
//! merged may be kept for the case that the computation is interrupted (`kept.rs` below).

mod kept;
mod traced;

use std::time::{Duration, Instant};

use protocol::series::{Convergence, Hypergeometric, SeriesFault};
use rayon::join;

use crate::{
    control::{Interrupted, Site, turn_over},
    residues::{HypergeometricSeries, ReducedSeries},
    trace::{Noting, SumTerms},
};

pub(crate) use traced::fingerprint_again;

use super::{
    factors::{Factors, Sieve},
    keeping::{KEPT_TERMS_MIN, Keeping},
    long::{Checks, Long},
    number::Number,
    progress::Progress,
    terms::{Block, Terms},
};

/// Terms that are summed one after the other.
const BLOCK_TERMS: u64 = 32;
/// Nodes of fewer terms stay on one thread.
const PARALLEL_TERMS: u64 = 512;
/// Nodes nearer to the root than this keep their common factors: there a division costs more than it saves.
const CANCEL_DEPTH: u32 = 6;
/// Bits to which numbers near the root are cut, beyond those of the sum: each level may lose some.
const KEEP_BITS: u64 = 256;
/// More bits than any number has.
const KEEP_ALL: u64 = 1 << 60;

/// The value of a series: `numerator / denominator`, with the terms that were left out as part of the error.
pub(super) struct Sum {
    pub(super) numerator: Number,
    pub(super) denominator: Number,
    /// How many terms there are in it.
    pub(super) terms: u64,
}

/// Sums a series so that what is left out adds less than `2^-bits`.
///
/// How many terms that takes is estimated, and proven afterwards: the product of the `p / q` up to the last term is below
/// `2^(bits of P) / |Q|`, and [`Convergence::tail_log2`] bounds all later terms in units of it. With `is_exact` nothing is
/// cut near the root, so that what comes out is the sum of these terms exactly.
pub(super) fn sum(
    series: &Hypergeometric,
    (bits, is_exact): (u64, bool),
    checks: &Checks<'_>,
    permille: (u16, u16),
) -> Result<Sum, SumError> {
    let convergence = Convergence::of(series)?;
    // Where terms grow before they fall, sums of some of them are as much longer than the whole.
    let keep = if is_exact { KEEP_ALL } else { bits + KEEP_BITS + convergence.hump_bits() };
    let mut more = 0;
    loop {
        let count = series.terms(bits + more)?;
        let (from, to) = (series.first, series.first + count);
        let terms = Terms::new(series, to);
        let sieve = Sieve::new(terms.sieve_limit());
        let (node, noting) = {
            let control = checks.control();
            let progress = Progress::tree(control, count, permille.0, permille.1);
            let reduced = ReducedSeries::new(&HypergeometricSeries::from(series), checks.prime());
            let keeping =
                Keeping::new(checks, "series", format_args!("{series:?}, {count} terms, {keep} bits"));
            let noting = control.trace().map(|trace| {
                let series = series.clone();
                trace.sum(SumTerms { series, count, keep, prime: checks.prime().value() })
            });
            let tree = Tree { series, count, terms, sieve, reduced, checks, progress, keep, keeping, noting };
            (tree.split(Range { from, to, depth: 0 }, Wanted::NOTHING)?, tree.noting)
        };
        let Node { qb: denominator, b, t, p_bits, .. } = node;
        let tail = q_below(&denominator, &b)
            .map(|q_bits| signed(p_bits) - signed(q_bits) + convergence.tail_log2(to - 1));
        if tail.is_none_or(|tail| tail > -signed(bits)) {
            more = more * 2 + 64 + bits / 1024;
            continue;
        }
        if let Some(noting) = noting {
            noting.finish();
        }
        let left_out = denominator.bits_at_most().saturating_sub(bits);
        let mut numerator = if series.plus == 1 {
            t.plus(&denominator, checks, Site::Merge, keep)?
        } else {
            let offset = denominator.times_word(&series.plus.into(), checks, Site::Merge)?;
            t.plus(&offset, checks, Site::Merge, keep)?
        };
        // Also of exact numbers: what was left out is not in them.
        numerator.error = Some(numerator.error.map_or(left_out, |error| error.max(left_out) + 1));
        return Ok(Sum { numerator, denominator, terms: count });
    }
}

/// `|Q| >= 2^that`, from `B Q` and `B`.
fn q_below(denominator: &Number, b: &Number) -> Option<u64> {
    Some(denominator.bits_at_least()?.saturating_sub(b.bits_at_most()))
}

/// Why there is no sum.
#[derive(Debug, thiserror::Error)]
pub(super) enum SumError {
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error(transparent)]
    Series(#[from] SeriesFault),
}

fn signed(bits: u64) -> i64 {
    i64::try_from(bits).unwrap_or(i64::MAX)
}

/// The terms `from <= k < to`, at some depth of the tree.
#[derive(Clone, Copy)]
struct Range {
    from: u64,
    to: u64,
    depth: u32,
}

impl Range {
    fn terms(self) -> u64 {
        self.to - self.from
    }

    /// The later terms are longer, so that the earlier half gets a little more of them (Xue's 0.5224).
    fn halves(self) -> (Self, Self) {
        let first = self.terms() - self.terms() * 4_776 / 10_000;
        let middle = self.from + first.min(self.terms() - 1);
        let depth = self.depth + 1;
        (Self { to: middle, depth, ..self }, Self { from: middle, depth, ..self })
    }
}

/// What the parent needs of a node beyond `Q`, `B` and `T`.
#[derive(Clone, Copy)]
struct Wanted {
    p: bool,
    factors: bool,
}

impl Wanted {
    /// At the root.
    const NOTHING: Self = Self { p: false, factors: false };
}

/// A stretch of the series; see the head of this file.
struct Node {
    /// 1 where nobody wants it.
    p: Number,
    /// `|P| < 2^that`, also where P was not made.
    p_bits: u64,
    /// The product of Q and B: nobody needs Q alone.
    qb: Number,
    b: Number,
    t: Number,
    p_factors: Factors,
    q_factors: Factors,
    /// How long it took, without what is kept of it.
    lost: Duration,
}

struct Tree<'t, 'c> {
    series: &'t Hypergeometric,
    count: u64,
    terms: Terms,
    sieve: Sieve,
    reduced: ReducedSeries<'t>,
    checks: &'t Checks<'c>,
    progress: Progress<'t>,
    keep: u64,
    keeping: Keeping<'c>,
    noting: Option<Noting>,
}

impl Tree<'_, '_> {
    /// Sums a stretch, unless an earlier run has done so. At least one term.
    fn split(&self, range: Range, wanted: Wanted) -> Result<Node, Interrupted> {
        if range.terms() <= BLOCK_TERMS {
            return self.leaf(range, wanted);
        }
        if range.terms() < KEPT_TERMS_MIN {
            return self.split_anew(range, wanted);
        }
        if let Some(node) = self.take(range, wanted) {
            self.progress.skipped(range.terms())?;
            self.note(range, &node);
            return Ok(node);
        }
        let mut node = self.split_anew(range, wanted)?;
        self.keep(range, &mut node);
        self.note(range, &node);
        Ok(node)
    }

    fn split_anew(&self, range: Range, wanted: Wanted) -> Result<Node, Interrupted> {
        let (left, right) = range.halves();
        let cancels = self.cancels(range);
        let (wants_left, wants_right) = self.wanted_of_halves(range, wanted);
        let parallel = range.terms() >= PARALLEL_TERMS;
        let (left, right) = if parallel {
            join(|| self.split(left, wants_left), || self.split(right, wants_right))
        } else {
            (self.split(left, wants_left), self.split(right, wants_right))
        };
        let (mut left, mut right) = (left?, right?);
        let started = Instant::now();
        self.progress.merged(range.terms())?;
        if cancels && left.p.is_exact() && right.qb.is_exact() {
            self.cancel(&mut left, &mut right, parallel)?;
        }
        self.progress.merged(0)?;
        let (p_factors, q_factors) = if wanted.factors {
            let p_factors =
                if wanted.p { left.p_factors.times(&right.p_factors) } else { Factors::default() };
            (p_factors, left.q_factors.times(&right.q_factors))
        } else {
            (Factors::default(), Factors::default())
        };
        let mut node = self.merge(&left, &right, wanted.p, parallel)?;
        (node.p_factors, node.q_factors) = (p_factors, q_factors);
        node.lost = left.lost + right.lost + started.elapsed();
        Ok(node)
    }

    fn cancels(&self, range: Range) -> bool {
        range.depth >= CANCEL_DEPTH && self.terms.has_common_factors()
    }

    fn wanted_of_halves(&self, range: Range, wanted: Wanted) -> (Wanted, Wanted) {
        let factors = self.cancels(range);
        (Wanted { p: true, factors }, Wanted { p: wanted.p, factors })
    }

    /// Takes the greatest known common divisor out of the numerator on the left and the denominator on the right.
    fn cancel(&self, left: &mut Node, right: &mut Node, parallel: bool) -> Result<(), Interrupted> {
        let twos = left.p.exponent.min(right.qb.exponent);
        left.p.exponent -= twos;
        right.qb.exponent -= twos;
        let common = left.p_factors.cancel(&mut right.q_factors);
        if common != 1 {
            let common = self.checks.short(common);
            let divided = |long: &Long| self.checks.exact_quotient(Site::Merge, long, &common);
            let (p, q) = if parallel {
                join(|| divided(&left.p.mantissa), || divided(&right.qb.mantissa))
            } else {
                (divided(&left.p.mantissa), divided(&right.qb.mantissa))
            };
            (left.p.mantissa, right.qb.mantissa) = (p?, q?);
        }
        Ok(())
    }

    /// Joins two neighbours, without their factors.
    fn merge(&self, left: &Node, right: &Node, wants_p: bool, parallel: bool) -> Result<Node, Interrupted> {
        let times = |a: &Number, b: &Number| a.times(b, self.checks, Site::Merge, self.keep);
        let (has_b, has_p) = (self.terms.has_b(), self.terms.has_p());
        let first = || times(&left.t, &right.qb);
        let second = || {
            let t = if has_p { &times(&right.t, &left.p)? } else { &right.t };
            if has_b { times(t, &left.b) } else { Ok(t.clone()) }
        };
        let products = || {
            let p = if wants_p && has_p { times(&left.p, &right.p)? } else { self.one() };
            Ok::<_, Interrupted>((p, if has_b { times(&left.b, &right.b)? } else { self.one() }))
        };
        let qb = || times(&left.qb, &right.qb);
        let ((first, qb), (second, products)) = if parallel {
            join(|| join(first, qb), || join(second, products))
        } else {
            ((first(), qb()), (second(), products()))
        };
        let (p, b) = products?;
        let t = first?.plus(&second?, self.checks, Site::Merge, self.keep)?;
        let p_bits = left.p_bits.min(left.p.bits_at_most()) + right.p_bits;
        let (p_factors, q_factors) = (Factors::default(), Factors::default());
        Ok(Node { p, p_bits, qb: qb?, b, t, p_factors, q_factors, lost: Duration::ZERO })
    }

    fn one(&self) -> Number {
        Number::exact(self.checks.short(1), 0)
    }

    fn leaf(&self, Range { from, to, .. }: Range, wanted: Wanted) -> Result<Node, Interrupted> {
        let started = Instant::now();
        let residues = self.reduced.stretch(from, to);
        let block = self.checks.judged_block(|| self.terms.block(from, to), &residues)?;
        let [p, qb, b, mut t] = block;
        if let Some(bit) = self.checks.control().spoils_terms(from, to) {
            let mut spoilt = t.mantissa.value().clone();
            turn_over(bit, &mut spoilt);
            t.mantissa = self.checks.short(spoilt);
        }
        let mut node = Node {
            p_bits: p.bits_at_most(),
            p,
            qb,
            b,
            t,
            p_factors: Factors::default(),
            q_factors: Factors::default(),
            lost: Duration::ZERO,
        };
        if wanted.factors {
            (node.p_factors, node.q_factors) = self.terms.block_factors(from, to, &self.sieve);
        }
        node.lost = started.elapsed();
        Ok(node)
    }
}

impl Checks<'_> {
    /// The numbers P, Q, B and T of a few terms, if they have the residues that the plain recurrence gives.
    fn judged_block(
        &self,
        make: impl Fn() -> Block,
        residues: &crate::residues::StretchResidues,
    ) -> Result<[Number; 4], Interrupted> {
        let denominator = self.prime().multiply(residues.q, residues.b);
        let expected = [residues.p, denominator, residues.b, residues.t].map(|word| self.prime().enter(word));
        let judge = |Block { p, p_twos, qb, qb_twos, b, t }: Block| {
            let numbers = [(p, p_twos), (qb, qb_twos), (b, 0), (t, 0)]
                .map(|(mantissa, twos)| Number::exact(self.short(mantissa), twos));
            let is_right = numbers.iter().zip(expected).all(|(number, expected)| {
                self.agree(self.form_of_shifted(&number.mantissa, number.exponent), expected)
            });
            is_right.then_some(numbers)
        };
        self.judged(Site::Leaf, make, |block| &mut block.t, judge)
    }
}
