//! What became of the tasks of a job, as the ledger tells it: one task after the other, never all at once.
//!
//! What is said about a task stands together in the log, but for what comes late. So the tasks pass through a window, in
//! which late ballots and acknowledgements find theirs; what comes later still is rare, and found by a walk before. A task
//! leaves the window in the order of its number, but for those that were decided long after the others.

use std::collections::BTreeMap;

use protocol::{
    ballot::SignedBallot,
    digest::Digest,
    identity::NodeId,
    job::JobId,
    ledger::{CountedBallot, Decided, Entry, Record},
    verdict::{Certificate, Verdict},
};

use crate::ledger::{LedgerError, Reader};

/// How many tasks are held at a time.
const WINDOW_TASKS: usize = 8 * 1024;

/// A task whose vote is over.
#[derive(Debug)]
pub(super) struct PastTask {
    pub(super) decided: Decided,
    pub(super) decided_ms: u64,
    /// The counted ballots, by worker, and whether each came after the verdict.
    pub(super) ballots: BTreeMap<NodeId, (CountedBallot, bool)>,
    /// Pairs of different ballots of one worker for one replica.
    pub(super) equivocations: BTreeMap<NodeId, [SignedBallot; 2]>,
    /// The audits, and whether each came after the verdict.
    pub(super) audits: Vec<(CountedBallot, bool)>,
    /// When dissenters acknowledged what was accepted.
    pub(super) corrected: BTreeMap<NodeId, u64>,
}

/// Something that came after the verdict.
#[derive(Debug, Clone)]
enum Sequel {
    Late(Box<CountedBallot>),
    Corrected(NodeId, u64),
}

type Strays = BTreeMap<u64, Vec<Sequel>>;

/// Where it is told what became of the tasks.
pub(super) enum Source<'a> {
    /// In the ledger.
    Ledger(&'a Reader, JobId),
    /// Here: everything that the ledger has of the job.
    Memory(&'a [Entry]),
}

impl Source<'_> {
    fn entries(&self) -> Result<Box<dyn Iterator<Item = Result<Entry, LedgerError>> + '_>, LedgerError> {
        Ok(match self {
            Self::Ledger(ledger, job) => {
                Box::new(ledger.job_entries(*job)?.map(|found| found.map(|(_, entry)| entry)))
            }
            Self::Memory(entries) => Box::new(entries.iter().cloned().map(Ok)),
        })
    }
}

/// Gives the tasks of a job whose vote is over to `take`, one after the other. Blocks on the disk; the memory is that of
/// some thousand tasks.
///
/// # Errors
/// When the ledger cannot be read, or `take` fails.
pub(super) fn past_tasks<E: From<LedgerError>>(
    source: &Source<'_>,
    tasks: u64,
    take: impl FnMut(PastTask) -> Result<(), E>,
) -> Result<(), E> {
    let mut strays = Strays::new();
    if tasks > WINDOW_TASKS as u64 {
        let nobody = |_| Ok::<(), LedgerError>(());
        strays = walk(source, Strays::new(), nobody)?;
    }
    walk(source, strays, take).map(|_| ())
}

/// Returns what came after its task had left the window.
fn walk<E: From<LedgerError>>(
    source: &Source<'_>,
    mut known: Strays,
    mut take: impl FnMut(PastTask) -> Result<(), E>,
) -> Result<Strays, E> {
    let mut window: BTreeMap<u64, PastTask> = BTreeMap::new();
    let mut strays = Strays::new();
    let mut leave = |index: u64, mut task: PastTask| {
        known.remove(&index).into_iter().flatten().for_each(|sequel| task.follow(sequel));
        take(task)
    };
    for entry in source.entries()? {
        let entry = entry?;
        let (index, sequel) = match entry.record {
            Record::Decided(decided) => {
                window.insert(decided.index, PastTask::new(decided, entry.at_ms));
                if window.len() > WINDOW_TASKS
                    && let Some((index, task)) = window.pop_first()
                {
                    leave(index, task)?;
                }
                continue;
            }
            Record::Late(counted) => (counted.ballot.ballot.replica.index, Sequel::Late(Box::new(counted))),
            Record::Corrected { index, worker, .. } => (index, Sequel::Corrected(worker, entry.at_ms)),
            _ => continue,
        };
        match window.get_mut(&index) {
            Some(task) => task.follow(sequel),
            None => strays.entry(index).or_default().push(sequel),
        }
    }
    for (index, task) in window {
        leave(index, task)?;
    }
    Ok(strays)
}

impl PastTask {
    fn new(decided: Decided, decided_ms: u64) -> Self {
        let ballots = decided.ballots.iter();
        let doubled = decided.equivocations.iter();
        Self {
            audits: decided.audits.iter().map(|audit| (audit.clone(), false)).collect(),
            ballots: ballots.map(|cast| (cast.ballot.ballot.worker, (cast.clone(), false))).collect(),
            equivocations: doubled.map(|pair| (pair[0].ballot.worker, pair.clone())).collect(),
            corrected: BTreeMap::new(),
            decided,
            decided_ms,
        }
    }

    /// A worker's first ballot counts; another one shows that it contradicts itself.
    fn follow(&mut self, sequel: Sequel) {
        match sequel {
            Sequel::Corrected(worker, at_ms) => drop(self.corrected.insert(worker, at_ms)),
            Sequel::Late(counted) if counted.ballot.ballot.audit.is_some() => {
                self.audits.push((*counted, true));
            }
            Sequel::Late(counted) => {
                let worker = counted.ballot.ballot.worker;
                match self.ballots.get(&worker) {
                    Some((first, _)) => {
                        let pair = [first.ballot.clone(), counted.ballot];
                        self.equivocations.entry(worker).or_insert(pair);
                    }
                    None => drop(self.ballots.insert(worker, (*counted, true))),
                }
            }
        }
    }

    pub(super) fn accepted(&self) -> Option<Digest> {
        match self.decided.verdict {
            Verdict::Accepted(accepted) => Some(accepted),
            Verdict::Undecided | Verdict::Failed(_) => None,
        }
    }

    /// Who voted against what was accepted.
    pub(super) fn dissenters(&self) -> impl Iterator<Item = (NodeId, &CountedBallot)> {
        let accepted = self.accepted();
        let dissents = move |cast: &CountedBallot| accepted.is_some_and(|it| it != cast.ballot.ballot.digest);
        self.ballots
            .iter()
            .filter(move |(_, (cast, _))| dissents(cast))
            .map(|(worker, (cast, _))| (*worker, cast))
    }

    /// The ballots that prove it, where it is accepted.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        let accepted = self.accepted()?;
        let ballots = self.ballots.values().filter(|(_, late)| !late).map(|(cast, _)| cast.ballot.clone());
        let audits = self.audits.iter().filter(|(_, late)| !late).map(|(cast, _)| cast.ballot.clone());
        let Decided { job, index, task, quorum, .. } = self.decided;
        Some(Certificate::of((job, index, task), (accepted, quorum), ballots, audits))
    }
}
