//! What a client is given when a job is over: the report, the signed ballots, and the accepted digests, written from the
//! ledger to nameless files, so that a job of any length takes the memory of a short one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufWriter, Seek, Write},
    sync::Arc,
};

use protocol::{
    ballot::SignedBallot,
    digest::Digest,
    identity::NodeId,
    job::JobId,
    ledger::Entry,
    plan::Plan,
    policy::Policy,
    report::{JobReport, JobState, TaskReport},
    verdict::Certificate,
};
use serde::Serialize;

use super::{
    Known,
    locating::FaultSearch,
    past::{PastTask, Source, past_tasks},
    report::ReportSums,
};
use crate::ledger::{LedgerError, Reader};

/// Most tasks of a job whose report is for reading by eye.
pub(super) const SHORT_TASKS_MAX: u64 = 16;

/// What the owner knows of a job that is over.
#[derive(Debug)]
pub struct JobResult {
    /// The job file's text.
    pub text: String,
    /// The expression file's text, where the job names one.
    pub file: Option<Arc<str>>,
    pub(super) job: JobId,
    pub(super) name: String,
    pub(super) plan: Arc<Plan>,
    pub(super) policy: Policy,
    pub(super) state: JobState,
    pub(super) submitted_ms: u64,
    pub(super) over_ms: u64,
    /// Everybody who was ever here.
    pub(super) known: Arc<BTreeMap<NodeId, Known>>,
    /// Where dissenters' outcomes part from the accepted ones, for the first few of each.
    pub(super) places: BTreeMap<(NodeId, u64), String>,
    /// Where dissenters' computations went wrong, likewise.
    pub(super) faults: BTreeMap<(NodeId, u64), FaultSearch>,
    /// On how many tasks each worker broke its seal.
    pub(super) broken_seals: BTreeMap<NodeId, u64>,
    /// Accepted tasks whose outcome was lost.
    pub(super) lost: BTreeSet<u64>,
    /// What the ledger has of it, where that is at hand.
    pub(super) past: Option<Vec<Entry>>,
}

/// Why a result cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// There is no room for a temporary file, or it cannot be read again.
    #[error("the result cannot be written to a temporary file: {0}")]
    Write(#[from] io::Error),
    /// It cannot be encoded.
    #[error("the result cannot be encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

/// A part of what is sent, with its length known.
#[derive(Debug)]
pub enum Part {
    /// Bytes.
    Bytes(Vec<u8>),
    /// A file from its beginning, and how long it is.
    File(File, u64),
}

impl Part {
    /// Its length in bytes.
    #[must_use]
    pub fn length_bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }
}

/// A result that is ready to be sent.
#[derive(Debug)]
pub struct WrittenResult {
    /// The report, as JSON.
    pub report: Vec<Part>,
    /// The signed ballots, as JSON.
    pub ballots: Vec<Part>,
    /// The accepted digests of the tasks.
    pub outcomes: AcceptedDigests,
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

impl TaskBallots {
    fn of(task: PastTask) -> Self {
        let certificate = task.certificate();
        let is_certified = certificate.is_some();
        let others = task.ballots.into_values().filter(|(_, late)| *late || !is_certified);
        Self {
            index: task.decided.index,
            others: others.map(|(cast, _)| cast.ballot).collect(),
            equivocations: task.equivocations.into_values().collect(),
            certificate,
        }
    }
}

impl JobResult {
    /// Whether writing it takes less than waking another thread: few tasks, which the ledger has just written.
    pub fn is_short(&self) -> bool {
        self.plan.tasks() <= SHORT_TASKS_MAX
    }

    /// Whether it can be written without the ledger.
    pub fn is_at_hand(&self) -> bool {
        self.past.is_some()
    }

