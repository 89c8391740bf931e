//! What a coordinator that lies would sign: each lie stands in a ledger and under signatures that are in order, so that
//! only the check of what is said can find it.

use protocol::{
    ballot::SignedBallot,
    certificate::{Builder, CertificateFault as Fault},
    digest::{Digest, Domain},
    domain::{Axis, Engine},
    job::JobId,
    ledger::{Decided, Entry, Record, Submitted},
    outcome::Outcome,
    report::JobState,
    standing::{QuarantineReason, Quarantined, Tested},
    task::TaskId,
    verdict::Verdict,
};

use crate::{
    check,
    story::{Story, coordinator, counted, digits, expressions, node, truth, worker},
};

/// Tells a story with a lie in it; returns why it is not believed.
fn lie(story: Story, tell: impl FnOnce(&mut Story)) -> Fault {
    check(&story.certificate()).expect("the story is true before");
    let mut story = story;
    tell(&mut story);
    check(&story.certificate()).expect_err("a lie is found")
}

fn decided(story: &mut Story, index: u64) -> &mut Decided {
    let find = |record| match record {
        &mut Record::Decided(ref mut decided) if decided.index == index => Some(decided),
        _ => None,
    };
    story.records.iter_mut().find_map(find).expect("a verdict")
}

fn submitted(story: &mut Story) -> &mut Submitted {
    match &mut story.records[0] {
        Record::Submitted(submitted) => submitted,
        other => panic!("{other:?}"),
    }
}

/// In the order of the keys.
fn set_ballots(decided: &mut Decided, ballots: Vec<SignedBallot>) {
    decided.ballots = ballots.into_iter().map(counted).collect();
    decided.ballots.sort_by_key(|counted| counted.ballot.ballot.worker);
}

macro_rules! assert_fault {
    ($fault:expr, $pattern:pat) => {
        let fault = $fault;
        assert!(matches!(fault, $pattern), "{fault:?}");
    };
}

#[test]
fn a_verdict_with_too_few_ballots_is_not_believed() {
    let fault = lie(expressions(), |story| drop(decided(story, 0).ballots.drain(1..)));
    assert_fault!(fault, Fault::TooFew { index: 0, agreeing: 1, quorum: 2 });
}

#[test]
fn a_quorum_below_the_policys_is_not_believed() {
    let fault = lie(expressions(), |story| decided(story, 0).quorum = 1);
    assert_fault!(fault, Fault::QuorumLowered { index: 0, quorum: 1, policy: 2 });
}

#[test]
fn a_quorum_above_the_policys_binds() {
    let fault = lie(expressions(), |story| decided(story, 0).quorum = 4);
    assert_fault!(fault, Fault::TooFew { index: 0, agreeing: 3, quorum: 4 });
}

#[test]
fn half_of_the_ballots_is_no_majority() {
    let fault = lie(expressions(), |story| {
        let wrong: Vec<_> =
            (4..=6).map(|number| story.ballot(0, number, &truth(9)).sign(&worker(number))).collect();
        let mut ballots: Vec<_> =
            decided(story, 0).ballots.iter().map(|counted| counted.ballot.clone()).collect();
        ballots.extend(wrong);
        let decided = decided(story, 0);
        decided.disputed = true;
        set_ballots(decided, ballots);
    });
    assert_fault!(fault, Fault::NoMajority { index: 0, agreeing: 3, ballots: 6 });
}

#[test]
fn a_worker_does_not_count_twice() {
    let fault = lie(expressions(), |story| {
        let again = decided(story, 0).ballots[0].clone();
        decided(story, 0).ballots.insert(1, again);
    });
    assert_fault!(fault, Fault::WorkerTwice { index: 0, .. });
    // Nor under another replica's number, which it may have signed as well.
    let fault = lie(expressions(), |story| {
        let mut ballot = story.ballot(0, 1, &truth(1));
        ballot.replica.number = 9;
        let place = decided(story, 0)
            .ballots
            .iter()
            .position(|counted| counted.ballot.ballot.worker == node(1))
            .expect("it voted");
        decided(story, 0).ballots.insert(place, counted(ballot.sign(&worker(1))));
    });
    assert_fault!(fault, Fault::WorkerTwice { index: 0, .. });
}

