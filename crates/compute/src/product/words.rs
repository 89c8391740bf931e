//! Words as residues and back: the products of numbers from transforms modulo three primes.

use std::arch::x86_64::{
    __m256d, _mm256_add_pd, _mm256_and_si256, _mm256_castpd_si256, _mm256_castsi256_pd, _mm256_or_si256,
    _mm256_set1_epi64x, _mm256_set1_pd, _mm256_setr_epi64x, _mm256_setzero_pd, _mm256_srli_epi64,
    _mm256_sub_pd, _mm256_xor_si256,
};

use std::sync::LazyLock;

use rayon::{join, prelude::*};

use super::{
    field::{Field, PRIMES, Prime},
    roots::POINTS_MAX,
    transform::{Shape, Transform},
};

/// Words of a product from which on its primes go to several threads.
const PARALLEL_WORDS: usize = 8_192;

/// `2^52`: its last bits are those of an integer below it that is added.
const TWO_TO_52: f64 = 4_503_599_627_370_496.0;

/// The words of `a b`, the lowest first, as many as those of the factors together. None where there would be too many, or
/// the processor has not what it takes.
pub(super) fn product(a: &[u64], b: &[u64]) -> Option<Vec<u64>> {
    let count = a.len() + b.len();
    if count > POINTS_MAX || !super::is_available() {
        return None;
    }
    let shape = Shape::of(count);
    // SAFETY: the processor has avx2 and fma: `is_available` has just said so.
    let residues = |place: usize| unsafe { residues(place, shape, a, b) };
    let all: Vec<Vec<__m256d>> = if count >= PARALLEL_WORDS {
        (0..PRIMES.len()).into_par_iter().map(residues).collect()
    } else {
        (0..PRIMES.len()).map(residues).collect()
    };
    // SAFETY: as above.
    Some(unsafe { carried(&all, shape, count) })
}

/// The coefficients of the product modulo a prime, times the scale.
#[target_feature(enable = "avx2,fma")]
fn residues(place: usize, shape: Shape, a: &[u64], b: &[u64]) -> Vec<__m256d> {
    let transform = Transform::new(place, shape);
    let field = Field::of(&PRIMES[place]);
    let is_square = std::ptr::eq(a, b);
    let transformed = |words: &[u64]| {
        let mut data = spread(words, field, shape.points());
        transform.forward(&mut data);
        data
    };
    let mut data;
    if is_square {
        data = transformed(a);
        transform.square(&mut data);
    } else {
        let other;
        (data, other) = if shape.points() >= PARALLEL_WORDS {
            join(|| transformed(a), || transformed(b))
        } else {
            (transformed(a), transformed(b))
        };
        transform.multiply(&mut data, &other);
    }
    transform.backward(&mut data);
    data
}

/// Words as residues of at most 0.6 primes, with zeros behind them.
#[target_feature(enable = "avx2,fma")]
fn spread(words: &[u64], field: Field, points: usize) -> Vec<__m256d> {
    let mut data = Vec::with_capacity(points / 4);
    let (whole, rest) = words.as_chunks::<4>();
    for four in whole {
        data.push(residues_of_words(*four, field));
    }
    if !rest.is_empty() {
        let last = std::array::from_fn(|place| rest.get(place).copied().unwrap_or(0));
        data.push(residues_of_words(last, field));
    }
    data.resize(points / 4, _mm256_setzero_pd());
    data
}

/// The halves of a word are doubles; the upper one times `2^32` is one as well, and less its multiple of the prime it is an
/// integer below the prime.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn residues_of_words(words: [u64; 4], field: Field) -> __m256d {
    let words = _mm256_setr_epi64x(
        words[0].cast_signed(),
        words[1].cast_signed(),
        words[2].cast_signed(),
        words[3].cast_signed(),
    );
    let offset = _mm256_set1_pd(TWO_TO_52);
    let bits = _mm256_castpd_si256(offset);
    let low = _mm256_or_si256(_mm256_and_si256(words, _mm256_set1_epi64x(0xffff_ffff)), bits);
    let low = _mm256_sub_pd(_mm256_castsi256_pd(low), offset);
    // With the exponent of 2^84, the last bit of the mantissa is 2^32.
    let high_offset = _mm256_set1_pd(TWO_TO_52 * 4_294_967_296.0);
    let high = _mm256_or_si256(_mm256_srli_epi64::<32>(words), _mm256_castpd_si256(high_offset));
    let high = _mm256_sub_pd(_mm256_castsi256_pd(high), high_offset);
    _mm256_add_pd(field.reduced(high), low)
}

