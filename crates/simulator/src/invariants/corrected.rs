//! Every dissenter of a decided task holds the accepted outcome in the end, unless it is not there to be told.

use protocol::verdict::Verdict;

use super::{Members, Record, Violation};
use crate::values;

pub(super) fn check(record: &Record, members: &impl Members) -> Result<(), Violation> {
    for (task, seen) in record.tasks() {
        let Some(Verdict::Accepted(accepted)) = seen.verdict() else { continue };
        let dissenters = seen.ballots().filter(|(_, digest)| digest != accepted).map(|(worker, _)| worker);
        for worker in dissenters.filter(|worker| members.is_connected(*worker) && members.obeys(*worker)) {
            if members.stored(worker, task) != Some(*accepted) {
                let (who, index) = (values::worker_name(worker), task.index);
                let what = format!("{who} dissented on task {index}, is connected, and holds something else");
                return Err(Violation { invariant: "every dissenter is corrected", what });
            }
        }
    }
    Ok(())
}
