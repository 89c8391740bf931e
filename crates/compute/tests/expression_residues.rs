//! Equations whose sides fit no memory: proven false where a residue differs, never called true, and refused as ever
//! where nothing is known.

use compute::{control::Control, expression::answer};
use proptest::prelude::*;
use protocol::{
    digest::{Domain, Hasher},
    outcome::{Answer, Checksum, RefusalKind},
};
use rug::Integer;

const NOTHING: &str = "; both sides agree modulo 8 primes of 61 bits, which proves nothing";

fn ask(text: &str) -> Answer {
    answer(text, 50, &Control::default()).unwrap()
}

fn refusal(text: &str) -> String {
    match ask(text) {
        Answer::Refused(refusal) => {
            assert!(matches!(refusal.kind, RefusalKind::Size | RefusalKind::Work), "{text}");
            refusal.message
        }
        other => panic!("{text}: {other}"),
    }
}

#[test]
fn equations_beyond_all_bounds_are_proven_false_and_inequations_true() {
    for (left, right) in [
        ("2^(10^15) + 1", "3^(10^14)"),
        ("2^(3^40)", "2^(3^40) + 1"),
        ("2^18446744073709551615", "3^18446744073709551615"),
        ("2^10^100", "2^10^100 + 2"),
        ("-(2^(10^12))", "2^(10^12)"),
        ("(10^9 + 7)^(10^9 + 9) * (2^(10^11) - 1)", "0"),
        ("7e99999999999", "7e99999999998"),
        ("((2^(10^10))^2)^2 - 1", "2^(4 * 10^10)"),
        ("5^(10^10) - 5^(10^10)", "1"),
        ("(2^100000000)^0", "0"),
    ] {
        let equation = format!("{left} == {right}");
        assert!(matches!(ask(&equation), Answer::False { parts_after: None, .. }), "{equation}");
        let inequation = format!("{left} != {right}");
        assert!(matches!(ask(&inequation), Answer::True { .. }), "{inequation}");
    }
}

#[test]
fn what_is_equal_is_refused_and_never_called_true() {
    for equation in [
        "2^(10^15) == 2^(10^15)",
        "(2^(10^15) - 1) * (2^(10^15) + 1) == 2^(2 * 10^15) - 1",
        "4^(10^17) == 2^(2 * 10^17)",
        "1e99999999999 == 10^99999999999",
        "-(-(3^(10^10))) == 3^(10^10)",
        "2^(3^40) * 2 == 2^(3^40 + 1)",
        "5^(10^10) - 5^(10^10) == 0",
    ] {
        assert!(refusal(equation).ends_with(NOTHING), "{equation}: {}", refusal(equation));
        let inequation = equation.replace("==", "!=");
        assert!(refusal(&inequation).ends_with(NOTHING), "{inequation}");
    }
    assert_eq!(
        refusal("2^(10^10) == 4^(5 * 10^9)"),
        format!(
            "`2 ^ 10000000000` (which powmod can take modulo a number) could need 10000000002 bits, more than the limit \
             of 33554432; make the numbers smaller{NOTHING}"
        )
    );
}

#[test]
fn what_residues_cannot_see_stays_refused_in_the_same_words() {
    for text in [
        "2^(10^15) < 3^(10^15)",
        "2^(10^15) == 3^(10^14) and 1 == 1",
        "not 2^(10^15) == 3^(10^14)",
        "2^(10^15) == 3^(10^14) == 5",
        "2^(10^15) / 2 == 3^(10^14)",
        "2^(10^15) % 7 == 3",
        "2^(10^15) // 7 == 3",
        "(10^9)! == 7",
        "2^2^10000 == 3",
        "2^(2^(10^15)) == 3",
        "2^(10^10) == pi",
        "1e999999999999999999999999999 == 0",
        "1e-99999999999999999999999 == 0",
        "2^(-10^15) == 3",
        "2^(10^15) == 1.5",
        "2^(10^15)",
    ] {
        assert!(!refusal(text).contains("modulo 8 primes"), "{text}: {}", refusal(text));
    }
    // Small sides never come here: they are compared exactly, down to where they part.
    assert!(matches!(ask("2^1000 == 2^1000 + 1"), Answer::False { parts_after: Some(301), .. }));
}

#[test]
fn a_look_through_primes_has_its_own_bound_of_work() {
    // Each exponent has 4,000 bits, and there are thousands of them.
    let sum = format!("{}1 == 2", "3^(2^4000) + ".repeat(4_000));
    assert!(!refusal(&sum).contains("modulo 8 primes"));
    assert!(matches!(ask("3^(2^4000) == 1"), Answer::False { .. }));
}

#[test]
fn the_checksum_is_that_of_the_primes_and_the_residues_behind_the_answer() {
    let text = "2^(10^15) + 1 == 3^(10^14)";
    let primes = compute::residues::random_primes(format!("expression:{text}").as_bytes(), 8);
    let power = |base: u32, exponent: u64, modulus: u64| {
        Integer::from(base).pow_mod(&Integer::from(exponent), &Integer::from(modulus)).unwrap()
    };
    let mut hasher = Hasher::new(Domain::Values);
    let left = |m: u64| (power(2, 10_u64.pow(15), m) + 1_u32) % m;
    let right = |m: u64| power(3, 10_u64.pow(14), m);
    for side in [&left as &dyn Fn(u64) -> Integer, &right] {
        hasher.update(b"R");
        for prime in &primes {
            hasher.update(&prime.value().to_le_bytes());
            hasher.update(&side(prime.value()).to_u64().unwrap().to_le_bytes());
        }
    }
    let checksum = Checksum::from_digest(hasher.finish());
    assert_eq!(ask(text), Answer::False { parts_after: None, checksum });
    assert_eq!(ask(&text.replace("==", "!=")), ask(&text.replace("==", "!=")));
    let Answer::False { checksum: other, .. } = ask("2^(10^15) + 1  == 3^(10^14)") else { panic!("false") };
    assert_ne!(other, checksum, "another text has other primes");
}

/// Terms of integers with sums, differences, products, signs and powers.
fn term() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![(0_u64..20).prop_map(|value| value.to_string()), Just("1e3".to_owned())];
    leaf.prop_recursive(3, 10, 2, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*"]);
        prop_oneof![
            4 => (inner.clone(), operator, inner.clone()).prop_map(|(a, operator, b)| format!("({a}) {operator} ({b})")),
            1 => inner.clone().prop_map(|a| format!("-({a})")),
            2 => (inner, 0_u32..12).prop_map(|(a, exponent)| format!("({a})^{exponent}")),
        ]
    })
}

proptest! {
    /// Beside the same enormous addend, two small terms differ if and only if they do alone.
    #[test]
    fn what_is_added_on_both_sides_changes_no_answer(left in term(), right in term()) {
        let is_equal = match ask(&format!("{left} == {right}")) {
            Answer::True { .. } => true,
            Answer::False { .. } => false,
            other => return Err(TestCaseError::fail(other.to_string())),
        };
        let looked = ask(&format!("{left} + 7^(10^12) == 7^(10^12) + ({right})"));
        match looked {
            Answer::False { .. } => prop_assert!(!is_equal),
            Answer::Refused(refusal) => prop_assert!(is_equal && refusal.message.ends_with(NOTHING)),
            other => return Err(TestCaseError::fail(other.to_string())),
        }
    }
}
