//! The machine: workers, jobs and the timers between them, driven by inputs and polled for outputs.
//!
//! An input is either taken whole or rejected with nothing changed. What follows from it is worked out at once:
//! `vote` decides, `leasing` fills seats, `settling` fetches outcomes and corrects dissenters, `sealing` gathers
//! commitments, `presence` watches who is heard, `waiting` says why nothing happens. After a crash, `replay` makes the machine
//! again from what it had recorded.

mod auditing;
mod casting;
mod inviting;
mod joining;
mod kinds;
mod lease_end;
mod leasing;
mod pardon;
mod parting;
mod presence;
mod probing;
mod replay;
mod sealing;
mod settling;
mod sizes;
mod standing;
mod stragglers;
mod trusting;
mod vote;
mod waiting;
mod walk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::{
    ballot::ReplicaId, commitment::Commitment, domain::Engine, identity::NodeId, job::JobId,
    limits::WORKERS_MAX, report::JobProgress,
};

use crate::{
    crowds::Crowds,
    input::{Input, Output, Rejected},
    job::Job,
    kinds::Cases,
    liveness::Rhythm,
    lots::Lots,
    standing::Standings,
    tally::Tally,
    worker::{Worker, WorkerRecord},
};

use lease_end::LeaseEnd;
use leasing::Offer;
pub use probing::TEST_NUMBERS;
use probing::{KnownAnswer, Testing};
pub use replay::ReplayError;
pub use sizes::Sizes;
pub(crate) use stragglers::smoothed;
use trusting::{Trial, Unconfirmed};
use walk::Walk;

/// How a machine behaves for all its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Whether no worker can join any more (an embedded cluster): a seat that none of the known workers can take is
    /// given up instead of waited for.
    pub electorate_closed: bool,
    /// How many jobs that are over are kept for late ballots and reports; the oldest go first.
    pub jobs_kept_max: usize,
    /// How many workers are known before those that left, and are owed nothing, are forgotten.
    pub workers_known_max: usize,
    /// How workers are watched; none: only one whose connection is gone counts as away, and the driver says so.
    pub liveness: Option<Rhythm>,
    /// Whether the last tasks of a job are taken from workers that are far slower than the others.
    pub relets_late: bool,
    /// Whether engines that are often wrong get no more leases that count.
    pub quarantines: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            electorate_closed: false,
            jobs_kept_max: 256,
            workers_known_max: 4 * WORKERS_MAX,
            liveness: None,
            relets_late: true,
            quarantines: true,
        }
    }
}

/// Something that happens when time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Correction(JobId, u64, NodeId),
    /// After a restart: those who held the accepted outcome have had time to come back.
    Outcome(JobId, u64),
    Liveness(NodeId),
    Reveal(JobId, u64),
    /// The last tasks of a job may wait for a slow worker.
    Tail(JobId),
    /// Whoever was asked about a decided task has had time to answer.
    Close(JobId, u64),
    /// An engine in quarantine has had time to answer, or its pause is over.
    Test(NodeId, Engine),
    /// Those who were drawn for a task have had time to come.
    Invite(JobId, u64),
}

/// Who is heard by an input. (A join begins its own watch.)
fn speaker(input: &Input) -> Option<NodeId> {
    match input {
        Input::BallotCast { ballot, .. } | Input::BallotRevealed { ballot, .. } => {
            Some(ballot.ballot().worker)
        }
        Input::Committed { worker, .. }
        | Input::ReplicaFailed { worker, .. }
        | Input::Heartbeat { worker, .. }
        | Input::CorrectionAcknowledged { worker, .. } => Some(*worker),
        Input::WorkerJoined { .. }
        | Input::WorkerLost { .. }
        | Input::JobSubmitted { .. }
        | Input::JobAbandoned { .. }
        | Input::OutcomeHeld { .. }
        | Input::OutcomeWithheld { .. }
        | Input::EvidenceHeld { .. }
        | Input::EvidenceWithheld { .. }
        | Input::FaultLocated(_) => None,
    }
}

