//! Located faults: whoever is wrong again is put in quarantine, others of its kind of device answer one known task first, and
//! nobody is put out on the word of another.

use protocol::{
    constant::Formula,
    domain::{Engine, FailureDomain},
    fault::{FaultClass, LocatedFault, Parting},
    identity::NodeId,
    job::JobId,
    ledger::Record,
    policy::Policy,
    standing::{QuarantineReason, Quarantined},
    task::TaskId,
    trace::TracePlace,
    verdict::Verdict,
};
use verdict::{Config, Input, Machine, standing::RIGHT_NEEDED};

use super::cluster::{Behaviour, Cluster, JOB, lie, task, truth};

const CARD: &str = "a card, driver 1.2";
const TASKS: u64 = 300;

/// What the search for the fault of a worker on a task ends with.
fn fault(cluster: &mut Cluster, worker: NodeId, index: u64, class: FaultClass) -> LocatedFault {
    let domain = {
        let worker = cluster.worker(worker);
        FailureDomain {
            operator: worker.operator.clone(),
            engine: worker.engine,
            formula: Formula::Chudnovsky,
            device: worker.device.clone(),
            build: worker.build.clone(),
        }
    };
    let (place, digests) = (TracePlace { tree: 0, from: 561, to: 1_072 }, [truth(index), lie(index, 1)]);
    LocatedFault {
        worker,
        domain: FailureDomain { formula: task(index).formulas()[0], ..domain },
        job: JOB,
        index,
        task: TaskId::of(&task(index)),
        accepted: truth(index),
        winner: worker,
        parting: Parting::Node { place, trees: 1, digests },
        class: Some(class),
        rounds: 9,
        bytes: 2_000,
        alike: Vec::new(),
    }
}

fn locate(cluster: &mut Cluster, worker: NodeId, index: u64) {
    let found = fault(cluster, worker, index, FaultClass::Deterministic);
    cluster.tell(Input::FaultLocated(Box::new(found))).expect("it is about a task of the job");
}

fn quarantined(cluster: &Cluster) -> Vec<(NodeId, QuarantineReason)> {
    let records = cluster.records.iter().filter_map(|entry| match &entry.record {
        Record::Quarantined(Quarantined { worker, reason, .. }) => Some((*worker, *reason)),
        _ => None,
    });
    records.collect()
}

fn tests_of(cluster: &Cluster, worker: NodeId) -> usize {
    cluster.tests.iter().filter(|(tested, _)| *tested == worker).count()
}

fn leases_of(cluster: &Cluster, worker: NodeId) -> usize {
    cluster.leases.iter().filter(|(leased, ..)| *leased == worker).count()
}

/// The first task on which a worker voted against what was accepted.
fn dissent_of(cluster: &mut Cluster, worker: NodeId) -> u64 {
    loop {
        let found = cluster.records.iter().find_map(|entry| match &entry.record {
            Record::Decided(decided) => {
                let cast = decided.ballots.iter().find(|cast| cast.ballot.ballot.worker == worker)?;
                (Verdict::Accepted(cast.ballot.ballot.digest) != decided.verdict).then_some(decided.index)
            }
            _ => None,
        });
        match found {
            Some(index) => return index,
            None => assert!(cluster.deliver_one(), "it dissents"),
        }
    }
}

fn assert_all_accepted(cluster: &Cluster) {
    for index in 0..TASKS {
        assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)));
    }
}

/// Five honest workers, three of them with the card, and one with the card that says what is wrong.
fn with_cards(seed: u64) -> (Cluster, NodeId, Vec<NodeId>) {
    let mut cluster = Cluster::new(false, seed);
    let broken = cluster.add_on("mia", Behaviour::Lies(1), Engine::Gpu, CARD);
    let cards = ["a", "b", "c"];
    let cards = cards.map(|name| cluster.add_on(name, Behaviour::Honest, Engine::Gpu, CARD)).to_vec();
    cluster.add_on("d", Behaviour::Honest, Engine::Gpu, "a card, driver 1.3");
    cluster.add("e", Behaviour::Honest);
    (cluster, broken, cards)
}

