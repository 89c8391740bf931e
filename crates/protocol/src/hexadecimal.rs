//! How keys, digests and signatures are written: bytes on the wire, hexadecimal in JSON.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{
    Deserialize, Deserializer, Serializer,
    de::{Error, SeqAccess, Visitor},
};

/// Writes bytes, or lowercase hexadecimal where a person may read it.
///
/// # Errors
/// Whatever the serializer reports.
pub(crate) fn serialize<S: Serializer, const N: usize>(
    bytes: &[u8; N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.serialize_str(&HEXLOWER.encode(bytes))
    } else {
        serde_bytes::serialize(&bytes[..], serializer)
    }
}

/// Reads what [`serialize`] wrote.
///
/// # Errors
/// When it is not `N` bytes.
pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
) -> Result<[u8; N], D::Error> {
    if deserializer.is_human_readable() {
        let text = String::deserialize(deserializer)?;
        return sized(&HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)?);
    }
    deserializer.deserialize_bytes(Exactly)
}

fn sized<E: Error, const N: usize>(bytes: &[u8]) -> Result<[u8; N], E> {
    bytes.try_into().map_err(|_| wrong_size(bytes.len(), N))
}

fn wrong_size<E: Error>(bytes: usize, needed: usize) -> E {
    E::custom(format_args!("{bytes} bytes where {needed} are needed"))
}

/// Copies the bytes from where they stand: a bundle has thousands of digests.
struct Exactly<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for Exactly<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<[u8; N], E> {
        sized(bytes)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<[u8; N], E> {
        sized(text.as_bytes())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<[u8; N], A::Error> {
        let mut bytes = [0; N];
        let mut count = 0;
        while let Some(byte) = list.next_element()? {
            if let Some(place) = bytes.get_mut(count) {
                *place = byte;
            }
            count += 1;
        }
        if count == N { Ok(bytes) } else { Err(wrong_size(count, N)) }
    }
}
