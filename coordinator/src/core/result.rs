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
/// Room for the report of a job of one task, so that it is not moved again and again while it is written.
const SHORT_JSON_BYTES: usize = 4 * 1024;

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
    /// Who was put in quarantine after a verdict of this job, with which engine, and why.
    pub(super) quarantines: BTreeMap<NodeId, String>,
    /// Where dissenters' computations went wrong, likewise.
    pub(super) faults: BTreeMap<(NodeId, u64), FaultSearch>,
    /// On how many tasks each worker broke its seal.
    pub(super) broken_seals: BTreeMap<NodeId, u64>,
    /// How many answers that stood alone were opened again.
    pub(super) reopened: u64,
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
        let mut outcomes = AcceptedDigests::new(tasks);
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
            Self::Short(items) => vec![Part::Bytes(pretty(&items)?)],
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
                return Ok(vec![Part::Bytes(pretty(&report)?)]);
            }
            Self::Long(file, _) => file_part(file)?,
        };
        let mut before = serde_json::to_vec(&report)?;
        let after = before.split_off(before.len().saturating_sub(b"]}".len()));
        Ok(vec![Part::Bytes(before), items, Part::Bytes(after)])
    }
}

/// Indented JSON of what is short.
fn pretty(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(SHORT_JSON_BYTES);
    serde_json::to_writer_pretty(&mut bytes, value)?;
    Ok(bytes)
}

fn file_part(file: BufWriter<File>) -> Result<Part, ResultError> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    let length = file.stream_position()?;
    file.rewind()?;
    Ok(Part::File(file, length))
}

/// The accepted digests of the tasks; many stand in a file.
#[derive(Debug)]
pub enum AcceptedDigests {
    /// By the task's number.
    Few {
        /// Of those that have one.
        digests: BTreeMap<u64, Digest>,
        /// How many tasks there are.
        tasks: u64,
    },
    /// A file with [`AcceptedDigests::ROW_BYTES`] for each task.
    Many {
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
    /// So many are held in memory.
    const FEW_MAX: usize = 16 * 1024;

    fn new(tasks: u64) -> Self {
        Self::Few { digests: BTreeMap::new(), tasks }
    }

    /// How many tasks there are.
    #[must_use]
    pub fn tasks(&self) -> u64 {
        match self {
            Self::Few { tasks, .. } | Self::Many { tasks, .. } => *tasks,
        }
    }

    fn set(&mut self, index: u64, accepted: Option<Digest>) -> Result<(), ResultError> {
        let Some(accepted) = accepted.filter(|_| index < self.tasks()) else { return Ok(()) };
        match self {
            Self::Few { digests, tasks } => {
                digests.insert(index, accepted);
                if digests.len() > Self::FEW_MAX {
                    let (few, tasks) = (std::mem::take(digests), *tasks);
                    let file = tempfile::tempfile()?;
                    file.set_len(tasks.saturating_mul(Self::ROW_BYTES as u64))?;
                    *self = Self::Many { file: BufWriter::new(file), next: 0, tasks };
                    few.into_iter().try_for_each(|(index, digest)| self.set(index, Some(digest)))?;
                }
            }
            Self::Many { file, next, .. } => {
                if *next != index {
                    file.seek(io::SeekFrom::Start(index * Self::ROW_BYTES as u64))?;
                }
                let mut row = [0; Self::ROW_BYTES];
                row[0] = 1;
                row[1..].copy_from_slice(&accepted.0);
                file.write_all(&row)?;
                *next = index + 1;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Self, ResultError> {
        if let Self::Many { file, .. } = &mut self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_digests_stand_in_a_file_as_they_would_in_memory() {
        let digest = |index: u64| Digest([u8::try_from(index % 251).expect("small"); 32]);
        let count = 2 * AcceptedDigests::FEW_MAX as u64;
        let mut digests = AcceptedDigests::new(10 * count);
        for number in 0..count {
            // Out of order, and one of ten.
            let index = 10 * (number * 7 % count) + 3;
            digests.set(index, Some(digest(index))).expect("room");
            digests.set(index + 1, None).expect("nothing");
        }
        digests.set(10 * count, Some(digest(0))).expect("nothing: it is beyond the last");
        let AcceptedDigests::Many { file, tasks, .. } = digests.finish().expect("room") else {
            panic!("they are many");
        };
        let mut file = file.into_inner().expect("flushed");
        assert_eq!(file.metadata().expect("a file").len(), tasks * AcceptedDigests::ROW_BYTES as u64);
        for index in 0..tasks {
            let mut row = [0; AcceptedDigests::ROW_BYTES];
            io::Read::read_exact(&mut file, &mut row).expect("a row for each task");
            assert_eq!(AcceptedDigests::in_row(&row), (index % 10 == 3).then(|| digest(index)));
        }
    }
}
