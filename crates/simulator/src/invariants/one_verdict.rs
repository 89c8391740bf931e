//! One verdict per task: what was announced once is never announced again, and never changed.

use protocol::verdict::Verdict;

use super::{TaskKey, TaskRecord, Violation};

pub(super) fn check(task: TaskKey, record: &TaskRecord, verdict: &Verdict) -> Result<(), Violation> {
    let Some(before) = record.verdict() else { return Ok(()) };
    let what = format!("task {} was {before:?} and is announced again as {verdict:?}", task.index);
    Err(Violation { invariant: "one verdict per task", what })
}
