//! What a worker keeps: the outcomes that it voted for, until they are corrected or old.
//!
//! Long outcomes are files named by their task, so that a correction replaces the very file that was wrong. Short ones, and
//! those of tasks that come by the thousand, stay in memory: a file for each would cost more than computing it. Both are
//! bounded; the oldest go first. Where nothing need outlive the worker, long ones stay in memory too, as far as there is room.

use std::{
    collections::{HashMap, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use protocol::{
    digest::Digest,
    limits::{INLINE_OUTCOME_BYTES_MAX, ROW_OUTCOME_BYTES_MAX},
    message::BlobName,
    outcome::Outcome,
    task::{Task, TaskId},
};
use transport::blob::{Blob, BlobSource, Neighbour};

use crate::traces::Traces;

/// How many long outcomes are kept.
const FILES_MAX: usize = 256;
/// How many outcomes are kept in memory.
const MEMORY_MAX: usize = 16 * 1024;
/// How many bytes they have together.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How many witnesses are kept: each is several times as long as its outcome, and asked for soon or never.
const WITNESSES_MAX: usize = 8;
/// How many bytes of them are kept in memory together; the others are files.
const WITNESS_MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The outcomes of one worker.
#[derive(Debug)]
pub struct OutcomeStore {
    folder: PathBuf,
    /// What audits of outcomes need and memory has no room for, in files named by the outcome's digest.
    witnesses: PathBuf,
    /// Whether long outcomes must outlive the worker.
    outlives: bool,
    kept: Mutex<Kept>,
    traces: Traces,
}

/// What an outcome is to its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// One of many, and quickly computed again.
    OneOfMany,
    /// All of it, or a part that took long.
    Alone,
}

impl Role {
    /// Where the outcome of `task` belongs.
    #[must_use]
    pub fn of(task: &Task) -> Self {
        match task {
            Task::Expressions { .. } => Self::OneOfMany,
            Task::Digits { .. } | Task::Series { .. } | Task::Range { .. } | Task::HexTerms(_) => Self::Alone,
        }
    }

    /// What is longer is a file.
    fn memory_bytes_max(self) -> usize {
        match self {
            Self::OneOfMany => ROW_OUTCOME_BYTES_MAX,
            Self::Alone => INLINE_OUTCOME_BYTES_MAX,
        }
    }
}

#[derive(Debug, Default)]
struct Kept {
    by_task: HashMap<TaskId, Entry>,
    by_digest: HashMap<Digest, TaskId>,
    files: VecDeque<TaskId>,
    in_memory: VecDeque<TaskId>,
    /// Of what is in memory.
    bytes: usize,
    /// Of which outcomes there are witnesses, the oldest first, with those that are no files.
    witnesses: VecDeque<(Digest, Option<Vec<Bytes>>)>,
}

#[derive(Debug)]
struct Entry {
    digest: Digest,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Bytes),
    File,
}

impl Place {
    /// What it takes in memory.
    fn bytes(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File => 0,
        }
    }
}

/// An outcome that could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep outcomes in {}: {source}; free some space or name another --state-dir", folder.display())]
pub struct StoreError {
    folder: PathBuf,
    source: io::Error,
}

impl OutcomeStore {
    /// Opens the folder `outcomes` in a worker's state directory, with what an earlier run left there. `outlives` says whether the
    /// next run must find what this one keeps.
    ///
    /// # Errors
    /// [`StoreError`] when the folder can be neither made nor read.
    pub fn open(state_dir: &Path, outlives: bool) -> Result<Self, StoreError> {
        let folder = state_dir.join("outcomes");
        let failed = |source| StoreError { folder: folder.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut kept = Kept::default();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let task = path.file_name().and_then(|name| name.to_str()).and_then(Digest::from_hex).map(TaskId);
            let Some(task) = task else { continue };
            let bytes = fs::read(&path).map_err(failed)?;
            kept.note(task, Outcome::digest_of_bytes(&bytes), Place::File);
        }
        let witnesses = state_dir.join("witnesses");
        // Whoever asked for them before a restart asks for the task again.
        match fs::remove_dir_all(&witnesses) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir_all(&witnesses).map_err(failed)?;
        Ok(Self { folder, witnesses, outlives, kept: Mutex::new(kept), traces: Traces::default() })
    }

