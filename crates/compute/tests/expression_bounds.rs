//! Expressions that ask for too much: each is refused before it costs anything, in the same words everywhere, and
//! nothing overflows a small stack.

use compute::{control::Control, expression::answer};
use protocol::{
    limits::TEXT_BYTES_MAX,
    outcome::{Answer, Refusal, RefusalKind},
};

fn ask(text: &str) -> Answer {
    answer(text, 50, &Control::default()).unwrap()
}

fn refusal(text: &str) -> Refusal {
    match ask(text) {
        Answer::Refused(refusal) => {
            assert!(refusal.message.len() <= TEXT_BYTES_MAX, "{}", refusal.message);
            refusal
        }
        other => panic!("{}: {other}", &text[..text.len().min(80)]),
    }
}

#[test]
fn bombs_are_refused_by_their_size() {
    for text in [
        "9^9^9^9",
        "(10^9)!",
        "fib(10^12)",
        "binomial(10^9, 5*10^8)",
        "binomial(10^40, 10^20)",
        "2^(10^10)",
        "2^10^100",
        "1/3^(10^8)",
        "(1/3)^(-10^8)",
        "0.5^(10^9)",
        "3!!!!!!!!",
        "1e999999999999999999",
        "1e-99999999999999999999999 == 0",
        "is_prime(2^10000 + 1)",
        "exp(10^30)",
        "exp(-10^30) == 0",
        "exp(exp(exp(pi)))",
        "sin(10^(10^6))",
        "cos(exp(10^6))",
        "floor(exp(10^9))",
        "pi^(10^30)",
        "2^30000000 * 2^30000000",
        "3^(10^7) * pi + 3^(10^7) * pi + 5^(10^7) * pi + 7^(10^7) * e + 9^(10^7) * e + 9^(10^7) * e > 1",
        "lcm(2^30000000, 3^10000000)",
        "sinh(10^15)",
        "(3^(10^7))^(10^7)",
        "10^(10^8) % 7",
    ] {
        assert_eq!(refusal(text).kind, RefusalKind::Size, "{text}");
    }
}

#[test]
fn bombs_are_refused_by_their_work() {
    let many_primes = vec!["is_prime(2^4000 + 15)"; 2000].join(" or ");
    let many_powers = vec!["3^9000000"; 2000].join(" + ");
    for text in
        ["powmod(3, 10^100000, 10^100000 + 1)", "1/3^8000000 + 1/7^4000000 > 0", &many_primes, &many_powers]
    {
        assert_eq!(refusal(text).kind, RefusalKind::Work, "{}", &text[..text.len().min(60)]);
    }
}

#[test]
fn a_message_names_the_value_the_limit_and_the_remedy() {
    for (text, message) in [
        (
            "9^9^9^9",
            "`9 ^ 387420489` (which powmod can take modulo a number) could need 1228093896 bits, more than the limit \
             of 33554432; make the numbers smaller",
        ),
        (
            "(10^9)!",
            "`1000000000!` could need 29000000001 bits, more than the limit of 33554432; make the numbers smaller",
        ),
        (
            "is_prime(2^10000 + 1)",
            "`is_prime` of an integer of 10001 bits, more than the limit of 4096; test a smaller one",
        ),
        ("(1/2)!", "`factorial` needs integers, but got (1/2); round it with floor or ceil"),
        (
            "(2^1000)!",
            "`(an integer of 1001 bits)!` could need more than 2^63 bits, more than the limit of 33554432; make the numbers smaller",
        ),
        ("1 + * 2", "expected a number, a name, `(` or `-`, found `*`, at byte 5"),
    ] {
        assert_eq!(refusal(text).message, message, "{text}");
    }
}

#[test]
fn what_is_just_large_is_still_answered() {
    for text in [
        "2^30000000 > 3^18000000",
        "2^33000000 != 2^33000000 + 1",
        "100000! % 100003 == powmod(-1, 1, 100003) * 0 + 100000! % 100003",
        "(3^1000000 + 1) // 3^999999 == 3",
        "binomial(1000000, 500000) % 2 == 0",
        "fib(10^6) % 5 == 0",
        "powmod(7, 10^1000, 10^300 + 7) > 0",
        "1e1000000 > 1e-1000000",
        "sin(10^300) < 1",
        "1^(10^100) == 1 and (-1)^(10^100 + 1) == -1 and 0^(10^100) == 0",
        "exp(10^6) > 10^434000",
    ] {
        assert!(matches!(ask(text), Answer::True { .. }), "{text}: {}", ask(text));
    }
}

#[test]
fn length_and_depth_are_refused_alike() {
    for text in
        ["(".repeat(1_000_000), "-".repeat(1_000_000) + "1", "not ".repeat(1_000_000), "2^".repeat(1_000_000)]
    {
        assert_eq!(refusal(&text).kind, RefusalKind::Length);
    }
    for text in
        ["(".repeat(60_000), "-".repeat(60_000) + "1", "not ".repeat(15_000), "2^".repeat(30_000) + "1"]
    {
        assert_eq!(refusal(&text).kind, RefusalKind::Depth);
    }
}

#[test]
fn long_and_deep_expressions_fit_on_a_small_stack() {
    let sum = format!("{}1 == 32768", "1+".repeat(32_767 - 8));
    let open_sum = format!("{}1 > 5", "pi+".repeat(10_000));
    let chain = format!("{}1", "1<=".repeat(10_000));
    let conjunction = format!("{}2>1", "2>1 and ".repeat(8_000));
    let disjunction = format!("{}2>1", "2<1 or ".repeat(9_000));
    let factorials = format!("1{}", "!".repeat(60_000));
    let nested = format!("{}pi{}", "sqrt(".repeat(128), ")".repeat(128));
    let negated = format!("{}1 == 1", "not ".repeat(128));
    let run = move || {
        assert!(matches!(ask(&sum), Answer::False { .. }));
        assert!(matches!(ask(&open_sum), Answer::True { .. }));
        for text in [&chain, &conjunction, &disjunction, &negated] {
            assert!(matches!(ask(text), Answer::True { .. }), "{}", &text[..20]);
        }
        assert_eq!(ask(&factorials), Answer::Value { text: "1".to_owned(), exact: true });
        assert!(matches!(ask(&nested), Answer::Value { exact: false, .. }));
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap().join().unwrap();
}

#[test]
fn the_same_text_is_refused_in_the_same_words_wherever_it_is_run() {
    let texts = ["9^9^9^9", "1/3^8000000 + 1/7^4000000 > 0", "tan(pi/2)", "1/0", "2 +", "exp(10^30)"];
    let all = || texts.map(ask);
    let here = all();
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(move || texts.map(ask))).collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), here);
    }
}

#[test]
fn a_binomial_coefficient_costs_what_its_factors_cost_and_not_what_n_does() {
    for text in [
        "binomial(10^9, 2) == 10^9 * (10^9 - 1) / 2",
        "binomial(4 * 10^9, 3) == 4 * 10^9 * (4 * 10^9 - 1) * (4 * 10^9 - 2) / 6",
        // Lucas's theorem gives the remainders by 97 and 137. GMP's own way for two small numbers takes half a minute.
        "binomial(20000000, 1000000) % (97 * 137) == 12171",
    ] {
        assert!(matches!(ask(text), Answer::True { .. }), "{text}: {}", ask(text));
    }
}
