//! The tables of the database and what their rows hold.

use protocol::{digest::Digest, job::JobId, ledger::Entry, merkle::leaf_digest};
use redb::TableDefinition;

/// What this program writes; another layout is another number under [`LAYOUT_KEY`].
pub(super) const LAYOUT: u32 = 1;
/// The row of [`META`] with the layout.
pub(super) const LAYOUT_KEY: &str = "layout";
/// Numbers about the database itself.
pub(super) const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
/// Position to the position again (8 bytes, little-endian), the leaf's digest (32 bytes) and the entry's canonical bytes. The
/// digests are the even nodes of the tree; the position shows where damage leads to another entry's row.
pub(super) const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
/// The odd nodes of the tree, those above the leaves, by their number.
pub(super) const NODES: TableDefinition<'_, u64, &[u8; 32]> = TableDefinition::new("nodes");
/// Size to the signed head of that size; see [`super::store`] for which are kept.
pub(super) const HEADS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("heads");
/// A job to its [`JobRow`].
pub(super) const JOBS: TableDefinition<'_, &[u8; 16], &[u8; JOB_ROW_BYTES]> = TableDefinition::new("jobs");
/// A job and a number from 0 to the position of its entry with that number.
pub(super) const JOB_ENTRIES: TableDefinition<'_, (&[u8; 16], u64), u64> =
    TableDefinition::new("job entries");
/// A job and a digest to the bytes of a short accepted outcome.
pub(super) const OUTCOMES: TableDefinition<'_, (&[u8; 16], &[u8; 32]), &[u8]> =
    TableDefinition::new("outcomes");

const JOB_ROW_BYTES: usize = 17;

/// What the index says of a job. It carries a checksum: a job that a flipped bit hides would not be continued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct JobRow {
    /// How many entries are about it.
    pub(super) entries: u64,
    /// Whether one of them says that it is over.
    pub(super) over: bool,
}

impl JobRow {
    pub(super) fn to_bytes(self, job: JobId) -> [u8; JOB_ROW_BYTES] {
        let mut bytes = [0; JOB_ROW_BYTES];
        bytes[..8].copy_from_slice(&self.entries.to_le_bytes());
        bytes[8] = u8::from(self.over);
        let checksum = row_checksum(job, &bytes[..9]);
        bytes[9..].copy_from_slice(&checksum);
        bytes
    }

    /// The row, or nothing where it is not the one that was written for this job.
    pub(super) fn from_bytes(job: JobId, bytes: &[u8; JOB_ROW_BYTES]) -> Option<Self> {
        let (entries, _) = bytes.split_first_chunk::<8>()?;
        let row = Self { entries: u64::from_le_bytes(*entries), over: bytes[8] == 1 };
        (row.to_bytes(job) == *bytes).then_some(row)
    }
}

fn row_checksum(job: JobId, row: &[u8]) -> [u8; 8] {
    let digest = leaf_digest(&[&job.0[..], row].concat());
    let mut checksum = [0; 8];
    checksum.copy_from_slice(&digest.0[..8]);
    checksum
}

/// Bytes of a row of [`ENTRIES`] before the entry.
pub(super) const ENTRY_PREFIX_BYTES: usize = 8 + 32;

/// What stands before the entry in a row of [`ENTRIES`].
pub(super) fn row_prefix(position: u64, digest: &Digest) -> [u8; ENTRY_PREFIX_BYTES] {
    let mut prefix = [0; ENTRY_PREFIX_BYTES];
    prefix[..8].copy_from_slice(&position.to_le_bytes());
    prefix[8..].copy_from_slice(&digest.0);
    prefix
}

/// The digest of the leaf and the entry's bytes, from a row of [`ENTRIES`]; none where it is not the row of this position.
pub(super) fn split_row(position: u64, row: &[u8]) -> Option<(Digest, &[u8])> {
    let (written_for, rest) = row.split_first_chunk::<8>()?;
    let (digest, bytes) = rest.split_first_chunk::<32>()?;
    (*written_for == position.to_le_bytes()).then_some((Digest(*digest), bytes))
}

/// The entry in a row of [`ENTRIES`], or what is wrong with the row.
pub(super) fn read_entry(position: u64, row: &[u8]) -> Result<Entry, String> {
    let (digest, bytes) =
        split_row(position, row).ok_or_else(|| format!("what stands for entry {position} is another row"))?;
    if leaf_digest(bytes) != digest {
        return Err(format!("entry {position} does not have its digest"));
    }
    Entry::from_bytes(bytes).map_err(|error| format!("entry {position} cannot be read: {error}"))
}
