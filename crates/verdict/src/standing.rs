//! Standing: what is known of how often a worker is wrong, for each of its engines, and what follows from that.
//!
//! Every verdict says of each ballot whether it was right. From those counts follows a posterior over the error rate, and
//! from that a quarantine: an engine that is too often wrong gets no leases that count. The way back leads over tasks whose
//! answer is known. Everything follows from what is in the ledger, in its order, and nothing from who is heard when: a
//! machine that is made again from its ledger has the same standings.
//!
//! There are no floats: what decides must decide alike everywhere.

use std::collections::BTreeMap;

use protocol::{
    domain::Engine,
    identity::NodeId,
    standing::{QuarantineReason, QuarantineStatus},
};

/// So many wrong answers, one after the other, and an engine is in quarantine, however many were right before.
pub const WRONG_IN_A_ROW_MAX: u32 = 3;
/// An engine is in quarantine when its error rate is above this, in parts per million, with a probability of 95 %.
pub const ERROR_PPM_MAX: u32 = 100_000;
/// But not for fewer wrong answers than this.
const WRONG_MIN: u64 = 3;
/// So many right answers in a row to tasks whose answer is known let an engine back the first time; twice as many the next.
pub const RIGHT_NEEDED: u32 = 8;
/// It does not double more often than so.
const DOUBLINGS_MAX: u32 = 5;
/// Whoever was let back so often, and was wrong again each time, is not let back any more.
const QUARANTINES_MAX: u32 = 8;
/// Of so many workers a record is kept; beyond it go those of which nothing was heard for longest.
const STANDINGS_MAX: usize = 64 * 1024;

const MILLION: u128 = 1_000_000;
/// More answers than these change no bound that anybody could see.
const ANSWERS_MAX: u64 = 1 << 40;

/// How many answers were right, and how many wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    /// Like what was accepted.
    pub right: u64,
    /// Unlike it.
    pub wrong: u64,
}

impl Answers {
    /// The mean of the posterior over the error rate, in parts per million: with nothing known before (a uniform prior), so
    /// many right and wrong answers leave Beta(wrong + 1, right + 1), whose mean is (wrong + 1) / (wrong + right + 2)
    /// (Laplace's rule of succession).
    #[must_use]
    pub fn mean_ppm(&self) -> u32 {
        let (wrong, all) = self.clamped();
        ppm(((wrong + 1) * MILLION).div_ceil(all + 2))
    }

    /// A bound that the error rate is below with a probability of 95 %, in parts per million.
    #[must_use]
    pub fn above_ppm(&self) -> u32 {
        let (wrong, all) = self.clamped();
        ppm(((2 * wrong + 3) * MILLION + self.root() + 1).div_ceil(2 * (all + 3)))
    }

    /// A bound that the error rate is above with a probability of 95 %, in parts per million.
    #[must_use]
    pub fn below_ppm(&self) -> u32 {
        let (wrong, all) = self.clamped();
        ppm(((2 * wrong + 3) * MILLION).saturating_sub(self.root() + 1) / (2 * (all + 3)))
    }

    /// A million times the root in the bounds. They are those of the score interval (Wilson, *Probable inference*, 1927) with
    /// z² = 3: a little wider than the 2.71 of one side at 95 %, which brings them as near to the quantiles of the posterior
    /// as a fiftieth of their value, and for no wrong answer to 3 in n (the rule of three).
    fn root(&self) -> u128 {
        let (wrong, all) = self.clamped();
        let spread = (12 * wrong * (all - wrong) * MILLION * MILLION).checked_div(all).unwrap_or(0);
        (spread + 9 * MILLION * MILLION).isqrt()
    }

    /// The wrong ones, and all.
    fn clamped(&self) -> (u128, u128) {
        let (wrong, right) = (self.wrong.min(ANSWERS_MAX), self.right.min(ANSWERS_MAX));
        (u128::from(wrong), u128::from(wrong + right))
    }

    fn add(&mut self, is_right: bool) {
        let count = if is_right { &mut self.right } else { &mut self.wrong };
        *count = count.saturating_add(1);
    }
}

