//! One world as it is planned: who takes part, how each behaves, what the policy is, and what goes wrong when.
//!
//! A scenario is drawn from a seed and the user's options, all of it before anything happens, and can then be looked at,
//! or changed by a test.

use protocol::{
    adaptive::Adaptive,
    domain::{Axis, Engine},
    policy::{Auditing, Electorate, Mode, Policy},
};
use verdict::liveness::Rhythm;

use crate::{
    behaviour::{AsAuditor, AsProver, Behaviour},
    chance::{Chance, Purpose},
    network::Weather,
    options::{Faults, NODES_DRAWN_MAX, Options, tolerated_with_coordinator},
};

/// A second of the virtual clock.
pub const SECOND_US: u64 = 1_000_000;
/// How long things go wrong; after that the network is whole and whoever crashed is back.
const TROUBLE_US: u64 = 60 * SECOND_US;

/// So many worlds of a million have audits, where they make sense.
const AUDITED_PER_MILLION: u32 = 150_000;

/// So many worlds of a million vote adaptively, where that makes sense.
const ADAPTIVE_PER_MILLION: u32 = 100_000;
/// What they assume and keep: little, so that worlds of a few workers and tasks see trust come and go.
const ADAPTIVE: Adaptive = Adaptive { faulty_ppm: 10_000, error_ppt: 100_000_000_000 };

/// Most crashes of the coordinator in a world.
const COORDINATOR_CRASHES_MAX: u64 = 6;

/// A worker as it is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What it does.
    pub behaviour: Behaviour,
    /// Who runs it.
    pub operator: String,
    /// What it computes with.
    pub engine: Engine,
    /// On which device.
    pub device: u32,
    /// Whether it replaces what it stored when it is corrected, and says so.
    pub obeys: bool,
    /// What it does as an auditor.
    pub as_auditor: AsAuditor,
    /// What it does as a prover.
    pub as_prover: AsProver,
}

/// Something that goes wrong with a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It forgets everything but its outcomes, and comes back after so many microseconds.
    Crash(u64),
    /// It does nothing for so many microseconds.
    Stall(u64),
    /// For so many microseconds, nothing arrives on its link in this direction (none: in both).
    CutOff(Option<crate::network::Direction>, u64),
}

/// Whether engines that are often wrong are put in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quarantines {
    /// They are, as everywhere.
    Kept,
    /// They are not, so that votes can be looked at.
    LeftOut,
}

/// Whether computations are traced, so that the faults of dissenters are located.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traces {
    /// They are.
    Kept,
    /// They are not.
    LeftOut,
}

/// A crash of the coordinator, planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoordinatorCrash {
    /// It happens once the coordinator has done so many things since it began, between two of them.
    pub after_acts: u64,
    /// It begins again after so many microseconds.
    pub down_us: u64,
    /// Whether everything that was not synced is lost, instead of a part that is drawn.
    pub loses_all: bool,
    /// Of a million accepted outcomes that it held, it has so many afterwards.
    pub outcomes_kept_per_million: u32,
}

/// A job, planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedJob {
    /// When it is submitted, in microseconds.
    pub at_us: u64,
    /// How many tasks it has, at least one.
    pub tasks: u64,
}

