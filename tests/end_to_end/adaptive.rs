//! Adaptive replication with real programs: most answers stand alone, whoever earns trust and then lies is found out with everything
//! that it answered alone, and certificate and ledger say what the values rest on.

use quorate_tests::{
    cluster::{Cluster, WorkerSpec},
    process::{command, run},
};

const TASKS: usize = 6000;

/// A file of identities, of which every third is wrong, a task each.
fn job_text() -> String {
    let lines: Vec<String> =
        (0..TASKS).map(|n| format!("\"{n} * {n} == {}\"", n * n + usize::from(n % 3 == 0))).collect();
    format!(
        "name = \"squares\"\nkind = \"expressions\"\n[expressions]\ncheck = [{}]\nbatch = 1\n\
         [policy]\nadaptive = true\nerror = 0.1\nfaulty = 0.01\n",
        lines.join(", ")
    )
}

#[test]
fn whoever_earns_trust_and_then_lies_is_found_out_with_all_that_it_answered_alone() {
    let mut cluster = Cluster::start();
    let _honest = cluster.honest_workers(&["ada", "bea", "cai", "dan"]);
    let spec = WorkerSpec {
        name: "tom",
        operator: "tom",
        misbehave: Some("wrong-after=50"),
        ..WorkerSpec::default()
    };
    let _turncoat = cluster.worker(&spec);
    let job = cluster.job_file("squares", &job_text());
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");

    let results = cluster.results();
    for (n, line) in results.value.lines().filter(|line| line.contains("==")).enumerate() {
        assert_eq!(line.contains("true"), n % 3 != 0, "{line}");
    }
    assert_eq!(results.value.lines().filter(|line| line.contains("==")).count(), TASKS);
    let report = &results.report;
    let dissenters = report["dissenters"].as_array().expect("a list");
    assert_eq!(dissenters.len(), 1, "{dissenters:?}");
    assert_eq!(dissenters[0]["name"], "tom");
    assert_eq!(dissenters[0]["dissents"], dissenters[0]["corrected"], "each lie is corrected");
    let adaptive = &report["adaptive"];
    let [alone, checked] = ["alone", "checked"].map(|key| adaptive[key].as_u64().expect("a count"));
    assert_eq!(alone + checked, TASKS as u64);
    assert!(alone > 200, "those who are trusted answer alone: {adaptive}");
    assert!(adaptive["overhead"].as_f64().is_some_and(|overhead| overhead > 0.0), "{adaptive}");

    let certificate = cluster.folder().join("out").join("certificate.quorate");
    let verified = run(command("coordinator").arg("verify").arg(&certificate));
    let told = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(told.contains(&format!("that a single worker signed: {alone}")), "{told}");
    assert!(told.contains("at most 1 % of all answers"), "{told}");

    cluster.coordinator().kill();
    let ledger = run(command("coordinator")
        .args(["ledger", "verify", "--state-dir"])
        .arg(cluster.folder().join("coordinator")));
    assert!(ledger.status.success(), "{}", String::from_utf8_lossy(&ledger.stdout));
}
