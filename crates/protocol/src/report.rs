//! What people and their programs are told about a job: progress while it runs, a report when it is over.
//!
//! These are the shapes of `report.json` and of `--json`; internals never leak into them.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};

use crate::{
    audit::Audited, domain::FailureDomain, identity::NodeId, job::JobId, policy::Policy,
    standing::EngineStanding,
};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Tasks are open.
    Running,
    /// Every task is decided; dissenters are still being corrected.
    Correcting,
    /// Every task is accepted and every reachable dissenter is corrected.
    Reconciled,
    /// Over, and at least one task is undecided or failed.
    Incomplete,
    /// Stopped on request.
    Abandoned,
}

impl JobState {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Running | Self::Correcting)
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobProgress {
    /// Where it stands.
    pub state: JobState,
    /// How many tasks it has.
    pub tasks: u64,
    /// How many are accepted.
    pub accepted: u64,
    /// How many ended undecided or failed.
    pub unaccepted: u64,
    /// How many were ever disputed.
    pub disputes: u64,
    /// Ballots against an accepted digest.
    pub dissenting_ballots: u64,
    /// Corrections acknowledged.
    pub corrections: u64,
    /// How far the replicas under way are, in thousandths of the job's work.
    pub permille: u16,
    /// Why open tasks wait, if they do.
    pub waiting: Option<String>,
}

/// One line of `coordinator status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    /// The id.
    pub job: JobId,
    /// The name from the job file.
    pub name: String,
    /// How far it is.
    pub progress: JobProgress,
    /// How long since it was submitted, in milliseconds.
    pub age_ms: u64,
}

/// Whether a worker is heard. It says nothing about whether what it says is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Liveness {
    /// It is heard: it gets leases and belongs to electorates.
    Alive,
    /// It was silent for longer than its rhythm lets expect: it gets no new leases, and keeps those that it has.
    Suspect,
    /// It was silent for twice as long, or its connection is gone: its leases are free, it is outside every electorate,
    /// and it rejoins as soon as it is heard.
    Standby,
}

impl Liveness {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Standby => "standby",
        }
    }
}

/// One line of `coordinator workers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its key.
    pub worker: NodeId,
    /// Its name.
    pub name: String,
    /// Who runs it.
    pub operator: String,
    /// `cpu (device)`, `gpu (device)`.
    pub engines: Vec<String>,
    /// Version of its program.
    pub build: String,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether it is heard.
    pub liveness: Liveness,
    /// Replicas under lease.
    pub leases: u64,
    /// Ballots counted.
    pub ballots: u64,
    /// Of those, ballots against an accepted digest.
    pub dissents: u64,
    /// Two different ballots for one replica.
    pub equivocations: u64,
    /// Commitments that were used before, did not open to the ballot that followed, or were missing.
    pub broken_seals: u64,
    /// Frames with ballots that came over its connection.
    pub bundles: u64,
    /// Bytes on the wire to it, over its connection, all headers from UDP's payload on included.
    pub sent_bytes: u64,
    /// Bytes on the wire from it, likewise.
    pub received_bytes: u64,
    /// Its record of correctness, for each engine that it has.
    pub standing: Vec<EngineStanding>,
}

/// `report.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobReport {
    /// Name from the job file.
    pub job: String,
    /// Id in the coordinator, hexadecimal.
    pub job_id: String,
    /// Where it ended.
    pub status: JobState,
    /// How much the verdicts are worth: who could be wrong together.
    pub worth: String,
    /// The rules of the vote.
    pub policy: Policy,
    /// How many tasks.
    pub tasks: u64,
    /// How many accepted.
    pub accepted: u64,
    /// How many were ever disputed.
    pub disputes: u64,
    /// Workers with a ballot against an accepted digest.
    pub dissenters: Vec<DissenterReport>,
    /// Corrections acknowledged.
    pub corrections: u64,
    /// From submission to the end, in seconds.
    pub elapsed_s: f64,
    /// Sum over all replicas of their computation time, in seconds; audits are not counted here.
    pub compute_s: f64,
    /// What the audits came to, where there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audits: Option<AuditsReport>,
    /// What adaptive replication came to, where the policy asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<AdaptiveReport>,
    /// Every task's verdict. Whoever reads a report holds [`VERDICTS_HELD_MAX`] of the accepted ones, and as many others: the
    /// rest of a long job's is for programs that look for a task.
    #[serde(deserialize_with = "verdicts_held")]
    pub verdicts: Vec<TaskReport>,
}

/// How many verdicts of each sort are held of a report that is read.
pub const VERDICTS_HELD_MAX: usize = 16;

