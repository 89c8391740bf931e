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
};
use rayon::prelude::*;

use crate::{
    constants::{self, DigitsError},
    control::{Cancelled, Control, HardwareFault},
    digit_extraction::{self, HexSumError},
    expression,
};

pub use device::processor_name;

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
            let answers: Result<Vec<Answer>, Cancelled> =
                expressions.par_iter().map(|text| expression::answer(text, *agree_digits, control)).collect();
            Ok(Outcome::Answers(answers?))
        }
        Task::Range { agree_digits, variable, body, first, last } => {
            let answer = expression::answer_range(body, variable, *first, *last, *agree_digits, control)?;
            Ok(Outcome::Range(answer))
        }
        Task::HexTerms(terms) => Ok(Outcome::HexSum(digit_extraction::partial_sum(terms, control)?)),
    }
}
