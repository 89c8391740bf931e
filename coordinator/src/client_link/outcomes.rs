//! The accepted outcomes of a result, task after task. They are many and short, or few and long: short ones gather until
//! they fill a frame, long ones are named, for the client to fetch as blobs, and tasks that have none are counted, so that what
//! was never computed costs nothing.

use std::{io, sync::Arc};

use bytes::Bytes;
use protocol::{
    digest::Digest,
    limits::{INLINE_OUTCOME_BYTES_MAX, ROW_OUTCOME_BYTES_MAX},
    message::{BlobName, NO_OUTCOME, OUTCOME_BY_NAME},
};
use tokio::io::AsyncReadExt;
use tracing::warn;
use transport::blob::{Blob, BlobSource};

use super::{SEND_TOGETHER_BYTES, Stream, Unanswered};
use crate::{core::AcceptedDigests, outcomes::AcceptedOutcomes, server::Shared};

/// Sends the outcomes with these digests.
///
/// # Errors
/// When the connection breaks, or the list of digests cannot be read.
pub(super) async fn send(
    stream: &mut Stream,
    outcomes: AcceptedDigests,
    shared: &Shared,
) -> Result<(), Unanswered> {
    let mut row = Row { stream, shared, together: Vec::new(), absent: 0 };
    match outcomes {
        AcceptedDigests::Few { digests, tasks } => {
            let mut next = 0;
            for (index, digest) in digests {
                row.absent += index - next;
                row.send(digest).await?;
                next = index + 1;
            }
            row.absent += tasks - next;
        }
        AcceptedDigests::Many { file, tasks, .. } => {
            let file = file.into_inner().map_err(|error| Unanswered::Temporary(error.into_error()))?;
            let mut file =
                tokio::io::BufReader::with_capacity(READ_TOGETHER_BYTES, tokio::fs::File::from_std(file));
            for _ in 0..tasks {
                let mut bytes = [0; AcceptedDigests::ROW_BYTES];
                file.read_exact(&mut bytes).await.map_err(Unanswered::Temporary)?;
                match AcceptedDigests::in_row(&bytes) {
                    Some(digest) => row.send(digest).await?,
                    None => row.absent += 1,
                }
            }
        }
    }
    row.count_absent();
    Ok(row.stream.writer.feed_bytes(&row.together).await?)
}

/// How much of the list of digests is read at once.
const READ_TOGETHER_BYTES: usize = 256 * 1024;

struct Row<'s> {
    stream: &'s mut Stream,
    shared: &'s Shared,
    together: Vec<u8>,
    /// How many tasks without an outcome come before the next one.
    absent: u64,
}

impl Row<'_> {
    fn count_absent(&mut self) {
        if self.absent > 0 {
            self.together.extend_from_slice(&NO_OUTCOME.to_be_bytes());
            self.together.extend_from_slice(&self.absent.to_be_bytes());
            self.absent = 0;
        }
    }

    async fn send(&mut self, digest: Digest) -> Result<(), Unanswered> {
        let blob = self.shared.outcomes.open_blob(&digest).await.unwrap_or_else(|error| {
            warn!(%error, "an accepted outcome cannot be read");
            None
        });
        let bytes = match blob {
            None => {
                self.absent += 1;
                return Ok(());
            }
            Some(Blob::Memory(bytes)) if bytes.len() <= ROW_OUTCOME_BYTES_MAX => bytes,
            Some(Blob::Memory(_) | Blob::Pieces(_) | Blob::File { .. }) => {
                self.count_absent();
                self.together.extend_from_slice(&OUTCOME_BY_NAME.to_be_bytes());
                self.together.extend_from_slice(&digest.0);
                return Ok(());
            }
        };
        self.count_absent();
        self.together.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        if bytes.len() > INLINE_OUTCOME_BYTES_MAX {
            self.flush().await?;
            self.stream.writer.send_bytes(bytes).await?;
        } else {
            self.together.extend_from_slice(&bytes);
            if self.together.len() >= SEND_TOGETHER_BYTES {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Unanswered> {
        Ok(self.stream.writer.send_bytes(Bytes::from(std::mem::take(&mut self.together))).await?)
    }
}

/// What a client may fetch: outcomes that a result has named.
pub(super) struct ForClients(pub(super) Arc<AcceptedOutcomes>);

impl BlobSource for ForClients {
    async fn open(&self, name: BlobName) -> io::Result<Option<Blob>> {
        match name {
            BlobName::Outcome(digest) => self.0.open_blob(&digest).await,
            BlobName::Task(_) | BlobName::Witness(..) | BlobName::Trace(..) | BlobName::Certificate(..) => {
                Ok(None)
            }
        }
    }
}
