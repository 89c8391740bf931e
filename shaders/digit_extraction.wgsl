// Sums of the fractions 2^e / m modulo 1 over a stretch of one component of a BBP-type series, in fixed point.
//
// Term i of a dispatch has the modulus m = (base + step i)^power and the power of two 2^e with R 2^(exponent -
// bits_per_term i) = 2^(e + F), where F = 64 LIMBS; it counts negative where `alternates` says so and i + parity is odd. It
// adds floor(2^F frac(2^e / m)) modulo 2^F, so the sum does not depend on the order in which invocations come. The CPU twin is the module
// `digit_extraction` of crates/compute; docs/kernels.md has the mathematics.
//!include shared/word64.wgsl
//!include shared/montgomery.wgsl
//!include shared/montgomery32.wgsl

// Fixed when the pipeline is made, so that unused limbs cost no registers.
override LIMBS: u32 = 2u;
// Whether every modulus is below 2^32; R is then 2^32, else 2^64.
override NARROW: bool = false;

const WORKGROUP: u32 = 64u;

struct Stretch {
    base: vec2<u32>,
    // Large enough for e to be at least 63 in every term of the dispatch.
    exponent: vec2<u32>,
    step: u32,
    bits_per_term: u32,
    // 1 or 2; every modulus is below 2^63.
    power: u32,
    alternates: u32,
    parity: u32,
    terms: u32,
    terms_per_invocation: u32,
    // The length of `exponent` in bits.
    exponent_bits: u32,
}

// Limb 0 is the least significant; those from LIMBS on are zero.
struct Sum {
    limbs: array<vec2<u32>, 4>,
}

@group(0) @binding(0) var<storage, read> stretch: Stretch;
// One for each workgroup.
@group(0) @binding(1) var<storage, read_write> sums: array<Sum>;

var<workgroup> partial: array<Sum, WORKGROUP>;

struct Fraction {
    limb0: Word,
    limb1: Word,
    limb2: Word,
    limb3: Word,
}

fn to_pair(a: Word) -> vec2<u32> {
    return vec2<u32>(word_low(a), word_high(a));
}

fn carry_of(sum: Word, addend: Word) -> Word {
    return word(select(0u, 1u, word_less(sum, addend)), 0u);
}

// Wraps at 64 LIMBS bits.
fn fraction_add(a: Fraction, b: Fraction) -> Fraction {
    var sum: Fraction;
    sum.limb0 = word_add(a.limb0, b.limb0);
    if LIMBS > 1u {
        let carry = carry_of(sum.limb0, a.limb0);
        let partial_sum = word_add(a.limb1, b.limb1);
        sum.limb1 = word_add(partial_sum, carry);
        if LIMBS > 2u {
            let carry1 = word_add(carry_of(partial_sum, a.limb1), carry_of(sum.limb1, carry));
            let partial_sum2 = word_add(a.limb2, b.limb2);
            sum.limb2 = word_add(partial_sum2, carry1);
            if LIMBS > 3u {
                let carry2 = word_add(carry_of(partial_sum2, a.limb2), carry_of(sum.limb2, carry1));
                sum.limb3 = word_add(word_add(a.limb3, b.limb3), carry2);
            }
        }
    }
    return sum;
}

// -a modulo 2^(64 LIMBS): every bit turned, and one more.
fn fraction_negate(a: Fraction) -> Fraction {
    let ones = word(0xffffffffu, 0xffffffffu);
    let turned = Fraction(
        word_subtract(ones, a.limb0),
        word_subtract(ones, a.limb1),
        word_subtract(ones, a.limb2),
        word_subtract(ones, a.limb3),
    );
    let zero = word(0u, 0u);
    return fraction_add(turned, Fraction(word(1u, 0u), zero, zero, zero));
}

fn bit_of(exponent: Word, place: u32) -> bool {
    let limb = select(word_low(exponent), word_high(exponent), place >= 32u);
    return ((limb >> (place & 31u)) & 1u) == 1u;
}

// 2^(exponent + 32) mod m, as `power_in_montgomery_form` gives it with R = 2^64.
fn narrow_power(exponent: Word, bits: u32, m: u32, inverse: u32) -> u32 {
    let head = bits - min(bits, 3u);
    var power = narrow_power_of_two(32u + word_low(word_shift_right(exponent, head)), m);
    for (var bit = head; bit > 0u; bit -= 1u) {
        power = narrow_square(power, m, inverse);
        power = select(power, narrow_double(power, m), bit_of(exponent, bit - 1u));
    }
    return power;
}

