//! A small job with everything that can be decided: a clear verdict, a dispute with a correction, a bundle, a late ballot,
//! an equivocation; as tasks, outcomes, ballots, entries of a ledger and parts of a certificate.

use protocol::{
    audit::Audited,
    ballot::{Ballot, ReplicaId, SignedBallot},
    commitment::{Commitment, Salt},
    constant::Constant,
    digest::{Digest, Domain},
    digit_extraction::Fraction,
    domain::{Engine, FailureDomain},
    fault::{FaultClass, LocatedFault, Parting, Stretch},
    identity::SecretKey,
    job::{JobId, JobSpec},
    ledger::{CountedBallot, Decided, Enrolment, Entry, Head, LEDGER_VERSION, Record, SignedHead, Submitted},
    merkle::MerkleTree,
    message::EngineIntroduction,
    outcome::{Answer, Checksum, Outcome, RangeAnswer, Refusal, RefusalKind},
    plan::Plan,
    report::JobState,
    standing::{BrokenSeal, QuarantineReason, Quarantined, Tested},
    task::{Task, TaskId},
    trace::TracePlace,
    verdict::{Certificate, Verdict},
};

use super::{coordinator, texts, worker};

/// When the story begins, in milliseconds since 1970.
const BEGIN_MS: u64 = 1_790_000_000_000;

/// A job as its coordinator wrote it down.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// The expression file.
    pub file: String,
    /// The job's records, in order.
    pub records: Vec<Record>,
    /// The accepted outcomes.
    pub outcomes: Vec<Option<Vec<u8>>>,
}

/// One answer that stands for a value.
fn truth(number: u8) -> Outcome {
    Outcome::Answers(vec![Answer::True { checksum: Checksum([number; 16]) }])
}

/// One outcome of each shape.
#[must_use]
pub fn outcomes() -> Vec<Outcome> {
    let checksum = Checksum([5; 16]);
    let refusal = Refusal { kind: RefusalKind::Work, message: "too much work".to_owned() };
    let answers = vec![
        Answer::True { checksum },
        Answer::False { parts_after: Some(3), checksum },
        Answer::Agrees { digits: 100, checksum },
        Answer::Value { text: "2.5".to_owned(), exact: true },
        Answer::Refused(refusal.clone()),
    ];
    vec![
        Outcome::Digits("3.14159".to_owned()),
        Outcome::Answers(answers),
        Outcome::Range(RangeAnswer::AllTrue { checksum }),
        Outcome::Range(RangeAnswer::Counterexample { value: -7, checksum }),
        Outcome::Range(RangeAnswer::Unsettled { value: i128::MAX, digits: 10, checksum }),
        Outcome::Range(RangeAnswer::Refused { value: 0, refusal }),
        Outcome::HexSum(Fraction::from_limbs(&[1, u64::MAX])),
    ]
}

/// One task of each shape.
#[must_use]
pub fn tasks() -> Vec<Task> {
    let of_menu = texts::JOBS.iter().filter_map(|text| {
        let plan = Plan::new(&JobSpec::parse(text).ok()?, Some(texts::LINES.into())).ok()?;
        plan.task(plan.tasks() - 1)
    });
    let decimals = [50, u64::MAX];
    let digits = decimals.map(|decimals| Task::Digits { constant: Constant::Sqrt(7), decimals });
    of_menu.chain(digits).collect()
}

/// What a worker signs on a task.
#[must_use]
pub fn ballot(replica: ReplicaId, key: &SecretKey, outcome: &Outcome) -> Ballot {
    let operator = format!("operator-{}", key.node_id().short());
    let (device, build) = ("a processor".to_owned(), "0.1.0".to_owned());
    let formula = protocol::constant::Formula::Direct;
    Ballot {
        replica,
        worker: key.node_id(),
        digest: Outcome::digest_of_bytes(&outcome.to_bytes()),
        domain: FailureDomain { operator, engine: Engine::Cpu, formula, device, build },
        audit: None,
        trace: None,
    }
}

/// What a worker signs that has audited what another one computed.
#[must_use]
pub fn audit(replica: ReplicaId, key: &SecretKey, of: &Ballot, passes: bool) -> Ballot {
    let audited = Audited { outcome: of.digest, prover: of.worker, seed: [9; 32] };
    let domain = FailureDomain { formula: protocol::constant::Formula::Audit, ..of.domain.clone() };
    let digest = if passes { audited.outcome } else { audited.rejection() };
    Ballot { replica, worker: key.node_id(), digest, domain, audit: Some(audited), trace: None }
}

/// Some execution of some task.
#[must_use]
pub fn replica() -> ReplicaId {
    ReplicaId { job: JobId([1; 16]), index: 0, task: TaskId(Digest([2; 32])), number: 3 }
}

