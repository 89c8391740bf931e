//! What a certificate shows, as data: what is proven, by whom, and what could have made them wrong together.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{identity::NodeId, job::JobId, merkle::TreeRoot, policy::Policy, report::JobState};

/// What an accepted certificate shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// The job.
    pub job: JobId,
    /// Its name, from its text.
    pub name: String,
    /// Who submitted it, as the coordinator says.
    pub submitter: NodeId,
    /// Whose ledger it is.
    pub coordinator: NodeId,
    /// The ledger's size and root.
    pub ledger: TreeRoot,
    /// When the head was signed, in milliseconds since 1970 by the coordinator's clock.
    pub head_at_ms: u64,
    /// When the job was taken, by the same clock.
    pub submitted_ms: u64,
    /// How and when it ended; none where it had not.
    pub over: Option<Over>,
    /// The rules of its vote.
    pub policy: Policy,
    /// How many tasks the job has.
    pub tasks: u64,
    /// How many have an accepted digest.
    pub accepted: u64,
    /// How many ended without a majority.
    pub undecided: u64,
    /// How many no worker could run.
    pub failed: u64,
    /// How many the ledger says nothing about.
    pub open: u64,
    /// The first few that are decided and not accepted.
    pub unaccepted_first: Vec<Unaccepted>,
    /// How many were ever disputed.
    pub disputed: u64,
    /// Ballots that were counted, and late ones; each signature was checked.
    pub ballots: u64,
    /// Accepted tasks, without audits, that rest on the ballot of one worker: nothing in the certificate checks it.
    pub alone: u64,
    /// The smallest quorum of an accepted task.
    pub quorum_min: Option<u32>,
    /// For some accepted task, so many workers would have had to be wrong together, and in the same way, for its digest
    /// to be wrong; for every other at least as many.
    pub wrong_together_min: Option<u32>,
    /// On each axis, how many different values the winners of an accepted task showed at least.
    pub spread: Vec<AxisSpread>,
    /// Everybody whose signature is there, in the order of their keys.
    pub workers: Vec<WorkerFindings>,
    /// Audits of outcomes, late ones as well; each signature was checked.
    pub audits: u64,
    /// Every accepted outcome passed so many audits at least; none where the policy asks for none.
    pub audits_min: Option<u32>,
    /// Of audited digits: log2 of a bound on the probability that wrong ones pass one audit by an honest worker.
    pub audit_error_log2: Option<i32>,
    /// Corrections that dissenters acknowledged.
    pub corrections: u64,
    /// Accepted outcomes that the certificate holds; each has the accepted digest.
    pub outcomes: u64,
    /// Accepted tasks whose outcome it does not hold; of a job of digits the one, which is the value itself.
    pub outcomes_elsewhere: u64,
    /// What is left to the file's own word.
    pub trusted: Trusted,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Over {
    /// How.
    pub state: JobState,
    /// When, in milliseconds since 1970 by the coordinator's clock.
    pub at_ms: u64,
}

/// A task that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unaccepted {
    /// Its number.
    pub index: u64,
    /// Why, as the ledger has it; none where no digest had a majority.
    pub reason: Option<String>,
}

/// How different the winners were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AxisSpread {
    /// `operator`, `engine`, `formula`, `device` or `build`.
    pub axis: &'static str,
    /// How many different values the winners of every accepted task show at least; 1 means that those of some task were
    /// all alike.
    pub values_min: u32,
}

/// What one worker's signatures say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerFindings {
    /// Its key.
    pub worker: NodeId,
    /// Who runs it, as its ballots say; more than one where it changed hands.
    pub operators: BTreeSet<String>,
    /// Ballots for accepted digests.
    pub agreed: u64,
    /// Ballots against accepted digests, late ones as well.
    pub dissented: u64,
    /// Ballots on tasks that were not accepted.
    pub undecided: u64,
    /// Of its dissents, those that it replaced by what was accepted.
    pub corrected: u64,
    /// Tasks on which it signed two different digests for one replica.
    pub equivocated: u64,
    /// Audits that it made.
    pub audits: u64,
    /// Whether its key is among those that were named as trusted.
    pub trusted: bool,
}

/// Which keys were known from elsewhere than the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Trusted {
    /// Whether the coordinator's key was.
    pub coordinator: bool,
    /// Whether workers' keys were: then on each accepted task they alone make up the quorum, with the differences that
    /// the policy asks for.
    pub workers: bool,
}
