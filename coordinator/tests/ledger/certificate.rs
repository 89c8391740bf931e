//! A certificate that is written from a ledger holds when it is checked, with its file and its outcomes.

use coordinator::{
    certificate::{self, CertificateError, Extent},
    ledger::{Batch, Durability, Ledger},
};
use protocol::{
    ballot::{Ballot, ReplicaId},
    certificate::verify,
    constant::Formula,
    digest::{Digest, Domain},
    domain::{Engine, FailureDomain},
    job::{JobId, JobSpec},
    ledger::{CountedBallot, Decided, Entry, Record, Submitted},
    outcome::{Answer, Checksum, Outcome},
    plan::Plan,
    report::JobState,
    task::TaskId,
    verdict::Verdict,
};

use crate::log::{key, submitted, worker};

const TEXT: &str =
    "name = \"lines\"\nkind = \"expressions\"\n[expressions]\nfile = \"lines.txt\"\nbatch = 1\n";
const FILE: &str = "1 == 1\n2 == 2\n3 == 3\n";

/// The records of a job whose three tasks are accepted, and the one outcome of all.
fn job() -> (JobId, Vec<Record>, Vec<u8>) {
    let spec = JobSpec::parse(TEXT).expect("a good job");
    let plan = Plan::new(&spec, Some(FILE.into())).expect("a good file");
    let file = Digest::of(Domain::ExpressionFile, FILE.as_bytes());
    let job = JobId::of_submission(TEXT, Some(file), [5; 16]);
    let outcome = Outcome::Answers(vec![Answer::True { checksum: Checksum([1; 16]) }]).to_bytes();
    let digest = Outcome::digest_of_bytes(&outcome);
    let mut records = vec![Record::Submitted(Submitted {
        job,
        nonce: [5; 16],
        submitter: key().node_id(),
        policy: spec.policy,
        text: TEXT.to_owned(),
        file: Some(file),
    })];
    for index in 0..plan.tasks() {
        let task = TaskId::of(&plan.task(index).expect("a task"));
        let cast = |by: u8| {
            let replica = ReplicaId { job, index, task, number: by.into() };
            let domain = FailureDomain {
                operator: format!("operator-{by}"),
                engine: Engine::Cpu,
                formula: Formula::Direct,
                device: "a processor".to_owned(),
                build: "0.1.0".to_owned(),
            };
            let ballot =
                Ballot { replica, worker: worker(by).node_id(), digest, domain, audit: None, trace: None };
            CountedBallot { ballot: ballot.sign(&worker(by)), compute_us: 1 }
        };
        let mut ballots = vec![cast(1), cast(2)];
        ballots.sort_by_key(|counted| counted.ballot.ballot.worker);
        records.push(Record::Decided(Decided {
            job,
            index,
            task,
            verdict: Verdict::Accepted(digest),
            quorum: 2,
            opened_ms: 1,
            disputed: false,
            ballots,
            equivocations: Vec::new(),
            audits: Vec::new(),
        }));
    }
    records.push(Record::Over { job, state: JobState::Reconciled });
    (job, records, outcome)
}

#[test]
fn a_certificate_from_the_ledger_holds_and_one_of_an_unknown_job_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut ledger = Ledger::open(folder.path(), &key(), Durability::Memory).expect("a fresh ledger");
    let (job, records, outcome) = job();
    let task_outcome = outcome.clone();
    let file = Digest::of(Domain::ExpressionFile, FILE.as_bytes());
    ledger.reader().files().put(file, FILE.as_bytes().into()).expect("memory takes it");
    // Another job's entries stand between.
    let others = [7, 8, 9, 10, 11].map(|number| Record::Submitted(submitted(number)));
    let at_ms = ledger.head().head.at_ms;
    let mixed = records.into_iter().zip(others).flat_map(|(mine, other)| [mine, other]);
    let entries = mixed.map(|record| Entry { at_ms, record }).collect();
    ledger.append(&Batch { entries, ..Batch::default() }).expect("memory takes it");
    let digest = Outcome::digest_of_bytes(&outcome);
    let kept = |wanted: &Digest| (*wanted == digest).then(|| outcome.clone().into());
    let bytes = certificate::write(ledger.reader(), &key(), (job, Extent::Whole), kept, Vec::new())
        .expect("it is written");
    let found = verify(&bytes[..], &[]).expect("it holds");
    assert_eq!((found.tasks, found.accepted, found.outcomes), (3, 3, 3));
    assert_eq!(found.coordinator, key().node_id());
    let (file, length) = certificate::write_to_file(ledger.reader(), &key(), (job, Extent::Whole), kept)
        .expect("it is written");
    assert_eq!(length, bytes.len() as u64);
    let abridged = certificate::write(ledger.reader(), &key(), (job, Extent::Abridged), kept, Vec::new())
        .expect("it is written");
    assert_eq!(abridged.len(), bytes.len() - FILE.len() - 3 * (4 + task_outcome.len()));
    assert!(verify(file, &[]).is_ok());
    let lost = certificate::write(ledger.reader(), &key(), (job, Extent::Whole), |_| None, Vec::new())
        .expect("it is written");
    assert_eq!(verify(&lost[..], &[]).expect("it holds").outcomes_elsewhere, 3);
    let unknown =
        certificate::write(ledger.reader(), &key(), (JobId([0; 16]), Extent::Whole), kept, Vec::new());
    assert!(matches!(unknown, Err(CertificateError::UnknownJob(_))));
}
