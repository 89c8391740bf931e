//! Frames and plain bytes into a QUIC stream.

use bytes::{BufMut, Bytes, BytesMut};
use protocol::{codec, limits::FRAME_BYTES_MAX};
use quinn::{SendStream, VarInt};
use serde::Serialize;

use super::LENGTH_BYTES;
use crate::{close::ConnectionLost, stream::StreamError};

/// Gathered frames are written when they are this long together.
const BATCH_BYTES: usize = 64 * 1024;

/// The sending half of a stream. Dropping it ends the stream in good order, without the frames that were fed and not
/// flushed; [`FrameWriter::abandon`] ends it so that the peer takes it for broken.
#[derive(Debug)]
pub struct FrameWriter {
    stream: SendStream,
    /// Gathered, and not yet on its way.
    batch: BytesMut,
    /// On its way: what is left of the batch that is being written.
    writing: Bytes,
}

impl FrameWriter {
    pub(crate) fn new(stream: SendStream) -> Self {
        Self { stream, batch: BytesMut::new(), writing: Bytes::new() }
    }

    /// Adds a frame to the batch, after writing a batch that is full. Cancel-safe: a call that was dropped has added
    /// nothing.
    ///
    /// # Errors
    /// [`StreamError::OwnFrameTooLong`], and then nothing was added; or the stream is gone.
    pub async fn feed<T: Serialize>(&mut self, value: &T) -> Result<(), StreamError> {
        if self.batch.len() >= BATCH_BYTES {
            self.flush().await?;
        }
        self.append(value)
    }

    /// Writes everything that was fed. Cancel-safe: the next flush goes on where this one stopped. Returns when QUIC
    /// has taken the bytes; that the peer has read them, only its answer tells.
    ///
    /// # Errors
    /// The stream is gone.
    pub async fn flush(&mut self) -> Result<(), StreamError> {
        loop {
            while !self.writing.is_empty() {
                // `write_chunks` shortens `writing` by what it took, and only when it returns.
                self.stream.write_chunks(std::slice::from_mut(&mut self.writing)).await?;
            }
            if self.batch.is_empty() {
                return Ok(());
            }
            self.writing = self.batch.split().freeze();
        }
    }

    /// Feeds and flushes one value. A call that was dropped may have added it.
    ///
    /// # Errors
    /// As [`FrameWriter::feed`].
    pub async fn send<T: Serialize>(&mut self, value: &T) -> Result<(), StreamError> {
        self.feed(value).await?;
        self.flush().await
    }

    /// Feeds and flushes many values, in as few writes as possible.
    ///
    /// # Errors
    /// As [`FrameWriter::feed`]; the values before a failure may have been sent.
    pub async fn send_many<'a, T: Serialize + 'a>(
        &mut self,
        values: impl IntoIterator<Item = &'a T>,
    ) -> Result<(), StreamError> {
        for value in values {
            self.feed(value).await?;
        }
        self.flush().await
    }

    /// Adds plain bytes to the batch, where they are few, or writes them. Their count must have been told.
    ///
    /// # Errors
    /// The stream is gone.
    pub async fn feed_bytes(&mut self, bytes: &[u8]) -> Result<(), StreamError> {
        if bytes.len() >= BATCH_BYTES {
            return self.send_bytes(Bytes::copy_from_slice(bytes)).await;
        }
        if self.batch.len() >= BATCH_BYTES {
            self.flush().await?;
        }
        self.batch.put_slice(bytes);
        Ok(())
    }

    /// Writes plain bytes, after everything that was fed, without copying them. Their count must have been told.
    ///
    /// # Errors
    /// The stream is gone.
    pub async fn send_bytes(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.flush().await?;
        self.writing = bytes;
        self.flush().await
    }

    /// Flushes, and tells the peer that nothing more will come.
    ///
    /// # Errors
    /// The stream is gone.
    pub async fn finish(&mut self) -> Result<(), StreamError> {
        self.flush().await?;
        self.stream.finish().map_err(|_| StreamError::Finished)
    }

    /// After [`FrameWriter::finish`]: waits until the peer's transport holds everything that was sent. Without this,
    /// a connection that is closed right after loses what is still under way.
    ///
    /// # Errors
    /// The stream was stopped by the peer or is gone.
    pub async fn delivered(&mut self) -> Result<(), StreamError> {
        match self.stream.stopped().await {
            Ok(None) => Ok(()),
            Ok(Some(code)) => Err(StreamError::StoppedByPeer(code.into_inner())),
            Err(quinn::StoppedError::ConnectionLost(lost)) => Err(ConnectionLost::from(lost).into()),
            Err(quinn::StoppedError::ZeroRttRejected) => Err(StreamError::Finished),
        }
    }

    /// Ends the stream so that the peer sees it as broken, and drops what was not sent yet.
    pub fn abandon(&mut self) {
        self.batch.clear();
        self.writing.clear();
        // The stream may be at its end already; then there is nothing to abandon.
        let _ = self.stream.reset(VarInt::from_u32(1));
    }

    /// Streams with a higher priority are sent first; 0 is the default.
    pub(crate) fn set_priority(&mut self, priority: i32) {
        // A stream that is already closed needs none.
        let _ = self.stream.set_priority(priority);
    }

    fn append<T: Serialize>(&mut self, value: &T) -> Result<(), StreamError> {
        let body = codec::encode(value);
        let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= FRAME_BYTES_MAX);
        let Some(length) = length else {
            return Err(StreamError::OwnFrameTooLong { length_bytes: body.len() });
        };
        self.batch.reserve(LENGTH_BYTES + body.len());
        self.batch.put_u32(length);
        self.batch.put_slice(&body);
        Ok(())
    }
}
