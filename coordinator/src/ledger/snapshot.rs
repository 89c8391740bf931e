//! One commit of the database as it stays while somebody reads it: the tables, row by row.

use std::{path::Path, sync::Arc};

use protocol::{
    codec,
    digest::Digest,
    job::JobId,
    ledger::{Entry, SignedHead},
    merkle::{Frontier, MerkleError, NodeStore, TreeRoot},
};
use redb::{Range, ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata};

use super::{
    LedgerError,
    error::guarded,
    tables::{ENTRIES, HEADS, JOB_ENTRIES, JOBS, JobRow, NODES, OUTCOMES, read_entry, split_row},
};

/// Longest encoding of a signed head in bytes.
const HEAD_BYTES_MAX: usize = 512;

type Key16 = &'static [u8; 16];
pub(super) type OutcomeRows = Range<'static, (Key16, &'static [u8; 32]), &'static [u8]>;

/// The tables of one commit.
pub(super) struct Snapshot {
    entries: ReadOnlyTable<u64, &'static [u8]>,
    nodes: ReadOnlyTable<u64, &'static [u8; 32]>,
    heads: ReadOnlyTable<u64, &'static [u8]>,
    jobs: ReadOnlyTable<Key16, &'static [u8; 17]>,
    job_entries: ReadOnlyTable<(Key16, u64), u64>,
    outcomes: ReadOnlyTable<(Key16, &'static [u8; 32]), &'static [u8]>,
    path: Arc<Path>,
}

impl Snapshot {
    /// Opens the tables.
    ///
    /// # Errors
    /// When one is missing or cannot be read.
    pub(super) fn new(transaction: &ReadTransaction, path: &Arc<Path>) -> Result<Self, LedgerError> {
        let failed = LedgerError::database("read", path);
        Ok(Self {
            entries: transaction.open_table(ENTRIES).map_err(&failed)?,
            nodes: transaction.open_table(NODES).map_err(&failed)?,
            heads: transaction.open_table(HEADS).map_err(&failed)?,
            jobs: transaction.open_table(JOBS).map_err(&failed)?,
            job_entries: transaction.open_table(JOB_ENTRIES).map_err(&failed)?,
            outcomes: transaction.open_table(OUTCOMES).map_err(&failed)?,
            path: Arc::clone(path),
        })
    }

    /// The database's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn read<T>(&self, work: impl FnOnce() -> Result<T, redb::StorageError>) -> Result<T, LedgerError> {
        guarded(&self.path, || work().map_err(LedgerError::database("read", &self.path)))
    }

    fn damaged(&self, what: impl Into<String>) -> LedgerError {
        LedgerError::damaged(&self.path, what)
    }

    /// The last position that has an entry.
    pub(super) fn last_position(&self) -> Result<Option<u64>, LedgerError> {
        self.read(|| Ok(self.entries.last()?.map(|(key, _)| key.value())))
    }

    /// The row of an entry as it is stored.
    pub(super) fn entry_row(&self, position: u64) -> Result<Option<Vec<u8>>, LedgerError> {
        self.read(|| Ok(self.entries.get(position)?.map(|row| row.value().to_vec())))
    }

    /// How many entries there are: one more than the last position, if none is missing.
    pub(super) fn size(&self) -> Result<u64, LedgerError> {
        let (last, count) =
            self.read(|| Ok((self.entries.last()?.map(|(key, _)| key.value()), self.entries.len()?)))?;
        let size = last.map_or(0, |last| last.saturating_add(1));
        if size != count {
            return Err(self.damaged(format!("its last entry is {size}, counted from 1, and it has {count}")));
        }
        Ok(size)
    }

    /// The heads before `size`, the largest first, at most `count`.
    pub(super) fn heads_before(&self, size: u64, count: usize) -> Result<Vec<SignedHead>, LedgerError> {
        let rows = self.read(|| {
            let rows = self.heads.range(..size)?.rev().take(count);
            rows.map(|row| row.map(|(key, value)| (key.value(), value.value().to_vec())))
                .collect::<Result<Vec<_>, _>>()
        })?;
        let read = |(size, bytes): (u64, Vec<u8>)| {
            let head: SignedHead = codec::decode("ledger head", &bytes, HEAD_BYTES_MAX).map_err(|error| {
                self.damaged(format!("its head of {size} entries cannot be read: {error}"))
            })?;
            if head.head.tree.size != size || !head.is_authentic() {
                return Err(self.damaged(format!("its head of {size} entries does not carry its signature")));
            }
            Ok(head)
        };
        rows.into_iter().map(read).collect()
    }

