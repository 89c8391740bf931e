//! The mark: the last acknowledged head, in a small file of its own beside the database.
//!
//! After a crash the database goes back to its last whole commit, and it cannot tell a commit that a crash cut short
//! from one that was damaged later. The mark can: it is written after a commit is durable and before the next one begins,
//! so a ledger that holds less than the mark says has lost something. What was acknowledged and not yet marked is the
//! last commit at most, for the moment that the mark takes. Two slots take turns, each with its checksum: a write that is
//! cut short leaves the other one. For batches that only the journal has, one slot is written again and again without
//! waiting for the disk; the other one stays what the disk has for certain.

use std::path::{Path, PathBuf};

use protocol::{codec, ledger::SignedHead, merkle::leaf_digest};
use redb::StorageBackend;

use super::LedgerError;

/// Where the second slot begins: a sector of its own.
const SLOT_BYTES: usize = 512;
/// Bytes of a slot before the head: its checksum and its length.
const PREFIX_BYTES: usize = 32 + 2;

/// The file with the mark.
#[derive(Debug)]
pub(super) struct Mark {
    file: Box<dyn StorageBackend>,
    path: PathBuf,
    /// The slot that the next head goes to.
    next: usize,
    /// Whether the file has its length. It is asked for once: a file system that was asked for the times of a file gives it a
    /// new one with its next write, and has that to write as well.
    is_whole: bool,
}

impl Mark {
    /// Opens the mark and reads the last acknowledged head; none where nothing readable is there.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn open(
        file: Box<dyn StorageBackend>,
        path: &Path,
    ) -> Result<(Self, Option<SignedHead>), LedgerError> {
        let length = file.len().map_err(LedgerError::io("read", path))?;
        let there = usize::try_from(length).unwrap_or(usize::MAX).min(2 * SLOT_BYTES);
        let mut bytes = vec![0; there];
        file.read(0, &mut bytes).map_err(LedgerError::io("read", path))?;
        bytes.resize(2 * SLOT_BYTES, 0);
        let (first, second) = bytes.split_at(SLOT_BYTES);
        let (next, head) = match (read_slot(first), read_slot(second)) {
            (Some(first), Some(second)) if second.head.tree.size > first.head.tree.size => (0, Some(second)),
            (Some(first), _) => (1, Some(first)),
            (None, second) => (0, second),
        };
        let is_whole = length == 2 * SLOT_BYTES as u64;
        Ok((Self { file, path: path.to_owned(), next, is_whole }, head))
    }

    /// Writes down that the database holds what `head` names; durable when it returns.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn set(&mut self, head: &SignedHead) -> Result<(), LedgerError> {
        let written = self.write(head).and_then(|()| self.file.sync_data());
        written.map_err(LedgerError::io("write", &self.path))?;
        self.next = 1 - self.next;
        Ok(())
    }

    /// As [`Mark::set`], durable some time later. What was set last stays beside it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn note(&mut self, head: &SignedHead) -> Result<(), LedgerError> {
        self.write(head).map_err(LedgerError::io("write", &self.path))
    }

    fn write(&mut self, head: &SignedHead) -> std::io::Result<()> {
        let mut slot = vec![0; PREFIX_BYTES];
        slot.extend(codec::encode(head));
        let length = u16::try_from(slot.len() - PREFIX_BYTES).unwrap_or(u16::MAX);
        slot[32..PREFIX_BYTES].copy_from_slice(&length.to_le_bytes());
        let checksum = leaf_digest(&slot[32..]);
        slot[..32].copy_from_slice(&checksum.0);
        if !self.is_whole {
            self.file.set_len(2 * SLOT_BYTES as u64)?;
            self.is_whole = true;
        }
        self.file.write((self.next * SLOT_BYTES) as u64, &slot)
    }
}

fn read_slot(slot: &[u8]) -> Option<SignedHead> {
    let (checksum, rest) = slot.split_first_chunk::<32>()?;
    let (length, _) = rest.split_first_chunk::<2>()?;
    let covered = rest.get(..2 + usize::from(u16::from_le_bytes(*length)))?;
    if leaf_digest(covered).0 != *checksum {
        return None;
    }
    codec::decode("ledger head", &covered[2..], SLOT_BYTES).ok()
}
