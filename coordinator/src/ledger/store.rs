//! Appending: one commit for whatever has come, and a signed head that is durable before anybody hears of it.
//!
//! A commit writes the entries, the nodes of the tree that they complete, the index, and the new head, in one
//! transaction of the database. The mark follows before the next commit, while others go on with what is durable already. Of the heads the last 64 stay, and from before that the first of every
//! 1024 entries: enough to show an auditor how the log grew, without a row for each commit of its life.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::OpenOptions,
    io,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use protocol::{
    codec,
    digest::Digest,
    identity::SecretKey,
    job::JobId,
    ledger::{Entry, Head, LEDGER_VERSION, Record, SignedHead},
    limits::{INLINE_OUTCOME_BYTES_MAX, LEDGER_ENTRY_BYTES_MAX},
    merkle::{Frontier, leaf_digest},
    outcome::Outcome,
};
use redb::{
    ReadableTable, StorageBackend, Table, WriteTransaction,
    backends::{FileBackend, InMemoryBackend},
};

use super::{
    DATABASE_FILE, FILES_FOLDER, Files, HEAD_FILE, LedgerError, Reader,
    check::check,
    database::OpenDatabase,
    error::guarded,
    files::sync_folder,
    mark::Mark,
    tables::{
        ENTRIES, ENTRY_PREFIX_BYTES, HEADS, JOB_ENTRIES, JOBS, JobRow, LAYOUT, LAYOUT_KEY, META, NODES,
        OUTCOMES, row_prefix,
    },
};

/// How many heads of the last commits are kept.
const HEADS_RECENT: usize = 64;
/// From before those, the first head of this many entries is kept.
const HEADS_STRIDE: u64 = 1024;

/// The time for entries, in milliseconds since 1970, by this machine's clock.
pub fn unix_now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Where a ledger lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On the disk, which has it when a call returns.
    Synced,
    /// In memory: it ends with the program.
    Memory,
}

/// What goes into one commit, all or nothing.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// Accepted outcomes that are needed after a restart.
    pub outcomes: Vec<ShortOutcome>,
    /// Jobs whose outcomes are needed no longer.
    pub forget: Vec<JobId>,
}

/// An accepted outcome of at most [`INLINE_OUTCOME_BYTES_MAX`] bytes, kept beside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortOutcome {
    /// The job that holds it.
    pub job: JobId,
    /// Its digest.
    pub digest: Digest,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

/// A commit that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The position of its first entry; the size where it had none.
    pub first: u64,
    /// The head that now stands for the whole log.
    pub head: SignedHead,
}

/// The one that appends.
#[derive(Debug)]
pub struct Ledger {
    reader: Reader,
    mark: Mark,
    key: SecretKey,
    frontier: Frontier,
    head: SignedHead,
    /// What the mark says.
    vouched: SignedHead,
    /// A write failed: what the disk holds is known again when it is opened anew.
    stopped: bool,
}

impl Ledger {
    /// Opens the ledger in a state directory, or founds it there. Blocks: for milliseconds after a stop in order, and
    /// after a crash for as long as it takes to read the file once.
    ///
    /// # Errors
    /// [`LedgerError`]: in use, of another coordinator or version, damaged, or the disk refuses.
    pub fn open(state_dir: &Path, key: &SecretKey, durability: Durability) -> Result<Self, LedgerError> {
        let path = state_dir.join(DATABASE_FILE);
        if durability == Durability::Memory {
            let memory = (InMemoryBackend::new(), InMemoryBackend::new());
            return Self::open_on(memory.0, memory.1, &path, Files::in_memory(), key);
        }
        let mark_path = state_dir.join(HEAD_FILE);
        if !path.try_exists().map_err(LedgerError::io("look for", &path))? {
            if mark_path.try_exists().map_err(LedgerError::io("look for", &mark_path))? {
                return Err(LedgerError::Gone { path });
            }
            found_file(state_dir, &path, key)?;
        }
        let open = |path: &Path, create| OpenOptions::new().read(true).write(true).create(create).open(path);
        let database = open(&path, false).map_err(LedgerError::io("open", &path))?;
        let database = FileBackend::new(database).map_err(LedgerError::database("open", &path))?;
        let mark = open(&mark_path, true).map_err(LedgerError::io("open", &mark_path))?;
        sync_folder(state_dir).map_err(LedgerError::io("write", state_dir))?;
        let mark = FileBackend::new(mark).map_err(LedgerError::database("open", &mark_path))?;
        Self::open_on(database, mark, &path, Files::in_folder(state_dir.join(FILES_FOLDER)), key)
    }