/// What puts residues together: with `s` the scale's inverse and p, q, r the primes, and residues x, y, z,
/// `t = x s`, `u = (y s - t) / p` modulo q, `v = ((z s - t) / p - u) / q` modulo r, and the number is `t + p (u + q v)`.
struct Garner {
    fields: [Field; 3],
    scale: __m256d,
    second: [__m256d; 2],
    third: [__m256d; 3],
}

/// `1 / p` modulo q, `1 / q` and `1 / (p q)` modulo r.
static INVERSES: LazyLock<[u64; 3]> = LazyLock::new(|| {
    let [p, q, r] = &PRIMES;
    let by_q = r.inverse(q.value);
    [q.inverse(p.value), by_q, r.product(by_q, r.inverse(p.value))]
});

impl Garner {
    /// For residues times a power of two.
    #[target_feature(enable = "avx2,fma")]
    fn new(scale_log2: u32) -> Self {
        let [p, q, r] = &PRIMES;
        let [by_p, by_q, by_both] = *INVERSES;
        let unscale = |prime: &Prime| prime.power(prime.value.div_ceil(2), scale_log2.into());
        let all = |prime: &Prime, factor: u64| _mm256_set1_pd(prime.balanced(factor));
        Self {
            fields: [Field::of(p), Field::of(q), Field::of(r)],
            scale: all(p, unscale(p)),
            second: [all(q, q.product(by_p, unscale(q))), all(q, q.negated(by_p))],
            third: [
                all(r, r.product(by_both, unscale(r))),
                all(r, r.negated(by_both)),
                all(r, r.negated(by_q)),
            ],
        }
    }

    /// `t`, `u` and `v`, none negative and below their primes. Sums are of at most three products of at most 1 each.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn digits(&self, residues: [__m256d; 3]) -> [[u64; 4]; 3] {
        let [first, second, third] = self.fields;
        let low = first.canonical(first.product(residues[0], self.scale));
        let middle = second.product(residues[1], self.second[0]);
        let middle = second.canonical(_mm256_add_pd(middle, second.product(low, self.second[1])));
        let high = third.product(residues[2], self.third[0]);
        let high = _mm256_add_pd(high, third.product(low, self.third[1]));
        let high = third.canonical(_mm256_add_pd(high, third.product(middle, self.third[2])));
        [integers(low), integers(middle), integers(high)]
    }
}

/// Doubles that are integers from 0 to below `2^52`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn integers(values: __m256d) -> [u64; 4] {
    let offset = _mm256_set1_pd(TWO_TO_52);
    let bits = _mm256_castpd_si256(_mm256_add_pd(values, offset));
    let words = _mm256_xor_si256(bits, _mm256_castpd_si256(offset));
    // SAFETY: both are 32 bytes of plain integers.
    unsafe { std::mem::transmute(words) }
}

/// The first `count` words of the number whose coefficients have these residues.
#[target_feature(enable = "avx2,fma")]
fn carried(residues: &[Vec<__m256d>], shape: Shape, count: usize) -> Vec<u64> {
    let [first, second, third] = residues else { return Vec::new() };
    let garner = Garner::new(shape.scale_log2());
    let (first_prime, second_prime) = (u128::from(PRIMES[0].value), u128::from(PRIMES[1].value));
    let low = |value: u128| u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
    let mut words = vec![0; count.next_multiple_of(4)];
    let (fours, _) = words.as_chunks_mut::<4>();
    let mut carry = 0_u128;
    for (((first, second), third), four) in first.iter().zip(second).zip(third).zip(fours) {
        let [bottom, middle, top] = garner.digits([*first, *second, *third]);
        for lane in 0..4 {
            let upper = u128::from(middle[lane]) + second_prime * u128::from(top[lane]);
            let lower = u128::from(bottom[lane]) + first_prime * u128::from(low(upper));
            let sum = u128::from(low(carry)) + u128::from(low(lower));
            four[lane] = low(sum);
            carry = (carry >> 64) + (sum >> 64) + (lower >> 64) + first_prime * (upper >> 64);
        }
    }
    words.truncate(count);
    words
}
