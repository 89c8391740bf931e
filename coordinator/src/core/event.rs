//! What reaches the owner of the vote: words of workers, requests of clients, and the ends of errands.

use std::sync::Arc;

use protocol::{
    ballot::{AuthenticBallot, ReplicaId},
    bundle::Said,
    commitment::Commitment,
    digest::Digest,
    fault::LocatedFault,
    identity::NodeId,
    job::{JobId, JobSpec},
    ledger::Submitted,
    message::{CoordinatorMessage, WorkerIntroduction},
    plan::Plan,
    report::{JobProgress, JobStatus, WorkerStatus},
    verdict::Certificate,
};
use tokio::sync::{mpsc, oneshot, watch};
use transport::Connection;

use super::{auditing::Obtained, result::JobResult};

/// Something for the owner.
#[derive(Debug)]
pub enum Event {
    /// A fault was located, or not.
    Located(Box<LocatedFault>),
    /// An errand for what auditors need has ended.
    Obtained(Obtained),
    /// A worker was let in.
    WorkerIn(WorkerIn),
    /// A worker's connection is gone.
    WorkerOut {
        /// Who.
        worker: NodeId,
        /// Which of its connections.
        session: u64,
    },
    /// A worker said something.
    Heard {
        /// Who.
        worker: NodeId,
        /// What.
        word: Word,
    },
    /// The accepted outcome of a task was fetched and kept, or not.
    Fetched {
        /// Of which job.
        job: JobId,
        /// The task's number.
        index: u64,
        /// Who was asked.
        worker: NodeId,
        /// The digest under which it is kept, or why not.
        result: Result<Digest, String>,
    },
    /// It is known where a dissenter's outcome parts from the accepted one, or that it cannot be known.
    Compared {
        /// Whose.
        worker: NodeId,
        /// Its replica.
        replica: ReplicaId,
        /// The accepted digest.
        accepted: Digest,
        /// Where, in words.
        place: Option<String>,
    },
    /// A client's request.
    Asked(Asked),
}

/// A worker that was let in.
#[derive(Debug)]
pub struct WorkerIn {
    /// Its key.
    pub worker: NodeId,
    /// Who runs it.
    pub operator: String,
    /// What it said of itself.
    pub introduction: WorkerIntroduction,
    /// Takes what is to be said to it.
    pub outbox: mpsc::Sender<Box<CoordinatorMessage>>,
    /// For blobs.
    pub connection: Connection,
    /// Counts the connections of this coordinator.
    pub session: u64,
}

/// What a worker said, as far as it was checked on its connection.
#[derive(Debug)]
pub enum Word {
    /// Ballots whose signature is its own, each outcome with its ballot's digest.
    Cast(Vec<Said<AuthenticBallot>>),
    /// It committed to ballots on sealed tasks.
    Commit(Vec<(ReplicaId, Commitment)>),
    /// It cannot run a replica.
    Failed {
        /// Which.
        replica: ReplicaId,
        /// Why.
        reason: String,
    },
    /// It is alive, and these are under way.
    Heartbeat(Vec<(ReplicaId, u16)>),
    /// It replaced its outcome.
    Corrected {
        /// For which replica.
        replica: ReplicaId,
        /// What it holds now.
        digest: Digest,
    },
}

/// A job that is ready to run.
#[derive(Debug)]
pub struct Submission {
    /// What is written down of it.
    pub submitted: Submitted,
    /// The expression file's text, where the job names one; on disk already.
    pub file: Option<Arc<str>>,
    /// What the text says.
    pub spec: JobSpec,
    /// Its tasks.
    pub plan: Arc<Plan>,
}

/// A job that was taken.
#[derive(Debug)]
pub struct Taken {
    /// Its id.
    pub job: JobId,
    /// Comes when it is durable that it was taken: nobody may hear of it before.
    pub is_durable: oneshot::Receiver<()>,
    /// Its progress from now on, as far as it is durable.
    pub progress: watch::Receiver<JobProgress>,
    /// Its result once it is over, where the client waits for that. It may come before it is durable, to be made ready;
    /// nobody may hear of it before the progress says that the job is over.
    pub result: oneshot::Receiver<Box<JobResult>>,
}

/// A client's request and the way back.
#[derive(Debug)]
pub enum Asked {
    /// Run a job.
    Submit {
        /// The job, parsed and planned.
        submission: Box<Submission>,
        /// Whether the client waits for the end of the job, and not for the word that it is taken.
        follow: bool,
        /// What became of it, or why not.
        reply: oneshot::Sender<Result<Taken, String>>,
    },
    /// Watch a job.
    Watch {
        /// Which.
        job: JobId,
        /// Its progress from now on.
        reply: oneshot::Sender<Option<watch::Receiver<JobProgress>>>,
    },
    /// Stop a job.
    Abandon {
        /// Which.
        job: JobId,
        /// By whom; none is the coordinator's operator, who may stop any job.
        by: Option<NodeId>,
        /// Done, or why not.
        reply: oneshot::Sender<Result<(), String>>,
    },
    /// All jobs.
    Status(oneshot::Sender<Vec<JobStatus>>),
    /// All workers.
    Workers(oneshot::Sender<Vec<WorkerStatus>>),
    /// The results of a job.
    Result {
        /// Which.
        job: JobId,
        /// Report and digests, or why not.
        reply: oneshot::Sender<Result<Box<JobResult>, String>>,
    },
    /// The certificate of a task.
    Certificate {
        /// Of which job.
        job: JobId,
        /// The task's number.
        index: u64,
        /// The certificate, if the task is accepted.
        reply: oneshot::Sender<Option<Certificate>>,
    },
    /// Drop the connection of a worker whose key is revoked.
    Expel(NodeId),
}
