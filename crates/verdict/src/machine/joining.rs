//! Who comes and who goes: a worker that joins begins anew, and one that is lost keeps no lease.

use protocol::{ballot::ReplicaId, identity::NodeId, message::EngineIntroduction, report::Liveness};

use super::Machine;
use crate::{input::Rejected, worker::Worker};

impl Machine {
    pub(super) fn worker_joined(
        &mut self,
        (id, operator): (NodeId, String),
        (engines, build): (Vec<EngineIntroduction>, String),
        slots: u32,
        now_ms: u64,
    ) {
        self.roll.clear();
        // A worker that comes back with a new connection holds no lease of the old one.
        self.free_leases_of(id, now_ms);
        if let Some(worker) = self.workers.get_mut(&id) {
            self.live -= u32::from(worker.is_elector());
            worker.rejoin(operator, engines, build, slots);
        } else {
            self.forget_absent_workers();
            self.workers.insert(id, Worker::new(operator, engines, build, slots));
        }
        let [held, shut] = self.shut_of(&id);
        if let Some(worker) = self.workers.get_mut(&id) {
            (worker.held, worker.shut) = (held, shut);
            self.live += u32::from(worker.is_elector());
        }
        self.begin_tests(id);
        self.watch(id, now_ms);
        self.settle_debts(id, now_ms);
        self.look_anew(id);
        if self.config.electorate_closed {
            // With other engines it may fit where it did not, and the other way round.
            let hungry =
                self.jobs.iter().flat_map(|(id, job)| job.hungry.indices().map(move |index| (*id, index)));
            self.suspects.extend(hungry);
        }
    }

    /// Keeps the number of known workers within its bound.
    fn forget_absent_workers(&mut self) {
        if self.workers.len() >= self.config.workers_known_max {
            let owed = &self.owed;
            self.workers.retain(|id, worker| worker.connected || owed.contains_key(id));
        }
    }

    pub(super) fn worker_lost(&mut self, id: NodeId, now_ms: u64) -> Result<(), Rejected> {
        let worker = self.workers.get_mut(&id).ok_or(Rejected::UnknownWorker(id))?;
        self.live -= u32::from(worker.is_elector());
        worker.connected = false;
        self.roll.clear();
        worker.liveness = Liveness::Standby;
        self.crowds.remove(&id);
        self.unwatch(id);
        self.stand_by(id, now_ms);
        Ok(())
    }

    pub(super) fn free_leases_of(&mut self, id: NodeId, now_ms: u64) {
        let leases = |worker: &Worker| -> Vec<ReplicaId> {
            worker.leases.iter().chain(&worker.committed).copied().collect()
        };
        let leases = self.workers.get(&id).map(leases).unwrap_or_default();
        for replica in leases {
            if let Some(tally) = self.tally_mut(replica.job, replica.index) {
                tally.interrupt(replica.number);
            }
            self.end_lease(replica, id);
            self.evaluate(replica.job, replica.index, now_ms);
        }
    }
}