#[test]
fn ballots_out_of_order_are_refused() {
    let fault = lie(expressions(), |story| decided(story, 0).ballots.reverse());
    assert_fault!(fault, Fault::WorkerTwice { index: 0, .. });
}

#[test]
fn a_replica_has_one_ballot() {
    let fault = lie(expressions(), |story| {
        let mut ballot = story.ballot(0, 4, &truth(1));
        ballot.replica.number = 1;
        let mut ballots: Vec<_> =
            decided(story, 0).ballots.iter().map(|counted| counted.ballot.clone()).collect();
        ballots.push(ballot.sign(&worker(4)));
        set_ballots(decided(story, 0), ballots);
    });
    assert_fault!(fault, Fault::ReplicaTwice { index: 0, number: 1 });
}

#[test]
fn a_ballot_of_another_job_or_task_is_refused() {
    for change in [
        |ballot: &mut protocol::ballot::Ballot| ballot.replica.job = JobId([1; 16]),
        |ballot: &mut protocol::ballot::Ballot| ballot.replica.index = 1,
        |ballot: &mut protocol::ballot::Ballot| ballot.replica.task = TaskId(Digest([1; 32])),
    ] {
        let fault = lie(expressions(), |story| {
            let mut ballot = story.ballot(0, 1, &truth(1));
            change(&mut ballot);
            let mut ballots: Vec<_> = decided(story, 0)
                .ballots
                .iter()
                .map(|counted| counted.ballot.clone())
                .filter(|signed| signed.ballot.worker != node(1))
                .collect();
            ballots.push(ballot.sign(&worker(1)));
            set_ballots(decided(story, 0), ballots);
        });
        assert_fault!(fault, Fault::ForeignBallot { index: 0, .. });
    }
}

#[test]
fn a_ballot_that_its_worker_did_not_sign_is_refused() {
    let fault = lie(expressions(), |story| {
        decided(story, 0).ballots[1].ballot.ballot.domain.operator = "nobody".to_owned();
    });
    assert_fault!(fault, Fault::Forged { index: 0, .. });
    // In a bundle as well, whose signature is good for its other ballots.
    let fault = lie(expressions(), |story| {
        decided(story, 2).ballots[1].ballot.ballot.domain.operator = "nobody".to_owned();
    });
    assert_fault!(fault, Fault::Forged { index: 2, .. });
    let fault = lie(expressions(), |story| {
        let signature = decided(story, 0).ballots[0].ballot.signature;
        decided(story, 2).ballots[1].ballot.signature = signature;
    });
    assert_fault!(fault, Fault::Forged { index: 2, .. });
}

#[test]
fn a_dissent_that_was_left_out_shows() {
    let fault = lie(expressions(), |story| {
        decided(story, 1).ballots.retain(|counted| counted.ballot.ballot.worker != node(1));
    });
    assert_fault!(fault, Fault::Dispute { index: 1, disputed: true });
    // With the dispute denied, the correction still tells of it.
    let fault = lie(expressions(), |story| {
        decided(story, 1).ballots.retain(|counted| counted.ballot.ballot.worker != node(1));
        decided(story, 1).disputed = false;
    });
    assert_fault!(fault, Fault::NoDissent { index: 1, .. });
    let fault = lie(expressions(), |story| decided(story, 1).disputed = false);
    assert_fault!(fault, Fault::Dispute { index: 1, disputed: false });
}

#[test]
fn winners_must_differ_as_the_policy_asks() {
    let fault = lie(expressions(), |story| {
        let ballots = (1..=3).map(|number| {
            let mut ballot = story.ballot(0, number, &truth(1));
            ballot.domain.operator = "one and the same".to_owned();
            ballot.sign(&worker(number))
        });
        let ballots = ballots.collect();
        set_ballots(decided(story, 0), ballots);
    });
    assert_fault!(fault, Fault::Alike { index: 0, axis: Axis::Operator, values: 1, needed: 2 });
    let fault = lie(digits(), |story| {
        let value = Outcome::Digits(crate::story::DIGITS_VALUE.to_owned());
        let ballots = [1, 3].map(|number| story.ballot(0, number, &value).sign(&worker(number)));
        set_ballots(decided(story, 0), ballots.to_vec());
    });
    assert_fault!(fault, Fault::Alike { index: 0, axis: Axis::Formula, values: 1, needed: 2 });
}

