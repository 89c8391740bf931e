//! A coordinator that is killed: what it accepted stays accepted, and it goes on where it was.

use std::path::Path;

use quorate_tests::{
    cluster::{Cluster, WorkerSpec, last_json},
    process::Process,
};
use serde_json::Value;

/// Workers that take a moment for each task, so that there is a middle to be killed in.
fn slow_workers(cluster: &mut Cluster, delay: &str) -> Vec<Process> {
    ["ada", "bea", "cai"]
        .map(|name| {
            cluster.worker(&WorkerSpec {
                name,
                operator: name,
                misbehave: Some(delay),
                ..WorkerSpec::default()
            })
        })
        .into()
}

fn detach(cluster: &Cluster, job: &Path) -> String {
    let detached = cluster.ask(&["submit", job.to_str().expect("UTF-8"), "--detach", "--json"]);
    let printed = last_json(&String::from_utf8_lossy(&detached.stdout));
    printed["job_id"].as_str().expect("an id").to_owned()
}

/// How many tasks of the only job are accepted, as a client is told.
fn accepted(cluster: &Cluster) -> u64 {
    let status = cluster.ask(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    status[0]["progress"]["accepted"].as_u64().expect("a number")
}

/// Asks until so many tasks are accepted; every answer is one round trip, and the job cannot run for ever.
fn wait_until_accepted(cluster: &Cluster, least: u64) -> u64 {
    (0..100_000).map(|_| accepted(cluster)).find(|accepted| *accepted >= least).expect("the job goes on")
}

fn fetch(cluster: &Cluster, id: &str) {
    let out = cluster.folder().join("out");
    let fetched = (0..100_000)
        .map(|_| cluster.ask(&["result", &id[..8], "--out", out.to_str().expect("UTF-8")]))
        .find(|fetched| !String::from_utf8_lossy(&fetched.stderr).contains("still running"))
        .expect("the job ends");
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
}

/// Kills the coordinator again and again while it works through `tasks` checks. What a client was told stays so, and what was
/// decided is not run again.
fn kill_again_and_again(tasks: u64, kills: u64) {
    let mut cluster = Cluster::start();
    let workers = slow_workers(&mut cluster, "slow=50ms");
    let checks: Vec<String> = (0..tasks).map(|n| format!("\"{n} * {n} == {}\"", n * n)).collect();
    let text = format!(
        "name = \"squares\"\nkind = \"expressions\"\n[expressions]\nbatch = 1\ncheck = [{}]\n",
        checks.join(", ")
    );
    let id = detach(&cluster, &cluster.job_file("squares", &text));
    let mut leases_allowed = 3 * tasks;
    for kill in 1..=kills {
        let told = wait_until_accepted(&cluster, kill * tasks * 4 / 5 / kills);
        cluster.crash_coordinator();
        let remembered = accepted(&cluster);
        assert!(remembered >= told, "{told} tasks were said to be accepted, and {remembered} are remembered");
        // Whatever is open may be leased once more.
        leases_allowed += 3 * (tasks - told);
    }
    fetch(&cluster, &id);
    let results = cluster.results();
    assert_eq!(results.value.lines().filter(|line| line.starts_with("true")).count() as u64, tasks);
    assert_eq!(results.report["accepted"], tasks);
    for verdict in results.report["verdicts"].as_array().expect("a list") {
        let voters = verdict["ballots"].as_array().expect("a list").len();
        assert!((2..=3).contains(&voters), "{verdict}");
    }
    let mut leases = 0;
    for worker in workers {
        worker.interrupt();
        let (_, printed) = worker.wait();
        leases += printed.lines().filter(|line| line.contains("leased")).count() as u64;
    }
    assert!(leases <= leases_allowed, "{leases} replicas were leased, and {leases_allowed} are explained");
}

#[test]
fn a_coordinator_killed_twenty_times_among_a_thousand_tasks_goes_on_and_runs_no_decided_task_again() {
    kill_again_and_again(1000, 20);
}

#[test]
#[ignore = "long: ten minutes"]
fn a_coordinator_killed_two_hundred_times_loses_nothing_that_it_said() {
    kill_again_and_again(10_000, 200);
}

#[test]
fn a_coordinator_killed_in_the_middle_of_a_million_digits_of_pi_ends_with_the_same_digits() {
    let mut cluster = Cluster::start();
    let mut workers = slow_workers(&mut cluster, "slow=1ms");
    let job = Path::new(env!("CARGO_MANIFEST_DIR")).join("../jobs/pi-digits.toml");
    let id = detach(&cluster, &job);
    workers[0].wait_for("leased");
    cluster.crash_coordinator();
    fetch(&cluster, &id);
    let value = cluster.results().value;
    assert_eq!(value.len(), 1_000_002);
    assert!(value.starts_with("3.14159265358979323846"));
    // The last of the first million decimals, as published.
    assert!(value.ends_with("5779458151"));
    // Asked again after another crash, a job that is over gives the same.
    cluster.crash_coordinator();
    std::fs::remove_dir_all(cluster.folder().join("out")).expect("our own folder");
    fetch(&cluster, &id);
    assert_eq!(cluster.results().value, value);
}
