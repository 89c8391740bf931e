//! The bytes of a witness: words of 64 bits, the lowest byte first, and long integers as words behind their count.
//!
//! A reader takes nothing for granted and copies nothing: a long integer is a stretch of the bytes that are there, so
//! that memory is never in proportion to a claim. What was not sent but handed over lies in several pieces
//! ([`super::parts`]).

use rug::{Integer, integer::Order};

use super::AuditFault;

/// No field may be above this, so that sums and small multiples of them fit everywhere.
const FIELD_MAX: u64 = 1 << 44;

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

/// Reads a witness that lies in one piece or in several.
#[derive(Debug)]
pub(crate) struct Reader<'w> {
    /// What is left of the piece that is read.
    rest: &'w [[u8; 8]],
    /// Those behind it.
    further: &'w [&'w [u8]],
    field_max: u64,
}

impl<'w> Reader<'w> {
    /// Of fields up to `field_max`.
    pub(crate) fn new(pieces: &'w [&'w [u8]], field_max: u64) -> Result<Self, AuditFault> {
        let mut reader = Self { rest: &[], further: pieces, field_max: field_max.min(FIELD_MAX) };
        reader.go_on()?;
        Ok(reader)
    }

    /// Where a piece is at its end, the next one is begun.
    fn go_on(&mut self) -> Result<(), AuditFault> {
        while self.rest.is_empty()
            && let Some((next, further)) = self.further.split_first()
        {
            let (words, []) = next.as_chunks::<8>() else {
                return Err(AuditFault::Witness { what: "length" });
            };
            (self.rest, self.further) = (words, further);
        }
        Ok(())
    }

    fn word(&mut self, what: &'static str) -> Result<u64, AuditFault> {
        let (first, rest) = self.rest.split_first().ok_or(AuditFault::Witness { what })?;
        self.rest = rest;
        self.go_on()?;
        Ok(u64::from_le_bytes(*first))
    }

    pub(crate) fn field(&mut self, what: &'static str) -> Result<u64, AuditFault> {
        let field = self.word(what)?;
        if field <= self.field_max { Ok(field) } else { Err(AuditFault::Witness { what }) }
    }

    pub(crate) fn long(&mut self, what: &'static str) -> Result<Long<'w>, AuditFault> {
        let header = self.word(what)?;
        let count = usize::try_from(header / 2).map_err(|_| AuditFault::Witness { what })?;
        // Whoever writes it in pieces puts no number into two of them.
        let (words, rest) = self.rest.split_at_checked(count).ok_or(AuditFault::Witness { what })?;
        let is_negative = header % 2 == 1;
        // One number has one form: no zeros in front, and no zero below zero.
        let is_plain = words.last().map_or(!is_negative, |top| *top != [0; 8]);
        if !is_plain {
            return Err(AuditFault::Witness { what });
        }
        self.rest = rest;
        self.go_on()?;
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
