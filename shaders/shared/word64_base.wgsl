// 64-bit words from 32-bit limbs: needs nothing beyond WebGPU's baseline.
//
// `word64_native.wgsl` defines the same names on 64-bit integers; kernels are written once, over these.

// x is the low limb, y the high one.
alias Word = vec2<u32>;

struct Double {
    low: Word,
    high: Word,
}

fn word(low: u32, high: u32) -> Word {
    return Word(low, high);
}

fn word_low(a: Word) -> u32 {
    return a.x;
}

fn word_high(a: Word) -> u32 {
    return a.y;
}

fn word_equal(a: Word, b: Word) -> bool {
    return a.x == b.x && a.y == b.y;
}

fn word_less(a: Word, b: Word) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

// Wraps.
fn word_add(a: Word, b: Word) -> Word {
    let low = a.x + b.x;
    return Word(low, a.y + b.y + select(0u, 1u, low < a.x));
}

// Wraps.
fn word_subtract(a: Word, b: Word) -> Word {
    return Word(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

// `count` is below 64.
fn word_shift_left(a: Word, count: u32) -> Word {
    let part = count & 31u;
    // A shift by 32 is no shift: so in two steps.
    let carried = (a.x >> 1u) >> (31u - part);
    let near = Word(a.x << part, (a.y << part) | carried);
    return select(near, Word(0u, a.x << part), count >= 32u);
}

// `count` is below 64.
fn word_shift_right(a: Word, count: u32) -> Word {
    let part = count & 31u;
    let carried = (a.y << 1u) << (31u - part);
    let near = Word((a.x >> part) | carried, a.y >> part);
    return select(near, Word(a.y >> part, 0u), count >= 32u);
}

// 64 for zero.
fn word_trailing_zeros(a: Word) -> u32 {
    return select(countTrailingZeros(a.x), 32u + countTrailingZeros(a.y), a.x == 0u);
}

// The length in bits; 0 for zero.
fn word_bits(a: Word) -> u32 {
    return 64u - select(countLeadingZeros(a.y), 32u + countLeadingZeros(a.x), a.y == 0u);
}

// 32 x 32 -> 64 bits from 16-bit halves: WGSL has no high half of a product.
fn limb_multiply_high(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    // Neither sum can overflow: (2^16 - 1)^2 + 2^16 - 1 < 2^32.
    let first = a_low * b_high + ((a_low * b_low) >> 16u);
    let second = a_high * b_low + (first & 0xffffu);
    return a_high * b_high + (first >> 16u) + (second >> 16u);
}

// Wraps.
fn word_multiply_low(a: Word, b: Word) -> Word {
    return Word(a.x * b.x, limb_multiply_high(a.x, b.x) + a.x * b.y + a.y * b.x);
}

fn word_multiply_wide(a: Word, b: Word) -> Double {
    let crossed = word_add(
        Word(a.x * b.y, limb_multiply_high(a.x, b.y)),
        Word(limb_multiply_high(a.x, b.x), 0u),
    );
    // At most (2^32 - 1)^2 + 2^32 - 1: the sums of this and of the next line do not carry out of a word.
    let other = word_add(Word(a.y * b.x, limb_multiply_high(a.y, b.x)), Word(crossed.x, 0u));
    let top = word_add(Word(a.y * b.y, limb_multiply_high(a.y, b.y)), Word(crossed.y, 0u));
    return Double(Word(a.x * b.x, other.x), word_add(top, Word(other.y, 0u)));
}

fn word_square_wide(a: Word) -> Double {
    let crossed = Word(a.x * a.y, limb_multiply_high(a.x, a.y));
    let once = word_add(crossed, Word(limb_multiply_high(a.x, a.x), 0u));
    let twice = word_add(crossed, Word(once.x, 0u));
    let top = word_add(Word(a.y * a.y, limb_multiply_high(a.y, a.y)), Word(once.y, 0u));
    return Double(Word(a.x * a.x, twice.x), word_add(top, Word(twice.y, 0u)));
}

fn word_multiply_high(a: Word, b: Word) -> Word {
    return word_multiply_wide(a, b).high;
}
