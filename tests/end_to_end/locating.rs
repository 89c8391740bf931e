//! A dispute over digits ends with the place where the dissenter went wrong, and with what kind of fault it was.

use quorate_tests::{
    cluster::{Cluster, WorkerSpec, last_json},
    process::{Process, command, run},
};
use serde_json::Value;

/// 2,822 terms of Chudnovsky's series.
const PI: &str = "name = \"pi\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = 40_000\n\
                  [policy]\nquorum = 2\nreplicas = 3\n";

/// Asks until the two that are there disagree; every answer is one round trip.
fn wait_for_dispute(cluster: &Cluster) {
    let is_disputed = || {
        let status = cluster.ask(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
        let mut jobs = status.as_array().expect("a list").iter().map(|job| &job["progress"]);
        jobs.any(|progress| progress["state"] == "running" && progress["disputes"] == 1)
    };
    assert!((0..100_000).any(|_| is_disputed()), "the two never disagreed");
}

/// What `coordinator result` tells people about a job.
fn told_of(cluster: &Cluster, id: &str, out: &str) -> String {
    let out = cluster.folder().join(out);
    let told = cluster.ask(&["result", &id[..8], "--out", out.to_str().expect("UTF-8")]);
    String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr)
}

/// Ends a coordinator, and prints its ledger, which is sound.
fn sound_ledger(cluster: &mut Cluster) -> String {
    cluster.coordinator().kill();
    let [_, shown] = ["verify", "show"].map(|what| {
        let folder = cluster.folder().join("coordinator");
        let output = run(command("coordinator").args(["ledger", what, "--state-dir"]).arg(folder));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stdout).into_owned()
    });
    shown
}

/// What the report says of the fault of a worker with a drill, against two honest ones, and the summary for people.
fn fault_of(drill: &str) -> (Value, String) {
    let mut cluster = Cluster::start();
    let _first = cluster.honest_workers(&["ada"]);
    let spec = WorkerSpec { name: "mia", operator: "mia", misbehave: Some(drill), ..WorkerSpec::default() };
    let _broken = cluster.worker(&spec);
    let job = cluster.job_file("pi", PI);
    let submitted = cluster.submit(&job);
    wait_for_dispute(&cluster);
    // Only now somebody can decide it, so that no ballot comes late.
    let _last = cluster.honest_workers(&["bea"]);
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    let summary = last_json(&printed);
    assert_eq!(summary["accepted"], 1, "{summary}");
    let results = cluster.results();
    assert!(results.value.starts_with("3.14159265358979323846"));
    let dissenters = results.report["dissenters"].as_array().expect("a list");
    let [dissenter] = &dissenters[..] else { panic!("one dissenter: {dissenters:?}") };
    assert_eq!(dissenter["name"], "mia");
    let id = summary["job_id"].as_str().expect("an id");
    let told = told_of(&cluster, id, "again");
    // What was located is in the ledger: a report that is made after a restart tells it as well.
    cluster.crash_coordinator();
    let told_later = told_of(&cluster, id, "after");
    let of_fault = |told: &str| told.lines().find(|line| line.contains("its fault by")).map(str::to_owned);
    assert_eq!(of_fault(&told_later), of_fault(&told), "{told_later}");
    let shown = sound_ledger(&mut cluster);
    assert!(shown.lines().any(|line| line.contains("  located     job ") && line.contains(id)), "{shown}");
    (dissenter["where_first"][0]["fault"].clone(), told)
}

/// The thousandth term, of which the drills turn a bit, is in the stretch that the report names.
fn assert_names_the_terms(fault: &Value) {
    let place = fault["place"].as_str().expect("a place").replace(',', "");
    let numbers: Vec<u64> = place.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [first, last] = numbers[..] else { panic!("no terms: {fault}") };
    assert!(first <= 1_000 && 1_000 <= last && last - first < 1_024, "{fault}");
    assert_eq!(fault["formula"], "chudnovsky");
    assert!(["ada", "bea"].contains(&fault["compared_with"].as_str().expect("a name")), "{fault}");
    assert!(fault["bytes"].as_u64().is_some_and(|bytes| (500..16_384).contains(&bytes)), "{fault}");
}

#[test]
fn a_bit_that_flipped_once_is_located_and_called_transient() {
    let (fault, told) = fault_of("series-bit-flip");
    assert_names_the_terms(&fault);
    assert_eq!(fault["class"], "transient", "{fault}");
    assert!(told.contains("its fault by chudnovsky: terms ") && told.contains("transient: "), "{told}");
}

