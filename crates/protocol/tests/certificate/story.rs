//! Small jobs with fixed keys, as a coordinator would have written them down: told as records, bound into certificates.

use protocol::{
    ballot::{Ballot, ReplicaId, SignedBallot},
    certificate::{BuildError, Builder},
    constant::Formula,
    digest::{Digest, Domain},
    domain::{Engine, FailureDomain},
    identity::{NodeId, SecretKey},
    job::{JobId, JobSpec},
    ledger::{CountedBallot, Decided, Entry, Head, LEDGER_VERSION, Record, SignedHead, Submitted},
    merkle::MerkleTree,
    outcome::{Answer, Checksum, Outcome, RangeAnswer},
    plan::Plan,
    report::JobState,
    task::TaskId,
    verdict::Verdict,
};

/// When the first story begins, in milliseconds since 1970.
pub(crate) const BEGIN_MS: u64 = 1_790_000_000_000;

pub(crate) fn coordinator() -> SecretKey {
    SecretKey::from_seed(&[100; 32])
}

pub(crate) fn worker(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

/// A job as its coordinator wrote it down.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) job: JobId,
    pub(crate) plan: Plan,
    pub(crate) file: Option<String>,
    /// What the ledger holds before, which is not of this job.
    pub(crate) before: Vec<Record>,
    /// The job's records. Behind each stands one of another job.
    pub(crate) records: Vec<Record>,
    pub(crate) outcomes: Vec<Option<Vec<u8>>>,
}

impl Story {
    /// A job of this text, before anybody voted.
    pub(crate) fn begin(text: &str, file: Option<&str>) -> Self {
        let spec = JobSpec::parse(text).expect("a good job");
        let plan = Plan::new(&spec, file.map(Into::into)).expect("a good file");
        let nonce = [42; 16];
        let digest = file.map(|file| Digest::of(Domain::ExpressionFile, file.as_bytes()));
        let job = JobId::of_submission(text, digest, nonce);
        let submitted = Record::Submitted(Submitted {
            job,
            nonce,
            submitter: worker(200).node_id(),
            policy: spec.policy,
            text: text.to_owned(),
            file: digest,
        });
        let founded = Record::Founded { coordinator: coordinator().node_id(), version: LEDGER_VERSION };
        let file = file.map(str::to_owned);
        Self { job, plan, file, before: vec![founded], records: vec![submitted], outcomes: Vec::new() }
    }

    /// What a worker would sign. Each worker is an operator of its own.
    pub(crate) fn ballot(&self, index: u64, number: u8, outcome: &Outcome) -> Ballot {
        let task = self.plan.task(index).expect("a task");
        let formulas = task.formulas();
        Ballot {
            replica: ReplicaId { job: self.job, index, task: TaskId::of(&task), number: u32::from(number) },
            worker: worker(number).node_id(),
            digest: Outcome::digest_of_bytes(&outcome.to_bytes()),
            domain: FailureDomain {
                operator: format!("operator-{number}"),
                engine: Engine::Cpu,
                formula: formulas
                    .get(usize::from(number) % formulas.len())
                    .copied()
                    .unwrap_or(Formula::Direct),
                device: "a processor".to_owned(),
                build: "0.1.0".to_owned(),
            },
            audit: None,
            trace: None,
        }
    }

    /// A verdict on these ballots, which are put in the order of their workers' keys.
    pub(crate) fn decided(
        &self,
        index: u64,
        accepted: Option<&Outcome>,
        ballots: Vec<SignedBallot>,
    ) -> Decided {
        let task = TaskId::of(&self.plan.task(index).expect("a task"));
        let verdict = accepted.map_or(Verdict::Undecided, |outcome| {
            Verdict::Accepted(Outcome::digest_of_bytes(&outcome.to_bytes()))
        });
        let disputed = ballots.iter().any(|signed| signed.ballot.digest != ballots[0].ballot.digest);
        let mut ballots: Vec<_> = ballots.into_iter().map(counted).collect();
        ballots.sort_by_key(|counted| counted.ballot.ballot.worker);
        Decided {
            job: self.job,
            index,
            task,
            verdict,
            quorum: 2,
            opened_ms: BEGIN_MS,
            disputed,
            ballots,
            equivocations: Vec::new(),
            audits: Vec::new(),
        }
    }

