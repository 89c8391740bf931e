//! Adaptive replication against workers that conspire: who checks is drawn and cannot be arranged, a lie whose check comes to
//! nothing costs the trust all the same, taking an answer back hides nothing, and a check that hangs costs no memory.

use std::collections::BTreeMap;

use protocol::{
    ballot::ReplicaId,
    constant::Formula,
    domain::Engine,
    identity::NodeId,
    ledger::Record,
    policy::{PolicyDraft, Ways},
    report::JobState,
    verdict::Verdict,
};
use verdict::Input;

use super::adaptive::{adaptive, credit};
use super::cluster::{Behaviour, Cluster, JOB, lie, truth};

fn lease_of(cluster: &Cluster, worker: NodeId) -> ReplicaId {
    let last = cluster.leases.iter().rev().find(|(id, ..)| *id == worker);
    last.expect("it was leased a task").1
}

fn says_lie(cluster: &mut Cluster, worker: NodeId, replica: ReplicaId) {
    let formula = cluster.leases.iter().find(|(_, leased, _)| *leased == replica).expect("leased").2;
    let ballot = cluster.ballot(worker, replica, formula, lie(replica.index, 1));
    cluster.cast(ballot).expect("it was leased the task");
}

/// Earns a worker so much trust by honest answers.
fn earn(cluster: &mut Cluster, worker: NodeId, needed: u64) {
    while credit(cluster, worker) < needed {
        assert!(cluster.deliver_one(), "it earns its trust");
    }
}

#[test]
fn whoever_gave_a_lease_up_cannot_second_the_lie_of_whoever_is_leased_the_task_next() {
    let mut cluster = Cluster::new(false, 1);
    let accomplice = cluster.add("a", Behaviour::Silent);
    cluster.submit(adaptive(), 1);
    let first = lease_of(&cluster, accomplice);
    let reason = "not now".to_owned();
    cluster.tell(Input::ReplicaFailed { worker: accomplice, replica: first, reason }).expect("its lease");
    let liar = cluster.add("b", Behaviour::Silent);
    let second = lease_of(&cluster, liar);
    says_lie(&mut cluster, liar, second);
    says_lie(&mut cluster, accomplice, first);
    assert_eq!(cluster.verdicts, BTreeMap::new(), "no one was asked to check it yet");
    assert!(cluster.cancelled.contains(&first), "nobody waits for its answer");
    for _ in 0..4 {
        cluster.add("c", Behaviour::Honest);
    }
    cluster.run_until_idle();
    assert_eq!(cluster.verdicts, BTreeMap::from([(0, Verdict::Accepted(truth(0)))]));
}

#[test]
fn whoever_holds_answers_back_to_have_room_first_is_no_likelier_to_check_the_lie_of_a_friend() {
    let mut seconded = 0;
    for seed in 0..30 {
        let mut cluster = Cluster::new(false, seed);
        let [liar, helper] = ["a", "b"].map(|operator| cluster.add(operator, Behaviour::Silent));
        for number in 0..8 {
            cluster.add(&format!("operator {number}"), Behaviour::Honest);
        }
        // Everybody has as much as it can take; the helper has its answers ready.
        cluster.submit(adaptive(), 10_000);
        let lied_on = lease_of(&cluster, liar);
        says_lie(&mut cluster, liar, lied_on);
        let held: Vec<_> = cluster.leases.iter().filter(|(id, ..)| *id == helper).copied().collect();
        for (_, replica, formula) in held {
            let ballot = cluster.ballot(helper, replica, formula, truth(replica.index));
            cluster.cast(ballot).expect("it was leased the task");
        }
        let has_it =
            |(id, replica, _): &(NodeId, ReplicaId, Formula)| *id == helper && replica.index == lied_on.index;
        seconded += u32::from(cluster.leases.iter().any(has_it));
    }
    // One of nine could have been drawn, each as likely as the others.
    assert!(seconded <= 9, "the helper checks {seconded} of 30");
}

