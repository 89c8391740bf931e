//! Writing a certificate, piece by piece, in the order in which it is read.

use std::io::{self, Write};

use super::{
    CERTIFICATE_MAGIC, CERTIFICATE_VERSION, NO_OUTCOME, Preamble, ProvenEntry,
    inclusion::{Joining, UnfitPath},
};
use crate::{
    codec,
    digest::{Domain, Hasher},
    identity::SecretKey,
    ledger::SignedHead,
    merkle::AuditPath,
};

/// Why a certificate was not written.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Where it goes refuses.
    #[error("the certificate cannot be written: {0}")]
    Write(#[from] io::Error),
    /// What the ledger gave does not fit together.
    #[error(transparent)]
    Path(#[from] UnfitPath),
    /// A part is too long for its frame.
    #[error("a part of {bytes} bytes is too long for a certificate")]
    Length {
        /// Its bytes.
        bytes: usize,
    },
    /// Fewer or more entries than were announced.
    #[error("{given} entries were given for a certificate of {announced}")]
    Entries {
        /// How many came.
        given: u64,
        /// How many should have.
        announced: u64,
    },
}

/// Writes a certificate: first every entry, then every outcome, then [`Builder::finish`].
#[derive(Debug)]
pub struct Builder<W> {
    out: W,
    hasher: Hasher,
    joining: Joining,
    announced: u64,
    given: u64,
    entries_are_over: bool,
    /// How many tasks without an outcome come before the next one.
    absent: u64,
}

impl<W: Write> Builder<W> {
    /// Begins the certificate of a job of which the ledger with this head holds so many entries. `file` is the
    /// expression file, where the job names one.
    ///
    /// # Errors
    /// [`BuildError::Write`].
    pub fn begin(out: W, head: SignedHead, entries: u64, file: Option<&[u8]>) -> Result<Self, BuildError> {
        let joining = Joining::new(head.head.tree.size);
        let hasher = Hasher::new(Domain::JobCertificate);
        let mut builder =
            Self { out, hasher, joining, announced: entries, given: 0, entries_are_over: false, absent: 0 };
        builder.write(&CERTIFICATE_MAGIC)?;
        builder.write(&CERTIFICATE_VERSION.to_be_bytes())?;
        let file_bytes = file.map(|bytes| bytes.len() as u64);
        builder.write_part(&codec::encode(&Preamble { head, file_bytes, entries }))?;
        if let Some(file) = file {
            builder.write(file)?;
        }
        Ok(builder)
    }

    /// The next entry of the job: its canonical bytes, and its path to the head. Entries come in the order of the
    /// ledger.
    ///
    /// # Errors
    /// [`BuildError`] when the path does not fit the head or the entry before, or nothing can be written.
    pub fn entry(&mut self, entry: Vec<u8>, path: &AuditPath) -> Result<(), BuildError> {
        self.given += 1;
        if self.given > self.announced || self.entries_are_over {
            return Err(BuildError::Entries { given: self.given, announced: self.announced });
        }
        let between = self.joining.next(path)?;
        let proven = ProvenEntry { position: path.position, between, entry };
        self.write_part(&codec::encode(&proven))
    }

    /// The accepted outcome of the next task in the order of the plan; none where it has none. A job of digits has no
    /// outcomes here.
    ///
    /// # Errors
    /// [`BuildError`] when entries are missing, or nothing can be written.
    pub fn outcome(&mut self, outcome: Option<&[u8]>) -> Result<(), BuildError> {
        self.end_entries()?;
        let Some(bytes) = outcome else {
            self.absent += 1;
            return Ok(());
        };
        self.count_absent()?;
        self.write_part(bytes)
    }

    /// So many of the next tasks have no accepted outcome.
    pub fn absent(&mut self, tasks: u64) {
        self.absent += tasks;
    }

    fn count_absent(&mut self) -> Result<(), BuildError> {
        let absent = std::mem::take(&mut self.absent);
        if absent == 0 {
            return Ok(());
        }
        self.write(&NO_OUTCOME.to_be_bytes())?;
        self.write(&absent.to_be_bytes())
    }

    /// Signs everything with the key of the coordinator that the head names.
    ///
    /// # Errors
    /// As [`Builder::outcome`].
    pub fn finish(mut self, key: &SecretKey) -> Result<W, BuildError> {
        self.end_entries()?;
        self.count_absent()?;
        let signature = key.sign(&self.hasher.finish());
        self.out.write_all(&signature.0)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn end_entries(&mut self) -> Result<(), BuildError> {
        if self.entries_are_over {
            return Ok(());
        }
        if self.given != self.announced {
            return Err(BuildError::Entries { given: self.given, announced: self.announced });
        }
        self.entries_are_over = true;
        let rest = self.joining.rest();
        self.write_part(&codec::encode(&rest))
    }

    fn write_part(&mut self, bytes: &[u8]) -> Result<(), BuildError> {
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length != NO_OUTCOME);
        let length = length.ok_or(BuildError::Length { bytes: bytes.len() })?;
        self.write(&length.to_be_bytes())?;
        self.write(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BuildError> {
        self.hasher.update(bytes);
        Ok(self.out.write_all(bytes)?)
    }
}
