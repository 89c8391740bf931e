//! The report of a job, from what the ledger says of its tasks.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    adaptive::Adaptive,
    domain::Axis,
    identity::NodeId,
    ledger::CountedBallot,
    report::{AdaptiveReport, AuditsReport, BallotReport, Dissent, DissenterReport, JobReport, TaskReport},
    verdict::Verdict,
};

use super::{JobResult, locating::FaultSearch, past::PastTask};

/// How many places of a dissenter's errors a report names.
pub(super) const PLACES_MAX: usize = 16;

/// What the audits of all tasks come to.
#[derive(Debug, Default)]
struct AuditSums {
    passes: u64,
    rejections: u64,
    audit_us: u64,
    recomputing_us: u64,
}

/// What a report says of all tasks together.
#[derive(Debug, Default)]
pub(super) struct ReportSums {
    accepted: u64,
    disputes: u64,
    corrections: u64,
    compute_us: u64,
    audits: AuditSums,
    /// Ballots on accepted tasks.
    ballots: u64,
    /// Accepted tasks with one ballot.
    alone: u64,
    /// How many voters agreed at least, where a task is accepted.
    fewest: Option<usize>,
    /// The axes on which the winners of some task were all alike.
    alike: BTreeSet<Axis>,
    dissenters: BTreeMap<NodeId, DissenterReport>,
}

impl AuditSums {
    fn add(&mut self, task: &PastTask) {
        for (cast, _) in &task.audits {
            let ballot = &cast.ballot.ballot;
            if ballot.is_for_its_outcome() {
                self.passes += 1;
            } else {
                self.rejections += 1;
            }
            self.audit_us += cast.compute_us;
            let prover = ballot.audit.and_then(|audited| task.ballots.get(&audited.prover));
            self.recomputing_us += prover.map_or(0, |(computed, _)| computed.compute_us);
        }
    }

    fn report(&self) -> Option<AuditsReport> {
        let Self { passes, rejections, audit_us, recomputing_us } = *self;
        (passes + rejections > 0).then(|| AuditsReport {
            passes,
            rejections,
            audit_s: micro_to_seconds(audit_us),
            recomputing_s: micro_to_seconds(recomputing_us),
        })
    }
}

impl ReportSums {
    /// Takes in a task.
    pub(super) fn add(&mut self, job: &JobResult, task: &PastTask) {
        self.disputes += u64::from(task.decided.disputed);
        self.corrections += task.corrected.len() as u64;
        self.compute_us += task.ballots.values().map(|(cast, _)| cast.compute_us).sum::<u64>();
        self.audits.add(task);
        for worker in task.equivocations.keys() {
            self.dissenter(job, *worker).equivocations += 1;
        }
        let Some(accepted) = task.accepted() else { return };
        self.accepted += 1;
        self.ballots += task.ballots.len() as u64;
        self.alone += u64::from(task.ballots.len() == 1);
        let said = task.ballots.values().chain(&task.audits).map(|(cast, _)| &cast.ballot.ballot);
        let winners: Vec<_> = said.filter(|ballot| ballot.digest == accepted).collect();
        let voices: BTreeSet<NodeId> = winners.iter().map(|ballot| ballot.worker).collect();
        self.fewest = Some(self.fewest.map_or(voices.len(), |fewest| fewest.min(voices.len())));
        self.alike.extend(Axis::ALL.into_iter().filter(|axis| {
            let mut values = winners.iter().map(|ballot| axis.value_in(&ballot.domain));
            let first = values.next();
            values.all(|value| Some(value) == first)
        }));
        for (worker, cast) in task.dissenters() {
            self.add_dissent(job, task, worker, cast);
        }
    }

