//! The ledger of a running coordinator, and its thread: whatever comes while one commit runs goes into the next.
//!
//! A batch is taken or refused at once, and how far the disk has come is seen on a watch. Batches become durable in the order
//! in which they were taken. After the first failure nothing more is taken. The database, which readers look at, follows a
//! tenth of a second later, or as soon as a reader asks: by then there is more for one transaction, and nobody waits for the
//! verdict any longer.
//! Whoever has nothing else to do may write a batch himself, where the disk is quick and the thread rests: waking a thread
//! and being woken by it take as long as half of the write.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use protocol::{
    ledger::SignedHead,
    limits::{INLINE_OUTCOME_BYTES_MAX, INPUT_QUEUE_MAX},
};
use tokio::sync::watch;

use super::{Batch, Ledger, LedgerError, Reader};

/// Most entries that are gathered into one commit (the last batch may go beyond).
const COMMIT_ENTRIES_MAX: usize = 16 * 1024;

/// The database follows so long after a batch became durable, where no reader asks for it.
const LINGER: Duration = Duration::from_millis(100);
/// After so long without a batch the database is made durable by itself.
const IDLE: Duration = Duration::from_millis(200);

/// A batch of more entries is left to the thread.
const SHORT_ENTRIES_MAX: usize = 16;

/// A disk whose last write took no longer is quick: to wait for it takes about as long as to handle a few events.
const QUICK: Duration = Duration::from_millis(1);

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
    /// Something was written by somebody else: there will be chores.
    Attend,
}

impl Order {
    fn into_batch(self) -> Batch {
        match self {
            Self::Write(batch) => *batch,
            Self::CatchUp | Self::Attend => Batch::default(),
        }
    }
}

/// The ledger of a running coordinator, which one at a time writes.
#[derive(Debug)]
struct Desk {
    ledger: Ledger,
    /// Whether the thread has set itself a time for what is to be done with the ledger next.
    is_attended: bool,
    /// How long the last commit took.
    took: Duration,
    told: watch::Sender<Progress>,
}

/// Hands batches to the thread that writes them, or writes them itself. Dropping it writes what was taken, and waits for that.
#[derive(Debug)]
pub struct Writer {
    queue: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
    desk: Option<Arc<Mutex<Desk>>>,
    taken: u64,
    /// Whether something was written here that the thread may not know of.
    is_untidy: bool,
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
        let desk = Desk { ledger, is_attended: false, took: QUICK, told };
        let desk = Arc::new(Mutex::new(desk));
        let shared = Arc::clone(&desk);
        let thread =
            thread::Builder::new().name("ledger".to_owned()).spawn(move || attend(&shared, orders))?;
        let (queue, thread, desk) = (Some(queue), Some(thread), Some(desk));
        Ok(Self { queue, thread, desk, taken: 0, is_untidy: false, progress, reader })
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

    /// As [`Writer::try_submit`], for a caller that has nothing else to do: where all that was taken before is durable, the
    /// thread rests and the last write took a millisecond at most, a short batch is written at once, and durable when this
    /// returns; [`Writer::tidy`] is to follow. Blocks for that one write.
    ///
    /// # Errors
    /// [`Refused`], with the batch. That a write failed is seen where the progress is watched.
    pub fn try_write(&mut self, batch: Batch) -> Result<u64, Refused> {
        let is_free =
            self.queue.is_some() && self.progress.borrow().batches == self.taken && is_short(&batch);
        let desk = self.desk.as_deref().filter(|_| is_free);
        let Some(mut desk) = desk.and_then(try_lock).filter(|desk| desk.is_quick()) else {
            return self.try_submit(batch);
        };
        self.taken += 1;
        self.is_untidy = true;
        if let Err(error) = desk.commit(batch, 1) {
            desk.fail(error);
            drop(desk);
            self.stop();
        }
        Ok(self.taken)
    }

    /// Whether [`Writer::tidy`] has something to do.
    pub fn is_untidy(&self) -> bool {
        self.is_untidy
    }

