//! What a long computation has finished so far, kept for the case that it is interrupted.
//!
//! A computation consists of *works*: trees that are split and merged, and iterations. Whenever so much of one is done that
//! losing it would hurt, it is kept as a *piece*: the merged node of a tree, which takes the place of the pieces below it,
//! or the state of an iteration, which takes the place of the state before. A computation that begins again asks for the
//! pieces before it computes anything. What the name of a work says (the formula, the precision, the build) decides what
//! its pieces are good for, so a piece never gets into another work.
//!
//! A piece is no authority: it is read within bounds, its digest, its residues and where they are cheap its mathematics
//! are checked, and one that fails is told of, removed and computed again. A shelf that refuses to keep something costs
//! nothing but the checkpoint.

mod format;

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    io::{self, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use protocol::digest::{Digest, Domain};
use rug::Integer;

pub use format::{CHECKPOINT_OVERHEAD_BYTES, PieceFault};
pub(crate) use format::{Piece, StoredNumber};

/// Longest name of a piece in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Most pieces of one computation: more of them than any tree has at a time.
const PIECES_MAX: usize = 4096;

/// Where pieces are kept: bytes under names, nothing else. Names are short, of lowercase letters, digits and hyphens.
pub trait Shelf: Debug + Send + Sync {
    /// What is there.
    fn names(&self) -> Vec<String>;

    /// The bytes of a piece; an error where there are more than `bytes_max`.
    ///
    /// # Errors
    /// When it is too long, or cannot be read.
    fn read(&self, name: &str, bytes_max: u64) -> io::Result<Vec<u8>>;

    /// Keeps what `fill` writes, in place of what has the name, all or nothing. `bytes` says how much that is.
    ///
    /// # Errors
    /// When there is no room; then nothing has the name, or what had it before.
    fn write(
        &self,
        name: &str,
        bytes: u64,
        fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()>;

    /// Removes a piece, if it is there.
    fn remove(&self, name: &str);

    /// Hears what became of pieces.
    fn tell(&self, event: &Event<'_>);
}

/// What a [`Shelf`] is told.
#[derive(Debug)]
pub enum Event<'e> {
    /// A piece took the place of a part of the computation.
    Resumed {
        /// The kind of work.
        kind: &'static str,
        /// The first item of the piece: a term of a series, or 0 of an iteration.
        from: u64,
        /// Past its last: the steps of an iteration.
        to: u64,
    },
    /// A piece was kept.
    Kept {
        /// The kind of work.
        kind: &'static str,
        /// See [`Event::Resumed`].
        from: u64,
        /// See [`Event::Resumed`].
        to: u64,
        /// Its length.
        bytes: u64,
    },
    /// A piece is not what it should be, and was removed.
    Refused {
        /// Its name.
        name: &'e str,
        /// Why.
        fault: &'e PieceFault,
    },
    /// The shelf takes no more; the computation goes on without.
    Full {
        /// What it said.
        error: &'e io::Error,
    },
}

/// The pieces of one computation. Clones are the same thing.
#[derive(Debug, Clone)]
pub struct Checkpoints(Arc<State>);

#[derive(Debug)]
struct State {
    shelf: Arc<dyn Shelf>,
    every: Duration,
    pieces: Mutex<BTreeMap<Place, Origin>>,
    is_full: AtomicBool,
}

/// Which piece: the work, and what of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    work: u64,
    from: u64,
    to: u64,
}

/// Who made a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// An earlier run.
    Before,
    /// This one, which has no need of it.
    Now,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}-{:x}", self.work, self.from, self.to)
    }
}

impl Place {
    fn from_name(name: &str) -> Option<Self> {
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        let mut parts = name.split('-').map(|part| u64::from_str_radix(part, 16).ok());
        let place = Self { work: parts.next()??, from: parts.next()??, to: parts.next()?? };
        (place.to_string() == name).then_some(place)
    }
}

impl Checkpoints {
    /// Pieces on `shelf`, one whenever about `every` of computing would be lost without it; with zero, after each stretch
    /// that is worth a name. What is on the shelf already is used.
    pub fn new(shelf: Arc<dyn Shelf>, every: Duration) -> Self {
        let known = shelf.names().into_iter().filter_map(|name| Place::from_name(&name));
        let pieces = known.take(PIECES_MAX).map(|place| (place, Origin::Before)).collect();
        Self(Arc::new(State { shelf, every, pieces: Mutex::new(pieces), is_full: AtomicBool::new(false) }))
    }

