//! The terms of a series as machine words, as far as they fit, and the primes of their linear factors.

use protocol::series::{Factor, Hypergeometric, Polynomial};
use rug::Integer;

use super::{
    enclosure::shift,
    factors::{Factors, Sieve},
};

/// Largest value of a linear factor whose primes are looked up: the table takes a byte for each.
const SIEVED_MAX: u64 = 1 << 31;
/// Steepest linear factor whose primes are looked up, so that the table stays in proportion to the terms.
const SIEVED_SLOPE_MAX: u128 = 16;
/// Largest constant in one.
const SIEVED_CONSTANT_MAX: u128 = 1 << 20;

/// A series, ready to be evaluated term by term.
pub(super) struct Terms {
    p: Product,
    q: Product,
    a: Product,
    b: Product,
    has_p: bool,
    has_b: bool,
}

/// A few terms: P is `p 2^p_twos`, Q B is `qb 2^qb_twos`.
pub(super) struct Block {
    pub(super) p: Integer,
    pub(super) p_twos: u64,
    pub(super) qb: Integer,
    pub(super) qb_twos: u64,
    pub(super) b: Integer,
    pub(super) t: Integer,
}

impl Terms {
    /// For the terms before `to`.
    pub(super) fn new(series: &Hypergeometric, to: u64) -> Self {
        let [p, q, a, b] =
            [&series.p, &series.q, &series.a, &series.b].map(|polynomial| Product::new(polynomial, to));
        Self { p, q, a, b, has_p: !series.p.is_one(), has_b: !series.b.is_one() }
    }

    /// Whether p is anything but 1.
    pub(super) fn has_p(&self) -> bool {
        self.has_p
    }

    /// Whether b is anything but 1.
    pub(super) fn has_b(&self) -> bool {
        self.has_b
    }

    /// Whether numerators and denominators may have primes in common that are known.
    pub(super) fn has_common_factors(&self) -> bool {
        let is_sieved = |factor: &WordFactor| factor.sieved_up_to.is_some();
        self.p.factors.iter().any(is_sieved) && self.q.factors.iter().any(is_sieved)
    }

    /// Past the largest number whose primes are looked up.
    pub(super) fn sieve_limit(&self) -> u32 {
        if !self.has_common_factors() {
            return 64;
        }
        let largest = self.p.factors.iter().chain(&self.q.factors).filter_map(|factor| factor.sieved_up_to);
        u32::try_from(largest.max().unwrap_or(0) + 64).unwrap_or(64)
    }

    /// Sums a few terms one after the other: `T <- T q b + P a B`.
    pub(super) fn block(&self, from: u64, to: u64) -> Block {
        let one = || Integer::from(1);
        let mut block = Block { p: one(), p_twos: 0, qb: one(), qb_twos: 0, b: one(), t: Integer::new() };
        let mut words = Words::default();
        for k in from..to {
            let Block { p, p_twos, qb, qb_twos, b, t } = &mut block;
            self.q.at(k, &mut words);
            words.multiply(qb);
            words.multiply(t);
            let mut up = words.twos;
            self.p.at(k, &mut words);
            words.multiply(p);
            *p_twos += words.twos;
            self.a.at(k, &mut words);
            let mut addend = p.clone();
            words.multiply(&mut addend);
            let addend_twos = *p_twos + words.twos;
            if self.has_b {
                addend *= &*b;
                self.b.at(k, &mut words);
                words.multiply(b);
                *b <<= shift(words.twos);
                words.multiply(qb);
                words.multiply(t);
                up += words.twos;
            }
            *qb_twos += up;
            *t <<= shift(up);
            addend <<= shift(addend_twos);
            *t += addend;
        }
        block
    }

    /// Known primes of P and of Q of the terms `from <= k < to`.
    pub(super) fn block_factors(&self, from: u64, to: u64, sieve: &Sieve) -> (Factors, Factors) {
        let known = |product: &Product| {
            let mut parts = Vec::with_capacity(128);
            for factor in product.factors.iter().filter(|factor| factor.sieved_up_to.is_some()) {
                for k in from..to {
                    let value = factor.at(k).unwrap_or(0).unsigned_abs();
                    if let Some(odd) = value.checked_shr(value.trailing_zeros()).filter(|odd| *odd != 0) {
                        let odd = u32::try_from(odd).unwrap_or(1);
                        sieve.factorise(odd, u32::from(factor.power), &mut parts);
                    }
                }
            }
            let terms = u32::try_from(to - from).unwrap_or(0);
            parts.extend(product.primes.iter().map(|(prime, exponent)| (*prime, exponent * terms)));
            Factors::gather(parts)
        };
        // A numerator of zero has no primes, and nothing may be taken out of it.
        let vanishes = (from..to).any(|k| self.p.factors.iter().any(|factor| factor.at(k) == Some(0)));
        let p = if vanishes { Factors::default() } else { known(&self.p) };
        (p, known(&self.q))
    }
}

