//! What happened in each round, for people: who was asked, who said what and when, and how it ended.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{ballot::ReplicaId, digest::Digest, verdict::Verdict};
use verdict::{Machine, tally::Tally};

use crate::{behaviour::Behaviour, invariants::TaskKey, scenario::Scenario, values};

/// The rounds of a world.
#[derive(Debug, Clone)]
pub struct Story {
    behaviours: Vec<Behaviour>,
    rounds: BTreeMap<TaskKey, Round>,
}

/// One task, from its first ballot to its end.
#[derive(Debug, Clone, Default)]
pub struct Round {
    /// Every ballot that arrived, in this order.
    pub ballots: Vec<Said>,
    /// How it ended; nothing where it did not.
    pub result: Option<Verdict>,
    /// Whether an accepted value is the truth.
    pub is_right: bool,
    /// Ballots for the accepted value when it was decided, audits that it passed among them.
    pub votes: u32,
    /// Ballots for another value when it was decided.
    pub against: u32,
    /// How many workers were asked.
    pub asked: u32,
    /// When it was decided, in microseconds.
    pub decided_us: u64,
    /// Those who sent ballots in another's name, or old ones of another.
    pub forgers: BTreeSet<u32>,
    /// Those whom their ballots show to be faulty: they forged, dissented, or contradicted themselves.
    pub found: BTreeSet<u32>,
}

/// A ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Whose.
    pub worker: u32,
    /// What it says.
    pub digest: Digest,
    /// Whether that is the truth.
    pub is_right: bool,
    /// When it arrived, in microseconds.
    pub at_us: u64,
    /// Whether the task was decided before.
    pub is_late: bool,
}

impl Round {
    /// Who said first what the others then agreed to or not.
    #[must_use]
    pub fn proposer(&self) -> Option<&Said> {
        self.ballots.first()
    }
}

impl Story {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let behaviours = scenario.members.iter().map(|member| member.behaviour).collect();
        Self { behaviours, rounds: BTreeMap::new() }
    }

    /// How each worker behaves, by number.
    #[must_use]
    pub fn behaviours(&self) -> &[Behaviour] {
        &self.behaviours
    }

    /// The rounds, in the order of their tasks.
    pub fn rounds(&self) -> impl Iterator<Item = (TaskKey, &Round)> {
        self.rounds.iter().map(|(task, round)| (*task, round))
    }

    pub(crate) fn ballot(&mut self, replica: ReplicaId, worker: u32, digest: Digest, at_us: u64) {
        let is_right = digest == values::truth(replica.task);
        let round = self.rounds.entry(TaskKey::of(&replica)).or_default();
        round.ballots.push(Said { worker, digest, is_right, at_us, is_late: round.result.is_some() });
    }

    pub(crate) fn forgery(&mut self, replica: ReplicaId, worker: u32) {
        self.rounds.entry(TaskKey::of(&replica)).or_default().forgers.insert(worker);
    }

    pub(crate) fn verdict(&mut self, task: TaskKey, verdict: &Verdict, machine: &Machine, at_us: u64) {
        let round = self.rounds.entry(task).or_default();
        round.result = Some(verdict.clone());
        round.decided_us = at_us;
        let Some(tally) = machine.job(task.job).and_then(|job| job.tally(task.index)) else { return };
        round.asked = asked(tally);
        let Verdict::Accepted(accepted) = verdict else { return };
        round.is_right = *accepted == values::truth(tally.terms().id);
        let said = |wins: bool| {
            let ballots = tally.ballots().values();
            ballots.filter(|cast| (cast.ballot.ballot().digest == *accepted) == wins).count()
        };
        let passed = tally.audits().iter().filter(|cast| cast.ballot.ballot().digest == *accepted).count();
        round.votes = u32::try_from(said(true) + passed).unwrap_or(u32::MAX);
        round.against = u32::try_from(said(false)).unwrap_or(u32::MAX);
    }

    /// What only the end shows: whom the ballots, the late ones as well, convict.
    pub(crate) fn finish(&mut self) {
        for round in self.rounds.values_mut() {
            let accepted = match &round.result {
                Some(Verdict::Accepted(accepted)) => Some(*accepted),
                _ => None,
            };
            let mut said: BTreeMap<u32, Digest> = BTreeMap::new();
            for ballot in &round.ballots {
                let first = *said.entry(ballot.worker).or_insert(ballot.digest);
                if first != ballot.digest || accepted.is_some_and(|accepted| accepted != ballot.digest) {
                    round.found.insert(ballot.worker);
                }
            }
            round.found.extend(&round.forgers);
        }
    }
}

/// How many workers were asked, or have voted.
fn asked(tally: &Tally) -> u32 {
    let leased = tally.issued().iter().map(|issued| issued.worker);
    let asked: BTreeSet<_> = leased.chain(tally.ballots().keys().copied()).collect();
    u32::try_from(asked.len()).unwrap_or(u32::MAX)
}
