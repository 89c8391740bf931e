//! The life of a worker in a cluster: the one owner of what is under way and of the ballots that nobody counted yet.
//!
//! A broken connection stops nothing. What is under way goes on, finished ballots wait, and when the link is up again
//! the worker says what it resumes and casts what was not counted.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use compute::control::{Control, HardwareFault};
use protocol::{
    ballot::{Ballot, ReplicaId},
    bundle::Said,
    constant::Formula,
    digest::Digest,
    domain::{Engine, FailureDomain},
    identity::SecretKey,
    limits::{PEER_QUEUE_MAX, RESUMES_MAX, SLOTS_MAX, TEXT_BYTES_MAX},
    message::{CoordinatorMessage, EngineIntroduction, Lease, WorkerMessage},
};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use transport::{Connection, identity, identity::IdentityError};

use crate::{
    answers::Answers,
    config::{self, WorkerConfig},
    correction,
    envelope::Envelopes,
    executor::{Completed, Computed, Executor, LIGHT_PER_HEAVY, NotComputed},
    gpus::Gpus,
    link::{self, LinkEvent},
    misbehave::Misbehaviour,
    quorums::Quorums,
    store::{OutcomeStore, StoreError},
    voice::Voice,
};

/// Most replicas that a coordinator may have under way here: what its leases may fill, and as much again.
const UNDER_WAY_MAX: usize = (SLOTS_MAX * LIGHT_PER_HEAVY * 2) as usize;
/// Most replicas that one heartbeat names, so that it fits a frame.
const HEARTBEAT_REPLICAS_MAX: usize = 512;

/// Why a worker stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its key cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its outcomes cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its threads cannot be started.
    #[error("cannot start the computing threads: {0}; try fewer with --threads")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The coordinator does not let it in.
    #[error("the coordinator refused this worker: {0}")]
    Refused(String),
    /// Its processor or memory is broken.
    #[error(transparent)]
    Broken(#[from] HardwareFault),
}

/// Runs a worker until `stop` is cancelled.
///
/// # Errors
/// [`WorkerError`] when it cannot start, or is refused for good.
pub async fn run(config: WorkerConfig, stop: CancellationToken) -> Result<(), WorkerError> {
    let key = identity::load_or_create(&config.state_dir)?;
    let store = Arc::new(OutcomeStore::open(&config.state_dir, config.outlives)?);
    config.connection.neighbours.introduce(key.node_id(), Arc::<OutcomeStore>::clone(&store));
    let (completed, completions) = mpsc::channel(PEER_QUEUE_MAX);
    let runtime = tokio::runtime::Handle::current();
    let executor = Executor::new(&config, Arc::clone(&store), completed, runtime)?;
    if let Some(kind) = config.misbehaviour {
        warn!(%kind, "this worker misbehaves on purpose (a drill)");
    }
    info!(worker = %key.node_id(), name = %config.name, threads = config.threads, "starting");
    let (events, link_events) = mpsc::channel(PEER_QUEUE_MAX);
    let linked =
        tokio::spawn(link::keep(config.clone(), key.clone(), Arc::clone(&store), events, stop.child_token()));
    let (corrected, corrections) = mpsc::channel(PEER_QUEUE_MAX);
    let (returned, returns) = mpsc::channel(1);
    let kept = tokio::spawn(Arc::clone(&config.gpus).keep(returned, stop.child_token()));
    let service = Service {
        misbehaviour: config.misbehaviour,
        engines: config.engines(),
        gpus: Arc::clone(&config.gpus),
        key,
        store,
        executor,
        peer: None,
        domain: FailureDomain {
            operator: String::new(),
            engine: Engine::Cpu,
            formula: Formula::Direct,
            device: compute::engine::processor_name(),
            build: WorkerConfig::build(),
        },
        under_way: BTreeMap::new(),
        uncounted: BTreeMap::new(),
        voice: Voice::default(),
        answers: Answers::default(),
        envelopes: Envelopes::default(),
        quorums: Quorums::default(),
        corrected,
        broken: None,
    };
    let result = service.own(link_events, completions, corrections, returns, &stop).await;
    stop.cancel();
    // The link ends by itself once it is told to; a panic in it was printed when it happened.
    let _ = linked.await;
    // The same holds for whoever opens GPUs again.
    let _ = kept.await;
    result
}

