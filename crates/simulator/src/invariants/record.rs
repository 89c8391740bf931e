//! The plain record of a world: for each task, who said what, in order, what was decided, what of it is durable, and
//! what was told.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    ballot::Ballot,
    digest::Digest,
    job::JobId,
    ledger::{Decided, Entry, Record as Written},
    report::JobState,
    verdict::Verdict,
};

use super::TaskKey;
use crate::values::worker_number;

/// Everything that was seen.
#[derive(Debug, Default)]
pub struct Record {
    tasks: BTreeMap<TaskKey, TaskRecord>,
    /// The jobs whose submission is synced.
    pub(super) taken: BTreeSet<JobId>,
    /// The jobs whose end is synced.
    pub(super) over: BTreeMap<JobId, JobState>,
}

/// What an auditor found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) auditor: u32,
    /// The number of its replica.
    pub(super) number: u32,
    /// Whose outcome it tested.
    pub(super) prover: u32,
    pub(super) outcome: Digest,
    /// Whether it is right.
    pub(super) passes: bool,
}

impl Finding {
    fn of(said: &Ballot) -> Option<Self> {
        let audited = said.audit?;
        Some(Self {
            auditor: worker_number(&said.worker),
            number: said.replica.number,
            prover: worker_number(&audited.prover),
            outcome: audited.outcome,
            passes: said.digest == audited.outcome,
        })
    }
}

/// What was seen of one task.
#[derive(Debug, Default)]
pub struct TaskRecord {
    /// Each worker's first ballot, with the number of its replica.
    ballots: Vec<(u32, u32, Digest)>,
    /// On a task that one may answer alone: replicas below this number were leased before its first answer.
    checks_from: u32,
    /// What auditors found, each as one replica.
    findings: Vec<Finding>,
    /// Those who said two different things about one replica before the verdict.
    two_faced: Vec<u32>,
    verdict: Option<Verdict>,
    /// Whether the coordinator has the accepted outcome.
    pub(crate) held: bool,
    /// The dissenters who said that they have it now.
    pub(super) acknowledged: Vec<u32>,
    /// The verdict that is synced.
    pub(super) durable: Option<Verdict>,
    /// Those whose ballots are synced.
    pub(super) durable_voters: Vec<u32>,
    /// The verdict that somebody was told.
    pub(super) told: Option<Verdict>,
}

impl Record {
    pub(super) fn task_mut(&mut self, task: TaskKey) -> &mut TaskRecord {
        self.tasks.entry(task).or_default()
    }

    pub(super) fn task(&self, task: TaskKey) -> Option<&TaskRecord> {
        self.tasks.get(&task)
    }

    /// All tasks of which anything was seen.
    pub fn tasks(&self) -> impl Iterator<Item = (TaskKey, &TaskRecord)> {
        self.tasks.iter().map(|(task, record)| (*task, record))
    }

    /// The coordinator crashed, and this is what is left in its log: whatever else was counted or decided did not happen,
    /// except that it may have been told.
    pub(super) fn rebuild(&mut self, entries: &[Entry], keeps: impl Fn(&Digest) -> bool) {
        for seen in self.tasks.values_mut() {
            let TaskRecord { durable, durable_voters, told, .. } = std::mem::take(seen);
            *seen = TaskRecord { durable, durable_voters, told, ..TaskRecord::default() };
        }
        for entry in entries {
            match &entry.record {
                Written::Decided(decided) => {
                    let seen = self.task_mut(TaskKey { job: decided.job, index: decided.index });
                    seen.restore(decided);
                    seen.held = matches!(&decided.verdict, Verdict::Accepted(digest) if keeps(digest));
                }
                Written::Late(counted) => {
                    let said = &counted.ballot.ballot;
                    let (voter, number) = (worker_number(&said.worker), said.replica.number);
                    // A finding that comes after the verdict changes nothing.
                    if said.audit.is_none() {
                        self.task_mut(TaskKey::of(&said.replica)).take(voter, number, said.digest);
                    }
                }
                Written::Corrected { job, index, worker, .. } => {
                    let seen = self.task_mut(TaskKey { job: *job, index: *index });
                    seen.acknowledged.push(worker_number(worker));
                }
                _ => {}
            }
        }
    }
}

impl TaskRecord {
    /// Who counts, and what each says.
    pub fn ballots(&self) -> impl Iterator<Item = (u32, Digest)> {
        self.ballots.iter().map(|(worker, _, digest)| (*worker, *digest))
    }

    /// What was decided, once it was.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// Takes a ballot: each worker's first counts, and none of one who contradicts itself while the vote is open.
    pub(super) fn take(&mut self, worker: u32, replica_number: u32, digest: Digest) {
        if self.two_faced.contains(&worker) {
            return;
        }
        let Some(at) = self.ballots.iter().position(|(voter, ..)| *voter == worker) else {
            return self.ballots.push((worker, replica_number, digest));
        };
        let (_, number, before) = self.ballots[at];
        if number == replica_number && before != digest && self.verdict.is_none() {
            self.strike(worker);
        }
    }

    /// The first answer is in where one may answer alone, and the next replica has this number: only from there on are
    /// answers of others counted.
    pub(super) fn note_first(&mut self, next_number: u32) {
        if self.ballots.is_empty() && self.checks_from == 0 {
            self.checks_from = next_number;
        }
    }

    /// Whether this is the answer of somebody who has not answered yet and was asked before the first answer was in.
    pub(super) fn is_no_check(&self, worker: u32, replica_number: u32) -> bool {
        let has_answered =
            self.ballots().any(|(voter, _)| voter == worker) || self.two_faced.contains(&worker);
        self.verdict.is_none() && !has_answered && replica_number < self.checks_from
    }

    /// Takes what an auditor found. One that says two things about one replica while the vote is open has said nothing, here
    /// and elsewhere on the task.
    pub(super) fn take_finding(&mut self, finding: Finding) {
        if self.verdict.is_some() || self.two_faced.contains(&finding.auditor) {
            return;
        }
        let is_same = |known: &&Finding| (known.auditor, known.number) == (finding.auditor, finding.number);
        match self.findings.iter().find(is_same) {
            None => self.findings.push(finding),
            Some(known) if known.passes != finding.passes => self.strike(finding.auditor),
            Some(_) => {}
        }
    }

    fn strike(&mut self, worker: u32) {
        self.ballots.retain(|(voter, ..)| *voter != worker);
        self.findings.retain(|finding| finding.auditor != worker && finding.prover != worker);
        self.two_faced.push(worker);
    }

    /// What auditors found before the verdict.
    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub(super) fn decide(&mut self, verdict: Verdict) {
        self.verdict = Some(verdict);
    }

    /// Whether this worker's ballot counts, and is against what was accepted.
    pub(super) fn is_dissenter(&self, worker: u32) -> bool {
        let Some(Verdict::Accepted(accepted)) = &self.verdict else { return false };
        self.ballots().any(|(voter, digest)| voter == worker && digest != *accepted)
    }

    fn restore(&mut self, decided: &Decided) {
        self.ballots = decided
            .ballots
            .iter()
            .map(|counted| &counted.ballot.ballot)
            .map(|said| (worker_number(&said.worker), said.replica.number, said.digest))
            .collect();
        self.findings =
            decided.audits.iter().filter_map(|counted| Finding::of(&counted.ballot.ballot)).collect();
        self.two_faced =
            decided.equivocations.iter().map(|[first, _]| worker_number(&first.ballot.worker)).collect();
        self.verdict = Some(decided.verdict.clone());
    }
}