#[test]
fn another_digest_than_the_winners_is_not_accepted() {
    let fault = lie(expressions(), |story| decided(story, 0).verdict = Verdict::Accepted(Digest([5; 32])));
    assert_fault!(fault, Fault::TooFew { index: 0, agreeing: 0, quorum: 2 });
}

#[test]
fn tasks_are_those_of_the_text_and_decided_once() {
    let fault = lie(expressions(), |story| decided(story, 0).task = TaskId(Digest([5; 32])));
    assert_fault!(fault, Fault::TaskDiffers { index: 0 });
    let fault = lie(expressions(), |story| decided(story, 0).index = 1);
    assert_fault!(fault, Fault::TaskDiffers { index: 1 });
    let fault = lie(expressions(), |story| decided(story, 0).index = 4);
    assert_fault!(fault, Fault::NoSuchTask { index: 4, tasks: 4 });
    let fault = lie(expressions(), |story| {
        let again = Record::Decided(decided(story, 0).clone());
        story.records.insert(4, again);
    });
    assert_fault!(fault, Fault::DecidedTwice { index: 0 });
    let fault = lie(expressions(), |story| {
        let over = story.records.pop().expect("the end");
        let place = story.records.len() - 1;
        story.records.insert(place, Record::Over { job: story.job, state: JobState::Abandoned });
        drop(over);
    });
    assert_fault!(fault, Fault::DecidedAfterTheEnd { index: 3 });
}

#[test]
fn text_policy_file_and_id_belong_together() {
    let fault = lie(expressions(), |story| submitted(story).policy.quorum = 1);
    assert_fault!(fault, Fault::Policy);
    let fault = lie(expressions(), |story| submitted(story).text.push('\n'));
    assert_fault!(fault, Fault::JobId { .. });
    let fault = lie(expressions(), |story| submitted(story).nonce = [0; 16]);
    assert_fault!(fault, Fault::JobId { .. });
    let fault = lie(expressions(), |story| story.file.as_mut().expect("a file").push('#'));
    assert_fault!(fault, Fault::File { .. });
    let fault = lie(expressions(), |story| story.file = None);
    assert_fault!(fault, Fault::File { .. });
    let fault = lie(expressions(), |story| submitted(story).file = None);
    assert_fault!(fault, Fault::File { .. });
    let fault = lie(digits(), |story| {
        let submitted = submitted(story);
        submitted.text = submitted.text.replace("decimals = 10", "decimals = 0");
        submitted.job = JobId::of_submission(&submitted.text, None, submitted.nonce);
    });
    assert_fault!(fault, Fault::JobFile(_));
    let fault = lie(digits(), |story| {
        let bytes = "\u{fffd}".to_owned();
        let digest = Digest::of(Domain::ExpressionFile, bytes.as_bytes());
        story.file = Some(bytes);
        let submitted = submitted(story);
        submitted.file = Some(digest);
    });
    assert_fault!(fault, Fault::JobId { .. });
}

#[test]
fn the_first_entry_and_no_other_is_the_submission() {
    let fault = lie(expressions(), |story| drop(story.records.remove(0)));
    assert_fault!(fault, Fault::Submission { first: true, .. });
    let fault = lie(expressions(), |story| {
        let again = story.records[0].clone();
        story.records.push(again);
    });
    assert_fault!(fault, Fault::Submission { first: false, .. });
    let fault = lie(expressions(), |story| story.records.clear());
    assert_fault!(fault, Fault::Empty);
    let fault = lie(expressions(), |story| {
        story.records.push(Record::Over { job: JobId([3; 16]), state: JobState::Abandoned });
    });
    assert_fault!(fault, Fault::ForeignEntry { .. });
    let fault = lie(expressions(), |story| story.records.push(Record::Revoked { node: node(1) }));
    assert_fault!(fault, Fault::ForeignEntry { .. });
}

