//! Leases: they end, are given to others, and come back with the workers that held them.

use protocol::{
    ballot::ReplicaId, constant::Formula, identity::NodeId, policy::Policy, report::JobState,
    verdict::Verdict,
};
use verdict::{Input, tally::State};

use crate::cluster::{Behaviour, Cluster, JOB, lie, truth};

#[test]
fn an_expired_lease_is_given_to_another_worker() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Silent);
    cluster.add("b", Behaviour::Silent);
    cluster.add("c", Behaviour::Honest);
    cluster.submit(Policy::default(), 1);
    cluster.add("d", Behaviour::Honest);
    cluster.run();
    assert!(cluster.now_ms >= Policy::default().lease_ms);
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn workers_whose_leases_all_expired_are_asked_again_when_nobody_else_is_left() {
    let mut cluster = Cluster::new(false, 1);
    let ids: Vec<_> = ["a", "b", "c"].map(|operator| cluster.add(operator, Behaviour::Silent)).to_vec();
    cluster.submit(Policy::default(), 1);
    for jumps in 1..=7 {
        // The coordinator's clock jumps: every lease is over at once.
        cluster.now_ms += 2 * Policy::default().lease_ms;
        cluster.machine.handle_timeout(cluster.now_ms);
        cluster.tell(Input::Heartbeat { worker: ids[0], under_way: Vec::new() }).expect("it is welcome");
        assert_eq!(cluster.leases.len(), 3 * (jumps + 1), "each is asked once more");
    }
    cluster.now_ms += 2 * Policy::default().lease_ms;
    cluster.machine.handle_timeout(cluster.now_ms);
    cluster.tell(Input::Heartbeat { worker: ids[0], under_way: Vec::new() }).expect("it is welcome");
    assert_eq!(cluster.leases.len(), 24, "but not for ever");
    let waiting = cluster.machine.progress(JOB).and_then(|progress| progress.waiting);
    assert_eq!(waiting.as_deref(), Some("task 0 waits for 3 more workers: all 3 here were asked"));
}

#[test]
fn workers_whose_leases_expired_are_asked_again_beside_the_last_one_that_was_left() {
    for sealed in [false, true] {
        let mut cluster = Cluster::new(false, 1);
        let ids = ["a", "b", "c", "d"].map(|operator| cluster.add(operator, Behaviour::Silent));
        cluster.submit(Policy { sealed, ..Policy::default() }, 1);
        assert_eq!(cluster.leases.len(), 3);
        cluster.now_ms += 2 * Policy::default().lease_ms;
        cluster.machine.handle_timeout(cluster.now_ms);
        // The fourth worker is asked now, and may never answer.
        for _ in 0..2 {
            cluster.tell(Input::Heartbeat { worker: ids[0], under_way: Vec::new() }).expect("it is welcome");
        }
        assert_eq!(cluster.leases.len(), 6, "two of the first three are asked again beside it");
    }
}

#[test]
fn a_worker_whose_lease_expired_is_asked_again_when_the_others_have_left() {
    let mut cluster = Cluster::new(false, 1);
    let slow = cluster.add("a", Behaviour::Silent);
    cluster.submit(Policy { quorum: 1, replicas: 1, tolerate: 0, ..Policy::default() }, 1);
    let other = cluster.add("b", Behaviour::Silent);
    cluster.now_ms += 2 * Policy::default().lease_ms;
    cluster.machine.handle_timeout(cluster.now_ms);
    cluster.lose(other);
    let asked: Vec<_> = cluster.leases.iter().map(|(worker, ..)| *worker).collect();
    assert_eq!(asked, [slow, other, slow]);
}