#[test]
fn a_bit_that_flips_each_time_is_located_and_called_deterministic() {
    let (fault, _) = fault_of("series-bit-flip=lasting");
    assert_names_the_terms(&fault);
    assert_eq!(fault["class"], "deterministic", "{fault}");
    assert!(fault["meaning"].as_str().is_some_and(|meaning| meaning.ends_with("is broken")), "{fault}");
    let digests = fault["digests"].as_array().expect("of the node");
    assert!(digests.len() == 2 && digests[0] != digests[1], "{fault}");
}

/// So many are asked and must agree.
fn all_of(workers: usize) -> String {
    PI.replace("quorum = 2", &format!("quorum = {workers}"))
        .replace("replicas = 3", &format!("replicas = {workers}"))
}

/// Why the processor of a worker is in quarantine, once it is.
fn quarantine_of(cluster: &Cluster, name: &str) -> String {
    let is_out = |status: &Value| !status["standing"][0]["quarantine"].is_null();
    let status = cluster.wait_for_worker(name, is_out);
    status["standing"][0]["quarantine"]["reason"].as_str().expect("a reason").to_owned()
}

/// One more than `votes` honest workers vote on pi with one that is broken; the last of them decides.
fn find_out(cluster: &mut Cluster, votes: usize, broken: &str, last: &str) -> [Process; 2] {
    let drill = Some("series-bit-flip=lasting");
    let spec = WorkerSpec { name: broken, operator: broken, misbehave: drill, ..WorkerSpec::default() };
    let broken = cluster.worker(&spec);
    let submitted = cluster.submit(&cluster.job_file(last, &all_of(votes + 1)));
    wait_for_dispute(cluster);
    let spec = WorkerSpec { name: last, operator: last, ..WorkerSpec::default() };
    let last = cluster.worker(&spec);
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    [broken, last]
}

#[test]
fn two_processors_that_fail_alike_have_all_of_their_kind_answer_a_known_task_first() {
    let mut cluster = Cluster::start();
    let _first = cluster.honest_workers(&["ada", "bea"]);
    let _second = find_out(&mut cluster, 2, "mia", "cai");
    let reason = quarantine_of(&cluster, "mia");
    assert!(reason.starts_with("its terms ") && reason.contains(" by chudnovsky differ"), "{reason}");
    // One processor fails alone: nobody else is asked for anything.
    let _third = find_out(&mut cluster, 3, "max", "dan");
    quarantine_of(&cluster, "max");
    // Now both who join have to answer first; five must agree, so that the job waits for the honest one.
    let drill = Some("series-bit-flip=lasting");
    let spec = WorkerSpec { name: "moe", operator: "moe", misbehave: drill, ..WorkerSpec::default() };
    let _broken = cluster.worker(&spec);
    let _honest = cluster.honest_workers(&["eve"]);
    for name in ["moe", "eve"] {
        let awaits = cluster.worker_status(name)["standing"][0]["awaits_test"].clone();
        let is_told = |told: &str| told.starts_with("its kind of device gave a wrong value for terms ");
        assert!(awaits.as_str().is_some_and(is_told), "{name}: {awaits}");
    }
    let submitted = cluster.submit(&cluster.job_file("pi", &all_of(5)));
    let reason = quarantine_of(&cluster, "moe");
    assert!(reason.contains(" on worker ") && reason.contains("its own answer to a known task"), "{reason}");
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    assert!(cluster.worker_status("eve")["ballots"].as_u64().is_some_and(|ballots| ballots > 0));
    for name in ["ada", "bea", "cai", "dan", "eve"] {
        let standing = cluster.worker_status(name)["standing"][0].clone();
        assert!(standing["quarantine"].is_null() && standing["awaits_test"].is_null(), "{name}: {standing}");
    }
    let shown = sound_ledger(&mut cluster);
    assert_eq!(shown.lines().filter(|line| line.contains("  located     job ")).count(), 2, "{shown}");
}

#[test]
fn a_worker_that_lies_about_its_outcome_agrees_on_the_series() {
    let (fault, _) = fault_of("wrong-always");
    assert_eq!(fault["place"], "after the series, whose sums agree", "{fault}");
    assert_eq!((&fault["class"], &fault["rounds"]), (&Value::Null, &1.into()), "{fault}");
}
