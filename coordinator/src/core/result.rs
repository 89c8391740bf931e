//! What a client is given when a job is over: the report, the signed ballots, and where the outcomes are.

use std::sync::Arc;

use protocol::{ballot::SignedBallot, digest::Digest, report::JobReport, verdict::Certificate};
use serde::Serialize;

/// The results of one job.
#[derive(Debug)]
pub struct JobResult {
    /// The job file's text.
    pub text: String,
    /// The expression file's text, where the job names one.
    pub file: Option<Arc<str>>,
    /// The report.
    pub report: JobReport,
    /// The ballots of each task.
    pub ballots: Vec<TaskBallots>,
    /// For each task, the digest of its accepted outcome.
    pub outcomes: Vec<Option<Digest>>,
}

/// The signed ballots of one task, as they stand in `ballots.json`.
#[derive(Debug, Serialize)]
pub struct TaskBallots {
    /// Number of the task in the job.
    pub index: u64,
    /// The ballots that decided it.
    pub certificate: Option<Certificate>,
    /// Ballots of a task that was not accepted, and those that came after the verdict.
    pub others: Vec<SignedBallot>,
    /// Pairs of different ballots of one worker for one replica.
    pub equivocations: Vec<[SignedBallot; 2]>,
}
