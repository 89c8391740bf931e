// 64-bit words on wgpu's 64-bit integers: the same names as `word64_base.wgsl`, the same results.

alias Word = u64;

struct Double {
    low: Word,
    high: Word,
}

fn word(low: u32, high: u32) -> Word {
    return u64(low) | (u64(high) << 32u);
}

fn word_low(a: Word) -> u32 {
    return u32(a & 0xfffffffflu);
}

fn word_high(a: Word) -> u32 {
    return u32(a >> 32u);
}

fn word_equal(a: Word, b: Word) -> bool {
    return a == b;
}

fn word_less(a: Word, b: Word) -> bool {
    return a < b;
}

// Wraps.
fn word_add(a: Word, b: Word) -> Word {
    return a + b;
}

// Wraps.
fn word_subtract(a: Word, b: Word) -> Word {
    return a - b;
}

// `count` is below 64.
fn word_shift_left(a: Word, count: u32) -> Word {
    return a << count;
}

// `count` is below 64.
fn word_shift_right(a: Word, count: u32) -> Word {
    return a >> count;
}

// 64 for zero. Counting bits is left to 32-bit limbs: not every driver counts those of a 64-bit integer.
fn word_trailing_zeros(a: Word) -> u32 {
    let low = word_low(a);
    return select(countTrailingZeros(low), 32u + countTrailingZeros(word_high(a)), low == 0u);
}

// The length in bits; 0 for zero.
fn word_bits(a: Word) -> u32 {
    let high = word_high(a);
    return 64u - select(countLeadingZeros(high), 32u + countLeadingZeros(word_low(a)), high == 0u);
}

// The high half of a product of 32-bit integers.
fn limb_multiply_high(a: u32, b: u32) -> u32 {
    return u32((u64(a) * u64(b)) >> 32u);
}

// Wraps.
fn word_multiply_low(a: Word, b: Word) -> Word {
    return a * b;
}

// Products of 32-bit halves, which drivers compile to one wide multiplication each.
fn word_multiply_wide(a: Word, b: Word) -> Double {
    let a_low = a & 0xfffffffflu;
    let a_high = a >> 32u;
    let b_low = b & 0xfffffffflu;
    let b_high = b >> 32u;
    let bottom = a_low * b_low;
    // No sum can overflow: (2^32 - 1)^2 + 2^32 - 1 < 2^64.
    let crossed = a_low * b_high + (bottom >> 32u);
    let other = a_high * b_low + (crossed & 0xfffffffflu);
    let high = a_high * b_high + (crossed >> 32u) + (other >> 32u);
    return Double((other << 32u) | (bottom & 0xfffffffflu), high);
}

fn word_square_wide(a: Word) -> Double {
    let low = a & 0xfffffffflu;
    let high = a >> 32u;
    let bottom = low * low;
    let crossed = low * high;
    let once = crossed + (bottom >> 32u);
    let twice = crossed + (once & 0xfffffffflu);
    let top = high * high + (once >> 32u) + (twice >> 32u);
    return Double((twice << 32u) | (bottom & 0xfffffffflu), top);
}

fn word_multiply_high(a: Word, b: Word) -> Word {
    return word_multiply_wide(a, b).high;
}
