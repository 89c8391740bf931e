//! Certificates of jobs with adaptive replication: values that rest on one ballot, checks, disputes that are led by enough.

use protocol::{
    certificate::CertificateFault as Fault,
    ledger::{Decided, Record},
};

use crate::{
    check,
    story::{Story, adaptive, decided_with, truth, worker},
};

fn decided(story: &mut Story, place: usize) -> &mut Decided {
    match &mut story.records[1 + place] {
        Record::Decided(decided) => decided,
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_that_rest_on_one_ballot_are_counted_and_need_no_other() {
    let findings = check(&adaptive().certificate()).expect("a good certificate");
    assert_eq!((findings.accepted, findings.alone, findings.disputed), (3, 1, 1));
    assert_eq!((findings.quorum_min, findings.wrong_together_min), (Some(1), Some(1)));
    let rule = findings.policy.auditing.adaptive.expect("it is adaptive");
    assert_eq!((rule.faulty_ppm, rule.error_ppt, rule.lead()), (10_000, 10_000_000_000, 2));
}

#[test]
fn a_dispute_that_is_not_led_by_enough_is_not_believed() {
    let mut story = adaptive();
    let ballots = [(1, 3), (3, 3), (2, 9)]
        .map(|(number, said)| story.ballot(2, number, &truth(said)).sign(&worker(number)));
    *decided(&mut story, 2) = decided_with(&story, 2, &truth(3), ballots.to_vec());
    let fault = check(&story.certificate()).expect_err("two against one");
    assert!(matches!(fault, Fault::NoLead { index: 2, agreeing: 2, others: 1, lead: 2 }), "{fault:?}");
}

#[test]
fn a_verdict_without_a_ballot_is_not_believed() {
    let mut story = adaptive();
    decided(&mut story, 0).ballots.clear();
    decided(&mut story, 0).quorum = 1;
    let fault = check(&story.certificate()).expect_err("nobody signed it");
    assert!(matches!(fault, Fault::TooFew { index: 0, agreeing: 0, quorum: 1 }), "{fault:?}");
}
