//! Signed integers of 256 bits, exact or nothing, in the plainest way: the twin of `shaders/shared/integer.wgsl`.
//!
//! Every operation computes with magnitudes in a few 64-bit words and puts the sign back; what does not fit is `None`.

use std::cmp::Ordering;

use super::program::Width;

/// 64-bit words in a number.
const WORDS: usize = 4;

/// A signed integer of 256 bits in two's complement, the least significant word first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wide(pub [u64; WORDS]);

impl From<i128> for Wide {
    fn from(value: i128) -> Self {
        let bits = value.cast_unsigned();
        let fill = if value < 0 { u64::MAX } else { 0 };
        Self([low(bits), low(bits >> 64), fill, fill])
    }
}

impl From<u64> for Wide {
    fn from(value: u64) -> Self {
        Self([value, 0, 0, 0])
    }
}

impl Wide {
    /// Zero.
    pub const ZERO: Self = Self([0; WORDS]);

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.0[WORDS - 1] >> 63 == 1
    }

    /// The value modulo 2^128, which is what enters a checksum.
    pub fn low_bits(self) -> u128 {
        u128::from(self.0[0]) | u128::from(self.0[1]) << 64
    }

    /// The value as one word, where it is one.
    pub fn to_word(self) -> Option<u64> {
        (self.0[1..] == [0; WORDS - 1]).then_some(self.0[0])
    }

    /// Whether it has room in a width.
    pub fn fits(self, width: Width) -> bool {
        let words = width.words();
        let fill = if self.0[words - 1] >> 63 == 1 { u64::MAX } else { 0 };
        self.0[words..].iter().all(|word| *word == fill)
    }

    /// Without its sign; that of the least number is right without one.
    pub fn magnitude(self) -> [u64; WORDS] {
        if self.is_negative() { subtract([0; WORDS], self.0).0 } else { self.0 }
    }

    /// The number of this magnitude and sign.
    pub fn signed(magnitude: [u64; WORDS], is_negative: bool) -> Option<Self> {
        let value = if is_negative { Self(subtract([0; WORDS], magnitude).0) } else { Self(magnitude) };
        (magnitude == [0; WORDS] || value.is_negative() == is_negative).then_some(value)
    }

    /// The order of two numbers.
    pub fn order(self, other: Self) -> Ordering {
        let words = |number: Self| number.0.into_iter().rev();
        other.is_negative().cmp(&self.is_negative()).then_with(|| words(self).cmp(words(other)))
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Option<Self> {
        let sum = Self(add(self.0, other.0));
        let one_sign = self.is_negative() == other.is_negative();
        (!one_sign || sum.is_negative() == self.is_negative()).then_some(sum)
    }

    /// The difference.
    pub fn subtract(self, other: Self) -> Option<Self> {
        let difference = Self(subtract(self.0, other.0).0);
        let one_sign = self.is_negative() == other.is_negative();
        (one_sign || difference.is_negative() == self.is_negative()).then_some(difference)
    }

    /// The product.
    pub fn multiply(self, other: Self) -> Option<Self> {
        let product = multiply(self.magnitude(), other.magnitude())?;
        Self::signed(product, self.is_negative() != other.is_negative())
    }

    /// The power; 0^0 is 1.
    pub fn power(self, exponent: u32) -> Option<Self> {
        let base = self.magnitude();
        let mut power = Self::from(1_u64).0;
        for place in (0..u32::BITS - exponent.leading_zeros()).rev() {
            power = multiply(power, power)?;
            if exponent >> place & 1 == 1 {
                power = multiply(power, base)?;
            }
        }
        Self::signed(power, self.is_negative() && exponent % 2 == 1)
    }

    /// The quotient rounded down by a divisor of one word and a sign, and the remainder without its sign, which is the
    /// divisor's. None for the divisor 0, too.
    pub fn floor_divide(self, divisor: u64, divisor_is_negative: bool) -> Option<(Option<Self>, u64)> {
        let signs_differ = self.is_negative() != divisor_is_negative;
        let (mut quotient, mut rest) = ([0; WORDS], 0);
        for (place, word) in self.magnitude().into_iter().enumerate().rev() {
            let pair = u128::from(rest) << 64 | u128::from(word);
            quotient[place] = low(pair.checked_div(u128::from(divisor))?);
            rest = low(pair % u128::from(divisor));
        }
        if signs_differ && rest != 0 {
            return Some((Self::signed(add(quotient, Self::from(1_u64).0), true), divisor - rest));
        }
        Some((Self::signed(quotient, signs_differ), rest))
    }

    /// The greatest common divisor, without a sign; that of 0 and 0 is 0.
    pub fn gcd(self, other: Self) -> [u64; WORDS] {
        let (mut a, mut b) = (self.magnitude(), other.magnitude());
        if a == [0; WORDS] || b == [0; WORDS] {
            return add(a, b);
        }
        let (zeros_of_a, zeros_of_b) = (trailing_zeros(a), trailing_zeros(b));
        a = shift_right(a, zeros_of_a);
        b = shift_right(b, zeros_of_b);
        while a != b {
            let (difference, a_is_less) = subtract(a, b);
            if a_is_less {
                b = subtract(b, a).0;
                b = shift_right(b, trailing_zeros(b));
            } else {
                a = shift_right(difference, trailing_zeros(difference));
            }
        }
        shift_left(a, zeros_of_a.min(zeros_of_b))
    }
}

