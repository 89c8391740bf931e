//! The residue of a long integer from its words, in time in proportion to its length.
//!
//! Words times powers of 2^64 are summed a block at a time before anything is reduced, so that a word costs one product
//! and a sum. The words may lie in memory as they are or as bytes in a file. Decimals are read eight at a time.

use super::{modulus::Modulus, prime::RANDOM_PRIME_BITS};

/// Words that are multiplied by powers of 2^64 before anything is reduced: the sums of their halves stay below 2^71.
const BLOCK_WORDS: usize = 128;
/// Words whose products are summed as they are: a word times a residue of 61 bits is below 2^125.
const SUM_WORDS: usize = 8;
/// Decimal digits that fit a word.
const CHUNK_DIGITS: usize = 16;

/// A word of 64 bits, or the bytes of one, the lowest first.
pub(crate) trait Word: Copy {
    fn word(self) -> u64;
}

impl Word for u64 {
    #[inline]
    fn word(self) -> u64 {
        self
    }
}

impl Word for [u8; 8] {
    #[inline]
    fn word(self) -> u64 {
        u64::from_le_bytes(self)
    }
}

/// A modulus with the powers that long integers are reduced by. Results are in Montgomery's form.
#[derive(Debug, Clone)]
pub(crate) struct WordReducer {
    modulus: Modulus,
    /// `2^(64 i)` modulo the modulus.
    powers: [u64; BLOCK_WORDS],
    /// The form of `2^(64 * BLOCK_WORDS)`.
    block: u64,
    /// The form of 2.
    two: u64,
}

impl WordReducer {
    /// For a modulus of at most [`RANDOM_PRIME_BITS`] bits.
    pub(crate) fn new(modulus: Modulus) -> Self {
        debug_assert!(modulus.value() >> RANDOM_PRIME_BITS == 0, "sums of products outgrow their words");
        let word = modulus.enter(modulus.one());
        let mut powers = [1; BLOCK_WORDS];
        for place in 1..BLOCK_WORDS {
            // The form of 1 is 2^64 modulo the modulus, and form times residue is a residue.
            powers[place] = modulus.product(powers[place - 1], word);
        }
        let block = modulus.product(modulus.enter(powers[BLOCK_WORDS - 1]), word);
        Self { modulus, powers, block, two: modulus.enter(2) }
    }

    pub(crate) fn modulus(&self) -> &Modulus {
        &self.modulus
    }

    /// The form of `2^exponent`.
    pub(crate) fn power_of_two(&self, exponent: u64) -> u64 {
        self.modulus.power(self.two, exponent)
    }

    /// The form of the number with these words, the lowest first.
    pub(crate) fn form<W: Word>(&self, words: &[W]) -> u64 {
        words.chunks(BLOCK_WORDS).rev().fold(0, |form, block| {
            self.modulus.add(self.modulus.product(form, self.block), self.block_form(block))
        })
    }

    /// The form of the number with at most as many words as a block has.
    fn block_form<W: Word>(&self, block: &[W]) -> u64 {
        let (mut low, mut high) = (0_u128, 0_u128);
        for (words, powers) in block.chunks(SUM_WORDS).zip(self.powers.chunks(SUM_WORDS)) {
            let products =
                words.iter().zip(powers).map(|(word, power)| u128::from(word.word()) * u128::from(*power));
            let sum: u128 = products.sum();
            low += sum & u128::from(u64::MAX);
            high += sum >> 64;
        }
        high += low >> 64;
        let square = self.modulus.square();
        [high >> 64, high, low].iter().fold(0, |form, word| {
            // The low half is what is asked for.
            let word = u64::try_from(word & u128::from(u64::MAX)).unwrap_or(0);
            self.modulus.add(self.modulus.product(form, square), self.modulus.product(word, square))
        })
    }

    /// The form of a number in decimal digits; other bytes stand for some digits, too.
    pub(crate) fn form_of_decimals(&self, digits: &[u8]) -> u64 {
        let (first, rest) = digits.split_at(digits.len() % CHUNK_DIGITS);
        let value = |digits: &[u8]| {
            digits.iter().fold(0_u64, |value, digit| 10 * value + u64::from(digit.wrapping_sub(b'0') & 15))
        };
        let chunk = self.modulus.enter(10_000_000_000_000_000);
        let (chunks, _) = rest.as_chunks::<CHUNK_DIGITS>();
        chunks.iter().fold(self.modulus.enter(value(first)), |form, chunk_digits| {
            let (halves, _) = chunk_digits.as_chunks::<8>();
            let value = halves.iter().fold(0, |value, half| 100_000_000 * value + eight_digits(*half));
            self.modulus.add(self.modulus.product(form, chunk), self.modulus.enter(value))
        })
    }
}

/// The number that eight digits spell: neighbours are joined in pairs, the pairs in fours, and these in all eight.
fn eight_digits(digits: [u8; 8]) -> u64 {
    let ones = u64::from_le_bytes(digits) & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = (ones.wrapping_mul(10 * 0x100 + 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 * 0x1_0000 + 1) >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000 * 0x1_0000_0000 + 1) >> 32
}
