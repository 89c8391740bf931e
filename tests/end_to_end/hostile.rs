//! Peers that speak the protocol and mean harm: each is told what is wrong with it, and nobody else notices.

use protocol::{
    ballot::{Ballot, ReplicaId},
    bundle::{BallotBundle, Said},
    constant::Formula,
    digest::Digest,
    domain::{Engine, FailureDomain},
    identity::SecretKey,
    job::JobId,
    limits::PROTOCOL_VERSION,
    message::{
        BlobName, EngineIntroduction, Hello, Introduction, Request, Response, Welcome, WorkerIntroduction,
        WorkerMessage,
    },
    task::TaskId,
    token::{Credential, Token},
};
use quorate_tests::{
    cluster::{Cluster, last_json},
    process::PATIENCE,
};
use transport::{CloseCode, Connection, ConnectionLost, Opening, Stream, blob};

const CHECKS: &str = "name = \"checks\"\nkind = \"expressions\"\n[expressions]\ncheck = [\"2 + 2 == 4\", \
                      \"for n in 1..=10^6: n^5 % 30 == n % 30\"]\n";

/// A program of our own in the place of a worker or of a client.
struct Intruder {
    key: SecretKey,
    connection: Connection,
    control: Stream,
}

impl Intruder {
    async fn knock(token: &str, introduction: Introduction) -> (Self, Welcome) {
        let token = Token::from_text(token).expect("our coordinator's own token");
        let key = SecretKey::from_seed(&[66; 32]);
        let connection =
            transport::connect(&key, token.coordinator, &token.address, PATIENCE).await.expect("it listens");
        let hello = Hello {
            protocol_version: PROTOCOL_VERSION,
            credential: Some(Credential::from(&token)),
            introduction,
        };
        let mut control = connection.open_stream(&Opening::Control(hello)).await.expect("a first stream");
        let welcome = control.reader.require_within(PATIENCE).await.expect("an answer to the hello");
        (Self { key, connection, control }, welcome)
    }

    async fn enter(token: &str, introduction: Introduction) -> Self {
        let (intruder, welcome) = Self::knock(token, introduction).await;
        assert!(matches!(welcome, Welcome::Accepted { .. }), "{welcome:?}");
        intruder
    }

    fn ballot(&self, replica: ReplicaId) -> Ballot {
        let domain = FailureDomain {
            operator: "mallory".to_owned(),
            engine: Engine::Cpu,
            formula: Formula::Direct,
            device: "a CPU".to_owned(),
            build: "1".to_owned(),
        };
        Ballot {
            replica,
            worker: self.key.node_id(),
            digest: Digest([7; 32]),
            domain,
            audit: None,
            trace: None,
        }
    }

    async fn ask(&self, request: Request) -> Response {
        let mut stream =
            self.connection.open_stream(&Opening::Request(request)).await.expect("a stream for a request");
        stream.reader.require_within(PATIENCE).await.expect("an answer")
    }

    /// Waits for the end of the conversation, whoever ends it.
    async fn dismissal_or_end(mut self) -> bool {
        let next = self.control.reader.next::<protocol::message::CoordinatorMessage>();
        let mut next = tokio::time::timeout(PATIENCE, next).await;
        while matches!(next, Ok(Ok(Some(_)))) {
            next = tokio::time::timeout(PATIENCE, self.control.reader.next()).await;
        }
        matches!(next, Ok(Ok(None)))
    }

    /// Why the coordinator closed the connection.
    async fn dismissal(self) -> (CloseCode, String) {
        match tokio::time::timeout(PATIENCE, self.connection.closed()).await.expect("it is closed in time") {
            ConnectionLost::ClosedByPeer { code, reason } => (code, reason),
            other => panic!("{other}"),
        }
    }
}

fn worker() -> Introduction {
    Introduction::Worker(WorkerIntroduction {
        name: "mallory".to_owned(),
        engines: vec![EngineIntroduction { engine: Engine::Cpu, device: "a CPU".to_owned() }],
        build: "1".to_owned(),
        slots: 1,
        resumes: Vec::new(),
    })
}

fn replica(job: JobId, index: u64) -> ReplicaId {
    ReplicaId { job, index, task: TaskId(Digest([9; 32])), number: 0 }
}

fn cast(key: &SecretKey, ballot: Ballot, outcome: Option<Vec<u8>>) -> WorkerMessage {
    let said = Said { ballot, salt: None, outcome, compute_us: 1 };
    WorkerMessage::Cast(BallotBundle::sign(vec![said], key))
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work);
}

/// The honest majority still gets its job done.
fn assert_the_job_succeeds(cluster: &Cluster) {
    let (code, printed) = cluster.submit(&cluster.job_file("checks", CHECKS)).wait();
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(last_json(&printed)["status"], "reconciled");
}

