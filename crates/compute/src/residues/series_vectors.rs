//! The AVX-512-IFMA path of residues of a series: sixteen stretches side by side, several terms at a step.
//!
//! The terms of a step make one step of the same kind, whose polynomials have a higher degree: with `a' = a p`, the recurrence is
//! `T <- T q + P a'`, `P <- P p`, `Q <- Q q`, and two of these are one with `p(k) p(k + 1)`, `q(k) q(k + 1)` and
//! `a'(k) q(k + 1) + p(k) a'(k + 1)`. Values of polynomials cost sums alone, however high their degree, and sums are what
//! vectors do best; products are four a step. They are Montgomery's with `R = 2^104`, by limbs of 52 bits.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_loadu_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_min_epu64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srai_epi64,
    _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64,
};

use super::{
    modulus::Modulus, prime::RANDOM_PRIME_BITS, series::Polynomial, stretch::StretchResidues, vectors,
};

/// Numbers in a register.
const LANES: usize = 8;
/// Registers that take their turns, as a product waits for itself.
const REGISTERS: usize = 2;
/// Stretches side by side.
pub(super) const STRETCHES: usize = LANES * REGISTERS;
/// Most terms of a step: more would save less than the sums cost.
const STEP_TERMS_MAX: u64 = 4;
/// Most coefficients of a step's polynomial.
const RUNGS_MAX: usize = 16;
/// Bits of a limb.
const LIMB_BITS: u32 = 52;

/// Of each lane of each register.
type Lanes = [__m512i; REGISTERS];

/// Some terms of a series as one step, modulo a modulus of at most 61 bits; only a processor that has what the path needs makes
/// one.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    modulus: Modulus,
    /// How many terms a step has.
    terms: u64,
    /// p, q and a' of a step, in Montgomery's form with `2^64`.
    polynomials: [Vec<u64>; 3],
    /// `2^104`: the form of 1 with `2^104`, and what forms with `2^64` are multiplied by to be such.
    widening: u64,
}

impl Steps {
    /// None on other processors, for a larger modulus, for a series with a b, and one of too high a degree.
    pub(super) fn new([p, q, a, b]: [&Polynomial; 4], modulus: &Modulus) -> Option<Self> {
        if !b.is_one() || modulus.value() >> RANDOM_PRIME_BITS != 0 || !vectors::is_available() {
            return None;
        }
        let polynomials = Forms(modulus);
        let [p, q, a] = [p, q, a].map(|polynomial| polynomials.of(polynomial));
        let single = [p.clone(), q, polynomials.product(&a, &p)];
        let (mut step, mut next, mut terms) = (single.clone(), single.clone(), 1);
        let is_short = |step: &[Vec<u64>; 3]| step.iter().all(|forms| forms.len() <= RUNGS_MAX);
        while terms < STEP_TERMS_MAX {
            next = next.map(|forms| polynomials.at_next(&forms));
            let longer = polynomials.joined(&step, &next);
            if !is_short(&longer) {
                break;
            }
            (step, terms) = (longer, terms + 1);
        }
        let two = modulus.enter(2);
        let widening = modulus.leave(modulus.power(two, 2 * u64::from(LIMB_BITS)));
        is_short(&step).then_some(Self { modulus: *modulus, terms, polynomials: step, widening })
    }

    /// Terms of the smallest stretches that this makes.
    pub(super) fn terms_min(&self) -> u64 {
        self.terms * STRETCHES as u64
    }

    /// As many neighbouring stretches of `steps` steps as run side by side, the first one from `first` on.
    pub(super) fn stretches(&self, first: u64, steps: u64) -> [StretchResidues; STRETCHES] {
        let ladders = self.polynomials.each_ref().map(|forms| self.ladder(forms, first, steps));
        // SAFETY: steps are only made where `vectors::is_available` has said that the processor has these features.
        let [p, q, t] = unsafe { summed((&self.modulus, self.widening), steps, &ladders) };
        std::array::from_fn(|place| StretchResidues { p: p[place], q: q[place], b: 1, t: t[place] })
    }

    /// Values and differences of a polynomial from step to step, of each stretch, in Montgomery's form with `2^104`.
    fn ladder(&self, forms: &[u64], first: u64, steps: u64) -> Ladder {
        let (modulus, polynomials) = (&self.modulus, Forms(&self.modulus));
        let mut rungs = [[0; STRETCHES]; RUNGS_MAX];
        for (stretch, start) in (0..STRETCHES).zip((0..).map(|place| first + place * steps * self.terms)) {
            let mut values = [0; RUNGS_MAX];
            for (value, step) in values.iter_mut().zip(0..).take(forms.len()) {
                let form = polynomials.value(forms, start + step * self.terms);
                *value = modulus.product(form, self.widening);
            }
            for level in 1..forms.len() {
                for place in (level..forms.len()).rev() {
                    values[place] = modulus.subtract(values[place], values[place - 1]);
                }
            }
            for (rung, value) in rungs.iter_mut().zip(values) {
                rung[stretch] = value;
            }
        }
        Ladder { rungs, count: forms.len() }
    }
}

