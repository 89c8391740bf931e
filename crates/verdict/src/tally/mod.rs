//! The vote on one task: who was asked, who said what, and whether that decides it.
//!
//! The tally is a count with two bars. A digest wins with the quorum **and** more than half of all ballots that are
//! cast or may still come, so a decision is as early as it can be and no ballot that is still out can overturn it.
//! When the ballots that are out cannot decide it any more, the electorate grows by just as many seats as the leading
//! digest would need, up to a bound; the second bar grows with it. Winners must also be spread over the axes that the
//! policy names.

mod count;
mod leases;
mod numbers;
mod record;
mod seal;
mod trials;
mod trust;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use protocol::{
    adaptive::Adaptive,
    audit::AuditRule,
    ballot::{AuthenticBallot, SignedBallot},
    commitment::Commitment,
    constant::Formula,
    digest::Digest,
    domain::{Axis, Engine},
    identity::NodeId,
    message::AuditOrder,
    verdict::Verdict,
};

use crate::input::{SealFault, TaskTerms};

pub use count::Count;
use numbers::LEASES_PER_WORKER_MAX;
use seal::Stage;
pub(crate) use trials::Trial;
use trials::Trials;
pub(crate) use trust::{Stage as TrustStage, Trust};

/// How many expired leases of one task are overlooked in a worker when nobody else is left to be asked.
const PARDONS_MAX: u32 = 8;

/// The rules that hold for one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Agreeing ballots needed.
    pub quorum: u32,
    /// Ballots asked for at first.
    pub seats: u32,
    /// Most ballots that may be asked for.
    pub seats_max: u32,
    /// The axes on which winners must differ, and how many different values each must show.
    pub spread: Vec<(Axis, u32)>,
    /// Whether workers commit to their ballots before any is revealed.
    pub sealed: bool,
    /// How long a lease lasts without a heartbeat, in milliseconds.
    pub lease_ms: u64,
    /// How audits decide, where there are any.
    pub audit: Option<AuditRule>,
    /// What adaptive replication keeps, where it is asked for.
    pub adaptive: Option<Adaptive>,
    /// The number of the first replica: after a restart not that of one which was leased before.
    pub first_number: u32,
}

/// A replica that was leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// To whom.
    pub worker: NodeId,
    /// Who runs it.
    pub operator: Arc<str>,
    /// By which engine.
    pub engine: Engine,
    /// On which device.
    pub device: Arc<str>,
    /// By which method.
    pub formula: Formula,
    /// What is tested instead of computed.
    pub audit: Option<AuditOrder>,
    lease: Option<Lease>,
    /// When it was leased, in milliseconds.
    leased_ms: u64,
    /// What the worker committed to, on a sealed task.
    commitment: Option<Commitment>,
    /// Whether it was ever asked to reveal it.
    reveal_asked: bool,
    /// The lease ended with the worker's connection, and nobody told the worker: it may have the replica again.
    interrupted: bool,
}

/// A lease that is out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lease {
    stage: Stage,
    expires_ms: u64,
    /// When the timer that looks after it goes off; a renewal does not move it. A committed replica has none: it waits
    /// for others.
    timer_ms: Option<u64>,
    renewals: u32,
    /// How often since the worker was further than before.
    idle_renewals: u32,
    permille: u16,
}

impl Lease {
    fn until(stage: Stage, expires_ms: u64) -> Self {
        Self { stage, expires_ms, timer_ms: Some(expires_ms), renewals: 0, idle_renewals: 0, permille: 0 }
    }
}

/// A counted ballot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    /// What was said, and the signature. Boxed: a map's node has room for many, and most tasks have three.
    pub ballot: Box<AuthenticBallot>,
    /// How long the worker computed, in microseconds.
    pub compute_us: u64,
    /// Whether the task was decided before.
    pub late: bool,
    /// Whether the driver held an outcome with this digest when the ballot came.
    pub(crate) outcome_held: bool,
}

/// How far the correction of a dissenter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// The accepted outcome is not here yet, so there is nothing to send.
    Waiting,
    /// Sent; given up at this time.
    Sent {
        /// In milliseconds.
        deadline_ms: u64,
    },
    /// Acknowledged at this time, in milliseconds.
    Acknowledged(u64),
    /// The worker did not acknowledge in time or left; it is told when it comes back.
    Unheard,
}

