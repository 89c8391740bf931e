//! The AVX2 path: four terms in a register, ten registers side by side, powers of two in doubles that hold integers.
//!
//! A fused multiply-add gives both halves of a product, so doubles multiply 53-bit integers without error where AVX2
//! has nothing for it. What a product loses by rounding is added again; only quotients stay rounded, and one that is off
//! leaves a residue that is a little larger, not a wrong one. The digits come from the residues by exact division, on
//! integers (`docs/kernels.md`).

use std::arch::x86_64::{
    __m256d, __m256i, _CMP_LT_OQ, _mm_cvtsi64_si128, _mm256_add_epi64, _mm256_add_pd, _mm256_and_pd,
    _mm256_and_si256, _mm256_castpd_si256, _mm256_castsi256_pd, _mm256_cmp_pd, _mm256_div_pd,
    _mm256_fmadd_pd, _mm256_fmsub_pd, _mm256_fnmadd_pd, _mm256_mul_epu32, _mm256_mul_pd, _mm256_mullo_epi32,
    _mm256_or_si256, _mm256_set1_epi64x, _mm256_set1_pd, _mm256_setr_epi64x, _mm256_setzero_pd,
    _mm256_setzero_si256, _mm256_sll_epi64, _mm256_slli_epi64, _mm256_srl_epi64, _mm256_srli_epi64,
    _mm256_srlv_epi64, _mm256_sub_epi64, _mm256_sub_pd, _mm256_xor_si256,
};

use super::{stretch::Stretch, wide::Sums};

/// Terms in a register.
const LANES: usize = 4;
/// Registers side by side, so that one's multiplications fill the waits of the others.
const REGISTERS: usize = 10;
/// Terms in one round.
const ROUND: u64 = (LANES * REGISTERS) as u64;
/// Up to which denominators a square is a double, when the exponent is read two bits at a time and one.
const NARROW_BITS: [u32; 2] = [24, 26];
/// Up to which denominators one reduction serves for a square and its doublings, when the exponent is read two bits at a
/// time and one.
const WIDE_BITS: [u32; 2] = [44, 48];
/// Up to which denominators this path serves, where a doubling has a reduction of its own.
pub(super) const DENOMINATOR_BITS_MAX: u32 = 52;
/// 32-bit limbs of the widest fraction.
const LIMBS_MAX: usize = 8;
/// Its last bits are an integer's where the number is below 2^52.
const TWO_TO_52: f64 = 4_503_599_627_370_496.0;
/// Added and subtracted again, it rounds what is below 2^51 in magnitude to the nearest integer.
const ROUNDER: f64 = 1.5 * TWO_TO_52;

/// Whether this processor has what the path needs.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Adds the terms of k from `first` on, in whole rounds, and says before which k it stopped; none are added where a
/// denominator up to `end` is too large or the processor is another.
pub(super) fn add_terms(stretch: &Stretch, first: u64, end: u64, sums: &mut Sums) -> u64 {
    let bits = stretch.denominator_bits(end - 1);
    if bits > DENOMINATOR_BITS_MAX || !is_available() {
        return first;
    }
    let rounds = (end - first) / ROUND;
    // SAFETY: the processor has avx2 and fma: `is_available` has just said so.
    let limbs = unsafe {
        if bits <= NARROW_BITS[0] {
            add_by_width::<true, true, 2>(stretch, first, rounds)
        } else if bits <= NARROW_BITS[1] {
            add_by_width::<true, true, 1>(stretch, first, rounds)
        } else if bits <= 32 {
            add_by_width::<false, true, 2>(stretch, first, rounds)
        } else if bits <= WIDE_BITS[0] {
            add_by_width::<false, false, 2>(stretch, first, rounds)
        } else if bits <= WIDE_BITS[1] {
            add_by_width::<false, false, 1>(stretch, first, rounds)
        } else {
            add_by_width::<false, false, 0>(stretch, first, rounds)
        }
    };
    for (limb, shift) in limbs.iter().zip((0..).step_by(32)) {
        for (lane, sum) in (first..).zip(limb) {
            sums.of(lane).add_shifted(u128::from(*sum), shift);
        }
    }
    first + rounds * ROUND
}

