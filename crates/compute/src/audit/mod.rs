//! Audits: an outcome is tested by a random challenge, at a few percent of the cost of computing it.
//!
//! Whoever computes digits by series keeps a *witness*: the long integers on the way from the sum of the series to the
//! digits, nearly all of which are there anyway. The auditor asks for them after the outcome is fixed, draws primes from
//! bytes that nobody could foresee, and tests every step modulo these: the series by its plain recurrence, quotients,
//! roots and the conversion to decimals by the equations that define them. That takes linear time, and a wrong outcome
//! passes with a probability that is stated ([`Strength::ErrorBelow`]); `docs/audits.md` derives it. Of answers to
//! expressions and ranges some are computed again.
//!
//! Nothing here trusts an outcome or a witness: whatever is wrong with them is a [`Finding::Failed`].

mod claims;
mod decimals;
mod digits;
mod draw;
mod fault;
mod field;
mod hexadecimal;
mod parts;
mod samples;
mod tail;
mod witness;

use std::{borrow::Cow, ops::Range};

use protocol::{
    constant::Formula,
    outcome::Outcome,
    series::{Hypergeometric, Polynomial, SeriesFormula},
    task::Task,
};

use crate::{
    constants,
    control::{Cancelled, Control},
    residues::{HypergeometricSeries, Modulus, SeriesResiduesError, StretchResidues, series_residues},
};

pub(crate) use decimals::margin_bits;
pub use fault::AuditFault;
pub(crate) use parts::Writer;
pub use parts::{Witness, WitnessPart};

/// What an audit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Nothing wrong was found.
    Passed {
        /// How much that says.
        strength: Strength,
    },
    /// The outcome, or the witness that came with it, is wrong.
    Failed(AuditFault),
}

/// How much it says that nothing wrong was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// Whatever the outcome and the witness were, if the outcome is wrong they pass with at most this probability over the
    /// random primes.
    ErrorBelow {
        /// Its logarithm to base 2.
        log2: i64,
    },
    /// So many members were computed again.
    Sampled {
        /// How many.
        checked: u64,
        /// Of how many.
        members: u128,
    },
}

/// Why there is no finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// Nobody waits for it any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Why an audit ends before it is through.
enum Stop {
    Fault(AuditFault),
    Error(AuditError),
}

