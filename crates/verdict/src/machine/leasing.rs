//! Filling seats: open tasks meet workers that have room, and leases that nobody keeps alive end.
//!
//! Workers look for tasks, each at what changed since it looked last ([`crate::hungry`]); tasks to which something
//! happens are offered to those that found nothing ([`crate::crowds`]). So an input costs what follows from it, however
//! many workers and open tasks there are. Who is next is drawn each time.

use std::collections::BTreeSet;

use protocol::{ballot::ReplicaId, identity::NodeId, job::JobId, task::Weight};

use super::{LeaseEnd, Machine};
use crate::{
    crowds::Turn,
    dispatch::{self, Placement, Unfit},
    input::Output,
    job::{HUNGRY_MAX, Job},
};

/// How often a worker looks for a task, or is asked about one, after one input; the rest follows at the next wake-up.
const LOOKS_MAX: usize = 4096;

/// What idle workers are asked about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Offer {
    /// A task to which something happened.
    Task(JobId, u64),
    /// A job of which more tasks can be opened.
    Job(JobId),
}

impl Machine {
    /// Gives every worker that has room a replica at a time, in an order that is drawn, until nothing fits any more.
    pub(super) fn lease_out(&mut self, now_ms: u64) {
        self.crowds.begin_round(Turn::of_looking());
        self.offer_sated_jobs();
        let mut is_behind = true;
        for _ in 0..LOOKS_MAX {
            if self.pardon_next() || self.make_offer(now_ms) {
                continue;
            }
            if !self.is_anybody_wanted() || !self.let_one_look(now_ms) {
                is_behind = false;
                break;
            }
        }
        if is_behind {
            self.behind_ms = Some(now_ms);
        } else if self.config.electorate_closed {
            // A trial that is given up makes room for the next, or for another worker to compute.
            for _ in 0..LOOKS_MAX {
                if self.suspects.is_empty() {
                    break;
                }
                self.give_up_unfillable(now_ms);
            }
        }
    }

    /// Whether some task may want a worker.
    fn is_anybody_wanted(&mut self) -> bool {
        while let Some((_, job)) = self.wanting.first() {
            if self.jobs.get(job).is_some_and(Job::wants_workers) {
                return true;
            }
            self.wanting.pop_first();
        }
        false
    }

    /// One of those that look takes a replica, or is idle from now on; false when nobody looks.
    fn let_one_look(&mut self, now_ms: u64) -> bool {
        let turn = Turn::of_looking();
        let drawn = self.crowds.draw(turn, &mut self.lots).or_else(|| {
            self.crowds.begin_round(turn);
            self.crowds.draw(turn, &mut self.lots)
        });
        let Some(id) = drawn else { return false };
        self.look(id, now_ms);
        true
    }

    /// A worker takes a replica if it finds one; whether it did.
    fn look(&mut self, id: NodeId, now_ms: u64) -> bool {
        let found = self.find(id, now_ms);
        if let Some((job, index, placement)) = found {
            self.lease_to(id, job, index, placement, now_ms);
            return true;
        }
        match self.workers.get(&id) {
            Some(worker) if worker.has_room(Weight::Light) => self.crowds.idle(id, worker),
            _ => self.crowds.remove(&id),
        }
        false
    }

    /// A replica for a worker, of the oldest job that has one for it.
    fn find(&mut self, id: NodeId, now_ms: u64) -> Option<(JobId, u64, Placement)> {
        let worker = self.workers.get(&id).filter(|worker| worker.has_room(Weight::Light))?;
        let (mut found, mut opened, mut sated) = (None, Vec::new(), Vec::new());
        for (order, job_id) in &self.wanting {
            let Some(job) = self.jobs.get_mut(job_id).filter(|job| job.wants_workers()) else {
                sated.push((*order, *job_id));
                continue;
            };
            let mut news = Vec::new();
            let fit = job.find((&id, worker), self.live, &mut self.lots, now_ms, &mut news);
            opened.extend(news.into_iter().map(|index| (*job_id, index)));
            if let Some((index, placement)) = fit {
                found = Some((*job_id, index, placement));
                break;
            }
            if job.hungry.len() >= HUNGRY_MAX && job.has_unopened() {
                self.glutted.insert(*job_id);
            }
        }
        for entry in sated {
            self.wanting.remove(&entry);
        }
        for (job, index) in opened {
            self.suspect(job, index);
            self.offer(Offer::Task(job, index));
        }
        found
    }