    fn add_dissent(&mut self, job: &JobResult, task: &PastTask, worker: NodeId, cast: &CountedBallot) {
        let index = task.decided.index;
        let acknowledged_ms = task.corrected.get(&worker);
        let report = self.dissenter(job, worker);
        report.dissents += 1;
        report.corrected += u64::from(acknowledged_ms.is_some());
        if report.where_first.len() < PLACES_MAX {
            report.where_first.push(Dissent {
                task_index: index,
                domain: Some(cast.ballot.ballot.domain.clone()),
                place: job.places.get(&(worker, index)).cloned(),
                fault: match job.faults.get(&(worker, index)) {
                    Some(FaultSearch::Found(fault)) => {
                        Some(super::locating::report(fault, job.name_of(fault.winner)))
                    }
                    Some(FaultSearch::UnderWay) | None => None,
                },
                corrected_after_s: acknowledged_ms
                    .map(|at_ms| seconds(at_ms.saturating_sub(job.submitted_ms))),
            });
        }
    }

    fn dissenter(&mut self, job: &JobResult, worker: NodeId) -> &mut DissenterReport {
        self.dissenters.entry(worker).or_insert_with(|| DissenterReport {
            name: job.name_of(worker),
            worker: worker.to_string(),
            operator: job.known.get(&worker).map(|known| known.operator.clone()).unwrap_or_default(),
            dissents: 0,
            corrected: 0,
            equivocations: 0,
            broken_seals: 0,
            where_first: Vec::new(),
            quarantined: None,
        })
    }

    fn adaptive(&self, reopened: u64) -> AdaptiveReport {
        #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
        let overhead = self.ballots.saturating_sub(self.accepted) as f64 / self.accepted.max(1) as f64;
        AdaptiveReport { alone: self.alone, checked: self.accepted - self.alone, overhead, reopened }
    }

    /// The report without its verdicts.
    pub(super) fn into_report(mut self, job: &JobResult, tasks: u64) -> JobReport {
        for (worker, broken) in &job.broken_seals {
            self.dissenter(job, *worker).broken_seals = *broken;
        }
        for (worker, reason) in &job.quarantines {
            self.dissenter(job, *worker).quarantined = Some(reason.clone());
        }
        JobReport {
            job: job.name.clone(),
            job_id: job.job.to_string(),
            status: job.state,
            worth: match (job.policy.auditing.adaptive, self.fewest) {
                (Some(rule), Some(_)) => describe_bound(rule),
                _ => describe_worth(self.fewest.unwrap_or(usize::MAX), &self.alike, self.audits.passes > 0),
            },
            adaptive: job.policy.auditing.adaptive.map(|_| self.adaptive(job.reopened)),
            policy: job.policy.clone(),
            tasks,
            accepted: self.accepted,
            disputes: self.disputes,
            dissenters: self.dissenters.into_values().collect(),
            corrections: self.corrections,
            elapsed_s: seconds(job.over_ms.saturating_sub(job.submitted_ms)),
            compute_s: micro_to_seconds(self.compute_us),
            audits: self.audits.report(),
            verdicts: Vec::new(),
        }
    }
}

impl JobResult {
    pub(super) fn task_report(&self, task: &PastTask) -> TaskReport {
        let decided = &task.decided;
        let index = decided.index;
        let (verdict, reason) = match &decided.verdict {
            Verdict::Accepted(_) => {
                let lost = "the accepted outcome was lost with its workers".to_owned();
                ("accepted", self.lost.contains(&index).then_some(lost))
            }
            Verdict::Failed(reason) => ("failed", Some(reason.clone())),
            Verdict::Undecided => {
                let why = match self.policy.auditing.adaptive {
                    Some(rule) => format!(
                        "too few workers were there to check what one of them had answered (a new one is checked by {} others, \
                         and a dispute needs a lead of {}); start more workers, or allow a larger `error`",
                        rule.check(0).checkers,
                        rule.lead()
                    ),
                    None => "no digest reached the quorum and a majority".to_owned(),
                };
                ("undecided", Some(why))
            }
        };
        let computed = task.ballots.values();
        TaskReport {
            index,
            task: decided.task.to_string(),
            summary: self.plan.summary(index),
            verdict: verdict.to_owned(),
            digest: task.accepted().map(|digest| digest.to_string()),
            disputed: decided.disputed,
            reason,
            elapsed_s: seconds(task.decided_ms.saturating_sub(decided.opened_ms)),
            ballots: computed
                .chain(&task.audits)
                .map(|(cast, late)| self.ballot_report(cast, *late, task))
                .collect(),
        }
    }

