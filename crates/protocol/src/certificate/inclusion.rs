//! That many entries stand in one ledger, with hardly more digests than for a single one.
//!
//! The paths of neighbours share nearly everything. So a certificate does not repeat them: it gives, in the order of the
//! leaves, the digest of each largest subtree without an entry of the job. With the entries themselves that is the whole
//! tree, and one walk from left to right comes to its root or does not.

use crate::{
    digest::Digest,
    merkle::{AuditPath, LEAVES_MAX, TreeRoot, leaf_digest, node_digest},
};

/// The leaves `start .. end` below one node of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    start: u64,
    end: u64,
}

/// The stretches of the nodes beside the way from a leaf to the root, from the leaf up: those of an audit path.
fn beside(position: u64, size: u64) -> Vec<Stretch> {
    let mut found = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        // The largest power of two below the number of leaves.
        let middle = start + (1 << (end - start - 1).ilog2());
        if position < middle {
            found.push(Stretch { start: middle, end });
            end = middle;
        } else {
            found.push(Stretch { start, end: middle });
            start = middle;
        }
    }
    found.reverse();
    found
}

/// Takes the paths of ascending leaves and leaves out what the leaves themselves tell.
#[derive(Debug)]
pub(super) struct Joining {
    size: u64,
    before: Option<AuditPath>,
}

/// A path does not fit: not to a tree of this size, or not after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the path of entry {position} does not fit a tree of {size} leaves, or does not come after the entry before"
)]
pub struct UnfitPath {
    /// The entry's position.
    pub position: u64,
    /// The tree's leaves.
    pub size: u64,
}

impl Joining {
    pub(super) fn new(size: u64) -> Self {
        Self { size, before: None }
    }

    /// The digests between the entry before and this one, from left to right.
    pub(super) fn next(&mut self, path: &AuditPath) -> Result<Vec<Digest>, UnfitPath> {
        let AuditPath { position, siblings } = path;
        let unfit = UnfitPath { position: *position, size: self.size };
        let is_later = self.before.as_ref().is_none_or(|before| before.position < *position);
        if *position >= self.size || self.size > LEAVES_MAX || !is_later {
            return Err(unfit);
        }
        let stretches = beside(*position, self.size);
        if stretches.len() != siblings.len() {
            return Err(unfit);
        }
        let mut digests = self.right_of_before(*position);
        let first = self.before.as_ref().map_or(0, |before| before.position + 1);
        let left = stretches.iter().zip(siblings).rev();
        digests.extend(
            left.filter(|(stretch, _)| stretch.end <= *position && stretch.start >= first)
                .map(|(_, digest)| *digest),
        );
        self.before = Some(path.clone());
        Ok(digests)
    }

    /// The digests after the last entry, from left to right.
    pub(super) fn rest(&self) -> Vec<Digest> {
        self.right_of_before(self.size)
    }

    /// The nodes beside the way of the entry before that lie between it and `end`.
    fn right_of_before(&self, end: u64) -> Vec<Digest> {
        let Some(AuditPath { position, siblings }) = &self.before else { return Vec::new() };
        let stretches = beside(*position, self.size);
        let right = stretches.iter().zip(siblings);
        right
            .filter(|(stretch, _)| stretch.start > *position && stretch.end <= end)
            .map(|(_, digest)| *digest)
            .collect()
    }
}

/// The walk over all leaves of a tree, from left to right.
#[derive(Debug)]
pub(super) struct Walk {
    tree: TreeRoot,
    /// How many leaves are behind.
    done: u64,
    /// The roots of the largest subtrees behind, from the left, with the number of their leaves.
    peaks: Vec<(u64, Digest)>,
}

/// Why a walk cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stray {
    /// An entry is not behind the one before, or beyond the end.
    Position,
    /// So many digests stand between two entries, and so many are needed.
    Digests { given: usize, needed: usize },
    /// The walk ends at another root.
    Root,
}

impl Walk {
    pub(super) fn new(tree: TreeRoot) -> Self {
        Self { tree, done: 0, peaks: Vec::new() }
    }

    /// Goes over the subtrees without an entry, and the entry behind them.
    pub(super) fn entry(&mut self, between: &[Digest], position: u64, leaf: &[u8]) -> Result<(), Stray> {
        if position < self.done || position >= self.tree.size || self.tree.size > LEAVES_MAX {
            return Err(Stray::Position);
        }
        self.skip(between, position)?;
        self.push(1, leaf_digest(leaf));
        Ok(())
    }

