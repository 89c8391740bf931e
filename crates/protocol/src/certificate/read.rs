//! Reading a certificate, piece by piece, and checking each as it comes.

use std::{io::Read, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    CERTIFICATE_MAGIC, CERTIFICATE_VERSION, CertificateFault, Findings, NO_OUTCOME, PREAMBLE_BYTES_MAX,
    PROOF_BYTES_MAX, Preamble, ProvenEntry,
    check::Checking,
    inclusion::{Stray, Walk},
};
use crate::{
    codec,
    digest::{Digest, Domain, Hasher},
    identity::{NodeId, Signature},
    job::JobSpec,
    ledger::{Entry, Record, SignedHead, Submitted},
    limits::{EXPRESSION_FILE_BYTES_MAX, LEDGER_ENTRY_BYTES_MAX},
    outcome::Outcome,
    plan::Plan,
};

/// A certificate under examination: everything up to the outcomes was checked, and they come next.
#[derive(Debug)]
pub struct Examination<R> {
    input: Input<R>,
    coordinator: NodeId,
    spec: JobSpec,
    checking: Checking,
    next_outcome: u64,
    /// How many tasks without an outcome are next.
    absent: u64,
}

/// Checks a whole certificate. `trust` are keys that are known from elsewhere: the coordinator's, workers', or none.
///
/// # Errors
/// [`CertificateFault`] says what is wrong, and where.
pub fn verify<R: Read>(input: R, trust: &[NodeId]) -> Result<Findings, CertificateFault> {
    Examination::open(input, trust)?.finish()
}

impl<R: Read> Examination<R> {
    /// Reads and checks a certificate as far as its outcomes. Nothing is proven before [`Examination::finish`]: the
    /// signature stands at the end.
    ///
    /// # Errors
    /// [`CertificateFault`] says what is wrong, and where.
    pub fn open(input: R, trust: &[NodeId]) -> Result<Self, CertificateFault> {
        let mut input = Input { source: input, hasher: Hasher::new(Domain::JobCertificate) };
        if input.bytes("the first bytes", CERTIFICATE_MAGIC.len() as u64)? != CERTIFICATE_MAGIC {
            return Err(CertificateFault::NotACertificate);
        }
        let found = input.number("the version")?;
        if found != CERTIFICATE_VERSION {
            return Err(CertificateFault::Version { found });
        }
        let Preamble { head, file_bytes, entries } = input.value("the preamble", PREAMBLE_BYTES_MAX)?;
        let coordinator = head.head.coordinator;
        if !head.is_authentic() {
            return Err(CertificateFault::HeadSignature { coordinator });
        }
        let file = match file_bytes {
            Some(bytes) => Some(input.limited("the expression file", bytes, EXPRESSION_FILE_BYTES_MAX)?),
            None => None,
        };
        let (spec, checking) = input.entries(&head, entries, file, trust)?;
        Ok(Self { input, coordinator, spec, checking, next_outcome: 0, absent: 0 })
    }

    /// The job.
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// Its tasks, as its text gives them.
    pub fn plan(&self) -> &Plan {
        self.checking.plan()
    }

    /// What was accepted for a task.
    pub fn accepted(&self, index: u64) -> Option<Digest> {
        self.checking.accepted(index)
    }

    /// Whether the outcomes are here. Those of digits are not: the value is the outcome.
    pub fn holds_outcomes(&self) -> bool {
        !self.spec.work.value_is_outcome()
    }

    /// The accepted outcome of the next task, with the task's number; the outcome is none where none was accepted, or it
    /// was lost. None after the last task.
    ///
    /// # Errors
    /// [`CertificateFault`] when the outcome is not the accepted one.
    pub fn next_outcome(&mut self) -> Result<Option<(u64, Option<Outcome>)>, CertificateFault> {
        let index = self.next_outcome;
        if !self.holds_outcomes() {
            return Ok(None);
        }
        if index >= self.checking.plan().tasks() {
            return Ok(None);
        }
        let part = "an outcome";
        let mut length = NO_OUTCOME;
        if self.absent == 0 {
            length = self.input.number(part)?;
            if length == NO_OUTCOME {
                self.absent = self.count_absent(index)?;
            }
        }
        self.next_outcome += 1;
        if length == NO_OUTCOME {
            self.absent -= 1;
            return Ok(Some((index, None)));
        }
        let Some(task) = self.checking.plan().task(index) else { return Ok(None) };
        let bytes = self.input.limited(part, length.into(), task.outcome_bytes_max())?;
        let accepted = self.checking.accepted(index).ok_or(CertificateFault::UnacceptedOutcome { index })?;
        let found = Outcome::digest_of_bytes(&bytes);
        if found != accepted {
            return Err(CertificateFault::OutcomeDiffers { index, found, accepted });
        }
        let outcome = Outcome::from_bytes(&bytes, bytes.len())
            .map_err(|source| CertificateFault::Part { part, source })?;
        self.checking.count_outcome();
        Ok(Some((index, Some(outcome))))
    }

    /// How many of the next tasks are known to have no outcome; they are passed over.
    pub fn pass_absent(&mut self) -> u64 {
        let absent = std::mem::take(&mut self.absent);
        self.next_outcome += absent;
        absent
    }

    /// How many tasks from this one on have no outcome: at least one, and no more than there are.
    fn count_absent(&mut self, index: u64) -> Result<u64, CertificateFault> {
        let bytes = self.input.bytes("a count of outcomes", 8)?;
        let count = bytes.try_into().map_or(0, u64::from_be_bytes);
        let left = self.checking.plan().tasks() - index;
        if (1..=left).contains(&count) {
            Ok(count)
        } else {
            Err(CertificateFault::Absent { index, count, left })
        }
    }

