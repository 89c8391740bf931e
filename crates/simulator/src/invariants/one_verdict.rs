//! One verdict per task over the whole life of the log: what was decided is never decided again or otherwise, and nobody
//! hears of it twice, whatever crashes in between.

use protocol::verdict::Verdict;

use super::{TaskKey, TaskRecord, Violation};

const INVARIANT: &str = "one verdict per task";

/// A verdict is written down.
pub(super) fn check_written(task: TaskKey, record: &TaskRecord, verdict: &Verdict) -> Result<(), Violation> {
    match record.verdict() {
        None => Ok(()),
        Some(before) => Err(again(task, before, verdict, "decided")),
    }
}

/// A verdict is announced.
pub(super) fn check_announced(
    task: TaskKey,
    record: &TaskRecord,
    verdict: &Verdict,
) -> Result<(), Violation> {
    match &record.told {
        None => Ok(()),
        Some(before) => Err(again(task, before, verdict, "announced")),
    }
}

/// A verdict is durable.
pub(super) fn check_synced(task: TaskKey, record: &TaskRecord, verdict: &Verdict) -> Result<(), Violation> {
    match &record.durable {
        None => Ok(()),
        Some(before) => Err(again(task, before, verdict, "in the log")),
    }
}

fn again(task: TaskKey, before: &Verdict, verdict: &Verdict, how: &str) -> Violation {
    let what = format!("task {} was {before:?} and is {how} again as {verdict:?}", task.index);
    Violation { invariant: INVARIANT, what }
}
