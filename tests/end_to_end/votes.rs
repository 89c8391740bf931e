//! Liars among real workers: they are outvoted, named and corrected, or the job says what it waits for.

use quorate_tests::{
    cluster::{Cluster, WorkerSpec, last_json},
    process::Process,
};

const PI: &str = "name = \"pi\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = 50_000\n";

/// The first decimals of pi, as published.
const PI_BEGINS: &str = "3.14159265358979323846264338327950288419716939937510";

fn liar<'a>(name: &'a str, operator: &'a str) -> WorkerSpec<'a> {
    WorkerSpec { name, operator, misbehave: Some("wrong-always"), ..WorkerSpec::default() }
}

/// An honest worker that answers after the liars, so that their ballots are there when the task is decided.
fn slow<'a>(name: &'a str, operator: &'a str) -> WorkerSpec<'a> {
    WorkerSpec { name, operator, misbehave: Some("slow=2s"), ..WorkerSpec::default() }
}

/// Submits a job and shows, line by line, how far it is.
fn watched(cluster: &Cluster, job: &std::path::Path) -> Process {
    let out = cluster.folder().join("out");
    let [job, out] = [job, &out].map(|path| path.to_str().expect("UTF-8"));
    Process::start(&mut cluster.client(&["submit", job, "--out", out]))
}

#[test]
fn a_lying_worker_among_four_is_outvoted_named_and_corrected() {
    let mut cluster = Cluster::start();
    let honest = ["ada", "bea", "cai"].map(|name| cluster.worker(&slow(name, name)));
    let mut liar = cluster.worker(&liar("mallory", "mallory"));
    let policy = "[policy]\nquorum = 3\nreplicas = 4\n";
    let job = cluster.job_file("pi", &format!("{PI}{policy}"));
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let summary = last_json(&printed);
    assert_eq!(summary["status"], "reconciled");
    assert_eq!(
        (&summary["accepted"], &summary["disputes"], &summary["corrections"]),
        (&1.into(), &1.into(), &1.into())
    );
    let results = cluster.results();
    assert!(results.value.starts_with(PI_BEGINS));
    assert_eq!(results.value.len(), "3.".len() + 50_000);
    let dissenter = &results.report["dissenters"][0];
    assert_eq!(dissenter["name"], "mallory");
    assert_eq!((&dissenter["dissents"], &dissenter["corrected"]), (&1.into(), &1.into()));
    let place = dissenter["where_first"][0]["place"].as_str().expect("the place is named");
    assert!(place.starts_with("decimal "), "{place}");
    liar.wait_for("corrected");
    let task = results.report["verdicts"][0]["task"].as_str().expect("a task id");
    let stored =
        |name: &str| std::fs::read(cluster.worker_dir(name).join("outcomes").join(task)).expect("it is kept");
    assert_eq!(stored("mallory"), stored("ada"), "the liar now holds the accepted outcome");
    drop(honest);
}

#[test]
fn every_ballot_of_the_results_is_signed_by_the_worker_that_it_names() {
    let mut cluster = Cluster::start();
    let _workers = cluster.honest_workers(&["ada", "bea", "cai"]);
    let job = cluster.job_file("pi", PI);
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let certificates = cluster.results().ballots;
    let certificate: protocol::verdict::Certificate =
        serde_json::from_value(certificates[0]["certificate"].clone()).expect("a certificate");
    assert_eq!(certificate.verify(2), Ok(()));
    let mut forged = certificate.clone();
    forged.winning[0].ballot.domain.operator = "somebody else".to_owned();
    assert!(forged.verify(2).is_err());
}