    /// As [`Ledger::open`], on storage of any kind: `database` and `mark` are its two files, and `path` is what
    /// messages call the first.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_on(
        database: impl StorageBackend,
        mark: impl StorageBackend,
        path: &Path,
        files: Files,
        key: &SecretKey,
    ) -> Result<Self, LedgerError> {
        let mark_path = path.with_file_name(HEAD_FILE);
        let (mark, marked) = Mark::open(Box::new(mark), &mark_path)?;
        guarded(path, || {
            let is_new = database.len().map_err(LedgerError::io("read", path))? == 0;
            if let (true, Some(marked)) = (is_new, marked) {
                let (held, acknowledged) = (0, marked.head.tree.size);
                return Err(LedgerError::Lost { path: path.to_owned(), held, acknowledged });
            }
            let database = OpenDatabase::open(database, path)?;
            if is_new {
                found(&database, path, key)?;
            }
            let reader = Reader { database: Arc::new(database), path: path.into(), files };
            let (frontier, head) = check(&reader, Some(key.node_id()), marked.as_ref())?;
            let mut ledger =
                Self { reader, mark, key: key.clone(), frontier, head, vouched: head, stopped: false };
            if marked != Some(head) {
                ledger.mark.set(&head)?;
            }
            Ok(ledger)
        })
    }

    /// Reads while this one appends, from any thread.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The last signed head.
    pub fn head(&self) -> SignedHead {
        self.head
    }

    /// [`Ledger::commit`], then [`Ledger::vouch`].
    ///
    /// # Errors
    /// As either; after the first, nothing of the batch counts as written.
    pub fn append(&mut self, batch: &Batch) -> Result<Appended, LedgerError> {
        let appended = self.commit(batch)?;
        self.vouch()?;
        Ok(appended)
    }

    /// Writes a batch in one commit; it is durable when this returns. The time of an entry that would be before the
    /// last one's becomes the last one's. A batch that is refused for what it holds changes nothing; after the disk
    /// has refused, the ledger takes no more. Blocks on the disk.
    ///
    /// # Errors
    /// [`LedgerError`]; then nothing of the batch counts as written.
    pub fn commit(&mut self, batch: &Batch) -> Result<Appended, LedgerError> {
        if self.stopped {
            return Err(LedgerError::Stopped { path: self.reader.path().to_owned() });
        }
        let first = self.frontier.size();
        let prepared = Prepared::new(batch, self.head.head.at_ms)?;
        self.stopped = true;
        let path = Arc::clone(&self.reader.path);
        let (frontier, head) = guarded(&path, || {
            let transaction = self.reader.database.begin_write()?;
            let mut commit = Commit { transaction, path: &path };
            let written = commit.write(&prepared, batch, self.frontier.clone(), self.head, &self.key)?;
            commit.transaction.commit().map_err(LedgerError::database("write", &path))?;
            Ok(written)
        })?;
        (self.frontier, self.head, self.stopped) = (frontier, head, false);
        Ok(Appended { first, head })
    }

    /// Writes down beside the database what it holds, so that a loss of it shows when it is opened again. Whoever appends
    /// does so before the next batch; nobody needs to wait for it. Blocks on the disk.
    ///
    /// # Errors
    /// [`LedgerError`] when the disk refuses; the ledger takes no more then.
    pub fn vouch(&mut self) -> Result<(), LedgerError> {
        if self.stopped || self.vouched == self.head {
            return Ok(());
        }
        self.stopped = true;
        self.mark.set(&self.head)?;
        (self.vouched, self.stopped) = (self.head, false);
        Ok(())
    }
}