#[test]
fn a_lasting_fault_ends_the_leases_of_its_own_engine_and_a_passing_one_does_not() {
    for class in [FaultClass::Transient, FaultClass::Dishonest, FaultClass::Unanswered] {
        let (mut cluster, broken, _) = with_cards(1);
        cluster.submit(Policy::default(), TASKS);
        let index = dissent_of(&mut cluster, broken);
        let found = fault(&mut cluster, broken, index, class);
        cluster.tell(Input::FaultLocated(Box::new(found))).expect("it is about a task of the job");
        assert_eq!(quarantined(&cluster), []);
        assert!(cluster.tests.is_empty());
    }
    let (mut cluster, broken, _) = with_cards(1);
    cluster.submit(Policy::default(), TASKS);
    let index = dissent_of(&mut cluster, broken);
    locate(&mut cluster, broken, index);
    let found = quarantined(&cluster);
    let [(worker, reason @ QuarantineReason::Lasting(_))] = found[..] else { panic!("{found:?}") };
    assert_eq!(worker, broken);
    assert!(reason.to_string().contains("terms 561 to 1,071 by "), "{reason}");
    let places: Vec<_> = cluster
        .records
        .iter()
        .filter(|entry| matches!(entry.record, Record::Located(_) | Record::Quarantined(_)))
        .map(|entry| matches!(entry.record, Record::Located(_)))
        .collect();
    assert_eq!(places, [true, false], "what it rests on is written down before");
}

#[test]
fn others_of_the_kind_answer_the_very_task_first_and_nobody_else_does() {
    for seed in 0..8 {
        let (mut cluster, broken, cards) = with_cards(seed);
        cluster.submit(Policy::default(), TASKS);
        let index = dissent_of(&mut cluster, broken);
        let before: Vec<usize> = cards.iter().map(|card| leases_of(&cluster, *card)).collect();
        locate(&mut cluster, broken, index);
        for card in &cards {
            assert!(cluster.machine.held_back(card, Engine::Gpu).is_some());
            assert_eq!(tests_of(&cluster, *card), 1, "it is asked at once");
        }
        let given = |card: NodeId| cluster.tests.iter().find(|(worker, _)| *worker == card).expect("one").1;
        assert!(cards.iter().all(|card| given(*card).index == index), "seed {seed}");
        let after: Vec<usize> = cards.iter().map(|card| leases_of(&cluster, *card)).collect();
        assert_eq!(before, after, "nothing that counts before the answer");
        cluster.run();
        assert_all_accepted(&cluster);
        assert!(quarantined(&cluster).iter().all(|(worker, _)| *worker == broken), "seed {seed}");
        for card in &cards {
            assert_eq!(tests_of(&cluster, *card), 1, "one right answer is enough");
            assert!(cluster.machine.held_back(card, Engine::Gpu).is_none());
        }
        let tested: Vec<NodeId> = cluster.tests.iter().map(|(worker, _)| *worker).collect();
        assert!(tested.iter().all(|worker| *worker == broken || cards.contains(worker)), "seed {seed}");
        assert!(cards.iter().any(|card| leases_of(&cluster, *card) > 0), "they vote again");
    }
}

