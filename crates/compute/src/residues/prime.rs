//! Primes to look at numbers through: decided without a doubt, and drawn from bytes that somebody else made random.

use std::collections::BTreeSet;

use protocol::digest::{Domain, Hasher};

use super::modulus::Modulus;

/// Bits of the primes that [`random_primes`] draws.
pub const RANDOM_PRIME_BITS: u32 = 61;
/// Most primes that [`random_primes`] draws at once.
pub const RANDOM_PRIMES_MAX: usize = 1 << 20;

/// Bases that decide every odd number below 2^64 (Jim Sinclair's set, checked against Feitsma's list of all base-2
/// pseudoprimes).
const BASES: [u64; 7] = [2, 325, 9375, 28_178, 450_775, 9_780_504, 1_795_265_022];

/// Whether a number below 2^64 is prime, proven: Miller and Rabin's test with bases that leave no composite.
pub fn is_prime(n: u64) -> bool {
    const SMALL: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    for prime in SMALL {
        if n.is_multiple_of(prime) {
            return n == prime;
        }
    }
    if n < 41 * 41 {
        return n > 1;
    }
    let modulus = Modulus::of_odd(n);
    BASES.iter().all(|&base| is_strong_probable_prime(&modulus, base))
}

fn is_strong_probable_prime(modulus: &Modulus, base: u64) -> bool {
    let base = base % modulus.value();
    if base == 0 {
        return true;
    }
    let even = modulus.value() - 1;
    let twos = even.trailing_zeros();
    let minus_one = modulus.value() - modulus.one();
    let mut power = modulus.power(modulus.enter(base), even >> twos);
    if power == modulus.one() || power == minus_one {
        return true;
    }
    for _ in 1..twos {
        power = modulus.product(power, power);
        if power == minus_one {
            return true;
        }
    }
    false
}

/// `count` different primes from 2^60 to 2^61 (at most [`RANDOM_PRIMES_MAX`]), drawn from `bytes`: the same for the
/// same bytes, on every machine, and as good as uniform and independent where the bytes are random.
///
/// The words of the digests of `bytes` and a counter (in the domain of primes), eight bytes each, little-endian, in
/// their order, are cut to 61 bits with the highest and the lowest set; those that are prime and new are taken.
/// Randomness is the caller's: nothing here reads any.
pub fn random_primes(bytes: &[u8], count: usize) -> Vec<Modulus> {
    let count = count.min(RANDOM_PRIMES_MAX);
    let mut hasher = Hasher::new(Domain::Primes);
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
    let mut seen = BTreeSet::new();
    let mut primes = Vec::with_capacity(count);
    let mut counter = 0_u64;
    while primes.len() < count {
        let mut block = hasher.clone();
        block.update(&counter.to_le_bytes());
        counter += 1;
        let digest = block.finish();
        let (words, _) = digest.0.as_chunks::<8>();
        for word in words {
            let top = 1 << (RANDOM_PRIME_BITS - 1);
            let candidate = (u64::from_le_bytes(*word) % top) | top | 1;
            if primes.len() < count && is_prime(candidate) && seen.insert(candidate) {
                primes.push(Modulus::of_odd(candidate));
            }
        }
    }
    primes
}