/// A world, planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it was drawn from.
    pub seed: u64,
    /// Who takes part, in the order in which they join.
    pub members: Vec<Member>,
    /// How every job is voted on.
    pub policy: Policy,
    /// Heavy tasks that each worker takes at once.
    pub slots: u32,
    /// The jobs, in the order in which they are submitted.
    pub jobs: Vec<PlannedJob>,
    /// Each job after the first waits until the one before it is over, and not for its time.
    pub in_turn: bool,
    /// Whether each task has two formulas.
    pub two_formulas: bool,
    /// Whether outcomes come with their ballots, instead of being fetched.
    pub inline_outcomes: bool,
    /// The shortest and the longest computation, in microseconds.
    pub compute_us: (u64, u64),
    /// What the network does to messages.
    pub weather: Weather,
    /// What happens to which worker, and when, in microseconds.
    pub mishaps: Vec<(u64, u32, Mishap)>,
    /// How long a sync of the coordinator's disk takes, in microseconds.
    pub sync_us: (u64, u64),
    /// When the coordinator crashes, in the order in which it does.
    pub coordinator_crashes: Vec<CoordinatorCrash>,
    /// How workers are watched, where they are.
    pub rhythm: Option<Rhythm>,
    /// When the coordinator's clock is set how far ahead of the world's, in microseconds and milliseconds.
    pub clock_jumps: Vec<(u64, u64)>,
    /// When nothing goes wrong any more.
    pub calm_us: u64,
    /// Whether faults are located.
    pub traces: Traces,
    /// What becomes of engines that are often wrong.
    pub quarantines: Quarantines,
}

impl Scenario {
    /// Draws the world of this seed, with `tasks` tasks in all.
    #[must_use]
    pub fn draw(options: &Options, seed: u64, tasks: u32) -> Self {
        let chance = &mut Chance::new(seed, Purpose::Scenario);
        let nodes = nodes(options, chance);
        let tolerate = tolerate(options, nodes, chance);
        let faulty = faulty(options, nodes, tolerate, chance);
        let policy = policy(options, nodes, tolerate, faulty, chance);
        let members = members(options, nodes, faulty, &policy, chance);
        let troubled = options.faults != Faults::None;
        let (shortest_us, longest_us) = match chance.among(0..=2) {
            _ if !troubled => (1_000, 20_000),
            0 => (100, 20_000),
            1 => (100_000, SECOND_US),
            _ => (SECOND_US, 8 * SECOND_US),
        };
        let jobs = jobs(troubled, u64::from(tasks.max(1)), chance);
        let mut scenario = Self {
            seed,
            policy,
            slots: chance.among_u32(1..=4),
            jobs,
            in_turn: false,
            two_formulas: chance.happens(300_000),
            inline_outcomes: !troubled || chance.happens(500_000),
            compute_us: (shortest_us, longest_us),
            weather: Weather::calm(),
            mishaps: Vec::new(),
            sync_us: if troubled { (100, 20_000) } else { (50, 500) },
            coordinator_crashes: Vec::new(),
            rhythm: None,
            clock_jumps: Vec::new(),
            traces: Traces::LeftOut,
            calm_us: if troubled { TROUBLE_US } else { 0 },
            quarantines: if options.collude.is_none() || options.quarantine {
                Quarantines::Kept
            } else {
                Quarantines::LeftOut
            },
            members,
        };
        scenario.draw_weather(options.faults, chance);
        scenario.draw_mishaps(options.faults, chance);
        // Where the first replicas alone decide, there is nobody to take the seat of one that breaks its seal.
        scenario.policy.sealed = options.replicas.is_none() && chance.happens(150_000);
        if troubled && chance.happens(500_000) {
            scenario.rhythm = Some(Rhythm::new(chance.among(1_000..=5_000), 8));
        }
        if options.faults == Faults::All {
            scenario.draw_coordinator_crashes(chance);
        }
        // Last, so that whatever else is drawn of a seed stays as it is without audits and traces.
        if options.replicas.is_none() && chance.happens(AUDITED_PER_MILLION) {
            scenario.draw_audits(chance);
        } else if options.leaves_policy_open() && chance.happens(ADAPTIVE_PER_MILLION) {
            let adaptive = scenario.clone().make_adaptive();
            if adaptive.has_enough_honest() {
                return adaptive;
            }
        }
        // Where workers collude it is counted what heads alone are worth.
        if options.collude.is_none() {
            scenario.draw_devices(chance);
        }
        scenario
    }

