//! Whether an integer is prime: proven, one way or the other, or said to be beyond us.
//!
//! Up to 2^64 the Miller-Rabin test with seven bases decides ([`crate::residues::is_prime`]); up to 3.3 * 10^24 the
//! first thirteen primes as bases do (Sorenson and Webster, "Strong pseudoprimes to twelve prime bases", 2015). Above,
//! a failed test still proves that a number is composite; that it is prime is proven by Lucas and Lehmer's test for
//! Mersenne numbers and by Pocklington's criterion where enough of n - 1 can be factored. Where neither applies there is no answer: "probably prime" is none.

use protocol::{limits::PRIME_BITS_MAX, outcome::RefusalKind};
use rug::{Complete, Integer, integer::IsPrime};

use super::work::{Stop, Work, integer_bits, product_units, refuse};
pub(super) use crate::residues::is_prime as is_prime_u64;

/// Bases that decide every odd number below [`DECIDED_BELOW`].
const BASES_WIDE: [u32; 13] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41];
/// The smallest strong pseudoprime to all of [`BASES_WIDE`].
const DECIDED_BELOW: u128 = 3_317_044_064_679_887_385_961_981;
/// Primes up to which n - 1 is factored by trial for Pocklington's criterion.
const TRIAL_LIMIT: u32 = 1 << 16;

/// Whether an integer is prime.
pub(super) fn is_prime(work: &mut Work<'_>, n: &Integer) -> Result<bool, Stop> {
    if *n < 2 {
        return Ok(false);
    }
    if let Some(n) = n.to_u64() {
        work.charge(1_000)?;
        return Ok(is_prime_u64(n));
    }
    let bits = integer_bits(n);
    if bits > u64::from(PRIME_BITS_MAX) {
        let message = format!(
            "`is_prime` of an integer of {bits} bits, more than the limit of {PRIME_BITS_MAX}; test a smaller one"
        );
        return Err(refuse(RefusalKind::Size, message));
    }
    if n.is_even() {
        return Ok(false);
    }
    if n.to_u128().is_some_and(|n| n < DECIDED_BELOW) {
        work.charge(BASES_WIDE.len() as u64 * power_units(bits))?;
        return Ok(BASES_WIDE.iter().all(|&base| is_strong_probable_prime(n, base)));
    }
    if Integer::from(n + 1u32).is_power_of_two() {
        work.charge(2 * power_units(bits))?;
        return Ok(is_mersenne_prime(n));
    }
    work.charge(4 * power_units(bits))?;
    // The Baillie-PSW test; its "no" is a proof.
    if n.is_probably_prime(24) == IsPrime::No {
        return Ok(false);
    }
    match pocklington(work, n)? {
        Some(verdict) => Ok(verdict),
        None => Err(refuse(
            RefusalKind::Work,
            format!(
                "`is_prime` of an integer of {bits} bits that passes every quick test but cannot be proven prime \
                 here; only primes below 3.3e24, of the form 2^p - 1, or with many small factors in n - 1 can"
            ),
        )),
    }
}

/// The price of a power modulo a number of this size.
fn power_units(bits: u64) -> u64 {
    3 * bits * product_units(bits)
}

fn is_strong_probable_prime(n: &Integer, base: u32) -> bool {
    let even = Integer::from(n - 1u32);
    let twos = even.find_one(0).unwrap_or(0);
    let odd = Integer::from(&even >> twos);
    let Ok(mut power) = Integer::from(base).pow_mod(&odd, n) else { return false };
    if power == 1 || power == even {
        return true;
    }
    for _ in 1..twos {
        power = power.square() % n;
        if power == even {
            return true;
        }
    }
    false
}

/// Lucas and Lehmer's test of 2^p - 1.
fn is_mersenne_prime(n: &Integer) -> bool {
    let exponent = n.significant_bits();
    if !is_prime_u64(u64::from(exponent)) {
        return false;
    }
    let mut state = Integer::from(4);
    for _ in 2..exponent {
        state = (state.square() - 2u32) % n;
        if state < 0 {
            state += n;
        }
    }
    state.is_zero()
}

