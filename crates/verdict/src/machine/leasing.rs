//! Filling seats: open tasks meet workers that have room, and leases that nobody keeps alive end.

use protocol::{ballot::ReplicaId, identity::NodeId, job::JobId, task::Weight};

use super::{Machine, Timer};
use crate::{
    dispatch::{self, Placement},
    input::Output,
    job::Job,
    worker::Worker,
};

/// How many hungry tasks are looked at for one worker before another task is opened.
const SCAN_MAX: usize = 256;
/// How many tasks of one job may wait for workers before no more are opened.
const HUNGRY_MAX: usize = 4096;

impl Machine {
    /// Gives every worker that has room a replica at a time, in an order that is drawn, until nothing fits any more.
    pub(super) fn lease_out(&mut self, now_ms: u64) {
        if self.running.iter().filter_map(|id| self.jobs.get(id)).any(Job::wants_workers) {
            let live = self.workers.values().filter(|worker| worker.is_alive()).count();
            let live = u32::try_from(live).unwrap_or(u32::MAX);
            let may_ask = |worker: &Worker| worker.takes_leases() && worker.has_room(Weight::Light);
            let mut order: Vec<NodeId> =
                self.workers.iter().filter(|(_, worker)| may_ask(worker)).map(|(id, _)| *id).collect();
            while !order.is_empty() {
                self.lots.shuffle(&mut order);
                order.retain(|id| self.lease_one(*id, live, now_ms));
            }
        }
        if self.config.electorate_closed {
            self.give_up_unfillable(now_ms);
        }
    }

    /// Leases one replica to a worker, of the oldest job that has one for it. Which of the job's first tasks it gets is
    /// drawn: workers that answer at the same moment shall not meet in the next task for that.
    fn lease_one(&mut self, id: NodeId, workers_live: u32, now_ms: u64) -> bool {
        let Some(worker) = self.workers.get(&id).filter(|worker| worker.has_room(Weight::Light)) else {
            return false;
        };
        let mut found = None;
        for job_id in &self.running {
            let Some(job) = self.jobs.get_mut(job_id) else { continue };
            let choice = job.choice(workers_live);
            while job.hungry.len() < choice
                && let Some(terms) = job.next_terms().filter(|terms| worker.has_room(terms.weight))
            {
                let index = job.open(terms, workers_live, now_ms);
                if self.config.electorate_closed {
                    self.suspects.insert((*job_id, index));
                }
            }
            let drawn = self.lots.below(job.hungry.len().min(choice) as u64);
            let drawn = usize::try_from(drawn).unwrap_or(0);
            let hungry = job.hungry.iter().skip(drawn).take(SCAN_MAX).chain(job.hungry.iter().take(drawn));
            let fit = hungry.copied().find_map(|index| {
                let tally = job.tallies.get(&index)?;
                let fits = worker.has_room(tally.terms().weight);
                fits.then(|| dispatch::place(tally, &id, worker).ok()).flatten().map(|place| (index, place))
            });
            if let Some((index, placement)) = fit {
                found = Some((*job_id, index, placement));
                break;
            }
            if job.hungry.len() >= HUNGRY_MAX {
                continue;
            }
            let Some(terms) = job.next_terms() else { continue };
            if worker.has_room(terms.weight) {
                let index = job.open(terms, workers_live, now_ms);
                if self.config.electorate_closed {
                    self.suspects.insert((*job_id, index));
                }
                let Some(tally) = job.tallies.get(&index) else { continue };
                if let Ok(placement) = dispatch::place(tally, &id, worker) {
                    found = Some((*job_id, index, placement));
                    break;
                }
            }
        }
        let Some((job_id, index, placement)) = found else { return false };
        self.lease_to(id, job_id, index, placement, now_ms);
        true
    }