    fn ballot_report(&self, cast: &CountedBallot, late: bool, task: &PastTask) -> BallotReport {
        let ballot = &cast.ballot.ballot;
        let worker = ballot.worker;
        let standing = match task.accepted() {
            _ if ballot.audit.is_some() => {
                if ballot.is_for_its_outcome() {
                    "passes"
                } else {
                    "rejects"
                }
            }
            _ if task.equivocations.contains_key(&worker) => "equivocates",
            Some(accepted) if accepted == ballot.digest => "agrees",
            Some(_) => "dissents",
            None => "open",
        };
        BallotReport {
            name: self.name_of(worker),
            worker: worker.to_string(),
            replica: ballot.replica.number,
            domain: ballot.domain.clone(),
            digest: ballot.digest.to_string(),
            compute_s: micro_to_seconds(cast.compute_us),
            standing: standing.to_owned(),
            audit: ballot.audit,
            late,
        }
    }

    fn name_of(&self, worker: NodeId) -> String {
        self.known.get(&worker).map_or_else(|| worker.short(), |known| known.name.clone())
    }
}

/// What adaptive replication promises, and what that rests on.
fn describe_bound(rule: Adaptive) -> String {
    let (error, percent) = (rule.error_share(), rule.faulty_percent());
    format!(
        "of all values accepted by this policy a share of at most {error:e} is expected to be wrong, if workers that lie together are \
         at most {percent} % of those here at any time and give at most {percent} % of all answers; behind a value that one worker \
         computed stands that it passed later checks"
    )
}

fn describe_worth(fewest: usize, alike: &BTreeSet<Axis>, is_audited: bool) -> String {
    match fewest {
        usize::MAX => return "no task is accepted: nothing is established".to_owned(),
        0 | 1 => return "a single worker's word: nobody has checked it".to_owned(),
        _ => {}
    }
    let named = |same: bool| {
        let axes = Axis::ALL.into_iter().filter(|axis| alike.contains(axis) == same);
        axes.map(Axis::name).collect::<Vec<_>>().join(", ")
    };
    let (same, different) = (named(true), named(false));
    let how = if is_audited { ", by computing it or by testing it with a random challenge" } else { "" };
    let agreed = format!("at least {fewest} workers agreed on each task{how}");
    match (same.is_empty(), different.is_empty()) {
        (true, _) => format!("{agreed}; they differed in {different}"),
        (false, true) => format!(
            "{agreed}, all with the same {same}: this guards against a passing fault, and against nothing that they \
             have in common"
        ),
        (false, false) => format!(
            "{agreed}; they differed in {different} and had the same {same}: this guards against passing faults and \
             an error in what differed, not in what was the same"
        ),
    }
}

#[expect(clippy::cast_precision_loss, reason = "durations for people; 2^53 ms is 285,000 years")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "durations for people; 2^53 us is 285 years")]
fn micro_to_seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_agreeing_workers_have_in_common() {
        let all: BTreeSet<Axis> = Axis::ALL.into_iter().collect();
        assert!(
            describe_worth(2, &all, false).contains("all with the same operator, engine, formula, device")
        );
        assert!(describe_worth(3, &BTreeSet::new(), false).contains("they differed in operator"));
        let same = BTreeSet::from([Axis::Operator, Axis::Device]);
        assert!(
            describe_worth(2, &same, false)
                .contains("differed in engine, formula and had the same operator, device")
        );
        assert!(describe_worth(1, &all, false).contains("nobody has checked it"));
        assert!(describe_worth(usize::MAX, &all, false).contains("nothing is established"));
    }
}
