//! The residue of a long integer from its words, in time in proportion to its length.
//!
//! Words times powers of 2^64 are summed a block at a time before anything is reduced, so that a word costs one product
//! and a sum. The words may lie in memory as they are or as bytes in a file. Decimals are read eight at a time. Where the
//! processor has products of 52 bits on vectors, long numbers are taken by these (`vectors.rs`).

#[cfg(target_arch = "x86_64")]
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use super::vectors::{self, Vectors};
use super::{modulus::Modulus, prime::RANDOM_PRIME_BITS};

/// Words that are multiplied by powers of 2^64 before anything is reduced: the sums of their halves stay below 2^71.
pub(crate) const BLOCK_WORDS: usize = 128;
/// Words whose products are summed as they are: a word times a residue of 61 bits is below 2^125.
const SUM_WORDS: usize = 8;
/// Numbers of at most so many words are not worth the sums.
const SHORT_WORDS: usize = 3;
/// Decimal digits of a word.
const WORD_DIGITS: usize = 16;
/// Words that stay in the nearest cache.
const NEAR_WORDS: usize = 16 * BLOCK_WORDS;
/// Numbers of fewer words are not worth a block of vectors.
#[cfg(target_arch = "x86_64")]
const VECTOR_WORDS_MIN: usize = 32;

/// A word of 64 bits, or the bytes of one, the lowest first: eight plain bytes in memory.
pub(crate) trait Word: Copy + sealed::Plain {
    fn word(self) -> u64;
}

mod sealed {
    /// Of eight bytes, each of which may be anything.
    pub(crate) trait Plain {}
    impl Plain for u64 {}
    impl Plain for [u8; 8] {}
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
    /// What vectors multiply by, once a long number has come; none on processors without them.
    #[cfg(target_arch = "x86_64")]
    vectors: OnceLock<Option<Box<Vectors>>>,
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
        Self {
            modulus,
            powers,
            block,
            two: modulus.enter(2),
            decimals,
            #[cfg(target_arch = "x86_64")]
            vectors: OnceLock::new(),
        }
    }

    pub(crate) fn modulus(&self) -> &Modulus {
        &self.modulus
    }

    /// The form of `2^exponent`.
    pub(crate) fn power_of_two(&self, exponent: u64) -> u64 {
        self.modulus.power(self.two, exponent)
    }

    #[cfg(target_arch = "x86_64")]
    fn vectors(&self) -> Option<&Vectors> {
        self.vectors.get_or_init(|| Vectors::new(&self.modulus)).as_deref()
    }

    /// The form of the number with these words, the lowest first.
    pub(crate) fn form<W: Word>(&self, words: &[W]) -> u64 {
        let [form] = forms([self], words);
        form
    }

    /// The form of the number whose highest words have this form, and whose others are `words`: whole blocks of
    /// [`BLOCK_WORDS`], unless there is nothing above them.
    fn continued<W: Word>(&self, above: u64, words: &[W]) -> u64 {
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
        let [form] = forms_of_decimals([self], digits);
        form
    }

    /// The form of `number * 10^16 + word`.
    #[inline]
    fn with_decimals(&self, form: u64, word: u64) -> u64 {
        self.modulus.add(self.modulus.product(form, self.decimals), self.modulus.enter(word))
    }
}

/// The form, by each reducer, of the number with these words, the lowest first: in one pass over them.
pub(crate) fn forms<const N: usize, W: Word>(reducers: [&WordReducer; N], words: &[W]) -> [u64; N] {
    if words.len() <= SHORT_WORDS {
        return reducers.map(|reducer| reducer.short_form(words));
    }
    #[cfg(target_arch = "x86_64")]
    if words.len() >= VECTOR_WORDS_MIN
        && let Some(vectors) = all_vectors(reducers)
    {
        return vectors::forms(vectors, words);
    }
    forms_by_words(reducers, words)
}

/// The same on any processor. The reducers take their turn while the words are near.
fn forms_by_words<const N: usize, W: Word>(reducers: [&WordReducer; N], words: &[W]) -> [u64; N] {
    let (near, top) = words.as_chunks::<NEAR_WORDS>();
    let mut forms = reducers.map(|reducer| reducer.continued(0, top));
    for near in near.iter().rev() {
        for (form, reducer) in forms.iter_mut().zip(reducers) {
            *form = reducer.continued(*form, near);
        }
    }
    forms
}

