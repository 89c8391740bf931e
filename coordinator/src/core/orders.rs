//! Orders for workers: they gather while events are handled, and leave at the end of the turn, or a little later where that
//! makes fewer frames and nobody waits.
//!
//! Nobody waits for the replica of a task that its vote can do without: it leaves a moment after those that decide, so that its
//! computing and its ballot do not stand in their way, and then with whatever else its worker is to do.

use std::{collections::BTreeSet, time::Duration};

use protocol::{identity::NodeId, limits::INLINE_TASK_BYTES_MAX, message::Lease};
use tracing::warn;
use transport::CloseCode;

use super::{
    Core,
    outbox::{Hurry, Order},
};

/// So long an order waits that nobody is in a hurry to hear.
const ORDERS_WAIT: Duration = Duration::from_millis(50);

/// So long waits, at most, the lease of a replica that the vote needs only if those before it do not decide.
const SPARES_WAIT: Duration = Duration::from_millis(2);

/// Those whose orders wait, and until when.
#[derive(Default)]
pub(super) struct Waiting {
    workers: BTreeSet<NodeId>,
    due: Option<tokio::time::Instant>,
}

impl Waiting {
    fn add(&mut self, worker: NodeId, due: tokio::time::Instant) {
        self.workers.insert(worker);
        self.due.get_or_insert(due);
    }

    fn take_due(&mut self, now: tokio::time::Instant) -> BTreeSet<NodeId> {
        if self.due.is_none_or(|due| due > now) {
            return BTreeSet::new();
        }
        self.due = None;
        std::mem::take(&mut self.workers)
    }
}

impl Core {
    /// Has something told to a worker at the end of this turn.
    pub(super) fn order(&mut self, worker: NodeId, order: Order) {
        let Some(peer) = self.peers.get_mut(&worker) else { return };
        peer.outbox.add(order);
        self.addressed.insert(worker);
    }

    /// When orders that wait are to be sent.
    pub(super) fn orders_due(&self) -> Option<tokio::time::Instant> {
        self.patient.due.into_iter().chain(self.spare.due).min()
    }

    /// Queues what has gathered. A worker whose queue is full has stopped reading: it is dropped, and what was leased to it
    /// goes to others.
    pub(super) fn send_orders(&mut self) {
        let now = tokio::time::Instant::now();
        for worker in self.spare.take_due(now).into_iter().chain(self.patient.take_due(now)) {
            self.send_orders_to(worker);
        }
        for worker in std::mem::take(&mut self.addressed) {
            match self.peers.get(&worker).map(|peer| peer.outbox.hurry()) {
                Some(Hurry::None) => self.patient.add(worker, now + ORDERS_WAIT),
                Some(Hurry::Some) => self.spare.add(worker, now + SPARES_WAIT),
                Some(Hurry::Great) => self.send_orders_to(worker),
                None => {}
            }
        }
    }

    fn send_orders_to(&mut self, worker: NodeId) {
        self.patient.workers.remove(&worker);
        self.spare.workers.remove(&worker);
        let Some(peer) = self.peers.get_mut(&worker) else { return };
        if peer.outbox.flush().is_err() {
            warn!(worker = %worker.short(), "a worker does not read what it is told; dropping its connection");
            peer.connection.close(CloseCode::Full, "the worker does not read what it is told");
        }
    }

    pub(super) fn lease(&mut self, worker: NodeId, mut lease: Lease) {
        let replica = lease.replica;
        let Some(record) = self.jobs.get(&replica.job) else { return };
        if !self.long_tasks.holds(replica.job, replica.index) {
            let Some(bytes) = record.plan.task_bytes(replica.index) else { return };
            if bytes.len() <= INLINE_TASK_BYTES_MAX {
                lease.task = Some(bytes);
            } else {
                self.long_tasks.hold(replica.job, replica.index, replica.task, bytes);
            }
        }
        let tally = self.machine.job(replica.job).and_then(|job| job.tally(replica.index));
        let is_spare = tally.is_some_and(|tally| tally.is_spare(replica.number));
        self.order(worker, if is_spare { Order::Spare(lease) } else { Order::Lease(lease) });
    }
}
