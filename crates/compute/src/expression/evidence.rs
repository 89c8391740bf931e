//! The checksum of the values behind an answer, which only those can know who have computed them.
//!
//! # Definition
//!
//! The *sides* of an answer are the values that were compared, in the order in which they are met: the left side of a
//! comparison, then its right side; comparisons from left to right, and none that `and` and `or` skip (the right side
//! of `and` is skipped if the left is false, that of `or` if the left is true; a chain `a < b < c` is
//! `a < b and b < c`). `is_prime(n)` has one side, n, followed by one byte: `P` if it is prime, `C` if not.
//!
//! The bytes of a side are
//! - of an exact value, `X`, then numerator and denominator in lowest terms, each as one sign byte (0 or 1 for
//!   negative), its length in bytes as 8 bytes little-endian, and its magnitude in as many bytes, little-endian;
//! - of an enclosed value, `D`, a sign character (`+` or `-`), its first 32 significant digits, truncated, and `e`
//!   with the decimal exponent of 0.DIGITS, in decimal;
//! - where the truncation sits on a boundary that the largest precision does not resolve, `B` in the place of `D` and
//!   the boundary's digits; where the value is not told from zero, `Z` alone;
//! - of a side that is known by its residues only (`residue`), `R`, then each prime and the residue modulo it, 8 bytes
//!   each, little-endian. An answer has either both sides like that or none.
//!
//! The checksum of one expression is the digest of the bytes of its sides in the domain of values, cut to 16 bytes.
//!
//! A range mixes faster, and in any order. For each value n, a state h of 64 bits starts at 0 and takes in n and then
//! every side, by `h = mix(h ^ low ^ rotate_left(high * 0x9e3779b97f4a7c15, 32)) + 0x9e3779b97f4a7c15`, where (low,
//! high) are the halves of a 128-bit word: of an exact integer (and n), the value modulo 2^128 in two's complement; of
//! any other side, the first 16 bytes, little-endian, of the digest of its bytes; of `P` and `C`, 1 and 0. `mix` is
//! the finalizer of `SplitMix64`. The range's sum is that of `h * (h ^ 0xbf58476d1ce4e5b9)` (64 by 64 to 128 bits) over
//! all n, modulo 2^128, and its checksum the digest of `range` and the sum's 16 bytes, little-endian, cut to 16 bytes.

use protocol::{
    digest::{Digest, Domain, Hasher},
    outcome::Checksum,
};
use rug::{Integer, Rational, integer::Order};

use super::{
    digits::{Decimal, Leading, leading},
    term::Value,
    work::{Stop, Work, bits, linear_units},
};
use crate::residues::Modulus;

/// Digits of an enclosed side that enter the checksum.
const SIDE_DIGITS: u32 = 32;
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX_FIRST: u64 = 0xbf58_476d_1ce4_e5b9;
const MIX_SECOND: u64 = 0x94d0_49bb_1331_11eb;

/// Takes in the sides of an answer as they are met.
pub(super) trait Evidence {
    /// One side of a comparison, or the argument of a predicate.
    fn side(&mut self, work: &mut Work<'_>, value: &Value, precision_bits_max: u32) -> Result<(), Stop>;
    /// What a predicate said.
    fn verdict(&mut self, is_prime: bool);
}

/// The evidence of one expression.
#[derive(Debug)]
pub(super) struct DigestEvidence(Hasher);

impl DigestEvidence {
    pub(super) fn new() -> Self {
        Self(Hasher::new(Domain::Values))
    }

    /// Takes in a side that is known by its residues.
    pub(super) fn residues(&mut self, primes: &[Modulus], residues: &[u64]) {
        self.0.update(b"R");
        for (prime, residue) in primes.iter().zip(residues) {
            self.0.update(&prime.value().to_le_bytes());
            self.0.update(&residue.to_le_bytes());
        }
    }

    pub(super) fn checksum(&self) -> Checksum {
        Checksum::from_digest(self.0.finish())
    }
}

impl Evidence for DigestEvidence {
    fn side(&mut self, work: &mut Work<'_>, value: &Value, precision_bits_max: u32) -> Result<(), Stop> {
        self.0.update(&side_bytes(work, value, precision_bits_max)?);
        Ok(())
    }

