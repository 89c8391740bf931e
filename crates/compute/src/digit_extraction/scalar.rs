//! The portable path: 64-bit Montgomery powers of two, several terms at a time.
//!
//! Each step waits for three multiplications in a row, so four terms run side by side. Below 2^60 nothing is reduced
//! on the way: with a modulus M < 2^60, the step x -> x^2 / 2^64 + M, doubled where the exponent has a bit, keeps
//! x < 2^62 (`docs/kernels.md`). A small odd denominator q is first multiplied by 2^j + 1 so that M is above 2^58; then
//! 2^64 modulo M is six doublings away from 2^58, and no division is needed anywhere.

use super::{
    stretch::Stretch,
    wide::{Sums, low},
};

/// How many terms run side by side.
const LANES: usize = 4;
/// Up to which denominators nothing is reduced on the way.
const LAZY_BITS: u32 = 60;
/// The power of two below every modulus from which the powers start.
const START_BITS: u32 = LAZY_BITS - 2;

/// Adds the terms of k from `first` to before `end`.
pub(super) fn add_terms(stretch: &Stretch, first: u64, end: u64, sums: &mut Sums) {
    if stretch.denominator_bits(end - 1) <= LAZY_BITS {
        add_by::<false>(stretch, first, end, sums);
    } else {
        add_by::<true>(stretch, first, end, sums);
    }
}

fn add_by<const REDUCE: bool>(stretch: &Stretch, first: u64, end: u64, sums: &mut Sums) {
    match stretch.limbs {
        1 => add_wide::<REDUCE, 1>(stretch, first, end, sums),
        2 => add_wide::<REDUCE, 2>(stretch, first, end, sums),
        3 => add_wide::<REDUCE, 3>(stretch, first, end, sums),
        _ => add_wide::<REDUCE, 4>(stretch, first, end, sums),
    }
}

fn add_wide<const REDUCE: bool, const LIMBS: usize>(
    stretch: &Stretch,
    first: u64,
    end: u64,
    sums: &mut Sums,
) {
    let exponent_bits = 64 - stretch.exponent(first).leading_zeros();
    let mut limbs = [[0_u128; LIMBS]; 2];
    let whole = first + (end - first) / LANES as u64 * LANES as u64;
    for k in (first..whole).step_by(LANES) {
        let terms: [_; LANES] = quotients::<REDUCE, LIMBS, LANES>(stretch, k, exponent_bits);
        for (lane, term) in terms.iter().enumerate() {
            add_to(&mut limbs[lane % 2], term);
        }
    }
    for k in whole..end {
        let [term] = quotients::<REDUCE, LIMBS, 1>(stretch, k, exponent_bits);
        add_to(&mut limbs[usize::from((k - first) % 2 == 1)], &term);
    }
    for (k, limbs) in (first..).zip(limbs) {
        for (limb, shift) in limbs.into_iter().zip((0..).step_by(64)) {
            sums.of(k).add_shifted(limb, shift);
        }
    }
}

fn add_to<const LIMBS: usize>(sums: &mut [u128; LIMBS], term: &[u64; LIMBS]) {
    for (sum, limb) in sums.iter_mut().zip(term) {
        *sum += u128::from(*limb);
    }
}

/// A modulus and its inverse modulo 2^64.
#[derive(Clone, Copy, Default)]
struct Lane {
    exponent: u64,
    denominator: u64,
    inverse: u64,
    modulus: u64,
    modulus_inverse: u64,
    power: u64,
}

/// floor(2^exponent / denominator) modulo 2^(64 LIMBS) for as many k in a row as there are lanes. No exponent has more
/// than `exponent_bits` bits, and none is below 64 LIMBS.
#[inline]
fn quotients<const REDUCE: bool, const LIMBS: usize, const LANES: usize>(
    stretch: &Stretch,
    first: u64,
    exponent_bits: u32,
) -> [[u64; LIMBS]; LANES] {
    let mut lanes = [Lane::default(); LANES];
    for (lane, k) in lanes.iter_mut().zip(first..) {
        *lane = opened::<REDUCE>(stretch, k, exponent_bits);
    }
    for place in (0..exponent_bits - 2).rev() {
        for lane in &mut lanes {
            let square = u128::from(lane.power) * u128::from(lane.power);
            let factor = low(square).wrapping_mul(lane.modulus_inverse);
            let product = high(u128::from(factor) * u128::from(lane.modulus));
            let bit = lane.exponent >> place & 1;
            lane.power = if REDUCE {
                let (difference, is_below) = high(square).overflowing_sub(product);
                let power = if is_below { difference.wrapping_add(lane.modulus) } else { difference };
                reduced(power << bit, lane.modulus)
            } else {
                (high(square) + lane.modulus - product) << bit
            };
        }
    }
    lanes.map(closed)
}

/// The lane of one k, with the first two bits of its exponent done: 2^64 times that power, modulo the modulus.
#[inline]
fn opened<const REDUCE: bool>(stretch: &Stretch, k: u64, exponent_bits: u32) -> Lane {
    let denominator = stretch.denominator(k);
    let twos = denominator.trailing_zeros();
    let denominator = denominator >> twos;
    let exponent = stretch.exponent(k) - u64::from(twos);
    let shift = (LAZY_BITS - 1).saturating_sub(64 - denominator.leading_zeros());
    let factor = if REDUCE || shift == 0 { 1 } else { (1 << shift) + 1 };
    let modulus = denominator * factor;
    let modulus_inverse = inverse(modulus);
    // (q c)^-1 c = q^-1, here with its sign changed.
    let inverse = modulus_inverse.wrapping_mul(factor).wrapping_neg();
    // A reduced modulus may be small where the denominators of a stretch begin small.
    let start_bits = if REDUCE { modulus.ilog2() } else { START_BITS };
    let mut power = 1 << start_bits;
    for _ in start_bits..64 {
        power = reduced(power << 1, modulus);
    }
    let head = exponent >> (exponent_bits - 2);
    for step in 0..3 {
        power = reduced(power << u32::from(step < head), modulus);
    }
    Lane { exponent, denominator, inverse, modulus, modulus_inverse, power }
}

/// Limb by limb from below: each is what makes the remainder divisible by 2^64 once its multiple of q is added.
#[inline]
fn closed<const LIMBS: usize>(lane: Lane) -> [u64; LIMBS] {
    // Above 1 no power of two is a multiple of q, so a carry always comes out of the low half, and the first step,
    // whose limb is not wanted, leaves the remainder between 0 and q.
    let step = |remainder: u64| {
        let limb = remainder.wrapping_mul(lane.inverse);
        (limb, high(u128::from(limb) * u128::from(lane.denominator)) + 1)
    };
    let mut remainder = step(lane.power).1;
    let mut limbs = [0; LIMBS];
    for limb in &mut limbs {
        (*limb, remainder) = step(remainder);
    }
    // 2^exponent itself, and the exponent is not below the width.
    if lane.denominator == 1 { [0; LIMBS] } else { limbs }
}

#[inline]
fn reduced(value: u64, modulus: u64) -> u64 {
    // Below the modulus the difference wraps above every value.
    value.min(value.wrapping_sub(modulus))
}

/// The inverse of an odd number modulo 2^64, by Newton's iteration from five correct bits.
#[inline]
fn inverse(odd: u64) -> u64 {
    let mut inverse = odd.wrapping_mul(3) ^ 2;
    for _ in 0..4 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
    }
    inverse
}

#[inline]
fn high(value: u128) -> u64 {
    low(value >> 64)
}
