//! A job: a row of tallies, opened one after the other as workers have room, and the counters that tell how far it is.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    identity::NodeId,
    policy::{Electorate, Policy, Ways},
    report::{JobProgress, JobState},
    task::{Audits, Weight},
};

use crate::{
    dispatch::{self, Placement},
    hungry::Hungry,
    input::{TaskTerms, Tasks},
    lots::Lots,
    settled::Settled,
    tally::{Rules, Tally},
    worker::Worker,
};

/// Among how many tasks a worker's next one is drawn at most: more would only delay the first verdicts.
const CHOICE_MAX: u32 = 64;
/// How many tasks of one job may wait for workers before no more are opened.
pub(crate) const HUNGRY_MAX: usize = 4096;

/// A submitted job.
pub struct Job {
    pub(crate) policy: Policy,
    tasks: Box<dyn Tasks>,
    task_count: u64,
    /// Boxed: a tree of tallies side by side would move kilobytes at each change.
    pub(crate) tallies: BTreeMap<u64, Box<Tally>>,
    /// The first task that was not opened yet.
    next_unopened: u64,
    /// The tasks to which nothing more happens, and of which nothing is kept.
    settled: Settled,
    /// On how many of those each worker broke its seal.
    pub(crate) broken_seals: BTreeMap<NodeId, u64>,
    /// The terms of the next task, once somebody has asked for them.
    next_terms: Option<TaskTerms>,
    /// The tasks that want a worker.
    pub(crate) hungry: Hungry,
    /// How many jobs were submitted before it.
    pub(crate) order: u64,
    pub(crate) accepted: u64,
    pub(crate) unaccepted: u64,
    pub(crate) disputes: u64,
    pub(crate) dissents: u64,
    pub(crate) corrections: u64,
    /// Accepted tasks whose outcome the driver does not hold yet.
    pub(crate) unheld: BTreeSet<u64>,
    /// Accepted tasks whose outcome nobody has.
    pub(crate) lost: BTreeSet<u64>,
    /// Tasks that one worker has answered alone, and that are not confirmed.
    pub(crate) provisional: BTreeSet<u64>,
    /// How many of those were opened again, because their worker was wrong elsewhere.
    pub(crate) reopened: u64,
    /// Corrections that are not settled.
    pub(crate) correcting: u64,
    /// The number of every task's first replica.
    first_number: u32,
    /// How long its replicas take from lease to ballot, in milliseconds, once one has come.
    pub(crate) usual_ms: Option<u64>,
    /// Whether a timer looks after its last tasks.
    pub(crate) tail_watched: bool,
    pub(crate) state: JobState,
    pub(crate) submitted_ms: u64,
    pub(crate) over_ms: Option<u64>,
}

impl Job {
    pub(crate) fn new(policy: Policy, tasks: Box<dyn Tasks>, now_ms: u64) -> Self {
        Self {
            policy,
            task_count: tasks.count(),
            tasks,
            tallies: BTreeMap::new(),
            next_unopened: 0,
            settled: Settled::default(),
            broken_seals: BTreeMap::new(),
            next_terms: None,
            hungry: Hungry::default(),
            order: 0,
            accepted: 0,
            unaccepted: 0,
            disputes: 0,
            dissents: 0,
            corrections: 0,
            unheld: BTreeSet::new(),
            lost: BTreeSet::new(),
            provisional: BTreeSet::new(),
            reopened: 0,
            correcting: 0,
            first_number: 0,
            usual_ms: None,
            tail_watched: false,
            state: JobState::Running,
            submitted_ms: now_ms,
            over_ms: None,
        }
    }

    /// The same job, with this number for every task's first replica, except for tasks that have one.
    pub(crate) fn numbered_from(mut self, first_number: u32) -> Self {
        self.number_from(first_number);
        self
    }

    pub(crate) fn number_from(&mut self, first_number: u32) {
        self.first_number = first_number;
        self.tallies.values_mut().for_each(|tally| tally.number_from(first_number));
    }

    /// How many tasks it has.
    pub fn task_count(&self) -> u64 {
        self.task_count
    }

    /// How many tasks one worker has answered alone and are not confirmed, and how many of those were opened again.
    pub fn answered_alone(&self) -> (u64, u64) {
        (self.provisional.len() as u64, self.reopened)
    }

