//! How long to wait before the next attempt to reconnect: twice as long each time, within bounds, and at random.
//!
//! The randomness keeps a thousand workers that lost the same coordinator from coming back in the same millisecond.

use std::time::Duration;

/// The shortest wait.
pub const DELAY_MIN: Duration = Duration::from_millis(100);
/// The longest wait.
pub const DELAY_MAX: Duration = Duration::from_secs(10);

/// The waits of one node that tries to reconnect. [`Backoff::next_delay`] is pure; [`Backoff::wait`] sleeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Before the first attempt.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Failures since the last [`Backoff::reset`].
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The wait after one more failure, given a random number: after the n-th one it is spread evenly over the upper
    /// half of `DELAY_MIN * 2^n`, and always within [`DELAY_MIN`] and [`DELAY_MAX`].
    pub fn next_delay(&mut self, random: u64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let half = DELAY_MIN.saturating_mul(factor).min(DELAY_MAX) / 2;
        let half_us = u64::try_from(half.as_micros()).unwrap_or(u64::MAX - 1);
        half + Duration::from_micros(random % (half_us + 1))
    }

    /// Sleeps for the next delay, with randomness of the operating system.
    pub async fn wait(&mut self) {
        // Without randomness the waits are still right, only not spread.
        let delay = self.next_delay(getrandom::u64().unwrap_or(0));
        tokio::time::sleep(delay).await;
    }

    /// An attempt succeeded: the next failure waits briefly again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}