/// `EXACT`: squares are below 2^53. `SINGLE`: denominators are below 2^32. `WINDOW`: bits of the exponent between two
/// reductions of the doublings; 0 for one whose doublings are reduced by themselves.
#[target_feature(enable = "avx2,fma")]
fn add_by_width<const EXACT: bool, const SINGLE: bool, const WINDOW: u32>(
    stretch: &Stretch,
    first: u64,
    rounds: u64,
) -> [[u64; LANES]; LIMBS_MAX] {
    match stretch.limbs {
        1 => add_rounds::<EXACT, SINGLE, WINDOW, 2>(stretch, first, rounds),
        2 => add_rounds::<EXACT, SINGLE, WINDOW, 4>(stretch, first, rounds),
        3 => add_rounds::<EXACT, SINGLE, WINDOW, 6>(stretch, first, rounds),
        _ => add_rounds::<EXACT, SINGLE, WINDOW, 8>(stretch, first, rounds),
    }
}

/// Sums of the limbs of floor(2^exponent / denominator), by lane. A sum of 2^32 limbs would leave 64 bits, and no chunk
/// has so many.
#[target_feature(enable = "avx2,fma")]
fn add_rounds<const EXACT: bool, const SINGLE: bool, const WINDOW: u32, const LIMBS: usize>(
    stretch: &Stretch,
    first: u64,
    rounds: u64,
) -> [[u64; LANES]; LIMBS_MAX] {
    let exponent_bits = 64 - stretch.exponent(first).leading_zeros();
    let head_bits = stretch.head_bits(first);
    let window = WINDOW.max(1);
    // Windows fill the rest.
    let tail_bits = (exponent_bits - head_bits).next_multiple_of(window);
    let mut sums = [_mm256_setzero_si256(); LIMBS];
    for round in 0..rounds {
        let mut registers = [Register::ZERO; REGISTERS];
        let mut powers = [_mm256_setzero_pd(); REGISTERS];
        for number in 0..REGISTERS {
            let k = first + round * ROUND + (number * LANES) as u64;
            (registers[number], powers[number]) = opened(stretch, k, tail_bits);
        }
        for place in (0..tail_bits / window).rev() {
            // Moves the next bits of the exponent to where doubles have theirs; no tail has more than 52 bits, as
            // positions end at 10^16.
            let shift = _mm_cvtsi64_si128(52 - i64::from(place * window));
            let bits = splat(((1 << window) - 1) << 52);
            for (register, power) in registers.iter().zip(&mut powers) {
                for _ in 0..window {
                    *power = register.squared::<EXACT>(*power);
                }
                let doublings = _mm256_and_si256(_mm256_sll_epi64(register.exponent, shift), bits);
                *power = times_power_of_two(*power, doublings);
                if WINDOW == 0 {
                    *power = register.reduced(*power);
                }
            }
        }
        for (register, power) in registers.iter().zip(powers) {
            register.add_limbs::<SINGLE, LIMBS>(power, &mut sums);
        }
    }
    let mut lanes = [[0; LANES]; LIMBS_MAX];
    for (lanes, sum) in lanes.iter_mut().zip(sums) {
        // SAFETY: both are 32 bytes of plain integers, and every bit pattern is valid in either.
        *lanes = unsafe { std::mem::transmute::<__m256i, [u64; LANES]>(sum) };
    }
    lanes
}

/// Four terms on their way, less the power.
#[derive(Clone, Copy)]
struct Register {
    exponent: __m256i,
    /// The odd part of the denominator.
    modulus: __m256d,
    /// 1 / modulus, rounded.
    reciprocal: __m256d,
}

impl Register {
    // SAFETY: both are 32 bytes of plain numbers, and every bit pattern is valid in either.
    const ZERO: Self = unsafe { std::mem::transmute([0_u64; 3 * LANES]) };

    /// The residue next to zero of a whole number that is below 2^51 times the modulus.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn reduced(&self, value: __m256d) -> __m256d {
        let rounder = _mm256_set1_pd(ROUNDER);
        let quotient = _mm256_sub_pd(_mm256_fmadd_pd(value, self.reciprocal, rounder), rounder);
        _mm256_fnmadd_pd(quotient, self.modulus, value)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn squared<const EXACT: bool>(&self, power: __m256d) -> __m256d {
        let high = _mm256_mul_pd(power, power);
        let residue = self.reduced(high);
        if EXACT { residue } else { _mm256_add_pd(residue, _mm256_fmsub_pd(power, power, high)) }
    }