    /// What is left to do after [`Writer::try_write`], and nobody waits for: to note how far the ledger is, and to have the
    /// thread bring the database there.
    pub fn tidy(&mut self) {
        self.is_untidy = false;
        // Whoever has the ledger does it, too.
        let Some(mut desk) = self.desk.as_deref().and_then(try_lock) else { return };
        if let Err(error) = desk.ledger.note() {
            desk.fail(error);
            drop(desk);
            return self.stop();
        }
        if !desk.is_attended {
            let sent = self.queue.as_ref().map(|queue| queue.try_send(Order::Attend));
            desk.is_attended = sent.is_some_and(|sent| sent.is_ok());
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

    /// The thread ends when nobody can send it orders.
    fn stop(&mut self) {
        self.reader.behind.ask_at(None);
        self.queue = None;
    }

    fn finish(&mut self) -> Option<Ledger> {
        self.stop();
        self.thread.take()?.join().ok()?;
        let desk = Arc::into_inner(self.desk.take()?)?;
        Some(desk.into_inner().unwrap_or_else(PoisonError::into_inner).ledger)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Whether a batch takes one write.
fn is_short(batch: &Batch) -> bool {
    let bytes: usize = batch.outcomes.iter().map(|outcome| outcome.bytes.len()).sum();
    batch.entries.len() <= SHORT_ENTRIES_MAX && bytes <= INLINE_OUTCOME_BYTES_MAX
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock(desk: &Mutex<Desk>) -> Option<MutexGuard<'_, Desk>> {
    match desk.try_lock() {
        Ok(desk) => Some(desk),
        Err(TryLockError::Poisoned(desk)) => Some(desk.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// What is done when no batch comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chore {
    CatchUp,
    Settle,
}

/// What the thread does until nobody can send it orders, or a write has failed.
fn attend(desk: &Mutex<Desk>, orders: Receiver<Order>) {
    let mut due: Option<(Instant, Chore)> = None;
    loop {
        let next = match due {
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some((at, Chore::CatchUp)) if at <= Instant::now() => Err(RecvTimeoutError::Timeout),
            Some((at, _)) => orders.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        let mut desk = lock(desk);
        let done = match (next, due) {
            (Ok(Order::Write(first)), _) => desk.write_gathered(*first, &orders),
            (Ok(Order::Attend), _) => desk.ledger.note(),
            (Ok(Order::CatchUp), _) | (Err(RecvTimeoutError::Timeout), Some((_, Chore::CatchUp))) => {
                desk.ledger.catch_up()
            }
            (Err(RecvTimeoutError::Timeout), _) => desk.ledger.settle(),
            (Err(RecvTimeoutError::Disconnected), _) => break,
        };
        if let Err(error) = done {
            // Nothing is taken any more when it is told.
            drop(orders);
            desk.fail(error);
            break;
        }
        due = match due {
            Some((at, Chore::CatchUp)) if desk.ledger.is_behind() => Some((at, Chore::CatchUp)),
            _ if desk.ledger.is_behind() => Some((Instant::now() + LINGER, Chore::CatchUp)),
            _ if desk.ledger.is_settled() => None,
            _ => Some((Instant::now() + IDLE, Chore::Settle)),
        };
        desk.is_attended = due.is_some();
    }
}

impl Desk {
    /// Whether one more batch is written about as fast as it is handed over.
    fn is_quick(&self) -> bool {
        self.took <= QUICK && !self.ledger.is_far_behind()
    }

    /// Writes what makes up so many of the batches that were taken, and tells how far that is.
    fn commit(&mut self, gathered: Batch, count: u64) -> Result<(), LedgerError> {
        let began = Instant::now();
        let appended = self.ledger.commit(gathered)?;
        self.took = began.elapsed();
        self.told.send_modify(|progress| {
            progress.batches += count;
            progress.head = appended.head;
        });
        Ok(())
    }

    fn write_gathered(&mut self, mut gathered: Batch, orders: &Receiver<Order>) -> Result<(), LedgerError> {
        let (mut count, mut is_asked_for) = (1, false);
        while gathered.entries.len() < COMMIT_ENTRIES_MAX
            && let Ok(order) = orders.try_recv()
        {
            let Order::Write(batch) = order else {
                is_asked_for |= matches!(order, Order::CatchUp);
                continue;
            };
            gathered.entries.extend(batch.entries);
            gathered.outcomes.extend(batch.outcomes);
            gathered.forget.extend(batch.forget);
            count += 1;
        }
        self.commit(gathered, count)?;
        if is_asked_for || self.ledger.is_far_behind() { self.ledger.catch_up() } else { self.ledger.note() }
    }

    /// Nothing more is written, and whoever waits hears why.
    fn fail(&mut self, error: LedgerError) {
        self.ledger.let_readers_go();
        self.told.send_modify(|progress| {
            progress.failed.get_or_insert_with(|| Arc::new(error));
        });
    }
}
