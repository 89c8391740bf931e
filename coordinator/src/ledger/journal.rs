//! The journal: a batch is durable as soon as it stands here, before the database has it.
//!
//! A commit of the database writes some twenty pages, scattered over its file. For a lone verdict that is most of the time
//! that somebody waits for it, so a small batch goes to this file first, in one write to a place that the file has already,
//! and the database follows. After a crash the batches that the database does not hold yet are taken from here. The file
//! has one length; once the database has everything durably, writing begins again at its start. A record begins at a
//! sector of its own, so that a write that is cut short harms no other.

use std::path::{Path, PathBuf};

use protocol::{
    codec,
    digest::Digest,
    job::JobId,
    ledger::{Entry, SignedHead},
    merkle::leaf_digest,
};
use redb::StorageBackend;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{Batch, LedgerError, ShortOutcome, store::Pending};

/// How long the file is: room for some five hundred lone verdicts, so that few of them wait while the database becomes durable.
const JOURNAL_BYTES: usize = 2 * 1024 * 1024;
/// The longest record. What is longer is worth a commit of the database.
pub(super) const RECORD_BYTES_MAX: usize = 32 * 1024;
/// What a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;
/// Bytes of a record before its body: the checksum of what follows, and the body's length.
const PREFIX_BYTES: usize = 32 + 4;

/// The file.
#[derive(Debug)]
pub(super) struct Journal {
    file: Box<dyn StorageBackend>,
    path: PathBuf,
    /// Where the next record goes.
    next: usize,
}

/// A batch as it was acknowledged.
#[derive(Debug)]
pub(super) struct Written {
    /// The position of its first entry.
    pub(super) first: u64,
    pub(super) batch: Batch,
    /// The head of the ledger with it.
    pub(super) head: SignedHead,
}

/// The body of a record.
#[derive(Serialize, Deserialize)]
struct Body {
    first: u64,
    entries: Vec<ByteBuf>,
    outcomes: Vec<(JobId, Digest, ByteBuf)>,
    forget: Vec<JobId>,
    head: SignedHead,
}

impl Journal {
    /// Reads the batches in a file, those that the database has long since among them, in the order of their positions.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn read(file: &dyn StorageBackend, path: &Path) -> Result<Vec<Written>, LedgerError> {
        let length = file.len().map_err(LedgerError::io("read", path))?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(JOURNAL_BYTES)];
        file.read(0, &mut bytes).map_err(LedgerError::io("read", path))?;
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            at += match read_record(rest) {
                Some((written, length)) => {
                    found.push(written);
                    length.next_multiple_of(SECTOR_BYTES)
                }
                // What is left of an older record, or one that was cut short.
                None => SECTOR_BYTES,
            };
        }
        found.sort_by_key(|written| written.first);
        Ok(found)
    }

    /// Takes over a file whose batches the database has, and makes room in it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn begin(file: Box<dyn StorageBackend>, path: &Path) -> Result<Self, LedgerError> {
        let length = file.len().map_err(LedgerError::io("read", path))?;
        if length != JOURNAL_BYTES as u64 {
            // Written once, so that a record changes nothing but its own sectors.
            let made = file
                .set_len(JOURNAL_BYTES as u64)
                .and_then(|()| file.write(0, &vec![0; JOURNAL_BYTES]))
                .and_then(|()| file.sync_data());
            made.map_err(LedgerError::io("write", path))?;
        }
        Ok(Self { file, path: path.to_owned(), next: 0 })
    }

    /// Whether another record has room, however long it is.
    pub(super) fn has_room(&self) -> bool {
        self.next + RECORD_BYTES_MAX <= JOURNAL_BYTES
    }

    /// Writes a batch down; durable when it returns. `false`: it is too long for that, and nothing was written.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn append(
        &mut self,
        Pending { batch, prepared }: &Pending,
        head: &SignedHead,
    ) -> Result<bool, LedgerError> {
        let leaves: usize = prepared.leaves.iter().map(|(_, bytes)| bytes.len()).sum();
        let outcomes: usize = batch.outcomes.iter().map(|outcome| outcome.bytes.len()).sum();
        if !self.has_room() || leaves + outcomes > RECORD_BYTES_MAX {
            return Ok(false);
        }
        let body = codec::encode(&Body {
            first: prepared.first,
            entries: prepared.leaves.iter().map(|(_, bytes)| ByteBuf::from(bytes.clone())).collect(),
            outcomes: batch
                .outcomes
                .iter()
                .map(|ShortOutcome { job, digest, bytes }| (*job, *digest, ByteBuf::from(bytes.clone())))
                .collect(),
            forget: batch.forget.clone(),
            head: *head,
        });
        let Some(length) =
            u32::try_from(body.len()).ok().filter(|_| body.len() <= RECORD_BYTES_MAX - PREFIX_BYTES)
        else {
            return Ok(false);
        };
        let mut record = vec![0; PREFIX_BYTES];
        record[32..PREFIX_BYTES].copy_from_slice(&length.to_le_bytes());
        record.extend(body);
        let checksum = leaf_digest(&record[32..]);
        record[..32].copy_from_slice(&checksum.0);
        // Whole sectors: what stood in the last one before is no part of a record.
        record.resize(record.len().next_multiple_of(SECTOR_BYTES), 0);
        let written = self.file.write(self.next as u64, &record).and_then(|()| self.file.sync_data());
        written.map_err(LedgerError::io("write", &self.path))?;
        self.next += record.len();
        Ok(true)
    }

    /// The database has everything: the next record goes to the start.
    pub(super) fn restart(&mut self) {
        self.next = 0;
    }

    /// Whether the database has everything that was written here.
    pub(super) fn is_empty(&self) -> bool {
        self.next == 0
    }

    /// Forgets what it holds, at an orderly end.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn clear(&mut self) -> Result<(), LedgerError> {
        self.next = 0;
        self.file.set_len(0).map_err(LedgerError::io("write", &self.path))
    }
}

/// The record that begins here, and its length; none where there is none, or a part of one.
fn read_record(bytes: &[u8]) -> Option<(Written, usize)> {
    let (checksum, rest) = bytes.split_first_chunk::<32>()?;
    let (length, body) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if length == 0 || length > RECORD_BYTES_MAX - PREFIX_BYTES {
        return None;
    }
    let body = body.get(..length)?;
    if leaf_digest(&rest[..4 + length]).0 != *checksum {
        return None;
    }
    let Body { first, entries, outcomes, forget, head } =
        codec::decode("journal record", body, RECORD_BYTES_MAX).ok()?;
    let entries = entries.iter().map(|bytes| Entry::from_bytes(bytes).ok()).collect::<Option<Vec<_>>>()?;
    let outcomes = outcomes.into_iter().map(|(job, digest, bytes)| {
        let bytes = bytes.into_vec();
        ShortOutcome { job, digest, bytes }
    });
    let batch = Batch { entries, outcomes: outcomes.collect(), forget };
    Some((Written { first, batch, head }, PREFIX_BYTES + length))
}
