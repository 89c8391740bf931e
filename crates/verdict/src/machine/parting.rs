//! Parting with tasks: once nothing more can happen to a task, its tally is given up, and the ledger alone knows its
//! ballots.
//!
//! A tally is needed while its vote is open, while its accepted outcome is fetched, and while a dissenter has not
//! acknowledged what was accepted. Beyond that it waits for the workers that were asked and have not answered: their
//! ballots may be under way, are evidence, and may call for a correction. It waits for them as long as a lease lasts, and
//! only on the last [`CLOSING_MAX`] tasks that were decided. Whoever speaks later about the task
//! hears that nobody waits for its answer.
//!
//! So a machine holds a tally for each task that is open or about to be settled, some thousand others at most, those that
//! stubborn dissenters owe an acknowledgement for (at most [`DEBTS_MAX`] each), and a few numbers for all the rest.

use protocol::{ballot::ReplicaId, identity::NodeId, job::JobId};

use super::{Machine, Timer};
use crate::{
    input::{Input, Output, Rejected},
    tally::{Correction, Tally},
};

/// On how many of the tasks that were decided last ballots are waited for.
pub(super) const CLOSING_MAX: usize = 16 * 1024;
/// How many acknowledgements a worker owes before some are given up.
pub(super) const DEBTS_MAX: usize = 4096;
/// How many commitments to ballots of settled tasks are kept, so that one that is used again is known.
const OLD_COMMITMENTS_MAX: usize = 16 * 1024;
/// How many tasks are looked at after one input.
const LOOKED_AT_MAX: usize = 4096;

/// Which replica an input is about, and who speaks.
fn spoken_of(input: &Input) -> Option<(NodeId, ReplicaId)> {
    match input {
        Input::BallotCast { ballot, .. } | Input::BallotRevealed { ballot, .. } => {
            Some((ballot.ballot().worker, ballot.ballot().replica))
        }
        Input::Committed { worker, replica, .. }
        | Input::ReplicaFailed { worker, replica, .. }
        | Input::CorrectionAcknowledged { worker, replica, .. } => Some((*worker, *replica)),
        _ => None,
    }
}

impl Machine {
    /// Whether an input is about a task that is settled; then nothing more is to be done for it, but to tell its worker
    /// that nobody waits.
    pub(super) fn is_about_settled(&mut self, input: &Input) -> Result<bool, Rejected> {
        let is_settled = |id: JobId, index: u64| self.jobs.get(&id).is_some_and(|job| job.is_settled(index));
        match input {
            Input::OutcomeHeld { job, index } | Input::OutcomeWithheld { job, index, .. } => {
                Ok(is_settled(*job, *index))
            }
            _ => {
                let Some((worker, replica)) = spoken_of(input) else { return Ok(false) };
                if !is_settled(replica.job, replica.index) {
                    return Ok(false);
                }
                if !self.workers.contains_key(&worker) {
                    return Err(Rejected::UnknownWorker(worker));
                }
                if !matches!(input, Input::CorrectionAcknowledged { .. } | Input::ReplicaFailed { .. }) {
                    self.outputs.push_back(Output::Cancel { worker, replica });
                }
                Ok(true)
            }
        }
    }

    /// Something happened to a task whose vote is over: it may be settled once what was ordered now is done.
    pub(super) fn may_part(&mut self, id: JobId, index: u64) {
        self.parting.push_back((id, index));
    }

    /// Gives up what is settled.
    pub(super) fn part(&mut self, now_ms: u64) {
        self.parted_ms = now_ms;
        for _ in 0..LOOKED_AT_MAX {
            let Some((id, index)) = self.parting.pop_front() else { return };
            self.part_with(id, index, now_ms);
        }
    }

    /// When to look at those that are too many for one input; a few wait for the next one.
    pub(super) fn parts_at_ms(&self) -> Option<u64> {
        (self.parting.len() > LOOKED_AT_MAX).then_some(self.parted_ms)
    }

    fn part_with(&mut self, id: JobId, index: u64, now_ms: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let (is_lost, lease_ms) = (job.lost.contains(&index), job.policy.lease_ms);
        let Some(tally) = job.tallies.get_mut(&index) else { return };
        if !tally.is_done(is_lost) {
            return;
        }
        if !tally.is_answered() && !tally.is_closed {
            if tally.closes_ms.is_some() {
                return;
            }
            let decided_ms = tally.decision().map_or(now_ms, |decision| decision.decided_ms);
            let closes_ms = decided_ms.saturating_add(lease_ms);
            if closes_ms > now_ms {
                tally.closes_ms = Some(closes_ms);
                self.timers.insert((closes_ms, Timer::Close(id, index)));
                return;
            }
        }
        let closes_ms = tally.closes_ms;
        let commitments: Vec<_> = tally.commitments().collect();
        for worker in tally.broken_seals().keys() {
            *job.broken_seals.entry(*worker).or_default() += 1;
        }
        job.settle(index);
        if let Some(closes_ms) = closes_ms {
            self.timers.remove(&(closes_ms, Timer::Close(id, index)));
        }
        self.lapsed.remove(&(id, index));
        self.old_commitments.extend(commitments);
        while self.old_commitments.len() > OLD_COMMITMENTS_MAX {
            if let Some(oldest) = self.old_commitments.pop_front() {
                self.commitments.remove(&oldest);
            }
        }
    }

    /// A task is decided, and may wait for further ballots: the one that was decided longest ago does not any more, where
    /// there are too many.
    pub(super) fn close_later(&mut self, id: JobId, index: u64) {
        self.closing.push_back((id, index));
        if self.closing.len() > CLOSING_MAX
            && let Some((id, index)) = self.closing.pop_front()
        {
            self.close(id, index);
        }
    }

    /// Nobody waits for further ballots on a decided task.
    pub(super) fn close(&mut self, id: JobId, index: u64) {
        if let Some(tally) = self.tally_mut(id, index) {
            tally.is_closed = true;
            self.may_part(id, index);
        }
    }

    /// A worker owes an acknowledgement. Of one that owes too many, one is given up.
    pub(super) fn owe(&mut self, worker: NodeId, id: JobId, index: u64) {
        let debts = self.owed.entry(worker).or_default();
        debts.insert((id, index));
        if debts.len() <= DEBTS_MAX {
            return;
        }
        let Some((id, index)) = debts.pop_first() else { return };
        self.set_correction(id, index, worker, Correction::Unheard);
        if let Some(decision) = self.tally_mut(id, index).and_then(Tally::decision_mut) {
            decision.corrections.remove(&worker);
        }
        self.may_part(id, index);
    }

    /// Forgets a job and everything that is kept for it elsewhere.
    pub(super) fn forget_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.remove(&id) else { return };
        self.queue.retain(|queued| *queued != id);
        for (index, tally) in &job.tallies {
            for worker in tally.decision().into_iter().flat_map(|decision| decision.corrections.keys()) {
                self.forget_debt(*worker, id, *index);
                let known = self.workers.get_mut(worker);
                if known.is_some_and(|w| w.catching_up.remove(&(id, *index)) && w.catching_up.is_empty()) {
                    self.want_tests(*worker);
                    self.wake(*worker);
                }
            }
            for worker in tally.ballots().keys().chain(tally.equivocations().keys()) {
                self.givers.remove(&(*worker, id, *index));
            }
            for commitment in tally.commitments() {
                self.commitments.remove(&commitment);
            }
            if let Some(closes_ms) = tally.closes_ms {
                self.timers.remove(&(closes_ms, Timer::Close(id, *index)));
            }
        }
    }
}
