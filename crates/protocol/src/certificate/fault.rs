//! Why a certificate proves nothing: each reason names what and where.

use std::io;

use crate::{
    codec::DecodeError,
    digest::Digest,
    domain::Axis,
    identity::NodeId,
    job::{JobFileErrors, JobId},
    report::JobState,
};

use super::CERTIFICATE_VERSION;

/// Why a certificate is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The bytes cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Read(#[source] io::Error),
    /// Something else.
    #[error("this is no certificate of Quorate: it does not begin with `QUORCERT`")]
    NotACertificate,
    /// Of another version.
    #[error(
        "the certificate has version {found} and this program knows {CERTIFICATE_VERSION}; use a newer program"
    )]
    Version {
        /// What it says.
        found: u32,
    },
    /// It ends too early.
    #[error("the certificate ends inside {part}: it is cut short")]
    CutShort {
        /// In what.
        part: &'static str,
    },
    /// A part says that it is longer than such a part may be.
    #[error("{part} says that it has {bytes} bytes; the limit is {limit_bytes}")]
    PartTooLong {
        /// Which.
        part: &'static str,
        /// What it says.
        bytes: u64,
        /// What it may have.
        limit_bytes: u64,
    },
    /// A part is not what it must be.
    #[error("{part}: {source}")]
    Part {
        /// Which.
        part: &'static str,
        /// Why not.
        source: DecodeError,
    },
    /// Something follows the signature.
    #[error("bytes trail the certificate's signature")]
    Trailing,
    /// The end is not signed.
    #[error(
        "coordinator {coordinator} has not signed this certificate: it was changed, or made by somebody else"
    )]
    Signature {
        /// Who should have.
        coordinator: NodeId,
    },
    /// The ledger's head is not signed.
    #[error("coordinator {coordinator} has not signed the head of the ledger")]
    HeadSignature {
        /// Who should have.
        coordinator: NodeId,
    },
    /// The entries are not those of the ledger.
    #[error("the ledger of {size} entries that the head names does not hold these entries")]
    NotInLedger {
        /// The ledger's entries.
        size: u64,
    },
    /// An entry is not behind the one before.
    #[error(
        "the entry at position {position} does not come after the one before, or is beyond the ledger's {size} entries"
    )]
    Position {
        /// Its position.
        position: u64,
        /// The ledger's entries.
        size: u64,
    },
    /// The digests that lead to the root are too many or too few.
    #[error("before entry {position} of the ledger {given} digests are given and {needed} are needed")]
    Digests {
        /// The entry's position.
        position: u64,
        /// So many are there.
        given: usize,
        /// So many must be.
        needed: usize,
    },
    /// An entry is of another job, or of none.
    #[error("the entry at position {position} is not of job {job}")]
    ForeignEntry {
        /// Its position.
        position: u64,
        /// The certificate's job.
        job: JobId,
    },
    /// The first entry does not say what was submitted, or a later one does.
    #[error("the entry at position {position} must{} be the job's submission", if *first { "" } else { " not" })]
    Submission {
        /// Its position.
        position: u64,
        /// Whether it is the first.
        first: bool,
    },
    /// Time goes back.
    #[error("the entry at position {position} is earlier than the one before")]
    Time {
        /// Its position.
        position: u64,
    },
    /// No entry at all.
    #[error("the certificate holds no entry of the ledger")]
    Empty,
    /// What was submitted gives another id.
    #[error("job {job} is not the one with this text, this expression file and this nonce")]
    JobId {
        /// The id that is claimed.
        job: JobId,
    },
    /// The expression file is missing, not asked for, or another.
    #[error(
        "the expression file is not the one that was submitted: the submission names {named}, the certificate holds {held}"
    )]
    File {
        /// The digest in the submission, or `none`.
        named: String,
        /// The digest of what is held, or `none`.
        held: String,
    },
    /// The text of the job or of its expressions is invalid.
    #[error("the submitted job is none: {0}")]
    JobFile(#[from] JobFileErrors),
    /// The file of expressions is no text.
    #[error("the expression file is not UTF-8")]
    FileText,
    /// The policy in the ledger is not that of the text.
    #[error("the policy in the ledger is not the one that the job's text asks for")]
    Policy,
    /// A task is not in the plan.
    #[error("the ledger decides task {index}, and the job has {tasks} tasks")]
    NoSuchTask {
        /// Its number.
        index: u64,
        /// How many there are.
        tasks: u64,
    },
    /// A task is another than the plan's.
    #[error("task {index} in the ledger is not the task that the job's text gives")]
    TaskDiffers {
        /// Its number.
        index: u64,
    },
    /// A task is decided again.
    #[error("task {index} is decided twice")]
    DecidedTwice {
        /// Its number.
        index: u64,
    },
    /// A task is decided after the end.
    #[error("task {index} is decided after the job was over")]
    DecidedAfterTheEnd {
        /// Its number.
        index: u64,
    },
    /// The bar was lowered.
    #[error("task {index} was decided with a quorum of {quorum}, and the policy asks for {policy}")]
    QuorumLowered {
        /// Its number.
        index: u64,
        /// What it was decided with.
        quorum: u32,
        /// What the policy asks for.
        policy: u32,
    },
    /// A worker is counted twice, or out of order.
    #[error("task {index}: worker {} is counted twice, or not in the order of the keys", worker.short())]
    WorkerTwice {
        /// The task's number.
        index: u64,
        /// Who.
        worker: NodeId,
    },
    /// Two ballots of one replica.
    #[error("task {index}: replica {number} has two counted ballots")]
    ReplicaTwice {
        /// The task's number.
        index: u64,
        /// The replica's number.
        number: u32,
    },
    /// A ballot is about something else.
    #[error("task {index}: the ballot of worker {} is about another job or task", worker.short())]
    ForeignBallot {
        /// The task's number.
        index: u64,
        /// Whose.
        worker: NodeId,
    },
    /// An audit among the ballots.
    #[error("task {index}: the ballot of worker {} is an audit, and counted as if it had computed", worker.short())]
    NoBallot {
        /// The task's number.
        index: u64,
        /// Whose.
        worker: NodeId,
    },
    /// A ballot, or an audit of nothing that was computed, among the audits.
    #[error("task {index}: worker {} is said to have audited an outcome, and has not, or not that one, or twice", worker.short())]
    NoAudit {
        /// The task's number.
        index: u64,
        /// Whose.
        worker: NodeId,
    },
    /// What was accepted did not pass enough audits.
    #[error(
        "task {index}: the accepted outcome did not pass the {needed} audits that the policy asks for, or more found it wrong than right"
    )]
    NotAudited {
        /// The task's number.
        index: u64,
        /// How many must pass.
        needed: u32,
    },
    /// A ballot is not signed.
    #[error("task {index}: the ballot of worker {} does not carry its signature", worker.short())]
    Forged {
        /// The task's number.
        index: u64,
        /// Whose.
        worker: NodeId,
    },
    /// Too few agree.
    #[error("task {index}: {agreeing} workers agree on the accepted digest, and the quorum is {quorum}")]
    TooFew {
        /// The task's number.
        index: u64,
        /// How many do.
        agreeing: u32,
        /// How many must.
        quorum: u32,
    },
    /// A dispute of an adaptive job that the accepted digest does not lead by enough.
    #[error(
        "task {index}: {agreeing} ballots are for the accepted digest and {others} against it, and adaptive replication asks for a \
         lead of {lead}"
    )]
    NoLead {
        /// The task's number.
        index: u64,
        /// For it.
        agreeing: u32,
        /// Against it.
        others: u32,
        /// The lead that the policy's bound asks for.
        lead: u32,
    },
    /// No majority.
    #[error("task {index}: {agreeing} of {ballots} ballots are for the accepted digest: no majority")]
    NoMajority {
        /// The task's number.
        index: u64,
        /// For it.
        agreeing: u32,
        /// In all.
        ballots: u32,
    },
    /// The winners are too much alike.
    #[error(
        "task {index}: the winners show {values} different values of `{axis}`, and the policy asks for {needed}"
    )]
    Alike {
        /// The task's number.
        index: u64,
        /// On which axis.
        axis: Axis,
        /// How many values there are.
        values: u32,
        /// How many there must be.
        needed: u32,
    },
    /// What is said of a dispute does not fit the ballots.
    #[error(
        "task {index} is said to have been {}, and its ballots say otherwise: one was left out or added",
        if *disputed { "disputed" } else { "undisputed" }
    )]
    Dispute {
        /// The task's number.
        index: u64,
        /// What is said.
        disputed: bool,
    },
    /// A failed task has ballots, or an accusation is none.
    #[error("task {index}: the two ballots of worker {} are no equivocation", worker.short())]
    NoEquivocation {
        /// The task's number.
        index: u64,
        /// Who is accused.
        worker: NodeId,
    },
    /// A late ballot came before the verdict.
    #[error("task {index}: the ballot of worker {} is called late, and no verdict comes before it", worker.short())]
    NotLate {
        /// The task's number.
        index: u64,
        /// Whose.
        worker: NodeId,
    },
    /// A correction of somebody who was not wrong, or to something that was not accepted.
    #[error("task {index}: worker {} is said to have been corrected, and did not dissent from that digest", worker.short())]
    NoDissent {
        /// The task's number.
        index: u64,
        /// Who.
        worker: NodeId,
    },
    /// How it ended is not true, or is said twice.
    #[error("the ledger says that the job ended `{}`; its entries do not bear that out", state_name(*state))]
    State {
        /// What it says.
        state: JobState,
    },
    /// A stretch of tasks without outcomes that the job does not have.
    #[error(
        "{count} tasks from task {index} on are said to have no outcome, and the job has {left} from there on"
    )]
    Absent {
        /// The first of them.
        index: u64,
        /// How many there should be.
        count: u64,
        /// How many there are.
        left: u64,
    },
    /// An outcome for a task that has none.
    #[error("task {index} has an outcome here, and none was accepted")]
    UnacceptedOutcome {
        /// The task's number.
        index: u64,
    },
    /// An outcome is not what was accepted.
    #[error("the outcome of task {index} has the digest {found}, and {accepted} was accepted")]
    OutcomeDiffers {
        /// The task's number.
        index: u64,
        /// Its digest.
        found: Digest,
        /// What was accepted.
        accepted: Digest,
    },
    /// Too few of the keys that are trusted.
    #[error(
        "task {index}: {trusted} of the workers that agree are among the keys that you trust, and the quorum is {quorum}"
    )]
    Untrusted {
        /// The task's number.
        index: u64,
        /// How many are.
        trusted: u32,
        /// How many must be.
        quorum: u32,
    },
}

/// The name in reports and on the wire.
pub(super) fn state_name(state: JobState) -> &'static str {
    match state {
        JobState::Running => "running",
        JobState::Correcting => "correcting",
        JobState::Reconciled => "reconciled",
        JobState::Incomplete => "incomplete",
        JobState::Abandoned => "abandoned",
    }
}
