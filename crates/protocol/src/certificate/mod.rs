//! A job's certificate: one file with which anybody can check, offline, what was decided and by whom.
//!
//! It holds the ledger's entries of the job with the proof that they stand in the ledger whose head the coordinator
//! signed, the file of expressions where there is one, and the accepted outcomes (of digits the value itself is the
//! outcome, and stands beside the certificate). At its end the coordinator signs everything before. `docs/certificate.md`
//! has the format and every check.
//!
//! A job may have a million tasks, so a certificate is written ([`Builder`]) and checked ([`Examination`]) piece by piece,
//! and nothing that it claims costs memory before the bytes are there.

mod audits;
mod check;
mod complete;
mod fault;
mod findings;
mod inclusion;
mod read;
mod value;
mod write;

use serde::{Deserialize, Serialize};

use crate::{digest::Digest, ledger::SignedHead};

pub use complete::{ABRIDGED_LEAD_BYTES, Completion, CompletionError, SIGNATURE_BYTES, preamble_bytes};
pub use fault::CertificateFault;
pub use findings::{AxisSpread, Findings, Over, Trusted, Unaccepted, WorkerFindings};
pub use inclusion::UnfitPath;
pub use read::{Examination, verify};
pub use value::DigitsHasher;
pub use write::{BuildError, Builder};

/// The first bytes of every certificate.
pub const CERTIFICATE_MAGIC: [u8; 8] = *b"QUORCERT";
/// The version of the format, which follows them as four bytes, the most significant first.
pub const CERTIFICATE_VERSION: u32 = 1;
/// The usual name of the file, in the folder of a job's results.
pub const CERTIFICATE_FILE: &str = "certificate.quorate";

/// The length that stands for "no outcome".
const NO_OUTCOME: u32 = u32::MAX;
/// Longest preamble in bytes.
const PREAMBLE_BYTES_MAX: u64 = 1024;
/// Most bytes of an entry's part beyond the entry: a position and at most 96 digests.
const PROOF_BYTES_MAX: u64 = 4096;

/// The first part: which ledger, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Preamble {
    /// The ledger's head, signed by the coordinator whose certificate it is.
    head: SignedHead,
    /// How many bytes the expression file has, which follows; none where the job names none.
    file_bytes: Option<u64>,
    /// How many entries follow then.
    entries: u64,
}

/// An entry and what is needed to find it in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ProvenEntry {
    /// Its number in the ledger, from 0.
    position: u64,
    /// The digests of the largest subtrees between the entry before and this one, from left to right.
    between: Vec<Digest>,
    /// The entry's canonical bytes.
    #[serde(with = "serde_bytes")]
    entry: Vec<u8>,
}
