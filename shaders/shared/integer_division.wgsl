// Division of the integers of `integer.wgsl` by one word, with a reciprocal in the place of a hardware division: Moeller and
// Granlund, "Improved division by invariant integers" (2011), algorithm 4 and definition 1.

// A divisor from 1 to 2^64 - 1, shifted left until its top bit is set, and floor((2^128 - 1) / normal) - 2^64.
struct Divisor {
    normal: Word,
    reciprocal: Word,
    shift: u32,
}

struct WordQuotient {
    quotient: Word,
    remainder: Word,
}

struct Quotient {
    quotient: Integer,
    remainder: Word,
}

// A divisor that is not zero. The reciprocal is the quotient of (2^64 - 1 - d, 2^64 - 1) by d, bit by bit.
fn divisor_of(a: Word) -> Divisor {
    let shift = 64u - word_bits(a);
    let normal = word_shift_left(a, shift);
    let one = word(1u, 0u);
    var rest = ~normal;
    var reciprocal = word(0u, 0u);
    for (var bit = 0u; bit < 64u; bit += 1u) {
        let has_carry = (word_high(rest) >> 31u) == 1u;
        rest = word_shift_left(rest, 1u) | one;
        let fits = has_carry || !word_less(rest, normal);
        rest = select(rest, word_subtract(rest, normal), fits);
        reciprocal = word_shift_left(reciprocal, 1u) | word(select(0u, 1u, fits), 0u);
    }
    return Divisor(normal, reciprocal, shift);
}

// (high, low) divided by the normal divisor; `high` is below it.
fn divide_pair(high: Word, low: Word, divisor: Divisor) -> WordQuotient {
    let estimate = word_multiply_wide(divisor.reciprocal, high);
    let below = word_add_carry(estimate.low, low, false);
    var quotient = word_add_carry(estimate.high, high, below.carry).value;
    quotient = word_add(quotient, word(1u, 0u));
    var remainder = word_subtract(low, word_multiply_low(quotient, divisor.normal));
    let is_above = word_less(below.value, remainder);
    quotient = word_subtract(quotient, word(select(0u, 1u, is_above), 0u));
    remainder = select(remainder, word_add(remainder, divisor.normal), is_above);
    let is_below = !word_less(remainder, divisor.normal);
    quotient = word_add(quotient, word(select(0u, 1u, is_below), 0u));
    remainder = select(remainder, word_subtract(remainder, divisor.normal), is_below);
    return WordQuotient(quotient, remainder);
}

// Without signs: dividend and divisor are shifted alike, so the quotient stays and the remainder is shifted back.
fn magnitude_divide(a: Integer, divisor: Divisor) -> Quotient {
    let spilled = word_shift_right(word_shift_right(integer_top(a), 1u), 63u - divisor.shift);
    let shifted = magnitude_shift_left(a, divisor.shift);
    var quotient = integer_zero();
    var step = WordQuotient(spilled, spilled);
    if WORDS > 2u {
        step = divide_pair(step.remainder, shifted.w3, divisor);
        quotient.w3 = step.quotient;
        step = divide_pair(step.remainder, shifted.w2, divisor);
        quotient.w2 = step.quotient;
    }
    if WORDS > 1u {
        step = divide_pair(step.remainder, shifted.w1, divisor);
        quotient.w1 = step.quotient;
    }
    step = divide_pair(step.remainder, shifted.w0, divisor);
    quotient.w0 = step.quotient;
    return Quotient(quotient, word_shift_right(step.remainder, divisor.shift));
}

struct FloorQuotient {
    quotient: Checked,
    // Without its sign, which is the divisor's.
    remainder: Word,
}

// The quotient rounded down, and the remainder with the sign of the divisor.
fn integer_floor_divide(a: Integer, divisor: Divisor, divisor_is_negative: bool) -> FloorQuotient {
    let parts = magnitude_divide(integer_magnitude(a), divisor);
    let signs_differ = integer_is_negative(a) != divisor_is_negative;
    let is_between = signs_differ && !word_is_zero(parts.remainder);
    let one = integer_of_word(word(select(0u, 1u, is_between), 0u));
    let quotient = integer_signed(integer_wrapping_add(parts.quotient, one), signs_differ);
    let complement = word_subtract(word_shift_right(divisor.normal, divisor.shift), parts.remainder);
    return FloorQuotient(quotient, select(parts.remainder, complement, is_between));
}

// a b mod the normal divisor, for a factor a below it: with a = x 2^shift that is (x b mod m) 2^shift.
fn multiply_modulo(a: Word, b: Word, divisor: Divisor) -> Word {
    let product = word_multiply_wide(a, b);
    return divide_pair(product.high, product.low, divisor).remainder;
}

