//! Merkle trees in the structure of RFC 6962, over BLAKE3: a short path shows that something is among many.
//!
//! The leaf of some bytes is BLAKE3(0x00 ‖ bytes), a node is BLAKE3(0x01 ‖ left ‖ right), and a tree of n > 1 leaves has
//! the largest power of two below n on its left. The same trees stand under a bundle of ballots, which is small and built
//! at once, and under the ledger, which only grows and keeps its nodes on disk ([`NodeStore`]). The arithmetic is the
//! crate `ct-merkle`'s; what arrives from elsewhere is checked here before it gets there.

use ct_merkle::{
    ConsistencyProof, InclusionProof, RootHash, digest::Output, indices_for_consistency_proof,
    indices_for_inclusion_proof, mem_backed_tree::MemoryBackedTree,
};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

type Blake3 = blake3::Hasher;

/// Most leaves of a tree.
pub const LEAVES_MAX: u64 = 1 << 48;

/// The root of a tree and the number of its leaves, which only together say what the tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeRoot {
    /// How many leaves it has.
    pub size: u64,
    /// The digest at the root; of no leaves BLAKE3 of nothing.
    pub root: Digest,
}

/// The way from a leaf to the root: RFC 6962's audit path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPath {
    /// The number of the leaf, from 0.
    pub position: u64,
    /// The digests beside the way, from the leaf up.
    pub siblings: Vec<Digest>,
}

/// The proof that a tree is the beginning of a later one: RFC 6962's consistency proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyPath {
    /// The nodes of the later tree that are needed.
    pub nodes: Vec<Digest>,
}

/// Why a path proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// The leaf's number is not below the number of leaves.
    #[error("leaf {position} is not in a tree of {size} leaves")]
    OutOfRange {
        /// The leaf's number.
        position: u64,
        /// The tree's leaves.
        size: u64,
    },
    /// More leaves than a tree may have, or a tree that shrank.
    #[error(
        "a tree of {size} leaves cannot be the end of one of {old_size} (a tree has at most 2^48 leaves)"
    )]
    Size {
        /// The earlier tree's leaves.
        old_size: u64,
        /// The later tree's leaves.
        size: u64,
    },
    /// The path leads to another root.
    #[error("the path does not lead to the root")]
    Mismatch,
    /// A node that the path needs is not there.
    #[error("node {0} of the tree is missing")]
    MissingNode(u64),
}

impl TreeRoot {
    /// Checks that `leaf` stands in the tree where `path` says.
    ///
    /// # Errors
    /// [`MerkleError`] when it does not.
    pub fn check_inclusion(&self, leaf: &[u8], path: &AuditPath) -> Result<(), MerkleError> {
        let AuditPath { position, siblings } = path;
        if *position >= self.size || self.size > LEAVES_MAX {
            return Err(MerkleError::OutOfRange { position: *position, size: self.size });
        }
        let proof = InclusionProof::<Blake3>::try_from_bytes(concatenated(siblings))
            .map_err(|_| MerkleError::Mismatch)?;
        self.hash().verify_inclusion(&leaf, *position, &proof).map_err(|_| MerkleError::Mismatch)
    }

    /// Checks that the tree begins with the leaves of `old`.
    ///
    /// # Errors
    /// [`MerkleError`] when it does not.
    pub fn check_consistency(&self, old: &Self, path: &ConsistencyPath) -> Result<(), MerkleError> {
        check_sizes(old.size, self.size)?;
        if old.size == 0 {
            // Every tree begins with nothing.
            let is_nothing = *old == Self::empty() && path.nodes.is_empty();
            return if is_nothing { Ok(()) } else { Err(MerkleError::Mismatch) };
        }
        let proof = ConsistencyProof::<Blake3>::try_from_bytes(concatenated(&path.nodes))
            .map_err(|_| MerkleError::Mismatch)?;
        self.hash().verify_consistency(&old.hash(), &proof).map_err(|_| MerkleError::Mismatch)
    }

    /// The tree without leaves.
    #[must_use]
    pub fn empty() -> Self {
        Self { size: 0, root: Digest(*blake3::hash(&[]).as_bytes()) }
    }

    fn hash(&self) -> RootHash<Blake3> {
        RootHash::new(Output::<Blake3>::from(self.root.0), self.size)
    }
}

fn concatenated(digests: &[Digest]) -> Vec<u8> {
    digests.iter().flat_map(|digest| digest.0).collect()
}

fn check_sizes(old_size: u64, size: u64) -> Result<(), MerkleError> {
    if old_size <= size && size <= LEAVES_MAX { Ok(()) } else { Err(MerkleError::Size { old_size, size }) }
}

/// A tree that is built at once and held in memory.
pub struct MerkleTree(MemoryBackedTree<Blake3, Vec<u8>>);

impl MerkleTree {
    /// The tree over these leaves.
    #[must_use]
    pub fn new(leaves: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut tree = MemoryBackedTree::new();
        for leaf in leaves {
            tree.push(leaf);
        }
        Self(tree)
    }

    /// Its root.
    #[must_use]
    pub fn root(&self) -> TreeRoot {
        if self.0.is_empty() {
            return TreeRoot::empty();
        }
        TreeRoot { size: self.0.len(), root: Digest((*self.0.root().as_bytes()).into()) }
    }

    /// The path of a leaf; none where there is no such leaf.
    #[must_use]
    pub fn path(&self, position: u64) -> Option<AuditPath> {
        if position >= self.0.len() {
            return None;
        }
        let proof = self.0.prove_inclusion(usize::try_from(position).ok()?);
        let (digests, _) = proof.as_bytes().as_chunks::<32>();
        Some(AuditPath { position, siblings: digests.iter().copied().map(Digest).collect() })
    }
}

