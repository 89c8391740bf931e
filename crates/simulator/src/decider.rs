//! Who decides in a world: the machine of the verdict crate, or something that stands in front of it.
//!
//! The tests put a decider with a planted bug here, to see that the invariants find it; nothing else has a second one.

use protocol::{
    ballot::Ballot,
    bundle::Said,
    digest::Digest,
    job::JobId,
    ledger::{Entry, Submitted},
};
use verdict::{Input, Machine, Output, Rejected, ReplayError, Tasks};

/// Takes facts and gives orders, as [`Machine`] does.
pub trait Decider {
    /// See [`Machine::handle`].
    ///
    /// # Errors
    /// [`Rejected`] when the fact cannot be.
    fn handle(&mut self, input: Input, now_ms: u64) -> Result<(), Rejected>;
    /// These ballots have arrived under one signature; each of them comes to [`Decider::handle`] next. The machine takes
    /// each by itself and need not know.
    fn bundle_arrives(&mut self, _ballots: &[Said<Ballot>]) {}
    /// See [`Machine::handle_timeout`].
    fn handle_timeout(&mut self, now_ms: u64);
    /// See [`Machine::next_timeout_ms`].
    fn next_timeout_ms(&self) -> Option<u64>;
    /// See [`Machine::poll_output`].
    fn poll_output(&mut self) -> Option<Output>;
    /// See [`Machine::replay`].
    ///
    /// # Errors
    /// [`ReplayError`] when the entry cannot follow those before it.
    fn replay(
        &mut self,
        entry: &Entry,
        tasks: impl FnOnce(&Submitted) -> Option<Box<dyn Tasks>>,
        holds: impl Fn(JobId, &Digest) -> bool,
    ) -> Result<(), ReplayError>;
    /// See [`Machine::resume`].
    fn resume(&mut self, now_ms: u64);
    /// The machine itself, to look at.
    fn machine(&self) -> &Machine;
}

impl Decider for Machine {
    fn handle(&mut self, input: Input, now_ms: u64) -> Result<(), Rejected> {
        Self::handle(self, input, now_ms)
    }

    fn handle_timeout(&mut self, now_ms: u64) {
        Self::handle_timeout(self, now_ms);
    }

    fn next_timeout_ms(&self) -> Option<u64> {
        Self::next_timeout_ms(self)
    }

    fn poll_output(&mut self) -> Option<Output> {
        Self::poll_output(self)
    }

    fn replay(
        &mut self,
        entry: &Entry,
        tasks: impl FnOnce(&Submitted) -> Option<Box<dyn Tasks>>,
        holds: impl Fn(JobId, &Digest) -> bool,
    ) -> Result<(), ReplayError> {
        Self::replay(self, entry, tasks, holds)
    }

    fn resume(&mut self, now_ms: u64) {
        Self::resume(self, now_ms);
    }

    fn machine(&self) -> &Machine {
        self
    }
}
