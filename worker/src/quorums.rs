//! What each lease said of its quorum, kept for the corrections that may follow.

use std::collections::{HashMap, VecDeque};

use protocol::ballot::ReplicaId;

/// How many leases' quorums are remembered for corrections.
const QUORUMS_MAX: usize = 64 * 1024;

/// The quorum that each recent lease named.
#[derive(Default)]
pub(crate) struct Quorums {
    by_replica: HashMap<ReplicaId, u32>,
    order: VecDeque<ReplicaId>,
}

impl Quorums {
    /// Remembers what a lease named.
    pub(crate) fn note(&mut self, replica: ReplicaId, quorum: u32) {
        if self.by_replica.insert(replica, quorum).is_none() {
            self.order.push_back(replica);
        }
        if self.order.len() > QUORUMS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_replica.remove(&oldest);
        }
    }

    /// The quorum of a lease; a lease from before a restart is not remembered, and one signature is the least.
    pub(crate) fn of(&self, replica: &ReplicaId) -> u32 {
        self.by_replica.get(replica).copied().unwrap_or(1)
    }
}
