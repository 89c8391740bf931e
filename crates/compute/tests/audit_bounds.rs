//! What the house says of audits in general holds for each of them: which outcomes have one, how long a witness may be, and
//! how probable it is that a wrong one passes.

use compute::{
    audit::{Finding, Strength, audit, is_auditable, witness_bytes_max},
    control::Control,
    engine::run_on_cpu_with_witness,
};
use protocol::{
    audit::error_log2,
    constant::{Constant, Formula},
    task::Task,
};

/// One of each kind.
fn constants() -> impl Iterator<Item = Constant> {
    Constant::NAMES.into_iter().map(|name| name.parse().expect("a known name"))
}

/// Every way to compute digits of which the house says that it can be audited.
fn covered(decimals: u64) -> impl Iterator<Item = (Task, Formula)> {
    constants().flat_map(move |constant| {
        let task = Task::Digits { constant, decimals };
        let covered = task.formulas().iter().filter(|formula| task.audits().cover(**formula));
        covered.map(|formula| (task.clone(), *formula)).collect::<Vec<_>>()
    })
}

#[test]
fn whatever_the_house_says_can_be_audited_can_be() {
    assert!(covered(10).count() >= 12);
    for (task, formula) in covered(10) {
        assert!(is_auditable(&task, formula), "{task:?} by {formula}");
    }
}

#[test]
fn no_witness_may_be_longer_than_whoever_fetches_it_allows() {
    for decimals in [1, 1_000, 1_000_000, 1_000_000_000] {
        for (task, formula) in covered(decimals) {
            let (here, there) = (witness_bytes_max(&task, formula), task.witness_bytes_max());
            assert!(here <= there, "{task:?} by {formula}: {here} bytes, and {there} are fetched");
        }
    }
}

#[test]
fn wrong_digits_pass_with_no_more_than_the_probability_that_certificates_tell() {
    for decimals in [1, 100, 3_000] {
        for (task, formula) in covered(decimals) {
            let computed = run_on_cpu_with_witness(&task, formula, &Control::default());
            let (outcome, witness) = computed.expect("digits");
            let (outcome, witness) = (outcome.to_bytes(), witness.map(|witness| witness.to_bytes()));
            let found = audit(&task, formula, &outcome, witness.as_deref(), &[7; 32], &Control::default());
            let Ok(Finding::Passed { strength: Strength::ErrorBelow { log2 } }) = found else {
                panic!("{task:?} by {formula}: {found:?}");
            };
            let told = error_log2(decimals);
            assert!(log2 <= i64::from(told), "{task:?} by {formula}: 2^{log2}, and 2^{told} is told");
        }
    }
}
