//! What provers gave for the audits that are under way: files that last as long as somebody may ask for them.
//!
//! A witness is several times as long as the outcome, and of no use once its outcome is decided. Nothing of it outlives the
//! coordinator: a task that is open after a restart is computed anew.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use protocol::{digest::Digest, identity::NodeId};
use transport::blob::Blob;

/// The witnesses of one coordinator.
#[derive(Debug)]
pub struct Witnesses {
    folder: PathBuf,
}

impl Witnesses {
    /// Opens the folder `witnesses` in a state directory, and removes what an earlier run left there.
    ///
    /// # Errors
    /// When it can be neither emptied nor made.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let folder = state_dir.join("witnesses");
        match fs::remove_dir_all(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Keeps what this prover gave for the outcome with this digest. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put(&self, outcome: Digest, prover: NodeId, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        io::Write::write_all(&mut file, bytes)?;
        file.persist(self.path(outcome, prover)).map(drop).map_err(|error| error.error)
    }

    /// It is not needed any more.
    pub fn remove(&self, outcome: Digest, prover: NodeId) {
        // A file that is not there is as good as removed.
        let _ = fs::remove_file(self.path(outcome, prover));
    }

    /// The witness as a blob, if it is here.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn open_blob(&self, outcome: Digest, prover: NodeId) -> io::Result<Option<Blob>> {
        Blob::from_file(&self.path(outcome, prover)).await
    }

    fn path(&self, outcome: Digest, prover: NodeId) -> PathBuf {
        self.folder.join(format!("{outcome}-{prover}"))
    }
}
