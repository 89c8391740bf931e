//! What must hold between entries: the log is founded first, a job is taken before anything happens to it, a task is decided
//! once, by ballots that suffice, of workers that were let in as what they say they are, and only who dissented is
//! corrected, once.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry as Place};

use protocol::{
    audit::Hearing,
    ballot::{Ballot, SignedBallot},
    digest::Digest,
    domain::Axis,
    fault::{ALIKE_MAX, FaultClass, LocatedFault, Parting},
    identity::NodeId,
    job::{JobId, JobSpec},
    ledger::{CountedBallot, Decided, Entry, Record, Submitted},
    policy::Policy,
    standing::{BrokenSeal, Tested},
    task::TaskId,
    verdict::Verdict,
};

use super::{alone::Checked, enrolled::Enrolled, standing::Standings};

/// What the entries so far say, and how many of each kind there are.
#[derive(Debug, Default)]
pub(super) struct Rules {
    at_ms: u64,
    entries: u64,
    enrolled: Enrolled,
    standings: Standings,
    checked: Checked,
    jobs: BTreeMap<JobId, JobSoFar>,
    pub(super) accepted: u64,
    pub(super) undecided: u64,
    pub(super) failed: u64,
    pub(super) corrections: u64,
}

#[derive(Debug)]
struct JobSoFar {
    policy: Policy,
    /// The decided tasks, each with its id and what was accepted.
    decided: BTreeMap<u64, (TaskId, Option<Digest>)>,
    /// Those who dissented, and whether they were corrected.
    dissenters: BTreeMap<(u64, NodeId), bool>,
    /// Those whose fault was located.
    located: BTreeSet<(u64, NodeId)>,
    over: bool,
    positions: u64,
}

impl Rules {
    /// How many jobs there are.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// How many entries are about jobs.
    pub(super) fn job_entries(&self) -> u64 {
        self.jobs.values().map(|job| job.positions).sum()
    }

    /// What was found about each job: how many entries, and whether it is over.
    pub(super) fn rows(&self) -> impl Iterator<Item = (JobId, u64, bool)> {
        self.jobs.iter().map(|(job, so_far)| (*job, so_far.positions, so_far.over))
    }

    /// The number, from 0, of the entry that was taken last among those of its job.
    pub(super) fn number_in_job(&self, job: JobId) -> Option<u64> {
        self.jobs.get(&job)?.positions.checked_sub(1)
    }

    /// Takes the next entry; says what is wrong with it.
    pub(super) fn take(&mut self, entry: &Entry) -> Vec<String> {
        let mut faults = Vec::new();
        if entry.at_ms < self.at_ms {
            faults.push("its time is before that of the entry above".to_owned());
        }
        self.at_ms = self.at_ms.max(entry.at_ms);
        let is_founding = matches!(entry.record, Record::Founded { .. });
        if is_founding != (self.entries == 0) {
            faults.push("a ledger is founded by its first entry, and by no other".to_owned());
        }
        self.entries += 1;
        self.enrolled.take(&entry.record, &mut faults);
        self.standings.take(&entry.record, &mut faults);
        if let Record::Submitted(submitted) = &entry.record {
            self.submitted(submitted, &mut faults);
        }
        if let Some(job) = entry.record.job() {
            match self.jobs.get_mut(&job) {
                Some(so_far) => so_far.positions += 1,
                None => faults.push(format!("it is about job {job}, which was not submitted")),
            }
        }
        self.in_job(&entry.record, &mut faults);
        faults
    }

    fn submitted(&mut self, submitted: &Submitted, faults: &mut Vec<String>) {
        if !submitted.is_sound() {
            faults.push(format!("the id of job {} is not that of its text, file and nonce", submitted.job));
        }
        // The text needs its expression file for a plan, and none for its policy.
        if JobSpec::parse(&submitted.text).is_ok_and(|spec| spec.policy != submitted.policy) {
            faults.push("the policy is not the one that the job's text asks for".to_owned());
        }
        let so_far = JobSoFar {
            policy: submitted.policy.clone(),
            decided: BTreeMap::new(),
            dissenters: BTreeMap::new(),
            located: BTreeSet::new(),
            over: false,
            positions: 0,
        };
        match self.jobs.entry(submitted.job) {
            Place::Occupied(_) => faults.push(format!("job {} was submitted before", submitted.job)),
            Place::Vacant(place) => {
                place.insert(so_far);
            }
        }
    }

