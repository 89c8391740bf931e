//! The bytes of a piece, versioned and sealed by a digest.
//!
//! ```text
//! "quorate checkpoint"  version  identity of the work (32 bytes)  from  to
//! count of words, words
//! count of numbers; of each: power of two, error, form, count of limbs (doubled, and 1 more where negative), limbs
//! BLAKE3 of everything before (32 bytes)
//! ```
//!
//! Everything that is not said otherwise is a word of 64 bits, the lowest byte first.

use std::io::{self, Write};

use gmp_mpfr_sys::gmp::limb_t;
use protocol::digest::{Digest, Domain, Hasher};
use rug::{Integer, integer::Order};

/// The version of this format.
pub(super) const VERSION: u64 = 1;
const MAGIC: &[u8; 18] = b"quorate checkpoint";
const WORD: usize = 8;
const DIGEST_BYTES: usize = 32;
/// What stands for a number without an error.
const EXACT: u64 = u64::MAX;
/// Limbs that are written at once.
const LIMBS_AT_ONCE: usize = 4096;
const HEAD_BYTES: u64 = (MAGIC.len() + DIGEST_BYTES + 3 * WORD) as u64;
const NUMBER_BYTES: u64 = 4 * WORD as u64;
/// More bytes than a piece has beyond its words and its limbs.
pub const CHECKPOINT_OVERHEAD_BYTES: u64 = HEAD_BYTES + (2 * WORD + DIGEST_BYTES) as u64 + 16 * NUMBER_BYTES;

const _: () = assert!(limb_t::BITS == 64, "limbs are written as words of 64 bits");

/// What is wrong with a piece.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PieceFault {
    /// The shelf does not give it.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is of another kind or version.
    #[error("it is no checkpoint of this version")]
    Version,
    /// It belongs elsewhere.
    #[error("it belongs to another computation")]
    Foreign,
    /// It was changed or cut.
    #[error("its digest does not fit its bytes: it was changed, or written only in part")]
    Damaged,
    /// Its numbers do not fit its length.
    #[error("its lengths do not fit each other")]
    Malformed,
    /// A number does not have the residue that it had when it was made.
    #[error("a number in it was damaged before it was written")]
    Residue,
    /// Its numbers are not those of the computation.
    #[error("its numbers are not those of the computation, modulo a prime")]
    Wrong,
}

/// Some numbers and some words beside them; numbers are lent where a piece is written.
#[derive(Debug)]
pub(crate) struct Piece<V = Integer> {
    pub(crate) words: Vec<u64>,
    pub(crate) numbers: Vec<StoredNumber<V>>,
}

/// `value 2^twos`, off by less than `2^error`; `form` is the residue with which it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredNumber<V = Integer> {
    pub(crate) value: V,
    pub(crate) form: u64,
    pub(crate) twos: u64,
    pub(crate) error: Option<u64>,
}

impl Piece<&Integer> {
    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> u64 {
        let limbs: usize = self.numbers.iter().map(|number| number.value.as_limbs().len()).sum();
        let words = (self.words.len() + limbs + 2) as u64;
        HEAD_BYTES + WORD as u64 * words + NUMBER_BYTES * self.numbers.len() as u64 + DIGEST_BYTES as u64
    }
}

/// Writes and takes the digest of what was written.
struct Sealed<'w> {
    into: &'w mut dyn Write,
    hasher: Hasher,
}

impl Sealed<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.into.write_all(bytes)
    }

    fn word(&mut self, word: u64) -> io::Result<()> {
        self.bytes(&word.to_le_bytes())
    }

    fn words(&mut self, words: &[u64]) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(WORD * words.len().min(LIMBS_AT_ONCE));
        for part in words.chunks(LIMBS_AT_ONCE) {
            buffer.clear();
            buffer.extend(part.iter().flat_map(|word| word.to_le_bytes()));
            self.bytes(&buffer)?;
        }
        Ok(())
    }
}

pub(super) fn write(
    piece: &Piece<&Integer>,
    identity: &Digest,
    (from, to): (u64, u64),
    into: &mut dyn Write,
) -> io::Result<()> {
    let mut sealed = Sealed { into, hasher: Hasher::new(Domain::Checkpoint) };
    sealed.bytes(MAGIC)?;
    sealed.word(VERSION)?;
    sealed.bytes(&identity.0)?;
    sealed.word(from)?;
    sealed.word(to)?;
    sealed.word(piece.words.len() as u64)?;
    sealed.words(&piece.words)?;
    sealed.word(piece.numbers.len() as u64)?;
    for StoredNumber { value, form, twos, error } in &piece.numbers {
        let limbs = value.as_limbs();
        for word in
            [*twos, error.unwrap_or(EXACT), *form, 2 * limbs.len() as u64 + u64::from(value.is_negative())]
        {
            sealed.word(word)?;
        }
        sealed.words(limbs)?;
    }
    let digest = sealed.hasher.finish();
    into.write_all(&digest.0)
}

/// What is left of the bytes of a piece.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn bytes(&mut self, count: u64) -> Result<&'b [u8], PieceFault> {
        let count = usize::try_from(count).map_err(|_| PieceFault::Malformed)?;
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(PieceFault::Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn word(&mut self) -> Result<u64, PieceFault> {
        let (word, rest) = self.0.split_first_chunk().ok_or(PieceFault::Malformed)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*word))
    }

    fn words(&mut self, count: u64) -> Result<&'b [u8], PieceFault> {
        self.bytes(count.checked_mul(WORD as u64).ok_or(PieceFault::Malformed)?)
    }

    fn number(&mut self) -> Result<StoredNumber, PieceFault> {
        let (twos, error, form, length) = (self.word()?, self.word()?, self.word()?, self.word()?);
        let limbs = self.words(length / 2)?;
        let magnitude = Integer::from_digits(limbs, Order::Lsf);
        let value = if length % 2 == 1 { -magnitude } else { magnitude };
        Ok(StoredNumber { value, form, twos, error: (error != EXACT).then_some(error) })
    }
}

/// Reads a piece of a work, with the digest that seals it.
pub(super) fn read(
    bytes: &[u8],
    identity: &Digest,
    (from, to): (u64, u64),
) -> Result<(Piece, Digest), PieceFault> {
    let Some((sealed, digest)) = bytes.split_last_chunk::<DIGEST_BYTES>() else {
        return Err(PieceFault::Damaged);
    };
    let mut reader = Reader(sealed);
    if reader.bytes(MAGIC.len() as u64) != Ok(MAGIC) || reader.word() != Ok(VERSION) {
        return Err(PieceFault::Version);
    }
    let digest = Digest(*digest);
    if Digest::of(Domain::Checkpoint, sealed) != digest {
        return Err(PieceFault::Damaged);
    }
    if reader.bytes(DIGEST_BYTES as u64)? != identity.0 || (reader.word()?, reader.word()?) != (from, to) {
        return Err(PieceFault::Foreign);
    }
    let count = reader.word()?;
    let (words, _) = reader.words(count)?.as_chunks();
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let count = reader.word()?;
    // Each takes some bytes, so that a claim of too many of them ends with the bytes.
    let numbers = (0..count).map(|_| reader.number()).collect::<Result<Vec<_>, _>>()?;
    if reader.0.is_empty() { Ok((Piece { words, numbers }, digest)) } else { Err(PieceFault::Malformed) }
}