    /// Writes the result from the ledger. Blocks on the disk.
    ///
    /// # Errors
    /// [`ResultError`] when the ledger cannot be read, or there is no room.
    pub fn write(&self, ledger: &Reader) -> Result<WrittenResult, ResultError> {
        let tasks = self.plan.tasks();
        let mut sums = ReportSums::default();
        let mut outcomes = AcceptedDigests::new(tasks)?;
        let mut verdicts = JsonList::new(tasks)?;
        let mut ballots = JsonList::new(tasks)?;
        let source = match &self.past {
            Some(entries) => Source::Memory(entries),
            None => Source::Ledger(ledger, self.job),
        };
        past_tasks(&source, tasks, |task| {
            let index = task.decided.index;
            sums.add(self, &task);
            outcomes.set(index, task.accepted().filter(|_| !self.lost.contains(&index)))?;
            verdicts.push(self.task_report(&task))?;
            ballots.push(TaskBallots::of(task))
        })?;
        let report = sums.into_report(self, tasks);
        Ok(WrittenResult {
            report: verdicts.finish_report(report)?,
            ballots: ballots.finish()?,
            outcomes: outcomes.finish()?,
        })
    }
}

/// A list in JSON: short ones are indented, long ones go to a file item by item.
enum JsonList<T> {
    Short(Vec<T>),
    Long(BufWriter<File>, bool),
}

impl<T: Serialize> JsonList<T> {
    fn new(tasks: u64) -> Result<Self, ResultError> {
        if tasks <= SHORT_TASKS_MAX {
            return Ok(Self::Short(Vec::new()));
        }
        Ok(Self::Long(BufWriter::new(tempfile::tempfile()?), true))
    }

    fn push(&mut self, item: T) -> Result<(), ResultError> {
        match self {
            Self::Short(items) => items.push(item),
            Self::Long(file, is_first) => {
                if !std::mem::replace(is_first, false) {
                    file.write_all(b",")?;
                }
                serde_json::to_writer(file, &item)?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Part>, ResultError> {
        Ok(match self {
            Self::Short(items) => vec![Part::Bytes(serde_json::to_vec_pretty(&items)?)],
            Self::Long(file, _) => {
                vec![Part::Bytes(b"[".to_vec()), file_part(file)?, Part::Bytes(b"]".to_vec())]
            }
        })
    }
}

impl JsonList<TaskReport> {
    /// The report whose last field this list is.
    fn finish_report(self, mut report: JobReport) -> Result<Vec<Part>, ResultError> {
        let items = match self {
            Self::Short(verdicts) => {
                report.verdicts = verdicts;
                return Ok(vec![Part::Bytes(serde_json::to_vec_pretty(&report)?)]);
            }
            Self::Long(file, _) => file_part(file)?,
        };
        let mut before = serde_json::to_vec(&report)?;
        let after = before.split_off(before.len().saturating_sub(b"]}".len()));
        Ok(vec![Part::Bytes(before), items, Part::Bytes(after)])
    }
}

fn file_part(file: BufWriter<File>) -> Result<Part, ResultError> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    let length = file.stream_position()?;
    file.rewind()?;
    Ok(Part::File(file, length))
}

/// The accepted digest of each task, in order; long lists stand in a file.
#[derive(Debug)]
pub enum AcceptedDigests {
    /// All of them.
    Short(Vec<Option<Digest>>),
    /// A file with [`AcceptedDigests::ROW_BYTES`] for each.
    Long {
        /// The file.
        file: BufWriter<File>,
        /// The row at which it is.
        next: u64,
        /// How many rows there are.
        tasks: u64,
    },
}

impl AcceptedDigests {
    /// A byte that says whether there is a digest, and the digest.
    pub const ROW_BYTES: usize = 33;

    fn new(tasks: u64) -> Result<Self, ResultError> {
        if tasks <= SHORT_TASKS_MAX {
            return Ok(Self::Short((0..tasks).map(|_| None).collect()));
        }
        let file = tempfile::tempfile()?;
        file.set_len(tasks.saturating_mul(Self::ROW_BYTES as u64))?;
        Ok(Self::Long { file: BufWriter::new(file), next: 0, tasks })
    }

    fn set(&mut self, index: u64, accepted: Option<Digest>) -> Result<(), ResultError> {
        match self {
            Self::Short(digests) => {
                let place = usize::try_from(index).ok().and_then(|index| digests.get_mut(index));
                if let Some(place) = place {
                    *place = accepted;
                }
            }
            Self::Long { file, next, .. } => {
                if *next != index {
                    file.seek(io::SeekFrom::Start(index * Self::ROW_BYTES as u64))?;
                }
                let mut row = [0; Self::ROW_BYTES];
                if let Some(accepted) = accepted {
                    row[0] = 1;
                    row[1..].copy_from_slice(&accepted.0);
                }
                file.write_all(&row)?;
                *next = index + 1;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Self, ResultError> {
        if let Self::Long { file, .. } = &mut self {
            file.flush()?;
            file.rewind()?;
        }
        Ok(self)
    }

    /// The digest in a row.
    #[must_use]
    pub fn in_row(row: &[u8]) -> Option<Digest> {
        let (is_there, digest) = row.split_first()?;
        if *is_there == 0 {
            return None;
        }
        Some(Digest(digest.try_into().ok()?))
    }
}
