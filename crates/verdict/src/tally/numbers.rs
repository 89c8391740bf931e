//! The replicas of a task, how many there may be, and their numbers: consecutive, from one that differs in each life of the coordinator.
//!
//! A machine that is made again from its ledger does not know what it had leased, and workers may still speak about that.
//! With other numbers they cannot be taken to speak about what is leased now.

use protocol::{identity::NodeId, message::AuditOrder};

use super::{Issued, Tally};

/// How many leases of one task a worker may have: one that comes and goes must not use up those of the others.
pub(super) const LEASES_PER_WORKER_MAX: u32 = 8;

/// A task may be leased as often as if it had at least so many seats: one worker cannot use that up.
const SEATS_FOR_ATTEMPTS_MIN: u32 = 4;

impl Tally {
    fn place(&self, number: u32) -> Option<usize> {
        usize::try_from(number.checked_sub(self.rules.first_number)?).ok()
    }

    /// The replica with this number, if it was leased in this life.
    pub(crate) fn replica(&self, number: u32) -> Option<&Issued> {
        self.issued.get(self.place(number)?)
    }

    pub(super) fn replica_mut(&mut self, number: u32) -> Option<&mut Issued> {
        let place = self.place(number)?;
        self.issued.get_mut(place)
    }

    /// Numbers the replicas from here on; only before the first one.
    pub(crate) fn number_from(&mut self, first_number: u32) {
        if self.issued.is_empty() {
            self.rules.first_number = first_number;
        }
    }

    /// How many replicas were leased in this life.
    pub(super) fn issued_count(&self) -> u32 {
        u32::try_from(self.issued.len()).unwrap_or(u32::MAX)
    }

    /// How many of them were to compute, or to audit this: a trial must not use up the leases of the next one.
    pub(super) fn attempts_at(&self, audit: Option<AuditOrder>) -> u32 {
        let attempts = self.issued.iter().filter(|issued| issued.audit == audit).count();
        u32::try_from(attempts).unwrap_or(u32::MAX)
    }

    /// A flapping cluster must not lease one task for ever.
    pub(super) fn attempts_max(&self) -> u32 {
        self.rules.seats_max.max(SEATS_FOR_ATTEMPTS_MIN).saturating_mul(LEASES_PER_WORKER_MAX)
    }

    /// How many leases a worker had to compute, or to audit this.
    pub(super) fn leases_of(&self, worker: &NodeId, audit: Option<AuditOrder>) -> u32 {
        let is_like = |issued: &&Issued| issued.worker == *worker && issued.audit == audit;
        let leases = self.issued.iter().filter(is_like).count();
        u32::try_from(leases).unwrap_or(u32::MAX)
    }
}