    fn in_job(&mut self, record: &Record, faults: &mut Vec<String>) {
        let Some(so_far) = record.job().and_then(|job| self.jobs.get_mut(&job)) else { return };
        match record {
            Record::Decided(decided) => {
                match &decided.verdict {
                    Verdict::Accepted(_) => self.accepted += 1,
                    Verdict::Undecided => self.undecided += 1,
                    Verdict::Failed(_) => self.failed += 1,
                }
                so_far.decided(decided, faults);
                self.checked.take(decided, so_far.policy.auditing.adaptive.is_some(), faults);
            }
            Record::Late(counted) => so_far.late(counted, faults),
            Record::Corrected { index, worker, accepted, .. } => {
                self.corrections += 1;
                let is_accepted =
                    so_far.decided.get(index).is_some_and(|(_, digest)| *digest == Some(*accepted));
                let dissenter = so_far.dissenters.get_mut(&(*index, *worker)).filter(|_| is_accepted);
                let worker = worker.short();
                match dissenter.map(|is_corrected| std::mem::replace(is_corrected, true)) {
                    Some(false) => {}
                    Some(true) => {
                        faults.push(format!("worker {worker} was corrected on task {index} before"));
                    }
                    None => faults.push(format!(
                        "worker {worker} is corrected on task {index} and did not dissent there"
                    )),
                }
            }
            Record::Over { state, .. } => {
                if !state.is_over() {
                    faults.push("a job is over in a state that is none of an end".to_owned());
                }
                if std::mem::replace(&mut so_far.over, true) {
                    faults.push("the job was over before".to_owned());
                }
            }
            Record::Tested(tested) => so_far.tested(tested, faults),
            Record::Located(fault) => so_far.located(fault, faults),
            Record::SealBroken(broken) => so_far.seal_broken(broken, faults),
            Record::Founded { .. }
            | Record::Enrolled(_)
            | Record::Submitted(_)
            | Record::Revoked { .. }
            | Record::Quarantined(_)
            | Record::Readmitted { .. } => {}
        }
    }
}

impl JobSoFar {
    fn decided(&mut self, decided: &Decided, faults: &mut Vec<String>) {
        let accepted = match decided.verdict {
            Verdict::Accepted(digest) => Some(digest),
            Verdict::Undecided | Verdict::Failed(_) => None,
        };
        if self.decided.insert(decided.index, (decided.task, accepted)).is_some() {
            faults.push(format!("task {} was decided before", decided.index));
        }
        if self.over {
            faults.push(format!("task {} is decided after its job was over", decided.index));
        }
        let about_it = |signed: &SignedBallot| {
            let replica = signed.ballot.replica;
            (replica.job, replica.index, replica.task) == (decided.job, decided.index, decided.task)
        };
        let counted = decided.ballots.iter().chain(&decided.audits).map(|counted| &counted.ballot);
        if !counted.chain(decided.equivocations.iter().flatten()).all(about_it) {
            faults.push(format!("a ballot is not about task {}", decided.index));
        }
        let workers: Vec<NodeId> =
            decided.ballots.iter().map(|counted| counted.ballot.ballot.worker).collect();
        if !workers.is_sorted_by(|before, after| before < after) {
            faults.push("the ballots are not in the order of their workers' keys, each once".to_owned());
        }
        let ballots = || decided.ballots.iter().map(|counted| &counted.ballot.ballot);
        let audits = || decided.audits.iter().map(|counted| &counted.ballot.ballot);
        let numbers: BTreeSet<u32> = ballots().chain(audits()).map(|ballot| ballot.replica.number).collect();
        if numbers.len() < decided.ballots.len() + decided.audits.len() {
            faults.push("two ballots are for the same replica".to_owned());
        }
        let digests: BTreeSet<Digest> = ballots().map(|ballot| ballot.digest).collect();
        let is_rejected = audits().any(|ballot| !ballot.is_for_its_outcome());
        if ballots().any(|ballot| ballot.audit.is_some()) || audits().any(|ballot| ballot.audit.is_none()) {
            faults.push("an audit is among the ballots, or a ballot among the audits".to_owned());
        }
        match (digests.len() > 1 || is_rejected, decided.disputed) {
            (true, false) => {
                faults.push("ballots differ, and the verdict does not call that a dispute".to_owned());
            }
            (false, true) if decided.equivocations.is_empty() => {
                faults.push("nobody contradicts anybody, and the verdict calls that a dispute".to_owned());
            }
            _ => {}
        }
        if let Some(accepted) = accepted {
            self.suffices(decided, accepted, faults);
            let against = decided.ballots.iter().map(|counted| &counted.ballot.ballot);
            let against = against.filter(|ballot| ballot.digest != accepted);
            self.dissenters.extend(against.map(|ballot| ((decided.index, ballot.worker), false)));
        }
        check_accusations(decided, faults);
    }

