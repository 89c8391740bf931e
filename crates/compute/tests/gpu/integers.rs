//! Level 3 for the wide integers: kernel = twin = GMP in every width, over edge values and drawn ones.

use compute::{
    engine::gpu::integer_arithmetic::{
        IntegerOperands, IntegerResults, integer_arithmetic, integer_edge_cases,
    },
    range_check::{Wide, Width},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rug::{
    Integer,
    integer::{IsPrime, Order},
    ops::{DivRounding, Pow, RemRounding},
};

use crate::adapters::engines;

/// Numbers of every length, near both ends of it, of both signs.
fn wides(width: Width) -> impl Strategy<Value = Wide> {
    let bits = u32::try_from(64 * width.words()).expect("small");
    (0..bits, any::<[u64; 4]>(), 0_u8..4, any::<bool>()).prop_map(move |(shift, drawn, shape, negative)| {
        let drawn = Integer::from_digits(&drawn, Order::Lsf) % (Integer::from(1) << shift);
        let number = match shape {
            0 => drawn,
            1 => (Integer::from(1) << shift) - 1_u32,
            2 => Integer::from(1) << (shift.min(bits - 2)),
            _ => (Integer::from(1) << shift) - 1_u32 - (drawn % 256_u32),
        };
        from_gmp(&if negative { -number } else { number })
    })
}

fn words() -> impl Strategy<Value = u64> {
    (0_u32..64, any::<u64>(), any::<bool>())
        .prop_map(|(shift, drawn, full)| if full { u64::MAX >> shift } else { drawn >> shift })
}

fn operands(width: Width) -> impl Strategy<Value = IntegerOperands> {
    let exponent = prop_oneof![0_u32..12, 0_u32..300, any::<u32>()];
    (wides(width), wides(width), words(), words(), exponent, any::<bool>(), 0_u32..64).prop_map(
        |(a, b, divisor, word, exponent, divisor_is_negative, shift)| {
            let divisor = divisor.max(1);
            IntegerOperands { a, b, divisor, word, exponent, divisor_is_negative, shift }
        },
    )
}

/// `count` operands, the same in every run.
fn drawn(width: Width, count: usize) -> Vec<IntegerOperands> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[13; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let tree = proptest::collection::vec(operands(width), count).new_tree(&mut runner).expect("no filter");
    tree.current()
}

fn to_gmp(number: Wide) -> Integer {
    let unsigned = Integer::from_digits(&number.0, Order::Lsf);
    if number.is_negative() { unsigned - (Integer::from(1) << 256) } else { unsigned }
}

/// Modulo 2^256.
fn from_gmp(number: &Integer) -> Wide {
    let digits = Integer::from(number.keep_bits_ref(256)).to_digits::<u64>(Order::Lsf);
    Wide(std::array::from_fn(|place| digits.get(place).copied().unwrap_or(0)))
}

/// The definitions, in GMP's integers.
fn by_gmp(operands: &IntegerOperands, width: Width) -> IntegerResults {
    let bits = u32::try_from(64 * width.words()).expect("small");
    let (a, b) = (to_gmp(operands.a), to_gmp(operands.b));
    let magnitude = Integer::from(operands.divisor);
    let divisor = if operands.divisor_is_negative { -magnitude.clone() } else { magnitude.clone() };
    let half: Integer = Integer::from(1) << (bits - 1);
    let has_room = |value: &Integer| *value >= -half.clone() && *value < half;
    let cut = |value: &Integer| from_gmp(&Integer::from(value.keep_bits_ref(bits))).0;
    let too_large = u64::from(operands.exponent) * u64::from(a.significant_bits().max(1) - 1) > 256;
    let is_unit = a.clone().abs() <= 1;
    let power = if too_large && !is_unit { half.clone() } else { pow(&a, operands.exponent) };
    let checked = [
        Integer::from(&a + &b),
        Integer::from(&a - &b),
        Integer::from(&a * &b),
        Integer::from(-&a),
        power,
        a.clone().div_floor(&divisor),
    ];
    let kept = checked.each_ref().map(|value| if has_room(value) { cut(value) } else { [0; 4] });
    let unsigned = Integer::from(a.keep_bits_ref(bits));
    let more = [
        cut(&a.clone().gcd(&b)),
        cut(&Integer::from(&unsigned << operands.shift)),
        cut(&Integer::from(&unsigned >> operands.shift)),
    ];
    let integers: Vec<[u64; 4]> = kept.into_iter().chain(more).collect();
    let normal = Integer::from(operands.divisor << operands.divisor.leading_zeros());
    let all_ones: Integer = (Integer::from(1) << 128) - 1_u32;
    let residue = b.clone().pow_mod(&Integer::from(operands.word), &magnitude).expect("no inverse is needed");
    let words = [
        a.clone().rem_floor(&divisor).abs(),
        residue % &magnitude,
        all_ones / normal - (Integer::from(1) << 64),
    ];
    let is_prime = Integer::from(operands.word).is_probably_prime(30) != IsPrime::No;
    let rooms = checked.each_ref().map(has_room);
    let flags = rooms.into_iter().chain([a < b, a == b, a < 0, is_prime]).enumerate();
    IntegerResults {
        integers: integers.try_into().expect("nine"),
        words: words.map(|word| word.to_u64().expect("a word")),
        flags: flags.map(|(place, is_set)| u32::from(is_set) << place).sum(),
    }
}

fn pow(a: &Integer, exponent: u32) -> Integer {
    match a.to_i32() {
        Some(0) => Integer::from(u32::from(exponent == 0)),
        Some(1) => Integer::from(1),
        Some(-1) => Integer::from(if exponent.is_multiple_of(2) { 1 } else { -1 }),
        _ => a.clone().pow(exponent),
    }
}

#[test]
fn the_twin_of_the_wide_integers_computes_what_gmp_computes() {
    for width in Width::ALL {
        for operands in integer_edge_cases(width).into_iter().chain(drawn(width, 4000)) {
            assert_eq!(
                integer_arithmetic(&operands, width),
                by_gmp(&operands, width),
                "{width:?} {operands:x?}"
            );
        }
    }
}

#[test]
fn every_adapter_computes_with_wide_integers_what_the_twin_computes() {
    for engine in engines() {
        for width in Width::ALL {
            let cases: Vec<_> = integer_edge_cases(width).into_iter().chain(drawn(width, 8000)).collect();
            let answers = engine.integer_arithmetic(&cases, width).expect("the device works");
            assert_eq!(answers.len(), cases.len());
            for (operands, answer) in cases.iter().zip(&answers) {
                let known = integer_arithmetic(operands, width);
                assert_eq!(
                    *answer,
                    known,
                    "{} ({}) {width:?}: {operands:x?}",
                    engine.device_name(),
                    engine.variant()
                );
            }
        }
    }
}
