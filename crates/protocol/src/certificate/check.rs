//! The checks of what the ledger says of a job, entry by entry: what a coordinator that lies would get wrong.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CertificateFault, Findings, Over, Unaccepted,
    findings::{AxisSpread, Trusted, WorkerFindings},
};
use crate::{
    audit::error_log2,
    ballot::{Ballot, SignedBallot},
    digest::Digest,
    domain::{Axis, FailureDomain},
    identity::{NodeId, Signature},
    job::JobId,
    ledger::{CountedBallot, Decided, Entry, Record, SignedHead, Submitted},
    plan::Plan,
    policy::{Policy, Ways},
    report::JobState,
    task::{Task, TaskId},
    verdict::Verdict,
};

/// How many tasks that were not accepted are named.
const UNACCEPTED_NAMED_MAX: usize = 16;
/// What else than the axes of a policy can make winners alike.
const BUILD: &str = "build";

/// A decided task.
#[derive(Debug)]
struct Voted {
    accepted: Option<Digest>,
    /// Whose ballots were counted, by number, because there may be millions of tasks; and whether they agreed.
    voters: Box<[(u32, bool)]>,
}

/// What the entries have said so far.
#[derive(Debug)]
pub(super) struct Checking {
    job: JobId,
    pub(super) policy: Policy,
    plan: Plan,
    pub(super) trust: BTreeSet<NodeId>,
    decided: BTreeMap<u64, Voted>,
    /// Who signed something else than what was accepted, and was not corrected yet.
    wrong: BTreeSet<(u64, NodeId)>,
    /// A number for each worker, in the order in which they come.
    numbers: BTreeMap<NodeId, u32>,
    /// Signatures that are good: one may stand under many ballots.
    signed: BTreeSet<(NodeId, Digest, Signature)>,
    workers: BTreeMap<NodeId, WorkerFindings>,
    spread: BTreeMap<&'static str, u32>,
    at_ms: u64,
    pub(super) findings: Findings,
}

