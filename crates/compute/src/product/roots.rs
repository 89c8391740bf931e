//! Tables of roots of unity modulo the primes.

use std::sync::OnceLock;

use super::field::{PRIMES, Prime};

/// Logarithms of the lengths of the tables of roots: from a root to the next is a factor of at most 8.
const TABLE_LOG2: [u32; 6] = [10, 13, 16, 18, 19, 20];

/// `W` of the primes, in tables of several lengths.
static TABLES: [[OnceLock<Box<[f64]>>; TABLE_LOG2.len()]; PRIMES.len()] =
    [const { [const { OnceLock::new() }; TABLE_LOG2.len()] }; PRIMES.len()];

/// Coefficients of the longest transform.
pub(super) const POINTS_MAX: usize = 2 << TABLE_LOG2[TABLE_LOG2.len() - 1];

/// The root of order `2^(k + 2)`: W at `2^k`.
pub(super) fn root(prime: &Prime, k: u32) -> u64 {
    prime.power(prime.nonresidue, (prime.value - 1) >> (k + 2))
}

/// At least the first `count` of W.
pub(super) fn roots(place: usize, count: usize) -> &'static [f64] {
    let size = TABLE_LOG2.iter().position(|log2| count <= 1 << log2).unwrap_or(TABLE_LOG2.len() - 1);
    TABLES[place][size].get_or_init(|| {
        let prime = &PRIMES[place];
        let mut table = vec![1; 1 << TABLE_LOG2[size]];
        for k in 0..TABLE_LOG2[size] {
            let (step, half) = (root(prime, k), 1 << k);
            for low in 0..half {
                table[half + low] = prime.product(table[low], step);
            }
        }
        table.into_iter().map(|root| prime.balanced(root)).collect()
    })
}

/// `-1 / W[j]` is at this place of W; for the first, W is 1.
#[inline]
pub(super) fn inverse_place(node: usize) -> usize {
    let half = 1_usize << node.ilog2();
    3 * half - 1 - node
}
