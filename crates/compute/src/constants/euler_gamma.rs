//! Euler's constant in two ways that share nothing but the logarithm of a small number, and that by different sums.

use std::time::{Duration, Instant};

use protocol::series::Ratio;
use protocol::series::{Factor, Hypergeometric, Polynomial, SeriesFormula, Summand};
use rayon::join;
use rug::Integer;

use crate::{
    checkpoint::PieceFault,
    control::{Interrupted, Site},
};

use super::{
    DigitsError,
    fixed::{Fixed, Reals},
    formula,
    keeping::{KEPT_TERMS_MIN, Keeping, Kept, Taken},
    logarithm::{Basis, FOUR_TERMS, SMALL_TERMS},
    long::Checks,
    number::Number,
    progress::Progress,
};

/// Terms that stay on one thread.
const PARALLEL_TERMS: u64 = 512;
/// Bits to which numbers are cut beyond those of the result.
const KEEP_BITS: u64 = 256;

/// A number `small * 2^twos` of at least so much.
struct Argument {
    small: u32,
    twos: u32,
}

impl Argument {
    fn at_least(least: u64, smalls: &[u32]) -> Self {
        let mut twos = 0;
        loop {
            if let Some(small) = smalls.iter().find(|small| u64::from(**small) << twos >= least) {
                return Self { small: *small, twos };
            }
            twos += 1;
        }
    }

    fn value(&self) -> u64 {
        u64::from(self.small) << self.twos
    }

    /// Its logarithm.
    fn logarithm(&self, basis: &Basis, reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
        // Both are made of the primes of the basis, so that their logarithms are sums of the same series.
        let mut formula = basis.logarithm(2);
        for summand in &mut formula.summands {
            summand.times.numerator *= i64::from(self.twos);
        }
        if self.small > 1 {
            for Summand { times, series } in basis.logarithm(self.small).summands {
                match formula.summands.iter_mut().find(|known| known.series == series) {
                    Some(known) => known.times.numerator += times.numerator,
                    None => formula.summands.push(Summand { times, series }),
                }
            }
        }
        formula.summands.retain(|summand| summand.times.numerator != 0);
        formula::value(&formula, reals)
    }
}

/// The bits of a result times ln 2, rounded up, and a little more.
fn natural(bits: u64) -> u64 {
    (bits + 8) * 6_932 / 10_000 + 2
}

/// Euler's constant by the exponential integral (Sweeney, "On the computation of Euler's constant", 1963):
///
/// ```text
/// gamma = sum over k >= 1 of (-1)^(k - 1) N^k / (k k!) - ln N - E1(N),      0 < E1(N) < e^-N / N
/// ```
///
/// With `N >= (bits + 8) ln 2` what E1 adds is below `2^-8` units. The terms grow to about `e^N` before they fall, and
/// the numbers are kept as much longer.
pub(super) fn by_sweeney(reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    let n = Argument::at_least(natural(reals.bits).max(8), &[4, 5, 6]);
    let linear = || Polynomial { constant: 1, factors: vec![Factor { coefficients: vec![0, 1], power: 1 }] };
    let series = Hypergeometric {
        first: 1,
        plus: 0,
        p: Polynomial::constant(-i128::from(n.value())),
        q: linear(),
        a: Polynomial::constant(-1),
        b: linear(),
    };
    let sum = formula::value(&SeriesFormula::sum_of(vec![Summand { times: Ratio::ONE, series }]), reals)?;
    let logarithm = n.logarithm(&SMALL_TERMS, reals)?;
    let mut difference = reals.sum(&sum, &logarithm, true)?;
    difference.error = difference.error.saturating_add(1);
    Ok(difference)
}

/// Euler's constant by Bessel functions (Brent and `McMillan`, "Some new algorithms for high-precision computation of
/// Euler's constant", 1980; the bound is Brent and Johansson's, 2015):
///
/// ```text
/// gamma = S / I - ln N - K0(2N) / I0(2N),      0 < K0(2N) / I0(2N) < pi e^(-4N)
/// I = sum over k >= 0 of (N^k / k!)^2      S = sum over k >= 0 of (N^k / k!)^2 H(k)
/// ```
///
/// with `H(k)` the harmonic numbers. With `4 N >= (bits + 8) ln 2` what the last term adds is below `2^-6` units.
pub(super) fn by_brent_mcmillan(reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    let n = Argument::at_least((natural(reals.bits) / 4 + 1).max(8), &[4, 5, 6, 7]);
    let (checks, control) = (reals.checks, reals.checks.control());
    let keep = reals.bits + KEEP_BITS;
    let mut terms = n.value() * 18 / 5 + 64;
    let (above, below) = control.phase("binary splitting", || {
        loop {
            let progress = Progress::tree(control, terms, 10, 700);
            let square = n.value() * n.value();
            let keeping =
                Keeping::new(checks, "Bessel sums", format_args!("{square}, {terms} terms, {keep} bits"));
            let bessel = Bessel { square, checks, keep, progress, keeping };
            let node = bessel.split(1, terms + 1, false)?;
            if let Some((above, below)) = bessel.quotient_of(node, terms, reals.bits)? {
                return Ok::<_, Interrupted>((above, below));
            }
            terms += terms / 16 + 64;
        }
    })?;
    let ratio = control.phase("division and root", || {
        let one = Integer::from(1);
        reals.ratio((&above, &one), (&below, &one))
    })?;
    control.set_permille(800);
    let logarithm = n.logarithm(&FOUR_TERMS, reals)?;
    let mut difference = reals.sum(&ratio.0, &logarithm, true)?;
    difference.error = difference.error.saturating_add(1);
    Ok(difference)
}