#[test]
fn a_check_does_not_wait_for_workers_that_were_drawn_and_find_no_time() {
    for seed in 0..5 {
        let mut cluster = Cluster::new(false, seed);
        let author = cluster.add("a", Behaviour::Silent);
        for number in 0..6 {
            cluster.add(&format!("operator {number}"), Behaviour::Silent);
        }
        cluster.submit(adaptive(), 1000);
        let honest = cluster.add("h", Behaviour::Honest);
        let answered = lease_of(&cluster, author);
        let formula = cluster.leases.iter().find(|(_, leased, _)| *leased == answered).expect("leased").2;
        let ballot = cluster.ballot(author, answered, formula, truth(answered.index));
        cluster.cast(ballot).expect("it was leased the task");
        for _ in 0..10 {
            cluster.run_until_idle();
            cluster.pass_ms(1000);
        }
        cluster.run_until_idle();
        let has_it = |(id, replica, _): &(NodeId, ReplicaId, Formula)| {
            *id == honest && replica.index == answered.index
        };
        assert!(cluster.leases.iter().any(has_it), "seed {seed}");
    }
}

#[test]
fn whoever_was_cut_off_before_the_first_answer_is_no_check_of_it_when_it_comes_back() {
    let mut cluster = Cluster::new(false, 1);
    let accomplice = cluster.add("a", Behaviour::Silent);
    cluster.submit(adaptive(), 1);
    let first = lease_of(&cluster, accomplice);
    cluster.lose(accomplice);
    let liar = cluster.add("b", Behaviour::Silent);
    let second = lease_of(&cluster, liar);
    says_lie(&mut cluster, liar, second);
    cluster.join_with(accomplice, vec![first]);
    assert!(cluster.cancelled.contains(&first), "it keeps no lease from before");
    says_lie(&mut cluster, accomplice, first);
    assert_eq!(cluster.verdicts, BTreeMap::new(), "it was asked before there was anything to check");
}

#[test]
fn a_dispute_that_nobody_wins_costs_its_author_the_trust_and_what_it_answered_alone() {
    let mut reopened_in_all = 0;
    for seed in 0..10 {
        // Two honest workers lead by one, and it takes two.
        let mut cluster = Cluster::new(true, seed);
        let workers = ["a", "b", "c"].map(|operator| cluster.add(operator, Behaviour::Honest));
        cluster.submit(adaptive(), 2000);
        earn(&mut cluster, workers[0], 100);
        cluster.worker(workers[0]).behaviour = Behaviour::Lies(1);
        while !cluster.verdicts.values().any(|verdict| *verdict == Verdict::Undecided) {
            assert!(cluster.deliver_one(), "its lie is checked some day");
        }
        let disputed = cluster.records.iter().rev().find_map(|entry| match &entry.record {
            Record::Decided(decided) if decided.disputed => Some(decided.clone()),
            _ => None,
        });
        let ballots = disputed.expect("a dispute").ballots;
        let first = ballots.iter().map(|cast| &cast.ballot.ballot).min_by_key(|said| said.replica.number);
        let author = first.expect("somebody has answered").worker;
        assert_eq!(credit(&cluster, author), 0, "nobody knows whether it was right, seed {seed}");
        cluster.deliver_one();
        reopened_in_all += cluster.machine.job(JOB).expect("it is kept").answered_alone().1;
        let before = cluster.machine.standings().clone();
        cluster.crash(true);
        assert_eq!(cluster.machine.standings(), &before, "a crash changes no credit, seed {seed}");
    }
    assert!(reopened_in_all > 10, "{reopened_in_all}");
}

