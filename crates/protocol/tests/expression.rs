//! The language of expressions, through the parser's public face: what binds how, what is refused and how the place is
//! shown, and that no text is too nested to be read and dropped on a small stack.

use proptest::prelude::*;
use protocol::{
    expression::{
        BinaryOperator, Comparison, Expression, Formula, Function, NamedConstant, ParseError, RefusalKind,
        Statement, Step, parse, parse_body,
    },
    limits::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX},
};

fn plain(text: &str) -> Expression {
    match parse(text) {
        Ok(Statement::Plain(expression)) => expression,
        other => panic!("{text}: {other:?}"),
    }
}

fn error(text: &str) -> ParseError {
    parse(text).expect_err(text)
}

/// The steps as text, in postfix order.
fn postfix(text: &str) -> String {
    let words: Vec<String> = plain(text).steps().iter().map(step_text).collect();
    words.join(" ")
}

fn step_text(step: &Step) -> String {
    match step {
        Step::Integer(value) => value.to_string(),
        Step::Number(number) => format!("{}e{}", number.digits, number.exponent),
        Step::Constant(constant) => constant.name().to_owned(),
        Step::Variable => "n".to_owned(),
        Step::Negate => "neg".to_owned(),
        Step::Binary(operator) => operator.symbol().to_owned(),
        Step::Call(function) => format!("{function:?}"),
    }
}

#[test]
fn operators_bind_as_the_grammar_says() {
    for (text, expected) in [
        ("1 + 2 * 3", "1 2 3 * +"),
        ("1 - 2 - 3", "1 2 - 3 -"),
        ("2 ^ 3 ^ 2", "2 3 2 ^ ^"),
        ("-2 ^ 2", "2 2 ^ neg"),
        ("2 ^ -3 * 4", "2 3 neg ^ 4 *"),
        ("2 ^ -3 ^ 2", "2 3 2 ^ neg ^"),
        ("-3! + 1", "3 Factorial neg 1 +"),
        ("--1", "1 neg neg"),
        ("3!! ^ 2", "3 Factorial Factorial 2 ^"),
        ("-2 * 3", "2 neg 3 *"),
        ("7 // 2 % 3 / 4", "7 2 // 3 % 4 /"),
        ("(1 + 2) * 3", "1 2 + 3 *"),
        ("gcd(1, 2 + 3, 4)", "1 2 3 + Gcd 4 Gcd"),
        ("log(2) + log(8, 2)", "2 Log10 8 2 LogBase +"),
        ("powmod(2,10,7)", "2 10 7 PowMod"),
        (" 2*pi ", "2 pi *"),
        ("euler_gamma-e", "euler_gamma e -"),
    ] {
        assert_eq!(postfix(text), expected, "{text}");
    }
}

#[test]
fn numbers_are_exact_as_they_are_written() {
    for (text, expected) in [
        ("1_000_000", "1000000"),
        ("1.5", "15e-1"),
        ("1e-9", "1e-9"),
        ("2.50e3", "250e1"),
        ("0.000", "0e-3"),
        ("007", "7"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "18446744073709551616e0"),
        ("1e99999999999999999999", "1e9223372036854775807"),
    ] {
        assert_eq!(postfix(text), expected, "{text}");
    }
}

#[test]
fn a_factorial_and_an_inequality_are_told_apart() {
    assert_eq!(postfix("5!==120"), "5 Factorial 120");
    assert_eq!(postfix("5!!=120"), "5 Factorial 120");
    assert_eq!(plain("5!=3").formulas().len(), 1);
    assert_eq!(postfix("5!=3"), "5 3");
    assert_eq!(postfix("5! != 3"), "5 Factorial 3");
}

#[test]
fn a_chain_compares_neighbours_and_evaluates_the_middle_once() {
    let chain = plain("1 < 2 <= 3");
    assert_eq!(chain.steps().len(), 3);
    let [
        Formula::Compare { operator: first, right, .. },
        Formula::Compare { operator: second, left, .. },
        and,
    ] = chain.formulas()
    else {
        panic!("{chain:?}");
    };
    assert_eq!((*first, *second, right), (Comparison::Less, Comparison::LessOrEqual, left));
    assert_eq!(*and, Formula::And(0, 1));
}

#[test]
fn parentheses_end_a_chain_and_truth_is_no_number() {
    let error = error("(1 < 2) < 3");
    assert_eq!((error.kind, error.span), (RefusalKind::Type, 0..7));
}

