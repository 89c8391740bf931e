//! The audits of one task: whose outcome is on trial, who tests it, and what follows from what they find.
//!
//! Once some outcome could win, one of those who computed it becomes its *prover*: the driver gets the outcome from it, and
//! what it kept for audits, and others test that. An outcome that passes enough audits wins. A prover that as many reject
//! as make a quorum is struck out, and its ballot counts for nothing; then whoever else computed anything is tried, and
//! where nobody is left, another worker computes. What the audits come to is counted by [`Hearing`], the same rule by which a
//! certificate is checked.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    audit::{AuditRule, Hearing},
    ballot::{AuthenticBallot, Ballot},
    digest::Digest,
    domain::{Axis, Engine},
    identity::NodeId,
    message::AuditOrder,
    task::Audits,
};

use super::{Cast, Count, Effect, Issued, Tally, numbers::LEASES_PER_WORKER_MAX};

/// How often a prover that stays connected is asked for its evidence: the first time may have met a dying connection.
const ASKED_PER_CONNECTION: u32 = 2;
/// How often a prover is asked for its evidence in all, however often it comes back.
const ASKED_MAX: u32 = 8;

/// The audits of a task whose policy asks for some.
#[derive(Debug)]
pub(super) struct Trials {
    rule: AuditRule,
    audits: Vec<Cast>,
    current: Option<Trial>,
    /// Provers on whom auditors do not agree.
    hopeless: BTreeSet<NodeId>,
    /// Provers whose evidence did not come.
    withheld: BTreeMap<NodeId, Withheld>,
    /// The outcomes that the driver holds, because they were or are on trial.
    held: BTreeSet<Digest>,
}

/// A prover whose evidence did not come.
#[derive(Debug, Clone, Copy, Default)]
struct Withheld {
    /// How often, in all.
    times: u32,
    /// How often since it is connected.
    since_connected: u32,
    /// It is away, and will be asked when it comes back.
    is_awaited: bool,
}

impl Withheld {
    fn may_be_asked(self) -> bool {
        !self.is_awaited && self.since_connected < ASKED_PER_CONNECTION && self.times < ASKED_MAX
    }
}

/// The outcome that is tested now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trial {
    /// What is tested.
    pub(crate) order: AuditOrder,
    /// Whether the driver has what auditors need.
    pub(crate) is_ready: bool,
    /// How many are asked.
    pub(crate) seats: u32,
    /// Whether those who computed the same outcome may test it: nobody else is left.
    pub(crate) insiders: bool,
}

impl Trials {
    pub(super) fn new(rule: AuditRule) -> Self {
        Self {
            rule,
            audits: Vec::new(),
            current: None,
            hopeless: BTreeSet::new(),
            withheld: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }

    /// Audits that were counted before a restart.
    pub(super) fn restored(rule: AuditRule, audits: Vec<Cast>) -> Self {
        Self { audits, ..Self::new(rule) }
    }
}

impl Tally {
    /// Whether one computes and others audit.
    pub(super) fn is_alone(&self) -> bool {
        self.trials.as_ref().is_some_and(|trials| trials.rule.is_alone)
    }

    /// Whether somebody may audit what is computed here by this formula, so that its worker has to keep a witness.
    pub(crate) fn wants_witness(&self, formula: protocol::constant::Formula) -> bool {
        let audits = self.terms.audits;
        self.trials.is_some() && audits.need_witness() && audits.cover(formula)
    }

    /// The engines by which a worker may do what it is asked for now. Of audits only sums of series have a kernel.
    pub(crate) fn engines_wanted(&self) -> &'static [Engine] {
        if self.trial().is_none() || !self.is_open() {
            return self.terms.engines;
        }
        match self.terms.audits {
            Audits::Residues => &[Engine::Cpu, Engine::Gpu],
            Audits::Members | Audits::Nothing => &[Engine::Cpu],
        }
    }

    /// How many were asked to test this by an engine of this kind.
    pub(crate) fn auditors_on(&self, trial: &Trial, engine: Engine) -> usize {
        let asked = self.issued.iter().filter(|issued| issued.audit == Some(trial.order));
        asked.filter(|issued| issued.engine == engine).count()
    }

    /// Whether an audit that was leased has come, if it was one.
    pub(super) fn has_audited(&self, issued: &Issued) -> bool {
        let is_its = |cast: &Cast| {
            let said = cast.ballot.ballot();
            said.worker == issued.worker
                && said.audit.map(|audited| audited.prover) == issued.audit.map(|order| order.prover)
        };
        issued.audit.is_some() && self.audits().iter().any(is_its)
    }

