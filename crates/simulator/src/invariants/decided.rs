//! With enough honest workers every task is decided in the end; within the fault bound it is accepted.

use protocol::{report::JobState, verdict::Verdict};
use verdict::Machine;

use super::{Record, Violation};
use crate::scenario::Scenario;

const INVARIANT: &str = "every task is decided";

pub(super) fn check(record: &Record, machine: &Machine, scenario: &Scenario) -> Result<(), Violation> {
    if !scenario.has_enough_honest() {
        return Ok(());
    }
    for (job, state) in machine.jobs() {
        if state.state().is_over() {
            continue;
        }
        let progress = machine.progress(job);
        let waiting = progress.as_ref().and_then(|progress| progress.waiting.clone()).unwrap_or_default();
        let open = progress.map_or(0, |progress| progress.tasks - progress.accepted - progress.unaccepted);
        let state = state.state();
        let what = match state {
            JobState::Running => format!("job {job} came to rest with {open} tasks open: {waiting}"),
            _ => format!("job {job} came to rest in state {state:?}: {waiting}"),
        };
        return Err(Violation { invariant: INVARIANT, what });
    }
    for (task, seen) in record.tasks() {
        let Some(verdict @ (Verdict::Undecided | Verdict::Failed(_))) = seen.verdict() else { continue };
        let (index, job) = (task.index, task.job);
        let what =
            format!("task {index} of job {job} ended {verdict:?}, and enough honest workers were there");
        return Err(Violation { invariant: INVARIANT, what });
    }
    Ok(())
}
