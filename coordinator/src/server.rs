//! The doors: connections are accepted, introduced, and served in tasks of their own until the server stops.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use protocol::{
    identity::SecretKey,
    limits::PROTOCOL_VERSION,
    message::{Introduction, Welcome},
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error, info, warn};
use transport::{CloseCode, Connection, ListenError, Listener, ListenerConfig, Opening, blob::Neighbours};
use verdict::Config;

use crate::{
    admission::Admission,
    at_hand::AtHand,
    client_link,
    core::{Core, Event, RestoreError},
    ledger::{Durability, Ledger, LedgerError, Reader},
    long_tasks::LongTasks,
    outcomes::AcceptedOutcomes,
    witnesses::Witnesses,
    worker_link::WorkerLink,
};

/// How long a connection may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a coordinator did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its address cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its state directory cannot be used.
    #[error("cannot use the state directory {path}: {source}; name another one with --state-dir")]
    State {
        /// Which.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its ledger does not say how to go on.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// Nobody may foresee who computes what, and the system has nothing to draw lots with.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

/// What the tasks of all connections share.
#[derive(Clone)]
pub struct Shared {
    /// Who is let in.
    pub admission: Arc<Admission>,
    /// The owner's queue.
    pub events: mpsc::Sender<Event>,
    /// The accepted outcomes.
    pub outcomes: Arc<AcceptedOutcomes>,
    /// What provers gave for audits.
    pub witnesses: Arc<Witnesses>,
    /// The tasks that are too long for a lease.
    pub long_tasks: Arc<LongTasks>,
    /// What was written down.
    pub ledger: Reader,
    /// Permits to send a long expression file.
    pub long_files: Arc<Semaphore>,
    /// How often workers are asked to say that they are alive, in milliseconds.
    pub heartbeat_ms: u64,
    /// Counts connections.
    pub sessions: Arc<AtomicU64>,
    /// Cancelled when the coordinator stops.
    pub stop: CancellationToken,
}

/// A coordinator that listens.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Ends when the coordinator has stopped.
    pub tasks: TaskTracker,
    /// Why it stopped by itself, if it did.
    pub failed: oneshot::Receiver<Arc<LedgerError>>,
}

/// Starts a coordinator, beside the neighbours that it has in this process; it runs until `stop` is cancelled.
///
/// # Errors
/// [`ServeError`] when it cannot listen or keep its state.
pub fn start(
    key: &SecretKey,
    listen: SocketAddr,
    state_dir: &Path,
    durability: Durability,
    config: Config,
    neighbours: &Neighbours,
    stop: &CancellationToken,
) -> Result<Server, ServeError> {
    let state = |source| ServeError::State { path: state_dir.display().to_string(), source };
    let admission = Arc::new(Admission::open(key.clone(), state_dir).map_err(state)?);
    let mut listening = ListenerConfig::default();
    listening.connection.neighbours = neighbours.clone();
    let listener = Listener::bind(key, listen, listening)?;
    let address = listener.local_address();
    let long_tasks = Arc::<LongTasks>::default();
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| ServeError::Random(error.to_string()))?;
    let ledger = Ledger::open(state_dir, key, durability)?;
    let reader = ledger.reader().clone();
    let outcomes = Arc::new(AcceptedOutcomes::open(state_dir, reader.clone(), durability).map_err(state)?);
    let witnesses = Arc::new(Witnesses::open(state_dir).map_err(state)?);
    let shelves = (Arc::clone(&outcomes), Arc::clone(&witnesses));
    let at_hand = AtHand { outcomes: Arc::clone(&outcomes), witnesses: Arc::clone(&witnesses) };
    neighbours.introduce(key.node_id(), Arc::new(at_hand));
    let (core, events) = Core::new(config, seed, ledger, shelves, Arc::clone(&long_tasks))?;
    let tasks = TaskTracker::new();
    let (failure, failed) = oneshot::channel();
    tasks.spawn(own(core, failure, stop.clone()));
    let shared = Shared {
        admission,
        events,
        outcomes,
        witnesses,
        long_tasks,
        ledger: reader,
        long_files: Arc::new(Semaphore::new(client_link::LONG_FILES_MAX)),
        heartbeat_ms: config.liveness.unwrap_or_default().heartbeat_ms(),
        sessions: Arc::default(),
        stop: stop.clone(),
    };
    tasks.spawn(accept(listener, shared, tasks.clone()));
    tasks.close();
    Ok(Server { address, tasks, failed })
}

