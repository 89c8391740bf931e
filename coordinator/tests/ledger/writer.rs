//! The thread that writes: order, gathering, and what a failure leaves.

use coordinator::ledger::{Batch, Durability, Ledger, Refused, Writer};
use protocol::ledger::{LEDGER_VERSION, Record};

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
    // The watch closes when the thread has ended.
    while progress.changed().await.is_ok() {}
    assert!(matches!(writer.try_submit(batch(2)), Err(Refused::Stopped(_))));
    // What was acknowledged and not yet in the database stays in the journal; nobody waits for it now.
    let reader = writer.reader().clone();
    let reading = tokio::task::spawn_blocking(move || reader.entries(1..).expect("sound").count());
    let read = tokio::time::timeout(std::time::Duration::from_mins(1), reading);
    assert!(read.await.expect("nobody waits").expect("no panic") <= 5);
}
