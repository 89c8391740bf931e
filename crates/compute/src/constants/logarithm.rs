//! ln 2 as a sum of few inverse hyperbolic tangents of reciprocals, in the manner of Machin's formula for pi.
//!
//! `artanh(1 / x) = ln((x + 1) / (x - 1)) / 2`, so a sum `sum of c artanh(1 / x)` is ln 2 exactly if the product of the
//! `((x + 1) / (x - 1))^c` is 4, which a test checks in exact integers.

use rayon::join;
use rug::Integer;

use crate::control::{Cancelled, Control};

use super::{
    enclosure::{Enclosure, quotient},
    splitting::{Series, sum},
};

/// `coefficient * artanh(1 / argument)`.
pub(super) struct Term {
    coefficient: i32,
    argument: u32,
}

const fn term(coefficient: i32, argument: u32) -> Term {
    Term { coefficient, argument }
}

/// ln 2 = 18 artanh(1/26) - 2 artanh(1/4801) + 8 artanh(1/8749).
pub(super) const THREE_TERMS: [Term; 3] = [term(18, 26), term(-2, 4801), term(8, 8749)];
/// ln 2 = 144 artanh(1/251) + 54 artanh(1/449) - 38 artanh(1/4801) + 62 artanh(1/8749).
pub(super) const FOUR_TERMS: [Term; 4] = [term(144, 251), term(54, 449), term(-38, 4801), term(62, 8749)];

/// Bits beyond those asked for, which take up the roundings of all terms.
const GUARD_BITS: u32 = 32;

/// ln 2 by the given sum, in units of `2^-bits`.
///
/// Each artanh is off by less than 4 units of `2^(-bits - 32)` ([`artanh`]); the coefficients add up to less than
/// `2^9`, so the sum is off by less than `2^-21` units of `2^-bits`.
pub(super) fn ln2(terms: &[Term], bits: u32, control: &Control) -> Result<Enclosure, Cancelled> {
    let work = bits + GUARD_BITS;
    let total = control.phase("binary splitting", || combine(terms, work, control))?;
    control.set_permille(880);
    Ok(Enclosure { low: (total >> GUARD_BITS) - 1, width: 3 })
}

/// The sum of the terms, on as many threads as there are.
fn combine(terms: &[Term], bits: u32, control: &Control) -> Result<Integer, Cancelled> {
    match terms {
        [] => Ok(Integer::new()),
        [term] => Ok(artanh(term.argument, bits, control)? * term.coefficient),
        _ => {
            let (left, right) = terms.split_at(1);
            let (left, right) = join(|| combine(left, bits, control), || combine(right, bits, control));
            Ok(left? + right?)
        }
    }
}

/// `artanh(1 / x) = x * sum over k >= 0 of 1 / (2k + 1) / x^(2k + 2)`.
struct Artanh {
    square: u64,
}

impl Series for Artanh {
    fn numerator(&self, _k: u64) -> Integer {
        Integer::from(1)
    }

    fn denominator(&self, _k: u64) -> Integer {
        Integer::from(self.square)
    }

    fn divisor(&self, k: u64) -> u64 {
        2 * k + 1
    }
}

/// `artanh(1 / x)` in units of `2^-bits`, for `x >= 2`: off by less than 4.
///
/// With `N` terms the rest is below `x * x^(-2N - 2) / (1 - x^-2) < 2 x^(-2N)`; with `y = floor(log2(x^32))`,
/// `x^(-2N) <= 2^(-yN / 16)`, so `yN >= 16 bits` makes it less than 2 units. The quotient, below 0.55, is taken from
/// `bits + 16` leading bits (off by less than `2^-14` units) and rounded down.
fn artanh(x: u32, bits: u32, control: &Control) -> Result<Integer, Cancelled> {
    let log2_by_32 = u64::from(Integer::from(Integer::u_pow_u(x, 32)).significant_bits()) - 1;
    let terms = (16 * u64::from(bits)).div_ceil(log2_by_32).max(1);
    let square = u64::from(x) * u64::from(x);
    let series = sum(&Artanh { square }, (0, terms), control, (0, 800))?;
    control.check()?;
    Ok(quotient(series.t * x, series.b * series.q, u64::from(bits), u64::from(bits) + 16))
}

#[cfg(test)]
mod tests {
    use rug::{Rational, ops::Pow};

    use super::*;
    use crate::residues::{HypergeometricSeries, StretchResidues, random_primes, series_residues};

    #[test]
    fn the_sums_have_the_residues_of_the_same_series_as_data() {
        let control = Control::default();
        let primes = random_primes(b"logarithm", 3);
        for Term { argument, .. } in THREE_TERMS {
            let square = u64::from(argument) * u64::from(argument);
            let exact = sum(&Artanh { square }, (0, 3000), &control, (0, 1000)).unwrap();
            let data = HypergeometricSeries::artanh(argument);
            let sums = series_residues(&data, 0..3000, &primes, &control).unwrap();
            for (prime, found) in primes.iter().zip(sums) {
                let [q, b, t] = [&exact.q, &exact.b, &exact.t].map(|value| prime.residue(value));
                assert_eq!(found, StretchResidues { p: 1, q, b, t });
            }
        }
    }

    #[test]
    fn both_sums_are_the_logarithm_of_two_exactly() {
        for terms in [THREE_TERMS.as_slice(), FOUR_TERMS.as_slice()] {
            let product: Rational = terms
                .iter()
                .map(|term| Rational::from((term.argument + 1, term.argument - 1)).pow(term.coefficient))
                .product();
            assert_eq!(product, 4);
        }
    }
}
