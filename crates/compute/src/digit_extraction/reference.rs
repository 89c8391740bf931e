//! The definition, to the letter and slowly: 128-bit modular powers and schoolbook long division.

use protocol::digit_extraction::{Fraction, HexTerms, HexTermsFault, SeriesComponent};

use super::wide::{Wide, low};

/// The outcome of a task, by long division.
///
/// # Errors
/// [`HexTermsFault`] when nobody can compute the task.
pub fn reference_sum(task: &HexTerms) -> Result<Fraction, HexTermsFault> {
    task.check()?;
    let mut sum = vec![0; task.limbs()];
    for component in &task.series.components {
        for k in task.first_term..task.end_term {
            let denominator = component.denominator(k).ok_or(HexTermsFault::Denominator(k))?;
            let term = truncated_quotient(task.exponent(component, k), denominator, task.limbs());
            accumulate(&mut sum, &term, component, k);
        }
    }
    Ok(Fraction::from_limbs(&sum))
}

/// Adds T(component, k), without sign and coefficient.
pub(super) fn add_term(
    task: &HexTerms,
    component: &SeriesComponent,
    k: u64,
    sum: &mut Wide,
) -> Result<(), HexTermsFault> {
    let denominator = component.denominator(k).ok_or(HexTermsFault::Denominator(k))?;
    let term = truncated_quotient(task.exponent(component, k), denominator, task.limbs());
    for (limb, shift) in term.iter().zip((0..).step_by(64)) {
        sum.add_shifted(u128::from(*limb), shift);
    }
    Ok(())
}

/// The low limbs of floor(2^exponent / denominator), the least significant first; zero where the exponent is negative
/// and the denominator above 1.
fn truncated_quotient(exponent: i128, denominator: u64, limbs: usize) -> Vec<u64> {
    let bits = 64 * limbs as i128;
    let mut quotient = vec![0; limbs];
    let Ok(exponent) = u64::try_from(exponent) else { return quotient };
    // 2^exponent = 2^(exponent - bits) * 2^bits, of which the first factor may be reduced; or one bit below 2^bits.
    let (mut remainder, place) = match u64::try_from(i128::from(exponent) - bits) {
        Ok(above) => (power_of_two(above, denominator), None),
        Err(_) => (0, Some(exponent)),
    };
    for (number, limb) in quotient.iter_mut().enumerate().rev() {
        let digit = match place {
            Some(place) if place / 64 == number as u64 => 1_u64 << (place % 64),
            _ => 0,
        };
        let dividend = u128::from(remainder) << 64 | u128::from(digit);
        // The remainder is below the denominator, so the quotient has 64 bits.
        *limb = low(dividend / u128::from(denominator));
        remainder = low(dividend % u128::from(denominator));
    }
    quotient
}

/// 2^exponent modulo `modulus`.
fn power_of_two(exponent: u64, modulus: u64) -> u64 {
    let modulus = u128::from(modulus);
    let mut power = 1 % modulus;
    for place in (0..u64::BITS - exponent.leading_zeros()).rev() {
        power = power * power % modulus;
        if exponent >> place & 1 == 1 {
            power = power * 2 % modulus;
        }
    }
    low(power)
}

/// Adds `sign * coefficient * term` modulo 2^(64 limbs).
fn accumulate(sum: &mut [u64], term: &[u64], component: &SeriesComponent, k: u64) {
    let factor = u128::from(component.coefficient.unsigned_abs());
    let (mut carry, mut borrow) = (0, false);
    for (total, limb) in sum.iter_mut().zip(term) {
        let product = factor * u128::from(*limb) + carry;
        carry = product >> 64;
        if component.is_negative(k) {
            (*total, borrow) = total.borrowing_sub(low(product), borrow);
        } else {
            (*total, borrow) = total.carrying_add(low(product), borrow);
        }
    }
}
