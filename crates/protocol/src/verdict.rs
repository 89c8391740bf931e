//! What was decided on a task, and the ballots that show it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    audit::Audited,
    ballot::{Ballot, SignedBallot},
    codec::{self, DecodeError},
    digest::Digest,
    identity::NodeId,
    job::JobId,
    limits::CERTIFICATE_BYTES_MAX,
    task::TaskId,
};

/// The end of a task's tally.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Enough workers agree on this digest.
    Accepted(Digest),
    /// The replicas are exhausted and no digest has a majority.
    Undecided,
    /// No worker could run it.
    Failed(String),
}

/// The ballots that prove an accepted verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The job.
    pub job: JobId,
    /// The number of the task in the job's plan.
    pub index: u64,
    /// The task.
    pub task: TaskId,
    /// What was accepted.
    pub accepted: Digest,
    /// How many agreeing ballots the policy asked for.
    pub quorum: u32,
    /// The ballots for it.
    pub winning: Vec<SignedBallot>,
    /// The ballots against it.
    pub dissenting: Vec<SignedBallot>,
    /// The audits that rejected what dissenters had computed. (Left out of the canonical bytes where there are none.)
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejections: Vec<SignedBallot>,
}

/// Why a certificate proves nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CertificateError {
    /// Not a certificate at all.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Too few different workers signed for the accepted digest.
    #[error("{agreeing} workers signed for the accepted digest, and the quorum is {needed}")]
    TooFew {
        /// How many did.
        agreeing: usize,
        /// How many must.
        needed: u32,
    },
    /// As many or more ballots are against as for.
    #[error("{agreeing} ballots agree and {against} do not: no majority")]
    NoMajority {
        /// Ballots for.
        agreeing: usize,
        /// Ballots against.
        against: usize,
    },
    /// A ballot's signature is not its worker's.
    #[error("the ballot of worker {worker} does not carry its signature")]
    Signature {
        /// The worker's short name.
        worker: String,
    },
    /// A ballot is about something else.
    #[error("the ballot of worker {worker} is about another job, task or digest")]
    Foreign {
        /// The worker's short name.
        worker: String,
    },
}

impl Certificate {
    /// The ballots that were counted before the verdict, put in their places: those who computed, and those who audited.
    /// One worker's word is taken once.
    #[must_use]
    pub fn of(
        (job, index, task): (JobId, u64, TaskId),
        (accepted, quorum): (Digest, u32),
        ballots: impl Iterator<Item = SignedBallot>,
        audits: impl Iterator<Item = SignedBallot>,
    ) -> Self {
        let (mut winning, dissenting): (Vec<_>, Vec<_>) =
            ballots.partition(|signed| signed.ballot.digest == accepted);
        let (passes, rejections): (Vec<_>, Vec<_>) =
            audits.partition(|signed| signed.ballot.is_for_its_outcome());
        let mut vouching: BTreeSet<NodeId> = winning.iter().map(|signed| signed.ballot.worker).collect();
        for signed in passes.into_iter().filter(|signed| signed.ballot.digest == accepted) {
            if vouching.insert(signed.ballot.worker) {
                winning.push(signed);
            }
        }
        Self { job, index, task, accepted, quorum, winning, dissenting, rejections }
    }

    /// The encoded bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads and checks a certificate: every signature, that each ballot is about this job and task, that at least
    /// `quorum_min` different workers agree, and that they are more than half.
    ///
    /// # Errors
    /// [`CertificateError`] says what is missing.
    pub fn check(bytes: &[u8], quorum_min: u32) -> Result<Self, CertificateError> {
        let certificate: Self = codec::decode("certificate", bytes, CERTIFICATE_BYTES_MAX)?;
        certificate.verify(quorum_min)?;
        Ok(certificate)
    }

    /// The dissenters whose outcome so many different workers have rejected: their ballots count for nothing.
    fn struck(&self, needed: u32) -> Result<BTreeSet<NodeId>, CertificateError> {
        let mut rejected: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
        for signed in &self.rejections {
            let Ballot { worker, replica, digest, audit, .. } = &signed.ballot;
            let about_this = (replica.job, replica.index, replica.task) == (self.job, self.index, self.task);
            let rejects = |audited: &&Audited| audited.rejection() == *digest && audited.prover != *worker;
            let Some(audited) = audit.as_ref().filter(rejects).filter(|_| about_this) else {
                return Err(CertificateError::Foreign { worker: worker.short() });
            };
            if !signed.is_authentic() {
                return Err(CertificateError::Signature { worker: worker.short() });
            }
            rejected.entry(audited.prover).or_default().insert(*worker);
        }
        rejected.retain(|_, rejecting| rejecting.len() >= needed as usize);
        Ok(rejected.into_keys().collect())
    }

    /// As [`Certificate::check`], for one that is already decoded.
    ///
    /// # Errors
    /// [`CertificateError`] says what is missing.
    pub fn verify(&self, quorum_min: u32) -> Result<(), CertificateError> {
        let mut agreeing = BTreeSet::new();
        let mut against = BTreeSet::new();
        for (signed, wins) in
            self.winning.iter().map(|b| (b, true)).chain(self.dissenting.iter().map(|b| (b, false)))
        {
            let ballot = &signed.ballot;
            let worker = || ballot.worker.short();
            let replica = ballot.replica;
            let about_this = (replica.job, replica.index, replica.task) == (self.job, self.index, self.task);
            if !about_this || (ballot.digest == self.accepted) != wins {
                return Err(CertificateError::Foreign { worker: worker() });
            }
            if !signed.is_authentic() {
                return Err(CertificateError::Signature { worker: worker() });
            }
            if wins {
                agreeing.insert(ballot.worker)
            } else {
                against.insert(ballot.worker)
            };
        }
        let needed = self.quorum.max(quorum_min);
        let struck = self.struck(needed)?;
        against.retain(|worker| !struck.contains(worker));
        if agreeing.len() < needed as usize {
            return Err(CertificateError::TooFew { agreeing: agreeing.len(), needed });
        }
        if agreeing.len() <= against.len() {
            return Err(CertificateError::NoMajority { agreeing: agreeing.len(), against: against.len() });
        }
        Ok(())
    }
}
