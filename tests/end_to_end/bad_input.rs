//! What users and strangers get wrong: each mistake has its own sentence, and costs nobody else anything.

use std::time::Instant;

use quorate_tests::{
    cluster::{Cluster, WorkerSpec},
    process::{PATIENCE, command, run},
};

fn printed(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn everything_wrong_in_a_job_file_is_said_at_once_and_nothing_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let job = folder.path().join("bad.toml");
    let text = "name = \"bad\"\nkind = \"digits\"\n[digits]\nconstant = \"tau\"\ndecimal = 5\n[policy]\nquorum = 0\n";
    std::fs::write(&job, text).expect("writable");
    let output = run(command("coordinator").arg("submit").arg(&job).current_dir(folder.path()));
    let said = printed(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in ["bad.toml:4:", "tau", "bad.toml:5:", "decimal", "decimals", "bad.toml:7:", "quorum"] {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
    assert!(!said.contains("embedded cluster"), "nothing was started: {said}");
}

#[test]
fn a_missing_job_file_is_named() {
    let output = run(command("coordinator").args(["submit", "no/such/job.toml"]));
    assert_eq!(output.status.code(), Some(6));
    assert!(printed(&output).contains("cannot read no/such/job.toml"));
}

#[test]
fn results_do_not_overwrite_what_is_not_a_result() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let job = folder.path().join("e.toml");
    let text = "name = \"e\"\nkind = \"digits\"\n[digits]\nconstant = \"e\"\ndecimals = 100\n";
    std::fs::write(&job, text).expect("writable");
    let precious = folder.path().join("results").join("e");
    std::fs::create_dir_all(&precious).expect("writable");
    std::fs::write(precious.join("thesis.txt"), "years of work").expect("writable");
    let submit = || run(command("coordinator").arg("submit").arg(&job).current_dir(folder.path()));
    let refused = submit();
    assert_eq!(refused.status.code(), Some(2));
    assert!(printed(&refused).contains("--out"), "{}", printed(&refused));
    assert!(precious.join("thesis.txt").exists());
    std::fs::remove_file(precious.join("thesis.txt")).expect("it was there");
    assert_eq!(submit().status.code(), Some(0));
    let again = submit();
    assert_eq!(again.status.code(), Some(0));
    assert!(printed(&again).contains("an earlier result was moved to"), "{}", printed(&again));
}

#[test]
fn a_worker_without_a_token_is_told_how_to_get_one() {
    let output = run(&mut command("worker"));
    assert_eq!(output.status.code(), Some(2));
    assert!(printed(&output).contains("coordinator token"), "{}", printed(&output));
}

#[test]
fn a_damaged_token_is_refused_before_anybody_is_contacted() {
    let cluster = Cluster::start();
    let token = cluster.token("alice", &[]);
    let mut damaged = token.clone();
    let last = damaged.pop();
    damaged.push(if last == Some('a') { 'b' } else { 'a' });
    for (token, says) in [
        (damaged, "damaged"),
        ("hello".to_owned(), "not a join token"),
        (token.repeat(20), "pasted twice"),
        (cluster.token("alice", &["--client"]), "for a client"),
    ] {
        let output = run(command("worker").args(["--join", &token]));
        assert_eq!(output.status.code(), Some(2), "{}", printed(&output));
        assert!(printed(&output).contains(says), "{}", printed(&output));
    }
}

#[test]
fn a_token_of_another_coordinator_and_an_expired_one_get_a_clear_refusal_and_no_work() {
    let (cluster, other) = (Cluster::start(), Cluster::start());
    let foreign = other.token("mallory", &["--address", cluster.address()]);
    let expired = cluster.token("alice", &["--expires", "0s"]);
    let join = |token: &str, name: &str| {
        let mut worker = command("worker");
        worker.args(["--join", token, "--state-dir"]).arg(cluster.worker_dir(name));
        quorate_tests::process::Process::start(&mut worker)
    };
    let (code, said) = join(&foreign, "foreign").wait();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("shows the key"), "{said}");
    // The second of its expiry is still within it: who comes so early joins, and is told so.
    let deadline = Instant::now() + PATIENCE;
    let (code, said) = loop {
        assert!(Instant::now() < deadline, "a token that has expired lets workers in");
        let mut late = join(&expired, "late");
        if late.wait_for_any(&["joined", "error:"]).contains("error:") {
            break late.wait();
        }
        late.kill();
    };
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("expired"), "{said}");
    let forged = forge_expiry(&expired);
    let (code, said) = join(&forged, "forged").wait();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("expired") || said.contains("not issued by this coordinator"), "{said}");
    let workers = cluster.ask(&["workers"]);
    assert!(!printed(&workers).contains("foreign"), "{}", printed(&workers));
}

/// The same token with an expiry in the past, which its secret does not cover.
fn forge_expiry(token: &str) -> String {
    let mut token = protocol::token::Token::from_text(token).expect("a token");
    token.grant.expires_unix_s = 1;
    token.to_text()
}

#[test]
fn a_revoked_key_is_dropped_at_once_and_never_let_in_again() {
    let mut cluster = Cluster::start();
    let spec = WorkerSpec { name: "ada", operator: "alice", ..WorkerSpec::default() };
    let worker = cluster.worker(&spec);
    let workers = cluster.ask(&["workers", "--json"]);
    let workers: serde_json::Value = serde_json::from_slice(&workers.stdout).expect("JSON");
    let key = workers[0]["worker"].as_str().expect("a key").to_owned();
    assert!(cluster.ask(&["revoke", &key]).status.success());
    let (code, said) = worker.wait();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("revoked"), "{said}");
    let (code, said) = cluster.spawn_worker(&spec).wait();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains(&format!("the key {key} is revoked")), "{said}");
}

#[test]
fn an_unreachable_coordinator_is_named_with_its_own_exit_code() {
    let cluster = Cluster::start();
    let output = run(command("coordinator")
        .args(["status", "--coordinator", "127.0.0.1:9", "--state-dir"])
        .arg(cluster.folder().join("coordinator")));
    assert_eq!(output.status.code(), Some(4), "{}", printed(&output));
    assert!(printed(&output).contains("127.0.0.1:9"));
}
