//! The twin of the kernel `integer_arithmetic`: every routine of the shaders' shared integers, in one width.
//!
//! What has no room is as important here as what has: a kernel that takes a wrapped number for a true one would agree with
//! itself for ever. So each adapter computes these edge cases before its first lease, and tests hold both to
//! arbitrary-precision arithmetic.

use super::{
    device::{Constants, Device, IntegerConstants, KernelName},
    fault::GpuError,
    shader::{Shader, WORKGROUP_INVOCATIONS},
};
use crate::{
    range_check::{Wide, Width, halves, reciprocal, shift_left, shift_right},
    residues::is_prime as is_prime_u64,
};

/// What one invocation computes with. Fields stand in the order of the shader's `Operands`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerOperands {
    /// A number that has room in the width, as is `b`.
    pub a: Wide,
    /// See `a`.
    pub b: Wide,
    /// Not zero.
    pub divisor: u64,
    /// The exponent of a power modulo the divisor, and what may be prime.
    pub word: u64,
    /// Of a power of `a`.
    pub exponent: u32,
    /// Whether the divisor counts as negative.
    pub divisor_is_negative: bool,
    /// Below 64.
    pub shift: u32,
}

/// What comes out. Fields stand in the order of the shader's `Results`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerResults {
    /// a + b, a - b, a b, -a, `a^exponent` and the floor of a over the signed divisor, each zero where it has no room; the
    /// greatest common divisor of a and b; a shifted left and right without its sign. Words above the width are zero.
    pub integers: [[u64; 4]; 9],
    /// a modulo the signed divisor, without its sign; `b^word` modulo the divisor, and the divisor's reciprocal.
    pub words: [u64; 3],
    /// Bit by bit: the first six results have room; a < b; a = b; a is negative; the word is prime.
    pub flags: u32,
}

/// Words of 32 bits in operands and in results, as the shader lays them out.
pub const INTEGER_OPERANDS_WORDS: usize = 24;
/// See [`INTEGER_OPERANDS_WORDS`].
pub const INTEGER_RESULTS_WORDS: usize = 80;

/// Numbers that have found faults before: ends of ranges, carries that ripple, and their opposites.
fn edges(width: Width) -> Vec<Wide> {
    let mut edges = vec![Wide::ZERO];
    for shift in [0, 1, 31, 32, 33, 62, 63, 64, 65, 95, 126, 127, 128, 191, 192, 254, 255] {
        let power = Wide(shift_left(Wide::from(1_u64).0, shift));
        let one = Wide::from(1_u64);
        let around = [Some(power), power.subtract(one), power.plus(one)];
        for number in around.into_iter().flatten() {
            edges.push(number);
            edges.extend(Wide::ZERO.subtract(number));
        }
    }
    edges.push(Wide::from(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_i128));
    edges.retain(|number| number.fits(width));
    edges
}

/// The operands that each adapter is tested with.
pub fn integer_edge_cases(width: Width) -> Vec<IntegerOperands> {
    const WORDS: [u64; 12] = [
        1,
        2,
        3,
        30,
        97,
        0xffff_ffff,
        0x1_0000_0000,
        0x1_0000_000f,
        0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000,
        0xffff_ffff_ffff_ffc5,
        u64::MAX,
    ];
    const EXPONENTS: [u32; 10] = [0, 1, 2, 3, 5, 7, 8, 63, 64, 255];
    let edges = edges(width);
    let mut cases = Vec::new();
    for (row, a) in edges.iter().enumerate() {
        for (column, b) in edges.iter().enumerate() {
            let place = row + 3 * column;
            cases.push(IntegerOperands {
                a: *a,
                b: *b,
                divisor: WORDS[place % WORDS.len()],
                word: WORDS[(row + column) % WORDS.len()],
                exponent: EXPONENTS[(place / 2) % EXPONENTS.len()],
                divisor_is_negative: place % 5 == 1,
                shift: u32::try_from(place % 64).unwrap_or(0),
            });
        }
    }
    cases
}

