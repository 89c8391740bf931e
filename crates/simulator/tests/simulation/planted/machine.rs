//! A decider that passes everything on to the real machine, and does one thing wrong: it decides by a count of its own that
//! has a bug, or loses, repeats or misplaces an order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::{
    ballot::{Ballot, ReplicaId, SignedBallot},
    bundle::Said,
    digest::Digest,
    fault::{DeviceKind, LocatedFault},
    identity::NodeId,
    job::JobId,
    ledger::{CountedBallot, Decided, Entry, Record, Submitted},
    policy::Policy,
    report::Liveness,
    standing::{QuarantineReason, Quarantined},
    verdict::Verdict,
};
use simulator::Decider;
use verdict::{Config, Input, Machine, Output, Rejected, ReplayError, TEST_NUMBERS, Tasks, tally::Tally};

/// What is wrong with the decider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    None,
    /// One ballot fewer than the quorum is enough.
    QuorumOffByOne,
    /// A ballot that arrives again counts again.
    CountsTwice,
    /// More than half of the first replicas is enough, however many there are by now.
    BarDoesNotGrow,
    /// What was announced is announced again.
    AnnouncesAgain,
    /// Dissenters are not told.
    CorrectsNobody,
    /// Six of seven leases are lost, and the machine does not know.
    LosesLeases,
    /// What is decided is announced before it is written down.
    AnnouncesBeforeTheSync,
    /// Verdicts are announced and not written down at all.
    WritesNothing,
    /// A restart forgets what became of each job's first task.
    ForgetsVerdicts,
    /// When a job is over, its last replica is leased once more.
    LeasesDecidedTasks,
    /// Workers on standby get leases.
    LeasesToTheSilent,
    /// When one ballot of a bundle is refused, those behind it are refused with it.
    DropsTheRestOfABundle,
    /// When one ballot of a bundle is refused, those behind it are not even looked at, and nobody is told.
    LosesTheRestOfABundle,
    /// A bundle that arrives again counts again.
    CountsBundlesTwice,
    /// Who has the majority is accepted, whatever audits the policy asks for.
    AcceptsWithoutAudits,
    /// Whoever computed something counts as one that audited it, too.
    VouchesForItself,
    /// What one auditor rejects is struck out: no further audit of it is heard.
    OneRejectionStrikesOut,
    /// Engines in quarantine get leases that count.
    LeasesToTheQuarantined,
    /// A restart forgets who was in quarantine.
    ForgetsQuarantines,
    /// A restart forgets what was answered to known tasks.
    ForgetsTests,
    /// Nobody is put in quarantine.
    QuarantinesNobody,
    /// Whoever is in quarantine is let back at once.
    LetsBackAtOnce,
    /// A fault of one engine puts all of its kind of device in quarantine.
    BelievesOneWorker,
    /// A restart forgets the faults that were located.
    ForgetsFaults,
    /// Whoever is to answer a known task never hears of it.
    LosesTests,
    /// A restart forgets who broke a seal.
    ForgetsBrokenSeals,
}

/// Who rejected whose outcome of which task.
type Struck = BTreeMap<(JobId, u64, NodeId), NodeId>;

impl Bug {
    /// Whether it decides otherwise where there are audits, and else where there are none.
    fn is_about_audits(self) -> bool {
        matches!(self, Self::AcceptsWithoutAudits | Self::VouchesForItself)
    }
}

pub(super) struct Planted {
    bug: Bug,
    machine: Machine,
    policies: BTreeMap<JobId, Policy>,
    /// The naive count: every ballot that was taken, in order.
    counted: BTreeMap<(JobId, u64), Vec<SignedBallot>>,
    /// The tasks that it decided before the machine did.
    decided: BTreeSet<(JobId, u64)>,
    /// The last lease that was given out, and who was noted as being on standby since.
    last_lease: Option<Output>,
    standby: Option<NodeId>,
    outputs: VecDeque<Output>,
    leases: u64,
    /// Whether a ballot of the bundle that is read was refused.
    refused: Option<Rejected>,
    /// The bundles of two and more ballots that have arrived, and whether the one that is read is among them.
    bundles: BTreeSet<Vec<(NodeId, ReplicaId)>>,
    is_again: bool,
    struck: Struck,
    /// Who has which kinds of device.
    kinds: BTreeMap<DeviceKind, BTreeSet<NodeId>>,
}

