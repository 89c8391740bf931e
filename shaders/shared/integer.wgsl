// Signed integers of 64, 128 or 256 bits in two's complement, from the words of `word64.wgsl`, exact or said not to be.
//
// Words from WORDS on are neither read nor kept. The CPU twin is `Wide` of the module `range_check` in crates/compute.

// Fixed when the pipeline is made, so that unused words cost no registers: 1, 2 or 4.
override WORDS: u32 = 4u;

// Word 0 is the least significant.
struct Integer {
    w0: Word,
    w1: Word,
    w2: Word,
    w3: Word,
}

// A result, and whether it is the true one: it is not where that has no room.
struct Checked {
    value: Integer,
    exact: bool,
}

struct Carried {
    value: Word,
    carry: bool,
}

fn word_is_zero(a: Word) -> bool {
    return (word_low(a) | word_high(a)) == 0u;
}

fn word_add_carry(a: Word, b: Word, carry: bool) -> Carried {
    let partial_sum = word_add(a, b);
    let sum = word_add(partial_sum, word(select(0u, 1u, carry), 0u));
    return Carried(sum, word_less(partial_sum, a) || (carry && word_is_zero(sum)));
}

fn word_subtract_borrow(a: Word, b: Word, borrow: bool) -> Carried {
    let partial_difference = word_subtract(a, b);
    let difference = word_subtract(partial_difference, word(select(0u, 1u, borrow), 0u));
    return Carried(difference, word_less(a, b) || (borrow && word_is_zero(partial_difference)));
}

fn integer_zero() -> Integer {
    let zero = word(0u, 0u);
    return Integer(zero, zero, zero, zero);
}

fn integer_of_word(a: Word) -> Integer {
    var integer = integer_zero();
    integer.w0 = a;
    return integer;
}

fn integer_top(a: Integer) -> Word {
    if WORDS == 1u {
        return a.w0;
    }
    if WORDS == 2u {
        return a.w1;
    }
    return a.w3;
}

fn integer_is_negative(a: Integer) -> bool {
    return (word_high(integer_top(a)) >> 31u) == 1u;
}

// Whether the words above the lowest are zero.
fn integer_is_word(a: Integer) -> bool {
    var above = word(0u, 0u);
    if WORDS > 1u {
        above = a.w1;
    }
    if WORDS > 2u {
        above = above | a.w2 | a.w3;
    }
    return word_is_zero(above);
}

fn integer_is_zero(a: Integer) -> bool {
    return word_is_zero(a.w0) && integer_is_word(a);
}

fn integer_equal(a: Integer, b: Integer) -> bool {
    var difference = a.w0 ^ b.w0;
    if WORDS > 1u {
        difference = difference | (a.w1 ^ b.w1);
    }
    if WORDS > 2u {
        difference = difference | (a.w2 ^ b.w2) | (a.w3 ^ b.w3);
    }
    return word_is_zero(difference);
}

// Without signs.
fn magnitude_less(a: Integer, b: Integer) -> bool {
    var borrow = word_less(a.w0, b.w0);
    if WORDS > 1u {
        borrow = word_subtract_borrow(a.w1, b.w1, borrow).carry;
    }
    if WORDS > 2u {
        borrow = word_subtract_borrow(a.w2, b.w2, borrow).carry;
        borrow = word_subtract_borrow(a.w3, b.w3, borrow).carry;
    }
    return borrow;
}

fn integer_less(a: Integer, b: Integer) -> bool {
    let is_negative = integer_is_negative(a);
    return select(magnitude_less(a, b), is_negative, is_negative != integer_is_negative(b));
}

// Wraps.
fn integer_wrapping_add(a: Integer, b: Integer) -> Integer {
    var sum = integer_zero();
    let word0 = word_add_carry(a.w0, b.w0, false);
    sum.w0 = word0.value;
    if WORDS > 1u {
        let word1 = word_add_carry(a.w1, b.w1, word0.carry);
        sum.w1 = word1.value;
        if WORDS > 2u {
            let word2 = word_add_carry(a.w2, b.w2, word1.carry);
            sum.w2 = word2.value;
            sum.w3 = word_add_carry(a.w3, b.w3, word2.carry).value;
        }
    }
    return sum;
}

