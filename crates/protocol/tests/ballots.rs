//! Signed ballots: alone or in a bundle, each is checked by itself, and none survives a change.

use proptest::prelude::*;
use protocol::{
    audit::Audited,
    ballot::{Ballot, ReplicaId, SignedBallot},
    bundle::{BallotBundle, BundleError, Said},
    codec,
    constant::Formula,
    digest::{Digest, Domain},
    domain::{Engine, FailureDomain},
    identity::SecretKey,
    job::JobId,
    task::TaskId,
};

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn ballot(key: &SecretKey, index: u64) -> Ballot {
    Ballot {
        replica: ReplicaId {
            job: JobId([7; 16]),
            index,
            task: TaskId::of_bytes(&index.to_le_bytes()),
            number: 0,
        },
        worker: key.node_id(),
        digest: Digest::of(Domain::Outcome, &index.to_le_bytes()),
        domain: FailureDomain {
            operator: "alice".to_owned(),
            engine: Engine::Cpu,
            formula: Formula::Direct,
            device: "a processor".to_owned(),
            build: "1".to_owned(),
        },
        audit: None,
        trace: index.is_multiple_of(3).then(|| Box::new(Digest::of(Domain::Trace, &index.to_le_bytes()))),
    }
}

fn bundle(size: u64) -> Vec<SignedBallot> {
    let key = key(1);
    Ballot::sign_bundle((0..size).map(|index| ballot(&key, index)).collect(), &key)
}

#[test]
fn each_ballot_of_a_bundle_is_authentic_alone() {
    for size in [0, 1, 2, 3, 64, 65] {
        let signed = bundle(size);
        assert_eq!(signed.len() as u64, size);
        assert!(signed.iter().all(SignedBallot::is_authentic));
        assert!(signed.windows(2).all(|pair| pair[0].signature == pair[1].signature));
    }
}

#[test]
fn what_a_ballot_does_not_have_takes_no_bytes_and_each_has_one_encoding() {
    let (plain, traced) = (ballot(&key(1), 1), ballot(&key(1), 3));
    let audited = Audited { outcome: plain.digest, prover: key(2).node_id(), seed: [5; 32] };
    let audit = Ballot { audit: Some(audited), ..plain.clone() };
    // An array of so many elements.
    for (ballot, first) in [(&plain, 0x94), (&audit, 0x95), (&traced, 0x96)] {
        let bytes = codec::encode(ballot);
        assert_eq!(bytes.first(), Some(&first));
        assert_eq!(codec::decode_canonical::<Ballot>("ballot", &bytes, bytes.len()).as_ref(), Ok(ballot));
    }
    let mut longer = codec::encode(&plain);
    longer[0] = 0x95;
    longer.push(0xc0);
    assert_eq!(codec::decode::<Ballot>("ballot", &longer, longer.len()), Ok(plain));
    assert!(codec::decode_canonical::<Ballot>("ballot", &longer, longer.len()).is_err());
}

#[test]
fn a_ballot_cannot_use_the_place_of_another_in_its_bundle() {
    let signed = bundle(5);
    let mut moved = signed[1].clone();
    moved.bundle = signed[2].bundle.clone();
    assert!(!moved.is_authentic());
    let mut alone = signed[1].clone();
    alone.bundle = None;
    assert!(!alone.is_authentic());
    let mut stranger = signed[1].clone();
    stranger.ballot = ballot(&key(2), 1);
    assert!(!stranger.is_authentic());
}

proptest! {
    #[test]
    fn a_signed_ballot_with_any_byte_changed_is_not_authentic(
        size in 1_u64..9, pick: prop::sample::Index, place: prop::sample::Index, bit in 0_u8..8,
    ) {
        let signed = bundle(size);
        let one = &signed[pick.index(signed.len())];
        let mut bytes = codec::encode(one);
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let changed: Result<SignedBallot, _> = codec::decode_canonical("ballot", &bytes, bytes.len());
        prop_assert!(changed.map_or(true, |changed| !changed.is_authentic()));
    }
}

