//! What the owner tells clients: progress, workers, and the report of a job.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    digest::Digest,
    domain::Axis,
    identity::NodeId,
    job::JobId,
    ledger::Record,
    report::{BallotReport, Dissent, DissenterReport, JobReport, JobStatus, TaskReport, WorkerStatus},
    verdict::Verdict,
};
use tokio::sync::oneshot;
use tracing::info;
use transport::CloseCode;
use verdict::{
    Input,
    job::Job,
    tally::{Cast, Correction, State, Tally},
};

use super::{Act, Asked, Core, JobResult, TaskBallots};

/// How many places of a dissenter's errors a report names.
const PLACES_MAX: usize = 16;

impl Core {
    pub(super) fn asked(&mut self, asked: Asked) {
        match asked {
            Asked::Submit { submission, reply } => {
                let taken = self.submit(*submission);
                self.reply(reply, taken);
            }
            Asked::Watch { job, reply } => {
                if let Some(progress) = self.machine.progress(job) {
                    self.when_durable(Act::Progress(job, Box::new(progress)));
                }
                let receiver = self.jobs.get(&job).map(|record| record.progress.subscribe());
                self.reply(reply, receiver);
            }
            Asked::Abandon { job, by, reply } => {
                let stopped = self.abandon(job, by);
                self.reply(reply, stopped);
            }
            Asked::Status(reply) => {
                let status = self.status();
                self.reply(reply, status);
            }
            Asked::Workers(reply) => {
                let workers = self.workers();
                self.reply(reply, workers);
            }
            Asked::Result { job, reply } => {
                let result = self.result(job).map(Box::new);
                self.reply(reply, result);
            }
            Asked::Certificate { job, index, reply } => {
                let certificate = self.machine.certificate(job, index);
                self.reply(reply, certificate);
            }
            Asked::Expel(worker) => {
                self.record(Record::Revoked { node: worker });
                if let Some(peer) = self.peers.get(&worker) {
                    info!(worker = %worker.short(), "expelled");
                    peer.connection.close(CloseCode::Refused, "the key of this worker is revoked");
                }
            }
        }
    }