    /// The audits that were counted, in the order in which they came.
    pub fn audits(&self) -> &[Cast] {
        self.trials.as_ref().map_or(&[], |trials| &trials.audits)
    }

    pub(crate) fn trial(&self) -> Option<&Trial> {
        self.trials.as_ref()?.current.as_ref()
    }

    pub(crate) fn trial_mut(&mut self) -> Option<&mut Trial> {
        self.trials.as_mut()?.current.as_mut()
    }

    /// Whether the driver holds an outcome because it was tested.
    pub(crate) fn holds_tested(&self, outcome: &Digest) -> bool {
        self.trials.as_ref().is_some_and(|trials| trials.held.contains(outcome))
    }

    /// What the ballots and audits come to, where there are audits.
    pub fn hearing(&self) -> Option<Hearing> {
        let trials = self.trials.as_ref()?;
        Some(Hearing::new(
            trials.rule,
            self.ballots.values().map(|cast| cast.ballot.ballot()),
            trials.audits.iter().filter(|cast| !cast.late).map(|cast| cast.ballot.ballot()),
        ))
    }

    /// Begins to try what somebody computed; returns whether the driver has what auditors need.
    pub(crate) fn begin_trial(&mut self, order: AuditOrder) -> bool {
        let needs_witness = self.terms.audits.need_witness();
        let Some(trials) = &mut self.trials else { return false };
        // A witness is one prover's own.
        let is_ready = !needs_witness && trials.held.contains(&order.outcome);
        trials.current = Some(Trial { order, is_ready, seats: trials.rule.passes, insiders: false });
        is_ready
    }

    /// The driver has what auditors need of this prover; whether anybody waits for it.
    pub(crate) fn evidence_held(&mut self, prover: &NodeId) -> bool {
        let Some(trials) = &mut self.trials else { return false };
        let Some(trial) = trials.current.as_mut().filter(|trial| trial.order.prover == *prover) else {
            return false;
        };
        trial.is_ready = true;
        trials.held.insert(trial.order.outcome);
        true
    }

    /// The evidence of this prover did not come; one that `is_awaited` is asked again when it comes back.
    pub(crate) fn evidence_withheld(&mut self, prover: NodeId, is_awaited: bool) {
        let Some(trials) = &mut self.trials else { return };
        let withheld = trials.withheld.entry(prover).or_default();
        withheld.times += 1;
        withheld.since_connected += 1;
        withheld.is_awaited = is_awaited && withheld.times < ASKED_MAX;
        if trials.current.is_some_and(|trial| trial.order.prover == prover) {
            trials.current = None;
        }
    }

    /// A prover whose evidence did not come is connected anew.
    pub(crate) fn prover_is_back(&mut self, prover: &NodeId) {
        let withheld = self.trials.as_mut().and_then(|trials| trials.withheld.get_mut(prover));
        if let Some(withheld) = withheld {
            *withheld = Withheld { since_connected: 0, is_awaited: false, ..*withheld };
        }
    }

    /// Whether somebody could audit what is on trial, and nobody does: those who computed the same are not asked yet.
    pub(crate) fn waits_for_outsiders(&self) -> bool {
        self.is_open() && self.trial().is_some_and(|trial| !trial.insiders && self.vacant_audits(trial) > 0)
    }

    /// Auditors do not agree on this prover, or nobody is left who could try it.
    pub(crate) fn give_up_trial(&mut self, prover: &NodeId) {
        let Some(trials) = &mut self.trials else { return };
        trials.hopeless.insert(*prover);
        if trials.current.is_some_and(|trial| trial.order.prover == *prover) {
            trials.current = None;
        }
    }

    /// Whether auditors have rejected whoever is on trial, its ballot is gone, or what it computed has not the majority any
    /// more that it needs: one of those who said the same has contradicted itself.
    pub(crate) fn is_trial_lost(&self) -> bool {
        let Some(AuditOrder { prover, outcome, .. }) = self.trial().map(|trial| trial.order) else {
            return false;
        };
        // One that said two things has no ballot any more.
        let has_ballot = self.ballots.contains_key(&prover);
        !has_ballot
            || self.hearing().is_some_and(|hearing| {
                let has_majority = || self.count_computed() == Count::Won(outcome);
                hearing.is_struck(&prover) || (hearing.asks_for_majority() && !has_majority())
            })
    }

    /// The trial is over.
    pub(crate) fn end_trial(&mut self) {
        if let Some(trials) = &mut self.trials {
            trials.current = None;
        }
    }

