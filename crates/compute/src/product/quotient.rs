//! Quotients of long integers by Newton's reciprocal, which costs a few products.
//!
//! The quotient comes in two halves, so that the reciprocal needs only half of its digits (Karp and Markstein,
//! "High-precision division and square root", 1997). What is rounded on the way leaves it a few units off; the rest says
//! which way, and is put right.

use rug::Integer;

use super::{is_available, product};

/// Bits of the quotient and of the divisor from which on this is faster than GMP.
const BITS_MIN: u64 = 300_000;
/// Reciprocals of so many bits are left to GMP.
const RECIPROCAL_BITS: u64 = 20_000;
/// Bits of the divisor beyond those of its reciprocal that are looked at.
const MORE_BITS: u64 = 8;
/// Units that the quotient may be off before it is left to GMP; only a machine that computes wrongly gets there.
const UNITS_MAX: u32 = 8;

/// `floor(a / b)` and the rest, for positive b.
pub(crate) fn quotient_and_rest(a: &Integer, b: &Integer) -> (Integer, Integer) {
    by_reciprocal(a, b).unwrap_or_else(|| Integer::from(a).div_rem_floor(b.clone()))
}

/// None where GMP is faster.
///
/// With the reciprocal within `2^(2 - w)` of its value, a half of the quotient that has `w - 31` bits at most is off by less
/// than 2 when it is cut.
fn by_reciprocal(a: &Integer, b: &Integer) -> Option<(Integer, Integer)> {
    let (dividend, divisor) = (bits(a), bits(b));
    let length = dividend.checked_sub(divisor)? + 1;
    let is_short = length < BITS_MIN || divisor < BITS_MIN;
    if *a < 0 || is_short || length > 2 * divisor || !is_available() {
        return None;
    }
    let low = length / 2;
    let width = length - low + 32;
    let inverse = reciprocal(b, divisor, width);
    let upper = quotient(a, &inverse, (divisor + low, width));
    let rest = a - (product(&upper, b) << shift(low));
    let lower = quotient(&rest, &inverse, (divisor, width));
    let mut rest = rest - product(&lower, b);
    let mut quotient = (upper << shift(low)) + lower;
    for _ in 0..UNITS_MAX {
        if rest < 0 {
            rest += b;
            quotient -= 1_u32;
        } else if rest >= *b {
            rest -= b;
            quotient += 1_u32;
        } else {
            return Some((quotient, rest));
        }
    }
    None
}

/// About `a 2^-places` times a reciprocal of `width` bits behind the point.
fn quotient(a: &Integer, inverse: &Integer, (places, width): (u64, u64)) -> Integer {
    let cut = bits(a).saturating_sub(width + MORE_BITS);
    let top = Integer::from(a >> shift(cut));
    product(&top, inverse) >> shift(width + places - cut)
}

/// `2^length / b` with `width` bits behind the point, for b of `length` bits: off by less than `2^(2 - width)`, relatively.
///
/// A step takes an error e to `e^2`, at most `2^(-28 - width)`; of the divisor `2^(-7 - width)` is cut off, of the defect
/// `2^(-8 - width)`, and of the result `2^-width`.
fn reciprocal(b: &Integer, length: u64, width: u64) -> Integer {
    let top_bits = width + MORE_BITS;
    let top = if length > top_bits {
        Integer::from(b >> shift(length - top_bits))
    } else {
        Integer::from(b << shift(top_bits - length))
    };
    if width <= RECIPROCAL_BITS {
        return (Integer::from(1) << shift(width + top_bits)) / top;
    }
    let half = width / 2 + 16;
    let inverse = reciprocal(b, length, half);
    let defect = (Integer::from(1) << shift(half + top_bits)) - product(&top, &inverse);
    let defect = defect >> shift(half);
    let change = product(&defect, &inverse) >> shift(half + MORE_BITS);
    (inverse << shift(width - half)) + change
}

fn bits(number: &Integer) -> u64 {
    match number.as_limbs() {
        [] => 0,
        [below @ .., top] => 64 * below.len() as u64 + u64::from(top.ilog2()) + 1,
    }
}

fn shift(places: u64) -> usize {
    usize::try_from(places).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rug::integer::Order;

    use super::*;

    /// A number of so many words: ones, zeros or neither from some word on.
    fn number(words: usize) -> impl Strategy<Value = Integer> {
        (prop::collection::vec(any::<u64>(), words), 0..=words, any::<bool>(), any::<bool>()).prop_map(
            |(mut words, place, ones, above)| {
                let part = if above { &mut words[place..] } else { &mut words[..place] };
                part.fill(if ones { u64::MAX } else { 0 });
                *words.last_mut().unwrap() |= 1 << 63;
                Integer::from_digits(&words, Order::Lsf)
            },
        )
    }

    #[test]
    fn multiples_and_their_neighbours_are_divided_exactly() {
        let b = (Integer::from(3) << 400_000) + 12_345_u32;
        for quotient in [(Integer::from(1) << 500_000) - 1_u32, Integer::from(1) << 500_000] {
            let multiple = Integer::from(&quotient * &b);
            for off in [-1, 0, 1] {
                let a = Integer::from(&multiple + off);
                assert_eq!(by_reciprocal(&a, &b).unwrap(), a.div_rem_floor(b.clone()));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn quotients_and_rests_are_those_of_gmp(
            (a, b) in (5_000_usize..9_000, 4_700_usize..9_000)
                .prop_flat_map(|(quotient, divisor)| (number(quotient + divisor), number(divisor))),
        ) {
            let expected = Integer::from(&a).div_rem_floor(b.clone());
            prop_assert_eq!(by_reciprocal(&a, &b), Some(expected));
        }
    }
}
