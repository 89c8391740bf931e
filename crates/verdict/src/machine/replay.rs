//! After a crash: the machine is made again from what it had recorded, and goes on from there.
//!
//! [`Machine::replay`] takes the ledger's entries in their order, then [`Machine::resume`] starts the clock. What was
//! decided stays decided. Tasks that were open are leased anew: what was not recorded was told to nobody. Dissenters
//! that had not acknowledged are told when they come back, and accepted outcomes that are not held any more are fetched
//! from those who voted for them; only when none of them comes back is a replica run again.

use protocol::{
    ballot::AuthenticBallot,
    digest::Digest,
    identity::NodeId,
    job::JobId,
    ledger::{CountedBallot, Decided, Enrolment, Entry, Record, Submitted},
    report::JobState,
    verdict::Verdict,
};

use super::{Machine, Timer};
use crate::{
    input::Tasks,
    job::Job,
    tally::{Correction, Effect, Tally},
    worker::Worker,
};

/// The first replica of a task is numbered at most so after a restart: two lives have the same numbers so rarely.
const FIRST_NUMBER_MAX: u64 = 1 << 31;

/// An entry that cannot follow those before it; the ledger was not written by this program, or is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The entry names a job that no entry before it submits.
    #[error("an entry is about job {0}, which was never submitted")]
    UnknownJob(JobId),
    /// A job is submitted twice.
    #[error("job {0} is submitted twice")]
    DuplicateJob(JobId),
    /// The job's text no longer gives a plan with tasks.
    #[error("job {0} cannot be planned any more")]
    Unplannable(JobId),
    /// The plan has no such task, or another one in its place.
    #[error("job {job} has no task number {index} with the id that is recorded")]
    UnknownTask {
        /// The job.
        job: JobId,
        /// The number.
        index: u64,
    },
    /// A task is decided twice, or something about its verdict comes before the verdict.
    #[error("task {index} of job {job} is decided twice, or spoken of before it is decided")]
    OutOfOrder {
        /// The job.
        job: JobId,
        /// The number.
        index: u64,
    },
}

impl Machine {
    /// Takes in an entry of the ledger. `tasks` plans a job that the entry submits; `holds` says which accepted outcomes
    /// the driver still has.
    ///
    /// # Errors
    /// [`ReplayError`] when the entry cannot follow those before it; the machine is then of no use.
    pub fn replay(
        &mut self,
        entry: &Entry,
        tasks: impl FnOnce(&Submitted) -> Option<Box<dyn Tasks>>,
        holds: impl Fn(JobId, &Digest) -> bool,
    ) -> Result<(), ReplayError> {
        match &entry.record {
            Record::Founded { .. } | Record::Revoked { .. } => Ok(()),
            Record::Enrolled(enrolment) => {
                self.replay_enrolment(enrolment);
                Ok(())
            }
            Record::Submitted(submitted) => {
                let job = submitted.job;
                if self.jobs.contains_key(&job) {
                    return Err(ReplayError::DuplicateJob(job));
                }
                let tasks = tasks(submitted).filter(|tasks| tasks.count() > 0);
                let tasks = tasks.ok_or(ReplayError::Unplannable(job))?;
                self.add_job(job, Job::new(submitted.policy.clone(), tasks, entry.at_ms));
                Ok(())
            }
            Record::Decided(decided) => {
                let is_held =
                    matches!(&decided.verdict, Verdict::Accepted(digest) if holds(decided.job, digest));
                self.replay_decided(decided, is_held, entry.at_ms)
            }
            Record::Late(counted) => self.replay_late(counted),
            Record::Corrected { job, index, worker, .. } => {
                self.replay_corrected(*job, *index, *worker, entry.at_ms)
            }
            Record::Over { job, state } => self.replay_over(*job, *state, entry.at_ms),
            Record::Quarantined(quarantined) => {
                self.shut_out(quarantined.worker, quarantined.engine, quarantined.reason);
                Ok(())
            }
            Record::Tested(tested) => {
                let said = &tested.counted.ballot.ballot;
                self.standings.tested(said.worker, said.domain.engine, tested.is_right());
                self.note_kind_test(said.worker, said.domain.engine, tested.is_right());
                Ok(())
            }
            Record::Readmitted { worker, engine } => {
                self.let_back(*worker, *engine);
                Ok(())
            }
            Record::Located(fault) => {
                self.note_located(fault);
                Ok(())
            }
            Record::SealBroken(broken) => {
                let said = &broken.ballot.ballot;
                self.note_broken_seal(said.worker, said.domain.engine);
                if let Some(record) = self.workers.get_mut(&said.worker) {
                    record.broken_seals += 1;
                }
                if let Some(job) = self.jobs.get_mut(&said.replica.job) {
                    *job.broken_seals.entry(said.worker).or_default() += 1;
                }
                Ok(())
            }
        }
    }

