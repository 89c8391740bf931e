//! The way back out of a quarantine: tasks whose answer is known.
//!
//! Of the tasks that were accepted last, some are kept with their answers. An engine in quarantine is given one of them at a
//! time, drawn by lot, while any job runs. What it answers is written down and counts in no tally: its replica has a number
//! from a range of its own. Where a fault of its kind of device was located, the task at which it was is the first of the row.
//! So many right ones in a row and the engine is let back, as a new one; after a wrong one, or none,
//! it is left alone for a while, twice as long each time.

use protocol::{
    ballot::{AuthenticBallot, ReplicaId},
    constant::Formula,
    digest::Digest,
    domain::Engine,
    identity::NodeId,
    job::JobId,
    ledger::{CountedBallot, Record},
    limits::LEASE_RENEWALS_MAX,
    standing::Tested,
    task::Weight,
};

use super::{Machine, Timer};
use crate::{
    input::{Input, Output, Rejected},
    kinds::Known,
};

/// Replicas from this number on are of tasks whose answer is known, and count in no tally.
pub const TEST_NUMBERS: u32 = 3 << 30;
/// How many answers are kept.
const ANSWERS_KEPT_MAX: usize = 64;
/// How many engines are looked at after one input.
const LOOKED_AT_MAX: usize = 64;
/// The pause after an answer that was wrong, or did not come, does not double more often than so.
const DOUBLINGS_MAX: u32 = 8;
/// After so many of them in a row nobody waits any more for one that is only held back.
const WAITED_FOR_MAX: u32 = 3;
/// After so many of them in a row it is left alone until its worker is connected anew.
const FAILURES_MAX: u32 = 16;

/// A task whose answer is known.
#[derive(Debug, Clone)]
pub(super) struct KnownAnswer {
    job: JobId,
    index: u64,
    accepted: Digest,
    engines: &'static [Engine],
    formula: Formula,
    weight: Weight,
}

/// An engine in quarantine, on its way back, or one that is held back for a fault of its kind of device.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Testing {
    test: Option<Test>,
    /// How often it gave no right answer since the last right one.
    failures: u32,
    /// Until when it is left alone, in milliseconds.
    pause_until_ms: u64,
    /// When its timer goes off, in milliseconds.
    timer_ms: Option<u64>,
}

impl Testing {
    /// Whether it gave no right answer so often that nobody waits for the next one.
    pub(super) fn has_failed_often(&self) -> bool {
        self.failures >= WAITED_FOR_MAX
    }
}

/// What it was given.
#[derive(Debug, Clone, Copy)]
struct Test {
    replica: ReplicaId,
    accepted: Digest,
    formula: Formula,
    lease_ms: u64,
    expires_ms: u64,
    renewals: u32,
}

impl Machine {
    /// A task is accepted: its answer is known.
    pub(super) fn keep_answer(&mut self, job: JobId, index: u64) {
        let Some(tally) = self.jobs.get(&job).and_then(|job| job.tally(index)) else { return };
        let Some(decision) = tally.decision() else { return };
        let Some(formula) = tally.terms().formulas.first().copied() else { return };
        let (accepted, engines, weight) = (decision.accepted, tally.terms().engines, tally.terms().weight);
        if self.known_answers.len() >= ANSWERS_KEPT_MAX {
            self.known_answers.pop_front();
        }
        self.known_answers.push_back(KnownAnswer { job, index, accepted, engines, formula, weight });
    }

    /// Whether anybody waits for an answer that does not count.
    pub fn is_test(&self, worker: &NodeId, replica: &ReplicaId) -> bool {
        self.test_of(worker, replica).is_some()
    }

    fn test_of(&self, worker: &NodeId, replica: &ReplicaId) -> Option<(Engine, &Test)> {
        [Engine::Cpu, Engine::Gpu].into_iter().find_map(|engine| {
            let test = self.testing.get(&(*worker, engine))?.test.as_ref()?;
            (test.replica == *replica).then_some((engine, test))
        })
    }

    /// A worker is here, or its standing changed: those of its engines that are in quarantine or held back want to be tested.
    pub(super) fn want_tests(&mut self, id: NodeId) {
        for engine in [Engine::Cpu, Engine::Gpu] {
            let standing = self.standings.get(&id);
            let has_way_back = standing.is_some_and(|standing| standing.with(engine).has_way_back());
            if has_way_back || self.held_back(&id, engine).is_some() {
                self.testing.entry((id, engine)).or_default();
                self.to_test.insert((id, engine));
            } else {
                let gone = self.testing.remove(&(id, engine)).and_then(|testing| testing.timer_ms);
                if let Some(at_ms) = gone {
                    self.timers.remove(&(at_ms, Timer::Test(id, engine)));
                }
                self.to_test.remove(&(id, engine));
            }
        }
    }

