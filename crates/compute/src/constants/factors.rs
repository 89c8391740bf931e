//! Numbers known by their prime factors, so that a common divisor costs a walk over two short lists instead of a GCD
//! of two long integers.
//!
//! The idea is Hanhong Xue's (`gmp-chudnovsky.c`, 2002): in the Chudnovsky series numerators and denominators are
//! products of small known numbers, so that each node of the binary splitting can carry their factorisation along.

use std::cmp::Ordering;

use rug::Integer;

/// The smallest prime factor of every odd number up to a limit.
pub(super) struct Sieve {
    /// At `n / 2` for odd `n`: its smallest prime factor, or 0 if that is `n` itself. Up to a limit below 2^32 the
    /// smallest factor of a composite number fits 16 bits.
    smallest: Vec<u16>,
}

impl Sieve {
    /// Sieves the odd numbers below `limit`, which must be below 2^32.
    pub(super) fn new(limit: u32) -> Self {
        let mut smallest = vec![0_u16; limit as usize / 2 + 1];
        for prime in (3_u16..).step_by(2).take_while(|&p| u32::from(p) * u32::from(p) <= limit) {
            if smallest[usize::from(prime / 2)] != 0 {
                continue;
            }
            let square = usize::from(prime) * usize::from(prime);
            for entry in smallest.iter_mut().skip(square / 2).step_by(usize::from(prime)) {
                if *entry == 0 {
                    *entry = prime;
                }
            }
        }
        Self { smallest }
    }

    /// Appends the prime factors of the odd `number`, each as often as `exponent` times its multiplicity.
    pub(super) fn factorise(&self, mut number: u32, exponent: u32, into: &mut Vec<(u32, u32)>) {
        while number > 1 {
            match u32::from(self.smallest[(number / 2) as usize]) {
                0 => {
                    into.push((number, exponent));
                    return;
                }
                prime => {
                    into.push((prime, exponent));
                    number /= prime;
                }
            }
        }
    }
}

/// A positive odd integer as primes, ascending, with their exponents, none of them zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Factors(Vec<(u32, u32)>);

impl Factors {
    /// From primes in any order, each as often as it likes.
    pub(super) fn gather(mut parts: Vec<(u32, u32)>) -> Self {
        parts.sort_unstable_by_key(|&(prime, _)| prime);
        parts.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 += later.1;
            }
            same
        });
        Self(parts)
    }

    /// As words, of which [`Factors::from_words`] makes the same again.
    pub(super) fn to_words(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|&(prime, exponent)| (u64::from(prime) << 32) | u64::from(exponent))
    }

    /// From words that may be anything; none where they are no factors.
    pub(super) fn from_words(words: &[u64]) -> Option<Self> {
        let half = |word: u64| u32::try_from(word & u64::from(u32::MAX)).unwrap_or(0);
        let factors: Vec<(u32, u32)> = words.iter().map(|word| (half(word >> 32), half(*word))).collect();
        let are_factors = factors.iter().all(|(prime, exponent)| *prime > 2 && *exponent > 0);
        (are_factors && factors.is_sorted_by(|left, right| left.0 < right.0)).then_some(Self(factors))
    }

    /// Whether their product divides a number of so many bits; nothing longer is multiplied out.
    pub(super) fn divide(&self, number: &Integer, bits: u64) -> bool {
        let least = |&(prime, exponent): &(u32, u32)| u64::from(prime.ilog2()) * u64::from(exponent);
        self.0.iter().map(least).sum::<u64>() <= bits && number.is_divisible(&product(&self.0))
    }

    /// The product with `other`.
    pub(super) fn times(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.0.as_slice(), other.0.as_slice());
        let mut product = Vec::with_capacity(left.len() + right.len());
        while let ([first, left_rest @ ..], [second, right_rest @ ..]) = (left, right) {
            match first.0.cmp(&second.0) {
                Ordering::Less => {
                    product.push(*first);
                    left = left_rest;
                }
                Ordering::Greater => {
                    product.push(*second);
                    right = right_rest;
                }
                Ordering::Equal => {
                    product.push((first.0, first.1 + second.1));
                    (left, right) = (left_rest, right_rest);
                }
            }
        }
        product.extend_from_slice(left);
        product.extend_from_slice(right);
        Self(product)
    }

    /// Divides both by their greatest common divisor, which is returned as a number.
    pub(super) fn cancel(&mut self, other: &mut Self) -> Integer {
        let mut common = Vec::new();
        let (mut mine, mut theirs) = (0, 0);
        while let (Some(first), Some(second)) = (self.0.get_mut(mine), other.0.get_mut(theirs)) {
            match first.0.cmp(&second.0) {
                Ordering::Less => mine += 1,
                Ordering::Greater => theirs += 1,
                Ordering::Equal => {
                    let exponent = first.1.min(second.1);
                    first.1 -= exponent;
                    second.1 -= exponent;
                    common.push((first.0, exponent));
                    (mine, theirs) = (mine + 1, theirs + 1);
                }
            }
        }
        if !common.is_empty() {
            self.0.retain(|factor| factor.1 > 0);
            other.0.retain(|factor| factor.1 > 0);
        }
        product(&common)
    }
}

