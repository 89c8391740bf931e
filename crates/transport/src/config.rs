//! The numbers of the transport: how long silence is borne, and how much one peer and one listener may take.
//!
//! Each has a default that a cluster on the internet can live with; tests shorten the times.

use std::{sync::Arc, time::Duration};

use protocol::limits::{CLIENTS_MAX, WORKERS_MAX};
use quinn::{AckFrequencyConfig, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};

use crate::blob::Neighbours;

/// So many packets that ask for an acknowledgement may go without one, as long as it travels with an answer or 25 ms later:
/// most words here are answered, and a packet that says nothing but that another one came costs as much as one that says
/// something. Below QUIC's first congestion window of ten packets or so, which would wait otherwise.
const UNACKNOWLEDGED_PACKETS_MAX: u32 = 8;

/// The largest datagram that is sent and taken in, in bytes, where the path lets it through: as many as QUIC sends at once are
/// less than the 64 KiB that the kernel takes at once.
const DATAGRAM_BYTES_MAX: u16 = 6000;

/// What an endpoint takes in.
pub(crate) fn endpoint_config() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    // Refused is only what is shorter than any QUIC datagram; then the default stands.
    let _ = config.max_udp_payload_size(DATAGRAM_BYTES_MAX);
    config
}

/// How one connection behaves. The idle timeout that counts is the shorter one of the two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// After this much silence a packet asks whether the peer is still there. Under half of `idle_timeout`.
    pub keep_alive: Duration,
    /// After this much silence the connection is given up.
    pub idle_timeout: Duration,
    /// Streams that the peer may have open at a time; further ones wait on its side.
    pub streams_max: u32,
    /// Bytes that the peer may send on one stream ahead of what was read.
    pub stream_window_bytes: u32,
    /// Bytes that the peer may send on all streams ahead of what was read: the memory that one peer can take.
    pub connection_window_bytes: u32,
    /// Bytes that were written and not yet acknowledged, over all streams, before writers wait.
    pub send_window_bytes: u32,
    /// The largest datagram that is tried, in bytes, from 1200 to 6000. QUIC finds out by itself what fits through a path:
    /// through Ethernet 1452 bytes, through jumbo frames and the machine itself more, and a long packet costs little more
    /// than a short one.
    pub datagram_bytes_max: u16,
    /// How long a peer that opened a stream may take to say what it is for.
    pub opening_timeout: Duration,
    /// The other nodes of this process, which hand over blobs without sending them; by default there are none.
    pub neighbours: Neighbours,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(10),
            streams_max: 64,
            stream_window_bytes: 2 * 1024 * 1024,
            connection_window_bytes: 8 * 1024 * 1024,
            send_window_bytes: 8 * 1024 * 1024,
            datagram_bytes_max: DATAGRAM_BYTES_MAX,
            opening_timeout: Duration::from_secs(10),
            neighbours: Neighbours::default(),
        }
    }
}

impl ConnectionConfig {
    pub(crate) fn to_quinn(&self) -> Arc<TransportConfig> {
        let idle_ms = u32::try_from(self.idle_timeout.as_millis()).unwrap_or(u32::MAX);
        let mut config = TransportConfig::default();
        let mut acknowledgements = AckFrequencyConfig::default();
        acknowledgements.ack_eliciting_threshold(VarInt::from_u32(UNACKNOWLEDGED_PACKETS_MAX));
        let mut datagrams = MtuDiscoveryConfig::default();
        datagrams.upper_bound(self.datagram_bytes_max);
        config
            .mtu_discovery_config(Some(datagrams))
            .ack_frequency_config(Some(acknowledgements))
            .keep_alive_interval(Some(self.keep_alive))
            .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle_ms))))
            .max_concurrent_bidi_streams(VarInt::from_u32(self.streams_max))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .datagram_receive_buffer_size(None)
            .stream_receive_window(VarInt::from_u32(self.stream_window_bytes))
            .receive_window(VarInt::from_u32(self.connection_window_bytes))
            .send_window(u64::from(self.send_window_bytes));
        Arc::new(config)
    }
}

/// How a listener behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConfig {
    /// How its connections behave.
    pub connection: ConnectionConfig,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// Handshakes under way at a time, at least 1; further peers wait. From half of this on, a peer must first show that it
    /// receives at its address.
    pub handshakes_max: usize,
    /// How long a handshake keeps its place while others wait for it: a few round trips of a peer that is far away.
    pub handshake_turn: Duration,
    /// Connections at a time; further ones are told that the listener is full.
    pub connections_max: usize,
}

/// How many streams a peer of a listener may have open at a time. It has many peers, and each takes memory for so many; a few
/// are enough for whoever talks on one of them and fetches a blob now and then. Others are allowed more when it is known who
/// they are ([`Connection::allow_streams`](crate::Connection::allow_streams)).
const LISTENER_STREAMS_MAX: u32 = 12;

/// The largest datagram that a listener tries: the buffer of each connection grows to hold it, and by doubling to this one.
const LISTENER_DATAGRAM_BYTES_MAX: u16 = 2400;

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            connection: ConnectionConfig {
                streams_max: LISTENER_STREAMS_MAX,
                datagram_bytes_max: LISTENER_DATAGRAM_BYTES_MAX,
                ..ConnectionConfig::default()
            },
            handshake_timeout: Duration::from_secs(10),
            handshakes_max: 64,
            handshake_turn: Duration::from_millis(500),
            connections_max: WORKERS_MAX + CLIENTS_MAX,
        }
    }
}