/// Founds a ledger in a file that appears under its name when it is whole.
fn found_file(state_dir: &Path, path: &Path, key: &SecretKey) -> Result<(), LedgerError> {
    let file = tempfile::NamedTempFile::new_in(state_dir).map_err(LedgerError::io("write in", state_dir))?;
    let clone = file.reopen().map_err(LedgerError::io("open", file.path()))?;
    let backend = FileBackend::new(clone).map_err(LedgerError::database("open", path))?;
    let database = OpenDatabase::open(backend, path)?;
    found(&database, path, key)?;
    drop(database);
    file.as_file().sync_all().map_err(LedgerError::io("write", path))?;
    match file.persist_noclobber(path) {
        // Another program was first; what it founded is opened, or found to be in use.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(LedgerError::io("write", path)(error.error)),
        Ok(_) => {}
    }
    sync_folder(state_dir).map_err(LedgerError::io("write", state_dir))
}

/// Writes the first entry and its head.
fn found(database: &OpenDatabase, path: &Path, key: &SecretKey) -> Result<(), LedgerError> {
    let coordinator = key.node_id();
    let record = Record::Founded { coordinator, version: LEDGER_VERSION };
    let batch = Batch { entries: vec![Entry { at_ms: unix_now_ms(), record }], ..Batch::default() };
    let prepared = Prepared::encode(&batch.entries, 0)?;
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META).map_err(LedgerError::database("write", path))?;
        meta.insert(LAYOUT_KEY, LAYOUT).map_err(LedgerError::database("write", path))?;
    }
    let mut commit = Commit { transaction, path };
    let frontier = Frontier::default();
    let nothing = Head { coordinator, tree: frontier.root(), at_ms: 0 }.sign(key);
    commit.write(&prepared, &batch, frontier, nothing, key)?;
    commit.transaction.commit().map_err(LedgerError::database("write", path))
}

/// The entries of a batch, checked and encoded.
struct Prepared {
    leaves: Vec<(Digest, Vec<u8>)>,
    /// The time of the last entry.
    at_ms: u64,
}

impl Prepared {
    /// A batch for a ledger whose last entry has the time `last_ms`.
    fn new(batch: &Batch, last_ms: u64) -> Result<Self, LedgerError> {
        for ShortOutcome { digest, bytes, .. } in &batch.outcomes {
            if bytes.len() > INLINE_OUTCOME_BYTES_MAX {
                return Err(too_long("a short outcome", bytes.len(), INLINE_OUTCOME_BYTES_MAX));
            }
            if Outcome::digest_of_bytes(bytes) != *digest {
                return Err(LedgerError::WrongDigest { what: "outcome" });
            }
        }
        if batch.entries.iter().any(|entry| matches!(entry.record, Record::Founded { .. })) {
            return Err(LedgerError::FoundedAgain);
        }
        Self::encode(&batch.entries, last_ms)
    }

    fn encode(entries: &[Entry], mut at_ms: u64) -> Result<Self, LedgerError> {
        let mut leaves = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut entry = Cow::Borrowed(entry);
            if entry.at_ms < at_ms {
                entry.to_mut().at_ms = at_ms;
            }
            at_ms = entry.at_ms;
            let bytes = entry.to_bytes();
            if bytes.len() > LEDGER_ENTRY_BYTES_MAX {
                return Err(too_long("an entry", bytes.len(), LEDGER_ENTRY_BYTES_MAX));
            }
            leaves.push((leaf_digest(&bytes), bytes));
        }
        Ok(Self { leaves, at_ms })
    }
}

fn too_long(what: &'static str, bytes: usize, limit_bytes: usize) -> LedgerError {
    LedgerError::TooLong { what, bytes: bytes as u64, limit_bytes: limit_bytes as u64 }
}

/// One transaction of the database.
struct Commit<'a> {
    transaction: WriteTransaction,
    path: &'a Path,
}