/// The product of prime powers, by a balanced tree over single words.
fn product(powers: &[(u32, u32)]) -> Integer {
    let mut words = Vec::with_capacity(powers.len());
    let mut word = 1_u64;
    for &(prime, exponent) in powers {
        for _ in 0..exponent {
            match word.checked_mul(u64::from(prime)) {
                Some(larger) => word = larger,
                None => words.push(std::mem::replace(&mut word, u64::from(prime))),
            }
        }
    }
    words.push(word);
    word_product(&words)
}

/// The product of words.
fn word_product(words: &[u64]) -> Integer {
    if words.len() <= 24 {
        let mut product = Integer::from(1);
        for &word in words {
            product *= word;
        }
        return product;
    }
    let (left, right) = words.split_at(words.len() / 2);
    word_product(left) * word_product(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_divisor_is_taken_out_of_both() {
        let sieve = Sieve::new(20_000);
        let factors = |numbers: &[u32]| {
            let mut parts = Vec::new();
            for &number in numbers {
                sieve.factorise(number, 2, &mut parts);
            }
            Factors::gather(parts)
        };
        let value = |factors: &Factors| product(&factors.0);
        for (left, right) in
            [(vec![10_005, 45, 17], vec![15, 9, 19_997]), (vec![1], vec![3]), (vec![7], vec![11])]
        {
            let (mut first, mut second) = (factors(&left), factors(&right));
            let (whole_first, whole_second) = (value(&first), value(&second));
            let expected = Integer::from(whole_first.gcd_ref(&whole_second));
            assert_eq!(value(&first.times(&second)), Integer::from(&whole_first * &whole_second));
            assert_eq!(first.cancel(&mut second), expected);
            assert_eq!(value(&first) * &expected, whole_first);
            assert_eq!(value(&second) * &expected, whole_second);
        }
    }

    #[test]
    fn factors_survive_their_words_and_other_words_are_none() {
        let factors = Factors::gather(vec![(7, 2), (3, 1), (65_537, 9)]);
        let words: Vec<u64> = factors.to_words().collect();
        assert_eq!(Factors::from_words(&words), Some(factors.clone()));
        let number = product(&factors.0) * 10;
        assert!(factors.divide(&number, 200) && !factors.divide(&(number + 1), 200));
        for wrong in [vec![words[1], words[0]], vec![words[0], words[0]], vec![7 << 32], vec![(2 << 32) | 1]]
        {
            assert_eq!(Factors::from_words(&wrong), None);
        }
        let endless = Factors::gather(vec![(u32::MAX, u32::MAX)]);
        assert!(!endless.divide(&Integer::from(0), 1 << 20));
    }

    #[test]
    fn every_odd_number_is_the_product_of_its_factors() {
        let limit = 5_001;
        let sieve = Sieve::new(limit);
        for number in (1..limit).step_by(2) {
            let mut parts = Vec::new();
            sieve.factorise(number, 1, &mut parts);
            assert!(parts.iter().all(|&(prime, _)| {
                Integer::from(prime).is_probably_prime(20).ne(&rug::integer::IsPrime::No)
            }));
            assert_eq!(product(&parts), number);
        }
    }
}
