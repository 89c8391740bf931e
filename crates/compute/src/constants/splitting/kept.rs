//! Nodes of a binary splitting on their way to a checkpoint and back.
//!
//! Common divisors may have been taken out of a node, but never out of its quotients: with `P0`, `Q0`, `B0`, `T0` those of
//! the plain recurrence, `T / (B Q) = T0 / (B0 Q0)`, `P / (B Q) = P0 / (B0 Q0)` and `B = B0`. Modulo a prime that is drawn
//! from the digest of the piece this costs a few instructions a term. Numbers that were cut near the root are approximate
//! and have no such relation: of them only digest and residues are looked at.

use std::time::Duration;

use protocol::series::Polynomial;

use super::{KEEP_BITS, Node, Range, Tree, Wanted};
use crate::{
    checkpoint::PieceFault,
    constants::{
        factors::Factors,
        keeping::{Kept, Taken},
        number::Number,
    },
    residues::{HypergeometricSeries, Modulus, ReducedSeries, StretchResidues},
};

impl Tree<'_, '_> {
    /// The node that an earlier run left for a stretch.
    pub(super) fn take(&self, range: Range, wanted: Wanted) -> Option<Node> {
        let Range { from, to, .. } = range;
        let bits_max = self.bits_max(range);
        // A prime is a word, and at least as long as a bit and a half of what it divides; none is above the sieve's limit.
        let primes_max = bits_max.min(u64::from(self.terms.sieve_limit()) / 2);
        self.keeping.take((from, to), (bits_max, 2 + 2 * primes_max), self.checks, |taken| {
            self.judge(taken, range, wanted, bits_max)
        })
    }

    /// Keeps a node, if losing it would hurt: the root of whatever has taken long, as all that follows needs it.
    pub(super) fn keep(&self, Range { from, to, depth }: Range, node: &mut Node) {
        let Node { p, p_bits, qb, b, t, p_factors, q_factors, lost } = node;
        self.keeping.keep(((from, to), depth == 0), lost, || {
            let of_p: Vec<u64> = p_factors.to_words().collect();
            let mut words = vec![*p_bits, of_p.len() as u64];
            words.extend(of_p);
            words.extend(q_factors.to_words());
            Kept { words, numbers: vec![p, qb, b, t] }
        });
    }

    /// More bits than any number of a stretch has.
    fn bits_max(&self, range: Range) -> u64 {
        let series = self.series;
        let term: u64 = [&series.p, &series.q, &series.a, &series.b]
            .map(|polynomial| bits_at_most(polynomial, range.to))
            .into_iter()
            .sum();
        let whole = term.saturating_mul(range.terms()).saturating_add(128);
        // Cut numbers have a power of two beside them, which stays within the whole number's length.
        whole.max(KEEP_BITS)
    }

    fn judge(&self, taken: Taken, range: Range, wanted: Wanted, bits_max: u64) -> Result<Node, PieceFault> {
        let [p_bits, of_p, primes @ ..] = &taken.words[..] else { return Err(PieceFault::Malformed) };
        let (p_bits, of_p) = (*p_bits, usize::try_from(*of_p).unwrap_or(usize::MAX));
        let (of_p, of_q) = primes.split_at_checked(of_p).ok_or(PieceFault::Malformed)?;
        let factors = |words| Factors::from_words(words).ok_or(PieceFault::Malformed);
        let (p_factors, q_factors) = (factors(of_p)?, factors(of_q)?);
        let is_right = {
            let [p, qb, b, t] = &taken.numbers[..] else { return Err(PieceFault::Malformed) };
            let series = HypergeometricSeries::from(self.series);
            let plain = ReducedSeries::new(&series, taken.prime()).stretch(range.from, range.to);
            is_stretch(&taken, [p, qb, b, t], &plain, wanted.p)
        };
        let [p, qb, b, t] = taken.numbers()?;
        // Of a number that was cut nobody divides anything out.
        let divide = |factors: &Factors, number: &Number| {
            !number.is_exact() || factors.divide(number.mantissa.value(), number.mantissa.bits())
        };
        let are_factors = divide(&q_factors, &qb) && (!wanted.p || divide(&p_factors, &p));
        let is_bound = p_bits <= bits_max && !(wanted.p && p.is_exact() && p.bits_at_most() > p_bits);
        if !(is_right && are_factors && is_bound) {
            return Err(PieceFault::Wrong);
        }
        Ok(Node { p, p_bits, qb, b, t, p_factors, q_factors, lost: Duration::ZERO })
    }
}

/// Whether the numbers have the quotients of the plain recurrence, as far as they are exact.
fn is_stretch(taken: &Taken, numbers: [&Number; 4], plain: &StretchResidues, has_p: bool) -> bool {
    let prime: &Modulus = taken.prime();
    let [p, qb, b, t] = numbers.map(|number| taken.form(number));
    let [p0, q0, b0, t0] = [plain.p, plain.q, plain.b, plain.t].map(|word| prime.enter(word));
    let qb0 = prime.product(q0, b0);
    let alike = |above: u64, above0: u64| prime.product(above, qb0) == prime.product(above0, qb);
    let [p_exact, qb_exact, b_exact, t_exact] = numbers.map(Number::is_exact);
    let is_p = !has_p || !p_exact || !qb_exact || alike(p, p0);
    let is_t = !t_exact || !qb_exact || alike(t, t0);
    let is_b = !b_exact || b == b0;
    // All zeros would have all the quotients.
    is_p && is_t && is_b && (!qb_exact || qb != 0 || qb0 == 0)
}

/// A polynomial has at most so many bits at indices below `to`.
fn bits_at_most(polynomial: &Polynomial, to: u64) -> u64 {
    let length = |value: i128| u64::from(u128::BITS - value.unsigned_abs().leading_zeros());
    let index = u64::from(u64::BITS - to.leading_zeros());
    let of_factor = |factor: &protocol::series::Factor| {
        let largest = factor.coefficients.iter().map(|coefficient| length(*coefficient)).max().unwrap_or(0);
        (largest + u64::from(factor.degree()) * index + 4) * u64::from(factor.power)
    };
    length(polynomial.constant) + polynomial.factors.iter().map(of_factor).sum::<u64>() + 1
}