/// Wraps.
fn add(a: [u64; WORDS], b: [u64; WORDS]) -> [u64; WORDS] {
    let mut carry = false;
    std::array::from_fn(|place| {
        let (sum, over) = a[place].overflowing_add(b[place]);
        let (sum, over_again) = sum.overflowing_add(u64::from(carry));
        carry = over || over_again;
        sum
    })
}

/// Wraps, and says so.
fn subtract(a: [u64; WORDS], b: [u64; WORDS]) -> ([u64; WORDS], bool) {
    let mut borrow = false;
    let difference = std::array::from_fn(|place| {
        let (difference, under) = a[place].overflowing_sub(b[place]);
        let (difference, under_again) = difference.overflowing_sub(u64::from(borrow));
        borrow = under || under_again;
        difference
    });
    (difference, borrow)
}

fn multiply(a: [u64; WORDS], b: [u64; WORDS]) -> Option<[u64; WORDS]> {
    let mut product = [0_u64; WORDS];
    for (row, factor) in b.into_iter().enumerate().filter(|(_, factor)| *factor != 0) {
        let mut carry = 0;
        for (column, word) in a.into_iter().enumerate() {
            let place = row + column;
            if place >= WORDS {
                if word != 0 {
                    return None;
                }
                continue;
            }
            let sum = u128::from(word) * u128::from(factor) + u128::from(product[place]) + u128::from(carry);
            (product[place], carry) = (low(sum), low(sum >> 64));
        }
        if carry != 0 {
            return None;
        }
    }
    Some(product)
}

fn trailing_zeros(a: [u64; WORDS]) -> u32 {
    let mut zeros = 0;
    for word in a {
        zeros += word.trailing_zeros();
        if word != 0 {
            break;
        }
    }
    zeros
}

/// By less than 256 bits; zeros come in.
pub(crate) fn shift_right(a: [u64; WORDS], count: u32) -> [u64; WORDS] {
    let (skipped, part) = ((count / 64) as usize, count % 64);
    let word = |place: usize| a.get(place).copied().unwrap_or(0);
    std::array::from_fn(|place| {
        let pair = u128::from(word(place + skipped)) | u128::from(word(place + skipped + 1)) << 64;
        low(pair >> part)
    })
}

/// By less than 256 bits; what leaves at the top is lost.
pub(crate) fn shift_left(a: [u64; WORDS], count: u32) -> [u64; WORDS] {
    let (skipped, part) = ((count / 64) as usize, count % 64);
    let word = |place: Option<usize>| place.map_or(0, |place| a[place]);
    std::array::from_fn(|place| {
        let upper = place.checked_sub(skipped);
        let pair =
            u128::from(word(upper)) << 64 | u128::from(word(upper.and_then(|place| place.checked_sub(1))));
        low((pair << part) >> 64)
    })
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low(value: u128) -> u64 {
    value as u64
}
