//! Levels 2 and 3 for `residues` and `series_residues`: kernel = CPU twin = GMP, at the edges and in odd sizes.

use compute::{
    control::Control,
    engine::gpu::GpuError,
    residues::{
        HypergeometricSeries, INDEX_END_MAX, Modulus, Polynomial, Program, Step, StretchResidues,
        random_primes, reference_residue, reference_series_residues, residues, series_residues,
    },
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rug::{Integer, integer::Order};

use crate::adapters::engines;

/// The same draws in every run.
fn drawn<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> T {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy.new_tree(&mut runner).expect("no filter").current()
}

/// Numbers of every length up to `words` words, and their edges.
fn integers(words: usize) -> impl Strategy<Value = Integer> {
    let drawn = proptest::collection::vec(any::<u64>(), 0..=words);
    let magnitude = prop_oneof![
        4 => drawn.prop_map(|words| Integer::from_digits(&words, Order::Lsf)),
        1 => prop::sample::select(vec![0, 1, 2, u64::from(u32::MAX), 1 << 32, u64::MAX]).prop_map(Integer::from),
    ];
    (magnitude, any::<bool>())
        .prop_map(|(magnitude, is_negative)| if is_negative { -magnitude } else { magnitude })
}

/// Programs of random shape: steps that find too few operands are left out, and what is left over is added up.
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
        Program::new(kept).expect("a program")
    })
}

fn moduli() -> Vec<Modulus> {
    let edges = [3, 5, 9, 4_294_967_291, 4_294_967_297, (1 << 61) - 1, (1 << 63) - 25, (1 << 63) - 1];
    let edges = edges.into_iter().map(|value| Modulus::new(value).expect("odd"));
    edges.chain(random_primes(b"kernel", 4)).collect()
}

fn series() -> impl Strategy<Value = HypergeometricSeries> {
    let polynomial = || {
        prop_oneof![
            1 => Just(Vec::new()),
            2 => Just(vec![Integer::from(1)]),
            4 => proptest::collection::vec(integers(2), 1..=9),
        ]
        .prop_map(|coefficients| Polynomial::new(coefficients).expect("in bounds"))
    };
    (polynomial(), polynomial(), polynomial(), polynomial()).prop_map(|(p, q, a, b)| HypergeometricSeries {
        p,
        q,
        a,
        b,
    })
}

#[test]
fn programs_have_the_residues_that_gmp_gives() {
    let (programs, moduli) = (drawn(proptest::collection::vec(programs(), 300)), moduli());
    let known: Vec<Vec<u64>> = programs
        .iter()
        .map(|program| moduli.iter().map(|modulus| reference_residue(program, modulus)).collect())
        .collect();
    for engine in engines() {
        let control = Control::default();
        assert_eq!(
            engine.residues(&programs, &moduli, &control).expect("works"),
            known,
            "{}",
            engine.variant()
        );
        assert_eq!(control.permille(), 1000);
    }
}

#[test]
fn odd_counts_of_programs_and_moduli_are_all_computed() {
    let (programs, primes) = (drawn(proptest::collection::vec(programs(), 65)), random_primes(b"counts", 65));
    for engine in engines() {
        for (some, few) in [(0, 3), (3, 0), (1, 1), (1, 63), (1, 64), (1, 65), (63, 1), (64, 1), (65, 2)] {
            let (programs, primes) = (&programs[..some], &primes[..few]);
            let twin = residues(programs, primes, &Control::default()).expect("not cancelled");
            let found = engine.residues(programs, primes, &Control::default()).expect("works");
            assert_eq!(found, twin, "{some} programs, {few} moduli, {}", engine.variant());
        }
    }
}

#[test]
fn programs_that_the_kernel_has_no_room_for_are_right_too() {
    let one = || Step::Constant(Integer::from(1));
    let deep: Vec<Step> = (0..40).map(|_| one()).chain(std::iter::repeat_n(Step::Add, 39)).collect();
    let costly = vec![Step::Constant(Integer::from(3)), Step::Power(Integer::from(1) << 20_000)];
    let programs = [deep, vec![one()], costly].map(|steps| Program::new(steps).expect("a program"));
    let primes = random_primes(b"room", 3);
    let twin = residues(&programs, &primes, &Control::default()).expect("not cancelled");
    assert_eq!(twin[0], [40, 40, 40]);
    for engine in engines() {
        assert_eq!(engine.residues(&programs, &primes, &Control::default()).expect("works"), twin);
    }
}

#[test]
fn stretches_of_random_series_have_the_residues_that_gmp_gives() {
    let moduli = moduli();
    let drawn = drawn(proptest::collection::vec((series(), 0_u64..1000), 6));
    for engine in engines() {
        for (number, (series, first)) in drawn.iter().enumerate() {
            let stretch = *first..*first + [65, 1, 64, 200, 63, 129][number];
            let known = reference_series_residues(series, stretch.clone(), &moduli);
            let twin =
                series_residues(series, stretch.clone(), &moduli, &Control::default()).expect("in bounds");
            assert_eq!(twin, known, "{series:?}");
            let found = engine.series_residues(series, stretch, &moduli, &Control::default()).expect("works");
            assert_eq!(found, known, "{} {series:?}", engine.variant());
        }
    }
}

#[test]
fn odd_stretches_of_pi_are_those_of_the_twin() {
    let (series, primes) = (HypergeometricSeries::chudnovsky(), random_primes(b"stretches", 65));
    let top = INDEX_END_MAX - 70;
    for engine in engines() {
        for (first, terms, few) in [
            (1, 0, 3),
            (1, 5, 0),
            (1, 1, 1),
            (0, 63, 2),
            (5, 64, 1),
            (5, 65, 1),
            (top, 70, 65),
            (1, 4097, 3),
            (1, 70_000, 2),
        ] {
            let (primes, stretch) = (&primes[..few], first..first + terms);
            let twin =
                series_residues(&series, stretch.clone(), primes, &Control::default()).expect("in bounds");
            let found = engine.series_residues(&series, stretch, primes, &Control::default()).expect("works");
            assert_eq!(found, twin, "{terms} from {first}, {few} moduli, {}", engine.variant());
            if terms == 0 {
                assert!(found.iter().all(|sum| *sum == StretchResidues::EMPTY));
            }
        }
        let beyond = engine.series_residues(&series, 0..INDEX_END_MAX + 1, &primes, &Control::default());
        assert_eq!(beyond, Err(GpuError::NoKernel));
        assert!(engine.in_service());
    }
}

#[test]
fn a_cancelled_stretch_ends_between_dispatches_and_the_engine_stays_in_service() {
    let (series, primes) = (HypergeometricSeries::chudnovsky(), random_primes(b"cancelled", 4));
    for engine in engines() {
        let control = Control::default();
        let result = std::thread::scope(|scope| {
            let running =
                scope.spawn(|| engine.series_residues(&series, 1..INDEX_END_MAX, &primes, &control));
            control.cancel();
            running.join().expect("no panic")
        });
        assert!(matches!(result, Err(GpuError::Cancelled(_))), "{result:?}");
        assert!(engine.in_service());
        assert!(engine.series_residues(&series, 1..9, &primes, &Control::default()).is_ok());
    }
}
