//! Writing the certificate of a job from the ledger: its entries with their paths, and the accepted outcomes.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::Arc,
};

use bytes::Bytes;
use protocol::{
    certificate::{BuildError, Builder},
    digest::Digest,
    identity::SecretKey,
    job::{JobId, JobSpec},
    ledger::{Record, Submitted},
    plan::Plan,
    report::JobState,
    verdict::Verdict,
};

use crate::ledger::{LedgerError, Reader};

/// How much of a certificate is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Not the expression file and the outcomes, which whoever has the result can put in.
    Abridged,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It cannot be written, or the ledger's paths do not fit together.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The ledger does not know the job.
    #[error("the ledger holds no job {0}")]
    UnknownJob(JobId),
    /// What the ledger says of the job does not make sense.
    #[error("the ledger does not say what job {0} was; run `coordinator ledger verify`")]
    Unreadable(JobId),
}

/// Writes the certificate of a job, as far as it is decided, to `out`. `outcome` gives accepted outcomes by their digest,
/// where they are kept. Blocks on the disk; memory is that of the job's file and of a digest for each task.
///
/// # Errors
/// [`CertificateError`] when the job is not known, the ledger cannot be read or `out` refuses.
pub fn write<W: Write>(
    ledger: &Reader,
    key: &SecretKey,
    (job, extent): (JobId, Extent),
    outcome: impl Fn(&Digest) -> Option<Bytes>,
    out: W,
) -> Result<W, CertificateError> {
    let mut entries = ledger.proven_entries(job)?;
    let (head, count) = (*entries.head(), entries.count_left());
    let (first, path) = entries.next().ok_or(CertificateError::UnknownJob(job))??;
    let first_bytes = first.to_bytes();
    let Record::Submitted(submitted) = first.record else { return Err(CertificateError::Unreadable(job)) };
    let file = match &submitted.file {
        Some(digest) => {
            let kept = ledger.files().get(digest)?;
            Some(kept.ok_or(CertificateError::Unreadable(job))?)
        }
        None => None,
    };
    let mut builder = match extent {
        Extent::Whole => Builder::begin(out, head, count, file.as_deref())?,
        Extent::Abridged => Builder::abridged(out, head, count, file.as_deref())?,
    };
    builder.entry(first_bytes, &path)?;
    let mut accepted: BTreeMap<u64, Digest> = BTreeMap::new();
    let mut is_reconciled = false;
    for found in entries {
        let (entry, path) = found?;
        is_reconciled |= matches!(entry.record, Record::Over { state: JobState::Reconciled, .. });
        if let Record::Decided(decided) = &entry.record
            && let Verdict::Accepted(digest) = decided.verdict
        {
            accepted.insert(decided.index, digest);
        }
        builder.entry(entry.to_bytes(), &path)?;
    }
    // Where every task is accepted, nothing has to be planned to know how many there are.
    let known = is_reconciled.then_some(accepted.len() as u64);
    let outcomes = outcomes(&submitted, file, known).ok_or(CertificateError::Unreadable(job))?;
    let mut next = 0;
    for (index, digest) in accepted.range(..outcomes) {
        builder.absent(index - next);
        builder.outcome(outcome(digest).as_deref())?;
        next = index + 1;
    }
    builder.absent(outcomes - next);
    Ok(builder.finish(key)?)
}

/// How many outcomes the certificate holds: one for each task, of which so many are known, and none where the value is the outcome.
fn outcomes(submitted: &Submitted, file: Option<Bytes>, known: Option<u64>) -> Option<u64> {
    let spec = JobSpec::parse(&submitted.text).ok()?;
    if spec.work.value_is_outcome() {
        return Some(0);
    }
    if known.is_some() {
        return known;
    }
    let file = match file {
        Some(bytes) => Some(Arc::from(std::str::from_utf8(&bytes).ok()?)),
        None => None,
    };
    Some(Plan::new(&spec, file).ok()?.tasks())
}

/// Writes the certificate of a job to a nameless file, to be sent from its beginning; returns its length as well.
///
/// # Errors
/// As [`write()`], and when there is no room for a temporary file.
pub fn write_to_file(
    ledger: &Reader,
    key: &SecretKey,
    job: (JobId, Extent),
    outcome: impl Fn(&Digest) -> Option<Bytes>,
) -> Result<(std::fs::File, u64), CertificateError> {
    let broken = |error: io::Error| CertificateError::Build(BuildError::Write(error));
    let out = io::BufWriter::new(tempfile::tempfile().map_err(broken)?);
    let out = write(ledger, key, job, outcome, out)?;
    let mut file = out.into_inner().map_err(|error| broken(error.into_error()))?;
    let length = io::Seek::stream_position(&mut file).map_err(broken)?;
    io::Seek::rewind(&mut file).map_err(broken)?;
    Ok((file, length))
}
