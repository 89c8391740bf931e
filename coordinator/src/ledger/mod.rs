//! The ledger on disk: what a coordinator wrote down before it told anybody, and never forgets.
//!
//! Four things lie in the state directory. `ledger.redb` is a database with the entries, the nodes of the Merkle tree
//! over them, the signed heads, and an index by job. `ledger.head` holds the last head that was acknowledged, so that a
//! database that has lost acknowledged entries is noticed. `ledger.journal` holds what was acknowledged last, until the
//! database has it for good. `ledger.files/` holds the expression files of jobs.
//! A [`Ledger`] appends; a [`Reader`] reads, and checks every entry against its digest; a [`Writer`] has
//! the ledger of a running coordinator, with a thread that gathers what comes during one commit into the next.

mod check;
mod commit;
mod database;
mod describe;
mod direct;
mod error;
mod files;
mod journal;
mod mark;
mod overlay;
mod proven;
mod reader;
mod snapshot;
mod store;
mod tables;
mod verify;
mod writer;

pub use check::restore_head;
pub use describe::describe;
pub use error::LedgerError;
pub use files::Files;
pub use proven::ProvenEntries;
pub use reader::{Entries, JobEntries, Reader, acknowledged_head};
pub use store::{Appended, Batch, Durability, Ledger, ShortOutcome, Storage, unix_now_ms};
pub use verify::{FAULTS_SHOWN_MAX, Fault, Verified, verify};
pub use writer::{Progress, Refused, Writer};

/// Name of the database in the state directory.
pub const DATABASE_FILE: &str = "ledger.redb";
/// Name of the file with the last acknowledged head.
pub const HEAD_FILE: &str = "ledger.head";
/// Name of the file with what the database does not hold durably yet.
pub const JOURNAL_FILE: &str = "ledger.journal";
/// Name of the folder with expression files.
pub const FILES_FOLDER: &str = "ledger.files";
