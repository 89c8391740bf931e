// Every routine of the shared arithmetic on operands from a buffer: what shows, before the first lease, that this
// adapter and its driver multiply and carry as they should. The CPU twin is `word_arithmetic` in the GPU engine.
//!include shared/word64.wgsl
//!include shared/montgomery.wgsl

struct Operands {
    // Anything.
    a: vec2<u32>,
    b: vec2<u32>,
    // Odd.
    modulus: vec2<u32>,
    // Below the modulus.
    c: vec2<u32>,
    d: vec2<u32>,
    // At least 64.
    exponent: u32,
    unused: u32,
}

struct Results {
    sum: vec2<u32>,
    difference: vec2<u32>,
    product_low: vec2<u32>,
    product_high: vec2<u32>,
    square_low: vec2<u32>,
    square_high: vec2<u32>,
    multiply_low: vec2<u32>,
    shifted_left: vec2<u32>,
    shifted_right: vec2<u32>,
    inverse: vec2<u32>,
    montgomery_product: vec2<u32>,
    montgomery_square: vec2<u32>,
    doubled: vec2<u32>,
    power_of_two: vec2<u32>,
    trailing_zeros: u32,
    bits: u32,
    // 1 where a < b, 2 where they are equal.
    order: u32,
    unused: u32,
}

@group(0) @binding(0) var<storage, read> operands: array<Operands>;
@group(0) @binding(1) var<storage, read_write> results: array<Results>;

fn from_pair(pair: vec2<u32>) -> Word {
    return word(pair.x, pair.y);
}

fn to_pair(a: Word) -> vec2<u32> {
    return vec2<u32>(word_low(a), word_high(a));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= min(arrayLength(&operands), arrayLength(&results)) {
        return;
    }
    let item = operands[id.x];
    let a = from_pair(item.a);
    let b = from_pair(item.b);
    let m = from_pair(item.modulus);
    let c = from_pair(item.c);
    let d = from_pair(item.d);
    let shift = item.b.x & 63u;
    let product = word_multiply_wide(a, b);
    let square = word_square_wide(a);
    let inverse = inverse_of_odd(m);
    var result: Results;
    result.sum = to_pair(word_add(a, b));
    result.difference = to_pair(word_subtract(a, b));
    result.product_low = to_pair(product.low);
    result.product_high = to_pair(product.high);
    result.square_low = to_pair(square.low);
    result.square_high = to_pair(square.high);
    result.multiply_low = to_pair(word_multiply_low(a, b));
    result.shifted_left = to_pair(word_shift_left(a, shift));
    result.shifted_right = to_pair(word_shift_right(a, shift));
    result.inverse = to_pair(inverse);
    result.montgomery_product = to_pair(montgomery_multiply(c, d, m, inverse));
    result.montgomery_square = to_pair(montgomery_square(c, m, inverse));
    result.doubled = to_pair(double_modulo(c, m));
    result.power_of_two = to_pair(power_of_two_modulo(item.exponent, m));
    result.trailing_zeros = word_trailing_zeros(a);
    result.bits = word_bits(a);
    result.order = select(0u, 1u, word_less(a, b)) + select(0u, 2u, word_equal(a, b));
    results[id.x] = result;
}