#[test]
fn whoever_signs_two_answers_takes_along_what_it_answered_alone_before_the_verdict_on_them() {
    let (mut reopened_in_all, mut seen) = (0, 0);
    for seed in 0..20 {
        let mut cluster = Cluster::new(false, seed);
        let workers = ["a", "b", "c", "d", "e"].map(|operator| cluster.add(operator, Behaviour::Honest));
        let turncoat = workers[0];
        cluster.submit(adaptive(), 2000);
        earn(&mut cluster, turncoat, 40);
        cluster.worker(turncoat).behaviour = Behaviour::Equivocates;
        let equivocations = |cluster: &Cluster| {
            let mut records = cluster.machine.workers();
            records.find(|(id, _)| *id == turncoat).map_or(0, |(_, record)| record.equivocations)
        };
        while equivocations(&cluster) == 0 {
            assert!(cluster.deliver_one(), "it says both some day");
        }
        let is_shut = |cluster: &Cluster| {
            let standing = cluster.machine.standing(&turncoat);
            standing.is_some_and(|standing| standing.with(Engine::Cpu).quarantine.is_some())
        };
        reopened_in_all += cluster.machine.job(JOB).expect("it is kept").answered_alone().1;
        let told = cluster.records.len();
        while !is_shut(&cluster) && cluster.deliver_one() {}
        for entry in &cluster.records[told..] {
            let Record::Decided(decided) = &entry.record else { continue };
            let alone = decided.ballots.len() == 1 && decided.ballots[0].ballot.ballot.worker == turncoat;
            assert!(!alone, "task {} rests on it alone, seed {seed}", decided.index);
            seen += 1;
        }
        cluster.run();
        assert_eq!(cluster.over, Some(JobState::Reconciled));
        assert!(cluster.verdicts.iter().all(|(index, it)| *it == Verdict::Accepted(truth(*index))));
    }
    assert!(reopened_in_all > 10, "{reopened_in_all}");
    assert!(seen > 10, "{seen} verdicts between the two answers and the verdict on them");
}

#[test]
fn a_check_that_waits_for_more_workers_keeps_no_more_than_so_many_answers_waiting() {
    const TASKS: u64 = 30_000;
    let mut cluster = Cluster::new(false, 3);
    let workers = ["a", "b", "c"].map(|operator| cluster.add(operator, Behaviour::Honest));
    cluster.submit(adaptive(), TASKS);
    earn(&mut cluster, workers[0], 500);
    let disputes = |cluster: &Cluster| cluster.machine.progress(JOB).map_or(0, |progress| progress.disputes);
    cluster.worker(workers[0]).behaviour = Behaviour::Lies(1);
    while disputes(&cluster) == 0 {
        assert!(cluster.deliver_one(), "it is checked some day");
    }
    cluster.worker(workers[0]).behaviour = Behaviour::Honest;
    let mut most = 0;
    while cluster.deliver_one() {
        most = most.max(cluster.machine.job(JOB).expect("it is kept").answered_alone().0);
    }
    assert!(cluster.over.is_none(), "the dispute waits for another worker");
    assert!((1000..=3 * 4096).contains(&most), "{most} answers waited at a time");
    for operator in ["d", "e"] {
        cluster.add(operator, Behaviour::Honest);
    }
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
}

/// Whether others are asked about what was answered of a task.
fn is_wanting(cluster: &Cluster, index: u64) -> bool {
    let tally = cluster.machine.job(JOB).and_then(|job| job.tally(index)).expect("it is open");
    tally.vacant_seats() > 0 || tally.outstanding().next().is_some()
}

#[test]
fn of_what_a_worker_answered_alone_nothing_is_forgotten_when_it_is_caught() {
    let mut reopened_in_all = 0;
    for seed in 0..12 {
        let mut cluster = Cluster::new(false, seed);
        let workers = ["a", "b", "c", "d", "e"].map(|operator| cluster.add(operator, Behaviour::Honest));
        let turncoat = workers[0];
        cluster.submit(adaptive(), 3000);
        earn(&mut cluster, turncoat, 60);
        cluster.worker(turncoat).behaviour = Behaviour::Lies(1);
        let wrong = |cluster: &Cluster| {
            let standing = cluster.machine.standing(&turncoat);
            standing.map_or(0, |standing| standing.with(Engine::Cpu).total.wrong)
        };
        while wrong(&cluster) == 0 {
            assert!(cluster.deliver_one(), "it is caught some day");
        }
        let job = cluster.machine.job(JOB).expect("it is kept");
        reopened_in_all += job.answered_alone().1;
        for index in 0..3000 {
            let open = job.tally(index).filter(|tally| tally.is_open());
            if open.is_some_and(|tally| tally.ballots().contains_key(&turncoat)) {
                assert!(is_wanting(&cluster, index), "task {index} rests on a liar, seed {seed}");
            }
        }
    }
    assert!(reopened_in_all > 20, "{reopened_in_all}");
}

