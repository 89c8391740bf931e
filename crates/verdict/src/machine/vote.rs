//! From a count to a verdict: what happens to a task when its ballots or its leases changed.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    ballot::ReplicaId,
    digest::Digest,
    job::JobId,
    ledger::Record,
    report::JobState,
    verdict::{Certificate, Verdict},
};

use super::Machine;
use crate::{
    input::{Output, Rejected},
    tally::{Correction, Count, Decision, State},
};

impl Machine {
    /// Counts a task's ballots and does what follows.
    pub(super) fn evaluate(&mut self, job: JobId, index: u64, now_ms: u64) {
        let Some(tally) = self.tally_mut(job, index) else { return };
        if !tally.is_open() {
            return self.look_for_outcome(job, index, now_ms);
        }
        match self.count(job, index) {
            Count::Won(digest) => return self.decide(job, index, digest, now_ms),
            Count::Hopeless => {
                self.exhaust(job, index, Verdict::Undecided);
                return self.end_if_done(job, now_ms);
            }
            Count::NeedsSeats(more) => {
                if let Some(tally) = self.tally_mut(job, index) {
                    tally.grow(more);
                }
            }
            Count::Open | Count::Try(_) | Count::NeedsAudit | Count::GiveUp(_) | Count::Draw => {}
        }
        let Some(tally) = self.tally_mut(job, index) else { return };
        if tally.is_spent() {
            let verdict = tally.exhausted_verdict();
            self.exhaust(job, index, verdict);
            return self.end_if_done(job, now_ms);
        }
        let hungry = tally.vacant_seats() > 0;
        if hungry {
            self.pardon_if_nobody_is_left(job, index);
        }
        self.ripen(job, index);
        if hungry {
            self.invite(job, index, now_ms);
            self.hunger(job, index);
        } else {
            self.sate(job, index);
        }
    }

    /// A digest has won.
    fn decide(&mut self, id: JobId, index: u64, accepted: Digest, now_ms: u64) {
        self.cancel_outstanding(id, index);
        self.forget_seals(id, index);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(tally) = job.tallies.get_mut(&index) else { return };
        tally.settle_quorum(&accepted);
        let dissenters: Vec<_> = tally
            .ballots()
            .iter()
            .filter(|(_, cast)| cast.ballot.ballot().digest != accepted)
            .map(|(worker, _)| *worker)
            .collect();
        let held =
            tally.ballots().values().any(|cast| cast.outcome_held && cast.ballot.ballot().digest == accepted)
                || tally.holds_tested(&accepted);
        tally.end_trial();
        let corrections: BTreeMap<_, _> =
            dissenters.iter().map(|worker| (*worker, Correction::Waiting)).collect();
        tally.state = State::Decided(Decision {
            accepted,
            decided_ms: now_ms,
            held: false,
            corrections,
            asked: BTreeSet::new(),
            rerun: false,
        });
        job.hungry.remove(index);
        job.accepted += 1;
        job.dissents += dissenters.len() as u64;
        job.correcting += dissenters.len() as u64;
        job.unheld.insert(index);
        for worker in &dissenters {
            if let Some(record) = self.workers.get_mut(worker) {
                record.dissents += 1;
            }
            self.owe(*worker, id, index);
        }
        self.forget_two_faced(id, index);
        self.forget_invitations(id, index);
        self.follow_trust(id, index, &dissenters);
        self.record_decided(id, index, Verdict::Accepted(accepted));
        self.outputs.push_back(Output::Announce { job: id, index, verdict: Verdict::Accepted(accepted) });
        if held {
            self.hold(id, index, now_ms);
        } else {
            self.fetch_outcome(id, index, now_ms);
        }
        self.end_if_done(id, now_ms);
    }

    /// A task ends without a winner.
    pub(super) fn exhaust(&mut self, id: JobId, index: u64, verdict: Verdict) {
        self.cancel_outstanding(id, index);
        self.forget_seals(id, index);
        self.forget_givers(id, index);
        self.forget_two_faced(id, index);
        self.forget_invitations(id, index);
        self.doubt_author(id, index);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(tally) = job.tallies.get_mut(&index) else { return };
        tally.state = State::Exhausted(verdict.clone());
        job.hungry.remove(index);
        job.unaccepted += 1;
        self.record_decided(id, index, verdict.clone());
        self.outputs.push_back(Output::Announce { job: id, index, verdict });
        self.may_part(id, index);
    }

