//! The one owner of the vote: it drives the pure machine with what arrives and does what the machine says.
//!
//! Everything that waits happens elsewhere. Connections check what peers say and put it in the owner's queue; what
//! the machine orders is either a message that fits a peer's queue now, or an errand in a task of its own whose end
//! comes back as an event.

mod errands;
mod event;
mod reporting;
mod result;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock},
    time::Instant,
};

use protocol::{
    ballot::{AuthenticBallot, ReplicaId},
    commitment::Salt,
    digest::Digest,
    identity::NodeId,
    job::{JobId, JobSpec},
    limits::{
        INLINE_TASK_BYTES_MAX, INPUT_QUEUE_MAX, JOB_FILES_HELD_BYTES_MAX, JOBS_OPEN_MAX, REJECTED_WORDS_MAX,
    },
    message::{CoordinatorMessage, EngineIntroduction, Lease},
    plan::Plan,
    report::{JobProgress, Liveness},
    verdict::Verdict,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use transport::{CloseCode, Connection};
use verdict::{Config, Input, Machine, Output, Rejected, SealFault, TaskTerms, Tasks};

pub use event::{Asked, Event, Submission, Word, WorkerIn};
pub use result::{JobResult, TaskBallots};

use crate::outcomes::AcceptedOutcomes;

/// Most events that are handled before watchers are told.
const EVENTS_PER_TURN: usize = 256;

/// The tasks that are too long for a lease, for whoever serves blobs.
pub type LongTasks = Arc<RwLock<HashMap<Digest, Vec<u8>>>>;

/// The owner of the vote. [`Core::run`] ends when it is told to stop.
pub struct Core {
    machine: Machine,
    outcomes: Arc<AcceptedOutcomes>,
    long_tasks: LongTasks,
    peers: BTreeMap<NodeId, Peer>,
    /// Everybody who was ever here, for reports.
    known: BTreeMap<NodeId, Known>,
    jobs: BTreeMap<JobId, JobRecord>,
    events: mpsc::Receiver<Event>,
    /// For errands to report back.
    sender: mpsc::WeakSender<Event>,
    started: Instant,
}

/// A worker that is connected.
struct Peer {
    outbox: mpsc::Sender<CoordinatorMessage>,
    connection: Connection,
    session: u64,
    /// How many of its words on this connection could not be.
    rejected: u32,
}

/// What reports say of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    name: String,
    operator: String,
    engines: Vec<EngineIntroduction>,
    build: String,
}

/// A job, beside what the machine knows of it.
struct JobRecord {
    submitter: NodeId,
    spec: JobSpec,
    text: String,
    file: Option<Arc<str>>,
    plan: Arc<Plan>,
    progress: watch::Sender<JobProgress>,
    /// Short outcomes that came with ballots of tasks that are not settled, by task number.
    inline: BTreeMap<u64, BTreeMap<Digest, Vec<u8>>>,
    /// Where dissenters' outcomes part from the accepted ones.
    places: BTreeMap<(u64, NodeId), String>,
    /// The accepted digests that are kept.
    kept: BTreeSet<Digest>,
}

impl Core {
    /// An owner and the queue of its events.
    #[must_use]
    pub fn new(
        config: Config,
        outcomes: Arc<AcceptedOutcomes>,
        long_tasks: LongTasks,
    ) -> (Self, mpsc::Sender<Event>) {
        let (sender, events) = mpsc::channel(INPUT_QUEUE_MAX);
        let core = Self {
            machine: Machine::new(config),
            outcomes,
            long_tasks,
            peers: BTreeMap::new(),
            known: BTreeMap::new(),
            jobs: BTreeMap::new(),
            events,
            sender: sender.downgrade(),
            started: Instant::now(),
        };
        (core, sender)
    }

