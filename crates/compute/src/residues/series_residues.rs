//! Residues of a hypergeometric series: the CPU twin of the kernel `series_residues`.
//!
//! One term after the other, with no number longer than a word: for each modulus the stretch is cut into chunks for the
//! threads, and each chunk into lanes that run side by side, as one lane waits most of the time for its own products.
//! What the lanes and chunks come to is joined in order.

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::series_vectors::Steps;
use super::{
    ladder::{Coefficients, Ladder},
    modulus::{Modulus, product, sum},
    series::{HypergeometricSeries, SeriesError, check_stretch},
    stretch::StretchResidues,
};
use crate::control::{Cancelled, Control};

/// Stretches of one chunk that run side by side.
const LANES: usize = 4;
/// Terms between two looks at the control: a few milliseconds, or one where there are vectors.
const CHUNK_TERMS: u64 = 1 << 17;
/// Chunks of fewer terms are not worth the beginnings of several lanes.
const LANES_TERMS_MIN: u64 = 64;
/// And these are not worth those of vectors.
#[cfg(target_arch = "x86_64")]
const VECTOR_TERMS_MIN: u64 = 4096;

/// Why there are no residues of a series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeriesResiduesError {
    /// Nobody waits for them any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The stretch is out of bounds.
    #[error(transparent)]
    Series(#[from] SeriesError),
}

/// P, Q, B and T of the terms in `stretch`, modulo each of `moduli` and in their order, on the rayon pool of the
/// caller, in linear time and with memory for a few words a chunk.
///
/// # Errors
/// [`SeriesResiduesError`] when it was cancelled, or the stretch is out of bounds.
pub fn series_residues(
    series: &HypergeometricSeries,
    stretch: Range<u64>,
    moduli: &[Modulus],
    control: &Control,
) -> Result<Vec<StretchResidues>, SeriesResiduesError> {
    check_stretch(stretch.start, stretch.end)?;
    let chunks = (stretch.end - stretch.start).div_ceil(CHUNK_TERMS);
    let all = u128::from(chunks) * moduli.len() as u128;
    let done = AtomicU64::new(0);
    let residues: Result<Vec<StretchResidues>, Cancelled> = moduli
        .par_iter()
        .map(|modulus| {
            let reduced = ReducedSeries::new(series, modulus);
            // rayon reduces in order, so that neighbours are joined and nothing has to be kept.
            (0..chunks)
                .into_par_iter()
                .map(|number| {
                    control.check()?;
                    let first = stretch.start + number * CHUNK_TERMS;
                    let sum = reduced.stretch(first, stretch.end.min(first + CHUNK_TERMS));
                    let so_far = u128::from(done.fetch_add(1, Ordering::Relaxed)) + 1;
                    control.set_permille(u16::try_from(so_far * 1000 / all).unwrap_or(1000));
                    Ok(sum)
                })
                .try_reduce(|| StretchResidues::EMPTY, |left, right| Ok(left.joined(right, modulus)))
        })
        .collect();
    Ok(residues?)
}

/// The series modulo one modulus; polynomials that are 1 everywhere are left out.
pub(crate) struct ReducedSeries<'m> {
    modulus: &'m Modulus,
    p: Option<Coefficients>,
    q: Option<Coefficients>,
    a: Option<Coefficients>,
    b: Option<Coefficients>,
    /// By vectors, where that is possible.
    #[cfg(target_arch = "x86_64")]
    steps: Option<Steps>,
}

impl<'m> ReducedSeries<'m> {
    pub(crate) fn new(series: &HypergeometricSeries, modulus: &'m Modulus) -> Self {
        let [p, q, a, b] = series.polynomials().map(|polynomial| Coefficients::new(polynomial, modulus));
        Self {
            modulus,
            p,
            q,
            a,
            b,
            #[cfg(target_arch = "x86_64")]
            steps: Steps::new(series.polynomials(), modulus),
        }
    }

