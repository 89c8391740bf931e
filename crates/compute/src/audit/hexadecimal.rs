//! Hexadecimal digits of the constant itself, at a place that nobody foresaw, by a series that shares nothing with the one that
//! was summed.
//!
//! The relations of an audit say that the digits are those of the series in the table. This looks at the constant from another
//! side: a few of its hexadecimal digits follow from none of those before them (Bailey, Borwein and Plouffe, "On the rapid
//! computation of various polylogarithmic constants", 1997), and they must be those of the decimals. It says nothing with a stated
//! probability: it finds a wrong table, or a library that is wrong everywhere in the same way. Only the first of very many
//! decimals are looked at, as a long number would have to be converted for those behind.

use protocol::{
    constant::Constant,
    digit_extraction::{HexConstant, HexWindow},
};
use rug::{Integer, integer::Order, ops::Pow};

use super::{AuditFault, Stop, draw::Draw};
use crate::{
    control::Control,
    digit_extraction::{HexSumError, partial_sum},
};

/// Digits of a window.
const DIGITS: u32 = 16;
/// Bits that the window has to spare: a carry through them is never met.
const GUARD_BITS: u32 = 64;
/// One decimal of so many is looked at, but not fewer than the least and not more than the most.
const SHARE: usize = 64;
const DECIMALS_MIN: usize = 1000;
const DECIMALS_MAX: usize = 16_384;

/// The constants whose hexadecimal digits can be had anywhere.
fn extracted(constant: Constant) -> Option<HexConstant> {
    match constant {
        Constant::Pi => Some(HexConstant::Pi),
        Constant::Ln2 => Some(HexConstant::Ln2),
        Constant::Catalan => Some(HexConstant::Catalan),
        _ => None,
    }
}

/// That the decimals behind the point, of which the text is known to be made, are those of the constant at a place that follows from
/// the seed. Constants for which no series gives digits anywhere pass, and so do too few decimals for a window.
pub(super) fn check(constant: Constant, text: &str, seed: &[u8; 32], control: &Control) -> Result<(), Stop> {
    let Some(hexadecimal) = extracted(constant) else { return Ok(()) };
    let places = text.split_once('.').map_or("", |(_, places)| places);
    let looked_at = (places.len() / SHARE).clamp(DECIMALS_MIN, DECIMALS_MAX).min(places.len());
    let Some(last) = last_place(looked_at) else { return Ok(()) };
    let after = u64::try_from(Draw::new(seed).below(u128::from(last) + 1)).unwrap_or(0);
    let Some(claimed) = window_of(&places[..looked_at], after) else { return Ok(()) };
    let window = HexWindow::new(hexadecimal.fastest_series(), after, DIGITS, GUARD_BITS);
    let mut sum = protocol::digit_extraction::Fraction::zero(window.fraction_bits());
    for task in (0..window.tasks()).filter_map(|index| window.task(index)) {
        let part = partial_sum(&task, control).map_err(|error| match error {
            HexSumError::Cancelled(cancelled) => Stop::from(cancelled),
            HexSumError::Fault(_) => Stop::from(AuditFault::NotAuditable),
        })?;
        sum.add(&part);
    }
    match window.digits(&sum) {
        Ok(computed) if computed != claimed => {
            Err(AuditFault::Hexadecimal { after, claimed, computed }.into())
        }
        // A carry that is not settled says nothing.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The last place at which so many decimals settle a window, with bits to spare; none where there are too few.
fn last_place(decimals: usize) -> Option<u64> {
    // log2(10) > 3.32.
    let bits = decimals as u64 * 332 / 100;
    bits.checked_sub(u64::from(4 * DIGITS + GUARD_BITS)).map(|bits| bits / 4)
}

/// The hexadecimal digits after the first `after`, of the fraction with these decimals; none where the decimals that follow would
/// change them.
fn window_of(places: &str, after: u64) -> Option<String> {
    let shift = u32::try_from(4 * (after + u64::from(DIGITS))).ok()?;
    let one = Integer::from(10).pow(u32::try_from(places.len()).ok()?);
    let low = Integer::from_str_radix(places, 10).ok()?;
    let digits = |fraction: Integer| (fraction << shift).div_rem_floor(one.clone()).0.keep_bits(4 * DIGITS);
    let high = digits(Integer::from(&low + 1));
    let low = digits(low);
    let word: u64 = low.to_digits(Order::Lsf).first().copied().unwrap_or(0);
    (low == high).then(|| format!("{word:016X}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants;

    fn decimals_of(constant: Constant, count: u64) -> String {
        let formula = constant.formulas()[0];
        constants::digits(constant, formula, count, &Control::default()).expect("it is computed")
    }

    fn seeds() -> impl Iterator<Item = [u8; 32]> {
        (0..40).map(|number| [number; 32])
    }

    #[test]
    fn the_decimals_of_each_constant_have_its_hexadecimal_digits_wherever_one_looks() {
        for constant in [Constant::Pi, Constant::Ln2, Constant::Catalan] {
            for count in [60, 200, 3000] {
                let text = decimals_of(constant, count);
                for seed in seeds() {
                    assert!(check(constant, &text, &seed, &Control::default()).is_ok(), "{constant} {count}");
                }
            }
        }
    }

    #[test]
    fn the_known_digits_of_pi_are_found_in_its_decimals() {
        let text = decimals_of(Constant::Pi, 200);
        assert_eq!(window_of(&text[2..], 0).as_deref(), Some("243F6A8885A308D3"));
        assert_eq!(window_of(&text[2..], 4).as_deref(), Some("6A8885A308D31319"));
        assert_eq!(window_of(&"9".repeat(60), 0), None, "the next decimal may carry");
    }

    #[test]
    fn a_table_that_has_another_constants_series_is_found_wherever_one_looks() {
        let text = decimals_of(Constant::Catalan, 2000);
        for seed in seeds() {
            let found = check(Constant::Ln2, &text, &seed, &Control::default());
            assert!(matches!(found, Err(Stop::Fault(AuditFault::Hexadecimal { .. }))));
        }
    }

    #[test]
    fn a_wrong_decimal_is_found_wherever_one_looks_behind_it() {
        let mut text = decimals_of(Constant::Pi, 1500).into_bytes();
        text[10] = if text[10] == b'9' { b'8' } else { text[10] + 1 };
        let text = String::from_utf8(text).expect("digits");
        let found = seeds().filter(|seed| check(Constant::Pi, &text, seed, &Control::default()).is_err());
        assert_eq!(found.count(), seeds().count());
    }

    #[test]
    fn too_few_decimals_and_other_constants_say_nothing() {
        assert!(check(Constant::Pi, "3.14", &[1; 32], &Control::default()).is_ok());
        assert!(check(Constant::E, "2.71", &[1; 32], &Control::default()).is_ok());
        assert_eq!((last_place(38), last_place(39), last_place(1000)), (None, Some(0), Some(798)));
    }
}