#[test]
fn those_of_the_kind_that_are_wrong_too_go_out_on_their_own_answer_and_those_that_join_later() {
    let mut cluster = Cluster::new(false, 4);
    let broken = cluster.add_on("mia", Behaviour::Lies(1), Engine::Gpu, CARD);
    for name in ["a", "b", "c"] {
        cluster.add(name, Behaviour::Honest);
    }
    cluster.submit(Policy::default(), TASKS);
    let index = dissent_of(&mut cluster, broken);
    locate(&mut cluster, broken, index);
    let second = cluster.add_on("max", Behaviour::Lies(1), Engine::Gpu, &format!("{CARD} #2"));
    let honest = cluster.add_on("moe", Behaviour::Honest, Engine::Gpu, CARD);
    assert_eq!((leases_of(&cluster, second), tests_of(&cluster, second)), (0, 1));
    assert_eq!((leases_of(&cluster, honest), tests_of(&cluster, honest)), (0, 1));
    cluster.run();
    assert_all_accepted(&cluster);
    let found = quarantined(&cluster);
    let [(first, _), (other, reason @ QuarantineReason::Kind { .. })] = found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((first, other, leases_of(&cluster, second)), (broken, second, 0));
    let words = format!(
        "its kind of device gave a wrong value for terms 561 to 1,071 by {} on worker {}, and its own answer",
        task(index).formulas()[0],
        broken.short()
    );
    assert!(reason.to_string().starts_with(&words), "{reason}");
    assert!(leases_of(&cluster, honest) > 0);
}

#[test]
fn whoever_computed_that_very_task_rightly_is_not_asked_again() {
    let (mut cluster, broken, cards) = with_cards(3);
    cluster.submit(Policy::default(), TASKS);
    let index = dissent_of(&mut cluster, broken);
    let mut found = fault(&mut cluster, broken, index, FaultClass::Deterministic);
    found.alike = vec![cards[0], cards[2]];
    cluster.tell(Input::FaultLocated(Box::new(found))).expect("it is about a task of the job");
    let held = |cluster: &Cluster| {
        [0, 1, 2].map(|number| cluster.machine.held_back(&cards[number], Engine::Gpu).is_some())
    };
    assert_eq!(held(&cluster), [false, true, false]);
    cluster.crash(true);
    assert_eq!(held(&cluster), [false, true, false]);
}

#[test]
fn a_processor_fails_alone_until_a_second_one_of_its_model_and_program_does() {
    let mut cluster = Cluster::new(false, 8);
    let first = cluster.add("mia", Behaviour::Lies(1));
    let second = cluster.add("max", Behaviour::Lies(2));
    let honest: Vec<NodeId> = ["a", "b", "c", "d"].map(|name| cluster.add(name, Behaviour::Honest)).to_vec();
    let newer = cluster.add("e", Behaviour::Honest);
    cluster.worker(newer).build = "newer".to_owned();
    cluster.join(newer);
    cluster.submit(Policy::tolerating(2), TASKS);
    let index = dissent_of(&mut cluster, first);
    locate(&mut cluster, first, index);
    let held = |cluster: &Cluster| {
        let is_held = |id: &&NodeId| cluster.machine.held_back(id, Engine::Cpu).is_some();
        honest.iter().chain([&newer]).filter(is_held).count()
    };
    assert_eq!(held(&cluster), 0, "it puts out no other");
    let index = dissent_of(&mut cluster, second);
    locate(&mut cluster, second, index);
    assert_eq!(
        held(&cluster),
        honest.len(),
        "all of its model and program, and not the one with another program"
    );
    cluster.run();
    assert_all_accepted(&cluster);
    assert!(quarantined(&cluster).iter().all(|(worker, _)| [first, second].contains(worker)));
}

