//! The plain case: append, read, close, open again.

use std::path::Path;

use bytes::Bytes;
use coordinator::ledger::{Batch, Durability, Ledger, LedgerError, ShortOutcome};
use protocol::{
    digest::{Digest, Domain},
    identity::SecretKey,
    ledger::{Entry, LEDGER_VERSION, Record},
    limits::{LEDGER_ENTRY_BYTES_MAX, ROW_OUTCOME_BYTES_MAX},
};

use crate::log::{entry, key, outcome, submitted, whole_job};

fn batch(entries: Vec<Entry>) -> Batch {
    Batch { entries, ..Batch::default() }
}

fn open(folder: &Path) -> Ledger {
    Ledger::open(folder, &key(), Durability::Synced).expect("a sound ledger")
}

fn entries(ledger: &Ledger) -> Vec<Entry> {
    let entries = ledger.reader().entries(..).expect("a sound ledger");
    entries.map(|entry| entry.expect("a sound entry").1).collect()
}

#[test]
fn a_new_ledger_begins_with_its_founding_and_a_signed_head() {
    let folder = tempfile::tempdir().expect("a folder");
    for durability in [Durability::Synced, Durability::Memory] {
        let ledger = Ledger::open(folder.path(), &key(), durability).expect("a new ledger");
        let founded = Record::Founded { coordinator: key().node_id(), version: LEDGER_VERSION };
        assert_eq!(entries(&ledger).into_iter().map(|entry| entry.record).collect::<Vec<_>>(), [founded]);
        assert_eq!(ledger.head().head.tree.size, 1);
        assert!(ledger.head().is_authentic());
        assert_eq!(ledger.reader().head().expect("a head"), ledger.head());
    }
}

#[test]
fn what_was_appended_is_there_after_it_is_opened_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = open(folder.path());
    for number in 0..5 {
        let appended = ledger.append(&batch(whole_job(number, 3))).expect("room");
        assert_eq!(appended.head, ledger.head());
        assert_eq!(appended.first + 7, ledger.head().head.tree.size);
    }
    let (before, head) = (entries(&ledger), ledger.head());
    assert_eq!(before.len(), 36);
    drop(ledger);
    let ledger = open(folder.path());
    assert_eq!(entries(&ledger), before);
    assert_eq!(ledger.head(), head);
    assert_eq!(ledger.reader().entry(3).expect("sound").as_ref(), Some(&before[3]));
    assert_eq!(ledger.reader().entry(36).expect("sound"), None);
    let some: Vec<u64> =
        ledger.reader().entries(5..=9).expect("sound").map(|row| row.expect("sound").0).collect();
    assert_eq!(some, [5, 6, 7, 8, 9]);
}

#[test]
fn the_index_knows_every_entry_of_a_job_and_which_jobs_are_not_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = open(folder.path());
    let mut first = whole_job(1, 2);
    let end = first.pop().expect("its end");
    ledger.append(&batch(first)).expect("room");
    ledger.append(&batch(whole_job(2, 2))).expect("room");
    let (open_job, over) = (submitted(1).job, submitted(2).job);
    assert_eq!(ledger.reader().unfinished_jobs().expect("sound"), [open_job]);
    assert_eq!(ledger.reader().positions_of(open_job).expect("sound"), [1, 2, 3, 4, 5]);
    assert_eq!(ledger.reader().positions_of(over).expect("sound"), [6, 7, 8, 9, 10, 11]);
    ledger.append(&batch(vec![end])).expect("room");
    drop(ledger);
    let reader = open(folder.path()).reader().clone();
    assert_eq!(reader.unfinished_jobs().expect("sound"), []);
    assert_eq!(reader.positions_of(open_job).expect("sound"), [1, 2, 3, 4, 5, 12]);
    let found: Vec<Entry> =
        reader.job_entries(open_job).expect("sound").map(|found| found.expect("sound").1).collect();
    assert!(found.iter().all(|entry| entry.record.job() == Some(open_job)) && found.len() == 6);
    assert!(reader.positions_of(submitted(9).job).expect("sound").is_empty());
}

