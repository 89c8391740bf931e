// Residues modulo an odd m from 3 to 2^63 - 1: sums that stay within a word, and the way in and out of Montgomery's form.
// Included after `word64.wgsl` and `montgomery.wgsl`.

struct Modulus {
    value: Word,
    // 1 / m mod R.
    inverse: Word,
    // R^2 mod m.
    square: Word,
}

fn from_pair(pair: vec2<u32>) -> Word {
    return word(pair.x, pair.y);
}

fn to_pair(a: Word) -> vec2<u32> {
    return vec2<u32>(word_low(a), word_high(a));
}

// a + b mod m, for a below m and b up to m.
fn add_modulo(a: Word, b: Word, m: Modulus) -> Word {
    let sum = word_add(a, b);
    return select(word_subtract(sum, m.value), sum, word_less(sum, m.value));
}

// a - b mod m, for a and b below m.
fn subtract_modulo(a: Word, b: Word, m: Modulus) -> Word {
    let difference = word_subtract(a, b);
    return select(difference, word_add(difference, m.value), word_less(a, b));
}

// The product of two forms, of which the second is below m.
fn product_modulo(a: Word, b: Word, m: Modulus) -> Word {
    return montgomery_multiply(a, b, m.value, m.inverse);
}

// The form of any word.
fn enter(a: Word, m: Modulus) -> Word {
    return montgomery_multiply(a, m.square, m.value, m.inverse);
}

// The residue of a form.
fn leave(form: Word, m: Modulus) -> Word {
    return montgomery_reduce(Double(form, word(0u, 0u)), m.value, m.inverse);
}

// The form of 1.
fn form_of_one(m: Modulus) -> Word {
    return montgomery_reduce(Double(m.square, word(0u, 0u)), m.value, m.inverse);
}