    fn replay_enrolment(&mut self, enrolment: &Enrolment) {
        let Enrolment { worker: id, operator, engines, build, .. } = enrolment;
        let worker = self
            .workers
            .entry(*id)
            .or_insert_with(|| Worker::new(operator.clone(), engines.clone(), build.clone(), 1));
        worker.rejoin(operator.clone(), engines.clone(), build.clone(), 1);
        worker.connected = false;
        let [held, shut] = self.shut_of(id);
        if let Some(worker) = self.workers.get_mut(id) {
            (worker.held, worker.shut) = (held, shut);
        }
    }

    fn replay_decided(&mut self, decided: &Decided, is_held: bool, at_ms: u64) -> Result<(), ReplayError> {
        let Decided { job: id, index, .. } = *decided;
        let job = self.jobs.get_mut(&id).ok_or(ReplayError::UnknownJob(id))?;
        if job.tallies.contains_key(&index) || job.is_settled(index) || job.state.is_over() {
            return Err(ReplayError::OutOfOrder { job: id, index });
        }
        let terms = job.terms(index).filter(|terms| terms.id == decided.task);
        let terms = terms.ok_or(ReplayError::UnknownTask { job: id, index })?;
        let rules = job.rules(&terms, 0);
        let tally = Tally::restored(terms, rules, decided, at_ms);
        job.disputes += u64::from(decided.disputed);
        let mut dissenters = Vec::new();
        if let Some(decision) = tally.decision() {
            job.accepted += 1;
            job.unheld.insert(index);
            dissenters.extend(decision.corrections.keys().copied());
            job.dissents += dissenters.len() as u64;
        } else {
            job.unaccepted += 1;
        }
        let voters: Vec<NodeId> = tally.ballots().keys().copied().collect();
        let equivocators: Vec<NodeId> = tally.equivocations().keys().copied().collect();
        job.restore(index, tally);
        self.note_verdict(id, index);
        self.close_later(id, index);
        for worker in voters {
            self.note_ballot(worker, Effect::Counted);
        }
        for worker in equivocators {
            self.note_ballot(worker, Effect::Equivocated);
        }
        for worker in dissenters {
            self.owe_again(worker, id, index);
        }
        if is_held {
            self.hold_again(id, index);
        }
        self.part_in_replay(at_ms);
        Ok(())
    }

