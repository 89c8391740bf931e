//! Polynomials modulo a prime, split into their values by roots of unity and put together again.
//!
//! A node is a polynomial modulo `x^n - w^2`, which is split into those modulo `x^(n/2) - w` and `x^(n/2) + w`, two levels
//! at a time. Nodes are numbered by levels as in a heap; `W[j]` is the w of the nodes with number j at every level, with
//! `W[0] = 1`, `W[2j]^2 = W[j]` and `W[2j+1] = W[1] W[2j]`, W[1] a root of -1. All of a node is multiplied by the same few
//! roots, so that nothing is permuted. Vectors hold four successive coefficients; only nodes of four coefficients are
//! transposed, four of them at a time, and stay so: products of values do not care for their order.
//!
//! Bounds, in units of the prime: what goes into a forward step is at most 2.75, what goes into a backward step at most 2.
//! Each step says how its results stay within that.

use std::{
    arch::x86_64::{
        __m256d, _mm256_add_pd, _mm256_permute2f128_pd, _mm256_set1_pd, _mm256_setr_pd, _mm256_sub_pd,
        _mm256_unpackhi_pd, _mm256_unpacklo_pd,
    },
    sync::OnceLock,
};

use rayon::join;

use super::{
    field::{Field, PRIMES, Prime},
    roots::{inverse_place, root, roots},
};

/// Vectors of a node from which on its children go to several threads.
const PARALLEL_VECTORS: usize = 1 << 13;

/// How many blocks of a power of two of coefficients there are: 5, 6 or 7 of 8, or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    blocks: usize,
    /// A power of two, from 16 on.
    block_points: usize,
}

impl Shape {
    /// For products of at least so many coefficients, at most [`super::roots::POINTS_MAX`].
    pub(super) fn of(points: usize) -> Self {
        let whole = points.next_power_of_two().max(16);
        let block_points = whole / 8;
        let blocks = points.div_ceil(block_points.max(1));
        if block_points < 16 || blocks >= 8 {
            return Self { blocks: 1, block_points: whole };
        }
        // More than half of the power of two above.
        Self { blocks: blocks.max(5), block_points }
    }

    pub(super) fn points(self) -> usize {
        self.blocks * self.block_points
    }

    /// The logarithm of what a transform forth and back multiplies everything by.
    pub(super) fn scale_log2(self) -> u32 {
        self.block_points.ilog2() + if self.blocks == 1 { 0 } else { 2 }
    }
}

/// Transforms of a shape modulo one of the primes.
pub(super) struct Transform {
    shape: Shape,
    field: Field,
    roots: &'static [f64],
    /// See [`Transform::join_blocks`]: for each block above the fourth, the factors of all blocks.
    joining: &'static [Vec<f64>],
}

/// See [`joining`], for 5, 6 and 7 blocks.
static JOINING: [[OnceLock<Vec<Vec<f64>>>; 3]; PRIMES.len()] =
    [const { [const { OnceLock::new() }; 3] }; PRIMES.len()];

impl Transform {
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn new(place: usize, shape: Shape) -> Self {
        let prime = &PRIMES[place];
        let count = (shape.points().next_power_of_two() / 2).max(8);
        let joining: &[Vec<f64>] =
            match shape.blocks.checked_sub(5).and_then(|other| JOINING[place].get(other)) {
                Some(known) => known.get_or_init(|| joining(prime, shape.blocks)),
                None => &[],
            };
        Self { shape, field: Field::of(prime), roots: roots(place, count), joining }
    }

