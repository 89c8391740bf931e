// Arithmetic modulo an odd 32-bit m in Montgomery's form with R = 2^32: what `montgomery.wgsl` does, at a fifth of the
// price, for the many positions whose moduli stay below 2^32.

// 1/m mod 2^32 for odd m.
fn narrow_inverse_of_odd(m: u32) -> u32 {
    var inverse = (3u * m) ^ 2u;
    inverse *= 2u - m * inverse;
    inverse *= 2u - m * inverse;
    inverse *= 2u - m * inverse;
    return inverse;
}

fn narrow_reduce(low: u32, high: u32, m: u32, inverse: u32) -> u32 {
    let gone = limb_multiply_high(low * inverse, m);
    return select(high - gone, high - gone + m, high < gone);
}

// a^2 / R mod m, for a below m.
fn narrow_square(a: u32, m: u32, inverse: u32) -> u32 {
    return narrow_reduce(a * a, limb_multiply_high(a, a), m, inverse);
}

// 2 a mod m, for a below m.
fn narrow_double(a: u32, m: u32) -> u32 {
    let complement = m - a;
    return select(a + a, a - complement, a >= complement);
}

// 2^count mod m for odd m and count not below the length of m in bits.
fn narrow_power_of_two(count: u32, m: u32) -> u32 {
    let bits = 32u - countLeadingZeros(m);
    // 2^bits - m; a word wraps where bits is 32, and a shift by 32 is made in two steps.
    var power = ((1u << (bits - 1u)) << 1u) - m;
    // Only m = 1 leaves a power that is not below it.
    power = select(power, 0u, m == 1u);
    for (var reached = bits; reached < count; reached += 1u) {
        power = narrow_double(power, m);
    }
    return power;
}