    /// The driver still has the accepted outcome.
    fn hold_again(&mut self, id: JobId, index: u64) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.unheld.remove(&index);
        }
        if let Some(decision) = self.tally_mut(id, index).and_then(Tally::decision_mut) {
            decision.held = true;
        }
    }

    /// Tasks that were settled before the crash are settled again: late ballots were taken on the last ones only.
    fn part_in_replay(&mut self, at_ms: u64) {
        self.part(at_ms);
    }

    fn owe_again(&mut self, worker: NodeId, job: JobId, index: u64) {
        if let Some(record) = self.workers.get_mut(&worker) {
            record.dissents += 1;
        }
        self.owe(worker, job, index);
    }

    /// A ballot after the verdict. Only the first of a worker is counted; a second one shows equivocation.
    fn replay_late(&mut self, counted: &CountedBallot) -> Result<(), ReplayError> {
        let said = &counted.ballot.ballot;
        let (id, index, worker) = (said.replica.job, said.replica.index, said.worker);
        if !self.jobs.contains_key(&id) {
            // Jobs that are over are forgotten, the oldest first; a ballot may come later still.
            return Ok(());
        }
        if self.jobs.get(&id).is_some_and(|job| job.is_settled(index)) {
            // It waited for its outcome then, which is held now.
            self.note_ballot(worker, Effect::Counted);
            return Ok(());
        }
        let tally = self.tally_mut(id, index).filter(|tally| !tally.is_open());
        let tally = tally.ok_or(ReplayError::OutOfOrder { job: id, index })?;
        let ballot = AuthenticBallot::assume_authentic(counted.ballot.clone());
        let effect = tally.cast(ballot, false, counted.compute_us);
        let accepted = tally.decision().map(|decision| decision.accepted);
        self.note_ballot(worker, effect);
        if said.audit.is_none() || effect == Effect::Equivocated {
            self.note_late((id, index), (worker, said.domain.engine), said.digest, effect);
        }
        // A rejection is no value: its auditor is no dissenter.
        if effect == Effect::Counted
            && said.audit.is_none()
            && accepted.is_some_and(|accepted| accepted != said.digest)
        {
            if let Some(decision) = self.tally_mut(id, index).and_then(Tally::decision_mut) {
                decision.corrections.insert(worker, Correction::Unheard);
            }
            if let Some(job) = self.jobs.get_mut(&id) {
                job.dissents += 1;
            }
            self.owe_again(worker, id, index);
        }
        Ok(())
    }

    fn replay_corrected(
        &mut self,
        id: JobId,
        index: u64,
        worker: NodeId,
        at_ms: u64,
    ) -> Result<(), ReplayError> {
        let Some(job) = self.jobs.get_mut(&id) else { return Ok(()) };
        if job.is_settled(index) {
            job.corrections += 1;
            return Ok(());
        }
        let decision = job.tally(index).and_then(Tally::decision);
        if !decision.is_some_and(|decision| decision.corrections.contains_key(&worker)) {
            return Err(ReplayError::OutOfOrder { job: id, index });
        }
        self.set_correction(id, index, worker, Correction::Acknowledged(at_ms));
        self.forget_debt(worker, id, index);
        self.may_part(id, index);
        Ok(())
    }

    fn replay_over(&mut self, id: JobId, state: JobState, at_ms: u64) -> Result<(), ReplayError> {
        let job = self.jobs.get_mut(&id).ok_or(ReplayError::UnknownJob(id))?;
        job.state = state;
        job.over_ms = Some(at_ms);
        self.over.push_back(id);
        self.forget_oldest();
        Ok(())
    }

    /// Starts the clock after the last entry.
    pub fn resume(&mut self, now_ms: u64) {
        // Workers still speak about replicas of the former life: no new one has the number of one of those.
        let first_number = u32::try_from(1 + self.lots.below(FIRST_NUMBER_MAX)).unwrap_or(1);
        self.first_number = first_number;
        self.jobs.values_mut().for_each(|job| job.number_from(first_number));
        let ids = self.queue.clone();
        for id in ids {
            let Some(job) = self.jobs.get(&id) else { continue };
            let is_over = job.state.is_over();
            let ended: Vec<(u64, bool)> = job
                .tallies
                .iter()
                .map(|(index, tally)| (*index, tally.decision().is_some_and(|decision| decision.held)))
                .collect();
            for (index, is_held) in ended {
                self.resume_decided(id, index, is_held, is_over, now_ms);
                // Nobody knows any more who was asked and has not answered.
                self.close(id, index);
            }
            self.end_if_done(id, now_ms);
        }
        self.judge_all(now_ms);
    }

    fn resume_decided(&mut self, id: JobId, index: u64, held: bool, is_over: bool, now_ms: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let deadline_ms = now_ms.saturating_add(job.policy.lease_ms);
        let Some(tally) = job.tallies.get_mut(&index) else { return };
        let winners: Vec<NodeId> = tally.winners().collect();
        let Some(decision) = tally.decision_mut() else { return };
        if held {
            decision.held = true;
            job.unheld.remove(&index);
        } else if is_over {
            job.unheld.remove(&index);
            job.lost.insert(index);
        } else {
            // As they come back they are asked, one after the other.
            self.givers.extend(winners.iter().map(|worker| (*worker, id, index)));
            decision.asked.extend(winners);
            self.timers.insert((deadline_ms, Timer::Outcome(id, index)));
        }
        let unheard: Vec<NodeId> = decision
            .corrections
            .iter()
            .filter(|(_, correction)| **correction == Correction::Unheard)
            .map(|(worker, _)| *worker)
            .collect();
        for worker in unheard.into_iter().filter(|_| !is_over) {
            self.set_correction(id, index, worker, Correction::Sent { deadline_ms });
            self.timers.insert((deadline_ms, Timer::Correction(id, index, worker)));
        }
        self.reconcile(id, index);
    }

    /// Nobody who held the accepted outcome gave it in time: whoever is here now is asked once more, or another replica
    /// is run.
    pub(super) fn outcome_due(&mut self, id: JobId, index: u64, now_ms: u64) {
        if self.jobs.get(&id).is_some_and(|job| job.unheld.contains(&index) && !job.state.is_over()) {
            self.fetch_outcome(id, index, now_ms);
        }
    }
}