#[test]
fn two_liars_of_one_operator_cannot_win_where_operators_must_differ() {
    let mut cluster = Cluster::start();
    let _liars = ["mal", "moe"].map(|name| cluster.worker(&liar(name, "mallory")));
    let _honest = cluster.worker(&slow("ada", "alice"));
    let job = cluster.job_file("pi", &format!("{PI}[policy]\ndistinct = [\"operator\"]\n"));
    let mut submitted = watched(&cluster, &job);
    submitted.wait_for("waits for a worker of another operator");
    let status = cluster.ask(&["status"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    let waiting =
        "waiting: task 0 waits for a worker of another operator: the 3 here are of `alice` and `mallory`";
    assert!(status.contains(waiting), "{status}");
    let _honest_too = cluster.worker(&WorkerSpec { name: "bob", operator: "bob", ..WorkerSpec::default() });
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    assert!(results.value.starts_with(PI_BEGINS));
    assert_eq!(results.report["dissenters"][0]["operator"], "mallory");
}

#[test]
fn two_liars_lose_among_five_where_the_quorum_is_three() {
    let mut cluster = Cluster::start();
    let _liars = ["mal", "moe"].map(|name| cluster.worker(&liar(name, "mallory")));
    let _honest = ["ada", "bea", "cai"].map(|name| cluster.worker(&slow(name, name)));
    let job = cluster.job_file("pi", &format!("{PI}[policy]\ntolerate = 2\nquorum = 3\nreplicas = 5\n"));
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    assert!(results.value.starts_with(PI_BEGINS));
    let dissenters = results.report["dissenters"].as_array().expect("a list");
    assert_eq!(dissenters.len(), 2);
    assert!(dissenters.iter().all(|dissenter| dissenter["corrected"] == 1));
}

#[test]
fn two_different_ballots_for_one_replica_are_kept_as_proof() {
    let mut cluster = Cluster::start();
    let equivocator =
        WorkerSpec { name: "eve", operator: "eve", misbehave: Some("equivocate"), ..WorkerSpec::default() };
    let _eve = cluster.worker(&equivocator);
    let _honest = ["ada", "bea"].map(|name| cluster.worker(&slow(name, name)));
    let job = cluster.job_file("pi", PI);
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    assert_eq!(results.report["dissenters"][0]["name"], "eve");
    assert_eq!(results.report["dissenters"][0]["equivocations"], 1);
    let pair: Vec<protocol::ballot::SignedBallot> =
        serde_json::from_value(results.ballots[0]["equivocations"][0].clone()).expect("two ballots");
    assert_eq!(pair[0].ballot.replica, pair[1].ballot.replica);
    assert_ne!(pair[0].ballot.digest, pair[1].ballot.digest);
    assert!(pair.iter().all(protocol::ballot::SignedBallot::is_authentic));
}

#[test]
fn three_liars_of_one_operator_wait_for_others_and_lose_where_operators_must_differ() {
    let mut cluster = Cluster::start();
    let _liars = ["mal", "moe", "may"].map(|name| cluster.worker(&liar(name, "mallory")));
    let job = cluster.job_file("pi", &format!("{PI}[policy]\ndistinct = [\"operator\"]\n"));
    let mut submitted = watched(&cluster, &job);
    submitted.wait_for("task 0 waits for a worker of another operator: the 3 here are all of `mallory`");
    let _honest = cluster.honest_workers(&["ada", "bob"]);
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    assert!(results.value.starts_with(PI_BEGINS));
    let voters = results.report["verdicts"][0]["ballots"].as_array().expect("a list");
    let of_mallory = voters.iter().filter(|ballot| ballot["domain"]["operator"] == "mallory");
    assert!(of_mallory.count() <= 1, "workers of one operator never share the task");
}

#[test]
fn workers_that_agree_by_one_wrong_formula_do_not_win_where_formulas_must_differ() {
    let mut cluster = Cluster::start();
    let broken = |name| WorkerSpec {
        name,
        operator: name,
        misbehave: Some("wrong-formula=factorial-series"),
        ..WorkerSpec::default()
    };
    let _broken = ["ada", "bea", "cai"].map(|name| cluster.worker(&broken(name)));
    let policy = "[policy]\ndistinct = [\"formula\"]\nmax_replicas = 4\n";
    // Pi would be no trial: by its other two formulas the same workers compute the truth, and agree.
    let job =
        format!("name = \"e\"\nkind = \"digits\"\n[digits]\nconstant = \"e\"\ndecimals = 50_000\n{policy}");
    let mut submitted = watched(&cluster, &cluster.job_file("e", &job));
    submitted.wait_for(
        "task 0 waits for another worker: all 3 here were asked, and the ballots that agree have the formula \
         `factorial-series`, where 2 different ones must agree",
    );
    let _fourth = cluster.worker(&broken("dan"));
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(3), "{printed}");
    let report = cluster.results().report;
    assert_eq!(report["accepted"], 0, "nothing is established, and nothing wrong is");
    assert_eq!(report["verdicts"][0]["verdict"], "undecided");
}

#[test]
fn a_worker_that_lies_again_and_again_is_put_in_quarantine_and_people_are_told() {
    const TASKS: usize = 400;
    let mut cluster = Cluster::start();
    let _honest = cluster.honest_workers(&["ada", "bea", "cai"]);
    let _liar = cluster.worker(&liar("mallory", "mallory"));
    let checks: Vec<String> = (0..TASKS).map(|number| format!("\"{number} + 1 > {number}\"")).collect();
    let checks = checks.join(", ");
    let job = format!(
        "name = \"many\"\nkind = \"expressions\"\n[expressions]\nbatch = 1\ncheck = [{checks}]\n[policy]\nreplicas = 4\n"
    );
    let (code, printed) = cluster.submit(&cluster.job_file("many", &job)).wait();
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(last_json(&printed)["accepted"], TASKS);
    let told = |status: &serde_json::Value| {
        let reason = status["standing"][0]["quarantine"]["reason"].as_str();
        reason.is_some_and(|reason| reason.ends_with("answers differ from what was accepted"))
    };
    let status = cluster.worker_status("mallory");
    assert!(told(&status), "{status}");
    assert!(status["standing"][0]["error_ppm"].as_u64() > Some(500_000), "{status}");
    let ada = cluster.worker_status("ada");
    assert!(ada["standing"][0]["quarantine"].is_null() && ada["standing"][0]["dissents"] == 0, "{ada}");
    let text = String::from_utf8(cluster.ask(&["workers"]).stdout).expect("words");
    assert!(text.contains("cpu in quarantine: its last "), "{text}");
    let report = cluster.results().report;
    let dissenter = &report["dissenters"][0];
    let quarantined = dissenter["quarantined"].as_str().expect("the report says so");
    assert!(dissenter["name"] == "mallory" && quarantined.starts_with("cpu: its last "), "{dissenter}");
    // It is in the ledger, so that a crash changes nothing, and the ledger bears itself out.
    cluster.crash_coordinator();
    cluster.wait_for_worker("mallory", |status| told(status) && status["connected"] == true);
}
