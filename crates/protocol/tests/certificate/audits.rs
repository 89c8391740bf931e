//! Certificates of jobs whose outcomes were audited: what was tested, by whom, and what a coordinator might make of it.

use protocol::{
    audit::Audited,
    ballot::{Ballot, SignedBallot},
    certificate::CertificateFault as Fault,
    constant::Formula,
    ledger::{Decided, Record},
    outcome::Outcome,
    report::JobState,
};

use crate::{
    check,
    story::{Story, counted, node, worker},
};

const TEXT: &str = "name = \"audited\"\nkind = \"digits\"\n\n[digits]\nconstant = \"e\"\ndecimals = 50\n\n\
                    [policy]\nmode = \"audited\"\n";
const REPLICATED: &str = "name = \"both\"\nkind = \"digits\"\n\n[digits]\nconstant = \"e\"\ndecimals = 50\n\n\
                          [policy]\naudit = 1\n";

fn value(number: u8) -> Outcome {
    Outcome::Digits(format!("2.{number}"))
}

fn computed(story: &Story, number: u8, outcome: &Outcome) -> SignedBallot {
    let mut ballot = story.ballot(0, number, outcome);
    ballot.domain.formula = Formula::FactorialSeries;
    ballot.sign(&worker(number))
}

/// An auditor's replica numbers are its own: they begin at 100.
fn audit(story: &Story, number: u8, prover: u8, outcome: &Outcome, passes: bool) -> SignedBallot {
    let mut ballot = story.ballot(0, number, outcome);
    let audited = Audited { outcome: ballot.digest, prover: node(prover), seed: [number; 32] };
    ballot.replica.number += 100 + 10 * u32::from(prover);
    ballot.domain.formula = Formula::Audit;
    let digest = if passes { audited.outcome } else { audited.rejection() };
    Ballot { digest, audit: Some(audited), ..ballot }.sign(&worker(number))
}

fn told(text: &str, accepted: &Outcome, ballots: &[(u8, u8)], audits: &[(u8, u8, u8, bool)]) -> Story {
    let mut story = Story::begin(text, None);
    let cast = ballots.iter().map(|(number, said)| computed(&story, *number, &value(*said))).collect();
    let mut decided = story.decided(0, Some(accepted), cast);
    let tested = audits
        .iter()
        .map(|(number, prover, said, passes)| audit(&story, *number, *prover, &value(*said), *passes));
    decided.audits = tested.map(counted).collect();
    decided.disputed |= audits.iter().any(|(.., passes)| !passes);
    story.records.push(Record::Decided(decided));
    story.over(JobState::Reconciled);
    story
}

