//! Sealed tasks: commitments are gathered, and opened together once nobody is left who could copy an answer.

use protocol::{
    ballot::{AuthenticBallot, ReplicaId},
    commitment::{Commitment, Salt},
    identity::NodeId,
    job::JobId,
    ledger::Record,
    standing::BrokenSeal,
};

use super::{LeaseEnd, Machine, Timer};
use crate::{
    dispatch,
    input::{Output, Rejected, SealFault},
    tally::Tally,
    worker::Worker,
};

/// How many sealed tasks are looked at after one input.
const RIPE_LOOKED_AT_MAX: usize = 1024;

impl Machine {
    /// A worker has computed a replica and committed to what it found.
    pub(super) fn committed(
        &mut self,
        worker: NodeId,
        replica: ReplicaId,
        commitment: Commitment,
        now_ms: u64,
    ) -> Result<(), Rejected> {
        let index = replica.index;
        let tally = self.leased_tally(worker, replica)?;
        if !tally.rules().sealed {
            return Err(Rejected::NotSealed { worker, index });
        }
        if tally.has_broken_seal(&worker) {
            return Err(Rejected::BrokenSeal { worker, index });
        }
        if !tally.is_open() || tally.ballots().contains_key(&worker) {
            // It voted by an earlier lease: this one is not needed.
            self.end_lease(replica, worker);
            self.outputs.push_back(Output::Cancel { worker, replica });
            self.evaluate(replica.job, index, now_ms);
            return Ok(());
        }
        let before = tally.commitment(replica.number);
        let is_out = tally.is_out(replica.number);
        let holder = self.commitments.get(&commitment).copied();
        let fault = match (before, holder) {
            (Some(before), _) if before != commitment => Some(SealFault::Changed),
            (None, Some((owner, _))) if owner == worker => Some(SealFault::Replayed),
            (Some(_), _) if is_out => return Ok(()),
            _ => None,
        };
        if let Some(fault) = fault {
            self.break_seal(worker, replica, fault, now_ms);
            return Ok(());
        }
        if !is_out {
            // A worker that came back keeps its seat unless somebody took it over, which cancels it.
            self.resume_leases(worker, &[replica], now_ms);
        }
        let Some(tally) = self.tally_mut(replica.job, index).filter(|tally| tally.is_out(replica.number))
        else {
            return Ok(());
        };
        let weight = tally.terms().weight;
        if let Some(due_ms) = tally.commit(replica.number, commitment) {
            self.lease_ends.remove(&LeaseEnd::of(&replica, due_ms));
        }
        if let Some(record) = self.workers.get_mut(&worker) {
            self.leased -= usize::from(record.commit(replica, weight));
        }
        self.wake(worker);
        // Whoever comes first is not thereby the one that it was copied from: only what it opens to shows that.
        self.commitments.entry(commitment).or_insert((worker, replica));
        self.note_committed(replica.job, index, now_ms);
        Ok(())
    }

    /// Somebody has committed: the task may be ready to be revealed, now or when something happens to its workers.
    pub(super) fn note_committed(&mut self, job: JobId, index: u64, now_ms: u64) {
        self.sealed.insert((job, index));
        self.ripe.insert((job, index));
        if let Some(due_ms) = self.tally_mut(job, index).and_then(|tally| tally.set_reveal_due(now_ms)) {
            self.timers.insert((due_ms, Timer::Reveal(job, index)));
        }
    }

    /// Nobody waits to reveal a ballot of this task any more.
    pub(super) fn forget_seals(&mut self, job: JobId, index: u64) {
        self.sealed.remove(&(job, index));
        if let Some(due_ms) = self.tally_mut(job, index).and_then(Tally::take_reveal_due) {
            self.timers.remove(&(due_ms, Timer::Reveal(job, index)));
        }
    }

    /// Those who could decide have waited long enough for the others.
    pub(super) fn reveal_due(&mut self, job: JobId, index: u64) {
        if let Some(tally) = self.tally_mut(job, index).filter(|tally| !tally.could_decide()) {
            // Some of them left meanwhile: the next to commit begins the wait anew.
            tally.take_reveal_due();
        }
        self.ripe.insert((job, index));
    }

    /// Something happened to a task: where somebody has committed, it may be ready to be revealed.
    pub(super) fn ripen(&mut self, job: JobId, index: u64) {
        if self.sealed.contains(&(job, index)) {
            self.ripe.insert((job, index));
        }
    }

    /// A worker comes or goes: for tasks that wait for others to commit, nobody else may be left.
    pub(super) fn look_at_seals(&mut self) {
        self.sealed_walk.begin();
    }