/// The sans-I/O machine that decides.
pub struct Machine {
    config: Config,
    workers: BTreeMap<NodeId, Worker>,
    jobs: BTreeMap<JobId, Job>,
    /// Jobs in the order of their submission.
    queue: Vec<JobId>,
    /// Those that are over, in the order of their ends.
    over: VecDeque<JobId>,
    /// How many jobs there ever were.
    submitted: u64,
    /// Jobs that may want workers, in the order of their submission.
    wanting: BTreeSet<(u64, JobId)>,
    /// Jobs of which no more tasks are opened before some that are open have found their workers.
    glutted: BTreeSet<JobId>,
    /// The workers that have room.
    crowds: Crowds,
    /// How many workers are alive.
    live: u32,
    /// Those that are alive, to draw from; empty where somebody came or went since somebody was drawn.
    roll: Vec<NodeId>,
    /// How many replicas are under lease and computed.
    leased: usize,
    /// What idle workers are asked about now.
    offers: VecDeque<Offer>,
    /// Tasks with a vacant seat and a lease that expired, or an outcome to be audited by somebody who did not compute it.
    lapsed: BTreeSet<(JobId, u64)>,
    /// Which of them were looked at since a worker left.
    lapsed_walk: Walk,
    /// Until when everything was done that an input had asked for, in milliseconds; none where nothing is left.
    behind_ms: Option<u64>,
    /// In a closed electorate, the tasks for whose vacant seats fewer workers may be left than before.
    suspects: BTreeSet<(JobId, u64)>,
    /// Who committed first to what, and for which replica, for the jobs that are kept.
    commitments: BTreeMap<Commitment, (NodeId, ReplicaId)>,
    /// Those of them that are for settled tasks, the oldest first.
    old_commitments: VecDeque<Commitment>,
    /// Tasks whose vote is over and to which something happened: they may be settled.
    parting: VecDeque<(JobId, u64)>,
    /// The tasks that were decided last, on which further ballots are waited for, the oldest first.
    closing: VecDeque<(JobId, u64)>,
    /// When some of the tasks that may be settled were looked at last, in milliseconds.
    parted_ms: u64,
    /// Sealed tasks on which somebody has committed and was not asked to reveal.
    sealed: BTreeSet<(JobId, u64)>,
    /// Those of them to which something happened.
    ripe: BTreeSet<(JobId, u64)>,
    /// Which of them were looked at since a worker came or went.
    sealed_walk: Walk,
    /// Who voted for which accepted outcomes that are not held: they are asked for them when they come back.
    givers: BTreeSet<(NodeId, JobId, u64)>,
    /// Workers that are to be told a correction when they come back.
    owed: BTreeMap<NodeId, BTreeSet<(JobId, u64)>>,
    timers: BTreeSet<(u64, Timer)>,
    lease_ends: BTreeSet<LeaseEnd>,
    outputs: VecDeque<Output>,
    /// How often each worker was right.
    standings: Standings,
    /// What each worker has answered alone and is not confirmed.
    unconfirmed: BTreeMap<NodeId, Unconfirmed>,
    /// The jobs that have such answers.
    unsure: BTreeSet<JobId>,
    /// How many answers a lot was drawn for.
    answers_drawn: u64,
    /// What is to follow from verdicts for what was answered alone.
    trials: BTreeSet<Trial>,
    /// The kinds of device that gave a wrong value.
    cases: Cases,
    /// Of whom something was noted, in which job.
    to_judge: BTreeSet<(NodeId, JobId)>,
    /// How many tasks were ever decided.
    decided_count: u64,
    /// The answers of the tasks that were accepted last.
    known_answers: VecDeque<KnownAnswer>,
    /// The engines in quarantine whose workers were here, on their way back.
    testing: BTreeMap<(NodeId, Engine), Testing>,
    /// Those of them that may be given a test now.
    to_test: BTreeSet<(NodeId, Engine)>,
    /// Those for which there was none.
    starved: BTreeSet<(NodeId, Engine)>,
    /// The number of every task's first replica.
    first_number: u32,
    /// Who is asked next, and for which of the open tasks.
    lots: Lots,
}