/// Where the vote stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// All ballots so far agree.
    Collecting,
    /// There are two different digests.
    Disputed,
    /// A digest has won; its dissenters are being corrected.
    Decided(Decision),
    /// A digest has won, its outcome is held, and nobody is left to be corrected.
    Reconciled(Decision),
    /// Over without a winner.
    Exhausted(Verdict),
}

/// A digest that has won.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The digest.
    pub accepted: Digest,
    /// When, in milliseconds.
    pub decided_ms: u64,
    /// Whether the outcome itself is held by the driver.
    pub held: bool,
    /// The dissenters.
    pub corrections: BTreeMap<NodeId, Correction>,
    /// Winners that were asked for the outcome and did not give it, and the one being asked.
    pub(crate) asked: BTreeSet<NodeId>,
    /// No winner that is connected gives the outcome: another replica is run to get it.
    pub(crate) rerun: bool,
}

/// What became of a ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Counted.
    Counted,
    /// This worker's ballot is already there; nothing changed.
    Repeated,
    /// The worker's second, different ballot for one replica: both count as none.
    Equivocated,
}

/// The vote on one task.
#[derive(Debug)]
pub struct Tally {
    terms: TaskTerms,
    rules: Rules,
    seats: u32,
    issued: Vec<Issued>,
    ballots: BTreeMap<NodeId, Cast>,
    equivocations: BTreeMap<NodeId, [SignedBallot; 2]>,
    excused: BTreeSet<NodeId>,
    /// How many leases each worker has let expire.
    expired: BTreeMap<NodeId, u32>,
    /// So many expired leases are overlooked in every worker.
    pardoned: u32,
    failures: Vec<String>,
    broken_seals: BTreeMap<NodeId, SealFault>,
    /// When commitments are revealed whoever else still computes.
    reveal_due_ms: Option<u64>,
    /// When nobody waits any more for further ballots on the decided task; none where nobody does yet.
    pub(crate) closes_ms: Option<u64>,
    /// That was so, or there is nothing to wait for.
    pub(crate) is_closed: bool,
    /// How many tasks were decided before and with it, of all jobs; 0 while its vote is open.
    pub(crate) decided_number: u64,
    disputed: bool,
    opened_ms: u64,
    /// The audits, where the policy asks for any. Boxed: most tasks have none.
    trials: Option<Box<Trials>>,
    /// Whose answer it is and whether it is checked, where one may answer alone.
    trust: Option<Box<Trust>>,
    pub(crate) state: State,
}

impl Tally {
    /// A vote that nobody was asked for yet.
    #[must_use]
    pub fn new(terms: TaskTerms, rules: Rules, now_ms: u64) -> Self {
        let rule = rules.audit;
        Self {
            terms,
            trials: rule.map(|rule| Box::new(Trials::new(rule))),
            trust: rules.adaptive.map(|rule| Box::new(Trust::new(rule))),
            seats: rules.seats,
            rules,
            issued: Vec::new(),
            ballots: BTreeMap::new(),
            equivocations: BTreeMap::new(),
            excused: BTreeSet::new(),
            expired: BTreeMap::new(),
            pardoned: 0,
            failures: Vec::new(),
            broken_seals: BTreeMap::new(),
            reveal_due_ms: None,
            closes_ms: None,
            is_closed: false,
            decided_number: 0,
            disputed: false,
            opened_ms: now_ms,
            state: State::Collecting,
        }
    }

    /// The task.
    pub fn terms(&self) -> &TaskTerms {
        &self.terms
    }

    /// The rules of this vote.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// When it was opened, in milliseconds.
    pub fn opened_ms(&self) -> u64 {
        self.opened_ms
    }

    /// Whether two different digests were ever there.
    pub fn was_disputed(&self) -> bool {
        self.disputed
    }

    /// The counted ballots, by worker.
    pub fn ballots(&self) -> &BTreeMap<NodeId, Cast> {
        &self.ballots
    }

    /// The pairs of ballots that show equivocation, by worker.
    pub fn equivocations(&self) -> &BTreeMap<NodeId, [SignedBallot; 2]> {
        &self.equivocations
    }

    /// Every replica that was ever leased, in the order of their numbers.
    pub fn issued(&self) -> &[Issued] {
        &self.issued
    }