/// Polynomials as the forms of their coefficients, the constant one first; at least one.
struct Forms<'m>(&'m Modulus);

impl Forms<'_> {
    fn of(&self, polynomial: &Polynomial) -> Vec<u64> {
        let forms: Vec<u64> =
            polynomial.coefficients().iter().map(|coefficient| self.0.form_of(coefficient)).collect();
        if forms.is_empty() { vec![0] } else { forms }
    }

    fn product(&self, left: &[u64], right: &[u64]) -> Vec<u64> {
        let mut product = vec![0; left.len() + right.len() - 1];
        for (place, left) in left.iter().enumerate() {
            for (sum, right) in product[place..].iter_mut().zip(right) {
                *sum = self.0.add(*sum, self.0.product(*left, *right));
            }
        }
        product
    }

    fn sum(&self, left: &[u64], right: &[u64]) -> Vec<u64> {
        let at = |forms: &[u64], place: usize| forms.get(place).copied().unwrap_or(0);
        let places = 0..left.len().max(right.len());
        places.map(|place| self.0.add(at(left, place), at(right, place))).collect()
    }

    /// The polynomial whose value at k is the given one's at k + 1.
    fn at_next(&self, forms: &[u64]) -> Vec<u64> {
        let mut shifted = forms.to_vec();
        for end in 0..forms.len() {
            for place in (end..forms.len() - 1).rev() {
                shifted[place] = self.0.add(shifted[place], shifted[place + 1]);
            }
        }
        shifted
    }

    fn value(&self, forms: &[u64], k: u64) -> u64 {
        let k = self.0.enter(k);
        forms.iter().rev().fold(0, |value, form| self.0.add(self.0.product(value, k), *form))
    }

    /// Two steps, one after the other, as one.
    fn joined(&self, [p, q, a]: &[Vec<u64>; 3], [next_p, next_q, next_a]: &[Vec<u64>; 3]) -> [Vec<u64>; 3] {
        let sum = self.sum(&self.product(a, next_q), &self.product(p, next_a));
        [self.product(p, next_p), self.product(q, next_q), sum]
    }
}

/// The values of one polynomial where the stretches stand, and what leads to the next ones.
struct Ladder {
    rungs: [[u64; STRETCHES]; RUNGS_MAX],
    count: usize,
}

/// The same in registers.
struct Climb {
    rungs: [Lanes; RUNGS_MAX],
    count: usize,
}

impl Climb {
    #[target_feature(enable = "avx512f")]
    fn new(ladder: &Ladder) -> Self {
        let mut rungs = [[_mm512_setzero_si512(); REGISTERS]; RUNGS_MAX];
        for (rung, values) in rungs.iter_mut().zip(&ladder.rungs) {
            let (registers, _) = values.as_chunks::<LANES>();
            for (register, values) in rung.iter_mut().zip(registers) {
                // SAFETY: the array has the 64 bytes that are read, and nothing is asked of how they are aligned.
                *register = unsafe { _mm512_loadu_si512(values.as_ptr().cast()) };
            }
        }
        Self { rungs, count: ladder.count.min(RUNGS_MAX) }
    }

    /// Every stretch goes on to its next step.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn on(&mut self, modulus: __m512i) {
        let mut upper = self.rungs[0];
        for level in 1..self.count {
            let lower = self.rungs[level];
            for place in 0..REGISTERS {
                self.rungs[level - 1][place] = sum(upper[place], lower[place], modulus);
            }
            upper = lower;
        }
    }
}

/// A modulus below `2^61` as what products take.
struct Reduction {
    modulus: __m512i,
    /// Its 9 bits above `2^52`.
    upper: __m512i,
    /// Its inverse modulo `2^52`.
    inverse: __m512i,
}

impl Reduction {
    #[target_feature(enable = "avx512f")]
    fn new(modulus: &Modulus) -> Self {
        let all = |word: u64| _mm512_set1_epi64(word.cast_signed());
        let value = modulus.value();
        // What there is of the inverse above 52 bits is not multiplied.
        Self { modulus: all(value), upper: all(value >> LIMB_BITS), inverse: all(modulus.inverse()) }
    }

