//! Products of long integers by transforms modulo three primes, where the processor has AVX2: two to four times as fast as
//! GMP's from some hundred words on.
//!
//! The words of 64 bits are the coefficients of polynomials. A coefficient of the product is below `2^128` times the number
//! of words, so that its residues modulo three primes of 50 bits tell it (`words.rs`). Modulo a prime, polynomials are
//! multiplied as their values at roots of unity (`transform.rs`, `roots.rs`), by arithmetic on doubles that holds every
//! integer exactly (`field.rs`).
//!
//! Nothing is rounded, and no processor gives other bytes. Whoever computes at length compares a product with its residue
//! modulo a prime of his own, as `constants/long.rs` does.

#[cfg(target_arch = "x86_64")]
mod field;
mod quotient;
#[cfg(target_arch = "x86_64")]
mod roots;
#[cfg(target_arch = "x86_64")]
mod transform;
#[cfg(target_arch = "x86_64")]
mod words;

use rug::{Integer, integer::Order};

pub(crate) use self::quotient::quotient_and_rest;

/// Words of the shorter factor from which on transforms are faster than GMP.
const FACTOR_WORDS_MIN: usize = 300;
/// The same of a square.
const ROOT_WORDS_MIN: usize = 400;

/// `a b`.
pub(crate) fn product(a: &Integer, b: &Integer) -> Integer {
    let (words, others) = (a.as_limbs(), b.as_limbs());
    if words.len().min(others.len()) < FACTOR_WORDS_MIN {
        return Integer::from(a * b);
    }
    match by_transforms(words, others) {
        Some(magnitude) if (*a < 0) == (*b < 0) => magnitude,
        Some(magnitude) => -magnitude,
        None => Integer::from(a * b),
    }
}

/// `a^2`.
pub(crate) fn square(a: &Integer) -> Integer {
    let words = a.as_limbs();
    let magnitude = if words.len() < ROOT_WORDS_MIN { None } else { by_transforms(words, words) };
    magnitude.unwrap_or_else(|| Integer::from(a.square_ref()))
}

/// Whether this processor has what transforms take.
fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(target_arch = "x86_64")]
fn by_transforms(a: &[u64], b: &[u64]) -> Option<Integer> {
    words::product(a, b).map(|words| Integer::from_digits(&words, Order::Lsf))
}

#[cfg(not(target_arch = "x86_64"))]
fn by_transforms(_: &[u64], _: &[u64]) -> Option<Integer> {
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A number of so many words that is mostly ones, mostly zeros or neither.
    fn number(words: usize) -> impl Strategy<Value = Integer> {
        let word = prop_oneof![Just(u64::MAX), Just(0), any::<u64>()];
        (prop::collection::vec((word, 1_usize..400), 1..40), any::<bool>()).prop_map(
            move |(runs, is_negative)| {
                let runs = runs.iter().cycle().flat_map(|(word, count)| std::iter::repeat_n(*word, *count));
                let digits: Vec<u64> = runs.take(words - 1).chain([1 << 63]).collect();
                let magnitude = Integer::from_digits(&digits, Order::Lsf);
                if is_negative { -magnitude } else { magnitude }
            },
        )
    }

    #[test]
    fn the_largest_coefficients_are_told_at_every_shape() {
        // Around all numbers of blocks, with both parities of the logarithm of their length.
        for count in [
            800, 1_024, 1_280, 1_400, 2_048, 2_560, 3_072, 3_584, 4_096, 5_120, 6_144, 7_168, 8_192, 40_960,
            65_536,
        ] {
            for off in [0, 1, 2, 3] {
                let a = (Integer::from(1) << (64 * (count / 2 + off))) - 1_u32;
                let b = (Integer::from(1) << (64 * (count - count / 2))) - 1_u32;
                assert_eq!(product(&a, &b), Integer::from(&a * &b), "{count} and {off}");
                assert_eq!(square(&a), Integer::from(a.square_ref()), "{count} and {off}");
            }
        }
    }

    #[test]
    fn factors_too_long_for_transforms_are_multiplied_all_the_same() {
        let a: Integer = (Integer::from(1) << (64 << 20)) - 1_u32;
        let b: Integer = (Integer::from(1) << (65 << 20)) + 1_u32;
        let expected = (a.clone() << (65 << 20)) + &a;
        assert_eq!(product(&a, &b), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn products_and_squares_are_those_of_gmp(
            (a, b) in (250_usize..6_000, 250_usize..9_000).prop_flat_map(|(a, b)| (number(a), number(b))),
        ) {
            prop_assert_eq!(product(&a, &b), Integer::from(&a * &b));
            prop_assert_eq!(square(&a), Integer::from(a.square_ref()));
        }
    }
}
