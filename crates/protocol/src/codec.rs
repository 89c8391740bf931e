//! The one way bytes become values: MessagePack, bounded before it allocates, and nothing may trail.

use std::io;

use rmp_serde::{
    Deserializer,
    decode::{Error, ReadRefReader},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::limits::DECODE_DEPTH_MAX;

/// Reads values from bytes that stand in memory.
type FromSlice<'b> = Deserializer<ReadRefReader<'b, [u8]>>;

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

/// As [`encode`], with room at first for so many bytes: a long list is not moved again and again while it grows.
#[must_use]
pub(crate) fn encode_with_room<T: Serialize>(value: &T, room_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(room_bytes);
    rmp_serde::encode::write(&mut bytes, value).expect("as in `encode`");
    bytes
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
    let malformed = |error: Error| DecodeError::Malformed { what, reason: error.to_string() };
    // Texts and bytes are taken from where they stand. This reader does not tell how far it came.
    let mut reader = FromSlice::from_read_ref(bytes);
    reader.set_max_depth(DECODE_DEPTH_MAX);
    let value = T::deserialize(&mut reader).map_err(malformed)?;
    if is_at_end(&mut reader) {
        return Ok(value);
    }
    // This one does.
    let mut reader = Deserializer::new(bytes);
    reader.set_max_depth(DECODE_DEPTH_MAX);
    T::deserialize(&mut reader).map_err(malformed)?;
    Err(DecodeError::Trailing { what, extra_bytes: reader.get_ref().len() })
}

/// Whether no byte is left. If there is one, it is the marker of a value, which is read before anything else, and of what is
/// no truth nothing more is read: only at the end is a marker missing.
fn is_at_end(reader: &mut FromSlice<'_>) -> bool {
    let next = bool::deserialize(reader);
    matches!(next, Err(Error::InvalidMarkerRead(error)) if error.kind() == io::ErrorKind::UnexpectedEof)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A value with a list, a text, bytes, a choice and something that may be missing.
    type Sample = (Vec<u64>, String, serde_bytes::ByteBuf, Option<bool>, Result<u8, Option<String>>);

    /// The same by a reader that copies everything, and tells how far it came.
    fn plainly<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Option<usize>> {
        let mut reader = Deserializer::new(bytes);
        reader.set_max_depth(DECODE_DEPTH_MAX);
        let value = T::deserialize(&mut reader).map_err(|_| None)?;
        let left = reader.get_ref().len();
        if left == 0 { Ok(value) } else { Err(Some(left)) }
    }

    fn agree<T: DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Result<(), TestCaseError> {
        let found = decode::<T>("sample", bytes, bytes.len()).map_err(|error| match error {
            DecodeError::Trailing { extra_bytes, .. } => Some(extra_bytes),
            _ => None,
        });
        prop_assert_eq!(found, plainly(bytes));
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn bytes_are_a_value_exactly_where_nothing_is_left_behind_it(
            list in prop::collection::vec(any::<u64>(), 0..4),
            text in ".{0,4}",
            blob in prop::collection::vec(any::<u8>(), 0..4),
            rest in (any::<Option<bool>>(), any::<Result<u8, Option<String>>>()),
            behind in prop::collection::vec(any::<u8>(), 0..3),
            cut in 0..40_usize,
        ) {
            let sample: Sample = (list, text, serde_bytes::ByteBuf::from(blob), rest.0, rest.1);
            let mut bytes = encode(&sample);
            agree::<Sample>(&bytes[..cut.min(bytes.len())])?;
            bytes.extend(behind);
            agree::<Sample>(&bytes)?;
        }

        #[test]
        fn any_bytes_are_read_as_the_plain_reader_reads_them(bytes in prop::collection::vec(any::<u8>(), 0..6)) {
            agree::<u64>(&bytes)?;
            agree::<Option<Vec<u8>>>(&bytes)?;
            agree::<String>(&bytes)?;
        }
    }

    #[test]
    fn every_byte_behind_a_value_is_told() {
        for byte in 0..=u8::MAX {
            let told = decode::<u8>("number", &[7, byte], 10);
            assert_eq!(told, Err(DecodeError::Trailing { what: "number", extra_bytes: 1 }), "{byte:#x}");
        }
    }
}