    /// From coefficients of at most 1 to values.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn forward(&self, data: &mut [__m256d]) {
        if self.shape.blocks == 1 {
            return self.split(data, 0);
        }
        self.cut_blocks(data);
        let (low, high) = data.split_at_mut(self.shape.block_points);
        self.split(low, 0);
        for (place, block) in high.chunks_exact_mut(self.shape.block_points / 4).enumerate() {
            self.split(block, 4 + place);
        }
    }

    /// From values of at most 2 to coefficients of at most 2, times the scale.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn backward(&self, data: &mut [__m256d]) {
        if self.shape.blocks == 1 {
            return self.join(data, 0);
        }
        let (low, high) = data.split_at_mut(self.shape.block_points);
        self.join(low, 0);
        for (place, block) in high.chunks_exact_mut(self.shape.block_points / 4).enumerate() {
            self.join(block, 4 + place);
        }
        self.join_blocks(data);
    }

    /// The first two levels of a polynomial of 5 to 7 blocks modulo `x^(8 blocks) - 1`: the first four blocks become its
    /// remainder by `x^(4 blocks) - 1`, the others those by the first factors of the other half.
    ///
    /// Sums of two coefficients are at most 2.
    #[target_feature(enable = "avx2,fma")]
    fn cut_blocks(&self, data: &mut [__m256d]) {
        let length = self.shape.block_points / 4;
        let zero = _mm256_set1_pd(0.0);
        for i in 0..length {
            let mut others = [zero; 4];
            for block in 0..4 {
                let low = data[block * length + i];
                let high = if 4 + block < self.shape.blocks { data[(4 + block) * length + i] } else { zero };
                data[block * length + i] = _mm256_add_pd(low, high);
                others[block] = _mm256_sub_pd(low, high);
            }
            let values = self.quarter(others, self.node_roots(1));
            for (block, value) in (4..self.shape.blocks).zip(values) {
                data[block * length + i] = value;
            }
        }
    }

    /// The other way. With `A` the first four blocks and `R_t` the other ones, remainders by `x^block - z_t` with
    /// `z_t^4 = -1`, the polynomial is `A + (x^(4 blocks) - 1) D` with D of as many blocks as there are R, and
    /// `D(z_t) = (A(z_t) - R_t) / 2`. So each block of D is a sum of multiples of all blocks of A and R, at most 7 times
    /// 0.87, which reduced is 0.51, and A less that is at most 2.6 and is reduced as well.
    #[target_feature(enable = "avx2,fma")]
    fn join_blocks(&self, data: &mut [__m256d]) {
        let length = self.shape.block_points / 4;
        for i in 0..length {
            let mut upper = [_mm256_set1_pd(0.0); 4];
            for (factors, sum) in self.joining.iter().zip(&mut upper) {
                for (block, factor) in factors.iter().enumerate() {
                    let product = self.field.product(data[block * length + i], _mm256_set1_pd(*factor));
                    *sum = _mm256_add_pd(*sum, product);
                }
                *sum = self.field.reduced(*sum);
            }
            for block in 0..4 {
                let low = &mut data[block * length + i];
                *low = self.field.reduced(_mm256_sub_pd(*low, upper[block]));
            }
            for block in 4..self.shape.blocks {
                data[block * length + i] = upper[block - 4];
            }
        }
    }

    /// A node and all below it.
    #[target_feature(enable = "avx2,fma")]
    fn split(&self, data: &mut [__m256d], node: usize) {
        match data.len() {
            4 => self.split_last(data, node),
            8 => {
                let root = _mm256_set1_pd(self.roots[node]);
                let (low, high) = data.split_at_mut(4);
                for (low, high) in low.iter_mut().zip(high.iter_mut()) {
                    // At most 0.6 and 1.1.
                    let (a, b) = (self.field.reduced(*low), self.field.product(*high, root));
                    (*low, *high) = (_mm256_add_pd(a, b), _mm256_sub_pd(a, b));
                }
                self.split_last(low, 2 * node);
                self.split_last(high, 2 * node + 1);
            }
            length => {
                let roots = self.node_roots(node);
                let (low, high) = data.split_at_mut(length / 2);
                let ((a, b), (c, d)) = (low.split_at_mut(length / 4), high.split_at_mut(length / 4));
                for (((a, b), c), d) in a.iter_mut().zip(&mut *b).zip(&mut *c).zip(&mut *d) {
                    [*a, *b, *c, *d] = self.quarter([*a, *b, *c, *d], roots);
                }
                let nodes = 4 * node;
                if length >= PARALLEL_VECTORS {
                    let split = |data: &mut [__m256d], node| self.split(data, node);
                    join(
                        || join(|| split(a, nodes), || split(b, nodes + 1)),
                        || join(|| split(c, nodes + 2), || split(d, nodes + 3)),
                    );
                } else {
                    for (place, child) in [a, b, c, d].into_iter().enumerate() {
                        self.split(child, nodes + place);
                    }
                }
            }
        }
    }

    /// Two levels at once.
    ///
    /// For coefficients of at most 2.75: the first is reduced to 0.51, products with them are at most 1.02, u and v at most
    /// 1.53 and 3.77, their product 1.21, and the results 2.74. (A product of one of at most x and a root is at most
    /// `0.5 + 0.18 x`.)
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn quarter(&self, [a, b, c, d]: [__m256d; 4], [own, of_even, of_odd]: [__m256d; 3]) -> [__m256d; 4] {
        let field = self.field;
        let a = field.reduced(a);
        let (c, d) = (field.product(c, own), field.product(d, own));
        let (even, odd) = (_mm256_add_pd(a, c), field.product(_mm256_add_pd(b, d), of_even));
        let (other_even, other_odd) = (_mm256_sub_pd(a, c), field.product(_mm256_sub_pd(b, d), of_odd));
        [
            _mm256_add_pd(even, odd),
            _mm256_sub_pd(even, odd),
            _mm256_add_pd(other_even, other_odd),
            _mm256_sub_pd(other_even, other_odd),
        ]
    }

    /// A node of 16 coefficients: its children are transposed.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn split_last(&self, data: &mut [__m256d], node: usize) {
        let Some(block) = data.first_chunk_mut::<4>() else { return };
        let roots = self.node_roots(node);
        let values = transposed(self.quarter(*block, roots));
        *block = self.quarter(values, self.lane_roots(4 * node));
    }

    /// `W` of a node, of its even child and of its odd one.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn node_roots(&self, node: usize) -> [__m256d; 3] {
        let (own, even, odd) = (self.roots[node], self.roots[2 * node], self.roots[2 * node + 1]);
        [_mm256_set1_pd(own), _mm256_set1_pd(even), _mm256_set1_pd(odd)]
    }

    /// The other way: `-1 / W`.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn inverse_node_roots(&self, node: usize) -> [__m256d; 3] {
        let (own, even) = (self.inverse_root(node), self.inverse_root(2 * node));
        let odd = self.inverse_root(2 * node + 1);
        [_mm256_set1_pd(own), _mm256_set1_pd(even), _mm256_set1_pd(odd)]
    }

    /// `W` of four nodes, of their even children and of their odd ones.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn lane_roots(&self, node: usize) -> [__m256d; 3] {
        let (own, children) = (&self.roots[node..node + 4], &self.roots[2 * node..2 * node + 8]);
        [
            _mm256_setr_pd(own[0], own[1], own[2], own[3]),
            _mm256_setr_pd(children[0], children[2], children[4], children[6]),
            _mm256_setr_pd(children[1], children[3], children[5], children[7]),
        ]
    }

    /// The other way: `-1 / W`.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn inverse_lane_roots(&self, node: usize) -> [__m256d; 3] {
        if node == 0 {
            let one = |place| self.inverse_root(place);
            return [
                _mm256_setr_pd(one(0), one(1), one(2), one(3)),
                _mm256_setr_pd(one(0), one(2), one(4), one(6)),
                _mm256_setr_pd(one(1), one(3), one(5), one(7)),
            ];
        }
        let (own, children) = (inverse_place(node), inverse_place(2 * node));
        let (own, children) = (&self.roots[own - 3..=own], &self.roots[children - 7..=children]);
        [
            _mm256_setr_pd(own[3], own[2], own[1], own[0]),
            _mm256_setr_pd(children[7], children[5], children[3], children[1]),
            _mm256_setr_pd(children[6], children[4], children[2], children[0]),
        ]
    }

    #[inline]
    fn inverse_root(&self, node: usize) -> f64 {
        if node == 0 { -1.0 } else { self.roots[inverse_place(node)] }
    }

    /// Puts a node together, times the number of its coefficients.
    #[target_feature(enable = "avx2,fma")]
    fn join(&self, data: &mut [__m256d], node: usize) {
        match data.len() {
            4 => self.join_last(data, node),
            8 => {
                let (low, high) = data.split_at_mut(4);
                self.join_last(low, 2 * node);
                self.join_last(high, 2 * node + 1);
                let root = _mm256_set1_pd(self.inverse_root(node));
                for (low, high) in low.iter_mut().zip(high) {
                    // At most 4 are reduced to 0.6, or multiplied to 1.3.
                    let (a, b) = (_mm256_add_pd(*low, *high), _mm256_sub_pd(*high, *low));
                    (*low, *high) = (self.field.reduced(a), self.field.product(b, root));
                }
            }
            length => {
                let (low, high) = data.split_at_mut(length / 2);
                let ((a, b), (c, d)) = (low.split_at_mut(length / 4), high.split_at_mut(length / 4));
                let nodes = 4 * node;
                if length >= PARALLEL_VECTORS {
                    let join_node = |data: &mut [__m256d], node| self.join(data, node);
                    join(
                        || join(|| join_node(a, nodes), || join_node(b, nodes + 1)),
                        || join(|| join_node(c, nodes + 2), || join_node(d, nodes + 3)),
                    );
                } else {
                    for (place, child) in [&mut *a, &mut *b, &mut *c, &mut *d].into_iter().enumerate() {
                        self.join(child, nodes + place);
                    }
                }
                let roots = self.inverse_node_roots(node);
                for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
                    [*a, *b, *c, *d] = self.four([*a, *b, *c, *d], roots);
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn join_last(&self, data: &mut [__m256d], node: usize) {
        let Some(block) = data.first_chunk_mut::<4>() else { return };
        let values = transposed(self.four(*block, self.inverse_lane_roots(4 * node)));
        let roots = self.inverse_node_roots(node);
        *block = self.four(values, roots);
    }

    /// Four times the node, from its grandchildren.
    ///
    /// For values of at most 2: sums are at most 4, products with roots at most 1.22; sums of two sums at most 8, which is
    /// below 2^53 (0.95 * 8 * 2^50), reduced to 0.51 or multiplied to 1.94; those of two products at most 2.44, reduced to
    /// 0.51 or multiplied to 0.94.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn four(&self, [a, b, c, d]: [__m256d; 4], [own, of_even, of_odd]: [__m256d; 3]) -> [__m256d; 4] {
        let field = self.field;
        let (even, odd) = (_mm256_add_pd(a, b), field.product(_mm256_sub_pd(b, a), of_even));
        let (other_even, other_odd) = (_mm256_add_pd(c, d), field.product(_mm256_sub_pd(d, c), of_odd));
        [
            field.reduced(_mm256_add_pd(even, other_even)),
            field.reduced(_mm256_add_pd(odd, other_odd)),
            field.product(_mm256_sub_pd(other_even, even), own),
            field.product(_mm256_sub_pd(other_odd, odd), own),
        ]
    }

    /// `a <- a b`, of values of at most 2.75: the first is reduced to 0.51, and the product is at most 1.1.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn multiply(&self, a: &mut [__m256d], b: &[__m256d]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a = self.field.product(self.field.reduced(*a), *b);
        }
    }

    /// `a <- a^2`, likewise.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn square(&self, a: &mut [__m256d]) {
        for a in a {
            *a = self.field.product(self.field.reduced(*a), *a);
        }
    }
}

