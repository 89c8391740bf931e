//! Residues of programs and series on the processor: what GMP gives, whatever the modulus, the sizes and the cuts.

use compute::{
    control::Control,
    residues::{
        COEFFICIENTS_MAX, HypergeometricSeries, INDEX_END_MAX, Modulus, ModulusError, Polynomial, Program,
        ProgramError, SeriesError, SeriesResiduesError, Step, StretchResidues, is_prime, random_primes,
        reference_residue, reference_series_residues, residues, series_residues,
    },
};
use proptest::prelude::*;
use rug::{Integer, integer::Order};

fn integers(words: usize) -> impl Strategy<Value = Integer> {
    let drawn = proptest::collection::vec(any::<u64>(), 0..=words);
    let magnitude = prop_oneof![
        4 => drawn.prop_map(|words| Integer::from_digits(&words, Order::Lsf)),
        1 => prop::sample::select(vec![0, 1, 2, u64::from(u32::MAX), 1 << 32, u64::MAX]).prop_map(Integer::from),
    ];
    (magnitude, any::<bool>())
        .prop_map(|(magnitude, is_negative)| if is_negative { -magnitude } else { magnitude })
}

/// Odd numbers of every length, and those at both ends.
fn moduli() -> impl Strategy<Value = Modulus> {
    let value = prop_oneof![
        4 => (any::<u64>(), 1_u32..62).prop_map(|(drawn, shift)| (drawn >> shift).max(3) | 1),
        1 => prop::sample::select(vec![3, 5, 4_294_967_297, (1 << 61) - 1, (1 << 63) - 25, (1 << 63) - 1]),
    ];
    value.prop_map(|value| Modulus::new(value).unwrap())
}

fn programs() -> impl Strategy<Value = Program> {
    let step = prop_oneof![
        3 => integers(4).prop_map(Step::Constant),
        1 => Just(Step::Add),
        1 => Just(Step::Subtract),
        1 => Just(Step::Multiply),
        1 => Just(Step::Negate),
        1 => integers(2).prop_map(|exponent| Step::Power(exponent.abs())),
    ];
    proptest::collection::vec(step, 1..24).prop_map(|steps| {
        // Steps that find too few operands are left out, and what is left over is added up.
        let (mut kept, mut held) = (vec![Step::Constant(Integer::from(5))], 1);
        for step in steps {
            let operands = match &step {
                Step::Constant(_) => 0,
                Step::Negate | Step::Power(_) => 1,
                _ => 2,
            };
            if operands <= held {
                held = held - operands + 1;
                kept.push(step);
            }
        }
        kept.extend(std::iter::repeat_n(Step::Add, held - 1));
        Program::new(kept).unwrap()
    })
}

fn series() -> impl Strategy<Value = HypergeometricSeries> {
    let polynomial = || {
        prop_oneof![
            1 => Just(Vec::new()),
            3 => Just(vec![Integer::from(1)]),
            4 => proptest::collection::vec(integers(2), 1..=COEFFICIENTS_MAX),
        ]
        .prop_map(|coefficients| Polynomial::new(coefficients).unwrap())
    };
    (polynomial(), polynomial(), polynomial(), polynomial()).prop_map(|(p, q, a, b)| HypergeometricSeries {
        p,
        q,
        a,
        b,
    })
}

proptest! {
    #[test]
    fn arithmetic_modulo_any_odd_number_is_that_of_gmp(modulus in moduli(), a in any::<u64>(), b in any::<u64>(), long in integers(6)) {
        let m = modulus.value();
        let (a, b) = (a % m, b % m);
        let by_gmp = |value: Integer| value.modulo(&Integer::from(m)).to_u64().unwrap();
        prop_assert_eq!(modulus.multiply(a, b), by_gmp(Integer::from(a) * b));
        prop_assert_eq!(modulus.add(a, b), by_gmp(Integer::from(a) + b));
        prop_assert_eq!(modulus.subtract(a, b), by_gmp(Integer::from(a) - b));
        prop_assert_eq!(modulus.residue(&long), by_gmp(long));
    }

    #[test]
    fn programs_have_the_residues_that_gmp_gives(
        programs in proptest::collection::vec(programs(), 0..4),
        moduli in proptest::collection::vec(moduli(), 0..20),
    ) {
        let rows = residues(&programs, &moduli, &Control::default()).unwrap();
        prop_assert_eq!(rows.len(), programs.len());
        for (program, row) in programs.iter().zip(&rows) {
            let known: Vec<u64> = moduli.iter().map(|modulus| reference_residue(program, modulus)).collect();
            prop_assert_eq!(row, &known);
        }
    }

    #[test]
    fn series_have_the_residues_that_gmp_gives(
        series in series(),
        first in 0_u64..1_000_000,
        terms in prop_oneof![0_u64..150, Just(63), Just(64), Just(65)],
        moduli in proptest::collection::vec(moduli(), 1..5),
    ) {
        let found = series_residues(&series, first..first + terms, &moduli, &Control::default()).unwrap();
        prop_assert_eq!(found, reference_series_residues(&series, first..first + terms, &moduli));
    }

    #[test]
    fn neighbouring_stretches_join_to_the_whole(series in series(), cut in 0_u64..200, modulus in moduli()) {
        let over = |stretch| series_residues(&series, stretch, &[modulus], &Control::default()).unwrap()[0];
        prop_assert_eq!(over(10..10 + cut).joined(over(10 + cut..210), &modulus), over(10..210));
    }
}

