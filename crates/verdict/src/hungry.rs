//! The tasks of a job that want a worker, and how far each worker has looked through them in vain.
//!
//! A task gets a new place at the end of the line whenever something happens to it after which it may fit a worker that
//! it did not fit before. So a worker that has looked at a task need not look at it again before it stands behind: what
//! a worker looks at is what changed since, however many tasks wait for others.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use protocol::{identity::NodeId, task::Weight};

/// Open tasks with a vacant seat, and decided ones whose outcome is computed again.
#[derive(Debug, Default)]
pub(crate) struct Hungry {
    /// Each task's place in the line.
    places: BTreeMap<u64, Place>,
    /// The light tasks and the heavy ones, each line by stamp: the one to which something happened last is its last.
    lines: [BTreeSet<(u64, u64)>; 2],
    /// The last stamp that was given.
    stamp: u64,
    /// Up to which stamp of each line nothing fits a worker; a worker that is not here has found everything to fit.
    passed: BTreeMap<NodeId, [u64; 2]>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    stamp: u64,
    line: usize,
}

fn line_of(weight: Weight) -> usize {
    match weight {
        Weight::Light => 0,
        Weight::Heavy => 1,
    }
}

impl Hungry {
    /// Something happened to a task that wants a worker: it goes to the end of its line.
    pub(crate) fn insert(&mut self, index: u64, weight: Weight) {
        self.remove(index);
        self.stamp += 1;
        let place = Place { stamp: self.stamp, line: line_of(weight) };
        self.places.insert(index, place);
        self.lines[place.line].insert((place.stamp, index));
    }

    /// The task wants nobody; whether it did.
    pub(crate) fn remove(&mut self, index: u64) -> bool {
        let Some(place) = self.places.remove(&index) else { return false };
        self.lines[place.line].remove(&(place.stamp, index))
    }

    pub(crate) fn contains(&self, index: u64) -> bool {
        self.places.contains_key(&index)
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The one with the lowest number.
    pub(crate) fn first(&self) -> Option<u64> {
        self.places.first_key_value().map(|(index, _)| *index)
    }

    /// All of them, by number.
    pub(crate) fn indices(&self) -> impl Iterator<Item = u64> {
        self.places.keys().copied()
    }

    /// The job is over.
    pub(crate) fn clear(&mut self) {
        *self = Self { stamp: self.stamp, ..Self::default() };
    }

    /// The tasks of one weight at which a worker has not looked in vain, the one that waits longest first, with their
    /// stamps.
    pub(crate) fn ahead_of(&self, worker: &NodeId, weight: Weight) -> impl Iterator<Item = (u64, u64)> {
        let line = line_of(weight);
        let passed = self.passed.get(worker).map_or(0, |passed| passed[line]);
        let behind = (Bound::Excluded((passed, u64::MAX)), Bound::Unbounded);
        self.lines[line].range(behind).copied()
    }

    /// Nothing of this weight up to `stamp` fits the worker, as it is and as they are.
    pub(crate) fn pass(&mut self, worker: &NodeId, weight: Weight, stamp: u64) {
        self.passed.entry(*worker).or_default()[line_of(weight)] = stamp;
    }

    /// A worker is not what it was when it looked, or is gone.
    pub(crate) fn look_again(&mut self, worker: &NodeId) {
        self.passed.remove(worker);
    }
}
