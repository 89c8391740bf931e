//! Appending: a batch is durable before anybody hears of it, and in the database before anybody reads.
//!
//! A small batch goes to the journal, which takes one write; the database follows when there is time, with all that have
//! come since in one transaction, and has them durably from time to time. A large one goes to the database at once. The
//! mark beside them says how far the ledger has come, so that a loss shows when it is opened again.

use std::{
    fs::OpenOptions,
    io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use protocol::{
    digest::Digest,
    identity::SecretKey,
    job::JobId,
    ledger::{Entry, LEDGER_VERSION, Record, SignedHead},
    merkle::Frontier,
};
use redb::{
    StorageBackend,
    backends::{FileBackend, InMemoryBackend},
};

use super::{
    DATABASE_FILE, FILES_FOLDER, Files, HEAD_FILE, JOURNAL_FILE, LedgerError, Reader,
    check::{check_acknowledged, check_base},
    commit::{self, Prepared},
    database::OpenDatabase,
    direct::DirectFile,
    error::guarded,
    files::sync_folder,
    journal::{Journal, Written},
    mark::Mark,
    tables::{LAYOUT, LAYOUT_KEY, META},
};

/// Most batches that the database is behind.
const PENDING_MAX: usize = 256;

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

/// An accepted outcome of at most [`ROW_OUTCOME_BYTES_MAX`](protocol::limits::ROW_OUTCOME_BYTES_MAX) bytes, kept beside the log.
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

/// What a ledger is stored on.
pub struct Storage<S, J = S> {
    /// The database.
    pub database: S,
    /// The last acknowledged head.
    pub mark: S,
    /// What the database does not hold durably yet.
    pub journal: J,
}

/// The one that appends.
#[derive(Debug)]
pub struct Ledger {
    reader: Reader,
    mark: Mark,
    journal: Journal,
    key: SecretKey,
    frontier: Frontier,
    head: SignedHead,
    /// What is in the journal and not in the database, in order.
    pending: Vec<Pending>,
    /// What the mark says.
    marked: SignedHead,
    /// A write failed: what the disk holds is known again when it is opened anew.
    stopped: bool,
}

/// A batch that is durable, and that readers wait for.
pub(super) struct Pending {
    pub(super) batch: Batch,
    pub(super) prepared: Prepared,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pending").field("first", &self.prepared.first).finish_non_exhaustive()
    }
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
            let memory = InMemoryBackend::new;
            let storage = Storage { database: memory(), mark: memory(), journal: memory() };
            return Self::open_on(storage, &path, Files::in_memory(), key);
        }
        let mark_path = state_dir.join(HEAD_FILE);
        if !path.try_exists().map_err(LedgerError::io("look for", &path))? {
            if mark_path.try_exists().map_err(LedgerError::io("look for", &mark_path))? {
                return Err(LedgerError::Gone { path });
            }
            found_file(state_dir, &path, key)?;
        }
        let open = |path: &Path, create| {
            let file = OpenOptions::new().read(true).write(true).create(create).open(path);
            let file = file.map_err(LedgerError::io("open", path))?;
            FileBackend::new(file).map_err(LedgerError::database("open", path))
        };
        let database = open(&path, false)?;
        let mark = open(&mark_path, true)?;
        let journal_path = state_dir.join(JOURNAL_FILE);
        let journal = DirectFile::open(&journal_path).map_err(LedgerError::io("open", &journal_path))?;
        sync_folder(state_dir).map_err(LedgerError::io("write", state_dir))?;
        let storage = Storage { database, mark, journal };
        Self::open_on(storage, &path, Files::in_folder(state_dir.join(FILES_FOLDER)), key)
    }

    /// As [`Ledger::open`], on storage of any kind; `path` is what messages call the database.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_on<S: StorageBackend, J: StorageBackend>(
        storage: Storage<S, J>,
        path: &Path,
        files: Files,
        key: &SecretKey,
    ) -> Result<Self, LedgerError> {
        let Storage { database, mark, journal } = storage;
        let (mark_path, journal_path) = (path.with_file_name(HEAD_FILE), path.with_file_name(JOURNAL_FILE));
        let (mut mark, marked) = Mark::open(Box::new(mark), &mark_path)?;
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
            let reader = Reader::new(database, path, files);
            let (ours, marked) = (Some(key.node_id()), marked.as_ref());
            let before = check_base(&reader, ours, marked)?;
            let size_before = before.0.size();
            let written = Journal::read(&journal, &journal_path)?;
            let (frontier, head) = follow(&reader, before, written, &journal_path)?;
            check_acknowledged(&reader, head.head.coordinator, marked)?;
            if frontier.size() > size_before {
                reader.database.persist()?;
            }
            if marked != Some(&head) {
                mark.set(&head)?;
            }
            let journal = Journal::begin(Box::new(journal), &journal_path)?;
            let (key, pending) = (key.clone(), Vec::new());
            Ok(Self { reader, mark, journal, key, frontier, head, pending, marked: head, stopped: false })
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

    /// [`Ledger::commit`], then [`Ledger::catch_up`].
    ///
    /// # Errors
    /// As either; after the first, nothing of the batch counts as written.
    pub fn append(&mut self, batch: &Batch) -> Result<Appended, LedgerError> {
        let appended = self.commit(batch.clone())?;
        self.catch_up()?;
        Ok(appended)
    }

    /// Writes a batch in one commit; it is durable when this returns, and readers wait for it until [`Ledger::catch_up`],
    /// which must follow. The time of an entry that would be before the last one's becomes the last one's. A batch that is
    /// refused for what it holds changes nothing; after the disk has refused, the ledger takes no more. Blocks on the disk.
    ///
    /// # Errors
    /// [`LedgerError`]; then nothing of the batch counts as written.
    pub fn commit(&mut self, batch: Batch) -> Result<Appended, LedgerError> {
        if self.stopped {
            return Err(LedgerError::Stopped { path: self.reader.path().to_owned() });
        }
        let prepared = Prepared::new(&batch, &self.frontier, self.head.head.at_ms)?;
        let first = prepared.first;
        let has_entries = !prepared.leaves.is_empty();
        let head = if has_entries { prepared.head(&self.key) } else { self.head };
        let frontier = prepared.frontier.clone();
        self.stopped = true;
        let pending = Pending { batch, prepared };
        if has_entries && self.journal.append(&pending, &head)? {
            self.reader.behind.acknowledged();
            self.pending.push(pending);
        } else {
            self.follow_up()?;
            let (database, path) = (&self.reader.database, &self.reader.path);
            let new_head = has_entries.then_some(&head);
            guarded(path, || {
                commit::write(database, path, &[pending], new_head, redb::Durability::Immediate)
            })?;
        }
        (self.frontier, self.head, self.stopped) = (frontier, head, false);
        Ok(Appended { first, head })
    }

    /// Notes in the mark how far the ledger is, so that a loss shows. Whoever appends does so before the next batch; nobody
    /// needs to wait for it.
    ///
    /// # Errors
    /// [`LedgerError`] when the disk refuses; the ledger takes no more then.
    pub fn note(&mut self) -> Result<(), LedgerError> {
        if self.stopped || self.marked == self.head {
            return Ok(());
        }
        if self.pending.is_empty() {
            return self.vouch();
        }
        self.stopped = true;
        self.mark.note(&self.head)?;
        (self.marked, self.stopped) = (self.head, false);
        Ok(())
    }

    /// Whether the database lacks so much that it should follow before the next batch.
    pub fn is_far_behind(&self) -> bool {
        self.pending.len() >= PENDING_MAX || !self.journal.has_room()
    }

    /// Whether the database lacks something that is durable.
    pub fn is_behind(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether the database has everything durably by itself.
    pub fn is_settled(&self) -> bool {
        self.journal.is_empty()
    }

    /// Brings the database and the mark to where the ledger is; nobody but readers needs to wait for it. Blocks on the disk.
    ///
    /// # Errors
    /// [`LedgerError`] when the disk refuses; the ledger takes no more then.
    pub fn catch_up(&mut self) -> Result<(), LedgerError> {
        self.note()?;
        if self.stopped {
            return Ok(());
        }
        self.stopped = true;
        self.follow_up()?;
        self.stopped = false;
        if self.journal.has_room() { Ok(()) } else { self.settle() }
    }

    /// After a failure: what the database lacks it will not get before the ledger is opened anew, so no reader waits for it.
    pub fn let_readers_go(&self) {
        self.reader.behind.followed();
    }

    /// Writes into the database what it lacks.
    fn follow_up(&mut self) -> Result<(), LedgerError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let (database, path, head) = (&self.reader.database, &self.reader.path, Some(&self.head));
        let written = guarded(path, || commit::write(database, path, &pending, head, redb::Durability::None));
        self.reader.behind.followed();
        written
    }

    /// Makes the database durable by itself, so that little is to be read after a crash. Blocks on the disk.
    ///
    /// # Errors
    /// [`LedgerError`] when the disk refuses; the ledger takes no more then.
    pub fn settle(&mut self) -> Result<(), LedgerError> {
        if self.stopped || self.journal.is_empty() {
            return Ok(());
        }
        self.stopped = true;
        self.follow_up()?;
        self.reader.database.persist()?;
        self.stopped = false;
        self.vouch()
    }

    /// The database has everything: says so in the mark, after which the journal begins anew.
    fn vouch(&mut self) -> Result<(), LedgerError> {
        self.stopped = true;
        self.mark.set(&self.head)?;
        self.journal.restart();
        (self.marked, self.stopped) = (self.head, false);
        Ok(())
    }
}

