//! A GPU that breaks leaves service, says why and what to do, and never hands out a result of doubtful worth.

use compute::{
    control::Control,
    digit_extraction::reference_sum,
    engine::gpu::{GpuAdapter, GpuEngine, GpuError},
};
use protocol::{
    constant::Constant,
    digit_extraction::{HexConstant, HexTerms},
    outcome::Outcome,
    task::Task,
};

use crate::adapters::engines;

fn short_task() -> HexTerms {
    let series = HexConstant::Pi.fastest_series();
    HexTerms { series, after: 1000, first_term: 3, end_term: 40, fraction_bits: 64 }
}

#[test]
fn a_lost_device_leaves_service_with_a_remedy() {
    for engine in engines() {
        let task = Task::HexTerms(short_task());
        assert!(engine.in_service());
        engine.destroy();
        let error = engine.run(&task, &Control::default()).expect_err("the device is gone");
        assert!(error.ends_service(), "{error}");
        assert!(!engine.in_service());
        assert!(error.to_string().contains(engine.device_name()), "{error}");
        let later = engine.run(&task, &Control::default()).expect_err("still gone");
        assert!(matches!(later, GpuError::OutOfService { .. }), "{later}");
        assert!(later.to_string().ends_with("restart the worker to use it again"), "{later}");
        assert!(engine.check_known_answers().is_err());
    }
}

#[test]
fn an_adapter_whose_device_was_lost_can_be_opened_again_and_passes_its_known_answers() {
    let task = short_task();
    let known = reference_sum(&task).expect("in bounds");
    for adapter in GpuAdapter::all() {
        let engine = GpuEngine::open(&adapter).expect("the known answers");
        engine.destroy();
        let error = engine.run(&Task::HexTerms(task.clone()), &Control::default()).expect_err("it is gone");
        assert!(error.may_pass(), "{error}");
        let again = GpuEngine::open(&adapter).expect("the known answers");
        let sum = again.run(&Task::HexTerms(task.clone()), &Control::default());
        assert_eq!(sum, Ok(Outcome::HexSum(known.clone())));
        assert!(!engine.in_service(), "the lost one stays lost");
    }
}

#[test]
fn a_task_without_a_kernel_is_left_to_the_cpu() {
    let task = Task::Digits { constant: Constant::Pi, decimals: 10 };
    assert!(!GpuEngine::has_kernel(&task));
    for engine in engines() {
        assert_eq!(engine.run(&task, &Control::default()), Err(GpuError::NoKernel));
        assert!(engine.in_service());
    }
}

#[test]
fn a_turned_bit_is_one_bit_and_the_known_answers_would_see_it() {
    let task = short_task();
    let known = reference_sum(&task).expect("in bounds");
    for engine in engines() {
        let engine = engine.with_bit_flip();
        let Ok(Outcome::HexSum(sum)) = engine.run(&Task::HexTerms(task.clone()), &Control::default()) else {
            panic!("the drill computes")
        };
        assert_ne!(sum, known);
        let error = engine.check_known_answers().expect_err("a wrong answer");
        assert!(matches!(error, GpuError::WrongAnswer { kernel: "digit_extraction", .. }), "{error}");
        assert!(!error.may_pass());
        assert!(!engine.in_service());
    }
}