    /// Checks the outcomes that are left and the signature at the end.
    ///
    /// # Errors
    /// [`CertificateFault`] says what is wrong, and where.
    pub fn finish(mut self) -> Result<Findings, CertificateFault> {
        while self.next_outcome()?.is_some() {
            self.pass_absent();
        }
        let digest = self.input.hasher.finish();
        let bytes = self.input.bytes("the signature", 64)?;
        let is_signed = <[u8; 64]>::try_from(bytes)
            .is_ok_and(|bytes| self.coordinator.has_signed(&digest, &Signature(bytes)));
        if !is_signed {
            return Err(CertificateFault::Signature { coordinator: self.coordinator });
        }
        match self.input.bytes("the end", 1) {
            Err(CertificateFault::CutShort { .. }) => Ok(self.checking.finish()),
            Err(error) => Err(error),
            Ok(_) => Err(CertificateFault::Trailing),
        }
    }
}

/// The bytes as they come, and the digest of all so far.
#[derive(Debug)]
struct Input<R> {
    source: R,
    hasher: Hasher,
}

impl<R: Read> Input<R> {
    /// So many bytes. Memory grows with what is there, not with what is asked for.
    fn bytes(&mut self, part: &'static str, count: u64) -> Result<Vec<u8>, CertificateFault> {
        let mut bytes = Vec::new();
        self.source.by_ref().take(count).read_to_end(&mut bytes).map_err(CertificateFault::Read)?;
        if (bytes.len() as u64) < count {
            return Err(CertificateFault::CutShort { part });
        }
        self.hasher.update(&bytes);
        Ok(bytes)
    }

    fn limited(
        &mut self,
        part: &'static str,
        bytes: u64,
        limit_bytes: u64,
    ) -> Result<Vec<u8>, CertificateFault> {
        if bytes > limit_bytes {
            return Err(CertificateFault::PartTooLong { part, bytes, limit_bytes });
        }
        self.bytes(part, bytes)
    }

    fn number(&mut self, part: &'static str) -> Result<u32, CertificateFault> {
        let bytes = self.bytes(part, 4)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// A length, and so many bytes of the canonical encoding of a value.
    fn value<T: DeserializeOwned + Serialize>(
        &mut self,
        part: &'static str,
        limit_bytes: u64,
    ) -> Result<T, CertificateFault> {
        let length = self.number(part)?;
        let bytes = self.limited(part, length.into(), limit_bytes)?;
        codec::decode_canonical("part of a certificate", &bytes, bytes.len())
            .map_err(|source| CertificateFault::Part { part, source })
    }

    /// All entries: that they stand in the ledger, and that they make sense.
    fn entries(
        &mut self,
        head: &SignedHead,
        count: u64,
        file: Option<Vec<u8>>,
        trust: &[NodeId],
    ) -> Result<(JobSpec, Checking), CertificateFault> {
        if count == 0 {
            return Err(CertificateFault::Empty);
        }
        let part = "an entry of the ledger";
        let size = head.head.tree.size;
        let mut walk = Walk::new(head.head.tree);
        let mut file = file;
        let mut checking: Option<(JobSpec, Checking)> = None;
        for _ in 0..count {
            let limit_bytes = LEDGER_ENTRY_BYTES_MAX as u64 + PROOF_BYTES_MAX;
            let ProvenEntry { position, between, entry } = self.value(part, limit_bytes)?;
            walk.entry(&between, position, &entry).map_err(|stray| fault(stray, position, size))?;
            let entry =
                Entry::from_bytes(&entry).map_err(|source| CertificateFault::Part { part, source })?;
            if let Some((_, checking)) = &mut checking {
                checking.entry(position, entry)?;
                continue;
            }
            let Record::Submitted(submitted) = entry.record else {
                return Err(CertificateFault::Submission { position, first: true });
            };
            let (spec, plan) = planned(&submitted, file.take())?;
            let named = (spec.name.clone(), plan);
            checking = Some((spec, Checking::new(head, (submitted, entry.at_ms), named, trust)));
        }
        let rest: Vec<Digest> = self.value("the rest of the ledger", PROOF_BYTES_MAX)?;
        walk.finish(&rest).map_err(|stray| fault(stray, size, size))?;
        checking.ok_or(CertificateFault::Empty)
    }
}

fn fault(stray: Stray, position: u64, size: u64) -> CertificateFault {
    match stray {
        Stray::Position => CertificateFault::Position { position, size },
        Stray::Digests { given, needed } => CertificateFault::Digests { position, given, needed },
        Stray::Root => CertificateFault::NotInLedger { size },
    }
}

/// The job that was submitted, read again from its text and its file.
fn planned(submitted: &Submitted, file: Option<Vec<u8>>) -> Result<(JobSpec, Plan), CertificateFault> {
    let held = file.as_ref().map(|bytes| Digest::of(Domain::ExpressionFile, bytes));
    if held != submitted.file {
        let told =
            |digest: Option<Digest>| digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
        return Err(CertificateFault::File { named: told(submitted.file), held: told(held) });
    }
    if !submitted.is_sound() {
        return Err(CertificateFault::JobId { job: submitted.job });
    }
    let spec = JobSpec::parse(&submitted.text)?;
    if spec.policy != submitted.policy {
        return Err(CertificateFault::Policy);
    }
    let file = match file {
        Some(bytes) => Some(String::from_utf8(bytes).map_err(|_| CertificateFault::FileText)?),
        None => None,
    };
    let plan = Plan::new(&spec, file.map(Arc::from))?;
    Ok((spec, plan))
}
