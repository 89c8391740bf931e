//! Asking again: a worker that let its lease expire is asked after all others, and asked again when nobody else is left.
//!
//! An expired lease says that a worker was slow, cut off, or that the coordinator's clock jumped; it does not say that the
//! worker is of no use. Were it never asked again, one jump of the clock could leave a small cluster with tasks that
//! nobody may compute. How often it is asked is bounded, so that silent workers are waited for in the end.

use protocol::job::JobId;

use super::Machine;
use crate::{dispatch, tally::Tally};

impl Machine {
    /// A task has a vacant seat: where no worker that is alive may take it, those who computed what is to be audited may,
    /// and those whose leases expired may once more.
    pub(super) fn pardon_if_nobody_is_left(&mut self, job: JobId, index: u64) {
        let waits = |tally: &Tally| tally.waits_for_outsiders();
        let waited = self.tally_mut(job, index).is_some_and(|tally| waits(tally));
        if waited {
            self.admit_insiders(job, index);
        }
        let Some(tally) = self.jobs.get_mut(&job).and_then(|job| job.tallies.get_mut(&index)) else {
            self.lapsed.remove(&(job, index));
            return;
        };
        let is_waiting = waits(tally);
        let mut pardoned = waited && !is_waiting;
        while tally.may_pardon() {
            let mut asked = self.workers.iter().filter(|(_, worker)| worker.is_alive());
            if asked.any(|(id, worker)| dispatch::place(tally, id, worker).is_ok()) {
                break;
            }
            tally.pardon();
            pardoned = true;
        }
        if is_waiting || tally.may_pardon() {
            self.lapsed.insert((job, index));
        } else {
            self.lapsed.remove(&(job, index));
        }
        if pardoned && self.jobs.get(&job).is_some_and(|record| record.hungry.contains(index)) {
            self.hunger(job, index);
        }
    }

    /// A worker has left or fallen silent, which may have been the last one for some task.
    pub(super) fn pardon_where_nobody_is_left(&mut self) {
        self.lapsed_walk.begin();
    }

    /// Looks at the next of the tasks for which a worker may have been the last one; false when all were looked at.
    pub(super) fn pardon_next(&mut self) -> bool {
        let Some((job, index)) = self.lapsed_walk.next(&self.lapsed) else { return false };
        self.pardon_if_nobody_is_left(job, index);
        true
    }
}
