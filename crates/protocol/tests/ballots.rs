//! Signed ballots: alone or in a bundle, each is checked by itself, and none survives a change.

use proptest::prelude::*;
use protocol::{
    ballot::{Ballot, ReplicaId, SignedBallot},
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
