//! Checks of small integers are answered in one pass, without GMP; whatever is written so that this way cannot be
//! taken is answered by rationals. The two must give the same bytes: answers, digits, checksums and refusals.
//!
//! A number with a point (`7.0`) is an exact rational of the same value, and is never read the quick way; so the same
//! expression with points in its numbers is the plain reference.

use compute::{control::Control, engine::run_on_cpu, expression::answer};
use proptest::prelude::*;
use protocol::{
    constant::Formula,
    outcome::{Answer, Outcome},
    task::Task,
};

fn ask(text: &str) -> Answer {
    answer(text, 50, &Control::default()).unwrap()
}

/// The expression with a point in every number.
fn with_points(text: &str) -> String {
    let mut pointed = String::new();
    let mut was_digit = false;
    for character in text.chars().chain(" ".chars()) {
        if was_digit && !character.is_ascii_digit() {
            pointed.push_str(".0");
        }
        was_digit = character.is_ascii_digit();
        pointed.push(character);
    }
    pointed
}

/// Numbers around the edges of 64 and 128 bits, and small ones.
fn number() -> impl Strategy<Value = i128> {
    let edges = prop::sample::select(vec![
        0,
        i128::from(i64::MAX),
        i128::from(u64::MAX),
        1 << 62,
        10_i128.pow(18),
        10_i128.pow(19),
        i128::MAX,
        i128::MAX / 2,
        i128::MAX / 10,
    ]);
    prop_oneof![
        8 => 0_i128..12,
        2 => 0_i128..10_000_000_000,
        2 => (edges, -2_i128..3).prop_map(|(edge, near)| edge.saturating_add(near).max(0)),
        1 => 0..i128::MAX,
    ]
}

fn term() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => number().prop_map(|value| value.to_string()),
        1 => Just("170141183460469231731687303715884105728".to_owned()),
        1 => Just("(-2^127)".to_owned()),
        1 => Just("(-2^63)".to_owned()),
    ];
    leaf.prop_recursive(3, 10, 2, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*", "/", "//", "%"]);
        prop_oneof![
            8 => (inner.clone(), operator.clone(), inner.clone()).prop_map(|(a, operator, b)| format!("({a}) {operator} ({b})")),
            2 => (inner.clone(), operator, inner.clone()).prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
            2 => (number(), 0..140).prop_map(|(a, power)| format!("({a})^{power}")),
            1 => (inner.clone(), 0..4).prop_map(|(a, power)| format!("({a})^{power}")),
            1 => (inner.clone(), 0..4).prop_map(|(a, power)| format!("({a})^-{power}")),
            1 => (0..36).prop_map(|n| format!("{n}!")),
            2 => inner.prop_map(|a| format!("-({a})")),
        ]
    })
}

fn claim() -> impl Strategy<Value = String> {
    let comparison = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let links = prop::collection::vec((comparison, term()), 1..4);
    let chain = (term(), links).prop_map(|(first, links)| {
        links.into_iter().fold(first, |text, (operator, term)| format!("{text} {operator} {term}"))
    });
    chain.prop_recursive(3, 6, 2, |inner| {
        let connective = prop::sample::select(vec!["and", "or"]);
        prop_oneof![
            3 => (inner.clone(), connective.clone(), inner.clone()).prop_map(|(a, word, b)| format!("{a} {word} {b}")),
            2 => (inner.clone(), connective, inner.clone()).prop_map(|(a, word, b)| format!("({a}) {word} ({b})")),
            2 => inner.clone().prop_map(|a| format!("not {a}")),
            1 => inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

/// Equal, also as bytes; a refusal shows numbers as they are, not as they were written.
fn same_as_by_rationals(text: &str) -> Result<(), TestCaseError> {
    let (quick, general) = (ask(text), ask(&with_points(text)));
    prop_assert_eq!(&quick, &general, "{}", text);
    prop_assert_eq!(
        Outcome::Answers(vec![quick]).to_bytes(),
        Outcome::Answers(vec![general]).to_bytes(),
        "{}",
        text
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_claim_of_integers_is_answered_as_by_rationals(text in claim()) {
        same_as_by_rationals(&text)?;
    }

    #[test]
    fn a_value_of_integers_is_shown_as_by_rationals(text in term()) {
        same_as_by_rationals(&text)?;
    }

    #[test]
    fn sides_that_are_near_part_where_they_do_by_rationals(a in number(), b in -1000_i128..1000, zeros in 0_u32..40) {
        let scaled = a.checked_mul(10_i128.checked_pow(zeros).unwrap_or(1)).unwrap_or(a);
        for text in [
            format!("{a} == {a} + {b}"),
            format!("{scaled} + {b} == {scaled}"),
            format!("not {scaled} != {scaled} - {b}"),
            format!("-{scaled} == {b}"),
            format!("{a} == {scaled}"),
        ] {
            same_as_by_rationals(&text)?;
        }
    }
}

#[test]
fn exact_powers_of_ten_apart_part_at_that_digit() {
    for digits in 0..38 {
        let text = format!("10^{digits} + 1 == 10^{digits}");
        assert_eq!(ask(&text), ask(&with_points(&text)), "{text}");
        let text = format!("10^{digits} - 1 == 10^{digits}");
        assert_eq!(ask(&text), ask(&with_points(&text)), "{text}");
    }
}

#[test]
fn a_batch_of_both_kinds_is_answered_in_order() {
    let texts = [
        "2 * 2 * 2 * 2 == 16",
        "1/3 + 1/6 == 1/2",
        "2 + 2 == 5",
        "pi < 4",
        "1 +",
        "2^200 > 2^100",
        "",
        "3^2",
    ];
    let task = Task::Expressions { agree_digits: 50, expressions: texts.into_iter().collect() };
    let outcome = run_on_cpu(&task, Formula::Direct, &Control::default()).unwrap();
    assert_eq!(outcome, Outcome::Answers(texts.into_iter().map(ask).collect()));
}

#[test]
fn a_cancelled_batch_has_no_outcome() {
    let task = Task::Expressions { agree_digits: 50, expressions: ["1 == 1"].into_iter().collect() };
    let control = Control::default();
    control.cancel();
    assert!(run_on_cpu(&task, Formula::Direct, &control).is_err());
}
