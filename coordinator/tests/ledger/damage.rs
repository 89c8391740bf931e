//! Damage: a bit that flips, a file that ends early, a file put back from an old copy. Whatever is wrong, the ledger either
//! reads exactly as it was written, or says what is wrong: never fewer entries, never other ones, never a panic.

use std::{collections::BTreeMap, fs, path::Path};

use coordinator::ledger::{Batch, DATABASE_FILE, Durability, HEAD_FILE, Ledger, LedgerError};
use protocol::ledger::{Entry, SignedHead};

use crate::{
    disk::{Choices, Disk, Images, images, open},
    log::{key, submitted, whole_job},
};

/// A small ledger, as its files and as what it holds.
struct Sound {
    files: Images,
    entries: Vec<Entry>,
    head: SignedHead,
}

fn sound(closed: bool) -> Sound {
    let disk = Disk::holding(Images::default());
    let mut ledger = open(&disk).expect("a new ledger");
    for number in 0..3 {
        ledger.append(&Batch { entries: whole_job(number, 3), ..Batch::default() }).expect("room");
    }
    let entries = ledger.reader().entries(..).expect("sound").map(|found| found.expect("sound").1).collect();
    let head = ledger.head();
    let crashed = images(&disk);
    drop(ledger);
    Sound { files: if closed { images(&disk) } else { crashed }, entries, head }
}

/// What became of a damaged ledger.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It was not opened.
    Refused,
    /// It was opened, and said what it could not read.
    Told,
    /// It reads as if nothing had happened.
    Unharmed,
}

/// Opens a damaged ledger, reads everything, and panics if anything is not as it was written and nobody says so.
fn fate(sound: &Sound, files: Images, place: &str) -> Fate {
    let disk = Disk::holding(files);
    let ledger = match open(&disk) {
        Ok(ledger) => ledger,
        Err(error) => {
            let told = error.to_string();
            let names = ["ledger.redb", "ledger.head", "ledger.journal"];
            assert!(names.into_iter().any(|name| told.contains(name)), "{place}: {told}");
            return Fate::Refused;
        }
    };
    assert_eq!(ledger.head(), sound.head, "{place}");
    let reader = ledger.reader();
    let mut told = 0;
    for position in 0..sound.head.head.tree.size {
        let index = usize::try_from(position).expect("a small ledger");
        match reader.entry(position) {
            Ok(entry) => assert_eq!(entry.as_ref(), Some(&sound.entries[index]), "{place}: entry {position}"),
            Err(_) => told += 1,
        }
        match reader.audit_path(position, sound.head.head.tree.size) {
            Ok(path) => sound
                .head
                .head
                .tree
                .check_inclusion(&sound.entries[index].to_bytes(), &path)
                .unwrap_or_else(|error| panic!("{place}: the path of entry {position}: {error}")),
            Err(_) => told += 1,
        }
    }
    for number in 0..3 {
        let job = submitted(number).job;
        let expected = (0..).zip(&sound.entries).filter(|(_, entry)| entry.record.job() == Some(job));
        match reader.proven_entries(job) {
            Ok(proven) => {
                // As many entries are told as the index counts; where one is not the next of the job, no other can make up
                // for it, and an error comes before the end.
                match proven.collect::<Result<Vec<_>, _>>() {
                    Ok(proven) => {
                        let mut expected = expected.clone();
                        for (entry, path) in proven {
                            let what = expected.next().map(|(position, entry)| (position, entry.to_bytes()));
                            assert_eq!(
                                what,
                                Some((path.position, entry.to_bytes())),
                                "{place}: job {number}"
                            );
                            let is_there = sound.head.head.tree.check_inclusion(&entry.to_bytes(), &path);
                            is_there
                                .unwrap_or_else(|error| panic!("{place}: a path in job {number}: {error}"));
                        }
                    }
                    Err(_) => told += 1,
                }
            }
            Err(_) => told += 1,
        }
        match reader.positions_of(job) {
            // A job that the index does not find at all is missed by whoever lists the jobs.
            Ok(positions) if positions.is_empty() => {
                assert!(
                    reader.jobs().is_err() || !reader.jobs().is_ok_and(|jobs| jobs.contains(&job)),
                    "{place}"
                );
                told += 1;
            }
            Ok(positions) => {
                assert!(
                    positions.into_iter().eq(expected.map(|(position, _)| position)),
                    "{place}: job {number}"
                );
            }
            Err(_) => told += 1,
        }
    }
    told += reader.unfinished_jobs().map_or_else(|_| 1, |jobs| jobs.len());
    if told > 0 { Fate::Told } else { Fate::Unharmed }
}

/// The places in a file that are tried: one in `stride`, and of what holds nothing but zeros one in 4099 at most.
fn places(file: &[u8], stride: usize) -> impl Iterator<Item = usize> + '_ {
    let is_blank =
        |at: usize| file.chunks(512).nth(at / 512).is_none_or(|block| block.iter().all(|byte| *byte == 0));
    let blank: Vec<bool> = (0..file.len()).step_by(512).map(is_blank).collect();
    (0..file.len()).filter(move |at| at % if blank[at / 512] { stride.max(4099) } else { stride } == 0)
}

