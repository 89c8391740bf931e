//! A small log of everything that a ledger holds: jobs, ballots that were really signed, verdicts, corrections.

use protocol::{
    ballot::{Ballot, ReplicaId, SignedBallot},
    constant::Formula,
    digest::Digest,
    domain::{Engine, FailureDomain},
    identity::SecretKey,
    job::JobId,
    ledger::{CountedBallot, Decided, Enrolment, Entry, Record, Submitted},
    message::EngineIntroduction,
    outcome::Outcome,
    policy::Policy,
    report::JobState,
    task::TaskId,
    verdict::Verdict,
};

/// The coordinator's key.
pub(crate) fn key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

/// The key of a worker.
pub(crate) fn worker(number: u8) -> SecretKey {
    SecretKey::from_seed(&[100 + number; 32])
}

/// An outcome's bytes and digest.
pub(crate) fn outcome(number: u64) -> (Digest, Vec<u8>) {
    let bytes = format!("outcome {number}").into_bytes();
    (Outcome::digest_of_bytes(&bytes), bytes)
}

/// How many workers [`everybody`] are.
pub(crate) const EVERYBODY: u8 = 7;

/// A worker as it is let in.
pub(crate) fn enrolment(number: u8) -> Enrolment {
    Enrolment {
        worker: worker(number).node_id(),
        name: format!("worker-{number}"),
        operator: format!("operator-{number}"),
        engines: vec![EngineIntroduction { engine: Engine::Cpu, device: "a processor".to_owned() }],
        build: "0.1.0".to_owned(),
    }
}

/// The enrolments of the first workers.
pub(crate) fn everybody() -> Vec<Entry> {
    (1..=EVERYBODY).map(|number| entry(Record::Enrolled(enrolment(number)))).collect()
}

/// A job's text, which is no job that could be run.
pub(crate) fn submitted(number: u8) -> Submitted {
    let (text, nonce) = (format!("name = \"job-{number}\"\n"), [number; 16]);
    Submitted {
        job: JobId::of_submission(&text, None, nonce),
        nonce,
        submitter: key().node_id(),
        policy: Policy::default(),
        text,
        file: None,
    }
}

/// A task of the job.
pub(crate) fn task(index: u64) -> TaskId {
    TaskId(outcome(1_000_000 + index).0)
}

/// What a worker says of a task.
pub(crate) fn ballot(job: JobId, index: u64, by: u8, digest: Digest) -> Ballot {
    let replica = ReplicaId { job, index, task: task(index), number: u32::from(by) };
    let domain = FailureDomain {
        operator: format!("operator-{by}"),
        engine: Engine::Cpu,
        formula: Formula::Direct,
        device: "a processor".to_owned(),
        build: "0.1.0".to_owned(),
    };
    Ballot { replica, worker: worker(by).node_id(), digest, domain, audit: None, trace: None }
}

/// The end of a task on which these workers agreed and those did not.
pub(crate) fn decided(job: JobId, index: u64, agreeing: &[u8], against: &[u8]) -> Decided {
    let accepted = outcome(index).0;
    let cast = |by: u8, digest| -> SignedBallot { ballot(job, index, by, digest).sign(&worker(by)) };
    let mut ballots: Vec<CountedBallot> = agreeing
        .iter()
        .map(|by| cast(*by, accepted))
        .chain(against.iter().map(|by| cast(*by, outcome(index + 500).0)))
        .map(|ballot| CountedBallot { ballot, compute_us: 7 })
        .collect();
    ballots.sort_by_key(|counted| counted.ballot.ballot.worker);
    Decided {
        job,
        index,
        task: task(index),
        verdict: Verdict::Accepted(accepted),
        quorum: 2,
        opened_ms: 1,
        disputed: !against.is_empty(),
        ballots,
        equivocations: Vec::new(),
        audits: Vec::new(),
    }
}

/// At no time in particular.
pub(crate) fn entry(record: Record) -> Entry {
    Entry { at_ms: 0, record }
}

/// The records of one job of `tasks` tasks, from its submission to its end; the first task has a dissenter.
pub(crate) fn whole_job(number: u8, tasks: u64) -> Vec<Entry> {
    let submitted = submitted(number);
    let job = submitted.job;
    let mut records = vec![Record::Submitted(submitted)];
    records.push(Record::Decided(decided(job, 0, &[1, 2], &[3])));
    records.extend((1..tasks).map(|index| Record::Decided(decided(job, index, &[1, 2], &[]))));
    let ballot = ballot(job, 0, 4, outcome(0).0).sign(&worker(4));
    records.push(Record::Late(CountedBallot { ballot, compute_us: 9 }));
    let accepted = outcome(0).0;
    records.push(Record::Corrected { job, index: 0, worker: worker(3).node_id(), accepted });
    records.push(Record::Over { job, state: JobState::Reconciled });
    records.into_iter().map(entry).collect()
}
