//! Located faults and broken seals in the log: what they rest on is there, and nobody is put out on the word of another.

use protocol::{
    ballot::Ballot,
    commitment::{Commitment, Salt},
    digest::{Digest, Domain},
    domain::Engine,
    fault::{FaultClass, LocatedFault, Parting, Stretch},
    identity::NodeId,
    job::JobId,
    ledger::{CountedBallot, Entry, Record, Submitted},
    policy::Policy,
    standing::{BrokenSeal, QuarantineReason, Quarantined, Tested},
    trace::TracePlace,
};

use crate::{
    log::{ballot, decided, entry, key, outcome, submitted, task, worker},
    verify::{faults_of, only_fault},
};

const PLACE: TracePlace = TracePlace { tree: 0, from: 561, to: 1_072 };

fn id(number: u8) -> NodeId {
    worker(number).node_id()
}

/// What was located on task 0 of a worker that dissented there.
fn fault(job: JobId, by: u8) -> LocatedFault {
    let digests = [b"right", b"wrong"].map(|bytes| Digest::of(Domain::Trace, bytes));
    LocatedFault {
        worker: id(by),
        domain: ballot(job, 0, by, outcome(0).0).domain,
        job,
        index: 0,
        task: task(0),
        accepted: outcome(0).0,
        winner: id(1),
        parting: Parting::Node { place: PLACE, trees: 1, digests },
        class: Some(FaultClass::Deterministic),
        rounds: 9,
        bytes: 2_000,
        alike: vec![id(1), id(2)],
    }
}

fn stretch(job: JobId) -> Stretch {
    let formula = ballot(job, 0, 1, outcome(0).0).domain.formula;
    Stretch { formula, place: PLACE, trees: 1 }
}

fn quarantined(job: JobId, by: u8, reason: QuarantineReason) -> Record {
    Record::Quarantined(Quarantined { worker: id(by), engine: Engine::Cpu, reason, job: Some(job) })
}

/// What a worker answers to task 0 as one whose answer is known.
fn tested(job: JobId, by: u8, is_right: bool) -> Record {
    let accepted = outcome(0).0;
    let mut answer: Ballot = ballot(job, 0, by, if is_right { accepted } else { outcome(9).0 });
    answer.replica.number = u32::MAX - u32::from(by);
    let counted = CountedBallot { ballot: answer.sign(&worker(by)), compute_us: 5 };
    Record::Tested(Tested { counted, accepted })
}

/// A task with two dissenters, whose faults are located, and what follows as `change` leaves it.
fn story(change: impl FnOnce(JobId, &mut Vec<Record>)) -> Vec<Entry> {
    let submitted = submitted(1);
    let job = submitted.job;
    let mut records = vec![
        Record::Submitted(submitted),
        Record::Decided(decided(job, 0, &[1, 2, 5], &[3, 4])),
        Record::Located(Box::new(fault(job, 3))),
        quarantined(job, 3, QuarantineReason::Lasting(stretch(job))),
        Record::Located(Box::new(fault(job, 4))),
        quarantined(job, 4, QuarantineReason::Lasting(stretch(job))),
        tested(job, 6, true),
        tested(job, 7, false),
        quarantined(job, 7, QuarantineReason::Kind { worker: id(3), stretch: stretch(job) }),
    ];
    change(job, &mut records);
    records.into_iter().map(entry).collect()
}

/// The story with another fault of the first dissenter.
fn with_fault(change: impl FnOnce(&mut LocatedFault)) -> Vec<Entry> {
    story(|_, records| {
        let Record::Located(fault) = &mut records[2] else { panic!("the story has changed") };
        change(fault);
        records.truncate(3);
    })
}

#[test]
fn faults_and_what_follows_from_them_are_sound() {
    assert_eq!(faults_of(&story(|_, _| {})), Vec::<String>::new());
    assert_eq!(faults_of(&with_fault(|_| {})), Vec::<String>::new());
    let passing = with_fault(|fault| fault.class = Some(FaultClass::Transient));
    assert_eq!(faults_of(&passing), Vec::<String>::new());
    let after = |fault: &mut LocatedFault| (fault.parting, fault.class) = (Parting::AfterTheSeries, None);
    assert_eq!(faults_of(&with_fault(after)), Vec::<String>::new());
}

