//! Expression files of jobs, kept beside the log under their digests: too long for an entry, and needed again when a
//! job goes on after a restart.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use protocol::{
    digest::{Digest, Domain},
    limits::EXPRESSION_FILE_BYTES_MAX,
};

use super::LedgerError;

/// The kept expression files of one ledger.
#[derive(Debug, Clone)]
pub struct Files(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Folder(PathBuf),
    Memory(Arc<RwLock<BTreeMap<Digest, Bytes>>>),
}

impl Files {
    /// Files in a folder, which is made with the first of them.
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self(Kind::Folder(folder))
    }

    /// Files that end with the program.
    #[must_use]
    pub fn in_memory() -> Self {
        Self(Kind::Memory(Arc::default()))
    }

    /// Keeps a file; durable when it returns, so that an entry may name it. Blocks on the disk.
    ///
    /// # Errors
    /// When it is too long, does not have the digest, or the disk refuses.
    pub fn put(&self, digest: Digest, bytes: Bytes) -> Result<(), LedgerError> {
        if bytes.len() as u64 > EXPRESSION_FILE_BYTES_MAX {
            let (bytes, limit_bytes) = (bytes.len() as u64, EXPRESSION_FILE_BYTES_MAX);
            return Err(LedgerError::TooLong { what: "an expression file", bytes, limit_bytes });
        }
        if Digest::of(Domain::ExpressionFile, &bytes) != digest {
            return Err(LedgerError::WrongDigest { what: "expression file" });
        }
        match &self.0 {
            Kind::Folder(folder) => {
                let path = folder.join(digest.to_string());
                put_file(folder, &path, &bytes).map_err(LedgerError::io("write", &path))
            }
            Kind::Memory(files) => {
                files.write().unwrap_or_else(PoisonError::into_inner).insert(digest, bytes);
                Ok(())
            }
        }
    }

    /// The file with this digest, checked against it; none where it is not kept. Blocks on the disk.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn get(&self, digest: &Digest) -> Result<Option<Bytes>, LedgerError> {
        match &self.0 {
            Kind::Folder(folder) => {
                let path = folder.join(digest.to_string());
                let file = match File::open(&path) {
                    Ok(file) => file,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(LedgerError::io("read", &path)(error)),
                };
                let mut bytes = Vec::new();
                let mut bounded = file.take(EXPRESSION_FILE_BYTES_MAX + 1);
                bounded.read_to_end(&mut bytes).map_err(LedgerError::io("read", &path))?;
                if Digest::of(Domain::ExpressionFile, &bytes) != *digest {
                    return Err(LedgerError::damaged(&path, "the file does not have the digest in its name"));
                }
                Ok(Some(bytes.into()))
            }
            Kind::Memory(files) => {
                let files = files.read().unwrap_or_else(PoisonError::into_inner);
                Ok(files.get(digest).cloned())
            }
        }
    }
}

fn put_file(folder: &std::path::Path, path: &std::path::Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)?;
    folder.parent().map_or(Ok(()), sync_folder)
}

/// Makes names in a folder durable. Windows does so by itself, and opens no folders as files.
pub(super) fn sync_folder(folder: &std::path::Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
