//! A worker obeys a correction only for a certificate that proves it; a coordinator that lies changes nothing.

use std::{io, time::Duration};

use protocol::{
    ballot::{Ballot, ReplicaId, SignedBallot},
    constant::{Constant, Formula},
    digest::Digest,
    domain::{Engine, FailureDomain},
    identity::SecretKey,
    job::JobId,
    message::BlobName,
    outcome::Outcome,
    task::{Task, TaskId},
    verdict::Certificate,
};
use transport::{
    Connection, Listener, ListenerConfig, Opening,
    blob::{self, Blob, BlobSource},
    connect,
};
use worker::{
    correction,
    store::{OutcomeStore, Role},
};

/// A coordinator that hands out this certificate and this outcome, whatever is asked.
struct Hands {
    certificate: Vec<u8>,
    outcome: Vec<u8>,
}

impl BlobSource for Hands {
    async fn open(&self, name: BlobName) -> io::Result<Option<Blob>> {
        Ok(Some(Blob::Memory(match name {
            BlobName::Certificate(..) => self.certificate.clone().into(),
            BlobName::Outcome(_) | BlobName::Task(_) | BlobName::Witness(..) | BlobName::Trace(..) => {
                self.outcome.clone().into()
            }
        })))
    }
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn replica() -> ReplicaId {
    let task = TaskId::of(&Task::Digits { constant: Constant::Pi, decimals: 2 });
    ReplicaId { job: JobId([1; 16]), index: 0, task, number: 0 }
}

fn ballot(number: u8, replica: ReplicaId, digest: Digest) -> SignedBallot {
    let domain = FailureDomain {
        operator: "o".to_owned(),
        engine: Engine::Cpu,
        formula: Formula::Chudnovsky,
        device: "d".to_owned(),
        build: "b".to_owned(),
    };
    Ballot { replica, worker: key(number).node_id(), digest, domain, audit: None, trace: None }
        .sign(&key(number))
}

fn certificate(accepted: Digest, winning: Vec<SignedBallot>) -> Certificate {
    let ReplicaId { job, index, task, .. } = replica();
    Certificate {
        job,
        index,
        task,
        accepted,
        quorum: 1,
        winning,
        dissenting: Vec::new(),
        rejections: Vec::new(),
    }
}

/// Connects a worker to a coordinator with these hands, lets it obey, and returns what it stores afterwards.
async fn obey(hands: Hands, accepted: Digest, quorum: u32) -> (Result<(), String>, Option<Digest>) {
    let coordinator = key(100);
    let config = ListenerConfig::default();
    let mut listener = Listener::bind(&coordinator, ([127, 0, 0, 1], 0).into(), config).expect("a free port");
    let address = listener.local_address().to_string();
    let serving = tokio::spawn(async move {
        let connection: Connection = listener.accept().await.expect("the worker connects");
        while let Ok(mut stream) = connection.accept_stream().await {
            let Ok(Opening::Blob(request)) = stream.opening().await else { return };
            blob::serve(stream, request, &hands).await.expect("the worker reads");
        }
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = OutcomeStore::open(folder.path(), true).expect("a fresh folder");
    let mine = Outcome::Digits("3.15".to_owned()).to_bytes();
    store.put(replica().task, Role::OneOfMany, Outcome::digest_of_bytes(&mine), mine.clone()).expect("room");
    let connection = connect(&key(1), coordinator.node_id(), &address, Duration::from_secs(10)).await;
    let connection = connection.expect("the coordinator listens");
    let result = correction::obey(&connection, &store, replica(), accepted, quorum).await;
    serving.abort();
    (result.map_err(|error| error.to_string()), store.digest_of(&replica().task))
}

fn truth() -> (Vec<u8>, Digest) {
    let bytes = Outcome::Digits("3.14".to_owned()).to_bytes();
    let digest = Outcome::digest_of_bytes(&bytes);
    (bytes, digest)
}

#[tokio::test]
async fn a_certificate_with_the_quorum_of_the_lease_is_obeyed() {
    let (outcome, accepted) = truth();
    let winning = vec![ballot(2, replica(), accepted), ballot(3, replica(), accepted)];
    let hands = Hands { certificate: certificate(accepted, winning).to_bytes(), outcome };
    assert_eq!(obey(hands, accepted, 2).await, (Ok(()), Some(accepted)));
}

#[tokio::test]
async fn a_coordinator_that_lies_about_the_verdict_is_not_obeyed() {
    let (outcome, accepted) = truth();
    let mine = Outcome::digest_of_bytes(&Outcome::Digits("3.15".to_owned()).to_bytes());
    let elsewhere = ReplicaId { job: JobId([9; 16]), ..replica() };
    let mut forged = ballot(3, replica(), accepted);
    forged.ballot.worker = key(4).node_id();
    let lies = [
        ("too few", vec![ballot(2, replica(), accepted)], "the quorum is 2"),
        ("one worker twice", vec![ballot(2, replica(), accepted); 2], "the quorum is 2"),
        (
            "another job's",
            vec![ballot(2, elsewhere, accepted), ballot(3, elsewhere, accepted)],
            "another job",
        ),
        ("forged", vec![ballot(2, replica(), accepted), forged], "signature"),
        (
            "for something else",
            vec![ballot(2, replica(), mine), ballot(3, replica(), mine)],
            "another job, task or digest",
        ),
    ];
    for (lie, winning, says) in lies {
        let hands =
            Hands { certificate: certificate(accepted, winning).to_bytes(), outcome: outcome.clone() };
        let (result, stored) = obey(hands, accepted, 2).await;
        assert!(result.as_ref().is_err_and(|error| error.contains(says)), "{lie}: {result:?}");
        assert_eq!(stored, Some(mine), "{lie}: what was stored stays");
    }
}

#[tokio::test]
async fn an_outcome_that_is_not_the_accepted_one_is_not_stored() {
    let (_, accepted) = truth();
    let mine = Outcome::digest_of_bytes(&Outcome::Digits("3.15".to_owned()).to_bytes());
    let winning = vec![ballot(2, replica(), accepted), ballot(3, replica(), accepted)];
    let wrong = Outcome::Digits("3.99".to_owned()).to_bytes();
    let hands = Hands { certificate: certificate(accepted, winning).to_bytes(), outcome: wrong };
    let (result, stored) = obey(hands, accepted, 2).await;
    assert!(result.is_err());
    assert_eq!(stored, Some(mine));
}