    /// A worker is connected anew, perhaps with another device.
    pub(super) fn begin_tests(&mut self, id: NodeId) {
        self.drop_tests(id);
        for engine in [Engine::Cpu, Engine::Gpu] {
            if let Some(testing) = self.testing.get_mut(&(id, engine)) {
                testing.failures = testing.failures.min(FAILURES_MAX - 1);
            }
        }
        self.want_tests(id);
    }

    /// A worker is away: what it was given is forgotten.
    pub(super) fn drop_tests(&mut self, id: NodeId) {
        for engine in [Engine::Cpu, Engine::Gpu] {
            if let Some(testing) = self.testing.get_mut(&(id, engine)) {
                testing.test = None;
                self.to_test.remove(&(id, engine));
            }
        }
    }

    /// Gives engines in quarantine something to do whose answer is known, while a job runs that could use them again.
    pub(super) fn give_tests(&mut self, now_ms: u64) {
        if self.to_test.is_empty()
            || (self.known_answers.is_empty() && self.cases.is_empty())
            || self.jobs.values().all(|job| job.all_decided() || job.state().is_over())
        {
            return;
        }
        let next: Vec<(NodeId, Engine)> = self.to_test.iter().take(LOOKED_AT_MAX).copied().collect();
        for (id, engine) in next {
            self.to_test.remove(&(id, engine));
            self.give_test(id, engine, now_ms);
        }
    }

    /// One that is not here, or has something to do, is looked at again when that changes.
    fn give_test(&mut self, id: NodeId, engine: Engine, now_ms: u64) {
        let is_here = self.workers.get(&id).is_some_and(|worker| {
            worker.is_alive() && worker.catching_up.is_empty() && worker.has_engine(engine)
        });
        let Some(testing) = self.testing.get(&(id, engine)).filter(|_| is_here) else { return };
        if testing.test.is_some() || testing.failures >= FAILURES_MAX {
            return;
        }
        if testing.pause_until_ms > now_ms {
            let at_ms = testing.pause_until_ms;
            return self.set_test_timer(id, engine, at_ms);
        }
        // Who could not answer the task of its case is given another in between.
        let is_for_case = testing.failures.is_multiple_of(2);
        let of_case = self.known_of_case(&id, engine);
        let other = if is_for_case && of_case.is_some() { None } else { self.draw_known(engine) };
        let Some(Known { job, index, accepted, formula }) = other.or(of_case) else {
            // Nothing was accepted yet that it can compute: asked again at the next verdict.
            self.starved.insert((id, engine));
            return;
        };
        let Some(record) = self.jobs.get(&job) else { return };
        let Some(terms) = record.terms(index) else { return };
        let (lease_ms, quorum) = (record.policy.lease_ms, record.policy.quorum);
        let below = u64::from(u32::MAX - TEST_NUMBERS);
        let number = TEST_NUMBERS + u32::try_from(self.lots.below(below)).unwrap_or(0);
        let replica = ReplicaId { job, index, task: terms.id, number };
        let expires_ms = now_ms.saturating_add(lease_ms);
        let test = Test { replica, accepted, formula, lease_ms, expires_ms, renewals: 0 };
        self.testing.entry((id, engine)).or_default().test = Some(test);
        self.set_test_timer(id, engine, expires_ms);
        let (sealed, audit, witness) = (false, None, false);
        self.outputs.push_back(Output::Lease {
            worker: id,
            replica,
            engine,
            formula,
            lease_ms,
            quorum,
            sealed,
            audit,
            witness,
        });
    }

    /// One of the tasks whose answers are kept, drawn among those that such an engine computes: a light one if there is any.
    fn draw_known(&mut self, engine: Engine) -> Option<Known> {
        let jobs = &self.jobs;
        let fits = |known: &&KnownAnswer| known.engines.contains(&engine) && jobs.contains_key(&known.job);
        let mut fitting: Vec<&KnownAnswer> = self.known_answers.iter().filter(fits).collect();
        if fitting.iter().any(|known| known.weight == Weight::Light) {
            fitting.retain(|known| known.weight == Weight::Light);
        }
        let drawn = usize::try_from(self.lots.below(fitting.len() as u64)).unwrap_or(0);
        let KnownAnswer { job, index, accepted, formula, .. } = **fitting.get(drawn)?;
        Some(Known { job, index, accepted, formula })
    }

    fn set_test_timer(&mut self, id: NodeId, engine: Engine, at_ms: u64) {
        let Some(testing) = self.testing.get_mut(&(id, engine)) else { return };
        if let Some(before_ms) = testing.timer_ms.replace(at_ms) {
            self.timers.remove(&(before_ms, Timer::Test(id, engine)));
        }
        self.timers.insert((at_ms, Timer::Test(id, engine)));
    }

    /// There is an answer more: those for whom there was none look again.
    pub(super) fn feed_starved(&mut self) {
        self.to_test.append(&mut self.starved);
    }

