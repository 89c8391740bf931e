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
//!
//! Where the computation's [`Control`] has checkpoints, trees and iterations leave pieces of what they have finished, and
//! begin with those that an earlier run left (`keeping.rs`).

mod decimal;
mod enclosure;
mod euler;
mod euler_gamma;
mod factors;
mod fixed;
mod formula;
mod gamma;
mod gauss_legendre;
mod keeping;
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
mod witness;

use protocol::{
    constant::{Constant, Formula},
    limits::{DECIMALS_MAX, LN_ARGUMENT_MAX, SERIES_DECIMALS_MAX, SQRT_RADICAND_MAX},
    series::{SeriesFault, SeriesFormula},
};

use crate::{
    audit::Witness,
    control::{Cancelled, Control, HardwareFault, Interrupted},
};

pub(crate) use self::splitting::fingerprint_again;
use self::{
    decimal::{Decimals, Wanted},
    fixed::{Fixed, Guards, Reals},
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
    check_constant(constant, formula)?;
    let seed = format!("{constant} {formula} {decimals}");
    let way = Way { is_first: is_first(constant, formula), wanted: Wanted::Text };
    let checks = Checks::new(control, seed.as_bytes());
    let ((text, _), _) = proven(decimals, way, &checks, |reals| Ok((value(constant, formula, reals)?, ())))?;
    Ok(text)
}

fn check_constant(constant: Constant, formula: Formula) -> Result<(), DigitsError> {
    match constant {
        Constant::Sqrt(0) => return Err(DigitsError::ZeroRadicand),
        Constant::Ln(n @ 0..=2) => return Err(DigitsError::LogarithmArgument(n)),
        _ => {}
    }
    if constant.formulas().contains(&formula) {
        Ok(())
    } else {
        Err(DigitsError::ForeignFormula { constant, formula })
    }
}

fn is_first(constant: Constant, formula: Formula) -> bool {
    constant.formulas().first() == Some(&formula)
}

/// As [`digits`], with the witness that an audit of them needs, where the formula is a sum of series
/// ([`crate::audit`]). Sums are kept exact for it, which takes more memory and time where a series converges slowly.
///
/// # Errors
/// As [`digits`].
pub fn digits_with_witness(
    constant: Constant,
    formula: Formula,
    decimals: u64,
    control: &Control,
) -> Result<(String, Option<Witness>), DigitsError> {
    check_constant(constant, formula)?;
    let Some(series) = series_formula(constant, formula) else {
        return Ok((digits(constant, formula, decimals, control)?, None));
    };
    let decimals = bounded(decimals, DECIMALS_MAX)?;
    let seed = format!("{constant} {formula} {decimals}");
    witnessed(&series, decimals, is_first(constant, formula), &Checks::new(control, seed.as_bytes()))
}

/// As [`series_digits`], with the witness that an audit of them needs.
///
/// # Errors
/// As [`series_digits`].
pub fn series_digits_with_witness(
    formula: &SeriesFormula,
    decimals: u64,
    is_first: bool,
    control: &Control,
) -> Result<(String, Option<Witness>), DigitsError> {
    let decimals = bounded(decimals, SERIES_DECIMALS_MAX)?;
    formula.check(decimals.into())?;
    witnessed(formula, decimals, is_first, &Checks::new(control, b"series"))
}

fn witnessed(
    formula: &SeriesFormula,
    decimals: u32,
    is_first: bool,
    checks: &Checks<'_>,
) -> Result<(String, Option<Witness>), DigitsError> {
    let way = Way { is_first, wanted: Wanted::TextAndDescent };
    let value = |reals: &Reals<'_, '_>| formula::value_and_steppings(formula, reals);
    let ((text, descent), (guards, steppings)) = proven(decimals, way, checks, value)?;
    let parts = steppings.zip(descent);
    Ok((text, parts.map(|(steppings, descent)| witness::witness(guards, steppings, descent))))
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
    let way = Way { is_first, wanted: Wanted::Text };
    let checks = Checks::new(control, b"series");
    let ((text, _), _) = proven(decimals, way, &checks, |reals| Ok((formula::value(formula, reals)?, ())))?;
    Ok(text)
}

fn bounded(decimals: u64, limit: u64) -> Result<u32, DigitsError> {
    let narrow = u32::try_from(decimals).ok().filter(|narrow| u64::from(*narrow) <= limit);
    narrow.ok_or(DigitsError::TooManyDecimals { decimals, limit })
}

/// Which of the two ways from bits to decimals is taken, and what is wanted of it.
#[derive(Clone, Copy)]
struct Way {
    is_first: bool,
    wanted: Wanted,
}

