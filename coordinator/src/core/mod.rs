//! The one owner of the vote: it drives the pure machine with what arrives and does what the machine says.
//!
//! Everything that waits happens elsewhere, but for the short write of a verdict beside which nothing is under way.
//! Connections check what peers say and put it in the owner's queue; what the machine orders is either a message that fits
//! a peer's queue now, or an errand in a task of its own whose end comes back as an event. What must survive a crash goes to the ledger first: `gate` holds back whatever would tell of
//! it, and `restore` makes the owner again from it.

mod auditing;
mod durable;
mod errands;
mod event;
mod gate;
mod locating;
mod noting;
mod orders;
mod outbox;
mod past;
mod report;
mod reporting;
mod restore;
mod result;
mod submission;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use protocol::{
    ballot::AuthenticBallot,
    bundle::Said,
    digest::Digest,
    identity::NodeId,
    job::JobId,
    ledger::{Enrolment, Record},
    message::{EngineIntroduction, Lease},
    verdict::Verdict,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use transport::{CloseCode, Connection};
use verdict::{Config, Input, Machine, Output, Rejected};

pub use auditing::Obtained;
pub use event::{Asked, Event, Submission, Taken, Word, WorkerIn};
pub use restore::RestoreError;
pub use result::{AcceptedDigests, JobResult, Part, ResultError, TaskBallots, WrittenResult};

use crate::{
    ledger::{LedgerError, Writer},
    long_tasks::LongTasks,
    outcomes::AcceptedOutcomes,
    witnesses::Witnesses,
};
use gate::{Act, Gate};
use orders::Waiting;
use outbox::{Order, Outbox};
use submission::JobRecord;

/// Most events that are handled before watchers are told.
const EVENTS_PER_TURN: usize = 256;

/// So far ahead is the alarm where nothing is due.
const NO_ALARM: Duration = Duration::from_hours(24);

/// So many jobs come before it is asked again which of them the machine has forgotten.
const SWEEP_JOBS: usize = 16;

/// The owner of the vote. [`Core::run`] ends when it is told to stop.
pub struct Core {
    machine: Machine,
    gate: Gate,
    writer: Writer,
    outcomes: Arc<AcceptedOutcomes>,
    witnesses: Arc<Witnesses>,
    long_tasks: Arc<LongTasks>,
    peers: BTreeMap<NodeId, Peer>,
    /// Those for whom orders have gathered in this turn.
    addressed: BTreeSet<NodeId>,
    /// Those whose orders wait for company.
    patient: Waiting,
    /// Those for whom there are only leases that votes can probably do without.
    spare: Waiting,
    /// Everybody who was ever here, for reports.
    known: Arc<BTreeMap<NodeId, Known>>,
    jobs: BTreeMap<JobId, JobRecord>,
    /// Those of them that somebody watches, or did lately.
    watched: BTreeSet<JobId>,
    /// At so many jobs it is asked which of them the machine has forgotten.
    sweep_at: usize,
    events: mpsc::Receiver<Event>,
    /// For errands to report back.
    sender: mpsc::WeakSender<Event>,
    started: Instant,
    /// What the clock said when `started` was, in milliseconds since 1970, and never less than in the ledger's last entry.
    started_ms: u64,
}

/// A worker that is connected.
struct Peer {
    outbox: Outbox,
    connection: Connection,
    session: u64,
    /// How many of its words on this connection could not be.
    rejected: u32,
    /// How many frames with ballots came.
    bundles: u64,
}

/// What reports say of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    name: String,
    operator: String,
    engines: Vec<EngineIntroduction>,
    build: String,
}

