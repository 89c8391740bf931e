//! What the machine is told and what it tells: past facts in, imperatives out.

use protocol::{
    ballot::{AuthenticBallot, ReplicaId},
    commitment::{Commitment, Salt},
    constant::Formula,
    digest::Digest,
    domain::Engine,
    fault::LocatedFault,
    identity::NodeId,
    job::JobId,
    ledger::Record,
    message::{AuditOrder, EngineIntroduction},
    policy::Policy,
    report::{JobState, Liveness},
    standing::QuarantineReason,
    task::{Audits, Task, TaskId, Weight},
    verdict::Verdict,
};

/// The tasks of a job, by number, made when they are asked for.
pub trait Tasks: Send {
    /// How many there are.
    fn count(&self) -> u64;
    /// The task with this number, below [`Tasks::count`]; the same at every call.
    fn terms(&self, index: u64) -> TaskTerms;
}

/// What the vote needs to know of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskTerms {
    /// Its id.
    pub id: TaskId,
    /// The ways to compute it, the fastest first; not empty.
    pub formulas: &'static [Formula],
    /// The engines that can compute it; not empty.
    pub engines: &'static [Engine],
    /// How long it takes, coarsely.
    pub weight: Weight,
    /// How its outcomes are audited.
    pub audits: Audits,
}

impl TaskTerms {
    /// The terms of a task that no plan has: no worker can run it.
    #[must_use]
    pub fn impossible() -> Self {
        Self {
            id: TaskId::of_bytes(&[]),
            formulas: &[Formula::Direct],
            engines: &[Engine::Cpu],
            weight: Weight::Light,
            audits: Audits::Nothing,
        }
    }

    /// The terms of `task`.
    #[must_use]
    pub fn of(task: &Task) -> Self {
        Self {
            id: TaskId::of(task),
            formulas: task.formulas(),
            engines: task.engines(),
            weight: task.weight(),
            audits: task.audits(),
        }
    }
}

/// Something that happened.
pub enum Input {
    /// A worker was let in, or came back.
    WorkerJoined {
        /// Its key.
        worker: NodeId,
        /// Who runs it.
        operator: String,
        /// What it computes with; not empty.
        engines: Vec<EngineIntroduction>,
        /// Version of its program.
        build: String,
        /// How many heavy tasks it computes at once, at least 1.
        slots: u32,
        /// Replicas of earlier leases that it still computes or has ballots for.
        resumes: Vec<ReplicaId>,
    },
    /// A worker's connection is gone.
    WorkerLost {
        /// Its key.
        worker: NodeId,
    },
    /// A job was submitted.
    JobSubmitted {
        /// Its id.
        job: JobId,
        /// The rules of its vote.
        policy: Policy,
        /// Its tasks.
        tasks: Box<dyn Tasks>,
    },
    /// Nobody wants the job any more.
    JobAbandoned {
        /// Its id.
        job: JobId,
    },
    /// A worker cast a ballot.
    BallotCast {
        /// The ballot, from the worker that it names.
        ballot: AuthenticBallot,
        /// Whether the driver already holds an outcome with this digest.
        outcome_held: bool,
        /// How long the worker computed, in microseconds.
        compute_us: u64,
    },
    /// A worker committed to a ballot on a sealed task.
    Committed {
        /// Who.
        worker: NodeId,
        /// For which replica.
        replica: ReplicaId,
        /// To what.
        commitment: Commitment,
    },
    /// A worker revealed the ballot that it had committed to; the rest as in [`Input::BallotCast`].
    BallotRevealed {
        /// The ballot, from the worker that it names.
        ballot: AuthenticBallot,
        /// What opens the commitment.
        salt: Salt,
        /// Whether the driver already holds an outcome with this digest.
        outcome_held: bool,
        /// How long the worker computed, in microseconds.
        compute_us: u64,
    },
    /// A worker cannot run a replica.
    ReplicaFailed {
        /// Who says so.
        worker: NodeId,
        /// Which.
        replica: ReplicaId,
        /// Why.
        reason: String,
    },
    /// A worker was heard, and these replicas are under way.
    Heartbeat {
        /// Who.
        worker: NodeId,
        /// Which, and how far in thousandths.
        under_way: Vec<(ReplicaId, u16)>,
    },
    /// The driver holds the accepted outcome of a task.
    OutcomeHeld {
        /// Of which job.
        job: JobId,
        /// The task's number.
        index: u64,
    },
    /// A worker did not hand out the outcome that it voted for.
    OutcomeWithheld {
        /// Of which job.
        job: JobId,
        /// The task's number.
        index: u64,
        /// Who was asked.
        worker: NodeId,
    },
    /// The driver holds what auditors need: the outcome on trial, and its prover's witness where there is one.
    EvidenceHeld {
        /// Of which job.
        job: JobId,
        /// The task's number.
        index: u64,
        /// Whose it is.
        prover: NodeId,
    },
    /// A prover did not hand out its outcome, or its witness.
    EvidenceWithheld {
        /// Of which job.
        job: JobId,
        /// The task's number.
        index: u64,
        /// Who was asked.
        prover: NodeId,
    },
    /// A dissenter replaced its outcome.
    CorrectionAcknowledged {
        /// Who.
        worker: NodeId,
        /// For which replica.
        replica: ReplicaId,
        /// What it holds now.
        digest: Digest,
    },
    /// It was looked for where the computation of a dissenter went wrong, and this was found.
    FaultLocated(Box<LocatedFault>),
}

