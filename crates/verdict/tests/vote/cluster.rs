//! A cluster without I/O: the machine, workers that behave as told, and a queue of messages whose order a seed decides.

use std::collections::{BTreeMap, VecDeque};

pub(crate) use crate::behaviour::{AsAuditor, Behaviour};
use protocol::{
    audit::Audited,
    ballot::{Ballot, ReplicaId, SignedBallot},
    commitment::{Commitment, Salt},
    constant::{Constant, Formula},
    digest::{Digest, Domain},
    domain::{Engine, FailureDomain},
    identity::{NodeId, SecretKey},
    job::JobId,
    ledger::{Enrolment, Entry, Record, Submitted},
    message::{AuditOrder, EngineIntroduction},
    policy::Policy,
    report::{JobState, Liveness},
    task::Task,
    verdict::{Certificate, Verdict},
};
use verdict::{
    Config, Input, Machine, Output, Rejected, SealFault, TEST_NUMBERS, TaskTerms, Tasks, liveness::Rhythm,
};

pub(crate) struct FakeWorker {
    pub(crate) key: SecretKey,
    pub(crate) operator: String,
    pub(crate) engine: Engine,
    pub(crate) device: String,
    pub(crate) build: String,
    pub(crate) behaviour: Behaviour,
    pub(crate) auditing: AsAuditor,
    pub(crate) connected: bool,
    pub(crate) stored: BTreeMap<u64, Digest>,
    /// The ballots of sealed tasks that it has committed to, in the order in which it would reveal them.
    sealed: BTreeMap<ReplicaId, Vec<SignedBallot>>,
    first_commitment: Option<Commitment>,
}

/// What a worker was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Lease,
    Correction,
}