/// At an orderly end the database has everything, and the journal nothing.
impl Drop for Ledger {
    fn drop(&mut self) {
        // What fails here is in the journal still.
        if !self.stopped && self.settle().is_ok() {
            let _ = self.journal.clear();
        }
        self.let_readers_go();
    }
}

/// Writes into the database what it lacks of a journal; returns how far that is.
///
/// # Errors
/// When the journal does not go on where the database ends, or the database refuses.
pub(super) fn follow(
    reader: &Reader,
    (mut frontier, mut head): (Frontier, SignedHead),
    journal: Vec<Written>,
    journal_path: &Path,
) -> Result<(Frontier, SignedHead), LedgerError> {
    for Written { first, batch, head: new_head } in journal {
        let size = frontier.size();
        if first.saturating_add(batch.entries.len() as u64) <= size {
            continue;
        }
        if first != size {
            let what = format!("it goes on at entry {first}, and the database ends before entry {size}");
            return Err(LedgerError::damaged(journal_path, what));
        }
        let prepared = Prepared::encode(&batch.entries, &frontier, head.head.at_ms)?;
        let same = new_head.head.coordinator == head.head.coordinator
            && new_head.head.tree == prepared.frontier.root()
            && new_head.is_authentic();
        if !same {
            let what = format!("its head after entry {first} is not that of its entries");
            return Err(LedgerError::damaged(journal_path, what));
        }
        let (database, path) = (&reader.database, &reader.path);
        let pending = [Pending { batch, prepared }];
        commit::write(database, path, &pending, Some(&new_head), redb::Durability::None)?;
        let [Pending { prepared, .. }] = pending;
        (frontier, head) = (prepared.frontier, new_head);
    }
    Ok((frontier, head))
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
    let prepared = Prepared::encode(&batch.entries, &Frontier::default(), 0)?;
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META).map_err(LedgerError::database("write", path))?;
        meta.insert(LAYOUT_KEY, LAYOUT).map_err(LedgerError::database("write", path))?;
    }
    let head = prepared.head(key);
    let all = [Pending { batch, prepared }];
    commit::write_in(transaction, path, &all, Some(&head), redb::Durability::Immediate)
}
