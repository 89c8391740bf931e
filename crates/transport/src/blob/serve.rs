//! Answering a request for a blob, from memory or from a file.

use std::{future::Future, io, path::Path, time::Duration};

use bytes::{Bytes, BytesMut};
use protocol::message::{BlobName, BlobReply, BlobRequest};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};

use super::{STALL_TIMEOUT, describe};
use crate::stream::{Stream, StreamError};

/// Bytes that are read and written at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Where blobs come from.
pub trait BlobSource: Send + Sync {
    /// The blob with this name, or `None` where there is none.
    ///
    /// # Errors
    /// What the storage said; the peer sees a broken stream and may ask again.
    fn open(&self, name: BlobName) -> impl Future<Output = io::Result<Option<Blob>>> + Send;
}

/// A blob that is ready to be sent.
#[derive(Debug)]
pub enum Blob {
    /// In memory.
    Memory(Bytes),
    /// In memory, in pieces one after the other.
    Pieces(Vec<Bytes>),
    /// In a file, from its start; never held in memory as a whole.
    File {
        /// Open for reading.
        file: File,
        /// How long the blob is; the file may not be shorter.
        length_bytes: u64,
    },
}

impl Blob {
    /// The file at `path` as a blob, or `None` where there is none.
    ///
    /// # Errors
    /// What the file system said.
    pub async fn from_file(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path).await {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length_bytes = file.metadata().await?.len();
        Ok(Some(Self::File { file, length_bytes }))
    }

    /// How long it is.
    #[must_use]
    pub fn length_bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Pieces(pieces) => pieces.iter().map(|piece| piece.len() as u64).sum(),
            Self::File { length_bytes, .. } => *length_bytes,
        }
    }
}

/// Why a blob was not sent to its end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The storage failed.
    #[error("the {} cannot be read: {source}", describe(name))]
    Source {
        /// What was asked for.
        name: BlobName,
        /// What the storage said.
        source: io::Error,
    },
    /// The peer does not read.
    #[error("the peer has not read a piece of the {} for {waited_ms} ms; it was broken off", describe(name))]
    Stalled {
        /// What was asked for.
        name: BlobName,
        /// How long it was waited.
        waited_ms: u64,
    },
    /// The stream or its connection is gone.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// Answers `request`, which was read from `stream`, and returns how many bytes of the blob were sent. Gives up when
/// the peer does not read for [`STALL_TIMEOUT`].
///
/// # Errors
/// [`ServeError`]; the peer then sees a broken stream, never a short blob.
pub async fn serve(
    mut stream: Stream,
    request: BlobRequest,
    source: &impl BlobSource,
) -> Result<u64, ServeError> {
    let served = answer(&mut stream, request, source).await;
    if served.is_err() {
        stream.writer.abandon();
    }
    served
}

async fn answer(
    stream: &mut Stream,
    request: BlobRequest,
    source: &impl BlobSource,
) -> Result<u64, ServeError> {
    let name = request.blob;
    let storage = |source| ServeError::Source { name, source };
    let Some(blob) = source.open(name).await.map_err(storage)? else {
        stream.writer.send(&BlobReply::Absent).await?;
        stream.writer.finish().await?;
        return Ok(0);
    };
    let length_bytes = blob.length_bytes();
    stream.writer.feed(&BlobReply::Found { length_bytes }).await?;
    // Past the end there is nothing to send; the asker sees from the length that it is wrong.
    let offset = request.offset.min(length_bytes);
    let in_memory = match blob {
        Blob::Memory(bytes) => vec![bytes],
        Blob::Pieces(pieces) => pieces,
        Blob::File { mut file, .. } => {
            file.seek(io::SeekFrom::Start(offset)).await.map_err(storage)?;
            let mut rest = file.take(length_bytes - offset);
            while rest.limit() > 0 {
                let mut piece = BytesMut::with_capacity(
                    PIECE_BYTES.min(usize::try_from(rest.limit()).unwrap_or(PIECE_BYTES)),
                );
                if rest.read_buf(&mut piece).await.map_err(storage)? == 0 {
                    return Err(storage(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the file became shorter",
                    )));
                }
                send_piece(stream, name, piece.freeze()).await?;
            }
            Vec::new()
        }
    };
    for mut bytes in from(offset, in_memory) {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
            send_piece(stream, name, piece).await?;
        }
    }
    finish(stream, name).await?;
    Ok(length_bytes - offset)
}

/// What there is from `offset` on.
fn from(offset: u64, pieces: Vec<Bytes>) -> impl Iterator<Item = Bytes> + Send {
    let mut before = usize::try_from(offset).unwrap_or(usize::MAX);
    pieces.into_iter().map(move |bytes| {
        let passed = before.min(bytes.len());
        before -= passed;
        bytes.slice(passed..)
    })
}

async fn send_piece(stream: &mut Stream, name: BlobName, piece: Bytes) -> Result<(), ServeError> {
    let sent = tokio::time::timeout(STALL_TIMEOUT, stream.writer.send_bytes(piece)).await;
    Ok(sent.map_err(|_| stalled(name, STALL_TIMEOUT))??)
}

async fn finish(stream: &mut Stream, name: BlobName) -> Result<(), ServeError> {
    let finished = tokio::time::timeout(STALL_TIMEOUT, stream.writer.finish()).await;
    Ok(finished.map_err(|_| stalled(name, STALL_TIMEOUT))??)
}

fn stalled(name: BlobName, waited: Duration) -> ServeError {
    ServeError::Stalled { name, waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_any_offset_on_the_pieces_are_what_is_left() {
        let whole: Vec<u8> = (0..20).collect();
        let pieces = [&whole[..3], &[], &whole[3..4], &whole[4..]].map(Bytes::copy_from_slice).to_vec();
        for offset in (0..25).chain([u64::MAX]) {
            let left: Vec<Bytes> = from(offset, pieces.clone()).collect();
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
            assert_eq!(left.concat(), whole[start..], "{offset}");
        }
    }
}
