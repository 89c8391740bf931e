//! Audits: what could win is tested before it does. A prover's outcome and witness are obtained, auditors are asked, and a
//! prover that they reject gives way to the next.

use protocol::{
    ballot::{Ballot, ReplicaId},
    identity::NodeId,
    job::JobId,
    message::AuditOrder,
};

use super::Machine;
use crate::{
    dispatch,
    input::{Output, Rejected},
    tally::{Count, Tally},
    worker::Worker,
};

/// How often the count of one task is taken up again after one input: each time somebody else is tried.
const STEPS_MAX: usize = 1024;

impl Machine {
    /// Counts a task's ballots and audits, and does what the trials want; returns what is left for the vote to do.
    pub(super) fn count(&mut self, id: JobId, index: u64) -> Count {
        if self.tally_mut(id, index).is_some_and(|tally| tally.is_trial_lost()) {
            self.cancel_audits(id, index);
            self.tally_mut(id, index).into_iter().for_each(Tally::end_trial);
        }
        for _ in 0..STEPS_MAX {
            let Some(tally) = self.tally_mut(id, index) else { return Count::Open };
            match tally.count() {
                Count::Try(order) => self.try_prover(id, index, order),
                Count::NeedsAudit => {
                    if let Some(trial) = tally.trial_mut() {
                        trial.seats += 1;
                    }
                    self.admit_insiders(id, index);
                }
                Count::GiveUp(prover) => tally.give_up_trial(&prover),
                Count::Draw => self.draw_check(id, index),
                other => return other,
            }
        }
        Count::Open
    }

    /// Begins to try an outcome: whoever still tests another one is not waited for.
    fn try_prover(&mut self, id: JobId, index: u64, order: AuditOrder) {
        self.cancel_audits(id, index);
        let Some(tally) = self.tally_mut(id, index) else { return };
        let is_ready = tally.begin_trial(order);
        let witness = tally.terms().audits.need_witness();
        if is_ready {
            return self.admit_insiders(id, index);
        }
        if self.workers.get(&order.prover).is_some_and(Worker::is_present) {
            self.outputs.push_back(Output::Obtain { job: id, index, order, witness });
        } else {
            self.note_withheld(id, index, order.prover);
        }
    }

    /// The evidence of a prover did not come. One that is away is asked again when it comes back.
    fn note_withheld(&mut self, id: JobId, index: u64, prover: NodeId) {
        let is_here = self.workers.get(&prover).is_some_and(Worker::is_present);
        let is_awaited = !is_here && !self.config.electorate_closed;
        if let Some(tally) = self.tally_mut(id, index) {
            tally.evidence_withheld(prover, is_awaited);
            self.givers.insert((prover, id, index));
        }
    }

    /// A worker is back whose evidence did not come before: it is asked again. Whether it was about an open task.
    pub(super) fn try_again(&mut self, prover: NodeId, id: JobId, index: u64, now_ms: u64) -> bool {
        let Some(tally) = self.tally_mut(id, index).filter(|tally| tally.is_open()) else { return false };
        tally.prover_is_back(&prover);
        self.givers.remove(&(prover, id, index));
        self.evaluate(id, index, now_ms);
        true
    }

    fn cancel_audits(&mut self, job: JobId, index: u64) {
        let Some(tally) = self.tally_mut(job, index) else { return };
        let task = tally.terms().id;
        let audits: Vec<(u32, NodeId)> = tally
            .outstanding()
            .filter(|(_, issued)| issued.audit.is_some())
            .map(|(number, issued)| (number, issued.worker))
            .collect();
        for (number, worker) in audits {
            let replica = ReplicaId { job, index, task, number };
            self.end_lease(replica, worker);
            self.outputs.push_back(Output::Cancel { worker, replica });
        }
    }

    pub(super) fn evidence_held(
        &mut self,
        id: JobId,
        index: u64,
        prover: NodeId,
        now_ms: u64,
    ) -> Result<(), Rejected> {
        let tally = self.audited_tally(id, index)?;
        if tally.is_open() && tally.evidence_held(&prover) {
            self.admit_insiders(id, index);
            self.evaluate(id, index, now_ms);
        }
        Ok(())
    }

    pub(super) fn evidence_withheld(
        &mut self,
        id: JobId,
        index: u64,
        prover: NodeId,
        now_ms: u64,
    ) -> Result<(), Rejected> {
        let tally = self.audited_tally(id, index)?;
        if tally.is_open() {
            self.note_withheld(id, index, prover);
            self.evaluate(id, index, now_ms);
        }
        Ok(())
    }

    fn audited_tally(&mut self, id: JobId, index: u64) -> Result<&mut Tally, Rejected> {
        if !self.jobs.contains_key(&id) {
            return Err(Rejected::UnknownJob(id));
        }
        self.tally_mut(id, index).ok_or(Rejected::UnknownTask { job: id, index })
    }

    /// Those who computed what is on trial test it only where nobody else is here who could.
    pub(super) fn admit_insiders(&mut self, id: JobId, index: u64) {
        let Some(tally) = self.jobs.get(&id).and_then(|job| job.tally(index)) else { return };
        let Some(trial) = tally.trial().filter(|trial| !trial.insiders) else { return };
        let mut present = self.workers.iter().filter(|(_, worker)| worker.is_present());
        let is_outsider_left = tally.awaited_audits(trial).next().is_some()
            || present.any(|(id, worker)| dispatch::place_auditor(tally, trial, id, worker).is_ok());
        if !is_outsider_left && let Some(trial) = self.tally_mut(id, index).and_then(Tally::trial_mut) {
            trial.insiders = true;
        }
    }

    /// Nobody who is here can test what is on trial, if not those who computed the same.
    pub(super) fn give_up_trial(&mut self, id: JobId, index: u64, prover: NodeId, now_ms: u64) {
        let was_open_to_all =
            self.jobs.get(&id).and_then(|job| job.tally(index)?.trial()).is_some_and(|t| t.insiders);
        if !was_open_to_all {
            self.admit_insiders(id, index);
        }
        let is_open_to_all =
            self.jobs.get(&id).and_then(|job| job.tally(index)?.trial()).is_some_and(|t| t.insiders);
        if (was_open_to_all || !is_open_to_all)
            && let Some(tally) = self.tally_mut(id, index)
        {
            tally.give_up_trial(&prover);
        }
        self.suspect(id, index);
        self.evaluate(id, index, now_ms);
    }

    /// Whether a ballot says what its replica was leased for: a value, or a finding on the outcome that was to be tested.
    pub(super) fn keeps_to(said: &Ballot, order: Option<AuditOrder>) -> bool {
        match (said.audit, order) {
            (None, None) => true,
            (Some(audited), Some(order)) => {
                (audited.outcome, audited.prover) == (order.outcome, order.prover)
                    && (said.digest == audited.outcome || said.digest == audited.rejection())
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}
