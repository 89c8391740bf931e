//! Crashes: the power goes at any moment, and of what was not synced the disk keeps any part, in any order, torn at its
//! sectors. What was acknowledged is there, and what is there is a whole number of commits.

use coordinator::ledger::{Batch, LedgerError, ShortOutcome};
use protocol::ledger::Entry;

use crate::{
    disk::{Choices, Disk, Images, Operation, images, open, replay},
    log::{outcome, whole_job},
};

/// Bytes that a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A run of small commits, with everything that it did to the disk.
struct Run {
    /// The files before.
    start: Images,
    operations: Vec<Operation>,
    /// Every entry, the founding included.
    entries: Vec<Entry>,
    /// The sizes that the ledger had after each commit.
    sizes: Vec<u64>,
}

fn run(commits: u8) -> Run {
    let disk = Disk::holding(Images::default());
    drop(open(&disk).expect("a new ledger"));
    let start = images(&disk);
    let mut ledger = open(&disk).expect("a sound ledger");
    disk.lock().expect("the disk").recording = true;
    let mut sizes = vec![1];
    for number in 0..commits {
        let job = whole_job(number, u64::from(number % 4) + 1);
        // Jobs come in pieces of several commits, as they do in life.
        for piece in job.chunks(usize::from(number % 3) + 1) {
            let (digest, bytes) = outcome(u64::from(number));
            let outcomes = piece.iter().filter_map(|entry| entry.record.job()).take(1);
            let batch = Batch {
                entries: piece.to_vec(),
                outcomes: outcomes.map(|job| ShortOutcome { job, digest, bytes: bytes.clone() }).collect(),
                ..Batch::default()
            };
            let size = ledger.commit(batch).expect("room").head.head.tree.size;
            // Others are told before the mark follows, and the database some batches later.
            disk.lock().expect("the disk").operations.push(Operation::Acknowledged(size));
            ledger.note().expect("room");
            sizes.push(size);
            if sizes.len() % 3 == 0 || ledger.is_far_behind() {
                ledger.catch_up().expect("room");
            }
        }
    }
    ledger.catch_up().expect("room");
    let entries = ledger.reader().entries(..).expect("sound").map(|found| found.expect("sound").1).collect();
    drop(ledger);
    let operations = std::mem::take(&mut disk.lock().expect("the disk").operations);
    Run { start, operations, entries, sizes }
}

/// The files after the power went: what was synced, and of the rest what chance leaves.
fn after_the_power_went(synced: &Images, pending: &[Operation], choices: &mut Choices) -> Images {
    let mut files = synced.clone();
    for operation in pending {
        match operation {
            Operation::Write { file, offset, bytes } => {
                for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    if choices.below(2) == 0 {
                        let (file, offset) = (*file, offset + number * SECTOR_BYTES);
                        replay(&mut files, &Operation::Write { file, offset, bytes: sector.to_vec() });
                    }
                }
            }
            other if choices.below(2) == 0 => replay(&mut files, other),
            _ => {}
        }
    }
    files
}

/// Crashes at `points` places of a run; each time once with everything written so far on the disk, and once with a part.
fn crash(run: &Run, points: usize, seed: usize) -> usize {
    let mut choices = Choices(seed as u64);
    let stride = (run.operations.len() / points).max(1);
    let mut synced = run.start.clone();
    let mut pending: Vec<Operation> = Vec::new();
    let mut acknowledged = 1;
    let mut crashes = 0;
    for (number, operation) in run.operations.iter().enumerate() {
        match operation {
            Operation::Sync { file: of } => {
                let is_of = |operation: &Operation| match operation {
                    Operation::Write { file, .. } | Operation::SetLength { file, .. } => file == of,
                    Operation::Sync { .. } | Operation::Acknowledged(_) => false,
                };
                pending.iter().filter(|operation| is_of(operation)).for_each(|op| replay(&mut synced, op));
                pending.retain(|operation| !is_of(operation));
            }
            Operation::Acknowledged(size) => acknowledged = *size,
            other => pending.push(other.clone()),
        }
        if number % stride == seed % stride {
            let mut whole = synced.clone();
            for operation in &pending {
                replay(&mut whole, operation);
            }
            for files in [whole, after_the_power_went(&synced, &pending, &mut choices)] {
                check(run, files, acknowledged, number);
                crashes += 1;
            }
        }
    }
    println!("{crashes} crashes in {} operations on the disk", run.operations.len());
    crashes
}

