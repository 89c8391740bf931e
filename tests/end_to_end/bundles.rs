//! Many small tasks at once: their ballots share signatures, each proves itself all the same, and nobody who is slow or deaf
//! holds up the others.

use std::collections::BTreeSet;

use protocol::{
    domain::Engine,
    limits::{FRAME_BYTES_MAX, NAME_BYTES_MAX, PROTOCOL_VERSION},
    message::{EngineIntroduction, Hello, Introduction, Welcome, WorkerIntroduction},
    token::{Credential, Token},
};
use quorate_tests::{
    cluster::{Cluster, WorkerSpec, last_json},
    process::{PATIENCE, command, run},
};
use serde_json::Value;
use transport::Opening;

const TASKS: usize = 2000;

/// A job of checks that are each a task of its own.
fn job_text(tasks: usize) -> String {
    let checks: Vec<String> = (0..tasks).map(|number| format!("\"{number} + 1 > {number}\"")).collect();
    format!(
        "name = \"many\"\nkind = \"expressions\"\n[expressions]\nbatch = 1\ncheck = [{}]\n[policy]\ntolerate = 1\n",
        checks.join(", ")
    )
}

#[test]
fn ballots_that_were_signed_together_are_each_proven_by_the_certificate() {
    let mut cluster = Cluster::start();
    let _workers = cluster.honest_workers(&["ada", "bea", "cai"]);
    let (code, printed) = cluster.submit(&cluster.job_file("many", &job_text(TASKS))).wait();
    assert_eq!(code, Some(0), "{printed}");
    let out = cluster.folder().join("out");
    let tasks = cluster.results().ballots;
    let winning = tasks.as_array().into_iter().flatten().map(|task| &task["certificate"]["winning"]);
    let ballots: Vec<&Value> = winning.filter_map(Value::as_array).flatten().collect();
    assert!(ballots.len() >= 2 * TASKS);
    let together = ballots.iter().filter(|ballot| !ballot["bundle"].is_null()).count();
    assert!(together > ballots.len() / 2, "{together} of {} ballots share a signature", ballots.len());
    let signatures: BTreeSet<String> = ballots.iter().map(|ballot| ballot["signature"].to_string()).collect();
    assert!(signatures.len() < ballots.len() / 2, "{} signatures", signatures.len());
    let (certificate, value) = (out.join("certificate.quorate"), out.join("value.txt"));
    let verified = run(command("coordinator").arg("verify").arg(&certificate).arg("--value").arg(&value));
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn a_slow_worker_and_one_that_reads_nothing_hold_up_nobody() {
    let mut cluster = Cluster::start();
    let _workers = cluster.honest_workers(&["ada", "bea", "cai"]);
    let slow =
        WorkerSpec { name: "dan", operator: "dan", misbehave: Some("slow=2s"), ..WorkerSpec::default() };
    let _slow = cluster.worker(&slow);
    let token = Token::from_text(&cluster.token("eve", &[])).expect("our coordinator's own token");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let deaf = runtime.block_on(join_and_read_nothing(&token, 77, vec![cpu("a CPU")]));
    let (code, printed) = cluster.submit(&cluster.job_file("many", &job_text(TASKS))).wait();
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(last_json(&printed)["accepted"], TASKS);
    drop(deaf);
}

#[test]
fn workers_that_are_too_many_for_one_frame_are_all_listed() {
    const WORKERS: u8 = 60;
    const ENGINES: usize = 30;
    let cluster = Cluster::start();
    let token = Token::from_text(&cluster.token("eve", &[])).expect("our coordinator's own token");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let device = "x".repeat(NAME_BYTES_MAX);
    let engines: Vec<EngineIntroduction> = (0..ENGINES).map(|_| cpu(&device)).collect();
    let joined: Vec<_> = (1..=WORKERS)
        .map(|seed| runtime.block_on(join_and_read_nothing(&token, seed, engines.clone())))
        .collect();
    let printed = run(&mut cluster.client(&["workers", "--json"])).stdout;
    let listed: Vec<Value> = serde_json::from_slice(&printed).expect("a list");
    assert_eq!(listed.len(), usize::from(WORKERS));
    assert!(usize::from(WORKERS) * ENGINES * device.len() > FRAME_BYTES_MAX, "they are too many");
    drop(joined);
}

fn cpu(device: &str) -> EngineIntroduction {
    EngineIntroduction { engine: Engine::Cpu, device: device.to_owned() }
}

/// A worker that takes leases and never reads one.
async fn join_and_read_nothing(
    token: &Token,
    seed: u8,
    engines: Vec<EngineIntroduction>,
) -> (transport::Connection, transport::Stream) {
    let key = protocol::identity::SecretKey::from_seed(&[seed; 32]);
    let connection =
        transport::connect(&key, token.coordinator, &token.address, PATIENCE).await.expect("it listens");
    let hello = Hello {
        protocol_version: PROTOCOL_VERSION,
        credential: Some(Credential::from(token)),
        introduction: Introduction::Worker(WorkerIntroduction {
            name: "eve".to_owned(),
            engines,
            build: "1".to_owned(),
            slots: 4,
            resumes: Vec::new(),
        }),
    };
    let mut control = connection.open_stream(&Opening::Control(hello)).await.expect("a first stream");
    let welcome: Welcome = control.reader.require_within(PATIENCE).await.expect("an answer");
    assert!(matches!(welcome, Welcome::Accepted { .. }), "{welcome:?}");
    (connection, control)
}
