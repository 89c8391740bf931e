//! No wrong value is accepted while there are no more faulty workers than the policy survives.

use protocol::verdict::Verdict;

use super::{TaskKey, Violation};
use crate::{scenario::Scenario, values};

/// Whether a wrong value is accepted.
#[must_use]
pub fn is_wrong(task: TaskKey, verdict: &Verdict) -> bool {
    let truth = values::truth(values::task_id(task.job, task.index));
    matches!(verdict, Verdict::Accepted(digest) if *digest != truth)
}

pub(super) fn check(task: TaskKey, verdict: &Verdict, scenario: &Scenario) -> Result<(), Violation> {
    if !scenario.keeps_fault_bound() || !is_wrong(task, verdict) {
        return Ok(());
    }
    let (faulty, tolerate) = (scenario.faulty(), scenario.policy.tolerate);
    let what = format!(
        "task {} is accepted with a wrong value; {faulty} workers are faulty, and the policy survives {tolerate}",
        task.index
    );
    Err(Violation { invariant: "no wrong value within the fault bound", what })
}
