//! What one worker is told: orders gather while events are handled, and leave in as few frames as they fit.
//!
//! That a ballot is counted, which a worker hears in order to forget it, waits a little for something that is worth a frame.
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

/// The way to a worker.
pub(super) struct Outbox {
    /// Boxed: a channel keeps room for 32, and most of the time nothing is in it.
    messages: mpsc::Sender<Box<CoordinatorMessage>>,
    leases: Vec<Lease>,
    /// Those that may wait a little for others.
    spares: Vec<Lease>,
    reveals: Vec<ReplicaId>,
    cancels: Vec<ReplicaId>,
    counted: Vec<ReplicaId>,
    corrections: Vec<CoordinatorMessage>,
}

/// Something for a worker.
pub(super) enum Order {
    Lease(Lease),
    /// A replica that its vote can probably do without.
    Spare(Lease),
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

/// How soon what gathered for a worker is to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hurry {
    /// Nothing in it is worth a frame of its own yet.
    None,
    /// There are leases that votes can probably do without.
    Some,
    /// Somebody waits for what follows from it.
    Great,
}

/// The worker does not read what it is told.
#[derive(Debug)]
pub(super) struct Full;

impl Outbox {
    pub(super) fn new(messages: mpsc::Sender<Box<CoordinatorMessage>>) -> Self {
        let (leases, spares, reveals, cancels) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (counted, corrections) = (Vec::new(), Vec::new());
        Self { messages, leases, spares, reveals, cancels, counted, corrections }
    }

    pub(super) fn add(&mut self, order: Order) {
        match order {
            Order::Lease(lease) => self.leases.push(lease),
            Order::Spare(lease) => self.spares.push(lease),
            Order::Reveal(replica) => self.reveals.push(replica),
            Order::Cancel(replica) => self.cancels.push(replica),
            Order::Counted(replica) => self.counted.push(replica),
            Order::Correct(correction) => self.corrections.push(correction),
        }
    }

    /// How soon it is to be let out.
    pub(super) fn hurry(&self) -> Hurry {
        let is_great = !self.leases.is_empty()
            || !self.reveals.is_empty()
            || !self.cancels.is_empty()
            || !self.corrections.is_empty()
            || self.counted.len() >= COUNTED_WAITING_MAX;
        match (is_great, self.spares.is_empty()) {
            (true, _) => Hurry::Great,
            (false, false) => Hurry::Some,
            (false, true) => Hurry::None,
        }
    }

    /// Lets everything out.
    ///
    /// # Errors
    /// [`Full`] when so much waits to be read that there is no room.
    pub(super) fn flush(&mut self) -> Result<(), Full> {
        let mut messages = Vec::new();
        self.leases.append(&mut self.spares);
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
            match self.messages.try_send(Box::new(message)) {
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

    fn replica(index: u64) -> ReplicaId {
        ReplicaId { job: JobId([1; 16]), index, task: TaskId(Digest([2; 32])), number: 0 }
    }

    #[test]
    fn that_a_ballot_is_counted_waits_for_something_worth_a_frame_or_for_many_others() {
        let (sender, _receiver) = mpsc::channel(16);
        let mut outbox = Outbox::new(sender);
        outbox.add(Order::Counted(replica(0)));
        assert_eq!(outbox.hurry(), Hurry::None);
        outbox.add(Order::Cancel(replica(1)));
        assert_eq!(outbox.hurry(), Hurry::Great, "a cancel is worth a frame");
        outbox.flush().expect("room");
        (0..COUNTED_WAITING_MAX as u64).for_each(|index| outbox.add(Order::Counted(replica(index))));
        assert_eq!(outbox.hurry(), Hurry::Great, "enough for a frame");
    }

    #[test]
    fn a_spare_replica_waits_a_little_and_leaves_with_whatever_leaves_first() {
        let lease = |index| Lease {
            replica: replica(index),
            engine: Engine::Cpu,
            formula: Formula::Direct,
            lease_ms: 1000,
            quorum: 2,
            sealed: false,
            audit: None,
            witness: false,
            task: None,
        };
        let (sender, mut receiver) = mpsc::channel(16);
        let mut outbox = Outbox::new(sender);
        outbox.add(Order::Spare(lease(0)));
        assert_eq!(outbox.hurry(), Hurry::Some);
        outbox.add(Order::Lease(lease(1)));
        assert_eq!(outbox.hurry(), Hurry::Great);
        outbox.flush().expect("room");
        assert_eq!(outbox.hurry(), Hurry::None);
        let message = receiver.try_recv().expect("one frame");
        let CoordinatorMessage::Lease(leases) = *message else { panic!("{message:?}") };
        assert_eq!(leases.iter().map(|lease| lease.replica.index).collect::<Vec<_>>(), [1, 0]);
        assert!(receiver.try_recv().is_err(), "no second frame");
    }
}
