//! A coordinator that comes back from its records: whatever workers still say about its former life does no harm, and
//! workers that come and go use up nobody else's leases.

use protocol::{
    commitment::Commitment,
    ledger::Record,
    policy::{Electorate, Policy},
    verdict::Verdict,
};

use verdict::Input;

use super::cluster::{Behaviour, Cluster, JOB, salt, truth};

fn cluster(behaviours: &[Behaviour]) -> Cluster {
    let mut cluster = Cluster::new(false, 5);
    for (number, behaviour) in behaviours.iter().enumerate() {
        cluster.add(&format!("operator {number}"), *behaviour);
    }
    cluster
}

/// A worker that hears late of the crash speaks about replicas of the former life. Were their numbers given out again, an
/// honest worker could seem to change its mind about one replica.
#[test]
fn no_replica_of_a_former_life_has_the_number_of_one_that_is_leased_after_it() {
    let mut cluster = cluster(&[Behaviour::Honest; 3]);
    cluster.submit(Policy::default(), 20);
    for _ in 0..10 {
        cluster.deliver_one();
    }
    let before = cluster.leases.clone();
    cluster.crash(false);
    cluster.run();
    let after = &cluster.leases[before.len()..];
    assert!(after.len() >= 20, "open tasks are leased anew");
    for (_, replica, _) in after {
        assert!(before.iter().all(|(_, earlier, _)| earlier != replica), "{replica:?}");
    }
}

#[test]
fn a_correction_is_acknowledged_after_a_restart_and_not_owed_for_ever() {
    let mut cluster = cluster(&[Behaviour::Honest, Behaviour::Honest, Behaviour::Lies(1)]);
    let liar = cluster.workers[2].key.node_id();
    cluster.submit(Policy { replicas: 3, ..Policy::default() }, 1);
    let dissented = |cluster: &Cluster| {
        let tally = cluster.machine.job(JOB).and_then(|job| job.tally(0)).expect("it is open");
        tally.decision().is_some_and(|decision| decision.corrections.contains_key(&liar))
    };
    // The liar is heard, and its acknowledgement is not.
    while !dissented(&cluster) {
        assert!(cluster.deliver_one(), "the liar casts a ballot");
    }
    cluster.crash(true);
    cluster.run();
    assert_eq!(cluster.worker(liar).stored[&0], truth(0));
    let acknowledged =
        |record: &Record| matches!(record, Record::Corrected { worker, .. } if *worker == liar);
    assert!(cluster.records.iter().any(|entry| acknowledged(&entry.record)), "{:?}", cluster.told);
    cluster.lose(liar);
    let told = cluster.told.len();
    cluster.join(liar);
    assert_eq!(cluster.told.len(), told, "it is told once");
}

