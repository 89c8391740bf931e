//! The AVX-512-IFMA path of residues: eight pieces of a long number at a time, as fast as memory gives it.
//!
//! A residue is a sum of pieces times powers that are known before. The number is cut into limbs of 52 bits, or into eight
//! decimals; a power of 61 bits is taken as 52 low bits and 9 high ones, so that one limb costs four products of 52 bits
//! and no carries. What a block of limbs comes to is reduced once. Several primes share one pass over the number.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_loadu_si512, _mm512_madd_epi16,
    _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_maddubs_epi16, _mm512_maskz_loadu_epi8,
    _mm512_mul_epu32, _mm512_permutexvar_epi8, _mm512_reduce_add_epi64, _mm512_set1_epi8, _mm512_set1_epi16,
    _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srli_epi64, _mm512_srlv_epi64,
};

use super::{modulus::Modulus, words::Word};

/// Pieces in a register.
const LANES: usize = 8;
/// Registers of a block: a lane's sums take 2 * 64 numbers below 2^52, and eight lanes stay below 2^62.
const REGISTERS: usize = 64;
/// Pieces of a block.
const PIECES: usize = LANES * REGISTERS;
/// Bits of a limb.
const LIMB_BITS: u64 = 52;
/// Bytes of eight limbs.
const REGISTER_BYTES: usize = 52;
/// Words of a block of limbs.
const BLOCK_WORDS: usize = REGISTERS * REGISTER_BYTES / 8;
/// Decimal digits of a piece.
const PIECE_DIGITS: usize = 8;
/// Digits of a block of decimals.
const BLOCK_DIGITS: usize = PIECES * PIECE_DIGITS;

const _: () = assert!((REGISTERS * REGISTER_BYTES).is_multiple_of(8), "a block ends where a word ends");

/// Whether this processor has what the path needs.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512ifma")
}

/// Residues below 2^61 as their 52 low bits and the 9 above.
#[derive(Debug, Clone)]
struct Powers {
    low: [u64; PIECES],
    high: [u64; PIECES],
}

impl Powers {
    fn of(residues: impl Iterator<Item = u64>) -> Self {
        let mut powers = Self { low: [0; PIECES], high: [0; PIECES] };
        for ((low, high), residue) in powers.low.iter_mut().zip(&mut powers.high).zip(residues) {
            *low = residue & ((1 << LIMB_BITS) - 1);
            *high = residue >> LIMB_BITS;
        }
        powers
    }
}

/// A modulus of at most 61 bits with the powers that pieces are multiplied by. Only a processor that has what this path needs
/// makes one.
#[derive(Debug, Clone)]
pub(super) struct Vectors {
    modulus: Modulus,
    /// `2^(52 i)`.
    limbs: Powers,
    /// `10^(8 (PIECES - 1 - i))`: the first decimals count most.
    decimals: Powers,
    /// The form of 2 to the bits of a block.
    block: u64,
    /// The form of 10 to the digits of a block.
    decimal_block: u64,
    /// The forms of `2^52` and `2^104`, times 2^64 each.
    above: [u64; 2],
}

impl Vectors {
    /// None on other processors.
    pub(super) fn new(modulus: &Modulus) -> Option<Box<Self>> {
        if !is_available() {
            return None;
        }
        let power =
            |form: u64| std::iter::successors(Some(1), move |last| Some(modulus.product(*last, form)));
        let limb = modulus.enter(1 << LIMB_BITS);
        let piece = modulus.enter(100_000_000);
        let mut decimals: Vec<u64> = power(piece).take(PIECES).collect();
        decimals.reverse();
        let above = [1, 2].map(|count| modulus.enter(modulus.power(limb, count)));
        Some(Box::new(Self {
            modulus: *modulus,
            limbs: Powers::of(power(limb)),
            decimals: Powers::of(decimals.into_iter()),
            block: modulus.power(limb, PIECES as u64),
            decimal_block: modulus.power(piece, PIECES as u64),
            above,
        }))
    }

    /// The form of a sum of products of pieces and powers, from what the lanes come to together.
    #[inline]
    fn form(&self, [low, middle, high]: [u64; 3]) -> u64 {
        let modulus = &self.modulus;
        let upper = modulus.add(modulus.product(middle, self.above[0]), modulus.product(high, self.above[1]));
        modulus.add(modulus.enter(low), upper)
    }
}

/// The form, modulo each, of the number with these words, the lowest first.
pub(super) fn forms<const N: usize, W: Word>(vectors: [&Vectors; N], words: &[W]) -> [u64; N] {
    let limbs = vectors.map(|vectors| &vectors.limbs);
    let mut forms = [0; N];
    let mut powers = vectors.map(|vectors| vectors.modulus.one());
    // From the lowest on, the way that processors read ahead.
    for block in words.chunks(BLOCK_WORDS) {
        // SAFETY: vectors are only made where `is_available` has said that the processor has these features.
        let sums = unsafe { limb_sums(limbs, block) };
        for place in 0..N {
            let Vectors { modulus, block, .. } = vectors[place];
            let part = modulus.product(vectors[place].form(sums[place]), powers[place]);
            forms[place] = modulus.add(forms[place], part);
            powers[place] = modulus.product(powers[place], *block);
        }
    }
    forms
}