    /// One worker answers each task, and others check it as it deserves.
    fn make_adaptive(mut self) -> Self {
        let nodes = self.nodes();
        let policy = &mut self.policy;
        (policy.tolerate, policy.quorum, policy.replicas) = (0, 1, 1);
        policy.max_replicas = 2 * nodes + ADAPTIVE.lead();
        (policy.sealed, policy.electorate, policy.distinct) = (false, Electorate::Sample, Vec::new());
        policy.auditing = Auditing { adaptive: Some(ADAPTIVE), ..Auditing::default() };
        self
    }

    /// How many tasks it has in all.
    #[must_use]
    pub fn tasks(&self) -> u64 {
        self.jobs.iter().map(|job| job.tasks).sum()
    }

    /// The same world with one task after the other, each a job of its own, so that they are rounds.
    #[must_use]
    pub fn in_rounds(mut self) -> Self {
        let tasks = self.tasks();
        self.jobs = (0..tasks).map(|_| PlannedJob { at_us: 0, tasks: 1 }).collect();
        self.in_turn = true;
        // Rounds are for looking at votes, so everybody stays in them.
        self.quarantines = Quarantines::LeftOut;
        self.traces = Traces::LeftOut;
        self
    }

    /// How many workers it has.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        u32::try_from(self.members.len()).unwrap_or(u32::MAX)
    }

    /// How many of its workers are faulty.
    #[must_use]
    pub fn faulty(&self) -> u32 {
        u32::try_from(self.members.iter().filter(|member| member.behaviour.is_faulty()).count())
            .unwrap_or(u32::MAX)
    }

    /// Whether there are no more faulty workers than the policy survives: then no wrong value may be accepted.
    #[must_use]
    pub fn keeps_fault_bound(&self) -> bool {
        self.faulty() <= self.policy.tolerate && self.faulty() < self.policy.quorum
    }

    /// Whether the honest workers are enough to decide every task, once nothing goes wrong any more.
    #[must_use]
    pub fn has_enough_honest(&self) -> bool {
        let nodes = self.nodes();
        let (faulty, quorum) = (self.faulty(), self.policy.quorum);
        let honest = nodes - faulty;
        let replicas = self.policy.replicas;
        if let Some(rule) = self.policy.auditing.adaptive {
            // As many as decide a dispute say that a task cannot be run, and it is not.
            let lead = rule.lead();
            return faulty <= lead && honest >= faulty + lead.max(rule.check(0).checkers + 1);
        }
        match self.policy.electorate {
            Electorate::Sample => {
                // Those who are silent hold seats: the others must be a majority without them.
                let outvoted =
                    honest > faulty && honest >= quorum && self.policy.max_replicas >= quorum + faulty;
                outvoted
                    && replicas > 2 * faulty
                    && replicas - faulty >= quorum
                    && self.has_enough_honest_auditors(honest)
            }
            Electorate::All => 2 * honest > nodes.max(replicas) && honest >= quorum,
        }
    }

    /// Whether the honest workers beside the prover outvote those who lie about it.
    fn has_enough_honest_auditors(&self, honest: u32) -> bool {
        self.policy.audit_rule().is_none_or(|rule| {
            let needed = rule.passes.max(self.faulty() + 1);
            honest > needed && self.policy.max_replicas >= needed + self.faulty()
        })
    }

    /// What wins is audited, where enough honest workers are there to do that.
    fn draw_audits(&mut self, chance: &mut Chance) {
        let honest = self.nodes() - self.faulty();
        let policy = &mut self.policy;
        if policy.sealed || policy.electorate != Electorate::Sample || honest <= policy.quorum {
            return;
        }
        let compares_ways = policy.distinct.iter().any(|axis| matches!(axis, Axis::Formula | Axis::Engine));
        let (mode, audit) = if policy.quorum >= 2 && !compares_ways && chance.happens(500_000) {
            (Mode::Audited, 0)
        } else {
            (Mode::Replicated, 1)
        };
        if audit >= policy.max_replicas {
            return;
        }
        policy.auditing = Auditing { mode, audit, adaptive: None };
        for member in self.members.iter_mut().filter(|member| member.behaviour.is_faulty()) {
            member.as_auditor = chance.pick(&AsAuditor::ALL).unwrap_or(AsAuditor::Honest);
            member.as_prover = chance.pick(&AsProver::ALL).unwrap_or(AsProver::Honest);
        }
    }

    /// Most crashes come soon after a start, where much happens, and some late.
    fn draw_coordinator_crashes(&mut self, chance: &mut Chance) {
        for _ in 0..chance.among(0..=COORDINATOR_CRASHES_MAX) {
            let magnitude = chance.among(0..=10);
            self.coordinator_crashes.push(CoordinatorCrash {
                after_acts: chance.among(0..=1 << magnitude),
                down_us: chance.among(10_000..=3 * SECOND_US),
                loses_all: chance.happens(500_000),
                outcomes_kept_per_million: chance.pick(&[0, 500_000, 1_000_000]).unwrap_or(0),
            });
        }
    }

    fn draw_weather(&mut self, faults: Faults, chance: &mut Chance) {
        if faults == Faults::None {
            return;
        }
        let mut sometimes = |most: u32| if chance.happens(600_000) { chance.among_u32(0..=most) } else { 0 };
        let (lost_per_million, doubled_per_million) = (sometimes(10_000), sometimes(100_000));
        let shortest_us = chance.among(50..=20_000);
        self.weather = Weather {
            lost_per_million,
            doubled_per_million,
            delay_us: (shortest_us, shortest_us * chance.among(1..=50)),
            reorders: chance.happens(500_000),
            // Long before a lease ends: a worker that is gone is noticed first.
            silence_us: self.policy.lease_ms * 1000 / 4,
        };
    }

    fn draw_mishaps(&mut self, faults: Faults, chance: &mut Chance) {
        let lease_us = self.policy.lease_ms * 1000;
        let workers = u64::try_from(self.members.len()).unwrap_or(1);
        let mut add = |kind: fn(&mut Chance, u64) -> Mishap, most: u64, chance: &mut Chance| {
            for _ in 0..chance.among(0..=most) {
                let at_us = chance.among(0..=TROUBLE_US);
                let worker = u32::try_from(chance.among(0..=workers - 1)).unwrap_or(0);
                self.mishaps.push((at_us, worker, kind(chance, lease_us)));
            }
        };
        if faults == Faults::None {
            return;
        }
        let cut_off = |chance: &mut Chance, _| {
            use crate::network::Direction;
            let direction = chance.pick(&[None, Some(Direction::ToWorker), Some(Direction::ToCoordinator)]);
            Mishap::CutOff(direction.flatten(), chance.among(1..=TROUBLE_US / 3))
        };
        add(cut_off, 3, chance);
        if faults == Faults::All {
            add(|chance, _| Mishap::Crash(chance.among(1..=TROUBLE_US / 2)), 4, chance);
            add(|chance, lease_us| Mishap::Stall(chance.among(1..=lease_us * 2)), 3, chance);
            for _ in 0..chance.among(0..=2) {
                self.clock_jumps.push((chance.among(0..=TROUBLE_US), chance.among(0..=120_000)));
            }
        }
        self.mishaps.sort_by_key(|(at_us, worker, _)| (*at_us, *worker));
        self.clock_jumps.sort_unstable();
    }
}