/// Reads a list of verdicts one by one, and holds the first ones.
fn verdicts_held<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TaskReport>, D::Error> {
    struct Held;

    impl<'de> Visitor<'de> for Held {
        type Value = Vec<TaskReport>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of verdicts")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut verdicts: A) -> Result<Self::Value, A::Error> {
            let (mut held, mut accepted) = (Vec::new(), 0);
            while let Some(verdict) = verdicts.next_element::<TaskReport>()? {
                let is_accepted = verdict.verdict == "accepted";
                let alike = if is_accepted { accepted } else { held.len() - accepted };
                if alike < VERDICTS_HELD_MAX {
                    accepted += usize::from(is_accepted);
                    held.push(verdict);
                }
            }
            Ok(held)
        }
    }

    deserializer.deserialize_seq(Held)
}

/// How many workers stand behind the values of a job with adaptive replication.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdaptiveReport {
    /// Accepted values that one worker computed, which passed a later check.
    pub alone: u64,
    /// Accepted values that several workers computed.
    pub checked: u64,
    /// Computations beyond the first of each accepted value, for each such value: 0.05 is five percent more.
    pub overhead: f64,
    /// Answers that stood alone and were opened again since their worker was caught at a wrong one, since the coordinator was started.
    pub reopened: u64,
}

/// The audits of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditsReport {
    /// How many found an outcome right.
    pub passes: u64,
    /// How many found one wrong.
    pub rejections: u64,
    /// How long they took together, in seconds.
    pub audit_s: f64,
    /// How long it would have taken to compute again what was audited, each time, in seconds: by the time that its prover
    /// took.
    pub recomputing_s: f64,
}

/// Who dissented.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DissenterReport {
    /// Name of the worker.
    pub name: String,
    /// Its key, hexadecimal.
    pub worker: String,
    /// Who runs it.
    pub operator: String,
    /// On how many tasks.
    pub dissents: u64,
    /// How many of these are corrected.
    pub corrected: u64,
    /// How many times it cast two different ballots for one replica.
    pub equivocations: u64,
    /// On how many sealed tasks its commitment was used before, opened to no ballot that followed, or was missing.
    pub broken_seals: u64,
    /// Where, for the first few.
    pub where_first: Vec<Dissent>,
    /// Why it was put in quarantine in this job, with which engine, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<String>,
}

/// One dissent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dissent {
    /// Number of the task in the job.
    pub task_index: u64,
    /// With which engine, formula, device and build it voted.
    pub domain: Option<FailureDomain>,
    /// Where its outcome parts from the accepted one, in words ("decimal 317", "expression 4: …").
    pub place: Option<String>,
    /// Where its computation went wrong, where that could be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultReport>,
    /// When it acknowledged the correction, in seconds after submission.
    pub corrected_after_s: Option<f64>,
}

/// Where a dissenter's sum of series parts from that of a winner by the same formula, and what kind of fault it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultReport {
    /// The formula.
    pub formula: String,
    /// Where, in words ("terms 1,048,576 to 1,048,831").
    pub place: String,
    /// The digests of that node to which the ballots of the winner and of the dissenter commit them, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<[String; 2]>,
    /// `transient`, `deterministic`, `dishonest` or `unanswered`, where it was looked for.
    pub class: Option<String>,
    /// What that means, in words.
    pub meaning: String,
    /// The name of the winner.
    pub compared_with: String,
    /// How many questions were asked.
    pub rounds: u32,
    /// How many bytes questions and answers had.
    pub bytes: u64,
}

/// One task's verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Number in the job.
    pub index: u64,
    /// Id, hexadecimal.
    pub task: String,
    /// What it is, for people.
    pub summary: String,
    /// `accepted`, `undecided` or `failed`.
    pub verdict: String,
    /// The accepted digest, hexadecimal.
    pub digest: Option<String>,
    /// Whether it was disputed.
    pub disputed: bool,
    /// Why it is not accepted.
    pub reason: Option<String>,
    /// From first lease to verdict, in seconds.
    pub elapsed_s: f64,
    /// Who voted what, and who audited whom.
    pub ballots: Vec<BallotReport>,
}

/// One ballot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BallotReport {
    /// Name of the worker.
    pub name: String,
    /// Its key, hexadecimal.
    pub worker: String,
    /// Number of the replica.
    pub replica: u32,
    /// What the answer depends on.
    pub domain: FailureDomain,
    /// The digest, hexadecimal.
    pub digest: String,
    /// How long the computation took, in seconds.
    pub compute_s: f64,
    /// `agrees`, `dissents`, `open` or `equivocates`; of an audit `passes` or `rejects`.
    pub standing: String,
    /// What was audited, and by which challenge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audited>,
    /// Whether it came after the verdict.
    pub late: bool,
}

impl JobProgress {
    /// A job that nobody has counted yet.
    #[must_use]
    pub fn starting() -> Self {
        Self {
            state: JobState::Running,
            tasks: 0,
            accepted: 0,
            unaccepted: 0,
            disputes: 0,
            dissenting_ballots: 0,
            corrections: 0,
            permille: 0,
            waiting: None,
        }
    }
}
