//! From a job to its tasks, and from their outcomes back to the job's result.
//!
//! The plan is deterministic: the same job file (and expression file) gives the same tasks with the same ids on every
//! machine. It is lazy: it holds the text and where each batch begins in it, and makes a task when one is asked for.

mod assemble;
mod batch;
mod cut;
mod difference;
mod range;
mod source;

use std::{collections::BTreeMap, sync::Arc};

use self::{
    batch::batch_bytes,
    cut::{Cut, Shape, Unit, cut},
    source::Source,
};
use crate::{
    constant::Constant,
    digit_extraction::{HexConstant, HexTerms, HexWindow},
    grouped::grouped,
    job::{
        ExpressionSource, Faults, JobFileErrors, JobFileFault, JobSpec, Work,
        expression::{RangeReading, Reading, read},
    },
    limits::EXPRESSION_FILE_BYTES_MAX,
    series::SeriesFormula,
    task::{Task, answers_bytes_max},
};

pub use assemble::{AnswerCounts, ResultAssembler};

/// The tasks of one job, numbered from 0. Cheap to clone: the text is shared.
#[derive(Debug, Clone)]
pub struct Plan(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Digits {
        constant: Constant,
        decimals: u64,
    },
    Series {
        formulas: Arc<[SeriesFormula; 2]>,
        decimals: u64,
    },
    HexDigits {
        constant: HexConstant,
        window: Arc<HexWindow>,
    },
    Expressions {
        agree_digits: u32,
        source: Source,
        units: Arc<[Unit]>,
        /// Long ranges, by the number of their first task.
        kept: Arc<BTreeMap<u32, RangeReading>>,
    },
}

/// What one task is of its plan.
enum Piece<'p> {
    Digits { constant: Constant, decimals: u64 },
    Series { formulas: &'p [SeriesFormula; 2], decimals: u64 },
    Batch { unit: &'p Unit, agree_digits: u32, source: &'p Source },
    HexTerms { constant: HexConstant, task: HexTerms },
    Range { unit: &'p Unit, agree_digits: u32, text: &'p str, range: RangeReading, number: u64 },
}

impl Plan {
    /// Plans a job. `expression_file` is the text of the file that the job names, if it names one; otherwise it is
    /// ignored.
    ///
    /// # Errors
    /// [`JobFileErrors`] with everything that is wrong in the expression file, by line, or when the file is missing,
    /// too large or makes too many tasks. A job from [`JobSpec::parse`] without a file always has a plan.
    pub fn new(spec: &JobSpec, expression_file: Option<Arc<str>>) -> Result<Self, JobFileErrors> {
        let (agree_digits, batch, source) = match &spec.work {
            Work::Digits { constant, decimals } => {
                return Ok(Self(Kind::Digits { constant: *constant, decimals: *decimals }));
            }
            Work::Series { formulas, decimals } => {
                let formulas = Arc::new((**formulas).clone());
                return Ok(Self(Kind::Series { formulas, decimals: *decimals }));
            }
            Work::HexDigits { constant, formula, after, digits, guard_bits } => {
                let series = constant.series(*formula).unwrap_or_else(|| constant.fastest_series());
                let window = Arc::new(HexWindow::new(series, *after, *digits, *guard_bits));
                return Ok(Self(Kind::HexDigits { constant: *constant, window }));
            }
            Work::Expressions { agree_digits, batch, source } => (*agree_digits, *batch, source),
        };
        let mut faults = Faults::default();
        let (source, text, path) = match (source, expression_file) {
            (ExpressionSource::Inline(expressions), _) => {
                (Source::Inline(expressions.as_slice().into()), Arc::from(""), None)
            }
            (ExpressionSource::File(path), Some(text)) => {
                (Source::File(Arc::clone(&text)), text, Some(path.as_str()))
            }
            (ExpressionSource::File(path), None) => {
                faults.push(0, JobFileFault::FileNotGiven { file: path.clone() });
                return Err(faults.into_errors("", None));
            }
        };
        if text.len() as u64 > EXPRESSION_FILE_BYTES_MAX {
            faults.push(0, JobFileFault::FileTooLong { bytes: text.len() });
            return Err(faults.into_errors(&text, path));
        }
        let Cut { units, kept } = cut(&source, batch, &mut faults);
        if !faults.is_empty() {
            return Err(faults.into_errors(&text, path));
        }
        let (units, kept) = (units.into(), Arc::new(kept));
        Ok(Self(Kind::Expressions { agree_digits, source, units, kept }))
    }

    /// How many tasks there are; at least one.
    #[must_use]
    pub fn tasks(&self) -> u64 {
        match &self.0 {
            Kind::Digits { .. } | Kind::Series { .. } => 1,
            Kind::HexDigits { window, .. } => window.tasks(),
            Kind::Expressions { units, .. } => {
                units.last().map_or(0, |last| u64::from(last.first_task) + u64::from(last.tasks()))
            }
        }
    }

    /// How many expressions the job has; none where it asks for digits.
    #[must_use]
    pub fn expressions(&self) -> Option<u64> {
        match &self.0 {
            Kind::Digits { .. } | Kind::Series { .. } | Kind::HexDigits { .. } => None,
            Kind::Expressions { units, .. } => {
                let end = |last: &Unit| u64::from(last.first_expression) + u64::from(last.expressions());
                Some(units.last().map_or(0, end))
            }
        }
    }

    /// Whether the value of the job is the outcome of its one task, as [`Work::value_is_outcome`] says.
    #[must_use]
    pub fn value_is_outcome(&self) -> bool {
        matches!(self.0, Kind::Digits { .. } | Kind::Series { .. })
    }