    /// The terms from `first` to before `end`, on this thread.
    pub(crate) fn stretch(&self, first: u64, end: u64) -> StretchResidues {
        let (mut total, mut next) = self.by_vectors(first, end);
        if end - next >= LANES_TERMS_MIN {
            let terms = (end - next) / LANES as u64;
            for lane in self.lanes::<LANES>(next, terms) {
                total = total.joined(lane, self.modulus);
            }
            next += terms * LANES as u64;
        }
        let [rest] = self.lanes::<1>(next, end - next);
        total.joined(rest, self.modulus)
    }

    /// What vectors sum of the terms, and the first that they leave.
    #[cfg(target_arch = "x86_64")]
    fn by_vectors(&self, first: u64, end: u64) -> (StretchResidues, u64) {
        match &self.steps {
            Some(steps) if end - first >= VECTOR_TERMS_MIN => {
                let count = (end - first) / steps.terms_min();
                let stretches = steps.stretches(first, count).into_iter();
                let total = stretches
                    .fold(StretchResidues::EMPTY, |total, stretch| total.joined(stretch, self.modulus));
                (total, first + count * steps.terms_min())
            }
            _ => (StretchResidues::EMPTY, first),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn by_vectors(&self, first: u64, _: u64) -> (StretchResidues, u64) {
        (StretchResidues::EMPTY, first)
    }

    /// As many neighbouring stretches of `terms` terms as there are lanes.
    fn lanes<const N: usize>(&self, first: u64, terms: u64) -> [StretchResidues; N] {
        let ladder = |coefficients: &Option<Coefficients>| {
            coefficients
                .as_ref()
                .map(|coefficients| Ladder::<N>::new(coefficients, first, terms, self.modulus))
        };
        let [p, q, a, b] = [&self.p, &self.q, &self.a, &self.b].map(ladder);
        let mut sums = Sums {
            p: [self.modulus.one(); N],
            q: [self.modulus.one(); N],
            b: [self.modulus.one(); N],
            t: [0; N],
        };
        // Of the series that matter some polynomials are 1; each shape is compiled on its own.
        match (p, q, a, b) {
            (Some(p), Some(q), Some(a), None) => {
                sums.add::<true, true, true, false>(self.modulus, terms, [p, q, a, q]);
            }
            (None, Some(q), None, None) => {
                sums.add::<false, true, false, false>(self.modulus, terms, [q, q, q, q]);
            }
            (None, Some(q), None, Some(b)) => {
                sums.add::<false, true, false, true>(self.modulus, terms, [q, q, q, b]);
            }
            (p, q, a, b) => {
                let one = Ladder::<N>::of_ones(self.modulus);
                let ladders = [p, q, a, b].map(|ladder| ladder.unwrap_or(one));
                sums.add::<true, true, true, true>(self.modulus, terms, ladders);
            }
        }
        std::array::from_fn(|lane| StretchResidues {
            p: self.modulus.leave(sums.p[lane]),
            q: self.modulus.leave(sums.q[lane]),
            b: self.modulus.leave(sums.b[lane]),
            t: self.modulus.leave(sums.t[lane]),
        })
    }
}

/// P, Q, B and T of each lane, in Montgomery's form.
struct Sums<const N: usize> {
    p: [u64; N],
    q: [u64; N],
    b: [u64; N],
    t: [u64; N],
}

impl<const N: usize> Sums<N> {
    /// Adds terms, `P <- P p, T <- T q b + a B P, Q <- Q q, B <- B b` for each; a polynomial that is 1 costs nothing.
    #[inline]
    fn add<const HAS_P: bool, const HAS_Q: bool, const HAS_A: bool, const HAS_B: bool>(
        &mut self,
        modulus: &Modulus,
        terms: u64,
        [mut p, mut q, mut a, mut b]: [Ladder<N>; 4],
    ) {
        let (value, inverse) = (modulus.value(), modulus.inverse());
        let times = |left: u64, right: u64| product(left, right, value, inverse);
        for _ in 0..terms {
            for lane in 0..N {
                if HAS_P {
                    self.p[lane] = times(self.p[lane], p.values()[lane]);
                }
                let mut addend = self.p[lane];
                let mut numerator = self.t[lane];
                if HAS_B {
                    addend = times(addend, self.b[lane]);
                    numerator = times(numerator, b.values()[lane]);
                    self.b[lane] = times(self.b[lane], b.values()[lane]);
                }
                if HAS_A {
                    addend = times(addend, a.values()[lane]);
                }
                if HAS_Q {
                    numerator = times(numerator, q.values()[lane]);
                    self.q[lane] = times(self.q[lane], q.values()[lane]);
                }
                self.t[lane] = sum(numerator, addend, value);
            }
            if HAS_P {
                p.climb(value);
            }
            if HAS_Q {
                q.climb(value);
            }
            if HAS_A {
                a.climb(value);
            }
            if HAS_B {
                b.climb(value);
            }
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use proptest::prelude::*;
    use rug::Integer;

    use super::*;
    use crate::residues::{Polynomial, random_primes};

    /// Of any degree that the vectors take alone, and some others.
    fn polynomial() -> impl Strategy<Value = Polynomial> {
        let coefficient =
            prop_oneof![any::<i64>().prop_map(Integer::from), Just(Integer::from(1) << 200_u32)];
        prop_oneof![
            1 => Just(Vec::new()),
            2 => Just(vec![Integer::from(1)]),
            6 => prop::collection::vec(coefficient, 1..=9),
        ]
        .prop_map(|coefficients| Polynomial::new(coefficients).unwrap())
    }

    /// Primes of challenges, and numbers at both ends of what vectors take.
    fn modulus() -> impl Strategy<Value = Modulus> {
        prop_oneof![
            4 => any::<u64>().prop_map(|seed| random_primes(&seed.to_le_bytes(), 1)[0]),
            2 => (any::<u64>(), 3_u32..62).prop_map(|(drawn, shift)| Modulus::of_odd((drawn >> shift).max(3) | 1)),
            1 => prop::sample::select(vec![3, (1 << 52) - 1, (1 << 52) + 1, (1 << 61) - 1, (1 << 60) + 1])
                .prop_map(Modulus::of_odd),
        ]
    }

    proptest! {
        #[test]
        fn vectors_sum_what_the_plain_way_sums(
            (p, q, a) in (polynomial(), polynomial(), polynomial()),
            modulus in modulus(),
            first in prop_oneof![0_u64..10_000, Just((1 << 47) - 7)],
            terms in prop_oneof![VECTOR_TERMS_MIN..VECTOR_TERMS_MIN + 200, 0_u64..20_000],
        ) {
            let b = Polynomial::new([1]).unwrap();
            let reduced = ReducedSeries::new(&HypergeometricSeries { p, q, a, b }, &modulus);
            let (sum, next) = reduced.by_vectors(first, first + terms);
            let is_summed = reduced.steps.is_some() && terms >= VECTOR_TERMS_MIN;
            prop_assert!(next <= first + terms && (next > first) == is_summed);
            let [plain] = reduced.lanes::<1>(first, next - first);
            prop_assert_eq!(sum, plain);
            let [whole] = reduced.lanes::<1>(first, terms);
            prop_assert_eq!(reduced.stretch(first, first + terms), whole);
        }
    }

    #[test]
    fn the_series_of_pi_is_summed_by_vectors_where_the_processor_has_them() {
        let modulus = random_primes(b"pi", 1)[0];
        let reduced = ReducedSeries::new(&HypergeometricSeries::chudnovsky(), &modulus);
        let (_, next) = reduced.by_vectors(1, 1 + VECTOR_TERMS_MIN);
        assert_eq!(next > 1, super::super::vectors::is_available());
    }
}
