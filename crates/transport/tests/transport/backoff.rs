//! The waits between attempts to reconnect.

use std::time::Duration;

use proptest::prelude::*;
use transport::backoff::{Backoff, DELAY_MAX, DELAY_MIN};

proptest! {
    #[test]
    fn every_wait_is_within_the_bounds_and_in_the_upper_half_of_its_step(
        randoms in prop::collection::vec(any::<u64>(), 1..80),
    ) {
        let mut backoff = Backoff::new();
        let mut step = DELAY_MIN;
        for random in randoms {
            step = (step * 2).min(DELAY_MAX);
            let delay = backoff.next_delay(random);
            prop_assert!(delay >= DELAY_MIN && delay <= DELAY_MAX);
            prop_assert!(delay >= step / 2 && delay <= step);
        }
    }
}

#[test]
fn the_waits_double_up_to_ten_seconds_and_begin_anew_after_a_success() {
    let mut backoff = Backoff::new();
    let shortest: Vec<Duration> = (0..9).map(|_| backoff.next_delay(0)).collect();
    let expected_ms = [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000];
    assert_eq!(shortest, expected_ms.map(Duration::from_millis));
    assert_eq!(backoff.failures(), 9);
    backoff.reset();
    assert_eq!(backoff.next_delay(0), DELAY_MIN);
    assert_eq!(backoff.next_delay(u64::MAX - 1).max(DELAY_MAX), DELAY_MAX);
}

#[test]
fn different_random_numbers_spread_the_nodes() {
    let delays: std::collections::BTreeSet<Duration> =
        (0..100_u64).map(|node| Backoff::new().next_delay(node * 1_234_567)).collect();
    assert!(delays.len() > 90, "{} different waits of 100", delays.len());
}