impl Checking {
    /// Begins with the job's first entry, whose text gave this plan.
    pub(super) fn new(
        head: &SignedHead,
        (submitted, at_ms): (Submitted, u64),
        (name, plan): (String, Plan),
        trust: &[NodeId],
    ) -> Self {
        let Submitted { job, submitter, policy, .. } = submitted;
        let coordinator = head.head.coordinator;
        let trust: BTreeSet<NodeId> = trust.iter().copied().collect();
        let trusted = Trusted {
            coordinator: trust.contains(&coordinator),
            workers: trust.iter().any(|key| *key != coordinator),
        };
        let findings = Findings {
            job,
            name,
            submitter,
            coordinator,
            ledger: head.head.tree,
            head_at_ms: head.head.at_ms,
            submitted_ms: at_ms,
            over: None,
            policy: policy.clone(),
            tasks: plan.tasks(),
            accepted: 0,
            undecided: 0,
            failed: 0,
            open: 0,
            unaccepted_first: Vec::new(),
            disputed: 0,
            ballots: 0,
            alone: 0,
            quorum_min: None,
            wrong_together_min: None,
            spread: Vec::new(),
            workers: Vec::new(),
            audits: 0,
            audits_min: None,
            audit_error_log2: None,
            corrections: 0,
            outcomes: 0,
            outcomes_elsewhere: 0,
            trusted,
        };
        Self {
            job,
            policy,
            plan,
            trust,
            decided: BTreeMap::new(),
            wrong: BTreeSet::new(),
            numbers: BTreeMap::new(),
            signed: BTreeSet::new(),
            workers: BTreeMap::new(),
            spread: BTreeMap::new(),
            at_ms,
            findings,
        }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn accepted(&self, index: u64) -> Option<Digest> {
        self.decided.get(&index)?.accepted
    }

    pub(super) fn count_outcome(&mut self) {
        self.findings.outcomes += 1;
    }

    /// Takes in the next entry of the job.
    pub(super) fn entry(&mut self, position: u64, entry: Entry) -> Result<(), CertificateFault> {
        if entry.record.job() != Some(self.job) {
            return Err(CertificateFault::ForeignEntry { position, job: self.job });
        }
        if entry.at_ms < self.at_ms {
            return Err(CertificateFault::Time { position });
        }
        self.at_ms = entry.at_ms;
        match entry.record {
            Record::Decided(decided) => self.decided(&decided),
            Record::Late(counted) => self.late(&counted),
            Record::Corrected { index, worker, accepted, .. } => self.corrected(index, worker, accepted),
            Record::Over { state, .. } => self.over(state),
            Record::Submitted(_) => Err(CertificateFault::Submission { position, first: false }),
            // These are about a worker, on the occasion of this job: no rule looks at them.
            Record::Quarantined(_) | Record::Tested(_) | Record::Located(_) | Record::SealBroken(_) => Ok(()),
            // Whatever else there is belongs to no job.
            _ => Err(CertificateFault::ForeignEntry { position, job: self.job }),
        }
    }

    fn decided(&mut self, decided: &Decided) -> Result<(), CertificateFault> {
        let (index, tasks) = (decided.index, self.plan.tasks());
        let task = self.plan.task(index).ok_or(CertificateFault::NoSuchTask { index, tasks })?;
        if decided.task != TaskId::of(&task) {
            return Err(CertificateFault::TaskDiffers { index });
        }
        if self.decided.contains_key(&index) {
            return Err(CertificateFault::DecidedTwice { index });
        }
        if self.findings.over.is_some() {
            return Err(CertificateFault::DecidedAfterTheEnd { index });
        }
        if decided.quorum < self.policy.quorum {
            let (quorum, policy) = (decided.quorum, self.policy.quorum);
            return Err(CertificateFault::QuorumLowered { index, quorum, policy });
        }
        self.ballots(decided)?;
        self.equivocations(decided)?;
        self.audits(decided)?;
        let digests: BTreeSet<Digest> = decided.ballots.iter().map(digest_of).collect();
        let is_rejected = decided.audits.iter().any(|counted| !counted.ballot.ballot.is_for_its_outcome());
        let is_seen =
            digests.len() > 1 || is_rejected || decided.disputed && !decided.equivocations.is_empty();
        if is_seen != decided.disputed {
            return Err(CertificateFault::Dispute { index, disputed: decided.disputed });
        }
        self.findings.disputed += u64::from(decided.disputed);
        let accepted = match &decided.verdict {
            Verdict::Accepted(digest) => Some(*digest),
            Verdict::Undecided => {
                self.findings.undecided += 1;
                self.name_unaccepted(index, None);
                None
            }
            Verdict::Failed(reason) => {
                self.findings.failed += 1;
                self.name_unaccepted(index, Some(reason.clone()));
                None
            }
        };
        if let Some(accepted) = accepted {
            self.accept(decided, accepted, &task)?;
        }
        let mut voters = Vec::with_capacity(decided.ballots.len());
        for counted in &decided.ballots {
            let ballot = &counted.ballot.ballot;
            self.note(ballot, accepted);
            voters.push((self.number(ballot.worker), accepted == Some(ballot.digest)));
        }
        self.decided.insert(index, Voted { accepted, voters: voters.into() });
        Ok(())
    }

    fn name_unaccepted(&mut self, index: u64, reason: Option<String>) {
        if self.findings.unaccepted_first.len() < UNACCEPTED_NAMED_MAX {
            self.findings.unaccepted_first.push(Unaccepted { index, reason });
        }
    }

    /// Each counted ballot is of another worker and another replica, about this task, and signed.
    fn ballots(&mut self, decided: &Decided) -> Result<(), CertificateFault> {
        let index = decided.index;
        let mut before: Option<NodeId> = None;
        let mut numbers = BTreeSet::new();
        for counted in &decided.ballots {
            let Ballot { worker, replica, audit, .. } = counted.ballot.ballot;
            if audit.is_some() {
                return Err(CertificateFault::NoBallot { index, worker });
            }
            if before.is_some_and(|before| before >= worker) {
                return Err(CertificateFault::WorkerTwice { index, worker });
            }
            before = Some(worker);
            if !numbers.insert(replica.number) {
                return Err(CertificateFault::ReplicaTwice { index, number: replica.number });
            }
            self.authentic(&counted.ballot, index, decided.task)?;
        }
        self.findings.ballots += decided.ballots.len() as u64;
        Ok(())
    }

    /// A ballot is about this task, and signed by whom it names.
    pub(super) fn authentic(
        &mut self,
        signed: &SignedBallot,
        index: u64,
        task: TaskId,
    ) -> Result<(), CertificateFault> {
        let Ballot { worker, replica, .. } = signed.ballot;
        if (replica.job, replica.index, replica.task) != (self.job, index, task) {
            return Err(CertificateFault::ForeignBallot { index, worker });
        }
        let forged = CertificateFault::Forged { index, worker };
        let Some(digest) = signed.signed_digest() else { return Err(forged) };
        if signed.bundle.is_none() {
            // Nothing else can be under this signature.
            return if worker.has_signed(&digest, &signed.signature) { Ok(()) } else { Err(forged) };
        }
        let signature = (worker, digest, signed.signature);
        if !self.signed.contains(&signature) {
            if !worker.has_signed(&digest, &signed.signature) {
                return Err(forged);
            }
            self.signed.insert(signature);
        }
        Ok(())
    }

    /// Each accused worker really signed two different digests for one replica, and none of its ballots counts.
    fn equivocations(&mut self, decided: &Decided) -> Result<(), CertificateFault> {
        let index = decided.index;
        let mut accused = BTreeSet::new();
        for [first, second] in &decided.equivocations {
            let worker = first.ballot.worker;
            self.authentic(first, index, decided.task)?;
            self.authentic(second, index, decided.task)?;
            let is_one = second.ballot.worker == worker
                && first.ballot.replica == second.ballot.replica
                && first.ballot.digest != second.ballot.digest;
            let counts = decided.ballots.iter().any(|counted| counted.ballot.ballot.worker == worker);
            if !is_one || counts || !accused.insert(worker) {
                return Err(CertificateFault::NoEquivocation { index, worker });
            }
            self.worker(&first.ballot).equivocated += 1;
            self.wrong.insert((index, worker));
        }
        Ok(())
    }

    /// The rules of the vote: the quorum, the majority, and winners that differ as the policy asks.
    fn accept(&mut self, decided: &Decided, accepted: Digest, task: &Task) -> Result<(), CertificateFault> {
        let (index, quorum) = (decided.index, decided.quorum);
        if self.policy.audit_rule().is_some() {
            return self.accept_audited(decided, accepted, task);
        }
        let winners =
            || decided.ballots.iter().map(|counted| &counted.ballot.ballot).filter(|b| b.digest == accepted);
        let (agreeing, ballots) = (count(winners()), count(decided.ballots.iter()));
        if agreeing < quorum {
            return Err(CertificateFault::TooFew { index, agreeing, quorum });
        }
        if 2 * u64::from(agreeing) <= u64::from(ballots) {
            return Err(CertificateFault::NoMajority { index, agreeing, ballots });
        }
        if let Some(rule) = self.policy.auditing.adaptive {
            let others = ballots - agreeing;
            if !rule.suffices(agreeing, others) {
                let lead = rule.lead();
                return Err(CertificateFault::NoLead { index, agreeing, others, lead });
            }
        }
        self.findings.alone += u64::from(ballots == 1);
        self.differ(&winners(), index, quorum, task)?;
        if self.findings.trusted.workers {
            let trusted = || winners().filter(|ballot| self.trust.contains(&ballot.worker));
            let trusted_count = count(trusted());
            if trusted_count < quorum {
                return Err(CertificateFault::Untrusted { index, trusted: trusted_count, quorum });
            }
            self.differ(&trusted(), index, quorum, task)?;
        }
        self.note_accepted(task, &winners(), quorum, agreeing);
        Ok(())
    }

    /// What the accepted tasks have in common.
    pub(super) fn note_accepted<'b>(
        &mut self,
        task: &Task,
        winners: &(impl Iterator<Item = &'b Ballot> + Clone),
        quorum: u32,
        agreeing: u32,
    ) {
        self.findings.accepted += 1;
        if let (Some(_), Some(decimals)) = (self.findings.audits_min, task.decimals()) {
            self.findings.audit_error_log2 = Some(error_log2(decimals));
        }
        self.findings.quorum_min = Some(least(self.findings.quorum_min, quorum));
        self.findings.wrong_together_min = Some(least(self.findings.wrong_together_min, agreeing));
        let axes = Axis::ALL
            .iter()
            .map(|axis| (axis.name(), values(winners.clone(), |domain| axis.value_in(domain))));
        let build = (BUILD, values(winners.clone(), |domain| domain.build.clone()));
        for (axis, shown) in axes.chain([build]) {
            let fewest = self.spread.entry(axis).or_insert(shown);
            *fewest = shown.min(*fewest);
        }
    }

    pub(super) fn differ<'b>(
        &self,
        winners: &(impl Iterator<Item = &'b Ballot> + Clone),
        index: u64,
        quorum: u32,
        task: &Task,
    ) -> Result<(), CertificateFault> {
        let ways = Ways::of(task.formulas(), task.engines(), task.audits());
        for axis in self.policy.distinct.iter().copied() {
            let needed = axis.values_needed(quorum, ways);
            let values = values(winners.clone(), |domain| axis.value_in(domain));
            if values < needed {
                return Err(CertificateFault::Alike { index, axis, values, needed });
            }
        }
        Ok(())
    }

    /// A ballot after the verdict: a worker's first, or its second, which then says something else.
    fn late(&mut self, counted: &CountedBallot) -> Result<(), CertificateFault> {
        let ballot = &counted.ballot.ballot;
        let (worker, index) = (ballot.worker, ballot.replica.index);
        let tasks = self.plan.tasks();
        let task = self.plan.task(index).ok_or(CertificateFault::NoSuchTask { index, tasks })?;
        let number = self.number(worker);
        let voted = self.decided.get(&index).ok_or(CertificateFault::NotLate { index, worker })?;
        let accepted = voted.accepted;
        let first = voted.voters.iter().find(|(voter, _)| *voter == number).map(|(_, agreed)| *agreed);
        self.authentic(&counted.ballot, index, TaskId::of(&task))?;
        self.findings.ballots += 1;
        if ballot.audit.is_some() {
            self.note_audit(ballot);
            return Ok(());
        }
        match (first, accepted == Some(ballot.digest)) {
            (None, _) => self.note(ballot, accepted),
            (Some(true), true) => return Err(CertificateFault::NoEquivocation { index, worker }),
            (Some(true), false) | (Some(false), true) => self.worker(ballot).equivocated += 1,
            // Both are against: whether they are the same is not kept, so nobody is accused.
            (Some(false), false) => {}
        }
        Ok(())
    }

    fn number(&mut self, worker: NodeId) -> u32 {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(worker).or_insert(next)
    }

    /// Counts a ballot for its worker.
    fn note(&mut self, ballot: &Ballot, accepted: Option<Digest>) {
        let dissents = accepted.is_some_and(|accepted| accepted != ballot.digest);
        if dissents {
            self.wrong.insert((ballot.replica.index, ballot.worker));
        }
        let worker = self.worker(ballot);
        match accepted {
            None => worker.undecided += 1,
            Some(_) if dissents => worker.dissented += 1,
            Some(_) => worker.agreed += 1,
        }
    }

    pub(super) fn worker(&mut self, ballot: &Ballot) -> &mut WorkerFindings {
        let trusted = self.trust.contains(&ballot.worker);
        let worker = self.workers.entry(ballot.worker).or_insert_with(|| WorkerFindings {
            worker: ballot.worker,
            operators: BTreeSet::new(),
            agreed: 0,
            dissented: 0,
            undecided: 0,
            corrected: 0,
            equivocated: 0,
            audits: 0,
            trusted,
        });
        if !worker.operators.contains(&ballot.domain.operator) {
            worker.operators.insert(ballot.domain.operator.clone());
        }
        worker
    }

    fn corrected(&mut self, index: u64, worker: NodeId, accepted: Digest) -> Result<(), CertificateFault> {
        // Taken out, so that no correction counts twice.
        let was_wrong = self.accepted(index) == Some(accepted) && self.wrong.remove(&(index, worker));
        match self.workers.get_mut(&worker).filter(|_| was_wrong) {
            Some(found) => found.corrected += 1,
            None => return Err(CertificateFault::NoDissent { index, worker }),
        }
        self.findings.corrections += 1;
        Ok(())
    }

    fn over(&mut self, state: JobState) -> Result<(), CertificateFault> {
        let all_accepted = self.findings.accepted == self.plan.tasks();
        let is_true = match state {
            JobState::Reconciled => all_accepted,
            // An accepted task whose outcome was lost with its workers makes a job incomplete as well.
            JobState::Incomplete => self.decided.len() as u64 == self.plan.tasks(),
            JobState::Abandoned => true,
            JobState::Running | JobState::Correcting => false,
        };
        if !is_true || self.findings.over.is_some() {
            return Err(CertificateFault::State { state });
        }
        self.findings.over = Some(Over { state, at_ms: self.at_ms });
        Ok(())
    }

    /// What all entries and outcomes together show.
    pub(super) fn finish(self) -> Findings {
        let mut findings = self.findings;
        findings.open = findings.tasks.saturating_sub(self.decided.len() as u64);
        findings.outcomes_elsewhere = findings.accepted.saturating_sub(findings.outcomes);
        let order = Axis::ALL.iter().map(|axis| axis.name()).chain([BUILD]);
        findings.spread =
            order.filter_map(|axis| Some(AxisSpread { axis, values_min: *self.spread.get(axis)? })).collect();
        findings.workers = self.workers.into_values().collect();
        findings
    }
}

fn digest_of(counted: &CountedBallot) -> Digest {
    counted.ballot.ballot.digest
}

/// The smaller one, where there are two.
pub(super) fn least(before: Option<u32>, now: u32) -> u32 {
    before.map_or(now, |before| before.min(now))
}

pub(super) fn count<T>(found: impl Iterator<Item = T>) -> u32 {
    u32::try_from(found.count()).unwrap_or(u32::MAX)
}

/// How many different values these ballots show.
fn values<'b>(ballots: impl Iterator<Item = &'b Ballot>, value: impl Fn(&FailureDomain) -> String) -> u32 {
    let values: BTreeSet<String> = ballots.map(|ballot| value(&ballot.domain)).collect();
    count(values.into_iter())
}
