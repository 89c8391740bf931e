//! Sealed votes: nothing is revealed before the commitments are in, and what was not committed to does not count.

use proptest::prelude::*;
use protocol::{
    commitment::Commitment,
    domain::Engine,
    identity::NodeId,
    ledger::Record,
    policy::Policy,
    report::JobState,
    standing::{BrokenSeal, QuarantineReason},
    verdict::Verdict,
};
use verdict::{Input, Rejected, SealFault, liveness::Rhythm, tally::State};

use super::cluster::{Behaviour, Cluster, JOB, lie, salt, truth};

fn sealed() -> Policy {
    Policy { sealed: true, ..Policy::default() }
}

#[test]
fn nobody_is_asked_to_reveal_before_every_seat_has_committed() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Honest);
    }
    cluster.submit(sealed(), 1);
    for _ in 0..2 {
        cluster.deliver_one();
        assert!(cluster.reveals.is_empty());
    }
    cluster.deliver_one();
    assert_eq!(cluster.reveals.len(), 3, "the third commitment opens all");
    assert!(cluster.verdicts.is_empty(), "a commitment is no ballot");
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    let certificate = cluster.certificates.get(&0).expect("accepted").clone();
    assert_eq!(certificate.verify(2), Ok(()), "a sealed verdict is proven like any other");
}

#[test]
fn a_worker_that_never_commits_is_waited_for_until_its_lease_ends_and_no_longer() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Honest);
    cluster.add("b", Behaviour::Honest);
    cluster.add("c", Behaviour::Silent);
    cluster.submit(sealed(), 1);
    while cluster.deliver_one() {}
    assert!(cluster.reveals.is_empty());
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
    assert_eq!(cluster.now_ms, Policy::default().lease_ms);
}

#[test]
fn a_worker_that_computes_for_ever_and_says_so_delays_the_others_by_one_lease() {
    let mut cluster = Cluster::new(false, 1);
    let staller = cluster.add("c", Behaviour::Silent);
    cluster.add("a", Behaviour::Honest);
    cluster.add("b", Behaviour::Honest);
    cluster.submit(sealed(), 1);
    let (_, replica, _) =
        *cluster.leases.iter().find(|(worker, ..)| *worker == staller).expect("it was asked");
    while cluster.deliver_one() {}
    for _ in 0..70 {
        cluster
            .tell(Input::Heartbeat { worker: staller, under_way: vec![(replica, 1)] })
            .expect("a heartbeat is welcome");
        cluster.pass_ms(1_000);
    }
    while cluster.deliver_one() {}
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
    assert_eq!(cluster.reveals[0].0, Policy::default().lease_ms);
}