impl Machine {
    /// A machine without workers and jobs. Who computes what follows from `seed`: 32 random bytes that nobody else knows,
    /// or workers could foresee with whom they will share a task.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            config,
            workers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            queue: Vec::new(),
            over: VecDeque::new(),
            submitted: 0,
            wanting: BTreeSet::new(),
            glutted: BTreeSet::new(),
            crowds: Crowds::default(),
            live: 0,
            roll: Vec::new(),
            leased: 0,
            offers: VecDeque::new(),
            lapsed: BTreeSet::new(),
            lapsed_walk: Walk::default(),
            behind_ms: None,
            suspects: BTreeSet::new(),
            commitments: BTreeMap::new(),
            old_commitments: VecDeque::new(),
            parting: VecDeque::new(),
            closing: VecDeque::new(),
            parted_ms: 0,
            sealed: BTreeSet::new(),
            ripe: BTreeSet::new(),
            sealed_walk: Walk::default(),
            givers: BTreeSet::new(),
            owed: BTreeMap::new(),
            timers: BTreeSet::new(),
            lease_ends: BTreeSet::new(),
            outputs: VecDeque::new(),
            standings: Standings::default(),
            unconfirmed: BTreeMap::new(),
            unsure: BTreeSet::new(),
            answers_drawn: 0,
            trials: BTreeSet::new(),
            cases: Cases::default(),
            to_judge: BTreeSet::new(),
            decided_count: 0,
            known_answers: VecDeque::new(),
            testing: BTreeMap::new(),
            to_test: BTreeSet::new(),
            starved: BTreeSet::new(),
            first_number: 0,
            lots: Lots::new(seed),
        }
    }

    /// Takes in a fact that happened at `now_ms`.
    ///
    /// # Errors
    /// [`Rejected`] when it cannot be; then nothing has changed.
    pub fn handle(&mut self, input: Input, now_ms: u64) -> Result<(), Rejected> {
        self.part(now_ms);
        let speaker = speaker(&input);
        if self.is_about_test(&input, now_ms)? || self.is_about_settled(&input)? {
            self.heard_from(speaker, now_ms);
            return Ok(());
        }
        match input {
            Input::WorkerJoined { worker, operator, engines, build, slots, resumes } => {
                self.worker_joined((worker, operator), (engines, build), slots, now_ms);
                self.resume_leases(worker, &resumes, now_ms);
            }
            Input::WorkerLost { worker } => self.worker_lost(worker, now_ms)?,
            Input::JobSubmitted { job, policy, tasks } => {
                if self.jobs.contains_key(&job) {
                    return Err(Rejected::DuplicateJob(job));
                }
                if tasks.count() == 0 {
                    return Err(Rejected::EmptyJob(job));
                }
                let first_number = self.first_number;
                self.add_job(job, Job::new(policy, tasks, now_ms).numbered_from(first_number));
            }
            Input::JobAbandoned { job } => self.abandon(job, now_ms)?,
            Input::BallotCast { ballot, outcome_held, compute_us } => {
                self.ballot_cast_openly(ballot, outcome_held, compute_us, now_ms)?;
            }
            Input::Committed { worker, replica, commitment } => {
                self.committed(worker, replica, commitment, now_ms)?;
            }
            Input::BallotRevealed { ballot, salt, outcome_held, compute_us } => {
                self.ballot_revealed(ballot, &salt, outcome_held, compute_us, now_ms)?;
            }
            Input::ReplicaFailed { worker, replica, reason } => {
                self.replica_failed(worker, replica, reason, now_ms)?;
            }
            Input::Heartbeat { worker, under_way } => self.heartbeat(worker, &under_way, now_ms)?,
            Input::OutcomeHeld { job, index } => self.outcome_held(job, index, now_ms)?,
            Input::OutcomeWithheld { job, index, worker } => {
                self.outcome_withheld(job, index, worker, now_ms)?;
            }
            Input::EvidenceHeld { job, index, prover } => self.evidence_held(job, index, prover, now_ms)?,
            Input::EvidenceWithheld { job, index, prover } => {
                self.evidence_withheld(job, index, prover, now_ms)?;
            }
            Input::CorrectionAcknowledged { worker, replica, digest } => {
                self.correction_acknowledged(worker, replica, digest, now_ms)?;
            }
            Input::FaultLocated(fault) => self.fault_located(fault)?,
        }
        self.heard_from(speaker, now_ms);
        Ok(())
    }

    fn heard_from(&mut self, speaker: Option<NodeId>, now_ms: u64) {
        if let Some(worker) = speaker {
            self.heard(worker, now_ms);
        }
        self.follow_up(now_ms);
    }

    /// Does what follows for the other workers and tasks: a bounded part of it at a time, the rest at the next wake-up.
    fn follow_up(&mut self, now_ms: u64) {
        self.behind_ms = None;
        self.follow_trials(now_ms);
        self.lease_out(now_ms);
        self.reveal_ripe(now_ms);
        self.give_tests(now_ms);
        if self.has_trials() {
            self.behind_ms = Some(now_ms);
        }
    }

    fn add_job(&mut self, id: JobId, mut job: Job) {
        job.order = self.submitted;
        self.submitted += 1;
        self.wanting.insert((job.order, id));
        self.jobs.insert(id, job);
        self.queue.push(id);
        self.offer(Offer::Job(id));
    }

    /// Lets time pass: what was due until `now_ms` happens.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.part(now_ms);
        while let Some(at_ms) = self.next_timer_ms().filter(|at_ms| *at_ms <= now_ms) {
            if let Some(end) = self.lease_ends.first().copied().filter(|end| end.at_ms == at_ms) {
                self.lease_ends.pop_first();
                self.lease_due(end, now_ms);
                continue;
            }
            let Some((_, timer)) = self.timers.pop_first() else { break };
            match timer {
                Timer::Correction(job, index, worker) => self.correction_due(job, index, worker, now_ms),
                Timer::Outcome(job, index) => self.outcome_due(job, index, now_ms),
                Timer::Reveal(job, index) => self.reveal_due(job, index),
                Timer::Tail(job) => self.tail_due(job, now_ms),
                Timer::Close(job, index) => self.close(job, index),
                Timer::Liveness(worker) => self.liveness_due(worker, at_ms, now_ms),
                Timer::Invite(job, index) => self.invitation_due(job, index, now_ms),
                Timer::Test(worker, engine) => self.test_due(worker, engine, now_ms),
            }
        }
        self.follow_up(now_ms);
    }

    /// When [`Machine::handle_timeout`] has something to do, in milliseconds.
    pub fn next_timeout_ms(&self) -> Option<u64> {
        self.next_timer_ms().into_iter().chain(self.behind_ms).chain(self.parts_at_ms()).min()
    }

    fn next_timer_ms(&self) -> Option<u64> {
        let lease_ms = self.lease_ends.first().map(|end| end.at_ms);
        let other_ms = self.timers.first().map(|(at_ms, _)| *at_ms);
        lease_ms.into_iter().chain(other_ms).min()
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A job that is known here.
    pub fn job(&self, job: JobId) -> Option<&Job> {
        self.jobs.get(&job)
    }

    /// The jobs that are known here, in the order of their submission.
    pub fn jobs(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.queue.iter().filter_map(|id| Some((*id, self.jobs.get(id)?)))
    }

    /// How many of them are not over.
    pub fn open_jobs(&self) -> usize {
        self.jobs.len() - self.over.len()
    }

    /// How far a job is.
    pub fn progress(&self, job: JobId) -> Option<JobProgress> {
        let state = self.jobs.get(&job)?;
        Some(state.progress(self.waiting_reason(state)))
    }

    /// The record of every worker that ever joined.
    pub fn workers(&self) -> impl Iterator<Item = (NodeId, WorkerRecord)> {
        self.workers.iter().map(|(id, worker)| (*id, worker.record()))
    }

    /// Ends a lease on both sides.
    fn end_lease(&mut self, replica: ReplicaId, id: NodeId) {
        if let Some(tally) = self.tally_mut(replica.job, replica.index) {
            let due_ms = tally.end_lease(replica.number);
            let (weight, is_over) = (tally.terms().weight, !tally.is_open());
            if is_over {
                self.may_part(replica.job, replica.index);
            }
            // Leases are many, long and mostly over early: their timers must not pile up.
            if let Some(due_ms) = due_ms {
                self.lease_ends.remove(&LeaseEnd::of(&replica, due_ms));
            }
            if let Some(worker) = self.workers.get_mut(&id) {
                self.leased -= usize::from(worker.release(&replica, weight));
            }
            self.wake(id);
        }
    }

    fn tally_mut(&mut self, job: JobId, index: u64) -> Option<&mut Tally> {
        self.jobs.get_mut(&job)?.tallies.get_mut(&index).map(|tally| &mut **tally)
    }

    /// The tally that a worker speaks about, if it was leased the replica.
    fn leased_tally(&mut self, worker: NodeId, replica: ReplicaId) -> Result<&mut Tally, Rejected> {
        if !self.workers.contains_key(&worker) {
            return Err(Rejected::UnknownWorker(worker));
        }
        let job = self.jobs.get_mut(&replica.job).ok_or(Rejected::UnknownJob(replica.job))?;
        let (index, number) = (replica.index, replica.number);
        let tally = job.tallies.get_mut(&index).ok_or(Rejected::UnknownTask { job: replica.job, index })?;
        if tally.terms().id != replica.task || !tally.was_leased(number, &worker) {
            return Err(Rejected::NotLeased { worker, index, number });
        }
        Ok(tally)
    }

    fn replica_failed(
        &mut self,
        worker: NodeId,
        replica: ReplicaId,
        reason: String,
        now_ms: u64,
    ) -> Result<(), Rejected> {
        let tally = self.leased_tally(worker, replica)?;
        // One that was cancelled meanwhile could not be answered: that says nothing about the worker.
        if !tally.is_out(replica.number) {
            return Ok(());
        }
        tally.fail(worker, reason);
        self.end_lease(replica, worker);
        self.evaluate(replica.job, replica.index, now_ms);
        Ok(())
    }

    fn heartbeat(
        &mut self,
        worker: NodeId,
        under_way: &[(ReplicaId, u16)],
        now_ms: u64,
    ) -> Result<(), Rejected> {
        if !self.workers.contains_key(&worker) {
            return Err(Rejected::UnknownWorker(worker));
        }
        for (replica, permille) in under_way {
            let tally = self.leased_tally(worker, *replica);
            if tally.is_ok_and(|tally| tally.renew(replica.number, *permille, now_ms)) {
                self.evaluate(replica.job, replica.index, now_ms);
            }
        }
        self.heard(worker, now_ms);
        self.take_inventory(worker, under_way, now_ms);
        Ok(())
    }
}