    /// Keeps the outcome of a task in place of any earlier one.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses; then the earlier one stands.
    pub fn put(&self, task: TaskId, role: Role, digest: Digest, bytes: Vec<u8>) -> Result<(), StoreError> {
        let in_memory = bytes.len() <= role.memory_bytes_max() || self.has_room_for(bytes.len());
        // What stays in memory stays without the room that is left behind it, which no bound counts.
        let bytes = if in_memory { bytes.into_boxed_slice().into() } else { bytes.into() };
        self.put_in(in_memory, task, digest, bytes)
    }

    /// Whether so many bytes of a long outcome may stay in memory: in half of the room, so that short ones that come later do not
    /// drive it out.
    fn has_room_for(&self, count: usize) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        !self.outlives && kept.bytes.saturating_add(count) <= MEMORY_BYTES_MAX / 2
    }

    /// Puts the accepted outcome of a task where another one is.
    ///
    /// # Errors
    /// As [`OutcomeStore::put`].
    pub fn correct(&self, task: TaskId, accepted: Digest, bytes: Bytes) -> Result<(), StoreError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let was_in_memory =
            kept.by_task.get(&task).is_some_and(|entry| matches!(entry.place, Place::Memory(_)));
        drop(kept);
        let role = if was_in_memory { Role::OneOfMany } else { Role::Alone };
        self.put_in(bytes.len() <= role.memory_bytes_max(), task, accepted, bytes)
    }

    fn put_in(&self, in_memory: bool, task: TaskId, digest: Digest, bytes: Bytes) -> Result<(), StoreError> {
        let failed = |source| StoreError { folder: self.folder.clone(), source };
        let place = if in_memory {
            Place::Memory(bytes)
        } else {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(failed)?;
            io::Write::write_all(&mut file, &bytes).map_err(failed)?;
            file.persist(self.path(&task)).map_err(|error| failed(error.error))?;
            Place::File
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let was_file = kept.by_task.get(&task).is_some_and(|entry| matches!(entry.place, Place::File));
        if in_memory && was_file {
            fs::remove_file(self.path(&task)).map_err(failed)?;
        }
        for old in kept.note(task, digest, place) {
            // A file that is gone already is as good as removed.
            let _ = fs::remove_file(self.path(&old));
        }
        Ok(())
    }

    /// Keeps what an audit of the outcome with this digest needs, in the pieces in which it lies.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses.
    pub fn put_witness(&self, outcome: Digest, pieces: Vec<Bytes>) -> Result<(), StoreError> {
        let failed = |source| StoreError { folder: self.witnesses.clone(), source };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.forget_witnesses(&mut kept, |known, _| *known == outcome);
        self.forget_witnesses(&mut kept, |_, newer| newer >= WITNESSES_MAX);
        let in_memory = kept.witnesses.iter().filter_map(|(_, pieces)| pieces.as_deref());
        let held: usize = in_memory.map(length_of).sum();
        if length_of(&pieces) <= WITNESS_MEMORY_BYTES_MAX - held {
            kept.witnesses.push_back((outcome, Some(pieces)));
            return Ok(());
        }
        drop(kept);
        let mut file = tempfile::NamedTempFile::new_in(&self.witnesses).map_err(failed)?;
        for piece in &pieces {
            io::Write::write_all(&mut file, piece).map_err(failed)?;
        }
        file.persist(self.witness_path(&outcome)).map_err(|error| failed(error.error))?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.witnesses.push_back((outcome, None));
        Ok(())
    }

    /// Forgets those of which this is true, by their outcome and by how many there are from them on.
    fn forget_witnesses(&self, kept: &mut Kept, is_gone: impl Fn(&Digest, usize) -> bool) {
        let count = kept.witnesses.len();
        let mut number = 0;
        kept.witnesses.retain(|(outcome, bytes)| {
            let goes = is_gone(outcome, count - number);
            number += 1;
            if goes && bytes.is_none() {
                // A file that is gone already is as good as removed.
                let _ = fs::remove_file(self.witness_path(outcome));
            }
            !goes
        });
    }

    fn known_witness(&self, outcome: &Digest) -> Option<(Digest, Option<Vec<Bytes>>)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.witnesses.iter().find(|(known, _)| known == outcome).cloned()
    }

    async fn open_witness(&self, outcome: &Digest) -> io::Result<Option<Blob>> {
        let known = self.known_witness(outcome);
        match known {
            None => Ok(None),
            Some((_, Some(pieces))) => Ok(Some(Blob::Pieces(pieces))),
            Some((_, None)) => Blob::from_file(&self.witness_path(outcome)).await,
        }
    }

    fn witness_path(&self, outcome: &Digest) -> PathBuf {
        self.witnesses.join(outcome.to_string())
    }

    /// On which way its outcomes were computed.
    pub fn traces(&self) -> &Traces {
        &self.traces
    }

    /// The digest that is kept for a task.
    pub fn digest_of(&self, task: &TaskId) -> Option<Digest> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_task.get(task).map(|entry| entry.digest)
    }

    /// Where the outcome with this digest is.
    fn locate(&self, digest: &Digest) -> Option<Located> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let task = kept.by_digest.get(digest)?;
        Some(match &kept.by_task.get(task)?.place {
            Place::Memory(bytes) => Located::Memory(bytes.clone()),
            Place::File => Located::File(self.path(task)),
        })
    }

    fn path(&self, task: &TaskId) -> PathBuf {
        self.folder.join(task.to_string())
    }
}

