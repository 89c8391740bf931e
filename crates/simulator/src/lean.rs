//! A lean model of what policies cost and let through: the same standing and the same rule of adaptive replication as in the
//! machine, and nothing else. No network, no time, no signatures: a task is a few draws, so that ten million of them, which an
//! error of one in a million asks for, take seconds.
//!
//! Those who lie say the same lie, know each other, and know who else has a task. What they do not know is what is drawn
//! after they have answered.

mod adaptive;

use protocol::{
    adaptive::{Adaptive, CHANCE_ONE},
    domain::Engine,
};
use verdict::standing::Standings;

use crate::{
    chance::{Chance, Purpose},
    values::node_id,
};

/// Most ballots on a task where adaptive replication does not say.
const BALLOTS_MAX: u32 = 9;
/// An audit costs so many thousandths of a computation.
const AUDIT_PERMILLE: u64 = 20;
/// Whoever lies rarely lies on so many tasks of a million.
const RARELY_PER_MILLION: u32 = 10_000;
/// Without adaptive replication, whoever waits until it is trusted waits for so many right answers.
const TRUSTED_AFTER: u64 = 1000;

/// How a policy has tasks computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// 2 f + 1 compute, f + 1 agree.
    Replicated(u32),
    /// One computes, another audits, and f is 1.
    Audited,
    /// As many as it takes.
    Adaptive(Adaptive),
}

/// When those who lie do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lying {
    /// On every task.
    Always,
    /// On one task of a hundred.
    Rarely,
    /// Once they are trusted, on every task.
    OnceTrusted,
    /// Only where they are likely to have the majority: where enough of them have the task, or one is likely to be left alone.
    WithMajority,
}

impl Lying {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Always, Self::Rarely, Self::OnceTrusted, Self::WithMajority];

    /// What people are told.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Rarely => "rarely",
            Self::OnceTrusted => "once trusted",
            Self::WithMajority => "with a majority",
        }
    }
}

/// A model to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lean {
    /// How many workers there are.
    pub workers: u32,
    /// How many of them lie together.
    pub faulty: u32,
    /// How many tasks.
    pub tasks: u64,
    /// How they are computed.
    pub replication: Replication,
    /// When those who lie do.
    pub lying: Lying,
    /// From what everything is drawn.
    pub seed: u64,
}

/// What came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeanReport {
    /// Tasks accepted.
    pub accepted: u64,
    /// Of those, with the lie.
    pub wrong: u64,
    /// Tasks that ended without a winner.
    pub undecided: u64,
    /// Work done, in thousandths of a computation of one task; known tasks are counted with it.
    pub work_permille: u64,
    /// Answers that stood alone and were opened again.
    pub reopened: u64,
    /// How often a worker that lies was put in quarantine.
    pub quarantines: u64,
    /// How often an honest one was.
    pub honest_quarantines: u64,
}

impl LeanReport {
    /// Work beyond one computation of each accepted task, in parts of one.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn overhead(&self) -> f64 {
        self.work_permille as f64 / 1000.0 / self.accepted.max(1) as f64 - 1.0
    }

    /// The share of wrong values among the accepted ones.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn error(&self) -> f64 {
        self.wrong as f64 / self.accepted.max(1) as f64
    }
}

/// An answer that stands alone.
type Alone = bool;

struct Model {
    lean: Lean,
    chance: Chance,
    standings: Standings,
    /// Those that are in no quarantine.
    active: Vec<u32>,
    /// Who comes back from it, and after how many tasks.
    resting: Vec<(u64, u32)>,
    /// What each worker has answered alone: whether each is a lie.
    alone: Vec<Vec<Alone>>,
    report: LeanReport,
    done: u64,
}

impl Lean {
    /// Runs it.
    #[must_use]
    pub fn run(self) -> LeanReport {
        let mut model = Model {
            lean: self,
            chance: Chance::new(self.seed, Purpose::Scenario),
            standings: Standings::default(),
            active: (0..self.workers).collect(),
            resting: Vec::new(),
            alone: vec![Vec::new(); self.workers as usize],
            report: LeanReport::default(),
            done: 0,
        };
        for done in 0..self.tasks {
            model.done = done;
            model.let_back();
            match self.replication {
                Replication::Replicated(tolerate) => model.replicated(tolerate),
                Replication::Audited => model.audited(),
                Replication::Adaptive(rule) => model.adaptive(&rule),
            }
        }
        if let Replication::Adaptive(rule) = self.replication {
            (0..self.workers).for_each(|worker| model.last_checks(&rule, worker));
        }
        model.report
    }
}

impl Model {
    fn is_faulty(&self, worker: u32) -> bool {
        worker < self.lean.faulty
    }

    /// A worker that is not among those who have the task; none where everybody has it.
    fn draw(&mut self, asked: &[u32]) -> Option<u32> {
        if self.active.iter().all(|worker| asked.contains(worker)) {
            return None;
        }
        loop {
            let drawn = self.chance.pick(&self.active)?;
            if !asked.contains(&drawn) {
                return Some(drawn);
            }
        }
    }

