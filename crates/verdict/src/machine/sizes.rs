//! How much the machine holds: what metrics show, and what the simulator keeps bounds on.

use std::collections::BTreeSet;

use super::Machine;

/// How many of each thing there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Workers that are known.
    pub workers: usize,
    /// Replicas under lease.
    pub leases: usize,
    /// Jobs that are known.
    pub jobs: usize,
    /// Tasks that were opened, of all jobs that are known.
    pub tallies: usize,
    /// Things that happen when time passes.
    pub timers: usize,
    /// Corrections that workers are still owed.
    pub debts: usize,
    /// Outputs that nobody polled yet.
    pub outputs: usize,
}

impl Machine {
    /// How much it holds.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes {
            workers: self.workers.len(),
            leases: self.leased,
            jobs: self.jobs.len(),
            tallies: self.jobs.values().map(|job| job.tallies.len()).sum(),
            timers: self.timers.len() + self.lease_ends.len(),
            debts: self.owed.values().map(BTreeSet::len).sum(),
            outputs: self.outputs.len(),
        }
    }
}