// Wraps.
fn integer_wrapping_subtract(a: Integer, b: Integer) -> Integer {
    var difference = integer_zero();
    let word0 = word_subtract_borrow(a.w0, b.w0, false);
    difference.w0 = word0.value;
    if WORDS > 1u {
        let word1 = word_subtract_borrow(a.w1, b.w1, word0.carry);
        difference.w1 = word1.value;
        if WORDS > 2u {
            let word2 = word_subtract_borrow(a.w2, b.w2, word1.carry);
            difference.w2 = word2.value;
            difference.w3 = word_subtract_borrow(a.w3, b.w3, word2.carry).value;
        }
    }
    return difference;
}

fn integer_select(otherwise: Integer, chosen: Integer, choice: bool) -> Integer {
    return Integer(
        select(otherwise.w0, chosen.w0, choice),
        select(otherwise.w1, chosen.w1, choice),
        select(otherwise.w2, chosen.w2, choice),
        select(otherwise.w3, chosen.w3, choice),
    );
}

// A sum of two numbers of one sign has no room where it has the other sign.
fn integer_add(a: Integer, b: Integer) -> Checked {
    let sum = integer_wrapping_add(a, b);
    let is_negative = integer_is_negative(a);
    let one_sign = is_negative == integer_is_negative(b);
    return Checked(sum, !(one_sign && is_negative != integer_is_negative(sum)));
}

fn integer_subtract(a: Integer, b: Integer) -> Checked {
    let difference = integer_wrapping_subtract(a, b);
    let is_negative = integer_is_negative(a);
    let one_sign = is_negative == integer_is_negative(b);
    return Checked(difference, one_sign || is_negative == integer_is_negative(difference));
}

// The least number is its own opposite, and its magnitude is right without a sign.
fn integer_magnitude(a: Integer) -> Integer {
    return integer_select(a, integer_wrapping_subtract(integer_zero(), a), integer_is_negative(a));
}

// The number of this magnitude and sign; a magnitude with its top bit set is that of the least number or of none.
fn integer_signed(magnitude: Integer, is_negative: bool) -> Checked {
    let opposite = integer_wrapping_subtract(integer_zero(), magnitude);
    let value = integer_select(magnitude, opposite, is_negative);
    return Checked(value, integer_is_negative(value) == is_negative || integer_is_zero(magnitude));
}

fn integer_negate(a: Integer) -> Checked {
    return integer_subtract(integer_zero(), a);
}

// a b + c + d, which two words hold: (2^64 - 1)^2 + 2 (2^64 - 1) = 2^128 - 1.
fn word_multiply_add(a: Word, b: Word, c: Word, d: Word) -> Double {
    let product = word_multiply_wide(a, b);
    let once = word_add_carry(product.low, c, false);
    let twice = word_add_carry(once.value, d, false);
    let carries = select(0u, 1u, once.carry) + select(0u, 1u, twice.carry);
    return Double(twice.value, word_add(product.high, word(carries, 0u)));
}

fn magnitude_multiply_two_words(a: Integer, b: Integer) -> Checked {
    // At most one of the upper words is not zero, or there is no room.
    let has_upper = !word_is_zero(a.w1);
    let is_exact = !(has_upper && !word_is_zero(b.w1));
    let low = word_multiply_wide(a.w0, b.w0);
    let crossed = word_multiply_wide(select(b.w1, a.w1, has_upper), select(a.w0, b.w0, has_upper));
    let upper = word_add_carry(low.high, crossed.low, false);
    var product = integer_of_word(low.low);
    product.w1 = upper.value;
    return Checked(product, is_exact && word_is_zero(crossed.high) && !upper.carry);
}

// Row by row; what would stand above the highest word must be zero.
fn magnitude_multiply_four_words(a: Integer, b: Integer) -> Checked {
    let zero = word(0u, 0u);
    let row00 = word_multiply_add(a.w0, b.w0, zero, zero);
    let row01 = word_multiply_add(a.w1, b.w0, row00.high, zero);
    let row02 = word_multiply_add(a.w2, b.w0, row01.high, zero);
    let row03 = word_multiply_add(a.w3, b.w0, row02.high, zero);
    let row10 = word_multiply_add(a.w0, b.w1, row01.low, zero);
    let row11 = word_multiply_add(a.w1, b.w1, row02.low, row10.high);
    let row12 = word_multiply_add(a.w2, b.w1, row03.low, row11.high);
    let row20 = word_multiply_add(a.w0, b.w2, row11.low, zero);
    let row21 = word_multiply_add(a.w1, b.w2, row12.low, row20.high);
    let row30 = word_multiply_add(a.w0, b.w3, row21.low, zero);
    let carried = row03.high | row12.high | row21.high | row30.high;
    let is_beyond = (!word_is_zero(b.w1) && !word_is_zero(a.w3))
        || (!word_is_zero(b.w2) && !word_is_zero(a.w2 | a.w3))
        || (!word_is_zero(b.w3) && !word_is_zero(a.w1 | a.w2 | a.w3));
    let product = Integer(row00.low, row10.low, row20.low, row30.low);
    return Checked(product, word_is_zero(carried) && !is_beyond);
}

