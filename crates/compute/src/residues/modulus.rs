//! Arithmetic modulo an odd number in Montgomery's form: products without division.
//!
//! With R = 2^64, the form of a residue x is x R mod m, and the product of two forms divided by R is the form of the
//! product. The reduction subtracts instead of adding, so that no intermediate leaves 128 bits: the quotient of the
//! difference by R lies in (-m, m). `shaders/shared/montgomery.wgsl` does the same, word for word.

use rug::{Integer, integer::Order};

/// Largest modulus: sums of two residues stay within a word.
pub const MODULUS_MAX: u64 = (1 << 63) - 1;

/// Why a number is no modulus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModulusError {
    /// Two divides it, or it is 1.
    #[error("{0} is no modulus of residues; take an odd number from 3 to {MODULUS_MAX}, best a prime")]
    NotOdd(u64),
    /// It is above [`MODULUS_MAX`].
    #[error("the modulus {0} is above the limit of {MODULUS_MAX}; take a smaller odd number, best a prime")]
    TooLarge(u64),
}

/// An odd modulus from 3 to [`MODULUS_MAX`] with what Montgomery's form needs.
///
/// Nothing here asks that it is prime; what residues *prove* mostly does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Modulus {
    value: u64,
    inverse: u64,
    one: u64,
    square: u64,
}

impl Modulus {
    /// A modulus.
    ///
    /// # Errors
    /// [`ModulusError`] for an even number, 1, and a number above [`MODULUS_MAX`].
    pub fn new(value: u64) -> Result<Self, ModulusError> {
        if value > MODULUS_MAX {
            return Err(ModulusError::TooLarge(value));
        }
        if value < 3 || value.is_multiple_of(2) {
            return Err(ModulusError::NotOdd(value));
        }
        Ok(Self::of_odd(value))
    }

    /// The same for any odd number above 1, also above [`MODULUS_MAX`], where only products are sound.
    pub(crate) fn of_odd(value: u64) -> Self {
        // Newton's iteration doubles the correct bits: 5, 10, 20, 40, 80.
        let mut inverse = value.wrapping_mul(3) ^ 2;
        for _ in 0..4 {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(value.wrapping_mul(inverse)));
        }
        // 2^64 mod m: the word's largest value modulo m and one more, which is below m as m is odd.
        let one = (u64::MAX % value) + 1;
        let square = low(u128::from(one) * u128::from(one) % u128::from(value));
        Self { value, inverse, one, square }
    }

    /// The modulus itself.
    pub fn value(&self) -> u64 {
        self.value
    }

    /// Its inverse modulo R = 2^64.
    pub(crate) fn inverse(&self) -> u64 {
        self.inverse
    }

    /// R mod m: the form of 1.
    pub(crate) fn one(&self) -> u64 {
        self.one
    }

    /// R^2 mod m: what turns a number into its form.
    pub(crate) fn square(&self) -> u64 {
        self.square
    }

    /// a b mod m, for residues a and b (not in Montgomery's form).
    pub fn multiply(&self, a: u64, b: u64) -> u64 {
        self.product(self.product(a, b), self.square)
    }

    /// a + b mod m, for residues a and b.
    pub fn add(&self, a: u64, b: u64) -> u64 {
        sum(a, b, self.value)
    }

    /// a - b mod m, for residues a and b.
    pub fn subtract(&self, a: u64, b: u64) -> u64 {
        sum(a, self.value - b, self.value)
    }

    /// The residue of an integer of any size and sign, in time in proportion to its length.
    pub fn residue(&self, integer: &Integer) -> u64 {
        self.leave(self.form_of(integer))
    }

    /// The form of an integer of any size and sign.
    pub(crate) fn form_of(&self, integer: &Integer) -> u64 {
        let mut form = 0;
        for limb in integer.to_digits::<u64>(Order::Msf) {
            form = self.add(self.product(form, self.square), self.enter(limb));
        }
        if *integer < 0 { self.subtract(0, form) } else { form }
    }

    /// a b / R mod m, for b below m and any a.
    #[inline]
    pub(crate) fn product(&self, a: u64, b: u64) -> u64 {
        product(a, b, self.value, self.inverse)
    }

    /// The form of any word.
    pub(crate) fn enter(&self, a: u64) -> u64 {
        self.product(a, self.square)
    }

    /// The residue of a form.
    pub(crate) fn leave(&self, form: u64) -> u64 {
        self.product(form, 1)
    }

    /// The form of a power of a form.
    pub(crate) fn power(&self, base: u64, exponent: u64) -> u64 {
        let mut result = self.one;
        for bit in (0..u64::BITS - exponent.leading_zeros()).rev() {
            result = self.product(result, result);
            if exponent >> bit & 1 == 1 {
                result = self.product(result, base);
            }
        }
        result
    }
}

/// a b / R mod m, for b below m and any a; `inverse` is 1 / m mod R.
#[inline]
pub(super) fn product(a: u64, b: u64, modulus: u64, inverse: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    let factor = low(wide).wrapping_mul(inverse);
    let gone = low((u128::from(factor) * u128::from(modulus)) >> 64);
    let (difference, is_below) = low(wide >> 64).overflowing_sub(gone);
    if is_below { difference.wrapping_add(modulus) } else { difference }
}

/// a + b mod m, for a below m, b up to m and m up to [`MODULUS_MAX`].
#[inline]
pub(super) fn sum(a: u64, b: u64, modulus: u64) -> u64 {
    let sum = a + b;
    // Below the modulus the difference wraps above every sum.
    sum.min(sum.wrapping_sub(modulus))
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low(value: u128) -> u64 {
    value as u64
}
