//! Jobs as they are taken, and what is kept of each beside what the machine knows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use protocol::{
    digest::Digest,
    identity::NodeId,
    job::{JobId, JobSpec},
    ledger::{Entry, Record, Submitted},
    limits::{JOB_FILES_HELD_BYTES_MAX, JOBS_OPEN_MAX},
    plan::Plan,
    report::JobProgress,
};
use tokio::sync::{oneshot, watch};
use tracing::info;
use verdict::{Input, Rejected, TaskTerms, Tasks, job::Job};

use super::{Act, Core, JobResult, Submission, event::Taken, locating::FaultSearch, result::SHORT_TASKS_MAX};

/// A job, beside what the machine knows of it.
pub(super) struct JobRecord {
    pub(super) submitter: NodeId,
    pub(super) spec: JobSpec,
    pub(super) text: String,
    pub(super) file: Option<Arc<str>>,
    pub(super) plan: Arc<Plan>,
    pub(super) progress: watch::Sender<JobProgress>,
    /// What watchers have been told, or will be as soon as it is durable.
    pub(super) progress_queued: Option<JobProgress>,
    /// Short outcomes that came with ballots of tasks that are not settled, by task number.
    pub(super) inline: BTreeMap<u64, BTreeMap<Digest, Vec<u8>>>,
    /// Where dissenters' outcomes part from the accepted ones, for the first few tasks of each.
    pub(super) places: BTreeMap<(NodeId, u64), String>,
    /// Who was put in quarantine after a verdict of this job, with which engine, and why.
    pub(super) quarantines: BTreeMap<NodeId, String>,
    /// Where dissenters' computations went wrong, likewise.
    pub(super) faults: BTreeMap<(NodeId, u64), FaultSearch>,
    /// The accepted digests that are kept, and those that are or were audited.
    pub(super) kept: BTreeSet<Digest>,
    /// What was obtained for audits, by task number: of which outcome, and from whom.
    pub(super) witnesses: BTreeMap<u64, Vec<(Digest, NodeId)>>,
    /// What was written down of a job of few tasks, to its end, so that its result need not be read from the disk.
    pub(super) past: Option<Vec<Entry>>,
    /// Takes the result as soon as the job is over.
    pub(super) follower: Option<oneshot::Sender<Box<JobResult>>>,
}

impl Core {
    pub(super) fn submit(&mut self, submission: Submission, follow: bool) -> Result<Taken, String> {
        let is_open = |(_, job): &(JobId, &Job)| !job.state().is_over();
        // Nothing is counted as long as all jobs together are fewer.
        let few = self.jobs.len() < JOBS_OPEN_MAX;
        let open = if few { 0 } else { self.machine.jobs().filter(is_open).count() };
        if open >= JOBS_OPEN_MAX {
            return Err(format!(
                "{open} jobs are open, which is the limit; wait for one to end, or abandon one"
            ));
        }
        let more = submission.file.as_ref().map_or(0, |file| file.len());
        let files = self.jobs.values().filter_map(|record| Some(record.file.as_ref()?.len()));
        let held: usize = if more == 0 { 0 } else { files.sum() };
        if held + more > JOB_FILES_HELD_BYTES_MAX {
            return Err(format!(
                "the expression files of the jobs here have {held} bytes and yours has {more}, over the limit of \
                 {JOB_FILES_HELD_BYTES_MAX}; try again when older jobs are forgotten, or restart the coordinator"
            ));
        }
        let Submission { submitted, file, spec, plan } = submission;
        let job = submitted.job;
        if self.machine.job(job).is_some() {
            return Err(Rejected::DuplicateJob(job).to_string());
        }
        let tasks = Box::new(PlannedTasks(Arc::clone(&plan)));
        let policy = spec.policy.clone();
        info!(%job, name = %spec.name, tasks = plan.tasks(), "job submitted");
        let mut record = JobRecord::new(&submitted, file, spec, plan);
        let progress = record.progress.subscribe();
        let (follower, result) = oneshot::channel();
        let (durably, is_durable) = oneshot::channel();
        if follow {
            record.past = (record.plan.tasks() <= SHORT_TASKS_MAX).then(Vec::new);
            record.follower = Some(follower);
        }
        self.jobs.insert(job, record);
        self.watched.insert(job);
        self.record(Record::Submitted(submitted));
        if let Err(rejected) = self.tell(Input::JobSubmitted { job, policy, tasks }) {
            self.jobs.remove(&job);
            return Err(rejected.to_string());
        }
        // Whoever submitted may be gone.
        self.when_durable_by_itself(Act::Reply(Box::new(move || durably.send(()).unwrap_or_default())));
        Ok(Taken { job, is_durable, progress, result })
    }

    /// Hands the result of a job that is over to whoever is to tell it as soon as its progress says so.
    pub(super) fn give_result(&mut self, job: JobId) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let past = record.past.take();
        let Some(follower) = record.follower.take() else { return };
        if let Ok(mut result) = self.result(job) {
            result.past = past;
            // Whoever waited may be gone.
            let _ = follower.send(Box::new(result));
        }
    }
}

impl JobRecord {
    /// Whether it is not known yet where some dissenter's computation went wrong.
    pub(super) fn is_locating(&self) -> bool {
        self.faults.values().any(|search| matches!(search, FaultSearch::UnderWay))
    }

    pub(super) fn new(submitted: &Submitted, file: Option<Arc<str>>, spec: JobSpec, plan: Arc<Plan>) -> Self {
        Self {
            submitter: submitted.submitter,
            spec,
            text: submitted.text.clone(),
            file,
            plan,
            progress: watch::Sender::new(JobProgress::starting()),
            progress_queued: None,
            inline: BTreeMap::new(),
            places: BTreeMap::new(),
            quarantines: BTreeMap::new(),
            faults: BTreeMap::new(),
            kept: BTreeSet::new(),
            witnesses: BTreeMap::new(),
            past: None,
            follower: None,
        }
    }
}

/// A job's plan as the machine wants it.
pub(super) struct PlannedTasks(pub(super) Arc<Plan>);

impl Tasks for PlannedTasks {
    fn count(&self) -> u64 {
        self.0.tasks()
    }

    fn terms(&self, index: u64) -> TaskTerms {
        // The machine asks only for numbers below the count.
        self.0.task(index).as_ref().map_or_else(TaskTerms::impossible, TaskTerms::of)
    }
}
