//! Answers to single expressions: what is proven, what only agrees, after how many digits sides part, and what the
//! checksum is taken of.

use compute::{control::Control, expression::answer};
use proptest::prelude::*;
use protocol::{
    digest::{Domain, Hasher},
    outcome::{Answer, Checksum, RefusalKind},
};
use rug::{Integer, Rational, ops::Pow};

fn ask(text: &str) -> Answer {
    ask_to(text, 50)
}

fn ask_to(text: &str, digits: u32) -> Answer {
    answer(text, digits, &Control::default()).unwrap()
}

/// The answer without its checksum.
fn gist(text: &str) -> String {
    ask(text).to_string()
}

fn parts_after(text: &str) -> Option<u32> {
    match ask(text) {
        Answer::False { parts_after, .. } => parts_after,
        other => panic!("{text}: {other}"),
    }
}

fn checksum(text: &str) -> Checksum {
    match ask(text) {
        Answer::True { checksum } | Answer::False { checksum, .. } | Answer::Agrees { checksum, .. } => {
            checksum
        }
        other => panic!("{text}: {other}"),
    }
}

fn kind(text: &str) -> RefusalKind {
    match ask(text) {
        Answer::Refused(refusal) => refusal.kind,
        other => panic!("{text}: {other}"),
    }
}

#[test]
fn exact_arithmetic_is_proven_true_or_false() {
    for text in [
        "2 * 2 * 2 * 2 == 16",
        "0.1 + 0.2 == 0.3",
        "1/3 + 1/6 == 1/2",
        "-7 // 2 == -4 and -7 % 2 == 1 and 7 % -2 == -1",
        "7.5 // 2 == 3 and 7.5 % 2 == 1.5",
        "2^-2 == 0.25 and (-2)^3 == -8 and -2^2 == -4",
        "2^3^2 == 512",
        "0^0 == 1 and 0^5 == 0",
        "4^(1/2) == 2 and 8^(2/3) == 4 and (4/9)^(-1/2) == 1.5",
        "1^(1/3) == 1 and 1^0.000000000001 == 1 and 1^(-1/10^40) == 1",
        "sqrt(16) == 4 and sqrt(4/9) == 2/3 and root(27, 3) == 3 and root(-8, 3) == -2",
        "exp(0) == 1 and ln(1) == 0 and sin(0) == 0 and cos(0) == 1 and acos(1) == 0 and tanh(0) == 0",
        "log(1000) == 3 and log(0.01) == -2 and log(1/8, 2) == -3 and log(8, 1/2) == -3 and log(9/4, 3/2) == 2",
        "abs(-3/2) == 1.5 and floor(-1.5) == -2 and ceil(-1.5) == -1",
        "gcd(12, 18, 27) == 3 and gcd(0, 0) == 0 and lcm(4, 6) == 12 and lcm(0, 5) == 0",
        "5! == 120 and 0! == 1 and 3!! == 720 and factorial(20) == 2432902008176640000",
        "binomial(10, 3) == 120 and binomial(3, 5) == 0 and binomial(10^20, 1) == 10^20",
        "powmod(3, 200, 13) == 9 and powmod(3, -1, 7) == 5 and powmod(-2, 3, 5) == 2 and powmod(5, 3, 1) == 0",
        "fib(0) == 0 and fib(1) == 1 and fib(100) == 354224848179261915075",
        "is_prime(2) and is_prime(97) and not is_prime(1) and not is_prime(-7) and not is_prime(91)",
        "is_prime(2^61 - 1) and is_prime(2^89 - 1) and is_prime(2^127 - 1) and not is_prime(2^128 + 1)",
        "is_prime(3 * 2^189 + 1) and not is_prime(2^67 - 1) and not is_prime(10^40 + 1)",
        "floor(pi) == 3 and ceil(pi) == 4 and floor(-pi) == -4 and 10*pi // 1 == 31 and floor(10^60 * pi) % 10 == 4",
        "floor(exp(pi * sqrt(163))) == 262537412640768743",
        "1 < 2 < 3 and not 1 < 3 < 2 and 1 == 1 == 1",
        "3 < 2 or 1 == 1",
        "1 == 1 or 1/0 == 1",
        "1_000 == 1e3 and 2.5e-3 == 1/400",
    ] {
        assert_eq!(gist(text), "true", "{text}");
    }
    for text in [
        "2 + 2 == 5",
        "1 != 1",
        "1 == 2 and 1/0 == 1",
        "not 1 == 1",
        "0.1 * 3 != 0.3",
        "is_prime(2^4000 + 1)",
    ] {
        assert!(gist(text).starts_with("false"), "{text}");
    }
}