    /// Adds the 32-bit limbs of the quotients: each is what makes the residue divisible by 2^32 once its multiple of
    /// the modulus is added.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn add_limbs<const SINGLE: bool, const LIMBS: usize>(&self, power: __m256d, sums: &mut [__m256i; LIMBS]) {
        let low = splat(0xffff_ffff);
        let least = self.reduced(power);
        let is_negative = _mm256_cmp_pd::<_CMP_LT_OQ>(least, _mm256_setzero_pd());
        let canonical = _mm256_add_pd(least, _mm256_and_pd(is_negative, self.modulus));
        let mut residue = as_integer(canonical);
        let modulus = as_integer(self.modulus);
        let inverse = negative_inverse(modulus);
        let modulus_high = _mm256_srli_epi64::<32>(modulus);
        for sum in sums {
            // The upper half of the inverse is 0, and so that of the product is.
            let limb = _mm256_mullo_epi32(residue, inverse);
            *sum = _mm256_add_epi64(*sum, limb);
            let product = _mm256_mul_epu32(limb, modulus);
            residue = if SINGLE {
                _mm256_srli_epi64::<32>(_mm256_add_epi64(residue, product))
            } else {
                let below = _mm256_add_epi64(_mm256_and_si256(residue, low), product);
                let above =
                    _mm256_add_epi64(_mm256_srli_epi64::<32>(residue), _mm256_mul_epu32(limb, modulus_high));
                _mm256_add_epi64(_mm256_srli_epi64::<32>(below), above)
            };
        }
    }
}

/// Four k in a row, and two to the power of what stands in their exponents above the last `tail_bits` bits.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn opened(stretch: &Stretch, k: u64, tail_bits: u32) -> (Register, __m256d) {
    // Below 2^52 where a double is exact; what wraps on the way to an exponent wraps back.
    let ramp = |by: u64| {
        let by = by.cast_signed();
        _mm256_setr_epi64x(0, by, by.wrapping_mul(2), by.wrapping_mul(3))
    };
    let base = _mm256_add_epi64(splat((stretch.step * k + stretch.start).cast_signed()), ramp(stretch.step));
    let whole = if stretch.is_squared { _mm256_mul_epu32(base, base) } else { base };
    let lowest = _mm256_and_si256(whole, _mm256_sub_epi64(_mm256_setzero_si256(), whole));
    let lowest = _mm256_castpd_si256(as_double(lowest));
    let twos = _mm256_sub_epi64(_mm256_srli_epi64::<52>(lowest), splat(1023));
    let modulus = as_double(_mm256_srlv_epi64(whole, twos));
    let reciprocal = _mm256_div_pd(_mm256_set1_pd(1.0), modulus);
    let step_bits = stretch.exponent(k) - stretch.exponent(k + 1);
    let exponent = _mm256_sub_epi64(splat(stretch.exponent(k).cast_signed()), ramp(step_bits));
    let exponent = _mm256_sub_epi64(exponent, twos);
    let register = Register { exponent, modulus, reciprocal };
    let head = _mm256_srl_epi64(exponent, _mm_cvtsi64_si128(i64::from(tail_bits)));
    let power = times_power_of_two(_mm256_set1_pd(1.0), _mm256_slli_epi64::<52>(head));
    (register, register.reduced(power))
}

/// Adds to the exponents of doubles that are not 0; what would be 0 modulo 1 becomes a number far below 1.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn times_power_of_two(value: __m256d, exponent: __m256i) -> __m256d {
    _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(value), exponent))
}

/// Integers below 2^52 as doubles.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn as_double(value: __m256i) -> __m256d {
    let offset = _mm256_set1_pd(TWO_TO_52);
    _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(value, _mm256_castpd_si256(offset))), offset)
}

/// Whole numbers from 0 to below 2^52 as integers.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn as_integer(value: __m256d) -> __m256i {
    let offset = _mm256_set1_pd(TWO_TO_52);
    _mm256_xor_si256(_mm256_castpd_si256(_mm256_add_pd(value, offset)), _mm256_castpd_si256(offset))
}

/// -1 / odd modulo 2^32 in the low halves, by Newton's iteration from five correct bits.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn negative_inverse(odd: __m256i) -> __m256i {
    let mut inverse = _mm256_xor_si256(_mm256_add_epi64(odd, _mm256_add_epi64(odd, odd)), splat(2));
    for _ in 0..3 {
        let correction = _mm256_sub_epi64(splat(2), _mm256_mullo_epi32(odd, inverse));
        inverse = _mm256_mullo_epi32(inverse, correction);
    }
    _mm256_and_si256(_mm256_sub_epi64(_mm256_setzero_si256(), inverse), splat(0xffff_ffff))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn splat(value: i64) -> __m256i {
    _mm256_set1_epi64x(value)
}
