//! The messages that travel: small frames on one control stream per connection, and requests for blobs.
//!
//! A worker opens one stream and says a [`Hello`]; then it pulls work by granting credit, and answers
//! with ballots. A client opens one stream per [`Request`]. Whatever is long (a task, an outcome, a certificate, a
//! result) is named here and fetched on a stream of its own.

use serde::{Deserialize, Serialize};

use crate::{
    ballot::ReplicaId,
    bundle::BallotBundle,
    commitment::Commitment,
    constant::Formula,
    digest::Digest,
    domain::Engine,
    identity::NodeId,
    job::JobId,
    report::{JobProgress, JobStatus, WorkerStatus},
    token::Credential,
    trace::TraceQuestion,
};

/// The first frame of a connection's first stream: who comes, and what it wants to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::limits::PROTOCOL_VERSION`].
    pub protocol_version: u32,
    /// The proof that it was let in; the owner of the coordinator's key needs none.
    pub credential: Option<Credential>,
    /// As what it comes.
    pub introduction: Introduction,
}

/// As what a node comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Introduction {
    /// To compute.
    Worker(WorkerIntroduction),
    /// To submit and to ask.
    Client,
}

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerIntroduction {
    /// Its name for people.
    pub name: String,
    /// The engines that it has in service.
    pub engines: Vec<EngineIntroduction>,
    /// Version of the program.
    pub build: String,
    /// How many heavy tasks it computes at once.
    pub slots: u32,
    /// Replicas that it still computes, or whose ballots were not acknowledged and follow now; at most
    /// [`crate::limits::RESUMES_MAX`].
    pub resumes: Vec<ReplicaId>,
}

/// What a worker says of one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineIntroduction {
    /// Which engine.
    pub engine: Engine,
    /// On which device and driver.
    pub device: String,
}

/// The answer to a [`Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Welcome {
    /// Come in.
    Accepted {
        /// The operator under which the node is known.
        operator: String,
        /// How often the coordinator wants to hear from a worker, in milliseconds.
        heartbeat_ms: u64,
    },
    /// No, and why, in words for the user.
    Refused {
        /// A sentence.
        reason: String,
        /// Whether trying again later can help.
        temporary: bool,
    },
}

/// From a worker, after it was welcomed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkerMessage {
    /// Ballots, each with the outcome where it is short; on sealed tasks with what opens the commitments to them.
    Cast(BallotBundle),
    /// It has computed replicas of sealed tasks, and says so without saying what came out.
    Commit {
        /// Which, and to what it commits.
        commitments: Vec<(ReplicaId, Commitment)>,
    },
    /// It cannot run a replica.
    Failed {
        /// Which.
        replica: ReplicaId,
        /// Why.
        reason: String,
    },
    /// It is alive, and these replicas are under way.
    Heartbeat {
        /// The replicas and how far each is, in thousandths.
        under_way: Vec<(ReplicaId, u16)>,
    },
    /// It replaced its outcome by the accepted one.
    Corrected {
        /// For which replica.
        replica: ReplicaId,
        /// The digest that it now holds.
        digest: Digest,
    },
    /// It leaves on purpose: its leases are free.
    Goodbye,
}

/// From the coordinator to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CoordinatorMessage {
    /// Compute these.
    Lease(Vec<Lease>),
    /// The commitments of sealed tasks are in: cast the ballots that you committed to.
    Reveal {
        /// Which.
        replicas: Vec<ReplicaId>,
    },
    /// Do not compute these any more, or do not reveal them; nobody waits for them.
    Cancel {
        /// Which.
        replicas: Vec<ReplicaId>,
    },
    /// Your ballots are recorded; you need not offer them again.
    Counted {
        /// Which.
        replicas: Vec<ReplicaId>,
    },
    /// Another digest was accepted. Fetch certificate and outcome, check them, replace yours, and say so.
    Correct {
        /// Your replica.
        replica: ReplicaId,
        /// What was accepted.
        accepted: Digest,
    },
}

/// A bounded right to run one replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Which execution.
    pub replica: ReplicaId,
    /// By which engine.
    pub engine: Engine,
    /// By which method.
    pub formula: Formula,
    /// The lease ends when this long passes without a heartbeat that names the replica, in milliseconds.
    pub lease_ms: u64,
    /// How many agreeing ballots a verdict on it needs; a correction with fewer is not obeyed.
    pub quorum: u32,
    /// Whether the ballot is asked for in a closed envelope: [`WorkerMessage::Commit`] first.
    pub sealed: bool,
    /// What is to be tested instead of computed; the formula is [`Formula::Audit`] then.
    pub audit: Option<AuditOrder>,
    /// Whether to keep what an audit of the outcome needs: somebody may ask for it.
    pub witness: bool,
    /// The task's canonical bytes, or none where they are over [`crate::limits::INLINE_TASK_BYTES_MAX`] and must be
    /// fetched as a blob.
    #[serde(with = "serde_bytes")]
    pub task: Option<Vec<u8>>,
}

