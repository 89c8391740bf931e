//! The accepted outcomes: short ones in memory, long ones as files named by their digest.
//!
//! Whatever is read back is whole or absent: a file appears under its name only when it is complete.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use protocol::{digest::Digest, limits::INLINE_OUTCOME_BYTES_MAX};
use transport::blob::Blob;

/// The accepted outcomes of one coordinator.
#[derive(Debug)]
pub struct AcceptedOutcomes {
    folder: PathBuf,
    short: RwLock<HashMap<Digest, Vec<u8>>>,
}

impl AcceptedOutcomes {
    /// Opens the folder `outcomes` in a state directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let folder = state_dir.join("outcomes");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, short: RwLock::default() })
    }

    /// Keeps an outcome under its digest, which the caller has checked. Blocks on the disk for long ones.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put(&self, digest: Digest, bytes: Vec<u8>) -> io::Result<()> {
        if bytes.len() <= INLINE_OUTCOME_BYTES_MAX {
            self.short.write().unwrap_or_else(PoisonError::into_inner).insert(digest, bytes);
            return Ok(());
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        io::Write::write_all(&mut file, &bytes)?;
        file.persist(self.path(&digest)).map_err(|error| error.error)?;
        Ok(())
    }

    /// The outcome with this digest. Blocks on the disk for long ones.
    pub fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        if let Some(bytes) = self.short.read().unwrap_or_else(PoisonError::into_inner).get(digest) {
            return Some(bytes.clone());
        }
        fs::read(self.path(digest)).ok()
    }

    /// The outcome with this digest as a blob, without holding a long one in memory.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn open_blob(&self, digest: &Digest) -> io::Result<Option<Blob>> {
        let short = self.short.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        match short {
            Some(bytes) => Ok(Some(Blob::Memory(bytes.into()))),
            None => Blob::from_file(&self.path(digest)).await,
        }
    }

    /// Forgets an outcome.
    pub fn remove(&self, digest: &Digest) {
        if self.short.write().unwrap_or_else(PoisonError::into_inner).remove(digest).is_none() {
            // It may be gone already, or be shared by two jobs of which one forgot it first.
            let _ = fs::remove_file(self.path(digest));
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }
}
