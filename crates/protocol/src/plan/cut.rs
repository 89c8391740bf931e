//! Cutting a job's expressions into tasks: neighbours into batches, ranges into pieces.
//!
//! A unit is a stretch of expressions that one rule cuts; it remembers where its first expression stands and how
//! many tasks it makes, and the tasks themselves are made when they are asked for.

use std::collections::BTreeMap;

use super::source::{Found, Source};
use crate::{
    job::{
        Faults, JobFileFault,
        expression::{RangeReading, Reading, is_quick, read},
    },
    limits::{EXPRESSIONS_MAX, QUICK_PER_EXPRESSION, TASK_EXPRESSIONS_MAX, TASK_TEXT_BYTES_MAX, TASKS_MAX},
};

/// One stretch of expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    /// The job-wide number of its first task, from 0.
    pub(super) first_task: u32,
    /// The job-wide number of its first expression, from 0.
    pub(super) first_expression: u32,
    /// From where its first expression is found.
    pub(super) cursor: u32,
    /// What it is.
    pub(super) shape: Shape,
}

/// How a stretch becomes tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One task of this many expressions.
    Batch(u16),
    /// One expression, in this many tasks.
    Range(u32),
}

const _: () = assert!(TASKS_MAX <= u32::MAX as u64);
const _: () =
    assert!(TASK_EXPRESSIONS_MAX <= u16::MAX / QUICK_PER_EXPRESSION, "a batch is counted in 16 bits");

impl Unit {
    pub(super) fn tasks(&self) -> u32 {
        match self.shape {
            Shape::Batch(_) => 1,
            Shape::Range(pieces) => pieces,
        }
    }

    pub(super) fn expressions(&self) -> u32 {
        match self.shape {
            Shape::Batch(count) => u32::from(count),
            Shape::Range(_) => 1,
        }
    }
}

/// Ranges of this many pieces or more are not read again for each of them. Of shorter ones a job may have millions, which
/// are dearer to keep than to read.
const KEPT_PIECES_MIN: u32 = 16;

/// Every stretch, and the readings of long ranges by the number of their first task.
#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) units: Vec<Unit>,
    pub(super) kept: BTreeMap<u32, RangeReading>,
}

/// Cuts every expression of a source into tasks of at most `batch`; what is wrong goes to `faults`. Where that is left open,
/// a quick expression takes a part of the room of one: a task of a thousand of them would be over before all is said and
/// done about it.
pub(super) fn cut(source: &Source, batch: Option<u16>, faults: &mut Faults) -> Cut {
    let mut cutter = Cutter { batch, ..Cutter::default() };
    for (number, found) in source.from(0).enumerate() {
        if number == EXPRESSIONS_MAX {
            faults.push(found.offset, JobFileFault::TooManyExpressions);
            break;
        }
        match read(found.text) {
            Ok(reading) => {
                if !cutter.take(&found, reading) {
                    faults.push(found.offset, JobFileFault::TooManyTasks);
                    break;
                }
            }
            Err((at, fault)) => faults.push(found.offset + at, fault),
        }
    }
    if cutter.cut.units.is_empty() && faults.is_empty() {
        faults.push(0, JobFileFault::NoExpressions);
    }
    cutter.cut
}

#[derive(Debug, Default)]
struct Cutter {
    /// Most expressions in one task, where the job says it.
    batch: Option<u16>,
    cut: Cut,
    tasks: u32,
    expressions: u32,
    /// The batch that is still open; none when the next expression opens a new one.
    open: Option<Room>,
}

/// Room in a batch, in parts of which [`QUICK_PER_EXPRESSION`] are one expression, or one byte of text.
#[derive(Debug, Clone, Copy)]
struct Room {
    expressions: usize,
    bytes: usize,
}

impl Room {
    /// That of a whole batch.
    fn of_batch(most: u16) -> Self {
        let whole = usize::from(QUICK_PER_EXPRESSION);
        Self { expressions: whole * usize::from(most), bytes: whole * TASK_TEXT_BYTES_MAX }
    }

    /// What is left beside an expression that takes `parts` for itself and each of its bytes; none where it does not fit.
    fn beside(self, bytes: usize, parts: u16) -> Option<Self> {
        let parts = usize::from(parts);
        Some(Self {
            expressions: self.expressions.checked_sub(parts)?,
            bytes: self.bytes.checked_sub(bytes * parts)?,
        })
    }
}

impl Cutter {
    /// Takes in one more expression; false when the job would have too many tasks.
    fn take(&mut self, found: &Found<'_>, reading: Reading) -> bool {
        match reading {
            Reading::Batched => self.take_batched(found),
            Reading::Ranged(range) => {
                let Some(pieces) = u32::try_from(range.pieces).ok() else { return false };
                self.open = None;
                if pieces >= KEPT_PIECES_MIN {
                    self.cut.kept.insert(self.tasks, range);
                }
                self.begin(found.cursor, Shape::Range(pieces));
            }
        }
        self.expressions += 1;
        u64::from(self.tasks) <= TASKS_MAX
    }

    /// Joins an expression to the open batch where it fits, or opens one.
    fn take_batched(&mut self, found: &Found<'_>) {
        let is_part = self.batch.is_none() && is_quick(found.text);
        let parts = if is_part { 1 } else { QUICK_PER_EXPRESSION };
        let bytes = found.text.len();
        let left = self.open.and_then(|room| room.beside(bytes, parts));
        if let (Some(left), Some(Unit { shape: Shape::Batch(count), .. })) = (left, self.cut.units.last_mut())
        {
            *count += 1;
            self.open = Some(left);
            return;
        }
        // What is too long for any batch is one by itself.
        self.open = Room::of_batch(self.batch.unwrap_or(TASK_EXPRESSIONS_MAX)).beside(bytes, parts);
        self.begin(found.cursor, Shape::Batch(1));
    }

    fn begin(&mut self, cursor: u32, shape: Shape) {
        let unit = Unit { first_task: self.tasks, first_expression: self.expressions, cursor, shape };
        self.tasks = self.tasks.saturating_add(unit.tasks());
        self.cut.units.push(unit);
    }
}
