//! What provers gave for the audits that are under way: in memory where there is room, else files, for as long as somebody may
//! ask for them.
//!
//! A witness is several times as long as the outcome, and of no use once its outcome is decided. Nothing of it outlives the
//! coordinator: a task that is open after a restart is computed anew.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use protocol::{digest::Digest, identity::NodeId};
use transport::blob::Blob;

/// How many bytes of witnesses are kept in memory together.
const MEMORY_BYTES_MAX: usize = 128 * 1024 * 1024;

/// The witnesses of one coordinator.
#[derive(Debug)]
pub struct Witnesses {
    folder: PathBuf,
    /// Those that are no files.
    in_memory: Mutex<HashMap<(Digest, NodeId), Vec<Bytes>>>,
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
        Ok(Self { folder, in_memory: Mutex::default() })
    }

    fn in_memory(&self) -> MutexGuard<'_, HashMap<(Digest, NodeId), Vec<Bytes>>> {
        self.in_memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what this prover gave for the outcome with this digest, in the pieces in which it lies. Blocks on the disk where there
    /// is no room in memory.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put(&self, outcome: Digest, prover: NodeId, pieces: Vec<Bytes>) -> io::Result<()> {
        self.remove(outcome, prover);
        let mut in_memory = self.in_memory();
        let length = |pieces: &[Bytes]| pieces.iter().map(Bytes::len).sum::<usize>();
        let held: usize = in_memory.values().map(|pieces| length(pieces)).sum();
        if length(&pieces) <= MEMORY_BYTES_MAX - held {
            in_memory.insert((outcome, prover), pieces);
            return Ok(());
        }
        drop(in_memory);
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        for piece in &pieces {
            io::Write::write_all(&mut file, piece)?;
        }
        file.persist(self.path(outcome, prover)).map(drop).map_err(|error| error.error)
    }

    /// It is not needed any more.
    pub fn remove(&self, outcome: Digest, prover: NodeId) {
        if self.in_memory().remove(&(outcome, prover)).is_some() {
            return;
        }
        // A file that is not there is as good as removed.
        let _ = fs::remove_file(self.path(outcome, prover));
    }

    /// The witness, if it is in memory.
    pub fn at_hand(&self, outcome: Digest, prover: NodeId) -> Option<Vec<Bytes>> {
        self.in_memory().get(&(outcome, prover)).cloned()
    }

    /// The witness as a blob, if it is here.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn open_blob(&self, outcome: Digest, prover: NodeId) -> io::Result<Option<Blob>> {
        match self.at_hand(outcome, prover) {
            Some(pieces) => Ok(Some(Blob::Pieces(pieces))),
            None => Blob::from_file(&self.path(outcome, prover)).await,
        }
    }

    fn path(&self, outcome: Digest, prover: NodeId) -> PathBuf {
        self.folder.join(format!("{outcome}-{prover}"))
    }
}

#[cfg(test)]
mod tests {
    use protocol::identity::SecretKey;

    use super::*;

    #[tokio::test]
    async fn witnesses_are_served_from_memory_or_a_file_until_they_are_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let witnesses = Witnesses::open(folder.path()).expect("a fresh folder");
        let prover = SecretKey::from_seed(&[1; 32]).node_id();
        let [long, short, last] = [1, 2, 3].map(|number| Digest([number; 32]));
        let files = || fs::read_dir(folder.path().join("witnesses")).expect("the folder").count();
        witnesses
            .put(long, prover, vec![vec![7; MEMORY_BYTES_MAX - 9].into(), vec![7; 8].into()])
            .expect("room");
        witnesses.put(short, prover, vec![vec![8].into(), vec![8].into()]).expect("room on the disk");
        assert_eq!(files(), 1);
        for (name, length) in [(long, MEMORY_BYTES_MAX as u64 - 1), (short, 2)] {
            let blob = witnesses.open_blob(name, prover).await.expect("it is read").expect("it is there");
            assert_eq!(blob.length_bytes(), length);
        }
        witnesses.remove(long, prover);
        witnesses.put(last, prover, vec![vec![9; 2].into()]).expect("room");
        assert_eq!(files(), 1);
        for name in [short, last] {
            witnesses.remove(name, prover);
        }
        assert_eq!(files(), 0);
        for name in [long, short, last] {
            assert!(witnesses.open_blob(name, prover).await.expect("nothing is read").is_none());
        }
    }
}