/// The two sums as one tree. A node over `a <= k < b` holds, with `t(k)` the product of `N^2 / j^2` and `h(k)` the sum of
/// `1 / j` over `a <= j <= k`: P and Q, the products of N^2 and k^2; T with `T / Q = sum of t(k)`; C and D with
/// `C / D = h(b - 1)`; V with `V / (D Q) = sum of t(k) h(k)`. Two neighbours join by
///
/// ```text
/// C = C1 D2 + D1 C2      V = D2 Q2 V1 + P1 (C1 D2 T2 + D1 V2)      the others are products, and T as ever
/// ```
///
/// as the harmonic numbers on the right are `C1 / D1` more.
struct Bessel<'b, 'c> {
    square: u64,
    checks: &'b Checks<'c>,
    keep: u64,
    progress: Progress<'b>,
    keeping: Keeping<'c>,
}

struct Node {
    p: Number,
    q: Number,
    t: Number,
    c: Number,
    d: Number,
    v: Number,
    p_bits: u64,
    /// How long it took, without what is kept of it.
    lost: Duration,
}

impl Node {
    fn of_sums(sums: [Number; 6], p_bits: u64) -> Self {
        let [powers, divisors, total, harmonic, indices, weighted] = sums;
        Self {
            p: powers,
            q: divisors,
            t: total,
            c: harmonic,
            d: indices,
            v: weighted,
            p_bits,
            lost: Duration::ZERO,
        }
    }
}

impl Bessel<'_, '_> {
    fn split(&self, from: u64, to: u64, wants_p: bool) -> Result<Node, Interrupted> {
        let terms = to - from;
        if terms == 1 {
            return self.leaf(from);
        }
        let is_kept = terms >= KEPT_TERMS_MIN;
        if is_kept && let Some(node) = self.take((from, to), wants_p) {
            self.progress.skipped(terms)?;
            return Ok(node);
        }
        let middle = from + terms / 2;
        let left = || self.split(from, middle, true);
        let right = || self.split(middle, to, wants_p);
        let (left, right) = if terms >= PARALLEL_TERMS { join(left, right) } else { (left(), right()) };
        let (left, right) = (left?, right?);
        let started = Instant::now();
        self.progress.merged(terms)?;
        let mut node = self.merge(&left, &right, wants_p, terms >= PARALLEL_TERMS)?;
        node.lost = left.lost + right.lost + started.elapsed();
        if is_kept {
            let Node { p, q, t, c, d, v, p_bits, lost } = &mut node;
            let kept = || Kept { words: vec![*p_bits], numbers: vec![p, q, t, c, d, v] };
            // The left half of anything wants its P, the whole does not.
            self.keeping.keep(((from, to), from == 1 && !wants_p), lost, kept);
        }
        Ok(node)
    }

    /// The node that an earlier run left for `from <= k < to`.
    fn take(&self, (from, to): (u64, u64), wants_p: bool) -> Option<Node> {
        let length = |value: u64| u64::from(u64::BITS - value.leading_zeros());
        let term = length(self.square) + 4 * length(to);
        let bits_max = (to - from).saturating_mul(term).saturating_add(128);
        self.keeping.take((from, to), (bits_max, 1), self.checks, |taken| {
            let [p_bits] = taken.words[..] else { return Err(PieceFault::Malformed) };
            if p_bits > bits_max || !self.are_sums(&taken, (from, to), wants_p) {
                return Err(PieceFault::Wrong);
            }
            let sums = taken.numbers()?;
            Ok(Node::of_sums(sums, p_bits))
        })
    }