// Without signs.
fn magnitude_multiply(a: Integer, b: Integer) -> Checked {
    if WORDS == 1u {
        let product = word_multiply_wide(a.w0, b.w0);
        return Checked(integer_of_word(product.low), word_is_zero(product.high));
    }
    if WORDS == 2u {
        return magnitude_multiply_two_words(a, b);
    }
    return magnitude_multiply_four_words(a, b);
}

fn integer_multiply(a: Integer, b: Integer) -> Checked {
    let product = magnitude_multiply(integer_magnitude(a), integer_magnitude(b));
    let signed = integer_signed(product.value, integer_is_negative(a) != integer_is_negative(b));
    return Checked(signed.value, product.exact && signed.exact);
}

// From the highest bit of the exponent down, so that no step is larger than the result; 0^0 is 1.
fn integer_power(a: Integer, exponent: u32) -> Checked {
    if exponent == 0u {
        return Checked(integer_of_word(word(1u, 0u)), true);
    }
    let base = integer_magnitude(a);
    var power = base;
    var place = 31u - countLeadingZeros(exponent);
    var by_base = false;
    // At most 64 rounds: a square for each bit, and a product where it is set.
    loop {
        if !by_base && place == 0u {
            break;
        }
        var factor = power;
        if by_base {
            factor = base;
            by_base = false;
        } else {
            place -= 1u;
            by_base = ((exponent >> place) & 1u) == 1u;
        }
        let product = magnitude_multiply(power, factor);
        power = product.value;
        if !product.exact {
            return product;
        }
    }
    return integer_signed(power, integer_is_negative(a) && (exponent & 1u) == 1u);
}

// Without signs; `count` is below 64.
fn magnitude_shift_right(a: Integer, count: u32) -> Integer {
    var shifted = integer_zero();
    // A shift by 64 is no shift: so in two steps.
    let rest = 63u - count;
    shifted.w0 = word_shift_right(a.w0, count);
    if WORDS > 1u {
        shifted.w0 = shifted.w0 | word_shift_left(word_shift_left(a.w1, 1u), rest);
        shifted.w1 = word_shift_right(a.w1, count);
    }
    if WORDS > 2u {
        shifted.w1 = shifted.w1 | word_shift_left(word_shift_left(a.w2, 1u), rest);
        shifted.w2 = word_shift_right(a.w2, count) | word_shift_left(word_shift_left(a.w3, 1u), rest);
        shifted.w3 = word_shift_right(a.w3, count);
    }
    return shifted;
}

// Without signs; `count` is below 64, what leaves the highest word is lost.
fn magnitude_shift_left(a: Integer, count: u32) -> Integer {
    var shifted = integer_zero();
    let rest = 63u - count;
    shifted.w0 = word_shift_left(a.w0, count);
    if WORDS > 1u {
        shifted.w1 = word_shift_left(a.w1, count) | word_shift_right(word_shift_right(a.w0, 1u), rest);
    }
    if WORDS > 2u {
        shifted.w2 = word_shift_left(a.w2, count) | word_shift_right(word_shift_right(a.w1, 1u), rest);
        shifted.w3 = word_shift_left(a.w3, count) | word_shift_right(word_shift_right(a.w2, 1u), rest);
    }
    return shifted;
}

// A shift right by a whole word; zero comes in.
fn magnitude_drop_word(a: Integer) -> Integer {
    var dropped = integer_zero();
    if WORDS > 1u {
        dropped.w0 = a.w1;
    }
    if WORDS > 2u {
        dropped.w1 = a.w2;
        dropped.w2 = a.w3;
    }
    return dropped;
}
