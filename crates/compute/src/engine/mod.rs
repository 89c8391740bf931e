//! Runs tasks: the one door through which a worker computes.
//!
//! A task goes in with the formula that its lease names, the one canonical outcome comes out. Which engine did it is
//! part of the ballot, so an engine also says on what device it runs.

mod device;
pub mod gpu;

use protocol::{
    constant::Formula,
    digit_extraction::HexTermsFault,
    outcome::{Answer, Outcome},
    task::Task,
    texts::Texts,
};
use rayon::prelude::*;

use crate::{
    audit::Witness,
    constants::{self, DigitsError},
    control::{Cancelled, Control, HardwareFault},
    digit_extraction::{self, HexSumError},
    expression::{self, IntegerAnswers},
};

pub use device::processor_name;

/// The most checks that are answered at once; each takes about a microsecond.
const AT_ONCE_TEXTS_MAX: usize = 16;

/// Why a task has no outcome on this machine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nobody waits for it any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The digits cannot be computed.
    #[error(transparent)]
    Digits(DigitsError),
    /// The terms of a series cannot be summed by anybody.
    #[error(transparent)]
    HexTerms(#[from] HexTermsFault),
    /// This machine computes wrongly, and must compute nothing more.
    #[error(transparent)]
    Hardware(#[from] HardwareFault),
}

impl From<HexSumError> for EngineError {
    fn from(error: HexSumError) -> Self {
        match error {
            HexSumError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            HexSumError::Fault(fault) => Self::HexTerms(fault),
        }
    }
}

impl From<DigitsError> for EngineError {
    fn from(error: DigitsError) -> Self {
        match error {
            DigitsError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            DigitsError::Hardware(fault) => Self::Hardware(fault),
            other => Self::Digits(other),
        }
    }
}

/// Computes a task on the processor, on the rayon pool of the caller.
///
/// # Errors
/// [`EngineError`] when it was cancelled, or is over a bound of this machine.
pub fn run_on_cpu(task: &Task, formula: Formula, control: &Control) -> Result<Outcome, EngineError> {
    match task {
        Task::Digits { constant, decimals } => {
            Ok(Outcome::Digits(constants::digits(*constant, formula, *decimals, control)?))
        }
        Task::Series { formulas, decimals } => {
            let [first, second] = &**formulas;
            let is_first = formula != Formula::SecondSeries;
            let chosen = if is_first { first } else { second };
            Ok(Outcome::Digits(constants::series_digits(chosen, *decimals, is_first, control)?))
        }
        Task::Expressions { agree_digits, expressions } => {
            Ok(Outcome::Answers(answers(expressions, *agree_digits, control)?))
        }
        Task::Range { agree_digits, variable, body, first, last } => {
            let answer = expression::answer_range(body, variable, *first, *last, *agree_digits, control)?;
            Ok(Outcome::Range(answer))
        }
        Task::HexTerms(terms) => Ok(Outcome::HexSum(digit_extraction::partial_sum(terms, control)?)),
    }
}

/// Computes a task and what an audit of its outcome needs beside it ([`crate::audit`]); none where no audit of this task
/// and formula needs anything.
///
/// # Errors
/// As [`run_on_cpu`].
pub fn run_on_cpu_with_witness(
    task: &Task,
    formula: Formula,
    control: &Control,
) -> Result<(Outcome, Option<Witness>), EngineError> {
    let (digits, witness) = match task {
        Task::Digits { constant, decimals } => {
            constants::digits_with_witness(*constant, formula, *decimals, control)?
        }
        Task::Series { formulas, decimals } => {
            let [first, second] = &**formulas;
            let is_first = formula != Formula::SecondSeries;
            let chosen = if is_first { first } else { second };
            constants::series_digits_with_witness(chosen, *decimals, is_first, control)?
        }
        Task::Expressions { .. } | Task::Range { .. } | Task::HexTerms(_) => {
            return Ok((run_on_cpu(task, formula, control)?, None));
        }
    };
    Ok((Outcome::Digits(digits), witness))
}

/// Computes a task here and now, if that takes less time than to hand it to another thread: a few checks of small integers.
/// The outcome is that of [`run_on_cpu`].
#[must_use]
pub fn run_at_once(task: &Task) -> Option<Outcome> {
    let Task::Expressions { expressions, .. } = task else { return None };
    if expressions.len() > AT_ONCE_TEXTS_MAX {
        return None;
    }
    let mut quick = IntegerAnswers::default();
    let answers = expressions.iter().map(|text| quick.answer(text)).collect::<Option<Vec<Answer>>>()?;
    Some(Outcome::Answers(answers))
}

/// The answers to a batch. Checks of small integers take less time than to hand them to another thread would, so they are
/// answered first, on this one; what is left is spread over the threads.
fn answers(expressions: &Texts, agree_digits: u32, control: &Control) -> Result<Vec<Answer>, Cancelled> {
    control.check()?;
    let mut quick = IntegerAnswers::default();
    let first: Vec<Option<Answer>> = expressions.iter().map(|text| quick.answer(text)).collect();
    let left: Vec<&str> =
        expressions.iter().zip(&first).filter(|(_, answer)| answer.is_none()).map(|(text, _)| text).collect();
    if left.is_empty() {
        return Ok(first.into_iter().flatten().collect());
    }
    let late: Result<Vec<Answer>, Cancelled> =
        left.into_par_iter().map(|text| expression::answer_generally(text, agree_digits, control)).collect();
    let mut late = late?.into_iter();
    Ok(first.into_iter().filter_map(|answer| answer.or_else(|| late.next())).collect())
}
