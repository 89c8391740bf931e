//! Frames and plain bytes from a QUIC stream.

use std::{
    future::poll_fn,
    mem::MaybeUninit,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use quinn::{ReadError, RecvStream};
use serde::de::DeserializeOwned;
use tokio::io::ReadBuf;

use super::{FrameBuffer, FrameError, append_within, name_of};
use crate::stream::StreamError;

/// Most bytes that [`FrameReader::next_bytes`] returns at a time.
const CHUNK_BYTES_MAX: usize = 256 * 1024;
/// Where there is no buffer, so many bytes are read at most before there is one.
const FIRST_BYTES_MAX: usize = 4 * 1024;

/// The receiving half of a stream. When it is dropped before its end, the peer is told to stop sending.
#[derive(Debug)]
pub struct FrameReader {
    stream: RecvStream,
    buffer: FrameBuffer,
    ended: bool,
}

impl FrameReader {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, buffer: FrameBuffer::new(), ended: false }
    }

    /// The next value, or `None` when the peer finished the stream between two frames. Cancel-safe: a dropped call
    /// loses no byte.
    ///
    /// # Errors
    /// [`FrameError`]; after one that [is bad input](FrameError::is_bad_input) the stream is of no more use.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        loop {
            if let Some(value) = self.buffer.next_frame()? {
                return Ok(Some(value));
            }
            if !self.fill().await? {
                return self.buffer.truncation().map_or(Ok(None), Err);
            }
        }
    }

    /// The next value, where the stream must not end yet. Cancel-safe.
    ///
    /// # Errors
    /// As [`FrameReader::next`], and [`FrameError::Ended`].
    pub async fn require<T: DeserializeOwned>(&mut self) -> Result<T, FrameError> {
        self.next().await?.ok_or(FrameError::Ended { what: name_of::<T>() })
    }

    /// As [`FrameReader::require`], for a peer that must speak within `limit`. Cancel-safe.
    ///
    /// # Errors
    /// As [`FrameReader::require`], and [`FrameError::Silent`].
    pub async fn require_within<T: DeserializeOwned>(&mut self, limit: Duration) -> Result<T, FrameError> {
        tokio::time::timeout(limit, self.require())
            .await
            .map_err(|_| FrameError::silent(name_of::<T>(), limit))?
    }

    /// The next value if it has already been read from the stream; never waits. With it, whoever was woken by
    /// [`FrameReader::next`] can take the whole batch that came along.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] or [`FrameError::Undecodable`].
    pub fn next_ready<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        self.buffer.next_frame()
    }

    /// Some plain bytes, at most `count_max` and at least one, or `None` at the stream's end. Cancel-safe.
    ///
    /// # Errors
    /// [`FrameError::Stream`].
    pub async fn next_bytes(&mut self, count_max: u64) -> Result<Option<Bytes>, FrameError> {
        let count_max = usize::try_from(count_max).unwrap_or(usize::MAX).clamp(1, CHUNK_BYTES_MAX);
        if self.buffer.waiting_bytes() > 0 {
            return Ok(Some(Bytes::copy_from_slice(self.buffer.take(count_max))));
        }
        if self.ended {
            return Ok(None);
        }
        let chunk = self.stream.read_chunk(count_max, true).await.map_err(StreamError::from)?;
        self.ended = chunk.is_none();
        Ok(chunk.map(|chunk| chunk.bytes))
    }

    /// Exactly `count` plain bytes, which the peer announced and the caller limits to `count_max`. Memory is taken
    /// as they arrive; `stall` bounds the wait for each next piece.
    ///
    /// # Errors
    /// [`FrameError::OverLimit`] before anything is read, [`FrameError::Truncated`], [`FrameError::Silent`] or
    /// [`FrameError::Stream`].
    pub async fn exact_bytes(
        &mut self,
        count: u64,
        count_max: u64,
        stall: Duration,
    ) -> Result<Vec<u8>, FrameError> {
        if count > count_max {
            return Err(FrameError::OverLimit { claimed_bytes: count, limit_bytes: count_max });
        }
        let mut bytes = Vec::new();
        loop {
            let missing = count - bytes.len() as u64;
            if missing == 0 {
                return Ok(bytes);
            }
            let piece = tokio::time::timeout(stall, self.next_bytes(missing)).await;
            let piece = piece.map_err(|_| FrameError::silent("piece of the announced bytes", stall))??;
            let Some(piece) = piece else {
                let received_bytes = bytes.len() as u64;
                return Err(FrameError::Truncated { received_bytes, expected_bytes: count });
            };
            append_within(&mut bytes, &piece, count);
        }
    }

    /// Reads more bytes into the buffer; `false` at the stream's end.
    async fn fill(&mut self) -> Result<bool, FrameError> {
        if self.ended {
            return Ok(false);
        }
        let count = poll_fn(|context| self.poll_fill(context)).await.map_err(StreamError::from)?;
        self.ended = count == 0;
        Ok(!self.ended)
    }

    /// Reads what is there, and tells how many bytes it was; none at the stream's end. Most streams wait most of the time, and
    /// without a buffer: what comes next is read over the stack.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<usize, ReadError>> {
        if self.buffer.capacity_bytes() > 0 {
            let read = self.stream.poll_read(context, self.buffer.room());
            match read {
                Poll::Ready(Ok(count)) => self.buffer.filled(count),
                Poll::Ready(Err(_)) => {}
                Poll::Pending => self.buffer.rest(),
            }
            return read;
        }
        let mut first = [const { MaybeUninit::uninit() }; FIRST_BYTES_MAX];
        let mut first = ReadBuf::uninit(&mut first);
        ready!(self.stream.poll_read_buf(context, &mut first))?;
        let mut rest = first.filled();
        while !rest.is_empty() {
            rest = &rest[self.buffer.push(rest)..];
        }
        Poll::Ready(Ok(first.filled().len()))
    }
}
