//! Which tasks of a job are settled: nothing more happens to them, and nothing is kept of them here but their numbers.
//!
//! Tasks are opened in order and settle nearly in order, so what is kept is a few ranges, not a number for each task.

use std::collections::BTreeMap;

/// A set of task numbers, as ranges that do not touch.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The first number of each range, and the first one after it.
    ranges: BTreeMap<u64, u64>,
}

impl Settled {
    pub(crate) fn contains(&self, index: u64) -> bool {
        self.range_of(index).is_some()
    }

    /// The first number from `index` on that is not in the set.
    pub(crate) fn first_gap(&self, index: u64) -> u64 {
        self.range_of(index).map_or(index, |(_, end)| end)
    }

    pub(crate) fn insert(&mut self, index: u64) {
        if self.contains(index) {
            return;
        }
        let end = self.ranges.remove(&(index + 1)).unwrap_or(index + 1);
        match index.checked_sub(1).and_then(|before| self.range_of(before)) {
            Some((first, _)) => self.ranges.insert(first, end),
            None => self.ranges.insert(index, end),
        };
    }

    /// How many ranges it takes.
    #[cfg(test)]
    fn ranges(&self) -> usize {
        self.ranges.len()
    }

    fn range_of(&self, index: u64) -> Option<(u64, u64)> {
        let (first, end) = self.ranges.range(..=index).next_back()?;
        (index < *end).then_some((*first, *end))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_in_as_few_ranges_as_can_be(indices in prop::collection::vec(0u64..40, 0..60)) {
            let (mut settled, mut plain) = (Settled::default(), BTreeSet::new());
            for index in indices {
                settled.insert(index);
                plain.insert(index);
                for number in 0..42 {
                    prop_assert_eq!(settled.contains(number), plain.contains(&number));
                    let gap = (number..=100).find(|number| !plain.contains(number));
                    prop_assert_eq!(Some(settled.first_gap(number)), gap);
                }
                let first_ones =
                    plain.iter().filter(|number| number.checked_sub(1).is_none_or(|n| !plain.contains(&n)));
                prop_assert_eq!(settled.ranges(), first_ones.count());
            }
        }
    }
}