#[test]
fn a_worker_that_commits_and_never_reveals_loses_its_seat_and_the_task_goes_on() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::CommitsOnly);
    cluster.add("b", Behaviour::Lies(1));
    cluster.add("c", Behaviour::Honest);
    cluster.add("d", Behaviour::Honest);
    cluster.submit(sealed(), 1);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn the_seats_of_a_dispute_commit_again() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Lies(1));
    cluster.add("b", Behaviour::Honest);
    cluster.submit(Policy { replicas: 2, ..sealed() }, 1);
    cluster.run();
    assert_eq!(cluster.reveals.len(), 2);
    cluster.add("c", Behaviour::Honest);
    assert_eq!(cluster.reveals.len(), 2, "the third one computes and commits like the first two");
    cluster.run();
    assert_eq!(cluster.reveals.len(), 3);
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn a_broken_seal_is_counted_and_costs_the_vote() {
    for (behaviour, expected) in [
        (Behaviour::Replays, SealFault::Replayed),
        (Behaviour::Copies, SealFault::Copied),
        (Behaviour::ChangesItsMind, SealFault::Mismatch),
        (Behaviour::CastsOpenly, SealFault::Unsealed),
    ] {
        let mut found = 0;
        for seed in 0..20 {
            let mut cluster = Cluster::new(false, seed);
            for operator in ["a", "b", "c"] {
                cluster.add(operator, Behaviour::Honest);
            }
            let bad = cluster.add("d", behaviour);
            cluster.submit(Policy { quorum: 3, replicas: 4, ..sealed() }, 3);
            cluster.run();
            assert_eq!(cluster.over, Some(JobState::Reconciled));
            found += cluster.faults.len();
            let is_expected = |fault: &SealFault| {
                // Which of two equal commitments arrives first decides what is found out: that a later one is used
                // before, or that the first one does not open.
                let other = [SealFault::Mismatch, SealFault::Replayed].contains(fault);
                *fault == expected || [Behaviour::Copies, Behaviour::Replays].contains(&behaviour) && other
            };
            let faults = &cluster.faults;
            assert!(
                faults.iter().all(|(worker, fault)| *worker == bad && is_expected(fault)),
                "{behaviour:?}, seed {seed}: {faults:?}, of {bad:?}"
            );
            let (_, record) = cluster.machine.workers().find(|(id, _)| *id == bad).expect("known");
            assert_eq!(record.broken_seals, cluster.faults.len() as u64);
            for index in 0..3 {
                assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)));
            }
            let broken = cluster.machine.job(JOB).expect("known").broken_seals();
            assert_eq!(broken.values().sum::<u64>(), cluster.faults.len() as u64);
            let votes = cluster.voters().filter(|voter| *voter == bad).count();
            assert!(votes + cluster.faults.len() <= 3, "no vote with a broken seal");
        }
        // In some worlds the three others have decided before it is asked for anything.
        assert!(found > 0, "{behaviour:?}");
    }
}

#[test]
fn two_different_ballots_for_one_sealed_replica_are_still_proof_of_equivocation() {
    let mut in_time = 0;
    for seed in 0..20 {
        let mut cluster = Cluster::new(false, seed);
        let two_faced = cluster.add("a", Behaviour::Equivocates);
        cluster.add("b", Behaviour::Honest);
        cluster.add("c", Behaviour::Lies(1));
        cluster.submit(sealed(), 1);
        while cluster.deliver_one() {}
        // Where all had voted and the liar was corrected before the second ballot came, nobody waited for it.
        let Some(tally) = cluster.machine.job(JOB).and_then(|job| job.tally(0)) else { continue };
        assert!(
            tally.equivocations().contains_key(&two_faced) || tally.broken_seals().contains_key(&two_faced),
            "either ballot may come first"
        );
        // A verdict that was there before the second ballot stands on the first; otherwise neither counts.
        assert!(tally.decision().is_some() || !tally.ballots().contains_key(&two_faced));
        in_time += u32::from(tally.decision().is_none());
    }
    assert!(in_time > 0);
}

#[test]
fn a_ballot_that_is_revealed_before_anybody_asked_changes_nothing() {
    let mut cluster = Cluster::new(false, 1);
    let hasty = cluster.add("a", Behaviour::Silent);
    cluster.add("b", Behaviour::Silent);
    cluster.submit(sealed(), 1);
    let (_, replica, formula) = cluster.leases[0];
    let ballot = cluster.ballot(hasty, replica, formula, truth(0));
    let commitment = Commitment::to(&ballot.ballot, &salt(replica));
    cluster.tell(Input::Committed { worker: hasty, replica, commitment }).expect("its lease is out");
    let ballot = ballot.authenticate().expect("signed");
    let revealed = Input::BallotRevealed { ballot, salt: salt(replica), outcome_held: false, compute_us: 1 };
    assert_eq!(cluster.tell(revealed), Err(Rejected::Premature { worker: hasty, index: 0 }));
    let tally = cluster.machine.job(JOB).and_then(|job| job.tally(0)).expect("opened");
    assert_eq!((tally.ballots().len(), tally.state()), (0, &State::Collecting));
}

