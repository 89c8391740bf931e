//! Audits, seen from outside: what passes is accepted, what fails gives way, and whoever lies about it changes nothing.

use proptest::prelude::*;
use protocol::{
    ballot::Ballot,
    constant::Formula,
    domain::{Axis, Engine},
    identity::NodeId,
    ledger::Record,
    message::AuditOrder,
    policy::{Auditing, Mode, Policy},
    report::JobState,
    verdict::Verdict,
};
use verdict::{Input, Rejected, tally::Issued};

use crate::cluster::{AsAuditor, Behaviour, Cluster, JOB, lie, truth};

fn audited() -> Policy {
    Policy { auditing: Auditing { mode: Mode::Audited, ..Auditing::default() }, ..Policy::default() }
}

fn replicated_and_audited(audit: u32) -> Policy {
    Policy { auditing: Auditing { audit, ..Auditing::default() }, ..Policy::default() }
}

/// The ballots of those who computed, as they were recorded with the first verdict.
fn computed(cluster: &Cluster) -> Vec<Ballot> {
    let decided = cluster.records.iter().find_map(|entry| match &entry.record {
        Record::Decided(decided) => Some(decided),
        _ => None,
    });
    decided.expect("a verdict").ballots.iter().map(|counted| counted.ballot.ballot.clone()).collect()
}

#[test]
fn one_computes_and_another_audits_and_the_certificate_has_the_quorum() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Honest);
    }
    cluster.submit(audited(), 4);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    for index in 0..4 {
        assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)));
        let certificate = &cluster.certificates[&index];
        assert_eq!(certificate.winning.len(), 2);
        let audits = certificate.winning.iter().filter(|signed| signed.ballot.audit.is_some());
        assert_eq!(audits.count(), 1);
        certificate.verify(2).expect("two workers signed for the digest");
    }
    let computing = cluster.leases.iter().filter(|(_, _, formula)| *formula != Formula::Audit);
    assert_eq!(computing.count(), 4, "each task is computed once");
    assert_eq!(cluster.audits.len(), 4, "and audited once");
}

#[test]
fn sums_of_series_are_audited_by_graphics_processors_too() {
    let mut cluster = Cluster::new(false, 1);
    cluster.engines = &[Engine::Cpu];
    let prover = cluster.add("a", Behaviour::Honest);
    let auditors = ["b", "c"].map(|operator| cluster.add_with(operator, Behaviour::Honest, Engine::Gpu));
    cluster.submit(audited(), 4);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    assert!(cluster.audits.iter().all(|(auditor, of)| auditors.contains(auditor) && *of == prover));
    for certificate in cluster.certificates.values() {
        certificate.verify(2).expect("a good certificate");
        let audits = certificate.winning.iter().filter(|signed| signed.ballot.audit.is_some());
        assert!(audits.clone().all(|signed| signed.ballot.domain.engine == Engine::Gpu));
        assert_eq!(audits.count(), 1);
    }
}

#[test]
fn only_formulas_whose_outcome_can_be_audited_are_asked_for() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Honest);
    }
    cluster.submit(audited(), 8);
    cluster.run();
    let other = |(_, _, formula): &&(NodeId, _, Formula)| {
        !matches!(formula, Formula::Audit | Formula::FactorialSeries)
    };
    assert_eq!(cluster.leases.iter().find(other), None);
}

#[test]
fn a_lone_worker_that_is_wrong_is_rejected_by_two_and_corrected() {
    for seed in 0..20 {
        let mut cluster = Cluster::new(false, seed);
        let liar = cluster.add("a", Behaviour::Lies(1));
        for operator in ["b", "c", "d"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(audited(), 6);
        cluster.run();
        assert_eq!(cluster.over, Some(JobState::Reconciled));
        for index in 0..6 {
            assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)), "seed {seed}");
            cluster.certificates[&index].verify(2).expect("a good certificate");
        }
        assert!(cluster.worker(liar).stored.iter().all(|(index, digest)| *digest == truth(*index)));
    }
}