    /// The rules of a verdict, as a certificate has them, and the policy's axes. How many formulas a task has does not
    /// stand in the log, so that axis is left to whoever has the plan.
    fn suffices(&self, decided: &Decided, accepted: Digest, faults: &mut Vec<String>) {
        let ballots = || decided.ballots.iter().map(|counted| &counted.ballot.ballot);
        let audits = || decided.audits.iter().map(|counted| &counted.ballot.ballot);
        let hearing = self.policy.audit_rule().map(|rule| Hearing::new(rule, ballots(), audits()));
        let needs_majority = hearing.as_ref().is_none_or(Hearing::asks_for_majority);
        let winning: Vec<_> = match hearing.as_ref().filter(|_| !needs_majority) {
            None => ballots().filter(|ballot| ballot.digest == accepted).collect(),
            Some(hearing) => {
                let supporters = hearing.supporters(&accepted);
                let mut seen = BTreeSet::new();
                let for_it =
                    |ballot: &&Ballot| ballot.digest == accepted && supporters.contains(&ballot.worker);
                ballots().chain(audits()).filter(for_it).filter(|b| seen.insert(b.worker)).collect()
            }
        };
        if hearing.is_some_and(|hearing| !hearing.is_carried(&accepted, decided.quorum)) {
            faults.push("what was accepted did not pass the audits that the policy asks for".to_owned());
        }
        let (agreeing, cast) = (winning.len(), decided.ballots.len());
        if decided.quorum < self.policy.quorum {
            let (quorum, asked) = (decided.quorum, self.policy.quorum);
            faults.push(format!(
                "the verdict took a quorum of {quorum}, and the job's policy asks for {asked}"
            ));
        }
        if agreeing < decided.quorum as usize {
            faults.push(format!("{agreeing} ballots agree, and the quorum is {}", decided.quorum));
        }
        if let Some(rule) = self.policy.auditing.adaptive {
            let others = u32::try_from(cast - agreeing).unwrap_or(u32::MAX);
            if !rule.suffices(u32::try_from(agreeing).unwrap_or(u32::MAX), others) {
                faults.push(format!(
                    "{agreeing} ballots agree and {others} do not, and adaptive replication asks for a lead of {}",
                    rule.lead()
                ));
            }
        }
        if needs_majority && 2 * agreeing <= cast {
            faults.push(format!("{agreeing} of {cast} ballots agree, which is no majority"));
        }
        for axis in &self.policy.distinct {
            let needed = match axis {
                Axis::Operator | Axis::Device => decided.quorum,
                Axis::Engine => decided.quorum.min(2),
                Axis::Formula => 1,
            };
            let shown: BTreeSet<String> =
                winning.iter().map(|ballot| axis.value_in(&ballot.domain)).collect();
            if shown.len() < needed as usize {
                let shown = shown.len();
                faults.push(format!(
                    "the winners show {shown} of the {needed} values of {axis} that the policy asks for"
                ));
            }
        }
    }