/// Something to be done.
///
/// Outputs come in order, and what follows a [`Output::Record`] rests on it: whatever tells anybody anything waits until
/// the record is durable. Only [`Output::Lease`], [`Output::Cancel`], [`Output::Fetch`] and [`Output::Obtain`] may go ahead, as they
/// tell nobody that anything is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write this down, so that it survives a crash, before what follows is done.
    Record(Box<Record>),
    /// Send a lease.
    Lease {
        /// To whom.
        worker: NodeId,
        /// For which execution.
        replica: ReplicaId,
        /// By which engine.
        engine: Engine,
        /// By which method.
        formula: Formula,
        /// How long without a heartbeat, in milliseconds.
        lease_ms: u64,
        /// How many agreeing ballots a verdict needs.
        quorum: u32,
        /// Whether a commitment comes before the ballot.
        sealed: bool,
        /// What to test instead of computing.
        audit: Option<AuditOrder>,
        /// Whether to keep what an audit needs.
        witness: bool,
    },
    /// Ask a worker for the ballot that it committed to.
    Reveal {
        /// Whom.
        worker: NodeId,
        /// For which replica.
        replica: ReplicaId,
    },
    /// Note that a worker broke a seal; its seat is given to another.
    SealBroken {
        /// Who.
        worker: NodeId,
        /// On which replica.
        replica: ReplicaId,
        /// How.
        fault: SealFault,
    },
    /// Tell a worker that nobody waits for a replica any more.
    Cancel {
        /// Whom.
        worker: NodeId,
        /// Which.
        replica: ReplicaId,
    },
    /// Tell a worker that its ballot is recorded, so that it need not offer it again: once the tally has ended.
    Counted {
        /// Whom.
        worker: NodeId,
        /// Which.
        replica: ReplicaId,
    },
    /// A task is decided.
    Announce {
        /// Of which job.
        job: JobId,
        /// The task's number.
        index: u64,
        /// How.
        verdict: Verdict,
    },
    /// Get the accepted outcome from a worker that voted for it, then report [`Input::OutcomeHeld`] or
    /// [`Input::OutcomeWithheld`].
    Fetch {
        /// From whom.
        worker: NodeId,
        /// Of which job.
        job: JobId,
        /// The task's number.
        index: u64,
        /// The accepted digest.
        digest: Digest,
    },
    /// Get an outcome that is to be audited from its prover, and its witness where `witness`, then report
    /// [`Input::EvidenceHeld`] or [`Input::EvidenceWithheld`].
    Obtain {
        /// Of which job.
        job: JobId,
        /// The task's number.
        index: u64,
        /// Which outcome, and whose.
        order: AuditOrder,
        /// Whether there is a witness.
        witness: bool,
    },
    /// Tell a dissenter what was accepted.
    Correct {
        /// Whom.
        worker: NodeId,
        /// Its replica.
        replica: ReplicaId,
        /// What was accepted.
        accepted: Digest,
    },
    /// Note how a worker is heard from now on.
    Note {
        /// Who.
        worker: NodeId,
        /// How.
        liveness: Liveness,
    },
    /// Tell people that an engine of a worker gets no more leases that count.
    Quarantine {
        /// Whose.
        worker: NodeId,
        /// Which.
        engine: Engine,
        /// Why.
        reason: QuarantineReason,
    },
    /// Tell people that an engine is let back.
    Readmit {
        /// Whose.
        worker: NodeId,
        /// Which.
        engine: Engine,
    },
    /// Nothing more will happen to a job, except late ballots.
    JobOver {
        /// Which.
        job: JobId,
        /// How it ended.
        state: JobState,
    },
}

