//! Fast and slow workers: how much each is leased, and what happens to the last tasks of a job when one of them is slow.

use std::collections::BTreeMap;

use protocol::{
    ballot::{Ballot, ReplicaId},
    constant::Formula,
    domain::{Engine, FailureDomain},
    identity::{NodeId, SecretKey},
    message::EngineIntroduction,
    policy::Policy,
    task::Weight,
};
use verdict::{Config, Input, Machine, Output, TaskTerms, Tasks};

use super::cluster::{JOB, task, truth};

/// Light tasks that no formula or engine tells apart.
struct Light(u64);

impl Tasks for Light {
    fn count(&self) -> u64 {
        self.0
    }
    fn terms(&self, index: u64) -> TaskTerms {
        TaskTerms {
            formulas: &[Formula::Direct],
            engines: &[Engine::Cpu],
            weight: Weight::Light,
            ..TaskTerms::of(&task(index))
        }
    }
}

/// A machine, its workers' keys, and what they hold.
struct Crew {
    machine: Machine,
    keys: BTreeMap<NodeId, SecretKey>,
    held: BTreeMap<NodeId, Vec<ReplicaId>>,
    cancelled: Vec<(NodeId, ReplicaId)>,
}

impl Crew {
    fn new(workers: u8, tasks: u64) -> Self {
        let keys = (1..=workers).map(|number| SecretKey::from_seed(&[number; 32]));
        let keys: BTreeMap<_, _> = keys.map(|key| (key.node_id(), key)).collect();
        let machine = Machine::new(Config::default(), [3; 32]);
        let mut crew = Self { machine, keys, held: BTreeMap::new(), cancelled: Vec::new() };
        for worker in crew.keys.keys().copied().collect::<Vec<_>>() {
            let joined = Input::WorkerJoined {
                worker,
                operator: "o".to_owned(),
                engines: vec![EngineIntroduction { engine: Engine::Cpu, device: "d".to_owned() }],
                build: String::new(),
                slots: 1,
                resumes: Vec::new(),
            };
            crew.tell(joined, 0);
        }
        let tasks = Box::new(Light(tasks));
        crew.tell(Input::JobSubmitted { job: JOB, policy: Policy::default(), tasks }, 0);
        crew
    }

    fn tell(&mut self, input: Input, now_ms: u64) {
        self.machine.handle(input, now_ms).expect("it can be");
        self.obey();
    }

    fn obey(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Lease { worker, replica, .. } => self.held.entry(worker).or_default().push(replica),
                Output::Cancel { worker, replica } => {
                    self.held.entry(worker).or_default().retain(|held| *held != replica);
                    self.cancelled.push((worker, replica));
                }
                _ => {}
            }
        }
    }

    fn held(&self, worker: NodeId) -> usize {
        self.held.get(&worker).map_or(0, Vec::len)
    }

    /// The worker answers the first of what it holds; whether it held something.
    fn answer(&mut self, worker: NodeId, compute_us: u64, now_ms: u64) -> bool {
        let held = self.held.entry(worker).or_default();
        if held.is_empty() {
            return false;
        }
        let replica = held.remove(0);
        let domain = FailureDomain {
            operator: "o".to_owned(),
            engine: Engine::Cpu,
            formula: Formula::Direct,
            device: "d".to_owned(),
            build: "1".to_owned(),
        };
        let ballot =
            Ballot { replica, worker, digest: truth(replica.index), domain, audit: None, trace: None }
                .sign(&self.keys[&worker]);
        let ballot = ballot.authenticate().expect("our own signature");
        self.tell(Input::BallotCast { ballot, outcome_held: true, compute_us }, now_ms);
        true
    }

    fn wait_until(&mut self, now_ms: u64) {
        while self.machine.next_timeout_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            let at_ms = self.machine.next_timeout_ms().expect("it was there");
            self.machine.handle_timeout(at_ms);
            self.obey();
        }
    }

    fn decided(&self) -> u64 {
        self.machine.progress(JOB).expect("it is known").accepted
    }
}

#[test]
fn a_worker_is_leased_as_many_light_tasks_as_it_computes_in_two_seconds() {
    let mut crew = Crew::new(3, 10_000);
    let [fast, middling, slow] = crew.keys.keys().copied().collect::<Vec<_>>()[..] else { panic!("three") };
    for round in 0..200 {
        for (worker, compute_us) in [(fast, 10), (middling, 100_000), (slow, 5_000_000)] {
            crew.answer(worker, compute_us, round);
        }
    }
    assert_eq!((crew.held(fast), crew.held(middling), crew.held(slow)), (64, 20, 2));
}

#[test]
fn the_last_tasks_of_a_job_do_not_wait_for_a_slow_worker_where_an_idle_one_can_take_them() {
    let mut crew = Crew::new(5, 20);
    let workers: Vec<NodeId> = crew.keys.keys().copied().collect();
    let (slow, fast) = workers.split_at(2);
    let mut is_at_work = true;
    while is_at_work {
        is_at_work = fast.iter().filter(|worker| crew.answer(**worker, 10, 5)).count() > 0;
    }
    let waiting = 20 - crew.decided();
    assert!(waiting > 0, "some task has both slow workers in its electorate");
    crew.wait_until(600);
    assert_eq!(crew.decided(), 20 - waiting, "nobody is late so early");
    crew.wait_until(2_000);
    assert!(crew.cancelled.iter().any(|(worker, _)| slow.contains(worker)), "late leases have ended");
    while fast.iter().any(|worker| crew.held(*worker) > 0) {
        for worker in fast {
            crew.answer(*worker, 10, 2_000);
        }
    }
    assert_eq!(crew.decided(), 20);
}

#[test]
fn a_slow_worker_keeps_its_lease_where_nobody_else_can_take_the_seat() {
    let mut crew = Crew::new(3, 1);
    let workers: Vec<NodeId> = crew.keys.keys().copied().collect();
    crew.answer(workers[0], 10, 5);
    crew.wait_until(30_000);
    assert_eq!(crew.cancelled, []);
    crew.answer(workers[1], 10, 30_000);
    assert_eq!(crew.decided(), 1);
}