/// Flips one bit in one of every `stride` bytes, in all files.
fn flip(sound: &Sound, stride: usize) -> BTreeMap<Fate, usize> {
    let mut fates = BTreeMap::new();
    let mut choices = Choices(7);
    for file in 0..3 {
        for at in places(&sound.files[file], stride) {
            let mut files = sound.files.clone();
            files[file][at] ^= 1 << choices.below(8);
            *fates.entry(fate(sound, files, &format!("byte {at} of file {file}"))).or_default() += 1;
        }
    }
    println!("{fates:?}");
    fates
}

/// Cuts a file off at one of every `stride` lengths.
fn cut(sound: &Sound, stride: usize) {
    for file in 0..3 {
        for length in places(&sound.files[file], stride) {
            let mut files = sound.files.clone();
            files[file].truncate(length);
            let place = format!("file {file} cut off at {length}");
            let fate = fate(sound, files, &place);
            // One of the mark's two slots is enough, and of the journal what it holds.
            assert!(fate == Fate::Refused || file > 0, "{place}: {fate:?}");
        }
    }
}

#[test]
fn a_flipped_bit_is_told_or_harmless_in_a_ledger_that_was_closed() {
    let fates = flip(&sound(true), 211);
    assert!(fates.contains_key(&Fate::Unharmed));
    // Where the entries are, each flip is noticed.
    let sound = sound(true);
    let leaf = sound.entries[1].to_bytes();
    let at =
        sound.files[0].windows(leaf.len()).position(|bytes| bytes == leaf).expect("entry 1 is in the file");
    for at in at..at + leaf.len() {
        let mut files = sound.files.clone();
        files[0][at] ^= 4;
        assert_eq!(fate(&sound, files, &format!("byte {at}")), Fate::Told);
    }
}

#[test]
fn a_flipped_bit_is_told_or_harmless_in_a_ledger_that_crashed() {
    flip(&sound(false), 223);
}

#[test]
fn every_flipped_bit_of_the_header_is_told_or_harmless() {
    for closed in [true, false] {
        let sound = sound(closed);
        for at in 0..320 {
            for bit in [at % 8, (at + 3) % 8] {
                let mut files = sound.files.clone();
                files[0][at] ^= 1 << bit;
                fate(&sound, files, &format!("bit {bit} of byte {at}, closed: {closed}"));
            }
        }
    }
}

#[test]
fn a_ledger_that_ends_early_is_refused() {
    cut(&sound(true), 997);
    cut(&sound(false), 997);
}

#[test]
#[ignore = "long: a flip and a cut at every byte; `cargo test -p quorate-coordinator --test ledger -- --ignored`"]
fn a_flip_and_a_cut_at_every_byte_are_told_or_harmless() {
    for closed in [true, false] {
        flip(&sound(closed), 1);
        cut(&sound(closed), 1);
    }
}

fn on_disk(folder: &Path) -> Result<Ledger, LedgerError> {
    Ledger::open(folder, &key(), Durability::Synced)
}

#[test]
fn an_old_copy_of_the_database_is_refused_and_a_newer_one_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let (database, head) = (folder.path().join(DATABASE_FILE), folder.path().join(HEAD_FILE));
    let mut ledger = on_disk(folder.path()).expect("a new ledger");
    ledger.append(&Batch { entries: whole_job(1, 2), ..Batch::default() }).expect("room");
    drop(ledger);
    let (old, old_head) = (fs::read(&database).expect("a file"), fs::read(&head).expect("a file"));
    let mut ledger = on_disk(folder.path()).expect("a sound ledger");
    ledger.append(&Batch { entries: whole_job(2, 2), ..Batch::default() }).expect("room");
    drop(ledger);
    let new = fs::read(&database).expect("a file");

    fs::write(&database, &old).expect("a file");
    let error = on_disk(folder.path()).expect_err("entries are missing");
    assert!(matches!(error, LedgerError::Lost { held: 7, acknowledged: 13, .. }), "{error}");

    fs::write(&database, &new).expect("a file");
    fs::write(&head, &old_head).expect("a file");
    assert_eq!(on_disk(folder.path()).expect("nothing is missing").head().head.tree.size, 13);

    fs::remove_file(&head).expect("a file");
    let error = on_disk(folder.path()).expect_err("nobody can tell");
    assert!(matches!(error, LedgerError::MarkLost { .. }), "{error}");
}

#[test]
fn a_database_that_is_gone_is_not_founded_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(on_disk(folder.path()).expect("a new ledger"));
    fs::remove_file(folder.path().join(DATABASE_FILE)).expect("a file");
    let error = on_disk(folder.path()).expect_err("it is gone");
    assert!(matches!(error, LedgerError::Gone { .. }), "{error}");
}

#[test]
fn another_kind_of_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for text in [&b"not a database"[..], &[0; 8192]] {
        fs::write(folder.path().join(DATABASE_FILE), text).expect("a file");
        let error = on_disk(folder.path()).expect_err("no ledger");
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
    }
}
