//! The twin of the kernel `word_arithmetic`: every routine of the shaders' shared arithmetic, on plain 128-bit integers.
//!
//! A GPU whose driver multiplies or carries wrongly would agree with itself for ever. So each adapter computes these
//! edge cases before its first lease, and tests hold both to arbitrary-precision arithmetic.

use super::{
    device::{Device, KernelName},
    fault::GpuError,
    shader::{Shader, WORKGROUP_INVOCATIONS},
};

/// What one invocation computes with. Fields stand in the order of the shader's `Operands`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operands {
    /// Anything.
    pub a: u64,
    /// Anything.
    pub b: u64,
    /// Odd.
    pub modulus: u64,
    /// Below the modulus.
    pub c: u64,
    /// Below the modulus.
    pub d: u64,
    /// From 64 on.
    pub exponent: u32,
}

/// What comes out. Fields stand in the order of the shader's `Results`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Results {
    /// a + b, a - b, low and high word of a b, low and high word of a^2, a b, a shifted left and right by b mod 64, the
    /// inverse of the modulus modulo 2^64, c d / 2^64 and c^2 / 2^64 modulo the modulus, 2 c and 2^exponent modulo the
    /// modulus.
    pub words: [u64; 14],
    /// Zeros at the end of a; its length in bits; 1 where a < b, 2 where they are equal, else 0.
    pub counts: [u32; 3],
}

/// Words of 32 bits in an operand and in a result, as the shader lays them out.
pub const OPERANDS_WORDS: usize = 12;
/// See [`OPERANDS_WORDS`].
pub const RESULTS_WORDS: usize = 32;

/// The operands that have found faults before: ends of ranges, carries that ripple, moduli near the top.
pub fn edge_cases() -> Vec<Operands> {
    let edges = [
        0,
        1,
        2,
        0xffff,
        0x1_0000,
        0xffff_fffe,
        0xffff_ffff,
        0x1_0000_0000,
        0x1_0000_0001,
        0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000,
        0xffff_ffff_0000_0000,
        0xffff_ffff_0000_0001,
        0xffff_fffe_ffff_ffff,
        0xffff_ffff_ffff_fffe,
        u64::MAX,
        0x0123_4567_89ab_cdef,
        0xfedc_ba98_7654_3210,
    ];
    let mut cases = Vec::new();
    for (place, a) in edges.into_iter().enumerate() {
        for (other, b) in edges.into_iter().enumerate() {
            let modulus = edges[(place + 2 * other) % edges.len()] | 1;
            let exponent = 64 + u32::try_from(place * 7 + other).unwrap_or(0);
            cases.push(Operands { a, b, modulus, c: a % modulus, d: b % modulus, exponent });
        }
    }
    cases
}

/// What the kernel computes, on the processor.
pub fn word_arithmetic(operands: &Operands) -> Results {
    let Operands { a, b, modulus, c, d, exponent } = *operands;
    let wide = |x: u64, y: u64| u128::from(x) * u128::from(y);
    let halves = |x: u128| [low(x), low(x >> 64)];
    let m = u128::from(modulus);
    let [product_low, product_high] = halves(wide(a, b));
    let [square_low, square_high] = halves(wide(a, a));
    let order = match a.cmp(&b) {
        std::cmp::Ordering::Less => 1,
        std::cmp::Ordering::Equal => 2,
        std::cmp::Ordering::Greater => 0,
    };
    let shift = u32::try_from(b % 64).unwrap_or(0);
    let mut power = 1 % m;
    for _ in 0..exponent {
        power = 2 * power % m;
    }
    let words = [
        a.wrapping_add(b),
        a.wrapping_sub(b),
        product_low,
        product_high,
        square_low,
        square_high,
        a.wrapping_mul(b),
        a << shift,
        a >> shift,
        inverse_of_odd(modulus),
        over_radix(wide(c, d) % m, m),
        over_radix(wide(c, c) % m, m),
        low(2 * u128::from(c) % m),
        low(power),
    ];
    Results { words, counts: [a.trailing_zeros(), 64 - a.leading_zeros(), order] }
}

fn low(x: u128) -> u64 {
    u64::try_from(x & u128::from(u64::MAX)).unwrap_or(0)
}

/// 1/m modulo 2^64 for odd m, by Newton's iteration.
fn inverse_of_odd(m: u64) -> u64 {
    let mut inverse = m;
    for _ in 0..6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(m.wrapping_mul(inverse)));
    }
    inverse
}

/// x / 2^64 modulo an odd m, by halving 64 times: as plain as it gets.
fn over_radix(mut x: u128, m: u128) -> u64 {
    for _ in 0..64 {
        x = if x.is_multiple_of(2) { x / 2 } else { u128::midpoint(x, m) };
    }
    low(x % m)
}

/// The operands as the shader reads them.
fn encoded(operands: &[Operands]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(operands.len() * OPERANDS_WORDS * 4);
    for item in operands {
        for word in [item.a, item.b, item.modulus, item.c, item.d] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(item.exponent.to_le_bytes());
        bytes.extend([0; 4]);
    }
    bytes
}

fn decoded(words: &[u32]) -> Results {
    let pair = |place: usize| {
        let at = |place: usize| u64::from(words.get(place).copied().unwrap_or_default());
        at(2 * place) | at(2 * place + 1) << 32
    };
    let count = |place: usize| words.get(28 + place).copied().unwrap_or_default();
    Results { words: std::array::from_fn(pair), counts: std::array::from_fn(count) }
}

/// What the kernel computes, on the GPU.
pub(super) fn on_gpu(device: &Device, operands: &[Operands]) -> Result<Vec<Results>, GpuError> {
    if operands.is_empty() {
        return Ok(Vec::new());
    }
    let kernel = KernelName { shader: Shader::WordArithmetic, digits: None, series: None };
    let count = u32::try_from(operands.len()).unwrap_or(u32::MAX);
    let output_bytes = u64::from(count) * RESULTS_WORDS as u64 * 4;
    let workgroups = count.div_ceil(WORKGROUP_INVOCATIONS);
    let words = device.land(device.launch(kernel, &encoded(operands), output_bytes, workgroups)?)?;
    Ok(words.chunks_exact(RESULTS_WORDS).map(decoded).collect())
}
