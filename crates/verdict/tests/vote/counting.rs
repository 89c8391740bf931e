//! Counting: when a digest wins, when none can, and what a ballot counts for.

use protocol::{
    policy::{Electorate, Policy},
    report::JobState,
    verdict::Verdict,
};
use verdict::tally::State;

use crate::cluster::{Behaviour, Cluster, JOB, truth};

#[test]
fn three_honest_workers_accept_the_truth() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Honest);
    }
    cluster.submit(Policy::default(), 5);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    for index in 0..5 {
        assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)));
    }
}

#[test]
fn a_task_is_decided_with_the_second_agreeing_ballot_and_the_third_lease_is_cancelled() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b"] {
        cluster.add(operator, Behaviour::Honest);
    }
    cluster.add("c", Behaviour::Silent);
    cluster.submit(Policy::default(), 1);
    assert!(cluster.deliver_one());
    assert!(cluster.verdicts.is_empty());
    assert!(cluster.deliver_one());
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
    assert_eq!(cluster.cancelled.len(), 1);
}

#[test]
fn a_quorum_does_not_decide_while_the_ballots_that_are_out_could_outvote_it() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c", "d", "e"] {
        cluster.add(operator, Behaviour::Honest);
    }
    cluster.submit(Policy { quorum: 2, replicas: 5, ..Policy::default() }, 1);
    cluster.deliver_one();
    cluster.deliver_one();
    assert!(cluster.verdicts.is_empty(), "two of five ballots are no majority");
    cluster.deliver_one();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn a_dispute_grows_the_electorate_until_the_truth_has_more_than_half_of_all_ballots() {
    let mut cluster = Cluster::new(false, 1);
    let policy = Policy { quorum: 2, replicas: 2, ..Policy::default() };
    cluster.add("a", Behaviour::Lies(1));
    cluster.add("b", Behaviour::Honest);
    cluster.submit(policy, 1);
    cluster.run();
    assert_eq!(cluster.over, None, "one against one waits for more workers");
    assert!(matches!(
        cluster.machine.job(JOB).and_then(|j| j.tally(0)).map(|t| t.state().clone()),
        Some(State::Disputed)
    ));
    cluster.add("c", Behaviour::Lies(2));
    cluster.run();
    assert_eq!(cluster.over, None, "three different digests wait for more workers");
    cluster.add("d", Behaviour::Honest);
    cluster.run();
    assert_eq!(cluster.over, None, "two of four is not more than half");
    cluster.add("e", Behaviour::Honest);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn a_vote_that_no_digest_can_win_within_the_bound_is_undecided() {
    let mut cluster = Cluster::new(false, 1);
    for number in 0..5 {
        cluster.add("x", Behaviour::Lies(number));
    }
    cluster.submit(Policy { max_replicas: 4, ..Policy::default() }, 1);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Undecided);
    assert_eq!(cluster.over, Some(JobState::Incomplete));
}

#[test]
fn a_dispute_without_a_majority_says_so_while_it_waits() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Lies(1));
    cluster.add("b", Behaviour::Honest);
    cluster.submit(Policy { quorum: 2, replicas: 2, ..Policy::default() }, 1);
    cluster.run();
    let waiting = "task 0 waits for another worker: all 2 here were asked, and no answer has a majority";
    assert_eq!(cluster.waiting().as_deref(), Some(waiting));
}

#[test]
fn two_liars_lose_among_five_with_a_quorum_of_three() {
    for seed in 0..50 {
        let mut cluster = Cluster::new(true, seed);
        cluster.add("mallory", Behaviour::Lies(1));
        cluster.add("mallory", Behaviour::Lies(1));
        for operator in ["a", "b", "c"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(Policy { quorum: 3, replicas: 5, ..Policy::default() }, 2);
        cluster.run();
        assert_eq!(cluster.over, Some(JobState::Reconciled));
        assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
    }
}

#[test]
fn equivocation_counts_as_no_ballot_and_is_kept_as_proof() {
    for seed in 0..20 {
        let mut cluster = Cluster::new(false, seed);
        let two_faced = cluster.add("a", Behaviour::Equivocates);
        cluster.submit(Policy { quorum: 2, replicas: 3, ..Policy::default() }, 1);
        while cluster.deliver_one() {}
        cluster.add("b", Behaviour::Honest);
        cluster.add("c", Behaviour::Honest);
        cluster.run();
        assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
        let tally = cluster.machine.job(JOB).and_then(|job| job.tally(0)).expect("the task was opened");
        assert!(!tally.ballots().contains_key(&two_faced));
        let [first, second] = &tally.equivocations()[&two_faced];
        assert_ne!(first.ballot.digest, second.ballot.digest);
        assert!(first.is_authentic() && second.is_authentic());
    }
}

#[test]
fn the_whole_cluster_votes_where_the_electorate_is_all() {
    let mut cluster = Cluster::new(false, 1);
    for number in 0..7 {
        cluster.add("x", if number < 3 { Behaviour::Lies(1) } else { Behaviour::Honest });
    }
    cluster.submit(Policy { electorate: Electorate::All, ..Policy::default() }, 1);
    assert_eq!(cluster.leases.len(), 7);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn a_task_that_no_worker_can_run_fails_with_the_reason() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Fails);
    }
    cluster.submit(Policy::default(), 1);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Failed("out of memory".to_owned()));
}

#[test]
fn an_embedded_cluster_that_cannot_fill_its_seats_ends_instead_of_waiting() {
    let mut cluster = Cluster::new(true, 1);
    cluster.add("a", Behaviour::Honest);
    cluster.add("a", Behaviour::Lies(1));
    cluster.submit(Policy::default(), 1);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Undecided);
}
