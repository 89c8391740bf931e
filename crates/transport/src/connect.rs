//! The side that reaches out: to an address, for one node, within a time.
//!
//! A name may have several addresses (`localhost` has two), and over UDP a dead one just stays silent. So the next
//! address is tried a moment after the last one, without giving that one up, and the first that proves the expected
//! key wins (as in RFC 8305). What goes wrong is told in the words of the person who typed the address.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use protocol::{
    identity::{NodeId, SecretKey},
    limits::ALPN,
};
use quinn::{ClientConfig, ConnectionError, Endpoint, TokioRuntime, TransportErrorCode};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    close::{CloseCode, ConnectionLost},
    config::{ConnectionConfig, endpoint_config},
    connection::Connection,
    tls::{self, SERVER_NAME, ShownKey, TlsError},
};

/// How long after one address the next one is tried.
const STAGGER: Duration = Duration::from_millis(150);
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;
/// Once a server has answered and it was the wrong one or full, how long the other addresses may still take.
const AFTER_REFUSAL: Duration = Duration::from_secs(2);

/// Why there is no connection.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// The text is no address, or its name is unknown.
    #[error("cannot find the coordinator's address `{address}`: {reason}; it must be host:port")]
    Address {
        /// As given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answered.
    #[error(
        "nothing answers at {address} within {waited_ms} ms; is the coordinator running there, and does the network \
         let UDP through to that port?"
    )]
    NoAnswer {
        /// As given.
        address: String,
        /// How long it was tried.
        waited_ms: u64,
    },
    /// Somebody else answered.
    #[error(
        "the coordinator at {address} shows the key {shown}, the token names {expected}; ask its operator for a new \
         token (its key may have changed), and do not go on if nobody knows why"
    )]
    WrongKey {
        /// As given.
        address: String,
        /// The key that was expected.
        expected: NodeId,
        /// The key that was shown.
        shown: NodeId,
    },
    /// It speaks another version.
    #[error(
        "the coordinator at {address} does not speak this program's protocol, {}; run the same version on both sides",
        String::from_utf8_lossy(ALPN)
    )]
    OtherVersion {
        /// As given.
        address: String,
    },
    /// It has no room now.
    #[error("the coordinator at {address} takes no further connection now: {reason}")]
    Full {
        /// As given.
        address: String,
        /// What it said.
        reason: String,
    },
    /// The handshake failed in another way.
    #[error("the connection to {address} failed: {reason}")]
    Failed {
        /// As given.
        address: String,
        /// What happened.
        reason: String,
    },
    /// No socket could be opened.
    #[error("cannot open a UDP socket to reach {address}: {reason}")]
    Socket {
        /// As given.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl ConnectError {
    /// Whether trying again later, without anybody changing anything, can help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::NoAnswer { .. } | Self::Full { .. } | Self::Failed { .. } | Self::Socket { .. } => true,
            // A name may be unknown for a while, a missing port never comes.
            Self::Address { address, .. } => host_and_port(address).is_some(),
            Self::WrongKey { .. } | Self::OtherVersion { .. } | Self::Tls(_) => false,
        }
    }

    fn somebody_answered(&self) -> bool {
        matches!(self, Self::WrongKey { .. } | Self::OtherVersion { .. } | Self::Full { .. })
    }

    /// How much it tells the user, when several addresses failed in different ways.
    fn weight(&self) -> u8 {
        match self {
            Self::WrongKey { .. } => 6,
            Self::OtherVersion { .. } => 5,
            Self::Full { .. } => 4,
            Self::Failed { .. } => 3,
            Self::Tls(_) => 2,
            Self::Socket { .. } | Self::Address { .. } => 1,
            Self::NoAnswer { .. } => 0,
        }
    }
}

/// Connects to the node `expected` at `address` (`host:port`), as the node with `key`, with the default
/// [`ConnectionConfig`]. Both sides have proven their keys when this returns; the caller says hello next.
///
/// # Errors
/// [`ConnectError`]. [`ConnectError::is_temporary`] tells whether to try again.
pub async fn connect(
    key: &SecretKey,
    expected: NodeId,
    address: &str,
    timeout: Duration,
) -> Result<Connection, ConnectError> {
    connect_with(key, expected, address, timeout, &ConnectionConfig::default()).await
}

