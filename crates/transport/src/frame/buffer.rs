//! The pure half of reading frames: bytes in, values out, no I/O.

use protocol::{codec, limits::FRAME_BYTES_MAX};
use serde::de::DeserializeOwned;

use super::{FrameError, LENGTH_BYTES, name_of};

/// Room at the start; most streams carry a few small frames.
const CAPACITY_BYTES_MIN: usize = 1024;
/// Room for the longest frame, and for thousands of small ones at a time.
const CAPACITY_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

/// Bytes that arrived and were not yet taken out. Holds at most twice [`FRAME_BYTES_MAX`] whatever the bytes claim.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    /// Initialised memory; `start..end` are the bytes that wait.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes that came since [`FrameBuffer::rest`].
    came_bytes: usize,
}

impl FrameBuffer {
    /// Without any byte.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes wait to be taken out.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.end - self.start
    }

    /// How much memory it holds.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Room for more bytes, to be filled from its start; then call [`FrameBuffer::filled`]. Never empty as long as
    /// whatever can be taken out was taken out. It doubles when bytes have filled it, up to the bound.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        if self.end == self.bytes.len() {
            // Moving is cheap where little waits; where much waits, more room is due.
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.end > self.bytes.len() / 2 || self.bytes.is_empty() {
                let capacity = (self.bytes.len() * 2).clamp(CAPACITY_BYTES_MIN, CAPACITY_BYTES_MAX);
                self.bytes.resize(capacity, 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    /// The first `count` bytes of [`FrameBuffer::room`] are now filled.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
        self.came_bytes = self.came_bytes.saturating_add(count);
    }

    /// Nothing more comes for now: gives its memory back, if nothing waits in it and less came since the last rest than
    /// half of what it can hold. So a stream that is idle holds none, and one that is busy keeps what it needs.
    pub fn rest(&mut self) {
        let came_bytes = std::mem::take(&mut self.came_bytes);
        if self.start == self.end && came_bytes < self.bytes.len() / 2 {
            *self = Self::new();
        }
    }

    /// Takes as many of `bytes` as there is room for, and returns how many those are.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let room = self.room();
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.filled(count);
        count
    }

    /// Takes out the next value, or says with `None` that bytes are missing.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] as soon as the length is known; nothing more can be read then, and the error repeats.
    /// [`FrameError::Undecodable`] when the body is no `T`; the frame is taken out.
    pub fn next_frame<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let waiting = &self.bytes[self.start..self.end];
        let Some((length, rest)) = waiting.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let claimed = u32::from_be_bytes(*length);
        let length = checked_length(claimed)?;
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let value = codec::decode(name_of::<T>(), body, FRAME_BYTES_MAX);
        self.start += LENGTH_BYTES + length;
        Ok(Some(value?))
    }

    /// Takes out at most `count_max` plain bytes, those that arrived first; empty when none wait.
    pub fn take(&mut self, count_max: usize) -> &[u8] {
        let count = count_max.min(self.waiting_bytes());
        let start = self.start;
        self.start += count;
        &self.bytes[start..start + count]
    }

    /// What a stream that ends now has cut off; `None` when it ends between frames.
    #[must_use]
    pub fn truncation(&self) -> Option<FrameError> {
        let waiting = &self.bytes[self.start..self.end];
        if waiting.is_empty() {
            return None;
        }
        let expected = match waiting.first_chunk::<LENGTH_BYTES>() {
            Some(length) => LENGTH_BYTES as u64 + u64::from(u32::from_be_bytes(*length)),
            None => LENGTH_BYTES as u64,
        };
        Some(FrameError::Truncated { received_bytes: waiting.len() as u64, expected_bytes: expected })
    }
}

fn checked_length(claimed: u32) -> Result<usize, FrameError> {
    usize::try_from(claimed)
        .ok()
        .filter(|length| *length <= FRAME_BYTES_MAX)
        .ok_or(FrameError::TooLong { claimed_bytes: u64::from(claimed) })
}