/// How a worker broke a seal. It is counted, and the worker has no vote on the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// It committed to what it had committed to before, for another replica.
    #[error("its commitment is one that it used before")]
    Replayed,
    /// It committed a second time, to something else.
    #[error("it changed its commitment")]
    Changed,
    /// What it revealed is not what it committed to, and another worker committed to the same before it.
    #[error("its commitment is a copy of another worker's, and does not open to its ballot")]
    Copied,
    /// What it revealed is not what it committed to.
    #[error("its commitment does not open to its ballot")]
    Mismatch,
    /// It cast a ballot without a commitment.
    #[error("its ballot came without a commitment")]
    Unsealed,
}

/// An input that cannot be; it changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The worker never joined.
    #[error("worker {} is not enrolled", .0.short())]
    UnknownWorker(NodeId),
    /// No such job, or it ended long ago.
    #[error("job {0} is not known here")]
    UnknownJob(JobId),
    /// A job of that id exists.
    #[error("job {0} was already submitted")]
    DuplicateJob(JobId),
    /// The job has no such task, or the task was not opened yet.
    #[error("job {job} has no open task number {index}")]
    UnknownTask {
        /// The job.
        job: JobId,
        /// The number.
        index: u64,
    },
    /// The replica was never leased to this worker.
    #[error("replica {number} of task {index} was not leased to worker {}", worker.short())]
    NotLeased {
        /// Who spoke.
        worker: NodeId,
        /// The task's number.
        index: u64,
        /// The replica's number.
        number: u32,
    },
    /// The ballot names an operator, engine or formula that cannot be.
    #[error("the ballot of worker {} claims {claim}, which it cannot", worker.short())]
    Domain {
        /// Who spoke.
        worker: NodeId,
        /// What it claims.
        claim: String,
    },
    /// Nobody asked for a commitment.
    #[error("worker {} committed to a ballot on task {index}, which is not sealed", worker.short())]
    NotSealed {
        /// Who spoke.
        worker: NodeId,
        /// The task's number.
        index: u64,
    },
    /// It broke its seal before: it has no vote on the task.
    #[error("worker {} broke its seal on task {index} and has no vote on it", worker.short())]
    BrokenSeal {
        /// Who spoke.
        worker: NodeId,
        /// The task's number.
        index: u64,
    },
    /// The other commitments are not in.
    #[error("worker {} revealed its ballot on task {index} before it was asked to", worker.short())]
    Premature {
        /// Who spoke.
        worker: NodeId,
        /// The task's number.
        index: u64,
    },
    /// A job needs at least one task.
    #[error("job {0} has no tasks")]
    EmptyJob(JobId),
    /// The task has no accepted outcome, or another than the one acknowledged.
    #[error("worker {} acknowledged a digest that is not the accepted one", .0.short())]
    WrongAcknowledgement(NodeId),
}