fn decided(story: &mut Story) -> &mut Decided {
    match &mut story.records[1] {
        Record::Decided(decided) => decided,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_who_computed_and_one_who_audited_make_a_quorum() {
    let story = told(TEXT, &value(1), &[(1, 1)], &[(2, 1, 1, true)]);
    let findings = check(&story.certificate()).expect("a good certificate");
    assert_eq!((findings.accepted, findings.wrong_together_min), (1, Some(2)));
    assert_eq!((findings.audits, findings.audits_min), (1, Some(1)));
    assert_eq!(findings.workers.iter().map(|worker| worker.audits).sum::<u64>(), 1);
}

#[test]
fn three_who_agree_and_are_rejected_by_two_give_way_to_one_who_passes() {
    let rejections = [
        (4, 1, 1, false),
        (2, 1, 1, false),
        (4, 2, 1, false),
        (3, 2, 1, false),
        (4, 3, 1, false),
        (1, 3, 1, false),
    ];
    let audits: Vec<_> = rejections.into_iter().chain([(1, 4, 2, true)]).collect();
    let story = told(REPLICATED, &value(2), &[(1, 1), (2, 1), (3, 1), (4, 2)], &audits);
    let findings = check(&story.certificate()).expect("a minority that passes beats a majority that fails");
    assert_eq!((findings.accepted, findings.disputed, findings.audits), (1, 1, 7));
    // While fewer than a quorum reject any of them, the three are the majority.
    let audits = [(4, 1, 1, false), (4, 2, 1, false), (4, 3, 1, false), (1, 4, 2, true)];
    let story = told(REPLICATED, &value(2), &[(1, 1), (2, 1), (3, 1), (4, 2)], &audits);
    let fault = check(&story.certificate()).expect_err("one auditor overturns nothing");
    assert!(matches!(fault, Fault::TooFew { agreeing: 1, quorum: 2, .. }), "{fault:?}");
}

#[test]
fn a_value_that_nobody_audited_is_not_believed_where_the_policy_asks_for_an_audit() {
    for (text, ballots) in [(TEXT, &[(1, 1), (2, 1)][..]), (REPLICATED, &[(1, 1), (2, 1), (3, 1)])] {
        let fault = check(&told(text, &value(1), ballots, &[]).certificate()).expect_err("no audit");
        assert!(matches!(fault, Fault::NotAudited { index: 0, needed: 1 }), "{fault:?}");
    }
}

#[test]
fn a_rejected_value_is_not_believed() {
    let audits = [(2, 1, 1, false), (3, 1, 1, false), (4, 1, 1, true)];
    let fault = check(&told(TEXT, &value(1), &[(1, 1)], &audits).certificate()).expect_err("rejected");
    assert!(matches!(fault, Fault::NotAudited { .. }), "{fault:?}");
}

#[test]
fn nobody_vouches_for_itself() {
    let fault = check(&told(TEXT, &value(1), &[(1, 1)], &[(1, 1, 1, true)]).certificate())
        .expect_err("its own audit");
    assert!(matches!(fault, Fault::NotAudited { .. }), "{fault:?}");
}

#[test]
fn an_audit_of_another_outcome_or_prover_or_a_second_one_is_refused() {
    let story = told(TEXT, &value(1), &[(1, 1)], &[(2, 1, 1, true)]);
    let lies: [fn(&Story) -> SignedBallot; 4] = [
        |story| audit(story, 3, 1, &value(2), true),
        |story| audit(story, 3, 5, &value(1), true),
        |story| audit(story, 2, 1, &value(1), false),
        |story| computed(story, 3, &value(1)),
    ];
    for lie in lies {
        let mut story = story.clone();
        let more = counted(lie(&story));
        decided(&mut story).audits.push(more);
        let fault = check(&story.certificate()).expect_err("no audit of what was computed");
        assert!(matches!(fault, Fault::NoAudit { .. }), "{fault:?}");
    }
}

#[test]
fn an_audit_is_no_ballot() {
    let mut story = told(TEXT, &value(1), &[(1, 1)], &[(2, 1, 1, true)]);
    let audit = decided(&mut story).audits.remove(0);
    let decided = decided(&mut story);
    decided.ballots.push(audit);
    decided.ballots.sort_by_key(|counted| counted.ballot.ballot.worker);
    let fault = check(&story.certificate()).expect_err("it did not compute");
    assert!(matches!(fault, Fault::NoBallot { .. }), "{fault:?}");
}

#[test]
fn a_changed_challenge_breaks_the_signature() {
    let mut story = told(TEXT, &value(1), &[(1, 1)], &[(2, 1, 1, true)]);
    let audit = &mut decided(&mut story).audits[0].ballot.ballot.audit;
    *audit = audit.map(|audited| Audited { seed: [77; 32], ..audited });
    let fault = check(&story.certificate()).expect_err("another challenge than was signed");
    assert!(matches!(fault, Fault::Forged { .. }), "{fault:?}");
}

#[test]
fn a_changed_byte_and_a_cut_anywhere_are_refused_where_there_are_audits_too() {
    let audits = [(2, 1, 1, true), (3, 1, 1, false), (4, 1, 1, true)];
    let whole = told(TEXT, &value(1), &[(1, 1)], &audits).certificate();
    check(&whole).expect("a good certificate");
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1 << (place % 8);
        assert!(check(&changed).is_err(), "byte {place}");
        assert!(check(&whole[..place]).is_err(), "cut to {place} bytes");
    }
}