#[test]
fn what_is_written_of_a_worker_on_the_occasion_of_the_job_changes_nothing() {
    let mut story = expressions();
    let before = check(&story.certificate()).expect("a good certificate");
    let (job, accepted) = (story.job, Outcome::digest_of_bytes(&truth(1).to_bytes()));
    let reason = QuarantineReason::WrongInARow(3);
    let quarantined = Quarantined { worker: node(1), engine: Engine::Cpu, reason, job: Some(job) };
    let answer = counted(story.ballot(0, 1, &truth(1)).sign(&worker(1)));
    story.records.insert(4, Record::Quarantined(quarantined));
    story.records.insert(5, Record::Tested(Tested { counted: answer, accepted }));
    let after = check(&story.certificate()).expect("the vote is the same");
    assert_eq!(
        (after.accepted, after.ballots, after.workers),
        (before.accepted, before.ballots, before.workers)
    );
}

#[test]
fn accusations_are_proven() {
    let fault = lie(expressions(), |story| {
        let pair = &mut decided(story, 3).equivocations[0];
        pair[1] = pair[0].clone();
    });
    assert_fault!(fault, Fault::NoEquivocation { index: 3, .. });
    let fault = lie(expressions(), |story| {
        let mut other = story.ballot(3, 1, &truth(2));
        other.replica.number = 7;
        decided(story, 3).equivocations[0][1] = other.sign(&worker(1));
    });
    assert_fault!(fault, Fault::NoEquivocation { index: 3, .. });
    let fault = lie(expressions(), |story| {
        let other = story.ballot(3, 4, &truth(2)).sign(&worker(4));
        decided(story, 3).equivocations[0][1] = other;
    });
    assert_fault!(fault, Fault::NoEquivocation { index: 3, .. });
    let fault = lie(expressions(), |story| {
        let pair = decided(story, 3).equivocations[0].clone();
        decided(story, 3).equivocations.push(pair);
    });
    assert_fault!(fault, Fault::NoEquivocation { index: 3, .. });
    let fault = lie(expressions(), |story| {
        let mut ballots: Vec<_> =
            decided(story, 3).ballots.iter().map(|counted| counted.ballot.clone()).collect();
        ballots.push(decided(story, 3).equivocations[0][0].clone());
        set_ballots(decided(story, 3), ballots);
    });
    assert_fault!(fault, Fault::NoEquivocation { index: 3, .. });
    let fault = lie(expressions(), |story| {
        decided(story, 3).equivocations[0][1].ballot.digest = Digest([8; 32]);
    });
    assert_fault!(fault, Fault::Forged { index: 3, .. });
}

#[test]
fn late_ballots_and_corrections_follow_what_they_are_about() {
    let fault = lie(expressions(), |story| story.records.swap(3, 4));
    assert_fault!(fault, Fault::NotLate { index: 2, .. });
    let fault = lie(expressions(), |story| {
        let Record::Late(late) = &mut story.records[4] else { panic!("a late ballot") };
        late.ballot.ballot.digest = Digest([8; 32]);
    });
    assert_fault!(fault, Fault::Forged { index: 2, .. });
    let fault = lie(expressions(), |story| {
        let Record::Corrected { worker, .. } = &mut story.records[5] else { panic!("a correction") };
        *worker = node(2);
    });
    assert_fault!(fault, Fault::NoDissent { index: 1, .. });
    let fault = lie(expressions(), |story| {
        let Record::Corrected { accepted, .. } = &mut story.records[5] else { panic!("a correction") };
        *accepted = Digest([8; 32]);
    });
    assert_fault!(fault, Fault::NoDissent { index: 1, .. });
    let fault = lie(expressions(), |story| {
        let again = story.records[5].clone();
        story.records.push(again);
    });
    assert_fault!(fault, Fault::NoDissent { index: 1, .. });
}

#[test]
fn a_second_ballot_after_the_verdict_shows_equivocation_only_if_it_differs() {
    let mut story = expressions();
    let second = story.ballot(2, 2, &truth(7)).sign(&worker(2));
    story.records.push(Record::Late(counted(second)));
    let found = check(&story.certificate()).expect("such ballots happen");
    let of = |number| found.workers.iter().find(|found| found.worker == node(number)).expect("it signed");
    assert_eq!((of(2).equivocated, of(2).dissented, of(3).equivocated), (1, 0, 0));
    let fault = lie(expressions(), |story| {
        let again = decided(story, 2).ballots[0].clone();
        story.records.push(Record::Late(again));
    });
    assert_fault!(fault, Fault::NoEquivocation { index: 2, .. });
}

