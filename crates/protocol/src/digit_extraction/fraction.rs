//! A number modulo 1 in fixed point: what partial sums are handed in as.

use std::fmt;

use data_encoding::HEXUPPER;
use serde::{Deserialize, Serialize};

use super::HexTerms;

/// A fraction in [0, 1) as F bits, big-endian bytes: the first byte holds the first two hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fraction(#[serde(with = "serde_bytes")] Vec<u8>);

impl Fraction {
    /// Zero with this many bits, a multiple of 64 (rounded up to one).
    #[must_use]
    pub fn zero(fraction_bits: u32) -> Self {
        Self(vec![0; fraction_bits.min(HexTerms::FRACTION_BITS_MAX).div_ceil(64) as usize * 8])
    }

    /// From 64-bit limbs, the least significant first.
    #[must_use]
    pub fn from_limbs(limbs: &[u64]) -> Self {
        Self(limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect())
    }

    /// As 64-bit limbs, the least significant first; bytes beyond the last whole limb, which no valid fraction has,
    /// are left out.
    #[must_use]
    pub fn limbs(&self) -> Vec<u64> {
        let (limbs, _) = self.0.as_chunks::<8>();
        limbs.iter().rev().map(|bytes| u64::from_be_bytes(*bytes)).collect()
    }

    /// How many bits it has.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.0.len() * 8
    }

    /// The big-endian bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds another of the same width modulo 1; false, and nothing added, where the width differs.
    pub fn add(&mut self, other: &Self) -> bool {
        if self.0.len() != other.0.len() {
            return false;
        }
        let mut carry = 0;
        for (byte, more) in self.0.iter_mut().zip(&other.0).rev() {
            let sum = u16::from(*byte) + u16::from(*more) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        true
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXUPPER.encode(&self.0))
    }
}

impl fmt::Debug for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fraction({self})")
    }
}