#[test]
fn a_task_that_is_not_sealed_takes_no_commitment() {
    let mut cluster = Cluster::new(false, 1);
    let worker = cluster.add("a", Behaviour::Silent);
    cluster.submit(Policy::default(), 1);
    let (_, replica, _) = cluster.leases[0];
    let commitment = Commitment(lie(0, 0));
    let refused = cluster.tell(Input::Committed { worker, replica, commitment });
    assert_eq!(refused, Err(Rejected::NotSealed { worker, index: 0 }));
}

#[test]
fn a_worker_that_comes_back_between_commitment_and_reveal_is_asked_again() {
    for resumes in [true, false] {
        let mut cluster = Cluster::new(false, 1);
        let wanderer = cluster.add("a", Behaviour::Honest);
        cluster.submit(sealed(), 1);
        while cluster.deliver_one() {}
        let (_, replica, formula) = cluster.leases[0];
        let ballot = cluster.ballot(wanderer, replica, formula, truth(0));
        let commitment = Commitment::to(&ballot.ballot, &salt(replica));
        cluster.lose(wanderer);
        cluster.add("b", Behaviour::Honest);
        // With its state it names what it resumes, and says again what nobody acknowledged; without, it is asked anew.
        cluster.join_with(wanderer, if resumes { vec![replica] } else { vec![] });
        if resumes {
            cluster.tell(Input::Committed { worker: wanderer, replica, commitment }).expect("it is known");
        }
        cluster.run();
        assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
        let leased = cluster.leases.iter().filter(|(worker, ..)| *worker == wanderer).count();
        assert_eq!(leased, if resumes { 1 } else { 2 });
        assert!(cluster.faults.is_empty(), "{:?}", cluster.faults);
    }
}

#[test]
fn a_committed_task_keeps_no_worker_from_the_next_one() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b"] {
        cluster.add(operator, Behaviour::Honest);
    }
    let slow = cluster.add("c", Behaviour::Silent);
    cluster.submit(sealed(), 200);
    while cluster.deliver_one() {}
    let of_slow = cluster.leases.iter().filter(|(worker, ..)| *worker == slow).count();
    let tasks: std::collections::BTreeSet<u64> =
        cluster.leases.iter().map(|(_, replica, _)| replica.index).collect();
    assert!(tasks.len() > of_slow, "the others went on with {} tasks", tasks.len());
}

fn faulty() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        Just(Behaviour::Lies(1)),
        Just(Behaviour::Lies(1)),
        Just(Behaviour::Silent),
        Just(Behaviour::Equivocates),
        Just(Behaviour::Fails),
        Just(Behaviour::Replays),
        Just(Behaviour::Copies),
        Just(Behaviour::CommitsOnly),
        Just(Behaviour::ChangesItsMind),
        Just(Behaviour::CastsOpenly),
    ]
}

proptest! {
    /// Sealing keeps what the vote guarantees, under faults of its own, repeated and reordered messages and workers that
    /// come and go; and every round is revealed only when no seat computes, or the time of a lease has passed.
    #[test]
    fn a_sealed_vote_is_as_safe_and_as_live_as_an_open_one(
        faults in (1usize..=3).prop_flat_map(|f| (Just(f), prop::collection::vec(faulty(), 0..=f))),
        tasks in 1u64..6,
        steps in prop::collection::vec((0u8..8, any::<u8>()), 0..60),
        watched in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let (tolerate, behaviours) = faults;
        let mut cluster = Cluster::with_rhythm(false, seed, watched.then(Rhythm::default));
        let mut ids = Vec::new();
        for number in 0..=2 * tolerate {
            let behaviour = behaviours.get(number).copied().unwrap_or(Behaviour::Honest);
            ids.push(cluster.add(&format!("operator {number}"), behaviour));
        }
        let policy = Policy { sealed: true, ..Policy::tolerating(u32::try_from(tolerate).expect("small")) };
        cluster.submit(policy, tasks);
        for (step, pick) in steps {
            match step {
                0 => {
                    let id = ids[usize::from(pick) % ids.len()];
                    cluster.lose(id);
                    cluster.join(id);
                }
                1 => cluster.repeat_one(),
                _ => drop(cluster.deliver_one()),
            }
        }
        cluster.run();
        prop_assert_eq!(cluster.over, Some(JobState::Reconciled));
        for index in 0..tasks {
            prop_assert_eq!(&cluster.verdicts[&index], &Verdict::Accepted(truth(index)));
            let certificate = cluster.certificates.get(&index).expect("accepted").clone();
            prop_assert_eq!(certificate.verify(certificate.quorum), Ok(()));
        }
        for (worker, fault) in &cluster.faults {
            let at = ids.iter().position(|id| id == worker).expect("one of ours");
            prop_assert!(at < behaviours.len(), "an honest worker is said to have broken a seal: {fault}");
        }
    }
}

