//! Reading the ledger: whatever is read back is checked against the digest that the tree has of it.
//!
//! A reader is a handle that can be cloned and used from any thread while the ledger grows; each call sees one commit, and
//! waits for the database where it is behind what was acknowledged.

use std::{
    fmt,
    ops::{Bound, RangeBounds},
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc::SyncSender},
};

use protocol::{
    digest::Digest,
    job::JobId,
    ledger::{Entry, SignedHead},
    merkle::{AuditPath, ConsistencyPath, Frontier, TreeRoot, audit_path, consistency_path},
    outcome::Outcome,
};
use redb::Range;

use super::{
    DATABASE_FILE, FILES_FOLDER, Files, HEAD_FILE, JOURNAL_FILE, LedgerError, ShortOutcome,
    check::{check, check_base},
    database::OpenDatabase,
    error::guarded,
    journal::Journal,
    mark::Mark,
    overlay::Overlay,
    proven::ProvenEntries,
    snapshot::Snapshot,
    store::follow,
    tables::read_entry,
    writer::Order,
};

/// Reads a ledger.
#[derive(Clone)]
pub struct Reader {
    pub(super) database: Arc<OpenDatabase>,
    pub(super) path: Arc<Path>,
    pub(super) files: Files,
    pub(super) behind: Arc<Behind>,
}

/// How far the database is behind what was acknowledged.
#[derive(Debug, Default)]
pub(super) struct Behind {
    batches: Mutex<Batches>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Batches {
    acknowledged: u64,
    followed: u64,
    /// Where the database is asked to follow, while somebody writes.
    orders: Option<SyncSender<Order>>,
}

impl Behind {
    fn batches(&self) -> MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever waits asks here from now on.
    pub(super) fn ask_at(&self, orders: Option<SyncSender<Order>>) {
        self.batches().orders = orders;
    }

    /// Another batch is durable, and not in the database.
    pub(super) fn acknowledged(&self) {
        self.batches().acknowledged += 1;
    }

    /// The database has everything, or never will.
    pub(super) fn followed(&self) {
        let mut batches = self.batches();
        batches.followed = batches.acknowledged;
        self.changed.notify_all();
    }

