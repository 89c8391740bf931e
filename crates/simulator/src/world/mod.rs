//! A world: one decider, its workers, the network between them and the virtual clock, run step by step.
//!
//! Each step is the next thing that happens, and everything that follows from it at once; then the invariants are
//! checked. A world ends when nothing will happen any more, or when an invariant is violated.

mod auditing;
mod coordinator;
mod durability;
mod envelopes;
mod locating;
mod message;
mod mishaps;
mod node;
mod voice;
mod worker;

use std::collections::{BTreeMap, BTreeSet};

use protocol::{commitment::Commitment, digest::Digest, job::JobId, report::Liveness};
use verdict::{Config, Machine};

use self::{
    auditing::Exhibits,
    message::{Bundle, Event, Orders},
    worker::Worker,
};
use crate::{
    behaviour::Behaviour,
    chance::{Chance, Purpose, machine_seed},
    decider::Decider,
    disk::Disk,
    gate::Gate,
    invariants::{Invariants, Members, TaskKey, Violation},
    network::Network,
    scenario::{CoordinatorCrash, Quarantines, Scenario},
    story::Story,
    values::{job_number, worker_number},
};

/// How many leases long a world may go on after everything is calm.
const LEASES_AFTER_CALM: u64 = 30;

/// What happened in a world, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Things that happened.
    pub steps: u64,
    /// Tasks accepted, and synced as such.
    pub accepted: u64,
    /// Of those, with a wrong value.
    pub wrong: u64,
    /// Tasks that ended undecided or failed.
    pub undecided: u64,
    /// Tasks that were open when the world ended.
    pub unfinished: u64,
    /// Tasks that ever had two different digests.
    pub disputes: u64,
    /// Leases.
    pub leases: u64,
    /// Bundles of ballots that were opened.
    pub bundles: u64,
    /// Ballots taken.
    pub ballots: u64,
    /// Jobs whose policy asks for audits.
    pub audited_jobs: u64,
    /// Audits among them.
    pub audits: u64,
    /// Of those, the ones that reject what they tested.
    pub rejections: u64,
    /// Corrections sent.
    pub corrections: u64,
    /// Bundles with a ballot in the name of another, or without their worker's signature.
    pub forgeries: u64,
    /// Facts that the machine rejected.
    pub rejected: u64,
    /// Envelopes lost, each with its link.
    pub lost: u64,
    /// Envelopes that arrived twice.
    pub doubled: u64,
    /// Workers that crashed.
    pub crashes: u64,
    /// How often a worker was put on standby because it was silent.
    pub standbys: u64,
    /// Seals that were broken.
    pub broken_seals: u64,
    /// How often an engine of a faulty worker was put in quarantine.
    pub quarantines: u64,
    /// How often one of an honest worker was.
    pub honest_quarantines: u64,
    /// Answers to tasks whose answer was known.
    pub tests: u64,
    /// How often an engine was let back.
    pub readmissions: u64,
    /// Faults of dissenters that were located.
    pub faults_located: u64,
    /// Crashes of the coordinator.
    pub coordinator_crashes: u64,
    /// Records that were written down.
    pub records: u64,
    /// Syncs of the coordinator's disk.
    pub syncs: u64,
    /// Records that a crash lost, because they were not synced.
    pub records_lost: u64,
    /// Records that were read again after a crash.
    pub replayed: u64,
}

/// How a world ended.
#[derive(Debug, Clone)]
pub struct WorldReport {
    /// What it was drawn from.
    pub seed: u64,
    /// How many tasks it had.
    pub tasks: u64,
    /// How many of its workers were faulty.
    pub faulty: u32,
    /// Whether those are no more than the policy survives.
    pub keeps_fault_bound: bool,
    /// Whether it votes adaptively, within a bound on the share of wrong values instead.
    pub is_adaptive: bool,
    /// What happened.
    pub counts: Counts,
    /// The invariant that was violated, if one was: the world stopped there.
    pub violation: Option<Violation>,
    /// The world's time at its end, in microseconds.
    pub ended_us: u64,
}

/// A world that cannot go on.
#[derive(Debug)]
struct Stopped(Violation);