    fn lease_to(&mut self, id: NodeId, job_id: JobId, index: u64, placement: Placement, now_ms: u64) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let Some(job) = self.jobs.get_mut(&job_id) else { return };
        let Some(tally) = job.tallies.get_mut(&index) else { return };
        let Placement { engine, device, formula } = placement;
        let (number, expires_ms) =
            tally.lease(id, worker.operator.clone(), (engine, device), formula, now_ms);
        let replica = ReplicaId { job: job_id, index, task: tally.terms().id, number };
        worker.take(replica, tally.terms().weight);
        if tally.vacant_seats() == 0 {
            job.hungry.remove(&index);
        }
        self.timers.insert((expires_ms, Timer::Lease(replica)));
        self.outputs.push_back(Output::Lease {
            worker: id,
            replica,
            engine,
            formula,
            lease_ms: tally.rules().lease_ms,
            quorum: tally.rules().quorum,
            sealed: tally.asks_for_seals(),
        });
        self.suspect(job_id, index);
        // It may have been the last one that could be asked: its answer must not be waited for alone.
        self.pardon_if_nobody_is_left(job_id, index);
    }

    /// A worker that came back keeps the leases that nobody took over meanwhile; the others are cancelled.
    pub(super) fn resume_leases(&mut self, id: NodeId, resumes: &[ReplicaId], now_ms: u64) {
        for replica in resumes {
            let Ok(tally) = self.leased_tally(id, *replica) else {
                self.outputs.push_back(Output::Cancel { worker: id, replica: *replica });
                continue;
            };
            if tally.vacant_seats() == 0 || !tally.may_ask(&id) {
                if !tally.ballots().contains_key(&id) {
                    tally.dismiss(replica.number);
                    self.outputs.push_back(Output::Cancel { worker: id, replica: *replica });
                }
                continue;
            }
            let expires_ms = tally.resume(replica.number, now_ms);
            let (weight, filled) = (tally.terms().weight, tally.vacant_seats() == 0);
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.take(*replica, weight);
                if expires_ms.is_none() {
                    worker.commit(*replica, weight);
                }
            }
            if filled && let Some(job) = self.jobs.get_mut(&replica.job) {
                job.hungry.remove(&replica.index);
            }
            match expires_ms {
                Some(expires_ms) => drop(self.timers.insert((expires_ms, Timer::Lease(*replica)))),
                None => self.note_committed(replica.job, replica.index, now_ms),
            }
            self.suspect(replica.job, replica.index);
        }
    }

    /// A lease may have expired, unless it was renewed or has ended.
    pub(super) fn lease_due(&mut self, replica: ReplicaId, now_ms: u64) {
        let Some(tally) = self.tally_mut(replica.job, replica.index) else { return };
        let Some(expires_ms) = tally.lease_expires_ms(replica.number) else { return };
        if expires_ms > now_ms {
            tally.note_timer(replica.number, expires_ms);
            self.timers.insert((expires_ms, Timer::Lease(replica)));
            return;
        }
        let Some(worker) = tally.replica(replica.number).map(|issued| issued.worker) else {
            return;
        };
        tally.note_expired(worker);
        self.end_lease(replica, worker);
        self.outputs.push_back(Output::Cancel { worker, replica });
        self.evaluate(replica.job, replica.index, now_ms);
    }

    /// Something happened to a task, after which its vacant seats may be more than the workers that can take one.
    pub(super) fn suspect(&mut self, job: JobId, index: u64) {
        if self.config.electorate_closed {
            self.suspects.insert((job, index));
        }
    }

    /// In a closed electorate, a seat that none of the known workers can take is not waited for. Whether one can
    /// depends on the task's own history alone, so only tasks to which something happened are looked at.
    fn give_up_unfillable(&mut self, now_ms: u64) {
        let suspects = std::mem::take(&mut self.suspects);
        let is_hungry =
            |(id, index): &(JobId, u64)| self.jobs.get(id).is_some_and(|job| job.hungry.contains(index));
        let hungry: Vec<(JobId, u64)> =
            suspects.into_iter().filter(|task| is_hungry(task) && self.nobody_fits(task.0, task.1)).collect();
        for (id, index) in hungry {
            self.ripen(id, index);
            let Some(tally) = self.tally_mut(id, index) else { continue };
            if !tally.is_open() {
                self.lose_outcome(id, index, now_ms);
                continue;
            }
            tally.give_up_vacant_seats();
            if tally.outstanding().next().is_none() {
                let verdict = tally.exhausted_verdict();
                if !matches!(tally.count(), crate::tally::Count::Won(_)) {
                    self.exhaust(id, index, verdict);
                    self.end_if_done(id, now_ms);
                    continue;
                }
            }
            if let Some(job) = self.jobs.get_mut(&id) {
                job.hungry.remove(&index);
            }
            if self.tally_mut(id, index).is_some_and(|t| matches!(t.count(), crate::tally::Count::Won(_))) {
                self.evaluate(id, index, now_ms);
            }
        }
    }

    fn nobody_fits(&self, job: JobId, index: u64) -> bool {
        let Some(tally) = self.jobs.get(&job).and_then(|job| job.tally(index)) else { return false };
        self.workers.iter().all(|(id, worker)| dispatch::place(tally, id, worker).is_err())
    }
}
