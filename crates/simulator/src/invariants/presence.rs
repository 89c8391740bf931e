//! Who is on standby gets no lease, and who comes back hears first what it missed: corrections go before new leases, until
//! they are acknowledged or the time for that is over.

use std::collections::{BTreeMap, BTreeSet};

use protocol::report::Liveness;
use verdict::Machine;

use super::{Record, TaskKey, Violation};
use crate::values::worker_name;

/// Who is away, and who catches up.
#[derive(Debug, Default)]
pub(super) struct Presence {
    standby: BTreeSet<u32>,
    /// What each worker that came back is to hear, and until when, in milliseconds.
    missed: BTreeMap<u32, (u64, Vec<TaskKey>)>,
    /// The latest time that the coordinator saw, in milliseconds: its clock may jump back.
    latest_ms: u64,
}

impl Presence {
    pub(super) fn time(&mut self, now_ms: u64) {
        self.latest_ms = self.latest_ms.max(now_ms);
    }

    /// The coordinator says how a worker is heard.
    pub(super) fn noted(&mut self, worker: u32, liveness: Liveness, record: &Record, due_ms: u64) {
        match liveness {
            Liveness::Standby => drop(self.standby.insert(worker)),
            Liveness::Alive if self.standby.contains(&worker) => self.back(worker, record, due_ms),
            Liveness::Alive | Liveness::Suspect => {}
        }
    }

    /// A worker is back; what it missed has time until `due_ms`.
    pub(super) fn back(&mut self, worker: u32, record: &Record, due_ms: u64) {
        self.standby.remove(&worker);
        let owed = record.tasks().filter(|(_, seen)| {
            seen.held && seen.is_dissenter(worker) && !seen.acknowledged.contains(&worker)
        });
        let owed: Vec<TaskKey> = owed.map(|(task, _)| task).collect();
        if owed.is_empty() {
            self.missed.remove(&worker);
        } else {
            self.missed.insert(worker, (due_ms, owed));
        }
    }

    /// A worker's connection is gone.
    pub(super) fn gone(&mut self, worker: u32) {
        self.standby.insert(worker);
        self.missed.remove(&worker);
    }

    /// The coordinator crashed: it knows nobody.
    pub(super) fn forget(&mut self) {
        self.standby.clear();
        self.missed.clear();
    }

    /// A worker gets a lease.
    pub(super) fn check(
        &mut self,
        worker: u32,
        index: u64,
        record: &Record,
        machine: &Machine,
    ) -> Result<(), Violation> {
        let who = || worker_name(worker);
        if self.standby.contains(&worker) {
            let what = format!("{} is on standby, and is leased task {index}", who());
            return Err(Violation { invariant: "who is on standby gets no lease", what });
        }
        let Some((due_ms, missed)) = self.missed.get(&worker) else { return Ok(()) };
        if *due_ms <= self.latest_ms {
            self.missed.remove(&worker);
            return Ok(());
        }
        let is_owed = |task: &&TaskKey| {
            let acknowledged = record.task(**task).is_some_and(|seen| seen.acknowledged.contains(&worker));
            !acknowledged && machine.job(task.job).is_some()
        };
        let Some(task) = missed.iter().find(is_owed) else { return Ok(()) };
        let what =
            format!("{} is leased task {index} before it knows how task {} was decided", who(), task.index);
        Err(Violation { invariant: "who comes back hears first what it missed", what })
    }
}