#[test]
fn logic_binds_looser_than_comparisons() {
    let logic = plain("1 == 1 or not 2 == 2 and 3 == 3");
    assert_eq!(
        logic.formulas().iter().filter(|formula| matches!(formula, Formula::Compare { .. })).count(),
        3
    );
    assert!(matches!(logic.formulas().last(), Some(Formula::Or(0, _))));
    assert!(!logic.is_value());
    assert!(plain("1 + 1").is_value());
    assert!(!plain("is_prime(7)").is_value());
}

#[test]
fn a_range_gives_its_bounds_and_the_place_of_its_body() {
    let text = " for n in 1 ..= 10^9 :  n^5 % 30 == n % 30  ";
    let Ok(Statement::Range(range)) = parse(text) else { panic!("{:?}", parse(text)) };
    assert_eq!((range.variable.as_str(), range.first, range.last), ("n", 1, 1_000_000_000));
    assert_eq!(&text[range.body_span.clone()], "n^5 % 30 == n % 30");
    assert_eq!(parse_body(&text[range.body_span], "n"), Ok(range.body));
}

#[test]
fn the_end_of_a_range_is_left_out_or_included_as_in_rust() {
    for (text, first, last) in [
        ("for k in 0..10: k == k", 0, 9),
        ("for k in -2*3..=2^4-1: k == k", -6, 15),
        ("for k in (1)..=(2): k == k", 1, 2),
        ("for k in -2^126*2..=2^100: k == k", i128::MIN, 1 << 100),
        ("for k in 10^20..=100_000_000_000_000_000_001: k == k", 10_i128.pow(20), 10_i128.pow(20) + 1),
    ] {
        match parse(text) {
            Ok(Statement::Range(range)) => assert_eq!((range.first, range.last), (first, last), "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_range_that_makes_no_sense_is_refused_with_the_reason() {
    for (text, message) in [
        ("for n in 5..5: n == n", "the range from 5 to 5 holds no value; swap or widen its bounds"),
        (
            "for n in 1..=pi: n == n",
            "the bound of a range must be made of integers, `+`, `-`, `*` and `^` only",
        ),
        (
            "for n in 1..=10/2: n == n",
            "the bound of a range must be made of integers, `+`, `-`, `*` and `^` only",
        ),
        ("for n in 1..=n: n == n", "`n` is no known constant or variable"),
        (
            "for n in 1..=2^127: n == n",
            "the bound of a range must lie between -2^127 and 2^127 - 1, and so must every step on the way to it",
        ),
        (
            "for n in 1..=9^9^9: n == n",
            "the bound of a range must lie between -2^127 and 2^127 - 1, and so must every step on the way to it",
        ),
        ("for pi in 1..=2: 1 == 1", "`pi` already has a meaning; choose another name for the variable"),
        ("for gcd in 1..=2: 1 == 1", "`gcd` already has a meaning; choose another name for the variable"),
        ("for 2 in 1..=2: 1 == 1", "expected the name of a variable, found `2`"),
        ("for n of 1..=2: 1 == 1", "expected `in`, found `of`"),
        ("for n in 1, 2: 1 == 1", "expected an operator, `..` or `..=`, found `,`"),
        ("for n in 1..=2 n == n", "expected an operator or `:`, found `n`"),
        (
            "for n in 1..=2: n + 1",
            "expected a comparison, found a number (compare it with something, as in `x != 0`)",
        ),
        ("1 + for n in 1..=2: n == n", "a range `for … in …:` may only stand at the very start"),
    ] {
        assert_eq!(error(text).message, message, "{text}");
    }
}

#[test]
fn a_mistake_is_shown_with_a_caret_under_the_place() {
    for (text, expected) in [
        ("2 * * 3", "error: expected a number, a name, `(` or `-`, found `*`\n  |\n  | 2 * * 3\n  |     ^"),
        ("2 *", "error: expected a number, a name, `(` or `-`, found the end\n  |\n  | 2 *\n  |    ^"),
        ("2 3", "error: expected an operator or the end, found `3`\n  |\n  | 2 3\n  |   ^"),
        ("sqrt 2", "error: expected `(` after `sqrt`, found `2`\n  |\n  | sqrt 2\n  |      ^"),
        ("1 + foo * 2", "error: `foo` is no known constant or variable\n  |\n  | 1 + foo * 2\n  |     ^^^"),
        ("foo(2)", "error: `foo` is no known function\n  |\n  | foo(2)\n  | ^^^"),
        ("root(2)", "error: `root` takes two arguments, found 1\n  |\n  | root(2)\n  | ^^^^^^^"),
        (
            "(1 == 1) + 2",
            "error: expected a number, found something that is true or false\n  |\n  | (1 == 1) + 2\n  | ^^^^^^^^",
        ),
        (
            "2 × 3 == 6",
            "error: expected an operator or the end, found `×` (write `*`)\n  |\n  | 2 × 3 == 6\n  |   ^",
        ),
        ("1 = 1", "error: expected an operator or the end, found `=` (write `==`)\n  |\n  | 1 = 1\n  |   ^"),
        (
            "2 ** 3",
            "error: expected one operator (a power is written `^`), found `*`\n  |\n  | 2 ** 3\n  |   ^",
        ),
        ("(1 + 2", "error: expected an operator or `)`, found the end\n  |\n  | (1 + 2\n  |       ^"),
        ("12ab", "error: expected an operator or the end of the number, found `ab`\n  |\n  | 12ab\n  |   ^^"),
        ("", "error: expected a number, a name, `(` or `-`, found the end\n  |\n  | \n  | ^"),
    ] {
        assert_eq!(error(text).render(text), expected, "{text}");
    }
}

#[test]
fn a_mistake_in_a_long_text_is_shown_in_a_window() {
    let text = format!("{} @ {}", vec!["1"; 500].join(" + "), vec!["2"; 500].join(" + "));
    let shown = error(&text).render(&text);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() < 100), "{shown}");
    let caret = lines[3].chars().position(|character| character == '^').unwrap();
    assert_eq!(lines[2].chars().nth(caret), Some('@'), "{shown}");
    assert!(lines[2].contains('…'));
}

#[test]
fn control_characters_do_not_break_the_line_that_is_shown() {
    let text = "1 +\n\u{7}2";
    let error = error(text);
    assert_eq!(error.render(text).lines().count(), 4);
    assert!(!error.message.contains('\u{7}'));
}

#[test]
fn a_text_over_the_length_limit_is_refused_by_its_length() {
    let fits = format!("{}1", "1+".repeat(EXPRESSION_BYTES_MAX / 2 - 1));
    assert_eq!(plain(&fits).steps().len(), EXPRESSION_BYTES_MAX - 1);
    for long in ["(".repeat(1_000_000), "-".repeat(1_000_000), "1!".repeat(1_000_000), "2^".repeat(1_000_000)]
    {
        let error = error(&long);
        assert_eq!(error.kind, RefusalKind::Length);
        assert!(error.message.contains("65536") && error.render(&long).len() < 1000, "{}", error.message);
    }
}

#[test]
fn nesting_of_every_kind_stops_at_the_depth_limit() {
    let levels = EXPRESSION_DEPTH_MAX;
    let nested = |open: &str, middle: &str, close: &str, levels: usize| {
        format!("{}{middle}{}", open.repeat(levels), close.repeat(levels))
    };
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("-", "1", ""),
        ("not ", "1 == 1", ""),
        ("2^", "1", ""),
        ("abs(", "1", ")"),
        ("1+(", "1", ")"),
    ] {
        assert!(parse(&nested(open, middle, close, levels)).is_ok(), "{open}");
        let error = error(&nested(open, middle, close, levels + 1));
        assert_eq!(error.kind, RefusalKind::Depth, "{open}");
        assert!(error.message.contains("128"), "{}", error.message);
        let deepest = (EXPRESSION_BYTES_MAX - middle.len()) / (open.len() + close.len());
        assert_eq!(self::error(&nested(open, middle, close, deepest)).kind, RefusalKind::Depth, "{open}");
    }
}