#[test]
fn a_worker_that_says_what_it_must_not_is_dropped_with_the_reason() {
    let mut cluster = Cluster::start();
    let _honest = cluster.honest_workers(&["ada", "bea", "cai"]);
    let token = cluster.token("mallory", &[]);
    run(async {
        let nowhere = replica(JobId([1; 16]), 0);
        for (what, reason) in [
            ("a ballot in another's name", "does not carry its signature"),
            ("another's signature", "does not carry its signature"),
            ("another outcome", "does not have the digest of its ballot"),
            ("a long outcome", "outcome of 5000 bytes came with its ballot"),
            ("a long build", "a name in its ballot is too long"),
            ("a client's message", "frame"),
        ] {
            let mut mallory = Intruder::enter(&token, worker()).await;
            let (mut ballot, mut key) = (mallory.ballot(nowhere), mallory.key.clone());
            let mut outcome = None;
            match what {
                "a ballot in another's name" => ballot.worker = SecretKey::from_seed(&[1; 32]).node_id(),
                "another's signature" => key = SecretKey::from_seed(&[1; 32]),
                "another outcome" => outcome = Some(vec![1, 2, 3]),
                "a long outcome" => outcome = Some(vec![0; 5000]),
                "a long build" => ballot.domain.build = "b".repeat(30_000),
                _ => {}
            }
            if what == "a client's message" {
                let text = "x".repeat(300);
                mallory.control.writer.send(&text).await.expect("it is sent");
            } else {
                mallory.control.writer.send(&cast(&key, ballot, outcome)).await.expect("it is sent");
            }
            let (code, said) = mallory.dismissal().await;
            assert_eq!(code, CloseCode::BadInput, "{what}: {said}");
            assert!(said.contains(reason), "{what}: {said}");
        }
    });
    assert_the_job_succeeds(&cluster);
}

#[test]
fn a_flood_of_words_about_other_peoples_work_ends_the_connection_and_changes_nothing_else() {
    let mut cluster = Cluster::start();
    let _honest = cluster.honest_workers(&["ada", "bea", "cai"]);
    let token = cluster.token("mallory", &[]);
    run(async {
        let mut mallory = Intruder::enter(&token, worker()).await;
        for name in [
            BlobName::Task(Digest([1; 32])),
            BlobName::Outcome(Digest([1; 32])),
            BlobName::Certificate(JobId([1; 16]), u64::MAX),
        ] {
            assert!(blob::fetch(&mallory.connection, name, 100).await.is_err());
        }
        // It stays, holds its leases and reads nothing that it is told.
        assert_the_job_succeeds(&cluster);
        'flood: for index in 0..20_000 {
            let elsewhere = replica(JobId([1; 16]), index);
            let heartbeat = WorkerMessage::Heartbeat { under_way: vec![(elsewhere, 65_535); 100] };
            let failed = WorkerMessage::Failed { replica: elsewhere, reason: "no\n".repeat(5000) };
            let corrected = WorkerMessage::Corrected { replica: elsewhere, digest: Digest([7; 32]) };
            for message in [heartbeat, failed, corrected, cast(&mallory.key, mallory.ballot(elsewhere), None)]
            {
                if mallory.control.writer.feed(&message).await.is_err() {
                    break 'flood;
                }
            }
        }
        let (code, reason) = mallory.dismissal().await;
        assert_eq!(code, CloseCode::BadInput, "{reason}");
        assert!(reason.contains("8192 words of this worker were rejected"), "{reason}");
    });
    cluster.coordinator().wait_for("says too much that cannot be");
}

#[test]
fn a_client_that_claims_what_is_not_there_is_answered_in_words() {
    let mut cluster = Cluster::start();
    let _honest = cluster.honest_workers(&["ada", "bea", "cai"]);
    let token = cluster.token("mallory", &["--client"]);
    run(async {
        let mallory = Intruder::enter(&token, Introduction::Client).await;
        let nowhere = JobId([1; 16]);
        let claims = [
            (Request::Submit { job_bytes: 1 << 60, file_bytes: None, follow: false }, "job file: "),
            (Request::Submit { job_bytes: 0, file_bytes: Some(1 << 60), follow: true }, "expression file: "),
            (Request::Watch(nowhere), "is not known here"),
            (Request::Result { job: nowhere, file: true }, "is not known here"),
            (Request::Abandon(nowhere), "is not known here"),
        ];
        for (request, answer) in claims {
            let response = mallory.ask(request.clone()).await;
            assert!(
                matches!(&response, Response::Error(reason) if reason.contains(answer)),
                "{request:?}: {response:?}"
            );
        }
        let text = "name = \"x\"\nkind = \"expressions\"\n[expressions]\nfile = \"lines.txt\"\n";
        let submit = Request::Submit { job_bytes: text.len() as u64, file_bytes: None, follow: false };
        let mut stream = mallory.connection.open_stream(&Opening::Request(submit)).await.expect("a stream");
        stream.writer.send_bytes(text.into()).await.expect("it is sent");
        let response: Response = stream.reader.require_within(PATIENCE).await.expect("an answer");
        assert!(matches!(&response, Response::Error(_)), "{response:?}");
        // Submissions that never come to an end hold up nobody else.
        let mut stalled = Vec::new();
        for _ in 0..32 {
            let submit = Request::Submit { job_bytes: 1000, file_bytes: None, follow: false };
            stalled.push(mallory.connection.open_stream(&Opening::Request(submit)).await.expect("a stream"));
        }
        assert!(matches!(mallory.ask(Request::Status).await, Response::Status(_)));
    });
    assert_the_job_succeeds(&cluster);
}

