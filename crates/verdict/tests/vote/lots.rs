//! Who shares a task with whom is chance, and follows from the seed alone.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use protocol::{identity::NodeId, policy::Policy};
use verdict::lots::Lots;

use super::cluster::{Behaviour, Cluster};

proptest! {
    #[test]
    fn a_lot_is_below_its_bound_and_a_shuffle_loses_nothing(
        seed in any::<[u8; 32]>(),
        bound in 1..=u64::MAX,
        count in 0_u32..50,
    ) {
        let mut lots = Lots::new(seed);
        prop_assert!(lots.below(bound) < bound);
        let mut items: Vec<u32> = (0..count).collect();
        lots.shuffle(&mut items);
        let found: BTreeSet<u32> = items.iter().copied().collect();
        prop_assert_eq!((items.len(), found.len()), (count as usize, count as usize));
    }
}

#[test]
fn every_number_and_every_order_is_drawn_about_as_often() {
    let mut lots = Lots::new([7; 32]);
    let mut numbers = [0_u32; 5];
    let mut orders: BTreeMap<[u8; 3], u32> = BTreeMap::new();
    for _ in 0..6000 {
        numbers[usize::try_from(lots.below(5)).expect("below 5")] += 1;
        let mut order = [0, 1, 2];
        lots.shuffle(&mut order);
        *orders.entry(order).or_default() += 1;
    }
    // Five standard deviations: 155 and 144.
    assert!(numbers.iter().all(|count| count.abs_diff(1200) < 155), "{numbers:?}");
    assert_eq!(orders.len(), 6);
    assert!(orders.values().all(|count| count.abs_diff(1000) < 144), "{orders:?}");
}

/// Who was asked for each task.
fn electorates(seed: u64) -> BTreeMap<u64, BTreeSet<NodeId>> {
    let mut cluster = Cluster::new(false, seed);
    for _ in 0..12 {
        cluster.add("x", Behaviour::Honest);
    }
    cluster.submit(Policy { max_replicas: 3, ..Policy::default() }, 2000);
    cluster.run();
    let mut electorates: BTreeMap<u64, BTreeSet<NodeId>> = BTreeMap::new();
    for (worker, replica, _) in &cluster.leases {
        electorates.entry(replica.index).or_default().insert(*worker);
    }
    electorates
}

#[test]
fn any_two_workers_meet_about_as_often_as_any_other_two() {
    let mut meetings: BTreeMap<(NodeId, NodeId), u32> = BTreeMap::new();
    for electorate in electorates(1).values() {
        for one in electorate {
            for other in electorate.iter().filter(|other| *other > one) {
                *meetings.entry((*one, *other)).or_default() += 1;
            }
        }
    }
    // 3 pairs of 66 in each of 2000 tasks: 91 meetings of each pair, with a standard deviation of 9.3.
    assert_eq!(meetings.len(), 66);
    assert!(meetings.values().all(|count| count.abs_diff(91) < 47), "{:?}", meetings.values());
}

#[test]
fn who_is_asked_follows_from_the_seed_alone() {
    assert_eq!(electorates(1), electorates(1));
    assert_ne!(electorates(1), electorates(2));
}