/// The nodes of a tree that only grows, somewhere else: on disk, for the ledger.
///
/// Nodes are numbered as in RFC 6962's trees laid flat: leaf k is node 2 k, and the node above the leaves from a to b is
/// in the middle between them. A node is written once, when all leaves below it are there, and never changes.
pub trait NodeStore {
    /// Why a node could not be read.
    type Error: From<MerkleError>;

    /// A node that was written; [`MerkleError::MissingNode`] where it was not.
    ///
    /// # Errors
    /// When it cannot be read.
    fn node(&self, number: u64) -> Result<Digest, Self::Error>;
}

/// The digest of a leaf.
#[must_use]
pub fn leaf_digest(leaf: &[u8]) -> Digest {
    let mut hasher = Blake3::new();
    hasher.update(&[0]);
    hasher.update(leaf);
    Digest(*hasher.finalize().as_bytes())
}

/// The digest of the node above two others.
#[must_use]
pub fn node_digest(left: &Digest, right: &Digest) -> Digest {
    let mut hasher = Blake3::new();
    hasher.update(&[1]);
    hasher.update(&left.0);
    hasher.update(&right.0);
    Digest(*hasher.finalize().as_bytes())
}

/// The right edge of a tree that grows: the roots of the full subtrees from the left, one for each bit of its size.
///
/// It is all that is needed to append leaves and to name the root; at most 48 digests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// The roots of the full subtrees, the largest (leftmost) first.
    peaks: Vec<Digest>,
}

impl Frontier {
    /// The frontier of a tree of `size` leaves whose nodes are in `store`.
    ///
    /// # Errors
    /// When a node cannot be read, or the size is over the bound.
    pub fn load<S: NodeStore>(size: u64, store: &S) -> Result<Self, S::Error> {
        check_sizes(0, size)?;
        let mut peaks = Vec::new();
        let mut first = 0;
        for bit in (0..u64::BITS).rev().filter(|bit| size >> bit & 1 == 1) {
            // The middle of the flat numbers 2 first ..= 2 (first + 2^bit - 1).
            peaks.push(store.node(2 * first + (1 << bit) - 1)?);
            first += 1 << bit;
        }
        Ok(Self { size, peaks })
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its digest, and tells `write` every node that is complete now, with its number.
    ///
    /// # Errors
    /// [`MerkleError::Size`] at the bound of [`LEAVES_MAX`]; nothing has changed then.
    pub fn push(&mut self, leaf: Digest, mut write: impl FnMut(u64, Digest)) -> Result<(), MerkleError> {
        check_sizes(self.size, self.size + 1)?;
        let mut number = 2 * self.size;
        let mut digest = leaf;
        write(number, digest);
        // As many full subtrees join as the size has ones at its end.
        for level in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            digest = node_digest(&left, &digest);
            number -= 1 << level;
            write(number, digest);
        }
        self.peaks.push(digest);
        self.size += 1;
        Ok(())
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> TreeRoot {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return TreeRoot::empty() };
        let root = peaks.fold(*last, |right, left| node_digest(left, &right));
        TreeRoot { size: self.size, root }
    }
}

/// The path of a leaf in the first `size` leaves of a stored tree.
///
/// # Errors
/// When a node cannot be read, or there is no such leaf.
pub fn audit_path<S: NodeStore>(position: u64, size: u64, store: &S) -> Result<AuditPath, S::Error> {
    if position >= size || size > LEAVES_MAX {
        return Err(MerkleError::OutOfRange { position, size }.into());
    }
    let numbers = indices_for_inclusion_proof(size, position);
    let siblings: Result<_, _> = numbers.into_iter().map(|number| subtree(number, size, store)).collect();
    Ok(AuditPath { position, siblings: siblings? })
}

/// The proof that the first `size` leaves of a stored tree begin with the first `old_size`.
///
/// # Errors
/// When a node cannot be read, or there are not so many leaves.
pub fn consistency_path<S: NodeStore>(
    old_size: u64,
    size: u64,
    store: &S,
) -> Result<ConsistencyPath, S::Error> {
    check_sizes(old_size, size)?;
    if old_size == 0 {
        return Ok(ConsistencyPath { nodes: Vec::new() });
    }
    let numbers = indices_for_consistency_proof(old_size, size - old_size);
    let nodes: Result<_, _> = numbers.into_iter().map(|number| subtree(number, size, store)).collect();
    Ok(ConsistencyPath { nodes: nodes? })
}

/// The node with this number in the tree of the first `size` leaves: stored where the subtree below it is full, and put
/// together from full ones on the tree's right edge.
fn subtree<S: NodeStore>(number: u64, size: u64, store: &S) -> Result<Digest, S::Error> {
    let level = number.trailing_ones();
    let half = 1_u64 << level;
    // The leaves below it are `first .. end` in a tree that goes on; here they end with the tree.
    let first = (number + 1 - half) / 2;
    let end = first.saturating_add(half).min(size);
    if end - first == half {
        return store.node(number);
    }
    let mut peaks = Vec::new();
    let mut start = first;
    for bit in (0..u64::BITS).rev().filter(|bit| (end - first) >> bit & 1 == 1) {
        peaks.push(store.node(2 * start + (1 << bit) - 1)?);
        start += 1 << bit;
    }
    let mut peaks = peaks.into_iter().rev();
    let last = peaks.next().ok_or(MerkleError::MissingNode(number))?;
    Ok(peaks.fold(last, |right, left| node_digest(&left, &right)))
}