/// As [`connect`], with a configuration.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with(
    key: &SecretKey,
    expected: NodeId,
    address: &str,
    timeout: Duration,
    config: &ConnectionConfig,
) -> Result<Connection, ConnectError> {
    let begun = Instant::now();
    let mut deadline = begun + timeout;
    let no_answer = || ConnectError::NoAnswer {
        address: address.to_owned(),
        waited_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    let Ok(targets) = timeout_at(deadline, resolve(address)).await else {
        let reason = "the name look-up takes too long".to_owned();
        return Err(ConnectError::Address { address: address.to_owned(), reason });
    };
    let mut attempts = JoinSet::new();
    for (delay, target) in (0_u32..).map(|n| STAGGER * n).zip(targets?) {
        let attempt = Attempt::new(key, expected, address, target, config)?;
        attempts.spawn(async move {
            // A sleep of no length would still last until the timer's next millisecond.
            if !delay.is_zero() {
                sleep(delay).await;
            }
            attempt.run().await
        });
    }
    let mut worst: Option<ConnectError> = None;
    while let Ok(Some(attempt)) = timeout_at(deadline, attempts.join_next()).await {
        // A task that was cancelled or panicked tells nothing; the others go on.
        let Ok(attempt) = attempt else { continue };
        match attempt {
            Ok(connection) => return Ok(connection),
            Err(error) => {
                if error.somebody_answered() {
                    deadline = deadline.min(Instant::now() + AFTER_REFUSAL);
                }
                if worst.as_ref().is_none_or(|worst| worst.weight() < error.weight()) {
                    worst = Some(error);
                }
            }
        }
    }
    Err(worst.unwrap_or_else(no_answer))
}

/// Host and port, where the text has both.
fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    (!host.is_empty() && port != 0).then_some((host, port))
}

async fn resolve(address: &str) -> Result<Vec<SocketAddr>, ConnectError> {
    let failed = |reason: String| ConnectError::Address { address: address.to_owned(), reason };
    if host_and_port(address).is_none() {
        return Err(failed("it has no host or no port between 1 and 65535".to_owned()));
    }
    let found = tokio::net::lookup_host(address).await.map_err(|error| failed(error.to_string()))?;
    let targets: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
    if targets.is_empty() { Err(failed("its name has no address".to_owned())) } else { Ok(targets) }
}

/// One address of the coordinator.
struct Attempt {
    address: String,
    target: SocketAddr,
    expected: NodeId,
    client: ClientConfig,
    shown: ShownKey,
    config: ConnectionConfig,
}

impl Attempt {
    fn new(
        key: &SecretKey,
        expected: NodeId,
        address: &str,
        target: SocketAddr,
        config: &ConnectionConfig,
    ) -> Result<Self, TlsError> {
        let (tls, shown) = tls::client_config(key, expected)?;
        let mut client = ClientConfig::new(Arc::new(tls));
        client.transport_config(config.to_quinn());
        let config = config.clone();
        Ok(Self { address: address.to_owned(), target, expected, client, shown, config })
    }

    async fn run(self) -> Result<Connection, ConnectError> {
        let local = match self.target {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let endpoint = UdpSocket::bind(local)
            .and_then(|socket| Endpoint::new(endpoint_config(), None, socket, Arc::new(TokioRuntime)))
            .map_err(|error| self.socket_failed(&error))?;
        let connecting = endpoint
            .connect_with(self.client.clone(), self.target, SERVER_NAME)
            .map_err(|error| self.failed(error.to_string()))?;
        let connection = connecting.await.map_err(|error| self.explained(error))?;
        // The verifier let no other key pass.
        Ok(Connection::new(connection, self.expected, &self.config, None))
    }

    fn socket_failed(&self, error: &io::Error) -> ConnectError {
        ConnectError::Socket { address: self.address.clone(), reason: error.to_string() }
    }

    fn failed(&self, reason: String) -> ConnectError {
        ConnectError::Failed { address: self.address.clone(), reason }
    }

    fn explained(&self, error: ConnectionError) -> ConnectError {
        let address = self.address.clone();
        if let Some(shown) = self.shown.get().filter(|shown| **shown != self.expected) {
            return ConnectError::WrongKey { address, expected: self.expected, shown: *shown };
        }
        let code = match &error {
            ConnectionError::TransportError(here) => Some(here.code),
            ConnectionError::ConnectionClosed(there) => Some(there.error_code),
            _ => None,
        };
        if matches!(error, ConnectionError::VersionMismatch)
            || code == Some(TransportErrorCode::crypto(tls::ALERT_NO_APPLICATION_PROTOCOL))
        {
            return ConnectError::OtherVersion { address };
        }
        if code == Some(TransportErrorCode::CONNECTION_REFUSED) {
            return ConnectError::Full {
                address,
                reason: "all places are taken; try again later".to_owned(),
            };
        }
        match ConnectionLost::from(error) {
            ConnectionLost::ClosedByPeer { code: CloseCode::Full, reason } => {
                ConnectError::Full { address, reason }
            }
            lost => self.failed(lost.to_string()),
        }
    }
}