fn check(run: &Run, files: Images, acknowledged: u64, number: usize) {
    let disk = Disk::holding(files);
    let ledger = open(&disk).unwrap_or_else(|error| panic!("crash at operation {number}: {error}"));
    let size = ledger.head().head.tree.size;
    assert!(size >= acknowledged, "crash at operation {number}: {size} of {acknowledged} entries");
    assert!(run.sizes.contains(&size), "crash at operation {number}: half a commit, {size} entries");
    let found: Vec<Entry> =
        ledger.reader().entries(..).expect("sound").map(|found| found.expect("sound").1).collect();
    assert!(found == run.entries[..found.len()] && found.len() as u64 == size, "operation {number}");
    for job in ledger.reader().jobs().expect("sound") {
        let indexed = ledger.reader().job_entries(job).expect("sound").map(|found| found.expect("sound").1);
        let expected = found.iter().filter(|entry| entry.record.job() == Some(job)).cloned();
        assert!(indexed.eq(expected), "operation {number}: the index of job {job}");
        for outcome in ledger.reader().short_outcomes(job).expect("sound") {
            outcome.expect("sound");
        }
    }
}

#[test]
fn no_crash_loses_what_was_acknowledged_or_leaves_half_a_commit() {
    assert!(crash(&run(8), 300, 42) >= 300);
}

#[test]
#[ignore = "long: ten thousand crashes; `cargo test -p quorate-coordinator --test ledger -- --ignored`"]
fn ten_thousand_crashes_lose_nothing_that_was_acknowledged() {
    let run = run(25);
    let crashes: usize = (0..20).map(|seed| crash(&run, 300, seed)).sum();
    assert!(crashes >= 10_000, "{crashes} crashes");
}

#[test]
fn a_ledger_goes_on_after_a_crash() {
    let run = run(3);
    let mut files = run.start.clone();
    run.operations.iter().take(run.operations.len() / 2).for_each(|operation| replay(&mut files, operation));
    let disk = Disk::holding(files);
    let mut ledger = open(&disk).expect("a state that a crash leaves");
    let size = ledger.head().head.tree.size;
    let entries = whole_job(9, 2);
    ledger.append(&Batch { entries: entries.clone(), ..Batch::default() }).expect("it goes on");
    drop(ledger);
    let ledger = open(&disk).expect("a sound ledger");
    let found = ledger.reader().entries(size..).expect("sound").map(|found| found.expect("sound").1.record);
    assert!(found.eq(entries.into_iter().map(|entry| entry.record)));
}

#[test]
fn what_only_the_journal_has_is_there_after_a_crash_and_its_loss_is_told() {
    let disk = Disk::holding(Images::default());
    drop(open(&disk).expect("a new ledger"));
    let mut ledger = open(&disk).expect("a sound ledger");
    let before = disk.lock().expect("the disk").files[0].clone();
    let (first, second) = (whole_job(1, 2), whole_job(2, 2));
    ledger.append(&Batch { entries: first.clone(), ..Batch::default() }).expect("room");
    ledger.append(&Batch { entries: second.clone(), ..Batch::default() }).expect("room");
    let files = images(&disk);
    assert!(files[0] == before, "the database's file follows later");

    let read = open(&Disk::holding(files.clone())).expect("the journal has it");
    let found = read.reader().entries(1..).expect("sound").map(|found| found.expect("sound").1.record);
    assert!(found.eq(first.into_iter().chain(second).map(|entry| entry.record)));

    let last = files[2].iter().rposition(|byte| *byte != 0).expect("a record");
    for at in [40, last] {
        let mut files = files.clone();
        files[2][at] ^= 1;
        let error = open(&Disk::holding(files)).expect_err("a part of the journal is unreadable");
        assert!(matches!(error, LedgerError::Lost { .. } | LedgerError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing_that_was_acknowledged() {
    let mut failures = 0;
    for kib in [0, 1, 3, 8, 20, 50, 120, 300, 700] {
        let disk = Disk::holding(Images::default());
        drop(open(&disk).expect("a new ledger"));
        let mut ledger = open(&disk).expect("a sound ledger");
        disk.lock().expect("the disk").room = Some(kib * 1024);
        let mut acknowledged = ledger.head();
        let batch = |number| Batch { entries: whole_job(number, 20), ..Batch::default() };
        let error = (0..200).find_map(|number| match ledger.append(&batch(number)) {
            Ok(appended) => {
                acknowledged = appended.head;
                None
            }
            Err(error) => Some(error),
        });
        let error = error.expect("200 jobs need more room").to_string();
        assert!(error.contains("ledger.") && error.contains("no storage space"), "{error}");
        assert!(matches!(ledger.append(&batch(201)), Err(LedgerError::Stopped { .. })));
        failures += 1;
        drop(ledger);
        disk.lock().expect("the disk").room = None;
        let ledger = open(&disk).expect("there is room again");
        let held = ledger.head().head.tree.size;
        assert!(held >= acknowledged.head.tree.size, "{held} entries");
        assert_eq!(ledger.reader().root(acknowledged.head.tree.size).expect("sound"), acknowledged.head.tree);
    }
    assert_eq!(failures, 9);
}
