//! Right outcomes pass their audits, and wrong ones do not.

use compute::{
    audit::{AuditFault, Finding, Strength, audit, is_auditable, witness_bytes_max},
    control::Control,
    engine::run_on_cpu_with_witness,
};
use proptest::prelude::*;
use protocol::{
    constant::{Constant, Formula},
    outcome::Outcome,
    task::Task,
};

const CONSTANTS: [Constant; 14] = [
    Constant::Pi,
    Constant::E,
    Constant::Sqrt(2),
    Constant::Sqrt(4_294_967_291),
    Constant::GoldenRatio,
    Constant::Ln2,
    Constant::Ln(3),
    Constant::Ln(1_000_003),
    Constant::Zeta3,
    Constant::Catalan,
    Constant::EulerGamma,
    Constant::Lemniscate,
    Constant::GammaThird,
    Constant::GammaQuarter,
];

/// Every task of a constant's digits with an audit.
fn auditable(decimals: u64) -> Vec<(Task, Formula)> {
    let pairs =
        CONSTANTS.iter().flat_map(|constant| constant.formulas().iter().map(|formula| (*constant, *formula)));
    pairs
        .map(|(constant, formula)| (Task::Digits { constant, decimals }, formula))
        .filter(|(task, formula)| is_auditable(task, *formula))
        .collect()
}

fn computed(task: &Task, formula: Formula) -> (String, Vec<u8>) {
    match run_on_cpu_with_witness(task, formula, &Control::default()).unwrap() {
        (Outcome::Digits(text), Some(witness)) => (text, witness),
        other => panic!("{other:?}"),
    }
}

fn audited(task: &Task, formula: Formula, text: &str, witness: &[u8], seed: [u8; 32]) -> Finding {
    let outcome = Outcome::Digits(text.to_owned()).to_bytes();
    audit(task, formula, &outcome, Some(witness), &seed, &Control::default()).unwrap()
}

#[test]
fn right_digits_pass_by_every_formula_at_every_size() {
    for decimals in (0..40).chain([100, 384, 385, 1_000, 2_345, 7_000, 23_456, 60_000]) {
        for (task, formula) in auditable(decimals) {
            let (text, witness) = computed(&task, formula);
            let finding = audited(&task, formula, &text, &witness, [7; 32]);
            let Finding::Passed { strength: Strength::ErrorBelow { log2 } } = finding else {
                panic!("{task:?} by {formula}: {finding:?}")
            };
            assert!(log2 < -60, "{log2}");
            assert!((witness.len() as u64) < witness_bytes_max(&task, formula), "{task:?} by {formula}");
        }
    }
}

/// The text with the digit at `place`, counted from the last, made another one.
fn with_digit(text: &str, place: usize, up: u8) -> String {
    let digits = text.bytes().rev().filter(u8::is_ascii_digit).count();
    let wanted = place % digits;
    let mut seen = 0;
    let mut bytes: Vec<u8> = text.bytes().rev().collect();
    for byte in bytes.iter_mut().filter(|byte| byte.is_ascii_digit()) {
        if seen == wanted {
            *byte = b'0' + (*byte - b'0' + up) % 10;
        }
        seen += 1;
    }
    bytes.reverse();
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn right_digits_pass_and_wrong_ones_fail(
        decimals in prop_oneof![0_u64..100, 0_u64..5_000, Just(41_000_u64)],
        which: prop::sample::Index,
        place in prop_oneof![Just(0_usize), any::<usize>()],
        up in prop_oneof![Just(1_u8), Just(9), 1_u8..10],
        seed: [u8; 32],
    ) {
        let all = auditable(decimals);
        let (task, formula) = which.get(&all);
        let (text, witness) = computed(task, *formula);
        let right = audited(task, *formula, &text, &witness, seed);
        let passes = matches!(right, Finding::Passed { .. });
        prop_assert!(passes, "{:?}", right);
        let wrong = audited(task, *formula, &with_digit(&text, place, up), &witness, seed);
        let fails = matches!(
            wrong,
            Finding::Failed(AuditFault::Relation { .. } | AuditFault::Outcome { .. })
        );
        prop_assert!(fails, "{:?}", wrong);
    }
}