#[test]
fn famous_identities_agree_and_are_never_called_true() {
    for text in [
        "16*atan(1/5) - 4*atan(1/239) == pi",
        "12*atan(1/18) + 8*atan(1/57) - 5*atan(1/239) == pi/4",
        "zeta(2) == pi^2/6",
        "phi^2 == phi + 1",
        "exp(ln(2)) == 2",
        "exp(ln2) == 2",
        "sqrt(2) * sqrt(3) == sqrt(6)",
        "cosh(1)^2 - sinh(1)^2 == 1",
        "2 * asin(1) == pi",
        "acos(-1) == pi",
        "log(2) == ln(2) / ln(10) == log(2, 10)",
        "tan(1) == sin(1) / cos(1)",
        "2^pi == exp(pi * ln2)",
        "root(5, 3)^3 == 5",
        "pi == pi",
        "sin(pi) == 0",
        "sin(pi) == sin(2 * pi)",
        "pi % 1 == pi - 3",
        "-pi // 1 == -4 and abs(-pi) == pi",
        "exp(1) == e and 1 == 1",
        "not exp(1) != e",
    ] {
        assert_eq!(gist(text), "agrees to 50 digits", "{text}");
    }
}

#[test]
fn near_misses_come_out_false_with_the_digit_at_which_they_part() {
    for (text, digits) in [
        ("exp(pi * sqrt(163)) == 262537412640768744", 29),
        ("1782^12 + 1841^12 == 1922^12", 9),
        ("3987^12 + 4365^12 == 4472^12", 10),
        ("pi == 22/7", 3),
        ("pi == 355/113", 7),
        ("pi^4 + pi^5 == e^6", 7),
        ("exp(pi) - pi == 20", 4),
        ("1 == 0.9", 1),
        ("1 == 0.89", 0),
        ("exp(ln(10)) == 9", 1),
        ("10^100 == 10^100 + 1", 100),
        ("1 == 2", 0),
        ("1 == -1", 0),
        ("0 == 10^-20", 20),
        ("sin(pi) == 10^-60", 0),
        ("pi > 22/7", 3),
        ("2^100000 == 2^100000 + 1", 30102),
    ] {
        assert_eq!(parts_after(text), Some(digits), "{text}");
    }
}

#[test]
fn digits_are_counted_only_where_one_comparison_decides() {
    assert_eq!(parts_after("1 == 2 or 3 == 4"), None);
    assert_eq!(parts_after("1 < 1"), None);
    assert_eq!(parts_after("1 == 1 and 1000 == 1001"), Some(3));
    assert_eq!(parts_after("pi == pi and 1000 == 1001"), Some(3));
    assert_eq!(parts_after("not 1000 != 1001"), Some(3));
    assert_eq!(parts_after("not (1 == 1 or 2 == 2)"), None);
    assert_eq!(parts_after("is_prime(8)"), None);
}

#[test]
fn the_digits_that_are_asked_for_decide_between_false_and_agrees() {
    let text = "exp(pi * sqrt(163)) == 262537412640768744";
    for (digits, expected) in [(1, true), (29, true), (30, false), (1000, false)] {
        assert_eq!(matches!(ask_to(text, digits), Answer::Agrees { .. }), expected, "{digits}");
    }
    assert!(matches!(ask_to("exp(ln(3)) == 3", 3000), Answer::Agrees { digits: 3000, .. }));
    assert!(matches!(ask_to("exp(ln(3)) == 3", 0), Answer::Agrees { digits: 1, .. }));
    assert!(matches!(ask_to("10^100 == 10^100 + 1", 5), Answer::False { parts_after: Some(100), .. }));
}