struct Service {
    misbehaviour: Option<Misbehaviour>,
    /// As the coordinator knows them.
    engines: Vec<EngineIntroduction>,
    gpus: Arc<Gpus>,
    key: SecretKey,
    store: Arc<OutcomeStore>,
    executor: Executor,
    /// The coordinator, while the link is up.
    peer: Option<Peer>,
    /// What every ballot's answer depends on, except the formula. The coordinator tells the operator before the first
    /// lease.
    domain: FailureDomain,
    under_way: BTreeMap<ReplicaId, UnderWay>,
    /// Ballots that were cast, or wait to be, and were not counted yet.
    uncounted: BTreeMap<ReplicaId, Vec<Said<Ballot>>>,
    /// What is said at the end of this turn.
    voice: Voice,
    /// What was cast for replicas that the coordinator forgot when it crashed.
    answers: Answers,
    /// Ballots of sealed tasks that were not counted yet.
    envelopes: Envelopes,
    quorums: Quorums,
    corrected: mpsc::Sender<(ReplicaId, Digest)>,
    /// What the machine did wrong: it computes nothing more.
    broken: Option<HardwareFault>,
}

/// A replica that is being computed.
struct UnderWay {
    control: Control,
    sealed: bool,
}

struct Peer {
    outbox: mpsc::Sender<WorkerMessage>,
    connection: Connection,
    heartbeat: Duration,
}

