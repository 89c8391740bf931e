//! Writing a certificate, piece by piece, in the order in which it is read.

use std::io::{self, Write};

use super::{
    CERTIFICATE_MAGIC, CERTIFICATE_VERSION, Preamble, ProvenEntry,
    complete::{Hashed, length_of},
    inclusion::{Joining, UnfitPath},
};
use crate::{codec, identity::SecretKey, ledger::SignedHead, merkle::AuditPath};

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
    out: Hashed<W>,
    joining: Joining,
    announced: u64,
    given: u64,
    entries_are_over: bool,
}

impl<W: Write> Builder<W> {
    /// Begins the certificate of a job of which the ledger with this head holds so many entries. `file` is the
    /// expression file, where the job names one.
    ///
    /// # Errors
    /// [`BuildError::Write`].
    pub fn begin(out: W, head: SignedHead, entries: u64, file: Option<&[u8]>) -> Result<Self, BuildError> {
        Self::begin_on(Hashed::new(out, false), head, entries, file)
    }

    /// Begins one that is written without the expression file and the outcomes, which are told all the same: the signature
    /// is over them, too. A [`Completion`](super::Completion) puts them in.
    ///
    /// # Errors
    /// As [`Builder::begin`].
    pub fn abridged(out: W, head: SignedHead, entries: u64, file: Option<&[u8]>) -> Result<Self, BuildError> {
        Self::begin_on(Hashed::new(out, true), head, entries, file)
    }

    fn begin_on(
        mut out: Hashed<W>,
        head: SignedHead,
        entries: u64,
        file: Option<&[u8]>,
    ) -> Result<Self, BuildError> {
        let joining = Joining::new(head.head.tree.size);
        out.write(&CERTIFICATE_MAGIC)?;
        out.write(&CERTIFICATE_VERSION.to_be_bytes())?;
        let file_bytes = file.map(|bytes| bytes.len() as u64);
        let mut builder = Self { out, joining, announced: entries, given: 0, entries_are_over: false };
        builder.write_part(&codec::encode(&Preamble { head, file_bytes, entries }))?;
        if let Some(file) = file {
            builder.out.write_whole_only(file)?;
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
        if let Some(bytes) = outcome {
            return self.out.outcome(bytes);
        }
        self.out.absent += 1;
        Ok(())
    }

    /// So many of the next tasks have no accepted outcome.
    pub fn absent(&mut self, tasks: u64) {
        self.out.absent += tasks;
    }

    /// Signs everything with the key of the coordinator that the head names.
    ///
    /// # Errors
    /// As [`Builder::outcome`].
    pub fn finish(mut self, key: &SecretKey) -> Result<W, BuildError> {
        self.end_entries()?;
        self.out.count_absent()?;
        let signature = key.sign(&self.out.hasher.finish());
        Ok(self.out.end(&signature)?)
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
        self.out.write(&length_of(bytes)?)?;
        Ok(self.out.write(bytes)?)
    }
}
