//! Levels 2 and 3 for digit extraction: kernel = CPU = long division, for every series, width and odd size.

use compute::{
    control::Control,
    digit_extraction::reference_sum,
    engine::gpu::{GpuEngine, GpuError, SENTINEL, WORKGROUP_INVOCATIONS, sum_in_one_dispatch},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use protocol::{
    digit_extraction::{DigitSeries, Fraction, HexConstant, HexTerms, HexWindow, SeriesComponent},
    outcome::Outcome,
    task::Task,
};

use crate::adapters::engines;

fn on_gpu(engine: &GpuEngine, task: &HexTerms) -> Fraction {
    match engine.run(&Task::HexTerms(task.clone()), &Control::default()) {
        Ok(Outcome::HexSum(sum)) => sum,
        other => panic!("{}: {other:?}", engine.device_name()),
    }
}

fn every_series() -> impl Iterator<Item = DigitSeries> {
    HexConstant::ALL
        .into_iter()
        .flat_map(|constant| constant.formulas().iter().filter_map(move |formula| constant.series(*formula)))
}

#[test]
fn digits_of_pi_are_those_that_everybody_knows() {
    for engine in engines() {
        for after in [0, 1000] {
            for formula in HexConstant::Pi.formulas() {
                let series = HexConstant::Pi.series(*formula).expect("a formula of pi");
                let window = HexWindow::new(series, after, 8, 24);
                let mut sum = Fraction::zero(window.fraction_bits());
                for index in 0..window.tasks() {
                    assert!(sum.add(&on_gpu(&engine, &window.task(index).expect("a task"))));
                }
                let digits = window.digits(&sum).expect("settled");
                assert_eq!(reference_digits(&window), digits, "{formula} after {after}");
                if after == 0 {
                    assert_eq!(digits, "243F6A88");
                }
            }
        }
    }
}

fn reference_digits(window: &HexWindow) -> String {
    let mut sum = Fraction::zero(window.fraction_bits());
    for index in 0..window.tasks() {
        assert!(sum.add(&reference_sum(&window.task(index).expect("a task")).expect("in bounds")));
    }
    window.digits(&sum).expect("settled")
}

#[test]
fn every_series_in_every_width_sums_to_what_long_division_sums() {
    for engine in engines() {
        for series in every_series() {
            for fraction_bits in [64, 128, 192, 256] {
                for after in [0, 77, 40_000_000, 100_000_000_000_000] {
                    let all = series.terms(after, fraction_bits);
                    for first_term in [0, all / 3, all.saturating_sub(90)] {
                        let task = HexTerms {
                            series: series.clone(),
                            after,
                            first_term,
                            end_term: first_term + 101,
                            fraction_bits,
                        };
                        let Ok(known) = reference_sum(&task) else { continue };
                        assert_eq!(on_gpu(&engine, &task), known, "{} {task:?}", engine.variant());
                    }
                }
            }
        }
    }
}

#[test]
fn moduli_on_both_sides_of_two_to_the_32nd_are_exact() {
    let top = 1_u64 << 32;
    for engine in engines() {
        for (power, around) in [(1, top), (1, top << 30), (2, 1 << 16)] {
            for start in [1, 2, 7] {
                let component =
                    SeriesComponent { coefficient: 1, exponent: 3, step: 1, start, power, alternates: true };
                let series = DigitSeries { bits_per_term: 1, components: vec![component] };
                let after = 10_000_000_000_000_000;
                for (before, terms) in [(60, 30), (20, 40), (1, 3)] {
                    let first_term = around - before;
                    let end_term = first_term + terms;
                    let task =
                        HexTerms { series: series.clone(), after, first_term, end_term, fraction_bits: 256 };
                    if let Ok(known) = reference_sum(&task) {
                        assert_eq!(on_gpu(&engine, &task), known, "{} {task:?}", engine.variant());
                    }
                }
            }
        }
    }
}

fn components() -> impl Strategy<Value = SeriesComponent> {
    let coefficient = prop_oneof![Just(1), Just(-1), -65_536_i32..=-1, 1_i32..=65_536];
    let number = || prop_oneof![Just(1_u32), Just(2), 1_u32..100, 1_u32..=65_536];
    (coefficient, -64_i32..=64, number(), number(), 1_u32..=2, any::<bool>()).prop_map(
        |(coefficient, exponent, step, start, power, alternates)| SeriesComponent {
            coefficient,
            exponent,
            step,
            start,
            power,
            alternates,
        },
    )
}

fn tasks() -> impl Strategy<Value = HexTerms> {
    let components = proptest::collection::vec(components(), 1..4);
    let after = prop_oneof![0_u64..200, 0_u64..1_000_000_000, 0_u64..=10_000_000_000_000_000];
    (components, 1_u32..=64, after, 0_u64..1000, 1_u64..80, 1_u32..=4).prop_map(
        |(components, bits_per_term, after, place, terms, limbs)| {
            let series = DigitSeries { bits_per_term, components };
            let fraction_bits = 64 * limbs;
            // Anywhere in the series, its end included.
            let last = series.terms(after, fraction_bits);
            let first_term = u64::try_from(u128::from(last) * u128::from(place) / 999).unwrap_or(0);
            HexTerms { series, after, first_term, end_term: first_term + terms, fraction_bits }
        },
    )
}

#[test]
fn any_series_sums_to_what_long_division_sums() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let drawn: Vec<HexTerms> = (0..400)
        .map(|_| tasks().new_tree(&mut runner).expect("no filter").current())
        .filter(|task| task.check().is_ok())
        .collect();
    assert!(drawn.len() > 150, "only {} of the drawn tasks are in bounds", drawn.len());
    for engine in engines() {
        for task in &drawn {
            let known = reference_sum(task).expect("in bounds");
            assert_eq!(on_gpu(&engine, task), known, "{} {task:?}", engine.variant());
        }
    }
}