    /// Whether the numbers, as far as they are exact, are those of the sums taken term by term modulo a prime.
    fn are_sums(&self, taken: &Taken, (from, to): (u64, u64), wants_p: bool) -> bool {
        let prime = taken.prime();
        let times = |left: u64, right: u64| prime.product(left, right);
        let (one, square) = (prime.one(), prime.enter(self.square));
        let (mut powers, mut divisors, mut total) = (one, one, 0);
        let (mut harmonic, mut indices, mut weighted) = (0, one, 0);
        for index in (from..to).map(|k| prime.enter(k)) {
            powers = times(powers, square);
            let divisor = times(index, index);
            divisors = times(divisors, divisor);
            total = prime.add(times(total, divisor), powers);
            harmonic = prime.add(times(harmonic, index), indices);
            indices = times(indices, index);
            weighted = prime.add(times(times(weighted, divisor), index), times(powers, harmonic));
        }
        let powers = if wants_p { powers } else { one };
        let found = taken.numbers.iter().zip([powers, divisors, total, harmonic, indices, weighted]);
        found.fold(true, |all, (number, form)| all && (!number.is_exact() || taken.form(number) == form))
    }

    /// One term: both T and V are P, as `h` is `1 / k`.
    fn leaf(&self, k: u64) -> Result<Node, Interrupted> {
        let number = |value: u64| Number::exact(self.checks.short(value), 0);
        // The square of k is made as a product that is checked like any other.
        let q = number(k).times(&number(k), self.checks, Site::Leaf, self.keep)?;
        let p = number(self.square);
        let p_bits = p.bits_at_most();
        Ok(Node {
            t: p.clone(),
            v: p.clone(),
            p,
            q,
            c: number(1),
            d: number(k),
            p_bits,
            lost: Duration::ZERO,
        })
    }

    fn merge(&self, left: &Node, right: &Node, wants_p: bool, parallel: bool) -> Result<Node, Interrupted> {
        let times = |a: &Number, b: &Number| a.times(b, self.checks, Site::Merge, self.keep);
        let plus = |a: &Number, b: &Number| a.plus(b, self.checks, Site::Merge, self.keep);
        let harmonic = || {
            let c = times(&left.c, &right.d)?;
            let sum = plus(&c, &times(&left.d, &right.c)?)?;
            Ok::<_, Interrupted>((c, sum, times(&left.d, &right.d)?))
        };
        let bessel = || {
            let product = times(&left.p, &right.t)?;
            let t = plus(&times(&left.t, &right.q)?, &product)?;
            let p = if wants_p { times(&left.p, &right.p)? } else { Number::exact(self.checks.short(1), 0) };
            Ok::<_, Interrupted>((product, t, times(&left.q, &right.q)?, p))
        };
        let (harmonic, bessel) = if parallel { join(harmonic, bessel) } else { (harmonic(), bessel()) };
        let ((c1_d2, harmonic_sum, divisors), (p1_t2, total, denominators, numerators)) =
            (harmonic?, bessel?);
        let on_left = || times(&left.v, &times(&right.d, &right.q)?);
        let on_right = || {
            let carried = times(&c1_d2, &p1_t2)?;
            plus(&carried, &times(&times(&left.d, &left.p)?, &right.v)?)
        };
        let (first, second) = if parallel { join(on_left, on_right) } else { (on_left(), on_right()) };
        Ok(Node {
            p: numerators,
            q: denominators,
            t: total,
            c: harmonic_sum,
            d: divisors,
            v: plus(&first?, &second?)?,
            p_bits: left.p.bits_at_most() + right.p_bits,
            lost: Duration::ZERO,
        })
    }

    /// `S / I = V / (D (Q + T))`, if what the terms above the last add is below `2^-bits` of it.
    ///
    /// Past `4 N / 3` each term is below 9/16 of the one before, and `H(k + 1) <= H(k) 1.5`: together the rest of S is
    /// below `2^4 log2(4 terms)` times the last term, and the rest of I, times `S / I < log2(4 terms)`, as well.
    fn quotient_of(
        &self,
        node: Node,
        terms: u64,
        bits: u64,
    ) -> Result<Option<(Number, Number)>, Interrupted> {
        let Node { q, t, d, v, p_bits, .. } = node;
        let total = q.plus(&t, self.checks, Site::Merge, self.keep)?;
        let Some(least) = total.bits_at_least() else { return Ok(None) };
        // The last term is at most 2^p_bits / Q, and I is at least 2^least / Q.
        let lacking = p_bits + 6 + u64::from((4 * terms).ilog2() + 1);
        if lacking + bits > least {
            return Ok(None);
        }
        let denominator = d.times(&total, self.checks, Site::Merge, self.keep)?;
        let left_out = denominator.bits_at_most().saturating_sub(bits);
        let error = Some(v.error.map_or(left_out, |error| error.max(left_out) + 1));
        Ok(Some((Number { error, ..v }, denominator)))
    }
}
