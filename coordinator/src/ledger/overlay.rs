//! A database file that is only read: what opening it would write goes into memory instead.
//!
//! After a crash the database puts itself in order when it is opened. Whoever only looks must not do that: the file is
//! evidence, and may be a copy on a disk that takes no writes. Pages of 4 KiB that would change are held here.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    ops::Bound,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use redb::{BackendError, StorageBackend, backends::FileBackend};

use super::LedgerError;

const PAGE_BYTES: usize = 4096;

/// A file, and what would be written to it.
#[derive(Debug)]
pub(super) struct Overlay {
    file: FileBackend,
    changes: Mutex<Changes>,
}

#[derive(Debug)]
struct Changes {
    length: u64,
    /// How much of the file still shows; it may have been cut shorter, and grown again with zeros.
    file_length: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE_BYTES]>>,
}

impl Overlay {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self, LedgerError> {
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LedgerError::Absent { path: path.to_owned() },
            _ => LedgerError::io("open", path)(error),
        })?;
        let file = FileBackend::new(file).map_err(LedgerError::database("open", path))?;
        let length = file.len().map_err(LedgerError::io("read", path))?;
        let changes = Changes { length, file_length: length, pages: BTreeMap::new() };
        Ok(Self { file, changes: Mutex::new(changes) })
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// The bytes of a page as they are now.
    fn page(&self, number: u64, file: &FileBackend) -> io::Result<Box<[u8; PAGE_BYTES]>> {
        if let Some(page) = self.pages.get(&number) {
            return Ok(page.clone());
        }
        let mut page = Box::new([0; PAGE_BYTES]);
        let start = number * PAGE_BYTES as u64;
        let there = self.file_length.saturating_sub(start).min(PAGE_BYTES as u64);
        if let Some(there) = page.get_mut(..usize::try_from(there).unwrap_or(0))
            && !there.is_empty()
        {
            file.read(start, there)?;
        }
        Ok(page)
    }
}

/// The pages that `length` bytes from `offset` touch: the page, where in it, and where in the bytes.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        let within = usize::try_from(at % PAGE_BYTES as u64).unwrap_or(0);
        let range = done..(done + PAGE_BYTES - within).min(length);
        done = range.end;
        Some((at / PAGE_BYTES as u64, within, range))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.changes().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changes = self.changes();
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= changes.length);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        if changes.pages.is_empty() && end <= changes.file_length {
            drop(changes);
            return self.file.read(offset, out);
        }
        for (page, within, range) in pieces(offset, out.len()) {
            let length = range.len();
            out[range].copy_from_slice(&changes.page(page, &self.file)?[within..within + length]);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut changes = self.changes();
        changes.length = length;
        changes.file_length = changes.file_length.min(length);
        changes.pages.retain(|page, _| page * (PAGE_BYTES as u64) < length);
        let last = length / PAGE_BYTES as u64;
        if let Some(page) = changes.pages.get_mut(&last) {
            page[usize::try_from(length % PAGE_BYTES as u64).unwrap_or(0)..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut changes = self.changes();
        for (number, within, range) in pieces(offset, bytes.len()) {
            let mut page = changes.page(number, &self.file)?;
            page[within..within + range.len()].copy_from_slice(&bytes[range]);
            changes.pages.insert(number, page);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    // Whoever writes here changes no file: a lock that readers share is enough, and keeps a coordinator out.

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