/// A polynomial as a product.
struct Product {
    constant: i128,
    factors: Vec<WordFactor>,
    /// Small odd primes of the constant.
    primes: Vec<(u32, u32)>,
}

struct WordFactor {
    coefficients: Vec<i128>,
    power: u8,
    /// A bound of its values, if it is linear and they are small enough to be sieved.
    sieved_up_to: Option<u64>,
}

impl WordFactor {
    /// Its value; none beyond 127 bits.
    fn at(&self, k: u64) -> Option<i128> {
        let k = i128::from(k);
        let mut value: i128 = 0;
        for coefficient in self.coefficients.iter().rev() {
            value = value.checked_mul(k)?.checked_add(*coefficient)?;
        }
        Some(value)
    }

    fn long_at(&self, k: u64) -> Integer {
        self.coefficients.iter().rev().fold(Integer::new(), |value, coefficient| value * k + *coefficient)
    }
}

/// A bound of the values before `to` of a factor that is to be sieved.
fn sieved_up_to(coefficients: &[i128], to: u64) -> Option<u64> {
    let [constant, slope] = *coefficients else { return None };
    let (constant, slope) = (constant.unsigned_abs(), slope.unsigned_abs());
    if slope > SIEVED_SLOPE_MAX || constant > SIEVED_CONSTANT_MAX {
        return None;
    }
    u64::try_from(slope * u128::from(to) + constant).ok().filter(|largest| *largest < SIEVED_MAX)
}

impl Product {
    fn new(polynomial: &Polynomial, to: u64) -> Self {
        let factors = polynomial.factors.iter().map(|Factor { coefficients, power }| WordFactor {
            coefficients: coefficients.clone(),
            power: *power,
            sieved_up_to: sieved_up_to(coefficients, to),
        });
        Self {
            constant: polynomial.constant,
            factors: factors.collect(),
            primes: small_primes(polynomial.constant.unsigned_abs()),
        }
    }

    /// Its value, as odd words and a power of two.
    fn at(&self, k: u64, words: &mut Words) {
        words.clear();
        words.put(self.constant);
        for factor in &self.factors {
            match factor.at(k) {
                Some(value) => (0..factor.power).for_each(|_| words.put(value)),
                None => (0..factor.power).for_each(|_| words.wide.push(factor.long_at(k))),
            }
        }
    }
}

/// The odd primes below 2^10 of a constant, with their exponents.
fn small_primes(mut constant: u128) -> Vec<(u32, u32)> {
    let mut primes = Vec::new();
    for prime in (3_u32..1 << 10).step_by(2) {
        let mut exponent = 0;
        while constant > 1 && constant.is_multiple_of(prime.into()) {
            constant /= u128::from(prime);
            exponent += 1;
        }
        if exponent > 0 {
            primes.push((prime, exponent));
        }
    }
    primes
}

/// A value as a product of few words and a power of two.
#[derive(Default)]
struct Words {
    is_negative: bool,
    is_zero: bool,
    twos: u64,
    narrow: Vec<u64>,
    wide: Vec<Integer>,
}

impl Words {
    fn clear(&mut self) {
        (self.is_negative, self.is_zero, self.twos) = (false, false, 0);
        self.narrow.clear();
        self.wide.clear();
    }

    fn put(&mut self, value: i128) {
        if value == 0 {
            self.is_zero = true;
            return;
        }
        self.is_negative ^= value < 0;
        let magnitude = value.unsigned_abs();
        let twos = magnitude.trailing_zeros();
        self.twos += u64::from(twos);
        let odd = magnitude >> twos;
        let Ok(word) = u64::try_from(odd) else {
            self.wide.push(Integer::from(odd));
            return;
        };
        if word == 1 {
            return;
        }
        match self.narrow.last_mut().and_then(|last| Some((last.checked_mul(word)?, last))) {
            Some((product, last)) => *last = product,
            None => self.narrow.push(word),
        }
    }

    /// Multiplies by the value without its power of two.
    fn multiply(&self, number: &mut Integer) {
        if self.is_zero {
            *number = Integer::new();
            return;
        }
        for word in &self.narrow {
            *number *= *word;
        }
        for wide in &self.wide {
            *number *= wide;
        }
        if self.is_negative {
            *number = -std::mem::take(number);
        }
    }
}