impl Commit<'_> {
    fn failed<E: Into<redb::Error>>(&self) -> impl Fn(E) -> LedgerError + use<'_, E> {
        LedgerError::database("write", self.path)
    }

    fn write(
        &mut self,
        prepared: &Prepared,
        batch: &Batch,
        frontier: Frontier,
        head: SignedHead,
        key: &SecretKey,
    ) -> Result<(Frontier, SignedHead), LedgerError> {
        self.write_outcomes(batch)?;
        let first = frontier.size();
        let frontier = self.write_tree(prepared, frontier)?;
        self.write_index(first, &batch.entries)?;
        if frontier.size() == first {
            return Ok((frontier, head));
        }
        let coordinator = key.node_id();
        let head = Head { coordinator, tree: frontier.root(), at_ms: prepared.at_ms }.sign(key);
        self.write_head(&head)?;
        Ok((frontier, head))
    }

    fn write_tree(&self, prepared: &Prepared, mut frontier: Frontier) -> Result<Frontier, LedgerError> {
        let mut entries = self.transaction.open_table(ENTRIES).map_err(self.failed())?;
        let mut nodes = self.transaction.open_table(NODES).map_err(self.failed())?;
        let mut complete = Vec::new();
        for (digest, bytes) in &prepared.leaves {
            let prefix = row_prefix(frontier.size(), digest);
            let mut row = entries
                .insert_reserve(frontier.size(), ENTRY_PREFIX_BYTES + bytes.len())
                .map_err(self.failed())?;
            row.as_mut()[..ENTRY_PREFIX_BYTES].copy_from_slice(&prefix);
            row.as_mut()[ENTRY_PREFIX_BYTES..].copy_from_slice(bytes);
            frontier.push(*digest, |number, digest| {
                if number % 2 == 1 {
                    complete.push((number, digest));
                }
            })?;
        }
        for (number, digest) in complete {
            nodes.insert(number, &digest.0).map_err(self.failed())?;
        }
        Ok(frontier)
    }

    fn write_index(&self, first: u64, entries: &[Entry]) -> Result<(), LedgerError> {
        let mut jobs = self.transaction.open_table(JOBS).map_err(self.failed())?;
        let mut job_entries = self.transaction.open_table(JOB_ENTRIES).map_err(self.failed())?;
        let mut rows: BTreeMap<JobId, JobRow> = BTreeMap::new();
        for (position, entry) in (first..).zip(entries) {
            let Some(job) = entry.record.job() else { continue };
            let row = match rows.entry(job) {
                std::collections::btree_map::Entry::Occupied(row) => row.into_mut(),
                std::collections::btree_map::Entry::Vacant(place) => {
                    let row = jobs.get(&job.0).map_err(self.failed())?.map(|row| *row.value());
                    let row = row.map(|row| {
                        let damaged =
                            || LedgerError::damaged(self.path, format!("its index is wrong about job {job}"));
                        JobRow::from_bytes(job, &row).ok_or_else(damaged)
                    });
                    place.insert(row.transpose()?.unwrap_or_default())
                }
            };
            job_entries.insert((&job.0, row.entries), position).map_err(self.failed())?;
            row.entries += 1;
            row.over |= matches!(entry.record, Record::Over { .. });
        }
        for (job, row) in rows {
            jobs.insert(&job.0, &row.to_bytes(job)).map_err(self.failed())?;
        }
        Ok(())
    }

    fn write_outcomes(&self, batch: &Batch) -> Result<(), LedgerError> {
        let mut outcomes = self.transaction.open_table(OUTCOMES).map_err(self.failed())?;
        for ShortOutcome { job, digest, bytes } in &batch.outcomes {
            outcomes.insert((&job.0, &digest.0), bytes.as_slice()).map_err(self.failed())?;
        }
        for job in &batch.forget {
            let all = (&job.0, &[0; 32])..=(&job.0, &[u8::MAX; 32]);
            outcomes.retain_in(all, |_, _| false).map_err(self.failed())?;
        }
        Ok(())
    }

    fn write_head(&self, head: &SignedHead) -> Result<(), LedgerError> {
        let mut heads = self.transaction.open_table(HEADS).map_err(self.failed())?;
        heads.insert(head.head.tree.size, codec::encode(head).as_slice()).map_err(self.failed())?;
        if let Some(size) = dispensable_head(&heads).map_err(self.failed())? {
            heads.remove(size).map_err(self.failed())?;
        }
        Ok(())
    }
}

/// The head that has just become one of long ago, unless it is the first of its stretch of entries.
fn dispensable_head(heads: &Table<'_, u64, &'static [u8]>) -> Result<Option<u64>, redb::StorageError> {
    let Some(old) = heads.iter()?.rev().nth(HEADS_RECENT).transpose()? else { return Ok(None) };
    let size = old.0.value();
    let before = heads.range(..size)?.next_back().transpose()?.map(|(key, _)| key.value());
    Ok(before.filter(|before| before / HEADS_STRIDE == size / HEADS_STRIDE).map(|_| size))
}
