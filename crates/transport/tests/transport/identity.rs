//! The file that keeps a node's key.

use std::{fs, thread};

use transport::identity::{IdentityError, KEY_FILE, load_or_create};

#[test]
fn a_key_is_made_at_the_first_start_and_stays_the_same() {
    let state = tempfile::tempdir().expect("a directory");
    let state_dir = state.path().join("deep/state");
    let first = load_or_create(&state_dir).expect("a key is made");
    let again = load_or_create(&state_dir).expect("the key is read");
    assert_eq!(first.node_id(), again.node_id());
    assert!(first.node_id().is_sound());
    let files: Vec<_> =
        fs::read_dir(&state_dir).expect("it is there").map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, [KEY_FILE], "nothing temporary is left");

    let elsewhere = tempfile::tempdir().expect("a directory");
    assert_ne!(load_or_create(elsewhere.path()).expect("another key").node_id(), first.node_id());
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_key_and_the_directory() {
    use std::os::unix::fs::PermissionsExt;

    let state = tempfile::tempdir().expect("a directory");
    let state_dir = state.path().join("state");
    load_or_create(&state_dir).expect("a key is made");
    let mode = |path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(state_dir.join(KEY_FILE)), 0o600);
    assert_eq!(mode(state_dir), 0o700);
}

#[test]
fn programs_that_start_at_once_end_with_one_key() {
    let state = tempfile::tempdir().expect("a directory");
    let nodes: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> =
            (0..8).map(|_| scope.spawn(|| load_or_create(state.path()).expect("a key").node_id())).collect();
        starts.into_iter().map(|start| start.join().expect("no panic")).collect()
    });
    assert!(nodes.iter().all(|node| *node == nodes[0]), "{nodes:?}");
}

#[test]
fn a_file_with_any_byte_changed_is_refused_and_left_alone() {
    let state = tempfile::tempdir().expect("a directory");
    load_or_create(state.path()).expect("a key is made");
    let path = state.path().join(KEY_FILE);
    let good = fs::read(&path).expect("it is there");
    for position in 0..good.len() {
        let mut bad = good.clone();
        bad[position] ^= 1;
        fs::write(&path, &bad).expect("it can be written");
        let error = load_or_create(state.path()).expect_err("it is damaged");
        assert!(matches!(error, IdentityError::Damaged { .. }), "byte {position}: {error}");
        assert_eq!(fs::read(&path).expect("it is there"), bad, "it was changed");
    }
}

#[test]
fn each_kind_of_damage_has_its_reason_and_the_way_out() {
    let state = tempfile::tempdir().expect("a directory");
    load_or_create(state.path()).expect("a key is made");
    let path = state.path().join(KEY_FILE);
    let good = fs::read_to_string(&path).expect("it is text");
    let lines: Vec<&str> = good.lines().collect();
    let cases: [(Vec<u8>, &str); 7] = [
        (Vec::new(), "its first line is not that of a key file"),
        (vec![0xff; 32], "it is not text"),
        (good.repeat(9).into_bytes(), "it is longer than a key file"),
        (lines[0].into(), "its secret key is missing"),
        (lines[..2].join("\n").into_bytes(), "its public key is missing"),
        (good.replace(lines[1], "secret 00").into_bytes(), "its secret key is not 64 hexadecimal digits"),
        (format!("{good}more\n").into_bytes(), "lines follow the keys"),
    ];
    for (bytes, reason) in cases {
        fs::write(&path, bytes).expect("it can be written");
        let text = load_or_create(state.path()).expect_err("it is damaged").to_string();
        assert!(text.contains(reason), "{reason} is missing in: {text}");
        assert!(
            text.contains(KEY_FILE) && text.contains("restore it from a copy, or move it away"),
            "{text}"
        );
    }
}

#[test]
fn a_state_directory_that_cannot_be_is_named() {
    let state = tempfile::tempdir().expect("a directory");
    let file = state.path().join("file");
    fs::write(&file, "not a directory").expect("it can be written");
    let text = load_or_create(&file.join("state")).expect_err("a file is in the way").to_string();
    assert!(text.contains("file/state") && text.contains("--state-dir"), "{text}");
}