#[test]
fn the_deepest_and_the_longest_texts_fit_on_a_small_stack() {
    let worst = "1==1 or 1==1 and 1<1+1*(".repeat(EXPRESSION_DEPTH_MAX);
    let prefixes = "1==1 or 1==1 and not 1<1+1*-1^(".repeat(EXPRESSION_DEPTH_MAX / 4);
    let calls = "1==1 or 1==1 and 1<1+1*gcd(1,".repeat(EXPRESSION_DEPTH_MAX);
    let factorials = format!("1{}", "!".repeat(EXPRESSION_BYTES_MAX - 1));
    let sum = format!("{}1", "1+".repeat(EXPRESSION_BYTES_MAX / 2 - 1));
    let ands = format!("{}1<2", "1<2 and ".repeat(EXPRESSION_BYTES_MAX / 8 - 1));
    let chain = format!("{}1", "1<".repeat(EXPRESSION_BYTES_MAX / 2 - 1));
    let run = move || {
        assert!(parse(&worst).is_err() && parse(&prefixes).is_err() && parse(&calls).is_err());
        assert!(
            parse(&factorials).is_ok()
                && parse(&sum).is_ok()
                && parse(&ands).is_ok()
                && parse(&chain).is_ok()
        );
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_peer_cannot_pass_a_variable_that_is_no_name() {
    for variable in ["", "1", "n m", "pi", "and", "é", &"x".repeat(65)] {
        assert!(parse_body("1 == 1", variable).is_err(), "{variable}");
    }
    assert!(parse_body("k == k", "k").is_ok());
    assert!(parse_body("k == k", "n").is_err());
    assert_eq!(parse_body("k + 1", "k").unwrap_err().kind, RefusalKind::Type);
}

/// A random term as text and as the postfix that it must become.
fn term() -> impl Strategy<Value = (String, String)> {
    let leaf = prop_oneof![
        (0_u64..1000).prop_map(|value| (value.to_string(), value.to_string())),
        prop::sample::select(NamedConstant::ALL.to_vec())
            .prop_map(|constant| (constant.name().to_owned(), constant.name().to_owned())),
    ];
    leaf.prop_recursive(5, 40, 2, |inner| {
        let operators = vec![
            BinaryOperator::Add,
            BinaryOperator::Subtract,
            BinaryOperator::Multiply,
            BinaryOperator::Divide,
            BinaryOperator::FloorDivide,
            BinaryOperator::Modulo,
            BinaryOperator::Power,
        ];
        prop_oneof![
            (inner.clone(), prop::sample::select(operators), inner.clone()).prop_map(
                |(left, operator, right)| {
                    let symbol = operator.symbol();
                    (
                        format!("({}) {symbol}({})", left.0, right.0),
                        format!("{} {} {symbol}", left.1, right.1),
                    )
                }
            ),
            inner.clone().prop_map(|inner| (format!("-({})", inner.0), format!("{} neg", inner.1))),
            inner.clone().prop_map(|inner| (format!("sqrt( {} )", inner.0), format!("{} Sqrt", inner.1))),
            (inner.clone(), inner).prop_map(|(left, right)| {
                (format!("binomial({},{})", left.0, right.0), format!("{} {} Binomial", left.1, right.1))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_written_tree_comes_back_as_its_own_postfix((text, expected) in term()) {
        prop_assert_eq!(postfix(&text), expected);
    }

    #[test]
    fn no_text_panics_and_every_error_can_be_shown(text in "\\PC{0,60}") {
        if let Err(error) = parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some());
            prop_assert!(error.render(&text).contains('^'));
        }
    }

    #[test]
    fn no_mix_of_tokens_panics(tokens in prop::collection::vec(prop::sample::select(vec![
        "1", "2.5", "pi", "n", "(", ")", "+", "-", "*", "/", "//", "%", "^", "!", "==", "<", "and", "or", "not ",
        "for", "in", "..", "..=", ":", ",", "gcd", "log", "is_prime", " ", "1e5", "_", "é",
    ]), 0..40)) {
        let text = tokens.concat();
        if let Err(error) = parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some());
            prop_assert!(error.message.len() < 300);
        }
    }
}

#[test]
fn every_function_knows_its_own_name() {
    for function in [Function::Sqrt, Function::Zeta, Function::Fib, Function::PowMod, Function::Binomial] {
        let arguments = vec!["2"; function.arity()].join(",");
        let expression = plain(&format!("{}({arguments})", function.name()));
        assert_eq!(expression.steps().last(), Some(&Step::Call(function)));
    }
}

#[test]
fn the_span_of_a_range_body_is_all_of_the_body() {
    for body in [
        "not is_prime(n)",
        "-n < n",
        "(n) == n",
        "(n == n)",
        "not (n == n) or (n == n)",
        "n! == n or not n == 2",
    ] {
        let text = format!("for n in 1..=9:  {body} ");
        let Ok(Statement::Range(range)) = parse(&text) else { panic!("`{text}` is a range") };
        assert_eq!(&text[range.body_span], body);
    }
}
