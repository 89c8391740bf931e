//! A machine that computes wrongly is found out: single wrong bits planted in every phase of a computation.

use compute::{
    constants::{DigitsError, digits},
    control::{Control, FaultDrill, Site},
    engine::{EngineError, run_on_cpu},
};
use proptest::prelude::*;
use protocol::{
    constant::{Constant, Formula},
    task::Task,
};

const DECIMALS: u64 = 3_000;

/// Computations which between them pass every site.
const COMPUTATIONS: [(Constant, Formula); 8] = [
    (Constant::Pi, Formula::Chudnovsky),
    (Constant::Pi, Formula::GaussLegendre),
    (Constant::E, Formula::ContinuedFraction),
    (Constant::Sqrt(7), Formula::IntegerRoot),
    (Constant::Ln2, Formula::MachinSmall),
    (Constant::Zeta3, Formula::Wedeniwski),
    (Constant::EulerGamma, Formula::BrentMcMillan),
    (Constant::GammaThird, Formula::GaussMean),
];

fn run(computation: (Constant, Formula), drill: FaultDrill) -> (Result<String, DigitsError>, u64) {
    let control = Control::with_drill(drill);
    let result = digits(computation.0, computation.1, DECIMALS, &control);
    (result, control.failed_checks())
}

fn right(computation: (Constant, Formula)) -> String {
    digits(computation.0, computation.1, DECIMALS, &Control::default()).unwrap()
}

#[test]
fn a_wrong_bit_in_each_phase_is_seen_and_the_repetition_is_right() {
    for (site, computation) in [
        (Site::Leaf, COMPUTATIONS[0]),
        (Site::Merge, COMPUTATIONS[0]),
        (Site::Division, COMPUTATIONS[0]),
        (Site::Root, COMPUTATIONS[0]),
        (Site::Arithmetic, COMPUTATIONS[1]),
        (Site::RadixConversion, COMPUTATIONS[0]),
    ] {
        let drill = FaultDrill { site, number: 0, bit: 17, repeats: false, noticed: true };
        assert_eq!(run(computation, drill), (Ok(right(computation)), 1), "{site:?}");
    }
}

#[test]
fn a_fault_that_comes_back_is_told_as_one_of_the_machine() {
    for site in Site::ALL {
        let drill = FaultDrill { site, number: 0, bit: 17, repeats: true, noticed: true };
        let (result, failed_checks) = run(COMPUTATIONS[1], drill);
        if matches!(site, Site::Leaf | Site::Merge) {
            // The mean of Gauss and Legendre has no series.
            assert_eq!((result, failed_checks), (Ok(right(COMPUTATIONS[1])), 0));
            continue;
        }
        let Err(DigitsError::Hardware(fault)) = result else { panic!("{site:?}: {result:?}") };
        assert_eq!((fault.site, failed_checks), (site, 2));
        let told = fault.to_string();
        assert!(told.starts_with("this machine computes wrongly: the result of a "), "{told}");
        assert!(told.contains(site.name()) && told.contains("take the machine out of service"), "{told}");
    }
}

#[test]
fn the_engine_tells_a_broken_machine_from_a_task_that_cannot_be_computed() {
    let drill = FaultDrill { site: Site::Merge, number: 3, bit: 99, repeats: true, noticed: true };
    let task = Task::Digits { constant: Constant::Pi, decimals: DECIMALS };
    let result = run_on_cpu(&task, Formula::Chudnovsky, &Control::with_drill(drill));
    assert!(matches!(result, Err(EngineError::Hardware(fault)) if fault.site == Site::Merge));
}

#[test]
fn without_a_fault_no_check_fails() {
    for (constant, formula) in COMPUTATIONS {
        let control = Control::default();
        digits(constant, formula, 20_000, &control).unwrap();
        assert_eq!(control.failed_checks(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any bit of any result: either the drill's number lies beyond the last result, or the bit is seen.
    #[test]
    fn no_single_wrong_bit_gets_into_the_digits(
        which in 0..COMPUTATIONS.len(),
        site in prop::sample::select(Site::ALL.to_vec()),
        number in 0_u64..60,
        bit: u64,
        repeats: bool,
    ) {
        let (result, failed_checks) = run(COMPUTATIONS[which], FaultDrill { site, number, bit, repeats, noticed: true });
        match (failed_checks, result) {
            (2, Err(DigitsError::Hardware(fault))) => prop_assert!(repeats && fault.site == site),
            (0 | 1, Ok(text)) => {
                prop_assert!(failed_checks == 0 || !repeats);
                prop_assert_eq!(text, right(COMPUTATIONS[which]));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
