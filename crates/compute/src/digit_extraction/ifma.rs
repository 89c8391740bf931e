//! The AVX-512-IFMA path: eight terms in a register, six registers side by side, 52-bit Montgomery powers of two.
//!
//! The same arithmetic as the portable path with 2^52 in the place of 2^64. Nothing is reduced on the way for
//! denominators below 2^48; up to 2^50 one conditional subtraction a step keeps the powers below twice the modulus, and up
//! to 2^52, where a denominator fills its register, two keep them below the modulus itself.

use std::arch::x86_64::{
    __m512i, _CMP_LT_OQ, _mm_cvtsi64_si128, _mm512_add_epi64, _mm512_add_pd, _mm512_and_si512,
    _mm512_castpd_si512, _mm512_castsi512_pd, _mm512_cmp_pd_mask, _mm512_cmpeq_epi64_mask, _mm512_div_pd,
    _mm512_fmadd_pd, _mm512_fnmadd_pd, _mm512_lzcnt_epi64, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_mask_add_epi64, _mm512_mask_add_pd, _mm512_min_epu64, _mm512_or_si512, _mm512_set1_epi64,
    _mm512_set1_pd, _mm512_setr_epi64, _mm512_setzero_pd, _mm512_setzero_si512, _mm512_slli_epi64,
    _mm512_srl_epi64, _mm512_srlv_epi64, _mm512_sub_epi64, _mm512_sub_pd, _mm512_test_epi64_mask,
    _mm512_xor_si512,
};

use super::{stretch::Stretch, wide::Sums};

/// Terms in a register.
const LANES: usize = 8;
/// Registers side by side, so that one's multiplications fill the waits of the others.
const REGISTERS: usize = 6;
/// Terms in one round.
const ROUND: u64 = (LANES * REGISTERS) as u64;
/// Rounds after which sums of 52-bit limbs could leave 64 bits.
const ROUNDS_MAX: u64 = (1 << 12) / REGISTERS as u64;
/// 52-bit limbs of the widest fraction.
const LIMBS_MAX: usize = 5;
/// Up to which denominators nothing is reduced on the way.
const LAZY_BITS: u32 = 48;
/// Up to which denominators one subtraction a step is enough.
const SINGLE_BITS: u32 = 50;
/// The last bits of such a double are an integer's that is below 2^52.
const TWO_TO_52: f64 = 4_503_599_627_370_496.0;
/// Up to which denominators this path serves.
pub(super) const DENOMINATOR_BITS_MAX: u32 = 52;

/// Whether this processor has what the path needs.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512ifma")
}

/// Adds the terms of k from `first` on, in whole rounds, and says before which k it stopped; none are added where a
/// denominator up to `end` is too large or the processor is another.
pub(super) fn add_terms(stretch: &Stretch, first: u64, end: u64, sums: &mut Sums) -> u64 {
    let bits = stretch.denominator_bits(end - 1);
    if bits > DENOMINATOR_BITS_MAX || !is_available() {
        return first;
    }
    let mut k = first;
    while end - k >= ROUND {
        let rounds = ((end - k) / ROUND).min(ROUNDS_MAX);
        // SAFETY: the processor has avx512f, avx512cd and avx512ifma: `is_available` has just said so.
        let limbs = unsafe {
            if bits <= LAZY_BITS {
                add_wide::<0>(stretch, k, rounds)
            } else if bits <= SINGLE_BITS {
                add_wide::<1>(stretch, k, rounds)
            } else {
                add_wide::<2>(stretch, k, rounds)
            }
        };
        for (limb, shift) in limbs.iter().zip((0..).step_by(52)) {
            for (lane, sum) in (k..).zip(limb) {
                sums.of(lane).add_shifted(u128::from(*sum), shift);
            }
        }
        k += rounds * ROUND;
    }
    k
}

#[target_feature(enable = "avx512f,avx512cd,avx512ifma")]
fn add_wide<const SUBTRACTIONS: u32>(
    stretch: &Stretch,
    first: u64,
    rounds: u64,
) -> [[u64; LANES]; LIMBS_MAX] {
    match stretch.limbs {
        1 => add_rounds::<SUBTRACTIONS, 2>(stretch, first, rounds),
        2 => add_rounds::<SUBTRACTIONS, 3>(stretch, first, rounds),
        3 => add_rounds::<SUBTRACTIONS, 4>(stretch, first, rounds),
        _ => add_rounds::<SUBTRACTIONS, 5>(stretch, first, rounds),
    }
}

