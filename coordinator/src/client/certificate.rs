//! A job's certificate as it arrives at a client, piece by piece.

use protocol::certificate::SIGNATURE_BYTES;
use transport::Stream;

use super::{ANSWER_TIMEOUT, PIECE_BYTES_MAX};
use crate::exit::CommandError;

/// The bytes of a certificate as they arrive.
pub struct CertificateStream {
    pub(super) left_bytes: u64,
    pub(super) stream: Stream,
}

impl CertificateStream {
    /// The next piece before the signature; none after the last.
    ///
    /// # Errors
    /// [`CommandError`] when the connection breaks.
    pub async fn next_piece(&mut self) -> Result<Option<Vec<u8>>, CommandError> {
        match self.left_bytes.saturating_sub(SIGNATURE_BYTES).min(PIECE_BYTES_MAX) {
            0 => Ok(None),
            bytes => self.take(bytes).await.map(Some),
        }
    }

    /// The next so many bytes: some hundred at most, but for pieces.
    ///
    /// # Errors
    /// [`CommandError`] when there are fewer, or the connection breaks.
    pub async fn take(&mut self, bytes: u64) -> Result<Vec<u8>, CommandError> {
        let left = self.left_bytes.checked_sub(bytes);
        self.left_bytes =
            left.ok_or_else(|| CommandError::Broken("the certificate is cut off".to_owned()))?;
        Ok(self.stream.reader.exact_bytes(bytes, PIECE_BYTES_MAX, ANSWER_TIMEOUT).await?)
    }
}