/// The form, by each reducer, of a number in decimal digits; other bytes stand for some digits, too.
pub(crate) fn forms_of_decimals<const N: usize>(reducers: [&WordReducer; N], digits: &[u8]) -> [u64; N] {
    #[cfg(target_arch = "x86_64")]
    if let (first, blocks @ [_, ..]) = vectors::in_blocks(digits)
        && let Some(vectors) = all_vectors(reducers)
    {
        return vectors::forms_of_decimals(vectors, forms_by_decimal_words(reducers, first), blocks);
    }
    forms_by_decimal_words(reducers, digits)
}

fn forms_by_decimal_words<const N: usize>(reducers: [&WordReducer; N], digits: &[u8]) -> [u64; N] {
    let mut forms = [0; N];
    for word in decimal_words(digits) {
        for (form, reducer) in forms.iter_mut().zip(reducers) {
            *form = reducer.with_decimals(*form, word);
        }
    }
    forms
}

#[cfg(target_arch = "x86_64")]
fn all_vectors<const N: usize>(reducers: [&WordReducer; N]) -> Option<[&Vectors; N]> {
    let mut all = [reducers.first()?.vectors()?; N];
    for (vectors, reducer) in all.iter_mut().zip(reducers) {
        *vectors = reducer.vectors()?;
    }
    Some(all)
}

/// Decimal digits as a number to the base 10^16, the highest word first.
fn decimal_words(digits: &[u8]) -> impl Iterator<Item = u64> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::residues::random_primes;

    fn reducers(seed: u64) -> [WordReducer; 2] {
        let primes = random_primes(&seed.to_le_bytes(), 2);
        std::array::from_fn(|place| WordReducer::new(primes[place]))
    }

    /// Words in runs, so that all bits of a limb are often set.
    fn words() -> impl Strategy<Value = Vec<u64>> {
        let word = prop_oneof![Just(u64::MAX), Just(0), any::<u64>()];
        prop::collection::vec((word, 1_usize..500), 0..12).prop_map(|runs| {
            runs.iter().flat_map(|(word, count)| std::iter::repeat_n(*word, *count)).collect()
        })
    }

    proptest! {
        #[test]
        fn the_residues_of_words_are_those_of_the_definition_on_each_way(words in words(), seed: u64) {
            let reducers = reducers(seed);
            let both = reducers.each_ref();
            let plain = both.map(|reducer| {
                let modulus = reducer.modulus();
                let step = modulus.enter(modulus.one());
                words.iter().rev().fold(0, |form, word| {
                    modulus.add(modulus.product(form, step), modulus.enter(*word))
                })
            });
            let bytes: Vec<[u8; 8]> = words.iter().map(|word| word.to_le_bytes()).collect();
            prop_assert_eq!(forms(both, &words), plain);
            prop_assert_eq!(forms(both, &bytes), plain);
            prop_assert_eq!(forms_by_words(both, &words), plain);
            prop_assert_eq!(forms([both[1]], &words), [plain[1]]);
        }

        #[test]
        fn the_residues_of_decimals_are_those_of_the_definition_on_each_way(
            runs in prop::collection::vec((0_u8..10, 1_usize..3000), 0..8),
            seed: u64,
        ) {
            let digits: Vec<u8> =
                runs.iter().flat_map(|(digit, count)| std::iter::repeat_n(b'0' + digit, *count)).collect();
            let reducers = reducers(seed);
            let both = reducers.each_ref();
            let plain = both.map(|reducer| {
                let (modulus, ten) = (reducer.modulus(), reducer.modulus().enter(10));
                digits.iter().fold(0, |form, digit| {
                    modulus.add(modulus.product(form, ten), modulus.enter(u64::from(digit - b'0')))
                })
            });
            prop_assert_eq!(forms_of_decimals(both, &digits), plain);
            prop_assert_eq!(forms_by_decimal_words(both, &digits), plain);
        }
    }
}
