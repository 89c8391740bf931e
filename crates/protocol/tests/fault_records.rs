//! The entries of located faults and broken seals: their canonical bytes stay as they are, because ledgers hold them.

use protocol::{
    ballot::{Ballot, ReplicaId},
    commitment::{Commitment, Salt},
    constant::Formula,
    digest::Digest,
    domain::{Engine, FailureDomain},
    fault::{FaultClass, LocatedFault, Parting, Stretch},
    identity::{NodeId, SecretKey},
    job::JobId,
    ledger::{Entry, Record},
    standing::{BrokenSeal, QuarantineReason, Quarantined},
    task::TaskId,
    trace::TracePlace,
};

const JOB: JobId = JobId([7; 16]);
const PLACE: TracePlace = TracePlace { tree: 0, from: 561, to: 1_072 };

fn domain() -> FailureDomain {
    FailureDomain {
        operator: "alice".to_owned(),
        engine: Engine::Gpu,
        formula: Formula::Chudnovsky,
        device: "a card, 1.2".to_owned(),
        build: "0.1.0".to_owned(),
    }
}

fn fault() -> LocatedFault {
    LocatedFault {
        worker: NodeId([1; 32]),
        domain: domain(),
        job: JOB,
        index: 3,
        task: TaskId(Digest([2; 32])),
        accepted: Digest([3; 32]),
        winner: NodeId([4; 32]),
        parting: Parting::Node { place: PLACE, trees: 1, digests: [Digest([5; 32]), Digest([6; 32])] },
        class: Some(FaultClass::Deterministic),
        rounds: 9,
        bytes: 2_345,
        alike: vec![NodeId([8; 32])],
    }
}

fn broken_seal() -> BrokenSeal {
    let key = SecretKey::from_seed(&[9; 32]);
    let replica = ReplicaId { job: JOB, index: 3, task: TaskId(Digest([2; 32])), number: 4 };
    let (worker, digest) = (key.node_id(), Digest([3; 32]));
    let ballot = Ballot { replica, worker, digest, domain: domain(), audit: None, trace: None };
    let commitment = Commitment::to(&ballot, &Salt([1; 32]));
    BrokenSeal { ballot: ballot.sign(&key), salt: Salt([2; 32]), commitment }
}

/// How long an entry is, and the digest of it as a leaf of the log, which read back as the same entry.
fn vector(record: Record) -> (usize, String) {
    let entry = Entry { at_ms: 1_790_000_000_000, record };
    let bytes = entry.to_bytes();
    assert_eq!(Entry::from_bytes(&bytes).as_ref(), Ok(&entry));
    (bytes.len(), protocol::merkle::leaf_digest(&bytes).to_string())
}

#[test]
fn the_bytes_of_entries_are_those_that_ledgers_hold() {
    let stretch = Stretch { formula: Formula::Chudnovsky, place: PLACE, trees: 1 };
    let quarantined = |reason| {
        Record::Quarantined(Quarantined {
            worker: NodeId([1; 32]),
            engine: Engine::Gpu,
            reason,
            job: Some(JOB),
        })
    };
    let found = [
        vector(Record::Located(Box::new(fault()))),
        vector(Record::SealBroken(Box::new(broken_seal()))),
        vector(quarantined(QuarantineReason::Lasting(stretch))),
        vector(quarantined(QuarantineReason::Kind { worker: NodeId([4; 32]), stretch })),
        vector(quarantined(QuarantineReason::BrokeSeal)),
    ];
    let found = found.each_ref().map(|(bytes, digest)| (*bytes, digest.as_str()));
    let expected = [
        (353, "9fdd03b1235113420fc64782b7bbbdd58a8471f2b9ad0d24624e89307de8160e"),
        (323, "86f1030d12895744414e6cc6e45a45188e2c53a12a715668f47a57070844d84e"),
        (110, "d7b8be113f53142402a8de42c17d103fe7136596fe4b37de0f03990f407854f2"),
        (142, "ac8a3441cc72a938dac12631e3dbea9dd469891285dbd75670992256672b7087"),
        (91, "d8081c805fb54ae5424268bd19b863fa3ca79134c0c34895ccc815ea19e88f97"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn only_a_node_that_came_out_wrong_again_is_a_lasting_fault() {
    let terms = |fault: &LocatedFault| fault.lasting().map(|stretch| stretch.to_string());
    assert_eq!(terms(&fault()).as_deref(), Some("terms 561 to 1,071 by chudnovsky"));
    for class in
        [None, Some(FaultClass::Transient), Some(FaultClass::Dishonest), Some(FaultClass::Unanswered)]
    {
        assert_eq!(terms(&LocatedFault { class, ..fault() }), None);
    }
    assert_eq!(terms(&LocatedFault { parting: Parting::Unknown, ..fault() }), None);
    assert!(!broken_seal().is_whole());
    assert!(BrokenSeal { salt: Salt([1; 32]), ..broken_seal() }.is_whole());
}