    pub(crate) fn over(&mut self, state: JobState) {
        self.records.push(Record::Over { job: self.job, state });
    }

    /// The ledger, the positions of the job's entries in it, and its head.
    pub(crate) fn ledger(&self) -> (MerkleTree, Vec<(u64, Vec<u8>)>, SignedHead) {
        let mut leaves: Vec<Vec<u8>> = Vec::new();
        let mut mine = Vec::new();
        let entry = |record: &Record, leaves: &[Vec<u8>]| {
            Entry { at_ms: BEGIN_MS + leaves.len() as u64, record: record.clone() }.to_bytes()
        };
        for record in &self.before {
            leaves.push(entry(record, &leaves));
        }
        for record in &self.records {
            let bytes = entry(record, &leaves);
            mine.push((leaves.len() as u64, bytes.clone()));
            leaves.push(bytes);
            let other = Record::Over { job: JobId([9; 16]), state: JobState::Abandoned };
            leaves.push(entry(&other, &leaves));
        }
        let at_ms = BEGIN_MS + leaves.len() as u64;
        let tree = MerkleTree::new(leaves);
        let head = Head { coordinator: coordinator().node_id(), tree: tree.root(), at_ms };
        (tree, mine, head.sign(&coordinator()))
    }

    /// The certificate, signed by the coordinator.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.written(Builder::begin)
    }

    /// The same, as it travels to whoever has file and outcomes.
    pub(crate) fn abridged_certificate(&self) -> Vec<u8> {
        self.written(Builder::abridged)
    }

    fn written(&self, begin: Beginning) -> Vec<u8> {
        let (tree, entries, head) = self.ledger();
        let file = self.file.as_ref().map(String::as_bytes);
        let count = entries.len() as u64;
        let mut builder = begin(Vec::new(), head, count, file).expect("memory takes it");
        for (position, bytes) in entries {
            builder.entry(bytes, &tree.path(position).expect("a leaf")).expect("it fits");
        }
        for outcome in &self.outcomes {
            builder.outcome(outcome.as_deref()).expect("memory takes it");
        }
        builder.finish(&coordinator()).expect("memory takes it")
    }
}

/// How a certificate is begun.
type Beginning = fn(Vec<u8>, SignedHead, u64, Option<&[u8]>) -> Result<Builder<Vec<u8>>, BuildError>;

pub(crate) fn counted(ballot: SignedBallot) -> CountedBallot {
    CountedBallot { ballot, compute_us: 1500 }
}

pub(crate) fn truth(number: u8) -> Outcome {
    Outcome::Answers(vec![Answer::True { checksum: Checksum([number; 16]) }])
}

pub(crate) fn node(number: u8) -> NodeId {
    worker(number).node_id()
}

const EXPRESSIONS: &str = "name = \"small\"\nkind = \"expressions\"\n\n[expressions]\nfile = \"lines.txt\"\nbatch = 1\n\n\
                           [policy]\ndistinct = [\"operator\"]\n";
const LINES: &str =
    "# what everybody knows\n2 * 2 * 2 * 2 == 16\n1 + 1 == 3\n\nfor n in 1..=10: n <= 10\n2 ^ 8\n";