/// Sums of the limbs of floor(2^exponent / denominator), by lane, with so many conditional subtractions a step.
#[target_feature(enable = "avx512f,avx512cd,avx512ifma")]
fn add_rounds<const SUBTRACTIONS: u32, const LIMBS: usize>(
    stretch: &Stretch,
    first: u64,
    rounds: u64,
) -> [[u64; LANES]; LIMBS_MAX] {
    let exponent_bits = 64 - stretch.exponent(first).leading_zeros();
    let tail_bits = exponent_bits - stretch.head_bits(first);
    let mut sums = [_mm512_setzero_si512(); LIMBS];
    for round in 0..rounds {
        let mut registers = [Register::ZERO; REGISTERS];
        for (register, number) in registers.iter_mut().zip(0..) {
            *register = opened(stretch, first + round * ROUND + number * LANES as u64, tail_bits);
        }
        for place in (0..tail_bits).rev() {
            let bit = splat(1 << place);
            for register in &mut registers {
                register.step::<SUBTRACTIONS>(bit);
            }
        }
        for register in &registers {
            register.add_limbs(&mut sums);
        }
    }
    let mut lanes = [[0; LANES]; LIMBS_MAX];
    for (lanes, sum) in lanes.iter_mut().zip(sums) {
        // SAFETY: both are 64 bytes of plain integers, and every bit pattern is valid in either.
        *lanes = unsafe { std::mem::transmute::<__m512i, [u64; LANES]>(sum) };
    }
    lanes
}

/// Eight terms on their way.
#[derive(Clone, Copy)]
struct Register {
    exponent: __m512i,
    /// The odd part of the denominator.
    modulus: __m512i,
    /// 1 / modulus modulo 2^52.
    inverse: __m512i,
    power: __m512i,
}

impl Register {
    // SAFETY: both are 64 bytes of plain integers, and every bit pattern is valid in either.
    const ZERO_LANES: __m512i = unsafe { std::mem::transmute([0_u64; LANES]) };
    const ZERO: Self = Self {
        exponent: Self::ZERO_LANES,
        modulus: Self::ZERO_LANES,
        inverse: Self::ZERO_LANES,
        power: Self::ZERO_LANES,
    };

    /// Squares the power, divides by 2^52, and doubles it where the exponent has the bit.
    #[inline]
    #[target_feature(enable = "avx512f,avx512cd,avx512ifma")]
    fn step<const SUBTRACTIONS: u32>(&mut self, bit: __m512i) {
        let zero = _mm512_setzero_si512();
        let low = _mm512_madd52lo_epu64(zero, self.power, self.power);
        let high = _mm512_madd52hi_epu64(self.modulus, self.power, self.power);
        let factor = _mm512_madd52lo_epu64(zero, low, self.inverse);
        let product = _mm512_madd52hi_epu64(zero, factor, self.modulus);
        let power = _mm512_sub_epi64(high, product);
        let power = if SUBTRACTIONS == 2 { reduced(power, self.modulus) } else { power };
        let is_set = _mm512_test_epi64_mask(self.exponent, bit);
        let power = _mm512_mask_add_epi64(power, is_set, power, power);
        self.power = match SUBTRACTIONS {
            0 => power,
            1 => reduced(power, _mm512_add_epi64(self.modulus, self.modulus)),
            _ => reduced(power, self.modulus),
        };
    }

    /// Adds the limbs of the quotients: see the portable path.
    #[inline]
    #[target_feature(enable = "avx512f,avx512cd,avx512ifma")]
    fn add_limbs<const LIMBS: usize>(&self, sums: &mut [__m512i; LIMBS]) {
        let (zero, one) = (_mm512_setzero_si512(), splat(1));
        let is_above_one = !_mm512_cmpeq_epi64_mask(self.modulus, one);
        let inverse = _mm512_sub_epi64(zero, self.inverse);
        let limb = _mm512_madd52lo_epu64(zero, self.power, inverse);
        let mut remainder = _mm512_madd52hi_epu64(one, limb, self.modulus);
        for sum in sums {
            let limb = _mm512_madd52lo_epu64(zero, remainder, inverse);
            remainder = _mm512_madd52hi_epu64(one, limb, self.modulus);
            *sum = _mm512_mask_add_epi64(*sum, is_above_one, *sum, limb);
        }
    }
}

