//! Checkpoints on the disk: what long computations have finished, kept in the state directory until they end.
//!
//! Each task and formula has a folder, each piece a file in it, written beside its place, synced and renamed, so that a file
//! is whole or not there. A folder goes when its task has ended in any way but that the worker stopped: then it waits for
//! the task to be leased again, for some days at most. All of them together have a bound. A piece that the disk refuses is
//! not kept, and nobody fails for it; one that is damaged is told of and computed again.

use std::{
    collections::BTreeSet,
    fs, io,
    io::{BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use compute::{
    checkpoint::{Checkpoints, Event, Shelf},
    control::Control,
};
use protocol::{constant::Formula, task::TaskId};
use tracing::{debug, info, warn};

/// How much computing may be lost where nobody says otherwise.
pub const CHECKPOINT_EVERY_DEFAULT: Duration = Duration::from_secs(10);
/// Most bytes of checkpoints in a state directory: a billion digits of pi take about three at their longest, for a moment.
pub const CHECKPOINT_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Checkpoints that nobody came back to for so long are removed when a worker starts.
pub const CHECKPOINT_AGE_MAX: Duration = Duration::from_hours(7 * 24);

/// The name that a piece has while it is written.
const UNFINISHED: &str = "unfinished";

/// The checkpoints of one state directory.
#[derive(Debug)]
pub struct CheckpointStore {
    folder: PathBuf,
    every: Duration,
    bytes_max: u64,
    /// The folders of computations that run.
    in_use: Mutex<BTreeSet<String>>,
    /// Whether the worker stops: what is cancelled then is not given up.
    is_stopping: AtomicBool,
}

/// The checkpoints of a computation that runs. When it is dropped they are removed, unless the worker stops.
#[derive(Debug)]
pub struct Keeper {
    store: Arc<CheckpointStore>,
    name: String,
    /// Whether somebody else computes the same, and has the folder.
    is_spare: bool,
}

impl CheckpointStore {
    /// Opens the folder `checkpoints` in a state directory, without what is too old or was not finished. Nothing is written
    /// before a computation has lasted for `every`.
    pub fn open(state_dir: &Path, every: Duration) -> Arc<Self> {
        let store = Self {
            folder: state_dir.join("checkpoints"),
            every,
            bytes_max: CHECKPOINT_BYTES_MAX,
            in_use: Mutex::default(),
            is_stopping: AtomicBool::new(false),
        };
        let oldest = SystemTime::now().checked_sub(CHECKPOINT_AGE_MAX);
        for (folder, used) in store.folders() {
            if Some(used) < oldest {
                info!(folder = %folder.display(), "removing a checkpoint that nobody came back to");
                remove_folder(&folder);
            }
        }
        Arc::new(store)
    }

    /// Whether pieces can be written at all.
    ///
    /// # Errors
    /// What the system says of the folder.
    pub fn try_out(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        tempfile::tempfile_in(&self.folder).map(drop)
    }

    /// From now on, computations that end were not given up: the worker stops.
    pub fn keep_all(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Gives a computation the checkpoints of its task and formula; what is returned removes them in the end.
    #[must_use]
    pub fn lend(self: &Arc<Self>, control: &Control, task: &TaskId, formula: Formula) -> Keeper {
        let (checkpoints, keeper) = self.of(task, formula);
        control.keep_checkpoints(checkpoints);
        keeper
    }

    fn of(self: &Arc<Self>, task: &TaskId, formula: Formula) -> (Checkpoints, Keeper) {
        let name = format!("{task}-{formula}");
        let is_spare = !self.in_use.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        let lent = Folder { store: Arc::clone(self), path: self.folder.join(&name), is_spare };
        let keeper = Keeper { store: Arc::clone(self), name, is_spare };
        (Checkpoints::new(Arc::new(lent), self.every), keeper)
    }

    /// The folders of tasks, each with the time when it was last written to.
    fn folders(&self) -> Vec<(PathBuf, SystemTime)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let folders = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.path(), entry.metadata().ok()?.modified().ok()?))
        });
        folders.collect()
    }

    /// Makes room for so many bytes: what waits for a task to come back goes first, the oldest before the others.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let mut folders = self.folders();
        folders.sort_by_key(|(_, used)| *used);
        let mut held: u64 = folders.iter().map(|(folder, _)| bytes_of(folder)).sum();
        for (folder, _) in folders {
            if held.saturating_add(bytes) <= self.bytes_max {
                break;
            }
            let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
            if !in_use.contains(name) {
                held -= bytes_of(&folder);
                remove_folder(&folder);
            }
        }
        if held.saturating_add(bytes) <= self.bytes_max {
            return Ok(());
        }
        let limit = self.bytes_max;
        Err(io::Error::other(format!("checkpoints would take {} bytes, at most {limit}", held + bytes)))
    }
}

fn remove_folder(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(folder = %folder.display(), %error, "cannot remove a checkpoint");
        }
        Ok(()) | Err(_) => {}
    }
}

fn bytes_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.is_spare {
            return;
        }
        if !self.store.is_stopping.load(Ordering::Relaxed) {
            remove_folder(&self.store.folder.join(&self.name));
        }
        self.store.in_use.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// The shelf of one computation.
#[derive(Debug)]
struct Folder {
    store: Arc<CheckpointStore>,
    path: PathBuf,
    is_spare: bool,
}