#[test]
fn three_workers_that_agree_on_a_wrong_value_are_overturned_by_audits_and_a_fourth_is_right() {
    for seed in 0..50 {
        let mut cluster = Cluster::new(false, seed);
        let broken = ["a", "b", "c"].map(|operator| cluster.add(operator, Behaviour::Lies(1)));
        cluster.submit(replicated_and_audited(1), 1);
        // The fourth comes when the three have agreed.
        cluster.run_until_idle();
        assert_eq!(cluster.verdicts.get(&0), None, "an audit comes before the verdict");
        let right = cluster.add("d", Behaviour::Honest);
        cluster.run();
        assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)), "seed {seed}");
        assert_eq!(cluster.over, Some(JobState::Reconciled));
        let certificate = &cluster.certificates[&0];
        certificate.verify(2).expect("the majority that fails counts for nothing");
        assert!(certificate.winning.iter().any(|signed| signed.ballot.worker == right));
        for worker in broken {
            assert_eq!(
                cluster.worker(worker).stored.get(&0),
                Some(&truth(0)),
                "everybody wrong is corrected"
            );
        }
    }
}

#[test]
fn without_audits_the_same_three_would_have_been_believed() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Lies(1));
    }
    cluster.submit(Policy::default(), 1);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(lie(0, 1)));
}

#[test]
fn an_auditor_that_lies_can_neither_overturn_a_right_value_nor_carry_a_wrong_one() {
    for (seed, auditing) in (0..40).zip([AsAuditor::RejectsAll, AsAuditor::PassesAll].into_iter().cycle()) {
        let mut cluster = Cluster::new(false, seed);
        let auditor = cluster.add("m", Behaviour::Honest);
        cluster.worker(auditor).auditing = auditing;
        for operator in ["a", "b", "c", "d"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(audited(), 5);
        cluster.run();
        for index in 0..5 {
            assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)), "seed {seed}");
        }
    }
}

#[test]
fn an_auditor_that_says_both_is_proven_to_and_its_audit_counts_for_nothing() {
    for seed in 0..20 {
        let mut cluster = Cluster::new(false, seed);
        let auditor = cluster.add("m", Behaviour::Honest);
        cluster.worker(auditor).auditing = AsAuditor::SaysBoth;
        for operator in ["a", "b", "c"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(audited(), 3);
        cluster.run();
        assert_eq!(cluster.over, Some(JobState::Reconciled));
        for index in 0..3 {
            assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)));
        }
    }
}

#[test]
fn a_right_value_with_a_bad_proof_is_accepted_from_somebody_else() {
    for behaviour in [Behaviour::GivesBadWitness, Behaviour::WithholdsEvidence] {
        for seed in 0..20 {
            let mut cluster = Cluster::new(false, seed);
            cluster.add("m", behaviour);
            for operator in ["a", "b", "c"] {
                cluster.add(operator, Behaviour::Honest);
            }
            cluster.submit(audited(), 4);
            cluster.run();
            for index in 0..4 {
                assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)), "{behaviour:?} {seed}");
            }
        }
    }
}

#[test]
fn auditors_are_taken_from_outside_the_electorate_while_there_are_any() {
    for seed in 0..20 {
        let mut cluster = Cluster::new(false, seed);
        for operator in ["a", "b", "c", "d", "e"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(Policy { quorum: 3, ..replicated_and_audited(1) }, 5);
        cluster.run();
        for index in 0..5 {
            assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)));
            let certificate = &cluster.certificates[&index];
            let audits = certificate.winning.iter().filter(|signed| signed.ballot.audit.is_some());
            assert_eq!(audits.count(), 1, "seed {seed}: by somebody who had not computed");
        }
    }
}

#[test]
fn where_everybody_has_computed_they_audit_each_other() {
    for closed in [false, true] {
        let mut cluster = Cluster::new(closed, 3);
        for operator in ["a", "b", "c"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(Policy { quorum: 3, ..replicated_and_audited(2) }, 3);
        cluster.run();
        assert_eq!(cluster.over, Some(JobState::Reconciled), "closed: {closed}");
        for (auditor, prover) in &cluster.audits {
            assert_ne!(auditor, prover, "nobody vouches for itself");
        }
    }
}

#[test]
fn a_closed_cluster_with_nobody_left_to_audit_says_undecided_and_not_accepted() {
    let mut cluster = Cluster::new(true, 1);
    cluster.add("a", Behaviour::Honest);
    cluster.submit(audited(), 1);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Undecided);
    assert_eq!(cluster.over, Some(JobState::Incomplete));
}

