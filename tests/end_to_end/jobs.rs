//! Every ready-made job, submitted to an embedded cluster as a newcomer would, ends with what mathematics says, and leaves a
//! certificate that proves it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use quorate_tests::{
    cluster::{Results, last_json},
    process::{command, run},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Submits a job to an embedded cluster and reads its results.
fn submit(name: &str, more: &[&str]) -> (serde_json::Value, Results) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let output = run(command("coordinator")
        .arg("submit")
        .arg(root().join("jobs").join(format!("{name}.toml")))
        .arg("--out")
        .arg(&out)
        .arg("--json")
        .args(more));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    check_certificate(&out);
    (last_json(&printed), Results::read(&out))
}

/// Verifies the certificate among these results, which must prove their value and no other.
fn check_certificate(results: &Path) {
    let (certificate, value) = (results.join("certificate.quorate"), results.join("value.txt"));
    let verify = |value: &Path| {
        let output = run(command("coordinator").arg("verify").arg(&certificate).arg("--value").arg(value));
        let printed = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&printed).into_owned())
    };
    let (code, said) = verify(&value);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("value.txt is the accepted value"), "{said}");
    let mut changed = std::fs::read(&value).expect("it was written");
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let other = results.join("changed.txt");
    std::fs::write(&other, changed).expect("writable");
    let (code, said) = verify(&other);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("changed.txt is not the accepted value"), "{said}");
}

fn expected(name: &str) -> String {
    let path = root().join("tests").join("expected").join(format!("{name}.txt"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares digits with what is known of them: how many, the first, the last, and their BLAKE3.
fn check_digits(name: &str) {
    let (summary, results) = submit(name, &[]);
    assert_eq!(summary["status"], "reconciled");
    let known = expected(name);
    let known: BTreeMap<&str, &str> = known.lines().filter_map(|line| line.split_once(' ')).collect();
    let (_, decimals) = results.value.split_once('.').expect("a point");
    assert_eq!(decimals.len().to_string(), known["decimals"]);
    assert!(decimals.bytes().all(|digit| digit.is_ascii_digit()));
    assert!(results.value.starts_with(known["begins"]));
    assert!(results.value.ends_with(known["ends"]));
    assert_eq!(blake3::hash(results.value.as_bytes()).to_hex().as_str(), known["blake3"]);
    let formulas: std::collections::BTreeSet<&str> = results.report["verdicts"][0]["ballots"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|ballot| ballot["domain"]["formula"].as_str())
        .collect();
    assert!(formulas.len() >= 2, "two formulas agreed");
}

/// Compares the answers of an expression job, line by line.
fn check_answers(name: &str) {
    let (summary, results) = submit(name, &[]);
    assert_eq!(summary["status"], "reconciled");
    let expected = expected(name);
    let expected: Vec<&str> = expected.lines().collect();
    let lines: Vec<&str> = results.value.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{}", results.value);
    for (line, expected) in lines.iter().zip(expected) {
        let answer = line.split('\t').next().unwrap_or_default();
        let fits = match expected.strip_prefix("value ") {
            Some(value) => answer == value,
            None => answer.starts_with(expected),
        };
        assert!(fits, "expected `{expected}`, got `{line}`");
    }
}

#[test]
fn pi_digits_are_a_million_correct_decimals() {
    check_digits("pi-digits");
}

#[test]
fn e_digits_are_correct() {
    check_digits("e-digits");
}

#[test]
fn sqrt2_digits_are_correct() {
    check_digits("sqrt2-digits");
}

#[test]
fn golden_ratio_digits_are_correct() {
    check_digits("golden-ratio-digits");
}

#[test]
fn ln2_digits_are_correct() {
    check_digits("ln2-digits");
}

#[test]
fn ln10_digits_are_correct() {
    check_digits("ln10-digits");
}

#[test]
fn zeta3_digits_are_correct() {
    check_digits("zeta3-digits");
}

#[test]
fn catalan_digits_are_correct() {
    check_digits("catalan-digits");
}

#[test]
fn euler_gamma_digits_are_correct() {
    check_digits("euler-gamma-digits");
}

#[test]
fn lemniscate_digits_are_correct() {
    check_digits("lemniscate-digits");
}

#[test]
fn gamma_third_digits_are_correct() {
    check_digits("gamma-third-digits");
}

#[test]
fn gamma_quarter_digits_are_correct() {
    check_digits("gamma-quarter-digits");
}

#[test]
fn pi_by_the_series_of_the_job_file_is_correct() {
    check_digits("pi-series");
}

#[test]
fn pi_computed_once_and_audited_twice_is_correct() {
    check_digits("pi-audited");
}

#[test]
fn ln3_by_the_sums_of_the_job_file_is_correct() {
    check_digits("ln3-series");
}

#[test]
fn pi_hex_digits_after_a_hundred_million_are_the_published_ones() {
    let (summary, results) = submit("pi-hex-digits", &[]);
    assert_eq!(summary["status"], "reconciled");
    let known = expected("pi-hex-digits");
    let known: BTreeMap<&str, &str> = known.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(results.value, known["value"]);
    assert_eq!(results.value.len().to_string(), known["digits"]);
}

#[test]
fn arithmetic_is_answered_as_it_is() {
    check_answers("arithmetic");
}

#[test]
fn identities_agree_and_near_misses_are_false() {
    check_answers("identities");
}

#[test]
fn range_conjectures_hold_or_show_their_smallest_counterexample() {
    check_answers("range-conjectures");
}

#[test]
fn expressions_from_a_file_are_answered_in_their_order() {
    check_answers("expressions-from-file");
}

#[test]
fn the_embedded_liar_is_outvoted_and_corrected() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let job = folder.path().join("e.toml");
    let text = "name = \"e\"\nkind = \"digits\"\n[digits]\nconstant = \"e\"\ndecimals = 20_000\n\
                [policy]\ntolerate = 1\nquorum = 3\nreplicas = 4\n";
    std::fs::write(&job, text).expect("writable");
    let output = run(command("coordinator")
        .arg("submit")
        .arg(&job)
        .args(["--embedded-liar", "--workers", "3", "--json", "--out"])
        .arg(folder.path().join("out")));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    check_certificate(&folder.path().join("out"));
    let results = Results::read(&folder.path().join("out"));
    assert!(results.value.starts_with("2.718281828459045"));
}