impl Shelf for Folder {
    fn names(&self) -> Vec<String> {
        if self.is_spare {
            return Vec::new();
        }
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let (unfinished, names) = names.partition::<Vec<_>, _>(|name| name.starts_with(UNFINISHED));
        for name in unfinished {
            self.remove(&name);
        }
        names
    }

    fn read(&self, name: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
        let file = fs::File::open(self.path.join(name))?;
        let length = file.metadata()?.len();
        if length > bytes_max {
            return Err(io::Error::other(format!("it has {length} bytes, at most {bytes_max} are expected")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.take(bytes_max).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(
        &self,
        name: &str,
        bytes: u64,
        fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.is_spare {
            return Err(io::Error::other("the same is computed here once more, and keeps its own"));
        }
        self.store.make_room(bytes)?;
        fs::create_dir_all(&self.path)?;
        let unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.path)?;
        let mut buffered = BufWriter::new(unfinished);
        fill(&mut buffered)?;
        let whole = buffered.into_inner()?;
        whole.as_file().sync_all()?;
        whole.persist(self.path.join(name))?;
        // The name is as durable as the bytes; a folder that cannot be synced loses a checkpoint at worst.
        let _ = fs::File::open(&self.path).and_then(|folder| folder.sync_all());
        Ok(())
    }

    fn remove(&self, name: &str) {
        // A file that is gone already is as good as removed.
        let _ = fs::remove_file(self.path.join(name));
    }

    fn tell(&self, event: &Event<'_>) {
        match event {
            Event::Resumed { kind, from, to } => {
                info!(kind, from, to, "resumed from a checkpoint");
            }
            Event::Kept { kind, from, to, bytes } => debug!(kind, from, to, bytes, "kept a checkpoint"),
            Event::Refused { name, fault } => {
                warn!(name, %fault, "a checkpoint is not used, and that part is computed again");
            }
            Event::Full { error } => warn!(%error, "no more checkpoints of this computation are kept"),
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::digest::Digest;

    use super::*;

    fn task(number: u8) -> TaskId {
        TaskId(Digest([number; 32]))
    }

    fn shelf(store: &Arc<CheckpointStore>, number: u8) -> (Folder, Keeper) {
        let (_, keeper) = store.of(&task(number), Formula::Chudnovsky);
        let path = store.folder.join(&keeper.name);
        (Folder { store: Arc::clone(store), path, is_spare: keeper.is_spare }, keeper)
    }

    fn write(shelf: &Folder, name: &str, bytes: usize) -> io::Result<()> {
        shelf.write(name, bytes as u64, &mut |into| into.write_all(&vec![7; bytes]))
    }

    fn store(state_dir: &Path, bytes_max: u64) -> Arc<CheckpointStore> {
        let opened = CheckpointStore::open(state_dir, Duration::ZERO);
        let store = Arc::into_inner(opened).expect("nobody else has it");
        Arc::new(CheckpointStore { bytes_max, ..store })
    }

    #[test]
    fn a_piece_is_read_as_it_was_written_and_goes_with_its_computation() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = store(folder.path(), 1000);
        let (shelf, keeper) = shelf(&store, 1);
        write(&shelf, "a", 100).expect("there is room");
        assert_eq!(
            (shelf.names(), shelf.read("a", 100).expect("it is there")),
            (vec!["a".to_owned()], vec![7; 100])
        );
        assert!(shelf.read("a", 99).is_err());
        drop(keeper);
        assert_eq!(shelf.names(), Vec::<String>::new());
    }

    #[test]
    fn a_worker_that_stops_leaves_what_its_computations_have_finished() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = store(folder.path(), 1000);
        let (before, keeper) = shelf(&first, 1);
        write(&before, "a", 100).expect("there is room");
        fs::write(before.path.join("unfinished-1"), [0; 10]).expect("there is room");
        first.keep_all();
        drop(keeper);
        let second = store(folder.path(), 1000);
        let (after, _keeper) = shelf(&second, 1);
        assert_eq!(after.names(), ["a"]);
        assert_eq!(bytes_of(&after.path), 100, "what was not finished is gone");
    }

    #[test]
    fn what_waits_makes_room_for_what_runs_and_nothing_grows_beyond_the_bound() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = store(folder.path(), 1000);
        let (waiting, keeper) = shelf(&first, 1);
        write(&waiting, "a", 600).expect("there is room");
        first.keep_all();
        drop(keeper);
        let second = store(folder.path(), 1000);
        let ((left, _left), (right, _right)) = (shelf(&second, 2), shelf(&second, 3));
        write(&left, "b", 600).expect("room was made");
        assert!(!waiting.path.exists());
        let refused = write(&right, "c", 600).expect_err("both run");
        assert_eq!(refused.to_string(), "checkpoints would take 1200 bytes, at most 1000");
        write(&right, "c", 400).expect("so much fits");
    }

    #[test]
    fn the_same_task_computed_twice_at_once_is_kept_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = store(folder.path(), 1000);
        let ((first, _first), (second, spare)) = (shelf(&store, 1), shelf(&store, 1));
        write(&first, "a", 100).expect("there is room");
        assert!(write(&second, "a", 100).is_err() && second.names().is_empty());
        drop(spare);
        assert_eq!(first.names(), ["a"]);
    }
}