    /// Answers with what is true now, once everything that it rests on is durable.
    fn reply<T: Send + 'static>(&mut self, reply: oneshot::Sender<T>, answer: T) {
        // Whoever asked may be gone: then nobody needs the answer.
        self.when_durable(Act::Reply(Box::new(move || drop(reply.send(answer)))));
    }

    /// Stops a job for its submitter, or for the operator (`by` is none).
    fn abandon(&mut self, job: JobId, by: Option<NodeId>) -> Result<(), String> {
        let unknown = || format!("job {job} is not known here; `coordinator status` lists those that are");
        let submitter = self.jobs.get(&job).ok_or_else(unknown)?.submitter;
        if by.is_some_and(|by| by != submitter) {
            return Err(format!("job {job} is another client's: only that one and the operator may stop it"));
        }
        self.tell(Input::JobAbandoned { job }).map_err(|_| unknown())
    }

    fn status(&self) -> Vec<JobStatus> {
        let now_ms = self.now_ms();
        let status = |(id, job): (JobId, &Job)| {
            Some(JobStatus {
                job: id,
                name: self.jobs.get(&id)?.spec.name.clone(),
                progress: self.machine.progress(id)?,
                age_ms: now_ms.saturating_sub(job.submitted_ms()),
            })
        };
        self.machine.jobs().filter_map(status).collect()
    }

    fn workers(&self) -> Vec<WorkerStatus> {
        let status = |(worker, record): (NodeId, verdict::worker::WorkerRecord)| {
            let known = self.known.get(&worker)?;
            let engines = known.engines.iter().map(|e| format!("{} ({})", e.engine, e.device)).collect();
            let peer = self.peers.get(&worker);
            let traffic = peer.map(|peer| peer.connection.traffic()).unwrap_or_default();
            Some(WorkerStatus {
                worker,
                name: known.name.clone(),
                operator: known.operator.clone(),
                engines,
                build: known.build.clone(),
                connected: record.connected,
                liveness: record.liveness,
                leases: record.leases,
                ballots: record.ballots,
                dissents: record.dissents,
                equivocations: record.equivocations,
                broken_seals: record.broken_seals,
                bundles: peer.map_or(0, |peer| peer.bundles),
                sent_bytes: traffic.sent_bytes,
                received_bytes: traffic.received_bytes,
            })
        };
        self.machine.workers().filter_map(status).collect()
    }

    fn result(&self, id: JobId) -> Result<JobResult, String> {
        let unknown = || format!("job {id} is not known here; `coordinator status` lists those that are");
        let job = self.machine.job(id).ok_or_else(unknown)?;
        let record = self.jobs.get(&id).ok_or_else(unknown)?;
        if !job.state().is_over() {
            return Err(format!("job {id} is still running; `coordinator status` tells how far it is"));
        }
        let mut ballots = Vec::new();
        let mut outcomes: Vec<Option<Digest>> = Vec::new();
        for index in 0..job.task_count() {
            let tally = job.tally(index);
            let decision = tally.and_then(Tally::decision).filter(|_| !job.is_lost(index));
            outcomes.push(decision.map(|decision| decision.accepted));
            ballots.extend(tally.map(|tally| self.task_ballots(id, index, tally)));
        }
        let report = self.report(id, job);
        let (text, file) = (record.text.clone(), record.file.clone());
        Ok(JobResult { text, file, report, ballots, outcomes })
    }

    fn task_ballots(&self, id: JobId, index: u64, tally: &Tally) -> TaskBallots {
        let certificate = self.machine.certificate(id, index);
        let uncertified = |cast: &&Cast| cast.late || certificate.is_none();
        let others = tally.ballots().values().filter(uncertified).map(|cast| cast.ballot.signed().clone());
        TaskBallots {
            index,
            others: others.collect(),
            equivocations: tally.equivocations().values().cloned().collect(),
            certificate,
        }
    }

    fn report(&self, id: JobId, job: &Job) -> JobReport {
        let name = self.jobs.get(&id).map(|record| record.spec.name.clone()).unwrap_or_default();
        let tallies = || (0..job.task_count()).filter_map(|index| Some((index, job.tally(index)?)));
        let verdicts: Vec<TaskReport> =
            tallies().map(|(index, tally)| self.task_report(id, job, index, tally)).collect();
        let progress = self.machine.progress(id);
        let over_ms = job.over_ms().unwrap_or_else(|| self.now_ms());
        let compute_us: u64 =
            tallies().flat_map(|(_, tally)| tally.ballots().values()).map(|cast| cast.compute_us).sum();
        JobReport {
            job: name,
            job_id: id.to_string(),
            status: job.state(),
            worth: Self::worth(job),
            policy: job.policy().clone(),
            tasks: job.task_count(),
            accepted: progress.as_ref().map_or(0, |progress| progress.accepted),
            disputes: progress.as_ref().map_or(0, |progress| progress.disputes),
            dissenters: self.dissenters(id, job),
            corrections: progress.as_ref().map_or(0, |progress| progress.corrections),
            elapsed_s: seconds(over_ms.saturating_sub(job.submitted_ms())),
            compute_s: micro_to_seconds(compute_us),
            verdicts,
        }
    }

    fn task_report(&self, id: JobId, job: &Job, index: u64, tally: &Tally) -> TaskReport {
        let decision = tally.decision();
        let lost = job.is_lost(index).then(|| "the accepted outcome was lost with its workers".to_owned());
        let (verdict, reason, decided_ms) = match tally.state() {
            State::Decided(decision) | State::Reconciled(decision) => {
                ("accepted", lost, Some(decision.decided_ms))
            }
            State::Exhausted(Verdict::Failed(reason)) => ("failed", Some(reason.clone()), None),
            State::Exhausted(_) => {
                ("undecided", Some("no digest reached the quorum and a majority".to_owned()), None)
            }
            State::Collecting | State::Disputed => ("open", None, None),
        };
        let accepted = decision.map(|decision| decision.accepted);
        let until_ms = decided_ms.or(job.over_ms()).unwrap_or_else(|| self.now_ms());
        let summary = self.jobs.get(&id).map(|record| record.plan.summary(index)).unwrap_or_default();
        TaskReport {
            index,
            task: tally.terms().id.to_string(),
            summary,
            verdict: verdict.to_owned(),
            digest: accepted.map(|digest| digest.to_string()),
            disputed: tally.was_disputed(),
            reason,
            elapsed_s: seconds(until_ms.saturating_sub(tally.opened_ms())),
            ballots: tally
                .ballots()
                .iter()
                .map(|(worker, cast)| self.ballot_report(*worker, cast, accepted, tally))
                .collect(),
        }
    }

    fn ballot_report(
        &self,
        worker: NodeId,
        cast: &Cast,
        accepted: Option<Digest>,
        tally: &Tally,
    ) -> BallotReport {
        let ballot = cast.ballot.ballot();
        let standing = match accepted {
            _ if tally.equivocations().contains_key(&worker) => "equivocates",
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
            late: cast.late,
        }
    }

    fn dissenters(&self, id: JobId, job: &Job) -> Vec<DissenterReport> {
        let mut reports: BTreeMap<NodeId, DissenterReport> = BTreeMap::new();
        let entry = |worker: NodeId| DissenterReport {
            name: self.name_of(worker),
            worker: worker.to_string(),
            operator: self.known.get(&worker).map(|known| known.operator.clone()).unwrap_or_default(),
            dissents: 0,
            corrected: 0,
            equivocations: 0,
            broken_seals: 0,
            where_first: Vec::new(),
        };
        for (index, tally) in (0..job.task_count()).filter_map(|index| Some((index, job.tally(index)?))) {
            for worker in tally.equivocations().keys() {
                reports.entry(*worker).or_insert_with(|| entry(*worker)).equivocations += 1;
            }
            for worker in tally.broken_seals().keys() {
                reports.entry(*worker).or_insert_with(|| entry(*worker)).broken_seals += 1;
            }
            for (worker, correction) in tally.decision().iter().flat_map(|decision| &decision.corrections) {
                let report = reports.entry(*worker).or_insert_with(|| entry(*worker));
                report.dissents += 1;
                let corrected_after_s = match correction {
                    Correction::Acknowledged(at_ms) => {
                        report.corrected += 1;
                        Some(seconds(at_ms.saturating_sub(job.submitted_ms())))
                    }
                    Correction::Waiting | Correction::Sent { .. } | Correction::Unheard => None,
                };
                if report.where_first.len() < PLACES_MAX {
                    let place = self.jobs.get(&id).and_then(|record| record.places.get(&(index, *worker)));
                    report.where_first.push(Dissent {
                        task_index: index,
                        domain: tally
                            .ballots()
                            .values()
                            .map(|cast| cast.ballot.ballot())
                            .find(|ballot| ballot.worker == *worker)
                            .map(|ballot| ballot.domain.clone()),
                        place: place.cloned(),
                        corrected_after_s,
                    });
                }
            }
        }
        reports.into_values().collect()
    }

    fn name_of(&self, worker: NodeId) -> String {
        self.known.get(&worker).map_or_else(|| worker.short(), |known| known.name.clone())
    }

    /// What the verdicts are worth: how many voters agreed at least, and on which axes those of some task were all alike.
    fn worth(job: &Job) -> String {
        let mut fewest = usize::MAX;
        let mut alike: BTreeSet<Axis> = BTreeSet::new();
        for (_, tally) in (0..job.task_count()).filter_map(|index| Some((index, job.tally(index)?))) {
            let Some(decision) = tally.decision() else { continue };
            let winners: Vec<_> = tally
                .ballots()
                .values()
                .map(|cast| cast.ballot.ballot())
                .filter(|ballot| ballot.digest == decision.accepted)
                .collect();
            fewest = fewest.min(winners.len());
            alike.extend(Axis::ALL.into_iter().filter(|axis| {
                let values: BTreeSet<String> =
                    winners.iter().map(|ballot| axis.value_in(&ballot.domain)).collect();
                values.len() <= 1
            }));
        }
        describe_worth(fewest, &alike)
    }
}

fn describe_worth(fewest: usize, alike: &BTreeSet<Axis>) -> String {
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
    let agreed = format!("at least {fewest} workers agreed on each task");
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
        assert!(describe_worth(2, &all).contains("all with the same operator, engine, formula, device"));
        assert!(describe_worth(3, &BTreeSet::new()).contains("they differed in operator"));
        let same = BTreeSet::from([Axis::Operator, Axis::Device]);
        assert!(
            describe_worth(2, &same)
                .contains("differed in engine, formula and had the same operator, device")
        );
        assert!(describe_worth(1, &all).contains("nobody has checked it"));
        assert!(describe_worth(usize::MAX, &all).contains("nothing is established"));
    }
}
