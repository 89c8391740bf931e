// Every routine of the shared integers on operands from a buffer: what shows, before the first lease, that this adapter
// carries, divides and detects what has no room as it should. The CPU twin is `integer_arithmetic` in the GPU engine.
//!include shared/word64.wgsl
//!include shared/montgomery.wgsl
//!include shared/integer.wgsl
//!include shared/integer_division.wgsl

struct Operands {
    a: array<vec2<u32>, 4>,
    b: array<vec2<u32>, 4>,
    // Not zero.
    divisor: vec2<u32>,
    word: vec2<u32>,
    exponent: u32,
    // 1 where the divisor counts as negative.
    negative: u32,
    // Below 64.
    shift: u32,
    unused: u32,
}

struct Results {
    sum: array<vec2<u32>, 4>,
    difference: array<vec2<u32>, 4>,
    product: array<vec2<u32>, 4>,
    opposite: array<vec2<u32>, 4>,
    power: array<vec2<u32>, 4>,
    quotient: array<vec2<u32>, 4>,
    divisor_common: array<vec2<u32>, 4>,
    shifted_left: array<vec2<u32>, 4>,
    shifted_right: array<vec2<u32>, 4>,
    remainder: vec2<u32>,
    power_residue: vec2<u32>,
    reciprocal: vec2<u32>,
    // Bit by bit: sum, difference, product, opposite, power and quotient have room; a < b; a = b; a is negative; the
    // word is prime.
    flags: u32,
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

fn loaded(a: array<vec2<u32>, 4>) -> Integer {
    return Integer(from_pair(a[0]), from_pair(a[1]), from_pair(a[2]), from_pair(a[3]));
}

fn stored(a: Integer) -> array<vec2<u32>, 4> {
    var words = array<vec2<u32>, 4>(to_pair(a.w0), vec2<u32>(0u), vec2<u32>(0u), vec2<u32>(0u));
    if WORDS > 1u {
        words[1] = to_pair(a.w1);
    }
    if WORDS > 2u {
        words[2] = to_pair(a.w2);
        words[3] = to_pair(a.w3);
    }
    return words;
}

// What has no room is not defined: zero stands for it.
fn stored_if_exact(a: Checked) -> array<vec2<u32>, 4> {
    return stored(integer_select(integer_zero(), a.value, a.exact));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= min(arrayLength(&operands), arrayLength(&results)) {
        return;
    }
    let item = operands[id.x];
    let a = loaded(item.a);
    let b = loaded(item.b);
    let divisor = divisor_of(from_pair(item.divisor));
    let sum = integer_add(a, b);
    let difference = integer_subtract(a, b);
    let product = integer_multiply(a, b);
    let opposite = integer_negate(a);
    let power = integer_power(a, item.exponent);
    let divided = integer_floor_divide(a, divisor, item.negative == 1u);
    let residue = integer_floor_divide(b, divisor, false).remainder;
    var result: Results;
    result.sum = stored_if_exact(sum);
    result.difference = stored_if_exact(difference);
    result.product = stored_if_exact(product);
    result.opposite = stored_if_exact(opposite);
    result.power = stored_if_exact(power);
    result.quotient = stored_if_exact(divided.quotient);
    result.divisor_common = stored(magnitude_gcd(integer_magnitude(a), integer_magnitude(b)));
    result.shifted_left = stored(magnitude_shift_left(a, item.shift));
    result.shifted_right = stored(magnitude_shift_right(a, item.shift));
    result.remainder = to_pair(divided.remainder);
    result.power_residue = to_pair(power_modulo(residue, from_pair(item.word), divisor));
    result.reciprocal = to_pair(divisor.reciprocal);
    result.flags = select(0u, 1u, sum.exact) | select(0u, 2u, difference.exact) | select(0u, 4u, product.exact)
        | select(0u, 8u, opposite.exact) | select(0u, 16u, power.exact) | select(0u, 32u, divided.quotient.exact)
        | select(0u, 64u, integer_less(a, b)) | select(0u, 128u, integer_equal(a, b))
        | select(0u, 256u, integer_is_negative(a)) | select(0u, 512u, word_is_prime(from_pair(item.word)));
    results[id.x] = result;
}