/// The form, modulo each, of the number whose highest digits have these forms and whose others follow in whole blocks; and the
/// digits that are left.
pub(super) fn forms_of_decimals<const N: usize>(
    vectors: [&Vectors; N],
    mut forms: [u64; N],
    blocks: &[[u8; BLOCK_DIGITS]],
) -> [u64; N] {
    let powers = vectors.map(|vectors| &vectors.decimals);
    for block in blocks {
        // SAFETY: vectors are only made where `is_available` has said that the processor has these features.
        let sums = unsafe { decimal_sums(powers, block) };
        for place in 0..N {
            let Vectors { modulus, decimal_block, .. } = vectors[place];
            let above = modulus.product(forms[place], *decimal_block);
            forms[place] = modulus.add(above, vectors[place].form(sums[place]));
        }
    }
    forms
}

/// The digits in front of whole blocks, and these.
pub(super) fn in_blocks(digits: &[u8]) -> (&[u8], &[[u8; BLOCK_DIGITS]]) {
    digits.as_rchunks::<BLOCK_DIGITS>()
}

/// The sums of limbs times powers, in units of 1, 2^52 and 2^104, of at most a block.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512ifma")]
fn limb_sums<const N: usize, W: Word>(powers: [&Powers; N], words: &[W]) -> [[u64; 3]; N] {
    debug_assert!(words.len() <= BLOCK_WORDS, "there are no powers for more");
    let bytes = words.as_ptr().cast::<u8>();
    let total = size_of_val(words);
    let mut sums = [[_mm512_setzero_si512(); 4]; N];
    // Limb i begins with bit 52 i: in the middle of a byte, where i is odd.
    let firsts = [0_u8, 6, 13, 19, 26, 32, 39, 45];
    let mut places = [0_u8; 64];
    for (place, byte) in places.iter_mut().zip(0_u8..) {
        *place = firsts[usize::from(byte / 8)] + byte % 8;
    }
    let places = loaded(&places);
    let shifts = loaded(&[0_u64, 4, 0, 4, 0, 4, 0, 4]);
    for (register, start) in (0..REGISTERS).zip((0..total).step_by(REGISTER_BYTES)) {
        let count = (total - start).min(REGISTER_BYTES);
        // SAFETY: a `Word` is eight plain bytes, the lowest first on this processor, and of the bytes from `start` on the
        // first `count` are within the slice; the others are masked out, and not read.
        let piece = unsafe { _mm512_maskz_loadu_epi8((1 << count) - 1, bytes.add(start).cast()) };
        // What stands above the 52 bits of a limb is not multiplied.
        let limbs = _mm512_srlv_epi64(_mm512_permutexvar_epi8(places, piece), shifts);
        for prime in 0..N {
            let low = loaded(lanes(&powers[prime].low, register));
            let high = loaded(lanes(&powers[prime].high, register));
            let [units, upper, middle, top] = &mut sums[prime];
            *units = _mm512_madd52lo_epu64(*units, limbs, low);
            *upper = _mm512_madd52hi_epu64(*upper, limbs, low);
            *middle = _mm512_madd52lo_epu64(*middle, limbs, high);
            *top = _mm512_madd52hi_epu64(*top, limbs, high);
        }
    }
    sums.map(|[units, upper, middle, top]| {
        [total_of(units), total_of(_mm512_add_epi64(upper, middle)), total_of(top)]
    })
}

/// The sums of eight decimals each times powers, in units of 1, 2^52 and 2^104.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512ifma")]
fn decimal_sums<const N: usize>(powers: [&Powers; N], digits: &[u8; BLOCK_DIGITS]) -> [[u64; 3]; N] {
    let (registers, _) = digits.as_chunks::<64>();
    let mut sums = [[_mm512_setzero_si512(); 3]; N];
    let nibbles = _mm512_set1_epi8(15);
    // The lower one of two neighbours, in memory as in a register, is the higher digit.
    let (tens, hundreds) = (_mm512_set1_epi16(0x010A), _mm512_set1_epi32(0x0001_0064));
    let ten_thousand = _mm512_set1_epi64(10_000);
    for (register, digits) in registers.iter().enumerate() {
        let ones = _mm512_and_si512(loaded(digits), nibbles);
        let fours = _mm512_madd_epi16(_mm512_maddubs_epi16(ones, tens), hundreds);
        let pieces = _mm512_add_epi64(_mm512_mul_epu32(fours, ten_thousand), _mm512_srli_epi64::<32>(fours));
        for prime in 0..N {
            let low = loaded(lanes(&powers[prime].low, register));
            let high = loaded(lanes(&powers[prime].high, register));
            let [units, upper, middle] = &mut sums[prime];
            *units = _mm512_madd52lo_epu64(*units, pieces, low);
            *upper = _mm512_madd52hi_epu64(*upper, pieces, low);
            // A piece has 28 bits at most: its products with 9 bits have no part above 52.
            *middle = _mm512_madd52lo_epu64(*middle, pieces, high);
        }
    }
    sums.map(|[units, upper, middle]| [total_of(units), total_of(_mm512_add_epi64(upper, middle)), 0])
}

/// The powers of one register.
#[inline]
fn lanes(powers: &[u64; PIECES], register: usize) -> &[u64; LANES] {
    let (lanes, _) = powers.as_chunks::<LANES>();
    &lanes[register]
}

/// What the lanes come to together.
#[inline]
#[target_feature(enable = "avx512f")]
fn total_of(sum: __m512i) -> u64 {
    _mm512_reduce_add_epi64(sum).cast_unsigned()
}

/// The 64 bytes of an array.
#[inline]
#[target_feature(enable = "avx512f")]
fn loaded<T: Copy, const COUNT: usize>(array: &[T; COUNT]) -> __m512i {
    const { assert!(size_of::<[T; COUNT]>() == 64) }
    // SAFETY: the array has the 64 bytes that are read, and nothing is asked of how they are aligned.
    unsafe { _mm512_loadu_si512(array.as_ptr().cast()) }
}
