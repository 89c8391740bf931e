//! The leases of a tally: given, renewed, ended, resumed, and overlooked when nobody else is left to be asked.

use std::sync::Arc;

use protocol::{
    constant::Formula, domain::Engine, identity::NodeId, limits::LEASE_RENEWALS_MAX, message::AuditOrder,
};

use super::{Issued, Lease, PARDONS_MAX, Stage, State, Tally};

/// How often a worker on which a task waits alone may say that it is no further than before.
const IDLE_RENEWALS_MAX: u32 = 16;

impl Tally {
    /// Whether the vote can probably do without a replica: as many as make a quorum have cast ballots that agree so far, or
    /// were asked before it. Nothing is lost if its worker is asked a moment later than they.
    pub fn is_spare(&self, number: u32) -> bool {
        let before = |(other, issued): &(u32, &Issued)| *other < number && issued.audit.is_none();
        let asked_before = self.outstanding().filter(before).count();
        matches!(self.state, State::Collecting)
            && self.trial().is_none()
            && !self.asks_for_seals()
            && self.ballots.len() + asked_before >= self.rules.quorum as usize
    }

    /// Leases a replica; returns its number and when the lease expires. A worker that lost the same replica with its
    /// connection has it again, unless it had committed to it: one that comes and goes uses up no replicas of the others.
    pub(crate) fn lease(
        &mut self,
        worker: NodeId,
        operator: Arc<str>,
        engine: (Engine, Arc<str>),
        (formula, audit): (Formula, Option<AuditOrder>),
        now_ms: u64,
    ) -> (u32, u64) {
        let (engine, device) = engine;
        let expires_ms = now_ms + self.rules.lease_ms;
        let lease = Some(Lease::until(Stage::Computing, expires_ms));
        let first_number = self.rules.first_number;
        let checks_from = self.checks_from();
        let again = self.issued.iter_mut().zip(first_number..).find(|(issued, number)| {
            issued.interrupted
                && *number >= checks_from
                && issued.commitment.is_none()
                && (issued.worker, issued.engine, issued.formula) == (worker, engine, formula)
                && issued.audit == audit
                && (&issued.operator, &issued.device) == (&operator, &device)
        });
        if let Some((issued, number)) = again {
            issued.lease = lease;
            issued.leased_ms = now_ms;
            issued.interrupted = false;
            return (number, expires_ms);
        }
        let number = first_number.saturating_add(self.issued_count());
        self.issued.push(Issued {
            worker,
            operator,
            engine,
            device,
            formula,
            audit,
            lease,
            leased_ms: now_ms,
            commitment: None,
            reveal_asked: false,
            interrupted: false,
        });
        (number, expires_ms)
    }

    /// Whether a replica was lost with its worker's connection, which the worker may have again.
    pub(super) fn may_have_again(&self, worker: &NodeId) -> bool {
        let lost = |issued: &Issued| issued.interrupted && issued.commitment.is_none();
        let checks_from = self.checks_from();
        let mut issued = self.issued.iter().zip(self.rules.first_number..);
        issued.any(|(issued, number)| issued.worker == *worker && number >= checks_from && lost(issued))
    }

    /// A lease that is out ends with its worker's connection.
    pub(crate) fn interrupt(&mut self, number: u32) {
        if let Some(issued) = self.replica_mut(number) {
            issued.interrupted = issued.lease.is_some();
        }
    }

    /// The worker is told that replica `number` is over for it.
    pub(crate) fn dismiss(&mut self, number: u32) {
        if let Some(issued) = self.replica_mut(number) {
            issued.interrupted = false;
        }
    }

    /// Puts an earlier lease of replica `number` out again; returns when it expires, which one that is committed to does
    /// not.
    pub(crate) fn resume(&mut self, number: u32, now_ms: u64) -> Option<u64> {
        let (expires_ms, is_sealed) = (now_ms + self.rules.lease_ms, self.rules.sealed);
        let issued = self.replica_mut(number)?;
        issued.interrupted = false;
        issued.leased_ms = now_ms;
        let is_committed = issued.commitment.is_some() && is_sealed;
        let lease =
            if is_committed { Lease::committed() } else { Lease::until(Stage::Computing, expires_ms) };
        issued.lease.insert(lease).timer_ms
    }

    /// Whether replica `number` was ever leased to `worker`.
    pub(crate) fn was_leased(&self, number: u32, worker: &NodeId) -> bool {
        self.replica(number).is_some_and(|issued| issued.worker == *worker)
    }

    /// Ends a lease, if it is out; returns when its timer would go off.
    pub(crate) fn end_lease(&mut self, number: u32) -> Option<u64> {
        self.replica_mut(number)?.lease.take()?.timer_ms
    }

    /// The timer of a lease that is out was set anew.
    pub(crate) fn note_timer(&mut self, number: u32, timer_ms: u64) {
        if let Some(lease) = self.replica_mut(number).and_then(|issued| issued.lease.as_mut()) {
            lease.timer_ms = Some(timer_ms);
        }
    }

    /// Renews a lease that is out. Whether its worker is not waited for from now on, because it gets no further.
    pub(crate) fn renew(&mut self, number: u32, permille: u16, now_ms: u64) -> bool {
        let lease_ms = self.rules.lease_ms;
        let is_audited = self.rules.audit.is_some() || self.trust.is_some();
        if let Some(lease) = self.replica_mut(number).and_then(|issued| issued.lease.as_mut())
            && lease.renewals < LEASE_RENEWALS_MAX
            && lease.stage == Stage::Computing
        {
            lease.renewals += 1;
            lease.expires_ms = now_ms + lease_ms;
            let before = lease.permille;
            lease.permille = before.max(permille.min(1000));
            lease.idle_renewals = if lease.permille > before { 0 } else { lease.idle_renewals + 1 };
            return is_audited && lease.idle_renewals == IDLE_RENEWALS_MAX;
        }
        false
    }

    /// When a lease that is out expires, in milliseconds.
    pub(crate) fn lease_expires_ms(&self, number: u32) -> Option<u64> {
        self.replica(number)?.lease.as_ref().map(|lease| lease.expires_ms)
    }

    /// A worker has let its lease expire: others are asked before it.
    pub(crate) fn note_expired(&mut self, worker: NodeId) {
        let times = self.expired.entry(worker).or_default();
        *times = times.saturating_add(1);
    }

    /// Whether there is a vacant seat, and workers that could be asked if one more expired lease were overlooked.
    pub(crate) fn may_pardon(&self) -> bool {
        self.pardoned < PARDONS_MAX
            && self.expired.values().any(|times| *times > self.pardoned)
            && self.vacant_seats() > 0
    }

    /// Overlooks one more expired lease in every worker.
    pub(crate) fn pardon(&mut self) {
        self.pardoned += 1;
    }
}

impl Issued {
    /// Whether the worker says again and again that it is no further. Where one alone is asked, to compute or to audit, it is
    /// not waited for: another is asked beside it, and what it says later still counts.
    pub(super) fn is_idle(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.idle_renewals >= IDLE_RENEWALS_MAX)
    }

    /// How long ago it was leased, in milliseconds.
    pub(crate) fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.leased_ms)
    }

    /// How far the worker says it is, in thousandths, while it computes.
    pub(crate) fn permille(&self) -> Option<u16> {
        let lease = self.lease.as_ref().filter(|lease| lease.stage == Stage::Computing);
        lease.map(|lease| lease.permille)
    }
}