    /// The rules of its vote.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The vote on a task, once it was opened and until it is settled.
    pub fn tally(&self, index: u64) -> Option<&Tally> {
        self.tallies.get(&index).map(|tally| &**tally)
    }

    /// Whether a task is accepted, and its outcome was lost with the workers that held it.
    pub fn is_lost(&self, index: u64) -> bool {
        self.lost.contains(&index)
    }

    /// The accepted tasks whose outcome was lost.
    pub fn lost(&self) -> impl Iterator<Item = u64> {
        self.lost.iter().copied()
    }

    /// Where it stands.
    pub fn state(&self) -> JobState {
        self.state
    }

    /// When it was submitted, in milliseconds.
    pub fn submitted_ms(&self) -> u64 {
        self.submitted_ms
    }

    /// When it was over, in milliseconds.
    pub fn over_ms(&self) -> Option<u64> {
        self.over_ms
    }

    pub(crate) fn has_unopened(&self) -> bool {
        self.state == JobState::Running && self.next_unopened < self.task_count
    }

    pub(crate) fn wants_workers(&self) -> bool {
        !self.hungry.is_empty() || self.has_unopened()
    }

    /// Among how many open tasks a free worker's next one is drawn: as many as `workers_live` workers can vote on at
    /// once. Where all of them vote on every task there is nothing to draw.
    pub(crate) fn choice(&self, workers_live: u32) -> usize {
        let seats = match self.policy.electorate {
            Electorate::Sample => self.policy.replicas.max(1),
            Electorate::All => return 1,
        };
        (workers_live / seats).clamp(1, CHOICE_MAX) as usize
    }

    /// Opens the next task, if there is one and the worker has room for it.
    fn open_for(&mut self, worker: &Worker, workers_live: u32, now_ms: u64) -> Option<u64> {
        if !self.has_unopened() {
            return None;
        }
        let next = self.next_unopened;
        let terms = self.next_terms.get_or_insert_with(|| self.tasks.terms(next));
        if !worker.has_room(terms.weight) {
            return None;
        }
        let terms = self.next_terms.take()?;
        let (rules, weight) = (self.rules(&terms, workers_live), terms.weight);
        self.tallies.insert(next, Box::new(Tally::new(terms, rules, now_ms)));
        self.hungry.insert(next, weight);
        self.skip_opened();
        Some(next)
    }

    /// A task for a worker that has room, and how it would compute it: drawn among the first that fit, or opened for it.
    /// Workers that answer at the same moment shall not meet in the next task for that. `opened` takes the tasks that were
    /// opened on the way.
    pub(crate) fn find(
        &mut self,
        (id, worker): (&NodeId, &Worker),
        workers_live: u32,
        lots: &mut Lots,
        now_ms: u64,
        opened: &mut Vec<u64>,
    ) -> Option<(u64, Placement)> {
        let choice = self.choice(workers_live);
        while self.hungry.len() < choice
            && let Some(index) = self.open_for(worker, workers_live, now_ms)
        {
            opened.push(index);
        }
        loop {
            if let Some(found) = self.draw_fitting(id, worker, choice, lots) {
                return Some(found);
            }
            if self.hungry.len() >= HUNGRY_MAX {
                return None;
            }
            opened.push(self.open_for(worker, workers_live, now_ms)?);
        }
    }

    /// Draws among the first `choice` tasks at which the worker has not looked in vain; where the one drawn does not fit,
    /// it takes the next.
    fn draw_fitting(
        &mut self,
        id: &NodeId,
        worker: &Worker,
        choice: usize,
        lots: &mut Lots,
    ) -> Option<(u64, Placement)> {
        let mut first: Option<(u64, u64, Placement)> = None;
        let weights = || [Weight::Light, Weight::Heavy].into_iter().filter(|weight| worker.has_room(*weight));
        for weight in weights() {
            let mut passed = None;
            for (stamp, index) in self.hungry.ahead_of(id, weight) {
                if let Some(placement) = self.placement(index, id, worker) {
                    if first.as_ref().is_none_or(|(before, ..)| *before > stamp) {
                        first = Some((stamp, index, placement));
                    }
                    break;
                }
                passed = Some(stamp);
            }
            if let Some(stamp) = passed {
                self.hungry.pass(id, weight, stamp);
            }
        }
        let (_, index, placement) = first?;
        if choice <= 1 {
            return Some((index, placement));
        }
        let ahead = || weights().flat_map(|weight| self.hungry.ahead_of(id, weight).take(choice));
        let drawn = usize::try_from(lots.below(ahead().count() as u64)).unwrap_or(0);
        let found =
            ahead().skip(drawn).find_map(|(_, index)| Some((index, self.placement(index, id, worker)?)));
        Some(found.unwrap_or((index, placement)))
    }

