//! After a verdict: the accepted outcome is fetched from a winner, and dissenters are told until they acknowledge.

use protocol::{ballot::ReplicaId, digest::Digest, identity::NodeId, job::JobId, ledger::Record};

use super::{Machine, Timer};
use crate::{
    input::{Output, Rejected},
    tally::{Correction, State},
    worker::Worker,
};

impl Machine {
    /// Asks a connected winner that was not asked yet for the accepted outcome. Where there is none, another replica
    /// is run to get it.
    pub(super) fn fetch_outcome(&mut self, id: JobId, index: u64, now_ms: u64) {
        let Some(tally) = self.jobs.get_mut(&id).and_then(|job| job.tallies.get_mut(&index)) else { return };
        let Some(accepted) = tally.decision().map(|decision| decision.accepted) else { return };
        let winners: Vec<NodeId> = tally.winners().collect();
        let Some(decision) = tally.decision_mut() else { return };
        self.givers.extend(winners.iter().map(|worker| (*worker, id, index)));
        let next = winners.into_iter().find(|worker| {
            !decision.asked.contains(worker) && self.workers.get(worker).is_some_and(Worker::is_present)
        });
        if let Some(worker) = next {
            decision.asked.insert(worker);
            self.outputs.push_back(Output::Fetch { worker, job: id, index, digest: accepted });
        } else {
            decision.rerun = true;
            self.look_for_outcome(id, index, now_ms);
        }
    }

    /// Keeps a decided task whose outcome is missing among those that want a worker, until every try is spent.
    pub(super) fn look_for_outcome(&mut self, id: JobId, index: u64, now_ms: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(tally) = job.tallies.get(&index) else { return };
        let missing = tally.decision().is_some_and(|decision| decision.rerun && !decision.held);
        if missing && tally.vacant_seats() > 0 {
            self.hunger(id, index);
        } else if missing && tally.outstanding().next().is_none() {
            self.lose_outcome(id, index, now_ms);
        } else {
            job.hungry.remove(index);
        }
    }

    /// Nobody can give the accepted outcome any more.
    pub(super) fn lose_outcome(&mut self, id: JobId, index: u64, now_ms: u64) {
        self.forget_givers(id, index);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.hungry.remove(index);
        if job.unheld.remove(&index) {
            job.lost.insert(index);
        }
        let decision = job.tallies.get(&index).and_then(|tally| tally.decision());
        let dissenters: Vec<NodeId> =
            decision.map(|decision| decision.corrections.keys().copied().collect()).unwrap_or_default();
        for worker in dissenters {
            self.set_correction(id, index, worker, Correction::Unheard);
        }
        self.may_part(id, index);
        self.end_if_done(id, now_ms);
    }

    pub(super) fn outcome_held(&mut self, id: JobId, index: u64, now_ms: u64) -> Result<(), Rejected> {
        let job = self.jobs.get(&id).ok_or(Rejected::UnknownJob(id))?;
        if job.tally(index).and_then(|tally| tally.decision()).is_none() {
            return Err(Rejected::UnknownTask { job: id, index });
        }
        self.hold(id, index, now_ms);
        self.end_if_done(id, now_ms);
        Ok(())
    }

    /// The accepted outcome is here: dissenters can be told.
    pub(super) fn hold(&mut self, id: JobId, index: u64, now_ms: u64) {
        self.forget_givers(id, index);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.unheld.remove(&index);
        job.lost.remove(&index);
        job.hungry.remove(index);
        let Some(decision) = job.tallies.get_mut(&index).and_then(|tally| tally.decision_mut()) else {
            return;
        };
        if decision.held {
            return;
        }
        decision.held = true;
        let dissenters: Vec<NodeId> = decision.corrections.keys().copied().collect();
        for worker in dissenters {
            self.send_correction(id, index, worker, now_ms);
        }
        self.reconcile(id, index);
    }

    pub(super) fn outcome_withheld(
        &mut self,
        id: JobId,
        index: u64,
        worker: NodeId,
        now_ms: u64,
    ) -> Result<(), Rejected> {
        let job = self.jobs.get_mut(&id).ok_or(Rejected::UnknownJob(id))?;
        let unheld = job.unheld.contains(&index);
        let tally = job.tallies.get_mut(&index).ok_or(Rejected::UnknownTask { job: id, index })?;
        let decision = tally.decision_mut().ok_or(Rejected::UnknownTask { job: id, index })?;
        if unheld {
            decision.asked.insert(worker);
            self.fetch_outcome(id, index, now_ms);
        }
        Ok(())
    }

