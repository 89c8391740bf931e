//! Adaptive replication: who is checked is drawn, what passes confirms what its worker answered before, and what does not
//! reopens it.
//!
//! The lot is drawn when the answer is in, from the machine's own stream, so that nobody can foresee it. What is provisional
//! is kept by worker, in the order of its answers, and by job. A check that passes confirms what its worker had answered when it
//! was drawn, once no other check of that is under way. Where all other tasks of a job are decided, the last answer of each
//! worker that has provisional ones is checked, and another one that is drawn: so nothing is accepted that no later check
//! stands behind.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{adaptive::CHANCE_ONE, domain::Engine, identity::NodeId, job::JobId};

use super::Machine;
use crate::tally::{Tally, TrustStage as Stage};

/// So many answers of a worker stand alone at most: beyond it each is checked. A check that waits for other workers, and whatever
/// waits for that check, must not take memory without end.
const ALONE_MAX: usize = 4096;

/// What follows from a verdict for what a worker answered alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trial {
    /// It was wrong: everything that it answered alone is open again.
    Caught(NodeId),
    /// A check of it has passed, or came to nothing.
    Over(NodeId),
}

/// What a worker has answered alone, and how it is checked.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    /// In the order of its answers.
    answers: BTreeMap<u64, (JobId, u64)>,
    /// The checks that are under way: which answer each is of.
    under_way: BTreeSet<u64>,
    /// A check has passed that covers the answers up to this number.
    covered: u64,
    /// The open tasks on which it has signed two answers: until they are decided it is trusted as little as if it had been wrong.
    two_faced: BTreeSet<(JobId, u64)>,
}

impl Unconfirmed {
    fn is_over(&self) -> bool {
        self.answers.is_empty() && self.under_way.is_empty() && self.two_faced.is_empty()
    }
}

impl Machine {
    /// Somebody has answered: draws whether that is checked, and by how many.
    pub(super) fn draw_check(&mut self, id: JobId, index: u64) {
        let Some(tally) = self.jobs.get(&id).and_then(|job| job.tally(index)) else { return };
        let (Some(trust), Some((author, engine))) = (tally.trust().cloned(), tally.author()) else { return };
        // Whoever had answered before has contradicted itself.
        let before = trust.author.and_then(|before| self.unconfirmed.get_mut(&before));
        if let Some(unconfirmed) = before {
            unconfirmed.under_way.remove(&trust.number);
            unconfirmed.answers.remove(&trust.number);
        }
        if let Some(job) = self.jobs.get_mut(&id) {
            job.provisional.remove(&index);
        }
        let unconfirmed = self.unconfirmed.get(&author);
        let is_full = unconfirmed.is_some_and(|unconfirmed| unconfirmed.answers.len() >= ALONE_MAX);
        let is_two_faced = unconfirmed.is_some_and(|unconfirmed| !unconfirmed.two_faced.is_empty());
        // Where the first has taken its answer back, what others said meanwhile is worth what a new worker says: it must
        // not make the check easier.
        let is_new = is_two_faced || trust.author.is_some();
        let credit = if is_new { 0 } else { self.credit_of(&author, engine) };
        let mut check = trust.rule().check(credit);
        if let Stage::Checked(before) = trust.stage {
            check.checkers = check.checkers.max(before);
        }
        let is_drawn = self.lots.below(CHANCE_ONE) < check.chance || is_full;
        if trust.author.is_none() {
            // Whoever was asked before could wait to hear a friend's lie, and second it.
            self.cancel_outstanding(id, index);
            self.tally_mut(id, index).into_iter().for_each(Tally::begin_checks);
        }
        self.answers_drawn += 1;
        let number = self.answers_drawn;
        let Some(tally) = self.tally_mut(id, index) else { return };
        if let Some(trust) = tally.trust_mut() {
            (trust.author, trust.number) = (Some(author), number);
        }
        if is_drawn {
            tally.check_by(check.checkers, number);
            self.unconfirmed.entry(author).or_default().under_way.insert(number);
            return;
        }
        if let Some(trust) = tally.trust_mut() {
            trust.stage = Stage::Provisional;
        }
        self.unconfirmed.entry(author).or_default().answers.insert(number, (id, index));
        if let Some(job) = self.jobs.get_mut(&id) {
            job.provisional.insert(index);
            self.unsure.insert(id);
        }
    }