    /// Takes an audit of a worker that was leased it.
    pub(super) fn cast_as_auditor(&mut self, ballot: AuthenticBallot, compute_us: u64) -> Effect {
        let said = ballot.ballot();
        let (worker, digest, number) = (said.worker, said.digest, said.replica.number);
        if let Some(earlier) = self.audit_of(&worker, number) {
            if earlier.ballot.ballot().digest == digest {
                return Effect::Repeated;
            }
            let pair = [earlier.ballot.signed().clone(), ballot.signed().clone()];
            self.equivocations.insert(worker, pair);
            if self.is_open() {
                self.strike_audits(&worker);
                self.ballots.remove(&worker);
                self.excused.insert(worker);
            }
            return Effect::Equivocated;
        }
        let late = !self.is_open();
        self.cast_audit(Cast { ballot: Box::new(ballot), compute_us, late, outcome_held: false });
        Effect::Counted
    }

    /// Takes an audit of a worker that was leased it; the caller has checked what it is about.
    fn cast_audit(&mut self, cast: Cast) {
        let is_rejection = !cast.ballot.ballot().is_for_its_outcome();
        if is_rejection && !cast.late {
            self.disputed = true;
        }
        if let Some(trials) = &mut self.trials {
            trials.audits.push(cast);
        }
    }

    /// A worker's audit as this replica, if it is counted.
    fn audit_of(&self, worker: &NodeId, number: u32) -> Option<&Cast> {
        self.audits().iter().find(|cast| {
            let said = cast.ballot.ballot();
            said.worker == *worker && said.replica.number == number
        })
    }

    /// A worker that said two things has said nothing.
    pub(super) fn strike_audits(&mut self, worker: &NodeId) {
        if let Some(trials) = &mut self.trials {
            trials.audits.retain(|cast| {
                let said = cast.ballot.ballot();
                said.worker != *worker && said.audit.is_none_or(|audited| audited.prover != *worker)
            });
        }
    }

    /// The audits of the trial that are out, and waited for.
    pub(crate) fn awaited_audits(&self, trial: &Trial) -> impl Iterator<Item = &Issued> {
        let order = trial.order;
        let issued = self.outstanding().map(|(_, issued)| issued);
        issued.filter(move |issued| issued.audit == Some(order) && !issued.is_idle())
    }

    /// How many are out to compute, and waited for: where one after the other computes, one that gets no further is not.
    pub(super) fn awaited_count(&self) -> u32 {
        let computing = self.outstanding().filter(|(_, issued)| issued.audit.is_none());
        let idle = computing.filter(|(_, issued)| issued.is_idle()).count();
        let out = self.outstanding_count();
        let all_are_awaited =
            || self.trust.is_none() && self.hearing().is_none_or(|hearing| hearing.asks_for_majority());
        if idle == 0 || all_are_awaited() {
            return out;
        }
        out.saturating_sub(u32::try_from(idle).unwrap_or(u32::MAX))
    }

    /// How many audits of the trial are counted, and how many are out.
    fn audits_of_trial(&self, trial: &Trial) -> (u32, u32) {
        let is_of = |ballot: &Ballot| {
            ballot.audit.is_some_and(|audited| {
                (audited.prover, audited.outcome) == (trial.order.prover, trial.order.outcome)
            })
        };
        let counted = self.audits().iter().filter(|cast| is_of(cast.ballot.ballot())).count();
        let out = self.awaited_audits(trial).count();
        (u32::try_from(counted).unwrap_or(u32::MAX), u32::try_from(out).unwrap_or(u32::MAX))
    }

    /// How many more auditors the trial wants.
    pub(super) fn vacant_audits(&self, trial: &Trial) -> u32 {
        if !trial.is_ready {
            return 0;
        }
        let (counted, out) = self.audits_of_trial(trial);
        trial.seats.saturating_sub(counted + out)
    }

    /// Whether this worker may test what is on trial. Those who computed the same are asked only where nobody else is left.
    pub(crate) fn may_audit(&self, worker: &NodeId, trial: &Trial, with_insiders: bool) -> bool {
        let order = &trial.order;
        let computed_it =
            self.ballots.get(worker).is_some_and(|cast| cast.ballot.ballot().digest == order.outcome);
        let has_audited = self.audits().iter().any(|cast| {
            let said = cast.ballot.ballot();
            said.worker == *worker && said.audit.is_some_and(|audited| audited.prover == order.prover)
        });
        *worker != order.prover
            && (with_insiders || !computed_it)
            && !has_audited
            && !self.outstanding().any(|(_, issued)| issued.worker == *worker)
            && !self.excused.contains(worker)
            && self.expired.get(worker).is_none_or(|times| *times <= self.pardoned)
            && (self.leases_of(worker, Some(trial.order)) < LEASES_PER_WORKER_MAX
                || self.may_have_again(worker))
    }