impl Service {
    async fn own(
        mut self,
        mut link_events: mpsc::Receiver<LinkEvent>,
        mut completions: mpsc::Receiver<Vec<Completed>>,
        mut corrections: mpsc::Receiver<(ReplicaId, Digest)>,
        mut returns: mpsc::Receiver<()>,
        stop: &CancellationToken,
    ) -> Result<(), WorkerError> {
        let mut heartbeat = tokio::time::interval(Duration::from_secs(1));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    self.say(WorkerMessage::Goodbye).await;
                    self.executor.keep_checkpoints();
                    self.stop_computing();
                    return Ok(());
                }
                event = link_events.recv() => match event {
                    Some(LinkEvent::Refused(reason)) => {
                        self.executor.keep_checkpoints();
                        self.stop_computing();
                        return Err(WorkerError::Refused(reason));
                    }
                    Some(event) => {
                        let came_up = matches!(event, LinkEvent::Up { .. });
                        self.handle_link(event).await;
                        if let (true, Some(peer)) = (came_up, &self.peer) {
                            heartbeat = tokio::time::interval(peer.heartbeat);
                            heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
                        }
                        if came_up {
                            self.join_again_if_gpus_changed();
                        }
                    }
                    None => return Ok(()),
                },
                Some(completed) = completions.recv() => {
                    // First, so that a ballot goes where its engine was introduced.
                    self.join_again_if_gpus_changed();
                    self.complete(completed).await;
                    while !self.voice.is_full() && let Ok(more) = completions.try_recv() {
                        self.complete(more).await;
                    }
                    if let Some(fault) = self.broken {
                        // What else it computes may be as wrong; what it has not said yet stays unsaid.
                        self.say(WorkerMessage::Goodbye).await;
                        self.stop_computing();
                        return Err(fault.into());
                    }
                }
                Some((replica, digest)) = corrections.recv() => {
                    self.say(WorkerMessage::Corrected { replica, digest }).await;
                }
                Some(()) = returns.recv() => self.join_again_if_gpus_changed(),
                _ = heartbeat.tick() => self.beat().await,
            }
            for message in self.voice.take(&self.key) {
                self.say(message).await;
            }
        }
    }

    fn stop_computing(&self) {
        for under_way in self.under_way.values() {
            under_way.control.cancel();
        }
    }

    /// Says something to the coordinator if the link is up; what must not be lost is in `uncounted`.
    async fn say(&self, message: WorkerMessage) {
        if let Some(peer) = &self.peer {
            // A link that has just gone down drops it.
            let _ = peer.outbox.send(message).await;
        }
    }

    async fn handle_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Introducing(reply) => {
                self.note_engines();
                let resumes = self.uncounted.keys().chain(self.under_way.keys()).copied();
                let resumes = resumes.chain(self.envelopes.replicas());
                // The attempt may have been given up meanwhile.
                let _ = reply.send(resumes.take(RESUMES_MAX).collect());
            }
            LinkEvent::Up { outbox, connection, operator, heartbeat } => {
                self.peer = Some(Peer { outbox, connection, heartbeat });
                self.domain.operator = operator;
                self.voice.cast(self.uncounted.values().flatten().cloned());
                self.voice.commit(self.envelopes.commitments());
            }
            LinkEvent::Down => self.peer = None,
            LinkEvent::Message(message) => self.handle_message(message).await,
            LinkEvent::Refused(_) => {}
        }
    }

    async fn handle_message(&mut self, message: CoordinatorMessage) {
        match message {
            CoordinatorMessage::Lease(leases) => self.start(leases).await,
            CoordinatorMessage::Cancel { replicas } => {
                for replica in &replicas {
                    self.cancelled(replica);
                }
            }
            CoordinatorMessage::Counted { replicas } => {
                for replica in &replicas {
                    self.uncounted.remove(replica);
                    self.envelopes.drop_one(replica);
                }
            }
            CoordinatorMessage::Reveal { replicas } => {
                for replica in replicas {
                    self.reveal(replica).await;
                }
            }
            CoordinatorMessage::Correct { replica, accepted } => self.correct(replica, accepted),
        }
    }

    fn cancelled(&mut self, replica: &ReplicaId) {
        if let Some(under_way) = self.under_way.remove(replica) {
            under_way.control.cancel();
        }
        for said in self.uncounted.remove(replica).into_iter().flatten() {
            // What was found of somebody else's outcome is no answer to anything else.
            if said.ballot.audit.is_none() {
                self.answers.keep(said);
            }
        }
        self.envelopes.drop_one(replica);
    }

    async fn start(&mut self, leases: Vec<Lease>) {
        let Some(connection) = self.peer.as_ref().map(|peer| peer.connection.clone()) else { return };
        let mut to_compute = Vec::with_capacity(leases.len());
        for lease in leases {
            let replica = lease.replica;
            if let Some(reason) = self.refusal(&lease) {
                self.say(WorkerMessage::Failed { replica, reason }).await;
                continue;
            }
            self.quorums.note(replica, lease.quorum);
            if !lease.sealed
                && lease.audit.is_none()
                && let Some(said) = self.answers.take(&lease)
            {
                self.answer_again(said);
                continue;
            }
            let control = self.misbehaviour.and_then(Misbehaviour::control).unwrap_or_default();
            let under_way = UnderWay { control: control.clone(), sealed: lease.sealed };
            if self.under_way.insert(replica, under_way).is_none() {
                debug!(task = %replica.task, number = replica.number, formula = %lease.formula, "leased");
                to_compute.push((lease, control));
            }
        }
        let completed = self.executor.start(to_compute, &connection);
        self.complete(completed).await;
    }

    /// Why a lease is not taken.
    fn refusal(&self, lease: &Lease) -> Option<String> {
        if self.under_way.len() >= UNDER_WAY_MAX {
            Some(format!("{UNDER_WAY_MAX} replicas are under way here, which is the limit"))
        } else if !self.engines.iter().any(|known| known.engine == lease.engine) {
            Some(format!("this worker introduced no engine of the kind {}", lease.engine))
        } else {
            None
        }
    }

    /// Says again, for a new replica, what was computed before.
    fn answer_again(&mut self, mut said: Said<Ballot>) {
        let replica = said.ballot.replica;
        debug!(task = %replica.task, number = replica.number, "computed before: the answer is signed again");
        said.ballot.domain.operator.clone_from(&self.domain.operator);
        self.uncounted.insert(replica, vec![said.clone()]);
        self.voice.cast([said]);
    }

    /// A ballot of a GPU that has failed since, and that nobody counted, is withdrawn: it may be as wrong as the GPU.
    fn note_engines(&mut self) {
        self.engines = config::engines(&self.gpus);
        let engines = &self.engines;
        let stands = |said: &Said<Ballot>| {
            let domain = &said.ballot.domain;
            engines.iter().any(|known| known.engine == domain.engine && known.device == domain.device)
        };
        self.uncounted.retain(|_, said| said.iter().all(stands));
        self.answers.retain(stands);
        self.envelopes.retain(stands);
    }

    /// The coordinator learns the engines of a worker when it joins: one whose GPU left service, or came back, joins
    /// again.
    fn join_again_if_gpus_changed(&mut self) {
        let introduced = self.engines.iter().filter(|known| known.engine == Engine::Gpu);
        if self.peer.is_some() && !introduced.eq(&self.gpus.introductions()) {
            info!("joining again, to say which engines there are now");
            // The link notices that nobody talks to it any more, and makes a new connection.
            self.peer = None;
            self.note_engines();
        }
    }

    async fn complete(&mut self, completed: Vec<Completed>) {
        for Completed { replica, result } in completed {
            // A cancelled replica is no longer under way, and its ballot is not missed.
            let under_way = self.under_way.remove(&replica);
            if self.misbehaviour == Some(Misbehaviour::Silent) {
                continue;
            }
            match (result, under_way) {
                (Ok(computed), Some(UnderWay { sealed: true, .. })) => self.seal(replica, computed).await,
                (Ok(computed), Some(UnderWay { sealed: false, .. })) => {
                    let said = self.ballots(replica, computed);
                    self.uncounted.insert(replica, said.clone());
                    self.voice.cast(said);
                }
                (Ok(_), None) | (Err(NotComputed::Cancelled), _) => {}
                (Err(NotComputed::Failed(reason)), _) => self.fail(replica, reason).await,
                (Err(NotComputed::Broken(fault)), _) => {
                    self.fail(replica, fault.to_string()).await;
                    self.broken = Some(fault);
                }
            }
        }
    }

    /// Commits to what was computed for a sealed task.
    async fn seal(&mut self, replica: ReplicaId, computed: Computed) {
        let said = self.ballots(replica, computed);
        let replays = self.misbehaviour == Some(Misbehaviour::Replay);
        match self.envelopes.close(replica, said, replays) {
            Ok(commitment) => {
                debug!(task = %replica.task, number = replica.number, "committed");
                self.voice.commit(commitment.map(|commitment| (replica, commitment)));
            }
            Err(error) => self.fail(replica, format!("no random bytes for a salt: {error}")).await,
        }
    }

    /// Says that a replica cannot be run here.
    async fn fail(&self, replica: ReplicaId, mut reason: String) {
        reason.truncate(reason.floor_char_boundary(TEXT_BYTES_MAX));
        warn!(task = %replica.task, %reason, "cannot run a replica");
        self.say(WorkerMessage::Failed { replica, reason }).await;
    }

    /// Opens the envelope of a sealed task.
    async fn reveal(&mut self, replica: ReplicaId) {
        match self.envelopes.open(&replica) {
            Some(said) => self.voice.cast(said.iter().cloned()),
            None => {
                self.fail(replica, "the ballot that was committed to is not here any more".to_owned()).await;
            }
        }
    }

    fn ballots(&self, replica: ReplicaId, computed: Computed) -> Vec<Said<Ballot>> {
        let Computed { short, digest, contradiction, formula, engine, elapsed, trace, audited } = computed;
        let FailureDomain { operator, build, .. } = self.domain.clone();
        let domain = FailureDomain { operator, engine: engine.engine, formula, device: engine.device, build };
        let compute_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let said = |digest, outcome| {
            let ballot = Ballot {
                replica,
                worker: self.key.node_id(),
                digest,
                domain: domain.clone(),
                audit: audited,
                trace: trace.map(Box::new),
            };
            Said { ballot, salt: None, outcome, compute_us }
        };
        let mut all = vec![said(digest, short)];
        all.extend(contradiction.map(|digest| said(digest, None)));
        all
    }

    fn correct(&mut self, replica: ReplicaId, accepted: Digest) {
        let Some(peer) = &self.peer else { return };
        warn!(task = %replica.task, %accepted, "outvoted: fetching the accepted outcome");
        let (connection, store) = (peer.connection.clone(), Arc::clone(&self.store));
        let (quorum, corrected) = (self.quorums.of(&replica), self.corrected.clone());
        tokio::spawn(async move {
            match correction::obey(&connection, &store, replica, accepted, quorum).await {
                Ok(()) => {
                    info!(task = %replica.task, "corrected");
                    // The owner is gone only when the worker stops.
                    let _ = corrected.send((replica, accepted)).await;
                }
                Err(error) => warn!(task = %replica.task, %error, "not corrected"),
            }
        });
    }

    async fn beat(&mut self) {
        if self.misbehaviour == Some(Misbehaviour::Silent) {
            return;
        }
        let computing =
            self.under_way.iter().map(|(replica, under_way)| (*replica, under_way.control.permille()));
        let committed = self.envelopes.replicas().map(|replica| (replica, 1000));
        let under_way: Vec<(ReplicaId, u16)> = computing.chain(committed).collect();
        // An idle worker is alive as well, and says so.
        let (first, rest) = under_way.split_at(under_way.len().min(HEARTBEAT_REPLICAS_MAX));
        for part in std::iter::once(first).chain(rest.chunks(HEARTBEAT_REPLICAS_MAX)) {
            self.say(WorkerMessage::Heartbeat { under_way: part.to_vec() }).await;
        }
    }
}
