//! The residue of a long integer from its words, in time in proportion to its length.
//!
//! Words times powers of 2^64 are summed a block at a time before anything is reduced, so that a word costs one product
//! and a sum. The words may lie in memory as they are or as bytes in a file. Decimals are read eight at a time.

use super::{modulus::Modulus, prime::RANDOM_PRIME_BITS};

/// Words that are multiplied by powers of 2^64 before anything is reduced: the sums of their halves stay below 2^71.
pub(crate) const BLOCK_WORDS: usize = 128;
/// Words whose products are summed as they are: a word times a residue of 61 bits is below 2^125.
const SUM_WORDS: usize = 8;
/// Numbers of at most so many words are not worth the sums.
const SHORT_WORDS: usize = 3;
/// Decimal digits of a word.
const WORD_DIGITS: usize = 16;

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
    /// The form of 10^16.
    decimals: u64,
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
        let decimals = modulus.enter(10_000_000_000_000_000);
        Self { modulus, powers, block, two: modulus.enter(2), decimals }
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
        if words.len() <= SHORT_WORDS { self.short_form(words) } else { self.continued(0, words) }
    }

    /// The form of the number whose highest words have this form, and whose others are `words`: whole blocks of
    /// [`BLOCK_WORDS`], unless there is nothing above them.
    pub(crate) fn continued<W: Word>(&self, above: u64, words: &[W]) -> u64 {
        let (blocks, top) = words.as_chunks::<BLOCK_WORDS>();
        debug_assert!(above == 0 || top.is_empty(), "only the highest block may be a part of one");
        let mut form = if top.is_empty() { above } else { self.block_form(top) };
        for block in blocks.iter().rev() {
            form = self.modulus.add(self.modulus.product(form, self.block), self.block_form(block));
        }
        form
    }

    /// The form of the number with at most as many words as a block has.
    #[inline]
    fn block_form<W: Word>(&self, block: &[W]) -> u64 {
        let (mut low, mut high) = (0_u64, 0_u128);
        let mut add = |sum: u128| {
            let halves = [sum, sum >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0));
            let carries;
            (low, carries) = low.overflowing_add(halves[0]);
            high += u128::from(halves[1]) + u128::from(carries);
        };
        let (groups, rest) = block.as_chunks::<SUM_WORDS>();
        let (powers, _) = self.powers.as_chunks::<SUM_WORDS>();
        for (words, powers) in groups.iter().zip(powers) {
            let mut sum = 0_u128;
            for place in 0..SUM_WORDS {
                sum += u128::from(words[place].word()) * u128::from(powers[place]);
            }
            add(sum);
        }
        let products = rest.iter().zip(&self.powers[block.len() - rest.len()..]);
        add(products.map(|(word, power)| u128::from(word.word()) * u128::from(*power)).sum());
        self.short_form(&[
            low,
            u64::try_from(high & u128::from(u64::MAX)).unwrap_or(0),
            u64::try_from(high >> 64).unwrap_or(0),
        ])
    }

    /// The form of a few words, the lowest first.
    #[inline]
    fn short_form<W: Word>(&self, words: &[W]) -> u64 {
        let square = self.modulus.square();
        words.iter().rev().fold(0, |form, word| {
            self.modulus.add(self.modulus.product(form, square), self.modulus.product(word.word(), square))
        })
    }

    /// The form of a number in decimal digits; other bytes stand for some digits, too.
    pub(crate) fn form_of_decimals(&self, digits: &[u8]) -> u64 {
        decimal_words(digits).fold(0, |form, word| self.with_decimals(form, word))
    }

    /// The form of `number * 10^16 + word`.
    #[inline]
    pub(crate) fn with_decimals(&self, form: u64, word: u64) -> u64 {
        self.modulus.add(self.modulus.product(form, self.decimals), self.modulus.enter(word))
    }
}

/// Decimal digits as a number to the base 10^16, the highest word first.
pub(crate) fn decimal_words(digits: &[u8]) -> impl Iterator<Item = u64> {
    let (first, rest) = digits.split_at(digits.len() % WORD_DIGITS);
    let digit = |byte: u8| u64::from(byte.wrapping_sub(b'0') & 15);
    let first = first.iter().fold(0, |value, byte| 10 * value + digit(*byte));
    let (words, _) = rest.as_chunks::<WORD_DIGITS>();
    let words = words.iter().map(|word| {
        let (halves, _) = word.as_chunks::<8>();
        halves.iter().fold(0, |value, half| 100_000_000 * value + eight_digits(*half))
    });
    std::iter::once(first).chain(words)
}

/// The number that eight digits spell: neighbours are joined in pairs, the pairs in fours, and these in all eight.
fn eight_digits(digits: [u8; 8]) -> u64 {
    let ones = u64::from_le_bytes(digits) & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = (ones.wrapping_mul(10 * 0x100 + 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 * 0x1_0000 + 1) >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000 * 0x1_0000_0000 + 1) >> 32
}
