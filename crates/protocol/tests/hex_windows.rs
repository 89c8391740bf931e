//! Windows of hexadecimal digits: the cut into tasks, and which digits a sum proves.
#![expect(clippy::unnecessary_wraps, reason = "outcomes stand in lists beside tasks that have none")]

use proptest::prelude::*;
use protocol::{
    digit_extraction::{Fraction, HexConstant, HexTerms, HexWindow},
    job::JobSpec,
    limits::{HEX_AFTER_MAX, HEX_DIGITS_MAX, HEX_GUARD_BITS_MAX, HEX_GUARD_BITS_MIN, TASKS_MAX},
    outcome::Outcome,
    plan::{AnswerCounts, Plan, ResultAssembler},
    task::Task,
};

fn plan(after: u64, digits: u32) -> Plan {
    let job = format!(
        "name = \"x\"\nkind = \"hex-digits\"\n[hex-digits]\nconstant = \"pi\"\nafter = {after}\ndigits = {digits}\n"
    );
    Plan::new(&JobSpec::parse(&job).expect("valid"), None).expect("valid")
}

fn result(plan: &Plan, outcomes: &[Option<Outcome>]) -> (String, AnswerCounts) {
    let mut text = Vec::new();
    let mut assembler = ResultAssembler::new(plan);
    for outcome in outcomes {
        assembler.push(outcome.as_ref(), &mut text).expect("memory takes everything");
    }
    let counts = assembler.finish(&mut text).expect("memory takes everything");
    (String::from_utf8(text).expect("text"), counts)
}

fn sum(limbs: &[u64]) -> Option<Outcome> {
    Some(Outcome::HexSum(Fraction::from_limbs(limbs)))
}

#[test]
fn partial_sums_add_up_modulo_1_to_the_digits() {
    let plan = plan(30_000_000, 8);
    assert_eq!(plan.tasks(), 3);
    let outcomes =
        [sum(&[1 << 63, 0xF000_0000_0000_0000]), sum(&[1 << 63, 0x2ABC_DEF0_0000_0000]), sum(&[0, 1])];
    let (text, counts) = result(&plan, &outcomes);
    assert_eq!(text, "1ABCDEF0");
    assert_eq!(counts, AnswerCounts { values: 1, ..AnswerCounts::default() });
}

#[test]
fn a_sum_beside_a_carry_proves_no_digits_and_says_what_to_do() {
    let plan = plan(0, 8);
    for limbs in [[5, 0x1234_5678_0000_0000], [u64::MAX - 5, 0x1234_5678_FFFF_FFFF]] {
        let Some(Task::HexTerms(task)) = plan.task(0) else { panic!("a stretch of terms") };
        assert_eq!(task.fraction_bits, 128);
        let (text, counts) = result(&plan, &[sum(&limbs)]);
        assert!(text.starts_with("undecided: the bits behind the last digit"), "{text}");
        assert!(text.contains("`guard_bits`"), "{text}");
        assert_eq!(counts, AnswerCounts { undecided: 1, ..AnswerCounts::default() });
    }
}

#[test]
fn a_missing_or_misshapen_partial_sum_leaves_the_digits_undecided() {
    let plan = plan(30_000_000, 8);
    let good = sum(&[0, 1 << 40]);
    for bad in [None, sum(&[1]), Some(Outcome::Digits("3.1".to_owned()))] {
        let (text, counts) = result(&plan, &[good.clone(), bad, good.clone()]);
        assert_eq!(text, "undecided\n");
        assert_eq!(counts.undecided, 1);
    }
}

#[test]
fn a_wrong_partial_sum_is_told_by_its_terms() {
    let plan = plan(30_000_000, 8);
    let (Some(accepted), Some(other)) = (sum(&[0, 1]), sum(&[0, 2])) else { panic!("sums") };
    let told = plan.describe_difference(0, &accepted, &other);
    let Some(Task::HexTerms(HexTerms { end_term, .. })) = plan.task(0) else { panic!("a stretch of terms") };
    assert_eq!(told, Some(format!("the sum of terms 0 to {}", end_term - 1)));
}

proptest! {
    #[test]
    fn the_tasks_of_every_window_are_valid_and_cover_each_term_once(
        number in 0..HexConstant::ALL.len(),
        after in prop_oneof![0..1000_u64, 0..=HEX_AFTER_MAX],
        digits in 1..=HEX_DIGITS_MAX,
        guard_bits in HEX_GUARD_BITS_MIN..=HEX_GUARD_BITS_MAX,
    ) {
        let series = HexConstant::ALL[number].fastest_series();
        let after = after.min(series.after_max());
        let window = HexWindow::new(series.clone(), after, digits, guard_bits);
        let tasks = window.tasks();
        prop_assert!((1..=TASKS_MAX).contains(&tasks));
        let spare = u64::from(window.fraction_bits() - 4 * digits);
        prop_assert!(spare >= u64::from(guard_bits));
        prop_assert!(window.error_units() >> (spare - u64::from(guard_bits)).min(63) == 0);
        for index in [0, tasks / 2, tasks - 1] {
            let task = window.task(index).expect("a task");
            prop_assert_eq!(task.check(), Ok(()));
            let next = window.task(index + 1).map_or_else(|| series.terms(after, task.fraction_bits), |next| next.first_term);
            prop_assert_eq!(task.end_term, next);
        }
        prop_assert_eq!(window.task(0).map(|task| task.first_term), Some(0));
        prop_assert_eq!(window.task(tasks), None);
    }
}
