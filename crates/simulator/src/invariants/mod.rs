//! What must hold in every world, whatever goes wrong; each has a file of its own.
//!
//! They look at what a world did from outside: at ballots that were taken, at what was written down, synced and told, at what
//! workers hold in the end. They keep a plain record of their own and believe no count of the machine's.

mod audits;
mod bounded;
mod corrected;
mod decided;
mod durable;
mod kinds;
mod majority;
mod no_rerun;
mod one_verdict;
mod presence;
mod record;
mod refused;
mod replayable;
mod standing;
mod truth;

use protocol::{
    audit::Audited,
    ballot::ReplicaId,
    digest::Digest,
    domain::Engine,
    identity::NodeId,
    job::JobId,
    ledger::{Decided, Entry, Record as Written},
    report::{JobState, Liveness},
    verdict::Verdict,
};
use verdict::{Machine, ReplayError, TEST_NUMBERS};

use bounded::Bounds;
use presence::Presence;
use record::Finding;
pub use record::{Record, TaskRecord};
use standing::Standings;
pub use truth::is_wrong;

use crate::{scenario::Scenario, values::worker_number};

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
    /// Whether the worker's process runs, the coordinator is connected to it, and it is not on standby.
    fn is_there(&self, worker: u32) -> bool;
    /// Whether it replaces what it stored when it is told to.
    fn obeys(&self, worker: u32) -> bool;
    /// What it has stored of a task.
    fn stored(&self, worker: u32, task: TaskKey) -> Option<Digest>;
}

/// All invariants, and the record that they are checked against.
#[derive(Debug)]
pub struct Invariants {
    bounds: Bounds,
    record: Record,
    presence: Presence,
    standings: Standings,
    scenario: Scenario,
}

