//! One of each message.

use protocol::{
    ballot::Ballot,
    bundle::{BallotBundle, Said},
    commitment::{Commitment, Salt},
    constant::Formula,
    digest::Digest,
    domain::Engine,
    identity::{NodeId, SecretKey},
    job::JobId,
    limits::PROTOCOL_VERSION,
    message::{
        AuditOrder, BlobName, BlobReply, BlobRequest, CoordinatorMessage, EngineIntroduction, Hello,
        Introduction, Lease, Request, Response, Welcome, WorkerIntroduction, WorkerMessage,
    },
    report::{JobProgress, JobStatus, Liveness, WorkerStatus},
    standing::{EngineStanding, QuarantineStatus},
    token::{Credential, Grant, Role, Token},
    trace::{
        Fingerprint, TraceChild, TraceHalves, TraceNode, TracePlace, TraceQuestion, TraceTop, TraceTree,
    },
};
use transport::Opening;

use super::{coordinator, decided};

/// A join token.
#[must_use]
pub fn token(role: Role) -> Token {
    let grant = Grant { role, operator: "alice".to_owned(), expires_unix_s: 2_000_000_000 };
    Token::issue("coordinator.example:4747".to_owned(), &coordinator(), grant)
}

/// Hellos of a worker and of a client.
#[must_use]
pub fn hellos() -> Vec<Hello> {
    let worker = WorkerIntroduction {
        name: "w1".to_owned(),
        engines: vec![EngineIntroduction { engine: Engine::Cpu, device: "a processor".to_owned() }],
        build: "0.1.0".to_owned(),
        slots: 4,
        resumes: vec![decided::replica(); 2],
    };
    let credential = Some(Credential::from(&token(Role::Worker)));
    vec![
        Hello { protocol_version: PROTOCOL_VERSION, credential, introduction: Introduction::Worker(worker) },
        Hello { protocol_version: PROTOCOL_VERSION, credential: None, introduction: Introduction::Client },
    ]
}

/// Both answers to a hello.
#[must_use]
pub fn welcomes() -> Vec<Welcome> {
    vec![
        Welcome::Accepted { operator: "alice".to_owned(), heartbeat_ms: 1000 },
        Welcome::Refused { reason: "the coordinator is full".to_owned(), temporary: true },
    ]
}

/// One of each message of a worker.
#[must_use]
pub fn of_worker() -> Vec<WorkerMessage> {
    let (replica, compute_us) = (decided::replica(), 10);
    let outcome = decided::outcomes().first().map(protocol::outcome::Outcome::to_bytes);
    let salt = Salt([7; 32]);
    let mut messages = vec![
        WorkerMessage::Failed { replica, reason: "no such formula".to_owned() },
        WorkerMessage::Heartbeat { under_way: vec![(replica, 500), (replica, 1000)] },
        WorkerMessage::Corrected { replica, digest: Digest([4; 32]) },
        WorkerMessage::Goodbye,
    ];
    let key = SecretKey::from_seed(&[1; 32]);
    let said = |salt, outcome: &Option<Vec<u8>>| -> Vec<Said<Ballot>> {
        let ballots =
            decided::ballots().into_iter().map(|signed| Ballot { worker: key.node_id(), ..signed.ballot });
        ballots.map(|ballot| Said { ballot, salt, outcome: outcome.clone(), compute_us }).collect()
    };
    let (open, sealed) = (said(None, &outcome), said(Some(salt), &None));
    let commitments = sealed.iter().map(|said| (replica, Commitment::to(&said.ballot, &salt))).collect();
    messages.push(WorkerMessage::Commit { commitments });
    for said in [open[..1].to_vec(), open, sealed] {
        messages.push(WorkerMessage::Cast(BallotBundle::sign(said, &key)));
    }
    messages
}

/// One of each message of the coordinator.
#[must_use]
pub fn of_coordinator() -> Vec<CoordinatorMessage> {
    let replica = decided::replica();
    let lease = |task| Lease {
        replica,
        engine: Engine::Gpu,
        formula: Formula::Chudnovsky,
        lease_ms: 60_000,
        quorum: 2,
        sealed: true,
        audit: Some(AuditOrder {
            outcome: decided::replica().task.0,
            prover: super::worker(2).node_id(),
            formula: Formula::Ramanujan,
        }),
        witness: true,
        task,
    };
    let tasks = decided::tasks()
        .into_iter()
        .map(|task| CoordinatorMessage::Lease(vec![lease(Some(task.to_bytes()))]));
    let mut messages: Vec<_> = tasks.collect();
    messages.extend([
        CoordinatorMessage::Lease(vec![lease(None), lease(Some(vec![1, 2]))]),
        CoordinatorMessage::Reveal { replicas: vec![replica, replica] },
        CoordinatorMessage::Cancel { replicas: vec![replica, replica] },
        CoordinatorMessage::Counted { replicas: vec![replica, replica] },
        CoordinatorMessage::Correct { replica, accepted: Digest([5; 32]) },
    ]);
    messages
}

