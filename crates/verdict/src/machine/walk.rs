//! Looking at many tasks because of one worker, a few at a time: so that no input costs more than another.

use std::{collections::BTreeSet, ops::Bound};

use protocol::job::JobId;

/// A walk over a set of tasks, which may change meanwhile. What comes into the set is up to date when it does.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The task that was looked at last.
    last: Option<(JobId, u64)>,
    is_under_way: bool,
    /// Something happened after some of the tasks had been looked at: they are looked at again afterwards.
    again: bool,
}

impl Walk {
    /// Something happened for which every task is to be looked at.
    pub(super) fn begin(&mut self) {
        if self.is_under_way {
            self.again = true;
        } else {
            *self = Self { last: None, is_under_way: true, again: false };
        }
    }

    /// The next one to look at; none when all were.
    pub(super) fn next(&mut self, tasks: &BTreeSet<(JobId, u64)>) -> Option<(JobId, u64)> {
        if !self.is_under_way {
            return None;
        }
        let from = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut next = tasks.range((from, Bound::Unbounded)).next().copied();
        if next.is_none() && self.again {
            self.again = false;
            next = tasks.first().copied();
        }
        self.last = next;
        self.is_under_way = next.is_some();
        next
    }
}