    /// A task wants a worker, or other workers than before.
    pub(super) fn hunger(&mut self, job: JobId, index: u64) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some(weight) = record.tally(index).map(|tally| tally.terms().weight) else { return };
        record.hungry.insert(index, weight);
        self.wanting.insert((record.order, job));
        self.suspect(job, index);
        self.offer(Offer::Task(job, index));
    }

    /// A task wants nobody.
    pub(super) fn sate(&mut self, job: JobId, index: u64) {
        if let Some(record) = self.jobs.get_mut(&job) {
            record.hungry.remove(index);
        }
    }

    /// Asks those who found nothing before, if there are any.
    pub(super) fn offer(&mut self, offer: Offer) {
        if self.crowds.any_idle() {
            self.offers.push_back(offer);
        }
    }

    /// Jobs of which too many tasks were open go on when half of them have found their workers.
    fn offer_sated_jobs(&mut self) {
        if self.glutted.is_empty() {
            return;
        }
        let jobs = &self.jobs;
        let waits = |id: &JobId| jobs.get(id).is_some_and(|job| job.hungry.len() > HUNGRY_MAX / 2);
        let (waiting, sated): (BTreeSet<JobId>, BTreeSet<JobId>) =
            std::mem::take(&mut self.glutted).into_iter().partition(waits);
        self.glutted = waiting;
        for id in sated {
            self.offer(Offer::Job(id));
        }
    }

    /// Asks one worker about the first offer; false when there is none.
    fn make_offer(&mut self, now_ms: u64) -> bool {
        let Some(offer) = self.offers.front().copied() else { return false };
        let turn = match offer {
            Offer::Task(id, index) => {
                let job = self.jobs.get(&id).filter(|job| job.hungry.contains(index));
                job.and_then(|job| job.tally(index))
                    .map(|tally| Turn::of_able(tally.engines_wanted(), tally.terms().weight))
            }
            Offer::Job(id) => self.jobs.get(&id).is_some_and(Job::wants_workers).then(Turn::of_all),
        };
        let drawn = turn.and_then(|turn| self.crowds.draw(turn, &mut self.lots));
        let Some(worker) = drawn else {
            self.offers.pop_front();
            self.crowds.begin_round(Turn::of_all());
            return true;
        };
        match offer {
            Offer::Task(job, index) => self.ask(worker, job, index, now_ms),
            Offer::Job(_) => {
                if self.look(worker, now_ms) {
                    // There may be more for it.
                    self.look_if_room(worker);
                }
            }
        }
        true
    }

    /// A worker takes a replica of this task, if it fits.
    fn ask(&mut self, id: NodeId, job_id: JobId, index: u64, now_ms: u64) {
        let Some(tally) = self.jobs.get(&job_id).and_then(|job| job.tally(index)) else { return };
        let Some(worker) = self.workers.get(&id) else { return self.crowds.remove(&id) };
        if !worker.has_room(tally.terms().weight) {
            return self.keep_in_crowd(id);
        }
        if tally.is_invited(&id)
            && let Ok(placement) = dispatch::place(tally, &id, worker)
        {
            self.lease_to(id, job_id, index, placement, now_ms);
        }
    }

    /// A worker has more room than before.
    pub(super) fn wake(&mut self, id: NodeId) {
        if let Some(worker) = self.workers.get(&id).filter(|worker| worker.has_room(Weight::Light)) {
            self.crowds.wake(id, worker);
        }
    }

    /// A worker has less room than before.
    fn keep_in_crowd(&mut self, id: NodeId) {
        match self.workers.get(&id) {
            Some(worker) if worker.has_room(Weight::Light) => self.crowds.stay(id, worker),
            _ => self.crowds.remove(&id),
        }
    }

    fn look_if_room(&mut self, id: NodeId) {
        if self.workers.get(&id).is_some_and(|worker| worker.has_room(Weight::Light)) {
            self.crowds.look(id);
        }
    }

    /// A worker is not what it was: whatever did not fit it may fit now.
    pub(super) fn look_anew(&mut self, id: NodeId) {
        for (_, job) in &self.wanting {
            if let Some(job) = self.jobs.get_mut(job) {
                job.hungry.look_again(&id);
            }
        }
        self.crowds.remove(&id);
        self.wake(id);
    }

    fn lease_to(&mut self, id: NodeId, job_id: JobId, index: u64, placement: Placement, now_ms: u64) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let Some(job) = self.jobs.get_mut(&job_id) else { return };
        let Some(tally) = job.tallies.get_mut(&index) else { return };
        let Placement { engine, device, formula, audit } = placement;
        let (number, expires_ms) =
            tally.lease(id, worker.operator.clone(), (engine, device), (formula, audit), now_ms);
        let replica = ReplicaId { job: job_id, index, task: tally.terms().id, number };
        self.leased += usize::from(worker.take(replica, tally.terms().weight));
        if tally.vacant_seats() == 0 {
            job.hungry.remove(index);
        }
        self.lease_ends.insert(LeaseEnd::of(&replica, expires_ms));
        self.outputs.push_back(Output::Lease {
            worker: id,
            replica,
            engine,
            formula,
            lease_ms: tally.rules().lease_ms,
            quorum: tally.rules().quorum,
            sealed: tally.asks_for_seals(),
            audit,
            witness: audit.is_none() && tally.wants_witness(formula),
        });
        let may_pardon = tally.may_pardon();
        self.keep_in_crowd(id);
        self.suspect(job_id, index);
        if may_pardon || !self.lapsed.is_empty() {
            // It may have been the last one that could be asked: its answer must not be waited for alone.
            self.pardon_if_nobody_is_left(job_id, index);
        }
    }

    /// A worker that came back keeps the leases that nobody took over meanwhile; the others are cancelled.
    pub(super) fn resume_leases(&mut self, id: NodeId, resumes: &[ReplicaId], now_ms: u64) {
        for replica in resumes {
            let shut = self.standings.shut(&id);
            let Ok(tally) = self.leased_tally(id, *replica) else {
                self.outputs.push_back(Output::Cancel { worker: id, replica: *replica });
                continue;
            };
            let is_shut = tally.replica(replica.number).is_some_and(|issued| shut.has(issued.engine));
            let is_no_check = tally.is_no_check(&id, replica.number);
            if is_shut || is_no_check || tally.vacant_seats() == 0 || !tally.may_ask(&id) {
                if !tally.ballots().contains_key(&id) {
                    tally.dismiss(replica.number);
                    self.outputs.push_back(Output::Cancel { worker: id, replica: *replica });
                }
                continue;
            }
            let expires_ms = tally.resume(replica.number, now_ms);
            let (weight, filled) = (tally.terms().weight, tally.vacant_seats() == 0);
            if let Some(worker) = self.workers.get_mut(&id) {
                self.leased += usize::from(worker.take(*replica, weight));
                if expires_ms.is_none() {
                    self.leased -= usize::from(worker.commit(*replica, weight));
                }
            }
            self.keep_in_crowd(id);
            if filled {
                self.sate(replica.job, replica.index);
            }
            match expires_ms {
                Some(expires_ms) => drop(self.lease_ends.insert(LeaseEnd::of(replica, expires_ms))),
                None => self.note_committed(replica.job, replica.index, now_ms),
            }
            self.suspect(replica.job, replica.index);
        }
    }

    /// A lease may have expired, unless it was renewed or has ended.
    pub(super) fn lease_due(&mut self, end: LeaseEnd, now_ms: u64) {
        let LeaseEnd { job, index, number, .. } = end;
        let Some(tally) = self.tally_mut(job, index) else { return };
        let replica = ReplicaId { job, index, task: tally.terms().id, number };
        let Some(expires_ms) = tally.lease_expires_ms(replica.number) else { return };
        if expires_ms > now_ms {
            tally.note_timer(replica.number, expires_ms);
            self.lease_ends.insert(LeaseEnd::of(&replica, expires_ms));
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
            |(id, index): &(JobId, u64)| self.jobs.get(id).is_some_and(|job| job.hungry.contains(*index));
        let hungry: Vec<(JobId, u64)> =
            suspects.into_iter().filter(|task| is_hungry(task) && self.nobody_fits(task.0, task.1)).collect();
        for (id, index) in hungry {
            self.ripen(id, index);
            let Some(tally) = self.tally_mut(id, index) else { continue };
            if !tally.is_open() {
                self.lose_outcome(id, index, now_ms);
                continue;
            }
            if let Some(prover) = tally.trial().map(|trial| trial.order.prover) {
                self.give_up_trial(id, index, prover, now_ms);
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
            self.sate(id, index);
            if self.tally_mut(id, index).is_some_and(|t| matches!(t.count(), crate::tally::Count::Won(_))) {
                self.evaluate(id, index, now_ms);
            }
        }
    }

    fn nobody_fits(&self, job: JobId, index: u64) -> bool {
        let Some(tally) = self.jobs.get(&job).and_then(|job| job.tally(index)) else { return false };
        self.workers.iter().all(|(id, worker)| match dispatch::place(tally, id, worker) {
            Ok(_) => false,
            Err(Unfit::Quarantined) => !self.may_be_released(id),
            Err(Unfit::Asked | Unfit::NotDistinct(_)) => true,
        })
    }
}