/// One of each request of a client.
#[must_use]
pub fn requests() -> Vec<Request> {
    let job = JobId([1; 16]);
    vec![
        Request::Submit { job_bytes: 100, file_bytes: Some(200), follow: true },
        Request::Watch(job),
        Request::Abandon(job),
        Request::Status,
        Request::Workers,
        Request::Result { job, file: true },
        Request::Certificate { job, abridged: true },
        Request::Revoke(NodeId([3; 32])),
    ]
}

/// One of each answer to a client.
#[must_use]
pub fn responses() -> Vec<Response> {
    let job = JobId([1; 16]);
    let progress = JobProgress { waiting: Some("for a worker".to_owned()), ..JobProgress::starting() };
    let status = JobStatus { job, name: "pi-digits".to_owned(), progress: progress.clone(), age_ms: 5 };
    let worker = WorkerStatus {
        worker: NodeId([3; 32]),
        name: "w1".to_owned(),
        operator: "alice".to_owned(),
        engines: vec!["cpu (a processor)".to_owned(), "gpu (a card)".to_owned()],
        build: "0.1.0".to_owned(),
        connected: true,
        liveness: Liveness::Suspect,
        leases: 1,
        ballots: 2,
        dissents: 3,
        equivocations: 4,
        broken_seals: 5,
        bundles: 6,
        sent_bytes: 7,
        received_bytes: 8,
        standing: vec![EngineStanding {
            broken_seals: 0,
            awaits_test: Some("its kind of device".to_owned()),
            engine: Engine::Gpu,
            confirmed: 9,
            dissents: 10,
            failed_audits: 11,
            equivocations: 12,
            error_ppm: 13,
            error_ppm_max: 14,
            quarantine: Some(QuarantineStatus { reason: "why".to_owned(), right_in_a_row: 15, needed: 16 }),
        }],
    };
    vec![
        Response::Submitted(job),
        Response::Progress(progress),
        Response::Status(vec![status.clone(), status]),
        Response::Workers(vec![worker.clone(), worker]),
        Response::Result { report_bytes: 1, ballots_bytes: 2, job_bytes: 3, file_bytes: None, tasks: 4 },
        Response::Certificate { length_bytes: 9 },
        Response::Done,
        Response::Error("no such job".to_owned()),
    ]
}

/// Requests for one blob of each kind, and both answers.
#[must_use]
pub fn blobs() -> (Vec<BlobRequest>, Vec<BlobReply>) {
    let digest = Digest([6; 32]);
    let trace = TraceQuestion::Again(TracePlace { tree: 1, from: 257, to: 513 });
    let names = [
        BlobName::Task(digest),
        BlobName::Outcome(digest),
        BlobName::Certificate(JobId([1; 16]), 7),
        BlobName::Trace(digest, TraceQuestion::Top),
        BlobName::Trace(digest, trace),
    ];
    let requests = names.into_iter().map(|blob| BlobRequest { blob, offset: 1 << 40 }).collect();
    (requests, vec![BlobReply::Found { length_bytes: u64::MAX }, BlobReply::Absent])
}

/// Answers about a trace: its trees, and a node with all that it may have.
#[must_use]
pub fn trace_answers() -> (Vec<TraceTop>, Vec<TraceNode>) {
    let fingerprint = Fingerprint([1, 1 << 60, 3, u64::MAX]);
    let child = TraceChild { fingerprint, digest: Digest([8; 32]) };
    let tree = TraceTree { identity: Digest([9; 32]), from: 1, to: 1 << 20, root: child };
    let halves = Some(TraceHalves { middle: 300, left: child, right: child });
    let node = TraceNode { from: 1, to: 513, fingerprint, halves };
    (vec![TraceTop { trees: vec![tree; 3] }], vec![node, TraceNode { halves: None, ..node }])
}

/// What each stream opens with.
#[must_use]
pub fn openings() -> Vec<Opening> {
    let hellos = hellos().into_iter().map(Opening::Control);
    let requests = requests().into_iter().map(Opening::Request);
    hellos.chain(requests).chain(blobs().0.into_iter().map(Opening::Blob)).collect()
}
