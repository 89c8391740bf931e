//! Why the ledger cannot be used: each cause names the file, what is wrong with it, and what to do.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use protocol::{identity::NodeId, merkle::MerkleError};

use super::{DATABASE_FILE, HEAD_FILE};

/// Why the ledger cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The system refused.
    #[error(
        "cannot {action} {}: {source}; make room, or repair the disk or the permissions, and start again",
        path.display()
    )]
    Io {
        /// What failed.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another program has the database open.
    #[error(
        "the ledger {} is open in another program (a running coordinator?); stop that one first", path.display()
    )]
    InUse {
        /// Which database.
        path: PathBuf,
    },
    /// What is read cannot have been written like that.
    #[error(
        "the ledger {} is damaged: {what}; nothing was changed: restore it from a copy (`coordinator ledger verify` \
         shows whether a copy is sound)",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The database is an older state of itself.
    #[error(
        "the ledger {} has lost entries: it holds {held}, and {acknowledged} were acknowledged as {HEAD_FILE} beside it \
         says; restore it from a copy that has them",
        path.display()
    )]
    Lost {
        /// Which database.
        path: PathBuf,
        /// How many entries are there.
        held: u64,
        /// How many there must be.
        acknowledged: u64,
    },
    /// Nobody can tell whether entries are missing.
    #[error(
        "{} is missing or damaged, so nobody can tell whether the ledger beside it has every acknowledged entry; restore \
         it from a copy, or, if you know that the ledger is the newest, write it anew with `coordinator ledger head \
         --restore`",
        path.display()
    )]
    MarkLost {
        /// The file with the mark.
        path: PathBuf,
    },
    /// There is no database where its head lies.
    #[error(
        "there is no ledger {}, but {HEAD_FILE} beside it says that there was one; restore {DATABASE_FILE} from a copy",
        path.display()
    )]
    Gone {
        /// Which database is missing.
        path: PathBuf,
    },
    /// No ledger was ever there.
    #[error("there is no ledger {}; name the state directory of a coordinator with --state-dir", path.display())]
    Absent {
        /// Which database is missing.
        path: PathBuf,
    },
    /// The ledger of another coordinator.
    #[error(
        "the ledger {} belongs to the coordinator {founder}, and the key here is {ours}; put the right key back, or \
         choose another --state-dir",
        path.display()
    )]
    Foreign {
        /// Which database.
        path: PathBuf,
        /// Whose it is.
        founder: NodeId,
        /// Who wants to use it.
        ours: NodeId,
    },
    /// Written by another version.
    #[error(
        "the ledger {} has version {found} and this program knows version {known}; use the program that wrote it",
        path.display()
    )]
    Version {
        /// Which database.
        path: PathBuf,
        /// The version there.
        found: u32,
        /// The version here.
        known: u32,
    },
    /// Something that is to be written is over its limit.
    #[error("{what} of {bytes} bytes is over the ledger's limit of {limit_bytes} bytes; nothing was written")]
    TooLong {
        /// What.
        what: &'static str,
        /// How long it is.
        bytes: u64,
        /// How long it may be.
        limit_bytes: u64,
    },
    /// A founding in the middle.
    #[error("a ledger is founded once, as its first entry; nothing was written")]
    FoundedAgain,
    /// What is given under a digest has another one.
    #[error("the {what} does not have the digest under which it is kept; nothing was written")]
    WrongDigest {
        /// What.
        what: &'static str,
    },
    /// An earlier write failed, and nobody knows how much of it reached the disk.
    #[error(
        "the ledger {} takes nothing more since a write failed; start the coordinator again once that is repaired",
        path.display()
    )]
    Stopped {
        /// Which database.
        path: PathBuf,
    },
    /// No such place in the tree, or a node is missing.
    #[error("the ledger's tree cannot answer: {0}")]
    Tree(#[from] MerkleError),
}

impl LedgerError {
    /// Damage of `path`.
    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }

    /// For `map_err`: what the system said of `action` on `path`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// For `map_err`: what the database said of `action` on `path`.
    pub(super) fn database<E: Into<redb::Error>>(action: &'static str, path: &Path) -> impl Fn(E) -> Self {
        move |error| match error.into() {
            redb::Error::Io(source) if is_cut_off(&source) => {
                Self::damaged(path, format!("it ends too early, or its lengths are wrong ({source})"))
            }
            redb::Error::Io(source) => Self::Io { action, path: path.to_owned(), source },
            redb::Error::DatabaseAlreadyOpen => Self::InUse { path: path.to_owned() },
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => Self::Stopped { path: path.to_owned() },
            redb::Error::Corrupted(what) => Self::damaged(path, what),
            redb::Error::TableDoesNotExist(table) => {
                Self::damaged(path, format!("its table `{table}` is missing"))
            }
            other => Self::damaged(path, other.to_string()),
        }
    }
}

/// Whether the system's error says that a file is shorter, or says other lengths, than what was written.
fn is_cut_off(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    )
}

/// Runs `work` on the database and turns a panic inside it into [`LedgerError::Damaged`].
///
/// The database trusts the pages of a file that was closed in order, and stops by panicking where a flipped bit leads it
/// astray. That is damage to report, and no reason to take the whole coordinator down.
///
/// # Errors
/// Those of `work`, and the panic.
pub(super) fn guarded<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, LedgerError>,
) -> Result<T, LedgerError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(LedgerError::damaged(path, format!("the database gave up on it: {}", words(&*panic))))
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}