    /// Goes over the rest and compares the root.
    pub(super) fn finish(mut self, rest: &[Digest]) -> Result<(), Stray> {
        self.skip(rest, self.tree.size)?;
        let mut peaks = self.peaks.iter().rev().map(|(_, digest)| *digest);
        let last = peaks.next().ok_or(Stray::Root)?;
        let root = peaks.fold(last, |right, left| node_digest(&left, &right));
        if root == self.tree.root { Ok(()) } else { Err(Stray::Root) }
    }

    /// The largest subtrees that fill the leaves up to `end`, each with its digest.
    fn skip(&mut self, digests: &[Digest], end: u64) -> Result<(), Stray> {
        let stretches = self.stretches(end);
        if stretches.len() != digests.len() {
            return Err(Stray::Digests { given: digests.len(), needed: stretches.len() });
        }
        for (leaves, digest) in stretches.into_iter().zip(digests) {
            self.push(leaves, *digest);
        }
        Ok(())
    }

    /// How many leaves each of these subtrees has: as many as where it begins allows, and as fit.
    fn stretches(&self, end: u64) -> Vec<u64> {
        let mut found = Vec::new();
        let mut start = self.done;
        while start < end {
            let aligned = if start == 0 { LEAVES_MAX } else { 1 << start.trailing_zeros() };
            let left = end - start;
            // Only at the tree's right edge a subtree may be cut short.
            let leaves =
                if end == self.tree.size { aligned.min(left) } else { aligned.min(1 << left.ilog2()) };
            found.push(leaves);
            start += leaves;
        }
        found
    }

    fn push(&mut self, leaves: u64, digest: Digest) {
        self.done += leaves;
        let (mut leaves, mut digest) = (leaves, digest);
        while let Some((before, left)) = self.peaks.last().copied().filter(|(before, _)| *before == leaves) {
            self.peaks.pop();
            digest = node_digest(&left, &digest);
            leaves += before;
        }
        self.peaks.push((leaves, digest));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::merkle::MerkleTree;

    fn leaf(number: u64) -> Vec<u8> {
        number.to_be_bytes().to_vec()
    }

    /// The same by recursion, as the page on the format has it.
    fn root_of(
        start: u64,
        end: u64,
        entries: &[u64],
        digests: &mut impl Iterator<Item = Digest>,
    ) -> Option<Digest> {
        if !entries.iter().any(|position| (start..end).contains(position)) {
            return digests.next();
        }
        if end - start == 1 {
            return Some(leaf_digest(&leaf(start)));
        }
        let mut half = 1;
        while half * 2 < end - start {
            half *= 2;
        }
        let left = root_of(start, start + half, entries, digests)?;
        Some(node_digest(&left, &root_of(start + half, end, entries, digests)?))
    }

    proptest! {
        #[test]
        fn joined_paths_lead_to_the_root_and_are_what_the_recursion_needs(
            size in 1_u64..200, picks in prop::collection::btree_set(0_u64..200, 1..40),
        ) {
            let entries: Vec<u64> = picks.into_iter().map(|pick| pick % size).collect();
            let entries: Vec<u64> = std::collections::BTreeSet::from_iter(entries).into_iter().collect();
            let tree = MerkleTree::new((0..size).map(leaf));
            let mut joining = Joining::new(size);
            let mut walk = Walk::new(tree.root());
            let mut all = Vec::new();
            for position in &entries {
                let between = joining.next(&tree.path(*position).expect("a leaf")).expect("it fits");
                prop_assert_eq!(walk.entry(&between, *position, &leaf(*position)), Ok(()));
                all.extend(between);
            }
            let rest = joining.rest();
            prop_assert_eq!(walk.finish(&rest), Ok(()));
            all.extend(rest);
            let mut digests = all.into_iter();
            prop_assert_eq!(root_of(0, size, &entries, &mut digests), Some(tree.root().root));
            prop_assert_eq!(digests.next(), None);
        }
    }

    #[test]
    fn neighbours_need_no_more_digests_than_one_leaf() {
        let tree = MerkleTree::new((0..1000).map(leaf));
        let mut joining = Joining::new(1000);
        let between: usize = (300..700)
            .map(|position| joining.next(&tree.path(position).expect("a leaf")).expect("it fits").len())
            .sum();
        assert!(between + joining.rest().len() <= 2 * 10);
    }

    #[test]
    fn a_path_of_another_tree_or_out_of_order_is_refused() {
        let tree = MerkleTree::new((0..10).map(leaf));
        let mut joining = Joining::new(11);
        assert!(joining.next(&tree.path(9).expect("a leaf")).is_err());
        let mut joining = Joining::new(10);
        assert!(joining.next(&tree.path(5).expect("a leaf")).is_ok());
        assert!(joining.next(&tree.path(5).expect("a leaf")).is_err());
    }
}
