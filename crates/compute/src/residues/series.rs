//! Hypergeometric series as data: four polynomials in the index, and nothing else.
//!
//! The quotient of successive factors of a term is p(k) / q(k); a(k) / b(k) stands beside it. Every series that binary
//! splitting sums fast has this form, so one kernel serves pi, e, logarithms, zeta(3) and what a user writes down.

use protocol::{
    limits::SERIES_DEGREE_MAX,
    series::{self, Hypergeometric},
};
use rug::Integer;

/// Most coefficients of a polynomial: degree 8, which Wedeniwski's series for zeta(3) needs.
pub const COEFFICIENTS_MAX: usize = 9;
/// Most bits of a coefficient.
pub const COEFFICIENT_BITS_MAX: u32 = 4096;
/// Past the largest index of a term.
pub const INDEX_END_MAX: u64 = 1 << 48;

/// Why something is no series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// Too many coefficients.
    #[error(
        "a polynomial has {0} coefficients, more than the limit of {COEFFICIENTS_MAX}; take common factors out of the \
         series or split it"
    )]
    Coefficients(usize),
    /// A coefficient is too long.
    #[error("a coefficient has {0} bits, more than the limit of {COEFFICIENT_BITS_MAX}; take a smaller one")]
    CoefficientBits(u32),
    /// The indices go too far.
    #[error("the terms from {first} to before {end} are out of bounds; stay within 0 to {INDEX_END_MAX}")]
    Stretch {
        /// The first index.
        first: u64,
        /// Past the last index.
        end: u64,
    },
}

/// A polynomial with integer coefficients, the constant one first; without any it is zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polynomial(Vec<Integer>);

impl Polynomial {
    /// A polynomial from its coefficients, the constant one first.
    ///
    /// # Errors
    /// [`SeriesError::Coefficients`] and [`SeriesError::CoefficientBits`].
    pub fn new<T: Into<Integer>>(coefficients: impl IntoIterator<Item = T>) -> Result<Self, SeriesError> {
        let mut kept: Vec<Integer> = Vec::new();
        for (number, coefficient) in coefficients.into_iter().enumerate() {
            let coefficient = coefficient.into();
            if number >= COEFFICIENTS_MAX && !coefficient.is_zero() {
                return Err(SeriesError::Coefficients(number + 1));
            }
            let bits = coefficient.significant_bits();
            if bits > COEFFICIENT_BITS_MAX {
                return Err(SeriesError::CoefficientBits(bits));
            }
            if number < COEFFICIENTS_MAX {
                kept.push(coefficient);
            }
        }
        while kept.pop_if(|last| last.is_zero()).is_some() {}
        Ok(Self(kept))
    }

    /// The polynomial of small coefficients that the code writes down itself.
    fn known<const N: usize>(coefficients: [i64; N]) -> Self {
        const { assert!(N <= COEFFICIENTS_MAX) }
        Self(coefficients.map(Integer::from).to_vec())
    }

    /// The coefficients of a product; those of a series that was checked are within the bounds.
    fn of_product(product: &series::Polynomial) -> Self {
        let mut coefficients = vec![Integer::from(product.constant)];
        for factor in &product.factors {
            for _ in 0..factor.power {
                let mut next = vec![Integer::new(); coefficients.len() + factor.coefficients.len() - 1];
                for (place, left) in coefficients.iter().enumerate() {
                    for (other, right) in factor.coefficients.iter().enumerate() {
                        next[place + other] += Integer::from(left * *right);
                    }
                }
                coefficients = next;
            }
        }
        coefficients.truncate(COEFFICIENTS_MAX);
        Self(coefficients)
    }

    /// The coefficients, the constant one first, without zeros at the end.
    pub fn coefficients(&self) -> &[Integer] {
        &self.0
    }

    /// Its value.
    pub fn at(&self, k: u64) -> Integer {
        self.0.iter().rev().fold(Integer::new(), |value, coefficient| value * k + coefficient)
    }

    /// Whether it is 1 everywhere, so that nobody needs to multiply by it.
    pub(crate) fn is_one(&self) -> bool {
        matches!(&self.0[..], [one] if *one == 1)
    }
}

/// The series `sum over k of a(k) / b(k) * product over j <= k of p(j) / q(j)`, from any first index on.
///
/// A stretch of it, from `first` to before `end`, comes to P, Q and B, the products of p(k), q(k) and b(k) over it, and
/// T with sum T / (B Q), where the product over j begins at `first`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HypergeometricSeries {
    /// The numerator of the quotient of successive factors.
    pub p: Polynomial,
    /// Its denominator.
    pub q: Polynomial,
    /// The numerator of what stands beside the factor.
    pub a: Polynomial,
    /// Its denominator.
    pub b: Polynomial,
}

impl HypergeometricSeries {
    /// The brothers Chudnovsky's series for pi over k = 1, 2, …:
    /// with its T and Q, pi = 426880 sqrt(10005) Q / (13591409 Q + T).
    ///
    /// p = -(6k-5)(2k-1)(6k-1), q = 10939058860032000 k^3, a = 13591409 + 545140134 k, b = 1.
    pub fn chudnovsky() -> Self {
        Self {
            p: Polynomial::known([5, -46, 108, -72]),
            q: Polynomial::known([0, 0, 0, 10_939_058_860_032_000]),
            a: Polynomial::known([13_591_409, 545_140_134]),
            b: Polynomial::known([1]),
        }
    }

    /// e - 1 over k = 1, 2, …: the sum of 1 / k!.
    pub fn factorials() -> Self {
        let one = Polynomial::known([1]);
        Self { p: one.clone(), q: Polynomial::known([0, 1]), a: one.clone(), b: one }
    }

    /// artanh(1 / x) / x over k = 0, 1, …, of which ln 2 is made: the sum of 1 / ((2k + 1) x^(2k + 2)).
    pub fn artanh(x: u32) -> Self {
        let one = Polynomial::known([1]);
        let square = Polynomial(vec![Integer::from(x) * x]);
        Self { p: one.clone(), q: square, a: one, b: Polynomial::known([1, 2]) }
    }

    /// p, q, a and b, in this order.
    pub(crate) fn polynomials(&self) -> [&Polynomial; 4] {
        [&self.p, &self.q, &self.a, &self.b]
    }
}

impl From<&Hypergeometric> for HypergeometricSeries {
    /// The same series by its coefficients, without what stands before the sum.
    fn from(series: &Hypergeometric) -> Self {
        let [p, q, a, b] = [&series.p, &series.q, &series.a, &series.b].map(Polynomial::of_product);
        Self { p, q, a, b }
    }
}

const _: () = assert!(SERIES_DEGREE_MAX as usize + 1 == COEFFICIENTS_MAX);

/// Whether a stretch is within bounds.
pub(crate) fn check_stretch(first: u64, end: u64) -> Result<(), SeriesError> {
    if first <= end && end <= INDEX_END_MAX { Ok(()) } else { Err(SeriesError::Stretch { first, end }) }
}