/// Rows for columns.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn transposed([a, b, c, d]: [__m256d; 4]) -> [__m256d; 4] {
    let (ab_low, ab_high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
    let (cd_low, cd_high) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
    [
        _mm256_permute2f128_pd::<0x20>(ab_low, cd_low),
        _mm256_permute2f128_pd::<0x20>(ab_high, cd_high),
        _mm256_permute2f128_pd::<0x31>(ab_low, cd_low),
        _mm256_permute2f128_pd::<0x31>(ab_high, cd_high),
    ]
}

/// The factors of [`Transform::join_blocks`]. A comes times four blocks' points, R times one block's, and D is wanted as A.
fn joining(prime: &Prime, blocks: usize) -> Vec<Vec<f64>> {
    let count = blocks.saturating_sub(4);
    let (second, third) = (root(prime, 1), prime.product(root(prime, 0), root(prime, 1)));
    let zeros = [second, prime.negated(second), third, prime.negated(third)];
    let half = prime.inverse(2);
    // D = sum over t of D(z_t) L_t with Lagrange's polynomials L_t.
    let lagrange: Vec<Vec<u64>> = (0..count).map(|t| lagrange(prime, &zeros[..count], t)).collect();
    let factors = |place: usize| {
        let of_low = (0..4).map(|power| {
            let terms = (0..count).map(|t| prime.product(lagrange[t][place], prime.power(zeros[t], power)));
            prime.product(half, terms.fold(0, |sum, term| (sum + term) % prime.value))
        });
        let of_high = (0..count).map(|t| prime.negated(prime.product(2, lagrange[t][place])));
        of_low.chain(of_high).map(|factor| prime.balanced(factor)).collect()
    };
    (0..count).map(factors).collect()
}

/// The coefficients of the polynomial that is 1 at one of the points and 0 at the others.
fn lagrange(prime: &Prime, points: &[u64], place: usize) -> Vec<u64> {
    let mut polynomial = vec![1];
    for (_, point) in points.iter().enumerate().filter(|(other, _)| *other != place) {
        let distance = (points[place] + prime.negated(*point)) % prime.value;
        let scale = prime.inverse(distance);
        let mut product = vec![0; polynomial.len() + 1];
        for (power, coefficient) in polynomial.iter().enumerate() {
            let coefficient = prime.product(*coefficient, scale);
            product[power + 1] = (product[power + 1] + coefficient) % prime.value;
            product[power] =
                (product[power] + prime.product(prime.negated(*point), coefficient)) % prime.value;
        }
        polynomial = product;
    }
    polynomial
}
