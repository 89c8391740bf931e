//! How it travels: QUIC between nodes that are their Ed25519 keys, framed streams on it, and blobs.
//!
//! A [`Listener`] accepts and [`connect()`] reaches; both give a [`Connection`] whose other side has proven its
//! [`NodeId`](protocol::identity::NodeId). On it run bidirectional [`Stream`]s. The first frame of each is an
//! [`Opening`] that says what the stream is for: the control stream (a hello, then messages both ways), one request
//! of a client, or one blob. A connection says hello before anything else; who is let in is decided above this crate.
//!
//! Whatever a peer sends is bounded before it costs memory: a frame by
//! [`FRAME_BYTES_MAX`](protocol::limits::FRAME_BYTES_MAX), a blob by the length that the fetcher allows, a
//! connection by its receive window, a listener by its handshakes and connections.
#![forbid(unsafe_code)]

pub mod backoff;
pub mod blob;
pub mod close;
pub mod config;
pub mod connect;
pub mod connection;
pub mod frame;
pub mod identity;
pub mod listener;
pub mod stream;
mod tls;

pub use self::{
    backoff::Backoff,
    close::{CloseCode, ConnectionLost},
    config::{ConnectionConfig, ListenerConfig},
    connect::{ConnectError, connect, connect_with},
    connection::{Connection, Traffic},
    frame::{FrameError, FrameReader, FrameWriter},
    listener::{ListenError, Listener, ListenerStatistics},
    stream::{Opening, Stream, StreamError},
    tls::TlsError,
};
