//! A certificate whose reader has most of it already: it travels without the expression file and the outcomes, and is put
//! together where it arrives. The signature at its end is over all of it, so what was put together wrongly shows.

use std::io::{self, Write};

use super::{CERTIFICATE_MAGIC, NO_OUTCOME, PREAMBLE_BYTES_MAX, write::BuildError};
use crate::{
    digest::{Domain, Hasher},
    identity::{NodeId, Signature},
};

/// Bytes of an abridged certificate before the preamble: magic, version, and how long the preamble is. The expression file
/// has its place behind that.
pub const ABRIDGED_LEAD_BYTES: u64 = 16;
/// Bytes of the signature, before which the outcomes have their place.
pub const SIGNATURE_BYTES: u64 = 64;

/// Why an abridged certificate was not completed.
#[derive(Debug, thiserror::Error)]
pub enum CompletionError {
    /// It cannot be written.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The coordinator signed other bytes: it had another file, or other outcomes.
    #[error("what the certificate was completed with is not what its coordinator signed; ask for all of it")]
    Unsigned,
}

/// How long the preamble is, as the first [`ABRIDGED_LEAD_BYTES`] of a certificate say; none where it is no certificate.
#[must_use]
pub fn preamble_bytes(lead: &[u8]) -> Option<u64> {
    let (before, length) = lead.split_last_chunk::<4>()?;
    let length = u64::from(u32::from_be_bytes(*length));
    (before.starts_with(&CERTIFICATE_MAGIC) && length <= PREAMBLE_BYTES_MAX).then_some(length)
}

/// Puts an abridged certificate together with what was left out.
#[derive(Debug)]
pub struct Completion<W> {
    out: Hashed<W>,
}

impl<W: Write> Completion<W> {
    /// Nothing of it yet.
    #[must_use]
    pub fn begin(out: W) -> Self {
        Self { out: Hashed::new(out, false) }
    }

    /// Bytes as they came, or the expression file, each at its place.
    ///
    /// # Errors
    /// [`BuildError::Write`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), BuildError> {
        Ok(self.out.write(bytes)?)
    }

    /// The accepted outcome of the next task.
    ///
    /// # Errors
    /// [`BuildError`] when it is too long, or cannot be written.
    pub fn outcome(&mut self, bytes: &[u8]) -> Result<(), BuildError> {
        self.out.outcome(bytes)
    }

    /// So many of the next tasks have no accepted outcome.
    pub fn absent(&mut self, tasks: u64) {
        self.out.absent += tasks;
    }

    /// Ends it with the signature as it came, which must be this coordinator's, over all of it.
    ///
    /// # Errors
    /// [`CompletionError::Unsigned`] when it is not, and what was written is no certificate.
    pub fn finish(mut self, coordinator: NodeId, signature: Signature) -> Result<W, CompletionError> {
        self.out.count_absent().map_err(BuildError::from)?;
        if !coordinator.has_signed(&self.out.hasher.finish(), &signature) {
            return Err(CompletionError::Unsigned);
        }
        Ok(self.out.end(&signature).map_err(BuildError::from)?)
    }
}

/// A certificate on its way out, with the digest that is signed at its end.
#[derive(Debug)]
pub(super) struct Hashed<W> {
    out: W,
    pub(super) hasher: Hasher,
    /// Whether the expression file and the outcomes are hashed, and not written.
    is_abridged: bool,
    /// How many tasks without an outcome come before the next one.
    pub(super) absent: u64,
}

impl<W: Write> Hashed<W> {
    pub(super) fn new(out: W, is_abridged: bool) -> Self {
        Self { out, hasher: Hasher::new(Domain::JobCertificate), is_abridged, absent: 0 }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.out.write_all(bytes)
    }

    /// What is left out where it is abridged.
    pub(super) fn write_whole_only(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        if self.is_abridged { Ok(()) } else { self.out.write_all(bytes) }
    }

    pub(super) fn outcome(&mut self, bytes: &[u8]) -> Result<(), BuildError> {
        self.count_absent()?;
        let length = length_of(bytes)?;
        self.write_whole_only(&length)?;
        Ok(self.write_whole_only(bytes)?)
    }

    pub(super) fn count_absent(&mut self) -> io::Result<()> {
        let absent = std::mem::take(&mut self.absent);
        if absent == 0 {
            return Ok(());
        }
        self.write_whole_only(&NO_OUTCOME.to_be_bytes())?;
        self.write_whole_only(&absent.to_be_bytes())
    }

    pub(super) fn end(mut self, signature: &Signature) -> io::Result<W> {
        self.out.write_all(&signature.0)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The length in front of a part.
pub(super) fn length_of(part: &[u8]) -> Result<[u8; 4], BuildError> {
    let length = u32::try_from(part.len()).ok().filter(|length| *length != NO_OUTCOME);
    Ok(length.ok_or(BuildError::Length { bytes: part.len() })?.to_be_bytes())
}