#[test]
fn what_is_open_stays_open_through_the_connectives() {
    assert_eq!(parts_after("pi == pi and 1 == 2"), Some(0));
    assert_eq!(gist("pi == pi or 1 == 1"), "true");
    assert_eq!(gist("pi == pi or 1 == 2"), "agrees to 50 digits");
    assert_eq!(gist("1 == 1 and not pi == pi"), "agrees to 50 digits");
    assert_eq!(gist("pi < pi"), "agrees to 50 digits");
    assert_eq!(gist("pi < 4 and e < pi and pi != 3"), "true");
}

#[test]
fn a_value_is_shown_whole_or_truncated() {
    for (text, expected, is_exact) in [
        ("2^10", "1024", true),
        ("1/3", "1/3", true),
        ("-0.1 - 0.2", "-0.3", true),
        ("5/4", "1.25", true),
        ("1e-3", "0.001", true),
        ("pi", "3.1415926535897932384626433832795028841971693993751…", false),
        ("-pi/100", "-0.031415926535897932384626433832795028841971693993751…", false),
        ("exp(ln(2))", "2.0000000000000000000000000000000000000000000000000…", false),
        ("exp(1000)", "1.9700711140170469938888793522433231253169379853238…e434", false),
        ("exp(-1000)", "5.0759588975494567652918094795743369193055992828928…e-435", false),
        ("sin(pi)", "0…", false),
        ("10^2000", "1.0000000000000000000000000000000000000000000000000…e2000", false),
        ("10^2000 - 1", "9.9999999999999999999999999999999999999999999999999…e1999", false),
        ("10^3000", "1.0000000000000000000000000000000000000000000000000…e3000", false),
        ("10^3000 - 1", "9.9999999999999999999999999999999999999999999999999…e2999", false),
    ] {
        let Answer::Value { text: shown, exact } = ask(text) else { panic!("{text}: {}", ask(text)) };
        assert_eq!((shown.as_str(), exact), (expected, is_exact), "{text}");
    }
    for (text, digits, expected) in [
        ("pi", 1, "3.…"),
        ("exp(10)", 5, "22026.…"),
        ("exp(10)", 4, "2.202…e4"),
        ("pi", 0, "3.…"),
        ("-e/10^9", 2, "-2.7…e-9"),
    ] {
        assert_eq!(ask_to(text, digits), Answer::Value { text: expected.to_owned(), exact: false }, "{text}");
    }
    let Answer::Value { text, exact } = ask("10^999") else { panic!() };
    assert!(exact && text.len() == 1000);
    let Answer::Value { text, exact } = ask_to("2^100000", 10_000) else { panic!() };
    assert!(!exact && text.len() < 1100 && text.starts_with("9.990020930143845079"));
}

#[test]
fn a_value_that_is_blurred_at_first_is_neither_too_large_nor_too_small() {
    // At 128 bits the remainder of 3^200 by pi is known to 2^190: its exponential could be anything.
    for text in [
        "exp(3^200 % pi) < 24 and exp(-(3^200 % pi)) > 0.04",
        "sin(7^600 % pi) > 0 and sin(7^600 % pi) <= 1",
        "floor(exp(7^200 % 1.5^0.5)) >= 1 and floor(exp(7^200 % 1.5^0.5)) <= 3",
    ] {
        assert_eq!(gist(text), "true", "{text}");
    }
}

#[test]
fn what_is_not_defined_is_refused_as_such() {
    for text in [
        "1/0",
        "1 // 0 == 1",
        "1 % 0 == 1",
        "0^-1",
        "pi / 0",
        "pi / (1 - 1)",
        "ln(0)",
        "ln(-1)",
        "log(8, 1)",
        "log(-8, 2)",
        "sqrt(-1)",
        "sqrt(-pi)",
        "ln(-pi)",
        "(-8)^(1/3)",
        "(-2)^pi",
        "root(-16, 4)",
        "root(2, 0)",
        "acos(2)",
        "asin(pi)",
        "(-1)!",
        "fib(-1)",
        "binomial(-1, 2)",
        "zeta(1)",
        "powmod(2, -1, 4)",
        "powmod(2, 3, 0)",
        "tan(pi/2)",
        "1/sin(pi) == 1",
        "ln(sin(pi))",
        "floor(exp(ln(2)))",
    ] {
        assert_eq!(kind(text), RefusalKind::Undefined, "{text}");
    }
    for text in [
        "gcd(1/2, 3)",
        "gcd(pi, 3)",
        "(1/2)!",
        "is_prime(1/2)",
        "is_prime(pi)",
        "(1 == 1) + 1",
        "root(2, pi)",
    ] {
        assert_eq!(kind(text), RefusalKind::Type, "{text}");
    }
    assert_eq!(kind("1 +"), RefusalKind::Syntax);
}