/// A ballot that was signed alone, and two that were signed together.
#[must_use]
pub fn ballots() -> Vec<SignedBallot> {
    let key = worker(1);
    let cast = |number| ballot(ReplicaId { number, ..replica() }, &key, &truth(1));
    let traced = Ballot { trace: Some(Box::new(Digest([3; 32]))), ..cast(3) };
    let mut ballots = Ballot::sign_bundle(vec![cast(1), cast(2), traced], &key);
    ballots.push(cast(0).sign(&key));
    for passes in [true, false] {
        ballots.push(audit(replica(), &worker(4), &cast(0), passes).sign(&worker(4)));
    }
    ballots
}

/// The certificate of one task.
#[must_use]
pub fn task_certificate() -> Certificate {
    let replica = replica();
    let cast = |number: u8, outcome: &Outcome| {
        ballot(ReplicaId { number: number.into(), ..replica }, &worker(number), outcome).sign(&worker(number))
    };
    let accepted = truth(1);
    let dissent = cast(3, &truth(2));
    let rejection = audit(replica, &worker(1), &dissent.ballot, false).sign(&worker(1));
    Certificate {
        job: replica.job,
        index: replica.index,
        task: replica.task,
        accepted: Outcome::digest_of_bytes(&accepted.to_bytes()),
        quorum: 2,
        winning: vec![cast(1, &accepted), cast(2, &accepted)],
        dissenting: vec![dissent],
        rejections: vec![rejection],
    }
}

/// The job of [`texts::STORY`].
#[must_use]
pub fn story() -> Story {
    let Some((plan, submitted)) = submission(texts::STORY_LINES.to_owned()) else { return Story::default() };
    let job = submitted.job;
    let cast = |index: u64, number: u8, outcome: &Outcome| {
        let task = plan.task(index).map_or(TaskId(Digest([0; 32])), |task| TaskId::of(&task));
        ballot(ReplicaId { job, index, task, number: number.into() }, &worker(number), outcome)
    };
    let (clear, wrong) = (truth(1), truth(2));
    let range = Outcome::Range(RangeAnswer::AllTrue { checksum: Checksum([3; 16]) });
    let first = (1..=3).map(|number| cast(0, number, &clear).sign(&worker(number))).collect();
    let mut second = vec![cast(1, 1, &wrong).sign(&worker(1))];
    let mut third = Vec::new();
    for number in 2..=3 {
        let together = vec![cast(1, number, &clear), cast(2, number, &range)];
        let mut signed = Ballot::sign_bundle(together, &worker(number)).into_iter();
        second.extend(signed.next());
        third.extend(signed.next());
    }
    let fourth = vec![cast(3, 2, &clear).sign(&worker(2)), cast(3, 3, &wrong).sign(&worker(3))];
    let pair = [cast(3, 1, &clear).sign(&worker(1)), cast(3, 1, &wrong).sign(&worker(1))];
    let accepted = Outcome::digest_of_bytes(&clear.to_bytes());
    let late = counted(cast(2, 1, &range).sign(&worker(1)));
    let records = vec![
        Record::Submitted(submitted),
        Record::Decided(decided(Some(&clear), first, Vec::new())),
        Record::Decided(decided(Some(&clear), second, Vec::new())),
        Record::Decided(decided(Some(&range), third, Vec::new())),
        Record::Late(late),
        Record::Corrected { job, index: 1, worker: worker(1).node_id(), accepted },
        Record::Decided(decided(None, fourth, vec![pair])),
        Record::Over { job, state: JobState::Incomplete },
    ];
    let outcomes = vec![Some(clear.to_bytes()), Some(clear.to_bytes()), Some(range.to_bytes()), None];
    Story { file: texts::STORY_LINES.to_owned(), records, outcomes }
}

/// A job of [`texts::STORY`] with this file, and the record of its submission.
fn submission(file: String) -> Option<(Plan, Submitted)> {
    let text = texts::STORY;
    let digest = Some(Digest::of(Domain::ExpressionFile, file.as_bytes()));
    let job = JobId::of_submission(text, digest, [42; 16]);
    let spec = JobSpec::parse(text).ok()?;
    let plan = Plan::new(&spec, Some(file.into())).ok()?;
    let (nonce, submitter, policy) = ([42; 16], worker(200).node_id(), spec.policy);
    Some((plan, Submitted { job, nonce, submitter, policy, text: text.to_owned(), file: digest }))
}

/// A job of one long expression over so long a range that it is thousands of tasks, the first of which are undecided, and
/// the others open.
#[must_use]
pub fn undecided_story(undecided: u64) -> Story {
    let file = format!("for n in 1..=2^31: {}n >= 0\n", "n + ".repeat(8000));
    let Some((plan, submitted)) = submission(file.clone()) else { return Story::default() };
    let job = submitted.job;
    let without_ballots = |index| {
        let task = TaskId::of(&plan.task(index)?);
        Some(Record::Decided(Decided { job, index, task, ..decided(None, Vec::new(), Vec::new()) }))
    };
    let mut records = vec![Record::Submitted(submitted)];
    records.extend((0..undecided).filter_map(without_ballots));
    Story { file, records, outcomes: vec![None; plan.tasks().try_into().unwrap_or(0)] }
}

