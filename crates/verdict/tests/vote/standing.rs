//! Standing: who is often wrong gets no leases that count, is told why, and comes back over tasks whose answer is known;
//! all of it follows from the records.

use protocol::{
    domain::Engine,
    identity::NodeId,
    ledger::Record,
    policy::Policy,
    standing::{QuarantineReason, Quarantined},
    verdict::Verdict,
};
use verdict::standing::{EngineRecord, RIGHT_NEEDED, WRONG_IN_A_ROW_MAX};

use super::cluster::{Behaviour, Cluster, JOB, truth};

fn cluster(behaviours: &[Behaviour], seed: u64) -> Cluster {
    let mut cluster = Cluster::new(false, seed);
    for (number, behaviour) in behaviours.iter().enumerate() {
        cluster.add(&format!("operator {number}"), *behaviour);
    }
    cluster
}

fn id(cluster: &Cluster, number: usize) -> NodeId {
    cluster.workers[number].key.node_id()
}

fn record_of(cluster: &Cluster, worker: NodeId) -> EngineRecord {
    cluster.machine.standing(&worker).map(|standing| *standing.with(Engine::Cpu)).unwrap_or_default()
}

fn quarantined(cluster: &Cluster) -> Vec<(usize, NodeId, Engine, QuarantineReason)> {
    let records = cluster.records.iter().enumerate();
    let found = records.filter_map(|(place, entry)| match &entry.record {
        Record::Quarantined(Quarantined { worker, engine, reason, .. }) => {
            Some((place, *worker, *engine, *reason))
        }
        _ => None,
    });
    found.collect()
}

const FOUR_AND_A_LIAR: [Behaviour; 5] =
    [Behaviour::Lies(1), Behaviour::Honest, Behaviour::Honest, Behaviour::Honest, Behaviour::Honest];

#[test]
fn three_wrong_answers_in_a_row_end_the_leases_that_count() {
    for seed in 0..20 {
        let mut cluster = cluster(&FOUR_AND_A_LIAR, seed);
        let liar = id(&cluster, 0);
        let leases_of =
            |cluster: &Cluster| cluster.leases.iter().filter(|(worker, ..)| *worker == liar).count();
        cluster.submit(Policy::default(), 400);
        while quarantined(&cluster).is_empty() {
            assert!(cluster.deliver_one(), "it is found out");
        }
        let leased = leases_of(&cluster);
        cluster.run();
        assert_eq!(leases_of(&cluster), leased, "it is leased nothing more");
        let found = quarantined(&cluster);
        let [(_, worker, engine, reason)] = found[..] else { panic!("{found:?}") };
        assert_eq!((worker, engine), (liar, Engine::Cpu));
        assert!(matches!(reason, QuarantineReason::WrongInARow(answers) if answers >= WRONG_IN_A_ROW_MAX));
        for index in 0..400 {
            assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)));
        }
        assert!(!cluster.tests.is_empty() && cluster.tests.iter().all(|(worker, _)| *worker == liar));
        assert!(record_of(&cluster, liar).quarantine.is_some(), "its answers to known tasks are wrong, too");
    }
}

#[test]
fn an_equivocation_ends_them_at_once_for_every_engine() {
    let mut cluster =
        cluster(&[Behaviour::Honest, Behaviour::Honest, Behaviour::Honest, Behaviour::Equivocates], 3);
    let two_faced = id(&cluster, 3);
    cluster.submit(Policy::default(), 8);
    cluster.run();
    let found = quarantined(&cluster);
    let [(_, first, cpu, why), (_, second, gpu, _), ..] = &found[..] else { panic!("{found:?}") };
    assert_eq!((*first, *second, *why), (two_faced, two_faced, QuarantineReason::Equivocated));
    assert_ne!(cpu, gpu);
}