#[test]
fn a_worker_that_comes_and_goes_does_not_use_up_the_leases_of_the_others() {
    let mut cluster = Cluster::new(false, 1);
    let restless = cluster.add("a", Behaviour::Silent);
    cluster.submit(Policy { max_replicas: 3, ..Policy::default() }, 1);
    for _ in 0..100 {
        cluster.lose(restless);
        cluster.join(restless);
    }
    let replicas: Vec<_> = cluster.leases.iter().map(|(_, replica, _)| replica.number).collect();
    assert_eq!(replicas, vec![0; 101], "it is given the same replica again and again");
    cluster.add("b", Behaviour::Honest);
    cluster.add("c", Behaviour::Honest);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

/// A worker whose lease expired, and who was asked again because nobody else is left: both of its leases.
pub(super) fn leased_twice(cluster: &mut Cluster, slow: NodeId) -> [(ReplicaId, Formula); 2] {
    cluster.run_until_idle();
    let wake_ms = cluster.machine.next_timeout_ms().expect("its lease is out");
    cluster.pass_ms(wake_ms - cluster.now_ms);
    let leases = cluster.leases.iter().filter(|(worker, ..)| *worker == slow);
    let leases: Vec<_> = leases.map(|(_, replica, formula)| (*replica, *formula)).collect();
    leases.try_into().expect("it was asked twice")
}

#[test]
fn a_failure_to_answer_a_cancelled_lease_costs_nobody_its_vote() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Honest);
    let slow = cluster.add("b", Behaviour::Silent);
    cluster.submit(Policy { replicas: 2, ..Policy::default() }, 1);
    let [(cancelled, _), (replica, formula)] = leased_twice(&mut cluster, slow);
    let reason = "it was cancelled".to_owned();
    cluster
        .tell(Input::ReplicaFailed { worker: slow, replica: cancelled, reason })
        .expect("it was leased that");
    cluster.lose(slow);
    cluster.join(slow);
    assert_eq!(cluster.leases.len(), 4, "it is asked once more");
    let ballot = cluster.ballot(slow, replica, formula, truth(0));
    cluster.cast(ballot).expect("its second replica counts");
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn a_heartbeat_keeps_a_lease_alive() {
    let mut cluster = Cluster::new(false, 1);
    let slow = cluster.add("a", Behaviour::Silent);
    cluster.submit(Policy { quorum: 1, replicas: 1, tolerate: 0, ..Policy::default() }, 1);
    let (_, replica, formula) = cluster.leases[0];
    for _ in 0..10 {
        cluster.now_ms += 40_000;
        cluster
            .tell(Input::Heartbeat { worker: slow, under_way: vec![(replica, 5)] })
            .expect("a heartbeat is welcome");
        cluster.machine.handle_timeout(cluster.now_ms);
    }
    assert_eq!(cluster.leases.len(), 1);
    let ballot = cluster.ballot(slow, replica, formula, truth(0));
    cluster.cast(ballot).expect("the lease is out");
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn a_lost_worker_that_comes_back_may_still_cast_its_ballot() {
    let mut cluster = Cluster::new(false, 1);
    let wanderer = cluster.add("a", Behaviour::Silent);
    cluster.add("b", Behaviour::Honest);
    cluster.submit(Policy::default(), 1);
    while cluster.deliver_one() {}
    let (_, replica, formula) =
        *cluster.leases.iter().find(|(worker, ..)| *worker == wanderer).expect("it was asked");
    cluster.lose(wanderer);
    cluster.join(wanderer);
    let ballot = cluster.ballot(wanderer, replica, formula, truth(0));
    cluster.cast(ballot).expect("its old replica still counts");
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn a_worker_that_was_leased_a_task_twice_votes_once() {
    let mut cluster = Cluster::new(false, 1);
    let wanderer = cluster.add("a", Behaviour::Silent);
    cluster.add("b", Behaviour::Silent);
    cluster.submit(Policy::default(), 1);
    cluster.now_ms += 2 * Policy::default().lease_ms;
    cluster.machine.handle_timeout(cluster.now_ms);
    cluster.tell(Input::Heartbeat { worker: wanderer, under_way: Vec::new() }).expect("it is welcome");
    let leased: Vec<_> = cluster.leases.iter().filter(|(worker, ..)| *worker == wanderer).copied().collect();
    assert_eq!(leased.len(), 2, "its first lease expired and it was asked again");
    for (liar, (_, replica, formula)) in (1..).zip(leased) {
        let ballot = cluster.ballot(wanderer, replica, formula, lie(0, liar));
        cluster.cast(ballot).expect("each replica was leased to it");
    }
    let tally = cluster.machine.job(JOB).and_then(|job| job.tally(0)).expect("it is open");
    assert_eq!((tally.ballots().len(), tally.state()), (1, &State::Collecting));
    assert_eq!(tally.ballots()[&wanderer].ballot.ballot().digest, lie(0, 1), "its first word stands");
    assert!(tally.equivocations().is_empty(), "two executions may differ without a lie");
}

#[test]
fn a_worker_that_comes_back_keeps_its_lease_unless_somebody_took_it_over() {
    let mut cluster = Cluster::new(false, 1);
    let wanderer = cluster.add("a", Behaviour::Silent);
    cluster.submit(Policy { quorum: 1, replicas: 1, tolerate: 0, ..Policy::default() }, 1);
    let (_, replica, _) = cluster.leases[0];
    cluster.lose(wanderer);
    cluster.join_with(wanderer, vec![replica]);
    assert_eq!(cluster.leases.len(), 1, "the same lease is out again");
    assert!(cluster.cancelled.is_empty());
    cluster.lose(wanderer);
    cluster.add("b", Behaviour::Silent);
    assert_eq!(cluster.leases.len(), 2);
    cluster.join_with(wanderer, vec![replica]);
    assert_eq!(cluster.cancelled, vec![replica]);
}

#[test]
fn an_abandoned_job_cancels_its_leases() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Silent);
    cluster.submit(Policy::default(), 3);
    cluster.tell(Input::JobAbandoned { job: JOB }).expect("the job is known");
    assert_eq!(cluster.over, Some(JobState::Abandoned));
    assert_eq!(cluster.cancelled.len(), cluster.leases.len());
}

