//! One commit into the database: the entries, the nodes of the tree that they complete, the index, and the new head, in
//! one transaction.
//!
//! Of the heads the last 64 stay, and from before that the first of every 1024 entries: enough to show an auditor how the
//! log grew, without a row for each commit of its life.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use protocol::{
    codec,
    digest::Digest,
    identity::SecretKey,
    job::JobId,
    ledger::{Entry, Head, Record, SignedHead},
    limits::{LEDGER_ENTRY_BYTES_MAX, ROW_OUTCOME_BYTES_MAX},
    merkle::{Frontier, leaf_digest},
    outcome::Outcome,
};
use redb::{Durability, ReadableTable, Table, WriteTransaction};

use super::{
    Batch, LedgerError, ShortOutcome,
    database::OpenDatabase,
    store::Pending,
    tables::{ENTRIES, ENTRY_PREFIX_BYTES, HEADS, JOB_ENTRIES, JOBS, JobRow, NODES, OUTCOMES, row_prefix},
};

/// How many heads of the last commits are kept.
const HEADS_RECENT: usize = 64;
/// From before those, the first head of this many entries is kept.
const HEADS_STRIDE: u64 = 1024;

/// The entries of a batch, checked and encoded, and where they take the tree.
pub(super) struct Prepared {
    /// The position of the first.
    pub(super) first: u64,
    pub(super) leaves: Vec<(Digest, Vec<u8>)>,
    /// The nodes above the leaves that they complete.
    complete: Vec<(u64, Digest)>,
    /// The tree with them.
    pub(super) frontier: Frontier,
    /// The time of the last entry.
    at_ms: u64,
}

impl Prepared {
    /// A batch for a ledger with the tree `frontier`, whose last entry has the time `last_ms`. The time of an entry that
    /// would be before the last one's becomes the last one's.
    ///
    /// # Errors
    /// When something in it is too long, or is not what it is said to be.
    pub(super) fn new(batch: &Batch, frontier: &Frontier, last_ms: u64) -> Result<Self, LedgerError> {
        for ShortOutcome { digest, bytes, .. } in &batch.outcomes {
            if bytes.len() > ROW_OUTCOME_BYTES_MAX {
                return Err(too_long("a short outcome", bytes.len(), ROW_OUTCOME_BYTES_MAX));
            }
            if Outcome::digest_of_bytes(bytes) != *digest {
                return Err(LedgerError::WrongDigest { what: "outcome" });
            }
        }
        if batch.entries.iter().any(|entry| matches!(entry.record, Record::Founded { .. })) {
            return Err(LedgerError::FoundedAgain);
        }
        Self::encode(&batch.entries, frontier, last_ms)
    }

    /// As [`Prepared::new`], also for the entry that founds a ledger.
    ///
    /// # Errors
    /// When an entry is too long.
    pub(super) fn encode(entries: &[Entry], frontier: &Frontier, last_ms: u64) -> Result<Self, LedgerError> {
        let (mut frontier, mut at_ms) = (frontier.clone(), last_ms);
        let first = frontier.size();
        let mut leaves = Vec::with_capacity(entries.len());
        let mut complete = Vec::new();
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
            let digest = leaf_digest(&bytes);
            frontier.push(digest, |number, digest| {
                if number % 2 == 1 {
                    complete.push((number, digest));
                }
            })?;
            leaves.push((digest, bytes));
        }
        Ok(Self { first, leaves, complete, frontier, at_ms })
    }

    /// The signed head of the ledger with them.
    pub(super) fn head(&self, key: &SecretKey) -> SignedHead {
        Head { coordinator: key.node_id(), tree: self.frontier.root(), at_ms: self.at_ms }.sign(key)
    }
}

fn too_long(what: &'static str, bytes: usize, limit_bytes: usize) -> LedgerError {
    LedgerError::TooLong { what, bytes: bytes as u64, limit_bytes: limit_bytes as u64 }
}

/// Writes batches in one transaction, in order; with `Durability::None` the disk may have them later. `head` is that of the
/// ledger with them, and none where they have no entries. Blocks on the disk.
///
/// # Errors
/// When the database refuses.
pub(super) fn write(
    database: &OpenDatabase,
    path: &Path,
    batches: &[Pending],
    head: Option<&SignedHead>,
    durability: Durability,
) -> Result<(), LedgerError> {
    let transaction = database.begin_write()?;
    write_in(transaction, path, batches, head, durability)
}

/// As [`write`], in a transaction that has begun.
///
/// # Errors
/// As [`write`].
pub(super) fn write_in(
    mut transaction: WriteTransaction,
    path: &Path,
    batches: &[Pending],
    head: Option<&SignedHead>,
    durability: Durability,
) -> Result<(), LedgerError> {
    transaction.set_durability(durability).map_err(LedgerError::database("write", path))?;
    let commit = Commit { transaction, path };
    for Pending { batch, prepared } in batches {
        commit.write_outcomes(batch)?;
        commit.write_tree(prepared)?;
        commit.write_index(prepared.first, &batch.entries)?;
    }
    if let Some(head) = head {
        commit.write_head(head)?;
    }
    commit.transaction.commit().map_err(LedgerError::database("write", path))
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

    fn write_tree(&self, prepared: &Prepared) -> Result<(), LedgerError> {
        let mut entries = self.transaction.open_table(ENTRIES).map_err(self.failed())?;
        let mut nodes = self.transaction.open_table(NODES).map_err(self.failed())?;
        for (position, (digest, bytes)) in (prepared.first..).zip(&prepared.leaves) {
            let prefix = row_prefix(position, digest);
            let mut row =
                entries.insert_reserve(position, ENTRY_PREFIX_BYTES + bytes.len()).map_err(self.failed())?;
            row.as_mut()[..ENTRY_PREFIX_BYTES].copy_from_slice(&prefix);
            row.as_mut()[ENTRY_PREFIX_BYTES..].copy_from_slice(bytes);
        }
        for (number, digest) in &prepared.complete {
            nodes.insert(*number, &digest.0).map_err(self.failed())?;
        }
        Ok(())
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
