//! What the owner tells clients: progress, workers, and what it knows of a job that is over.

use std::{collections::BTreeSet, sync::Arc};

use protocol::{
    domain::Engine,
    identity::NodeId,
    job::JobId,
    ledger::Record,
    report::{JobStatus, WorkerStatus},
    standing::{EngineStanding, QuarantineReason},
};
use tokio::sync::oneshot;
use tracing::info;
use transport::CloseCode;
use verdict::{Input, job::Job};

use super::{Act, Asked, Core, JobResult, Known};

impl Core {
    pub(super) fn asked(&mut self, asked: Asked) {
        match asked {
            Asked::Submit { submission, follow, reply } => {
                let taken = self.submit(*submission, follow);
                let answer = move || drop(reply.send(taken));
                if follow {
                    // Whoever follows tells nobody before it is durable, and is in no hurry to say that it was taken.
                    answer();
                } else {
                    self.when_durable(Act::Reply(Box::new(answer)));
                }
            }
            Asked::Watch { job, reply } => {
                if let Some(progress) = self.machine.progress(job) {
                    self.when_durable(Act::Progress(job, Box::new(progress)));
                }
                let receiver = self.jobs.get(&job).map(|record| record.progress.subscribe());
                self.watched.insert(job);
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
                if self.end_is_told(job) {
                    // What it rests on is durable; what came after the end, a late ballot, is no reason to wait.
                    drop(reply.send(result));
                } else {
                    self.reply(reply, result);
                }
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

    /// Whether those who watch a job have heard that it is over, which they do once that is durable.
    fn end_is_told(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|record| record.progress.borrow().state.is_over())
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
                standing: self.standing_of(&worker, known),
            })
        };
        self.machine.workers().filter_map(status).collect()
    }

    fn standing_of(&self, worker: &NodeId, known: &Known) -> Vec<EngineStanding> {
        let standing = self.machine.standing(worker).copied().unwrap_or_default();
        let engines: BTreeSet<Engine> = known.engines.iter().map(|introduced| introduced.engine).collect();
        let told = |engine: Engine| {
            let record = standing.with(engine);
            EngineStanding {
                engine,
                confirmed: record.total.right,
                dissents: record.total.wrong,
                failed_audits: record.failed_audits,
                equivocations: record.equivocations,
                broken_seals: record.broken_seals,
                error_ppm: record.recent.mean_ppm(),
                error_ppm_max: record.recent.above_ppm(),
                quarantine: record.quarantine.map(|quarantine| quarantine.status()),
                awaits_test: self
                    .machine
                    .held_back(worker, engine)
                    .map(|case| QuarantineReason::awaited(case.first, &case.stretch)),
            }
        };
        engines.into_iter().map(told).collect()
    }

    pub(super) fn result(&self, id: JobId) -> Result<JobResult, String> {
        let unknown = || format!("job {id} is not known here; `coordinator status` lists those that are");
        let job = self.machine.job(id).ok_or_else(unknown)?;
        let record = self.jobs.get(&id).ok_or_else(unknown)?;
        if !job.state().is_over() {
            return Err(format!("job {id} is still running; `coordinator status` tells how far it is"));
        }
        Ok(JobResult {
            text: record.text.clone(),
            file: record.file.clone(),
            job: id,
            name: record.spec.name.clone(),
            plan: Arc::clone(&record.plan),
            policy: job.policy().clone(),
            state: job.state(),
            submitted_ms: job.submitted_ms(),
            over_ms: job.over_ms().unwrap_or_else(|| self.now_ms()),
            known: Arc::clone(&self.known),
            places: record.places.clone(),
            quarantines: record.quarantines.clone(),
            faults: record.faults.clone(),
            broken_seals: job.broken_seals(),
            reopened: job.answered_alone().1,
            lost: job.lost().collect(),
            past: None,
        })
    }
}