#[test]
fn a_check_confirms_nothing_that_was_answered_after_it_was_drawn() {
    let mut lies_in_all = 0;
    for seed in 0..20 {
        let mut cluster = Cluster::new(false, seed);
        let workers = ["a", "b", "c", "d", "e"].map(|operator| cluster.add(operator, Behaviour::Honest));
        let turncoat = workers[0];
        cluster.submit(adaptive(), 2000);
        earn(&mut cluster, turncoat, 20);
        cluster.worker(turncoat).behaviour = Behaviour::Silent;
        cluster.run_until_idle();
        let is_open = |(id, replica, _): &&(NodeId, ReplicaId, Formula)| {
            let tally = cluster.machine.job(JOB).and_then(|job| job.tally(replica.index));
            let mut out = tally.into_iter().flat_map(verdict::tally::Tally::outstanding);
            *id == turncoat && out.any(|(number, _)| number == replica.number)
        };
        let mut leases: Vec<_> = cluster.leases.iter().filter(is_open).copied().collect();
        leases.pop().expect("one is left, so that these are not the last answers of the job");
        // One right answer is checked. What follows is wrong, and is not.
        let (mut checked, mut lies) = (None, Vec::new());
        for (_, replica, formula) in leases {
            let digest = if checked.is_none() { truth(replica.index) } else { lie(replica.index, 1) };
            let ballot = cluster.ballot(turncoat, replica, formula, digest);
            cluster.cast(ballot).expect("it was leased the task");
            match (is_wanting(&cluster, replica.index), checked) {
                (true, None) => checked = Some(replica.index),
                (true, Some(_)) => break,
                (false, None) => {}
                (false, Some(_)) => lies.push(replica.index),
            }
        }
        let Some(checked) = checked else { continue };
        while !cluster.verdicts.contains_key(&checked) {
            assert!(cluster.deliver_one(), "it is checked");
        }
        assert_eq!(cluster.verdicts[&checked], Verdict::Accepted(truth(checked)));
        lies_in_all += lies.len();
        for index in lies {
            let accepted = cluster.verdicts.get(&index);
            assert_ne!(accepted, Some(&Verdict::Accepted(lie(index, 1))), "task {index}, seed {seed}");
        }
    }
    assert!(lies_in_all > 20, "{lies_in_all}");
}

#[test]
fn an_answer_is_accepted_when_as_many_others_agree_as_were_to_check_it_and_not_before() {
    let draft = PolicyDraft {
        adaptive: Some(true),
        error_ppt: Some(100_000_000),
        faulty_ppm: Some(10_000),
        ..PolicyDraft::default()
    };
    let policy = draft.resolve(Ways { formulas: 2, engines: 1, audited: 1 }).expect("a policy");
    let checkers = policy.auditing.adaptive.expect("it is adaptive").check(0).checkers;
    assert_eq!(checkers, 2);
    let mut cluster = Cluster::new(false, 1);
    let author = cluster.add("a", Behaviour::Honest);
    cluster.submit(policy, 1);
    cluster.run_until_idle();
    for operator in ["b", "c"] {
        assert_eq!(cluster.verdicts, BTreeMap::new());
        cluster.add(operator, Behaviour::Honest);
        cluster.run_until_idle();
    }
    assert_eq!(cluster.verdicts, BTreeMap::from([(0, Verdict::Accepted(truth(0)))]));
    assert_eq!(credit(&cluster, author), 1);
}