fn proven<P>(
    decimals: u32,
    way: Way,
    checks: &Checks<'_>,
    value: impl Fn(&Reals<'_, '_>) -> Result<(Fixed, P), DigitsError>,
) -> Result<(Decimals, (Guards, P)), DigitsError> {
    let keeps = way.wanted == Wanted::TextAndDescent;
    let enclose = |bits: u32| {
        let (enclosure, guards, parts) = fixed::settled(bits, checks, keeps, &value)?;
        if *enclosure.low.value() < 0 {
            return Err(DigitsError::NotPositive);
        }
        Ok((enclosure, (guards, parts)))
    };
    let proven = if way.is_first {
        decimal::prove_by_fractions(decimals, way.wanted, checks, enclose)?
    } else {
        decimal::prove_by_gmp(decimals, way.wanted, checks, enclose)?
    };
    checks.control().set_permille(1000);
    Ok(proven)
}

/// The series of a formula that is nothing but a sum of them; none for the means, continued fractions and roots, and for
/// formulas of other constants.
pub(crate) fn series_formula(constant: Constant, formula: Formula) -> Option<SeriesFormula> {
    let series = match (constant, formula) {
        (Constant::Pi, Formula::Chudnovsky) => table::chudnovsky(),
        (Constant::Pi, Formula::Ramanujan) => table::ramanujan(),
        (Constant::Pi, Formula::ArcTangents) => Ok(table::arc_tangents()),
        (Constant::E, Formula::FactorialSeries) => table::factorials(),
        (Constant::Sqrt(1..), Formula::PellSeries) => return pell_series(constant),
        (Constant::Ln2, Formula::Zuniga) => table::zuniga(),
        (Constant::Ln2, Formula::MachinThreeTerm) => Ok(logarithm::THREE_TERMS.logarithm(2)),
        (Constant::Ln2, Formula::MachinSmall) => Ok(logarithm::SMALL_TERMS.logarithm(2)),
        (Constant::Ln(n @ 3..), Formula::MachinFourTerm) => Ok(logarithm::FOUR_TERMS.logarithm(n)),
        (Constant::Ln(n @ 3..), Formula::MachinSmall) => Ok(logarithm::SMALL_TERMS.logarithm(n)),
        (Constant::Zeta3, Formula::Wedeniwski) => table::wedeniwski(),
        (Constant::Zeta3, Formula::AmdeberhanZeilberger) => table::amdeberhan_zeilberger(),
        (Constant::Catalan, Formula::Pilehrood) => table::pilehrood(),
        (Constant::Catalan, Formula::Guillera) => table::guillera(),
        (Constant::Lemniscate, Formula::LemniscateArcs) => Ok(gamma::lemniscate_arcs()),
        _ => return None,
    };
    // The table's own polynomials are within bounds.
    series.ok()
}

fn pell_series(constant: Constant) -> Option<SeriesFormula> {
    match constant {
        Constant::Sqrt(n) => square_root::pell_series(n),
        _ => None,
    }
}

/// The value of `constant` by `formula`. The caller has checked that they belong together.
fn value(constant: Constant, formula: Formula, reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    if let Some(series) = series_formula(constant, formula) {
        return formula::value(&series, reals);
    }
    match (constant, formula) {
        (Constant::Pi, _) => Ok(gauss_legendre::pi(reals)?),
        (Constant::E, _) => Ok(euler::e_by_continued_fraction(reals)?),
        (Constant::Sqrt(n), Formula::PellSeries) => square_root::by_pell_series(n, reals),
        (Constant::Sqrt(n), _) => square_root::by_integer_root(n, reals),
        (Constant::GoldenRatio, Formula::PellSeries) => {
            square_root::golden_ratio(&square_root::by_pell_series(5, reals)?, reals)
        }
        (Constant::GoldenRatio, _) => {
            square_root::golden_ratio(&square_root::by_integer_root(5, reals)?, reals)
        }
        (Constant::EulerGamma, Formula::Sweeney) => euler_gamma::by_sweeney(reals),
        (Constant::EulerGamma, _) => euler_gamma::by_brent_mcmillan(reals),
        (Constant::Lemniscate, _) => gamma::lemniscate_by_mean(reals),
        (Constant::GammaThird, Formula::Brown) => gamma::third_by_series(reals),
        (Constant::GammaThird, _) => gamma::third_by_mean(reals),
        (Constant::GammaQuarter, Formula::Brown) => gamma::quarter_by_series(reals),
        (Constant::GammaQuarter, _) => gamma::quarter_by_mean(reals),
        (Constant::Ln2 | Constant::Ln(_) | Constant::Zeta3 | Constant::Catalan, _) => {
            Err(DigitsError::ForeignFormula { constant, formula })
        }
    }
}

/// The names of the formulas of `constant`, for an error message.
fn names(constant: Constant) -> String {
    let names: Vec<String> =
        constant.formulas().iter().map(|formula| format!("`{}`", formula.name())).collect();
    names.join(" or ")
}
