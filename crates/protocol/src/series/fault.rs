//! Why a text or a number is no series that can be summed with a proof.

use crate::limits::{
    SERIES_COEFFICIENT_BITS_MAX, SERIES_DEGREE_MAX, SERIES_FACTORS_MAX, SERIES_FIRST_MAX,
    SERIES_POLYNOMIAL_BYTES_MAX, SERIES_TERMS_MAX, SERIES_ZEROS_LOG2_MAX,
};

/// What is wrong with a series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeriesFault {
    /// Not an expression.
    #[error("not a polynomial: {message}")]
    Syntax {
        /// What the parser of expressions says.
        message: String,
    },
    /// Too long a text.
    #[error(
        "the text has {bytes} bytes, more than the limit of {SERIES_POLYNOMIAL_BYTES_MAX}; write a shorter one"
    )]
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// An expression, and no polynomial.
    #[error("not a polynomial in k; write whole numbers and `k`, joined by `+ - * ^` and parentheses")]
    NoPolynomial,
    /// Too high a degree.
    #[error(
        "a polynomial is of degree above {SERIES_DEGREE_MAX} or has more than {SERIES_FACTORS_MAX} factors; take common \
         factors out of p and q"
    )]
    Degree,
    /// Too large a coefficient.
    #[error(
        "a coefficient has more than {SERIES_COEFFICIENT_BITS_MAX} bits; write it as a product of smaller factors \
         that depend on k, or take another series"
    )]
    Coefficient,
    /// The first index is too large.
    #[error("`first` is {first}; it must be from 0 to {SERIES_FIRST_MAX}")]
    First {
        /// What it is.
        first: u64,
    },
    /// No term is left.
    #[error("`p` or `a` is 0 everywhere, so that there is nothing to sum; write polynomials that are not 0")]
    Nothing,
    /// A denominator is zero somewhere.
    #[error("`{name}` is 0 at k = {k}; begin after it with `first`, or take the factor out")]
    Zero {
        /// Which polynomial.
        name: &'static str,
        /// Where.
        k: u64,
    },
    /// A denominator might be zero, as far as anybody looks.
    #[error(
        "the coefficients of `{name}` are too uneven to prove that it is nowhere 0: up to k = 2^{SERIES_ZEROS_LOG2_MAX} the \
         leading one does not outweigh the others; write it as a product of simpler factors"
    )]
    Uneven {
        /// Which polynomial.
        name: &'static str,
    },
    /// No convergence that anybody could wait for.
    #[error(
        "the series is not proven to converge by a quarter of a bit a term: |p / q| must come below 0.84 and stay there; \
         take a faster series"
    )]
    Diverges,
    /// It converges, but too slowly.
    #[error(
        "so many digits take about {terms} terms of this series, more than the limit of {SERIES_TERMS_MAX}; ask for fewer, \
         or take a faster series"
    )]
    TooSlow {
        /// How many.
        terms: u64,
    },
    /// A number beside the sum.
    #[error("`{name}` is not {expected}")]
    Number {
        /// Which.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A sum of no series, or of too many.
    #[error("a formula sums {count} series; write at least 1 and at most {max}")]
    Count {
        /// How many.
        count: usize,
        /// How many there may be.
        max: usize,
    },
}
