//! Drawing lots: who is asked next is chance, so that nobody can arrange to sit together.
//!
//! Workers that know which task they get next, and who shares it with them, could wait for one that they hold the
//! majority of. The lots are the key stream of a cipher (eight rounds of `ChaCha`): whoever has seen any number of them
//! cannot foresee the next without the seed. The seed is the driver's: the machine draws nothing by itself, and the same
//! seed gives the same lots.

use chacha20::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// A stream of lots.
#[derive(Debug)]
pub struct Lots(ChaCha8Rng);

impl Lots {
    /// The stream that belongs to `seed`.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, each as likely as the others; 0 where `bound` is 0 or 1, and then nothing is drawn.
    ///
    /// The high half of a 128-bit product, with the few draws rejected that would favour some numbers (Lemire, *Fast
    /// random integer generation in an interval*, 2019).
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound <= 1 {
            return 0;
        }
        loop {
            let product = u128::from(self.draw()) * u128::from(bound);
            let [low, high] = halves(product);
            // A remainder is below its divisor: almost every draw is fair without the division.
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return high;
            }
        }
    }

    /// Puts `items` in an order that is as likely as any other (Fisher and Yates; Durstenfeld, 1964).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(last);
            items.swap(last, other);
        }
    }
}

/// The low and the high 64 bits.
fn halves(product: u128) -> [u64; 2] {
    let bytes = product.to_le_bytes();
    let mut halves = [[0; 8]; 2];
    halves[0].copy_from_slice(&bytes[..8]);
    halves[1].copy_from_slice(&bytes[8..]);
    halves.map(u64::from_le_bytes)
}