    fn verdict(&mut self, is_prime: bool) {
        self.0.update(if is_prime { b"P" } else { b"C" });
    }
}

/// The evidence of an expression at one value of a range's variable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MixedEvidence(u64);

impl MixedEvidence {
    pub(crate) fn new(value: i128) -> Self {
        let mut evidence = Self(0);
        evidence.integer(value);
        evidence
    }

    /// Takes in a side that is an integer.
    pub(crate) fn integer(&mut self, value: i128) {
        self.word(value.cast_unsigned());
    }

    /// Takes in what a predicate said.
    pub(crate) fn prime(&mut self, is_prime: bool) {
        self.word(u128::from(is_prime));
    }

    fn word(&mut self, word: u128) {
        let (low, high) = halves(word);
        self.0 = mix(self.0 ^ low ^ high.wrapping_mul(GOLDEN).rotate_left(32)).wrapping_add(GOLDEN);
    }

    /// What this value adds to the range's sum.
    pub(crate) fn term(self) -> u128 {
        u128::from(self.0) * u128::from(self.0 ^ MIX_FIRST)
    }
}

impl Evidence for MixedEvidence {
    fn side(&mut self, work: &mut Work<'_>, value: &Value, precision_bits_max: u32) -> Result<(), Stop> {
        match value {
            Value::Exact(exact) if *exact.denom() == 1 => self.word(exact.numer().to_u128_wrapping()),
            _ => {
                let digest = Digest::of(Domain::Values, &side_bytes(work, value, precision_bits_max)?);
                let mut half = [0; 16];
                half.copy_from_slice(&digest.0[..16]);
                self.word(u128::from_le_bytes(half));
            }
        }
        Ok(())
    }

    fn verdict(&mut self, is_prime: bool) {
        self.prime(is_prime);
    }
}

/// The checksum of a range.
pub(super) fn range_checksum(sum: u128) -> Checksum {
    let mut hasher = Hasher::new(Domain::Values);
    hasher.update(b"range");
    hasher.update(&sum.to_le_bytes());
    Checksum::from_digest(hasher.finish())
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are what is asked for")]
fn halves(word: u128) -> (u64, u64) {
    (word as u64, (word >> 64) as u64)
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(MIX_FIRST);
    word = (word ^ word >> 27).wrapping_mul(MIX_SECOND);
    word ^ word >> 31
}

fn side_bytes(work: &mut Work<'_>, value: &Value, precision_bits_max: u32) -> Result<Vec<u8>, Stop> {
    match value {
        Value::Exact(value) => {
            work.charge(linear_units(bits(value)))?;
            Ok(exact_bytes(value))
        }
        Value::Enclosed(_) => Ok(match leading(work, value, SIDE_DIGITS, precision_bits_max)? {
            Leading::Truncated(decimal) => decimal_bytes('D', &decimal),
            Leading::Boundary(decimal) => decimal_bytes('B', &decimal),
            Leading::Zero => b"Z".to_vec(),
        }),
    }
}

fn exact_bytes(value: &Rational) -> Vec<u8> {
    let mut bytes = vec![b'X'];
    for part in [value.numer(), value.denom()] {
        let magnitude = Integer::from(part.abs_ref()).to_digits::<u8>(Order::Lsf);
        bytes.push(u8::from(*part < 0));
        bytes.extend((magnitude.len() as u64).to_le_bytes());
        bytes.extend(magnitude);
    }
    bytes
}

/// The bytes of a side that is an integer of 128 bits, behind those that are there.
pub(super) fn integer_bytes(value: i128, bytes: &mut Vec<u8>) {
    /// The denominator: not negative, one byte long, 1.
    const ONE: [u8; 10] = [0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    let magnitude = value.unsigned_abs();
    let length = (u128::BITS - magnitude.leading_zeros()).div_ceil(8);
    bytes.extend([b'X', u8::from(value < 0)]);
    bytes.extend(u64::from(length).to_le_bytes());
    bytes.extend(&magnitude.to_le_bytes()[..length as usize]);
    bytes.extend(ONE);
}

fn decimal_bytes(tag: char, decimal: &Decimal) -> Vec<u8> {
    let sign = if decimal.is_negative { '-' } else { '+' };
    format!("{tag}{sign}{}e{}", decimal.digits, decimal.exponent).into_bytes()
}