    /// Why workers could not run it.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// The accepted digest and what follows from it, once there is one.
    pub fn decision(&self) -> Option<&Decision> {
        match &self.state {
            State::Decided(decision) | State::Reconciled(decision) => Some(decision),
            State::Collecting | State::Disputed | State::Exhausted(_) => None,
        }
    }

    pub(crate) fn decision_mut(&mut self) -> Option<&mut Decision> {
        match &mut self.state {
            State::Decided(decision) | State::Reconciled(decision) => Some(decision),
            State::Collecting | State::Disputed | State::Exhausted(_) => None,
        }
    }

    /// Who voted for the accepted digest, before the verdict or after it.
    pub(crate) fn winners(&self) -> impl Iterator<Item = NodeId> {
        let accepted = self.decision().map(|decision| decision.accepted);
        let agrees = move |cast: &Cast| Some(cast.ballot.ballot().digest) == accepted;
        self.ballots.iter().filter(move |(_, cast)| agrees(cast)).map(|(worker, _)| *worker)
    }

    /// The ballots that were counted before the verdict: those that prove it.
    pub fn timely(&self) -> impl Iterator<Item = &SignedBallot> {
        self.ballots.values().filter(|cast| !cast.late).map(|cast| cast.ballot.signed())
    }

    /// Whether nothing is left to be done after the vote: the outcome is held or lost, no replica is run for it, and every
    /// dissenter has acknowledged.
    pub(crate) fn is_done(&self, is_lost: bool) -> bool {
        let is_settled = |decision: &Decision| {
            let mut corrections = decision.corrections.values();
            (decision.held || is_lost) && corrections.all(|c| matches!(c, Correction::Acknowledged(_)))
        };
        !self.is_open() && self.outstanding().next().is_none() && self.decision().is_none_or(is_settled)
    }

    /// Whether everybody who was asked has answered, as far as it is known who was.
    pub(crate) fn is_answered(&self) -> bool {
        if self.issued.is_empty() && self.closes_ms.is_some() {
            return false;
        }
        let has_answered = |worker: &NodeId| {
            self.ballots.contains_key(worker)
                || self.equivocations.contains_key(worker)
                || self.broken_seals.contains_key(worker)
        };
        self.issued.iter().all(|issued| self.has_audited(issued) || has_answered(&issued.worker))
    }

    /// What workers have committed to.
    pub(crate) fn commitments(&self) -> impl Iterator<Item = Commitment> {
        self.issued.iter().filter_map(|issued| issued.commitment)
    }

