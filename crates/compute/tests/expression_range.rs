//! Answers over ranges: the smallest counterexample, the same from every pool and every cut, and a checksum that can
//! be computed in any order.

use std::ops::RangeInclusive;

use compute::{control::Control, expression::answer_range};
use protocol::{
    digest::{Domain, Hasher},
    outcome::{Checksum, RangeAnswer, RefusalKind},
};

fn ask(body: &str, range: RangeInclusive<i128>) -> RangeAnswer {
    answer_range(body, "n", *range.start(), *range.end(), 50, &Control::default()).unwrap()
}

fn counterexample(body: &str, range: RangeInclusive<i128>) -> i128 {
    match ask(body, range) {
        RangeAnswer::Counterexample { value, .. } => value,
        other => panic!("{body}: {other}"),
    }
}

fn is_all_true(body: &str, range: RangeInclusive<i128>) -> bool {
    matches!(ask(body, range), RangeAnswer::AllTrue { .. })
}

#[test]
fn what_is_true_for_all_is_said_to_be() {
    assert!(is_all_true("n^5 % 30 == n % 30", 1..=100_000));
    assert!(is_all_true("n^5 % 30 == n % 30", -5_000..=5_000));
    assert!(is_all_true("is_prime(n^2 + n + 41)", 0..=39));
    assert!(is_all_true("n * (n + 1) // 2 == (n^2 + n) / 2", -1000..=1000));
    assert!(is_all_true("gcd(n, n + 1) == 1 and lcm(n, n + 1) == n * (n + 1)", 1..=1000));
    assert!(is_all_true("not is_prime(n) or powmod(2, n, n) == 2 % n", 2..=5000));
    assert!(is_all_true("fib(n) * fib(n + 2) - fib(n + 1)^2 == (-1)^(n + 1)", 1..=400));
    assert!(is_all_true("binomial(2*n, n) % 2 == 0 and n! > 0", 1..=200));
    assert!(is_all_true("sqrt(n^2) == abs(n)", -300..=300));
    assert!(is_all_true("2^n > n^3", 10..=300));
    assert!(is_all_true("1/n - 1/(n+1) == 1/(n*(n+1))", 1..=500));
    assert!(is_all_true("ln(n) < sqrt(n)", 1..=300));
    let nothing = answer_range("1 == 2", "n", 5, 4, 50, &Control::default());
    assert!(matches!(nothing, Ok(RangeAnswer::AllTrue { .. })));
    assert!(is_all_true("n == n", i128::MAX - 5..=i128::MAX));
    assert!(is_all_true("n < n + 1", i128::MAX - 5..=i128::MAX));
    assert!(is_all_true("n < n + 1", i128::MIN..=i128::MIN + 5));
}

#[test]
fn the_smallest_counterexample_is_found() {
    assert_eq!(counterexample("is_prime(n^2 + n + 41)", 0..=100_000), 40);
    assert_eq!(counterexample("is_prime(n^2 - 79*n + 1601)", 0..=100_000), 80);
    assert_eq!(counterexample("gcd(n^17 + 9, (n+1)^17 + 9) == 1 and n < 70000", 1..=100_000), 70_000);
    assert_eq!(counterexample("n < 12345", 0..=1_000_000), 12_345);
    assert_eq!(counterexample("n != 99999", 0..=99_999), 99_999);
    assert_eq!(counterexample("n % 2 == 1 or n % 7 != 0", 1..=100), 14);
    // 341 is the smallest pseudoprime to base 2.
    assert_eq!(counterexample("n % 2 == 0 or is_prime(n) or powmod(2, n - 1, n) != 1", 3..=10_000), 341);
    // The smallest Carmichael number that is no multiple of 3 or 5.
    let fermat = "n % 2 == 0 or n % 3 == 0 or n % 5 == 0 or is_prime(n) or powmod(2, n - 1, n) != 1 or \
                  powmod(3, n - 1, n) != 1 or powmod(5, n - 1, n) != 1";
    assert_eq!(counterexample(fermat, 2..=10_000), 1729);
    // Lehmer: the smallest n with 2^n = 3 modulo n.
    assert_eq!(counterexample("powmod(2, n, n) != 3", 4_700_060_000..=4_700_070_000), 4_700_063_497);
}

#[test]
fn a_counterexample_stands_above_what_only_agrees_before_it() {
    assert_eq!(counterexample("exp(ln(n)) == n and n < 20", 2..=40), 20);
    match ask("exp(ln(n)) == n", 1..=20) {
        RangeAnswer::Unsettled { value, digits, .. } => assert_eq!((value, digits), (2, 50)),
        other => panic!("{other}"),
    }
}

#[test]
fn a_refusal_ends_the_walk_where_it_happens() {
    match ask("1/(n - 7) < 2", 0..=100) {
        RangeAnswer::Refused { value, refusal } => {
            assert_eq!((value, refusal.kind), (7, RefusalKind::Undefined));
        }
        other => panic!("{other}"),
    }
    assert_eq!(counterexample("1/(n - 7) < 1/7 and n < 3", 0..=100), 3);
    assert!(is_all_true("n == 7 or 1/(n - 7) < 2", 0..=100));
    match ask("2^(2^(n*n)) > 0", 0..=100) {
        RangeAnswer::Refused { value, refusal } => assert_eq!((value, refusal.kind), (5, RefusalKind::Size)),
        other => panic!("{other}"),
    }
}