    /// A ballot that came after the verdict, against it: its worker is corrected like any dissenter.
    pub(super) fn late_ballot(
        &mut self,
        worker: NodeId,
        replica: ReplicaId,
        digest: Digest,
        outcome_held: bool,
        now_ms: u64,
    ) {
        let (id, index) = (replica.job, replica.index);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(decision) = job.tallies.get_mut(&index).and_then(|tally| tally.decision_mut()) else {
            return;
        };
        if decision.accepted == digest {
            if !decision.held && outcome_held {
                self.hold(id, index, now_ms);
                self.end_if_done(id, now_ms);
            } else if !decision.held {
                self.fetch_outcome(id, index, now_ms);
            }
            return;
        }
        let held = decision.held;
        decision.corrections.insert(worker, Correction::Waiting);
        job.dissents += 1;
        job.correcting += 1;
        self.owe(worker, id, index);
        self.trials.insert(super::Trial::Caught(worker));
        if let Some(record) = self.workers.get_mut(&worker) {
            record.dissents += 1;
        }
        if held {
            self.send_correction(id, index, worker, now_ms);
        }
    }

    fn send_correction(&mut self, id: JobId, index: u64, worker: NodeId, now_ms: u64) {
        let present = self.workers.get(&worker).is_some_and(Worker::is_present);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let deadline_ms = now_ms + job.policy.lease_ms;
        let Some(tally) = job.tallies.get_mut(&index) else { return };
        let Some(replica) = tally.ballots().get(&worker).map(|cast| cast.ballot.ballot().replica) else {
            return;
        };
        let Some(decision) = tally.decision_mut() else { return };
        let accepted = decision.accepted;
        if present {
            self.outputs.push_back(Output::Correct { worker, replica, accepted });
            self.timers.insert((deadline_ms, Timer::Correction(id, index, worker)));
            self.set_correction(id, index, worker, Correction::Sent { deadline_ms });
        } else {
            self.set_correction(id, index, worker, Correction::Unheard);
        }
    }

    /// Moves a correction on and keeps the job's counters with it.
    pub(super) fn set_correction(&mut self, id: JobId, index: u64, worker: NodeId, next: Correction) {
        let pending =
            |correction: &Correction| matches!(correction, Correction::Waiting | Correction::Sent { .. });
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(decision) = job.tallies.get_mut(&index).and_then(|tally| tally.decision_mut()) else {
            return;
        };
        let Some(correction) = decision.corrections.get_mut(&worker) else { return };
        let before = std::mem::replace(correction, next);
        let mut is_up_to_date = false;
        if !pending(&next)
            && let Some(record) = self.workers.get_mut(&worker)
        {
            is_up_to_date = record.catching_up.remove(&(id, index)) && record.catching_up.is_empty();
        }
        match (pending(&before), pending(&next)) {
            (true, false) => job.correcting = job.correcting.saturating_sub(1),
            (false, true) => job.correcting += 1,
            (true, true) | (false, false) => {}
        }
        let acknowledged = |correction: &Correction| matches!(correction, Correction::Acknowledged(_));
        if acknowledged(&next) && !acknowledged(&before) {
            job.corrections += 1;
        }
        if is_up_to_date {
            self.want_tests(worker);
            self.wake(worker);
        }
    }

    pub(super) fn correction_acknowledged(
        &mut self,
        worker: NodeId,
        replica: ReplicaId,
        digest: Digest,
        now_ms: u64,
    ) -> Result<(), Rejected> {
        let (id, index) = (replica.job, replica.index);
        if !self.workers.contains_key(&worker) {
            return Err(Rejected::UnknownWorker(worker));
        }
        // After a restart nobody knows what was leased; that it dissented is known.
        let job = self.jobs.get(&id).ok_or(Rejected::UnknownJob(id))?;
        let tally = job.tally(index).ok_or(Rejected::UnknownTask { job: id, index })?;
        let Some(decision) = tally.decision() else { return Err(Rejected::WrongAcknowledgement(worker)) };
        if decision.accepted != digest || !decision.corrections.contains_key(&worker) {
            return Err(Rejected::WrongAcknowledgement(worker));
        }
        if matches!(decision.corrections.get(&worker), Some(Correction::Acknowledged(_))) {
            return Ok(());
        }
        self.set_correction(id, index, worker, Correction::Acknowledged(now_ms));
        let record = Record::Corrected { job: id, index, worker, accepted: digest };
        self.outputs.push_back(Output::Record(Box::new(record)));
        self.forget_debt(worker, id, index);
        self.reconcile(id, index);
        self.end_if_done(id, now_ms);
        Ok(())
    }

