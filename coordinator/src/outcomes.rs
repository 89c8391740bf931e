//! The accepted outcomes: short ones in memory, those of tasks that come by the thousand as rows of the ledger's database,
//! long ones as files named by their digest.
//!
//! Whatever is read back is whole or absent: a file appears under its name only when it is complete, and a row is read once
//! the ledger has it; until then its bytes stay here. Jobs share an outcome that they have in common, and it stays until
//! the last of them has forgotten it. Where the ledger ends with the program, nothing need outlive it: long ones stay in memory
//! as well, as far as there is room.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use bytes::Bytes;
use protocol::{
    digest::Digest,
    job::JobId,
    limits::{INLINE_OUTCOME_BYTES_MAX, ROW_OUTCOME_BYTES_MAX},
    outcome::Outcome,
};
use tracing::warn;
use transport::blob::Blob;

use crate::ledger::{Durability, Reader, ShortOutcome};

/// How many bytes of long outcomes stay in memory together, where nothing need outlive the program.
const HELD_BYTES_MAX: usize = 128 * 1024 * 1024;

/// The accepted outcomes of one coordinator.
#[derive(Debug)]
pub struct AcceptedOutcomes {
    folder: PathBuf,
    ledger: Reader,
    /// How many bytes of long outcomes stay in memory.
    held_bytes_max: usize,
    kept: RwLock<HashMap<Digest, Kept>>,
}

#[derive(Debug)]
struct Kept {
    /// How often it was put and not removed.
    holders: u64,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// A short one.
    Memory(Bytes),
    /// One of middle length.
    Row {
        /// The jobs whose row the ledger has.
        rows: Vec<JobId>,
        /// The bytes, while a holder has no row.
        bytes: Option<Bytes>,
    },
    /// A long one.
    File,
    /// A long one that need not outlive the program.
    Held(Bytes),
}

impl Kept {
    /// What is read from the ledger need not be in memory.
    fn let_go(&mut self) {
        if let Place::Row { rows, bytes } = &mut self.place
            && rows.len() as u64 >= self.holders
        {
            *bytes = None;
        }
    }
}