#[test]
fn a_fault_of_nobody_who_dissented_or_at_no_place_is_told() {
    let agreed = |fault: &mut LocatedFault| {
        (fault.worker, fault.domain) = (id(5), ballot(fault.job, 0, 5, outcome(0).0).domain);
    };
    only_fault(with_fault(agreed), "3: a fault of worker");
    only_fault(with_fault(|fault| fault.accepted = outcome(9).0), "something else was accepted there");
    only_fault(with_fault(|fault| fault.winner = id(4)), "compared with what another dissenter computed");
    only_fault(with_fault(|fault| fault.alike.push(id(3))), "compared with what another dissenter computed");
    only_fault(with_fault(|fault| fault.parting = Parting::Unknown), "has no place, or no difference");
    only_fault(with_fault(|fault| fault.domain.device.push('!')), "a located fault of worker");
    let alike = |fault: &mut LocatedFault| {
        let digests = [Digest::of(Domain::Trace, b"same"); 2];
        fault.parting = Parting::Node { place: PLACE, trees: 1, digests };
    };
    only_fault(with_fault(alike), "has no place, or no difference");
    let twice = story(|_, records| {
        records.truncate(3);
        records.push(records[2].clone());
    });
    only_fault(twice, "4: the fault of worker");
}

#[test]
fn a_quarantine_for_a_fault_rests_on_what_its_own_worker_did() {
    let without = |place: usize| story(move |_, records| drop(records.remove(place)));
    let without_fault = story(|_, records| {
        records.remove(2);
        records.truncate(3);
    });
    only_fault(without_fault, "3: worker");
    // The other one gave a right answer to its known task, or none.
    only_fault(story(|job, records| records[7] = tested(job, 7, true)), "no entry bears that out");
    only_fault(without(7), "8: worker");
    let of_another = story(|job, records| {
        records[8] = quarantined(job, 7, QuarantineReason::Kind { worker: id(5), stretch: stretch(job) });
    });
    only_fault(of_another, "no entry bears that out");
    // A single processor that fails is a question to nobody else.
    let alone = story(|_, records| {
        records.drain(4..=5);
        records.truncate(5);
    });
    only_fault(alone, "is given a known task, and is in no quarantine");
}

/// A sealed job, and a seal that was broken as `change` leaves it.
fn with_seal(change: impl FnOnce(&mut Submitted, &mut BrokenSeal)) -> Vec<Entry> {
    let mut submitted = submitted(1);
    submitted.policy = Policy { sealed: true, ..Policy::default() };
    let said = ballot(submitted.job, 0, 3, outcome(0).0);
    let commitment = Commitment::to(&said, &Salt([1; 32]));
    let mut broken = BrokenSeal { ballot: said.sign(&worker(3)), salt: Salt([2; 32]), commitment };
    change(&mut submitted, &mut broken);
    let job = submitted.job;
    let records = [
        Record::Submitted(submitted),
        Record::SealBroken(Box::new(broken)),
        quarantined(job, 3, QuarantineReason::BrokeSeal),
    ];
    records.into_iter().map(entry).collect()
}

#[test]
fn a_broken_seal_is_proven_by_the_ballot_that_does_not_open_it() {
    assert_eq!(faults_of(&with_seal(|_, _| {})), Vec::<String>::new());
    only_fault(with_seal(|_, broken| broken.salt = Salt([1; 32])), "a seal that its ballot opens");
    only_fault(with_seal(|submitted, _| submitted.policy.sealed = false), "where none was asked for");
    let forged = with_seal(|_, broken| broken.ballot = broken.ballot.ballot.clone().sign(&key()));
    only_fault(forged, "2: a ballot in it does not carry its worker's signature");
    let mut without = with_seal(|_, _| {});
    without.remove(1);
    only_fault(
        without,
        "because it revealed another ballot than the one that it had committed to, and no entry",
    );
}
