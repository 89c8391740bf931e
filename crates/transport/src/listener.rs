//! The side that waits for connections, and stays reachable while others try to keep it busy.
//!
//! Handshakes run in tasks of their own, so a stalled one holds up nobody. Their number is bounded: each takes as much memory
//! as a connection that lasts, and a thousand at once would take that twice. Whoever comes while all places are taken waits
//! in a row. Each has its turn: an honest handshake is over in a few round trips, a stalled one gives way when its turn is
//! over and somebody waits. From half of the bound on a peer must first prove that it receives at its address (QUIC's
//! retry, which costs this side no memory), so forged addresses can fill neither the places nor the row.

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use protocol::identity::SecretKey;
use quinn::{Endpoint, Incoming, ServerConfig, TokioRuntime};
use socket2::SockRef;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until},
};
use tracing::debug;

use crate::{
    close::{CloseCode, ConnectionLost, shortened},
    config::{ListenerConfig, endpoint_config},
    connection::Connection,
    tls::{self, TlsError},
};

/// Connection attempts that wait inside QUIC for [`Listener::accept`]; further ones are refused.
const INCOMING_MAX: usize = 1024;
/// Bytes that QUIC keeps for all of them.
const INCOMING_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Of them, so many peers with a proven address may wait for a handshake's place; further ones are told to come again.
const WAITING_MAX: usize = INCOMING_MAX / 2;
/// Bytes that the system may hold for the listener's socket, each way.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// How long [`Listener::close`] waits for the peers to have been told.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// Why a listener did not come into being.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be bound.
    #[error(
        "cannot listen on UDP address {address}: {source}; choose another address or port, or stop what uses it"
    )]
    Bind {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// All connections of a listener share one socket: a thousand peers that answer at once fill the system's default many times
/// over, and what does not fit is lost and sent again only when somebody misses it.
fn widen(socket: &UdpSocket) {
    let socket = SockRef::from(socket);
    // The system gives less where it must, which costs speed and nothing else.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
}

/// What a listener has seen, since it was bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ListenerStatistics {
    /// Connections given out by [`Listener::accept`].
    pub accepted: u64,
    /// Handshakes that failed: no key, another protocol version, too slow.
    pub handshakes_failed: u64,
    /// Handshakes whose turn was over while others waited.
    pub handshakes_evicted: u64,
    /// Attempts that had to show first that they receive at their address.
    pub retried: u64,
    /// Attempts that were told that the listener is full.
    pub refused_full: u64,
}

/// Accepts connections on one UDP address. Owned by one task, which calls [`Listener::accept`] in a loop.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
    config: ListenerConfig,
    local_address: SocketAddr,
    /// One permit for each connection that may exist.
    places: Arc<Semaphore>,
    handshakes: JoinSet<Result<Established, HandshakeFailed>>,
    /// The handshakes in the order in which they began, and when that was; may hold some that are over.
    by_age: VecDeque<(Instant, AbortHandle)>,
    /// Who waits for a handshake's place, in the order in which they came. Each has shown that it receives at its address.
    waiting: VecDeque<Incoming>,
    statistics: ListenerStatistics,
}

struct Established {
    connection: quinn::Connection,
    remote_address: SocketAddr,
}

struct HandshakeFailed {
    remote_address: SocketAddr,
    reason: String,
}

