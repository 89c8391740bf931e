//! A plain model of the coordinator's disk: a log of which only what was synced survives a crash for certain.
//!
//! Entries are appended at once and synced later, all that have gathered by then together (a group commit). A crash keeps
//! what was synced, and of the rest the first so many entries, perhaps none: a log is written from front to back, and a
//! torn entry is none.

use protocol::ledger::{Entry, Record};

/// The log.
#[derive(Debug, Default)]
pub struct Disk {
    entries: Vec<Entry>,
    /// So many entries survive whatever happens.
    synced: usize,
    /// So many will, once the sync that is under way has ended.
    syncing: Option<usize>,
}

impl Disk {
    /// Appends an entry; its time is never before that of the entry above.
    pub fn append(&mut self, now_ms: u64, record: Record) {
        let at_ms = self.last_ms().max(now_ms);
        self.entries.push(Entry { at_ms, record });
    }

    /// The time of the last entry, in milliseconds; 0 where there is none.
    #[must_use]
    pub fn last_ms(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.at_ms)
    }

    /// How many entries were appended.
    #[must_use]
    pub fn appended(&self) -> usize {
        self.entries.len()
    }

    /// How many entries survive whatever happens.
    #[must_use]
    pub fn synced(&self) -> usize {
        self.synced
    }

    /// Begins a sync of everything that was appended, unless there is nothing to sync or a sync is under way: what comes
    /// meanwhile goes into the next one. Returns whether one began.
    pub fn begin_sync(&mut self) -> bool {
        if self.syncing.is_some() || self.synced == self.entries.len() {
            return false;
        }
        self.syncing = Some(self.entries.len());
        true
    }

    /// The sync that was under way has ended: returns what is durable since.
    pub fn end_sync(&mut self) -> &[Entry] {
        let before = self.synced;
        self.synced = self.syncing.take().unwrap_or(before);
        self.entries.get(before..self.synced).unwrap_or_default()
    }

    /// The machine that writes dies: of what was not synced, the first `kept` entries are there afterwards. Returns how many
    /// entries are lost.
    pub fn crash(&mut self, kept: usize) -> usize {
        let survive = self.synced.saturating_add(kept).min(self.entries.len());
        let lost = self.entries.len() - survive;
        self.entries.truncate(survive);
        self.synced = survive;
        self.syncing = None;
        lost
    }

    /// Everything that was appended and not lost.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use protocol::identity::NodeId;

    use super::*;

    fn record(number: u8) -> Record {
        Record::Revoked { node: NodeId([number; 32]) }
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_a_prefix_of_the_rest() {
        let mut disk = Disk::default();
        (0..3).for_each(|number| disk.append(5, record(number)));
        assert!(disk.begin_sync());
        disk.append(4, record(3));
        assert!(!disk.begin_sync(), "one sync at a time");
        assert_eq!(disk.end_sync().len(), 3);
        disk.append(7, record(4));
        assert!(disk.begin_sync());
        assert_eq!(disk.crash(1), 1);
        assert_eq!(disk.entries().last().map(|entry| &entry.record), Some(&record(3)));
        assert_eq!((disk.appended(), disk.synced(), disk.last_ms()), (4, 4, 5));
        assert!(disk.end_sync().is_empty(), "the sync died with its machine");
    }
}
