//! What must hold in every world, whatever goes wrong; each has a file of its own.
//!
//! They look at what a world did from outside: at ballots that were taken, at verdicts that were announced, at what
//! workers hold in the end. They keep a plain record of their own and believe no count of the machine's.

mod bounded;
mod corrected;
mod decided;
mod majority;
mod one_verdict;
mod record;
mod truth;

use protocol::{ballot::ReplicaId, digest::Digest, job::JobId, verdict::Verdict};
use verdict::Machine;

pub use record::{Record, TaskRecord};
pub use truth::is_wrong;

use crate::scenario::Scenario;

/// A task of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskKey {
    /// Of which job.
    pub job: JobId,
    /// The task's number.
    pub index: u64,
}

impl TaskKey {
    /// The task that a replica is an execution of.
    #[must_use]
    pub fn of(replica: &ReplicaId) -> Self {
        Self { job: replica.job, index: replica.index }
    }
}

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {what}")]
pub struct Violation {
    /// What was to hold.
    pub invariant: &'static str,
    /// What happened instead.
    pub what: String,
}

/// How the workers of a world stand when it has come to rest.
pub trait Members {
    /// Whether the worker's process runs and the coordinator is connected to it.
    fn is_connected(&self, worker: u32) -> bool;
    /// Whether it replaces what it stored when it is told to.
    fn obeys(&self, worker: u32) -> bool;
    /// What it has stored of a task.
    fn stored(&self, worker: u32, task: TaskKey) -> Option<Digest>;
}

/// All invariants, and the record that they are checked against.
#[derive(Debug, Default)]
pub struct Invariants {
    record: Record,
    /// Leases that a ballot ended by what it decided: when it came, theirs could still come, too.
    cancelled: Vec<ReplicaId>,
}

impl Invariants {
    /// A replica is leased, over this session of the worker's link.
    pub fn leased(&mut self, replica: &ReplicaId, worker: u32, session: Option<u64>) {
        self.record.task_mut(TaskKey::of(replica)).lease(worker, replica.number, session);
    }

    /// A lease is over: its worker cannot run it, or let it expire.
    pub fn lease_ended(&mut self, replica: &ReplicaId) {
        self.record.task_mut(TaskKey::of(replica)).end_lease(replica.number);
    }

    /// A lease is taken back by what a ballot decided.
    pub fn cancelled(&mut self, replica: ReplicaId) {
        self.cancelled.push(replica);
    }

    /// Everything that was ordered is done.
    pub fn orders_done(&mut self) {
        for replica in std::mem::take(&mut self.cancelled) {
            self.lease_ended(&replica);
        }
    }

    /// A ballot was taken.
    pub fn ballot_taken(&mut self, task: TaskKey, worker: u32, replica_number: u32, digest: Digest) {
        self.record.task_mut(task).take(worker, replica_number, digest);
    }

    /// A verdict is announced, while these sessions of the workers' links are up.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn announced(
        &mut self,
        task: TaskKey,
        verdict: &Verdict,
        scenario: &Scenario,
        machine: &Machine,
        sessions: &[Option<u64>],
    ) -> Result<(), Violation> {
        let record = self.record.task_mut(task);
        one_verdict::check(task, record, verdict)?;
        truth::check(task, verdict, scenario)?;
        majority::check(task, record, verdict, scenario, machine, record.out(sessions))?;
        record.announce(verdict.clone());
        Ok(())
    }

    /// Something has happened, and everything that follows from it.
    ///
    /// # Errors
    /// The [`Violation`] that the present state is.
    pub fn step(&self, machine: &Machine, scenario: &Scenario, planned: usize) -> Result<(), Violation> {
        bounded::check(machine, scenario, planned)
    }

    /// Nothing will happen any more.
    ///
    /// # Errors
    /// The [`Violation`] that this end is.
    pub fn at_rest(
        &self,
        machine: &Machine,
        scenario: &Scenario,
        members: &impl Members,
    ) -> Result<(), Violation> {
        decided::check(&self.record, machine, scenario)?;
        corrected::check(&self.record, members)
    }

    /// What was seen of each task.
    pub fn record(&self) -> &Record {
        &self.record
    }
}
