//! The open database, from its opening to its closing.
//!
//! Closing writes too: pages that became free are given back. Where a flipped bit has damaged the list of those, the database
//! panics while it is dropped, and that must not take a coordinator down any more than damage elsewhere.

use std::{
    path::{Path, PathBuf},
    sync::Once,
};

use redb::{Builder, Database, ReadTransaction, ReadableDatabase, StorageBackend, WriteTransaction};
use tracing::{error, warn};

use super::{LedgerError, error::guarded};

/// Most bytes of the database that are held in memory.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// A database that is closed without a panic, however damaged it is.
pub(super) struct OpenDatabase {
    /// There until this is dropped.
    database: Option<Database>,
    path: PathBuf,
}

impl OpenDatabase {
    /// Opens a database; an empty file becomes one.
    ///
    /// # Errors
    /// When it is in use, damaged, or cannot be read.
    pub(super) fn open(backend: impl StorageBackend, path: &Path) -> Result<Self, LedgerError> {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        let shown = path.display().to_string();
        let told = Once::new();
        builder.set_repair_callback(move |_| {
            told.call_once(|| warn!("{shown} was not closed in order; reading all of it"));
        });
        let open = || builder.create_with_backend(backend).map_err(LedgerError::database("open", path));
        Ok(Self { database: Some(guarded(path, open)?), path: path.to_owned() })
    }

    /// Begins to read the last commit.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn begin_read(&self) -> Result<ReadTransaction, LedgerError> {
        self.database()?.begin_read().map_err(LedgerError::database("read", &self.path))
    }

    /// Begins to write the next commit; waits for the one that is under way.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn begin_write(&self) -> Result<WriteTransaction, LedgerError> {
        self.database()?.begin_write().map_err(LedgerError::database("write", &self.path))
    }

    /// Makes everything durable that was committed for later.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn persist(&self) -> Result<(), LedgerError> {
        guarded(&self.path, || {
            self.begin_write()?.commit().map_err(LedgerError::database("write", &self.path))
        })
    }

    fn database(&self) -> Result<&Database, LedgerError> {
        self.database.as_ref().ok_or_else(|| LedgerError::Stopped { path: self.path.clone() })
    }
}

impl Drop for OpenDatabase {
    fn drop(&mut self) {
        let database = self.database.take();
        let closed = guarded(&self.path, move || {
            drop(database);
            Ok(())
        });
        if let Err(error) = closed {
            error!(%error, "the ledger was not closed in order");
        }
    }
}
