//! What is decided is not computed again: a decided task is leased only while its accepted outcome is nowhere, and one that
//! ended without an accepted value never.

use protocol::{ballot::ReplicaId, verdict::Verdict};

use super::{Record, TaskKey, Violation};

pub(super) fn check(record: &Record, replica: &ReplicaId) -> Result<(), Violation> {
    let Some(seen) = record.task(TaskKey::of(replica)) else { return Ok(()) };
    let index = replica.index;
    let what = match seen.verdict() {
        Some(Verdict::Accepted(_)) if seen.held => {
            format!("task {index} is leased again although it is accepted and its outcome is held")
        }
        Some(ended @ (Verdict::Undecided | Verdict::Failed(_))) => {
            format!("task {index} is leased again although it ended {ended:?}")
        }
        _ => return Ok(()),
    };
    Err(Violation { invariant: "what is decided is not computed again", what })
}