    /// Whoever has answered enough known tasks is back.
    fn let_back(&mut self) {
        while let Some(place) = self.resting.iter().position(|(at, _)| *at <= self.done) {
            let (_, worker) = self.resting.swap_remove(place);
            self.standings.readmit(node_id(worker), Engine::Cpu);
            self.active.push(worker);
        }
    }

    /// An answer was right, or not: as in the machine, it is noted, and may be one too many.
    fn note(&mut self, worker: u32, is_right: bool) {
        let id = node_id(worker);
        self.standings.answered(id, Engine::Cpu, is_right);
        if is_right {
            return;
        }
        let fault = self.standings.get(&id).and_then(|standing| standing.with(Engine::Cpu).fault());
        let Some(reason) = fault else { return };
        self.standings.quarantine(id, Engine::Cpu, reason);
        self.active.retain(|other| *other != worker);
        if self.is_faulty(worker) {
            self.report.quarantines += 1;
        } else {
            self.report.honest_quarantines += 1;
        }
        let Some(record) = self.standings.get(&id).map(|standing| *standing.with(Engine::Cpu)) else {
            return;
        };
        // Even who lies answers known tasks rightly, and each costs the time of a task.
        if let Some(quarantine) = record.quarantine.filter(|_| record.has_way_back()) {
            let needed = u64::from(quarantine.needed);
            self.report.work_permille += 1000 * needed;
            self.resting.push((self.done + needed * u64::from(self.lean.workers), worker));
        }
    }

    fn accept(&mut self, is_lie: bool) {
        self.report.accepted += 1;
        self.report.wrong += u64::from(is_lie);
    }

    /// Whether those who lie do so on this task, which these have; `alone` says how likely one is to be left alone with it.
    fn lies(&mut self, voters: &[u32], alone: u64) -> bool {
        let is_trusted = |model: &Self, worker: &u32| {
            let standing = model.standings.get(&node_id(*worker));
            standing.is_some_and(|standing| standing.with(Engine::Cpu).recent.right >= TRUSTED_AFTER)
        };
        let faulty = voters.iter().filter(|worker| self.is_faulty(**worker)).count();
        match self.lean.lying {
            Lying::Always => true,
            Lying::Rarely => self.chance.happens(RARELY_PER_MILLION),
            Lying::OnceTrusted if voters.len() == 1 => 8 * alone >= 7 * CHANCE_ONE,
            Lying::OnceTrusted => {
                voters.iter().all(|worker| !self.is_faulty(*worker) || is_trusted(self, worker))
            }
            Lying::WithMajority if voters.len() == 1 => 2 * alone >= CHANCE_ONE,
            Lying::WithMajority => 2 * faulty > voters.len(),
        }
    }

    fn replicated(&mut self, tolerate: u32) {
        let mut voters = Vec::new();
        for _ in 0..=2 * tolerate {
            let Some(voter) = self.draw(&voters) else { break };
            voters.push(voter);
        }
        self.report.work_permille += 1000 * voters.len() as u64;
        let lies = self.lies(&voters, 0);
        let against = voters.iter().filter(|voter| lies && self.is_faulty(**voter)).count();
        let is_lie = against > tolerate as usize;
        if !is_lie && voters.len() - against <= tolerate as usize {
            self.report.undecided += 1;
            return;
        }
        self.accept(is_lie);
        for voter in voters {
            self.note(voter, (lies && self.is_faulty(voter)) == is_lie);
        }
    }

    /// One after the other computes until what one has computed passes.
    fn audited(&mut self) {
        let mut asked = Vec::new();
        for _ in 0..BALLOTS_MAX {
            let Some(prover) = self.draw(&asked) else { break };
            asked.push(prover);
            self.report.work_permille += 1000;
            let is_lie = self.is_faulty(prover) && self.lies(&[prover], CHANCE_ONE);
            let (mut passes, mut rejections) = (0, 0);
            let mut auditors = vec![prover];
            while passes.max(rejections) < BALLOTS_MAX {
                let Some(auditor) = self.draw(&auditors) else { break };
                auditors.push(auditor);
                self.report.work_permille += AUDIT_PERMILLE;
                // Whoever lies passes the lie, and finds fault with the truth where it always lies.
                let is_spiteful = self.is_faulty(auditor) && self.lean.lying == Lying::Always;
                let is_friend = self.is_faulty(auditor) && is_lie;
                if is_friend || (!is_lie && !is_spiteful) {
                    passes += 1;
                } else {
                    rejections += 1;
                }
                if passes > rejections || (rejections >= 2 && rejections > passes) {
                    break;
                }
            }
            self.note(prover, passes > rejections);
            if passes > rejections {
                return self.accept(is_lie);
            }
        }
        self.report.undecided += 1;
    }
}