/// How many bytes the pieces have together.
fn length_of(pieces: &[Bytes]) -> usize {
    pieces.iter().map(Bytes::len).sum()
}

enum Located {
    Memory(Bytes),
    File(PathBuf),
}

impl Neighbour for OutcomeStore {
    fn at_hand(&self, name: &BlobName) -> Option<Vec<Bytes>> {
        match name {
            BlobName::Outcome(digest) => match self.locate(digest)? {
                Located::Memory(bytes) => Some(vec![bytes]),
                Located::File(_) => None,
            },
            BlobName::Witness(outcome, _) => self.known_witness(outcome)?.1,
            BlobName::Task(_) | BlobName::Trace(..) | BlobName::Certificate(..) => None,
        }
    }
}

/// Outcomes are served as they stand on the disk; whoever receives one checks its digest.
impl BlobSource for OutcomeStore {
    async fn open(&self, name: BlobName) -> io::Result<Option<Blob>> {
        let digest = match name {
            BlobName::Outcome(digest) => digest,
            BlobName::Witness(outcome, _) => return self.open_witness(&outcome).await,
            BlobName::Trace(outcome, question) => {
                let answer = self.traces.answer(outcome, question).await?;
                return Ok(answer.map(|bytes| Blob::Memory(bytes.into())));
            }
            BlobName::Task(_) | BlobName::Certificate(..) => return Ok(None),
        };
        match self.locate(&digest) {
            None => Ok(None),
            Some(Located::Memory(bytes)) => Ok(Some(Blob::Memory(bytes))),
            Some(Located::File(path)) => Blob::from_file(&path).await,
        }
    }
}

impl Kept {
    /// Notes an outcome; returns the tasks whose files are to be removed to stay within the bounds.
    fn note(&mut self, task: TaskId, digest: Digest, place: Place) -> Vec<TaskId> {
        let is_file = matches!(place, Place::File);
        self.bytes += place.bytes();
        if let Some(before) = self.by_task.insert(task, Entry { digest, place }) {
            self.bytes -= before.place.bytes();
            self.unname(&before.digest, &task);
            let was_file = matches!(before.place, Place::File);
            if was_file != is_file {
                self.queue(was_file).retain(|kept| *kept != task);
                self.queue(is_file).push_back(task);
            }
        } else {
            self.queue(is_file).push_back(task);
        }
        self.by_digest.insert(digest, task);
        while self.in_memory.len() > MEMORY_MAX || self.bytes > MEMORY_BYTES_MAX {
            let Some(oldest) = self.in_memory.pop_front() else { break };
            self.forget(&oldest);
        }
        let mut removed = Vec::new();
        while self.files.len() > FILES_MAX {
            let Some(oldest) = self.files.pop_front() else { break };
            self.forget(&oldest);
            removed.push(oldest);
        }
        removed
    }