impl Listener {
    /// Listens on `address` (port 0: any free one) as the node with `key`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ListenError::Bind`] when the address is taken or not this machine's.
    pub fn bind(key: &SecretKey, address: SocketAddr, config: ListenerConfig) -> Result<Self, ListenError> {
        let mut server = ServerConfig::with_crypto(Arc::new(tls::server_config(key)?));
        server
            .transport_config(config.connection.to_quinn())
            .max_incoming(INCOMING_MAX)
            .incoming_buffer_size(INCOMING_BYTES_MAX / 64)
            .incoming_buffer_size_total(INCOMING_BYTES_MAX);
        let bind = |source| ListenError::Bind { address, source };
        let socket = UdpSocket::bind(address).map_err(bind)?;
        widen(&socket);
        let runtime = Arc::new(TokioRuntime);
        let endpoint = Endpoint::new(endpoint_config(), Some(server), socket, runtime).map_err(bind)?;
        let local_address = endpoint.local_addr().map_err(bind)?;
        let places = config.connections_max.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            endpoint,
            config,
            local_address,
            places: Arc::new(Semaphore::new(places)),
            handshakes: JoinSet::new(),
            by_age: VecDeque::new(),
            waiting: VecDeque::new(),
            statistics: ListenerStatistics::default(),
        })
    }

    /// Where it listens, with the port that it got.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// What it has seen.
    #[must_use]
    pub fn statistics(&self) -> ListenerStatistics {
        self.statistics
    }

    /// The next peer that has proven its key; whether it may stay is for the caller to decide, from its hello. `None`
    /// when the listener is closed. Cancel-safe.
    ///
    /// New handshakes begin only while this is awaited: the caller gives each connection a task of its own.
    pub async fn accept(&mut self) -> Option<Connection> {
        loop {
            self.begin_waiting();
            let turn_ends = self.turn_ends();
            tokio::select! {
                Some(handshake) = self.handshakes.join_next() => match handshake {
                    Ok(Ok(established)) => {
                        if let Some(connection) = self.admit(established) {
                            return Some(connection);
                        }
                    }
                    Ok(Err(failed)) => self.note_failure(&failed),
                    // Aborted: it gave way, and was counted when it did.
                    Err(_) => {}
                },
                incoming = self.endpoint.accept() => self.meet(incoming?),
                () = sleep_until(turn_ends.unwrap_or_else(Instant::now)), if turn_ends.is_some() => self.evict_oldest(),
            }
        }
    }

    /// Stops: no further connection is accepted, and those that exist are closed with `code` and `reason`. Returns
    /// when the peers have been told, after a second at most.
    pub async fn close(self, code: CloseCode, reason: &str) {
        self.endpoint.close(code.to_quinn(), shortened(reason).as_bytes());
        // A peer that cannot be told notices by its idle timeout.
        let _ = tokio::time::timeout(FAREWELL_MAX, self.endpoint.wait_idle()).await;
    }

    /// Lets a peer wait for its handshake, has it prove its address first, or answers that there is no room.
    fn meet(&mut self, incoming: Incoming) {
        if self.places.available_permits() == 0 {
            return self.refuse(incoming, self.config.connections_max);
        }
        let under_way = self.by_age.len();
        if under_way >= self.handshakes_max().div_ceil(2) && !incoming.remote_address_validated() {
            self.statistics.retried += 1;
            if let Err(error) = incoming.retry() {
                error.into_incoming().ignore();
            }
            return;
        }
        if self.waiting.len() >= WAITING_MAX {
            return self.refuse(incoming, WAITING_MAX);
        }
        self.waiting.push_back(incoming);
    }

    fn refuse(&mut self, incoming: Incoming, limit: usize) {
        self.statistics.refused_full += 1;
        debug!(peer = %incoming.remote_address(), limit, "full: refused a connection");
        incoming.refuse();
    }

    /// Starts the handshakes of those who wait, as far as there are places.
    fn begin_waiting(&mut self) {
        self.by_age.retain(|(_, handshake)| !handshake.is_finished());
        while self.by_age.len() < self.handshakes_max()
            && let Some(incoming) = self.waiting.pop_front()
        {
            let handshake = self.handshakes.spawn(shake_hands(incoming, self.config.handshake_timeout));
            self.by_age.push_back((Instant::now(), handshake));
        }
    }

    /// When the oldest handshake has had its turn; `None` while nobody waits for its place.
    fn turn_ends(&self) -> Option<Instant> {
        let (began, _) = self.by_age.front().filter(|_| !self.waiting.is_empty())?;
        Some(*began + self.config.handshake_turn)
    }

    fn evict_oldest(&mut self) {
        if let Some((_, oldest)) = self.by_age.pop_front() {
            self.statistics.handshakes_evicted += 1;
            oldest.abort();
        }
    }

    fn handshakes_max(&self) -> usize {
        self.config.handshakes_max.max(1)
    }

    /// Gives an established connection its place, or closes it where the last place has gone meanwhile.
    fn admit(&mut self, established: Established) -> Option<Connection> {
        let Established { connection, remote_address } = established;
        let Some(peer) = tls::peer_of(&connection) else {
            let reason = "it showed no Ed25519 key".to_owned();
            self.note_failure(&HandshakeFailed { remote_address, reason });
            connection.close(CloseCode::BadInput.to_quinn(), b"the handshake showed no Ed25519 key");
            return None;
        };
        let Some(place) = self.place() else {
            self.statistics.refused_full += 1;
            let limit = self.config.connections_max;
            let reason = format!("all {limit} places for connections are taken; try again later");
            connection.close(CloseCode::Full.to_quinn(), reason.as_bytes());
            return None;
        };
        self.statistics.accepted += 1;
        Some(Connection::new(connection, peer, &self.config.connection, Some(place)))
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    fn note_failure(&mut self, failed: &HandshakeFailed) {
        self.statistics.handshakes_failed += 1;
        debug!(peer = %failed.remote_address, reason = %failed.reason, "a handshake failed");
    }
}

async fn shake_hands(incoming: Incoming, limit: Duration) -> Result<Established, HandshakeFailed> {
    let remote_address = incoming.remote_address();
    let failed = |reason: String| HandshakeFailed { remote_address, reason };
    let connecting = incoming.accept().map_err(|error| failed(ConnectionLost::from(error).to_string()))?;
    match tokio::time::timeout(limit, connecting).await {
        Ok(Ok(connection)) => Ok(Established { connection, remote_address }),
        Ok(Err(error)) => Err(failed(ConnectionLost::from(error).to_string())),
        Err(_) => Err(failed(format!("it took longer than {} ms", limit.as_millis()))),
    }
}
