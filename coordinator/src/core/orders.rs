//! Orders for workers: they gather while events are handled, and leave at the end of the turn, or a little later where that
//! makes fewer frames and nobody waits.

use std::time::Duration;

use protocol::{identity::NodeId, limits::INLINE_TASK_BYTES_MAX, message::Lease};
use tracing::warn;
use transport::CloseCode;

use super::{Core, outbox::Order};

/// So long an order waits that nobody is in a hurry to hear.
const ORDERS_WAIT: Duration = Duration::from_millis(50);

impl Core {
    /// Has something told to a worker at the end of this turn.
    pub(super) fn order(&mut self, worker: NodeId, order: Order) {
        let Some(peer) = self.peers.get_mut(&worker) else { return };
        peer.outbox.add(order);
        self.addressed.insert(worker);
    }

    /// Queues what has gathered. A worker whose queue is full has stopped reading: it is dropped, and what was leased to it
    /// goes to others.
    pub(super) fn send_orders(&mut self) {
        let now = tokio::time::Instant::now();
        if self.orders_due.is_some_and(|due| due <= now) {
            self.orders_due = None;
            for worker in std::mem::take(&mut self.patient) {
                self.send_orders_to(worker);
            }
        }
        for worker in std::mem::take(&mut self.addressed) {
            if self.peers.get(&worker).is_some_and(|peer| peer.outbox.may_wait()) {
                self.patient.insert(worker);
                self.orders_due.get_or_insert(now + ORDERS_WAIT);
            } else {
                self.patient.remove(&worker);
                self.send_orders_to(worker);
            }
        }
    }

    fn send_orders_to(&mut self, worker: NodeId) {
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
        self.order(worker, Order::Lease(lease));
    }
}
