//! How far a tree of known size is: leaves and merges report their share, from any thread.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::control::{Cancelled, Control};

/// Maps the steps of one phase onto a stretch of the thousandths of the whole computation.
pub(super) struct Progress<'a> {
    control: &'a Control,
    done: AtomicU64,
    total: u64,
    from_permille: u16,
    to_permille: u16,
}

impl<'a> Progress<'a> {
    /// A tree over `leaves` leaves in which every leaf is touched once a level.
    pub(super) fn tree(control: &'a Control, leaves: u64, from_permille: u16, to_permille: u16) -> Self {
        let levels = u64::from(leaves.max(1).ilog2()) + 1;
        Self {
            control,
            done: AtomicU64::new(0),
            total: leaves.max(1).saturating_mul(levels),
            from_permille,
            to_permille,
        }
    }

    /// So many steps, one after the other.
    pub(super) fn sequence(control: &'a Control, steps: u64, from_permille: u16, to_permille: u16) -> Self {
        Self { control, done: AtomicU64::new(0), total: steps.max(1), from_permille, to_permille }
    }

    /// Says that `leaves` leaves were merged on every level up to the node that holds them.
    pub(super) fn skipped(&self, leaves: u64) -> Result<(), Cancelled> {
        self.merged(leaves.saturating_mul(u64::from(leaves.max(1).ilog2()) + 1))
    }

    /// Says that `leaves` leaves were merged once, and asks whether to go on.
    pub(super) fn merged(&self, leaves: u64) -> Result<(), Cancelled> {
        self.control.check()?;
        let done = self.done.fetch_add(leaves, Ordering::Relaxed).saturating_add(leaves).min(self.total);
        let stretch = u64::from(self.to_permille.saturating_sub(self.from_permille));
        let passed = stretch.saturating_mul(done) / self.total;
        self.control.set_permille(self.from_permille + u16::try_from(passed).unwrap_or(0));
        Ok(())
    }
}