/// Up to four jobs that share the tasks, submitted while things go wrong.
fn jobs(troubled: bool, tasks: u64, chance: &mut Chance) -> Vec<PlannedJob> {
    if !troubled {
        return vec![PlannedJob { at_us: 0, tasks }];
    }
    let count = chance.among(1..=4);
    let mut times: Vec<u64> = (0..count).map(|_| chance.among(0..=TROUBLE_US / 2)).collect();
    times.sort_unstable();
    let share = tasks.div_ceil(count);
    let tasks_of = |number: u64| share.min(tasks.saturating_sub(number * share));
    let jobs = (0..).zip(times).map(|(number, at_us)| PlannedJob { at_us, tasks: tasks_of(number) });
    jobs.filter(|job| job.tasks > 0).collect()
}

fn nodes(options: &Options, chance: &mut Chance) -> u32 {
    let least = [
        3,
        options.faulty.unwrap_or(0),
        options.replicas.unwrap_or(0),
        options.tolerate.unwrap_or(0).saturating_mul(2) + 1,
    ];
    let least = least.into_iter().max().unwrap_or(3);
    match options.nodes {
        Some(nodes) => nodes,
        None if options.collude.is_some() => least.max(30),
        None => chance.among_u32(least..=least.max(NODES_DRAWN_MAX)),
    }
}