// The same as `fraction_of`, in limbs of 32 bits.
fn narrow_fraction_of(exponent: Word, bits: u32, m: u32) -> Fraction {
    let inverse = narrow_inverse_of_odd(m);
    let negated = 0u - inverse;
    let remainder0 = narrow_power(exponent, bits, m, inverse);
    let remainder1 = narrow_reduce(remainder0, 0u, m, inverse);
    let zero = word(0u, 0u);
    var fraction = Fraction(word(remainder0 * negated, remainder1 * negated), zero, zero, zero);
    if LIMBS > 1u {
        let remainder2 = narrow_reduce(remainder1, 0u, m, inverse);
        let remainder3 = narrow_reduce(remainder2, 0u, m, inverse);
        fraction.limb1 = word(remainder2 * negated, remainder3 * negated);
        if LIMBS > 2u {
            let remainder4 = narrow_reduce(remainder3, 0u, m, inverse);
            let remainder5 = narrow_reduce(remainder4, 0u, m, inverse);
            fraction.limb2 = word(remainder4 * negated, remainder5 * negated);
            if LIMBS > 3u {
                let remainder6 = narrow_reduce(remainder5, 0u, m, inverse);
                let remainder7 = narrow_reduce(remainder6, 0u, m, inverse);
                fraction.limb3 = word(remainder6 * negated, remainder7 * negated);
            }
        }
    }
    return fraction;
}

// 2^(exponent + 64) mod m: the power in Montgomery's form. All exponents of a dispatch are read with one length.
fn power_in_montgomery_form(exponent: Word, bits: u32, m: Word, inverse: Word) -> Word {
    let head = bits - min(bits, 3u);
    var power = power_of_two_modulo(64u + word_low(word_shift_right(exponent, head)), m);
    for (var bit = head; bit > 0u; bit -= 1u) {
        power = montgomery_square(power, m, inverse);
        let doubled = double_modulo(power, m);
        power = select(power, doubled, bit_of(exponent, bit - 1u));
    }
    return power;
}

// floor(2^F frac(2^(exponent + 64 - F) / m)) for odd m. With r = 2^(exponent + 64) mod m, that is (2^F r' - r) / m for
// the r' that makes it whole: modulo 2^F just r (-1/m). So its lowest limb is r (-1/m) mod R, and what is left of r for
// the next one is r / R mod m: exact divisions from the lowest limb up, one reduction each.
fn fraction_of(exponent: Word, bits: u32, m: Word) -> Fraction {
    let zero = word(0u, 0u);
    let inverse = inverse_of_odd(m);
    let negated = word_subtract(zero, inverse);
    var remainder = power_in_montgomery_form(exponent, bits, m, inverse);
    var fraction = Fraction(zero, zero, zero, zero);
    fraction.limb0 = word_multiply_low(remainder, negated);
    if LIMBS > 1u {
        remainder = montgomery_reduce(Double(remainder, zero), m, inverse);
        fraction.limb1 = word_multiply_low(remainder, negated);
    }
    if LIMBS > 2u {
        remainder = montgomery_reduce(Double(remainder, zero), m, inverse);
        fraction.limb2 = word_multiply_low(remainder, negated);
    }
    if LIMBS > 3u {
        remainder = montgomery_reduce(Double(remainder, zero), m, inverse);
        fraction.limb3 = word_multiply_low(remainder, negated);
    }
    return fraction;
}

// An even modulus 2^z m' divides as 2^(e - z) / m'.
fn term(index: u32) -> Fraction {
    let advanced = word_multiply_low(word(stretch.step, 0u), word(index, 0u));
    let root = word_add(word(stretch.base.x, stretch.base.y), advanced);
    var modulus = root;
    if stretch.power == 2u {
        modulus = word_multiply_low(root, root);
    }
    let spent = word_multiply_low(word(stretch.bits_per_term, 0u), word(index, 0u));
    let exponent = word_subtract(word(stretch.exponent.x, stretch.exponent.y), spent);
    let even = word_trailing_zeros(modulus);
    let odd = word_shift_right(modulus, even);
    let left = word_subtract(exponent, word(even, 0u));
    if NARROW {
        return narrow_fraction_of(left, stretch.exponent_bits, word_low(odd));
    }
    return fraction_of(left, stretch.exponent_bits, odd);
}

fn sum_of_invocation(invocation: u32) -> Fraction {
    let zero = word(0u, 0u);
    var sum = Fraction(zero, zero, zero, zero);
    // Invocations past the end have nothing to add; the host sees to it that the product stays within 32 bits.
    let first = min(invocation * stretch.terms_per_invocation, stretch.terms);
    let end = min(first + stretch.terms_per_invocation, stretch.terms);
    for (var index = first; index < end; index += 1u) {
        var addend = term(index);
        if stretch.alternates == 1u && ((index + stretch.parity) & 1u) == 1u {
            addend = fraction_negate(addend);
        }
        sum = fraction_add(sum, addend);
    }
    return sum;
}

fn stored(a: Fraction) -> Sum {
    return Sum(array<vec2<u32>, 4>(to_pair(a.limb0), to_pair(a.limb1), to_pair(a.limb2), to_pair(a.limb3)));
}

fn loaded(place: u32) -> Fraction {
    let sum = partial[place];
    return Fraction(
        word(sum.limbs[0].x, sum.limbs[0].y),
        word(sum.limbs[1].x, sum.limbs[1].y),
        word(sum.limbs[2].x, sum.limbs[2].y),
        word(sum.limbs[3].x, sum.limbs[3].y),
    );
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(global_invocation_id) global: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) group: vec3<u32>,
) {
    partial[local] = stored(sum_of_invocation(global.x));
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if local < half {
            partial[local] = stored(fraction_add(loaded(local), loaded(local + half)));
        }
        workgroupBarrier();
    }
    if local == 0u {
        sums[group.x] = partial[0];
    }
}
