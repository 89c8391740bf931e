//! Decimal digits of constants, truncated and proven.
//!
//! Every formula yields an *enclosure*: an integer `low` and a small `width` with `low <= x * 2^bits <= low + width`,
//! where each step's rounding is bounded in a comment beside it. Digits are given out only when both ends of the
//! enclosure have the same ones; otherwise the computation is repeated with more precision. So the bytes do not depend
//! on the formula, the number of threads or the version of GMP.
//!
//! Most formulas are series, which are data (`table.rs`): four polynomials each, summed by one engine (`splitting.rs`),
//! whose convergence is proven from their coefficients. A job file may bring its own ([`series_digits`]). The others are
//! means, continued fractions and roots.
//!
//! The formulas of one constant share no series. They do not share the way from bits to decimals either
//! (`decimal.rs`): the first formula of each constant is read off by our own divide and conquer, the second by GMP's
//! radix conversion, so that a fault in one of the two shows as a dispute and not as an agreed wrong answer.
//!
//! Every long number is looked at through a prime as it is made (`long.rs`); a machine that computes wrongly is found out
//! while it computes.

mod decimal;
mod enclosure;
mod euler;
mod euler_gamma;
mod factors;
mod fixed;
mod formula;
mod gamma;
mod gauss_legendre;
mod logarithm;
mod long;
mod mean;
mod number;
mod progress;
mod reciprocal_root;
mod splitting;
mod square_root;
mod table;
mod terms;

use protocol::{
    constant::{Constant, Formula},
    limits::{DECIMALS_MAX, LN_ARGUMENT_MAX, SERIES_DECIMALS_MAX, SQRT_RADICAND_MAX},
    series::{SeriesFault, SeriesFormula},
};

use crate::control::{Cancelled, Control, HardwareFault, Interrupted};

use self::{
    enclosure::Enclosure,
    fixed::{Fixed, Reals},
    long::Checks,
    splitting::SumError,
};

/// Why no digits came out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigitsError {
    /// More decimals than the house computes.
    #[error("{decimals} decimals are out of bounds; ask for at most {limit}")]
    TooManyDecimals {
        /// What was asked for.
        decimals: u64,
        /// How many there may be.
        limit: u64,
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
    /// A logarithm of a number that has none here.
    #[error(
        "ln({0}) is out of bounds; its number must be from 2 to {LN_ARGUMENT_MAX}, and ln(2) is called ln2"
    )]
    LogarithmArgument(u32),
    /// A series that cannot be summed with a proof.
    #[error(transparent)]
    Series(#[from] SeriesFault),
    /// The value is below zero, or cannot be told from it.
    #[error("the value is not positive, as far as its digits tell; turn the sign of `times` over")]
    NotPositive,
    /// More and more digits did not settle those that were asked for.
    #[error(
        "the digits cannot be proven: thousands more of them are all nines or zeros, or the sum cannot be told from zero; \
         the value is a short decimal fraction, as it seems, which no enclosure proves"
    )]
    Unsettled,
    /// The computation was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// This machine is broken.
    #[error(transparent)]
    Hardware(#[from] HardwareFault),
}

impl From<Interrupted> for DigitsError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Cancelled(cancelled) => Self::Cancelled(cancelled),
            Interrupted::Hardware(fault) => Self::Hardware(fault),
        }
    }
}

impl From<SumError> for DigitsError {
    fn from(error: SumError) -> Self {
        match error {
            SumError::Interrupted(interrupted) => interrupted.into(),
            SumError::Series(fault) => Self::Series(fault),
        }
    }
}

/// The integer part of `constant`, a point and exactly `decimals` decimals, truncated (never rounded) and proven.
///
/// With `decimals` = 0 the integer part stands alone, without the point. Every formula of a constant gives the same
/// bytes. Runs on the rayon pool of the caller; with one thread it does no more work than a sequential computation.
/// The phases it tells `control` are, as far as the formula has them, `"binary splitting"`, `"product tree"`,
/// `"iteration"`, `"division and root"`, `"multiplication"`, `"roots"` and `"decimal string"`.
///
/// # Errors
/// [`DigitsError::TooManyDecimals`] beyond [`DECIMALS_MAX`], [`DigitsError::ForeignFormula`] for a formula that is not
/// among [`Constant::formulas`], [`DigitsError::ZeroRadicand`] for the root of zero,
/// [`DigitsError::LogarithmArgument`] for the logarithms of 0, 1 and 2, [`DigitsError::Cancelled`] once `control` is
/// cancelled, and [`DigitsError::Hardware`] when this machine computed something wrongly twice.
pub fn digits(
    constant: Constant,
    formula: Formula,
    decimals: u64,
    control: &Control,
) -> Result<String, DigitsError> {
    let decimals = bounded(decimals, DECIMALS_MAX)?;
    match constant {
        Constant::Sqrt(0) => return Err(DigitsError::ZeroRadicand),
        Constant::Ln(n @ 0..=2) => return Err(DigitsError::LogarithmArgument(n)),
        _ => {}
    }
    if !constant.formulas().contains(&formula) {
        return Err(DigitsError::ForeignFormula { constant, formula });
    }
    let seed = format!("{constant} {formula} {decimals}");
    let is_first = constant.formulas().first() == Some(&formula);
    proven(decimals, is_first, &Checks::new(control, seed.as_bytes()), |reals| {
        value(constant, formula, reals)
    })
}