    /// Whether ballots can still change something.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Collecting | State::Disputed)
    }

    /// The numbers of the replicas under lease.
    pub fn outstanding(&self) -> impl Iterator<Item = (u32, &Issued)> {
        (self.rules.first_number..).zip(&self.issued).filter(|(_, issued)| issued.lease.is_some())
    }

    /// How many are out to compute.
    fn outstanding_count(&self) -> u32 {
        let computing = self.outstanding().filter(|(_, issued)| issued.audit.is_none());
        u32::try_from(computing.count()).unwrap_or(u32::MAX)
    }

    fn cast_count(&self) -> u32 {
        u32::try_from(self.ballots.len()).unwrap_or(u32::MAX)
    }

    /// How many seats are neither voted nor leased; after the verdict, how many more replicas are to be run for its outcome.
    pub fn vacant_seats(&self) -> u32 {
        let audit = self.trial().filter(|_| self.is_open()).map(|trial| trial.order);
        if self.attempts_at(audit) >= self.attempts_max() {
            return 0;
        }
        match &self.state {
            State::Collecting | State::Disputed => {
                if let Some(trial) = self.trial() {
                    return self.vacant_audits(trial);
                }
                self.seats.saturating_sub(self.cast_count() + self.awaited_count())
            }
            State::Decided(decision) if decision.rerun && !decision.held => {
                // Of a quorum of workers, one is honest: the others cannot hold up the outcome by never answering.
                self.rules.quorum.saturating_sub(self.outstanding_count())
            }
            State::Decided(_) | State::Reconciled(_) | State::Exhausted(_) => 0,
        }
    }

    /// Whether this worker may be asked at all: it has not voted, has no lease, and did not fail here before, nor let more
    /// leases expire than are overlooked, nor lose too many with its connection.
    pub fn may_ask(&self, worker: &NodeId) -> bool {
        !self.ballots.contains_key(worker)
            && !self.excused.contains(worker)
            && self.expired.get(worker).is_none_or(|times| *times <= self.pardoned)
            && !self.outstanding().any(|(_, issued)| issued.worker == *worker)
            && (self.leases_of(worker, None) < LEASES_PER_WORKER_MAX || self.may_have_again(worker))
    }

    /// The ways to compute it that are asked for: where one worker computes alone, those whose outcome can be audited.
    pub(crate) fn formulas(&self) -> impl Iterator<Item = Formula> {
        let is_alone = self.is_alone();
        let may = move |formula: &Formula| !is_alone || self.terms.audits.cover(*formula);
        self.terms.formulas.iter().copied().filter(may)
    }

    /// How far the furthest replica under lease is, in thousandths.
    pub fn permille(&self) -> u16 {
        if !self.is_open() {
            return 1000;
        }
        self.issued
            .iter()
            .filter_map(|issued| issued.lease.as_ref())
            .map(|lease| lease.permille)
            .max()
            .unwrap_or(0)
    }

    /// Notes why a worker could not run it.
    pub(crate) fn fail(&mut self, worker: NodeId, reason: String) {
        if self.excused.insert(worker) && self.failures.len() < 16 {
            self.failures.push(reason);
        }
    }

    /// Takes a ballot of a worker that was leased the replica.
    pub(crate) fn cast(&mut self, ballot: AuthenticBallot, outcome_held: bool, compute_us: u64) -> Effect {
        let said = ballot.ballot();
        let (worker, digest, number) = (said.worker, said.digest, said.replica.number);
        if self.equivocations.contains_key(&worker) {
            return Effect::Repeated;
        }
        self.end_lease(number);
        if said.audit.is_some() {
            return self.cast_as_auditor(ballot, compute_us);
        }
        if let Some(earlier) = self.ballots.get(&worker) {
            let before = earlier.ballot.ballot();
            if before.replica.number != number || before.digest == digest {
                return Effect::Repeated;
            }
            if self.is_open() {
                let first = earlier.ballot.signed().clone();
                self.ballots.remove(&worker);
                self.strike_audits(&worker);
                self.equivocations.insert(worker, [first, ballot.signed().clone()]);
                self.excused.insert(worker);
            } else {
                // The verdict stands on the ballots as they were counted; the pair is still proof.
                self.equivocations.insert(worker, [earlier.ballot.signed().clone(), ballot.signed().clone()]);
            }
            return Effect::Equivocated;
        }
        let late = !self.is_open();
        let contradicts = |cast: &Cast| cast.ballot.ballot().digest != digest;
        let is_disputed = self.is_open() && self.ballots.values().any(contradicts);
        self.ballots.insert(worker, Cast { ballot: Box::new(ballot), compute_us, late, outcome_held });
        if is_disputed {
            self.disputed = true;
            self.state = State::Disputed;
        }
        Effect::Counted
    }

    /// Adds seats.
    pub(crate) fn grow(&mut self, more: u32) {
        self.seats = self.seats.max(self.cast_count() + self.outstanding_count()) + more;
    }

    /// Gives up the vacant seats: nobody can take them. Returns whether there were any.
    pub(crate) fn give_up_vacant_seats(&mut self) -> bool {
        let filled = self.cast_count() + self.outstanding_count();
        let had_vacancies = self.seats > filled;
        self.seats = filled;
        had_vacancies
    }

    /// How it ends when nobody can be asked any more and no digest has won.
    pub(crate) fn exhausted_verdict(&self) -> Verdict {
        match (self.ballots.is_empty(), self.failures.last()) {
            (true, Some(reason)) => Verdict::Failed(reason.clone()),
            (true, None) => Verdict::Failed("no worker answered".to_owned()),
            (false, _) => Verdict::Undecided,
        }
    }

    /// Whether every lease that may be given was given, to no avail, or enough workers say that it cannot be run.
    pub(crate) fn is_spent(&self) -> bool {
        // Where one computes alone there is one seat, and one that fails says nothing: it takes as many as would vote.
        let asked = self.rules.seats.max(self.rules.quorum);
        let votes = self.trust.as_ref().map_or(asked, |trust| trust.rule().lead() + 1).min(16) as usize;
        let nobody_can = self.ballots.is_empty() && self.failures.len() >= votes;
        self.is_open()
            && self.outstanding().next().is_none()
            && self.trial().is_none()
            && (self.attempts_at(None) >= self.attempts_max() || nobody_can)
    }
}
