//! Bugs that are planted in front of the machine, each of which the invariants must find, and by the right one.
//!
//! The decider here passes everything on to the real machine, and does one thing wrong: it announces by a count of its
//! own that has a bug, or loses or repeats an order. Without a bug it changes nothing, which is tested as well.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::{digest::Digest, identity::NodeId, job::JobId, policy::Policy, verdict::Verdict};
use simulator::{Campaign, Decider, Options, Violation, options::Faults};
use verdict::{Config, Input, Machine, Output, Rejected};

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
    /// Every seventh lease is lost, and the machine does not know.
    LosesLeases,
}

struct Planted {
    bug: Bug,
    machine: Machine,
    policies: BTreeMap<JobId, Policy>,
    /// The naive count: every ballot that was taken, in order.
    counted: BTreeMap<(JobId, u64), Vec<(NodeId, Digest)>>,
    announced: BTreeSet<(JobId, u64)>,
    outputs: VecDeque<Output>,
    leases: u64,
}

impl Planted {
    fn new(bug: Bug, config: Config, seed: [u8; 32]) -> Self {
        Self {
            bug,
            machine: Machine::new(config, seed),
            policies: BTreeMap::new(),
            counted: BTreeMap::new(),
            announced: BTreeSet::new(),
            outputs: VecDeque::new(),
            leases: 0,
        }
    }

    /// Whether a digest has won, by the count with the bug.
    fn wins(&self, job: JobId, ballots: &[(NodeId, Digest)], digest: Digest) -> bool {
        let Some(policy) = self.policies.get(&job) else { return false };
        let agreeing = || ballots.iter().filter(|(_, said)| *said == digest);
        let votes = agreeing().count();
        let different = agreeing().map(|(worker, _)| worker).collect::<BTreeSet<_>>().len();
        let quorum = policy.quorum as usize;
        match self.bug {
            Bug::QuorumOffByOne => different + 1 >= quorum,
            Bug::CountsTwice => votes >= quorum && 2 * votes > policy.replicas as usize,
            Bug::BarDoesNotGrow => different >= quorum && 2 * different > policy.replicas as usize,
            Bug::None | Bug::AnnouncesAgain | Bug::CorrectsNobody | Bug::LosesLeases => false,
        }
    }

    fn announce(&mut self, job: JobId, index: u64, verdict: Verdict) {
        if self.announced.insert((job, index)) {
            self.outputs.push_back(Output::Announce { job, index, verdict });
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
            Input::BallotCast { ballot, .. } => {
                let said = ballot.ballot();
                counted = Some(((said.replica.job, said.replica.index), (said.worker, said.digest)));
            }
            _ => {}
        }
        self.machine.handle(input, now_ms)?;
        if let Some(((job, index), said)) = counted {
            let ballots = self.counted.entry((job, index)).or_default();
            ballots.push(said);
            let ballots = ballots.clone();
            if self.wins(job, &ballots, said.1) {
                self.announce(job, index, Verdict::Accepted(said.1));
            }
        }
        Ok(())
    }

    fn handle_timeout(&mut self, now_ms: u64) {
        self.machine.handle_timeout(now_ms);
    }

    fn next_timeout_ms(&self) -> Option<u64> {
        self.machine.next_timeout_ms()
    }

    fn poll_output(&mut self) -> Option<Output> {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Announce { job, index, verdict } => {
                    if self.bug == Bug::AnnouncesAgain {
                        self.outputs.push_back(Output::Announce { job, index, verdict: verdict.clone() });
                    }
                    self.announce(job, index, verdict);
                }
                Output::Correct { .. } if self.bug == Bug::CorrectsNobody => {}
                Output::Lease { .. } if self.bug == Bug::LosesLeases => {
                    self.leases += 1;
                    if !self.leases.is_multiple_of(7) {
                        self.outputs.push_back(output);
                    }
                }
                output => self.outputs.push_back(output),
            }
        }
        self.outputs.pop_front()
    }

    fn machine(&self) -> &Machine {
        &self.machine
    }
}

/// What a campaign of 200 worlds finds first, if anything.
fn first_violation(bug: Bug, options: Options) -> Option<Violation> {
    let mut campaign = Campaign::new(options, 5, 64 * 200);
    while campaign.totals().failures.is_empty()
        && campaign.run_next_with(|config, seed| Planted::new(bug, config, seed))
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
    let options = Options { faults: Faults::Network, replicas: Some(3), ..Options::default() };
    assert_found(Bug::CountsTwice, options, "quorum and majority", "with 1 ballots, and the quorum is 2");
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
