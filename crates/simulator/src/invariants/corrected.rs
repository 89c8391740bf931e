//! Every dissenter of a decided task holds the accepted outcome in the end, or is on standby: not there to be told. Where the
//! outcome itself is lost with everybody who had it, there is nothing to tell.

use protocol::verdict::Verdict;
use verdict::Machine;

use super::{Members, Record, Violation};
use crate::values;

pub(super) fn check(record: &Record, machine: &Machine, members: &impl Members) -> Result<(), Violation> {
    for (task, seen) in record.tasks() {
        if machine.job(task.job).is_some_and(|job| job.is_lost(task.index)) {
            continue;
        }
        let Some(Verdict::Accepted(accepted)) = seen.verdict() else { continue };
        let dissenters = seen.ballots().filter(|(_, digest)| digest != accepted).map(|(worker, _)| worker);
        for worker in dissenters.filter(|worker| members.is_there(*worker) && members.obeys(*worker)) {
            if members.stored(worker, task) != Some(*accepted) {
                let (who, index) = (values::worker_name(worker), task.index);
                let what = format!("{who} dissented on task {index}, is there, and holds something else");
                return Err(Violation { invariant: "every dissenter is corrected", what });
            }
        }
    }
    Ok(())
}
