//! World after world, each from the next seed, and the sum of what happened.
//!
//! World number k of a campaign has the campaign's seed plus k, so the first world of a campaign with that seed is the
//! same one: every failure is reproduced by naming its seed.

use std::fmt::Write as _;

use verdict::{Config, Machine};

use crate::{
    decider::Decider,
    invariants::Violation,
    options::Options,
    scenario::Scenario,
    statistics::{ClusteredRate, binomial_tail},
    story::Story,
    world::{Counts, World, WorldReport},
};

/// How many tasks a world of a campaign has.
pub const TASKS_PER_WORLD: u32 = 64;
/// How many violations are kept; the rest are counted.
const VIOLATIONS_KEPT_MAX: usize = 10;

/// A row of worlds.
#[derive(Debug)]
pub struct Campaign {
    options: Options,
    seed: u64,
    referendums: u64,
    totals: Totals,
}

/// The sum of what happened.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Worlds that were run.
    pub worlds: u64,
    /// Tasks that they had.
    pub referendums: u64,
    /// Of those, in worlds with more faulty workers than the policy survives.
    pub beyond_bound: u64,
    /// What happened in all of them.
    pub counts: Counts,
    /// Wrong values accepted although the fault bound was kept. There are none, or there is a violation.
    pub wrong_within_bound: u64,
    /// Tasks of worlds that vote adaptively.
    pub adaptive: u64,
    /// Wrong values accepted there.
    pub adaptive_wrong: u64,
    /// Worlds that violated an invariant.
    pub violated: u64,
    /// The first of them.
    pub failures: Vec<Failure>,
    /// How often a wrong value was accepted.
    pub wrong_rate: ClusteredRate,
}

/// A world that violated an invariant.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// How many tasks it had.
    pub tasks: u32,
    /// What happened.
    pub violation: Violation,
    /// What to type after `coordinator` to see it again.
    pub reproduced_by: String,
}

/// The wrong verdicts that chance alone would give where workers collude.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// How many replicas decide.
    pub replicas: u32,
    /// The probability with which each worker is one of the colluders.
    pub collude: f64,
    /// How often a wrong value would be accepted.
    pub rate: f64,
}

/// A probability in parts of a million.
#[must_use]
pub fn per_million(probability: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
    let parts = (probability.clamp(0.0, 1.0) * 1e6).round() as u32;
    parts
}

impl Campaign {
    /// A campaign of so many referendums, from a seed.
    #[must_use]
    pub fn new(options: Options, seed: u64, referendums: u64) -> Self {
        Self { options, seed, referendums, totals: Totals::default() }
    }

    /// What has happened so far.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What chance would give, where the options say who colludes and how many replicas decide.
    #[must_use]
    pub fn expectation(&self) -> Option<Expectation> {
        let (collude, replicas) = (self.options.collude?, self.options.replicas?);
        let collude = f64::from(per_million(collude)) / 1e6;
        Some(Expectation { replicas, collude, rate: binomial_tail(replicas, replicas / 2 + 1, collude) })
    }

    /// Runs the next world with the real machine; false when there is none left.
    pub fn run_next(&mut self) -> bool {
        self.run_next_with(Machine::new)
    }

    /// Runs the next world with the decider that `make` makes; false when there is none left.
    pub fn run_next_with<D: Decider>(&mut self, make: impl Fn(Config, [u8; 32]) -> D + 'static) -> bool {
        let Some((scenario, tasks)) = self.next_scenario() else { return false };
        let (report, _) = World::with_decider(scenario, make).run();
        self.take(report, tasks);
        true
    }

    /// As [`Campaign::run_next`], and tells what happened in each round.
    pub fn run_next_with_story(&mut self) -> Option<(Scenario, Story)> {
        let (scenario, tasks) = self.next_scenario()?;
        let (report, story) = World::new(scenario.clone()).with_story().run();
        self.take(report, tasks);
        Some((scenario, story?))
    }

    fn next_scenario(&self) -> Option<(Scenario, u32)> {
        let left = self.referendums.saturating_sub(self.totals.referendums);
        let tasks = TASKS_PER_WORLD.min(u32::try_from(left).unwrap_or(u32::MAX));
        let seed = self.seed.wrapping_add(self.totals.worlds);
        (tasks > 0).then(|| (Scenario::draw(&self.options, seed, tasks), tasks))
    }

    fn take(&mut self, report: WorldReport, tasks: u32) {
        let totals = &mut self.totals;
        totals.worlds += 1;
        totals.referendums += report.tasks;
        totals.counts.add(&report.counts);
        if report.is_adaptive {
            totals.adaptive += report.tasks;
            totals.adaptive_wrong += report.counts.wrong;
        } else if report.keeps_fault_bound {
            totals.wrong_within_bound += report.counts.wrong;
        } else {
            totals.beyond_bound += report.tasks;
        }
        // A smaller world at the end would weigh as much as the others.
        if tasks == TASKS_PER_WORLD {
            totals.wrong_rate.add(u32::try_from(report.counts.wrong).unwrap_or(u32::MAX), tasks);
        }
        if let Some(violation) = report.violation {
            totals.violated += 1;
            if totals.failures.len() < VIOLATIONS_KEPT_MAX {
                let reproduced_by = reproduction(&self.options, report.seed, tasks);
                totals.failures.push(Failure { seed: report.seed, tasks, violation, reproduced_by });
            }
        }
    }
}

/// What to type after `coordinator` to see one world again.
#[must_use]
pub fn reproduction(options: &Options, seed: u64, tasks: u32) -> String {
    let mut command = String::from("simulate");
    let mut name = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = write!(command, " --{key} {value}");
        }
    };
    name("nodes", options.nodes.map(|nodes| nodes.to_string()));
    name("faulty", options.faulty.map(|faulty| faulty.to_string()));
    name("tolerate", options.tolerate.map(|tolerate| tolerate.to_string()));
    name("collude", options.collude.map(|collude| collude.to_string()));
    name("replicas", options.replicas.map(|replicas| replicas.to_string()));
    if options.everybody {
        command.push_str(" --everybody");
    }
    if options.quarantine {
        command.push_str(" --quarantine");
    }
    let _ = write!(command, " --faults {} --seed {seed} --referendums {tasks} --show", options.faults.name());
    command
}

impl Counts {
    /// Adds what happened in another world.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.accepted += other.accepted;
        self.wrong += other.wrong;
        self.undecided += other.undecided;
        self.unfinished += other.unfinished;
        self.disputes += other.disputes;
        self.leases += other.leases;
        self.bundles += other.bundles;
        self.ballots += other.ballots;
        self.audited_jobs += other.audited_jobs;
        self.audits += other.audits;
        self.rejections += other.rejections;
        self.corrections += other.corrections;
        self.forgeries += other.forgeries;
        self.rejected += other.rejected;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.crashes += other.crashes;
        self.standbys += other.standbys;
        self.broken_seals += other.broken_seals;
        self.quarantines += other.quarantines;
        self.honest_quarantines += other.honest_quarantines;
        self.tests += other.tests;
        self.readmissions += other.readmissions;
        self.faults_located += other.faults_located;
        self.coordinator_crashes += other.coordinator_crashes;
        self.records += other.records;
        self.syncs += other.syncs;
        self.records_lost += other.records_lost;
        self.replayed += other.replayed;
    }
}