    /// Waits until the database has what is acknowledged now, which is soon, as it is asked for.
    fn wait(&self) {
        let batches = self.batches();
        let now = batches.acknowledged;
        if batches.followed < now
            && let Some(orders) = &batches.orders
        {
            // Where there is no room for an order, the database follows within a tenth of a second all the same.
            let _ = orders.try_send(Order::CatchUp);
        }
        drop(self.changed.wait_while(batches, |batches| batches.followed < now));
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn new(database: OpenDatabase, path: &Path, files: Files) -> Self {
        Self { database: Arc::new(database), path: path.into(), files, behind: Arc::default() }
    }

    /// Opens the ledger in a state directory without changing anything there, while no coordinator runs; also the head
    /// that was acknowledged last, as the file beside it says. Blocks as [`super::Ledger::open`].
    ///
    /// # Errors
    /// When there is none, a coordinator has it open, or it cannot be read. Whether it is sound is not checked.
    pub fn open(state_dir: &Path) -> Result<(Self, Option<SignedHead>), LedgerError> {
        let path = state_dir.join(DATABASE_FILE);
        let database = OpenDatabase::open(Overlay::open(&path)?, &path)?;
        let acknowledged = acknowledged_head(state_dir)?;
        let files = Files::in_folder(state_dir.join(FILES_FOLDER));
        let reader = Self::new(database, &path, files);
        let journal_path = state_dir.join(JOURNAL_FILE);
        let journal = match Overlay::open(&journal_path) {
            Ok(journal) => Journal::read(&journal, &journal_path)?,
            Err(LedgerError::Absent { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        // A database that nothing can follow is for whoever checks it to describe.
        if !journal.is_empty()
            && let Ok(base) = check_base(&reader, None, acknowledged.as_ref())
        {
            follow(&reader, base, journal, &journal_path)?;
        }
        Ok((reader, acknowledged))
    }

    /// As [`Reader::open`], and refuses a ledger that a coordinator would refuse.
    ///
    /// # Errors
    /// As [`Reader::open`], and when it is damaged, lost entries or is of another version.
    pub fn open_checked(state_dir: &Path) -> Result<Self, LedgerError> {
        let (reader, acknowledged) = Self::open(state_dir)?;
        check(&reader, None, acknowledged.as_ref())?;
        Ok(reader)
    }

    /// The database's file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The expression files that are kept beside the log.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The last signed head.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn head(&self) -> Result<SignedHead, LedgerError> {
        let last = self.snapshot()?.heads_before(u64::MAX, 1)?.pop();
        last.ok_or_else(|| LedgerError::damaged(&self.path, "it has no head"))
    }

    /// The signed heads that are kept, from the smallest: the last of each commit of late, and fewer from long ago.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn heads(&self) -> Result<Vec<SignedHead>, LedgerError> {
        let mut heads = self.snapshot()?.heads_before(u64::MAX, usize::MAX)?;
        heads.reverse();
        Ok(heads)
    }

    /// The entries at these positions, in order, each checked against its digest.
    ///
    /// # Errors
    /// When the database cannot be read; the iterator says so for each entry.
    pub fn entries(&self, range: impl RangeBounds<u64>) -> Result<Entries, LedgerError> {
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        let next = match range.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let snapshot = self.snapshot()?;
        let end = end.min(snapshot.size()?);
        let rows = snapshot.entry_rows(next, end)?;
        Ok(Entries { rows, next, end, path: Arc::clone(&self.path) })
    }

    /// One entry; none where the ledger does not go so far.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn entry(&self, position: u64) -> Result<Option<Entry>, LedgerError> {
        self.entries(position..=position)?.next().transpose().map(|found| found.map(|(_, entry)| entry))
    }

    /// The entries about one job, in order; none of a job that the ledger does not know.
    ///
    /// # Errors
    /// When the index cannot be read; the iterator says so for each entry.
    pub fn job_entries(&self, job: JobId) -> Result<JobEntries, LedgerError> {
        let snapshot = self.snapshot()?;
        let row = snapshot.job_row(job)?;
        Ok(JobEntries { snapshot, job, next: 0, least: 0, end: row.map_or(0, |row| row.entries) })
    }

    /// The positions of the entries about one job, in order. Each of the entries is read, to see that it is.
    ///
    /// # Errors
    /// When the index cannot be read, or is damaged.
    pub fn positions_of(&self, job: JobId) -> Result<Vec<u64>, LedgerError> {
        self.job_entries(job)?.map(|found| found.map(|(position, _)| position)).collect()
    }

    /// The jobs that were taken and are not over, in the order of their ids.
    ///
    /// # Errors
    /// When the index cannot be read, or is damaged.
    pub fn unfinished_jobs(&self) -> Result<Vec<JobId>, LedgerError> {
        let rows = self.snapshot()?.job_rows()?;
        Ok(rows.into_iter().filter(|(_, row)| !row.over).map(|(job, _)| job).collect())
    }

    /// The jobs that the ledger knows, in the order of their ids.
    ///
    /// # Errors
    /// When the index cannot be read, or is damaged.
    pub fn jobs(&self) -> Result<Vec<JobId>, LedgerError> {
        Ok(self.snapshot()?.job_rows()?.into_iter().map(|(job, _)| job).collect())
    }

    /// The short accepted outcomes of a job, each checked against its digest.
    ///
    /// # Errors
    /// When one cannot be read, or is damaged.
    pub fn short_outcomes(
        &self,
        job: JobId,
    ) -> Result<impl Iterator<Item = Result<ShortOutcome, LedgerError>> + use<>, LedgerError> {
        let path = Arc::clone(&self.path);
        let mut rows = self.snapshot()?.outcome_rows(job)?;
        let mut next = move || {
            let Some(row) = rows.next() else { return Ok(None) };
            let (key, value) = row.map_err(LedgerError::database("read", &path))?;
            let digest = Digest(*key.value().1);
            let bytes = checked_outcome(&path, job, digest, value.value().to_vec())?;
            Ok(Some(ShortOutcome { job, digest, bytes }))
        };
        let path = Arc::clone(&self.path);
        Ok(std::iter::from_fn(move || guarded(&path, &mut next).transpose()))
    }

    /// A short accepted outcome of a job, checked against its digest; none where the job has no such row.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn short_outcome(&self, job: JobId, digest: Digest) -> Result<Option<Vec<u8>>, LedgerError> {
        let bytes = self.snapshot()?.outcome_row(job, digest)?;
        bytes.map(|bytes| checked_outcome(&self.path, job, digest, bytes)).transpose()
    }

    /// The path of an entry to the root of the first `size` entries, which leads there.
    ///
    /// # Errors
    /// When the ledger has not so many entries, or is damaged.
    pub fn audit_path(&self, position: u64, size: u64) -> Result<AuditPath, LedgerError> {
        let snapshot = self.snapshot()?;
        snapshot.check_size(size)?;
        let path = audit_path(position, size, &snapshot)?;
        let (leaf, root) = (snapshot.leaf(position)?, snapshot.root(size)?);
        root.check_inclusion(&leaf, &path).map_err(|_| self.astray())?;
        Ok(path)
    }

