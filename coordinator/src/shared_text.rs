//! The text of an expression file as bytes that are sent and kept: it may have 256 MiB, and stands in memory once.

use std::sync::Arc;

use bytes::Bytes;

/// A text that its plan holds, too.
struct SharedText(Arc<str>);

impl AsRef<[u8]> for SharedText {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The bytes of a text, without a copy.
pub(crate) fn bytes_of(text: Arc<str>) -> Bytes {
    Bytes::from_owner(SharedText(text))
}