    fn queue(&mut self, of_files: bool) -> &mut VecDeque<TaskId> {
        if of_files { &mut self.files } else { &mut self.in_memory }
    }

    fn forget(&mut self, task: &TaskId) {
        if let Some(entry) = self.by_task.remove(task) {
            self.bytes -= entry.place.bytes();
            self.unname(&entry.digest, task);
        }
    }

    /// A task has this outcome no longer; another one with the same outcome keeps the name.
    fn unname(&mut self, digest: &Digest, task: &TaskId) {
        if self.by_digest.get(digest) == Some(task) {
            self.by_digest.remove(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: u8) -> TaskId {
        TaskId(Digest([number; 32]))
    }

    fn get(store: &OutcomeStore, digest: &Digest) -> Option<Vec<u8>> {
        match store.locate(digest)? {
            Located::Memory(bytes) => Some(bytes.to_vec()),
            Located::File(path) => fs::read(path).ok(),
        }
    }

    /// One that is kept as a file.
    fn long(byte: u8) -> Vec<u8> {
        vec![byte; ROW_OUTCOME_BYTES_MAX + 1]
    }

    fn put(store: &OutcomeStore, number: u8, bytes: &[u8]) -> Digest {
        let digest = Outcome::digest_of_bytes(bytes);
        store.put(task(number), Role::OneOfMany, digest, bytes.to_vec()).expect("the folder is there");
        digest
    }

    #[test]
    fn an_outcome_is_found_by_its_digest_until_it_is_replaced() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = OutcomeStore::open(folder.path(), true).expect("a fresh folder");
        for (wrong, right) in [(vec![1; 10], vec![2; 10]), (long(1), long(2)), (long(3), vec![4; 5])] {
            let before = put(&store, 7, &wrong);
            assert_eq!(get(&store, &before), Some(wrong));
            let after = put(&store, 7, &right);
            assert_eq!(get(&store, &before), None);
            assert_eq!(get(&store, &after), Some(right));
            assert_eq!(store.digest_of(&task(7)), Some(after));
        }
    }

    #[test]
    fn what_took_long_to_compute_is_a_file_and_so_is_what_replaces_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = OutcomeStore::open(folder.path(), true).expect("a fresh folder");
        let bytes = vec![1; INLINE_OUTCOME_BYTES_MAX + 1];
        store.put(task(1), Role::Alone, Outcome::digest_of_bytes(&bytes), bytes).expect("room");
        let right = vec![2; INLINE_OUTCOME_BYTES_MAX + 2];
        let accepted = Outcome::digest_of_bytes(&right);
        store.correct(task(1), accepted, right.clone().into()).expect("room");
        let again = OutcomeStore::open(folder.path(), true).expect("the same folder");
        assert_eq!(get(&again, &accepted), Some(right));
    }