impl From<Violation> for Stopped {
    fn from(violation: Violation) -> Self {
        Self(violation)
    }
}

/// Whether anybody listens to what others send, and the most that somebody does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Eavesdroppers {
    Nobody,
    Copy,
    /// Whoever sends it again needs whole bundles.
    Replay,
}

/// Makes the decider of each life of the coordinator.
type Make<D> = Box<dyn Fn(Config, [u8; 32]) -> D>;

/// A world.
pub struct World<D> {
    scenario: Scenario,
    make: Make<D>,
    decider: D,
    /// Whether the coordinator runs.
    up: bool,
    /// Counts its crashes.
    life: u32,
    /// How much it did in this life: where it crashes is counted in that.
    acts: u64,
    /// The crashes that are to come, the next one last.
    crashes: Vec<CoordinatorCrash>,
    disk: Disk,
    gate: Gate,
    /// The workers whose enrolment is written down.
    enrolled: BTreeSet<u32>,
    /// The accepted outcomes that it still had after the last crash.
    outcomes_kept: BTreeSet<Digest>,
    disk_chance: Chance,
    network: Network<Event>,
    workers: Vec<Worker>,
    /// The coordinator's end of each worker's link.
    sessions: Vec<Option<u64>>,
    sessions_made: u64,
    /// What each worker is to be told at the end of the turn.
    outboxes: Vec<Orders>,
    /// Those who are to be told something.
    addressed: BTreeSet<u32>,
    /// Outcomes that were asked for, by worker.
    fetches: BTreeSet<(u32, JobId, u64)>,
    /// The dissents of which it was looked for the fault.
    located: BTreeSet<(u32, JobId, u64)>,
    /// What auditors need, where it was asked for, and where it is here.
    evidence: Exhibits,
    clock_ahead_ms: u64,
    jobs_submitted: u32,
    /// Heartbeats that are to come: where workers are watched, there are always some.
    beats_planned: usize,
    is_calm: bool,
    invariants: Invariants,
    counts: Counts,
    chance: Chance,
    /// Whether anybody listens to what others send.
    eavesdroppers: Eavesdroppers,
    /// The first ballot on each task, for those who copy it.
    overheard: BTreeMap<TaskKey, Digest>,
    /// The first commitment on each task, for those who copy it.
    overheard_commitments: BTreeMap<TaskKey, Commitment>,
    /// The last bundle of anybody, for those who send it again, or something out of it.
    last_sent: Option<Bundle>,
    story: Option<Story>,
}

impl World<Machine> {
    /// The world of a scenario, with the real machine.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        Self::with_decider(scenario, Machine::new)
    }
}

