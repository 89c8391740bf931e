//! Sealed jobs among real workers: commitments first, then ballots; who breaks a seal has no vote and is named.

use std::time::Duration;

use quorate_tests::{
    cluster::{Cluster, WorkerSpec, last_json},
    relay::Relay,
};

const PI: &str = "name = \"pi\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = 30_000\n";
const PI_BEGINS: &str = "3.14159265358979323846264338327950288419716939937510";

#[test]
fn a_sealed_job_is_decided_and_its_dissenter_corrected_like_any_other() {
    let mut cluster = Cluster::start();
    let _honest = cluster.honest_workers(&["ada", "bea", "cai"]);
    let liar =
        WorkerSpec { name: "mal", operator: "mal", misbehave: Some("wrong-always"), ..WorkerSpec::default() };
    let mut liar = cluster.worker(&liar);
    let job = cluster.job_file("pi", &format!("{PI}[policy]\nsealed = true\nquorum = 3\nreplicas = 4\n"));
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(last_json(&printed)["status"], "reconciled");
    let results = cluster.results();
    assert!(results.value.starts_with(PI_BEGINS));
    assert_eq!(results.report["policy"]["sealed"], true);
    let certificate: protocol::verdict::Certificate =
        serde_json::from_value(results.ballots[0]["certificate"].clone()).expect("a certificate");
    assert_eq!(certificate.verify(3), Ok(()), "the verdict is proven without the commitments");
    // Its commitment was in before anybody knew an answer, so its ballot was asked for, and it was outvoted.
    liar.wait_for("corrected");
}

#[test]
fn a_replayed_commitment_is_rejected_counted_and_costs_the_vote() {
    let mut cluster = Cluster::start();
    let eve = WorkerSpec { name: "eve", operator: "eve", misbehave: Some("replay"), ..WorkerSpec::default() };
    let _eve = cluster.worker(&eve);
    let _honest = cluster.honest_workers(&["ada", "bea", "cai"]);
    let text = "name = \"checks\"\nkind = \"expressions\"\n[expressions]\nbatch = 1\n\
                check = [\"1 + 1 == 2\", \"2 + 2 == 4\", \"3 + 3 == 6\", \"4 + 4 == 8\"]\n\
                [policy]\nsealed = true\nquorum = 3\nreplicas = 4\n";
    let (code, printed) = cluster.submit(&cluster.job_file("checks", text)).wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    assert_eq!(results.report["accepted"], 4);
    let named = &results.report["dissenters"][0];
    assert_eq!(named["name"], "eve");
    let broken = named["broken_seals"].as_u64().expect("a number");
    assert!((3..=4).contains(&broken), "all but the first are replays: {broken}");
    cluster.coordinator().wait_for("a worker broke a seal");
    assert_eq!(cluster.worker_status("eve")["broken_seals"], broken);
}

#[test]
fn a_connection_cut_between_commitment_and_reveal_delays_the_job_and_changes_nothing_else() {
    let mut cluster = Cluster::start();
    let relay = Relay::to(cluster.address());
    let mut far = cluster.worker(&WorkerSpec {
        name: "ada",
        operator: "ada",
        through: Some(relay.address()),
        ..WorkerSpec::default()
    });
    let job = cluster.job_file("pi", &format!("{PI}[policy]\nsealed = true\nquorum = 2\nreplicas = 2\n"));
    let submitted = cluster.submit(&job);
    far.wait_for("committed");
    relay.cut_for(Duration::from_secs(13));
    far.wait_for("the connection to the coordinator is gone");
    far.wait_for("joined");
    let _near = cluster.honest_workers(&["bea"]);
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    assert!(results.value.starts_with(PI_BEGINS));
    let voters = results.report["verdicts"][0]["ballots"].as_array().expect("a list");
    let far = voters.iter().find(|ballot| ballot["name"] == "ada").expect("its ballot was counted");
    assert_eq!(far["replica"], 0, "it is the one that it committed to before");
}
