//! Liveness: when has a worker been silent for so long that it is probably gone?
//!
//! Phi-accrual failure detection (Hayashibara, Défago, Yared, Katayama: "The φ accrual failure detector", SRDS 2004):
//! the times between a worker's messages are taken to be normally distributed, and phi(t) = -log10 of the probability
//! that a message is still to come after a silence of t. A machine without a clock cannot ask for phi again and again,
//! so the equation is solved for t instead: phi reaches the threshold after `mean + z · deviation`, where z is the
//! quantile of the normal distribution that belongs to the threshold. To that comes a pause that anybody may make (a
//! collected heap, a stopped disk). Everything is whole milliseconds: no float, the same on every machine.
//!
//! After that silence a worker is *suspect*, after twice that silence it is on *standby*. Whether it is right is
//! another matter, which liveness neither knows nor changes.

use std::collections::VecDeque;

use protocol::limits::{HEARTBEAT_MS_MAX, HEARTBEAT_MS_MIN, LIVENESS_WINDOW_MAX, SUSPICION_THRESHOLD_MAX};

/// Thousandths of standard deviations after which a normal distribution has 10^-1, 10^-2, … left: z with Q(z) = 10^-phi,
/// rounded up, for every threshold from 1 to [`SUSPICION_THRESHOLD_MAX`].
const QUANTILES_MILLI: [u64; SUSPICION_THRESHOLD_MAX as usize] =
    [1282, 2327, 3091, 3720, 4265, 4754, 5200, 5613, 5998, 6362, 6707, 7035, 7349, 7651, 7942, 8223];

/// How often workers are to be heard, and how sure a suspicion must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    heartbeat_ms: u64,
    threshold: u8,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { heartbeat_ms: 1_000, threshold: 8 }
    }
}

impl Rhythm {
    /// A heartbeat every `heartbeat_ms` (from [`HEARTBEAT_MS_MIN`] to [`HEARTBEAT_MS_MAX`], in milliseconds), and
    /// suspicion at phi = `threshold` (from 1 to [`SUSPICION_THRESHOLD_MAX`]); what is outside is taken as the bound.
    #[must_use]
    pub fn new(heartbeat_ms: u64, threshold: u8) -> Self {
        Self {
            heartbeat_ms: heartbeat_ms.clamp(HEARTBEAT_MS_MIN, HEARTBEAT_MS_MAX),
            threshold: threshold.clamp(1, SUSPICION_THRESHOLD_MAX),
        }
    }

    /// How often a worker is to be heard, in milliseconds.
    #[must_use]
    pub fn heartbeat_ms(&self) -> u64 {
        self.heartbeat_ms
    }

    /// The phi at which a worker is suspect.
    #[must_use]
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    /// A pause that is nobody's fault: two heartbeats, in milliseconds.
    #[must_use]
    pub fn pause_ms(&self) -> u64 {
        2 * self.heartbeat_ms
    }

    /// The least deviation that is believed: a worker on an idle network is as regular as a clock, until it is not.
    fn deviation_min_ms(&self) -> u64 {
        self.heartbeat_ms / 4
    }

    /// The longest interval that is learnt from, so that a worker cannot teach the detector to wait for ever.
    fn interval_max_ms(&self) -> u64 {
        4 * self.heartbeat_ms
    }

    /// The shortest interval that is learnt from: a burst of ballots says nothing about the rhythm.
    fn interval_min_ms(&self) -> u64 {
        self.heartbeat_ms / 4
    }

    /// The silence after which phi is at the threshold, for these intervals, in milliseconds.
    fn silence_ms(&self, mean_ms: u64, deviation_ms: u64) -> u64 {
        let quantile_milli =
            QUANTILES_MILLI.get(usize::from(self.threshold) - 1).copied().unwrap_or(u64::from(u16::MAX));
        let mean_ms = mean_ms.max(self.heartbeat_ms);
        let deviation_ms = deviation_ms.max(self.deviation_min_ms());
        self.pause_ms() + mean_ms + (deviation_ms * quantile_milli).div_ceil(1000)
    }

    /// No worker is suspect before it was silent for this long, in milliseconds.
    #[must_use]
    pub fn silence_ms_min(&self) -> u64 {
        self.silence_ms(0, 0)
    }

    /// Every worker that is silent for this long is suspect, in milliseconds: intervals are at most four heartbeats, so
    /// their mean is as well, and their deviation is at most half of that.
    #[must_use]
    pub fn silence_ms_max(&self) -> u64 {
        self.silence_ms(self.interval_max_ms(), self.interval_max_ms() / 2)
    }
}

/// What is known of one worker's rhythm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    rhythm: Rhythm,
    heard_ms: u64,
    /// The last intervals between its messages, at most [`LIVENESS_WINDOW_MAX`], their sum and that of their squares.
    intervals_ms: VecDeque<u64>,
    sum_ms: u64,
    sum_of_squares: u64,
}

impl Watch {
    /// A worker that was heard for the first time.
    #[must_use]
    pub fn new(rhythm: Rhythm, now_ms: u64) -> Self {
        Self { rhythm, heard_ms: now_ms, intervals_ms: VecDeque::new(), sum_ms: 0, sum_of_squares: 0 }
    }

    /// It was heard again.
    pub fn heard(&mut self, now_ms: u64) {
        let interval_ms = now_ms.saturating_sub(self.heard_ms);
        self.heard_ms = self.heard_ms.max(now_ms);
        if interval_ms < self.rhythm.interval_min_ms() {
            return;
        }
        let interval_ms = interval_ms.min(self.rhythm.interval_max_ms());
        if self.intervals_ms.len() >= LIVENESS_WINDOW_MAX
            && let Some(oldest) = self.intervals_ms.pop_front()
        {
            self.sum_ms -= oldest;
            self.sum_of_squares -= oldest * oldest;
        }
        self.intervals_ms.push_back(interval_ms);
        self.sum_ms += interval_ms;
        self.sum_of_squares += interval_ms * interval_ms;
    }

    /// The silence until now is nobody's fault (the watcher itself was away): it begins anew, and nothing is learnt.
    pub fn excuse(&mut self, now_ms: u64) {
        self.heard_ms = self.heard_ms.max(now_ms);
    }

    /// How long it must be silent to be suspect, in milliseconds.
    #[must_use]
    pub fn silence_ms(&self) -> u64 {
        let count = self.intervals_ms.len() as u64;
        if count == 0 {
            return self.rhythm.silence_ms(0, 0);
        }
        // n · Σx² - (Σx)² is n² times the variance, and never negative.
        let spread = (count * self.sum_of_squares).saturating_sub(self.sum_ms * self.sum_ms);
        self.rhythm.silence_ms(self.sum_ms.div_ceil(count), spread.isqrt().div_ceil(count))
    }

    /// When it is suspect unless it is heard, in milliseconds.
    #[must_use]
    pub fn suspect_at_ms(&self) -> u64 {
        self.heard_ms + self.silence_ms()
    }

    /// When it is on standby unless it is heard, in milliseconds.
    #[must_use]
    pub fn standby_at_ms(&self) -> u64 {
        self.heard_ms + 2 * self.silence_ms()
    }
}