impl<D: Decider> World<D> {
    /// The world of a scenario, with the decider that `make` makes of its configuration and its seed: at first, and after
    /// each crash of the coordinator.
    pub fn with_decider(scenario: Scenario, make: impl Fn(Config, [u8; 32]) -> D + 'static) -> Self {
        let decider = make(config(&scenario), machine_seed(scenario.seed, 0));
        let mut network = Network::new(scenario.seed, scenario.weather, scenario.members.len());
        let is_audited = scenario.policy.audit_rule().is_some();
        let workers: Vec<Worker> = (0..)
            .zip(&scenario.members)
            .map(|(number, member)| Worker::new(number, member.clone(), is_audited))
            .collect();
        for worker in &workers {
            network.plan(0, Event::Connect { worker: worker.number, life: 0 });
        }
        let jobs_at_once = if scenario.in_turn { 1 } else { scenario.jobs.len() };
        for (job, planned) in (0..).zip(&scenario.jobs).take(jobs_at_once) {
            network.plan(planned.at_us, Event::Submit { job });
        }
        for (at_us, worker, mishap) in &scenario.mishaps {
            network.plan(*at_us, Event::Mishap { worker: *worker, mishap: *mishap });
        }
        for (at_us, ahead_ms) in &scenario.clock_jumps {
            network.plan(*at_us, Event::ClockJump { ahead_ms: *ahead_ms });
        }
        if scenario.calm_us > 0 {
            network.plan(scenario.calm_us, Event::Calm);
        }
        let behaves = |as_this| scenario.members.iter().any(|member| member.behaviour == as_this);
        let sends_again = behaves(Behaviour::Replays) || behaves(Behaviour::Mixes);
        let eavesdroppers = match (sends_again, behaves(Behaviour::Copies)) {
            (true, _) => Eavesdroppers::Replay,
            (false, true) => Eavesdroppers::Copy,
            (false, false) => Eavesdroppers::Nobody,
        };
        Self {
            eavesdroppers,
            chance: Chance::new(scenario.seed, Purpose::Workers),
            sessions: vec![None; workers.len()],
            sessions_made: 0,
            outboxes: vec![Orders::default(); workers.len()],
            addressed: BTreeSet::new(),
            fetches: BTreeSet::new(),
            located: BTreeSet::new(),
            evidence: Exhibits::default(),
            clock_ahead_ms: 0,
            jobs_submitted: 0,
            beats_planned: 0,
            is_calm: false,
            invariants: Invariants::new(&scenario),
            counts: Counts::default(),
            overheard: BTreeMap::new(),
            overheard_commitments: BTreeMap::new(),
            last_sent: None,
            story: None,
            make: Box::new(make),
            up: true,
            life: 0,
            acts: 0,
            crashes: scenario.coordinator_crashes.iter().rev().copied().collect(),
            disk: Disk::default(),
            gate: Gate::default(),
            enrolled: BTreeSet::new(),
            outcomes_kept: BTreeSet::new(),
            disk_chance: Chance::new(scenario.seed, Purpose::Disk),
            scenario,
            decider,
            network,
            workers,
        }
    }

    /// Notes what happens in each round, for people.
    #[must_use]
    pub fn with_story(mut self) -> Self {
        self.story = Some(Story::new(&self.scenario));
        self
    }

    /// Lets everything happen, and tells how it ended.
    pub fn run(mut self) -> (WorldReport, Option<Story>) {
        let end = self.run_to_rest();
        self.count_tallies();
        if let Some(story) = &mut self.story {
            story.finish();
        }
        let violation = end.err().map(|Stopped(violation)| violation);
        let report = WorldReport {
            seed: self.scenario.seed,
            tasks: self.scenario.tasks(),
            faulty: self.scenario.faulty(),
            keeps_fault_bound: self.scenario.keeps_fault_bound(),
            is_adaptive: self.scenario.policy.auditing.adaptive.is_some(),
            counts: self.counts,
            violation,
            ended_us: self.network.now_us(),
        };
        (report, self.story)
    }

    fn run_to_rest(&mut self) -> Result<(), Stopped> {
        let lease_us = self.scenario.policy.lease_ms * 1000;
        let last_job_us = self.scenario.jobs.last().map_or(0, |job| job.at_us);
        let mut end_us = self.scenario.calm_us.max(last_job_us) + LEASES_AFTER_CALM * lease_us;
        if self.scenario.in_turn {
            end_us += u64::from(self.jobs_planned()) * LEASES_AFTER_CALM * lease_us;
        }
        while self.network.now_us() <= end_us && !self.only_beats_are_left() && self.step()? {
            self.counts.steps += 1;
            if self.up {
                let (machine, waiting) = (self.decider.machine(), self.gate.len());
                self.invariants.step(machine, self.network.planned(), waiting)?;
            }
        }
        let crew = Crew::new(self);
        self.invariants.at_rest(self.decider.machine(), &self.scenario, &crew)?;
        Ok(())
    }

    /// Where workers are watched they are heard for ever: a world is at rest when nothing else is to come, and whoever is
    /// there was heard.
    fn only_beats_are_left(&self) -> bool {
        let Some(rhythm) = self.scenario.rhythm else { return false };
        let settled_us =
            self.scenario.calm_us + self.scenario.weather.silence_us + 3000 * rhythm.heartbeat_ms();
        self.network.planned() == self.beats_planned
            && self.network.now_us() >= settled_us
            && self.up
            && self.jobs_submitted == self.jobs_planned()
            && self.decider.machine().jobs().all(|(_, job)| job.state().is_over())
    }

