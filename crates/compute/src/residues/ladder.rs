//! A polynomial at one index after the other by differences: as many additions as its degree, and no product.
//!
//! With the values at k, k + 1, …, k + d one knows p(k), its first difference, up to the d-th, which is constant; each
//! takes one step up the ladder by adding the one below it.

use super::{
    modulus::{Modulus, sum},
    series::{COEFFICIENTS_MAX, Polynomial},
};

/// A polynomial modulo a modulus, its coefficients in Montgomery's form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coefficients {
    forms: [u64; COEFFICIENTS_MAX],
    count: usize,
}

impl Coefficients {
    /// None for the polynomial that is 1 everywhere.
    pub(super) fn new(polynomial: &Polynomial, modulus: &Modulus) -> Option<Self> {
        if polynomial.is_one() {
            return None;
        }
        let mut forms = [0; COEFFICIENTS_MAX];
        for (form, coefficient) in forms.iter_mut().zip(polynomial.coefficients()) {
            *form = modulus.form_of(coefficient);
        }
        // Zero has no coefficient, and is as good as one that is zero.
        Some(Self { forms, count: polynomial.coefficients().len().max(1) })
    }

    fn at(&self, k: u64, modulus: &Modulus) -> u64 {
        let k = modulus.enter(k);
        let forms = self.forms[..self.count].iter().rev();
        forms.fold(0, |value, form| modulus.add(modulus.product(value, k), *form))
    }

    /// The value at k and its differences.
    fn differences(&self, k: u64, modulus: &Modulus) -> [u64; COEFFICIENTS_MAX] {
        let mut values = [0; COEFFICIENTS_MAX];
        for (value, k) in values[..self.count].iter_mut().zip(k..) {
            *value = self.at(k, modulus);
        }
        for level in 1..self.count {
            for place in (level..self.count).rev() {
                values[place] = modulus.subtract(values[place], values[place - 1]);
            }
        }
        values
    }
}

/// Values of one polynomial at several indices, and what leads to the next ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ladder<const LANES: usize> {
    rungs: [[u64; LANES]; COEFFICIENTS_MAX],
    count: usize,
}

impl<const LANES: usize> Ladder<LANES> {
    /// The first lane stands at `first`, each other one `step` after the one before.
    pub(super) fn new(coefficients: &Coefficients, first: u64, step: u64, modulus: &Modulus) -> Self {
        let mut rungs = [[0; LANES]; COEFFICIENTS_MAX];
        for (lane, k) in (0..LANES).zip((0..).map(|lane| first + lane * step)) {
            for (rung, difference) in rungs.iter_mut().zip(coefficients.differences(k, modulus)) {
                rung[lane] = difference;
            }
        }
        Self { rungs, count: coefficients.count }
    }

    /// Of the polynomial that is 1 everywhere.
    pub(super) fn of_ones(modulus: &Modulus) -> Self {
        let mut rungs = [[0; LANES]; COEFFICIENTS_MAX];
        rungs[0] = [modulus.one(); LANES];
        Self { rungs, count: 1 }
    }

    /// The values where the lanes stand, in Montgomery's form.
    #[inline]
    pub(super) fn values(&self) -> &[u64; LANES] {
        &self.rungs[0]
    }

    /// Every lane goes on to the next index.
    #[inline]
    pub(super) fn climb(&mut self, modulus: u64) {
        for level in 1..self.count {
            let [lower, upper] = [self.rungs[level], self.rungs[level - 1]];
            let next = &mut self.rungs[level - 1];
            for lane in 0..LANES {
                next[lane] = sum(upper[lane], lower[lane], modulus);
            }
        }
    }
}