    fn placement(&self, index: u64, id: &NodeId, worker: &Worker) -> Option<Placement> {
        let tally = self.tally(index).filter(|tally| tally.is_invited(id))?;
        dispatch::place(tally, id, worker).ok()
    }

    /// The terms of any task of the job.
    pub(crate) fn terms(&self, index: u64) -> Option<TaskTerms> {
        (index < self.task_count).then(|| self.tasks.terms(index))
    }

    /// Puts a tally in its place that ended before a restart.
    pub(crate) fn restore(&mut self, index: u64, tally: Tally) {
        self.tallies.insert(index, Box::new(tally));
        self.skip_opened();
    }

    fn skip_opened(&mut self) {
        self.next_terms = None;
        loop {
            self.next_unopened = self.settled.first_gap(self.next_unopened);
            if !self.tallies.contains_key(&self.next_unopened) {
                return;
            }
            self.next_unopened += 1;
        }
    }

    /// Nothing more happens to a task: its tally is given up.
    pub(crate) fn settle(&mut self, index: u64) {
        self.tallies.remove(&index);
        self.settled.insert(index);
    }

    /// Whether a task was decided, everything that follows from its verdict is done, and only the ledger knows its ballots.
    pub fn is_settled(&self, index: u64) -> bool {
        self.settled.contains(index)
    }

    /// On how many tasks each worker broke its seal, since the coordinator began.
    pub fn broken_seals(&self) -> BTreeMap<NodeId, u64> {
        let mut broken = self.broken_seals.clone();
        for worker in self.tallies.values().flat_map(|tally| tally.broken_seals().keys()) {
            *broken.entry(*worker).or_default() += 1;
        }
        broken
    }

    pub(crate) fn rules(&self, terms: &TaskTerms, workers_live: u32) -> Rules {
        let policy = &self.policy;
        let (quorum, seats, seats_max) = match policy.electorate {
            Electorate::Sample => (policy.quorum, policy.replicas, policy.max_replicas),
            Electorate::All => {
                let seats = workers_live.max(policy.replicas);
                (policy.quorum.max(seats / 2 + 1), seats, seats)
            }
        };
        let audit = policy.audit_rule().filter(|_| terms.audits != Audits::Nothing);
        // Where one computes and the others audit, one seat is for computing at first.
        let seats = if audit.is_some_and(|rule| rule.is_alone) { 1 } else { seats };
        let ways = Ways::of(terms.formulas, terms.engines, terms.audits);
        let spread = policy.distinct.iter().map(|axis| (*axis, axis.values_needed(quorum, ways))).collect();
        let (sealed, lease_ms, first_number) = (policy.sealed, policy.lease_ms, self.first_number);
        let adaptive = policy.auditing.adaptive;
        Rules { quorum, seats, seats_max, spread, sealed, lease_ms, audit, adaptive, first_number }
    }

    /// Whether every task is decided one way or the other.
    pub(crate) fn all_decided(&self) -> bool {
        self.accepted + self.unaccepted == self.task_count
    }

    /// How far it is.
    pub(crate) fn progress(&self, waiting: Option<String>) -> JobProgress {
        let decided = self.accepted + self.unaccepted;
        let under_way: u64 = self
            .tallies
            .values()
            .rev()
            .take(64)
            .filter(|tally| tally.is_open())
            .map(|tally| u64::from(tally.permille()))
            .sum();
        let permille = (decided * 1000 + under_way) / self.task_count.max(1);
        JobProgress {
            state: self.state,
            tasks: self.task_count,
            accepted: self.accepted,
            unaccepted: self.unaccepted,
            disputes: self.disputes,
            dissenting_ballots: self.dissents,
            corrections: self.corrections,
            permille: u16::try_from(permille.min(1000)).unwrap_or(1000),
            waiting,
        }
    }
}