#[test]
fn a_prime_that_cannot_be_proven_is_not_called_one() {
    // 10^30 + 57 is prime, and 10^30 + 56 has a large composite part.
    let Answer::Refused(refusal) = ask("is_prime(10^30 + 57)") else { panic!() };
    assert_eq!(refusal.kind, RefusalKind::Work);
    assert!(refusal.message.contains("cannot be proven prime"), "{}", refusal.message);
}

#[test]
fn a_range_given_as_one_expression_is_answered_as_one() {
    assert_eq!(gist("for n in 1..=100: n^5 % 30 == n % 30"), "true");
    assert_eq!(gist("for n in 0..=40: is_prime(n^2 + n + 41)"), "false");
    assert_eq!(gist("for n in 2..=4: exp(ln(n)) == n"), "agrees to 50 digits");
    assert!(gist("for n in -1..=1: 1/n < 2").starts_with("refused: at n = 0: `1 / 0` divides by zero"));
    assert_eq!(kind("for n in 1..=10^9: n == n"), RefusalKind::Work);
}

#[test]
fn the_checksum_is_what_its_definition_says() {
    let digest = |sides: &[&[u8]]| {
        let mut hasher = Hasher::new(Domain::Values);
        for side in sides {
            hasher.update(side);
        }
        Checksum::from_digest(hasher.finish())
    };
    let part = |negative: u8, magnitude: &[u8]| {
        let mut bytes = vec![negative];
        bytes.extend((magnitude.len() as u64).to_le_bytes());
        bytes.extend(magnitude);
        bytes
    };
    let exact = |numerator: Vec<u8>, denominator: Vec<u8>| [vec![b'X'], numerator, denominator].concat();
    let sixteen = exact(part(0, &[16]), part(0, &[1]));
    assert_eq!(checksum("2*2*2*2 == 16"), digest(&[&sixteen, &sixteen]));
    assert_eq!(
        checksum("-300/7 < 0"),
        digest(&[&exact(part(1, &[0x2c, 1]), part(0, &[7])), &exact(part(0, &[]), part(0, &[1]))])
    );
    let pi = b"D+31415926535897932384626433832795e1".as_slice();
    let four = exact(part(0, &[4]), part(0, &[1]));
    assert_eq!(checksum("pi < 4"), digest(&[pi, &four]));
    assert_eq!(checksum("-pi/10^9 < 4"), digest(&[b"D-31415926535897932384626433832795e-8", &four]));
    assert_eq!(checksum("exp(ln(2)) < 4"), digest(&[b"B+20000000000000000000000000000000e1", &four]));
    assert_eq!(checksum("sin(pi) < 4"), digest(&[b"Z", &four]));
    assert_eq!(checksum("is_prime(4)"), digest(&[&four, b"C"]));
    assert_eq!(checksum("4 == 4 or pi == 4"), digest(&[&four, &four]));
}

#[test]
fn the_checksum_does_not_know_how_a_value_was_found() {
    assert_eq!(checksum("2*2*2*2 == 16"), checksum("2^4 == 4^2"));
    assert_eq!(checksum("exp(1) < 3"), checksum("e < 3"));
    assert_eq!(checksum("4*atan(1) < 4"), checksum("pi < 4"));
    assert_ne!(checksum("1 < 16"), checksum("2 < 16"));
    assert_ne!(checksum("2 == 2"), checksum("3 == 3"));
    assert_ne!(checksum("pi < 4"), checksum("pi + 10^-30 < 4"));
    assert_ne!(checksum("1/2 < 1"), checksum("1/3 < 1"));
}