#[test]
fn the_end_is_as_the_verdicts_have_it() {
    for state in [JobState::Reconciled, JobState::Running, JobState::Correcting] {
        let fault = lie(expressions(), |story| {
            let place = story.records.len() - 1;
            story.records[place] = Record::Over { job: story.job, state };
        });
        assert_fault!(fault, Fault::State { .. });
    }
    let fault = lie(expressions(), |story| story.over(JobState::Incomplete));
    assert_fault!(fault, Fault::State { state: JobState::Incomplete });
    let fault = lie(expressions(), |story| {
        let decided = story.records.len() - 2;
        drop(story.records.remove(decided));
    });
    assert_fault!(fault, Fault::State { state: JobState::Incomplete });
}

#[test]
fn outcomes_are_what_was_accepted() {
    let fault = lie(expressions(), |story| story.outcomes[0] = Some(truth(8).to_bytes()));
    assert_fault!(fault, Fault::OutcomeDiffers { index: 0, .. });
    let fault = lie(expressions(), |story| story.outcomes.swap(0, 1));
    assert_fault!(fault, Fault::OutcomeDiffers { index: 0, .. });
    let fault = lie(expressions(), |story| story.outcomes[3] = Some(truth(1).to_bytes()));
    assert_fault!(fault, Fault::UnacceptedOutcome { index: 3 });
    let fault = lie(expressions(), |story| story.outcomes[0] = Some(vec![0; 1 << 20]));
    assert_fault!(fault, Fault::PartTooLong { .. });
    let fault = lie(expressions(), |story| story.outcomes.push(None));
    assert_fault!(fault, Fault::Absent { index: 3, count: 2, left: 1 });
    let mut lost = expressions();
    lost.outcomes[1] = None;
    let found = check(&lost.certificate()).expect("an outcome may be lost with its workers");
    assert_eq!((found.outcomes, found.outcomes_elsewhere), (2, 1));
}

#[test]
fn time_does_not_go_back() {
    let fault = check(&over_other_entries(|entries| {
        let mut entry = Entry::from_bytes(&entries[1].1).expect("an entry");
        entry.at_ms = 1;
        entries[1].1 = entry.to_bytes();
    }));
    assert!(matches!(fault, Err(Fault::Time { position: 3 })), "{fault:?}");
}

#[test]
fn an_entry_that_the_ledger_does_not_hold_is_refused() {
    let changed = check(&over_other_entries(|entries| {
        let mut entry = Entry::from_bytes(&entries[1].1).expect("an entry");
        let Record::Decided(decided) = &mut entry.record else { panic!("a verdict") };
        decided.ballots[0].compute_us += 1;
        entries[1].1 = entry.to_bytes();
    }));
    assert!(matches!(changed, Err(Fault::NotInLedger { size: 7 })), "{changed:?}");
}

#[test]
fn entries_in_another_order_are_refused() {
    let swapped = check(&over_other_entries(|entries| {
        let (first, second) = (entries[1].1.clone(), entries[2].1.clone());
        (entries[1].1, entries[2].1) = (second, first);
    }));
    assert!(matches!(swapped, Err(Fault::State { .. })), "{swapped:?}");
}

#[test]
fn a_certificate_without_the_jobs_end_does_not_claim_one() {
    let found = check(&over_other_entries(|entries| drop(entries.pop()))).expect("the verdict stands");
    assert_eq!((found.accepted, found.over), (1, None));
}

/// A certificate whose entries are not quite those of the ledger, signed all the same.
fn over_other_entries(change: impl FnOnce(&mut Vec<(u64, Vec<u8>)>)) -> Vec<u8> {
    let (tree, mut entries, head) = digits().ledger();
    change(&mut entries);
    let mut builder = Builder::begin(Vec::new(), head, entries.len() as u64, None).expect("memory takes it");
    for (position, bytes) in entries {
        builder.entry(bytes, &tree.path(position).expect("a leaf")).expect("it fits");
    }
    builder.finish(&coordinator()).expect("memory takes it")
}
