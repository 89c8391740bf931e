//! Numbers of a challenge: each follows from the seed, which was drawn when the outcome was fixed.

use protocol::digest::{Domain, Hasher};

/// Numbers that follow from the seed of a challenge.
pub(super) struct Draw {
    hasher: Hasher,
    counter: u64,
}

impl Draw {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        let mut hasher = Hasher::new(Domain::Values);
        hasher.update(b"members of an audit");
        hasher.update(seed);
        Self { hasher, counter: 0 }
    }

    /// A number below `bound`, as good as uniform: 256 bits are reduced by 128.
    pub(super) fn below(&mut self, bound: u128) -> u128 {
        let mut block = self.hasher.clone();
        block.update(&self.counter.to_le_bytes());
        self.counter += 1;
        let digest = block.finish().0;
        let byte = |rest: u128, byte: &u8| {
            // One bit after the other, as a byte at a time could overflow.
            (0..8).rev().fold(rest, |rest, bit| {
                let doubled = if rest >= bound - rest { rest - (bound - rest) } else { rest + rest };
                let next = doubled + u128::from(byte >> bit & 1);
                if next >= bound { next - bound } else { next }
            })
        };
        if bound <= 1 { 0 } else { digest.iter().fold(0, byte) }
    }
}
