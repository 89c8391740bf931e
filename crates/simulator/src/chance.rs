//! Chance, from a seed: everything that a world leaves open is drawn here, and drawn the same way again.
//!
//! The stream is that of [`verdict::lots`]; each purpose has a stream of its own, so that a further draw for one does not
//! change what another draws.

use std::ops::RangeInclusive;

use verdict::lots::Lots;

use crate::values::spread;

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// What the scenario leaves open.
    Scenario = 1,
    /// The lots of the machine itself.
    Machine = 2,
    /// Delays and losses.
    Network = 3,
    /// What workers do, and how long they take.
    Workers = 4,
    /// What the coordinator's disk does.
    Disk = 5,
}

/// The 32 bytes that a stream begins with: a seed and its purpose, spread over all of them.
#[must_use]
pub fn seed_bytes(seed: u64, purpose: Purpose) -> [u8; 32] {
    spread(seed, u64::MAX - purpose as u64)
}

/// The 32 bytes that the lots of the machine begin with: another row in each life of the coordinator.
#[must_use]
pub fn machine_seed(seed: u64, life: u32) -> [u8; 32] {
    let mut bytes = seed_bytes(seed, Purpose::Machine);
    bytes[9..13].copy_from_slice(&life.to_le_bytes());
    bytes
}

/// A stream of chance.
#[derive(Debug)]
pub struct Chance(Lots);

impl Chance {
    /// The stream of this seed for this purpose.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        Self(Lots::new(seed_bytes(seed, purpose)))
    }

    /// A number of the range, each as likely as the others; the first one where the range is empty.
    pub fn among(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (first, last) = range.into_inner();
        match last.saturating_sub(first).checked_add(1) {
            Some(count) => first + self.0.below(count),
            None => self.0.draw(),
        }
    }

    /// As [`Chance::among`].
    pub fn among_u32(&mut self, range: RangeInclusive<u32>) -> u32 {
        let (first, last) = range.into_inner();
        let drawn = self.among(u64::from(first)..=u64::from(last));
        u32::try_from(drawn).unwrap_or(last)
    }

    /// Whether something happens that happens so many times in a million.
    pub fn happens(&mut self, per_million: u32) -> bool {
        per_million > 0 && self.0.below(1_000_000) < u64::from(per_million)
    }

    /// 32 bytes that nobody can guess.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for lane in bytes.chunks_exact_mut(8) {
            lane.copy_from_slice(&self.0.draw().to_le_bytes());
        }
        bytes
    }

    /// One of the choices; nothing where there is none.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let at = usize::try_from(self.0.below(choices.len() as u64)).unwrap_or(0);
        choices.get(at).copied()
    }

    /// Puts `items` in an order that is as likely as any other.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }
}
