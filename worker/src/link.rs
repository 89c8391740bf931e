//! The connection to the coordinator: made, kept, and made again with growing pauses when it breaks.
//!
//! The link knows nothing of tasks. It introduces the worker, passes messages both ways, serves the blobs that the
//! coordinator asks for, and tells the owner when it is up and when it is down.

use std::{sync::Arc, time::Duration};

use protocol::{
    ballot::ReplicaId,
    identity::SecretKey,
    limits::{HEARTBEAT_MS_MAX, HEARTBEAT_MS_MIN, PEER_QUEUE_MAX, PROTOCOL_VERSION},
    message::{CoordinatorMessage, Hello, Introduction, Welcome, WorkerIntroduction, WorkerMessage},
    token::Credential,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use transport::{
    Backoff, CloseCode, ConnectError, Connection, FrameReader, FrameWriter, Opening, blob, connect_with,
};

use crate::{config::WorkerConfig, store::OutcomeStore};

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the coordinator may take to answer a hello.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// What the link tells the owner.
#[derive(Debug)]
pub enum LinkEvent {
    /// A connection is about to be introduced: what does the worker resume?
    Introducing(oneshot::Sender<Vec<ReplicaId>>),
    /// The coordinator has let the worker in.
    Up {
        /// Takes what is to be said to the coordinator.
        outbox: mpsc::Sender<WorkerMessage>,
        /// For blobs.
        connection: Connection,
        /// Under which operator the coordinator knows the worker.
        operator: String,
        /// How often it wants to hear from the worker.
        heartbeat: Duration,
    },
    /// The coordinator said something.
    Message(CoordinatorMessage),
    /// The connection is gone.
    Down,
    /// The coordinator will never let the worker in.
    Refused(String),
}

/// Keeps the worker connected until `stop` is cancelled or the coordinator refuses it for good.
pub async fn keep(
    config: WorkerConfig,
    key: SecretKey,
    store: Arc<OutcomeStore>,
    events: mpsc::Sender<LinkEvent>,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new();
    loop {
        let attempt = tokio::select! {
            () = stop.cancelled() => return,
            attempt = attempt(&config, &key, &store, &events, &stop) => attempt,
        };
        match attempt {
            _ if stop.is_cancelled() => return,
            Attempt::Stopped => return,
            Attempt::Refused(reason) => {
                // The owner is gone only when the worker stops.
                let _ = events.send(LinkEvent::Refused(reason)).await;
                return;
            }
            Attempt::Lost(reason) => {
                backoff.reset();
                warn!(%reason, "the connection to the coordinator is gone; reconnecting");
                if events.send(LinkEvent::Down).await.is_err() {
                    return;
                }
            }
            Attempt::Failed(reason) => {
                let address = &config.token.address;
                if backoff.failures().is_multiple_of(8) {
                    warn!(%reason, %address, "cannot reach the coordinator; trying again");
                } else {
                    debug!(%reason, %address, "cannot reach the coordinator; trying again");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = backoff.wait() => {}
        }
    }
}

/// How an attempt to be connected ended.
enum Attempt {
    Stopped,
    Refused(String),
    Lost(String),
    Failed(String),
}

async fn attempt(
    config: &WorkerConfig,
    key: &SecretKey,
    store: &Arc<OutcomeStore>,
    events: &mpsc::Sender<LinkEvent>,
    stop: &CancellationToken,
) -> Attempt {
    let token = &config.token;
    let connected =
        connect_with(key, token.coordinator, &token.address, CONNECT_TIMEOUT, &config.connection).await;
    let connection = match connected {
        Ok(connection) => connection,
        Err(error @ ConnectError::WrongKey { .. }) => return Attempt::Refused(error.to_string()),
        Err(error) => return Attempt::Failed(error.to_string()),
    };
    let (reply, resumes) = oneshot::channel();
    if events.send(LinkEvent::Introducing(reply)).await.is_err() {
        return Attempt::Stopped;
    }
    let hello = Hello {
        protocol_version: PROTOCOL_VERSION,
        credential: Some(Credential::from(token)),
        introduction: Introduction::Worker(WorkerIntroduction {
            name: config.name.clone(),
            engines: config.engines(),
            build: WorkerConfig::build(),
            slots: config.slots(),
            resumes: resumes.await.unwrap_or_default(),
        }),
    };
    let mut stream = match connection.open_stream(&Opening::Control(hello)).await {
        Ok(stream) => stream,
        Err(error) => return Attempt::Failed(error.to_string()),
    };
    let (operator, heartbeat_ms) = match stream.reader.require_within::<Welcome>(WELCOME_TIMEOUT).await {
        Ok(Welcome::Accepted { operator, heartbeat_ms }) => (operator, heartbeat_ms),
        Ok(Welcome::Refused { reason, temporary: false }) => return Attempt::Refused(reason),
        Ok(Welcome::Refused { reason, temporary: true }) => return Attempt::Failed(reason),
        Err(error) => return Attempt::Failed(error.to_string()),
    };
    info!(coordinator = %token.address, %operator, "joined");
    let (outbox, messages) = mpsc::channel(PEER_QUEUE_MAX);
    let heartbeat = Duration::from_millis(heartbeat_ms.clamp(HEARTBEAT_MS_MIN, HEARTBEAT_MS_MAX));
    let up = LinkEvent::Up { outbox, connection: connection.clone(), operator, heartbeat };
    if events.send(up).await.is_err() {
        return Attempt::Stopped;
    }
    let reason = tokio::select! {
        reason = read_messages(stream.reader, events) => reason,
        reason = write_messages(stream.writer, messages) => reason,
        reason = serve_blobs(&connection, store) => reason,
        () = stop.cancelled() => {
            connection.close_and_tell(CloseCode::ShuttingDown, "the worker stops").await;
            return Attempt::Stopped;
        }
    };
    match connection.close_reason() {
        Some(transport::ConnectionLost::ClosedByPeer { code: CloseCode::Refused, reason }) => {
            Attempt::Refused(reason)
        }
        _ => Attempt::Lost(reason),
    }
}

async fn read_messages(mut reader: FrameReader, events: &mpsc::Sender<LinkEvent>) -> String {
    loop {
        match reader.next::<CoordinatorMessage>().await {
            Ok(Some(message)) => {
                if events.send(LinkEvent::Message(message)).await.is_err() {
                    return "the worker stops".to_owned();
                }
            }
            Ok(None) => return "the coordinator ended the conversation".to_owned(),
            Err(error) => return error.to_string(),
        }
    }
}

async fn write_messages(mut writer: FrameWriter, mut messages: mpsc::Receiver<WorkerMessage>) -> String {
    while let Some(message) = messages.recv().await {
        let mut result = writer.feed(&message).await;
        while result.is_ok()
            && let Ok(message) = messages.try_recv()
        {
            result = writer.feed(&message).await;
        }
        if let Err(error) = match result {
            Ok(()) => writer.flush().await,
            Err(error) => Err(error),
        } {
            return error.to_string();
        }
    }
    "the worker joins again or stops".to_owned()
}

async fn serve_blobs(connection: &Connection, store: &Arc<OutcomeStore>) -> String {
    loop {
        let mut stream = match connection.accept_stream().await {
            Ok(stream) => stream,
            Err(lost) => return lost.to_string(),
        };
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let served = match stream.opening().await {
                Ok(Opening::Blob(request)) => {
                    blob::serve(stream, request, &*store).await.map(|_| ()).map_err(|error| error.to_string())
                }
                Ok(_) => Err("the coordinator may only ask for blobs".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(reason) = served {
                debug!(%reason, "a blob was not served");
            }
        });
    }
}