impl Planted {
    pub(super) fn new(bug: Bug, config: Config, seed: [u8; 32]) -> Self {
        Self {
            bug,
            machine: Machine::new(
                Config { quarantines: config.quarantines && bug != Bug::QuarantinesNobody, ..config },
                seed,
            ),
            policies: BTreeMap::new(),
            counted: BTreeMap::new(),
            decided: BTreeSet::new(),
            last_lease: None,
            standby: None,
            outputs: VecDeque::new(),
            leases: 0,
            refused: None,
            bundles: BTreeSet::new(),
            is_again: false,
            struck: Struck::new(),
            kinds: BTreeMap::new(),
        }
    }

    /// Whether a digest has won, by the count with the bug.
    fn wins(&self, job: JobId, ballots: &[SignedBallot], digest: Digest) -> bool {
        let Some(policy) = self.policies.get(&job) else { return false };
        let rule = policy.audit_rule();
        if rule.is_some() != self.bug.is_about_audits() || policy.auditing.adaptive.is_some() {
            return false;
        }
        let agreeing = || ballots.iter().map(|signed| &signed.ballot).filter(|said| said.digest == digest);
        let votes = agreeing().count();
        let heads = agreeing().map(|said| said.worker).collect::<BTreeSet<_>>().len();
        let quorum = policy.quorum as usize;
        match self.bug {
            Bug::QuorumOffByOne => heads + 1 >= quorum,
            Bug::CountsTwice | Bug::CountsBundlesTwice => {
                votes >= quorum && 2 * votes > policy.replicas as usize
            }
            Bug::BarDoesNotGrow => heads >= quorum && 2 * heads > policy.replicas as usize,
            Bug::AcceptsWithoutAudits => {
                let computed = agreeing().filter(|said| said.audit.is_none()).count();
                rule.is_some_and(|rule| !rule.is_alone)
                    && computed >= quorum
                    && 2 * computed > policy.replicas as usize
            }
            Bug::VouchesForItself => rule.is_some_and(|rule| {
                let passes = agreeing().filter(|said| said.audit.is_some()).count();
                rule.is_alone && votes + 1 >= quorum && passes + 1 >= rule.passes as usize
            }),
            _ => false,
        }
    }

    /// Decides by the count with the bug, and orders what the machine would.
    fn decide(&mut self, ballots: Vec<SignedBallot>, accepted: Digest) {
        let Some(replica) = ballots.first().map(|signed| signed.ballot.replica) else { return };
        let (job, index) = (replica.job, replica.index);
        let is_open = self.machine.job(job).and_then(|job| job.tally(index)).is_some_and(Tally::is_open);
        if !is_open || !self.decided.insert((job, index)) {
            return;
        }
        let verdict = Verdict::Accepted(accepted);
        let ballots = ballots.into_iter().map(|ballot| CountedBallot { ballot, compute_us: 10 }).collect();
        let decided = Decided {
            job,
            index,
            task: replica.task,
            verdict: verdict.clone(),
            quorum: 1,
            opened_ms: 0,
            disputed: false,
            ballots,
            equivocations: Vec::new(),
            audits: Vec::new(),
        };
        self.outputs.push_back(Output::Record(Box::new(Record::Decided(decided))));
        self.outputs.push_back(Output::Announce { job, index, verdict });
    }