fn said(size: u64) -> Vec<Said<Ballot>> {
    let outcome = |index: u64| index.is_multiple_of(2).then(|| index.to_le_bytes().to_vec());
    let said = |index| Said {
        ballot: ballot(&key(1), index),
        salt: None,
        outcome: outcome(index),
        compute_us: index,
    };
    (0..size).map(said).collect()
}

/// What a bundle says when it is opened, as it was said.
fn opened(bundle: BallotBundle) -> Result<Vec<Said<Ballot>>, BundleError> {
    let heard = bundle.open(key(1).node_id())?;
    let plain = heard.into_iter().map(|said| {
        assert!(said.ballot.signed().is_authentic(), "each of them can be checked alone");
        let Said { ballot, salt, outcome, compute_us } = said;
        Said { ballot: ballot.ballot().clone(), salt, outcome, compute_us }
    });
    Ok(plain.collect())
}

#[test]
fn what_a_bundle_says_is_heard_in_the_same_order_with_a_signature_for_each_ballot() {
    for size in [1, 2, 3, 128] {
        let bundle = BallotBundle::sign(said(size), &key(1));
        assert_eq!((bundle.len() as u64, bundle.domains().len()), (size, 1));
        let travelled: BallotBundle =
            codec::decode("bundle", &codec::encode(&bundle), 1 << 20).expect("it is one");
        assert_eq!(opened(travelled), Ok(said(size)));
    }
}

#[test]
fn a_bundle_costs_one_signature_and_names_each_failure_domain_once() {
    let bytes = |size| codec::encode(&BallotBundle::sign(said(size), &key(1))).len();
    let (one, many) = (bytes(1), bytes(101));
    let signature_and_domain = 64 + "alice".len() + "a processor".len();
    assert!((many - one) / 100 < one - signature_and_domain, "{one} bytes for one, {many} for 101");
}

#[test]
fn a_bundle_of_another_worker_or_of_nobody_is_refused() {
    for size in [1, 5] {
        let bundle = BallotBundle::sign(said(size), &key(2));
        assert!(matches!(opened(bundle), Err(BundleError::Forged(_))));
    }
    assert_eq!(opened(BallotBundle::sign(Vec::new(), &key(1))), Err(BundleError::Empty));
}

#[test]
fn a_bundle_with_a_name_over_the_limit_is_refused_before_it_is_copied() {
    let mut long = said(2);
    long[1].ballot.domain.device = "d".repeat(65);
    assert_eq!(opened(BallotBundle::sign(long, &key(1))), Err(BundleError::LongName { length_bytes: 65 }));
}

proptest! {
    #[test]
    fn no_changed_byte_makes_a_bundle_say_another_ballot(size in 1_u64..6, at: prop::sample::Index, flip in 1_u8..) {
        let bundle = BallotBundle::sign(said(size), &key(1));
        let mut bytes = codec::encode(&bundle);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(changed) = codec::decode::<BallotBundle>("bundle", &bytes, 1 << 20)
            && let Ok(heard) = opened(changed)
        {
            let ballots = |said: Vec<Said<Ballot>>| said.into_iter().map(|said| said.ballot).collect::<Vec<_>>();
            prop_assert_eq!(ballots(heard), ballots(said(size)));
        }
    }
}

#[test]
fn replicas_are_ordered_by_job_task_number_and_replica_number_and_differ_by_the_task_itself() {
    let replica = |job: u8, index: u64, number: u32, task: u8| ReplicaId {
        job: JobId([job; 16]),
        index,
        task: TaskId(Digest([task; 32])),
        number,
    };
    let in_order = [
        replica(1, 0, 9, 9),
        replica(1, 1, 0, 9),
        replica(1, 1, 1, 3),
        replica(1, 1, 1, 4),
        replica(1, 300, 0, 0),
        replica(2, 0, 0, 0),
    ];
    assert!(in_order.is_sorted_by(|before, after| before < after), "{in_order:?}");
    assert!(in_order.iter().all(|replica| replica.cmp(replica).is_eq()));
}
