//! When leases may end. These are by far the most of all timers, and mostly taken back early, so they have a set of their
//! own with little in it.

use protocol::{ballot::ReplicaId, job::JobId};

/// When the lease of a replica may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LeaseEnd {
    /// In milliseconds.
    pub(super) at_ms: u64,
    pub(super) job: JobId,
    pub(super) index: u64,
    pub(super) number: u32,
}

impl LeaseEnd {
    pub(super) fn of(replica: &ReplicaId, at_ms: u64) -> Self {
        Self { at_ms, job: replica.job, index: replica.index, number: replica.number }
    }
}