#[test]
fn every_workgroup_writes_its_sum_whatever_the_size() {
    let series = HexConstant::Pi.fastest_series();
    let task = HexTerms { series, after: 1_000_000, first_term: 5, end_term: 6, fraction_bits: 128 };
    let component = task.series.components[2];
    let group = WORKGROUP_INVOCATIONS;
    for engine in engines() {
        for terms in [0, 1, group - 1, group, group + 1, 1000 * group + 7] {
            let words = sum_in_one_dispatch(&engine, &task, &component, terms).expect("the device works");
            assert_eq!(words.len(), terms.div_ceil(group).max(1) as usize * 8);
            for sum in words.chunks(8) {
                assert_eq!(sum[4..], [0; 4], "the limbs that are not asked for are zero");
                assert!(!sum.contains(&SENTINEL), "a limb was not written");
            }
            if terms == 0 {
                assert_eq!(words, [0; 8]);
            }
        }
    }
}

#[test]
fn a_task_longer_than_a_dispatch_sums_to_what_its_parts_sum() {
    let series = HexConstant::Pi.fastest_series();
    let whole = HexTerms { series, after: 3_000_000, first_term: 11, end_term: 150_011, fraction_bits: 128 };
    for engine in engines() {
        let control = Control::default();
        let outcome = engine.run(&Task::HexTerms(whole.clone()), &control).expect("the device works");
        assert_eq!(control.permille(), 1000);
        let mut sum = Fraction::zero(128);
        for first_term in (11..150_011).step_by(30_000) {
            let part = HexTerms { first_term, end_term: first_term + 30_000, ..whole.clone() };
            assert!(sum.add(&on_gpu(&engine, &part)));
        }
        assert_eq!(outcome, Outcome::HexSum(sum));
        assert!(engine.measured_rate().is_some_and(|rate| rate > 0.0));
    }
}

#[test]
fn a_cancelled_task_ends_between_dispatches_and_the_engine_stays_in_service() {
    for engine in engines() {
        let control = Control::default();
        let series = HexConstant::Pi.fastest_series();
        let after = 1_000_000_000;
        let long = HexTerms { series, after, first_term: 0, end_term: 1 << 27, fraction_bits: 128 };
        let task = Task::HexTerms(long);
        let result = std::thread::scope(|scope| {
            let running = scope.spawn(|| engine.run(&task, &control));
            while control.permille() == 0 && !running.is_finished() {
                std::thread::yield_now();
            }
            control.cancel();
            running.join().expect("no panic")
        });
        assert!(matches!(result, Err(GpuError::Cancelled(_))), "{result:?}");
        assert!(control.permille() < 1000);
        assert!(engine.in_service());
    }
}