#[test]
fn a_token_opens_only_the_door_that_it_was_made_for() {
    let cluster = Cluster::start();
    let (for_worker, for_client) = (cluster.token("mallory", &[]), cluster.token("mallory", &["--client"]));
    run(async {
        for (token, introduction) in [(&for_worker, Introduction::Client), (&for_client, worker())] {
            let (mallory, welcome) = Intruder::knock(token, introduction).await;
            assert!(matches!(&welcome, Welcome::Refused { temporary: false, .. }), "{welcome:?}");
            let (code, reason) = mallory.dismissal().await;
            assert_eq!(code, CloseCode::Refused);
            assert!(reason.contains("token is for a"), "{reason}");
        }
    });
}

/// A digest and the bytes that have it, different for each number.
fn junk(number: u32) -> (Digest, Vec<u8>) {
    let mut bytes = vec![0; 4000];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    (protocol::outcome::Outcome::digest_of_bytes(&bytes), bytes)
}

#[test]
#[cfg(target_os = "linux")]
fn outcomes_of_ballots_that_do_not_count_are_not_held() {
    // In three visits: a worker of which too much is rejected loses its connection.
    const VISITS: u32 = 3;
    const CASTS: u32 = VISITS * 7_900;
    let mut cluster = Cluster::start();
    let _honest = cluster.honest_workers(&["ada", "bea", "cai"]);
    let job = cluster.job_file("checks", CHECKS);
    let detached = cluster.ask(&["submit", job.to_str().expect("UTF-8"), "--detach", "--json"]);
    let printed = last_json(&String::from_utf8_lossy(&detached.stdout));
    let id = printed["job_id"].as_str().and_then(JobId::from_hex).expect("an id");
    let token = cluster.token("mallory", &[]);
    let before_kib = cluster.coordinator().resident_kib();
    run(async {
        for visit in 0..VISITS {
            let mut mallory = Intruder::enter(&token, worker()).await;
            for number in visit * CASTS / VISITS..(visit + 1) * CASTS / VISITS {
                let (digest, bytes) = junk(number);
                let mut ballot = mallory.ballot(replica(id, u64::from(number)));
                ballot.digest = digest;
                let message = cast(&mallory.key, ballot, Some(bytes));
                mallory.control.writer.feed(&message).await.expect("it is taken");
            }
            mallory.control.writer.flush().await.expect("it is sent");
            mallory.control.writer.send(&WorkerMessage::Goodbye).await.expect("it is sent");
            // The last word is heard when everything before it was.
            let _ = mallory.dismissal_or_end().await;
        }
    });
    assert_the_job_succeeds(&cluster);
    let held_kib = cluster.coordinator().resident_kib().saturating_sub(before_kib);
    assert!(held_kib < u64::from(CASTS) * 4 / 2, "the coordinator holds {held_kib} KiB more");
}

#[test]
fn a_client_stops_its_own_jobs_only_and_revokes_nobody() {
    let mut cluster = Cluster::start();
    let never = quorate_tests::cluster::WorkerSpec {
        name: "ada",
        operator: "ada",
        misbehave: Some("slow=1h"),
        ..Default::default()
    };
    let _worker = cluster.worker(&never);
    let job = cluster.job_file("checks", CHECKS);
    let detached = cluster.ask(&["submit", job.to_str().expect("UTF-8"), "--detach", "--json"]);
    let printed = last_json(&String::from_utf8_lossy(&detached.stdout));
    let id = printed["job_id"].as_str().and_then(JobId::from_hex).expect("an id");
    let token = cluster.token("mallory", &["--client"]);
    run(async {
        let mallory = Intruder::enter(&token, Introduction::Client).await;
        let refused = mallory.ask(Request::Abandon(id)).await;
        assert!(
            matches!(&refused, Response::Error(reason) if reason.contains("another client's")),
            "{refused:?}"
        );
        let refused = mallory.ask(Request::Revoke(SecretKey::from_seed(&[1; 32]).node_id())).await;
        assert!(matches!(&refused, Response::Error(reason) if reason.contains("operator")), "{refused:?}");
    });
    assert!(cluster.ask(&["abandon", &id.to_string()]).status.success(), "the operator stops any job");
}