#[test]
fn a_body_that_is_none_is_refused_and_not_run() {
    for body in ["", "n +", "n + 1", "m == 1", "for n in 1..2: n == n"] {
        assert!(matches!(ask(body, 1..=10), RangeAnswer::Refused { value: 1, .. }), "{body}");
    }
}

#[test]
fn the_answer_is_the_same_on_every_number_of_threads() {
    for (body, last) in [
        ("n^5 % 30 == n % 30", 300_000),
        ("n < 250000", 300_000),
        ("n < 250000 and 1/(n - 200000) != 5", 300_000),
        ("n != 4096 or n != 4097 or pi == 3", 20_000),
        ("sin(n) < 1", 500),
    ] {
        let answers: Vec<RangeAnswer> = [1, 2, 5]
            .into_iter()
            .map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| ask(body, 1..=last))
            })
            .collect();
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{body}: {answers:?}");
    }
}

/// The definition of a range's checksum, written down once more.
fn plain_checksum(range: RangeInclusive<i128>, sides: impl Fn(i128) -> Vec<i128>) -> Checksum {
    let mix = |mut word: u64| {
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };
    let golden = 0x9e37_79b9_7f4a_7c15_u64;
    let mut sum = 0_u128;
    for n in range {
        let mut state = 0_u64;
        for value in std::iter::once(n).chain(sides(n)) {
            let bytes = value.to_le_bytes();
            let low = u64::from_le_bytes(bytes[..8].try_into().unwrap());
            let high = u64::from_le_bytes(bytes[8..].try_into().unwrap());
            state = mix(state ^ low ^ high.wrapping_mul(golden).rotate_left(32)).wrapping_add(golden);
        }
        sum = sum.wrapping_add(u128::from(state) * u128::from(state ^ 0xbf58_476d_1ce4_e5b9));
    }
    let mut hasher = Hasher::new(Domain::Values);
    hasher.update(b"range");
    hasher.update(&sum.to_le_bytes());
    Checksum::from_digest(hasher.finish())
}

#[test]
fn the_checksum_of_a_range_is_what_its_definition_says() {
    let checksum = plain_checksum(-300..=20_000, |n| vec![n.pow(5).rem_euclid(30), n.rem_euclid(30)]);
    assert_eq!(ask("n^5 % 30 == n % 30", -300..=20_000), RangeAnswer::AllTrue { checksum });

    let checksum = plain_checksum(0..=50, |n| vec![n, 50]);
    assert_eq!(ask("n < 50", 0..=1000), RangeAnswer::Counterexample { value: 50, checksum });

    let sides = |n: i128| if n % 2 == 0 { vec![n % 2, 0] } else { vec![n % 2, 0, n, -1] };
    assert_eq!(
        ask("n % 2 == 0 or n > -1", 1..=5000),
        RangeAnswer::AllTrue { checksum: plain_checksum(1..=5000, sides) }
    );

    let checksum = plain_checksum(2..=3, |n| vec![n, 1]);
    assert_eq!(ask("is_prime(n)", 2..=3), RangeAnswer::AllTrue { checksum });
}

#[test]
fn integers_beyond_128_bits_enter_the_checksum_modulo_2_to_the_128() {
    let checksum = plain_checksum(1..=30, |n| vec![n + 1, 0]);
    assert_eq!(ask("2^300 * n + n + 1 > 0", 1..=30), RangeAnswer::AllTrue { checksum });
    let checksum = plain_checksum(1..=30, |n| vec![-n, 0]);
    assert_eq!(ask("-(2^300) - n < 0", 1..=30), RangeAnswer::AllTrue { checksum });
}

#[test]
fn other_values_have_another_checksum() {
    let checksum = |body: &str| match ask(body, 1..=100) {
        RangeAnswer::AllTrue { checksum } => checksum,
        other => panic!("{body}: {other}"),
    };
    let all =
        ["n == n", "n + 1 == n + 1", "n < n + 1", "n/3 < n", "n/7 < n", "sin(n) < n", "cos(n) < n", "n > -1"];
    let checksums: std::collections::BTreeSet<[u8; 16]> = all.iter().map(|body| checksum(body).0).collect();
    assert_eq!(checksums.len(), all.len());
    assert_eq!(checksum("n^2 - n < n^3 + 1"), checksum("n * (n - 1) < n * n^2 + 1"));
}

#[test]
fn a_long_range_tells_its_progress_and_can_be_stopped() {
    let control = Control::default();
    answer_range("n == n", "n", 1, 3_000_000, 50, &control).unwrap();
    assert_eq!(control.permille(), 1000);

    let control = Control::default();
    control.cancel();
    assert!(answer_range("n == n", "n", i128::MIN, i128::MAX, 50, &control).is_err());

    let control = Control::default();
    let (started, waiting) = std::sync::mpsc::channel();
    let walker = {
        let control = control.clone();
        std::thread::spawn(move || {
            started.send(()).unwrap();
            answer_range("n == n", "n", 0, i128::MAX, 50, &control)
        })
    };
    waiting.recv().unwrap();
    control.cancel();
    assert!(walker.join().unwrap().is_err());
}
