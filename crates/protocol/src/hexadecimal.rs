//! How keys, digests and signatures are written: bytes on the wire, hexadecimal in JSON.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

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
    let bytes: Vec<u8> = if deserializer.is_human_readable() {
        let text = String::deserialize(deserializer)?;
        HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)?
    } else {
        serde_bytes::deserialize(deserializer)?
    };
    let length = bytes.len();
    bytes.try_into().map_err(|_| D::Error::custom(format_args!("{length} bytes where {N} are needed")))
}