/// What is written down when one of four workers votes so on sealed tasks.
fn records_of(behaviour: Behaviour) -> (Cluster, NodeId) {
    let mut cluster = Cluster::new(false, 3);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Honest);
    }
    let faulty = cluster.add("d", behaviour);
    cluster.submit(Policy { quorum: 3, replicas: 4, ..sealed() }, 30);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    (cluster, faulty)
}

#[test]
fn a_ballot_that_is_not_what_was_committed_to_is_written_down_with_its_proof_and_ends_the_leases() {
    for behaviour in [Behaviour::ChangesItsMind, Behaviour::Copies] {
        let (mut cluster, faulty) = records_of(behaviour);
        let broken: Vec<&BrokenSeal> = cluster
            .records
            .iter()
            .filter_map(|entry| match &entry.record {
                Record::SealBroken(broken) => Some(&**broken),
                _ => None,
            })
            .collect();
        assert!(!broken.is_empty(), "{behaviour:?}");
        for seal in &broken {
            assert_eq!(seal.ballot.ballot.worker, faulty);
            assert!(!seal.is_whole() && seal.ballot.is_authentic());
        }
        let out: Vec<_> = cluster
            .records
            .iter()
            .filter_map(|entry| match &entry.record {
                Record::Quarantined(quarantined) => Some(quarantined.clone()),
                _ => None,
            })
            .collect();
        assert!(out.iter().all(|it| (it.worker, it.reason) == (faulty, QuarantineReason::BrokeSeal)));
        assert_eq!(out.iter().map(|it| it.engine).collect::<Vec<_>>()[..2], [Engine::Cpu, Engine::Gpu]);
        let count = broken.len() as u64;
        let seals = |cluster: &Cluster| {
            let standing = cluster.machine.standing(&faulty).expect("it is known");
            standing.with(Engine::Cpu).broken_seals
        };
        assert_eq!(seals(&cluster), count);
        let before = cluster.machine.standings().clone();
        cluster.crash(true);
        assert_eq!((cluster.machine.standings(), seals(&cluster)), (&before, count));
        let job = cluster.machine.job(JOB).expect("it is known");
        assert_eq!(job.broken_seals().get(&faulty), Some(&count), "the report tells it after a restart");
    }
}

#[test]
fn an_envelope_that_is_never_opened_or_was_none_says_nothing_about_standing() {
    for behaviour in [Behaviour::CommitsOnly, Behaviour::CastsOpenly, Behaviour::Silent] {
        let (cluster, faulty) = records_of(behaviour);
        let is_told = |record: &Record| matches!(record, Record::SealBroken(_) | Record::Quarantined(_));
        assert!(!cluster.records.iter().any(|entry| is_told(&entry.record)), "{behaviour:?}");
        let record = cluster.machine.standing(&faulty).map(|standing| *standing.with(Engine::Cpu));
        assert!(record.is_none_or(|record| record.broken_seals == 0 && record.total.wrong == 0));
    }
}
