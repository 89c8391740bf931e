//! Merkle trees: what is stored on disk agrees with what is built in memory, and no path proves what is not there.

use std::{cell::RefCell, collections::BTreeMap};

use proptest::prelude::*;
use protocol::{
    digest::Digest,
    merkle::{
        AuditPath, Frontier, MerkleError, MerkleTree, NodeStore, TreeRoot, audit_path, consistency_path,
        leaf_digest,
    },
};

/// Nodes in memory that refuse to be written twice.
#[derive(Default)]
struct Nodes(RefCell<BTreeMap<u64, Digest>>);

impl NodeStore for Nodes {
    type Error = MerkleError;

    fn node(&self, number: u64) -> Result<Digest, MerkleError> {
        self.0.borrow().get(&number).copied().ok_or(MerkleError::MissingNode(number))
    }
}

fn leaf(number: u64) -> Vec<u8> {
    format!("leaf {number}").into_bytes()
}

fn stored(size: u64) -> (Nodes, Frontier) {
    let nodes = Nodes::default();
    let mut frontier = Frontier::default();
    for number in 0..size {
        let write = |number, digest| {
            assert_eq!(nodes.0.borrow_mut().insert(number, digest), None, "a node is written once");
        };
        frontier.push(leaf_digest(&leaf(number)), write).expect("far from the bound");
    }
    (nodes, frontier)
}

fn built(size: u64) -> MerkleTree {
    MerkleTree::new((0..size).map(leaf))
}

#[test]
fn a_growing_tree_has_the_root_of_the_tree_that_is_built_at_once() {
    for size in 0..130 {
        let (nodes, frontier) = stored(size);
        assert_eq!(frontier.root(), built(size).root(), "{size} leaves");
        assert_eq!(Frontier::load(size, &nodes), Ok(frontier), "{size} leaves");
    }
}

#[test]
fn every_stored_path_leads_to_the_root_of_every_size() {
    let (nodes, _) = stored(40);
    for size in 1..=40 {
        let root = built(size).root();
        for position in 0..size {
            let path = audit_path(position, size, &nodes).expect("all nodes are there");
            assert_eq!(Some(&path), built(size).path(position).as_ref());
            assert_eq!(root.check_inclusion(&leaf(position), &path), Ok(()));
        }
        assert!(audit_path(size, size, &nodes).is_err());
    }
}

#[test]
fn every_tree_is_shown_to_begin_every_later_one() {
    let (nodes, _) = stored(40);
    for size in 0..=40 {
        for old_size in 0..=size {
            let path = consistency_path(old_size, size, &nodes).expect("all nodes are there");
            let (old, new) = (built(old_size).root(), built(size).root());
            assert_eq!(new.check_consistency(&old, &path), Ok(()), "{old_size} to {size}");
            let other = TreeRoot { root: leaf_digest(b"another"), ..old };
            assert!(new.check_consistency(&other, &path).is_err(), "{old_size} to {size}");
        }
        assert!(consistency_path(size + 1, size, &nodes).is_err());
    }
}

#[test]
fn an_absurd_size_is_refused_and_not_worked_on() {
    let huge = TreeRoot { size: u64::MAX, root: leaf_digest(b"x") };
    let path = AuditPath { position: u64::MAX - 1, siblings: vec![leaf_digest(b"y"); 64] };
    assert!(huge.check_inclusion(b"x", &path).is_err());
    assert!(Frontier::load(u64::MAX, &Nodes::default()).is_err());
    assert!(audit_path(3, u64::MAX, &Nodes::default()).is_err());
    assert!(consistency_path(3, u64::MAX, &Nodes::default()).is_err());
}

proptest! {
    #[test]
    fn a_path_that_was_changed_anywhere_proves_nothing(
        size in 1_u64..70, pick: prop::sample::Index, place: prop::sample::Index, bit in 0_u8..8,
    ) {
        let tree = built(size);
        let position = pick.index(usize::try_from(size).unwrap()) as u64;
        let path = tree.path(position).unwrap();
        prop_assert!(tree.root().check_inclusion(&leaf(position), &path).is_ok());
        prop_assert!(tree.root().check_inclusion(&leaf(position + 1), &path).is_err());
        for other in (0..size).filter(|other| *other != position) {
            let moved = AuditPath { position: other, ..path.clone() };
            prop_assert!(tree.root().check_inclusion(&leaf(position), &moved).is_err());
        }
        let mut longer = path.clone();
        longer.siblings.push(leaf_digest(b"more"));
        prop_assert!(tree.root().check_inclusion(&leaf(position), &longer).is_err());
        if !path.siblings.is_empty() {
            let mut changed = path.clone();
            let at = place.index(changed.siblings.len() * 32);
            changed.siblings[at / 32].0[at % 32] ^= 1 << bit;
            prop_assert!(tree.root().check_inclusion(&leaf(position), &changed).is_err());
        }
    }
}