#[test]
fn a_cancelled_question_gets_no_answer() {
    let control = Control::default();
    control.cancel();
    assert!(answer("1 == 1", 50, &control).is_err());
}

/// Counts digits one by one, as the definition reads.
fn plain_parts(left: &Rational, right: &Rational) -> u32 {
    let difference = Rational::from(left - right).abs();
    let scale = if left.is_zero() || right.is_zero() {
        Rational::from(1)
    } else {
        left.clone().abs().max(right.clone().abs())
    };
    let mut digits = 0;
    while Rational::from(&difference * Integer::from(10).pow(digits + 1)) <= scale {
        digits += 1;
    }
    digits
}

proptest! {
    #[test]
    fn exact_sides_part_where_a_plain_count_says(a in -2000_i64..2000, b in 1_i64..50, c in -2000_i64..2000, d in 1_i64..50) {
        let (left, right) = (Rational::from((a, b)), Rational::from((c, d)));
        match ask(&format!("{a}/{b} == {c}/{d}")) {
            Answer::True { .. } => prop_assert_eq!(left, right),
            Answer::False { parts_after, .. } => {
                prop_assert_ne!(&left, &right);
                prop_assert_eq!(parts_after, Some(plain_parts(&left, &right)));
            }
            other => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn near_sides_part_where_a_plain_count_says(a in 1_u64..u64::MAX, near in 1_u64..10_000, zeros in 0_u32..60) {
        let left = Integer::from(a) * Integer::from(10).pow(zeros);
        let right = Integer::from(&left + near);
        let expected = plain_parts(&Rational::from(&left), &Rational::from(&right));
        prop_assert_eq!(parts_after(&format!("{left} == {right}")), Some(expected));
    }

    #[test]
    fn an_enclosed_side_parts_where_the_exact_one_does(a in 1_u64..1_000_000, near in 1_u64..1000, zeros in 0_u32..30) {
        let left = Integer::from(a) * Integer::from(10).pow(zeros);
        let right = Integer::from(&left + near);
        let exact = parts_after(&format!("{left} == {right}"));
        prop_assert_eq!(parts_after(&format!("{left} + (pi - pi) == {right}")), exact);
        prop_assert_eq!(parts_after(&format!("{right} == {left} * exp(ln(7)) / 7")), exact);
    }

    #[test]
    fn exact_arithmetic_is_that_of_rationals(a in -1000_i64..1000, b in 1_i64..100, c in -1000_i64..1000, d in 1_i64..100, e in 0_u32..9) {
        let (left, right) = (Rational::from((a, b)), Rational::from((c, d)));
        let texts = (format!("(({a})/{b})"), format!("(({c})/{d})"));
        let claims = [
            ("+", Some(Rational::from(&left + &right))),
            ("-", Some(Rational::from(&left - &right))),
            ("*", Some(Rational::from(&left * &right))),
            ("/", (c != 0).then(|| Rational::from(&left / &right))),
            ("//", (c != 0).then(|| Rational::from(&left / &right).floor())),
            ("%", (c != 0).then(|| { let q = Rational::from(&left / &right).floor(); &left - q * &right })),
        ];
        for (operator, expected) in claims {
            let text = format!("{} {operator} {}", texts.0, texts.1);
            if let Some(expected) = expected {
                prop_assert_eq!(gist(&format!("{text} == {expected}")), "true", "{}", text);
            } else {
                prop_assert_eq!(kind(&text), RefusalKind::Undefined);
            }
        }
        let power = Rational::from((&left).pow(e));
        prop_assert_eq!(gist(&format!("{} ^ {e} == {power}", texts.0)), "true");
    }

    #[test]
    fn an_order_of_enclosures_is_that_of_floats_far_apart(a in 1.0_f64..1e6, b in 1.0_f64..1e6) {
        prop_assume!((a / b - 1.0).abs() > 1e-6);
        for function in ["ln", "exp", "atan", "sqrt"] {
            let scale = if function == "exp" { 1e4 } else { 1.0 };
            let text = format!("{function}({}) < {function}({})", a / scale, b / scale);
            prop_assert_eq!(gist(&text).starts_with("true"), a < b, "{}", text);
        }
    }
}
