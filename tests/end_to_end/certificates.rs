//! Certificates as people meet them: every job leaves one, it is checked without a cluster, and no change goes unnoticed.

use std::path::{Path, PathBuf};

use quorate_tests::{
    cluster::Cluster,
    process::{command, run},
};

fn vector(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    root.join("crates").join("protocol").join("tests").join("vectors").join(name)
}

/// The exit code and everything that was printed.
fn verify(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(command("coordinator").arg("verify").args(arguments));
    let printed =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), printed)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

#[test]
fn a_job_leaves_a_certificate_that_holds_together_with_its_value() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let job = folder.path().join("mixed.toml");
    let lines = "name = \"mixed\"\nkind = \"expressions\"\n[expressions]\nbatch = 2\n\
                 check = [\"1 + 1 == 2\", \"2 + 2 == 5\", \"2 ^ 100\", \"for n in 1..=1000: n^5 % 30 == n % 30\"]\n";
    std::fs::write(&job, lines).expect("writable");
    let out = folder.path().join("out");
    let submitted =
        run(command("coordinator").arg("submit").arg(&job).arg("--out").arg(&out).arg("--no-gpu"));
    assert!(submitted.status.success(), "{}", String::from_utf8_lossy(&submitted.stderr));
    let (certificate, value) = (out.join("certificate.quorate"), out.join("value.txt"));
    let (code, said) = verify(&[text(&certificate)]);
    assert_eq!(code, Some(0), "{said}");
    for part in
        ["accepted: 3 of 3 tasks", "not proven", "--trust", "--value", "of embedded: agreed on 3 tasks"]
    {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
    let (code, said) = verify(&[text(&certificate), "--value", text(&value), "--recheck"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is the accepted value") && said.contains("computed again"), "{said}");
    let mut changed = std::fs::read(&value).expect("written");
    changed[0] ^= 1;
    std::fs::write(&value, changed).expect("writable");
    let (code, said) = verify(&[text(&certificate), "--value", text(&value)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("they part at byte 0, in line 1"), "{said}");
}

#[test]
fn a_certificate_of_a_cluster_names_its_operators_and_holds_against_their_keys() {
    let mut cluster = Cluster::start();
    let _workers = cluster.honest_workers(&["ada", "bob"]);
    let lines = "name = \"claims\"\nkind = \"expressions\"\n[expressions]\nbatch = 1\n\
                 check = [\"1 + 1 == 2\", \"for n in 1..=1000: n^5 % 30 == n % 30\"]\n\
                 [policy]\nquorum = 2\nreplicas = 2\nsealed = true\ndistinct = [\"operator\"]\n";
    let (code, printed) = cluster.submit(&cluster.job_file("claims", lines)).wait();
    assert_eq!(code, Some(0), "{printed}");
    let out = cluster.folder().join("out");
    let (certificate, value) = (out.join("certificate.quorate"), out.join("value.txt"));
    let keys = ["ada", "bob"]
        .map(|name| cluster.worker_status(name)["worker"].as_str().expect("its key").to_owned());
    let (code, said) = verify(&[text(&certificate), "--value", text(&value), "--trust", &keys[0], &keys[1]]);
    assert_eq!(code, Some(0), "{said}");
    for part in ["of ada, which you trust", "of bob, which you trust", "is the accepted value"] {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
    std::fs::write(&value, "true\t1 + 1 == 3\n").expect("writable");
    let (code, said) = verify(&[text(&certificate), "--value", text(&value)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is not the accepted value"), "{said}");
}

#[test]
fn a_changed_certificate_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut bytes = std::fs::read(vector("digits.quorate")).expect("it is committed");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let changed = folder.path().join("changed.quorate");
    std::fs::write(&changed, bytes).expect("writable");
    let (code, said) = verify(&[text(&changed), "--json"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("\"holds\":false") && said.contains("has not signed this certificate"), "{said}");
    let (code, said) = verify(&[text(&vector("digits-value.txt"))]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("QUORCERT"), "{said}");
    let (code, said) = verify(&["no-such-file"]);
    assert_eq!(code, Some(6), "{said}");
}

#[test]
fn digits_are_held_against_the_accepted_digest_and_against_known_keys() {
    let (certificate, value) = (vector("digits.quorate"), vector("digits-value.txt"));
    let (code, said) = verify(&[text(&certificate), "--value", text(&value), "--recheck", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let found: serde_json::Value = serde_json::from_str(said.trim()).expect("JSON");
    assert_eq!(found["value"]["bytes"], 12);
    assert_eq!(found["rechecked_tasks"], 1);
    assert_eq!(found["findings"]["wrong_together_min"], 2);
    let keys: Vec<String> = found["findings"]["workers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|worker| Some(worker["worker"].as_str()?.to_owned()))
        .collect();
    let (code, said) = verify(&[text(&certificate), "--trust", &keys[0], &keys[1]]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("which you trust"), "{said}");
    let (code, said) = verify(&[text(&certificate), "--trust", &keys[0]]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("are among the keys that you trust"), "{said}");
    let (code, said) = verify(&[text(&certificate), "--value", text(&certificate)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is not the accepted value"), "{said}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let empty = folder.path().join("empty.txt");
    std::fs::write(&empty, "").expect("writable");
    let (code, said) = verify(&[text(&certificate), "--value", text(&empty)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is not the accepted value: it is empty"), "{said}");
    let (code, said) = verify(&[text(folder.path())]);
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("it is a folder; name the file in it"), "{said}");
}
