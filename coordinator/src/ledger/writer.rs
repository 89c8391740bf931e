//! The thread that owns the ledger of a running coordinator: whatever comes while one commit runs goes into the next.
//!
//! Whoever submits is never made to wait: a batch is taken or refused at once, and how far the disk has come is seen on
//! a watch. Batches become durable in the order in which they were taken. After the first failure nothing more is taken.
//! The database, which readers look at, follows a tenth of a second later, or as soon as a reader asks: by then there is more
//! for one transaction, and nobody waits for the verdict any longer.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use protocol::{ledger::SignedHead, limits::INPUT_QUEUE_MAX};
use tokio::sync::watch;

use super::{Batch, Ledger, LedgerError, Reader};

/// Most entries that are gathered into one commit (the last batch may go beyond).
const COMMIT_ENTRIES_MAX: usize = 16 * 1024;

/// The database follows so long after a batch became durable, where no reader asks for it.
const LINGER: Duration = Duration::from_millis(100);
/// After so long without a batch the database is made durable by itself.
const IDLE: Duration = Duration::from_millis(200);

/// How far the disk has come.
#[derive(Debug, Clone)]
pub struct Progress {
    /// How many batches are durable, of those that were taken, in their order.
    pub batches: u64,
    /// The head that vouches for them.
    pub head: SignedHead,
    /// Why nothing more is written.
    pub failed: Option<Arc<LedgerError>>,
}

/// Why a batch was not taken; it is given back.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Too many batches wait for the disk.
    #[error(
        "{INPUT_QUEUE_MAX} batches wait to be written to the ledger; submit again when the disk has caught up"
    )]
    Full(Box<Batch>),
    /// A write failed, and the watch says why.
    #[error(
        "the ledger takes nothing more since a write failed; start the coordinator again once that is repaired"
    )]
    Stopped(Box<Batch>),
}

/// What the thread is told to do.
#[derive(Debug)]
pub(super) enum Order {
    Write(Box<Batch>),
    /// Somebody waits for the database.
    CatchUp,
}

impl Order {
    fn into_batch(self) -> Batch {
        match self {
            Self::Write(batch) => *batch,
            Self::CatchUp => Batch::default(),
        }
    }
}

/// Hands batches to the thread that owns the ledger. Dropping it writes what was taken, and waits for that.
#[derive(Debug)]
pub struct Writer {
    queue: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<Ledger>>,
    taken: u64,
    progress: watch::Receiver<Progress>,
    reader: Reader,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start(ledger: Ledger) -> io::Result<Self> {
        let (queue, orders) = sync_channel(INPUT_QUEUE_MAX);
        let reader = ledger.reader().clone();
        reader.behind.ask_at(Some(queue.clone()));
        let (told, progress) = watch::channel(Progress { batches: 0, head: ledger.head(), failed: None });
        let thread =
            thread::Builder::new().name("ledger".to_owned()).spawn(move || write(ledger, &orders, &told))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), taken: 0, progress, reader })
    }

    /// Takes a batch, without waiting; returns its number, counted from 1. It is durable when [`Progress::batches`] is at
    /// least that.
    ///
    /// # Errors
    /// [`Refused`], with the batch.
    pub fn try_submit(&mut self, batch: Batch) -> Result<u64, Refused> {
        let Some(queue) = &self.queue else { return Err(Refused::Stopped(Box::new(batch))) };
        match queue.try_send(Order::Write(Box::new(batch))) {
            Ok(()) => {
                self.taken += 1;
                Ok(self.taken)
            }
            Err(TrySendError::Full(order)) => Err(Refused::Full(Box::new(order.into_batch()))),
            Err(TrySendError::Disconnected(order)) => Err(Refused::Stopped(Box::new(order.into_batch()))),
        }
    }

    /// How far the disk has come, now and as it goes on.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Reads what is durable, from any thread.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Writes what was taken, ends the thread, and gives the ledger back; none if the thread panicked. Blocks for at
    /// most the commits of the queue.
    pub fn close(mut self) -> Option<Ledger> {
        self.finish()
    }

    fn finish(&mut self) -> Option<Ledger> {
        // The thread ends when nobody can send it orders.
        self.reader.behind.ask_at(None);
        self.queue = None;
        self.thread.take()?.join().ok()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

/// What is done when no batch comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chore {
    CatchUp,
    Settle,
}

fn write(mut ledger: Ledger, orders: &Receiver<Order>, told: &watch::Sender<Progress>) -> Ledger {
    let mut due: Option<(Instant, Chore)> = None;
    loop {
        let next = match due {
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some((at, Chore::CatchUp)) if at <= Instant::now() => Err(RecvTimeoutError::Timeout),
            Some((at, _)) => orders.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        let written = match (next, due) {
            (Ok(Order::Write(first)), _) => write_gathered(&mut ledger, *first, orders, told),
            (Ok(Order::CatchUp), _) | (Err(RecvTimeoutError::Timeout), Some((_, Chore::CatchUp))) => {
                ledger.catch_up()
            }
            (Err(RecvTimeoutError::Timeout), _) => ledger.settle(),
            (Err(RecvTimeoutError::Disconnected), _) => break,
        };
        if let Err(error) = written {
            ledger.let_readers_go();
            told.send_modify(|progress| progress.failed = Some(Arc::new(error)));
            break;
        }
        due = match due {
            Some((at, Chore::CatchUp)) if ledger.is_behind() => Some((at, Chore::CatchUp)),
            _ if ledger.is_behind() => Some((Instant::now() + LINGER, Chore::CatchUp)),
            _ if ledger.is_settled() => None,
            _ => Some((Instant::now() + IDLE, Chore::Settle)),
        };
    }
    ledger
}

fn write_gathered(
    ledger: &mut Ledger,
    mut gathered: Batch,
    orders: &Receiver<Order>,
    told: &watch::Sender<Progress>,
) -> Result<(), LedgerError> {
    let (mut count, mut is_asked_for) = (1, false);
    while gathered.entries.len() < COMMIT_ENTRIES_MAX
        && let Ok(order) = orders.try_recv()
    {
        let Order::Write(batch) = order else {
            is_asked_for = true;
            continue;
        };
        gathered.entries.extend(batch.entries);
        gathered.outcomes.extend(batch.outcomes);
        gathered.forget.extend(batch.forget);
        count += 1;
    }
    let appended = ledger.commit(gathered)?;
    told.send_modify(|progress| {
        progress.batches += count;
        progress.head = appended.head;
    });
    if is_asked_for || ledger.is_far_behind() { ledger.catch_up() } else { ledger.note() }
}
