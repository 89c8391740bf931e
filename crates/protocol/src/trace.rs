//! The trace of a sum of series: on which way a worker came to its outcome, so that two can find where they part.
//!
//! Each node of the binary splitting, from some hundreds of terms up, has a [`Fingerprint`]: its long numbers modulo a prime
//! that follows from the task. A node's digest is over its fingerprint and those of the two below it, so that the digest over
//! the roots, which stands in the signed ballot, commits the worker to all of them. Two traces of one task are compared from
//! the root down, one node at a time: a kilobyte or two, however long the numbers are.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    codec::{self, DecodeError},
    digest::{Digest, Domain},
    limits::{TRACE_ANSWER_BYTES_MAX, TRACE_TREES_MAX},
};

/// Residues of the P, B Q, B and T of a stretch of terms, as the engine has them, modulo a prime of 61 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(pub [u64; 4]);

/// The terms `from <= k < to` of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TracePlace {
    /// The number of the tree in the trace.
    pub tree: u32,
    /// The first term.
    pub from: u64,
    /// Past the last.
    pub to: u64,
}

/// What may be asked about a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TraceQuestion {
    /// Its trees; the answer is a [`TraceTop`].
    Top,
    /// A node; the answer is a [`TraceNode`].
    Node(TracePlace),
    /// Compute a node again, now; the answer is a [`Fingerprint`].
    Again(TracePlace),
}

/// What is known of a node before it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceChild {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The digest of its [`TraceNode`].
    pub digest: Digest,
}

/// The two nodes below a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceHalves {
    /// Where the right one begins.
    pub middle: u64,
    /// The earlier terms.
    pub left: TraceChild,
    /// The later ones.
    pub right: TraceChild,
}

/// A node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceNode {
    /// Its first term.
    pub from: u64,
    /// Past its last.
    pub to: u64,
    /// What it came to.
    pub fingerprint: Fingerprint,
    /// What it was made of; none where that is not traced.
    pub halves: Option<TraceHalves>,
}

/// A tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceTree {
    /// The digest of everything on which its numbers depend: series, terms, bits, prime. Others are not compared with it.
    pub identity: Digest,
    /// Its first term.
    pub from: u64,
    /// Past its last.
    pub to: u64,
    /// Its root.
    pub root: TraceChild,
}

/// All trees of a trace, ascending by their identities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceTop {
    /// At most [`TRACE_TREES_MAX`].
    pub trees: Vec<TraceTree>,
}

impl TraceNode {
    /// The digest that commits to it and to all below it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(Domain::Trace, &codec::encode(&("node", self)))
    }

    /// What its parent knows of it.
    #[must_use]
    pub fn as_child(&self) -> TraceChild {
        TraceChild { fingerprint: self.fingerprint, digest: self.digest() }
    }
}

impl TraceTop {
    /// The digest that stands in the ballot; none where there is nothing to commit to, or too much.
    #[must_use]
    pub fn commitment(&self) -> Option<Digest> {
        let is_traced = (1..=TRACE_TREES_MAX).contains(&self.trees.len());
        is_traced.then(|| Digest::of(Domain::Trace, &codec::encode(&("top", self))))
    }
}

/// The bytes of an answer.
#[must_use]
pub fn answer<T: Serialize>(answer: &T) -> Vec<u8> {
    codec::encode(answer)
}

/// Reads an answer of at most [`TRACE_ANSWER_BYTES_MAX`] bytes.
///
/// # Errors
/// [`DecodeError`] when it is none.
pub fn read_answer<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    codec::decode("answer about a trace", bytes, usize::try_from(TRACE_ANSWER_BYTES_MAX).unwrap_or(0))
}