/// What the kernel computes, on the processor.
pub fn integer_arithmetic(operands: &IntegerOperands, width: Width) -> IntegerResults {
    let IntegerOperands { a, b, divisor, word, exponent, divisor_is_negative, shift } = *operands;
    let divided = a.floor_divide(divisor, divisor_is_negative);
    let checked = [
        a.plus(b),
        a.subtract(b),
        a.multiply(b),
        Wide::ZERO.subtract(a),
        a.power(exponent),
        divided.and_then(|(quotient, _)| quotient),
    ]
    .map(|value| value.filter(|value| value.fits(width)));
    let cut = |mut words: [u64; 4]| {
        words[width.words()..].fill(0);
        words
    };
    let kept = checked.map(|value| cut(value.unwrap_or(Wide::ZERO).0));
    let bits = cut(a.0);
    let more = [cut(a.gcd(b)), cut(shift_left(bits, shift)), shift_right(bits, shift)];
    let mut integers = [[0; 4]; 9];
    for (place, value) in integers.iter_mut().zip(kept.into_iter().chain(more)) {
        *place = value;
    }
    let residue = b.floor_divide(divisor, false).map_or(0, |(_, remainder)| remainder);
    let normal = divisor << divisor.leading_zeros();
    let words =
        [divided.map_or(0, |(_, remainder)| remainder), power(residue, word, divisor), reciprocal(normal)];
    let order = [a.order(b).is_lt(), a.order(b).is_eq(), a.is_negative(), is_prime_u64(word)];
    let flags = checked.map(|value| value.is_some());
    let flags =
        flags.into_iter().chain(order).enumerate().map(|(place, is_set)| u32::from(is_set) << place).sum();
    IntegerResults { integers, words, flags }
}

/// By as many products as the exponent has bits, from the lowest.
fn power(base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let wide = u128::from(modulus);
    let (mut power, mut square) = (1 % wide, u128::from(base));
    while exponent > 0 {
        if exponent % 2 == 1 {
            power = power * square % wide;
        }
        square = square * square % wide;
        exponent /= 2;
    }
    u64::try_from(power).unwrap_or(0)
}

/// The operands as the shader reads them.
fn encoded(operands: &[IntegerOperands]) -> Vec<u8> {
    let mut words: Vec<u32> = Vec::with_capacity(operands.len() * INTEGER_OPERANDS_WORDS);
    for item in operands {
        let wide = item.a.0.into_iter().chain(item.b.0).chain([item.divisor, item.word]);
        words.extend(wide.flat_map(halves));
        words.extend([item.exponent, u32::from(item.divisor_is_negative), item.shift, 0]);
    }
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn decoded(words: &[u32]) -> IntegerResults {
    let at = |place: usize| words.get(place).copied().unwrap_or_default();
    let pair = |place: usize| u64::from(at(2 * place)) | u64::from(at(2 * place + 1)) << 32;
    IntegerResults {
        integers: std::array::from_fn(|row| std::array::from_fn(|word| pair(4 * row + word))),
        words: std::array::from_fn(|place| pair(36 + place)),
        flags: at(78),
    }
}

/// What the kernel computes, on the GPU.
pub(super) fn on_gpu(
    device: &Device,
    operands: &[IntegerOperands],
    width: Width,
) -> Result<Vec<IntegerResults>, GpuError> {
    if operands.is_empty() {
        return Ok(Vec::new());
    }
    let words = u8::try_from(width.words()).unwrap_or(4);
    let constants = Constants::Integers(IntegerConstants { words, number_theory: None });
    let kernel = KernelName { shader: Shader::IntegerArithmetic, constants };
    let count = u32::try_from(operands.len()).unwrap_or(u32::MAX);
    let output_bytes = u64::from(count) * INTEGER_RESULTS_WORDS as u64 * 4;
    let workgroups = count.div_ceil(WORKGROUP_INVOCATIONS);
    let words = device.land(device.launch(kernel, &encoded(operands), output_bytes, workgroups)?)?;
    Ok(words.chunks_exact(INTEGER_RESULTS_WORDS).map(decoded).collect())
}
