//! What a coordinator writes down before it tells anybody: the entries of an append-only log, and its signed head.
//!
//! Entries are the leaves of a Merkle tree ([`crate::merkle`]), so a head names everything that was ever written, and two
//! heads show whether one log continues the other. An entry is what happened, with the signatures that prove it; what
//! follows from it is worked out again when the log is read.

use serde::{Deserialize, Serialize};

use crate::{
    ballot::SignedBallot,
    codec::{self, DecodeError},
    digest::{Digest, Domain},
    domain::Engine,
    fault::LocatedFault,
    identity::{NodeId, SecretKey, Signature},
    job::JobId,
    limits::LEDGER_ENTRY_BYTES_MAX,
    merkle::TreeRoot,
    message::EngineIntroduction,
    policy::Policy,
    report::JobState,
    standing::{BrokenSeal, Quarantined, Tested},
    task::TaskId,
    verdict::Verdict,
};

/// Version of the entries; a program that does not know it does not touch the log.
pub const LEDGER_VERSION: u32 = 1;

/// One leaf of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in milliseconds since 1970, by the coordinator's clock; never before the entry above.
    pub at_ms: u64,
    /// What happened.
    pub record: Record,
}

/// Something that happened and must not be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The log begins. Always the first entry, and no other.
    Founded {
        /// Whose log it is.
        coordinator: NodeId,
        /// [`LEDGER_VERSION`].
        version: u32,
    },
    /// A worker was let in for the first time, or came back with another operator, other engines or another build.
    Enrolled(Enrolment),
    /// A job was taken.
    Submitted(Submitted),
    /// A task's tally ended.
    Decided(Decided),
    /// A ballot that came after the verdict.
    Late(CountedBallot),
    /// A dissenter replaced its outcome by the accepted one and said so.
    Corrected {
        /// Of which job.
        job: JobId,
        /// The task's number.
        index: u64,
        /// Who.
        worker: NodeId,
        /// What it holds now.
        accepted: Digest,
    },
    /// A job was over.
    Over {
        /// Which.
        job: JobId,
        /// How.
        state: JobState,
    },
    /// A key will never be let in again.
    Revoked {
        /// Whose.
        node: NodeId,
    },
    /// An engine of a worker gets no more leases that count.
    Quarantined(Quarantined),
    /// An engine in quarantine, or one that is held back for a fault of its kind, answered a task whose answer is known.
    Tested(Tested),
    /// An engine is let back, as a new one.
    Readmitted {
        /// Whose.
        worker: NodeId,
        /// Which of its engines.
        engine: Engine,
    },
    /// It was looked for where the computation of a dissenter went wrong.
    Located(Box<LocatedFault>),
    /// A worker revealed another ballot than the one that it had committed to.
    SealBroken(Box<BrokenSeal>),
}

/// Who a worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// Its key.
    pub worker: NodeId,
    /// Its name for people.
    pub name: String,
    /// Who runs it.
    pub operator: String,
    /// What it computes with.
    pub engines: Vec<EngineIntroduction>,
    /// Version of its program.
    pub build: String,
}

/// A job as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// Its id: [`JobId::of_submission`] of the text, the file's digest and the nonce.
    pub job: JobId,
    /// The coordinator's random bytes in the id.
    pub nonce: [u8; 16],
    /// Who submitted it.
    pub submitter: NodeId,
    /// The rules of its vote.
    pub policy: Policy,
    /// The job file's text.
    pub text: String,
    /// The digest of the expression file, where the job names one; the file itself is kept beside the log.
    pub file: Option<Digest>,
}

impl Submitted {
    /// Whether the id is that of the text, the file and the nonce.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.job == JobId::of_submission(&self.text, self.file, self.nonce)
    }
}

/// A ballot that was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedBallot {
    /// The ballot.
    pub ballot: SignedBallot,
    /// How long the worker computed, in microseconds, as it says.
    pub compute_us: u64,
}

/// The end of a task's tally, with every ballot that was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Of which job.
    pub job: JobId,
    /// The task's number.
    pub index: u64,
    /// The task.
    pub task: TaskId,
    /// How it ended.
    pub verdict: Verdict,
    /// How many agreeing ballots it needed.
    pub quorum: u32,
    /// When its first replica was leased, in milliseconds since 1970.
    pub opened_ms: u64,
    /// Whether two different digests were ever there.
    pub disputed: bool,
    /// The counted ballots, in the order of their workers' keys.
    pub ballots: Vec<CountedBallot>,
    /// Pairs of different ballots of one worker for one replica.
    pub equivocations: Vec<[SignedBallot; 2]>,
    /// The audits that were counted, in the order in which they came. (Left out of the canonical bytes where there are none.)
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audits: Vec<CountedBallot>,
}

impl Entry {
    /// The canonical bytes, which are the leaf.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads the canonical bytes.
    ///
    /// # Errors
    /// [`DecodeError`] when they are not exactly an entry, or over [`LEDGER_ENTRY_BYTES_MAX`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode_canonical("ledger entry", bytes, LEDGER_ENTRY_BYTES_MAX)
    }
}

impl Record {
    /// The job that it is about.
    #[must_use]
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Submitted(Submitted { job, .. })
            | Self::Decided(Decided { job, .. })
            | Self::Corrected { job, .. }
            | Self::Over { job, .. } => Some(*job),
            Self::Late(counted) => Some(counted.ballot.ballot.replica.job),
            Self::Tested(tested) => Some(tested.counted.ballot.ballot.replica.job),
            Self::Quarantined(quarantined) => quarantined.job,
            Self::Located(fault) => Some(fault.job),
            Self::SealBroken(broken) => Some(broken.ballot.ballot.replica.job),
            Self::Founded { .. } | Self::Enrolled(_) | Self::Revoked { .. } | Self::Readmitted { .. } => None,
        }
    }
}

/// What a coordinator vouches for: its log has this size and this root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Whose log.
    pub coordinator: NodeId,
    /// Its size and root.
    pub tree: TreeRoot,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// A head and the coordinator's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// What is said.
    pub head: Head,
    /// By the coordinator that the head names.
    pub signature: Signature,
}

impl Head {
    fn signing_digest(&self) -> Digest {
        Digest::of(Domain::LedgerHead, &codec::encode(self))
    }

    /// Signs with the coordinator's own key.
    #[must_use]
    pub fn sign(self, key: &SecretKey) -> SignedHead {
        SignedHead { head: self, signature: key.sign(&self.signing_digest()) }
    }
}

impl SignedHead {
    /// Whether the coordinator that the head names has signed it.
    #[must_use]
    pub fn is_authentic(&self) -> bool {
        self.head.coordinator.has_signed(&self.head.signing_digest(), &self.signature)
    }
}
