//! Sealed votes: who has committed, whether the envelopes may be opened, and what an envelope holds.
//!
//! A seat goes through three stages. Its worker computes; it has committed, and waits for the others; it was asked to
//! reveal its ballot, and has the time of a lease to do so.

use std::collections::BTreeMap;

use protocol::{
    ballot::{Ballot, ReplicaId},
    commitment::{Commitment, Salt},
    identity::NodeId,
};

use super::{Issued, Lease, Tally};
use crate::input::SealFault;

/// How far a replica under lease is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its worker computes.
    Computing,
    /// Its worker has committed to a ballot.
    Committed,
    /// Its worker was asked for the ballot.
    Revealing,
}

impl Lease {
    /// A lease that lasts until the others have committed as well.
    pub(super) fn committed() -> Self {
        Self {
            stage: Stage::Committed,
            expires_ms: u64::MAX,
            timer_ms: None,
            renewals: 0,
            idle_renewals: 0,
            permille: 1000,
        }
    }
}

impl Tally {
    fn in_stage(&self, stage: Stage) -> impl Iterator<Item = (u32, &Issued)> {
        self.outstanding().filter(move |(_, issued)| issued.lease.as_ref().is_some_and(|l| l.stage == stage))
    }

    /// Whether a commitment comes before a ballot now: after the verdict there is nothing left to copy.
    pub fn asks_for_seals(&self) -> bool {
        self.rules.sealed && self.is_open()
    }

    /// How each worker broke its seal, by worker.
    pub fn broken_seals(&self) -> &BTreeMap<NodeId, SealFault> {
        &self.broken_seals
    }

    /// What replica `number` was committed to.
    pub(crate) fn commitment(&self, number: u32) -> Option<Commitment> {
        self.replica(number)?.commitment
    }

    /// Whether the lease of replica `number` is out.
    pub(crate) fn is_out(&self, number: u32) -> bool {
        self.replica(number).is_some_and(|issued| issued.lease.is_some())
    }

    /// The worker of replica `number`, which is under lease, has committed; returns when the timer would have gone off
    /// that looked after its lease.
    pub(crate) fn commit(&mut self, number: u32, commitment: Commitment) -> Option<u64> {
        let issued = self.replica_mut(number)?;
        issued.commitment = Some(commitment);
        issued.lease.replace(Lease::committed())?.timer_ms
    }

    /// Whether somebody waits to reveal, and enough have committed or voted to bring a decision.
    pub(crate) fn could_decide(&self) -> bool {
        let waiting = self.in_stage(Stage::Committed).count();
        let committed = waiting + self.in_stage(Stage::Revealing).count();
        self.asks_for_seals() && waiting > 0 && committed + self.ballots.len() >= self.rules.quorum as usize
    }

    /// When those who could decide have waited for the others for the time of a lease: set once, when they are enough.
    /// Returns it when it is new.
    pub(crate) fn set_reveal_due(&mut self, now_ms: u64) -> Option<u64> {
        if self.reveal_due_ms.is_some() || !self.could_decide() {
            return None;
        }
        self.reveal_due_ms = Some(now_ms + self.rules.lease_ms);
        self.reveal_due_ms
    }

    /// Nobody waits to reveal any more; returns when that would have been due.
    pub(crate) fn take_reveal_due(&mut self) -> Option<u64> {
        self.reveal_due_ms.take()
    }

    /// Whether the envelopes may be opened: somebody has committed, nobody still computes, and no seat is vacant, or
    /// enough have committed and `nobody_else` is here for the vacant ones. Those who are enough wait for the others
    /// only so long.
    pub(crate) fn may_reveal(&self, now_ms: u64, nobody_else: impl FnOnce() -> bool) -> bool {
        if !self.asks_for_seals() || self.in_stage(Stage::Committed).next().is_none() {
            return false;
        }
        if self.reveal_due_ms.is_some_and(|due_ms| due_ms <= now_ms) && self.could_decide() {
            return true;
        }
        self.in_stage(Stage::Computing).next().is_none()
            && (self.vacant_seats() == 0 || self.could_decide() && nobody_else())
    }

    /// Asks everybody who has committed for the ballot, until `now_ms` and the time of a lease: returns who, for which
    /// replica, and until when.
    pub(crate) fn reveal(&mut self, now_ms: u64) -> Vec<(NodeId, u32, u64)> {
        let expires_ms = now_ms + self.rules.lease_ms;
        let mut asked = Vec::new();
        for (number, issued) in (self.rules.first_number..).zip(&mut self.issued) {
            if issued.lease.as_ref().is_some_and(|lease| lease.stage == Stage::Committed) {
                issued.lease = Some(Lease::until(Stage::Revealing, expires_ms));
                issued.reveal_asked = true;
                asked.push((issued.worker, number, expires_ms));
            }
        }
        asked
    }

    /// Whether a worker that reveals replica `number` was asked to.
    pub(crate) fn was_asked_to_reveal(&self, number: u32) -> bool {
        self.replica(number).is_some_and(|issued| issued.reveal_asked)
    }

    /// Whether the ballot contradicts one of the same worker for the same replica that is counted: proof of
    /// equivocation, sealed or not.
    pub(crate) fn contradicts(&self, said: &Ballot) -> bool {
        let same = |earlier: ReplicaId| earlier.number == said.replica.number;
        self.ballots.get(&said.worker).is_some_and(|cast| {
            let earlier = cast.ballot.ballot();
            same(earlier.replica) && earlier.digest != said.digest
        })
    }

    /// How the worker of this ballot broke its seal, if it did.
    pub(crate) fn seal_fault(&self, said: &Ballot, salt: Option<&Salt>) -> Option<SealFault> {
        match (self.commitment(said.replica.number), salt) {
            (Some(commitment), Some(salt)) => {
                (!commitment.opens_to(said, salt)).then_some(SealFault::Mismatch)
            }
            (None, _) | (_, None) => Some(SealFault::Unsealed),
        }
    }

    /// Whether this worker has no vote here any more, because it broke its seal.
    pub(crate) fn has_broken_seal(&self, worker: &NodeId) -> bool {
        self.broken_seals.contains_key(worker)
    }

    /// This worker has no vote here any more.
    pub(crate) fn break_seal(&mut self, worker: NodeId, fault: SealFault) {
        self.broken_seals.entry(worker).or_insert(fault);
        self.excused.insert(worker);
    }
}
