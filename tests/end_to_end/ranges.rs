//! Claims about every value of a long range, on clusters of two engines: what GPU and processors agree on, in the right
//! place, whoever is killed on the way.
//!
//! `QUORATE_GPU_TESTS=skip` lets these pass on a machine without any adapter; otherwise a missing one fails.

use std::{collections::BTreeSet, path::Path, time::Duration};

use quorate_tests::{
    cluster::{Cluster, WorkerSpec, last_json},
    process::{PATIENCE, Process},
};
use serde_json::Value;

use crate::gpu::{gpu_worker, no_adapter};

/// The engines of the ballots that stand behind a verdict.
fn engines(verdict: &Value) -> BTreeSet<&str> {
    let ballots = verdict["ballots"].as_array().into_iter().flatten();
    let winning = ballots.filter(|ballot| ballot["standing"] == "agrees");
    winning.filter_map(|ballot| ballot["domain"]["engine"].as_str()).collect()
}

/// `n^5 - n = (n - 1) n (n + 1) (n^2 + 1)` is divisible by 2, 3 and 5 for every n, so the first counterexample is the one that
/// the claim itself excludes.
fn check_with_a_worker_killed(values: u64, excluded: u64, cpu_workers: &[&str], patience: Duration) {
    if no_adapter() {
        return;
    }
    let mut cluster = Cluster::start();
    let _gpu = gpu_worker(&mut cluster, "ada", None);
    let _cpu = cluster.honest_workers(cpu_workers);
    let never =
        WorkerSpec { name: "dan", operator: "dan", misbehave: Some("slow=1h"), ..WorkerSpec::default() };
    let mut doomed: Process = cluster.worker(&never);
    let text = format!(
        "name = \"long\"\nkind = \"expressions\"\n[expressions]\n\
         check = [\"for n in 1..={values}: n^5 % 30 == n % 30 and n != {excluded}\"]\n\
         [policy]\nquorum = 2\nreplicas = 2\ndistinct = [\"engine\"]\n"
    );
    let job = cluster.job_file("long", &text);
    let submitted = cluster.submit(&job);
    doomed.wait_for("leased");
    doomed.kill();
    let (code, printed) = submitted.wait_within(patience);
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    assert!(
        results.value.starts_with(&format!("false (smallest counterexample {excluded})\t")),
        "{}",
        results.value
    );
    assert_eq!(last_json(&printed)["disputes"], 0, "{printed}");
    let verdicts = results.report["verdicts"].as_array().expect("a list");
    assert!(!verdicts.is_empty());
    for verdict in verdicts {
        assert_eq!(engines(verdict), BTreeSet::from(["cpu", "gpu"]), "{verdict}");
    }
}

#[test]
fn ten_million_values_on_two_engines_have_their_smallest_counterexample_though_a_worker_is_killed() {
    check_with_a_worker_killed(10_000_000, 9_876_543, &["bea"], PATIENCE);
}

#[test]
#[ignore = "long: a billion values twice, some minutes on two cores"]
fn a_billion_values_on_two_engines_have_their_smallest_counterexample_though_a_worker_is_killed() {
    let an_hour = Duration::from_hours(1);
    check_with_a_worker_killed(1_000_000_000, 987_654_321, &["bea", "cai"], an_hour);
}

#[test]
fn the_conjectures_over_ranges_end_with_ballots_of_both_engines() {
    if no_adapter() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let read = |path: &Path| std::fs::read_to_string(path).expect("a file of the repository");
    let mut cluster = Cluster::start();
    let _gpu = gpu_worker(&mut cluster, "ada", None);
    let _cpu = cluster.honest_workers(&["bea", "cai"]);
    let text = read(&root.join("jobs/range-conjectures.toml"));
    let job = cluster.job_file("ranges", &format!("{text}\n[policy]\ndistinct = [\"engine\"]\n"));
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    let answers: String =
        results.value.lines().filter_map(|line| Some(format!("{}\n", line.split_once('\t')?.0))).collect();
    assert!(answers.starts_with(&read(&root.join("tests/expected/range-conjectures.txt"))), "{answers}");
    let verdicts = results.report["verdicts"].as_array().expect("a list");
    let both = verdicts.iter().filter(|verdict| engines(verdict).len() == 2).count();
    // factorial, fib and binomial have no kernel: four of the claims are the processors' alone.
    assert_eq!(both, verdicts.len() - 4, "{verdicts:?}");
}

#[test]
fn a_turned_bit_in_the_checksum_of_a_range_is_outvoted() {
    if no_adapter() {
        return;
    }
    let mut cluster = Cluster::start();
    let _gpu = gpu_worker(&mut cluster, "mallory", Some("gpu-bit-flip"));
    let slow =
        |name| WorkerSpec { name, operator: name, misbehave: Some("slow=2s"), ..WorkerSpec::default() };
    let _cpu = ["bea", "cai", "dan"].map(|name| cluster.worker(&slow(name)));
    let text = "name = \"bit\"\nkind = \"expressions\"\n[expressions]\n\
                check = [\"for n in 1..=100000: n^5 % 30 == n % 30\"]\n[policy]\nquorum = 3\nreplicas = 4\n";
    let job = cluster.job_file("bit", text);
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    assert!(results.value.starts_with("true\t"), "{}", results.value);
    assert_eq!(results.report["dissenters"][0]["name"], "mallory");
    assert_eq!(results.report["dissenters"][0]["where_first"][0]["domain"]["engine"], "gpu");
}

#[test]
fn a_job_of_a_billion_tasks_starts_at_once_and_what_was_decided_of_it_is_told() {
    let mut cluster = Cluster::start();
    let _workers = cluster.honest_workers(&["ada", "bea", "cai"]);
    let before_kib = cluster.coordinator().resident_kib();
    let text = "name = \"billion\"\nkind = \"expressions\"\n[expressions]\n\
                check = [\"for n in 1..=4194304 * (10^9 - 1): n < 2 or n > 1\"]\n";
    let job = cluster.job_file("billion", text);
    let mut client = Process::start(&mut cluster.client(&["submit", job.to_str().expect("UTF-8")]));
    while client.wait_for("of 999999999 tasks decided").starts_with("0 of") {}
    let more_kib = cluster.coordinator().resident_kib().saturating_sub(before_kib);
    assert!(more_kib < 64 * 1024, "{more_kib} KiB");
    client.interrupt();
    assert_eq!(client.wait().0, Some(130));
    let out = cluster.folder().join("told");
    let status = cluster.ask(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let id = status[0]["job"].as_str().expect("an id");
    let told = cluster.ask(&["result", id, "--out", out.to_str().expect("UTF-8")]);
    assert_eq!(told.status.code(), Some(3), "{}", String::from_utf8_lossy(&told.stderr));
    let value = std::fs::read_to_string(out.join("value.txt")).expect("the value");
    assert!(value.starts_with("undecided\t"), "{value}");
}
