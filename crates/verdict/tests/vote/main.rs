//! The rules of the vote, seen from outside: what is announced, who is corrected, who is asked.

mod audits;
mod cluster;
mod liveness;
mod lots;
mod pace;
mod properties;
mod restarts;
mod sealed;

use cluster::{Behaviour, Cluster, JOB, lie, truth};
use protocol::{
    ballot::ReplicaId,
    constant::Formula,
    domain::{Axis, Engine},
    identity::NodeId,
    policy::{Electorate, Policy},
    report::JobState,
    verdict::Verdict,
};
use verdict::{Input, Rejected, tally::State};

fn two_formulas() -> Policy {
    Policy { distinct: vec![Axis::Formula], ..Policy::default() }
}

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
fn a_dissenter_is_corrected_and_the_job_is_reconciled() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Honest);
    cluster.add("b", Behaviour::Honest);
    let liar = cluster.add("c", Behaviour::Lies(1));
    cluster.submit(Policy::default(), 4);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    let progress = cluster.machine.progress(JOB).expect("the job is known");
    assert_eq!(progress.corrections, progress.dissenting_ballots);
    let stored = cluster.worker(liar).stored.clone();
    assert_eq!(stored.len(), 4);
    assert!(stored.iter().all(|(index, digest)| *digest == truth(*index)));
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

#[test]
fn an_outcome_that_is_lost_does_not_hang_on_one_worker_that_never_answers() {
    let mut cluster = Cluster::new(false, 1);
    let winners = ["a", "b"].map(|operator| cluster.add(operator, Behaviour::Honest));
    cluster.submit(Policy { replicas: 2, ..Policy::default() }, 1);
    while cluster.verdicts.is_empty() {
        assert!(cluster.deliver_one());
    }
    for winner in winners {
        cluster.worker(winner).stored.clear();
    }
    cluster.add("c", Behaviour::Silent);
    cluster.add("d", Behaviour::Honest);
    let asked_at_ms = cluster.now_ms;
    while cluster.deliver_one() {}
    assert_eq!(cluster.over, Some(JobState::Reconciled), "d computed it again, and c is not waited for");
    assert_eq!(cluster.now_ms, asked_at_ms);
}

/// A worker whose lease expired, and who was asked again because nobody else is left: both of its leases.
fn leased_twice(cluster: &mut Cluster, slow: NodeId) -> [(ReplicaId, Formula); 2] {
    cluster.run_until_idle();
    let wake_ms = cluster.machine.next_timeout_ms().expect("its lease is out");
    cluster.pass_ms(wake_ms - cluster.now_ms);
    let leases = cluster.leases.iter().filter(|(worker, ..)| *worker == slow);
    let leases: Vec<_> = leases.map(|(_, replica, formula)| (*replica, *formula)).collect();
    leases.try_into().expect("it was asked twice")
}

#[test]
fn a_winner_that_was_away_at_the_verdict_gives_the_outcome_when_it_comes_back() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Lies(0));
    let right = cluster.add("b", Behaviour::Honest);
    let slow = cluster.add("c", Behaviour::Silent);
    cluster.submit(Policy::default(), 1);
    let [(replica, formula), _] = leased_twice(&mut cluster, slow);
    let ballot = cluster.ballot(slow, replica, formula, truth(0));
    cluster.cast(ballot).expect("its first replica counts");
    assert!(cluster.verdicts.is_empty(), "its second lease may still bring another ballot");
    cluster.lose(right);
    cluster.lose(slow);
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)), "and nobody who has it is here");
    cluster.worker(slow).stored.insert(0, truth(0));
    cluster.join(slow);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
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
fn a_late_dissenter_is_recorded_and_corrected() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Honest);
    cluster.add("b", Behaviour::Honest);
    let late = cluster.add("c", Behaviour::Silent);
    cluster.submit(Policy::default(), 1);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    let (_, replica, formula) =
        *cluster.leases.iter().find(|(worker, ..)| *worker == late).expect("it was asked");
    cluster.worker(late).behaviour = Behaviour::Lies(3);
    let ballot = cluster.ballot(late, replica, formula, lie(0, 3));
    cluster.cast(ballot).expect("late ballots are recorded");
    while cluster.deliver_one() {}
    let progress = cluster.machine.progress(JOB).expect("the job is known");
    assert_eq!((progress.dissenting_ballots, progress.corrections), (1, 1));
    assert_eq!(cluster.worker(late).stored[&0], truth(0));
    let certificate = cluster.certificates.get(&0).expect("accepted").clone();
    assert_eq!(certificate.verify(2), Ok(()));
    assert!(certificate.dissenting.is_empty(), "the certificate holds what decided");
}

