//! Decimal digits of constants, truncated and proven.
//!
//! Every formula yields an *enclosure*: an integer `low` and a small `width` with `low <= x * 2^bits <= low + width`,
//! where each step's rounding is bounded in a comment beside it. Digits are given out only when both ends of the
//! enclosure have the same ones; otherwise the computation is repeated with more precision. So the bytes do not depend
//! on the formula, the number of threads or the version of GMP.
//!
//! The formulas of one constant share no series. They do not share the way from bits to decimals either
//! (`decimal.rs`): the first formula of each constant is read off by our own divide and conquer, the second by GMP's
//! radix conversion, so that a fault in one of the two shows as a dispute and not as an agreed wrong answer.

mod chudnovsky;
mod decimal;
mod enclosure;
mod euler;
mod factors;
mod gauss_legendre;
mod logarithm;
mod progress;
mod reciprocal_root;
mod splitting;
mod square_root;

use protocol::{
    constant::{Constant, Formula},
    limits::{DECIMALS_MAX, SQRT_RADICAND_MAX},
};

use crate::control::{Cancelled, Control};

use self::enclosure::Enclosure;

/// Why no digits came out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigitsError {
    /// More decimals than the house computes.
    #[error("{decimals} decimals are out of bounds; ask for at most {DECIMALS_MAX}")]
    TooManyDecimals {
        /// What was asked for.
        decimals: u64,
    },
    /// The formula computes something else.
    #[error("the formula `{formula}` does not compute {constant}; use {}", names(*constant))]
    ForeignFormula {
        /// What was asked for.
        constant: Constant,
        /// What cannot compute it.
        formula: Formula,
    },
    /// A root of zero, which is no positive integer.
    #[error("sqrt(0) is out of bounds; the number under the root must be from 1 to {SQRT_RADICAND_MAX}")]
    ZeroRadicand,
    /// The computation was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The integer part of `constant`, a point and exactly `decimals` decimals, truncated (never rounded) and proven.
///
/// With `decimals` = 0 the integer part stands alone, without the point. Every formula of a constant gives the same
/// bytes. Runs on the rayon pool of the caller; with one thread it does no more work than a sequential computation.
/// The phases it tells `control` are, as far as the formula has them, `"sieve"`, `"binary splitting"`,
/// `"product tree"`, `"division and root"`, `"iteration"`, `"multiplication"` and `"decimal string"`.
///
/// # Errors
/// [`DigitsError::TooManyDecimals`] beyond [`DECIMALS_MAX`], [`DigitsError::ForeignFormula`] for a formula that is not
/// among [`Constant::formulas`], [`DigitsError::ZeroRadicand`] for the root of zero, and [`DigitsError::Cancelled`]
/// once `control` is cancelled.
pub fn digits(
    constant: Constant,
    formula: Formula,
    decimals: u64,
    control: &Control,
) -> Result<String, DigitsError> {
    let Some(decimals) = u32::try_from(decimals).ok().filter(|&d| u64::from(d) <= DECIMALS_MAX) else {
        return Err(DigitsError::TooManyDecimals { decimals });
    };
    if constant == Constant::Sqrt(0) {
        return Err(DigitsError::ZeroRadicand);
    }
    if !constant.formulas().contains(&formula) {
        return Err(DigitsError::ForeignFormula { constant, formula });
    }
    let enclose = |bits: u32| enclose(constant, formula, bits, control);
    let text = if constant.formulas().first() == Some(&formula) {
        decimal::prove_by_fractions(decimals, control, enclose)?
    } else {
        decimal::prove_by_gmp(decimals, control, enclose)?
    };
    control.set_permille(1000);
    Ok(text)
}

/// The enclosure of `constant` by `formula`, in units of `2^-bits`. The caller has checked that they belong together.
fn enclose(
    constant: Constant,
    formula: Formula,
    bits: u32,
    control: &Control,
) -> Result<Enclosure, Cancelled> {
    match (constant, formula) {
        (Constant::Pi, Formula::GaussLegendre) => gauss_legendre::pi(bits, control),
        (Constant::Pi, _) => chudnovsky::pi(bits, control),
        (Constant::E, Formula::ContinuedFraction) => euler::e_by_continued_fraction(bits, control),
        (Constant::E, _) => euler::e_by_factorial_series(bits, control),
        (Constant::Sqrt(n), Formula::PellSeries) => square_root::by_pell_series(n, bits, control),
        (Constant::Sqrt(n), _) => square_root::by_integer_root(n, bits, control),
        (Constant::GoldenRatio, Formula::PellSeries) => {
            square_root::by_pell_series(5, bits, control).map(|root| square_root::golden_ratio(bits, root))
        }
        (Constant::GoldenRatio, _) => {
            square_root::by_integer_root(5, bits, control).map(|root| square_root::golden_ratio(bits, root))
        }
        (Constant::Ln2, Formula::MachinFourTerm) => logarithm::ln2(&logarithm::FOUR_TERMS, bits, control),
        (Constant::Ln2, _) => logarithm::ln2(&logarithm::THREE_TERMS, bits, control),
    }
}

/// The names of the formulas of `constant`, for an error message.
fn names(constant: Constant) -> String {
    let names: Vec<String> =
        constant.formulas().iter().map(|formula| format!("`{}`", formula.name())).collect();
    names.join(" or ")
}
