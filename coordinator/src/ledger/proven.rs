//! The entries about one job, each with its path to one head. Neighbours in the tree share nearly all of their paths: what one
//! path took from the database is remembered for the next ones, so that a path costs two or three nodes instead of twenty.

use std::{cell::RefCell, collections::HashMap};

use protocol::{
    digest::Digest,
    ledger::{Entry, SignedHead},
    merkle::{AuditPath, NodeStore, audit_path},
};

use super::{
    LedgerError,
    reader::{JobEntries, astray},
    snapshot::Snapshot,
};

/// How many nodes are remembered; then all are forgotten, and the next path takes its own again.
const NODES_MAX: usize = 4096;

/// The entries about one job, each with its path to one head, in order.
pub struct ProvenEntries {
    head: SignedHead,
    entries: JobEntries,
    nodes: RefCell<HashMap<u64, Digest>>,
}

impl ProvenEntries {
    pub(super) fn new(head: SignedHead, entries: JobEntries) -> Self {
        Self { head, entries, nodes: RefCell::default() }
    }

    /// The head that the paths lead to.
    pub fn head(&self) -> &SignedHead {
        &self.head
    }

    /// How many entries come.
    pub fn count_left(&self) -> u64 {
        self.entries.count_left()
    }
}

impl Iterator for ProvenEntries {
    type Item = Result<(Entry, AuditPath), LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.entries.next()?;
        let tree = self.head.head.tree;
        Some(found.and_then(|(position, entry)| {
            let snapshot = &self.entries.snapshot;
            let path = audit_path(position, tree.size, &Remembering { snapshot, nodes: &self.nodes })?;
            tree.check_inclusion(&entry.to_bytes(), &path).map_err(|_| astray(snapshot.path()))?;
            Ok((entry, path))
        }))
    }
}

/// The nodes of a snapshot, of which none ever changes.
struct Remembering<'a> {
    snapshot: &'a Snapshot,
    nodes: &'a RefCell<HashMap<u64, Digest>>,
}

impl NodeStore for Remembering<'_> {
    type Error = LedgerError;

    fn node(&self, number: u64) -> Result<Digest, LedgerError> {
        if let Some(known) = self.nodes.borrow().get(&number) {
            return Ok(*known);
        }
        let node = self.snapshot.node(number)?;
        let mut nodes = self.nodes.borrow_mut();
        if nodes.len() >= NODES_MAX {
            nodes.clear();
        }
        nodes.insert(number, node);
        Ok(node)
    }
}