    /// The rows of the entries from `first` to before `end`.
    pub(super) fn entry_rows(
        &self,
        first: u64,
        end: u64,
    ) -> Result<Range<'static, u64, &'static [u8]>, LedgerError> {
        self.read(|| self.entries.range(first.min(end)..end))
    }

    /// The entry at a position where there must be one.
    pub(super) fn entry(&self, position: u64) -> Result<Entry, LedgerError> {
        let row = self.entry_row(position)?;
        let row = row.ok_or_else(|| self.damaged(format!("entry {position} is missing")))?;
        read_entry(position, &row).map_err(|what| self.damaged(what))
    }

    /// What the index says of a job.
    pub(super) fn job_row(&self, job: JobId) -> Result<Option<JobRow>, LedgerError> {
        let row = self.read(|| Ok(self.jobs.get(&job.0)?.map(|row| *row.value())))?;
        row.map(|row| self.checked_row(job, &row)).transpose()
    }

    /// What the index says of every job.
    pub(super) fn job_rows(&self) -> Result<Vec<(JobId, JobRow)>, LedgerError> {
        let (count, rows) = self.read(|| {
            let rows = self.jobs.iter()?.map(|row| row.map(|(key, row)| (JobId(*key.value()), *row.value())));
            Ok((self.jobs.len()?, rows.collect::<Result<Vec<_>, _>>()?))
        })?;
        if rows.len() as u64 != count {
            return Err(self.damaged(format!("its index lists {} jobs, and counts {count}", rows.len())));
        }
        rows.into_iter().map(|(job, row)| Ok((job, self.checked_row(job, &row)?))).collect()
    }

    fn checked_row(&self, job: JobId, row: &[u8; 17]) -> Result<JobRow, LedgerError> {
        JobRow::from_bytes(job, row)
            .ok_or_else(|| self.damaged(format!("its index is wrong about job {job}")))
    }

    /// The position of the job's entry with this number, which there must be.
    pub(super) fn job_position(&self, job: JobId, number: u64) -> Result<u64, LedgerError> {
        let position = self.read(|| Ok(self.job_entries.get((&job.0, number))?.map(|row| row.value())))?;
        position.ok_or_else(|| self.damaged(format!("its index misses entry {number} of job {job}")))
    }

    /// How many rows the index from jobs to entries has.
    pub(super) fn job_entries_count(&self) -> Result<u64, LedgerError> {
        self.read(|| self.job_entries.len())
    }

    /// How many nodes above the leaves are stored.
    pub(super) fn nodes_count(&self) -> Result<u64, LedgerError> {
        self.read(|| self.nodes.len())
    }

    /// The short outcomes of a job.
    pub(super) fn outcome_rows(&self, job: JobId) -> Result<OutcomeRows, LedgerError> {
        self.read(|| self.outcomes.range((&job.0, &[0; 32])..=(&job.0, &[u8::MAX; 32])))
    }

    /// A short outcome of a job as it is stored.
    pub(super) fn outcome_row(&self, job: JobId, digest: Digest) -> Result<Option<Vec<u8>>, LedgerError> {
        self.read(|| Ok(self.outcomes.get((&job.0, &digest.0))?.map(|row| row.value().to_vec())))
    }

    /// All short outcomes.
    pub(super) fn all_outcome_rows(&self) -> Result<OutcomeRows, LedgerError> {
        self.read(|| self.outcomes.range::<(&[u8; 16], &[u8; 32])>(..))
    }

    /// The root of the first `size` entries.
    pub(super) fn root(&self, size: u64) -> Result<TreeRoot, LedgerError> {
        Ok(Frontier::load(size, self)?.root())
    }

    /// The leaf at a position where there must be one.
    pub(super) fn leaf(&self, position: u64) -> Result<Vec<u8>, LedgerError> {
        Ok(self.entry(position)?.to_bytes())
    }

    /// # Errors
    /// [`MerkleError::Size`] where the ledger has fewer entries than `size`.
    pub(super) fn check_size(&self, size: u64) -> Result<(), LedgerError> {
        let held = self.size()?;
        if size <= held { Ok(()) } else { Err(MerkleError::Size { old_size: size, size: held }.into()) }
    }
}

impl NodeStore for Snapshot {
    type Error = LedgerError;

    fn node(&self, number: u64) -> Result<Digest, LedgerError> {
        let digest = if number.is_multiple_of(2) {
            self.read(|| {
                let row = self.entries.get(number / 2)?;
                Ok(row.and_then(|row| split_row(number / 2, row.value()).map(|(digest, _)| digest)))
            })?
        } else {
            self.read(|| Ok(self.nodes.get(number)?.map(|node| Digest(*node.value()))))?
        };
        digest.ok_or_else(|| self.damaged(format!("node {number} of its tree is missing")))
    }
}