/// Eight k in a row, with the bits of their exponents done that stand above the last `tail_bits`.
#[inline]
#[target_feature(enable = "avx512f,avx512cd,avx512ifma")]
fn opened(stretch: &Stretch, k: u64, tail_bits: u32) -> Register {
    let zero = _mm512_setzero_si512();
    let numbers = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    let base = splat(stretch.step * k + stretch.start);
    let base = _mm512_madd52lo_epu64(base, splat(stretch.step), numbers);
    let whole = if stretch.is_squared { _mm512_madd52lo_epu64(zero, base, base) } else { base };
    let lowest = _mm512_and_si512(whole, _mm512_sub_epi64(zero, whole));
    let twos = _mm512_sub_epi64(splat(63), _mm512_lzcnt_epi64(lowest));
    let modulus = _mm512_srlv_epi64(whole, twos);
    let step_bits = splat(stretch.exponent(k) - stretch.exponent(k + 1));
    let exponent = _mm512_sub_epi64(
        splat(stretch.exponent(k)),
        _mm512_add_epi64(twos, _mm512_madd52lo_epu64(zero, step_bits, numbers)),
    );

    let mut inverse =
        _mm512_xor_si512(_mm512_add_epi64(modulus, _mm512_add_epi64(modulus, modulus)), splat(2));
    for _ in 0..4 {
        let product = _mm512_madd52lo_epu64(zero, modulus, inverse);
        inverse = _mm512_madd52lo_epu64(zero, inverse, _mm512_sub_epi64(splat(2), product));
    }
    let head = _mm512_srl_epi64(exponent, _mm_cvtsi64_si128(i64::from(tail_bits)));
    Register { exponent, modulus, inverse, power: power_of_two(head, modulus) }
}

/// 2^(head + 52) modulo the modulus, for heads that one reduction takes: see the AVX2 path.
#[inline]
#[target_feature(enable = "avx512f,avx512cd,avx512ifma")]
fn power_of_two(head: __m512i, modulus: __m512i) -> __m512i {
    let offset = _mm512_set1_pd(TWO_TO_52);
    let offset_bits = _mm512_castpd_si512(offset);
    let rounder = _mm512_set1_pd(1.5 * TWO_TO_52);
    let modulus = _mm512_sub_pd(_mm512_castsi512_pd(_mm512_or_si512(modulus, offset_bits)), offset);
    let reciprocal = _mm512_div_pd(_mm512_set1_pd(1.0), modulus);
    let mut power = _mm512_set1_pd(1.0);
    for doublings in [head, splat(26), splat(26)] {
        let exponent = _mm512_slli_epi64::<52>(doublings);
        power = _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(power), exponent));
        let quotient = _mm512_sub_pd(_mm512_fmadd_pd(power, reciprocal, rounder), rounder);
        power = _mm512_fnmadd_pd(quotient, modulus, power);
    }
    let is_negative = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(power, _mm512_setzero_pd());
    let power = _mm512_mask_add_pd(power, is_negative, power, modulus);
    _mm512_xor_si512(_mm512_castpd_si512(_mm512_add_pd(power, offset)), offset_bits)
}

/// What is left of values below twice the bound once it is subtracted where it can be.
#[inline]
#[target_feature(enable = "avx512f,avx512cd,avx512ifma")]
fn reduced(values: __m512i, bound: __m512i) -> __m512i {
    // Below the bound the difference wraps above every value.
    _mm512_min_epu64(values, _mm512_sub_epi64(values, bound))
}

#[inline]
#[target_feature(enable = "avx512f,avx512cd,avx512ifma")]
fn splat(value: u64) -> __m512i {
    _mm512_set1_epi64(value.cast_signed())
}