    /// The word of one worker is taken for all who have the same.
    fn put_out_the_kind(&mut self, fault: &LocatedFault) {
        let Some(stretch) = fault.lasting() else { return };
        let of_it = self.kinds.get(&DeviceKind::in_domain(&fault.domain)).into_iter().flatten();
        let others = of_it.filter(|worker| **worker != fault.worker).map(|worker| {
            let reason = QuarantineReason::Kind { worker: fault.worker, stretch };
            let (worker, engine, job) = (*worker, fault.domain.engine, Some(fault.job));
            Output::Record(Box::new(Record::Quarantined(Quarantined { worker, engine, reason, job })))
        });
        self.outputs.extend(others);
    }

    /// Does the one thing wrong with an order of the machine.
    fn pass_on(&mut self, output: Output) {
        let is_decided = match &output {
            Output::Announce { job, index, .. } => self.decided.contains(&(*job, *index)),
            Output::Record(record) => match &**record {
                Record::Decided(Decided { job, index, .. }) => self.decided.contains(&(*job, *index)),
                _ => false,
            },
            _ => false,
        };
        if is_decided {
            return;
        }
        match (self.bug, &output) {
            (Bug::AnnouncesAgain, Output::Announce { .. }) => self.outputs.push_back(output.clone()),
            (Bug::CorrectsNobody, Output::Correct { .. })
            | (Bug::AnnouncesBeforeTheSync, Output::Announce { .. }) => return,
            (Bug::LosesLeases, Output::Lease { .. }) => {
                self.leases += 1;
                if !self.leases.is_multiple_of(7) {
                    return;
                }
            }
            (Bug::AnnouncesBeforeTheSync, Output::Record(record)) => {
                if let Record::Decided(Decided { job, index, verdict, .. }) = &**record {
                    let (job, index, verdict) = (*job, *index, verdict.clone());
                    self.outputs.push_back(Output::Announce { job, index, verdict });
                }
            }
            (Bug::WritesNothing, Output::Record(record)) if matches!(**record, Record::Decided(_)) => return,
            (Bug::LeasesToTheSilent, Output::Note { worker, liveness: Liveness::Standby }) => {
                self.standby = Some(*worker);
            }
            (Bug::LeasesToTheQuarantined, Output::Quarantine { worker, .. }) => self.standby = Some(*worker),
            (Bug::LosesTests, Output::Lease { replica, .. }) if replica.number >= TEST_NUMBERS => return,
            (Bug::BelievesOneWorker, Output::Record(record)) => {
                if let Record::Located(fault) = &**record {
                    self.put_out_the_kind(fault);
                }
            }
            (Bug::LetsBackAtOnce, Output::Quarantine { worker, engine, .. }) => {
                let record = Record::Readmitted { worker: *worker, engine: *engine };
                self.outputs.push_back(Output::Record(Box::new(record)));
            }
            (
                Bug::LeasesToTheSilent | Bug::LeasesToTheQuarantined,
                Output::Lease { replica, engine, formula, .. },
            ) if replica.number < TEST_NUMBERS => {
                if let Some(worker) = self.standby.take() {
                    let (replica, engine, formula) = (*replica, *engine, *formula);
                    let (lease_ms, quorum, sealed) = (1000, 1, false);
                    let (audit, witness) = (None, false);
                    let lease = Output::Lease {
                        worker,
                        replica,
                        engine,
                        formula,
                        lease_ms,
                        quorum,
                        sealed,
                        audit,
                        witness,
                    };
                    self.outputs.push_back(lease);
                }
            }
            _ => {}
        }
        if let Output::Lease { .. } = output {
            self.last_lease = Some(output.clone());
        }
        self.outputs.push_back(output);
        if self.bug == Bug::LeasesDecidedTasks
            && let Some(Output::JobOver { .. }) = self.outputs.back()
        {
            self.outputs.extend(self.last_lease.take());
        }
    }
}

