//! Disks that lose power, fill up and rot: the three files of a ledger as bytes in memory, and everything written to them.

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
};

use coordinator::ledger::{Files, Ledger, LedgerError, Storage};
use redb::StorageBackend;

use crate::log::key;

/// The bytes of the database, of the mark beside it, and of the journal.
pub(crate) type Images = [Vec<u8>; 3];

/// Something that happened to one of the files.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Write {
        file: usize,
        offset: usize,
        bytes: Vec<u8>,
    },
    SetLength {
        file: usize,
        length: usize,
    },
    Sync {
        file: usize,
    },
    /// So many entries were acknowledged.
    Acknowledged(u64),
}

/// Three files in memory.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) files: Images,
    pub(crate) operations: Vec<Operation>,
    /// Whether to note the operations.
    pub(crate) recording: bool,
    /// How many bytes may still be written.
    pub(crate) room: Option<usize>,
}

/// A disk that the files share.
pub(crate) type SharedDisk = Arc<Mutex<Disk>>;

#[derive(Debug)]
struct DiskFile {
    disk: SharedDisk,
    file: usize,
}

impl DiskFile {
    fn with<T>(&self, work: impl FnOnce(&mut Disk) -> io::Result<T>) -> io::Result<T> {
        work(&mut self.disk.lock().expect("no test panics while it holds the disk"))
    }
}

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        self.with(|disk| Ok(disk.files[self.file].len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|disk| {
            let start = usize::try_from(offset).map_err(io::Error::other)?;
            let end = start.checked_add(out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(disk.files[self.file].get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        self.with(|disk| disk.apply(Operation::SetLength { file: self.file, length }))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|disk| disk.apply(Operation::Sync { file: self.file }))
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.with(|disk| disk.apply(Operation::Write { file: self.file, offset, bytes: bytes.to_vec() }))
    }
}

impl Disk {
    /// A disk with these files.
    pub(crate) fn holding(files: Images) -> SharedDisk {
        Arc::new(Mutex::new(Self { files, ..Self::default() }))
    }

    fn apply(&mut self, operation: Operation) -> io::Result<()> {
        let needed = match &operation {
            Operation::Write { bytes, .. } => bytes.len(),
            Operation::SetLength { file, length } => length.saturating_sub(self.files[*file].len()),
            Operation::Sync { .. } | Operation::Acknowledged(_) => 0,
        };
        if let Some(room) = &mut self.room {
            *room = room.checked_sub(needed).ok_or(io::ErrorKind::StorageFull)?;
        }
        // A database that asks for this much has believed a length that was damaged.
        assert!(needed < 1 << 30, "{needed} bytes for a small ledger");
        replay(&mut self.files, &operation);
        if self.recording {
            self.operations.push(operation);
        }
        Ok(())
    }
}

/// Does to the files what was done.
pub(crate) fn replay(files: &mut Images, operation: &Operation) {
    match operation {
        Operation::Write { file, offset, bytes } => {
            let end = offset + bytes.len();
            if files[*file].len() < end {
                files[*file].resize(end, 0);
            }
            files[*file][*offset..end].copy_from_slice(bytes);
        }
        Operation::SetLength { file, length } => files[*file].resize(*length, 0),
        Operation::Sync { .. } | Operation::Acknowledged(_) => {}
    }
}

/// Opens the ledger on a disk.
pub(crate) fn open(disk: &SharedDisk) -> Result<Ledger, LedgerError> {
    let file = |file| DiskFile { disk: Arc::clone(disk), file };
    let storage = Storage { database: file(0), mark: file(1), journal: file(2) };
    Ledger::open_on(storage, Path::new("ledger.redb"), Files::in_memory(), &key())
}

/// The files as they are now.
pub(crate) fn images(disk: &SharedDisk) -> Images {
    disk.lock().expect("no test panics while it holds the disk").files.clone()
}

/// A small generator of choices: Sebastiano Vigna's splitmix64 (2015).
pub(crate) struct Choices(pub(crate) u64);

impl Choices {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ mixed >> 31) % bound.max(1) as u64).expect("below a usize")
    }
}