    /// A known answer is one that was accepted.
    fn tested(&self, tested: &Tested, faults: &mut Vec<String>) {
        let replica = tested.counted.ballot.ballot.replica;
        if self.decided.get(&replica.index) != Some(&(replica.task, Some(tested.accepted))) {
            faults.push(format!("task {} is given with another answer than was accepted", replica.index));
        }
    }

    /// A fault is that of a dissenter, and is looked for once; whoever it is compared with, or computed the same rightly, is none.
    fn located(&mut self, fault: &LocatedFault, faults: &mut Vec<String>) {
        let LocatedFault { index, worker, winner, alike, .. } = fault;
        let who = worker.short();
        if self.decided.get(index) != Some(&(fault.task, Some(fault.accepted))) {
            faults.push(format!("a fault is located on task {index}, and something else was accepted there"));
        }
        let dissents = |who: &NodeId| self.dissenters.contains_key(&(*index, *who));
        if !dissents(worker) {
            faults.push(format!(
                "a fault of worker {who} is located on task {index}, and it did not dissent there"
            ));
        }
        if dissents(winner) || alike.iter().any(dissents) || alike.len() > ALIKE_MAX {
            faults.push(format!("a fault on task {index} is compared with what another dissenter computed"));
        }
        let is_shaped = match (fault.class, fault.parting) {
            (_, Parting::Node { place, digests: [right, wrong], .. }) => {
                place.from < place.to && right != wrong
            }
            (class, Parting::AfterTheSeries) => class.is_none(),
            (class, Parting::Unknown) => {
                !matches!(class, Some(FaultClass::Transient | FaultClass::Deterministic))
            }
        };
        if !is_shaped {
            faults.push(format!("the fault of worker {who} on task {index} has no place, or no difference"));
        }
        if !self.located.insert((*index, *worker)) {
            faults.push(format!("the fault of worker {who} on task {index} was located before"));
        }
    }

    /// A seal is broken by a ballot that it does not open to, on a sealed task that is open.
    fn seal_broken(&self, broken: &BrokenSeal, faults: &mut Vec<String>) {
        let ballot = &broken.ballot.ballot;
        let (who, index) = (ballot.worker.short(), ballot.replica.index);
        if broken.is_whole() {
            faults.push(format!("worker {who} is said to have broken a seal that its ballot opens"));
        }
        if !self.policy.sealed || self.decided.contains_key(&index) {
            faults.push(format!(
                "worker {who} is said to have broken a seal on task {index}, where none was asked for"
            ));
        }
    }

    fn late(&mut self, counted: &CountedBallot, faults: &mut Vec<String>) {
        let ballot = &counted.ballot.ballot;
        let index = ballot.replica.index;
        match self.decided.get(&index) {
            None => faults.push(format!("a ballot is late for task {index}, which is not decided")),
            Some((task, _)) if *task != ballot.replica.task => {
                faults.push(format!("a late ballot is not about task {index}"));
            }
            Some((_, Some(accepted))) if *accepted != ballot.digest && ballot.audit.is_none() => {
                self.dissenters.entry((index, ballot.worker)).or_insert(false);
            }
            Some(_) => {}
        }
    }
}

/// Whoever contradicts itself is accused once, and has no vote.
fn check_accusations(decided: &Decided, faults: &mut Vec<String>) {
    let mut voters: BTreeSet<NodeId> =
        decided.ballots.iter().map(|counted| counted.ballot.ballot.worker).collect();
    for [first, second] in &decided.equivocations {
        let (first, second) = (&first.ballot, &second.ballot);
        let same = (first.worker, first.replica) == (second.worker, second.replica);
        if !same || first.digest == second.digest {
            faults.push("an equivocation is not two ballots of one worker for one replica".to_owned());
        }
        if !voters.insert(first.worker) {
            let worker = first.worker.short();
            faults.push(format!("worker {worker} equivocated, and is accused before or has a vote"));
        }
    }
}