    /// Whether prover or another auditor of the trial shows this value on this axis.
    pub(crate) fn anyone_in_trial_on(&self, trial: &Trial, axis: Axis, value: &str) -> bool {
        let prover = self.ballots.get(&trial.order.prover);
        let of_trial = |cast: &&Cast| {
            cast.ballot.ballot().audit.is_some_and(|audited| audited.prover == trial.order.prover)
        };
        let signed = prover.into_iter().chain(self.audits().iter().filter(of_trial));
        signed.map(|cast| axis.value_in(&cast.ballot.ballot().domain)).any(|shown| shown == value)
            || self
                .outstanding()
                .filter(|(_, issued)| issued.audit == Some(trial.order))
                .any(|(_, issued)| issued.value_on(axis) == value)
    }

    /// The count where there are audits.
    pub(super) fn count_with_audits(&self, trials: &Trials, hearing: &Hearing) -> Count {
        let digests: Vec<Digest> = self.digests().into_iter().map(|(digest, _)| digest).collect();
        let by_majority = hearing.asks_for_majority().then(|| self.count_computed());
        let may_win = |digest: &Digest| match by_majority {
            Some(Count::Won(winner)) => winner == *digest,
            Some(_) => false,
            None => !self.lacks_spread(hearing, digest),
        };
        let carried = |digest: &&Digest| may_win(digest) && hearing.is_carried(digest, self.rules.quorum);
        if let Some(winner) = digests.iter().find(carried) {
            return Count::Won(*winner);
        }
        if let Some(trial) = trials.current.as_ref().filter(|trial| !hearing.is_struck(&trial.order.prover)) {
            let (counted, out) = self.audits_of_trial(trial);
            let is_spent = self.attempts_at(Some(trial.order)) >= self.attempts_max();
            return if !trial.is_ready || out > 0 || (counted < trial.seats && !is_spent) {
                Count::Open
            } else if trial.seats < self.rules.seats_max && !is_spent {
                Count::NeedsAudit
            } else {
                Count::GiveUp(trial.order.prover)
            };
        }
        let candidate = match by_majority {
            Some(Count::Won(winner)) => self.next_prover(trials, hearing, Some(&winner)),
            Some(other) => return other,
            None => self.next_prover(trials, hearing, None),
        };
        if let Some(order) = candidate {
            return Count::Try(order);
        }
        // Nobody is left to be tried: another worker computes.
        let seats = self.seats.max(self.cast_count() + self.awaited_count());
        if seats > self.cast_count() {
            Count::Open
        } else if seats < self.rules.seats_max {
            Count::NeedsSeats(1)
        } else if trials.withheld.values().any(|withheld| withheld.is_awaited) {
            Count::Open
        } else {
            Count::Hopeless
        }
    }

    /// Whether those who signed for a digest are too much alike.
    fn lacks_spread(&self, hearing: &Hearing, digest: &Digest) -> bool {
        let supporters = hearing.supporters(digest);
        let signed = || {
            let all = self.ballots.values().chain(self.audits());
            all.map(|cast| cast.ballot.ballot())
                .filter(|ballot| ballot.digest == *digest && supporters.contains(&ballot.worker))
        };
        self.rules.spread.iter().any(|(axis, needed)| {
            let values: BTreeSet<String> = signed().map(|ballot| axis.value_in(&ballot.domain)).collect();
            u32::try_from(values.len()).is_ok_and(|shown| shown < *needed)
        })
    }

    /// Who is tried next: of those whose outcome can be audited and that stand, one with the most on its side.
    fn next_prover(&self, trials: &Trials, hearing: &Hearing, of: Option<&Digest>) -> Option<AuditOrder> {
        let digests = self.digests();
        let agreeing = |digest: &Digest| {
            digests.iter().find(|(known, _)| known == digest).map_or(0, |(_, agreeing)| *agreeing)
        };
        self.ballots
            .iter()
            .filter(|(worker, cast)| {
                let said = cast.ballot.ballot();
                !hearing.is_struck(worker)
                    && !trials.hopeless.contains(worker)
                    && trials.withheld.get(worker).is_none_or(|withheld| withheld.may_be_asked())
                    && self.terms.audits.cover(said.domain.formula)
                    && of.is_none_or(|outcome| *outcome == said.digest)
            })
            // Whoever withheld its evidence comes last.
            .max_by_key(|(worker, cast)| {
                (!trials.withheld.contains_key(worker), agreeing(&cast.ballot.ballot().digest))
            })
            .map(|(worker, cast)| {
                let said = cast.ballot.ballot();
                AuditOrder { outcome: said.digest, prover: *worker, formula: said.domain.formula }
            })
    }
}