impl Invariants {
    /// Those of the world of this scenario, in which nothing has happened.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            bounds: Bounds::of(scenario),
            record: Record::default(),
            presence: Presence::default(),
            standings: Standings::default(),
            scenario: scenario.clone(),
        }
    }

    /// The coordinator's clock shows this time, in milliseconds.
    pub fn time(&mut self, now_ms: u64) {
        self.presence.time(now_ms);
    }

    /// A ballot was taken. The next replica of its task had the number `next_number`.
    pub fn ballot_taken(
        &mut self,
        task: TaskKey,
        worker: u32,
        (replica_number, next_number): (u32, u32),
        digest: Digest,
    ) {
        let record = self.record.task_mut(task);
        if self.scenario.policy.auditing.adaptive.is_some() {
            if record.is_no_check(worker, replica_number) {
                return;
            }
            record.note_first(next_number);
        }
        record.take(worker, replica_number, digest);
    }

    /// An audit was taken: what it says, and about what.
    pub fn audit_taken(
        &mut self,
        task: TaskKey,
        auditor: u32,
        number: u32,
        (digest, audited): (Digest, &Audited),
    ) {
        let Audited { outcome, prover, .. } = *audited;
        let (prover, passes) = (worker_number(&prover), digest == outcome);
        let finding = Finding { auditor, number, prover, outcome, passes };
        self.record.task_mut(task).take_finding(finding);
    }

    /// A ballot is refused.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn refused(&self, worker: u32, replica: &ReplicaId, machine: &Machine) -> Result<(), Violation> {
        refused::check(worker, replica, machine)
    }

    /// A worker is connected; what it missed has time until `due_ms`.
    pub fn joined(&mut self, worker: u32, due_ms: u64) {
        self.presence.back(worker, &self.record, due_ms);
    }

    /// A worker's connection is gone.
    pub fn gone(&mut self, worker: u32) {
        self.presence.gone(worker);
    }

    /// The coordinator says how a worker is heard; one that is back has time until `due_ms` for what it missed.
    pub fn noted(&mut self, worker: &NodeId, liveness: Liveness, due_ms: u64) {
        self.presence.noted(worker_number(worker), liveness, &self.record, due_ms);
    }

    /// The coordinator has the accepted outcome of a task.
    pub fn held(&mut self, task: TaskKey) {
        self.record.task_mut(task).held = true;
    }

    /// A dissenter says that it has the accepted outcome.
    pub fn acknowledged(&mut self, task: TaskKey, worker: u32) {
        self.record.task_mut(task).acknowledged.push(worker);
    }

    /// A worker gets a lease.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn leased(
        &mut self,
        worker: &NodeId,
        replica: &ReplicaId,
        engine: Engine,
        machine: &Machine,
    ) -> Result<(), Violation> {
        self.standings.check_lease(worker_number(worker), engine, replica)?;
        if replica.number < TEST_NUMBERS {
            no_rerun::check(&self.record, replica)?;
        }
        self.presence.check(worker_number(worker), replica.index, &self.record, machine)
    }

    /// A verdict is written down; `held` says whether the coordinator has the outcome already.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn decided(
        &mut self,
        decided: &Decided,
        held: bool,
        scenario: &Scenario,
        machine: &Machine,
    ) -> Result<(), Violation> {
        let task = TaskKey { job: decided.job, index: decided.index };
        let record = self.record.task_mut(task);
        one_verdict::check_written(task, record, &decided.verdict)?;
        truth::check(task, &decided.verdict, scenario)?;
        majority::check(task, record, decided, scenario, machine)?;
        record.decide(decided.verdict.clone());
        record.held = held;
        Ok(())
    }

    /// A record is written down.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn written(&mut self, record: &Written) -> Result<(), Violation> {
        self.standings.written(record, &self.scenario)
    }

    /// These entries survive every crash from now on.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn synced(&mut self, entries: &[Entry]) -> Result<(), Violation> {
        durable::synced(&mut self.record, entries)
    }

    /// A client hears that its job is taken.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn taken(&self, job: JobId) -> Result<(), Violation> {
        durable::check_taken(&self.record, job)
    }

    /// A verdict is announced.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn announced(&mut self, task: TaskKey, verdict: &Verdict) -> Result<(), Violation> {
        durable::check_announced(&self.record, task, verdict)?;
        let record = self.record.task_mut(task);
        one_verdict::check_announced(task, record, verdict)?;
        record.told = Some(verdict.clone());
        Ok(())
    }

    /// A worker hears that its ballot is safe.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn counted(&self, worker: &NodeId, replica: &ReplicaId) -> Result<(), Violation> {
        durable::check_counted(&self.record, worker, replica)
    }

    /// A dissenter hears what was accepted.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn corrected(&self, replica: &ReplicaId, accepted: Digest) -> Result<(), Violation> {
        durable::check_corrected(&self.record, replica, accepted)
    }

    /// A client hears that its job is over.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn over(&self, job: JobId, state: JobState) -> Result<(), Violation> {
        durable::check_over(&self.record, job, state)
    }

    /// The coordinator crashed. `entries` is what is left of its log, of which `kept` was not synced before; `keeps` says
    /// which accepted outcomes it still has.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn crashed(
        &mut self,
        entries: &[Entry],
        kept: &[Entry],
        keeps: impl Fn(&Digest) -> bool,
    ) -> Result<(), Violation> {
        durable::synced(&mut self.record, kept)?;
        self.presence.forget();
        self.record.rebuild(entries, keeps);
        self.standings.rebuild(entries, &self.scenario)
    }

    /// The coordinator has read its log, to this end.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn restarted(
        &self,
        machine: &Machine,
        replayed: Result<(), (usize, ReplayError)>,
    ) -> Result<(), Violation> {
        replayable::check(replayed)?;
        durable::check_restarted(&self.record, machine)
    }

    /// The coordinator has read its log, and done what follows from it.
    ///
    /// # Errors
    /// The [`Violation`] that this is.
    pub fn resumed(&self, machine: &Machine) -> Result<(), Violation> {
        self.standings.check(machine, &self.scenario)
    }

    /// Something has happened, and everything that follows from it: so much is planned, and so much waits for the disk.
    ///
    /// # Errors
    /// The [`Violation`] that the present state is.
    pub fn step(&self, machine: &Machine, planned: usize, waiting: usize) -> Result<(), Violation> {
        self.bounds.check(machine, planned, waiting)
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
        self.standings.check(machine, scenario)?;
        self.standings.kinds.check_end(machine, scenario, members)?;
        corrected::check(&self.record, machine, members)
    }

    /// What was seen of each task.
    pub fn record(&self) -> &Record {
        &self.record
    }
}
