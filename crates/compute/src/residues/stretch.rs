//! What a stretch of a hypergeometric series comes to modulo a number: four residues that join like the integers do.

use super::modulus::Modulus;

/// P, Q, B and T of a stretch of terms, modulo one modulus; see [`HypergeometricSeries`](super::HypergeometricSeries).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StretchResidues {
    /// The product of the p(k).
    pub p: u64,
    /// The product of the q(k).
    pub q: u64,
    /// The product of the b(k).
    pub b: u64,
    /// The numerator of the sum T / (B Q).
    pub t: u64,
}

impl StretchResidues {
    /// A stretch of no terms.
    pub const EMPTY: Self = Self { p: 1, q: 1, b: 1, t: 0 };

    /// This stretch and the one that follows it:
    /// P = P1 P2, Q = Q1 Q2, B = B1 B2, T = B2 Q2 T1 + B1 P1 T2 (Haible and Papanikolaou, "Fast multiprecision
    /// evaluation of series of rational numbers", 1998).
    #[must_use]
    pub fn joined(self, next: Self, modulus: &Modulus) -> Self {
        let times = |a, b| modulus.multiply(a, b);
        Self {
            p: times(self.p, next.p),
            q: times(self.q, next.q),
            b: times(self.b, next.b),
            t: modulus.add(times(times(next.b, next.q), self.t), times(times(self.b, self.p), next.t)),
        }
    }
}
