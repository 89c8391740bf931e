//! The accepted outcomes: short ones in memory, long ones as files named by their digest.
//!
//! Whatever is read back is whole or absent: a file appears under its name only when it is complete. Jobs share an
//! outcome that they have in common, and it stays until the last of them has forgotten it.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use protocol::{digest::Digest, limits::INLINE_OUTCOME_BYTES_MAX, outcome::Outcome};
use transport::blob::Blob;

/// The accepted outcomes of one coordinator.
#[derive(Debug)]
pub struct AcceptedOutcomes {
    folder: PathBuf,
    kept: RwLock<HashMap<Digest, Kept>>,
}

#[derive(Debug)]
struct Kept {
    /// How often it was put and not removed.
    holders: u64,
    /// The bytes of a short one; a long one is a file.
    short: Option<Vec<u8>>,
}

impl AcceptedOutcomes {
    /// Opens the folder `outcomes` in a state directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let folder = state_dir.join("outcomes");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, kept: RwLock::default() })
    }

    /// Keeps an outcome under its digest, which the caller has checked, for one more holder. Blocks on the disk for
    /// long ones.
    ///
    /// # Errors
    /// When the disk refuses; then there is no further holder.
    pub fn put(&self, digest: Digest, bytes: Vec<u8>) -> io::Result<()> {
        let is_short = bytes.len() <= INLINE_OUTCOME_BYTES_MAX;
        let file = if is_short {
            None
        } else {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            io::Write::write_all(&mut file, &bytes)?;
            // What is named in the ledger must outlive a loss of power too.
            file.as_file().sync_data()?;
            Some(file)
        };
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get_mut(&digest) {
            known.holders += 1;
            return Ok(());
        }
        if let Some(file) = file {
            file.persist(self.path(&digest)).map_err(|error| error.error)?;
        }
        kept.insert(digest, Kept { holders: 1, short: is_short.then_some(bytes) });
        Ok(())
    }

    /// Takes over, for one more holder, a long outcome that an earlier run of the program left here; false where it is not
    /// there, or not whole. Blocks on the disk.
    pub fn adopt(&self, digest: Digest) -> bool {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get_mut(&digest) {
            known.holders += 1;
            return true;
        }
        let is_whole =
            fs::read(self.path(&digest)).is_ok_and(|bytes| Outcome::digest_of_bytes(&bytes) == digest);
        if is_whole {
            kept.insert(digest, Kept { holders: 1, short: None });
        }
        is_whole
    }

    /// Removes what an earlier run of the program left and nobody has taken over.
    pub fn remove_strays(&self) {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let digest = name.to_str().and_then(Digest::from_hex);
            let is_kept = |digest: Digest| kept.get(&digest).is_some_and(|known| known.short.is_none());
            if !digest.is_some_and(is_kept) {
                // What cannot be removed only takes room.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// The outcome with this digest. Blocks on the disk for long ones.
    pub fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.short(digest).or_else(|| fs::read(self.path(digest)).ok())
    }

    /// The outcome with this digest if it is a short one; never blocks.
    pub fn short(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).get(digest)?.short.clone()
    }

    /// The outcome with this digest as a blob, without holding a long one in memory.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn open_blob(&self, digest: &Digest) -> io::Result<Option<Blob>> {
        match self.short(digest) {
            Some(bytes) => Ok(Some(Blob::Memory(bytes.into()))),
            None => Blob::from_file(&self.path(digest)).await,
        }
    }

    /// One holder needs an outcome no longer; with the last one it is gone.
    pub fn remove(&self, digest: &Digest) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = kept.get_mut(digest) else { return };
        known.holders -= 1;
        if known.holders == 0 && kept.remove(digest).is_some_and(|known| known.short.is_none()) {
            // A file that somebody has removed already is as good as removed.
            let _ = fs::remove_file(self.path(digest));
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_that_jobs_share_stays_until_the_last_has_forgotten_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let outcomes = AcceptedOutcomes::open(folder.path()).expect("a fresh folder");
        for length in [10, INLINE_OUTCOME_BYTES_MAX + 1] {
            let bytes = vec![7; length];
            let digest = Outcome::digest_of_bytes(&bytes);
            outcomes.put(digest, bytes.clone()).expect("room");
            outcomes.put(digest, bytes.clone()).expect("room");
            outcomes.remove(&digest);
            assert_eq!(outcomes.get(&digest), Some(bytes));
            outcomes.remove(&digest);
            assert_eq!(outcomes.get(&digest), None);
            outcomes.remove(&digest);
        }
        assert_eq!(fs::read_dir(folder.path().join("outcomes")).expect("the folder").count(), 0);
    }
}
