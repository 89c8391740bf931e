//! Natural logarithms of integers as sums of few inverse hyperbolic tangents, in the manner of Machin's formula for pi.
//!
//! `artanh(1 / x) = ln((x + 1) / (x - 1)) / 2`. Where `x + 1` and `x - 1` are products of a few small primes, enough such
//! x give the logarithms of these primes, and of all numbers made of them. Of any other n the nearest such number s takes
//! most: `ln n = ln s + 2 artanh((n - s) / (n + s))`. That the sums are the logarithms is checked in exact fractions by a
//! test.

use protocol::series::{Factor, Hypergeometric, Polynomial, Ratio, SeriesFormula, Summand};

/// Primes, the x of the tangents, and for each prime the coefficients with which they give its logarithm.
pub(super) struct Basis {
    primes: &'static [u64],
    arguments: &'static [u32],
    coefficients: &'static [&'static [i64]],
}

/// ln 2 = 18 artanh(1/26) - 2 artanh(1/4801) + 8 artanh(1/8749).
pub(super) const THREE_TERMS: Basis =
    Basis { primes: &[2], arguments: &[26, 4801, 8749], coefficients: &[&[18, -2, 8]] };
/// The primes to 7 (Stormer's numbers of these; the sums follow by inverting the matrix of the exponents).
pub(super) const FOUR_TERMS: Basis = Basis {
    primes: &[2, 3, 5, 7],
    arguments: &[251, 449, 4801, 8749],
    coefficients: &[&[144, 54, -38, 62], &[228, 86, -60, 98], &[334, 126, -88, 144], &[404, 152, -106, 174]],
};
/// The primes to 5: ln 2 = 14 artanh(1/31) + 10 artanh(1/49) + 6 artanh(1/161), and so on.
pub(super) const SMALL_TERMS: Basis = Basis {
    primes: &[2, 3, 5],
    arguments: &[31, 49, 161],
    coefficients: &[&[14, 10, 6], &[22, 16, 10], &[32, 24, 14]],
};

impl Basis {
    /// ln n for n >= 2.
    pub(super) fn logarithm(&self, n: u32) -> SeriesFormula {
        let (smooth, exponents) = self.nearest(n.into());
        let mut summands: Vec<Summand> = Vec::new();
        for (place, argument) in self.arguments.iter().enumerate() {
            let coefficient: i64 =
                self.coefficients.iter().zip(&exponents).map(|(row, exponent)| row[place] * exponent).sum();
            if coefficient != 0 {
                summands.push(artanh(coefficient, 1, (*argument).into()));
            }
        }
        let n = u64::from(n);
        if n != smooth {
            let (above, below) = (n.abs_diff(smooth), n + smooth);
            let common = greatest_common_divisor(above, below);
            let sign = if n > smooth { 2 } else { -2 };
            summands.push(artanh(sign, above / common, below / common));
        }
        SeriesFormula::sum_of(summands)
    }

    /// The number nearest to n whose primes are all among ours, and its exponents.
    fn nearest(&self, n: u64) -> (u64, Vec<i64>) {
        let mut best = (1, vec![0; self.primes.len()]);
        self.search(n, 1, &mut vec![0; self.primes.len()], 0, &mut best);
        best
    }

    fn search(
        &self,
        n: u64,
        product: u64,
        exponents: &mut Vec<i64>,
        place: usize,
        best: &mut (u64, Vec<i64>),
    ) {
        if product.abs_diff(n) < best.0.abs_diff(n) {
            *best = (product, exponents.clone());
        }
        // Nothing above twice n can be nearest.
        let Some(prime) = self.primes.get(place).filter(|_| product < 2 * n) else { return };
        self.search(n, product, exponents, place + 1, best);
        exponents[place] += 1;
        self.search(n, product * prime, exponents, place, best);
        exponents[place] -= 1;
    }
}

/// `coefficient * artanh(u / v)` for `0 < u < v`: `u / v * (1 + sum over k >= 1 of (u / v)^(2k) / (2k + 1))`.
fn artanh(coefficient: i64, u: u64, v: u64) -> Summand {
    let times = Ratio { numerator: coefficient * i64::try_from(u).unwrap_or(i64::MAX), denominator: v };
    Summand { times, series: arc(u, v, 1) }
}

/// `1 + sum over k >= 1 of (sign u^2 / v^2)^k / (2k + 1)`.
pub(super) fn arc(u: u64, v: u64, sign: i128) -> Hypergeometric {
    let square = |number: u64| i128::from(number) * i128::from(number);
    Hypergeometric {
        first: 1,
        plus: 1,
        p: Polynomial::constant(sign * square(u)),
        q: Polynomial::constant(square(v)),
        a: Polynomial::constant(1),
        b: Polynomial { constant: 1, factors: vec![Factor { coefficients: vec![1, 2], power: 1 }] },
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use rug::{Rational, ops::Pow};

    use super::*;

    #[test]
    fn every_sum_is_the_logarithm_of_its_prime_exactly() {
        for basis in [THREE_TERMS, FOUR_TERMS, SMALL_TERMS] {
            for (prime, row) in basis.primes.iter().zip(basis.coefficients) {
                // exp(2 artanh(1/x)) = (x + 1) / (x - 1).
                let squared: Rational = basis
                    .arguments
                    .iter()
                    .zip(*row)
                    .map(|(x, coefficient)| {
                        Rational::from((x + 1, x - 1)).pow(i32::try_from(*coefficient).unwrap())
                    })
                    .product();
                assert_eq!(squared, Rational::from(*prime).pow(2));
            }
        }
    }

    #[test]
    fn the_number_taken_first_is_near_and_made_of_the_primes() {
        for basis in [FOUR_TERMS, SMALL_TERMS] {
            for n in [2_u64, 3, 11, 97, 1_000_003, u64::from(u32::MAX)] {
                let (smooth, exponents) = basis.nearest(n);
                let product: u64 = basis
                    .primes
                    .iter()
                    .zip(&exponents)
                    .map(|(prime, exponent)| prime.pow(u32::try_from(*exponent).unwrap()))
                    .product();
                assert_eq!(product, smooth);
                assert!(smooth.abs_diff(n) * 5 <= n, "{n}: {smooth}");
            }
        }
    }
}
