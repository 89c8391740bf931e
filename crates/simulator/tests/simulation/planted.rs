//! Bugs that are planted in front of the machine, each of which the invariants must find, and by the right one.
//!
//! The decider here passes everything on to the real machine, and does one thing wrong: it decides by a count of its own
//! that has a bug, or loses, repeats or misplaces an order. Without a bug it changes nothing, which is tested as well.

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
use simulator::{
    Campaign, Decider, Options, Scenario, Violation, World, behaviour::Behaviour, options::Faults,
    scenario::Traces,
};
use verdict::{Config, Input, Machine, Output, Rejected, ReplayError, TEST_NUMBERS, Tasks, tally::Tally};

/// What is wrong with the decider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
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

struct Planted {
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
    fn new(bug: Bug, config: Config, seed: [u8; 32]) -> Self {
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

/// What a campaign of 200 worlds finds first, if anything.
fn first_violation(bug: Bug, options: Options) -> Option<Violation> {
    let mut campaign = Campaign::new(options, 5, 64 * 200);
    while campaign.totals().failures.is_empty()
        && campaign.run_next_with(move |config, seed| Planted::new(bug, config, seed))
    {}
    campaign.totals().failures.first().map(|failure| failure.violation.clone())
}

fn assert_found(bug: Bug, options: Options, invariant: &str, words: &str) {
    let violation = first_violation(bug, options).unwrap_or_else(|| panic!("{bug:?} is not found"));
    assert_eq!(violation.invariant, invariant, "{violation}");
    assert!(violation.what.contains(words), "{violation}");
}

#[test]
fn without_a_bug_nothing_is_found() {
    for faults in [Faults::None, Faults::Network, Faults::All] {
        assert_eq!(first_violation(Bug::None, Options { faults, ..Options::default() }), None);
    }
}

#[test]
fn a_quorum_that_is_off_by_one_is_found() {
    let options = Options { tolerate: Some(1), ..Options::default() };
    assert_found(Bug::QuorumOffByOne, options, "quorum and majority", "with 1 ballots, and the quorum is 2");
}

#[test]
fn a_quorum_that_is_off_by_one_lets_a_lie_pass_within_the_fault_bound() {
    // The lie of a single worker is announced before anything else looks at the count.
    let options = Options { nodes: Some(3), faulty: Some(1), faults: Faults::None, ..Options::default() };
    let mut found = BTreeSet::new();
    for seed in 0..200 {
        let mut campaign = Campaign::new(options, seed, 64);
        campaign.run_next_with(|config, seed| Planted::new(Bug::QuorumOffByOne, config, seed));
        found.extend(campaign.totals().failures.iter().map(|failure| failure.violation.invariant));
    }
    assert!(found.contains("no wrong value within the fault bound"), "{found:?}");
}

#[test]
fn a_ballot_that_is_counted_twice_is_found() {
    let options = Options { faults: Faults::Network, ..Options::default() };
    assert_found(Bug::CountsTwice, options, "quorum and majority", "is accepted with");
}

#[test]
fn a_bar_that_does_not_grow_with_the_ballots_is_found() {
    let options = Options {
        nodes: Some(9),
        faulty: Some(4),
        tolerate: Some(1),
        faults: Faults::None,
        ..Options::default()
    };
    assert_found(Bug::BarDoesNotGrow, options, "quorum and majority", "may still come");
}

#[test]
fn a_second_announcement_is_found() {
    assert_found(Bug::AnnouncesAgain, Options::default(), "one verdict per task", "announced again");
}

#[test]
fn a_dissenter_that_nobody_corrects_is_found() {
    let options = Options { faults: Faults::None, ..Options::default() };
    assert_found(Bug::CorrectsNobody, options, "every dissenter is corrected", "holds something else");
}

#[test]
fn leases_that_go_astray_are_found_once_they_leave_tasks_open() {
    let options = Options { nodes: Some(3), faulty: Some(1), faults: Faults::None, ..Options::default() };
    assert_found(Bug::LosesLeases, options, "every task is decided", "tasks open");
}

#[test]
fn an_announcement_before_the_sync_is_found() {
    for faults in [Faults::None, Faults::Network, Faults::All] {
        let options = Options { faults, ..Options::default() };
        assert_found(
            Bug::AnnouncesBeforeTheSync,
            options,
            "accepted means durable",
            "what is synced of it is None",
        );
    }
}

#[test]
fn a_verdict_that_is_not_written_down_is_found() {
    let options = Options { faults: Faults::None, ..Options::default() };
    assert_found(Bug::WritesNothing, options, "accepted means durable", "is not synced");
}

#[test]
fn a_coordinator_that_comes_back_without_a_verdict_is_found() {
    assert_found(
        Bug::ForgetsVerdicts,
        Options::default(),
        "accepted means durable",
        "came back without that",
    );
}

#[test]
fn a_decided_task_that_is_leased_again_is_found() {
    let options = Options { faults: Faults::None, ..Options::default() };
    assert_found(
        Bug::LeasesDecidedTasks,
        options,
        "what is decided is not computed again",
        "its outcome is held",
    );
}

#[test]
fn a_lease_for_a_worker_on_standby_is_found() {
    assert_found(
        Bug::LeasesToTheSilent,
        Options::default(),
        "who is on standby gets no lease",
        "is on standby",
    );
}

#[test]
fn the_rest_of_a_bundle_that_is_refused_with_one_of_its_ballots_is_found() {
    for faults in [Faults::None, Faults::All] {
        let options = Options { faults, ..Options::default() };
        assert_found(
            Bug::DropsTheRestOfABundle,
            options,
            "a ballot is refused for what it says itself",
            "it was leased that replica",
        );
    }
}

#[test]
fn the_rest_of_a_bundle_that_is_lost_with_one_of_its_ballots_is_found() {
    assert_found(Bug::LosesTheRestOfABundle, Options::default(), "quorum and majority", "were counted");
}

#[test]
fn a_bundle_that_is_counted_again_is_found_where_only_liars_send_it_again() {
    let options = Options { faults: Faults::None, ..Options::default() };
    assert_found(Bug::CountsBundlesTwice, options, "quorum and majority", "is accepted with");
}

#[test]
fn an_outcome_that_is_accepted_without_its_audits_is_found() {
    for faults in [Faults::None, Faults::All] {
        let options = Options { faults, ..Options::default() };
        assert_found(
            Bug::AcceptsWithoutAudits,
            options,
            "what is accepted passed its audits",
            "with 0 audits for it",
        );
    }
}

#[test]
fn a_prover_that_vouches_for_itself_is_found() {
    let options = Options { tolerate: Some(2), faults: Faults::None, ..Options::default() };
    assert_found(
        Bug::VouchesForItself,
        options,
        "what is accepted passed its audits",
        "with 1 audits for it and 0 against; 2 are asked for",
    );
}

#[test]
fn a_rejection_by_one_auditor_that_strikes_a_prover_out_is_found_once_it_leaves_tasks_open() {
    let options = Options { faults: Faults::None, ..Options::default() };
    assert_found(Bug::OneRejectionStrikesOut, options, "every task is decided", "");
}

#[test]
fn a_lease_for_whoever_is_in_quarantine_is_found() {
    for faults in [Faults::None, Faults::All] {
        let options = Options { faults, ..Options::default() };
        let invariant = "who is in quarantine gets no lease that counts";
        assert_found(Bug::LeasesToTheQuarantined, options, invariant, "is in quarantine with its");
    }
}

#[test]
fn a_quarantine_that_a_restart_forgets_is_found() {
    let invariant = "standing follows from the ledger";
    assert_found(Bug::ForgetsQuarantines, Options::default(), invariant, "");
}

#[test]
fn tests_that_a_restart_forgets_are_found() {
    let invariant = "standing follows from the ledger";
    let options = Options { nodes: Some(5), faulty: Some(2), ..Options::default() };
    assert_found(Bug::ForgetsTests, options, invariant, "the machine knows");
}

#[test]
fn a_machine_that_puts_nobody_in_quarantine_is_found() {
    let options = Options { faults: Faults::None, ..Options::default() };
    let violation = first_violation(Bug::QuarantinesNobody, options).expect("it is found");
    // Whichever a world shows first: one that is wrong stays free, or one whose kind is in question.
    let invariants = [
        "standing follows from the ledger",
        "an engine is held back for a fault of its kind, until its own answer",
    ];
    assert!(invariants.contains(&violation.invariant), "{violation}");
}

#[test]
fn a_way_back_without_right_answers_is_found() {
    let options = Options { faults: Faults::None, ..Options::default() };
    let invariant = "standing follows from the ledger";
    assert_found(Bug::LetsBackAtOnce, options, invariant, "is let back after 0 right answers in a row");
}

#[test]
fn a_quarantine_on_the_word_of_another_worker_is_found() {
    for faults in [Faults::None, Faults::All] {
        let options = Options { faults, ..Options::default() };
        let invariant = "standing follows from the ledger";
        assert_found(
            Bug::BelievesOneWorker,
            options,
            invariant,
            "because its kind of device gave a wrong value",
        );
    }
}

/// Asserts that a bug is found in one of the worlds that are like this.
fn assert_found_where(
    bug: Bug,
    options: Options,
    is_like: impl Fn(&Scenario) -> bool,
    (invariant, words): (&str, &str),
) {
    let drawn = (5..).map(|seed| Scenario::draw(&options, seed, 64)).filter(|scenario| is_like(scenario));
    let run = |scenario| {
        let world = World::with_decider(scenario, move |config, seed| Planted::new(bug, config, seed));
        world.run().0.violation
    };
    let violation = drawn.take(300).find_map(run).unwrap_or_else(|| panic!("{bug:?} is not found"));
    assert_eq!(violation.invariant, invariant, "{violation}");
    assert!(violation.what.contains(words), "{violation}");
}

#[test]
fn faults_that_a_restart_forgets_are_found() {
    let invariant = "an engine is held back for a fault of its kind, until its own answer";
    let crashes =
        |scenario: &Scenario| scenario.traces == Traces::Kept && scenario.coordinator_crashes.len() > 2;
    let found = (invariant, "is free, and the log has");
    assert_found_where(Bug::ForgetsFaults, Options::default(), crashes, found);
}

#[test]
fn known_tasks_that_never_reach_those_who_are_held_back_are_found_once_they_leave_tasks_open() {
    // Of jobs that come one after the other, the later ones find their workers held back.
    let options = Options { faults: Faults::Network, ..Options::default() };
    let is_like = |scenario: &Scenario| scenario.traces == Traces::Kept && scenario.jobs.len() > 1;
    assert_found_where(Bug::LosesTests, options, is_like, ("every task is decided", "tasks open"));
}

#[test]
fn broken_seals_that_a_restart_forgets_are_found() {
    let copies = |scenario: &Scenario| {
        let mut members = scenario.members.iter();
        scenario.policy.sealed && members.any(|member| member.behaviour == Behaviour::Copies)
    };
    let found = ("standing follows from the ledger", "the machine knows");
    assert_found_where(Bug::ForgetsBrokenSeals, Options::default(), copies, found);
}