    /// How many accepted answers a worker has behind it since it began, or was wrong last.
    fn credit_of(&self, worker: &NodeId, engine: Engine) -> u64 {
        self.standings.get(worker).map_or(0, |standing| standing.with(engine).credit)
    }

    /// A task is decided: notes what that says of what others have answered alone.
    pub(super) fn follow_trust(&mut self, id: JobId, index: u64, dissenters: &[NodeId]) {
        self.trials.extend(dissenters.iter().map(|worker| Trial::Caught(*worker)));
        let Some(tally) = self.jobs.get(&id).and_then(|job| job.tally(index)) else { return };
        let Some(trust) = tally.trust().cloned() else { return };
        if let (Stage::Checked(_), Some(author)) = (trust.stage, trust.author)
            && tally.ballots().contains_key(&author)
            && !dissenters.contains(&author)
            && let Some(unconfirmed) = self.unconfirmed.get_mut(&author)
        {
            unconfirmed.covered = unconfirmed.covered.max(trust.covers);
        }
        self.forget_provisional(id, index);
    }

    /// A task ends without a winner. Where its answer was disputed nobody knows who was right: the lot that was drawn to catch
    /// a lie must not come to nothing, so its author is trusted no more than if it had been wrong.
    pub(super) fn doubt_author(&mut self, id: JobId, index: u64) {
        let tally = self.jobs.get(&id).and_then(|job| job.tally(index)).filter(|it| it.was_disputed());
        let drawn = tally.and_then(Tally::trust).and_then(|trust| trust.author);
        let first = tally.filter(|it| it.trust().is_some()).and_then(Tally::author).map(|(first, _)| first);
        self.trials.extend(drawn.into_iter().chain(first).map(Trial::Caught));
        self.forget_provisional(id, index);
    }

    /// A task stands for no answer that waits for its confirmation, and for no check, any more.
    pub(super) fn forget_provisional(&mut self, id: JobId, index: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.provisional.remove(&index);
        let Some(trust) = job.tally(index).and_then(Tally::trust) else { return };
        let (Some(author), number) = (trust.author, trust.number) else { return };
        if let Some(unconfirmed) = self.unconfirmed.get_mut(&author) {
            unconfirmed.answers.remove(&number);
            if unconfirmed.under_way.remove(&number) {
                self.trials.insert(Trial::Over(author));
            }
        }
    }

    /// Does what follows from checks that have passed or failed.
    pub(super) fn follow_trials(&mut self, now_ms: u64) {
        loop {
            self.judge_noted(now_ms);
            let Some(trial) = self.trials.pop_first() else { break };
            match trial {
                Trial::Caught(worker) => self.reopen(worker, now_ms),
                Trial::Over(author) => self.confirm(author, now_ms),
            }
        }
        self.check_last_answers(now_ms);
    }

    /// Whether something is to be done for answers that stand alone.
    pub(super) fn has_trials(&self) -> bool {
        !self.trials.is_empty() || !self.to_judge.is_empty() || self.unsure.iter().any(|id| self.is_ripe(id))
    }

    /// A worker has signed two different answers.
    pub(super) fn note_two_faced(&mut self, worker: NodeId, id: JobId, index: u64, is_open: bool) {
        self.trials.insert(Trial::Caught(worker));
        if is_open {
            self.unconfirmed.entry(worker).or_default().two_faced.insert((id, index));
        }
    }

    /// The vote on a task is over: what is known of those who signed two answers is written down.
    pub(super) fn forget_two_faced(&mut self, id: JobId, index: u64) {
        let Some(tally) = self.jobs.get(&id).and_then(|job| job.tally(index)) else { return };
        for worker in tally.equivocations().keys() {
            if let Some(unconfirmed) = self.unconfirmed.get_mut(worker) {
                unconfirmed.two_faced.remove(&(id, index));
                self.trials.insert(Trial::Caught(*worker));
            }
        }
    }

