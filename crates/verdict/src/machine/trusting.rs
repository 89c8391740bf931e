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
}

impl Machine {
    /// Somebody has answered: draws whether that is checked, and by how many.
    pub(super) fn draw_check(&mut self, id: JobId, index: u64) {
        let Some(tally) = self.jobs.get(&id).and_then(|job| job.tally(index)) else { return };
        let (Some(trust), Some((author, engine))) = (tally.trust().copied(), tally.author()) else { return };
        // Whoever had answered before has contradicted itself.
        let before = trust.author.and_then(|before| self.unconfirmed.get_mut(&before));
        if let Some(unconfirmed) = before {
            unconfirmed.under_way.remove(&trust.number);
            unconfirmed.answers.remove(&trust.number);
        }
        if let Some(job) = self.jobs.get_mut(&id) {
            job.provisional.remove(&index);
        }
        let check = trust.rule().check(self.credit_of(&author, engine));
        let is_drawn = self.lots.below(CHANCE_ONE) < check.chance;
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
        let Some(trust) = tally.trust().copied() else { return };
        if let (Stage::Checked(_), Some(author)) = (trust.stage, trust.author)
            && tally.ballots().contains_key(&author)
            && !dissenters.contains(&author)
            && let Some(unconfirmed) = self.unconfirmed.get_mut(&author)
        {
            unconfirmed.covered = unconfirmed.covered.max(trust.covers);
        }
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

    fn confirm(&mut self, author: NodeId, now_ms: u64) {
        let Some(unconfirmed) = self.unconfirmed.get_mut(&author) else { return };
        let covered = unconfirmed.covered;
        if unconfirmed.under_way.first().is_some_and(|number| *number <= covered) {
            return;
        }
        let later = unconfirmed.answers.split_off(&covered.saturating_add(1));
        let confirmed = std::mem::replace(&mut unconfirmed.answers, later);
        if unconfirmed.answers.is_empty() && unconfirmed.under_way.is_empty() {
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
        for (number, (id, index)) in std::mem::take(&mut unconfirmed.answers) {
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
