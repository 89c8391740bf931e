//! How fast the ledger is, and how large: printed, never asserted.

use std::time::Instant;

use coordinator::{
    certificate::{self, Extent},
    ledger::{Batch, DATABASE_FILE, Durability, Ledger, Reader, acknowledged_head, verify},
};
use protocol::{
    job::{JobId, JobSpec},
    ledger::{Entry, Record, Submitted},
};

use crate::log::{decided, entry, everybody, key, submitted};

/// A job that can be planned, so that its certificate can be written.
fn planned() -> Submitted {
    let text =
        "name = \"figures\"\nkind = \"digits\"\n\n[digits]\nconstant = \"e\"\ndecimals = 10\n".to_owned();
    let known = submitted(1);
    let policy = JobSpec::parse(&text).expect("a good job").policy;
    let job = JobId::of_submission(&text, None, known.nonce);
    Submitted { job, text, policy, ..known }
}

#[test]
#[ignore = "prints figures; `cargo test -p quorate-coordinator --test ledger -- --ignored figures --nocapture`"]
fn figures_of_commits_reading_opening_and_verification() {
    let job = planned().job;
    // Ballots are signed before the clock runs.
    let verdicts: Vec<Entry> =
        (0..20_000).map(|index| entry(Record::Decided(decided(job, index, &[1, 2, 3], &[])))).collect();
    for group in [1, 10, 100, 1000] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut ledger = Ledger::open(folder.path(), &key(), Durability::Synced).expect("a new ledger");
        let first = [everybody(), vec![entry(Record::Submitted(planned()))]].concat();
        ledger.append(&Batch { entries: first, ..Batch::default() }).expect("room");
        let count = (group * 500).min(verdicts.len());
        let start = Instant::now();
        for entries in verdicts[..count].chunks(group) {
            ledger.append(&Batch { entries: entries.to_vec(), ..Batch::default() }).expect("room");
        }
        let commits = count / group;
        let took = start.elapsed().as_secs_f64();
        println!(
            "{group:>5} verdicts in a commit: {:>9.0} verdicts/s, {:.2} ms a commit",
            f64::from(u32::try_from(count).expect("few")) / took,
            1000.0 * took / f64::from(u32::try_from(commits).expect("few")),
        );
        drop(ledger);
        if group < 1000 {
            continue;
        }
        let bytes = std::fs::metadata(folder.path().join(DATABASE_FILE)).expect("a file").len();
        println!("{count} verdicts of three ballots: {bytes} bytes, {} for each", bytes / count as u64);
        let start = Instant::now();
        let ledger = Ledger::open(folder.path(), &key(), Durability::Synced).expect("a ledger");
        println!("opened after an orderly stop in {:.1} ms", start.elapsed().as_secs_f64() * 1000.0);
        let crashed = tempfile::tempdir().expect("a folder");
        for name in ["ledger.redb", "ledger.head", "ledger.journal"] {
            std::fs::copy(folder.path().join(name), crashed.path().join(name)).expect("a copy");
        }
        let start = Instant::now();
        drop(Ledger::open(crashed.path(), &key(), Durability::Synced).expect("a ledger"));
        println!("opened after a crash in {:.1} ms", start.elapsed().as_secs_f64() * 1000.0);
        let start = Instant::now();
        let read = ledger
            .reader()
            .entries(..)
            .expect("sound")
            .fold(0, |count, found| count + u64::from(found.is_ok()));
        println!("read {read} entries in {:.1} ms", start.elapsed().as_secs_f64() * 1000.0);
        let start = Instant::now();
        let written = certificate::write(ledger.reader(), &key(), (job, Extent::Whole), |_| None, Vec::new())
            .expect("a job");
        println!(
            "certificate of {count} verdicts: {} bytes in {:.1} ms",
            written.len(),
            start.elapsed().as_secs_f64() * 1000.0
        );
        drop(ledger);
        let (reader, acknowledged) =
            (Reader::open(folder.path()).expect("a ledger").0, acknowledged_head(folder.path()));
        let start = Instant::now();
        let found = verify(&reader, acknowledged.expect("readable").as_ref(), |_, _| {}).expect("readable");
        println!(
            "verified {} ballots in {:.2} s: sound {}",
            found.ballots,
            start.elapsed().as_secs_f64(),
            found.is_sound()
        );
    }
}
