//! Processes that die and wires that are cut: the job is delayed, and nothing else changes.

use std::time::Duration;

use quorate_tests::{
    cluster::{Cluster, WorkerSpec, last_json},
    process::Process,
    relay::Relay,
};

const E: &str =
    "name = \"e\"\nkind = \"digits\"\n[digits]\nconstant = \"e\"\ndecimals = 30_000\n[policy]\nquorum = 3\n";

/// The first decimals of e, as published.
const E_BEGINS: &str = "2.71828182845904523536028747135266249775724709369995";

#[test]
fn a_worker_killed_in_the_middle_of_a_task_delays_the_job_and_changes_nothing_else() {
    let mut cluster = Cluster::start();
    let _workers = cluster.honest_workers(&["ada", "bea"]);
    let never =
        WorkerSpec { name: "cai", operator: "cai", misbehave: Some("slow=1h"), ..WorkerSpec::default() };
    let mut doomed = cluster.worker(&never);
    let job = cluster.job_file("e", E);
    let submitted = cluster.submit(&job);
    doomed.wait_for("leased");
    doomed.kill();
    let _replacement = cluster.worker(&WorkerSpec { name: "dan", operator: "dan", ..WorkerSpec::default() });
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    let summary = last_json(&printed);
    assert_eq!((&summary["accepted"], &summary["disputes"]), (&1.into(), &0.into()));
    let results = cluster.results();
    assert!(results.value.starts_with(E_BEGINS));
    let voters = results.report["verdicts"][0]["ballots"].as_array().expect("a list");
    let mut names: Vec<&str> = voters.iter().filter_map(|ballot| ballot["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ada", "bea", "dan"]);
}

#[test]
fn ctrl_c_abandons_the_job_writes_nothing_and_has_its_own_exit_code() {
    let mut cluster = Cluster::start();
    let never =
        WorkerSpec { name: "ada", operator: "ada", misbehave: Some("slow=1h"), ..WorkerSpec::default() };
    let mut worker = cluster.worker(&never);
    let job = cluster.job_file("e", E);
    let submitted = cluster.submit(&job);
    worker.wait_for("leased");
    submitted.interrupt();
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(130), "{printed}");
    assert!(!cluster.folder().join("out").exists());
    let status = cluster.ask(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status[0]["progress"]["state"], "abandoned");
}

#[test]
fn a_detached_job_goes_on_and_its_results_are_fetched_later() {
    let mut cluster = Cluster::start();
    let _workers = cluster.honest_workers(&["ada", "bea", "cai"]);
    let job = cluster.job_file("e", E);
    let detached = cluster.ask(&["submit", job.to_str().expect("UTF-8"), "--detach", "--json"]);
    let printed = last_json(&String::from_utf8_lossy(&detached.stdout));
    let id = printed["job_id"].as_str().expect("an id").to_owned();
    let out = cluster.folder().join("out");
    // While it runs, `result` says so; every answer is one round trip, so this ends soon after the job does.
    let fetched = (0..10_000)
        .map(|_| cluster.ask(&["result", &id[..8], "--out", out.to_str().expect("UTF-8")]))
        .find(|fetched| !String::from_utf8_lossy(&fetched.stderr).contains("still running"))
        .expect("the job ends");
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    assert!(cluster.results().value.starts_with(E_BEGINS));
}

#[test]
fn a_killed_worker_that_starts_again_with_its_state_finishes_the_job() {
    let mut cluster = Cluster::start();
    let _workers = cluster.honest_workers(&["ada", "bea"]);
    let never =
        WorkerSpec { name: "cai", operator: "cai", misbehave: Some("slow=1h"), ..WorkerSpec::default() };
    let mut doomed = cluster.worker(&never);
    let job = cluster.job_file("e", E);
    let submitted = cluster.submit(&job);
    doomed.wait_for("leased");
    doomed.kill();
    let _again = cluster.worker(&WorkerSpec { name: "cai", operator: "cai", ..WorkerSpec::default() });
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    assert!(cluster.results().value.starts_with(E_BEGINS));
    let workers = cluster.ask(&["workers", "--json"]);
    let workers: serde_json::Value = serde_json::from_slice(&workers.stdout).expect("JSON");
    assert_eq!(workers.as_array().map(Vec::len), Some(3), "it came back under its own key");
}

#[test]
fn a_connection_cut_for_ten_seconds_delays_the_job_and_changes_nothing_else() {
    let mut cluster = Cluster::start();
    let _workers = cluster.honest_workers(&["ada", "bea"]);
    let relay = Relay::to(cluster.address());
    let mut far = cluster.worker(&WorkerSpec {
        gpu: false,
        name: "cai",
        operator: "cai",
        misbehave: Some("slow=3s"),
        through: Some(relay.address()),
        ..WorkerSpec::default()
    });
    let job = cluster.job_file("e", E);
    let submitted = cluster.submit(&job);
    far.wait_for("leased");
    // Its answer is ready while the wire is cut, and the coordinator gives the connection up.
    relay.cut_for(Duration::from_secs(13));
    far.wait_for("the connection to the coordinator is gone");
    far.wait_for("joined");
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    let summary = last_json(&printed);
    assert_eq!((&summary["accepted"], &summary["disputes"]), (&1.into(), &0.into()));
    let results = cluster.results();
    assert!(results.value.starts_with(E_BEGINS));
    let voters = results.report["verdicts"][0]["ballots"].as_array().expect("a list");
    let far = voters.iter().find(|ballot| ballot["name"] == "cai").expect("its ballot was counted");
    assert_eq!(far["standing"], "agrees");
}

#[test]
#[cfg(unix)]
fn a_worker_that_stops_goes_on_standby_and_catches_up_when_it_goes_on() {
    let mut cluster = Cluster::start();
    let _ada = cluster.honest_workers(&["ada"]);
    let mut mallory = cluster.worker(&WorkerSpec {
        name: "mallory",
        operator: "mallory",
        misbehave: Some("wrong-always"),
        ..WorkerSpec::default()
    });
    // The first job has mallory's ballot and is not decided; the second is leased to mallory, who has just stopped.
    let first = cluster.submit(&cluster.job_file("e", E));
    cluster.wait_for_worker("mallory", |status| status["ballots"] == 1);
    mallory.stop();
    let two_of_two = E.replace("quorum = 3", "quorum = 2\nreplicas = 2");
    let (job, out) = (cluster.job_file("e-again", &two_of_two), cluster.folder().join("out-again"));
    let [job, out] = [&job, &out].map(|path| path.to_str().expect("UTF-8"));
    let second = Process::start(&mut cluster.client(&["submit", job, "--out", out, "--json"]));
    cluster.wait_for_worker("mallory", |status| status["leases"] == 1);
    cluster.coordinator().wait_for("a worker is on standby");
    let status = cluster.worker_status("mallory");
    assert_eq!((&status["liveness"], &status["leases"]), (&"standby".into(), &0.into()));
    let _others = cluster.honest_workers(&["bea", "cai"]);
    for submitted in [first, second] {
        let (code, printed) = submitted.wait();
        assert_eq!(code, Some(0), "{printed}");
        assert_eq!(last_json(&printed)["status"], "reconciled");
    }
    assert!(cluster.results().value.starts_with(E_BEGINS));
    mallory.go_on();
    mallory.wait_for("corrected");
    cluster.wait_for_worker("mallory", |status| status["liveness"] == "alive");
}