fn ppm(parts: u128) -> u32 {
    u32::try_from(parts.min(MILLION)).unwrap_or(1_000_000)
}

/// What is known of one engine of a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineRecord {
    /// All its answers.
    pub total: Answers,
    /// Those since it began, or was last let back.
    pub recent: Answers,
    /// The wrong ones among them since the last right one.
    pub wrong_in_a_row: u32,
    /// Accepted values that it gave first, on tasks that it might have answered alone, since it was wrong last, or its
    /// answer was disputed without an end.
    pub credit: u64,
    /// How often auditors struck out what it had computed.
    pub failed_audits: u64,
    /// Two different ballots for one replica.
    pub equivocations: u64,
    /// Ballots that were not what it had committed to.
    pub broken_seals: u64,
    /// Whether it is in quarantine.
    pub quarantine: Option<Quarantine>,
    /// How often it was put there.
    pub quarantines: u32,
    /// The case of its kind of device ([`crate::kinds`]) in which it answered a known task rightly last.
    pub cleared: u64,
    /// A fault by itself that was not answered by a quarantine yet.
    unanswered: Option<QuarantineReason>,
}

/// An engine gets no leases that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quarantine {
    /// Why.
    pub reason: QuarantineReason,
    /// Right answers in a row to tasks whose answer is known.
    pub right_in_a_row: u32,
    /// How many it takes.
    pub needed: u32,
}

impl Quarantine {
    /// For people.
    #[must_use]
    pub fn status(&self) -> QuarantineStatus {
        let Self { reason, right_in_a_row, needed } = *self;
        QuarantineStatus { reason: reason.to_string(), right_in_a_row, needed }
    }
}

impl EngineRecord {
    /// Whether it is in quarantine, and may be let back.
    #[must_use]
    pub fn has_way_back(&self) -> bool {
        self.quarantine.is_some() && self.quarantines <= QUARANTINES_MAX
    }

    /// Why it is to be put in quarantine, if it is.
    #[must_use]
    pub fn fault(&self) -> Option<QuarantineReason> {
        if self.quarantine.is_some() {
            return None;
        }
        let Answers { right, wrong } = self.recent;
        if self.unanswered.is_some() {
            self.unanswered
        } else if self.wrong_in_a_row >= WRONG_IN_A_ROW_MAX {
            Some(QuarantineReason::WrongInARow(self.wrong_in_a_row))
        } else if wrong >= WRONG_MIN && self.recent.below_ppm() > ERROR_PPM_MAX {
            Some(QuarantineReason::ErrorRate { wrong, answers: right.saturating_add(wrong) })
        } else {
            None
        }
    }

    /// Something that puts it in quarantine by itself, unless it is there.
    fn is_at_fault(&mut self, reason: QuarantineReason) {
        self.credit = 0;
        if self.quarantine.is_none() {
            self.unanswered.get_or_insert(reason);
        }
    }

    fn answered(&mut self, is_right: bool) {
        self.total.add(is_right);
        if !is_right {
            self.credit = 0;
        }
        // What was under way when it was put in quarantine says no more than what put it there.
        if self.quarantine.is_none() {
            self.recent.add(is_right);
            self.wrong_in_a_row = if is_right { 0 } else { self.wrong_in_a_row.saturating_add(1) };
        }
    }
}

/// What is known of a worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    engines: [EngineRecord; 2],
    /// Counts what was noted of anybody, up to the last time that it was of this one.
    noted: u64,
}

fn place(engine: Engine) -> usize {
    match engine {
        Engine::Cpu => 0,
        Engine::Gpu => 1,
    }
}

impl Standing {
    /// The record of one engine.
    #[must_use]
    pub fn with(&self, engine: Engine) -> &EngineRecord {
        &self.engines[place(engine)]
    }

    /// The engines that are in quarantine.
    #[must_use]
    pub fn shut(&self) -> Shut {
        Shut(self.engines.map(|record| record.quarantine.is_some()))
    }
}

/// Which engines of a worker are in quarantine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shut([bool; 2]);