impl Core {
    /// Owns the vote until `stop` is cancelled or nobody can send events any more.
    ///
    /// # Errors
    /// [`LedgerError`] when what happens cannot be written down any more; nothing that was not written was told.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Arc<LedgerError>> {
        let mut batch = Vec::with_capacity(EVENTS_PER_TURN);
        let mut progress = self.writer.progress();
        let mut alarm = std::pin::pin!(tokio::time::sleep(NO_ALARM));
        loop {
            // An alarm that comes early makes a turn in which nothing is due, which costs less than setting it anew each time.
            if let Some(due) = self.due().filter(|due| *due < alarm.deadline()) {
                alarm.as_mut().reset(due);
            }
            tokio::select! {
                () = stop.cancelled() => {
                    self.gate.hurry();
                    self.write_down();
                    return Ok(());
                }
                Ok(()) = progress.changed() => {
                    let progress = progress.borrow_and_update().clone();
                    self.committed(&progress)?;
                }
                count = self.events.recv_many(&mut batch, EVENTS_PER_TURN), if self.gate.has_room() => {
                    if count == 0 {
                        return Ok(());
                    }
                    for event in batch.drain(..) {
                        self.handle(event);
                    }
                }
                () = &mut alarm => {
                    alarm.as_mut().reset(tokio::time::Instant::now() + NO_ALARM);
                    let now_ms = self.now_ms();
                    if self.machine.next_timeout_ms().is_some_and(|at_ms| at_ms <= now_ms) {
                        self.machine.handle_timeout(now_ms);
                        self.obey();
                    }
                }
            }
            self.tell_watchers();
            self.write_down();
            if self.writer.is_untidy() {
                let progress = progress.borrow_and_update().clone();
                self.committed(&progress)?;
            }
            self.send_orders();
            if self.writer.is_untidy() {
                // Whoever was told goes first.
                tokio::task::yield_now().await;
                self.writer.tidy();
            }
        }
    }

    /// When something is to be done though nothing comes.
    fn due(&self) -> Option<tokio::time::Instant> {
        let machine = self.machine.next_timeout_ms().map(|at_ms| self.instant(at_ms));
        let ledger = self.gate.patient_until().map(Into::into);
        [machine, ledger, self.orders_due()].into_iter().flatten().min()
    }

    fn now_ms(&self) -> u64 {
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.started_ms.saturating_add(elapsed_ms)
    }

    fn instant(&self, at_ms: u64) -> tokio::time::Instant {
        let after_ms = at_ms.saturating_sub(self.started_ms);
        tokio::time::Instant::from_std(self.started) + Duration::from_millis(after_ms)
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
            Event::Fetched { job, index, worker, result } => self.fetched(job, index, worker, result),
            Event::Obtained(obtained) => self.obtained(obtained),
            Event::Located(found) => self.located(found),
            Event::Compared { worker, replica, accepted, place } => {
                if let (Some(record), Some(place)) = (self.jobs.get_mut(&replica.job), place) {
                    record.places.insert((worker, replica.index), place);
                }
                self.order(worker, Order::correct(replica, accepted));
            }
            Event::Asked(asked) => self.asked(asked),
        }
    }

    fn fetched(&mut self, job: JobId, index: u64, worker: NodeId, result: Result<Digest, String>) {
        match result {
            Ok(digest) => {
                // The errand kept it for the job, which may have had it already, or be gone.
                self.keep_fetched(job, digest);
                self.tell_or_log(Input::OutcomeHeld { job, index });
            }
            Err(reason) => {
                warn!(worker = %worker.short(), index, %reason, "a worker did not hand out its outcome");
                self.tell_or_log(Input::OutcomeWithheld { job, index, worker });
            }
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
            Arc::make_mut(&mut self.known).retain(|id, _| known.contains(id));
        }
        info!(worker = %worker.short(), name = %introduction.name, %operator, "worker joined");
        let (name, build) = (introduction.name, introduction.build);
        let known =
            Known { name, operator: operator.clone(), engines: introduction.engines, build: build.clone() };
        if self.known.get(&worker) != Some(&known) {
            self.record(Record::Enrolled(known.enrolment(worker)));
            Arc::make_mut(&mut self.known).insert(worker, known);
        }
        let outbox = Outbox::new(outbox);
        let peer = Peer { outbox, connection, session, rejected: 0, bundles: 0 };
        if let Some(before) = self.peers.insert(worker, peer) {
            before.connection.close(CloseCode::Finished, "the same worker has connected again");
        }
        self.tell_or_log(Input::WorkerJoined {
            worker,
            operator,
            engines,
            build,
            slots: introduction.slots,
            resumes: introduction.resumes,
        });
    }

    fn heard(&mut self, worker: NodeId, word: Word) {
        let said = match word {
            Word::Cast(said) => {
                if let Some(peer) = self.peers.get_mut(&worker) {
                    peer.bundles += 1;
                }
                return said.into_iter().for_each(|said| self.cast(worker, said));
            }
            Word::Commit(commitments) => {
                for (replica, commitment) in commitments {
                    self.tell_or_note(worker, Input::Committed { worker, replica, commitment });
                }
                return;
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
        self.note_if_rejected(worker, said);
    }

    fn tell_or_note(&mut self, worker: NodeId, input: Input) {
        let said = self.tell(input);
        self.note_if_rejected(worker, said);
    }

    fn note_if_rejected(&mut self, worker: NodeId, said: Result<(), Rejected>) {
        if let Err(rejected) = said {
            debug!(worker = %worker.short(), %rejected, "rejected");
            self.note_rejection(worker, &rejected.to_string());
        }
    }

    /// A ballot. An outcome that came with it is held only if the ballot counts: no worker can make the coordinator
    /// hold more than one short outcome for each replica that it was leased.
    fn cast(&mut self, worker: NodeId, said: Said<AuthenticBallot>) {
        let Said { ballot, salt, outcome, compute_us } = said;
        let (replica, digest) = (ballot.ballot().replica, ballot.ballot().digest);
        let outcome_held = outcome.is_some();
        let input = match salt {
            Some(salt) => Input::BallotRevealed { ballot, salt, outcome_held, compute_us },
            None => Input::BallotCast { ballot, outcome_held, compute_us },
        };
        let now_ms = self.now_ms();
        if let Err(rejected) = self.machine.handle(input, now_ms) {
            return self.note_if_rejected(worker, Err(rejected));
        }
        let tally = self.machine.job(replica.job).and_then(|job| job.tally(replica.index));
        if let (Some(bytes), Some(tally), Some(record)) = (outcome, tally, self.jobs.get_mut(&replica.job)) {
            let counted = tally.ballots().get(&worker).map(|cast| cast.ballot.ballot().digest);
            // What is kept already, by an earlier ballot or another task, is not needed again.
            if counted == Some(digest) && !record.kept.contains(&digest) {
                record.inline.entry(replica.index).or_default().insert(digest, bytes);
            }
            if tally.decision().is_some_and(|decision| decision.accepted == digest) {
                self.keep_inline(replica.job, replica.index, digest);
            }
        }
        self.obey();
    }

    /// Does everything that the machine has ordered, or lets it wait for the ledger.
    fn obey(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Record(record) => self.record(*record),
                // These tell nobody that anything is decided.
                silent @ (Output::Lease { .. }
                | Output::Cancel { .. }
                | Output::Fetch { .. }
                | Output::Obtain { .. }
                | Output::Reveal { .. }
                | Output::SealBroken { .. }
                | Output::Note { .. }) => self.execute(silent),
                // A worker that hears a little later what it may forget forgets it a little later.
                patient @ (Output::Counted { .. } | Output::Announce { .. }) => {
                    self.when_durable_by_itself(Act::Output(patient));
                }
                telling => self.when_durable(Act::Output(telling)),
            }
        }
    }

    fn execute(&mut self, output: Output) {
        match output {
            Output::Record(record) => self.record(*record),
            Output::Lease { worker, replica, engine, formula, lease_ms, quorum, sealed, audit, witness } => {
                let task = None;
                let lease =
                    Lease { replica, engine, formula, lease_ms, quorum, sealed, audit, witness, task };
                self.lease(worker, lease);
            }
            Output::Reveal { worker, replica } => {
                self.order(worker, Order::Reveal(replica));
            }
            Output::SealBroken { worker, replica, fault } => self.seal_broken(worker, replica, fault),
            Output::Cancel { worker, replica } => {
                self.order(worker, Order::Cancel(replica));
            }
            Output::Counted { worker, replica } => {
                self.order(worker, Order::Counted(replica));
            }
            Output::Announce { job, index, verdict } => self.announce(job, index, &verdict),
            Output::Fetch { worker, job, index, digest } => self.fetch(worker, job, index, digest),
            Output::Obtain { job, index, order, witness } => self.obtain(job, index, order, witness),
            Output::Correct { worker, replica, accepted } => {
                self.locate(worker, replica, accepted);
                self.compare(worker, replica, accepted);
            }
            Output::Note { worker, liveness } => self.note(worker, liveness),
            Output::Quarantine { worker, engine, reason } => self.note_quarantine(worker, engine, &reason),
            Output::Readmit { worker, engine } => self.note_readmission(worker, engine),
            Output::JobOver { job, state } => {
                info!(%job, ?state, "job over");
                if let Some(record) = self.jobs.get_mut(&job) {
                    record.inline.clear();
                }
                self.long_tasks.release_all(job);
                self.forget_what_the_machine_forgot();
            }
        }
    }

    fn announce(&mut self, job: JobId, index: u64, verdict: &Verdict) {
        debug!(%job, index, ?verdict, "decided");
        self.long_tasks.release(job, index);
        self.forget_witnesses(job, index);
    }

    /// The machine keeps a bounded number of jobs; what belongs to the others goes too.
    fn forget_what_the_machine_forgot(&mut self) {
        if self.jobs.len() < self.sweep_at {
            return;
        }
        let gone: Vec<JobId> =
            self.jobs.keys().filter(|job| self.machine.job(**job).is_none()).copied().collect();
        for job in gone {
            if let Some(record) = self.jobs.remove(&job) {
                for digest in &record.kept {
                    self.outcomes.remove(digest, Some(job));
                }
                for (outcome, prover) in record.witnesses.into_values().flatten() {
                    self.witnesses.remove(outcome, prover);
                }
                self.gate.batch.forget.push(job);
            }
        }
        self.sweep_at = self.jobs.len() + SWEEP_JOBS;
    }

    fn tell_watchers(&mut self) {
        let mut news = Vec::new();
        let (jobs, machine) = (&mut self.jobs, &self.machine);
        self.watched.retain(|job| {
            let Some(record) = jobs.get_mut(job).filter(|record| record.progress.receiver_count() > 0) else {
                return false;
            };
            if let Some(progress) = machine.progress(*job)
                && record.progress_queued.as_ref() != Some(&progress)
                // The report says what was located.
                && !(progress.state.is_over() && record.is_locating())
            {
                record.progress_queued = Some(progress.clone());
                news.push((*job, progress));
            }
            true
        });
        for (job, progress) in news {
            let is_over = progress.state.is_over();
            let act = Act::Progress(job, Box::new(progress));
            if is_over {
                self.when_durable(act);
                self.give_result(job);
            } else {
                self.when_durable_by_itself(act);
            }
        }
    }
}

impl Known {
    fn enrolment(&self, worker: NodeId) -> Enrolment {
        Enrolment {
            worker,
            name: self.name.clone(),
            operator: self.operator.clone(),
            engines: self.engines.clone(),
            build: self.build.clone(),
        }
    }
}