    /// The task with this number; none beyond the last.
    #[must_use]
    pub fn task(&self, index: u64) -> Option<Task> {
        Some(match self.piece(index)? {
            Piece::Digits { constant, decimals } => Task::Digits { constant, decimals },
            Piece::Series { formulas, decimals } => {
                Task::Series { formulas: Box::new(formulas.clone()), decimals }
            }
            Piece::HexTerms { task, .. } => Task::HexTerms(task),
            Piece::Batch { unit, agree_digits, source } => {
                Task::Expressions { agree_digits, expressions: texts(source, unit).collect() }
            }
            Piece::Range { agree_digits, text, range, number, .. } => {
                let (first, last) = range.piece(number);
                let body = text[range.body].to_owned();
                Task::Range { agree_digits, variable: range.variable, body, first, last }
            }
        })
    }

    /// The canonical bytes of the task with this number; none beyond the last.
    #[must_use]
    pub fn task_bytes(&self, index: u64) -> Option<Vec<u8>> {
        match self.piece(index)? {
            Piece::Batch { unit, agree_digits, source } => Some(batch_bytes(source, unit, agree_digits)),
            _ => self.task(index).map(|task| task.to_bytes()),
        }
    }

    /// The most bytes that a correct outcome of the task with this number can have; none beyond the last.
    #[must_use]
    pub fn outcome_bytes_max(&self, index: u64) -> u64 {
        match self.piece(index) {
            Some(Piece::Batch { unit, .. }) => answers_bytes_max(u64::from(unit.expressions())),
            _ => self.task(index).map_or(0, |task| task.outcome_bytes_max()),
        }
    }

    /// Whether a GPU kernel computes some of the tasks.
    #[must_use]
    pub fn has_kernel(&self) -> bool {
        match &self.0 {
            Kind::Digits { .. } | Kind::Series { .. } => false,
            Kind::HexDigits { .. } => true,
            Kind::Expressions { source, units, .. } => units.iter().any(|unit| {
                let is_range = matches!(unit.shape, Shape::Range(_));
                let text = if is_range { source.find(unit.cursor).map(|found| found.text) } else { None };
                text.is_some_and(|text| matches!(read(text), Ok(Reading::Ranged(range)) if range.has_kernel))
            }),
        }
    }

    /// What the task with this number is, for people; empty beyond the last.
    #[must_use]
    pub fn summary(&self, index: u64) -> String {
        match self.piece(index) {
            None => String::new(),
            Some(Piece::Digits { constant, decimals: 1 }) => format!("1 decimal of {constant}"),
            Some(Piece::Digits { constant, decimals }) => {
                format!("{} decimals of {constant}", grouped(decimals))
            }
            Some(Piece::Series { decimals, .. }) => {
                format!("{} decimals by two series of the job's own", grouped(decimals))
            }
            Some(Piece::HexTerms { constant, task }) => {
                let (first, last) = (grouped(task.first_term), grouped(task.end_term - 1));
                format!(
                    "terms {first} to {last} of {constant} after {} hexadecimal digits",
                    grouped(task.after)
                )
            }
            Some(Piece::Batch { unit, source, .. }) => {
                let first = unit.first_expression + 1;
                match unit.expressions() {
                    1 => format!("expression {first}: `{}`", shown(texts(source, unit).next().unwrap_or(""))),
                    count => format!("expressions {first} to {}", first + count - 1),
                }
            }
            Some(Piece::Range { text, range, number, .. }) => {
                let (first, last) = range.piece(number);
                format!("{} = {first} to {last} of `{}`", shown(&range.variable), shown(&text[range.body]))
            }
        }
    }

    fn piece(&self, index: u64) -> Option<Piece<'_>> {
        let (agree_digits, source, units, kept) = match &self.0 {
            Kind::Digits { constant, decimals } if index == 0 => {
                return Some(Piece::Digits { constant: *constant, decimals: *decimals });
            }
            Kind::Series { formulas, decimals } if index == 0 => {
                return Some(Piece::Series { formulas, decimals: *decimals });
            }
            Kind::Digits { .. } | Kind::Series { .. } => return None,
            Kind::HexDigits { constant, window } => {
                return window.task(index).map(|task| Piece::HexTerms { constant: *constant, task });
            }
            Kind::Expressions { agree_digits, source, units, kept } => (*agree_digits, source, units, kept),
        };
        let index = u32::try_from(index).ok().filter(|index| u64::from(*index) < self.tasks())?;
        let unit = &units[units.partition_point(|unit| unit.first_task <= index).checked_sub(1)?];
        match unit.shape {
            Shape::Batch(_) => Some(Piece::Batch { unit, agree_digits, source }),
            Shape::Range(_) => {
                let text = source.find(unit.cursor)?.text;
                let range = if let Some(kept) = kept.get(&unit.first_task) {
                    kept.clone()
                } else {
                    // The text was read as a range when it was cut, and reading it is a pure function.
                    let Ok(Reading::Ranged(range)) = read(text) else { return None };
                    range
                };
                let number = u64::from(index - unit.first_task);
                Some(Piece::Range { unit, agree_digits, text, range, number })
            }
        }
    }
}

/// The texts of a unit's expressions.
fn texts<'s>(source: &'s Source, unit: &Unit) -> impl Iterator<Item = &'s str> {
    source.from(unit.cursor).take(unit.expressions() as usize).map(|found| found.text)
}

/// An expression in a sentence: one line, and not too long.
fn shown(text: &str) -> String {
    crate::job::quoted(text)
}
