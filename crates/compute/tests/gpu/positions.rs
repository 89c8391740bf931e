//! Whole windows and far stretches on every adapter in every variant, against the processor.

use compute::{
    control::Control,
    digit_extraction::{Path, partial_sum, partial_sum_by},
    engine::gpu::GpuEngine,
};
use protocol::{
    digit_extraction::{Fraction, HexConstant, HexTerms, HexWindow},
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

/// The 16 digits of pi after so many, by both formulas on the processor and on every adapter in every variant.
fn assert_all_agree(after: u64) {
    let engines = engines();
    let mut known = None;
    for formula in HexConstant::Pi.formulas() {
        let series = HexConstant::Pi.series(*formula).expect("a formula of pi");
        let window = HexWindow::new(series, after, 16, 32);
        let digits = |sum: &dyn Fn(&HexTerms) -> Fraction| {
            let mut total = Fraction::zero(window.fraction_bits());
            for index in 0..window.tasks() {
                assert!(total.add(&sum(&window.task(index).expect("a task"))));
            }
            window.digits(&total).expect("settled")
        };
        let expected = digits(&|task| partial_sum(task, &Control::default()).expect("in bounds"));
        assert_eq!(known.get_or_insert_with(|| expected.clone()), &expected, "{formula} after {after}");
        for engine in &engines {
            let found = digits(&|task| on_gpu(engine, task));
            assert_eq!(found, expected, "{formula} after {after}, {}", engine.variant());
        }
    }
}

#[test]
fn pi_after_a_million_is_the_same_by_both_formulas_on_both_engines() {
    assert_all_agree(1_000_000);
}

#[test]
#[ignore = "long: a minute on a software adapter"]
fn pi_after_ten_million_is_the_same_by_both_formulas_on_both_engines() {
    assert_all_agree(10_000_000);
}

#[test]
#[ignore = "long: a minute on a software adapter"]
fn stretches_of_pi_after_a_thousand_million_are_the_same_on_every_path_and_variant() {
    let engines = engines();
    for formula in HexConstant::Pi.formulas() {
        let series = HexConstant::Pi.series(*formula).expect("a formula of pi");
        let (after, fraction_bits) = (1_000_000_000, 192);
        let all = series.terms(after, fraction_bits);
        for first_term in [0, all / 2, all - 500_000] {
            let end_term = first_term + 500_000;
            let task = HexTerms { series: series.clone(), after, first_term, end_term, fraction_bits };
            let known = partial_sum_by(Path::Scalar, &task, &Control::default()).expect("in bounds");
            for path in Path::available() {
                let sum = partial_sum_by(*path, &task, &Control::default());
                assert_eq!(sum.as_ref(), Ok(&known), "{formula} from {first_term} on {path}");
            }
            for engine in &engines {
                assert_eq!(on_gpu(engine, &task), known, "{formula} from {first_term}, {}", engine.variant());
            }
        }
    }
}
