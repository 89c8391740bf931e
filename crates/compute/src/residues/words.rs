//! The residue of a long integer from its words, in time in proportion to its length.
//!
//! Words times powers of 2^64 are summed a block at a time before anything is reduced, so that a word costs one product
//! and two sums. The words may lie in memory as they are or as bytes in a file.

use super::modulus::Modulus;

/// Words that are multiplied by powers of 2^64 before anything is reduced: the sums of their halves stay below 2^70.
const BLOCK_WORDS: usize = 32;

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
    pub(crate) fn new(modulus: Modulus) -> Self {
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
        let blocks = words.chunks_exact(BLOCK_WORDS);
        let mut form = self.short_form(blocks.remainder());
        for block in blocks.rev() {
            let (mut low, mut high) = (0_u128, 0_u128);
            for (word, power) in block.iter().zip(&self.powers) {
                let product = u128::from(word.word()) * u128::from(*power);
                low += product & u128::from(u64::MAX);
                high += product >> 64;
            }
            high += low >> 64;
            let words = [low, high, high >> 64].map(|word| {
                // The low half is what is asked for.
                u64::try_from(word & u128::from(u64::MAX)).unwrap_or(0)
            });
            form = self.modulus.add(self.modulus.product(form, self.block), self.short_form(&words));
        }
        form
    }

    /// The form of a few words, the lowest first.
    fn short_form<W: Word>(&self, words: &[W]) -> u64 {
        let square = self.modulus.square();
        words.iter().rev().fold(0, |form, word| {
            self.modulus.add(self.modulus.product(form, square), self.modulus.product(word.word(), square))
        })
    }

    /// The form of a number in decimal digits.
    pub(crate) fn form_of_decimals(&self, digits: &[u8]) -> u64 {
        let value = |digits: &[u8]| {
            digits.iter().fold(0_u64, |value, digit| 10 * value + u64::from(digit.wrapping_sub(b'0') & 15))
        };
        let chunk = self.modulus.enter(1_000_000_000_000_000_000);
        let (first, rest) = digits.split_at(digits.len() % 18);
        rest.chunks_exact(18).fold(self.modulus.enter(value(first)), |form, digits| {
            self.modulus.add(self.modulus.product(form, chunk), self.modulus.enter(value(digits)))
        })
    }
}