    /// The entries about one job with their paths to the last signed head, all of one commit, in order; none of a job that
    /// the ledger does not know.
    ///
    /// # Errors
    /// When the head or the index cannot be read; the iterator says so for each entry.
    pub fn proven_entries(&self, job: JobId) -> Result<ProvenEntries, LedgerError> {
        let snapshot = self.snapshot()?;
        let head = snapshot.heads_before(u64::MAX, 1)?.pop();
        let head = head.ok_or_else(|| LedgerError::damaged(&self.path, "it has no head"))?;
        let size = head.head.tree.size;
        snapshot.check_size(size)?;
        if snapshot.root(size)? != head.head.tree {
            return Err(self.astray());
        }
        let row = snapshot.job_row(job)?;
        let entries = JobEntries { snapshot, job, next: 0, least: 0, end: row.map_or(0, |row| row.entries) };
        Ok(ProvenEntries::new(head, entries))
    }

    /// The proof that the first `size` entries begin with the first `old_size`, which holds.
    ///
    /// # Errors
    /// When the ledger has not so many entries, or is damaged.
    pub fn consistency(&self, old_size: u64, size: u64) -> Result<ConsistencyPath, LedgerError> {
        let snapshot = self.snapshot()?;
        snapshot.check_size(size)?;
        let path = consistency_path(old_size, size, &snapshot)?;
        let (old, new) = (snapshot.root(old_size)?, snapshot.root(size)?);
        new.check_consistency(&old, &path).map_err(|_| self.astray())?;
        Ok(path)
    }

    fn astray(&self) -> LedgerError {
        astray(&self.path)
    }

    /// The root of the first `size` entries, from the stored nodes.
    ///
    /// # Errors
    /// When the ledger has not so many entries, or is damaged.
    pub fn root(&self, size: u64) -> Result<TreeRoot, LedgerError> {
        Ok(self.frontier(size)?.root())
    }

    pub(super) fn frontier(&self, size: u64) -> Result<Frontier, LedgerError> {
        let snapshot = self.snapshot()?;
        snapshot.check_size(size)?;
        Frontier::load(size, &snapshot)
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, LedgerError> {
        // What was acknowledged is there to be read.
        self.behind.wait();
        guarded(&self.path, || {
            let transaction = self.database.begin_read()?;
            Snapshot::new(&transaction, &self.path)
        })
    }
}

fn checked_outcome(path: &Path, job: JobId, digest: Digest, bytes: Vec<u8>) -> Result<Vec<u8>, LedgerError> {
    if Outcome::digest_of_bytes(&bytes) == digest {
        return Ok(bytes);
    }
    let what = format!("the outcome {} of job {job} does not have its digest", digest.short());
    Err(LedgerError::damaged(path, what))
}

pub(super) fn astray(path: &Path) -> LedgerError {
    LedgerError::damaged(path, "the nodes of its tree do not fit together")
}

/// The head that was acknowledged last, as the file beside the ledger says, also while a coordinator runs; none where that
/// file is missing or damaged. Who signed it is not checked.
///
/// # Errors
/// When the file cannot be read.
pub fn acknowledged_head(state_dir: &Path) -> Result<Option<SignedHead>, LedgerError> {
    let path = state_dir.join(HEAD_FILE);
    match Overlay::open(&path) {
        Ok(mark) => Ok(Mark::open(Box::new(mark), &path)?.1),
        Err(LedgerError::Absent { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The entries of a range, in order.
pub struct Entries {
    rows: Range<'static, u64, &'static [u8]>,
    next: u64,
    end: u64,
    path: Arc<Path>,
}

impl Iterator for Entries {
    type Item = Result<(u64, Entry), LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let Self { rows, next: position, path, .. } = self;
        let damaged = |what| LedgerError::damaged(path, what);
        let found = guarded(path, || {
            let Some(row) = rows.next() else { return Err(damaged(format!("entry {position} is missing"))) };
            let (key, row) = row.map_err(LedgerError::database("read", path))?;
            if key.value() != *position {
                return Err(damaged(format!("entry {position} is missing")));
            }
            Ok((*position, read_entry(*position, row.value()).map_err(damaged)?))
        });
        // What follows damage would be as doubtful as it.
        self.next = if found.is_ok() { self.next + 1 } else { self.end };
        Some(found)
    }
}

/// The entries about one job, in order.
pub struct JobEntries {
    pub(super) snapshot: Snapshot,
    job: JobId,
    /// The number of the next one among those about the job.
    next: u64,
    /// The least position that it can have.
    least: u64,
    end: u64,
}

impl JobEntries {
    /// How many come.
    pub fn count_left(&self) -> u64 {
        self.end - self.next
    }
}

impl Iterator for JobEntries {
    type Item = Result<(u64, Entry), LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let found = self.snapshot.job_position(self.job, self.next).and_then(|position| {
            let entry = self.snapshot.entry(position)?;
            // As many different entries about the job as there are: then they are the right ones.
            if position >= self.least && entry.record.job() == Some(self.job) {
                self.least = position + 1;
                return Ok((position, entry));
            }
            let what = format!("its index is wrong about job {}, at entry {position}", self.job);
            Err(LedgerError::damaged(self.snapshot.path(), what))
        });
        self.next = if found.is_ok() { self.next + 1 } else { self.end };
        Some(found)
    }
}
