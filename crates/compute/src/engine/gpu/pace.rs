//! How much to put into the next dispatch, learnt from those before.
//!
//! Long dispatches make drivers reset the device and keep a cancelled task running; short ones are mostly overhead. So
//! the size follows the measured rate towards a fixed time, in steps that one odd measurement cannot make wild.

use std::time::Duration;

/// How long a dispatch should take.
const AIM: Duration = Duration::from_millis(100);
/// What a device that nobody has measured gets: a millisecond or so of a large GPU, a second of a slow core.
const FIRST_ITEMS: u32 = 1 << 15;
/// Most items in one dispatch: kernels count them in 32 bits, with room for a last, partly filled workgroup.
pub(super) const ITEMS_MAX: u32 = 1 << 30;
/// By how much a dispatch may be larger than the one that was measured.
const GROWTH_MAX: u64 = 4;

/// The size of the next dispatch of one kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    items: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { items: FIRST_ITEMS }
    }
}

impl Pace {
    /// How many items the next dispatch should have.
    pub(super) fn items(self) -> u32 {
        self.items
    }

    /// Learns that a dispatch of `items` items took `elapsed`. One that is much smaller than what was asked for (the
    /// end of a task) says nothing.
    pub(super) fn learn(&mut self, items: u32, elapsed: Duration) {
        if items < self.items / 2 {
            return;
        }
        let aimed = u128::from(items) * AIM.as_nanos() / elapsed.as_nanos().max(1);
        let most = (u64::from(items) * GROWTH_MAX).min(u64::from(ITEMS_MAX));
        let aimed = u64::try_from(aimed).unwrap_or(u64::MAX).clamp(1024, most.max(1024));
        self.items = u32::try_from(aimed).unwrap_or(ITEMS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispatches_grow_until_they_take_the_time_that_is_aimed_at() {
        let mut pace = Pace::default();
        for _ in 0..20 {
            let items = pace.items();
            // A device of 10^8 items a second.
            pace.learn(items, Duration::from_nanos(u64::from(items) * 10));
        }
        assert_eq!(pace.items(), 10_000_000);
    }

    #[test]
    fn a_slow_device_gets_less_at_once_and_never_nothing() {
        let mut pace = Pace::default();
        pace.learn(pace.items(), Duration::from_secs(10));
        assert_eq!(pace.items(), 1024);
        pace.learn(1024, Duration::from_secs(1000));
        assert_eq!(pace.items(), 1024);
    }

    #[test]
    fn growth_and_size_have_bounds() {
        let mut pace = Pace::default();
        let first = pace.items();
        pace.learn(first, Duration::ZERO);
        assert_eq!(u64::from(pace.items()), u64::from(first) * GROWTH_MAX);
        for _ in 0..40 {
            pace.learn(pace.items(), Duration::ZERO);
        }
        assert_eq!(pace.items(), ITEMS_MAX);
    }

    #[test]
    fn the_short_end_of_a_task_says_nothing() {
        let mut pace = Pace::default();
        let before = pace;
        pace.learn(7, Duration::from_secs(1));
        assert_eq!(pace, before);
    }
}