fn counted(ballot: SignedBallot) -> CountedBallot {
    CountedBallot { ballot, compute_us: 1500 }
}

/// The verdict of these ballots, which are about one task.
fn decided(
    accepted: Option<&Outcome>,
    ballots: Vec<SignedBallot>,
    equivocations: Vec<[SignedBallot; 2]>,
) -> Decided {
    let ReplicaId { job, index, task, .. } =
        ballots.first().map_or_else(replica, |first| first.ballot.replica);
    let verdict = accepted.map_or(Verdict::Undecided, |outcome| {
        Verdict::Accepted(Outcome::digest_of_bytes(&outcome.to_bytes()))
    });
    let disputed = ballots.windows(2).any(|pair| pair[0].ballot.digest != pair[1].ballot.digest);
    let mut ballots: Vec<_> = ballots.into_iter().map(counted).collect();
    ballots.sort_by_key(|counted| counted.ballot.ballot.worker);
    let (opened_ms, audits) = (BEGIN_MS, Vec::new());
    Decided { job, index, task, verdict, quorum: 2, opened_ms, disputed, ballots, equivocations, audits }
}

/// A fault that was located, what followed, and a seal that was broken.
fn fault_and_seal() -> Vec<Record> {
    let ballot = ballot(replica(), &worker(3), &truth(2));
    let Ballot { worker, domain, replica, .. } = ballot.clone();
    let place = TracePlace { tree: 0, from: 561, to: 1_072 };
    let parting = Parting::Node { place, trees: 1, digests: [Digest([1; 32]), Digest([2; 32])] };
    let stretch = Stretch { formula: domain.formula, place, trees: 1 };
    let engine = domain.engine;
    let fault = LocatedFault {
        worker,
        domain,
        job: replica.job,
        index: replica.index,
        task: replica.task,
        accepted: Digest([3; 32]),
        winner: self::worker(1).node_id(),
        parting,
        class: Some(FaultClass::Deterministic),
        rounds: 9,
        bytes: 3_000,
        alike: vec![self::worker(2).node_id()],
    };
    let reasons = [QuarantineReason::Lasting(stretch), QuarantineReason::Kind { worker, stretch }];
    let quarantined = reasons
        .map(|reason| Record::Quarantined(Quarantined { worker, engine, reason, job: Some(replica.job) }));
    let salt = Salt([5; 32]);
    let commitment = Commitment::to(&ballot, &Salt([6; 32]));
    let ballot = ballot.sign(&self::worker(3));
    let broken = BrokenSeal { ballot, salt, commitment };
    let mut records = vec![Record::Located(Box::new(fault)), Record::SealBroken(Box::new(broken))];
    records.extend(quarantined);
    records
}

/// The entries of a whole ledger with the story in it.
#[must_use]
pub fn entries() -> Vec<Entry> {
    let engines = vec![EngineIntroduction { engine: Engine::Gpu, device: "a card".to_owned() }];
    let (name, operator, build) = ("w".to_owned(), "alice".to_owned(), "0.1.0".to_owned());
    let enrolled = Enrolment { worker: worker(1).node_id(), name, operator, engines, build };
    let mut records = vec![
        Record::Founded { coordinator: coordinator().node_id(), version: LEDGER_VERSION },
        Record::Enrolled(enrolled),
    ];
    records.extend(story().records);
    records.push(Record::Revoked { node: worker(9).node_id() });
    let worker = worker(1).node_id();
    let reason = QuarantineReason::ErrorRate { wrong: 3, answers: 4 };
    records.push(Record::Quarantined(Quarantined { worker, engine: Engine::Gpu, reason, job: None }));
    let known = records.iter().find_map(|record| match record {
        Record::Decided(decided) => decided.ballots.first().cloned(),
        _ => None,
    });
    records.extend(known.map(|counted| {
        let accepted = counted.ballot.ballot.digest;
        Record::Tested(Tested { counted, accepted })
    }));
    records.push(Record::Readmitted { worker, engine: Engine::Gpu });
    records.extend(fault_and_seal());
    entries_of(records)
}

/// These records, a millisecond after each other.
#[must_use]
pub fn entries_of(records: Vec<Record>) -> Vec<Entry> {
    (BEGIN_MS..).zip(records).map(|(at_ms, record)| Entry { at_ms, record }).collect()
}

/// A head over these leaves, signed.
#[must_use]
pub fn head(tree: &MerkleTree) -> SignedHead {
    Head { coordinator: coordinator().node_id(), tree: tree.root(), at_ms: BEGIN_MS + 1000 }
        .sign(&coordinator())
}
