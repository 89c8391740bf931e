//! Audits with real programs: one computes and others test it, three that are wrong together are overturned, and the
//! certificate shows who tested what.

use std::path::Path;

use quorate_tests::{
    cluster::{Cluster, WorkerSpec},
    process::{Process, command, run},
};
use serde_json::Value;

use crate::gpu::{gpu_worker, no_adapter};

/// 400 decimals of e; the policy's lines follow.
fn job_text(policy: &str) -> String {
    format!(
        "name = \"e\"\nkind = \"digits\"\n[digits]\nconstant = \"e\"\ndecimals = 400\n[policy]\n{policy}lease = \"20s\"\n"
    )
}

fn misbehaving(cluster: &mut Cluster, name: &str, misbehave: &str) -> Process {
    cluster.worker(&WorkerSpec { name, operator: name, misbehave: Some(misbehave), ..WorkerSpec::default() })
}

fn assert_verified(folder: &Path, sentence: &str) {
    let (certificate, value) = (folder.join("certificate.quorate"), folder.join("value.txt"));
    let verified = run(command("coordinator").arg("verify").arg(&certificate).arg("--value").arg(&value));
    let (told, errors) =
        (String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
    assert!(verified.status.success(), "{errors}");
    assert!(told.contains(sentence), "{told}");
}

/// The standing of each ballot on the only task, by the name of its worker.
fn standings(report: &Value) -> Vec<(&str, &str)> {
    let ballots = report["verdicts"][0]["ballots"].as_array().into_iter().flatten();
    ballots.filter_map(|ballot| Some((ballot["name"].as_str()?, ballot["standing"].as_str()?))).collect()
}

/// By the formula that no audited worker uses, without any cluster.
fn value_of_e() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let (job, out) = (folder.path().join("e.toml"), folder.path().join("value.txt"));
    std::fs::write(&job, job_text("")).expect("a file");
    let arguments = ["--formula", "continued-fraction", "--out"];
    let computed = run(command("worker").arg("compute").arg(&job).args(arguments).arg(&out));
    assert!(computed.status.success(), "{}", String::from_utf8_lossy(&computed.stderr));
    let text = std::fs::read_to_string(out).expect("the value");
    assert_eq!(text.trim().len(), 402);
    text.trim().to_owned()
}

#[test]
fn one_worker_computes_two_audit_it_and_the_certificate_says_so() {
    let mut cluster = Cluster::start();
    let _workers = cluster.honest_workers(&["ada", "bea", "cai"]);
    let job = cluster.job_file("e", &job_text("mode = \"audited\"\naudit = 2\n"));
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    assert_eq!(results.value.trim(), value_of_e());
    let mut said: Vec<&str> = standings(&results.report).into_iter().map(|(_, standing)| standing).collect();
    said.sort_unstable();
    assert_eq!(said, ["agrees", "passes", "passes"]);
    assert_eq!(results.report["audits"]["passes"], 2);
    let seeds = results.report["verdicts"][0]["ballots"].as_array().into_iter().flatten();
    let seeds: Vec<&str> = seeds.filter_map(|ballot| ballot["audit"]["seed"].as_str()).collect();
    assert_eq!(seeds.len(), 2, "each challenge is told");
    assert_ne!(seeds[0], seeds[1], "each auditor drew its own");
    assert_verified(&cluster.folder().join("out"), "passed at least 2 audits");
}

#[test]
fn a_gpu_audits_beside_processors_and_its_ballot_says_so() {
    if no_adapter() {
        return;
    }
    let mut cluster = Cluster::start();
    let _gpus = ["ada", "bea"].map(|name| gpu_worker(&mut cluster, name, None));
    let _cpu = cluster.honest_workers(&["cai"]);
    let job = cluster.job_file("e", &job_text("mode = \"audited\"\naudit = 2\n"));
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    let ballots = results.report["verdicts"][0]["ballots"].as_array().expect("a list");
    let audits = ballots.iter().filter(|ballot| ballot["standing"] == "passes");
    let mut engines: Vec<&str> = audits.filter_map(|ballot| ballot["domain"]["engine"].as_str()).collect();
    engines.sort_unstable();
    assert_eq!(engines, ["cpu", "gpu"]);
    assert_verified(&cluster.folder().join("out"), "passed at least 2 audits");
}

