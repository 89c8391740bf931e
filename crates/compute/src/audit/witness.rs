//! The bytes of a witness: words of 64 bits, the lowest byte first, and long integers as words behind their count.
//!
//! A reader takes nothing for granted and copies nothing: a long integer is a stretch of the bytes that are there, so
//! that memory is never in proportion to a claim.

use rug::{Integer, integer::Order};

use super::AuditFault;

/// No field may be above this, so that sums and small multiples of them fit everywhere.
const FIELD_MAX: u64 = 1 << 44;

/// Writes a witness.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<[u8; 8]>);

impl Writer {
    pub(crate) fn with_capacity(words: usize) -> Self {
        Self(Vec::with_capacity(words))
    }

    pub(crate) fn field(&mut self, field: u64) {
        self.0.push(field.to_le_bytes());
    }

    /// Twice the count of words, one more for a negative number; then the words.
    pub(crate) fn long(&mut self, value: &Integer) {
        let limbs = value.as_limbs();
        self.field(2 * limbs.len() as u64 + u64::from(*value < 0));
        self.0.extend(limbs.iter().map(|limb| limb.to_le_bytes()));
    }

    /// The `count` lowest bits of the magnitude, with the sign of the number.
    pub(crate) fn low_bits(&mut self, value: &Integer, count: u64) {
        let words = usize::try_from(count / 64).unwrap_or(usize::MAX);
        let limbs = value.as_limbs();
        let (whole, above) = limbs.split_at(words.min(limbs.len()));
        let part = above.first().map_or(0, |limb| limb & ((1 << (count % 64)) - 1));
        let length = if part == 0 {
            whole.len() - whole.iter().rev().take_while(|limb| **limb == 0).count()
        } else {
            whole.len() + 1
        };
        self.field(2 * length as u64 + u64::from(*value < 0 && length > 0));
        self.0.extend(whole[..length.min(whole.len())].iter().map(|limb| limb.to_le_bytes()));
        if part != 0 {
            self.field(part);
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.into_flattened()
    }
}

/// A long integer of a witness, where it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Long<'w> {
    pub(crate) words: &'w [[u8; 8]],
    pub(crate) is_negative: bool,
}

impl Long<'_> {
    /// The bits of the magnitude; none for zero.
    pub(crate) fn bits(&self) -> i64 {
        match self.words {
            [] => 0,
            // The witness was read within bounds, so that there are fewer than 2^40 words.
            [below @ .., top] => {
                64 * i64::try_from(below.len()).unwrap_or(i64::MAX / 64)
                    + i64::from(u64::BITS - u64::from_le_bytes(*top).leading_zeros())
            }
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.words.is_empty()
    }

    /// The bit of the magnitude at `place`.
    pub(crate) fn bit(&self, place: u64) -> bool {
        let word = usize::try_from(place / 64).ok().and_then(|word| self.words.get(word));
        word.is_some_and(|word| u64::from_le_bytes(*word) >> (place % 64) & 1 == 1)
    }

    /// The integer itself.
    pub(crate) fn integer(&self) -> Integer {
        let magnitude = Integer::from_digits(self.words.as_flattened(), Order::Lsf);
        if self.is_negative { -magnitude } else { magnitude }
    }
}

/// Reads a witness.
#[derive(Debug)]
pub(crate) struct Reader<'w> {
    rest: &'w [[u8; 8]],
    field_max: u64,
}

impl<'w> Reader<'w> {
    /// Of fields up to `field_max`.
    pub(crate) fn new(bytes: &'w [u8], field_max: u64) -> Result<Self, AuditFault> {
        match bytes.as_chunks::<8>() {
            (rest, []) => Ok(Self { rest, field_max: field_max.min(FIELD_MAX) }),
            _ => Err(AuditFault::Witness { what: "length" }),
        }
    }

    fn word(&mut self, what: &'static str) -> Result<u64, AuditFault> {
        let (first, rest) = self.rest.split_first().ok_or(AuditFault::Witness { what })?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*first))
    }

    pub(crate) fn field(&mut self, what: &'static str) -> Result<u64, AuditFault> {
        let field = self.word(what)?;
        if field <= self.field_max { Ok(field) } else { Err(AuditFault::Witness { what }) }
    }

    pub(crate) fn long(&mut self, what: &'static str) -> Result<Long<'w>, AuditFault> {
        let header = self.word(what)?;
        let count = usize::try_from(header / 2).map_err(|_| AuditFault::Witness { what })?;
        let (words, rest) = self.rest.split_at_checked(count).ok_or(AuditFault::Witness { what })?;
        let is_negative = header % 2 == 1;
        // One number has one form: no zeros in front, and no zero below zero.
        let is_plain = words.last().map_or(!is_negative, |top| *top != [0; 8]);
        if !is_plain {
            return Err(AuditFault::Witness { what });
        }
        self.rest = rest;
        Ok(Long { words, is_negative })
    }

    /// A number that is not negative.
    pub(crate) fn magnitude(&mut self, what: &'static str) -> Result<Long<'w>, AuditFault> {
        let long = self.long(what)?;
        if long.is_negative { Err(AuditFault::Witness { what }) } else { Ok(long) }
    }

    pub(crate) fn end(self) -> Result<(), AuditFault> {
        if self.rest.is_empty() { Ok(()) } else { Err(AuditFault::Witness { what: "end" }) }
    }
}
