//! A dispute over digits ends with the place where the dissenter went wrong, and with what kind of fault it was.

use quorate_tests::cluster::{Cluster, WorkerSpec, last_json};
use serde_json::Value;

/// 2,822 terms of Chudnovsky's series.
const PI: &str = "name = \"pi\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = 40_000\n\
                  [policy]\nquorum = 2\nreplicas = 3\n";

/// Asks until the two that are there disagree; every answer is one round trip.
fn wait_for_dispute(cluster: &Cluster) {
    let is_disputed = || {
        let status = cluster.ask(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
        status[0]["progress"]["disputes"] == 1
    };
    assert!((0..100_000).any(|_| is_disputed()), "the two never disagreed");
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
    let out = cluster.folder().join("again");
    let told = cluster.ask(&["result", &id[..8], "--out", out.to_str().expect("UTF-8")]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr);
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
}

#[test]
fn a_worker_that_lies_about_its_outcome_agrees_on_the_series() {
    let (fault, _) = fault_of("wrong-always");
    assert_eq!(fault["place"], "after the series, whose sums agree", "{fault}");
    assert_eq!((&fault["class"], &fault["rounds"]), (&Value::Null, &1.into()), "{fault}");
}