impl AcceptedOutcomes {
    /// Opens the folder `outcomes` in a state directory; `ledger` has the rows, for as long as `durability` says.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(state_dir: &Path, ledger: Reader, durability: Durability) -> io::Result<Self> {
        let folder = state_dir.join("outcomes");
        fs::create_dir_all(&folder)?;
        let held_bytes_max = match durability {
            Durability::Synced => 0,
            Durability::Memory => HELD_BYTES_MAX,
        };
        Ok(Self { folder, ledger, held_bytes_max, kept: RwLock::default() })
    }

    /// Keeps an outcome under its digest, which the caller has checked, for one more holder. Blocks on the disk for
    /// long ones. One that [`AcceptedOutcomes::for_the_ledger`] has is to be written to the ledger.
    ///
    /// # Errors
    /// When the disk refuses; then there is no further holder.
    pub fn put(&self, digest: Digest, bytes: Bytes) -> io::Result<()> {
        let is_long = bytes.len() > ROW_OUTCOME_BYTES_MAX;
        let is_held = is_long && self.has_room_for(bytes.len());
        let file = if is_long && !is_held {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            io::Write::write_all(&mut file, &bytes)?;
            // What is named in the ledger must outlive a loss of power too.
            file.as_file().sync_data()?;
            Some(file)
        } else {
            None
        };
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get_mut(&digest) {
            known.holders += 1;
            if let Place::Row { bytes: unwritten, .. } = &mut known.place {
                *unwritten = Some(bytes);
            }
            return Ok(());
        }
        let place = match file {
            Some(file) => {
                file.persist(self.path(&digest)).map_err(|error| error.error)?;
                Place::File
            }
            None if is_held => Place::Held(bytes),
            None if bytes.len() <= INLINE_OUTCOME_BYTES_MAX => Place::Memory(bytes),
            None => Place::Row { rows: Vec::new(), bytes: Some(bytes) },
        };
        kept.insert(digest, Kept { holders: 1, place });
        Ok(())
    }

    /// Whether so many bytes of a long outcome may stay in memory.
    fn has_room_for(&self, count: usize) -> bool {
        if count > self.held_bytes_max {
            return false;
        }
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let held =
            kept.values().map(|known| if let Place::Held(bytes) = &known.place { bytes.len() } else { 0 });
        held.sum::<usize>() <= self.held_bytes_max - count
    }

    /// The ledger has the row of this job, which holds the outcome.
    pub fn written(&self, job: JobId, digest: &Digest) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = kept.get_mut(digest) else { return };
        if let Place::Row { rows, .. } = &mut known.place
            && !rows.contains(&job)
        {
            rows.push(job);
            known.let_go();
        }
    }

    /// Takes over, for one more holder, an outcome that the ledger has.
    pub fn restore(&self, outcome: ShortOutcome) {
        let ShortOutcome { job, digest, bytes } = outcome;
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let is_short = bytes.len() <= INLINE_OUTCOME_BYTES_MAX;
        let known = kept.entry(digest).or_insert_with(|| {
            let row = Place::Row { rows: Vec::new(), bytes: None };
            Kept { holders: 0, place: if is_short { Place::Memory(bytes.into()) } else { row } }
        });
        known.holders += 1;
        if let Place::Row { rows, .. } = &mut known.place {
            rows.push(job);
        }
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
            kept.insert(digest, Kept { holders: 1, place: Place::File });
        }
        is_whole
    }

    /// Removes what an earlier run of the program left and nobody has taken over.
    pub fn remove_strays(&self) {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let digest = name.to_str().and_then(Digest::from_hex);
            let is_kept =
                |digest: Digest| kept.get(&digest).is_some_and(|known| matches!(known.place, Place::File));
            if !digest.is_some_and(is_kept) {
                // What cannot be removed only takes room.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// The outcome with this digest. Blocks on the disk for those that are not in memory.
    pub fn get(&self, digest: &Digest) -> Option<Bytes> {
        match self.find(digest)? {
            Found::Memory(bytes) => Some(bytes),
            Found::Row(jobs) => row(&self.ledger, &jobs, digest),
            Found::File => fs::read(self.path(digest)).ok().map(Bytes::from),
        }
    }

    /// The outcome with this digest if it is in memory; never blocks.
    pub fn in_memory(&self, digest: &Digest) -> Option<Bytes> {
        match self.find(digest)? {
            Found::Memory(bytes) => Some(bytes),
            Found::Row(_) | Found::File => None,
        }
    }

    /// What the ledger is to have of the outcome with this digest: all of it, unless it is long.
    pub fn for_the_ledger(&self, digest: &Digest) -> Option<Bytes> {
        self.in_memory(digest).filter(|bytes| bytes.len() <= ROW_OUTCOME_BYTES_MAX)
    }

    /// The outcome with this digest as a blob, without holding a long one in memory.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn open_blob(&self, digest: &Digest) -> io::Result<Option<Blob>> {
        match self.find(digest) {
            None => Ok(None),
            Some(Found::Memory(bytes)) => Ok(Some(Blob::Memory(bytes))),
            Some(Found::Row(jobs)) => {
                let (ledger, digest) = (self.ledger.clone(), *digest);
                let read = tokio::task::spawn_blocking(move || row(&ledger, &jobs, &digest)).await;
                Ok(read.map_err(io::Error::other)?.map(Blob::Memory))
            }
            Some(Found::File) => Blob::from_file(&self.path(digest)).await,
        }
    }

    fn find(&self, digest: &Digest) -> Option<Found> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        Some(match &kept.get(digest)?.place {
            Place::Memory(bytes) | Place::Held(bytes) | Place::Row { bytes: Some(bytes), .. } => {
                Found::Memory(bytes.clone())
            }
            Place::Row { rows, bytes: None } => Found::Row(rows.clone()),
            Place::File => Found::File,
        })
    }

    /// One holder needs an outcome no longer; with the last one it is gone. `job` is the holder if the ledger has, or will
    /// have, its row.
    pub fn remove(&self, digest: &Digest, job: Option<JobId>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = kept.get_mut(digest) else { return };
        known.holders -= 1;
        if let Place::Row { rows, .. } = &mut known.place {
            rows.retain(|row| Some(*row) != job);
        }
        known.let_go();
        if known.holders == 0
            && let Some(Kept { place: Place::File, .. }) = kept.remove(digest)
        {
            // A file that somebody has removed already is as good as removed.
            let _ = fs::remove_file(self.path(digest));
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }
}

/// What the ledger has for one of these jobs. Blocks on the disk.
fn row(ledger: &Reader, jobs: &[JobId], digest: &Digest) -> Option<Bytes> {
    let read = |job: &JobId| match ledger.short_outcome(*job, *digest) {
        Ok(bytes) => bytes,
        Err(error) => {
            warn!(%error, "an accepted outcome cannot be read");
            None
        }
    };
    jobs.iter().find_map(read).map(Bytes::from)
}

/// Where an outcome is.
enum Found {
    Memory(Bytes),
    Row(Vec<JobId>),
    File,
}

#[cfg(test)]
mod tests {
    use protocol::identity::SecretKey;

    use super::*;
    use crate::ledger::{Batch, Durability, Ledger};

    const MIDDLE: usize = INLINE_OUTCOME_BYTES_MAX + 1;

    fn open(state_dir: &Path) -> (AcceptedOutcomes, Ledger) {
        let ledger =
            Ledger::open(state_dir, &SecretKey::from_seed(&[7; 32]), Durability::Synced).expect("a ledger");
        let outcomes = AcceptedOutcomes::open(state_dir, ledger.reader().clone(), Durability::Synced);
        (outcomes.expect("a folder"), ledger)
    }

    fn outcome(length: usize) -> (Digest, Vec<u8>) {
        let bytes = vec![7; length];
        (Outcome::digest_of_bytes(&bytes), bytes)
    }