#[test]
fn three_workers_with_one_wrong_engine_are_overturned_by_audits_and_a_fourth_is_accepted() {
    let mut cluster = Cluster::start();
    let _wrong =
        ["ada", "bea", "cai"].map(|name| misbehaving(&mut cluster, name, "wrong-formula=factorial-series"));
    let job = cluster.job_file("e", &job_text("audit = 1\n"));
    let submitted = cluster.submit(&job);
    // They have agreed, and what they agreed on is tested.
    cluster.coordinator().wait_for("an outcome is audited");
    let _right = cluster.honest_workers(&["dan"]);
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    assert_eq!(results.value.trim(), value_of_e());
    let said = standings(&results.report);
    assert!(said.contains(&("dan", "agrees")), "{said:?}");
    for name in ["ada", "bea", "cai"] {
        assert!(said.contains(&(name, "dissents")), "{said:?}");
    }
    assert!(said.iter().filter(|(_, standing)| *standing == "rejects").count() >= 6, "{said:?}");
    let dissenters = results.report["dissenters"].as_array().expect("a list");
    assert_eq!(dissenters.len(), 3);
    assert!(dissenters.iter().all(|dissenter| dissenter["corrected"] == 1), "{dissenters:?}");
    assert_verified(&cluster.folder().join("out"), "disputed: 1 task");
}

#[test]
fn an_auditor_that_lies_changes_nothing() {
    let mut cluster = Cluster::start();
    let _liar = misbehaving(&mut cluster, "mallory", "lying-auditor");
    let _workers = cluster.honest_workers(&["ada", "bea", "cai"]);
    for audit in [1, 2] {
        let job = cluster.job_file("e", &job_text(&format!("mode = \"audited\"\naudit = {audit}\n")));
        let (code, printed) = cluster.submit(&job).wait();
        assert_eq!(code, Some(0), "{printed}");
        assert_eq!(cluster.results().value.trim(), value_of_e());
    }
}

#[test]
fn expressions_and_ranges_are_audited_by_computing_some_members_again() {
    let mut cluster = Cluster::start();
    let _liar = misbehaving(&mut cluster, "mallory", "wrong-always");
    let _workers = cluster.honest_workers(&["ada", "bea", "cai"]);
    let text = "name = \"mixed\"\nkind = \"expressions\"\n[expressions]\nbatch = 2\n\
                check = [\"2 * 2 * 2 * 2 == 16\", \"3 ^ 4 == 81\", \"1 + 1 == 3\", \"for n in 1..=100000: n^5 % 30 == n % 30\"]\n\
                [policy]\nmode = \"audited\"\nlease = \"20s\"\n";
    let (code, printed) = cluster.submit(&cluster.job_file("mixed", text)).wait();
    assert_eq!(code, Some(0), "{printed}");
    let value = cluster.results().value;
    let answers: Vec<&str> = value.lines().filter_map(|line| line.split('\t').next()).collect();
    assert!(
        answers.iter().zip(["true", "true", "false", "true"]).all(|(said, is)| said.starts_with(is)),
        "{value}"
    );
}

#[test]
fn a_machine_that_computes_wrongly_twice_casts_no_ballot_and_leaves_with_the_reason() {
    let mut cluster = Cluster::start();
    let broken = misbehaving(&mut cluster, "mallory", "broken-memory");
    let _workers = cluster.honest_workers(&["ada", "bea"]);
    let text = "name = \"pi\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = 30000\n\
                [policy]\nreplicas = 3\nquorum = 3\ntolerate = 0\nlease = \"20s\"\n";
    let submitted = cluster.submit(&cluster.job_file("pi", text));
    let (code, printed) = broken.wait();
    assert_eq!(code, Some(7), "{printed}");
    assert!(printed.contains("this machine computes wrongly"), "{printed}");
    let _more = cluster.honest_workers(&["cai"]);
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    assert!(cluster.results().value.starts_with("3.14159265358979"));
    assert!(!standings(&cluster.results().report).iter().any(|(name, _)| *name == "mallory"));
}

#[test]
fn a_job_that_cannot_be_audited_is_refused_with_the_reason() {
    let cluster = Cluster::start();
    let text = "name = \"hex\"\nkind = \"hex-digits\"\n[hex-digits]\nconstant = \"pi\"\nafter = 100\ndigits = 8\n\
                [policy]\nmode = \"audited\"\n";
    let (code, printed) = cluster.submit(&cluster.job_file("hex", text)).wait();
    assert_ne!(code, Some(0));
    assert!(printed.contains("asks for audits, and nothing that computes this can be audited"), "{printed}");
}