#[test]
fn a_worker_whose_fault_has_passed_answers_known_tasks_and_is_let_back_as_a_new_one() {
    let mut cluster = cluster(&FOUR_AND_A_LIAR, 5);
    let worker = id(&cluster, 0);
    cluster.submit(Policy::default(), 3000);
    // What it answers from then on is right, and what is under way is not.
    while record_of(&cluster, worker).wrong_in_a_row + 1 < WRONG_IN_A_ROW_MAX {
        assert!(cluster.deliver_one(), "it is found out");
    }
    cluster.worker(worker).behaviour = Behaviour::Honest;
    cluster.run();
    let is_back =
        |record: &Record| matches!(record, Record::Readmitted { worker: back, .. } if *back == worker);
    let back = cluster.records.iter().position(|entry| is_back(&entry.record)).expect("it is let back");
    let right = cluster.records[..back]
        .iter()
        .rev()
        .take_while(|entry| !matches!(entry.record, Record::Quarantined(_)));
    let right = right.filter(|entry| matches!(&entry.record, Record::Tested(tested) if tested.is_right()));
    assert_eq!(right.count(), RIGHT_NEEDED as usize);
    // It votes again, and none of the tests was a vote.
    let votes_of = |record: &Record| match record {
        Record::Decided(decided) => decided.ballots.iter().any(|cast| cast.ballot.ballot.worker == worker),
        _ => false,
    };
    assert!(cluster.records[back..].iter().any(|entry| votes_of(&entry.record)));
    for entry in &cluster.records {
        if let Record::Decided(decided) = &entry.record {
            assert!(
                decided.ballots.iter().all(|cast| cast.ballot.ballot.replica.number < verdict::TEST_NUMBERS)
            );
        }
    }
    let record = record_of(&cluster, worker);
    assert_eq!((record.quarantine, record.recent.wrong, record.quarantines), (None, 0, 1));
}

#[test]
fn standings_are_the_same_after_any_crash() {
    for seed in 0..30 {
        let mut cluster = cluster(
            &[
                Behaviour::Lies(1),
                Behaviour::Equivocates,
                Behaviour::Honest,
                Behaviour::Honest,
                Behaviour::Honest,
            ],
            seed,
        );
        cluster.submit(Policy::default(), 30);
        for steps in [20, 35, 50, 70] {
            for _ in 0..steps {
                cluster.deliver_one();
            }
            let before = cluster.machine.standings().clone();
            cluster.crash(true);
            assert_eq!(cluster.machine.standings(), &before, "seed {seed}");
        }
        cluster.run();
        for index in 0..30 {
            assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)));
        }
    }
}

#[test]
fn a_quarantine_that_a_crash_cut_off_is_made_up_for() {
    let mut cluster = cluster(&FOUR_AND_A_LIAR, 9);
    let liar = id(&cluster, 0);
    cluster.submit(Policy::default(), 40);
    while quarantined(&cluster).is_empty() {
        assert!(cluster.deliver_one(), "it is found out");
    }
    cluster.records.retain(|entry| !matches!(entry.record, Record::Quarantined(_)));
    cluster.crash(true);
    assert_eq!(quarantined(&cluster).len(), 1, "it is written down now");
    assert!(record_of(&cluster, liar).quarantine.is_some());
}

#[test]
fn a_job_says_that_it_waits_for_workers_in_quarantine() {
    let behaviours = [Behaviour::Lies(1), Behaviour::Honest, Behaviour::Honest];
    let mut cluster = cluster(&behaviours, 1);
    cluster.submit(Policy { quorum: 2, replicas: 3, ..Policy::default() }, 400);
    while quarantined(&cluster).is_empty() {
        assert!(cluster.deliver_one(), "it is found out");
    }
    let gone = id(&cluster, 2);
    cluster.lose(gone);
    while cluster.deliver_one() {}
    let waiting = cluster.waiting().expect("one honest worker is no quorum");
    assert!(waiting.contains("1 of the 2 here is in quarantine (its last "), "{waiting}");
    assert_eq!(cluster.over, None);
    // Liveness: with a quorum of honest workers everything is decided.
    cluster.join(gone);
    cluster.run();
    for index in 0..400 {
        assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)));
    }
}

#[test]
fn where_everybody_votes_a_worker_in_quarantine_has_no_seat() {
    let mut cluster = cluster(&FOUR_AND_A_LIAR, 4);
    let policy = Policy { electorate: protocol::policy::Electorate::All, ..Policy::default() };
    cluster.submit(policy, 300);
    cluster.run();
    let last = cluster.records.iter().rev().find_map(|entry| match &entry.record {
        Record::Decided(decided) => Some(decided.ballots.len()),
        _ => None,
    });
    assert!(last.is_some_and(|ballots| ballots <= 4), "{last:?}");
    assert!(cluster.machine.job(JOB).is_some_and(|job| job.state().is_over()));
}
