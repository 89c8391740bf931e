//! Hexadecimal digits of a constant at any position: the CPU twin of the GPU kernel `digit_extraction`.
//!
//! A task asks for the sum modulo 1 of a stretch of a BBP-type series, each term truncated on its own
//! ([`protocol::digit_extraction::HexTerms`]). [`reference_sum`] does what the definition says by long division, and is
//! what everything else is held to; [`partial_sum`] gives the same bytes by Montgomery powers and exact division, on
//! the fastest [`Path`] of this processor. `docs/kernels.md` has the proofs.

#[cfg(target_arch = "x86_64")]
mod fma;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod reference;
mod scalar;
mod stretch;
mod wide;

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use protocol::digit_extraction::{Fraction, HexTerms, HexTermsFault, SeriesComponent};
use rayon::prelude::*;

use crate::control::{Cancelled, Control};

use self::{
    stretch::Stretch,
    wide::{Sums, Wide},
};

pub use reference::reference_sum;

/// How many k of one component are summed between two looks at the control: milliseconds.
const CHUNK_TERMS: u64 = 1 << 16;

/// Why there is no sum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexSumError {
    /// Nobody waits for it any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Nobody can compute it.
    #[error(transparent)]
    Fault(#[from] HexTermsFault),
}

/// A way to sum terms on a processor; all give the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Path {
    /// 64-bit integers.
    Scalar,
    /// AVX2 with fused multiply-add, four terms to a register, for denominators below 2^52; beyond, [`Path::Scalar`].
    Avx2,
    /// AVX-512-IFMA, eight terms to a register, for denominators below 2^52; beyond, [`Path::Scalar`].
    Ifma,
}

impl Path {
    /// The paths of this processor, the fastest first.
    #[must_use]
    pub fn available() -> &'static [Self] {
        #[cfg(target_arch = "x86_64")]
        match (ifma::is_available(), fma::is_available()) {
            (true, true) => return &[Self::Ifma, Self::Avx2, Self::Scalar],
            (true, false) => return &[Self::Ifma, Self::Scalar],
            (false, true) => return &[Self::Avx2, Self::Scalar],
            (false, false) => {}
        }
        &[Self::Scalar]
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Ifma => "avx512-ifma",
        })
    }
}

/// The outcome of a task, on the fastest path and the rayon pool of the caller.
///
/// # Errors
/// [`HexSumError`] when it was cancelled, or when nobody can compute the task.
pub fn partial_sum(task: &HexTerms, control: &Control) -> Result<Fraction, HexSumError> {
    partial_sum_by(Path::available()[0], task, control)
}

/// As [`partial_sum`], on a path of [`Path::available`]; one that is not there falls back to [`Path::Scalar`].
///
/// # Errors
/// [`HexSumError`] when it was cancelled, or when nobody can compute the task.
pub fn partial_sum_by(path: Path, task: &HexTerms, control: &Control) -> Result<Fraction, HexSumError> {
    task.check()?;
    let done = AtomicU64::new(0);
    let chunks = (task.end_term - task.first_term).div_ceil(CHUNK_TERMS);
    let components = task.series.components.len() as u64;
    let total = (0..chunks * components)
        .into_par_iter()
        .map(|number| {
            control.check()?;
            let component = &task.series.components[usize::try_from(number % components).unwrap_or(0)];
            let first = task.first_term + number / components * CHUNK_TERMS;
            let end = task.end_term.min(first + CHUNK_TERMS);
            let sum = chunk(path, task, component, first, end)?;
            let so_far = done.fetch_add(1, Ordering::Relaxed) + 1;
            control.set_permille(u16::try_from(so_far * 1000 / (chunks * components)).unwrap_or(1000));
            Ok::<_, HexSumError>(sum)
        })
        .try_reduce(Wide::default, |mut left, right| {
            left.add_scaled(&right, 1);
            Ok(left)
        })?;
    Ok(Fraction::from_limbs(&total.0[..task.limbs()]))
}

/// The terms of one component from `first` to before `end`, with signs and coefficient.
fn chunk(
    path: Path,
    task: &HexTerms,
    component: &SeriesComponent,
    first: u64,
    end: u64,
) -> Result<Wide, HexTermsFault> {
    let (stretch, tail) = Stretch::new(task, component);
    let tail = tail.clamp(first, end);
    let mut sums = Sums::default();
    let mut next = first;
    #[cfg(target_arch = "x86_64")]
    if next < tail {
        next = match path {
            Path::Ifma => ifma::add_terms(&stretch, next, tail, &mut sums),
            Path::Avx2 => fma::add_terms(&stretch, next, tail, &mut sums),
            Path::Scalar => next,
        };
    }
    if next < tail {
        scalar::add_terms(&stretch, next, tail, &mut sums);
    }
    for k in tail..end {
        reference::add_term(task, component, k, sums.of(k))?;
    }
    let mut total = Wide::default();
    total.add_scaled(&sums.even, component.coefficient);
    total.add_scaled(
        &sums.odd,
        if component.alternates { -component.coefficient } else { component.coefficient },
    );
    Ok(total)
}
