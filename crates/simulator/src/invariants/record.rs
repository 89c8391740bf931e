//! The plain record of a world: for each task, who said what, in order, and what was announced.

use std::collections::BTreeMap;

use protocol::{digest::Digest, verdict::Verdict};

use super::TaskKey;

/// Everything that was seen.
#[derive(Debug, Default)]
pub struct Record {
    tasks: BTreeMap<TaskKey, TaskRecord>,
}

/// What was seen of one task.
#[derive(Debug, Default)]
pub struct TaskRecord {
    /// Each worker's first ballot, with the number of its replica.
    ballots: Vec<(u32, u32, Digest)>,
    /// Replicas that were leased.
    leases: Vec<Leased>,
    /// Those who said two different things about one replica before the verdict.
    two_faced: Vec<u32>,
    verdict: Option<Verdict>,
}

/// A replica that was leased.
#[derive(Debug, Clone, Copy)]
struct Leased {
    worker: u32,
    number: u32,
    /// Over which session of the worker's link: with it, the lease ends.
    session: Option<u64>,
    ended: bool,
}

impl Record {
    pub(super) fn task_mut(&mut self, task: TaskKey) -> &mut TaskRecord {
        self.tasks.entry(task).or_default()
    }

    /// All tasks of which anything was seen.
    pub fn tasks(&self) -> impl Iterator<Item = (TaskKey, &TaskRecord)> {
        self.tasks.iter().map(|(task, record)| (*task, record))
    }
}

impl TaskRecord {
    /// Who counts, and what each says.
    pub fn ballots(&self) -> impl Iterator<Item = (u32, Digest)> {
        self.ballots.iter().map(|(worker, _, digest)| (*worker, *digest))
    }

    /// What was announced, once it was.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// How many replicas are out whose ballots may still come, as far as `sessions` of the workers' links are up.
    pub(super) fn out(&self, sessions: &[Option<u64>]) -> usize {
        let is_up = |lease: &&Leased| {
            let session = sessions.get(lease.worker as usize).copied().flatten();
            session.is_some() && session == lease.session
        };
        self.leases.iter().filter(|lease| !lease.ended).filter(is_up).count()
    }

    pub(super) fn lease(&mut self, worker: u32, number: u32, session: Option<u64>) {
        self.leases.retain(|lease| lease.number != number);
        self.leases.push(Leased { worker, number, session, ended: false });
    }

    pub(super) fn end_lease(&mut self, number: u32) {
        if let Some(lease) = self.leases.iter_mut().find(|lease| lease.number == number) {
            lease.ended = true;
        }
    }

    /// Takes a ballot: each worker's first counts, and none of one who contradicts itself while the vote is open.
    pub(super) fn take(&mut self, worker: u32, replica_number: u32, digest: Digest) {
        self.end_lease(replica_number);
        if self.two_faced.contains(&worker) {
            return;
        }
        let Some(at) = self.ballots.iter().position(|(voter, ..)| *voter == worker) else {
            return self.ballots.push((worker, replica_number, digest));
        };
        let (_, number, before) = self.ballots[at];
        if number == replica_number && before != digest && self.verdict.is_none() {
            self.ballots.remove(at);
            self.two_faced.push(worker);
        }
    }

    pub(super) fn announce(&mut self, verdict: Verdict) {
        self.verdict = Some(verdict);
    }
}
