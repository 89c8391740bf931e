//! What a coordinator hands to workers of its own process: what they would fetch, as far as it lies in memory.

use std::sync::Arc;

use bytes::Bytes;
use protocol::message::BlobName;
use transport::blob::Neighbour;

use crate::{outcomes::AcceptedOutcomes, witnesses::Witnesses};

/// The shelves of one coordinator.
pub struct AtHand {
    /// The accepted outcomes.
    pub outcomes: Arc<AcceptedOutcomes>,
    /// What provers gave for audits.
    pub witnesses: Arc<Witnesses>,
}

impl Neighbour for AtHand {
    fn at_hand(&self, name: &BlobName) -> Option<Vec<Bytes>> {
        match name {
            BlobName::Outcome(digest) => self.outcomes.in_memory(digest).map(|bytes| vec![bytes]),
            BlobName::Witness(outcome, prover) => self.witnesses.at_hand(*outcome, *prover),
            BlobName::Task(_) | BlobName::Trace(..) | BlobName::Certificate(..) => None,
        }
    }
}