/// What an auditor is to test. It fetches the outcome and, where there is one, the witness from the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditOrder {
    /// The digest of the outcome.
    pub outcome: Digest,
    /// Who computed it.
    pub prover: NodeId,
    /// By which method.
    pub formula: Formula,
}

/// The first frame of a stream that fetches bytes by name; either side may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRequest {
    /// What is asked for.
    pub blob: BlobName,
    /// From which byte on.
    pub offset: u64,
}

/// The name of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BlobName {
    /// The canonical encoding of a task, by its id.
    Task(Digest),
    /// An outcome, by its digest.
    Outcome(Digest),
    /// The certificate of a job's task, by the task's number.
    Certificate(JobId, u64),
    /// What a worker kept for audits of the outcome with this digest, as it came from this worker.
    Witness(Digest, NodeId),
    /// An answer about the way on which a worker came to the outcome with this digest ([`crate::trace`]).
    Trace(Digest, TraceQuestion),
}

/// The answer to a [`BlobRequest`]; the bytes follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlobReply {
    /// The blob's whole length; the bytes from the offset on follow.
    Found {
        /// In bytes.
        length_bytes: u64,
    },
    /// Nobody here has it.
    Absent,
}

/// What a client asks, one per stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Run a job. The job file's bytes follow, then those of the expression file. The answer is a
    /// [`Response::Submitted`]; for whoever follows, what [`Request::Watch`] and then what [`Request::Result`] would tell
    /// comes after it on the same stream.
    Submit {
        /// Length of the job file.
        job_bytes: u64,
        /// Length of the expression file, where the job names one.
        file_bytes: Option<u64>,
        /// Whether the client stays to hear how it ends.
        follow: bool,
    },
    /// Tell the progress of a job until it is over.
    Watch(JobId),
    /// Stop a job.
    Abandon(JobId),
    /// All jobs.
    Status,
    /// All workers.
    Workers,
    /// The results of a job: a [`Response::Result`], then the bytes that it names.
    Result {
        /// Of which.
        job: JobId,
        /// Whether the expression file is wanted too; whoever submitted it has it.
        file: bool,
    },
    /// The certificate of a job, as far as it is decided: a [`Response::Certificate`], then its bytes.
    Certificate {
        /// Of which.
        job: JobId,
        /// Whether the expression file and the outcomes are left out, for whoever has them with the result
        /// ([`crate::certificate::Completion`]).
        abridged: bool,
    },
    /// Never again let this key in; drop its connection now.
    Revoke(NodeId),
}

/// What the coordinator answers to a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Response {
    /// The job was taken.
    Submitted(JobId),
    /// How a watched job stands; more follow until its state is over.
    Progress(JobProgress),
    /// All jobs.
    Status(Vec<JobStatus>),
    /// All workers.
    Workers(Vec<WorkerStatus>),
    /// The job file's text, the expression file where it is wanted, the report (JSON), the signed ballots (JSON) and, for
    /// each task in order, a length and the outcome's bytes follow; a task without an accepted outcome has the length
    /// [`NO_OUTCOME`], and after it stands how many tasks from it on have none, in as many bytes. A long outcome has the length
    /// [`OUTCOME_BY_NAME`], and its digest stands there: it is a blob, to be fetched over the same connection.
    Result {
        /// Length of the job file's text.
        job_bytes: u64,
        /// Length of the expression file, where the job names one and it is wanted.
        file_bytes: Option<u64>,
        /// Length of the report.
        report_bytes: u64,
        /// Length of the ballots.
        ballots_bytes: u64,
        /// How many outcomes follow.
        tasks: u64,
    },
    /// The bytes of a certificate follow.
    Certificate {
        /// How many.
        length_bytes: u64,
    },
    /// Done.
    Done,
    /// Not done, and why, in words for the user.
    Error(String),
}

/// The length that stands for "no accepted outcome" in a result.
pub const NO_OUTCOME: u64 = u64::MAX;

/// The length that stands for "the digest of an outcome" in a result.
pub const OUTCOME_BY_NAME: u64 = u64::MAX - 1;