#[test]
fn the_clock_of_the_log_never_goes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = open(folder.path());
    let founded_ms = ledger.head().head.at_ms;
    let at = |at_ms| Entry { at_ms, record: Record::Revoked { node: key().node_id() } };
    ledger.append(&batch(vec![at(0), at(founded_ms + 50), at(founded_ms + 20)])).expect("room");
    ledger.append(&batch(vec![at(founded_ms + 10)])).expect("room");
    let times: Vec<u64> = entries(&ledger).iter().map(|entry| entry.at_ms - founded_ms).collect();
    assert_eq!(times, [0, 0, 50, 50, 50]);
    assert_eq!(ledger.head().head.at_ms, founded_ms + 50);
}

#[test]
fn every_path_leads_to_the_root_and_every_head_continues_the_earlier_ones() {
    let mut ledger = Ledger::open(Path::new("."), &key(), Durability::Memory).expect("memory");
    let mut heads = vec![ledger.head().head.tree];
    for number in 0..6 {
        ledger.append(&batch(whole_job(number, u64::from(number) + 1))).expect("room");
        heads.push(ledger.head().head.tree);
    }
    let reader = ledger.reader();
    let leaves: Vec<Vec<u8>> = entries(&ledger).iter().map(Entry::to_bytes).collect();
    for (at, new) in heads.iter().enumerate() {
        assert_eq!(reader.root(new.size).expect("sound"), *new);
        for position in 0..new.size {
            let path = reader.audit_path(position, new.size).expect("sound");
            new.check_inclusion(&leaves[usize::try_from(position).unwrap()], &path).expect("it is there");
        }
        for old in &heads[..=at] {
            let proof = reader.consistency(old.size, new.size).expect("sound");
            new.check_consistency(old, &proof).expect("it continues");
        }
    }
    let size = ledger.head().head.tree.size;
    assert!(matches!(reader.audit_path(0, size + 1), Err(LedgerError::Tree(_))));
    assert!(matches!(reader.audit_path(size, size), Err(LedgerError::Tree(_))));
    assert!(matches!(reader.consistency(0, u64::MAX), Err(LedgerError::Tree(_))));
}

#[test]
fn the_entries_of_a_job_come_with_their_paths_to_one_head_while_the_ledger_grows() {
    let mut ledger = Ledger::open(Path::new("."), &key(), Durability::Memory).expect("memory");
    ledger.append(&batch(whole_job(1, 3))).expect("room");
    ledger.append(&batch(whole_job(2, 9))).expect("room");
    let head = ledger.head();
    let mut proven = ledger.reader().proven_entries(submitted(2).job).expect("sound");
    let mut positions = ledger.reader().positions_of(submitted(2).job).expect("sound").into_iter();
    let leaves: Vec<Vec<u8>> = entries(&ledger).iter().map(Entry::to_bytes).collect();
    ledger.append(&batch(whole_job(3, 2))).expect("room");
    assert_eq!(*proven.head(), head);
    assert_eq!(proven.count_left(), positions.len() as u64);
    for found in &mut proven {
        let (entry, path) = found.expect("sound");
        assert_eq!(Some(path.position), positions.next());
        assert_eq!(entry.to_bytes(), leaves[usize::try_from(path.position).unwrap()]);
        head.head.tree.check_inclusion(&entry.to_bytes(), &path).expect("it is there");
    }
    assert_eq!((positions.next(), proven.count_left()), (None, 0));
    assert_eq!(ledger.reader().proven_entries(submitted(9).job).expect("sound").count_left(), 0);
}

#[test]
fn heads_of_long_ago_thin_out_and_the_last_ones_stay() {
    let mut ledger = Ledger::open(Path::new("."), &key(), Durability::Memory).expect("memory");
    let one = || entry(Record::Revoked { node: key().node_id() });
    let mut signed = vec![ledger.head()];
    for _ in 0..600 {
        signed.push(ledger.append(&batch((0..7).map(|_| one()).collect())).expect("room").head);
    }
    let kept = ledger.reader().heads().expect("sound");
    assert_eq!(kept[kept.len() - 64..], signed[signed.len() - 64..]);
    let old: Vec<u64> = kept[..kept.len() - 64].iter().map(|head| head.head.tree.size).collect();
    assert_eq!(old, [1, 1030, 2052, 3074]);
}