/// Owns the vote, and stops everything where it cannot be written down any more.
async fn own(core: Core, failure: oneshot::Sender<Arc<LedgerError>>, stop: CancellationToken) {
    if let Err(error) = core.run(stop.clone()).await {
        error!(%error, "stopping: what happens cannot be written down");
        // Whoever started the server may not wait for it.
        let _ = failure.send(error);
        stop.cancel();
    }
}

async fn accept(mut listener: Listener, shared: Shared, tasks: TaskTracker) {
    let shared = Arc::new(shared);
    loop {
        let connection = tokio::select! {
            () = shared.stop.cancelled() => break,
            connection = listener.accept() => connection,
        };
        let Some(connection) = connection else { break };
        let (shared, further) = (Arc::clone(&shared), tasks.clone());
        tasks.spawn(async move {
            let introduced = introduce(&connection, &shared, &further);
            unless_stopped(&connection, &shared.stop, introduced).await;
        });
    }
    // Each connection's own task says farewell; waiting until QUIC has forgotten them all would take far longer.
    drop(listener);
}

/// Does something for a connection, unless the coordinator stops first: then the peer is told so.
async fn unless_stopped(connection: &Connection, stop: &CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => return,
    }
    connection.close_and_tell(CloseCode::ShuttingDown, "the coordinator stops").await;
}

/// Hears one connection's hello. Whoever is let in is served in a task of its own: that one lasts, and there are many, so it
/// is spared the room that a hello takes.
async fn introduce(connection: &Connection, shared: &Arc<Shared>, tasks: &TaskTracker) {
    let peer = connection.peer();
    let mut stream = match tokio::time::timeout(HELLO_TIMEOUT, connection.accept_stream()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(lost)) => return debug!(peer = %peer.short(), %lost, "a connection ended before its hello"),
        Err(_) => return connection.close(CloseCode::BadInput, "no hello came in time"),
    };
    let hello = match stream.opening().await {
        Ok(Opening::Control(hello)) => hello,
        Ok(_) => return connection.close(CloseCode::BadInput, "the first stream must say hello"),
        Err(error) => {
            warn!(peer = %peer.short(), %error, "a connection did not say hello");
            return connection.close(CloseCode::BadInput, &error.to_string());
        }
    };
    let operator = match shared.admission.check(peer, &hello) {
        Ok(operator) => operator,
        Err(error) => {
            let address = connection.remote_address();
            warn!(peer = %peer.short(), %address, %error, "refused");
            let refusal = Welcome::Refused { reason: error.to_string(), temporary: false };
            // The peer may be gone, and has its answer in the close's reason as well.
            let _ = stream.writer.send(&refusal).await;
            let _ = tokio::time::timeout(Duration::from_secs(1), stream.writer.delivered()).await;
            return connection.close_and_tell(CloseCode::Refused, &error.to_string()).await;
        }
    };
    if matches!(hello.introduction, Introduction::Client) {
        connection.allow_streams(client_link::REQUESTS_MAX);
    }
    let welcome = Welcome::Accepted { operator: operator.clone(), heartbeat_ms: shared.heartbeat_ms };
    if let Err(error) = stream.writer.send(&welcome).await {
        return debug!(peer = %peer.short(), %error, "a connection ended at its welcome");
    }
    let (connection, shared) = (connection.clone(), Arc::clone(shared));
    match hello.introduction {
        Introduction::Worker(introduction) => {
            let session = shared.sessions.fetch_add(1, Ordering::Relaxed);
            let link = WorkerLink { connection, stream, session, shared };
            if let Some(serving) = link.admit(introduction, operator).await {
                tasks.spawn(serving);
            }
        }
        Introduction::Client => {
            tasks.spawn(async move {
                let serving = client_link::serve(connection.clone(), &shared);
                unless_stopped(&connection, &shared.stop, serving).await;
                // The conversation that began with the hello ends with the connection.
                drop(stream);
            });
        }
    }
}

/// Says at start what a coordinator is and where.
pub fn log_start(address: SocketAddr, key: &SecretKey) {
    info!(%address, key = %key.node_id(), protocol_version = PROTOCOL_VERSION, "listening");
}