    /// Owns the vote until `stop` is cancelled or nobody can send events any more.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(EVENTS_PER_TURN);
        loop {
            let wake = self.machine.next_timeout_ms().map(|at_ms| self.instant(at_ms));
            let timeout = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                count = self.events.recv_many(&mut batch, EVENTS_PER_TURN) => {
                    if count == 0 {
                        return;
                    }
                    for event in batch.drain(..) {
                        self.handle(event);
                    }
                }
                () = timeout => {
                    let now_ms = self.now_ms();
                    self.machine.handle_timeout(now_ms);
                    self.obey();
                }
            }
            self.tell_watchers();
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn instant(&self, at_ms: u64) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.started) + std::time::Duration::from_millis(at_ms)
    }

    /// Tells the machine, and does what follows.
    fn tell(&mut self, input: Input) -> Result<(), Rejected> {
        let now_ms = self.now_ms();
        let result = self.machine.handle(input, now_ms);
        self.obey();
        result
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::WorkerIn(worker) => self.worker_in(worker),
            Event::WorkerOut { worker, session } => {
                if self.peers.get(&worker).is_some_and(|peer| peer.session == session) {
                    self.peers.remove(&worker);
                    info!(worker = %worker.short(), "worker left");
                    self.tell_or_log(Input::WorkerLost { worker });
                }
            }
            Event::Heard { worker, word } => self.heard(worker, word),
            Event::Fetched { job, index, worker, result } => match result {
                Ok(digest) => {
                    // The errand kept it for the job, which may have had it already, or be gone.
                    let kept_first = self.jobs.get_mut(&job).is_some_and(|record| record.kept.insert(digest));
                    if !kept_first {
                        self.outcomes.remove(&digest);
                    }
                    self.tell_or_log(Input::OutcomeHeld { job, index });
                }
                Err(reason) => {
                    warn!(worker = %worker.short(), index, %reason, "a worker did not hand out its outcome");
                    self.tell_or_log(Input::OutcomeWithheld { job, index, worker });
                }
            },
            Event::Compared { worker, replica, accepted, place } => {
                if let (Some(record), Some(place)) = (self.jobs.get_mut(&replica.job), place) {
                    record.places.insert((replica.index, worker), place);
                }
                self.send(worker, CoordinatorMessage::Correct { replica, accepted });
            }
            Event::Asked(asked) => self.asked(asked),
        }
    }

    fn tell_or_log(&mut self, input: Input) {
        if let Err(rejected) = self.tell(input) {
            debug!(%rejected, "rejected");
        }
    }

    fn worker_in(&mut self, worker_in: WorkerIn) {
        let WorkerIn { worker, operator, introduction, outbox, connection, session } = worker_in;
        let engines = introduction.engines.clone();
        if self.known.len() >= 2 * Config::default().workers_known_max {
            let known: BTreeSet<NodeId> = self.machine.workers().map(|(id, _)| id).collect();
            self.known.retain(|id, _| known.contains(id));
        }
        info!(worker = %worker.short(), name = %introduction.name, %operator, "worker joined");
        self.known.insert(
            worker,
            Known {
                name: introduction.name,
                operator: operator.clone(),
                engines: introduction.engines,
                build: introduction.build,
            },
        );
        if let Some(before) = self.peers.insert(worker, Peer { outbox, connection, session, rejected: 0 }) {
            before.connection.close(CloseCode::Finished, "the same worker has connected again");
        }
        self.tell_or_log(Input::WorkerJoined {
            worker,
            operator,
            engines,
            slots: introduction.slots,
            resumes: introduction.resumes,
        });
    }

    fn heard(&mut self, worker: NodeId, word: Word) {
        let said = match word {
            Word::Cast { ballot, salt, outcome, compute_us } => self.cast(*ballot, salt, outcome, compute_us),
            Word::Commit { replica, commitment } => {
                self.tell(Input::Committed { worker, replica, commitment })
            }
            Word::Failed { replica, reason } => {
                let failed = Input::ReplicaFailed { worker, replica, reason: reason.clone() };
                self.tell(failed).inspect(|()| {
                    let (worker, index) = (worker.short(), replica.index);
                    warn!(%worker, index, %reason, "a worker cannot run a replica");
                })
            }
            Word::Heartbeat(under_way) => self.tell(Input::Heartbeat { worker, under_way }),
            Word::Corrected { replica, digest } => {
                self.tell(Input::CorrectionAcknowledged { worker, replica, digest })
            }
        };
        if let Err(rejected) = said {
            debug!(worker = %worker.short(), %rejected, "rejected");
            self.note_rejection(worker, &rejected.to_string());
        }
    }

    /// A ballot. An outcome that came with it is held only if the ballot counts: no worker can make the coordinator
    /// hold more than one short outcome for each replica that it was leased.
    fn cast(
        &mut self,
        ballot: AuthenticBallot,
        salt: Option<Salt>,
        outcome: Option<Vec<u8>>,
        compute_us: u64,
    ) -> Result<(), Rejected> {
        let said = ballot.ballot();
        let (worker, replica, digest) = (said.worker, said.replica, said.digest);
        let outcome_held = outcome.is_some();
        let input = match salt {
            Some(salt) => Input::BallotRevealed { ballot, salt, outcome_held, compute_us },
            None => Input::BallotCast { ballot, outcome_held, compute_us },
        };
        let now_ms = self.now_ms();
        self.machine.handle(input, now_ms)?;
        let tally = self.machine.job(replica.job).and_then(|job| job.tally(replica.index));
        if let (Some(bytes), Some(tally), Some(record)) = (outcome, tally, self.jobs.get_mut(&replica.job)) {
            let counted = tally.ballots().get(&worker).map(|cast| cast.ballot.ballot().digest);
            // What is kept already, by an earlier ballot or another task, is not needed again.
            if counted == Some(digest) && !record.kept.contains(&digest) {
                record.inline.entry(replica.index).or_default().insert(digest, bytes);
            }
            if tally.decision().is_some_and(|decision| decision.accepted == digest) {
                record.keep_inline(replica.index, digest, &self.outcomes);
            }
        }
        self.obey();
        Ok(())
    }

    /// Does everything that the machine has ordered.
    fn obey(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Lease { worker, replica, engine, formula, lease_ms, quorum, sealed } => {
                    let lease = Lease { replica, engine, formula, lease_ms, quorum, sealed, task: None };
                    self.lease(worker, lease);
                }
                Output::Reveal { worker, replica } => {
                    self.send(worker, CoordinatorMessage::Reveal { replica });
                }
                Output::SealBroken { worker, replica, fault } => self.seal_broken(worker, replica, fault),
                Output::Cancel { worker, replica } => {
                    self.send(worker, CoordinatorMessage::Cancel { replica });
                }
                Output::Counted { worker, replica } => {
                    self.send(worker, CoordinatorMessage::Counted { replica });
                }
                Output::Announce { job, index, verdict } => self.announce(job, index, &verdict),
                Output::Fetch { worker, job, index, digest } => self.fetch(worker, job, index, digest),
                Output::Correct { worker, replica, accepted } => self.compare(worker, replica, accepted),
                Output::Note { worker, liveness } => self.note(worker, liveness),
                Output::JobOver { job, state } => {
                    info!(%job, ?state, "job over");
                    if let Some(record) = self.jobs.get_mut(&job) {
                        record.inline.clear();
                    }
                    self.forget_what_the_machine_forgot();
                }
            }
        }
    }

    fn note(&self, worker: NodeId, liveness: Liveness) {
        let name = self.known.get(&worker).map_or("", |known| known.name.as_str());
        let worker = worker.short();
        match liveness {
            Liveness::Alive => info!(%worker, %name, "a worker is alive again"),
            Liveness::Suspect => {
                info!(%worker, %name, "a worker is suspect: it is silent, and gets no new leases");
            }
            Liveness::Standby => {
                warn!(%worker, %name, "a worker is on standby: it is silent, and its leases go to others");
            }
        }
    }

    fn seal_broken(&mut self, worker: NodeId, replica: ReplicaId, fault: SealFault) {
        let name = self.known.get(&worker).map_or("", |known| known.name.as_str());
        warn!(worker = %worker.short(), %name, index = replica.index, %fault, "a worker broke a seal");
        self.note_rejection(worker, &fault.to_string());
    }

    /// A word was rejected. Some are late and nobody's fault; a worker of which many are loses its connection.
    fn note_rejection(&mut self, worker: NodeId, reason: &str) {
        let Some(peer) = self.peers.get_mut(&worker) else { return };
        peer.rejected += 1;
        if peer.rejected == REJECTED_WORDS_MAX {
            let said = format!(
                "{REJECTED_WORDS_MAX} words of this worker were rejected, which is the limit; the last because {reason}"
            );
            warn!(worker = %worker.short(), reason = %said, "a worker says too much that cannot be; its connection is closed");
            peer.connection.close(CloseCode::BadInput, &said);
        }
    }

    /// Queues a message for a worker. A worker whose queue is full has stopped reading: it is dropped, and what was
    /// leased to it goes to others.
    fn send(&mut self, worker: NodeId, message: CoordinatorMessage) {
        let Some(peer) = self.peers.get(&worker) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = peer.outbox.try_send(message) {
            warn!(worker = %worker.short(), "a worker does not read what it is told; dropping its connection");
            peer.connection.close(CloseCode::Full, "the worker does not read what it is told");
        }
    }

    fn lease(&mut self, worker: NodeId, mut lease: Lease) {
        let replica = lease.replica;
        let Some(record) = self.jobs.get(&replica.job) else { return };
        let Some(bytes) = record.plan.task(replica.index).map(|task| task.to_bytes()) else { return };
        lease.task = if bytes.len() <= INLINE_TASK_BYTES_MAX {
            Some(bytes)
        } else {
            let mut long = self.long_tasks.write().unwrap_or_else(PoisonError::into_inner);
            long.insert(replica.task.0, bytes);
            None
        };
        self.send(worker, CoordinatorMessage::Lease(lease));
    }

    fn announce(&mut self, job: JobId, index: u64, verdict: &Verdict) {
        debug!(%job, index, ?verdict, "decided");
        let Some(record) = self.jobs.get_mut(&job) else { return };
        if let Some(tally) = self.machine.job(job).and_then(|job| job.tally(index)) {
            let mut long = self.long_tasks.write().unwrap_or_else(PoisonError::into_inner);
            long.remove(&tally.terms().id.0);
        }
        let Verdict::Accepted(accepted) = verdict else {
            record.inline.remove(&index);
            return;
        };
        record.keep_inline(index, *accepted, &self.outcomes);
    }

    /// The machine keeps a bounded number of jobs; what belongs to the others goes too.
    fn forget_what_the_machine_forgot(&mut self) {
        let gone: Vec<JobId> =
            self.jobs.keys().filter(|job| self.machine.job(**job).is_none()).copied().collect();
        for job in gone {
            if let Some(record) = self.jobs.remove(&job) {
                for digest in &record.kept {
                    self.outcomes.remove(digest);
                }
            }
        }
    }

    fn submit(&mut self, submission: Submission) -> Result<JobId, String> {
        let open = self.machine.jobs().filter(|(_, job)| !job.state().is_over()).count();
        if open >= JOBS_OPEN_MAX {
            return Err(format!(
                "{open} jobs are open, which is the limit; wait for one to end, or abandon one"
            ));
        }
        let held: usize = self.jobs.values().filter_map(|record| Some(record.file.as_ref()?.len())).sum();
        let more = submission.file.as_ref().map_or(0, |file| file.len());
        if held + more > JOB_FILES_HELD_BYTES_MAX {
            return Err(format!(
                "the expression files of the jobs here have {held} bytes and yours has {more}, over the limit of \
                 {JOB_FILES_HELD_BYTES_MAX}; try again when older jobs are forgotten, or restart the coordinator"
            ));
        }
        let Submission { job, submitter, text, file, spec, plan } = submission;
        let tasks = Box::new(PlannedTasks(Arc::clone(&plan)));
        let policy = spec.policy.clone();
        info!(%job, name = %spec.name, tasks = plan.tasks(), "job submitted");
        let record = JobRecord {
            submitter,
            spec,
            text,
            file,
            plan,
            progress: watch::Sender::new(JobProgress::starting()),
            inline: BTreeMap::new(),
            places: BTreeMap::new(),
            kept: BTreeSet::new(),
        };
        self.jobs.insert(job, record);
        if let Err(rejected) = self.tell(Input::JobSubmitted { job, policy, tasks }) {
            self.jobs.remove(&job);
            return Err(rejected.to_string());
        }
        if let (Some(record), Some(progress)) = (self.jobs.get(&job), self.machine.progress(job)) {
            record.progress.send_replace(progress);
        }
        Ok(job)
    }

    fn tell_watchers(&self) {
        for (job, record) in &self.jobs {
            if record.progress.receiver_count() > 0
                && let Some(progress) = self.machine.progress(*job)
            {
                record.progress.send_if_modified(|told| {
                    let changed = *told != progress;
                    *told = progress;
                    changed
                });
            }
        }
    }
}

impl JobRecord {
    /// Keeps the accepted outcome of a task, where it came along with a ballot.
    fn keep_inline(&mut self, index: u64, accepted: Digest, outcomes: &AcceptedOutcomes) {
        let Some(held) = self.inline.get_mut(&index) else { return };
        let bytes = held.remove(&accepted);
        if held.is_empty() {
            self.inline.remove(&index);
        }
        if let Some(bytes) = bytes
            && self.kept.insert(accepted)
            && let Err(error) = outcomes.put(accepted, bytes)
        {
            warn!(%error, "an accepted outcome cannot be kept");
            self.kept.remove(&accepted);
        }
    }
}

/// A job's plan as the machine wants it.
struct PlannedTasks(Arc<Plan>);

impl Tasks for PlannedTasks {
    fn count(&self) -> u64 {
        self.0.tasks()
    }

    fn terms(&self, index: u64) -> TaskTerms {
        // The machine asks only for numbers below the count.
        self.0.task(index).as_ref().map_or_else(TaskTerms::impossible, TaskTerms::of)
    }
}