    /// The next thing that happens; false when there is none.
    fn step(&mut self) -> Result<bool, Stopped> {
        let wake_us = self.wake_us();
        match (wake_us, self.network.next_us()) {
            (None, None) => Ok(false),
            (Some(at_us), next_us) if next_us.is_none_or(|next_us| at_us <= next_us) => {
                self.network.wait_until(at_us);
                self.wake()?;
                self.end_turn().map(|()| true)
            }
            _ => match self.network.take_next() {
                Some(event) => {
                    self.happen(event)?;
                    self.end_turn().map(|()| true)
                }
                None => Ok(false),
            },
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), Stopped> {
        match event {
            Event::ToCoordinator { worker, session, envelope } => {
                return self.open(worker, session, envelope);
            }
            Event::ToWorker { worker, session, message } => {
                if self.workers[worker as usize].session == Some(session) {
                    self.obey_coordinator(worker, session, message);
                    self.let_out(worker);
                }
            }
            Event::Computed { worker, life, run } => {
                self.computed(worker, life, run);
                self.let_out(worker);
            }
            Event::Beat { worker, life } => {
                self.beat(worker, life);
                self.let_out(worker);
            }
            Event::Connect { worker, life } => {
                self.connect(worker, life)?;
                self.let_out(worker);
            }
            Event::Silence { worker, session } => return self.silence(worker, session),
            Event::Synced { life } => return self.synced(life),
            Event::Located { life, fault } => return self.fault_located(life, fault),
            Event::CoordinatorBack { life } => return self.coordinator_back(life),
            Event::Submit { job } => return self.submit(job),
            Event::Mishap { worker, mishap } => self.mishap(worker, mishap),
            Event::Restart { worker, life } => self.restart(worker, life),
            Event::Lifted { worker, direction } => self.network.cut(worker, direction, false),
            Event::ClockJump { ahead_ms } => self.clock_ahead_ms = ahead_ms,
            Event::Calm => self.calm(),
        }
        Ok(())
    }

    fn jobs_planned(&self) -> u32 {
        u32::try_from(self.scenario.jobs.len()).unwrap_or(u32::MAX)
    }

    fn count_tallies(&mut self) {
        let machine = self.decider.machine();
        if self.scenario.policy.audit_rule().is_some() {
            self.counts.audited_jobs += machine.jobs().count() as u64;
        }
        let progress = machine.jobs().filter_map(|(id, _)| machine.progress(id));
        self.counts.disputes += progress.map(|progress| progress.disputes).sum::<u64>();
        let decided = self.counts.accepted + self.counts.undecided;
        self.counts.unfinished = self.scenario.tasks().saturating_sub(decided);
    }
}

fn config(scenario: &Scenario) -> Config {
    Config {
        liveness: scenario.rhythm,
        quarantines: scenario.quarantines == Quarantines::Kept,
        ..Config::default()
    }
}

/// The workers, for the invariants.
struct Crew<'w> {
    workers: &'w [Worker],
    sessions: &'w [Option<u64>],
    standby: BTreeSet<u32>,
}

impl<'w> Crew<'w> {
    fn new<D: Decider>(world: &'w World<D>) -> Self {
        let records = world.decider.machine().workers();
        let standby = records.filter(|(_, record)| record.liveness == Liveness::Standby);
        let standby = standby.map(|(id, _)| worker_number(&id)).collect();
        Self { workers: &world.workers, sessions: &world.sessions, standby }
    }
}

impl Members for Crew<'_> {
    fn is_there(&self, worker: u32) -> bool {
        let of = |worker: &Worker| worker.runs && worker.session.is_some();
        self.workers.get(worker as usize).is_some_and(of)
            && self.sessions.get(worker as usize).is_some_and(Option::is_some)
            && !self.standby.contains(&worker)
    }

    fn obeys(&self, worker: u32) -> bool {
        self.workers.get(worker as usize).is_some_and(|worker| worker.member.obeys)
    }

    fn stored(&self, worker: u32, task: TaskKey) -> Option<Digest> {
        self.workers
            .get(worker as usize)?
            .stored
            .get(&(job_number(task.job), task.index))
            .map(|stored| stored.digest)
    }
}