#[test]
fn a_task_of_one_seat_outlives_the_worker_that_comes_and_goes() {
    let mut cluster = cluster(&[Behaviour::Silent]);
    let flapping = cluster.workers[0].key.node_id();
    cluster.submit(Policy { electorate: Electorate::All, ..Policy::tolerating(0) }, 1);
    for _ in 0..20 {
        cluster.lose(flapping);
        cluster.join(flapping);
    }
    assert_eq!(cluster.verdicts.get(&0), None, "others may come");
    cluster.add("another", Behaviour::Honest);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

/// Sixty tasks that all three decided: what is left of them.
fn settled_cluster() -> Cluster {
    let mut cluster = cluster(&[Behaviour::Honest; 3]);
    cluster.submit(Policy { quorum: 3, ..Policy::default() }, 60);
    cluster.run();
    cluster.join(cluster.workers[0].key.node_id());
    cluster
}

#[test]
fn of_settled_tasks_no_tally_is_kept_before_a_restart_or_after_it() {
    let mut cluster = settled_cluster();
    assert_eq!(cluster.machine.sizes().tallies, 0);
    cluster.crash(true);
    cluster.run_until_idle();
    assert_eq!(cluster.machine.sizes().tallies, 0);
    let progress = cluster.machine.progress(JOB).expect("the job is known");
    assert_eq!((progress.accepted, progress.tasks), (60, 60));
    let leases = cluster.leases.len();
    cluster.add("another", Behaviour::Honest);
    cluster.run_until_idle();
    assert_eq!(cluster.leases.len(), leases, "nothing is run again");
}

#[test]
fn a_word_about_a_settled_task_is_answered_and_changes_nothing() {
    let mut cluster = settled_cluster();
    let (worker, replica, formula) = cluster.leases[7];
    let (cancelled, records) = (cluster.cancelled.len(), cluster.records.len());
    let ballot = cluster.ballot(worker, replica, formula, truth(replica.index));
    cluster.cast(ballot).expect("it is late, and no fault");
    assert_eq!(cluster.cancelled[cancelled..], [replica], "nobody waits for it");
    assert_eq!(cluster.records.len(), records);
}

#[test]
fn a_decided_task_waits_for_those_who_were_asked_and_only_as_long_as_a_lease_lasts() {
    let mut cluster = cluster(&[Behaviour::Honest, Behaviour::Honest, Behaviour::Silent]);
    cluster.submit(Policy::default(), 1);
    cluster.run_until_idle();
    assert!(cluster.over.is_some());
    assert_eq!(cluster.machine.sizes().tallies, 1, "the third may have lied, and would be corrected");
    cluster.pass_ms(Policy::default().lease_ms + 1);
    cluster.join(cluster.workers[0].key.node_id());
    assert_eq!(cluster.machine.sizes().tallies, 0);
    assert_eq!(cluster.machine.next_timeout_ms(), None);
}

/// Commitments are not written down: they bind worker and replica, and no replica of a former life is leased again. So
/// whoever had committed is asked anew, whenever the crash comes, and what it still says of its old commitment is refused
/// without harm.
#[test]
fn a_commitment_that_a_crash_has_lost_costs_an_honest_worker_nothing() {
    for delivered in 0..12 {
        let mut cluster = cluster(&[Behaviour::Honest; 3]);
        cluster.submit(Policy { sealed: true, quorum: 3, ..Policy::default() }, 2);
        for _ in 0..delivered {
            cluster.deliver_one();
        }
        let before = cluster.leases.clone();
        let decided = cluster.verdicts.clone();
        cluster.crash(false);
        for (worker, replica, formula) in before {
            let ballot = cluster.ballot(worker, replica, formula, truth(replica.index));
            let commitment = Commitment::to(&ballot.ballot, &salt(replica));
            let repeated = cluster.tell(Input::Committed { worker, replica, commitment });
            assert!(repeated.is_err(), "{repeated:?}");
            let cancelled = cluster.cancelled.len();
            cluster.join_with(worker, vec![replica]);
            assert!(cluster.cancelled[cancelled..].contains(&replica), "it need not keep the envelope");
        }
        cluster.run();
        assert!(cluster.faults.is_empty(), "after {delivered}: {:?}", cluster.faults);
        for index in 0..2 {
            assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)), "after {delivered}");
        }
        let votes = cluster.voters().count();
        assert_eq!(votes, 6, "each of the three votes on each of the two tasks, {} before", decided.len());
    }
}

/// Whoever overheard a commitment before the crash, or made one itself, may be the first to say it after it. It opens to
/// no ballot of this life.
#[test]
fn a_commitment_of_a_former_life_that_is_copied_or_used_again_is_rejected_after_a_restart() {
    for copies in [true, false] {
        let mut cluster = cluster(&[Behaviour::Honest, Behaviour::Honest, Behaviour::Silent]);
        let (honest, copier) = (cluster.workers[0].key.node_id(), cluster.workers[2].key.node_id());
        cluster.submit(Policy { sealed: true, ..Policy::default() }, 1);
        let source = if copies { honest } else { copier };
        let lease_of = |cluster: &Cluster, id| {
            *cluster.leases.iter().rfind(|(worker, ..)| *worker == id).expect("it was asked")
        };
        let (_, old, formula) = lease_of(&cluster, source);
        let ballot = cluster.ballot(source, old, formula, truth(0));
        let commitment = Commitment::to(&ballot.ballot, &salt(old));
        let committed = |worker, replica| Input::Committed { worker, replica, commitment };
        cluster.tell(committed(source, old)).expect("it is the first");
        cluster.crash(false);
        let (_, replica, formula) = lease_of(&cluster, copier);
        cluster.tell(committed(copier, replica)).expect("nobody knows yet that it opens to nothing");
        while cluster.reveals.is_empty() {
            assert!(cluster.deliver_one(), "all commit");
        }
        let revealed = cluster.ballot(copier, replica, formula, truth(0));
        for salt in [salt(old), salt(replica)] {
            let ballot = revealed.clone().authenticate().expect("signed");
            // The first one breaks the seal, and the second one is no second chance.
            let _ = cluster.tell(Input::BallotRevealed { ballot, salt, outcome_held: false, compute_us: 1 });
        }
        assert!(matches!(cluster.faults[..], [(worker, _)] if worker == copier), "{:?}", cluster.faults);
        cluster.run_until_idle();
        assert!(cluster.voters().all(|voter| voter != copier), "copies: {copies}");
        assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
        let voters: Vec<_> = cluster.voters().collect();
        assert!(voters.contains(&honest) && voters.len() == 2, "the honest ones have their votes");
    }
}
