//! Winners that differ: who is asked and who wins where a policy names axes of the failure domain.

use protocol::{
    constant::Formula,
    domain::{Axis, Engine},
    policy::Policy,
    report::JobState,
    verdict::Verdict,
};

use crate::cluster::{Behaviour, Cluster, truth};

fn two_formulas() -> Policy {
    Policy { distinct: vec![Axis::Formula], ..Policy::default() }
}

#[test]
fn two_liars_of_one_operator_do_not_win_where_distinct_operators_are_asked_for() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("mallory", Behaviour::Lies(1));
    cluster.add("mallory", Behaviour::Lies(1));
    cluster.add("alice", Behaviour::Honest);
    cluster.submit(Policy { distinct: vec![Axis::Operator], ..Policy::default() }, 1);
    cluster.run();
    assert_eq!(cluster.over, None, "the job waits");
    let waiting = "task 0 waits for a worker of another operator: the 3 here are of `alice` and `mallory`";
    assert_eq!(cluster.waiting().as_deref(), Some(waiting));
    cluster.add("bob", Behaviour::Honest);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn workers_of_one_operator_never_share_a_task_even_if_it_has_to_wait() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("alice", Behaviour::Silent);
    cluster.add("alice", Behaviour::Silent);
    cluster.submit(Policy { distinct: vec![Axis::Operator], ..Policy::default() }, 1);
    assert_eq!(cluster.leases.len(), 1);
    let waiting = "task 0 waits for a worker of another operator: the 2 here are all of `alice`";
    assert_eq!(cluster.waiting().as_deref(), Some(waiting));
    for number in 0..4 {
        let operator = format!("operator {number}");
        cluster.add(&operator, Behaviour::Silent);
        cluster.add(&operator, Behaviour::Silent);
    }
    assert_eq!(cluster.leases.len(), 3, "three seats, three operators");
    assert_eq!(cluster.waiting(), None);
}

#[test]
fn a_task_says_which_device_it_waits_for_to_be_joined() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Honest);
    }
    cluster.submit(Policy { distinct: vec![Axis::Device], ..Policy::default() }, 1);
    cluster.run();
    let waiting = "task 0 waits for a worker with another device: the 3 here are all on `cpu device`";
    assert_eq!(cluster.waiting().as_deref(), Some(waiting));
    cluster.add_with("d", Behaviour::Honest, Engine::Gpu);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn three_workers_that_agree_by_one_wrong_formula_do_not_win_where_formulas_must_differ() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::WrongByFirstFormula);
    }
    cluster.submit(Policy { max_replicas: 5, ..two_formulas() }, 1);
    cluster.run();
    assert!(cluster.verdicts.is_empty(), "two agree, by one formula");
    let formula = cluster.leases[0].2;
    let waiting = format!(
        "task 0 waits for another worker: all 3 here were asked, and the ballots that agree have the formula \
         `{formula}`, where 2 different ones must agree"
    );
    assert_eq!(cluster.waiting(), Some(waiting));
    for operator in ["d", "e"] {
        cluster.add(operator, Behaviour::WrongByFirstFormula);
    }
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Undecided, "the fault shows, and nothing wrong is accepted");
}

#[test]
fn winners_show_two_formulas_where_the_policy_asks_for_it() {
    for seed in 0..20 {
        let mut cluster = Cluster::new(true, seed);
        for operator in ["a", "b", "c"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(two_formulas(), 3);
        cluster.run();
        for index in 0..3 {
            let certificate = cluster.certificates.get(&index).expect("accepted").clone();
            let formulas: std::collections::BTreeSet<Formula> =
                certificate.winning.iter().map(|signed| signed.ballot.domain.formula).collect();
            assert_eq!(formulas.len(), 2);
        }
    }
}

#[test]
fn a_seat_is_kept_for_the_engine_that_is_missing() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c", "d"] {
        cluster.add(operator, Behaviour::Honest);
    }
    cluster.submit(Policy { distinct: vec![Axis::Engine], ..Policy::default() }, 1);
    cluster.run();
    assert_eq!(cluster.over, None);
    let waiting = "task 0 waits for a worker with another engine: the 4 here are all on `cpu`";
    assert_eq!(cluster.waiting().as_deref(), Some(waiting));
    cluster.add_with("e", Behaviour::Honest, Engine::Gpu);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn a_task_that_one_engine_computes_is_content_with_that_engine() {
    for (engines, waits) in [(&[Engine::Cpu][..], false), (&[Engine::Cpu, Engine::Gpu][..], true)] {
        let mut cluster = Cluster::new(false, 1);
        cluster.engines = engines;
        for operator in ["a", "b", "c"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(Policy { distinct: vec![Axis::Engine], ..Policy::default() }, 1);
        cluster.run();
        assert_eq!(cluster.verdicts.contains_key(&0), !waits, "{engines:?}");
    }
}
