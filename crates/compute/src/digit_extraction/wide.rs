//! Sums modulo 2^256, of which a fraction keeps the low bits: whatever wraps above does not matter below.

/// A number modulo 2^256, the least significant limb first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wide(pub(super) [u64; 4]);

impl Wide {
    /// Adds `value * 2^shift`.
    pub(super) fn add_shifted(&mut self, value: u128, shift: u32) {
        let (place, bits) = ((shift / 64) as usize, shift % 64);
        let above = if bits == 0 { 0 } else { low(value >> (128 - bits)) };
        let shifted = value << bits;
        let mut carry = false;
        let limbs = [low(shifted), low(shifted >> 64), above, 0];
        for (total, limb) in self.0.iter_mut().skip(place).zip(limbs) {
            (*total, carry) = total.carrying_add(limb, carry);
        }
    }

    /// Adds `factor * other`.
    pub(super) fn add_scaled(&mut self, other: &Self, factor: i32) {
        let magnitude = u128::from(factor.unsigned_abs());
        let (mut carry, mut over) = (0, false);
        for (total, limb) in self.0.iter_mut().zip(other.0) {
            let product = magnitude * u128::from(limb) + carry;
            carry = product >> 64;
            (*total, over) = if factor < 0 {
                total.borrowing_sub(low(product), over)
            } else {
                total.carrying_add(low(product), over)
            };
        }
    }
}

/// Sums of truncated terms, those with an even k and those with an odd one apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sums {
    pub(super) even: Wide,
    pub(super) odd: Wide,
}

impl Sums {
    /// The sum for k of this parity.
    pub(super) fn of(&mut self, k: u64) -> &mut Wide {
        if k.is_multiple_of(2) { &mut self.even } else { &mut self.odd }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
pub(super) fn low(value: u128) -> u64 {
    value as u64
}
