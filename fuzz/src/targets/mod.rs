//! The targets: what arrives framed, what is kept and signed, what people write, and certificates.

mod certificates;
mod messages;
mod records;
mod texts;

pub use certificates::framed;
use protocol::codec::{self, DecodeError};
use serde::{Serialize, de::DeserializeOwned};

use crate::{MemoryBound, Reading, Target, seeds};

/// Every target.
pub const ALL: &[Target] = &[
    messages::FRAMES,
    messages::OPENINGS,
    messages::HELLOS,
    messages::WELCOMES,
    messages::WORKER_MESSAGES,
    messages::COORDINATOR_MESSAGES,
    messages::REQUESTS,
    messages::RESPONSES,
    messages::BLOB_REPLIES,
    messages::TRACE_TOPS,
    messages::TRACE_NODES,
    records::TASKS,
    records::OUTCOMES,
    records::BALLOTS,
    records::COMMITMENTS,
    records::TREE_PATHS,
    records::LEDGER_ENTRIES,
    records::LEDGER_HEADS,
    certificates::TASK_CERTIFICATES,
    certificates::JOB_CERTIFICATES,
    certificates::SIGNED_LIES,
    texts::JOB_FILES,
    texts::EXPRESSIONS,
    texts::RANGE_BODIES,
    texts::EXPRESSION_FILES,
    texts::TOKENS,
    texts::TOKEN_CONTENTS,
    texts::NAMES,
    texts::REPORTS,
    texts::PRINTED_HEADS,
];

/// An error that people are shown can be shown, and is a line of bounded length.
fn refused(error: &impl std::error::Error) -> Reading {
    assert!(!error.to_string().is_empty(), "an error without a word");
    Reading::Refused
}

/// Reads a value as it comes off a stream, where nothing depends on its exact bytes: what it is, it still is when it was
/// written again.
fn message<T>(what: &'static str, bytes: &[u8]) -> Result<T, DecodeError>
where
    T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug,
{
    let value: T = codec::decode(what, bytes, crate::INPUT_BYTES_MAX)?;
    let again = codec::encode(&value);
    let reread = codec::decode(what, &again, 2 * crate::INPUT_BYTES_MAX);
    assert_eq!(reread.as_ref(), Ok(&value), "a {what} is not what it was when it is written and read again");
    Ok(value)
}

/// What a reading came to.
fn reading<T, E: std::error::Error>(result: &Result<T, E>) -> Reading {
    match result {
        Ok(_) => Reading::Value,
        Err(error) => refused(error),
    }
}

/// The encodings of some values.
fn encoded<T: Serialize>(values: &[T]) -> Vec<Vec<u8>> {
    values.iter().map(codec::encode).collect()
}

/// Memory of a decoder whose value is encoded and decoded once more.
const TWICE: MemoryBound = MemoryBound::MESSAGE_PACK.and(MemoryBound::MESSAGE_PACK);