struct Digits(u64, &'static [Engine]);

impl Tasks for Digits {
    fn count(&self) -> u64 {
        self.0
    }
    fn terms(&self, index: u64) -> TaskTerms {
        TaskTerms { engines: self.1, ..TaskTerms::of(&task(index)) }
    }
}

pub(crate) fn task(index: u64) -> Task {
    // A constant of two formulas.
    Task::Digits { constant: Constant::E, decimals: 100 + index }
}

pub(crate) fn truth(index: u64) -> Digest {
    Digest::of(Domain::Outcome, format!("truth {index}").as_bytes())
}

pub(crate) fn lie(index: u64, liar: u8) -> Digest {
    Digest::of(Domain::Outcome, format!("lie {liar} {index}").as_bytes())
}

/// The salt of a replica's commitment: a test's secrets need not be secret.
pub(crate) fn salt(replica: ReplicaId) -> Salt {
    Salt(Digest::of(Domain::Values, format!("{replica:?}").as_bytes()).0)
}

fn repeated(input: &Input) -> Option<Input> {
    match input {
        Input::Committed { worker, replica, commitment } => {
            Some(Input::Committed { worker: *worker, replica: *replica, commitment: *commitment })
        }
        Input::BallotRevealed { ballot, salt, .. } => Some(Input::BallotRevealed {
            ballot: ballot.clone(),
            salt: *salt,
            outcome_held: false,
            compute_us: 10,
        }),
        _ => None,
    }
}

pub(crate) const JOB: JobId = JobId([7; 16]);

pub(crate) struct Cluster {
    pub(crate) machine: Machine,
    pub(crate) workers: Vec<FakeWorker>,
    pub(crate) now_ms: u64,
    pub(crate) verdicts: BTreeMap<u64, Verdict>,
    /// As they were when the verdicts were announced.
    pub(crate) certificates: BTreeMap<u64, Certificate>,
    pub(crate) over: Option<JobState>,
    pub(crate) leases: Vec<(NodeId, ReplicaId, Formula)>,
    /// What engines in quarantine were given whose answer is known.
    pub(crate) tests: Vec<(NodeId, ReplicaId)>,
    pub(crate) cancelled: Vec<ReplicaId>,
    /// Who was asked to audit whom.
    pub(crate) audits: Vec<(NodeId, NodeId)>,
    /// What would be in the ledger.
    pub(crate) records: Vec<Entry>,
    /// Those that compute the tasks.
    pub(crate) engines: &'static [Engine],
    /// When a worker was said to be heard otherwise than before.
    pub(crate) notes: Vec<(u64, NodeId, Liveness)>,
    /// In the order in which they were sent: who was leased what, and who was corrected.
    pub(crate) told: Vec<(NodeId, Told)>,
    /// Who was asked to reveal what, and when.
    pub(crate) reveals: Vec<(u64, NodeId, ReplicaId)>,
    pub(crate) faults: Vec<(NodeId, SealFault)>,
    commitments: Vec<Commitment>,
    rhythm: Option<Rhythm>,
    queue: VecDeque<Input>,
    seed: u64,
    closed: bool,
    tasks: u64,
}

impl Cluster {
    pub(crate) fn new(closed: bool, seed: u64) -> Self {
        Self::with_rhythm(closed, seed, None)
    }

    /// A cluster that watches who is heard, where a rhythm is given; its workers beat while time passes, unless they are
    /// silent or not connected.
    pub(crate) fn with_rhythm(closed: bool, seed: u64, rhythm: Option<Rhythm>) -> Self {
        let liveness = rhythm;
        // Most tests are about leases that expire; `pace` is about those that end before.
        let config = Config { electorate_closed: closed, liveness, relets_late: false, ..Config::default() };
        Self {
            machine: Machine::new(config, [seed.to_le_bytes()[0]; 32]),
            workers: Vec::new(),
            now_ms: 0,
            verdicts: BTreeMap::new(),
            certificates: BTreeMap::new(),
            over: None,
            leases: Vec::new(),
            tests: Vec::new(),
            cancelled: Vec::new(),
            audits: Vec::new(),
            records: Vec::new(),
            engines: &[Engine::Cpu, Engine::Gpu],
            notes: Vec::new(),
            told: Vec::new(),
            reveals: Vec::new(),
            faults: Vec::new(),
            commitments: Vec::new(),
            rhythm,
            queue: VecDeque::new(),
            seed,
            closed,
            tasks: 0,
        }
    }

    pub(crate) fn add(&mut self, operator: &str, behaviour: Behaviour) -> NodeId {
        self.add_with(operator, behaviour, Engine::Cpu)
    }

    pub(crate) fn add_with(&mut self, operator: &str, behaviour: Behaviour, engine: Engine) -> NodeId {
        self.add_on(operator, behaviour, engine, &format!("{engine} device"))
    }

    /// A worker whose engine is on this device.
    pub(crate) fn add_on(
        &mut self,
        operator: &str,
        behaviour: Behaviour,
        engine: Engine,
        device: &str,
    ) -> NodeId {
        let number = u8::try_from(self.workers.len()).expect("a test has few workers");
        let key = SecretKey::from_seed(&[number + 1; 32]);
        let id = key.node_id();
        self.workers.push(FakeWorker {
            key,
            operator: operator.to_owned(),
            engine,
            device: device.to_owned(),
            build: "test".to_owned(),
            behaviour,
            auditing: AsAuditor::Honest,
            connected: false,
            stored: BTreeMap::new(),
            sealed: BTreeMap::new(),
            first_commitment: None,
        });
        self.join(id);
        id
    }

    pub(crate) fn worker(&mut self, id: NodeId) -> &mut FakeWorker {
        self.workers.iter_mut().find(|worker| worker.key.node_id() == id).expect("a worker of this cluster")
    }

    pub(crate) fn join(&mut self, id: NodeId) {
        self.join_with(id, Vec::new());
    }

    /// Joins, and says which earlier replicas it resumes.
    pub(crate) fn join_with(&mut self, id: NodeId, resumes: Vec<ReplicaId>) {
        let worker = self.worker(id);
        worker.connected = true;
        let input = Input::WorkerJoined {
            worker: id,
            operator: worker.operator.clone(),
            engines: vec![EngineIntroduction { engine: worker.engine, device: worker.device.clone() }],
            build: worker.build.clone(),
            slots: 2,
            resumes,
        };
        let worker = self.worker(id);
        let operator = worker.operator.clone();
        let engines = vec![EngineIntroduction { engine: worker.engine, device: worker.device.clone() }];
        let (name, build) = (id.short(), worker.build.clone());
        self.record(Record::Enrolled(Enrolment { worker: id, name, operator, engines, build }));
        self.tell(input).expect("joining is always possible");
    }

    fn record(&mut self, record: Record) {
        self.records.push(Entry { at_ms: self.now_ms, record });
    }

    /// The coordinator crashes and starts again from its records; what was under way is lost. `holds` says whether it
    /// still has the outcomes of the tasks that it had accepted.
    pub(crate) fn crash(&mut self, holds: bool) {
        self.queue.clear();
        let (electorate_closed, liveness) = (self.closed, self.rhythm);
        let config = Config { electorate_closed, liveness, relets_late: false, ..Config::default() };
        self.machine = Machine::new(config, [self.seed.to_le_bytes()[1]; 32]);
        for entry in &self.records {
            let tasks = |_: &Submitted| Some(Box::new(Digits(self.tasks, self.engines)) as Box<dyn Tasks>);
            self.machine.replay(entry, tasks, |_, _| holds).expect("its own records");
        }
        self.machine.resume(self.now_ms);
        self.collect();
        let here: Vec<NodeId> = self
            .workers
            .iter()
            .filter(|worker| worker.connected)
            .map(|worker| worker.key.node_id())
            .collect();
        for id in here {
            self.join(id);
        }
    }

    pub(crate) fn lose(&mut self, id: NodeId) {
        self.worker(id).connected = false;
        self.tell(Input::WorkerLost { worker: id }).expect("a joined worker can be lost");
    }

    pub(crate) fn submit(&mut self, policy: Policy, tasks: u64) {
        self.submit_as(JOB, policy, tasks);
    }

    pub(crate) fn submit_as(&mut self, job: JobId, policy: Policy, tasks: u64) {
        self.tasks = tasks;
        self.record(Record::Submitted(Submitted {
            job,
            nonce: [0; 16],
            submitter: SecretKey::from_seed(&[255; 32]).node_id(),
            policy: policy.clone(),
            text: String::new(),
            file: None,
        }));
        self.tell(Input::JobSubmitted { job, policy, tasks: Box::new(Digits(tasks, self.engines)) })
            .expect("a new job is taken");
    }

    pub(crate) fn tell(&mut self, input: Input) -> Result<(), Rejected> {
        let result = self.machine.handle(input, self.now_ms);
        self.collect();
        result
    }

    /// A ballot as the worker with this key would sign it.
    pub(crate) fn ballot(
        &mut self,
        id: NodeId,
        replica: ReplicaId,
        formula: Formula,
        digest: Digest,
    ) -> SignedBallot {
        let worker = self.worker(id);
        let domain = FailureDomain {
            operator: worker.operator.clone(),
            engine: worker.engine,
            formula,
            device: worker.device.clone(),
            build: worker.build.clone(),
        };
        Ballot { replica, worker: id, digest, domain, audit: None, trace: None }.sign(&worker.key)
    }

    /// The ballot of an auditor that finds an outcome right, or wrong.
    pub(crate) fn audit_ballot(
        &mut self,
        id: NodeId,
        replica: ReplicaId,
        order: AuditOrder,
        passes: bool,
    ) -> SignedBallot {
        let audited = Audited {
            outcome: order.outcome,
            prover: order.prover,
            seed: [replica.number.to_le_bytes()[0]; 32],
        };
        let digest = if passes { order.outcome } else { audited.rejection() };
        let Ballot { domain, .. } = self.ballot(id, replica, Formula::Audit, digest).ballot;
        let key = &self.worker(id).key;
        Ballot { replica, worker: id, digest, domain, audit: Some(audited), trace: None }.sign(key)
    }

    fn audit(&mut self, id: NodeId, replica: ReplicaId, order: AuditOrder) {
        let is_right = order.outcome == truth(replica.index)
            && self.worker(order.prover).behaviour != Behaviour::GivesBadWitness;
        let is_silent = self.worker(id).behaviour == Behaviour::Silent;
        let said: &[bool] = match self.worker(id).auditing {
            _ if is_silent => &[],
            AsAuditor::Honest if is_right => &[true],
            AsAuditor::Honest | AsAuditor::RejectsAll => &[false],
            AsAuditor::PassesAll => &[true],
            AsAuditor::SaysBoth => &[true, false],
        };
        self.audits.push((id, order.prover));
        for passes in said {
            let ballot = self.audit_ballot(id, replica, order, *passes);
            let ballot = ballot.authenticate().expect("signed by its worker");
            self.queue.push_back(Input::BallotCast { ballot, outcome_held: false, compute_us: 10 });
        }
    }

    pub(crate) fn cast(&mut self, ballot: SignedBallot) -> Result<(), Rejected> {
        let ballot = ballot.authenticate().expect("signed by its worker");
        self.tell(Input::BallotCast { ballot, outcome_held: false, compute_us: 10 })
    }

    /// Whose ballots were counted, as it would be in the ledger.
    pub(crate) fn voters(&self) -> impl Iterator<Item = NodeId> {
        self.records.iter().flat_map(|entry| match &entry.record {
            Record::Decided(decided) => decided.ballots.iter().map(|c| c.ballot.ballot.worker).collect(),
            Record::Late(counted) => vec![counted.ballot.ballot.worker],
            _ => Vec::new(),
        })
    }

    /// Why the job waits.
    pub(crate) fn waiting(&self) -> Option<String> {
        self.machine.progress(JOB)?.waiting
    }

    fn random(&mut self, bound: usize) -> usize {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a usize")
    }

    /// Does what the machine says; what the workers do in answer waits in the queue.
    fn collect(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Lease { worker, replica, formula, .. } if replica.number >= TEST_NUMBERS => {
                    self.tests.push((worker, replica));
                    self.answer(worker, replica, formula, false);
                }
                Output::Lease { worker, replica, formula, sealed, audit, .. } => {
                    self.leases.push((worker, replica, formula));
                    self.told.push((worker, Told::Lease));
                    match audit {
                        Some(order) => self.audit(worker, replica, order),
                        None => self.answer(worker, replica, formula, sealed),
                    }
                }
                Output::Obtain { job, index, order, .. } => {
                    let AuditOrder { prover, outcome, .. } = order;
                    let worker = self.worker(prover);
                    let gives = worker.stored.get(&index) == Some(&outcome)
                        && worker.behaviour != Behaviour::WithholdsEvidence;
                    self.queue.push_back(if gives {
                        Input::EvidenceHeld { job, index, prover }
                    } else {
                        Input::EvidenceWithheld { job, index, prover }
                    });
                }
                Output::Reveal { worker, replica } => {
                    self.reveals.push((self.now_ms, worker, replica));
                    self.reveal(worker, replica);
                }
                Output::SealBroken { worker, fault, .. } => self.faults.push((worker, fault)),
                // What is noted of verdicts and ends is that of the one job that most tests have.
                Output::Announce { job, .. } | Output::JobOver { job, .. } if job != JOB => {}
                Output::Announce { index, verdict, .. } => {
                    self.certificates.extend(self.machine.certificate(JOB, index).map(|it| (index, it)));
                    let before = self.verdicts.insert(index, verdict);
                    assert_eq!(before, None, "task {index} was decided twice");
                }
                Output::Fetch { worker, job, index, digest } => {
                    let holds = self.worker(worker).stored.get(&index) == Some(&digest);
                    self.queue.push_back(if holds {
                        Input::OutcomeHeld { job, index }
                    } else {
                        Input::OutcomeWithheld { job, index, worker }
                    });
                }
                Output::Correct { worker, replica, accepted } => {
                    self.told.push((worker, Told::Correction));
                    if self.worker(worker).behaviour != Behaviour::Silent {
                        self.worker(worker).stored.insert(replica.index, accepted);
                        self.queue.push_back(Input::CorrectionAcknowledged {
                            worker,
                            replica,
                            digest: accepted,
                        });
                    }
                }
                Output::JobOver { state, .. } => {
                    assert_eq!(self.over, None, "a job ends once");
                    self.over = Some(state);
                }
                Output::Cancel { replica, .. } => self.cancelled.push(replica),
                Output::Note { worker, liveness } => self.notes.push((self.now_ms, worker, liveness)),
                Output::Counted { .. } | Output::Quarantine { .. } | Output::Readmit { .. } => {}
                Output::Record(record) => self.records.push(Entry { at_ms: self.now_ms, record: *record }),
            }
        }
    }

    fn commit(&mut self, id: NodeId, replica: ReplicaId, ballots: Vec<SignedBallot>) {
        let Some(first) = ballots.first() else { return };
        let mut commitment = Commitment::to(&first.ballot, &salt(replica));
        let seen = self.commitments.last().copied();
        let worker = self.worker(id);
        match worker.behaviour {
            Behaviour::Replays => commitment = *worker.first_commitment.get_or_insert(commitment),
            Behaviour::Copies => commitment = seen.unwrap_or(commitment),
            Behaviour::CastsOpenly => {
                let ballot = first.clone().authenticate().expect("signed by its worker");
                return self.queue.push_back(Input::BallotCast {
                    ballot,
                    outcome_held: false,
                    compute_us: 10,
                });
            }
            _ => {}
        }
        worker.sealed.insert(replica, ballots);
        self.commitments.push(commitment);
        self.queue.push_back(Input::Committed { worker: id, replica, commitment });
    }

    fn reveal(&mut self, id: NodeId, replica: ReplicaId) {
        let worker = self.worker(id);
        if worker.behaviour == Behaviour::CommitsOnly {
            return;
        }
        let mut ballots = worker.sealed.get(&replica).cloned().unwrap_or_default();
        if worker.behaviour == Behaviour::ChangesItsMind {
            ballots = ballots.pop().into_iter().collect();
        }
        for ballot in ballots {
            let ballot = ballot.authenticate().expect("signed by its worker");
            let salt = salt(replica);
            self.queue.push_back(Input::BallotRevealed { ballot, salt, outcome_held: false, compute_us: 10 });
        }
    }

    /// Says one waiting commitment or ballot a second time, as after a lost acknowledgement.
    pub(crate) fn repeat_one(&mut self) {
        if !self.queue.is_empty() {
            let at = self.random(self.queue.len());
            self.queue.extend(self.queue.get(at).and_then(repeated));
        }
    }

    fn answer(&mut self, id: NodeId, replica: ReplicaId, formula: Formula, sealed: bool) {
        let index = replica.index;
        let mut digests = match self.worker(id).behaviour {
            Behaviour::Lies(liar) => vec![lie(index, liar)],
            Behaviour::Silent => vec![],
            Behaviour::WrongByFirstFormula if task(index).formulas().first() == Some(&formula) => {
                vec![lie(index, 0)]
            }
            Behaviour::Honest
            | Behaviour::Replays
            | Behaviour::Copies
            | Behaviour::CommitsOnly
            | Behaviour::CastsOpenly
            | Behaviour::GivesBadWitness
            | Behaviour::WithholdsEvidence
            | Behaviour::WrongByFirstFormula => vec![truth(index)],
            Behaviour::Equivocates | Behaviour::ChangesItsMind => vec![truth(index), lie(index, 0)],
            Behaviour::Fails => {
                let reason = "out of memory".to_owned();
                self.queue.push_back(Input::ReplicaFailed { worker: id, replica, reason });
                vec![]
            }
        };
        if replica.number >= TEST_NUMBERS {
            // Whoever said two things to known tasks would be tested by chance, for as long as any job waits.
            digests.truncate(1);
        }
        if sealed {
            let ballots: Vec<SignedBallot> =
                digests.iter().map(|digest| self.ballot(id, replica, formula, *digest)).collect();
            self.worker(id).stored.extend(digests.last().map(|digest| (index, *digest)));
            return self.commit(id, replica, ballots);
        }
        for digest in digests {
            self.worker(id).stored.insert(index, digest);
            let ballot =
                self.ballot(id, replica, formula, digest).authenticate().expect("signed by its worker");
            self.queue.push_back(Input::BallotCast { ballot, outcome_held: false, compute_us: 10 });
        }
    }

    /// Delivers one waiting message, of any worker; false when there is none.
    pub(crate) fn deliver_one(&mut self) -> bool {
        if self.queue.is_empty() {
            return false;
        }
        let at = self.random(self.queue.len());
        let input = self.queue.remove(at).expect("in bounds");
        // What is late or about a job that is over may be rejected; it must then change nothing, which `collect`
        // and the final assertions see.
        let _ = self.tell(input);
        true
    }

    /// Delivers everything, and lets time pass when nothing is left, until the machine has nothing to wait for.
    pub(crate) fn run(&mut self) {
        // Where workers beat, time passes in small steps, and a cluster that does not end must be found out soon.
        let steps_max = if self.rhythm.is_some() { 10_000 } else { 100_000 };
        for _ in 0..steps_max {
            if self.deliver_one() {
                continue;
            }
            if self.over.is_some() {
                return;
            }
            let Some(at_ms) = self.machine.next_timeout_ms() else { return };
            self.pass_until(at_ms);
        }
        panic!("the cluster does not come to rest");
    }

    /// Delivers everything, and lets no time pass.
    pub(crate) fn run_until_idle(&mut self) {
        while self.deliver_one() {}
    }

    /// Lets time pass, at most until `at_ms` and at most a heartbeat.
    fn pass_until(&mut self, at_ms: u64) {
        let heartbeat_ms = self.rhythm.map_or(u64::MAX, |rhythm| rhythm.heartbeat_ms());
        self.now_ms = self.now_ms.max(at_ms.min(self.now_ms.saturating_add(heartbeat_ms)));
        let beating: Vec<NodeId> = self
            .workers
            .iter()
            .filter(|worker| {
                worker.connected && worker.behaviour != Behaviour::Silent && self.rhythm.is_some()
            })
            .map(|worker| worker.key.node_id())
            .collect();
        for worker in beating {
            self.tell(Input::Heartbeat { worker, under_way: Vec::new() }).expect("a heartbeat is welcome");
        }
        self.machine.handle_timeout(self.now_ms);
        self.collect();
    }

    /// Lets so much time pass, heartbeat by heartbeat, and delivers nothing.
    pub(crate) fn pass_ms(&mut self, time_ms: u64) {
        let until_ms = self.now_ms + time_ms;
        while self.now_ms < until_ms {
            let wake_ms = self.machine.next_timeout_ms().unwrap_or(u64::MAX);
            self.pass_until(wake_ms.max(self.now_ms + 1).min(until_ms));
        }
    }
}