fn tolerate(options: &Options, nodes: u32, chance: &mut Chance) -> u32 {
    let most = tolerated_with_coordinator(nodes);
    match (options.tolerate, options.faulty) {
        (Some(tolerate), _) => tolerate,
        (None, Some(faulty)) => faulty.min(most),
        (None, None) => chance.among_u32(0..=most.min(4)),
    }
}

fn faulty(options: &Options, nodes: u32, tolerate: u32, chance: &mut Chance) -> u32 {
    if let Some(probability) = options.collude {
        // Parts of a million are fine enough for what a percentage is compared with.
        let per_million = crate::campaign::per_million(probability);
        return u32::try_from((0..nodes).filter(|_| chance.happens(per_million)).count()).unwrap_or(nodes);
    }
    options.faulty.unwrap_or_else(|| chance.among_u32(0..=tolerate))
}

fn policy(options: &Options, nodes: u32, tolerate: u32, faulty: u32, chance: &mut Chance) -> Policy {
    let mut policy = Policy::tolerating(tolerate);
    // The shortest leases that hold on to a worker for longer than the longest computation.
    policy.lease_ms = chance.among(10_000..=60_000);
    if let Some(replicas) = options.replicas {
        policy.quorum = replicas / 2 + 1;
        policy.replicas = replicas;
        policy.max_replicas = replicas;
        policy.tolerate = tolerate.min(replicas.saturating_sub(1) / 2);
        return policy;
    }
    if options.everybody || chance.happens(250_000) {
        policy.electorate = Electorate::All;
        return policy;
    }
    let more = nodes - policy.replicas.min(nodes);
    policy.replicas += chance.among_u32(0..=more.min(2));
    policy.max_replicas = policy.replicas + chance.among_u32(0..=6);
    policy.max_replicas = policy.max_replicas.max(policy.quorum + faulty);
    if policy.quorum >= 2 && chance.happens(250_000) {
        policy.distinct = vec![Axis::Operator];
    }
    policy
}

fn members(options: &Options, nodes: u32, faulty: u32, policy: &Policy, chance: &mut Chance) -> Vec<Member> {
    let mut faulty_first: Vec<bool> = (0..nodes).map(|number| number < faulty).collect();
    // Colluders join one after the other, as they would to sit together; whether they do is up to the machine's lots.
    if options.collude.is_none() {
        chance.shuffle(&mut faulty_first);
    }
    let all_lie_together = options.collude.is_some() || chance.happens(250_000);
    let own_operators = policy.distinct.contains(&Axis::Operator) || chance.happens(500_000);
    let operators = if own_operators { nodes } else { chance.among_u32(1..=nodes) };
    let kind = |is_faulty: bool, chance: &mut Chance| match is_faulty {
        false => Behaviour::Honest,
        true if all_lie_together => Behaviour::LiesTogether,
        true => chance.pick(&Behaviour::FAULTY).unwrap_or(Behaviour::LiesAlone),
    };
    let member = |(number, is_faulty): (u32, bool)| Member {
        behaviour: kind(is_faulty, chance),
        operator: format!("operator {}", number % operators + 1),
        engine: if chance.happens(300_000) { Engine::Gpu } else { Engine::Cpu },
        device: 0,
        obeys: !is_faulty || chance.happens(700_000),
        as_auditor: AsAuditor::Honest,
        as_prover: AsProver::Honest,
    };
    (0..nodes).zip(faulty_first).map(member).collect()
}
