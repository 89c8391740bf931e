//! The owner as its ledger remembers it: jobs that were not over go on, and those that are can still be asked about.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use protocol::{
    digest::Digest,
    job::{JobId, JobSpec},
    ledger::{Decided, Enrolment, Record, Submitted},
    limits::INPUT_QUEUE_MAX,
    plan::Plan,
    verdict::Verdict,
};
use tokio::sync::mpsc;
use tracing::info;
use verdict::{Config, Machine, ReplayError, Tasks};

use super::{
    Core, Event, Gate, Known, Waiting,
    submission::{JobRecord, PlannedTasks},
};
use crate::{
    ledger::{Ledger, LedgerError, Reader, Writer, unix_now_ms},
    long_tasks::LongTasks,
    outcomes::AcceptedOutcomes,
    witnesses::Witnesses,
};

/// Why a coordinator cannot go on from its ledger.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its entries do not follow each other.
    #[error("the ledger does not make sense at entry {position}: {source}; run `coordinator ledger verify`")]
    Replay {
        /// Which entry.
        position: u64,
        /// What is wrong with it.
        source: ReplayError,
    },
    /// The thread that writes cannot be started.
    #[error("cannot start the thread that writes the ledger: {0}")]
    Thread(std::io::Error),
}

impl Core {
    /// An owner that goes on from where its ledger ends, and the queue of its events. `seed` is 32 random bytes that nobody
    /// else knows; who computes what follows from it. Blocks for as long as it takes to read the ledger.
    ///
    /// # Errors
    /// [`RestoreError`] when the ledger cannot be read, or does not make sense.
    pub fn new(
        config: Config,
        seed: [u8; 32],
        ledger: Ledger,
        (outcomes, witnesses): (Arc<AcceptedOutcomes>, Arc<Witnesses>),
        long_tasks: Arc<LongTasks>,
    ) -> Result<(Self, mpsc::Sender<Event>), RestoreError> {
        let started_ms = unix_now_ms().max(ledger.head().head.at_ms);
        let (sender, events) = mpsc::channel(INPUT_QUEUE_MAX);
        let mut core = Self {
            machine: Machine::new(config, seed),
            gate: Gate::default(),
            writer: Writer::start(ledger).map_err(RestoreError::Thread)?,
            outcomes,
            witnesses,
            long_tasks,
            peers: BTreeMap::new(),
            addressed: BTreeSet::new(),
            patient: Waiting::default(),
            spare: Waiting::default(),
            known: Arc::default(),
            jobs: BTreeMap::new(),
            watched: BTreeSet::new(),
            sweep_at: 0,
            events,
            sender: sender.downgrade(),
            started: Instant::now(),
            started_ms,
        };
        core.restore()?;
        Ok((core, sender))
    }

    fn restore(&mut self) -> Result<(), RestoreError> {
        let reader = self.writer.reader().clone();
        for entry in reader.entries(..)? {
            let (position, entry) = entry?;
            match &entry.record {
                Record::Enrolled(enrolment) => {
                    Arc::make_mut(&mut self.known).insert(enrolment.worker, Known::of(enrolment));
                }
                Record::Submitted(submitted) => {
                    if let Some(mut record) = planned(submitted, &reader)? {
                        self.restore_short_outcomes(submitted.job, &mut record, &reader)?;
                        self.jobs.insert(submitted.job, record);
                    }
                }
                Record::Decided(decided) => self.adopt_outcome(decided),
                record => self.note_in_job(record),
            }
            let jobs = &self.jobs;
            let plan = |submitted: &Submitted| {
                let plan = Arc::clone(&jobs.get(&submitted.job)?.plan);
                Some(Box::new(PlannedTasks(plan)) as Box<dyn Tasks>)
            };
            let holds = |job: JobId, digest: &Digest| {
                jobs.get(&job).is_some_and(|record| record.kept.contains(digest))
            };
            let replayed = self.machine.replay(&entry, plan, holds);
            replayed.map_err(|source| RestoreError::Replay { position, source })?;
            if matches!(entry.record, Record::Over { .. }) {
                self.forget_what_the_machine_forgot();
            }
        }
        self.outcomes.remove_strays();
        let now_ms = self.now_ms();
        // A ledger that was only founded belongs to no earlier life.
        if reader.head()?.head.tree.size > 1 {
            self.machine.resume(now_ms);
        }
        let open = self.machine.jobs().filter(|(_, job)| !job.state().is_over()).count();
        if open > 0 {
            info!(jobs = open, "going on with the jobs that were not over");
        }
        self.obey();
        self.write_down();
        Ok(())
    }

    /// Short outcomes come from beside the log.
    fn restore_short_outcomes(
        &self,
        id: JobId,
        record: &mut JobRecord,
        reader: &Reader,
    ) -> Result<(), RestoreError> {
        for outcome in reader.short_outcomes(id)? {
            let outcome = outcome?;
            record.kept.insert(outcome.digest);
            self.outcomes.restore(outcome);
        }
        Ok(())
    }

    /// Long ones are files; what is neither is fetched again.
    fn adopt_outcome(&mut self, decided: &Decided) {
        let Verdict::Accepted(accepted) = decided.verdict else { return };
        let Some(record) = self.jobs.get_mut(&decided.job) else { return };
        if !record.kept.contains(&accepted) && self.outcomes.adopt(accepted) {
            record.kept.insert(accepted);
        }
    }
}

/// The job as it was planned when it was submitted; none where its file is gone, or the text is no job any more.
fn planned(submitted: &Submitted, reader: &Reader) -> Result<Option<JobRecord>, RestoreError> {
    let file: Option<Arc<str>> = match &submitted.file {
        None => None,
        Some(digest) => {
            let bytes = reader.files().get(digest)?;
            let text = bytes.and_then(|bytes| Some(Arc::from(std::str::from_utf8(&bytes).ok()?)));
            let Some(text) = text else { return Ok(None) };
            Some(text)
        }
    };
    let Ok(spec) = JobSpec::parse(&submitted.text) else { return Ok(None) };
    let Ok(plan) = Plan::new(&spec, file.clone()) else { return Ok(None) };
    Ok(Some(JobRecord::new(submitted, file, spec, Arc::new(plan))))
}

impl Known {
    fn of(enrolment: &Enrolment) -> Self {
        let Enrolment { name, operator, engines, build, .. } = enrolment.clone();
        Self { name, operator, engines, build }
    }
}