impl Decider for Planted {
    fn handle(&mut self, input: Input, now_ms: u64) -> Result<(), Rejected> {
        let mut counted = None;
        match &input {
            Input::JobSubmitted { job, policy, .. } => {
                self.policies.insert(*job, policy.clone());
            }
            Input::WorkerJoined { worker, engines, build, .. } => {
                for own in engines {
                    let kind = DeviceKind::of(own.engine, &own.device, build);
                    self.kinds.entry(kind).or_default().insert(*worker);
                }
            }
            Input::BallotCast { ballot, .. } => {
                let said = ballot.ballot();
                if self.bug == Bug::OneRejectionStrikesOut
                    && let Some(audited) = said.audit
                {
                    let trial = (said.replica.job, said.replica.index, audited.prover);
                    if self.struck.get(&trial).is_some_and(|first| *first != said.worker) {
                        return Ok(());
                    }
                    if said.digest != audited.outcome {
                        self.struck.insert(trial, said.worker);
                    }
                }
                counted = Some(ballot.signed().clone());
            }
            _ => {}
        }
        let is_ballot = matches!(input, Input::BallotCast { .. } | Input::BallotRevealed { .. });
        if let Some(rejected) = self.refused.clone().filter(|_| is_ballot) {
            return if self.bug == Bug::LosesTheRestOfABundle { Ok(()) } else { Err(rejected) };
        }
        let said = self.machine.handle(input, now_ms);
        if matches!(self.bug, Bug::DropsTheRestOfABundle | Bug::LosesTheRestOfABundle) && is_ballot {
            self.refused = said.clone().err();
        }
        said?;
        if let Some(signed) = counted {
            let (replica, digest) = (signed.ballot.replica, signed.ballot.digest);
            let ballots = self.counted.entry((replica.job, replica.index)).or_default();
            let is_new = ballots.iter().all(|known| known.ballot.worker != signed.ballot.worker);
            if self.bug == Bug::CountsBundlesTwice && !self.is_again && !is_new {
                return Ok(());
            }
            ballots.push(signed);
            let ballots = ballots.clone();
            if self.wins(replica.job, &ballots, digest) {
                self.decide(ballots, digest);
            }
        }
        Ok(())
    }

    fn bundle_arrives(&mut self, ballots: &[Said<Ballot>]) {
        self.refused = None;
        let bundle = ballots.iter().map(|said| (said.ballot.worker, said.ballot.replica)).collect();
        self.is_again = ballots.len() > 1 && !self.bundles.insert(bundle);
    }

    fn handle_timeout(&mut self, now_ms: u64) {
        self.machine.handle_timeout(now_ms);
    }

    fn next_timeout_ms(&self) -> Option<u64> {
        self.machine.next_timeout_ms()
    }

    fn poll_output(&mut self) -> Option<Output> {
        while let Some(output) = self.machine.poll_output() {
            self.pass_on(output);
        }
        self.outputs.pop_front()
    }

    fn replay(
        &mut self,
        entry: &Entry,
        tasks: impl FnOnce(&Submitted) -> Option<Box<dyn Tasks>>,
        holds: impl Fn(JobId, &Digest) -> bool,
    ) -> Result<(), ReplayError> {
        let is_of_first_task = match &entry.record {
            Record::Decided(decided) => decided.index == 0,
            Record::Late(counted) => counted.ballot.ballot.replica.index == 0,
            Record::Corrected { index, .. } => *index == 0,
            Record::Over { .. } => true,
            _ => false,
        };
        if self.bug == Bug::ForgetsVerdicts && is_of_first_task {
            return Ok(());
        }
        let is_forgotten = matches!(
            (self.bug, &entry.record),
            (Bug::ForgetsQuarantines, Record::Quarantined(_))
                | (Bug::ForgetsTests, Record::Tested(_))
                | (Bug::ForgetsFaults, Record::Located(_))
                | (Bug::ForgetsBrokenSeals, Record::SealBroken(_))
        );
        if is_forgotten {
            return Ok(());
        }
        self.machine.replay(entry, tasks, holds)
    }

    fn resume(&mut self, now_ms: u64) {
        self.machine.resume(now_ms);
    }

    fn machine(&self) -> &Machine {
        &self.machine
    }
}