#[test]
fn a_lease_that_ended_leaves_nothing_to_wait_for() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Honest);
    }
    cluster.submit(Policy::default(), 200);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    // Those that were asked and did not answer are listened to for as long as a lease lasts.
    let lease_ms = Policy::default().lease_ms;
    let last_ms = cluster.machine.next_timeout_ms().expect("some were cancelled");
    assert!(last_ms <= cluster.now_ms + lease_ms);
    cluster.machine.handle_timeout(cluster.now_ms + lease_ms);
    assert_eq!(cluster.machine.next_timeout_ms(), None);
}

#[test]
fn a_replica_beyond_the_quorum_is_spare_until_the_ballots_before_it_differ() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c", "d"] {
        cluster.add(operator, Behaviour::Silent);
    }
    cluster.submit(Policy::default(), 1);
    let leases = cluster.leases.clone();
    let is_spare =
        |cluster: &Cluster, number: u32| cluster.machine.job(JOB).unwrap().tally(0).unwrap().is_spare(number);
    let spare = |cluster: &Cluster| (0..4).filter(|number| is_spare(cluster, *number)).collect::<Vec<_>>();
    assert_eq!(spare(&cluster), [2, 3], "two make a quorum, and three were asked");
    let (worker, replica, formula) = leases[0];
    let ballot = cluster.ballot(worker, replica, formula, truth(0));
    cluster.cast(ballot).expect("it is welcome");
    assert_eq!(spare(&cluster), [2, 3], "one has answered, and another one was asked before");
    let (worker, replica, formula) = leases[1];
    let ballot = cluster.ballot(worker, replica, formula, lie(0, 1));
    cluster.cast(ballot).expect("it is welcome");
    assert!(spare(&cluster).is_empty(), "every further ballot is waited for");
}

#[test]
fn no_replica_of_a_sealed_task_is_spare() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Silent);
    }
    cluster.submit(Policy { sealed: true, ..Policy::default() }, 1);
    let tally = cluster.machine.job(JOB).and_then(|job| job.tally(0)).expect("it is open");
    assert_eq!(cluster.leases.len(), 3);
    assert!((0..3).all(|number| !tally.is_spare(number)), "all commit before any reveals");
}