    #[test]
    fn long_outcomes_survive_a_restart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let digest = put(&OutcomeStore::open(folder.path(), true).expect("a fresh folder"), 1, &long(5));
        let store = OutcomeStore::open(folder.path(), true).expect("the same folder");
        assert_eq!(get(&store, &digest), Some(long(5)));
    }

    /// Puts so many different outcomes of this length; the digest of the first.
    fn fill(store: &OutcomeStore, count: usize, length: usize) -> Digest {
        let put = |number: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_le_bytes());
            let bytes = [&id[..], &vec![9; length - id.len()]].concat();
            let digest = Outcome::digest_of_bytes(&bytes);
            store.put(TaskId(Digest(id)), Role::OneOfMany, digest, bytes).expect("room");
            digest
        };
        let oldest = put(0);
        for number in 1..count {
            put(number);
        }
        oldest
    }

    #[tokio::test]
    async fn witnesses_are_served_from_memory_or_a_file_and_the_oldest_make_room() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = OutcomeStore::open(folder.path(), true).expect("a fresh folder");
        let files = || fs::read_dir(folder.path().join("witnesses")).expect("the folder").count();
        let outcome = |number: u8| Digest([number; 32]);
        let length = async |number: u8| {
            let blob = store.open_witness(&outcome(number)).await.expect("it is read");
            blob.map(|blob| blob.length_bytes())
        };
        store.put_witness(outcome(0), vec![vec![1; WITNESS_MEMORY_BYTES_MAX - 8].into()]).expect("room");
        store.put_witness(outcome(1), vec![vec![2; 16].into()]).expect("room on the disk");
        assert_eq!((files(), length(0).await), (1, Some(WITNESS_MEMORY_BYTES_MAX as u64 - 8)));
        store
            .put_witness(outcome(1), vec![vec![3; 20].into(), vec![4; 12].into()])
            .expect("room on the disk");
        assert_eq!((files(), length(1).await), (1, Some(32)));
        for number in 2..10 {
            store.put_witness(outcome(number), vec![vec![number; 1].into()]).expect("room");
        }
        assert_eq!((length(0).await, length(1).await, length(2).await, files()), (None, None, Some(1), 0));
    }

    #[test]
    fn the_oldest_long_outcome_makes_room() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = OutcomeStore::open(folder.path(), true).expect("a fresh folder");
        let oldest = fill(&store, FILES_MAX + 1, ROW_OUTCOME_BYTES_MAX + 1);
        assert_eq!(get(&store, &oldest), None);
        assert_eq!(fs::read_dir(folder.path().join("outcomes")).expect("the folder").count(), FILES_MAX);
    }

    #[test]
    fn what_is_kept_in_memory_is_bounded_by_its_bytes_and_makes_no_files() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = OutcomeStore::open(folder.path(), true).expect("a fresh folder");
        let room = MEMORY_BYTES_MAX / ROW_OUTCOME_BYTES_MAX;
        let oldest = fill(&store, room, ROW_OUTCOME_BYTES_MAX);
        assert!(get(&store, &oldest).is_some());
        put(&store, 255, &[1]);
        assert_eq!(get(&store, &oldest), None);
        assert_eq!(fs::read_dir(folder.path().join("outcomes")).expect("the folder").count(), 0);
    }

    #[test]
    fn what_need_not_outlive_the_worker_stays_in_memory_while_there_is_room_and_is_handed_to_neighbours() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = OutcomeStore::open(folder.path(), false).expect("a fresh folder");
        let files = || fs::read_dir(folder.path().join("outcomes")).expect("the folder").count();
        let kept = |number: u8, length: usize| {
            let bytes = vec![number; length];
            let digest = Outcome::digest_of_bytes(&bytes);
            store.put(task(number), Role::Alone, digest, bytes).expect("room");
            digest
        };
        let handed =
            |digest: Digest| store.at_hand(&BlobName::Outcome(digest)).map(|pieces| length_of(&pieces));
        let (long, on_disk) = (kept(1, MEMORY_BYTES_MAX / 2), kept(2, ROW_OUTCOME_BYTES_MAX + 1));
        assert_eq!((files(), handed(long), handed(on_disk)), (1, Some(MEMORY_BYTES_MAX / 2), None));
        let witness: Vec<Bytes> = vec![vec![3; 8].into(), vec![4; 9].into()];
        store.put_witness(long, witness.clone()).expect("room");
        let prover = protocol::identity::SecretKey::from_seed(&[1; 32]).node_id();
        assert_eq!(store.at_hand(&BlobName::Witness(long, prover)), Some(witness));
        assert!(store.at_hand(&BlobName::Witness(on_disk, prover)).is_none());
        let short = kept(1, 8);
        assert_eq!((handed(long), handed(short), files()), (None, Some(8), 1));
    }
}
