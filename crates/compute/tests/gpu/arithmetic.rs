//! Level 3 for the shared arithmetic: kernel = twin = GMP, over edge values and drawn ones, in sizes around a workgroup.

use compute::engine::gpu::{
    WORKGROUP_INVOCATIONS,
    word_arithmetic::{Operands, edge_cases, word_arithmetic},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rug::Integer;

use crate::adapters::engines;

/// Words of every length, near both ends of it: uniform ones would all be long.
fn words() -> impl Strategy<Value = u64> {
    (0_u32..64, any::<u64>(), 0_u8..4).prop_map(|(shift, drawn, shape)| match shape {
        0 => drawn >> shift,
        1 => u64::MAX >> shift,
        2 => !(drawn & 0xff) >> shift,
        _ => (1 << shift) + (drawn & 1),
    })
}

fn operands() -> impl Strategy<Value = Operands> {
    (words(), words(), words(), words(), words(), 64_u32..260).prop_map(|(a, b, modulus, c, d, exponent)| {
        let modulus = modulus | 1;
        Operands { a, b, modulus, c: c % modulus, d: d % modulus, exponent }
    })
}

/// `count` operands, the same in every run.
fn drawn(count: usize) -> Vec<Operands> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let tree = proptest::collection::vec(operands(), count).new_tree(&mut runner).expect("no filter");
    tree.current()
}

/// The lowest word.
fn word(value: Integer) -> u64 {
    value.keep_bits(64).to_u64().unwrap_or(0)
}

/// The definitions, in GMP's integers.
fn by_gmp(operands: &Operands) -> Vec<u64> {
    let [a, b, modulus, c, d] =
        [operands.a, operands.b, operands.modulus, operands.c, operands.d].map(Integer::from);
    let radix: Integer = Integer::from(1) << 64;
    let product = Integer::from(&a * &b);
    let square = Integer::from(&a * &a);
    let shift = u32::try_from(operands.b % 64).expect("below 64");
    let radix_inverse =
        if modulus == 1 { Integer::new() } else { radix.clone().invert(&modulus).expect("m is odd") };
    let over_radix = |x: Integer| x * &radix_inverse % &modulus;
    let values = [
        Integer::from(&a + &b),
        Integer::from(&a - &b) + &radix,
        product.clone(),
        Integer::from(&product >> 64),
        square.clone(),
        Integer::from(&square >> 64),
        product,
        Integer::from(&a << shift),
        Integer::from(&a >> shift),
        modulus.clone().invert(&radix).expect("m is odd"),
        over_radix(Integer::from(&c * &d)),
        over_radix(Integer::from(&c * &c)),
        Integer::from(2 * &c) % &modulus,
        (Integer::from(1) << operands.exponent) % &modulus,
    ];
    values.into_iter().map(word).collect()
}

#[test]
fn the_twin_computes_what_gmp_computes() {
    for operands in edge_cases().into_iter().chain(drawn(4000)) {
        assert_eq!(word_arithmetic(&operands).words.to_vec(), by_gmp(&operands), "{operands:x?}");
    }
}

#[test]
fn every_adapter_computes_what_the_twin_computes() {
    let cases: Vec<Operands> = edge_cases().into_iter().chain(drawn(20_000)).collect();
    let known: Vec<_> = cases.iter().map(word_arithmetic).collect();
    for engine in engines() {
        let answers = engine.word_arithmetic(&cases).expect("the device works");
        assert_eq!(answers.len(), known.len());
        for ((operands, answer), known) in cases.iter().zip(&answers).zip(&known) {
            assert_eq!(answer, known, "{} ({}): {operands:x?}", engine.device_name(), engine.variant());
        }
    }
}

#[test]
fn sizes_around_a_workgroup_are_all_written() {
    let group = WORKGROUP_INVOCATIONS as usize;
    let cases = drawn(3 * group);
    for engine in engines() {
        for size in [0, 1, group - 1, group, group + 1, 3 * group] {
            let answers = engine.word_arithmetic(&cases[..size]).expect("the device works");
            let known: Vec<_> = cases[..size].iter().map(word_arithmetic).collect();
            assert_eq!(answers, known, "{size} on {}", engine.device_name());
        }
    }
}
