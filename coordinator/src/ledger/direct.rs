//! The journal's file: a short record goes to the disk itself, past the pages of the system.
//!
//! A record of the journal is written once, to a place that the file has already, and read again only after a crash. Written
//! with `O_DIRECT` and `O_DSYNC` it is durable when the call returns, by a single write that says so where the disk
//! understands that, and without a copy in the system's pages that would have to be looked for and marked clean. Where a
//! file system knows no such writes, or wants them longer than a sector, the file is written and synced in two steps as
//! any other.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use redb::{StorageBackend, backends::FileBackend};

use super::journal::{RECORD_BYTES_MAX, SECTOR_BYTES};

/// Where the bytes of a direct write begin in memory: at a page, which suits every disk.
const ALIGNMENT_BYTES: usize = 4096;

/// A file whose short writes are durable by themselves.
#[derive(Debug)]
pub(super) struct DirectFile {
    file: FileBackend,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// None where the file system cannot.
    direct: Option<Direct>,
    /// Whether something was written in the usual way since the last sync.
    is_unsynced: bool,
}

/// The file once more, opened for direct writes, and room for one of them.
#[derive(Debug)]
struct Direct {
    file: File,
    room: Vec<u8>,
}

impl DirectFile {
    /// Opens a file, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened for reading and writing.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let file = FileBackend::new(file).map_err(io::Error::other)?;
        let direct = open_direct(path).ok();
        let direct = direct.map(|file| Direct { file, room: vec![0; RECORD_BYTES_MAX + ALIGNMENT_BYTES] });
        Ok(Self { file, state: Mutex::new(State { direct, is_unsynced: false }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(target_os = "linux")]
fn open_direct(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use nix::fcntl::OFlag;

    OpenOptions::new().write(true).custom_flags((OFlag::O_DIRECT | OFlag::O_DSYNC).bits()).open(path)
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Direct {
    /// Writes whole sectors; they are durable when this returns.
    #[cfg(target_os = "linux")]
    fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        use std::os::unix::fs::FileExt;

        let start = self.room.as_ptr().align_offset(ALIGNMENT_BYTES);
        let Some(room) = self.room.get_mut(start..start.saturating_add(bytes.len())) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        room.copy_from_slice(bytes);
        self.file.write_all_at(room, offset)
    }

    #[cfg(not(target_os = "linux"))]
    fn write(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// Whether the file system or the disk takes no such write, rather than failing at it.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

impl StorageBackend for DirectFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.state().is_unsynced = true;
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.is_unsynced {
            self.file.sync_data()?;
            state.is_unsynced = false;
        }
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let is_short = bytes.len() <= RECORD_BYTES_MAX;
        let is_whole = bytes.len().is_multiple_of(SECTOR_BYTES) && offset.is_multiple_of(SECTOR_BYTES as u64);
        if let Some(direct) = state.direct.as_mut().filter(|_| is_short && is_whole) {
            match direct.write(offset, bytes) {
                Err(error) if is_refusal(&error) => state.direct = None,
                written => return written,
            }
        }
        state.is_unsynced = true;
        self.file.write(offset, bytes)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_whichever_way_it_went() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let file = DirectFile::open(&path).expect("opens");
        let mut expected = vec![7; 256 * 1024];
        file.set_len(expected.len() as u64).expect("grows");
        file.write(0, &expected).expect("a long write");
        file.sync_data().expect("syncs");
        for (at, length, value) in [(512, 1536, 1), (4096, 512, 2), (1000, 100, 3), (8192, 32 * 1024, 4)] {
            expected[at..at + length].fill(value);
            file.write(at as u64, &expected[at..at + length]).expect("writes");
            file.sync_data().expect("syncs");
            let mut read = vec![0; expected.len()];
            file.read(0, &mut read).expect("reads");
            assert!(read == expected, "{length} bytes at {at}");
        }
        drop(file);
        assert!(std::fs::read(&path).expect("is there") == expected);
    }

    #[test]
    fn a_file_that_refuses_direct_writes_is_written_in_the_usual_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let file = DirectFile::open(&path).expect("opens");
        // Without room it refuses, as a disk with long sectors does.
        let direct = Direct { file: File::open(&path).expect("opens"), room: Vec::new() };
        file.state().direct = Some(direct);
        file.write(0, &[5; SECTOR_BYTES]).expect("written all the same");
        assert!(file.state().direct.is_none() && file.state().is_unsynced);
        file.sync_data().expect("syncs");
        assert!(!file.state().is_unsynced);
        assert_eq!(std::fs::read(&path).expect("is there"), [5; SECTOR_BYTES]);
    }
}
