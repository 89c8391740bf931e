//! The transport as its users see it: real QUIC on loopback, and peers that behave badly in every way we know.
//!
//! One test binary, so that the tests share what they need to stand in for a network ([`relay`]), for a peer of
//! another make ([`foreign`]) and for a pair of nodes ([`support`]).

mod backoff;
mod blobs;
mod foreign;
mod frames;
mod handshake;
mod identity;
mod neighbours;
mod packets;
mod relay;
mod resilience;
mod support;
