//! One connection between two nodes that have proven their keys.
//!
//! The handle is cheap to clone. When the last clone and the last stream are gone the connection closes without a
//! word; [`Connection::close`] says one.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use protocol::{identity::NodeId, message::BlobName};
use quinn::VarInt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::{
    blob::Neighbours,
    close::{CloseCode, ConnectionLost, shortened},
    config::ConnectionConfig,
    stream::{Opening, Stream, StreamError},
};

/// How long [`Connection::close_and_tell`] waits for the peer to have been told.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// So often it looks again at once whether the farewell is on its way, and then after a pause each time.
const FAREWELL_YIELDS: u32 = 256;
const FAREWELL_PAUSE: Duration = Duration::from_millis(1);
/// How long it waits where it cannot see whether the peer has been told.
const FAREWELL_MARGIN: Duration = Duration::from_millis(5);

/// Blobs that are fetched over one connection at a time; further fetches wait before they ask. With the windows of
/// [`ConnectionConfig::default`](crate::ConnectionConfig) these can fill three quarters of what a connection buffers,
/// so that the control stream always finds room.
pub const FETCHES_MAX: usize = 3;

/// A connection whose both sides have proven who they are.
#[derive(Clone)]
pub struct Connection {
    quic: quinn::Connection,
    shared: Arc<Shared>,
}

struct Shared {
    peer: NodeId,
    opening_timeout: Duration,
    fetches: Semaphore,
    neighbours: Neighbours,
    /// The place in the listener's count, given back when the last handle goes.
    _place: Option<OwnedSemaphorePermit>,
}

/// What a connection has carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that went out.
    pub sent_bytes: u64,
    /// Bytes that came in.
    pub received_bytes: u64,
}

impl Connection {
    pub(crate) fn new(
        quic: quinn::Connection,
        peer: NodeId,
        config: &ConnectionConfig,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let fetches = Semaphore::new(FETCHES_MAX);
        let (opening_timeout, neighbours) = (config.opening_timeout, config.neighbours.clone());
        Self { quic, shared: Arc::new(Shared { peer, opening_timeout, fetches, neighbours, _place: place }) }
    }

    /// Who is on the other side, as proven in the handshake.
    #[must_use]
    pub fn peer(&self) -> NodeId {
        self.shared.peer
    }

    /// From where it speaks now; a peer may move to another address within a connection.
    #[must_use]
    pub fn remote_address(&self) -> SocketAddr {
        self.quic.remote_address()
    }

    /// The present estimate of the time that a packet takes there and back.
    #[must_use]
    pub fn round_trip_time(&self) -> Duration {
        self.quic.rtt()
    }

    /// How long the datagrams may be that this side sends, in bytes, as far as is known by now.
    #[must_use]
    pub fn datagram_bytes(&self) -> u16 {
        self.quic.stats().path.current_mtu
    }

    /// How many bytes went out and came in, as UDP's payload.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let stats = self.quic.stats();
        Traffic { sent_bytes: stats.udp_tx.bytes, received_bytes: stats.udp_rx.bytes }
    }

    /// Lets the peer have so many streams open at a time from now on, where the configuration lets it have fewer.
    pub fn allow_streams(&self, streams_max: u32) {
        self.quic.set_max_concurrent_bi_streams(VarInt::from_u32(streams_max));
    }

    /// Opens a stream and says what it is for. Waits while the peer allows no further stream.
    ///
    /// # Errors
    /// [`StreamError`] when the connection is gone, or the opening is over the limit of a frame.
    pub async fn open_stream(&self, opening: &Opening) -> Result<Stream, StreamError> {
        let (sender, receiver) = self.quic.open_bi().await.map_err(ConnectionLost::from)?;
        let mut stream = Stream::new(sender, receiver, self.shared.opening_timeout);
        stream.prioritise(opening);
        stream.writer.send(opening).await?;
        Ok(stream)
    }

    /// The next stream that the peer opened. What it is for is read with [`Stream::opening`], in a task of the
    /// stream's own, so that a slow peer does not hold up its other streams. Cancel-safe.
    ///
    /// # Errors
    /// [`ConnectionLost`] when there will be no more.
    pub async fn accept_stream(&self) -> Result<Stream, ConnectionLost> {
        let (sender, receiver) = self.quic.accept_bi().await?;
        Ok(Stream::new(sender, receiver, self.shared.opening_timeout))
    }

    /// Closes the connection at once: streams fail on both sides, and the peer is told the code and the reason (its
    /// first [`TEXT_BYTES_MAX`](protocol::limits::TEXT_BYTES_MAX) bytes). Returns before the peer has been told; a
    /// program that ends now uses [`Connection::close_and_tell`].
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.quic.close(code.to_quinn(), shortened(reason).as_bytes());
    }

    /// Closes as [`Connection::close`] does and returns when the farewell is on its way, after a second at most.
    pub async fn close_and_tell(&self, code: CloseCode, reason: &str) {
        if self.quic.close_reason().is_some() {
            return;
        }
        // quinn has no signal for this, and its `wait_idle` lasts three probe timeouts longer than the farewell. But a
        // closed connection sends nothing except the farewell: the next datagram is it.
        let before = self.sent_datagrams();
        self.close(code, reason);
        let at_close = self.sent_datagrams();
        if at_close != before {
            // The farewell, or a packet that was on its way; which of them cannot be known.
            tokio::time::sleep(FAREWELL_MARGIN).await;
            return;
        }
        let told = async {
            for _ in 0..FAREWELL_YIELDS {
                if self.sent_datagrams() != at_close {
                    return;
                }
                tokio::task::yield_now().await;
            }
            // Whoever is to send it may be waiting for this very processor.
            while self.sent_datagrams() == at_close {
                tokio::time::sleep(FAREWELL_PAUSE).await;
            }
        };
        // The peer notices by its idle timeout if this runs out.
        let _ = tokio::time::timeout(FAREWELL_MAX, told).await;
    }

    fn sent_datagrams(&self) -> u64 {
        self.quic.stats().udp_tx.datagrams
    }

    /// The blob with this name, where the peer is a neighbour that has it at hand.
    pub(crate) fn at_hand(&self, name: &BlobName) -> Option<Vec<Bytes>> {
        self.shared.neighbours.at_hand(&self.shared.peer, name)
    }

    /// The nodes of this process.
    pub(crate) fn neighbours(&self) -> &Neighbours {
        &self.shared.neighbours
    }

    /// Waits for one of the [`FETCHES_MAX`] turns to fetch a blob.
    pub(crate) async fn fetch_turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed; without a turn, fetching would still be right, only less polite.
        self.shared.fetches.acquire().await.ok()
    }

    /// Waits until the connection is gone, and tells why. Cancel-safe.
    pub async fn closed(&self) -> ConnectionLost {
        self.quic.closed().await.into()
    }

    /// Why the connection is gone; `None` while it is there.
    #[must_use]
    pub fn close_reason(&self) -> Option<ConnectionLost> {
        self.quic.close_reason().map(ConnectionLost::from)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer())
            .field("remote_address", &self.remote_address())
            .finish_non_exhaustive()
    }
}