    /// A worker has heard what it was owed.
    pub(super) fn forget_debt(&mut self, worker: NodeId, id: JobId, index: u64) {
        if let Some(debts) = self.owed.get_mut(&worker) {
            debts.remove(&(id, index));
            if debts.is_empty() {
                self.owed.remove(&worker);
            }
        }
    }

    /// A correction was not acknowledged in time: the job does not wait for it any longer.
    pub(super) fn correction_due(&mut self, id: JobId, index: u64, worker: NodeId, now_ms: u64) {
        let Some(tally) = self.tally_mut(id, index) else { return };
        let Some(decision) = tally.decision() else { return };
        if let Some(Correction::Sent { deadline_ms }) = decision.corrections.get(&worker)
            && *deadline_ms <= now_ms
        {
            self.set_correction(id, index, worker, Correction::Unheard);
            self.end_if_done(id, now_ms);
        }
    }

    /// A worker is away: nobody waits for its acknowledgements, and other winners are asked for outcomes.
    pub(super) fn lost_while_settling(&mut self, worker: NodeId, now_ms: u64) {
        let owed: Vec<_> = self.owed.get(&worker).into_iter().flatten().copied().collect();
        for (id, index) in owed {
            if self.is_being_corrected(id, index, worker) {
                self.set_correction(id, index, worker, Correction::Unheard);
            }
            self.end_if_done(id, now_ms);
        }
    }

    fn is_being_corrected(&self, id: JobId, index: u64, worker: NodeId) -> bool {
        let decision = self.jobs.get(&id).and_then(|job| job.tally(index)).and_then(|tally| tally.decision());
        let correction = decision.and_then(|decision| decision.corrections.get(&worker));
        matches!(correction, Some(Correction::Sent { .. }))
    }

    /// A worker came back: it is told what it missed, before it gets new leases, and asked for outcomes that only it may
    /// have.
    pub(super) fn settle_debts(&mut self, worker: NodeId, now_ms: u64) {
        let owed: Vec<_> = self.owed.get(&worker).into_iter().flatten().copied().collect();
        for (id, index) in owed {
            let decision =
                self.jobs.get(&id).and_then(|job| job.tally(index)).and_then(|tally| tally.decision());
            if decision.is_some_and(|decision| decision.held) {
                self.send_correction(id, index, worker, now_ms);
                if self.is_being_corrected(id, index, worker)
                    && let Some(record) = self.workers.get_mut(&worker)
                {
                    record.catching_up.insert((id, index));
                    self.crowds.remove(&worker);
                }
            }
        }
        let first = (worker, JobId([0; 16]), 0);
        let gives = self.givers.range(first..).take_while(|(giver, ..)| *giver == worker);
        let gives: Vec<(JobId, u64)> = gives.map(|(_, id, index)| (*id, *index)).collect();
        for (id, index) in gives {
            if self.try_again(worker, id, index, now_ms) {
                continue;
            }
            match self.tally_mut(id, index).and_then(|tally| tally.decision_mut()) {
                Some(decision) if !decision.held => {
                    decision.asked.remove(&worker);
                    self.fetch_outcome(id, index, now_ms);
                }
                _ => drop(self.givers.remove(&(worker, id, index))),
            }
        }
    }

    /// Nobody is asked for the accepted outcome any more.
    pub(super) fn forget_givers(&mut self, id: JobId, index: u64) {
        let Some(tally) = self.jobs.get(&id).and_then(|job| job.tally(index)) else { return };
        for worker in tally.ballots().keys().chain(tally.equivocations().keys()) {
            self.givers.remove(&(*worker, id, index));
        }
    }

    /// A decided task whose outcome is held and whose dissenters all acknowledged is reconciled.
    pub(super) fn reconcile(&mut self, id: JobId, index: u64) {
        let Some(tally) = self.tally_mut(id, index) else { return };
        if let State::Decided(decision) = &tally.state
            && decision.held
            && decision.corrections.values().all(|c| matches!(c, Correction::Acknowledged(_)))
        {
            tally.state = State::Reconciled(decision.clone());
        }
        self.may_part(id, index);
    }
}
