//! What waits for the disk: whatever tells anybody that something is decided goes out once everything that was written
//! down before it is synced, and in order. The real coordinator does the same.

use std::collections::VecDeque;

use protocol::job::JobId;
use verdict::Output;

use crate::disk::Disk;

/// Something that tells somebody something.
#[derive(Debug)]
pub(crate) enum Act {
    /// What the machine ordered.
    Output(Output),
    /// A client hears that its job is taken.
    Taken(JobId),
}

/// The line of what waits.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Each with how many entries must be synced before.
    waiting: VecDeque<(usize, Act)>,
}

impl Gate {
    /// How much waits.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Gives an act back that may be done now, or lets it wait.
    pub(crate) fn pass(&mut self, act: Act, disk: &Disk) -> Option<Act> {
        if self.waiting.is_empty() && disk.appended() == disk.synced() {
            return Some(act);
        }
        self.waiting.push_back((disk.appended(), act));
        None
    }

    /// The next act that waits no longer.
    pub(crate) fn next(&mut self, disk: &Disk) -> Option<Act> {
        let (needs, _) = self.waiting.front()?;
        if *needs > disk.synced() {
            return None;
        }
        self.waiting.pop_front().map(|(_, act)| act)
    }

    /// Nobody is left to tell anything.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}