#[test]
fn the_way_back_begins_with_the_task_of_the_fault_for_a_lone_processor_too() {
    let mut seen = 0;
    for seed in 0..20 {
        let mut cluster = Cluster::new(false, seed);
        let broken = cluster.add("mia", Behaviour::Lies(1));
        for name in ["a", "b", "c"] {
            cluster.add(name, Behaviour::Honest);
        }
        cluster.submit(Policy::default(), TASKS);
        let index = dissent_of(&mut cluster, broken);
        if !quarantined(&cluster).is_empty() {
            // It was wrong too often before, and has another task to answer.
            continue;
        }
        locate(&mut cluster, broken, index);
        let given = cluster.tests.last().expect("it is asked at once");
        assert_eq!((given.0, given.1.index), (broken, index), "seed {seed}");
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn a_case_is_closed_by_an_engine_of_the_kind_that_comes_all_the_way_back() {
    let (mut cluster, broken, _) = with_cards(6);
    cluster.submit(Policy::default(), 3000);
    let index = dissent_of(&mut cluster, broken);
    // What it answers from now on is right.
    cluster.worker(broken).behaviour = Behaviour::Honest;
    locate(&mut cluster, broken, index);
    let is_back = |cluster: &Cluster| {
        let records = cluster.records.iter();
        records.filter(|entry| matches!(entry.record, Record::Readmitted { .. })).count() == 1
    };
    while !is_back(&cluster) {
        assert!(cluster.deliver_one(), "it answers rightly");
    }
    let given: Vec<u64> = cluster
        .tests
        .iter()
        .filter(|(worker, _)| *worker == broken)
        .map(|(_, replica)| replica.index)
        .collect();
    assert!(
        given.len() >= RIGHT_NEEDED as usize && given[0] == index,
        "the way back begins there: {given:?}"
    );
    assert!(cluster.machine.cases().is_empty());
    let late = cluster.add_on("moe", Behaviour::Honest, Engine::Gpu, CARD);
    assert!(cluster.machine.held_back(&late, Engine::Gpu).is_none());
    cluster.crash(true);
    assert!(cluster.machine.cases().is_empty());
}

#[test]
fn cases_and_standings_are_the_same_after_any_crash() {
    for seed in 0..12 {
        let (mut cluster, broken, cards) = with_cards(seed);
        let second = cluster.add_on("max", Behaviour::Lies(1), Engine::Gpu, CARD);
        cluster.submit(Policy::tolerating(2), TASKS);
        let index = dissent_of(&mut cluster, broken);
        locate(&mut cluster, broken, index);
        for steps in [1, 2, 3, 5, 20, 50] {
            for _ in 0..steps {
                cluster.deliver_one();
            }
            let before = (cluster.machine.standings().clone(), cluster.machine.cases().clone());
            cluster.crash(true);
            assert_eq!((cluster.machine.standings(), cluster.machine.cases()), (&before.0, &before.1));
        }
        cluster.run();
        assert_all_accepted(&cluster);
        let out: Vec<NodeId> = quarantined(&cluster).iter().map(|(worker, _)| *worker).collect();
        // Where the fault was found at the end, nothing was left to be asked.
        let is_held = cluster.machine.held_back(&second, Engine::Gpu).is_some();
        assert!(out.contains(&broken) && (is_held || out.contains(&second)), "seed {seed}");
        assert!(!cards.iter().any(|card| out.contains(card)), "seed {seed}");
    }
}

#[test]
fn quarantines_that_a_crash_cut_off_after_a_fault_or_a_wrong_answer_are_made_up_for() {
    let (mut cluster, broken, _) = with_cards(2);
    let second = cluster.add_on("max", Behaviour::Lies(1), Engine::Gpu, CARD);
    cluster.submit(Policy::tolerating(2), TASKS);
    let index = dissent_of(&mut cluster, broken);
    locate(&mut cluster, broken, index);
    while !quarantined(&cluster).iter().any(|(worker, _)| *worker == second) {
        assert!(cluster.deliver_one(), "its answer is wrong");
    }
    let reasons = quarantined(&cluster);
    cluster.records.retain(|entry| !matches!(entry.record, Record::Quarantined(_)));
    cluster.crash(true);
    let again = quarantined(&cluster);
    assert_eq!(again.len(), 2, "they are written down now");
    assert!(reasons.iter().all(|reason| again.contains(reason)), "{again:?}");
}

#[test]
fn where_no_more_workers_can_join_a_task_waits_for_those_that_are_held_back() {
    for seed in 0..8 {
        let mut cluster = Cluster::new(true, seed);
        let broken = cluster.add_on("mia", Behaviour::Lies(1), Engine::Gpu, CARD);
        for name in ["a", "b"] {
            cluster.add_on(name, Behaviour::Honest, Engine::Gpu, CARD);
        }
        cluster.submit(Policy::default(), TASKS);
        let index = dissent_of(&mut cluster, broken);
        locate(&mut cluster, broken, index);
        let waiting = cluster.waiting().expect("nobody votes before the answer");
        assert!(
            waiting.contains("a known task to answer first (its kind of device gave a wrong"),
            "{waiting}"
        );
        cluster.run();
        assert_all_accepted(&cluster);
    }
}

#[test]
fn the_job_of_a_fault_is_not_forgotten_while_others_have_its_task_to_answer() {
    let mut cluster = Cluster::new(false, 5);
    cluster.machine = Machine::new(Config { jobs_kept_max: 1, ..Config::default() }, [5; 32]);
    let broken = cluster.add_on("mia", Behaviour::Lies(1), Engine::Gpu, CARD);
    for name in ["a", "b", "c"] {
        cluster.add(name, Behaviour::Honest);
    }
    cluster.submit(Policy::default(), TASKS);
    let index = dissent_of(&mut cluster, broken);
    locate(&mut cluster, broken, index);
    cluster.run();
    let others = [2, 3, 4].map(|number| JobId([number; 16]));
    for job in others {
        cluster.submit_as(job, Policy::default(), 1);
        cluster.run_until_idle();
    }
    let is_known = |cluster: &Cluster, job: JobId| cluster.machine.job(job).is_some();
    assert_eq!(others.map(|job| is_known(&cluster, job)), [false, false, true]);
    assert!(is_known(&cluster, JOB));
    let late = cluster.add_on("moe", Behaviour::Honest, Engine::Gpu, CARD);
    cluster.submit_as(JobId([6; 16]), Policy::default(), 1);
    let given = cluster.tests.last().expect("it is asked as soon as a job runs");
    assert_eq!((given.0, given.1.job, given.1.index), (late, JOB, index));
}

#[test]
fn a_case_that_goes_for_newer_ones_holds_nobody_back() {
    let (mut cluster, broken, cards) = with_cards(9);
    cluster.submit(Policy::default(), TASKS);
    let index = dissent_of(&mut cluster, broken);
    locate(&mut cluster, broken, index);
    assert!(cluster.machine.held_back(&cards[0], Engine::Gpu).is_some());
    let before: Vec<usize> = cards.iter().map(|card| leases_of(&cluster, *card)).collect();
    for number in 0..64 {
        let mut other = fault(&mut cluster, broken, index, FaultClass::Deterministic);
        other.domain.device = format!("card {number}");
        cluster.tell(Input::FaultLocated(Box::new(other))).expect("it is about a task of the job");
    }
    assert!(cards.iter().all(|card| cluster.machine.held_back(card, Engine::Gpu).is_none()));
    cluster.run();
    assert_all_accepted(&cluster);
    let after: Vec<usize> = cards.iter().map(|card| leases_of(&cluster, *card)).collect();
    assert!(before.iter().zip(&after).any(|(before, after)| before < after), "they vote again");
}

#[test]
fn a_fault_of_nobody_or_of_no_task_changes_nothing() {
    let (mut cluster, broken, cards) = with_cards(7);
    cluster.submit(Policy::default(), TASKS);
    let index = dissent_of(&mut cluster, broken);
    let records = cluster.records.len();
    let found = fault(&mut cluster, broken, index, FaultClass::Deterministic);
    for unfit in [
        LocatedFault { worker: NodeId([3; 32]), ..found.clone() },
        LocatedFault { index: TASKS, ..found.clone() },
        LocatedFault { index: index + 1, ..found.clone() },
        LocatedFault { job: JobId([9; 16]), ..found },
    ] {
        cluster.tell(Input::FaultLocated(Box::new(unfit))).expect_err("it cannot be");
    }
    assert_eq!(cluster.records.len(), records);
    assert!(cards.iter().all(|card| cluster.machine.held_back(card, Engine::Gpu).is_none()));
}