impl Shut {
    /// Whether this one is.
    #[must_use]
    pub fn has(self, engine: Engine) -> bool {
        self.0[place(engine)]
    }

    /// These, and one more where `is_shut`.
    #[must_use]
    pub fn with(mut self, engine: Engine, is_shut: bool) -> Self {
        self.0[place(engine)] |= is_shut;
        self
    }
}

/// The records of all workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standings {
    of: BTreeMap<NodeId, Standing>,
    noted: u64,
}

impl Standings {
    /// What is known of a worker.
    #[must_use]
    pub fn get(&self, worker: &NodeId) -> Option<&Standing> {
        self.of.get(worker)
    }

    /// Everybody of whom something is known.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeId, &Standing)> {
        self.of.iter()
    }

    /// Which of its engines are in quarantine.
    #[must_use]
    pub fn shut(&self, worker: &NodeId) -> Shut {
        self.of.get(worker).map(Standing::shut).unwrap_or_default()
    }

    /// A ballot was for what was accepted, or against it.
    pub fn answered(&mut self, worker: NodeId, engine: Engine, is_right: bool) {
        self.engine_mut(worker, engine).answered(is_right);
    }

    /// What it answered first was accepted, on a task that it might have answered alone.
    pub fn credit(&mut self, worker: NodeId, engine: Engine) {
        let record = self.engine_mut(worker, engine);
        record.credit = record.credit.saturating_add(1);
    }

    /// What it answered first was disputed, and nobody won: it may have lied, and begins anew.
    pub fn doubted(&mut self, worker: NodeId, engine: Engine) {
        self.engine_mut(worker, engine).credit = 0;
    }

    /// Auditors struck out what it had computed. Where that is what was accepted, its proof was bad: the answer counts as wrong.
    pub fn failed_audit(&mut self, worker: NodeId, engine: Engine) {
        self.engine_mut(worker, engine).failed_audits += 1;
    }

    /// A worker signed two different ballots for one replica.
    pub fn equivocated(&mut self, worker: NodeId, engine: Engine) {
        self.engine_mut(worker, engine).equivocations += 1;
        for engine in [Engine::Cpu, Engine::Gpu] {
            self.engine_mut(worker, engine).is_at_fault(QuarantineReason::Equivocated);
        }
    }

    /// A worker revealed another ballot than the one that it had committed to.
    pub fn broke_seal(&mut self, worker: NodeId, engine: Engine) {
        self.engine_mut(worker, engine).broken_seals += 1;
        for engine in [Engine::Cpu, Engine::Gpu] {
            self.engine_mut(worker, engine).is_at_fault(QuarantineReason::BrokeSeal);
        }
    }

    /// What an engine computed came out wrong again in the same way, or it did not stand the test that a fault of its kind
    /// calls for.
    pub fn failed(&mut self, worker: NodeId, engine: Engine, reason: QuarantineReason) {
        self.engine_mut(worker, engine).is_at_fault(reason);
    }

    /// An engine answered a known task rightly in a case of its kind of device.
    pub fn cleared(&mut self, worker: NodeId, engine: Engine, case: u64) {
        let record = self.engine_mut(worker, engine);
        record.cleared = record.cleared.max(case);
    }

    /// The engine is in quarantine from now on.
    pub fn quarantine(&mut self, worker: NodeId, engine: Engine, reason: QuarantineReason) {
        let record = self.engine_mut(worker, engine);
        let needed = RIGHT_NEEDED << record.quarantines.min(DOUBLINGS_MAX);
        record.quarantines = record.quarantines.saturating_add(1);
        record.unanswered = None;
        record.quarantine = Some(Quarantine { reason, right_in_a_row: 0, needed });
    }

    /// An engine in quarantine answered a task whose answer is known; whether it has done enough.
    pub fn tested(&mut self, worker: NodeId, engine: Engine, is_right: bool) -> bool {
        let Some(quarantine) = &mut self.engine_mut(worker, engine).quarantine else { return false };
        quarantine.right_in_a_row = if is_right { quarantine.right_in_a_row.saturating_add(1) } else { 0 };
        quarantine.right_in_a_row >= quarantine.needed
    }

    /// The engine is let back: it begins anew, and only how often it was in quarantine is remembered.
    pub fn readmit(&mut self, worker: NodeId, engine: Engine) {
        let record = self.engine_mut(worker, engine);
        record.quarantine = None;
        record.recent = Answers::default();
        (record.wrong_in_a_row, record.credit) = (0, 0);
        record.unanswered = None;
    }

    fn engine_mut(&mut self, worker: NodeId, engine: Engine) -> &mut EngineRecord {
        if !self.of.contains_key(&worker) && self.of.len() >= STANDINGS_MAX {
            self.forget_some();
        }
        self.noted += 1;
        let standing = self.of.entry(worker).or_default();
        standing.noted = self.noted;
        &mut standing.engines[place(engine)]
    }

    /// A sixteenth of the records goes: those of workers of which nothing was noted for longest, and before all others those
    /// that are in no quarantine.
    fn forget_some(&mut self) {
        let age = |standing: &Standing| (standing.shut() != Shut::default(), standing.noted);
        let mut ages: Vec<_> = self.of.values().map(age).collect();
        ages.sort_unstable();
        let Some(last) = ages.get(STANDINGS_MAX / 16).copied() else { return };
        self.of.retain(|_, standing| age(standing) > last);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answers(right: u64, wrong: u64) -> Answers {
        Answers { right, wrong }
    }

    #[test]
    fn bounds_are_near_the_quantiles_of_the_posterior() {
        // Quantiles of Beta(wrong + 1, right + 1) at 5 % and 95 %, in parts per million.
        for (right, wrong, below, above) in [
            (10, 0, 4_652, 238_404),
            (100, 0, 508, 29_225),
            (97, 3, 13_700, 75_300),
            (90, 10, 61_500, 159_000),
        ] {
            let found = answers(right, wrong);
            let near = |found: u32, exact: u32| found.abs_diff(exact) <= exact / 25 + 6_000;
            assert!(near(found.above_ppm(), above), "{right} {wrong}: {}", found.above_ppm());
            assert!(near(found.below_ppm(), below), "{right} {wrong}: {}", found.below_ppm());
        }
    }

    proptest! {
        #[test]
        fn bounds_enclose_the_mean_and_stay_between_nothing_and_all(
            right in 0u64..=u64::MAX, wrong in 0u64..=u64::MAX, small in 0u64..1000,
        ) {
            for found in [answers(right, wrong), answers(small, wrong % 1000), answers(right, small)] {
                prop_assert!(found.below_ppm() <= found.mean_ppm());
                prop_assert!(found.mean_ppm() <= found.above_ppm() + 1);
                prop_assert!(found.above_ppm() <= 1_000_000);
            }
        }

        #[test]
        fn a_right_answer_never_raises_the_bounds_and_a_wrong_one_never_lowers_them(
            right in 0u64..5000, wrong in 0u64..5000,
        ) {
            let (found, better) = (answers(right, wrong), answers(right + 1, wrong));
            let worse = answers(right, wrong + 1);
            prop_assert!(better.above_ppm() <= found.above_ppm() && better.below_ppm() <= found.below_ppm());
            prop_assert!(worse.above_ppm() >= found.above_ppm() && worse.below_ppm() >= found.below_ppm());
        }
    }

    #[test]
    fn beyond_the_bound_those_go_of_which_nothing_was_heard_for_longest_and_quarantines_last() {
        let id = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            NodeId(bytes)
        };
        let mut standings = Standings::default();
        standings.quarantine(id(0), Engine::Cpu, QuarantineReason::Equivocated);
        for number in 1..STANDINGS_MAX {
            standings.answered(id(number), Engine::Cpu, true);
        }
        standings.answered(id(1), Engine::Cpu, true);
        standings.answered(id(STANDINGS_MAX), Engine::Cpu, true);
        let is_known = |number: usize| standings.get(&id(number)).is_some();
        assert!(is_known(0) && is_known(1) && !is_known(2) && is_known(STANDINGS_MAX));
        assert!(standings.of.len() < STANDINGS_MAX);
    }
}
