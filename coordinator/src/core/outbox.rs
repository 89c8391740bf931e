//! What one worker is told: orders gather while events are handled, and leave in as few frames as they fit.
//!
//! That a ballot is counted, which a worker hears in order to forget it, waits a little for something that is worth a frame;
//! so do a few leases for a worker that has enough to do, while there is much more to lease.
//! Orders of one kind are put together, whatever was said between them. The kinds keep an order in which that changes
//! nothing: a replica is leased before it is revealed, and cancelled or counted after either.

use protocol::{
    ballot::ReplicaId,
    digest::Digest,
    limits::{FRAME_GATHERED_BYTES_MAX, FRAME_ITEMS_MAX},
    message::{CoordinatorMessage, Lease},
};
use tokio::sync::mpsc;

/// So many counted ballots wait for nothing.
const COUNTED_WAITING_MAX: usize = 64;
/// A worker with so many leases has enough to do for a while.
const BUSY_LEASES: usize = 32;
/// So many leases wait for nothing: half of what it then has room for.
const LEASES_WAITING_MAX: usize = 16;

/// The way to a worker.
pub(super) struct Outbox {
    messages: mpsc::Sender<CoordinatorMessage>,
    leases: Vec<Lease>,
    reveals: Vec<ReplicaId>,
    cancels: Vec<ReplicaId>,
    counted: Vec<ReplicaId>,
    corrections: Vec<CoordinatorMessage>,
    /// How many leases went out that were not answered yet.
    unanswered: usize,
}

/// Something for a worker.
pub(super) enum Order {
    Lease(Lease),
    Reveal(ReplicaId),
    Cancel(ReplicaId),
    Counted(ReplicaId),
    Correct(CoordinatorMessage),
}

impl Order {
    pub(super) fn correct(replica: ReplicaId, accepted: Digest) -> Self {
        Self::Correct(CoordinatorMessage::Correct { replica, accepted })
    }
}

/// The worker does not read what it is told.
#[derive(Debug)]
pub(super) struct Full;

impl Outbox {
    pub(super) fn new(messages: mpsc::Sender<CoordinatorMessage>) -> Self {
        let (leases, reveals, cancels) = (Vec::new(), Vec::new(), Vec::new());
        let (counted, corrections) = (Vec::new(), Vec::new());
        Self { messages, leases, reveals, cancels, counted, corrections, unanswered: 0 }
    }

    pub(super) fn add(&mut self, order: Order) {
        match order {
            Order::Lease(lease) => self.leases.push(lease),
            Order::Reveal(replica) => self.reveals.push(replica),
            Order::Cancel(replica) => self.cancels.push(replica),
            Order::Counted(replica) => self.counted.push(replica),
            Order::Correct(correction) => self.corrections.push(correction),
        }
    }

    /// The worker has answered so many leases.
    pub(super) fn answered(&mut self, leases: usize) {
        self.unanswered = self.unanswered.saturating_sub(leases);
    }

    /// Whether the worker has enough to do for a while.
    pub(super) fn is_busy(&self) -> bool {
        self.unanswered >= BUSY_LEASES
    }

    /// Whether nothing in it is worth a frame of its own yet; `is_flood`: far more is to be leased than all workers hold.
    pub(super) fn may_wait(&self, is_flood: bool) -> bool {
        let few = self.leases.len() < LEASES_WAITING_MAX;
        let leases_may_wait = self.leases.is_empty() || is_flood && few && self.is_busy();
        leases_may_wait
            && self.reveals.is_empty()
            && self.cancels.is_empty()
            && self.corrections.is_empty()
            && self.counted.len() < COUNTED_WAITING_MAX
    }

    /// Lets everything out.
    ///
    /// # Errors
    /// [`Full`] when so much waits to be read that there is no room.
    pub(super) fn flush(&mut self) -> Result<(), Full> {
        let mut messages = Vec::new();
        self.unanswered += self.leases.len();
        self.answered(self.cancels.len());
        while !self.leases.is_empty() {
            let rest = self.leases.split_off(fitting(&self.leases));
            messages.push(CoordinatorMessage::Lease(std::mem::replace(&mut self.leases, rest)));
        }
        let parts = |replicas: &mut Vec<ReplicaId>, message: fn(Vec<ReplicaId>) -> CoordinatorMessage| {
            let all = std::mem::take(replicas);
            all.chunks(FRAME_ITEMS_MAX).map(|part| message(part.to_vec())).collect::<Vec<_>>()
        };
        messages.extend(parts(&mut self.reveals, |replicas| CoordinatorMessage::Reveal { replicas }));
        messages.extend(parts(&mut self.cancels, |replicas| CoordinatorMessage::Cancel { replicas }));
        messages.extend(parts(&mut self.counted, |replicas| CoordinatorMessage::Counted { replicas }));
        messages.append(&mut self.corrections);
        for message in messages {
            match self.messages.try_send(message) {
                // A connection that is gone is noticed where it is read.
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                Err(mpsc::error::TrySendError::Full(_)) => return Err(Full),
            }
        }
        Ok(())
    }
}

/// How many leases from the first on fit into one frame; at least one.
fn fitting(leases: &[Lease]) -> usize {
    let mut bytes = 0;
    let fits = |lease: &&Lease| {
        bytes += lease.task.as_ref().map_or(0, Vec::len);
        bytes <= FRAME_GATHERED_BYTES_MAX
    };
    leases.iter().take(FRAME_ITEMS_MAX).take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use protocol::{constant::Formula, domain::Engine, job::JobId, task::TaskId};

    use super::*;

    fn lease(index: u64) -> Order {
        let replica = ReplicaId { job: JobId([1; 16]), index, task: TaskId(Digest([2; 32])), number: 0 };
        let (engine, formula) = (Engine::Cpu, Formula::Direct);
        Order::Lease(Lease { replica, engine, formula, lease_ms: 1, quorum: 2, sealed: false, task: None })
    }

    #[test]
    fn a_lease_waits_for_company_only_in_a_flood_and_for_a_worker_that_has_enough_to_do() {
        let (sender, mut receiver) = mpsc::channel(1024);
        let mut outbox = Outbox::new(sender);
        outbox.add(lease(0));
        assert!(!outbox.may_wait(true), "an idle worker waits for nothing");
        (1..BUSY_LEASES as u64).for_each(|index| outbox.add(lease(index)));
        outbox.flush().expect("room");
        outbox.add(lease(100));
        assert!(outbox.may_wait(true));
        assert!(!outbox.may_wait(false), "the last leases of a job go out");
        (0..LEASES_WAITING_MAX as u64).for_each(|index| outbox.add(lease(200 + index)));
        assert!(!outbox.may_wait(true), "enough for a frame");
        outbox.flush().expect("room");
        outbox.answered(BUSY_LEASES + LEASES_WAITING_MAX);
        outbox.add(lease(300));
        assert!(!outbox.may_wait(true), "it has nearly nothing left to do");
        assert!(receiver.try_recv().is_ok());
    }
}
