//! `coordinator ledger`, as an operator types it.

use std::{
    path::Path,
    process::{Command, Output},
};

use coordinator::ledger::{Batch, DATABASE_FILE, Durability, Ledger};
use protocol::{
    ledger::{Entry, SignedHead},
    merkle::MerkleTree,
};

use crate::log::{everybody, key, submitted, whole_job};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coordinator"))
        .arg("ledger")
        .args(arguments)
        .arg("--state-dir")
        .arg(folder)
        .env("QUORATE_CONFIG", "")
        .current_dir(folder)
        .output()
        .expect("the program is built")
}

/// What it prints and its exit code.
fn said(folder: &Path, arguments: &[&str]) -> (String, i32) {
    let output = run(folder, arguments);
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).expect("text"), output.status.code().expect("an exit code"))
}

fn append(folder: &Path, number: u8) -> SignedHead {
    let mut ledger = Ledger::open(folder, &key(), Durability::Synced).expect("a ledger");
    ledger.append(&Batch { entries: whole_job(number, 3), ..Batch::default() }).expect("room").head
}

#[test]
fn a_sound_ledger_verifies_with_code_0_and_a_damaged_one_with_code_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = Ledger::open(folder.path(), &key(), Durability::Synced).expect("a ledger");
    ledger.append(&Batch { entries: everybody(), ..Batch::default() }).expect("room");
    drop(ledger);
    append(folder.path(), 1);
    let (text, code) = said(folder.path(), &["verify"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("read: 15 entries") && text.contains("ballots: 8 checked by 8 signatures"),
        "{text}"
    );
    assert!(text.ends_with("sound: everything is as it was written and signed\n"), "{text}");
    let (json, _) = said(folder.path(), &["verify", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((found["sound"].as_bool(), found["found"]["entries"].as_u64()), (Some(true), Some(15)));

    let database = folder.path().join(DATABASE_FILE);
    let mut bytes = std::fs::read(&database).expect("a file");
    let text = submitted(1).text;
    let at = bytes.windows(text.len()).position(|part| part == text.as_bytes()).expect("the job's text");
    bytes[at] ^= 1;
    std::fs::write(&database, bytes).expect("a file");
    let (text, code) = said(folder.path(), &["verify"]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("fault: entry 8: it does not have its digest") && text.contains("not sound"),
        "{text}"
    );
}

#[test]
fn entries_are_shown_by_position_by_job_and_from_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    append(folder.path(), 1);
    append(folder.path(), 2);
    let lines = |arguments: &[&str]| {
        let (text, code) = said(folder.path(), arguments);
        assert_eq!(code, 0, "{text}");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let all = lines(&["show"]);
    assert_eq!(all.len(), 15);
    assert!(all[0].contains("founded     by coordinator") && all[14].contains("reconciled"), "{all:?}");
    assert!(all[2].contains("2 of 3 ballots agree, quorum 2, disputed"), "{}", all[2]);
    assert_eq!(lines(&["show", "--from", "12"]), all[12..]);
    assert_eq!(lines(&["show", "--last", "2"]), all[13..]);
    let job = submitted(2).job.to_string();
    assert_eq!(lines(&["show", "--job", &job[..10]]), all[8..]);
    assert_eq!(lines(&["show", "--job", &job, "--last", "1"]), all[14..]);
    let json = lines(&["show", "--last", "1", "--json"]);
    let entry: serde_json::Value = serde_json::from_str(&json[0]).expect("JSON");
    assert_eq!(entry["position"], 14);
    let (text, code) = said(folder.path(), &["show", "--job", "zz"]);
    assert!(code == 2 && text.contains("no job's id in the ledger starts with `zz`"), "{text}");
}

#[test]
fn an_export_makes_up_the_root_again() {
    let folder = tempfile::tempdir().expect("a folder");
    append(folder.path(), 1);
    let head = append(folder.path(), 2);
    let (text, code) = said(folder.path(), &["export", "out.jsonl"]);
    assert!(code == 0 && text.starts_with("written: 15 entries and 3 signed heads"), "{text}");
    let text = std::fs::read_to_string(folder.path().join("out.jsonl")).expect("a file");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let entries = lines.iter().filter_map(|line| line.get("entry"));
    let leaves = entries.map(|entry| {
        let entry: Entry = serde_json::from_value(entry.clone()).expect("an entry");
        entry.to_bytes()
    });
    assert_eq!(MerkleTree::new(leaves).root(), head.head.tree);
    let last: SignedHead = serde_json::from_value(lines[17]["head"].clone()).expect("a head");
    assert!(last == head && last.is_authentic());
}

#[test]
fn a_later_head_is_shown_to_continue_an_earlier_one_and_a_foreign_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let keep = |name: &str| {
        let output = run(folder.path(), &["head"]);
        assert!(output.status.success());
        std::fs::write(folder.path().join(name), output.stdout).expect("a file");
    };
    append(folder.path(), 1);
    keep("old");
    append(folder.path(), 2);
    keep("new");
    let (text, code) = said(folder.path(), &["consistency", "old", "new"]);
    assert!(code == 0 && text.starts_with("yes: the first 8 of 15 entries"), "{text}");
    assert_eq!(said(folder.path(), &["consistency", "3", "new"]).1, 0);
    let (text, code) = said(folder.path(), &["consistency", "new", "old"]);
    assert!(code == 1 && text.contains("no: the later head has 8 entries"), "{text}");

    let other = tempfile::tempdir().expect("a folder");
    append(other.path(), 3);
    let forked = run(other.path(), &["head"]).stdout;
    std::fs::write(folder.path().join("forked"), forked).expect("a file");
    let (text, code) = said(folder.path(), &["consistency", "forked", "new"]);
    assert!(code == 1 && text.contains("vouches for 8 entries with another root"), "{text}");
    std::fs::write(folder.path().join("nonsense"), "nonsense").expect("a file");
    let (text, code) = said(folder.path(), &["consistency", "nonsense", "new"]);
    assert!(code == 2 && text.contains("is no head"), "{text}");
    let changed = std::fs::read_to_string(folder.path().join("old")).expect("a file");
    std::fs::write(folder.path().join("forged"), changed.replace("\"size\":8", "\"size\":7"))
        .expect("a file");
    let (text, code) = said(folder.path(), &["consistency", "forged", "new"]);
    assert!(code == 1 && text.contains("is not signed by the coordinator"), "{text}");
}

#[test]
fn while_a_coordinator_runs_only_the_head_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path(), &key(), Durability::Synced).expect("a ledger");
    for command in [&["verify"][..], &["show"], &["export", "out"], &["consistency", "1", "1"]] {
        let (text, code) = said(folder.path(), command);
        assert!(code == 6 && text.contains("is open in another program"), "{command:?}: {text}");
    }
    let (text, code) = said(folder.path(), &["head"]);
    let head: SignedHead = serde_json::from_str(&text).expect("a head");
    assert_eq!((head, code), (ledger.head(), 0));
}

#[test]
fn where_there_is_no_ledger_every_command_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    for command in [&["verify"][..], &["show"], &["export", "out"], &["head"], &["consistency", "1", "1"]] {
        let (text, code) = said(folder.path(), command);
        assert!(code == 6 && text.contains("there is no ledger"), "{command:?}: {text}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