#[test]
fn a_dissenter_that_left_is_corrected_when_it_comes_back() {
    let mut cluster = Cluster::new(false, 1);
    let liar = cluster.add("a", Behaviour::Lies(1));
    cluster.submit(Policy::default(), 1);
    while cluster.deliver_one() {}
    cluster.lose(liar);
    cluster.add("b", Behaviour::Honest);
    cluster.add("c", Behaviour::Honest);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled), "nobody waits for a worker that left");
    assert_eq!(cluster.worker(liar).stored[&0], lie(0, 1));
    cluster.join(liar);
    while cluster.deliver_one() {}
    assert_eq!(cluster.worker(liar).stored[&0], truth(0));
    assert_eq!(cluster.machine.progress(JOB).map(|progress| progress.corrections), Some(1));
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

#[test]
fn an_input_that_cannot_be_is_rejected_with_its_reason() {
    let mut cluster = Cluster::new(false, 1);
    let honest = cluster.add("a", Behaviour::Silent);
    let other = cluster.add("b", Behaviour::Silent);
    cluster.submit(Policy::default(), 1);
    let (_, replica, formula) =
        *cluster.leases.iter().find(|(worker, ..)| *worker == honest).expect("it was asked");
    let stolen = cluster.ballot(other, replica, formula, truth(0));
    assert!(matches!(cluster.cast(stolen), Err(Rejected::NotLeased { .. })));
    let unknown = ReplicaId { index: 99, ..replica };
    let ballot = cluster.ballot(honest, unknown, formula, truth(0));
    assert_eq!(cluster.cast(ballot), Err(Rejected::UnknownTask { job: JOB, index: 99 }));
    let ballot = cluster.ballot(honest, replica, Formula::ContinuedFraction, truth(0));
    assert!(matches!(cluster.cast(ballot), Err(Rejected::Domain { .. })));
    cluster.worker(honest).operator = "somebody else".to_owned();
    let ballot = cluster.ballot(honest, replica, formula, truth(0));
    assert!(matches!(cluster.cast(ballot), Err(Rejected::Domain { .. })));
    assert!(cluster.verdicts.is_empty());
    assert!(
        cluster.machine.job(JOB).and_then(|job| job.tally(0)).is_some_and(|tally| tally.ballots().is_empty())
    );
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
fn workers_that_left_are_forgotten_when_too_many_are_known() {
    let mut machine = verdict::Machine::new(
        verdict::Config { workers_known_max: 10, ..verdict::Config::default() },
        [0; 32],
    );
    for number in 0..1000_u16 {
        let mut seed = [0; 32];
        seed[..2].copy_from_slice(&number.to_le_bytes());
        let worker = protocol::identity::SecretKey::from_seed(&seed).node_id();
        let joined = Input::WorkerJoined {
            worker,
            operator: "x".to_owned(),
            engines: vec![protocol::message::EngineIntroduction {
                engine: Engine::Cpu,
                device: String::new(),
            }],
            slots: 1,
            resumes: Vec::new(),
        };
        machine.handle(joined, 0).expect("joining is always possible");
        machine.handle(Input::WorkerLost { worker }, 0).expect("it had joined");
    }
    assert!(machine.workers().count() <= 10);
}