/// Pocklington's criterion: where the factored part of n - 1 is above the root of n, and each prime q in it has an a
/// with a^(n-1) = 1 and gcd(a^((n-1)/q) - 1, n) = 1 modulo n, then n is prime. `None` where it does not decide.
fn pocklington(work: &mut Work<'_>, n: &Integer) -> Result<Option<bool>, Stop> {
    let before = Integer::from(n - 1u32);
    let bits = integer_bits(n);
    work.charge(u64::from(TRIAL_LIMIT) * (20 + bits / 64))?;
    let (mut primes, rest) = trial_factors(&before);
    let mut factored = Integer::from(&before / &rest);
    if let Some(rest_u64) = rest.to_u64()
        && rest_u64 > 1
        && is_prime_u64(rest_u64)
    {
        primes.push(rest.clone());
        factored *= &rest;
    }
    if factored.square_ref().complete() <= *n && rest.to_u64().is_none() {
        work.charge(4 * power_units(bits))?;
        // What is left may be a large prime, to be proven in the same way; it has fewer bits.
        if rest.is_probably_prime(24) == IsPrime::No || !is_prime(work, &rest)? {
            return Ok(None);
        }
        factored *= &rest;
        primes.push(rest);
    }
    if factored.square_ref().complete() <= *n {
        return Ok(None);
    }
    for prime in &primes {
        let mut is_shown = false;
        for base in BASES_WIDE {
            work.charge(2 * power_units(bits))?;
            let Ok(whole) = Integer::from(base).pow_mod(&before, n) else { return Ok(Some(false)) };
            if whole != 1 {
                return Ok(Some(false));
            }
            let part = Integer::from(&before / prime);
            let Ok(power) = Integer::from(base).pow_mod(&part, n) else { return Ok(Some(false)) };
            let divisor = (power - 1u32).gcd(n);
            if divisor == 1 {
                is_shown = true;
                break;
            }
            if divisor != *n {
                return Ok(Some(false));
            }
        }
        if !is_shown {
            return Ok(None);
        }
    }
    Ok(Some(true))
}

/// The small prime factors of a number, each once, and what is left without them.
fn trial_factors(number: &Integer) -> (Vec<Integer>, Integer) {
    let mut primes = Vec::new();
    let mut rest = number.clone();
    for candidate in std::iter::once(2).chain((3..TRIAL_LIMIT).step_by(2)) {
        if rest.is_divisible_u(candidate) {
            let prime = Integer::from(candidate);
            rest.remove_factor_mut(&prime);
            primes.push(prime);
        }
    }
    (primes, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_primes_are_those_that_trial_division_finds() {
        let by_trial = |n: u64| n > 1 && (2..n).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d));
        for n in 0..20_000 {
            assert_eq!(is_prime_u64(n), by_trial(n), "{n}");
        }
    }

    #[test]
    fn the_known_strong_pseudoprimes_are_composite() {
        // Strong pseudoprimes to the first 1, 2, ..., 12 prime bases (OEIS A014233), those below 2^64.
        for n in [
            2047,
            1_373_653,
            25_326_001,
            3_215_031_751,
            2_152_302_898_747,
            3_474_749_660_383,
            341_550_071_728_321,
            3_825_123_056_546_413_051,
        ] {
            assert!(!is_prime_u64(n), "{n}");
        }
        assert!(is_prime_u64(18_446_744_073_709_551_557));
        assert!(!is_prime_u64(u64::MAX));
        assert!(!is_prime_u64(4_294_967_291 * 4_294_967_279));
    }

    #[test]
    fn sixty_four_bit_primes_are_those_of_gmp() {
        let mut n = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            assert_eq!(is_prime_u64(n), Integer::from(n).is_probably_prime(30) != IsPrime::No, "{n}");
        }
    }
}