    /// `a b / 2^104`, for a and b below the modulus.
    ///
    /// `a b - m n - m' n 2^52` is divided by `2^104`, with m and m' such that nothing is lost: m is what stands in the lowest limb
    /// divided by n, modulo `2^52`, and m' the same for the limb above. So `m n` has that very limb at its low end, and nothing is
    /// carried. As `a b < n^2` and `m n + m' n 2^52 < n 2^104`, the quotient lies in (-n, n).
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn product(&self, a: __m512i, b: __m512i) -> __m512i {
        let zero = _mm512_setzero_si512();
        let (a_upper, b_upper) = (_mm512_srli_epi64::<LIMB_BITS>(a), _mm512_srli_epi64::<LIMB_BITS>(b));
        let low = _mm512_madd52lo_epu64(zero, a, b);
        let middle = _mm512_madd52hi_epu64(zero, a, b);
        let middle = _mm512_madd52lo_epu64(middle, a, b_upper);
        let middle = _mm512_madd52lo_epu64(middle, a_upper, b);
        let high = _mm512_madd52hi_epu64(zero, a, b_upper);
        let high = _mm512_madd52hi_epu64(high, a_upper, b);
        let high = _mm512_madd52lo_epu64(high, a_upper, b_upper);
        let first = _mm512_madd52lo_epu64(zero, low, self.inverse);
        let gone = _mm512_madd52hi_epu64(zero, first, self.modulus);
        let gone = _mm512_madd52lo_epu64(gone, first, self.upper);
        let gone_high = _mm512_madd52hi_epu64(zero, first, self.upper);
        let middle = _mm512_sub_epi64(middle, gone);
        // Of a number below zero, the last 52 bits are its residue as well.
        let second = _mm512_madd52lo_epu64(zero, middle, self.inverse);
        let gone_high = _mm512_madd52hi_epu64(gone_high, second, self.modulus);
        let gone_high = _mm512_madd52lo_epu64(gone_high, second, self.upper);
        let gone_top = _mm512_madd52hi_epu64(zero, second, self.upper);
        let gone_high = _mm512_add_epi64(gone_high, _mm512_slli_epi64::<LIMB_BITS>(gone_top));
        let high = _mm512_add_epi64(high, _mm512_srai_epi64::<LIMB_BITS>(middle));
        let difference = _mm512_sub_epi64(high, gone_high);
        // Below zero it wraps above everything.
        _mm512_min_epu64(difference, _mm512_add_epi64(difference, self.modulus))
    }
}

/// `a + b`, for both below the modulus.
#[inline]
#[target_feature(enable = "avx512f")]
fn sum(a: __m512i, b: __m512i, modulus: __m512i) -> __m512i {
    let sum = _mm512_add_epi64(a, b);
    // Below the modulus the difference wraps above every sum.
    _mm512_min_epu64(sum, _mm512_sub_epi64(sum, modulus))
}

/// The residues of P, Q and T of each stretch; `one` is the form of 1.
#[target_feature(enable = "avx512f,avx512ifma")]
fn summed((modulus, one): (&Modulus, u64), steps: u64, ladders: &[Ladder; 3]) -> [[u64; STRETCHES]; 3] {
    let reduction = Reduction::new(modulus);
    let [mut p, mut q, mut a] = [Climb::new(&ladders[0]), Climb::new(&ladders[1]), Climb::new(&ladders[2])];
    let one = _mm512_set1_epi64(one.cast_signed());
    let mut products = [[one; REGISTERS]; 2];
    let mut total = [_mm512_setzero_si512(); REGISTERS];
    for _ in 0..steps {
        for place in 0..REGISTERS {
            let addend = reduction.product(products[0][place], a.rungs[0][place]);
            let above = reduction.product(total[place], q.rungs[0][place]);
            total[place] = sum(above, addend, reduction.modulus);
            products[0][place] = reduction.product(products[0][place], p.rungs[0][place]);
            products[1][place] = reduction.product(products[1][place], q.rungs[0][place]);
        }
        p.on(reduction.modulus);
        q.on(reduction.modulus);
        a.on(reduction.modulus);
    }
    let [p, q] = products;
    let unit = _mm512_set1_epi64(1);
    let mut residues = [[0; STRETCHES]; 3];
    for (residues, lanes) in residues.iter_mut().zip([p, q, total]) {
        let (registers, _) = residues.as_chunks_mut::<LANES>();
        for (values, lanes) in registers.iter_mut().zip(lanes) {
            let residue = reduction.product(lanes, unit);
            // SAFETY: the array has the 64 bytes that are written, and nothing is asked of how they are aligned.
            unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), residue) };
        }
    }
    residues
}