    fn confirm(&mut self, author: NodeId, now_ms: u64) {
        let Some(unconfirmed) = self.unconfirmed.get_mut(&author) else { return };
        let covered = unconfirmed.covered;
        let is_awaited = unconfirmed.under_way.first().is_some_and(|number| *number <= covered);
        if is_awaited || !unconfirmed.two_faced.is_empty() {
            return;
        }
        let later = unconfirmed.answers.split_off(&covered.saturating_add(1));
        let confirmed = std::mem::replace(&mut unconfirmed.answers, later);
        if unconfirmed.is_over() {
            self.unconfirmed.remove(&author);
        }
        for (id, index) in confirmed.into_values() {
            if let Some(trust) = self.tally_mut(id, index).and_then(Tally::trust_mut)
                && trust.stage == Stage::Provisional
                && trust.author == Some(author)
            {
                trust.stage = Stage::Confirmed;
                self.evaluate(id, index, now_ms);
            }
        }
    }

    fn reopen(&mut self, worker: NodeId, now_ms: u64) {
        let Some(unconfirmed) = self.unconfirmed.get_mut(&worker) else { return };
        let answers = std::mem::take(&mut unconfirmed.answers);
        if unconfirmed.is_over() {
            self.unconfirmed.remove(&worker);
        }
        for (number, (id, index)) in answers {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            job.provisional.remove(&index);
            let Some(tally) = job.tallies.get_mut(&index) else { continue };
            let is_its = |tally: &Tally| {
                let trust = tally.trust();
                trust.is_some_and(|trust| trust.stage == Stage::Provisional && trust.author == Some(worker))
            };
            if is_its(tally) {
                job.reopened += 1;
                let checkers = tally.trust().map_or(1, |trust| trust.rule().check(0).checkers);
                tally.check_by(checkers, number);
                self.evaluate(id, index, now_ms);
            }
        }
    }

    /// Whether nothing is left of a job but answers that stand alone.
    fn is_ripe(&self, id: &JobId) -> bool {
        self.jobs.get(id).is_some_and(|job| {
            let alone = job.provisional.len() as u64;
            alone > 0 && alone + job.accepted + job.unaccepted >= job.task_count() && !job.state().is_over()
        })
    }

    /// Where nothing else is left of a job, two answers of each worker that has provisional ones are checked.
    fn check_last_answers(&mut self, now_ms: u64) {
        let unsure: Vec<JobId> = self.unsure.iter().copied().collect();
        for id in unsure {
            if self.jobs.get(&id).is_none_or(|job| job.provisional.is_empty()) {
                self.unsure.remove(&id);
            }
            if !self.is_ripe(&id) {
                continue;
            }
            for (author, answers) in self.alone_in(id) {
                let Some((last, before)) = answers.split_last() else { continue };
                let drawn = usize::try_from(self.lots.below(before.len() as u64)).unwrap_or(0);
                let checked: Vec<(u64, u64)> = before.get(drawn).into_iter().chain([last]).copied().collect();
                let covers = last.0;
                for (number, index) in checked {
                    if let Some(unconfirmed) = self.unconfirmed.get_mut(&author) {
                        unconfirmed.answers.remove(&number);
                        unconfirmed.under_way.insert(number);
                    }
                    let Some(job) = self.jobs.get_mut(&id) else { continue };
                    job.provisional.remove(&index);
                    let Some(tally) = job.tallies.get_mut(&index) else { continue };
                    let checkers = tally.trust().map_or(1, |trust| trust.rule().check(u64::MAX).checkers);
                    tally.check_by(checkers, covers);
                    self.evaluate(id, index, now_ms);
                }
            }
        }
    }

    /// The answers of a job that stand alone, by worker, each with its number and its task, the last one last.
    fn alone_in(&self, id: JobId) -> BTreeMap<NodeId, Vec<(u64, u64)>> {
        let mut alone: BTreeMap<NodeId, Vec<(u64, u64)>> = BTreeMap::new();
        let Some(job) = self.jobs.get(&id) else { return alone };
        for index in &job.provisional {
            if let Some(trust) = job.tally(*index).and_then(Tally::trust)
                && let Some(author) = trust.author
            {
                alone.entry(author).or_default().push((trust.number, *index));
            }
        }
        for answers in alone.values_mut() {
            answers.sort_unstable();
        }
        alone
    }
}