/// The digits of a formula that a job file brings, as [`digits`] gives those of a constant; `is_first` says which of the
/// two ways from bits to decimals is taken.
///
/// # Errors
/// As [`digits`], [`DigitsError::Series`] for a formula that is out of bounds or not proven to converge,
/// [`DigitsError::NotPositive`], and [`DigitsError::Unsettled`].
pub fn series_digits(
    formula: &SeriesFormula,
    decimals: u64,
    is_first: bool,
    control: &Control,
) -> Result<String, DigitsError> {
    let decimals = bounded(decimals, SERIES_DECIMALS_MAX)?;
    formula.check(decimals.into())?;
    proven(decimals, is_first, &Checks::new(control, b"series"), |reals| formula::value(formula, reals))
}

fn bounded(decimals: u64, limit: u64) -> Result<u32, DigitsError> {
    let narrow = u32::try_from(decimals).ok().filter(|narrow| u64::from(*narrow) <= limit);
    narrow.ok_or(DigitsError::TooManyDecimals { decimals, limit })
}

fn proven(
    decimals: u32,
    is_first: bool,
    checks: &Checks<'_>,
    value: impl Fn(&Reals<'_, '_>) -> Result<Fixed, DigitsError>,
) -> Result<String, DigitsError> {
    let enclose = |bits: u32| {
        let enclosure = fixed::settled(bits, checks, &value)?;
        if *enclosure.low.value() < 0 { Err(DigitsError::NotPositive) } else { Ok::<Enclosure, _>(enclosure) }
    };
    let text = if is_first {
        decimal::prove_by_fractions(decimals, checks, enclose)?
    } else {
        decimal::prove_by_gmp(decimals, checks, enclose)?
    };
    checks.control().set_permille(1000);
    Ok(text)
}

/// The value of `constant` by `formula`. The caller has checked that they belong together.
fn value(constant: Constant, formula: Formula, reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    let series = match (constant, formula) {
        (Constant::Pi, Formula::GaussLegendre) => return Ok(gauss_legendre::pi(reals)?),
        (Constant::Pi, Formula::Ramanujan) => table::ramanujan()?,
        (Constant::Pi, Formula::ArcTangents) => table::arc_tangents(),
        (Constant::Pi, _) => table::chudnovsky()?,
        (Constant::E, Formula::ContinuedFraction) => return Ok(euler::e_by_continued_fraction(reals)?),
        (Constant::E, _) => table::factorials()?,
        (Constant::Sqrt(n), Formula::PellSeries) => return square_root::by_pell_series(n, reals),
        (Constant::Sqrt(n), _) => return square_root::by_integer_root(n, reals),
        (Constant::GoldenRatio, Formula::PellSeries) => {
            return square_root::golden_ratio(&square_root::by_pell_series(5, reals)?, reals);
        }
        (Constant::GoldenRatio, _) => {
            return square_root::golden_ratio(&square_root::by_integer_root(5, reals)?, reals);
        }
        (Constant::Ln2, Formula::MachinThreeTerm) => logarithm::THREE_TERMS.logarithm(2),
        (Constant::Ln2, _) => logarithm::SMALL_TERMS.logarithm(2),
        (Constant::Ln(n), Formula::MachinFourTerm) => logarithm::FOUR_TERMS.logarithm(n),
        (Constant::Ln(n), _) => logarithm::SMALL_TERMS.logarithm(n),
        (Constant::Zeta3, Formula::AmdeberhanZeilberger) => table::amdeberhan_zeilberger()?,
        (Constant::Zeta3, _) => table::wedeniwski()?,
        (Constant::Catalan, Formula::Guillera) => table::guillera()?,
        (Constant::Catalan, _) => table::pilehrood()?,
        (Constant::EulerGamma, Formula::Sweeney) => return euler_gamma::by_sweeney(reals),
        (Constant::EulerGamma, _) => return euler_gamma::by_brent_mcmillan(reals),
        (Constant::Lemniscate, Formula::LemniscateArcs) => return gamma::lemniscate_by_arcs(reals),
        (Constant::Lemniscate, _) => return gamma::lemniscate_by_mean(reals),
        (Constant::GammaThird, Formula::Brown) => return gamma::third_by_series(reals),
        (Constant::GammaThird, _) => return gamma::third_by_mean(reals),
        (Constant::GammaQuarter, Formula::Brown) => return gamma::quarter_by_series(reals),
        (Constant::GammaQuarter, _) => return gamma::quarter_by_mean(reals),
    };
    formula::value(&series, reals)
}

/// The names of the formulas of `constant`, for an error message.
fn names(constant: Constant) -> String {
    let names: Vec<String> =
        constant.formulas().iter().map(|formula| format!("`{}`", formula.name())).collect();
    names.join(" or ")
}
