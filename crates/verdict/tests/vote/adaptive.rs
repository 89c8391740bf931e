//! Adaptive replication: new workers are checked, trusted ones answer alone and now and then not, nothing is told before a later
//! check stands behind it, and whoever is caught takes along what it had answered alone.

use std::collections::BTreeMap;

use protocol::{
    domain::Engine,
    identity::NodeId,
    ledger::{Decided, Record},
    policy::{Policy, PolicyDraft, Ways},
    report::JobState,
    verdict::Verdict,
};

use super::cluster::{Behaviour, Cluster, JOB, truth};

/// At 1 % of faulty answers and an error of 1 %, one other checks, a lead of two ends a dispute, and trust comes within some
/// hundred answers.
pub(super) fn adaptive() -> Policy {
    let draft = PolicyDraft {
        adaptive: Some(true),
        error_ppt: Some(10_000_000_000),
        faulty_ppm: Some(10_000),
        ..PolicyDraft::default()
    };
    draft.resolve(Ways { formulas: 2, engines: 1, audited: 1 }).expect("a policy")
}

fn cluster(behaviours: &[Behaviour], seed: u64) -> Cluster {
    let mut cluster = Cluster::new(false, seed);
    for (number, behaviour) in behaviours.iter().enumerate() {
        cluster.add(&format!("operator {number}"), *behaviour);
    }
    cluster
}

fn decided(cluster: &Cluster) -> impl Iterator<Item = &Decided> {
    cluster.records.iter().filter_map(|entry| match &entry.record {
        Record::Decided(decided) => Some(decided),
        _ => None,
    })
}

fn ballots(cluster: &Cluster) -> usize {
    decided(cluster).map(|decided| decided.ballots.len()).sum()
}

pub(super) fn credit(cluster: &Cluster, worker: NodeId) -> u64 {
    cluster.machine.standing(&worker).map_or(0, |standing| standing.with(Engine::Cpu).credit)
}

fn assert_all_right(cluster: &Cluster, tasks: u64) {
    assert_eq!(cluster.over, Some(JobState::Reconciled), "{:?}", cluster.waiting());
    for index in 0..tasks {
        assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)), "task {index}");
    }
}

#[test]
fn what_honest_workers_answer_is_checked_always_at_first_and_seldom_in_the_end() {
    const TASKS: u64 = 3000;
    let mut cluster = cluster(&[Behaviour::Honest; 6], 1);
    cluster.submit(adaptive(), TASKS);
    cluster.run();
    assert_all_right(&cluster, TASKS);
    let all = ballots(&cluster);
    assert!((3030..3450).contains(&all), "{all} ballots on {TASKS} tasks");
    let credits: u64 = cluster.workers.iter().map(|worker| credit(&cluster, worker.key.node_id())).sum();
    assert_eq!(credits, TASKS, "each accepted value is credited once");
}

#[test]
fn an_answer_that_stands_alone_is_told_only_after_a_check_of_its_worker_has_passed() {
    for seed in 0..10 {
        let mut cluster = cluster(&[Behaviour::Honest; 5], seed);
        cluster.submit(adaptive(), 400);
        cluster.run();
        assert_all_right(&cluster, 400);
        let mut checked: BTreeMap<NodeId, usize> = BTreeMap::new();
        let mut alone = 0;
        for decided in decided(&cluster) {
            let first = decided.ballots.iter().min_by_key(|cast| cast.ballot.ballot.replica.number);
            let author = first.expect("somebody has answered").ballot.ballot.worker;
            match decided.ballots.len() {
                1 => {
                    alone += 1;
                    assert!(checked.contains_key(&author), "task {} stands alone", decided.index);
                }
                _ => *checked.entry(author).or_default() += 1,
            }
            assert_eq!(decided.quorum as usize, decided.ballots.len());
        }
        assert!(alone > 100, "{alone} answers stood alone");
    }
}

#[test]
fn whoever_is_caught_takes_along_everything_that_it_had_answered_alone() {
    const TASKS: u64 = 3000;
    let mut reopened_in_all = 0;
    for seed in 0..10 {
        let mut cluster = cluster(&[Behaviour::Honest; 6], seed);
        let turncoat = cluster.workers[0].key.node_id();
        cluster.submit(adaptive(), TASKS);
        while credit(&cluster, turncoat) < 40 {
            assert!(cluster.deliver_one(), "it earns its trust");
        }
        cluster.worker(turncoat).behaviour = Behaviour::Lies(1);
        cluster.run();
        assert_all_right(&cluster, TASKS);
        let (left, reopened) = cluster.machine.job(JOB).expect("it is kept").answered_alone();
        assert_eq!(left, 0);
        reopened_in_all += reopened;
        let record = cluster.machine.standing(&turncoat).map(|standing| *standing.with(Engine::Cpu));
        assert!(record.is_some_and(|record| record.total.wrong > 0), "it is found out");
    }
    assert!(reopened_in_all > 10, "{reopened_in_all}");
}

#[test]
fn a_worker_that_leaves_with_what_it_answered_alone_costs_no_value() {
    const TASKS: u64 = 1000;
    for seed in 0..10 {
        let mut cluster = cluster(&[Behaviour::Honest; 5], seed);
        let leaver = cluster.workers[0].key.node_id();
        cluster.submit(adaptive(), TASKS);
        while credit(&cluster, leaver) < 60 {
            assert!(cluster.deliver_one(), "it earns its trust");
        }
        cluster.lose(leaver);
        cluster.worker(leaver).stored.clear();
        cluster.run();
        assert_all_right(&cluster, TASKS);
        let job = cluster.machine.job(JOB).expect("it is kept");
        assert_eq!(job.lost().count(), 0, "others have computed what it had, seed {seed}");
    }
}

#[test]
fn liars_from_the_beginning_are_found_out_and_nothing_wrong_is_accepted() {
    for seed in 0..10 {
        let mut behaviours = [Behaviour::Honest; 9];
        (behaviours[0], behaviours[4]) = (Behaviour::Lies(1), Behaviour::Lies(2));
        let mut cluster = cluster(&behaviours, seed);
        cluster.submit(adaptive(), 500);
        cluster.run();
        assert_all_right(&cluster, 500);
    }
}

#[test]
fn a_crash_changes_no_credit_and_what_was_provisional_is_answered_again() {
    for seed in 0..10 {
        let mut cluster = cluster(&[Behaviour::Honest; 5], seed);
        cluster.submit(adaptive(), 400);
        for steps in [200, 100, 50] {
            for _ in 0..steps {
                cluster.deliver_one();
            }
            let before = cluster.machine.standings().clone();
            cluster.crash(true);
            assert_eq!(cluster.machine.standings(), &before, "seed {seed}");
        }
        cluster.run();
        assert_all_right(&cluster, 400);
    }
}

#[test]
fn a_lone_worker_in_a_closed_cluster_cannot_be_checked_and_nothing_is_accepted() {
    let mut cluster = Cluster::new(true, 1);
    cluster.add("a", Behaviour::Honest);
    cluster.submit(adaptive(), 4);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Incomplete));
    assert!(
        cluster.verdicts.values().all(|verdict| *verdict == Verdict::Undecided),
        "{:?}",
        cluster.verdicts
    );
}
