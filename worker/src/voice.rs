//! What is about to be said: ballots and commitments gather here, and leave in as few frames and signatures as they fit.
//!
//! Nothing waits for company: whoever holds the voice lets everything out as soon as it has nothing else at hand.

use protocol::{
    ballot::{Ballot, ReplicaId},
    bundle::{BallotBundle, Said},
    commitment::Commitment,
    identity::SecretKey,
    limits::{FRAME_GATHERED_BYTES_MAX, FRAME_ITEMS_MAX},
    message::WorkerMessage,
};

/// Ballots that are not signed yet, and commitments, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    ballots: Vec<Said<Ballot>>,
    commitments: Vec<(ReplicaId, Commitment)>,
}

impl Voice {
    pub(crate) fn cast(&mut self, said: impl IntoIterator<Item = Said<Ballot>>) {
        self.ballots.extend(said);
    }

    pub(crate) fn commit(&mut self, commitments: impl IntoIterator<Item = (ReplicaId, Commitment)>) {
        self.commitments.extend(commitments);
    }

    /// Whether there is enough for a frame.
    pub(crate) fn is_full(&self) -> bool {
        self.ballots.len() >= FRAME_ITEMS_MAX || self.commitments.len() >= FRAME_ITEMS_MAX
    }

    /// Takes out everything, signed with the worker's own key.
    pub(crate) fn take(&mut self, key: &SecretKey) -> Vec<WorkerMessage> {
        let mut messages = Vec::new();
        while !self.ballots.is_empty() {
            let rest = self.ballots.split_off(self.fitting());
            let bundle = std::mem::replace(&mut self.ballots, rest);
            messages.push(WorkerMessage::Cast(BallotBundle::sign(bundle, key)));
        }
        let commitments = std::mem::take(&mut self.commitments);
        let parts = commitments.chunks(FRAME_ITEMS_MAX);
        messages.extend(parts.map(|part| WorkerMessage::Commit { commitments: part.to_vec() }));
        messages
    }

    /// How many ballots from the first on fit into one frame; at least one.
    fn fitting(&self) -> usize {
        let mut bytes = 0;
        let fits = |said: &&Said<Ballot>| {
            bytes += said.outcome.as_ref().map_or(0, Vec::len);
            bytes <= FRAME_GATHERED_BYTES_MAX
        };
        self.ballots.iter().take(FRAME_ITEMS_MAX).take_while(fits).count().max(1)
    }
}
