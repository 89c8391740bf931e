//! How much memory an input may take: so much whatever it is, and so much for each of its bytes.
//!
//! What an input claims never counts. serde makes room for a claimed list up to 1 MiB before the first element is there
//! (`serde_core::private::size_hint::cautious`), so each list inside a list adds that much. Beyond, memory follows the
//! bytes: a list doubles when it is full, and while it moves, the old and the new half stand side by side.

use protocol::expression::{Formula, Step};

/// The bound: `fixed_bytes`, and `bytes_per_byte` for each byte of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBound {
    /// Whatever the input.
    pub fixed_bytes: usize,
    /// For each byte of it.
    pub bytes_per_byte: usize,
}

/// What serde makes room for on a claim.
const CLAIM_BYTES: usize = 1 << 20;
/// Lists inside lists, at most, in anything that travels: ballots in a pair in a verdict, with the digests of a path.
const LISTS_DEEP: usize = 3;
/// A list that grows by doubling: up to twice its elements, beside the half that it comes from.
const GROWTH: usize = 3;
/// The smallest element on the wire is an empty string, one byte, which is a `String` in memory.
const ELEMENT: usize = size_of::<String>();
/// For buffers, error messages and the like.
const SLACK_BYTES: usize = 256 * 1024;

impl MemoryBound {
    /// Of MessagePack.
    pub(crate) const MESSAGE_PACK: Self = Self {
        fixed_bytes: LISTS_DEEP * CLAIM_BYTES + SLACK_BYTES,
        bytes_per_byte: GROWTH * ELEMENT + GROWTH,
    };

    /// Of an expression: each byte is at most one step and one formula.
    pub(crate) const EXPRESSION: Self = Self {
        fixed_bytes: SLACK_BYTES,
        bytes_per_byte: GROWTH * (size_of::<Step>() + size_of::<Formula>()),
    };

    /// Of TOML: where it is broken, an error for each byte, and each is gathered once by the parser.
    pub(crate) const TOML: Self = Self { fixed_bytes: SLACK_BYTES, bytes_per_byte: 1024 };

    /// Of text that is repaired where it is not UTF-8, quoted, and written again: each byte may become three, in a buffer
    /// that grows, some times over.
    pub(crate) const TEXT: Self = Self { fixed_bytes: SLACK_BYTES, bytes_per_byte: 16 * GROWTH };

    /// Of parts that are put into a tree: behind three bytes of length each may be empty, and is a leaf and two nodes.
    pub(crate) const TREE: Self =
        Self { fixed_bytes: SLACK_BYTES, bytes_per_byte: GROWTH * (size_of::<Vec<u8>>() + 2 * 32) / 3 + 16 };

    /// The most that an input of so many bytes may take at once.
    #[must_use]
    pub fn bytes_max(&self, input_bytes: usize) -> usize {
        self.fixed_bytes + self.bytes_per_byte * input_bytes
    }

    /// What both take together.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            fixed_bytes: self.fixed_bytes + other.fixed_bytes,
            bytes_per_byte: self.bytes_per_byte + other.bytes_per_byte,
        }
    }
}
