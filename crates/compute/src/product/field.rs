//! Arithmetic modulo primes below 2^50 on doubles, four at a time.
//!
//! A residue is a double that holds an integer of either sign, at most some primes in magnitude: sums are left as they
//! are until they may outgrow 2^53, from where on doubles have gaps. A fused multiply-add gives what the rounded product of
//! two of them lacks, so that `a b - q p` comes out exactly, with q the rounded quotient; a q that is off by rounding leaves
//! a residue that is a little larger. (So computes FLINT's `fft_small`, by D. Schultz, 2022.)

use std::arch::x86_64::{
    __m256d, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm256_add_pd, _mm256_and_pd,
    _mm256_cmp_pd, _mm256_fmsub_pd, _mm256_fnmadd_pd, _mm256_mul_pd, _mm256_round_pd, _mm256_set1_pd,
    _mm256_setzero_pd,
};

/// A prime `k 2^24 + 1` below `0.95 * 2^50` and a number that is no square modulo it.
pub(super) struct Prime {
    pub(super) value: u64,
    pub(super) nonresidue: u64,
}

/// Their product is above 2^149.7.
pub(super) const PRIMES: [Prime; 3] = [
    Prime { value: 1_069_604_747_083_777, nonresidue: 5 },
    Prime { value: 1_069_604_646_420_481, nonresidue: 7 },
    Prime { value: 1_069_604_445_093_889, nonresidue: 7 },
];

impl Prime {
    pub(super) fn product(&self, a: u64, b: u64) -> u64 {
        let product = u128::from(a) * u128::from(b) % u128::from(self.value);
        u64::try_from(product).unwrap_or(0)
    }

    pub(super) fn power(&self, base: u64, exponent: u64) -> u64 {
        let mut result = 1;
        for bit in (0..u64::BITS - exponent.leading_zeros()).rev() {
            result = self.product(result, result);
            if exponent >> bit & 1 == 1 {
                result = self.product(result, base);
            }
        }
        result
    }

    pub(super) fn inverse(&self, a: u64) -> u64 {
        self.power(a % self.value, self.value - 2)
    }

    /// `-a` for a residue a.
    pub(super) fn negated(&self, a: u64) -> u64 {
        (self.value - a) % self.value
    }

    /// The residue as a double of at most half the prime in magnitude.
    #[expect(clippy::cast_precision_loss, reason = "both are below 2^50")]
    pub(super) fn balanced(&self, a: u64) -> f64 {
        if 2 * a > self.value { -((self.value - a) as f64) } else { a as f64 }
    }
}

/// A prime in every lane. With p below `0.95 * 2^50`, all comes from one bound: for `|a| |b| < 2^102` the product is at most
/// `(1/2 + 3 * 2^-53 |a b| / p) p` in magnitude, as the quotient is rounded three times and then to an integer.
#[derive(Clone, Copy)]
pub(super) struct Field {
    prime: __m256d,
    inverse: __m256d,
}

impl Field {
    #[target_feature(enable = "avx2,fma")]
    #[expect(clippy::cast_precision_loss, reason = "the prime is below 2^50")]
    pub(super) fn of(prime: &Prime) -> Self {
        let value = prime.value as f64;
        Self { prime: _mm256_set1_pd(value), inverse: _mm256_set1_pd(1.0 / value) }
    }

    /// `a b`.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn product(self, a: __m256d, b: __m256d) -> __m256d {
        let high = _mm256_mul_pd(a, b);
        let low = _mm256_fmsub_pd(a, b, high);
        _mm256_add_pd(self.reduced(high), low)
    }

    /// `a` less its rounded quotient: at most a little more than half the prime for an a below 2^53.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn reduced(self, a: __m256d) -> __m256d {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        let quotient = _mm256_round_pd::<NEAREST>(_mm256_mul_pd(a, self.inverse));
        _mm256_fnmadd_pd(quotient, self.prime, a)
    }

    /// The residue from 0 to below the prime, of a number below 2^53.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn canonical(self, a: __m256d) -> __m256d {
        let reduced = self.reduced(a);
        let is_negative = _mm256_cmp_pd::<_CMP_LT_OQ>(reduced, _mm256_setzero_pd());
        _mm256_add_pd(reduced, _mm256_and_pd(is_negative, self.prime))
    }
}
