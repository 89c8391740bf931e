//! The one way bytes become values: MessagePack, bounded before it allocates, and nothing may trail.

use std::io;

use serde::{Serialize, de::DeserializeOwned};

use crate::limits::DECODE_DEPTH_MAX;

/// Why bytes were not a value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// More bytes than the limit for this kind of value.
    #[error("{what} of {actual_bytes} bytes exceeds the limit of {limit_bytes} bytes")]
    TooLong {
        /// What was decoded.
        what: &'static str,
        /// How many bytes there were.
        actual_bytes: usize,
        /// How many there may be.
        limit_bytes: usize,
    },
    /// Bytes follow the value.
    #[error("{extra_bytes} bytes trail the {what}")]
    Trailing {
        /// What was decoded.
        what: &'static str,
        /// How many bytes follow.
        extra_bytes: usize,
    },
    /// The bytes are not the canonical encoding of the value that they hold.
    #[error("the {what} is not in its canonical encoding")]
    NotCanonical {
        /// What was decoded.
        what: &'static str,
    },
    /// The bytes are not such a value.
    #[error("not a {what}: {reason}")]
    Malformed {
        /// What was decoded.
        what: &'static str,
        /// What the decoder said.
        reason: String,
    },
}

/// The canonical bytes of a value: MessagePack with structs as arrays.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value)
        .expect("our own types always encode: no map with unknown length, no failing serializer")
}

/// Decodes a value of at most `limit_bytes`, with nothing after it.
///
/// # Errors
/// [`DecodeError`] when the bytes are too many, not such a value, nested too deeply or followed by others.
pub fn decode<T: DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
    limit_bytes: usize,
) -> Result<T, DecodeError> {
    if bytes.len() > limit_bytes {
        return Err(DecodeError::TooLong { what, actual_bytes: bytes.len(), limit_bytes });
    }
    let mut reader = rmp_serde::Deserializer::new(bytes);
    reader.set_max_depth(DECODE_DEPTH_MAX);
    let value = T::deserialize(&mut reader)
        .map_err(|error| DecodeError::Malformed { what, reason: error.to_string() })?;
    let extra_bytes = reader.get_ref().len();
    if extra_bytes > 0 {
        return Err(DecodeError::Trailing { what, extra_bytes });
    }
    Ok(value)
}

/// Decodes a value whose bytes carry a digest: they must be exactly what [`encode`] makes of the value.
///
/// # Errors
/// As [`decode`], and [`DecodeError::NotCanonical`].
pub fn decode_canonical<T: DeserializeOwned + Serialize>(
    what: &'static str,
    bytes: &[u8],
    limit_bytes: usize,
) -> Result<T, DecodeError> {
    let value: T = decode(what, bytes, limit_bytes)?;
    let mut same = Same(bytes);
    match rmp_serde::encode::write(&mut same, &value) {
        Ok(()) if same.0.is_empty() => Ok(value),
        _ => Err(DecodeError::NotCanonical { what }),
    }
}

/// Takes in bytes as long as they are those that are expected, so that nothing is encoded just to be compared.
struct Same<'b>(&'b [u8]);

impl io::Write for Same<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    // Most pieces are a marker of one byte.
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0 = match (bytes, self.0.split_first()) {
            ([byte], Some((first, rest))) if byte == first => rest,
            _ => self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?,
        };
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