    /// The timer of a test, or of the pause after one, went off.
    pub(super) fn test_due(&mut self, id: NodeId, engine: Engine, now_ms: u64) {
        let Some(testing) = self.testing.get_mut(&(id, engine)) else { return };
        testing.timer_ms = None;
        match testing.test {
            Some(test) if test.expires_ms > now_ms => {
                self.set_test_timer(id, engine, test.expires_ms);
            }
            Some(test) => {
                self.outputs.push_back(Output::Cancel { worker: id, replica: test.replica });
                self.test_failed(id, engine, now_ms);
            }
            None => drop(self.to_test.insert((id, engine))),
        }
    }

    /// Whatever a worker says about a test is for this file alone; whether it was about one.
    pub(super) fn is_about_test(&mut self, input: &Input, now_ms: u64) -> Result<bool, Rejected> {
        match input {
            Input::BallotCast { ballot, compute_us, .. }
            | Input::BallotRevealed { ballot, compute_us, .. } => {
                let said = ballot.ballot();
                let Some((engine, _)) = self.test_of(&said.worker, &said.replica) else { return Ok(false) };
                self.tested(engine, ballot, *compute_us, now_ms).map(|()| true)
            }
            Input::ReplicaFailed { worker, replica, .. } => {
                let Some((engine, _)) = self.test_of(worker, replica) else { return Ok(false) };
                self.test_failed(*worker, engine, now_ms);
                Ok(true)
            }
            Input::Heartbeat { worker, under_way } => {
                self.renew_tests(*worker, under_way, now_ms);
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn renew_tests(&mut self, id: NodeId, under_way: &[(ReplicaId, u16)], now_ms: u64) {
        for engine in [Engine::Cpu, Engine::Gpu] {
            let testing = self.testing.get_mut(&(id, engine));
            let Some(test) = testing.and_then(|testing| testing.test.as_mut()) else { continue };
            let is_named = under_way.iter().any(|(replica, _)| *replica == test.replica);
            if is_named && test.renewals < LEASE_RENEWALS_MAX {
                test.renewals += 1;
                test.expires_ms = now_ms.saturating_add(test.lease_ms);
            }
        }
    }

    fn tested(
        &mut self,
        engine: Engine,
        ballot: &AuthenticBallot,
        compute_us: u64,
        now_ms: u64,
    ) -> Result<(), Rejected> {
        let (said, worker) = (ballot.ballot(), ballot.ballot().worker);
        let Some(test) = self.testing.get(&(worker, engine)).and_then(|testing| testing.test) else {
            return Ok(());
        };
        let domain = &said.domain;
        let is_its = self.workers.get(&worker).is_some_and(|known| {
            *domain.operator == *known.operator && known.has_device(engine, &domain.device)
        });
        if !is_its || domain.engine != engine || domain.formula != test.formula || said.audit.is_some() {
            let claim =
                format!("engine {} on `{}`, formula {}", domain.engine, domain.device, domain.formula);
            return Err(Rejected::Domain { worker, claim });
        }
        let counted = CountedBallot { ballot: ballot.signed().clone(), compute_us };
        let tested = Tested { counted, accepted: test.accepted };
        let (is_right, replica) = (tested.is_right(), said.replica);
        self.outputs.push_back(Output::Record(Box::new(Record::Tested(tested))));
        self.outputs.push_back(Output::Counted { worker, replica });
        let is_enough = self.standings.tested(worker, engine, is_right);
        if !is_right {
            self.test_failed(worker, engine, now_ms);
            self.to_judge.insert((worker, replica.job));
        } else if is_enough {
            self.outputs.push_back(Output::Record(Box::new(Record::Readmitted { worker, engine })));
            self.outputs.push_back(Output::Readmit { worker, engine });
            self.let_back(worker, engine);
        } else if let Some(testing) = self.testing.get_mut(&(worker, engine)) {
            (testing.test, testing.failures) = (None, 0);
            self.to_test.insert((worker, engine));
        }
        // One that was held back is free, or is to be in quarantine.
        self.note_kind_test(worker, engine, is_right);
        Ok(())
    }

    /// It gave no right answer: it is left alone for a while.
    fn test_failed(&mut self, id: NodeId, engine: Engine, now_ms: u64) {
        let Some(testing) = self.testing.get_mut(&(id, engine)) else { return };
        let Some(test) = testing.test.take() else { return };
        let pause_ms = test.lease_ms.saturating_mul(1 << testing.failures.min(DOUBLINGS_MAX));
        testing.failures = testing.failures.saturating_add(1);
        let at_ms = now_ms.saturating_add(pause_ms);
        testing.pause_until_ms = at_ms;
        self.set_test_timer(id, engine, at_ms);
        if self.config.electorate_closed && self.held_back(&id, engine).is_some() {
            // Whatever waits for it may be given up.
            let hungry =
                self.jobs.iter().flat_map(|(id, job)| job.hungry.indices().map(move |index| (*id, index)));
            self.suspects.extend(hungry);
        }
    }
}