impl From<AuditFault> for Stop {
    fn from(fault: AuditFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Cancelled> for Stop {
    fn from(cancelled: Cancelled) -> Self {
        Self::Error(cancelled.into())
    }
}

impl Stop {
    /// A series out of bounds is the fault of whoever claims so many terms.
    fn of_series(error: &SeriesResiduesError, otherwise: AuditFault) -> Self {
        match error {
            SeriesResiduesError::Cancelled(cancelled) => (*cancelled).into(),
            SeriesResiduesError::Series(_) => otherwise.into(),
        }
    }
}

/// The formula behind digits, and how many there are; none where it is no sum of series.
fn digits_of(task: &Task, formula: Formula) -> Option<(Cow<'_, SeriesFormula>, u64)> {
    match task {
        Task::Digits { constant, decimals } => {
            Some((Cow::Owned(constants::series_formula(*constant, formula)?), *decimals))
        }
        Task::Series { formulas, decimals } => {
            let [first, second] = &**formulas;
            match formula {
                Formula::FirstSeries => Some((Cow::Borrowed(first), *decimals)),
                Formula::SecondSeries => Some((Cow::Borrowed(second), *decimals)),
                _ => None,
            }
        }
        Task::Expressions { .. } | Task::Range { .. } | Task::HexTerms(_) => None,
    }
}

/// Whether outcomes of this task, computed by this formula, can be audited: digits by sums of series, expressions and
/// ranges.
pub fn is_auditable(task: &Task, formula: Formula) -> bool {
    match task {
        Task::Digits { .. } | Task::Series { .. } => needs_witness(task, formula),
        Task::Expressions { .. } | Task::Range { .. } => true,
        Task::HexTerms(_) => false,
    }
}

/// Whether an audit needs a witness beside the outcome.
pub fn needs_witness(task: &Task, formula: Formula) -> bool {
    digits_of(task, formula).is_some()
}

/// Who sums a series modulo primes for an audit: the only part of it whose work grows with the terms, and the part that an
/// engine of another kind can do.
pub trait SeriesSums: Sync {
    /// As [`series_residues`].
    ///
    /// # Errors
    /// As [`series_residues`].
    fn series_residues(
        &self,
        series: &HypergeometricSeries,
        stretch: Range<u64>,
        moduli: &[Modulus],
        control: &Control,
    ) -> Result<Vec<StretchResidues>, SeriesResiduesError>;
}

/// The processor, on the rayon pool of the caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct Processor;

impl SeriesSums for Processor {
    fn series_residues(
        &self,
        series: &HypergeometricSeries,
        stretch: Range<u64>,
        moduli: &[Modulus],
        control: &Control,
    ) -> Result<Vec<StretchResidues>, SeriesResiduesError> {
        series_residues(series, stretch, moduli, control)
    }
}

/// Tests an outcome, as its canonical bytes, against a challenge that follows from `seed`: 32 random bytes, drawn after
/// outcome and witness were received. Runs on the rayon pool of the caller.
///
/// The probability of [`Strength::ErrorBelow`] is that of the theorem of docs/audits.md, for this size; the method is
/// Freivalds' ("Probabilistic machines can use less running time", 1977), with the primes of Rabin and Karp.
///
/// # Errors
/// [`AuditError`] when it was cancelled. Whatever is wrong with outcome or witness is a finding.
pub fn audit(
    task: &Task,
    formula: Formula,
    outcome: &[u8],
    witness: Option<&[u8]>,
    seed: &[u8; 32],
    control: &Control,
) -> Result<Finding, AuditError> {
    audit_by(&Processor, task, formula, (outcome, witness.as_ref().map(std::slice::from_ref)), seed, control)
}

/// As [`audit`], with series summed by `sums`, and a witness in one piece or in those of [`Witness::pieces`].
///
/// # Errors
/// As [`audit`].
pub fn audit_by(
    sums: &dyn SeriesSums,
    task: &Task,
    formula: Formula,
    evidence: (&[u8], Option<&[&[u8]]>),
    seed: &[u8; 32],
    control: &Control,
) -> Result<Finding, AuditError> {
    match tested(sums, task, formula, evidence, seed, control) {
        Ok(strength) => Ok(Finding::Passed { strength }),
        Err(Stop::Fault(fault)) => Ok(Finding::Failed(fault)),
        Err(Stop::Error(error)) => Err(error),
    }
}

fn tested(
    sums: &dyn SeriesSums,
    task: &Task,
    formula: Formula,
    (outcome, witness): (&[u8], Option<&[&[u8]]>),
    seed: &[u8; 32],
    control: &Control,
) -> Result<Strength, Stop> {
    control.check()?;
    if !is_auditable(task, formula) {
        return Err(AuditFault::NotAuditable.into());
    }
    let limit = usize::try_from(task.outcome_bytes_max()).unwrap_or(usize::MAX);
    if let (Some((series, decimals)), Some(text)) = (digits_of(task, formula), Outcome::digits_in(outcome))
        && outcome.len() <= limit
    {
        let witness = witness.ok_or(AuditFault::NoWitness)?;
        let limit = witness_bytes_max(task, formula);
        let bytes = witness.iter().map(|piece| piece.len() as u64).sum();
        if bytes > limit {
            return Err(AuditFault::WitnessTooLong { bytes, limit }.into());
        }
        let asked = digits::Asked { formula: &series, decimals, text };
        let log2 = digits::audit(&asked, (witness, limit.saturating_mul(8)), seed, sums, control)?;
        if let Task::Digits { constant, .. } = task {
            hexadecimal::check(*constant, text, seed, control)?;
        }
        return Ok(Strength::ErrorBelow { log2 });
    }
    let outcome = Outcome::from_bytes(outcome, limit)
        .map_err(|error| AuditFault::Outcome { reason: error.to_string() })?;
    match (task, &outcome) {
        (Task::Expressions { agree_digits, expressions }, Outcome::Answers(answers)) => {
            samples::expressions(expressions, *agree_digits, answers, seed, control)
        }
        (Task::Range { agree_digits, variable, body, first, last }, Outcome::Range(answer)) => {
            let task = samples::RangeTask {
                agree_digits: *agree_digits,
                variable,
                body,
                first: *first,
                last: *last,
            };
            task.audit(answer, seed, control)
        }
        _ => Err(AuditFault::Outcome { reason: "it is of another kind".to_owned() }.into()),
    }
}

/// Most bytes that a witness of this task may have; 0 where none is needed.
pub fn witness_bytes_max(task: &Task, formula: Formula) -> u64 {
    let Some((series, decimals)) = digits_of(task, formula) else { return 0 };
    let of_sums = series.summands.iter().map(|summand| {
        let Ok(terms) = summand.series.terms(usual_bits(decimals)) else { return 0 };
        // Numerator and denominator, a quotient and its rest.
        let of_sum = sum_bits(&summand.series, terms + terms / 8 + 1024);
        of_sum.saturating_mul(2).saturating_add(2 * usual_bits(decimals))
    });
    let of_sums = of_sums.fold(0, u64::saturating_add);
    // Reciprocal, root, product and decimals take up to seven numbers as long as the digits.
    of_sums.saturating_add(usual_bits(decimals).saturating_mul(8)) / 8 + 4096
}

/// Bits behind the point, at most: those of the digits, and all the guards that anybody takes.
fn bits_max(decimals: u64) -> u64 {
    decimals.saturating_mul(14).saturating_add(1 << 16)
}

/// Bits behind the point of a computation that goes well, from above.
fn usual_bits(decimals: u64) -> u64 {
    decimals.saturating_mul(7).div_ceil(2).saturating_add(1 << 14)
}

/// `|B Q|` and `|T + plus B Q|` of so many terms are below two to this: each term multiplies either by p or q at most, and
/// by b, and T is as many summands with an `a` in each.
fn sum_bits(series: &Hypergeometric, terms: u64) -> u64 {
    let Hypergeometric { first, p, q, a, b, .. } = series;
    let [p, q, a, b] =
        [p, q, a, b].map(|polynomial| polynomial_bits(polynomial, first.saturating_add(terms)));
    terms.saturating_mul(p.max(q) + b).saturating_add(a + 256)
}

/// `|f(k)| < 2^that` for all k up to `end`.
fn polynomial_bits(polynomial: &Polynomial, end: u64) -> u64 {
    let length = |value: i128| u64::from(i128::BITS - value.unsigned_abs().leading_zeros());
    let index = u64::from(u64::BITS - end.leading_zeros());
    polynomial.factors.iter().fold(length(polynomial.constant), |bits, factor| {
        let longest =
            factor.coefficients.iter().zip(0..).map(|(value, power)| length(*value) + power * index);
        // Nine summands at most.
        bits + u64::from(factor.power) * (longest.max().unwrap_or(0) + 4)
    })
}
