//! Two nodes on loopback, and a bound on every wait.

use std::{future::Future, net::SocketAddr, time::Duration};

use protocol::identity::SecretKey;
use transport::{Connection, ConnectionConfig, Listener, ListenerConfig, Opening, Stream, connect_with};

/// No wait in these tests is longer; one that is means a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `future`, at most [`PATIENCE`].
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("the wait ends within the patience of these tests")
}

pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) fn listen(config: ListenerConfig) -> Listener {
    Listener::bind(&key(1), loopback(), config).expect("loopback can be bound")
}

/// A client (key 2) and a server (key 1) that are connected.
pub(crate) struct Pair {
    pub(crate) client: Connection,
    pub(crate) server: Connection,
    pub(crate) listener: Listener,
}

pub(crate) async fn pair() -> Pair {
    pair_with(ConnectionConfig::default()).await
}

pub(crate) async fn pair_with(config: ConnectionConfig) -> Pair {
    let listener = listen(ListenerConfig { connection: config.clone(), ..ListenerConfig::default() });
    let address = listener.local_address();
    pair_through(listener, address, &config).await
}

/// Connects over `address`, which leads to `listener`.
pub(crate) async fn pair_through(
    mut listener: Listener,
    address: SocketAddr,
    config: &ConnectionConfig,
) -> Pair {
    let (client_key, address) = (key(2), address.to_string());
    let client = connect_with(&client_key, key(1).node_id(), &address, PATIENCE, config);
    let (client, server) = soon(async { tokio::join!(client, listener.accept()) }).await;
    Pair {
        client: client.expect("the client connects"),
        server: server.expect("the server accepts"),
        listener,
    }
}

impl Pair {
    /// A stream, from both ends; the opening was read.
    pub(crate) async fn stream(&self, opening: &Opening) -> (Stream, Stream) {
        soon(async {
            let ours = self.client.open_stream(opening).await.expect("a stream opens");
            let mut theirs = self.server.accept_stream().await.expect("a stream arrives");
            assert_eq!(&theirs.opening().await.expect("the opening is read"), opening);
            (ours, theirs)
        })
        .await
    }
}

/// Bytes that no compression or accident makes equal: the low bytes of a linear congruential generator.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.push(state.to_be_bytes()[0]);
    }
    bytes
}
