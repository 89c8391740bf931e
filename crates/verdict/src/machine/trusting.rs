//! Adaptive replication: who is checked is drawn, what passes confirms what its worker answered before, and what does not
//! reopens it.
//!
//! The lot is drawn when the answer is in, from the machine's own stream, so that nobody can foresee it. What is provisional
//! is kept by worker, in the order of its answers, and by job. A job whose other tasks are all decided draws one answer of
//! each worker that has provisional ones, and has it checked: so nothing is accepted that no later check stands behind.

use std::collections::BTreeSet;

use protocol::{adaptive::CHANCE_ONE, domain::Engine, identity::NodeId, job::JobId};

use super::Machine;
use crate::tally::{Tally, TrustStage as Stage};

/// What follows from a verdict for what a worker answered alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trial {
    /// It was wrong: everything that it answered alone is open again.
    Caught(NodeId),
    /// A check of it passed, which covers its answers up to this number.
    Passed(NodeId, u64),
}

impl Machine {
    /// Somebody has answered: draws whether that is checked, and by how many.
    pub(super) fn draw_check(&mut self, id: JobId, index: u64) {
        let Some(tally) = self.jobs.get(&id).and_then(|job| job.tally(index)) else { return };
        let (Some(trust), Some((author, engine))) = (tally.trust().copied(), tally.author()) else { return };
        let check = trust.rule().check(self.credit_of(&author, engine));
        let is_drawn = self.lots.below(CHANCE_ONE) < check.chance;
        self.answers_drawn += 1;
        let number = self.answers_drawn;
        let Some(tally) = self.tally_mut(id, index) else { return };
        if let Some(trust) = tally.trust_mut() {
            (trust.author, trust.number) = (Some(author), number);
        }
        if is_drawn {
            tally.check_by(check.checkers, number);
            return;
        }
        if let Some(trust) = tally.trust_mut() {
            trust.stage = Stage::Provisional;
        }
        self.provisional.entry(author).or_default().insert(number, (id, index));
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
        self.forget_provisional(id, index);
        let Some(tally) = self.jobs.get(&id).and_then(|job| job.tally(index)) else { return };
        let Some(trust) = tally.trust() else { return };
        if let (Stage::Checked(_), Some(author)) = (trust.stage, trust.author)
            && tally.ballots().contains_key(&author)
            && !dissenters.contains(&author)
        {
            self.trials.insert(Trial::Passed(author, trust.covers));
        }
    }

    /// A task stands for no answer that waits for its confirmation any more.
    pub(super) fn forget_provisional(&mut self, id: JobId, index: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.provisional.remove(&index);
        let Some(trust) = job.tally(index).and_then(Tally::trust) else { return };
        let (author, number) = (trust.author, trust.number);
        if let Some(answers) = author.and_then(|author| self.provisional.get_mut(&author)) {
            answers.remove(&number);
        }
    }

    /// Does what follows from checks that have passed or failed.
    pub(super) fn follow_trials(&mut self, now_ms: u64) {
        while let Some(trial) = self.trials.pop_first() {
            match trial {
                Trial::Passed(author, covers) => self.confirm(author, covers, now_ms),
                Trial::Caught(worker) => self.reopen(worker, now_ms),
            }
        }
        self.check_last_answers(now_ms);
    }

    fn confirm(&mut self, author: NodeId, covers: u64, now_ms: u64) {
        let Some(answers) = self.provisional.get_mut(&author) else { return };
        let later = answers.split_off(&covers.saturating_add(1));
        let confirmed = std::mem::replace(answers, later);
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
        let Some(answers) = self.provisional.remove(&worker) else { return };
        for (id, index) in answers.into_values() {
            let covers = self.answers_drawn;
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            job.provisional.remove(&index);
            let Some(tally) = job.tallies.get_mut(&index) else { continue };
            let is_its = tally
                .trust()
                .is_some_and(|trust| trust.stage == Stage::Provisional && trust.author == Some(worker));
            if !is_its {
                continue;
            }
            job.reopened += 1;
            let checkers = tally.trust().map_or(1, |trust| trust.rule().check(0).checkers);
            tally.check_by(checkers, covers);
            self.evaluate(id, index, now_ms);
        }
    }

    /// Where nothing else is left of a job, one answer of each worker that has provisional ones is checked.
    fn check_last_answers(&mut self, now_ms: u64) {
        let unsure: Vec<JobId> = self.unsure.iter().copied().collect();
        for id in unsure {
            let Some(job) = self.jobs.get(&id).filter(|job| !job.provisional.is_empty()) else {
                self.unsure.remove(&id);
                continue;
            };
            if job.provisional.len() as u64 + job.accepted + job.unaccepted < job.task_count() {
                continue;
            }
            let author_of = |index: &u64| job.tally(*index).and_then(Tally::trust)?.author;
            let authors: BTreeSet<NodeId> = job.provisional.iter().filter_map(author_of).collect();
            let answers: Vec<Vec<u64>> = authors
                .iter()
                .map(|author| {
                    let is_its = |index: &u64| author_of(index) == Some(*author);
                    job.provisional.iter().copied().filter(is_its).collect()
                })
                .collect();
            for of_one in answers {
                let drawn = usize::try_from(self.lots.below(of_one.len() as u64)).unwrap_or(0);
                let Some(index) = of_one.get(drawn).copied() else { continue };
                let covers = self.answers_drawn;
                self.forget_provisional(id, index);
                if let Some(tally) = self.tally_mut(id, index) {
                    let checkers = tally.trust().map_or(1, |trust| trust.rule().check(u64::MAX).checkers);
                    tally.check_by(checkers, covers);
                }
                self.evaluate(id, index, now_ms);
            }
        }
    }
}