    /// Asks for the ballots of sealed tasks whose commitments are in.
    pub(super) fn reveal_ripe(&mut self, now_ms: u64) {
        for _ in 0..RIPE_LOOKED_AT_MAX {
            let Some((job, index)) = self.ripe.pop_first().or_else(|| self.sealed_walk.next(&self.sealed))
            else {
                return;
            };
            let Some(tally) = self.jobs.get(&job).and_then(|job| job.tally(index)) else {
                self.sealed.remove(&(job, index));
                continue;
            };
            let fits = |(id, worker): (&NodeId, &Worker)| dispatch::place(tally, id, worker).is_ok();
            let alive = || self.workers.iter().filter(|(_, worker)| worker.is_alive());
            // In a closed electorate even one that is away is waited for, because it comes back.
            let is_closed = self.config.electorate_closed;
            let nobody_else = || if is_closed { !self.workers.iter().any(fits) } else { !alive().any(fits) };
            if !tally.asks_for_seals() {
                self.forget_seals(job, index);
                continue;
            }
            if !tally.may_reveal(now_ms, nobody_else) {
                continue;
            }
            self.forget_seals(job, index);
            let Some(tally) = self.tally_mut(job, index) else { continue };
            let task = tally.terms().id;
            for (worker, number, expires_ms) in tally.reveal(now_ms) {
                let replica = ReplicaId { job, index, task, number };
                self.lease_ends.insert(LeaseEnd::of(&replica, expires_ms));
                self.outputs.push_back(Output::Reveal { worker, replica });
            }
        }
        self.behind_ms = Some(now_ms);
    }

    /// A ballot of a sealed task, and what opens the commitment to it.
    pub(super) fn ballot_revealed(
        &mut self,
        ballot: AuthenticBallot,
        salt: &Salt,
        outcome_held: bool,
        compute_us: u64,
        now_ms: u64,
    ) -> Result<(), Rejected> {
        let said = ballot.ballot();
        let (worker, replica) = (said.worker, said.replica);
        let tally = self.leased_tally(worker, replica)?;
        let (number, index) = (replica.number, replica.index);
        if tally.has_broken_seal(&worker) {
            return Err(Rejected::BrokenSeal { worker, index });
        }
        let needs_seal = tally.asks_for_seals() && !tally.contradicts(said);
        if needs_seal && tally.commitment(number).is_some() && !tally.was_asked_to_reveal(number) {
            return Err(Rejected::Premature { worker, index });
        }
        match tally.seal_fault(said, Some(salt)).filter(|_| needs_seal) {
            Some(fault) => {
                if let Some(commitment) = tally.commitment(number).filter(|_| fault == SealFault::Mismatch) {
                    let broken = BrokenSeal { ballot: ballot.signed().clone(), salt: *salt, commitment };
                    self.record_broken_seal(broken);
                }
                self.break_seal(worker, replica, fault, now_ms);
            }
            None => return self.ballot_cast(ballot, outcome_held, compute_us, now_ms),
        }
        Ok(())
    }

    /// A ballot without a commitment, which a sealed task does not count.
    pub(super) fn ballot_cast_openly(
        &mut self,
        ballot: AuthenticBallot,
        outcome_held: bool,
        compute_us: u64,
        now_ms: u64,
    ) -> Result<(), Rejected> {
        let said = ballot.ballot();
        let (worker, replica) = (said.worker, said.replica);
        let tally = self.leased_tally(worker, replica)?;
        if tally.has_broken_seal(&worker) {
            return Err(Rejected::BrokenSeal { worker, index: replica.index });
        }
        if tally.asks_for_seals() && !tally.contradicts(said) {
            self.break_seal(worker, replica, SealFault::Unsealed, now_ms);
            return Ok(());
        }
        self.ballot_cast(ballot, outcome_held, compute_us, now_ms)
    }

    /// A ballot that is not what was committed to is proof, and is written down. Nothing else about seals says whether a
    /// worker is honest: one that never opens its commitment may be cut off, and one that commits anew may have crashed.
    fn record_broken_seal(&mut self, broken: BrokenSeal) {
        let said = &broken.ballot.ballot;
        let (worker, engine, job) = (said.worker, said.domain.engine, said.replica.job);
        self.outputs.push_back(Output::Record(Box::new(Record::SealBroken(Box::new(broken)))));
        self.note_broken_seal(worker, engine);
        self.to_judge.insert((worker, job));
    }

    /// A seal is broken: it is counted, and the seat goes to another worker.
    fn break_seal(&mut self, worker: NodeId, replica: ReplicaId, fault: SealFault, now_ms: u64) {
        let Some(tally) = self.tally_mut(replica.job, replica.index) else { return };
        let commitment = tally.commitment(replica.number);
        let holder = commitment.and_then(|commitment| self.commitments.get(&commitment));
        let is_copy = fault == SealFault::Mismatch && holder.is_some_and(|(owner, _)| *owner != worker);
        let fault = if is_copy { SealFault::Copied } else { fault };
        if let Some(tally) = self.tally_mut(replica.job, replica.index) {
            tally.break_seal(worker, fault);
        }
        if let Some(record) = self.workers.get_mut(&worker) {
            record.broken_seals += 1;
        }
        self.end_lease(replica, worker);
        self.outputs.push_back(Output::SealBroken { worker, replica, fault });
        self.outputs.push_back(Output::Cancel { worker, replica });
        self.evaluate(replica.job, replica.index, now_ms);
    }
}