#[test]
fn an_auditor_of_the_prover_s_own_operator_is_not_asked_where_operators_must_differ() {
    let mut cluster = Cluster::new(false, 1);
    for _ in 0..3 {
        cluster.add("a", Behaviour::Honest);
    }
    cluster.submit(Policy { distinct: vec![Axis::Operator], ..audited() }, 1);
    cluster.run_until_idle();
    assert_eq!(cluster.verdicts.get(&0), None);
    let waiting = cluster.waiting().expect("it waits");
    assert!(waiting.contains("another operator"), "{waiting}");
    cluster.add("b", Behaviour::Honest);
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn an_auditor_that_answers_with_a_value_or_about_another_outcome_is_refused() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Honest);
    let silent = cluster.add("b", Behaviour::Silent);
    cluster.submit(audited(), 1);
    cluster.run_until_idle();
    let (_, replica, _) = *cluster
        .leases
        .iter()
        .find(|(worker, _, formula)| *worker == silent && *formula == Formula::Audit)
        .expect("it is asked to audit");
    let value = cluster.ballot(silent, replica, Formula::Audit, truth(0));
    assert!(matches!(cluster.cast(value), Err(Rejected::Domain { .. })));
    let prover = cluster.audits[0].1;
    let order = AuditOrder { outcome: lie(0, 1), prover, formula: Formula::FactorialSeries };
    let other = cluster.audit_ballot(silent, replica, order, true);
    assert!(matches!(cluster.cast(other), Err(Rejected::Domain { .. })));
}