// base^exponent mod m, for a base below m; 0^0 is 1 mod m.
fn power_modulo(base: Word, exponent: Word, divisor: Divisor) -> Word {
    let one = word_shift_left(word(1u, 0u), divisor.shift);
    // 1 mod m, in the shifted form: zero for m = 1.
    var power = select(one, word(0u, 0u), word_equal(one, divisor.normal));
    var place = word_bits(exponent);
    var by_base = false;
    // At most 128 rounds: a square for each bit, and a product where it is set.
    loop {
        if !by_base && place == 0u {
            break;
        }
        var factor = base;
        if by_base {
            by_base = false;
        } else {
            factor = word_shift_right(power, divisor.shift);
            place -= 1u;
            by_base = (word_low(word_shift_right(exponent, place)) & 1u) == 1u;
        }
        power = multiply_modulo(power, factor, divisor);
    }
    return word_shift_right(power, divisor.shift);
}

// Stein's binary algorithm on magnitudes; gcd(0, 0) is 0. Every round takes at least one bit off a pair of at most
// 128 WORDS bits.
fn magnitude_gcd(first: Integer, second: Integer) -> Integer {
    if integer_is_zero(first) {
        return second;
    }
    if integer_is_zero(second) {
        return first;
    }
    var a = first;
    var b = second;
    var common_zeros = 0u;
    // Both even at once, word by word and then bit by bit.
    while WORDS > 1u && word_is_zero(a.w0) && word_is_zero(b.w0) {
        a = magnitude_drop_word(a);
        b = magnitude_drop_word(b);
        common_zeros += 64u;
    }
    let zeros = min(word_trailing_zeros(a.w0), word_trailing_zeros(b.w0));
    common_zeros += zeros;
    a = magnitude_shift_right(a, zeros);
    b = magnitude_shift_right(b, zeros);
    // Now one of them is odd: it becomes a.
    let a_is_even = (word_low(a.w0) & 1u) == 0u;
    let odd = integer_select(a, b, a_is_even);
    b = integer_select(b, a, a_is_even);
    a = odd;
    loop {
        if WORDS > 1u && word_is_zero(b.w0) {
            b = magnitude_drop_word(b);
            continue;
        }
        b = magnitude_shift_right(b, word_trailing_zeros(b.w0));
        let is_less = magnitude_less(b, a);
        let smaller = integer_select(a, b, is_less);
        b = integer_wrapping_subtract(integer_select(b, a, is_less), smaller);
        a = smaller;
        if integer_is_zero(b) {
            break;
        }
    }
    while common_zeros > 0u {
        let count = min(common_zeros, 63u);
        a = magnitude_shift_left(a, count);
        common_zeros -= count;
    }
    return a;
}

// Whether a word is prime, by the Miller-Rabin test with the seven bases of Jim Sinclair, which decide below 2^64.
fn word_is_prime(a: Word) -> bool {
    if (word_low(a) & 1u) == 0u {
        return word_equal(a, word(2u, 0u));
    }
    if word_equal(a, word(1u, 0u)) {
        return false;
    }
    let inverse = inverse_of_odd(a);
    let one = power_of_two_modulo(64u, a);
    let minus_one = word_subtract(a, one);
    var square_of_r = double_modulo(one, a);
    for (var round = 0u; round < 6u; round += 1u) {
        square_of_r = montgomery_square(square_of_r, a, inverse);
    }
    let even = word_subtract(a, word(1u, 0u));
    let twos = word_trailing_zeros(even);
    let bits = word_bits(even);
    var bases = array<u32, 7>(2u, 325u, 9375u, 28178u, 450775u, 9780504u, 1795265022u);
    var is_prime = true;
    for (var index = 0u; index < 7u && is_prime; index += 1u) {
        var base = word(bases[index], 0u);
        if word_high(a) == 0u {
            base = word(bases[index] % word_low(a), 0u);
        }
        if word_is_zero(base) {
            continue;
        }
        let factor = montgomery_multiply(base, square_of_r, a, inverse);
        var power = one;
        var place = bits;
        var is_witness = true;
        // The odd part of the exponent, then a look at each square.
        while place > 0u && is_witness {
            place -= 1u;
            power = montgomery_square(power, a, inverse);
            let bit = (word_low(word_shift_right(even, place)) & 1u) == 1u;
            power = select(power, montgomery_multiply(power, factor, a, inverse), bit);
            let at_odd_part = place == twos;
            is_witness = !(place <= twos && place > 0u && word_equal(power, minus_one))
                && !(at_odd_part && word_equal(power, one));
        }
        is_prime = !is_witness;
    }
    return is_prime;
}
