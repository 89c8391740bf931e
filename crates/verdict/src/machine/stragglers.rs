//! The tail of a job: a replica that takes far longer than its like goes to a worker that has nothing to do.
//!
//! While tasks are left to be opened a slow worker holds up nobody: the others go on. When none are left, the job would
//! wait for the slowest of its workers. So from then on, a lease that is several times as old as the job's replicas usually
//! take ends as if it had expired, if somebody idle can take the seat. The worker is told; had it been nearly done, it would
//! have said so with its heartbeats, and kept the lease.

use protocol::{ballot::ReplicaId, identity::NodeId, job::JobId, task::Weight};

use super::{Machine, Timer};
use crate::dispatch;

/// How often the tail of a job is looked at, in milliseconds.
const LOOK_EVERY_MS: u64 = 500;
/// A replica is late after this many times the usual time.
const LATE_FACTOR: u64 = 4;
/// No replica is late before this age, in milliseconds: machines pause.
const LATE_MS_MIN: u64 = 1000;
/// A replica that is so far, in thousandths, is waited for.
const NEARLY_DONE_PERMILLE: u16 = 500;
/// How many leases are looked at, at most, in one look; the rest in later ones.
const LOOKED_AT_MAX: usize = 4096;

impl Machine {
    /// From the first ballot on after which no tasks are left to be opened, a job's tail is looked at every now and then.
    pub(super) fn watch_tail(&mut self, id: JobId, now_ms: u64) {
        let Some(job) = self.jobs.get_mut(&id).filter(|_| self.config.relets_late) else { return };
        if !job.tail_watched && !job.state().is_over() && !job.has_unopened() && job.usual_ms.is_some() {
            job.tail_watched = true;
            self.timers.insert((now_ms + LOOK_EVERY_MS, Timer::Tail(id)));
        }
    }

    /// A ballot tells how long a light task takes this worker.
    pub(super) fn note_pace(&mut self, worker: NodeId, weight: Weight, compute_us: u64) {
        if let Some(record) = self.workers.get_mut(&worker).filter(|_| weight == Weight::Light) {
            record.note_pace(compute_us);
        }
    }

    /// A ballot tells how long the replicas of a job take.
    pub(super) fn note_age(&mut self, id: JobId, age_ms: Option<u64>, now_ms: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if let Some(age_ms) = age_ms {
            let usual_ms = job.usual_ms.unwrap_or(age_ms);
            job.usual_ms = Some(smoothed(usual_ms, age_ms));
        }
        if !job.has_unopened() && !job.tail_watched {
            self.watch_tail(id, now_ms);
        }
    }

    /// Looks for late replicas of a job of which every task is open or decided, and again while some are under way.
    pub(super) fn tail_due(&mut self, id: JobId, now_ms: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.tail_watched = false;
        let Some(usual_ms) = job.usual_ms.filter(|_| !job.state().is_over()) else { return };
        let late_ms = usual_ms.saturating_mul(LATE_FACTOR).max(LATE_MS_MIN);
        let under_way = self.leases_of_job(id);
        for (replica, worker) in &under_way {
            if self.is_late(*replica, late_ms, now_ms) && self.somebody_idle_fits(*replica, worker) {
                self.end_late(*replica, *worker, now_ms);
            }
        }
        if !under_way.is_empty() {
            self.watch_tail(id, now_ms);
        }
    }

    fn leases_of_job(&self, job: JobId) -> Vec<(ReplicaId, NodeId)> {
        let leases =
            self.workers.iter().flat_map(|(id, worker)| worker.leases.iter().map(|lease| (*lease, *id)));
        leases.filter(|(replica, _)| replica.job == job).take(LOOKED_AT_MAX).collect()
    }

    fn is_late(&self, replica: ReplicaId, late_ms: u64, now_ms: u64) -> bool {
        let tally = self.jobs.get(&replica.job).and_then(|job| job.tally(replica.index));
        let issued = tally.filter(|tally| tally.is_open()).and_then(|tally| tally.replica(replica.number));
        issued.is_some_and(|issued| {
            let is_nearly_done = issued.permille().is_none_or(|permille| permille >= NEARLY_DONE_PERMILLE);
            issued.age_ms(now_ms) > late_ms && !is_nearly_done
        })
    }

    fn somebody_idle_fits(&self, replica: ReplicaId, but: &NodeId) -> bool {
        let Some(tally) = self.jobs.get(&replica.job).and_then(|job| job.tally(replica.index)) else {
            return false;
        };
        let weight = tally.terms().weight;
        self.workers.iter().any(|(id, worker)| {
            id != but
                && worker.leases.is_empty()
                && worker.has_room(weight)
                && dispatch::place(tally, id, worker).is_ok()
        })
    }

    fn end_late(&mut self, replica: ReplicaId, worker: NodeId, now_ms: u64) {
        if let Some(tally) = self.tally_mut(replica.job, replica.index) {
            tally.note_expired(worker);
        }
        self.end_lease(replica, worker);
        self.outputs.push_back(crate::input::Output::Cancel { worker, replica });
        self.evaluate(replica.job, replica.index, now_ms);
    }
}

/// An average in which the last few values count most.
pub(crate) fn smoothed(before: u64, now: u64) -> u64 {
    before - before / 8 + now / 8
}
