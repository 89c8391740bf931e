//! Blobs: bytes too long for a frame, asked for by name on a stream of their own.
//!
//! The asker opens a stream with a `BlobRequest` and an offset; the answer is a `BlobReply` and the bytes from the
//! offset on. A task or an outcome is named by its digest, so [`fetch`] checks it while it arrives, and what was held
//! when a connection broke is still good on the next one ([`PartialBlob`]). [`serve`] answers from memory or a file. Nodes of
//! one process hand each other what they have in memory ([`Neighbours`]).

mod fetch;
mod neighbours;
mod serve;

use std::time::Duration;

use protocol::message::BlobName;

pub use self::{
    fetch::{BlobError, PartialBlob, fetch, fetch_pieces},
    neighbours::{Neighbour, Neighbours},
    serve::{Blob, BlobSource, ServeError, serve},
};

/// How long either side waits for the other to move a piece before it gives the blob up.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A blob's name for people.
pub(crate) fn describe(name: &BlobName) -> String {
    match name {
        BlobName::Task(digest) => format!("task {}", digest.short()),
        BlobName::Outcome(digest) => format!("outcome {}", digest.short()),
        BlobName::Witness(digest, prover) => {
            format!("witness of outcome {} from {}", digest.short(), prover.short())
        }
        BlobName::Trace(digest, _) => format!("trace of outcome {}", digest.short()),
        BlobName::Certificate(_, task) => format!("certificate of task {task}"),
    }
}