/// A job of four tasks: one clear, one disputed with a dissenter who is corrected, a range with a late ballot, and one
/// that stays undecided with an equivocator.
pub(crate) fn expressions() -> Story {
    let mut story = Story::begin(EXPRESSIONS, Some(LINES));
    let (clear, wrong) = (truth(1), truth(2));
    let range = Outcome::Range(RangeAnswer::AllTrue { checksum: Checksum([3; 16]) });
    // Task 0: three alone.
    let ballots = (1..=3).map(|number| story.ballot(0, number, &clear).sign(&worker(number))).collect();
    let first = story.decided(0, Some(&clear), ballots);
    // Task 1: worker 1 is wrong, the others sign in bundles together with task 2.
    let no = Outcome::Answers(vec![Answer::False { parts_after: Some(0), checksum: Checksum([2; 16]) }]);
    let mut second = vec![story.ballot(1, 1, &wrong).sign(&worker(1))];
    let mut third = Vec::new();
    for number in 2..=3 {
        let together = vec![story.ballot(1, number, &no), story.ballot(2, number, &range)];
        let signed = Ballot::sign_bundle(together, &worker(number));
        second.push(signed[0].clone());
        third.push(signed[1].clone());
    }
    let second = story.decided(1, Some(&no), second);
    let accepted = Outcome::digest_of_bytes(&no.to_bytes());
    let third = story.decided(2, Some(&range), third);
    let late = story.ballot(2, 1, &range).sign(&worker(1));
    // Task 3: worker 1 signs two digests, and two others disagree.
    let pair = [story.ballot(3, 1, &clear).sign(&worker(1)), story.ballot(3, 1, &wrong).sign(&worker(1))];
    let ballots =
        vec![story.ballot(3, 2, &clear).sign(&worker(2)), story.ballot(3, 3, &wrong).sign(&worker(3))];
    let mut fourth = story.decided(3, None, ballots);
    fourth.equivocations.push(pair);
    story.records.extend([
        Record::Decided(second),
        Record::Decided(first),
        Record::Decided(third),
        Record::Late(counted(late)),
        Record::Corrected { job: story.job, index: 1, worker: node(1), accepted },
        Record::Decided(fourth),
    ]);
    story.over(JobState::Incomplete);
    story.outcomes = vec![Some(clear.to_bytes()), Some(no.to_bytes()), Some(range.to_bytes()), None];
    story
}

const DIGITS: &str = "name = \"e\"\nkind = \"digits\"\n\n[digits]\nconstant = \"e\"\ndecimals = 10\n\n[policy]\ndistinct = [\"formula\"]\n";
/// The value of [`digits`].
pub(crate) const DIGITS_VALUE: &str = "2.7182818284";

/// A job of one task, with two ballots by two formulas.
pub(crate) fn digits() -> Story {
    let mut story = Story::begin(DIGITS, None);
    let value = Outcome::Digits(DIGITS_VALUE.to_owned());
    let ballots = (1..=2).map(|number| story.ballot(0, number, &value).sign(&worker(number))).collect();
    let decided = story.decided(0, Some(&value), ballots);
    story.records.push(Record::Decided(decided));
    story.over(JobState::Reconciled);
    story
}

const ADAPTIVE: &str = "name = \"trusting\"\nkind = \"expressions\"\n\n[expressions]\nfile = \"lines.txt\"\nbatch = 1\n\n\
                        [policy]\nadaptive = true\nerror = 0.01\nfaulty = 0.01\n";

/// A verdict with a quorum of as many as agree, as adaptive replication writes them down.
pub(crate) fn decided_with(
    story: &Story,
    index: u64,
    accepted: &Outcome,
    ballots: Vec<SignedBallot>,
) -> Decided {
    let digest = Outcome::digest_of_bytes(&accepted.to_bytes());
    let agreeing = ballots.iter().filter(|signed| signed.ballot.digest == digest).count();
    let quorum = u32::try_from(agreeing).expect("few");
    Decided { quorum, ..story.decided(index, Some(accepted), ballots) }
}

/// A job of three tasks with adaptive replication: one that was checked, one that rests on a ballot alone, and a dispute that is
/// led by two.
pub(crate) fn adaptive() -> Story {
    let mut story = Story::begin(ADAPTIVE, Some("1 + 1 == 2\n2 + 2 == 4\n3 + 3 == 6\n"));
    let votes: [&[(u8, u8)]; 3] = [&[(1, 1), (2, 1)], &[(1, 2)], &[(1, 3), (3, 3), (4, 3), (2, 9)]];
    for (index, said) in votes.into_iter().enumerate() {
        let index = index as u64;
        let cast =
            |(number, said): &(u8, u8)| story.ballot(index, *number, &truth(*said)).sign(&worker(*number));
        let ballots = said.iter().map(cast).collect();
        let accepted = truth(said[0].1);
        let decided = decided_with(&story, index, &accepted, ballots);
        story.records.push(Record::Decided(decided));
        story.outcomes.push(Some(accepted.to_bytes()));
    }
    story.over(JobState::Reconciled);
    story
}