    fn record_decided(&mut self, job: JobId, index: u64, verdict: Verdict) {
        let Some(tally) = self.jobs.get(&job).and_then(|job| job.tally(index)) else { return };
        let record = Record::Decided(tally.to_record(job, index, verdict));
        self.outputs.push_back(Output::Record(Box::new(record)));
        let noted = self.note_verdict(job, index);
        self.to_judge.extend(noted.into_iter().map(|worker| (worker, job)));
        self.feed_starved();
        let Some(tally) = self.jobs.get(&job).and_then(|job| job.tally(index)) else { return };
        // From here on the ballots are safe: their workers need not offer them again.
        self.outputs.extend(tally.voters().map(|(worker, replica)| Output::Counted { worker, replica }));
        self.close_later(job, index);
    }

    /// Nobody waits for the replicas that are still out.
    pub(super) fn cancel_outstanding(&mut self, job: JobId, index: u64) {
        let Some(tally) = self.tally_mut(job, index) else { return };
        let task = tally.terms().id;
        let outstanding: Vec<_> =
            tally.outstanding().map(|(number, issued)| (number, issued.worker)).collect();
        for (number, worker) in outstanding {
            let replica = ReplicaId { job, index, task, number };
            self.end_lease(replica, worker);
            self.outputs.push_back(Output::Cancel { worker, replica });
        }
    }

    /// Ends a job when every task is decided, every outcome held and every correction settled.
    pub(super) fn end_if_done(&mut self, id: JobId, now_ms: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.state.is_over() || !job.all_decided() {
            return;
        }
        if !job.unheld.is_empty() || job.correcting > 0 {
            job.state = JobState::Correcting;
            return;
        }
        let state = if job.unaccepted == 0 && job.lost.is_empty() {
            JobState::Reconciled
        } else {
            JobState::Incomplete
        };
        self.end_job(id, state, now_ms);
    }

    pub(super) fn end_job(&mut self, id: JobId, state: JobState, now_ms: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.state = state;
        job.over_ms = Some(now_ms);
        job.hungry.clear();
        self.over.push_back(id);
        self.outputs.push_back(Output::Record(Box::new(Record::Over { job: id, state })));
        self.outputs.push_back(Output::JobOver { job: id, state });
        self.forget_oldest();
    }

    /// Nobody waits for a job any more.
    pub(super) fn abandon(&mut self, id: JobId, now_ms: u64) -> Result<(), Rejected> {
        let job = self.jobs.get_mut(&id).ok_or(Rejected::UnknownJob(id))?;
        if job.state.is_over() {
            return Ok(());
        }
        job.hungry.clear();
        let open: Vec<u64> =
            job.tallies.iter().filter(|(_, tally)| tally.is_open()).map(|(index, _)| *index).collect();
        for index in open {
            self.exhaust(id, index, Verdict::Undecided);
        }
        self.end_job(id, JobState::Abandoned, now_ms);
        Ok(())
    }

    /// Keeps the number of jobs that are over within its bound.
    pub(super) fn forget_oldest(&mut self) {
        // The task at which a fault was located is given to other engines of that kind: its job is kept beside the others.
        let is_needed = |job: &&JobId| self.cases.needs(job);
        let needed = if self.cases.is_empty() { 0 } else { self.over.iter().filter(is_needed).count() };
        while self.over.len() > self.config.jobs_kept_max + needed {
            let Some(place) = self.over.iter().position(|job| !self.cases.needs(job)) else { return };
            let Some(oldest) = self.over.remove(place) else { return };
            self.forget_job(oldest);
        }
    }

    /// The ballots that prove an accepted task: those that were counted before the verdict. Of a task that is settled only
    /// the ledger knows them.
    pub fn certificate(&self, id: JobId, index: u64) -> Option<Certificate> {
        let tally = self.jobs.get(&id)?.tally(index)?;
        let accepted = tally.decision()?.accepted;
        let ballots = tally.timely().cloned();
        let audits = tally.audits().iter().filter(|cast| !cast.late).map(|cast| cast.ballot.signed().clone());
        let quorum = tally.rules().quorum;
        Some(Certificate::of((id, index, tally.terms().id), (accepted, quorum), ballots, audits))
    }
}
