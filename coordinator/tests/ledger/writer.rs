//! The thread that writes: order, gathering, and what a failure leaves.

use coordinator::ledger::{Batch, Durability, Ledger, Refused, Writer};
use protocol::{
    identity::NodeId,
    ledger::{LEDGER_VERSION, Record},
};

use crate::log::{entry, key, whole_job};

fn batch(number: u8) -> Batch {
    Batch { entries: whole_job(number, 1), ..Batch::default() }
}

#[tokio::test]
async fn batches_become_durable_in_the_order_in_which_they_were_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path(), &key(), Durability::Synced).expect("a new ledger");
    let mut writer = Writer::start(ledger).expect("a thread");
    for number in 0..50 {
        let taken = writer.try_submit(batch(number)).expect("room");
        assert_eq!(taken, u64::from(number) + 1);
    }
    let mut progress = writer.progress();
    let last = progress.wait_for(|progress| progress.batches == 50).await.expect("the thread runs").head;
    assert_eq!(last.head.tree.size, 1 + 50 * 5);
    let expected: Vec<Record> =
        (0..50).flat_map(|number| whole_job(number, 1)).map(|entry| entry.record).collect();
    let found = writer.reader().entries(1..).expect("sound").map(|found| found.expect("sound").1.record);
    assert_eq!(found.collect::<Vec<_>>(), expected);
    drop(writer);
    let ledger = Ledger::open(folder.path(), &key(), Durability::Synced).expect("it was closed");
    assert_eq!(ledger.head(), last);
}

#[tokio::test]
async fn closing_writes_what_was_taken() {
    let ledger = Ledger::open(std::path::Path::new("."), &key(), Durability::Memory).expect("memory");
    let mut writer = Writer::start(ledger).expect("a thread");
    for number in 0..20 {
        writer.try_submit(batch(number)).expect("room");
    }
    let ledger = writer.close().expect("the thread ends");
    assert_eq!(ledger.head().head.tree.size, 1 + 20 * 5);
}

#[tokio::test]
async fn after_a_failure_nothing_more_is_taken_and_the_watch_says_why() {
    let ledger = Ledger::open(std::path::Path::new("."), &key(), Durability::Memory).expect("memory");
    let mut writer = Writer::start(ledger).expect("a thread");
    let founded = Record::Founded { coordinator: key().node_id(), version: LEDGER_VERSION };
    writer.try_submit(batch(1)).expect("room");
    let mut progress = writer.progress();
    progress.wait_for(|progress| progress.batches == 1).await.expect("the thread runs");
    writer.try_submit(Batch { entries: vec![entry(founded)], ..Batch::default() }).expect("room");
    let failed = progress.wait_for(|progress| progress.failed.is_some()).await.expect("it says so").clone();
    assert!(failed.failed.expect("a failure").to_string().contains("founded once"));
    assert_eq!(failed.batches, 1);
    assert!(matches!(writer.try_submit(batch(2)), Err(Refused::Stopped(_))));
    // What was acknowledged and not yet in the database stays in the journal; nobody waits for it now.
    let reader = writer.reader().clone();
    let reading = tokio::task::spawn_blocking(move || reader.entries(1..).expect("sound").count());
    let read = tokio::time::timeout(std::time::Duration::from_mins(1), reading);
    assert!(read.await.expect("nobody waits").expect("no panic") <= 5);
}

fn one(number: u8) -> Batch {
    Batch { entries: vec![entry(Record::Revoked { node: NodeId([number; 32]) })], ..Batch::default() }
}

#[tokio::test]
async fn what_is_written_at_once_is_durable_when_the_call_returns_and_readers_see_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path(), &key(), Durability::Memory).expect("memory");
    let mut writer = Writer::start(ledger).expect("a thread");
    let mut progress = writer.progress();
    for number in 1..=20 {
        assert_eq!(writer.try_write(one(number)).expect("taken"), u64::from(number));
        // While the thread brings the database along for the reader before, it writes what comes.
        if !writer.is_untidy() {
            let written = progress.wait_for(|progress| progress.batches == u64::from(number));
            written.await.expect("the thread runs");
        }
        assert_eq!(progress.borrow().batches, u64::from(number));
        assert_eq!(progress.borrow().head.head.tree.size, 1 + u64::from(number));
        writer.tidy();
        assert!(!writer.is_untidy());
        let nodes = writer.reader().entries(1..).expect("sound").map(|found| found.expect("sound").1.record);
        let expected = (1..=number).map(|number| Record::Revoked { node: NodeId([number; 32]) });
        assert!(nodes.eq(expected), "after {number}");
    }
}

#[test]
fn a_first_batch_is_written_at_once_on_the_disk_and_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path(), &key(), Durability::Synced).expect("a new ledger");
    let mut writer = Writer::start(ledger).expect("a thread");
    writer.try_write(one(7)).expect("taken");
    assert!(writer.is_untidy(), "the thread had nothing to do, so it was written here");
    let head = writer.progress().borrow().head;
    assert_eq!(head.head.tree.size, 2);
    drop(writer);
    let ledger = Ledger::open(folder.path(), &key(), Durability::Synced).expect("it was closed");
    assert_eq!(ledger.head(), head);
}

#[tokio::test]
async fn batches_that_are_handed_over_and_written_at_once_keep_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path(), &key(), Durability::Synced).expect("a new ledger");
    let mut writer = Writer::start(ledger).expect("a thread");
    for number in 1..=60 {
        let taken = match number % 3 {
            0 => writer.try_submit(one(number)),
            _ => writer.try_write(one(number)),
        };
        assert_eq!(taken.expect("room"), u64::from(number));
        if number % 4 == 0 {
            writer.tidy();
        }
    }
    let mut progress = writer.progress();
    progress.wait_for(|progress| progress.batches == 60).await.expect("the thread runs");
    let expected = (1..=60).map(|number| Record::Revoked { node: NodeId([number; 32]) });
    let found = writer.reader().entries(1..).expect("sound").map(|found| found.expect("sound").1.record);
    assert!(found.eq(expected));
}

#[test]
fn a_long_batch_is_left_to_the_thread() {
    let ledger = Ledger::open(std::path::Path::new("."), &key(), Durability::Memory).expect("memory");
    let mut writer = Writer::start(ledger).expect("a thread");
    let entries = (0..100).flat_map(|number| one(number).entries).collect();
    writer.try_write(Batch { entries, ..Batch::default() }).expect("taken");
    assert!(!writer.is_untidy());
    assert_eq!(writer.close().expect("the thread ends").head().head.tree.size, 101);
}

#[test]
fn after_a_failure_at_once_nothing_more_is_taken_and_the_watch_says_why() {
    let ledger = Ledger::open(std::path::Path::new("."), &key(), Durability::Memory).expect("memory");
    let mut writer = Writer::start(ledger).expect("a thread");
    let founded = Record::Founded { coordinator: key().node_id(), version: LEDGER_VERSION };
    writer.try_write(Batch { entries: vec![entry(founded)], ..Batch::default() }).expect("taken");
    let told = writer.progress().borrow().clone();
    assert!(told.failed.expect("a failure").to_string().contains("founded once"));
    assert_eq!(told.batches, 0);
    assert!(matches!(writer.try_write(one(1)), Err(Refused::Stopped(_))));
    assert!(matches!(writer.try_submit(one(2)), Err(Refused::Stopped(_))));
    assert!(writer.reader().entries(1..).expect("nobody waits").next().is_none());
}
