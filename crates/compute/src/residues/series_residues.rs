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

use super::{
    ladder::{Coefficients, Ladder},
    modulus::{Modulus, product, sum},
    series::{HypergeometricSeries, SeriesError, check_stretch},
    stretch::StretchResidues,
};
use crate::control::{Cancelled, Control};

/// Stretches of one chunk that run side by side.
const LANES: usize = 4;
/// Terms between two looks at the control: about a millisecond.
const CHUNK_TERMS: u64 = 1 << 15;
/// Chunks of fewer terms are not worth the beginnings of several lanes.
const LANES_TERMS_MIN: u64 = 64;

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
}

impl<'m> ReducedSeries<'m> {
    pub(crate) fn new(series: &HypergeometricSeries, modulus: &'m Modulus) -> Self {
        let [p, q, a, b] = series.polynomials().map(|polynomial| Coefficients::new(polynomial, modulus));
        Self { modulus, p, q, a, b }
    }

    /// The terms from `first` to before `end`, on this thread.
    pub(crate) fn stretch(&self, first: u64, end: u64) -> StretchResidues {
        let mut total = StretchResidues::EMPTY;
        let mut next = first;
        if end - first >= LANES_TERMS_MIN {
            let terms = (end - first) / LANES as u64;
            for lane in self.lanes::<LANES>(first, terms) {
                total = total.joined(lane, self.modulus);
            }
            next += terms * LANES as u64;
        }
        let [rest] = self.lanes::<1>(next, end - next);
        total.joined(rest, self.modulus)
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
