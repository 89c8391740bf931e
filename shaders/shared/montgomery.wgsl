// Arithmetic modulo an odd word m, any odd m below 2^64, in Montgomery's form with R = 2^64.
//
// The reduction subtracts: with i = 1/m mod R and t = h R + l, the product (l i mod R) m has the low word l, so
// (t - (l i mod R) m) / R = h - high((l i mod R) m), which lies in (-m, m) and needs no carry out of 128 bits.

// 1/m mod 2^64 for odd m: Newton's iteration doubles the bits that are right, from 5.
fn inverse_of_odd(m: Word) -> Word {
    let low = word_low(m);
    var short = (3u * low) ^ 2u;
    short *= 2u - low * short;
    short *= 2u - low * short;
    short *= 2u - low * short;
    let start = word(short, 0u);
    return word_multiply_low(start, word_subtract(word(2u, 0u), word_multiply_low(m, start)));
}

fn montgomery_reduce(t: Double, m: Word, inverse: Word) -> Word {
    let gone = word_multiply_high(word_multiply_low(t.low, inverse), m);
    let difference = word_subtract(t.high, gone);
    return select(difference, word_add(difference, m), word_less(t.high, gone));
}

// a b / R mod m, for a, b below m.
fn montgomery_multiply(a: Word, b: Word, m: Word, inverse: Word) -> Word {
    return montgomery_reduce(word_multiply_wide(a, b), m, inverse);
}

// a^2 / R mod m, for a below m.
fn montgomery_square(a: Word, m: Word, inverse: Word) -> Word {
    return montgomery_reduce(word_square_wide(a), m, inverse);
}

// 2 a mod m, for a below m.
fn double_modulo(a: Word, m: Word) -> Word {
    let complement = word_subtract(m, a);
    return select(word_add(a, a), word_subtract(a, complement), !word_less(a, complement));
}

// 2^count mod m for odd m and count not below the length of m in bits: doublings, no division.
fn power_of_two_modulo(count: u32, m: Word) -> Word {
    let bits = word_bits(m);
    // 2^bits - m for m from 2^(bits - 1) to 2^bits - 1; a word wraps where bits is 64.
    var power = word_subtract(word(0u, 0u), m);
    if bits < 64u {
        power = word_subtract(word_shift_left(word(1u, 0u), bits), m);
    }
    // Only m = 1 leaves a power that is not below it.
    if !word_less(power, m) {
        power = word_subtract(power, m);
    }
    for (var reached = bits; reached < count; reached += 1u) {
        power = double_modulo(power, m);
    }
    return power;
}