    /// Writes the row of a job to the ledger.
    fn write(ledger: &mut Ledger, job: JobId, (digest, bytes): (Digest, Vec<u8>)) {
        let outcomes = vec![ShortOutcome { job, digest, bytes }];
        ledger.append(&Batch { outcomes, ..Batch::default() }).expect("room");
    }

    #[test]
    fn an_outcome_that_jobs_share_stays_until_the_last_has_forgotten_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (outcomes, _ledger) = open(folder.path());
        for length in [10, MIDDLE, ROW_OUTCOME_BYTES_MAX + 1] {
            let (digest, bytes) = outcome(length);
            outcomes.put(digest, bytes.clone().into()).expect("room");
            outcomes.put(digest, bytes.clone().into()).expect("room");
            outcomes.remove(&digest, None);
            assert_eq!(outcomes.get(&digest), Some(bytes.into()));
            outcomes.remove(&digest, None);
            assert_eq!(outcomes.get(&digest), None);
            outcomes.remove(&digest, None);
        }
        assert_eq!(fs::read_dir(folder.path().join("outcomes")).expect("the folder").count(), 0);
    }

    #[test]
    fn an_outcome_of_middle_length_leaves_memory_once_the_ledger_has_it_for_each_of_its_jobs() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (outcomes, mut ledger) = open(folder.path());
        let (digest, bytes) = outcome(MIDDLE);
        let [first, second] = [JobId([1; 16]), JobId([2; 16])];
        for job in [first, second] {
            outcomes.put(digest, bytes.clone().into()).expect("room");
            assert!(outcomes.in_memory(&digest).is_some(), "the row of {job} is not written");
            write(&mut ledger, job, (digest, bytes.clone()));
            outcomes.written(job, &digest);
            assert!(outcomes.in_memory(&digest).is_none());
            assert_eq!(outcomes.get(&digest), Some(bytes.clone().into()));
        }
        outcomes.remove(&digest, Some(first));
        ledger.append(&Batch { forget: vec![first], ..Batch::default() }).expect("room");
        assert_eq!(outcomes.get(&digest), Some(bytes.into()));
        outcomes.remove(&digest, Some(second));
        assert_eq!(outcomes.get(&digest), None);
    }

    #[test]
    fn an_outcome_that_came_twice_for_one_job_leaves_memory_all_the_same() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (outcomes, mut ledger) = open(folder.path());
        let (digest, bytes) = outcome(MIDDLE);
        let job = JobId([1; 16]);
        outcomes.put(digest, bytes.clone().into()).expect("room");
        write(&mut ledger, job, (digest, bytes.clone()));
        outcomes.put(digest, bytes.clone().into()).expect("room");
        outcomes.written(job, &digest);
        outcomes.remove(&digest, None);
        assert!(outcomes.in_memory(&digest).is_none());
        assert_eq!(outcomes.get(&digest), Some(bytes.into()));
    }

    #[test]
    fn what_the_ledger_has_is_found_after_a_restart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (_, mut ledger) = open(folder.path());
        let job = JobId([1; 16]);
        for length in [10, MIDDLE] {
            write(&mut ledger, job, outcome(length));
        }
        drop(ledger);
        let (outcomes, ledger) = open(folder.path());
        for row in ledger.reader().short_outcomes(job).expect("the rows") {
            outcomes.restore(row.expect("a row"));
        }
        for length in [10, MIDDLE] {
            let (digest, bytes) = outcome(length);
            assert_eq!(outcomes.in_memory(&digest).is_some(), length == 10);
            assert_eq!(outcomes.get(&digest), Some(bytes.into()));
        }
    }

    #[test]
    fn long_outcomes_stay_in_memory_as_far_as_there_is_room_where_the_ledger_ends_with_the_program() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (_, ledger) = open(folder.path());
        let outcomes = AcceptedOutcomes::open(folder.path(), ledger.reader().clone(), Durability::Memory);
        let outcomes = outcomes.expect("a folder");
        let files = || fs::read_dir(folder.path().join("outcomes")).expect("the folder").count();
        let [held, on_disk, after] =
            [HELD_BYTES_MAX - 1, ROW_OUTCOME_BYTES_MAX + 1, ROW_OUTCOME_BYTES_MAX + 2].map(outcome);
        for (digest, bytes) in [&held, &on_disk] {
            outcomes.put(*digest, bytes.clone().into()).expect("room");
        }
        assert_eq!(files(), 1);
        assert_eq!(outcomes.in_memory(&held.0).map(|bytes| bytes.len()), Some(held.1.len()));
        assert!(outcomes.in_memory(&on_disk.0).is_none());
        assert!(outcomes.for_the_ledger(&held.0).is_none(), "the ledger has only its name");
        outcomes.remove(&held.0, None);
        assert!(outcomes.get(&held.0).is_none());
        outcomes.put(after.0, after.1.clone().into()).expect("room");
        assert!(outcomes.in_memory(&after.0).is_some() && files() == 1);
        assert_eq!(outcomes.get(&on_disk.0), Some(on_disk.1.clone().into()));
    }
}