#[test]
fn verdicts_with_audits_are_as_they_were_after_a_crash() {
    for holds in [false, true] {
        let mut cluster = Cluster::new(false, 5);
        cluster.add("a", Behaviour::Lies(1));
        for operator in ["b", "c", "d"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(audited(), 1);
        cluster.run();
        let before = cluster.certificates[&0].clone();
        assert_eq!(before.winning.len(), 2);
        let ballots = computed(&cluster);
        cluster.over = None;
        cluster.crash(holds);
        let after = cluster.machine.certificate(JOB, 0);
        // A settled task is known to the ledger alone.
        if let Some(after) = after {
            assert_eq!(after.winning, before.winning);
            assert_eq!(after.rejections, before.rejections);
        }
        assert!(ballots.iter().all(|ballot| ballot.audit.is_none()));
    }
}

#[test]
fn one_worker_that_cannot_compute_a_task_leaves_it_to_another() {
    for seed in 0..10 {
        let mut cluster = Cluster::new(false, seed);
        cluster.add("m", Behaviour::Fails);
        for operator in ["a", "b"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(audited(), 3);
        cluster.run();
        for index in 0..3 {
            assert_eq!(cluster.verdicts[&index], Verdict::Accepted(truth(index)), "seed {seed}");
        }
    }
}

/// What seemed to have the majority is on trial when one of those who said it says something else as well.
#[test]
fn a_majority_that_is_lost_while_it_is_audited_is_sought_again() {
    for seed in 0..60 {
        let mut cluster = Cluster::new(false, seed);
        cluster.add("m", Behaviour::Equivocates);
        for operator in ["a", "b"] {
            cluster.add(operator, Behaviour::Honest);
        }
        let silent = cluster.add("c", Behaviour::Silent);
        cluster.submit(Policy { replicas: 4, max_replicas: 4, ..replicated_and_audited(1) }, 1);
        cluster.run_until_idle();
        cluster.lose(silent);
        cluster.add("d", Behaviour::Honest);
        cluster.run();
        assert_eq!(cluster.verdicts.get(&0), Some(&Verdict::Accepted(truth(0))), "seed {seed}");
    }
}

/// It says for ever that it is at work, and no further than before.
#[test]
fn a_worker_that_only_pretends_to_compute_or_to_audit_does_not_hold_up_a_task() {
    for (seed, policy) in (0..20).zip([audited(), replicated_and_audited(1)].into_iter().cycle()) {
        let mut cluster = Cluster::new(false, seed);
        let pretends = cluster.add("m", Behaviour::Silent);
        for operator in ["a", "b", "c"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(policy, 3);
        for _ in 0..40 {
            cluster.run_until_idle();
            let held = cluster.leases.iter().filter(|(worker, ..)| *worker == pretends);
            let under_way: Vec<_> = held.map(|(_, replica, _)| (*replica, 500)).collect();
            cluster.tell(Input::Heartbeat { worker: pretends, under_way }).expect("it is known");
            cluster.now_ms += 1000;
        }
        for index in 0..3 {
            assert_eq!(cluster.verdicts.get(&index), Some(&Verdict::Accepted(truth(index))), "seed {seed}");
        }
    }
}

/// Three compute, and two must audit whoever is chosen: the fourth, and one of the three.
#[test]
fn when_the_only_outsider_has_audited_those_who_computed_audit_each_other() {
    for seed in 0..40 {
        let mut cluster = Cluster::new(false, seed);
        for operator in ["a", "b", "c", "d"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.submit(Policy { quorum: 3, ..replicated_and_audited(2) }, 3);
        cluster.run();
        assert_eq!(cluster.over, Some(JobState::Reconciled), "seed {seed}");
    }
}

#[test]
fn when_the_last_outsider_leaves_with_its_audit_those_who_computed_audit_each_other() {
    for seed in 0..40 {
        let mut cluster = Cluster::new(false, seed);
        for operator in ["a", "b", "c"] {
            cluster.add(operator, Behaviour::Honest);
        }
        let silent = cluster.add("d", Behaviour::Silent);
        cluster.submit(Policy { quorum: 3, max_replicas: 6, ..replicated_and_audited(1) }, 1);
        cluster.run_until_idle();
        cluster.lose(silent);
        cluster.run();
        assert_eq!(cluster.verdicts.get(&0), Some(&Verdict::Accepted(truth(0))), "seed {seed}");
    }
}

/// It holds no lease of the task: nothing but its going happens to it.
#[test]
fn when_the_last_outsider_leaves_while_the_trial_waits_those_who_computed_audit_each_other() {
    let mut cluster = Cluster::new(false, 1);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Honest);
    }
    cluster.submit(Policy { quorum: 3, ..replicated_and_audited(1) }, 1);
    while cluster.machine.job(JOB).and_then(|job| job.tally(0)).is_none_or(|tally| tally.ballots().len() < 3)
    {
        assert!(cluster.deliver_one(), "three compute");
    }
    // The fourth has no room: it holds as many heavy tasks of another job as it takes at once.
    let busy = cluster.add("d", Behaviour::Silent);
    let other = protocol::job::JobId([8; 16]);
    cluster.submit_as(other, Policy { quorum: 1, replicas: 1, tolerate: 0, ..Policy::default() }, 500);
    cluster.run_until_idle();
    cluster.lose(busy);
    cluster.run();
    assert_eq!(cluster.verdicts.get(&0), Some(&Verdict::Accepted(truth(0))));
}

#[test]
fn a_worker_that_cannot_audit_does_not_keep_those_who_computed_from_it() {
    for seed in 0..40 {
        let mut cluster = Cluster::new(false, seed);
        for operator in ["a", "b", "c"] {
            cluster.add(operator, Behaviour::Honest);
        }
        cluster.add_with("d", Behaviour::Honest, Engine::Gpu);
        cluster.submit(Policy { quorum: 3, ..replicated_and_audited(1) }, 1);
        cluster.run();
        assert_eq!(cluster.verdicts.get(&0), Some(&Verdict::Accepted(truth(0))), "seed {seed}");
    }
}

#[test]
fn provers_that_were_cut_off_before_their_evidence_came_are_tried_again_when_they_are_back() {
    let mut cluster = Cluster::new(false, 1);
    let workers = ["a", "b"].map(|operator| cluster.add(operator, Behaviour::Honest));
    cluster.submit(Policy { tolerate: 0, quorum: 2, replicas: 2, max_replicas: 2, ..audited() }, 1);
    for cast in 1..=2 {
        while cluster.machine.job(JOB).and_then(|job| job.tally(0)).is_none_or(|t| t.ballots().len() < cast) {
            assert!(cluster.deliver_one(), "each computes in its turn");
        }
        let prover = cluster.leases.last().expect("it was leased").0;
        cluster.lose(prover);
        let withheld = Input::EvidenceWithheld { job: JOB, index: 0, prover };
        cluster.tell(withheld).expect("it is known");
    }
    cluster.run_until_idle();
    assert_eq!(cluster.verdicts.get(&0), None, "they may come back");
    for worker in workers {
        cluster.join(worker);
    }
    cluster.run();
    assert_eq!(cluster.verdicts.get(&0), Some(&Verdict::Accepted(truth(0))));
}

/// The processors that audit compute nothing, and each of them tests liar after liar: more often than a worker may be asked
/// to compute one task.
#[test]
fn ten_liars_in_turn_do_not_use_up_what_an_honest_worker_may_audit() {
    let mut cluster = Cluster::new(false, 2);
    cluster.engines = &[Engine::Gpu];
    for liar in 0..10 {
        cluster.add_with("m", Behaviour::Lies(liar), Engine::Gpu);
    }
    for _ in 0..12 {
        cluster.add("h", Behaviour::Honest);
    }
    cluster.submit(Policy { max_replicas: 40, ..audited_with(10) }, 1);
    cluster.run_until_idle();
    cluster.add_with("h", Behaviour::Honest, Engine::Gpu);
    cluster.run();
    assert_eq!(cluster.verdicts.get(&0), Some(&Verdict::Accepted(truth(0))));
}

fn audited_with(tolerate: u32) -> Policy {
    Policy {
        auditing: Auditing { mode: Mode::Audited, ..Auditing::default() },
        ..Policy::tolerating(tolerate)
    }
}

#[test]
fn an_auditor_whose_rejection_came_too_late_is_no_dissenter_after_a_crash() {
    let mut cluster = Cluster::new(false, 1);
    let late = cluster.add("d", Behaviour::Silent);
    for operator in ["a", "b", "c"] {
        cluster.add(operator, Behaviour::Honest);
    }
    let liar = cluster.add("e", Behaviour::Silent);
    cluster.submit(replicated_and_audited(1), 8);
    cluster.run();
    let lease = |(worker, _, formula): &&(NodeId, _, Formula)| {
        [late, liar].contains(worker) && *formula == Formula::Audit
    };
    let (worker, replica, _) =
        *cluster.leases.iter().rev().find(lease).expect("one of the silent ones is asked to audit");
    let tally =
        cluster.machine.job(JOB).and_then(|job| job.tally(replica.index)).expect("it waits for late ballots");
    let is_its = |issued: &&Issued| issued.worker == worker && issued.audit.is_some();
    let order = tally.issued().iter().find(is_its).and_then(|issued| issued.audit).expect("that audit");
    let rejection = cluster.audit_ballot(worker, replica, order, false);
    cluster.cast(rejection).expect("it was leased that audit");
    let dissents = |cluster: &Cluster| -> u64 {
        cluster.machine.workers().filter(|(id, _)| *id == worker).map(|(_, record)| record.dissents).sum()
    };
    assert_eq!(dissents(&cluster), 0);
    assert!(
        cluster.records.iter().any(|entry| matches!(entry.record, Record::Late(_))),
        "it is written down"
    );
    cluster.over = None;
    cluster.crash(false);
    assert_eq!(dissents(&cluster), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn with_at_most_f_who_lie_in_any_way_no_wrong_value_is_accepted_and_every_task_is_decided(
        seed: u64,
        tolerate in 1_u32..3,
        alone: bool,
        extra in 0_usize..3,
        lies in prop::collection::vec((0_u8..4, 0_u8..4), 2),
    ) {
        let mut cluster = Cluster::new(false, seed);
        for (computes, audits) in lies.into_iter().take(tolerate as usize) {
            let behaviour = match computes {
                0 => Behaviour::Lies(1),
                1 => Behaviour::GivesBadWitness,
                2 => Behaviour::WithholdsEvidence,
                _ => Behaviour::Honest,
            };
            let liar = cluster.add("m", behaviour);
            cluster.worker(liar).auditing = match audits {
                0 => AsAuditor::PassesAll,
                1 => AsAuditor::RejectsAll,
                2 => AsAuditor::SaysBoth,
                _ => AsAuditor::Honest,
            };
        }
        for _ in 0..(2 * tolerate as usize + 2 + extra) {
            cluster.add("h", Behaviour::Honest);
        }
        let mode = if alone { Mode::Audited } else { Mode::Replicated };
        cluster.submit(Policy { auditing: Auditing { mode, audit: 1, adaptive: None }, max_replicas: 15, ..Policy::tolerating(tolerate) }, 3);
        cluster.run();
        for index in 0..3 {
            prop_assert_eq!(&cluster.verdicts[&index], &Verdict::Accepted(truth(index)));
            prop_assert!(cluster.certificates[&index].verify(tolerate + 1).is_ok());
        }
        prop_assert_eq!(cluster.over, Some(JobState::Reconciled));
    }
}
