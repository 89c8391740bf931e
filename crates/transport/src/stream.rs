//! Streams: one conversation each, and the opening frame that says which.
//!
//! Small things go ahead of bulk: the control stream has the highest priority, then the requests of clients, then
//! blobs.

use std::time::Duration;

use protocol::message::{BlobRequest, Hello, Request};
use quinn::{ReadError, RecvStream, SendStream, WriteError};
use serde::{Deserialize, Serialize};

use crate::{
    close::ConnectionLost,
    frame::{FrameError, FrameReader, FrameWriter},
};

/// The first frame of every stream: what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    /// The connection's first stream. A `Welcome` answers; then the messages of a worker and of the coordinator.
    Control(Hello),
    /// One request of a client and its `Response`s.
    Request(Request),
    /// One blob, from either side; see [`crate::blob`].
    Blob(BlobRequest),
}

impl Opening {
    fn priority(&self) -> i32 {
        match self {
            Self::Control(_) => 2,
            Self::Request(_) => 1,
            Self::Blob(_) => 0,
        }
    }
}

/// Why nothing more can be sent or received on a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The whole connection is gone.
    #[error(transparent)]
    Connection(#[from] ConnectionLost),
    /// The peer gave up sending.
    #[error("the peer broke off the stream (code {0})")]
    AbandonedByPeer(u64),
    /// The peer does not want to receive more.
    #[error("the peer stopped reading the stream (code {0})")]
    StoppedByPeer(u64),
    /// This side has finished or abandoned the stream before.
    #[error("the stream was already finished on this side")]
    Finished,
    /// This side was about to send a frame that no peer accepts.
    #[error(
        "a frame of {length_bytes} bytes cannot be sent, the limit is {} bytes; send it as a blob",
        protocol::limits::FRAME_BYTES_MAX
    )]
    OwnFrameTooLong {
        /// How long it would have been.
        length_bytes: usize,
    },
}

impl From<WriteError> for StreamError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped(code) => Self::StoppedByPeer(code.into_inner()),
            WriteError::ConnectionLost(lost) => Self::Connection(lost.into()),
            WriteError::ClosedStream | WriteError::ZeroRttRejected => Self::Finished,
        }
    }
}

impl From<ReadError> for StreamError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset(code) => Self::AbandonedByPeer(code.into_inner()),
            ReadError::ConnectionLost(lost) => Self::Connection(lost.into()),
            ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected => {
                Self::Finished
            }
        }
    }
}

/// A bidirectional stream. Its halves may be moved to different tasks.
#[derive(Debug)]
pub struct Stream {
    /// What this side sends.
    pub writer: FrameWriter,
    /// What the peer sends.
    pub reader: FrameReader,
    opening_timeout: Duration,
}

impl Stream {
    pub(crate) fn new(sender: SendStream, receiver: RecvStream, opening_timeout: Duration) -> Self {
        Self { writer: FrameWriter::new(sender), reader: FrameReader::new(receiver), opening_timeout }
    }

    /// Reads, on a stream that the peer opened, what it is for; to be called once and first. The answers get the
    /// priority that belongs to it.
    ///
    /// # Errors
    /// [`FrameError`]; also when the peer takes longer than the connection's
    /// [`opening_timeout`](crate::ConnectionConfig::opening_timeout).
    pub async fn opening(&mut self) -> Result<Opening, FrameError> {
        let opening = self.reader.require_within(self.opening_timeout).await?;
        self.prioritise(&opening);
        Ok(opening)
    }

    pub(crate) fn prioritise(&mut self, opening: &Opening) {
        self.writer.set_priority(opening.priority());
    }
}