#[test]
fn a_long_stretch_is_what_its_chunks_join_to() {
    let (series, primes) = (HypergeometricSeries::chudnovsky(), random_primes(b"long", 2));
    let control = Control::default();
    let whole = series_residues(&series, 1..100_001, &primes, &control).unwrap();
    assert_eq!(control.permille(), 1000);
    for (modulus, whole) in primes.iter().zip(whole) {
        let parts = (0..100).map(|part| 1 + 1000 * part..1001 + 1000 * part);
        let joined = parts.fold(StretchResidues::EMPTY, |sum, part| {
            let part = reference_series_residues(&series, part, &[*modulus])[0];
            sum.joined(part, modulus)
        });
        assert_eq!(joined, whole);
    }
}

#[test]
fn the_series_of_e_sums_to_what_everybody_knows() {
    // 1/1! + 1/2! + 1/3! + 1/4! = 41/24, and 24 is what the series has as Q after four terms.
    let modulus = Modulus::new(1_000_003).unwrap();
    let sums =
        series_residues(&HypergeometricSeries::factorials(), 1..5, &[modulus], &Control::default()).unwrap();
    assert_eq!(sums, [StretchResidues { p: 1, q: 24, b: 1, t: 41 }]);
}

#[test]
fn towers_of_powers_are_told_apart_in_no_time() {
    let power = |base: u32, exponent: u64| [Step::Constant(base.into()), Step::Power(exponent.into())];
    let difference = |left: [Step; 2], right: [Step; 2]| {
        Program::new(left.into_iter().chain(right).chain([Step::Subtract]).collect()).unwrap()
    };
    let programs = [
        difference(power(2, 1_000_000_000_000_000), power(3, 630_929_753_571_457)),
        difference(power(4, u64::MAX / 2), power(2, u64::MAX - 1)),
    ];
    let rows = residues(&programs, &random_primes(b"towers", 10), &Control::default()).unwrap();
    assert!(rows[0].iter().all(|residue| *residue != 0));
    assert_eq!(rows[1], [0; 10]);
}

#[test]
fn random_primes_are_different_primes_of_61_bits_and_follow_from_the_bytes() {
    let primes = random_primes(b"some bytes", 500);
    let mut values: Vec<u64> = primes.iter().map(Modulus::value).collect();
    assert!(values.iter().all(|value| is_prime(*value) && value.ilog2() == 60));
    assert_eq!(random_primes(b"some bytes", 500), primes);
    assert_eq!(random_primes(b"some bytes", 20), primes[..20]);
    assert!(random_primes(b"other bytes", 500).iter().all(|other| !primes.contains(other)));
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), 500);
    assert!(random_primes(b"", 0).is_empty());
    // What they are is part of checksums, so it may never change.
    let first: Vec<u64> = random_primes(b"quorate", 2).iter().map(Modulus::value).collect();
    assert_eq!(first, [2_263_713_174_313_311_013, 1_719_155_035_339_996_801]);
}

#[test]
fn what_is_out_of_bounds_is_refused_with_its_value() {
    assert_eq!(Modulus::new(10), Err(ModulusError::NotOdd(10)));
    assert_eq!(Modulus::new(1), Err(ModulusError::NotOdd(1)));
    assert_eq!(Modulus::new(1 << 63 | 1), Err(ModulusError::TooLarge(1 << 63 | 1)));
    assert_eq!(Polynomial::new([1; 10]), Err(SeriesError::Coefficients(10)));
    assert_eq!(Polynomial::new([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Polynomial::new([1]));
    assert_eq!(Polynomial::new([Integer::from(1) << 4096]), Err(SeriesError::CoefficientBits(4097)));
    let beyond = 5..INDEX_END_MAX + 1;
    let (first, end) = (beyond.start, beyond.end);
    let found = series_residues(&HypergeometricSeries::factorials(), beyond, &[], &Control::default());
    assert_eq!(found, Err(SeriesResiduesError::Series(SeriesError::Stretch { first, end })));
    let one = || Step::Constant(Integer::from(1));
    assert_eq!(Program::new(vec![one(), Step::Add]), Err(ProgramError::Operands(1)));
    assert_eq!(Program::new(vec![one(), one()]), Err(ProgramError::Results(2)));
    assert_eq!(Program::new(Vec::new()), Err(ProgramError::Results(0)));
    assert_eq!(Program::new(vec![one(), Step::Power(Integer::from(-1))]), Err(ProgramError::Exponent(1)));
    assert_eq!(Program::new(vec![one(); 70_000]), Err(ProgramError::Steps(70_000)));
    let long = Step::Constant(Integer::from(1) << (1 << 26));
    assert_eq!(Program::new(vec![long]), Err(ProgramError::Bits((1 << 26) + 1)));
}

#[test]
fn a_cancelled_computation_stops() {
    let control = Control::default();
    control.cancel();
    let primes = random_primes(b"cancelled", 3);
    let found = series_residues(&HypergeometricSeries::chudnovsky(), 1..INDEX_END_MAX, &primes, &control);
    assert!(matches!(found, Err(SeriesResiduesError::Cancelled(_))));
    let long = vec![Step::Constant(Integer::from(3)), Step::Power(Integer::from(1) << 10_000_000)];
    assert!(residues(&[Program::new(long).unwrap()], &primes, &control).is_err());
}