    /// The work of a kind with these parameters; the same words name the same work.
    pub(crate) fn work(&self, kind: &'static str, parameters: fmt::Arguments<'_>) -> Work<'_> {
        let words = format!("{} {} {kind} {parameters}", format::VERSION, env!("CARGO_PKG_VERSION"));
        let identity = Digest::of(Domain::Checkpoint, words.as_bytes());
        let (first, _) = identity.0.as_chunks::<8>();
        let work = first.first().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let begun = self.pieces().keys().any(|place| place.work == work);
        Work { state: &self.0, kind, identity, number: work, begun }
    }

    fn pieces(&self) -> MutexGuard<'_, BTreeMap<Place, Origin>> {
        self.0.pieces()
    }
}

impl State {
    fn pieces(&self) -> MutexGuard<'_, BTreeMap<Place, Origin>> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One work of a computation, and its pieces.
#[derive(Debug)]
pub(crate) struct Work<'c> {
    state: &'c State,
    kind: &'static str,
    identity: Digest,
    number: u64,
    /// Whether an earlier run left pieces of it.
    begun: bool,
}

impl Work<'_> {
    /// The piece for `from..to` that an earlier run left, if it is there and `check` finds nothing wrong with it. It has at
    /// most `bytes_max` bytes. `check` is given bytes that nobody could foresee when the piece was made.
    pub(crate) fn take<T>(
        &self,
        (from, to): (u64, u64),
        bytes_max: u64,
        check: impl FnOnce(Piece, &[u8]) -> Result<T, PieceFault>,
    ) -> Option<T> {
        let place = Place { work: self.number, from, to };
        if !self.begun || self.state.pieces().get(&place) != Some(&Origin::Before) {
            return None;
        }
        let name = place.to_string();
        let read = self.state.shelf.read(&name, bytes_max.saturating_add(CHECKPOINT_OVERHEAD_BYTES));
        let taken = read.map_err(|error| PieceFault::Unreadable(error.to_string())).and_then(|bytes| {
            let (piece, seed) = format::read(&bytes, &self.identity, (from, to))?;
            drop(bytes);
            check(piece, &seed.0)
        });
        match taken {
            Ok(taken) => {
                self.state.shelf.tell(&Event::Resumed { kind: self.kind, from, to });
                Some(taken)
            }
            Err(fault) => {
                self.state.shelf.tell(&Event::Refused { name: &name, fault: &fault });
                self.state.shelf.remove(&name);
                self.state.pieces().remove(&place);
                None
            }
        }
    }

    /// How far the state of an iteration is that an earlier run left furthest.
    pub(crate) fn furthest(&self) -> Option<u64> {
        if !self.begun {
            return None;
        }
        let pieces = self.state.pieces();
        let (first, last) = (Place { work: self.number, from: 0, to: 0 }, u64::MAX);
        let mine = pieces.range(first..=Place { from: 0, to: last, ..first });
        mine.filter(|(_, origin)| **origin == Origin::Before).map(|(place, _)| place.to).max()
    }

    /// Whether so much computing is worth a piece.
    pub(crate) fn is_due(&self, lost: Duration) -> bool {
        lost >= self.state.every && !self.state.is_full.load(Ordering::Relaxed)
    }

    /// Whether a piece of this work lies there: then its whole is worth one, so that nothing of it is done again while what
    /// follows it takes its time.
    pub(crate) fn has_pieces(&self) -> bool {
        self.state.pieces().keys().any(|place| place.work == self.number)
    }

    /// Keeps a piece for `from..to`, and removes those that it covers.
    pub(crate) fn keep(&self, (from, to): (u64, u64), piece: &Piece<&Integer>) {
        let place = Place { work: self.number, from, to };
        if self.state.pieces().len() >= PIECES_MAX {
            return;
        }
        let bytes = piece.bytes();
        let mut fill = |into: &mut dyn Write| format::write(piece, &self.identity, (from, to), into);
        if let Err(error) = self.state.shelf.write(&place.to_string(), bytes, &mut fill) {
            if !self.state.is_full.swap(true, Ordering::Relaxed) {
                self.state.shelf.tell(&Event::Full { error: &error });
            }
            return;
        }
        let covered: Vec<Place> = {
            let mut pieces = self.state.pieces();
            let is_covered = |other: &Place| {
                other.work == place.work && other.from >= from && other.to <= to && *other != place
            };
            let covered: Vec<Place> = pieces.keys().copied().filter(is_covered).collect();
            for other in &covered {
                pieces.remove(other);
            }
            pieces.insert(place, Origin::Now);
            covered
        };
        for other in covered {
            self.state.shelf.remove(&other.to_string());
        }
        self.state.shelf.tell(&Event::Kept { kind: self.kind, from, to, bytes });
    }
}
