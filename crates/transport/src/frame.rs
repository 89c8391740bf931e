//! Frames: a 4-byte big-endian length and so many bytes of MessagePack.
//!
//! [`FrameBuffer`] is the pure half: bytes go in as they come, values come out. It checks a length before it makes
//! room for it, and makes room as bytes arrive, never by the claim. [`FrameReader`] fills such a buffer from a QUIC
//! stream with as few reads as possible, so that thousands of small frames cost one; [`FrameWriter`] gathers frames
//! and writes them together. A stream may also carry plain bytes between frames, whose count a frame has named.

mod buffer;
mod reader;
mod writer;

use std::time::Duration;

use protocol::{codec::DecodeError, limits::FRAME_BYTES_MAX};

pub use self::{buffer::FrameBuffer, reader::FrameReader, writer::FrameWriter};
use crate::stream::StreamError;

/// Bytes of the length in front of a frame.
pub const LENGTH_BYTES: usize = 4;

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer announced a frame that is too long.
    #[error(
        "a frame of {claimed_bytes} bytes exceeds the limit of {FRAME_BYTES_MAX} bytes; longer values travel as blobs"
    )]
    TooLong {
        /// What the peer claimed.
        claimed_bytes: u64,
    },
    /// The stream ended in the middle of a frame, or of bytes whose count was named.
    #[error("the stream ended early: {received_bytes} of {expected_bytes} bytes arrived; ask again")]
    Truncated {
        /// Bytes that arrived.
        received_bytes: u64,
        /// Bytes that were announced.
        expected_bytes: u64,
    },
    /// The stream ended where a value was due.
    #[error("the stream ended where a {what} was due; the peer may have stopped or run another version")]
    Ended {
        /// What was due.
        what: &'static str,
    },
    /// A frame's bytes are not the value that was due.
    #[error("a frame was not understood: {0}")]
    Undecodable(#[from] DecodeError),
    /// Named bytes are more than the reader allows.
    #[error("the peer announced {claimed_bytes} bytes, over the limit of {limit_bytes} bytes for them")]
    OverLimit {
        /// What the peer claimed.
        claimed_bytes: u64,
        /// What is allowed.
        limit_bytes: u64,
    },
    /// The peer did not speak in time.
    #[error("the peer said nothing for {waited_ms} ms where a {what} was due")]
    Silent {
        /// What was due.
        what: &'static str,
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// The stream or its connection is gone.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl FrameError {
    pub(crate) fn silent(what: &'static str, waited: Duration) -> Self {
        Self::Silent { what, waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX) }
    }

    /// Whether the peer did what no correct peer does: then its connection is to be closed as
    /// [`CloseCode::BadInput`](crate::CloseCode::BadInput), with this error as the reason.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::TooLong { .. } | Self::Truncated { .. } | Self::Undecodable(_) | Self::OverLimit { .. } => {
                true
            }
            Self::Ended { .. } | Self::Silent { .. } | Self::Stream(_) => false,
        }
    }
}

/// The last word of a type's path, for messages: `Hello` for `protocol::message::Hello`.
pub(crate) fn name_of<T>() -> &'static str {
    let path = std::any::type_name::<T>();
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

/// How many times as much room is made as bytes have arrived. Room that nothing was written to takes addresses and no memory,
/// and each growth copies all that is there.
const ROOM_FACTOR: usize = 8;

/// Appends a piece of what will be at most `total_bytes` long. Room grows as pieces arrive and ends at the total,
/// so that neither a claim takes memory nor a finished blob wastes any.
pub(crate) fn append_within(bytes: &mut Vec<u8>, piece: &[u8], total_bytes: u64) {
    let needed = bytes.len() + piece.len();
    if needed > bytes.capacity() {
        let total = usize::try_from(total_bytes).unwrap_or(usize::MAX);
        let capacity = needed.saturating_mul(ROOM_FACTOR).min(total).max(needed);
        bytes.reserve_exact(capacity - bytes.len());
    }
    bytes.extend_from_slice(piece);
}