#[test]
fn short_outcomes_stay_until_their_job_forgets_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = open(folder.path());
    let (job, other) = (submitted(1).job, submitted(2).job);
    let short = |job, number| {
        let (digest, bytes) = outcome(number);
        ShortOutcome { job, digest, bytes }
    };
    let outcomes = vec![short(job, 1), short(job, 2), short(other, 1)];
    let head = ledger.head();
    let appended = ledger.append(&Batch { outcomes, ..Batch::default() }).expect("room");
    assert_eq!(appended.head, head, "outcomes are beside the log");
    drop(ledger);
    let mut ledger = open(folder.path());
    let kept_of = |ledger: &Ledger, job| {
        let outcomes = ledger.reader().short_outcomes(job).expect("sound");
        let mut numbers: Vec<_> = outcomes.map(|outcome| outcome.expect("sound").bytes).collect();
        numbers.sort();
        numbers
    };
    assert_eq!(kept_of(&ledger, job), [outcome(1).1, outcome(2).1]);
    ledger.append(&Batch { forget: vec![job], ..Batch::default() }).expect("room");
    assert!(kept_of(&ledger, job).is_empty());
    assert_eq!(kept_of(&ledger, other), [outcome(1).1]);
}

#[test]
fn what_may_not_be_written_is_refused_and_the_ledger_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = open(folder.path());
    let head = ledger.head();
    let job = submitted(1).job;
    let mut long = submitted(1);
    long.text = "#".repeat(LEDGER_ENTRY_BYTES_MAX);
    let founded = Record::Founded { coordinator: key().node_id(), version: LEDGER_VERSION };
    let outcome =
        |digest, bytes| Batch { outcomes: vec![ShortOutcome { job, digest, bytes }], ..Batch::default() };
    let (digest, _) = outcome_of(&vec![0; ROW_OUTCOME_BYTES_MAX + 1]);
    for (refused, says) in [
        (batch(vec![entry(Record::Submitted(long))]), "an entry of 8388"),
        (batch(vec![entry(founded)]), "founded once"),
        (outcome(digest, vec![0; ROW_OUTCOME_BYTES_MAX + 1]), "a short outcome of 262145 bytes"),
        (outcome(digest, b"something else".to_vec()), "the outcome does not have the digest"),
    ] {
        let error = ledger.append(&refused).expect_err("refused").to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(ledger.head(), head);
    ledger.append(&batch(whole_job(1, 1))).expect("it goes on");
}

fn outcome_of(bytes: &[u8]) -> (Digest, Vec<u8>) {
    (Digest::of(Domain::Outcome, bytes), bytes.to_vec())
}

#[test]
fn expression_files_are_kept_under_their_digest_and_checked_when_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = open(folder.path());
    let bytes = Bytes::from_static(b"1 + 1 == 2\n");
    let digest = Digest::of(Domain::ExpressionFile, &bytes);
    let files = ledger.reader().files();
    assert_eq!(files.get(&digest).expect("readable"), None);
    assert!(files.put(digest, Bytes::from_static(b"1 + 1 == 3\n")).is_err());
    files.put(digest, bytes.clone()).expect("room");
    assert_eq!(files.get(&digest).expect("sound"), Some(bytes));
    let path = folder.path().join("ledger.files").join(digest.to_string());
    std::fs::write(&path, b"1 + 1 == 3\n").expect("a file");
    let error = files.get(&digest).expect_err("damaged").to_string();
    assert!(error.contains(&digest.to_string()) && error.contains("damaged"), "{error}");
}

#[test]
fn a_ledger_is_opened_once_at_a_time_and_by_its_founder_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = open(folder.path());
    let again = Ledger::open(folder.path(), &key(), Durability::Synced).expect_err("open already");
    assert!(matches!(again, LedgerError::InUse { .. }), "{again}");
    drop(ledger);
    let stranger = SecretKey::from_seed(&[2; 32]);
    let foreign = Ledger::open(folder.path(), &stranger, Durability::Synced).expect_err("another key");
    assert!(matches!(foreign, LedgerError::Foreign { .. }), "{foreign}");
    open(folder.path());
}
