//! Levels 2 and 3 for ranges: kernel = twin for every width and odd size, and the engine's answers = the general way's.

use compute::{
    control::Control,
    engine::{
        self,
        gpu::{GpuEngine, GpuError, check_in_one_dispatch},
    },
    range_check::{Program, Width, range_check},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use protocol::{
    constant::Formula,
    expression::parse_body,
    outcome::{Outcome, RangeAnswer},
    task::Task,
};

use crate::adapters::engines;

fn program(body: &str) -> Program {
    Program::compile(&parse_body(body, "n").expect("a body")).expect("a kernel")
}

fn range(body: &str, first: i128, last: i128) -> Task {
    Task::Range { agree_digits: 20, variable: "n".to_owned(), body: body.to_owned(), first, last }
}

/// The engine's answer; none where it gives the task up, as too many values have no room in the kernel.
fn on_gpu(engine: &GpuEngine, task: &Task) -> Option<RangeAnswer> {
    match engine.run(task, &Control::default()) {
        Ok(Outcome::Range(answer)) => Some(answer),
        Err(GpuError::NoKernel) => None,
        other => panic!("{}: {other:?}", engine.device_name()),
    }
}

fn on_cpu(task: &Task) -> RangeAnswer {
    match engine::run_on_cpu(task, Formula::Direct, &Control::default()) {
        Ok(Outcome::Range(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

/// The kernel against its twin, value by value.
fn compare(engine: &GpuEngine, body: &str, width: Width, first: i128, values: u32) {
    let program = program(body);
    let found = check_in_one_dispatch(engine, &program, width, first, values).expect("the device works");
    let (mut sum, mut first_false, mut left) = (0_u128, None, Vec::new());
    for value in first..first + i128::from(values) {
        match range_check(&program, width, value) {
            Some((is_true, term)) => {
                sum = sum.wrapping_add(term);
                first_false = first_false.or(Some(value).filter(|_| !is_true));
            }
            None => left.push(value),
        }
    }
    let said =
        format!("{} ({}) {width:?} {values} from {first}: {body}", engine.device_name(), engine.variant());
    assert_eq!(found.sum, sum, "{said}");
    assert_eq!(found.first_false, first_false, "{said}");
    assert_eq!(found.left, left.len() as u64, "{said}");
    assert!(found.listed.iter().all(|value| left.contains(value)), "{said}: {:?}", found.listed);
}

/// Random terms over a variable, of all that the kernel knows.
fn term() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => Just("n".to_owned()),
        3 => (0_u64..40).prop_map(|value| value.to_string()),
        1 => Just("170141183460469231731687303715884105727".to_owned()),
        1 => Just("18446744073709551615".to_owned()),
        1 => Just("9223372036854775807".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let binary = prop::sample::select(vec!["+", "-", "*", "/", "//", "%", "^"]);
        let unary = prop::sample::select(vec!["-", "abs", "floor", "ceil"]);
        prop_oneof![
            6 => (inner.clone(), binary, inner.clone()).prop_map(|(a, operator, b)| format!("({a}) {operator} ({b})")),
            1 => (unary, inner.clone()).prop_map(|(function, a)| format!("{function}({a})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("gcd({a}, {b})")),
            1 => (inner.clone(), 0_u32..70, 1_u64..1000).prop_map(|(a, power, m)| format!("(({a}) ^ {power}) % {m}")),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("powmod({a}, {b}, {c})")),
        ]
    })
}

fn body() -> impl Strategy<Value = String> {
    let comparison = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let atom = prop_oneof![
        4 => (term(), comparison, term()).prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
        1 => term().prop_map(|a| format!("is_prime({a})")),
    ];
    atom.prop_recursive(2, 4, 2, |inner| {
        let connective = prop::sample::select(vec!["and", "or"]);
        prop_oneof![
            (inner.clone(), connective, inner.clone()).prop_map(|(a, word, b)| format!("({a}) {word} ({b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

fn firsts() -> impl Strategy<Value = i128> {
    prop_oneof![
        3 => -20_i128..20,
        1 => Just(i128::MAX - 100),
        1 => Just(i128::MIN),
        1 => Just((1_i128 << 62) - 30),
        1 => Just((1_i128 << 63) - 30),
        1 => Just(-(1_i128 << 63) - 30),
        1 => Just((1_i128 << 64) - 30),
        1 => any::<i64>().prop_map(i128::from),
    ]
}

/// The same bodies in every run.
fn drawn(count: usize) -> Vec<(String, i128)> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[17; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let bodies = proptest::collection::vec((body(), firsts()), count);
    let drawn = bodies.new_tree(&mut runner).expect("no filter").current();
    let has_kernel = |body: &str| parse_body(body, "n").expect("a body").has_kernel();
    drawn.into_iter().filter(|(body, _)| has_kernel(body)).collect()
}

#[test]
fn the_twin_gives_the_answer_of_the_general_way_or_none() {
    let mut settled = 0;
    for (body, first) in drawn(3000) {
        let program = program(&body);
        for value in first..first + 3 {
            let known = on_cpu(&range(&body, value, value));
            let mut sums = Vec::new();
            for width in Width::ALL.into_iter().filter(|width| *width >= program.least_width(value, value)) {
                let Some((is_true, term)) = range_check(&program, width, value) else {
                    continue;
                };
                settled += 1;
                let answered = matches!(known, RangeAnswer::AllTrue { .. });
                let refuted = matches!(known, RangeAnswer::Counterexample { .. });
                assert!(if is_true { answered } else { refuted }, "{body} at {value}: {known:?}");
                sums.push(term);
            }
            // The checksum of the general way is compared through the engine, whose sums are these.
            assert!(sums.windows(2).all(|pair| pair[0] == pair[1]), "{body} at {value}: {sums:?}");
        }
    }
    assert!(settled > 5000, "only {settled} settled");
}

#[test]
fn every_kernel_gives_what_its_twin_gives() {
    let bodies = drawn(150);
    for engine in engines() {
        for (body, first) in &bodies {
            let last = first.checked_add(70).expect("room");
            let narrowest = program(body).least_width(*first, last);
            for width in Width::ALL.into_iter().filter(|width| *width >= narrowest) {
                compare(&engine, body, width, *first, 70);
            }
        }
    }
}

#[test]
fn every_workgroup_counts_and_sums_whatever_the_size() {
    for engine in engines() {
        for values in [0, 1, 63, 64, 65, 1023, 1024, 1025, 5000] {
            compare(&engine, "n^5 % 30 == n % 30 and n != 1007 and n != 1500", Width::Two, 1, values);
            compare(&engine, "n^31 > n", Width::Two, 2, values);
            compare(&engine, "is_prime(n) or gcd(n, 6) >= 1", Width::One, -5, values);
        }
    }
}

#[test]
fn answers_of_the_engine_are_those_of_the_general_way() {
    let bodies = drawn(250);
    for engine in engines() {
        let mut answered = 0;
        for (body, first) in &bodies {
            let task = range(body, *first, first.saturating_add(90));
            let Some(answer) = on_gpu(&engine, &task) else { continue };
            assert_eq!(answer, on_cpu(&task), "{} ({}): {body}", engine.variant(), first);
            answered += 1;
        }
        assert!(answered * 4 > bodies.len(), "{answered} of {} bodies were answered", bodies.len());
    }
}

#[test]
fn long_ranges_end_where_the_general_way_ends_and_sum_what_it_sums() {
    let tasks = [
        range("n^5 % 30 == n % 30", 1, 200_000),
        range("n^5 % 30 == n % 30", -100_000, 100_000),
        range("n^5 % 30 == n % 30 and n != 123457", 1, 200_000),
        range("n != 40000", 1, 200_000),
        range("n != 1", 1, 5000),
        range("is_prime(n^2 + n + 41)", 0, 5000),
        range("n % (n - 31337) >= n - n or n < 31337", 1, 60_000),
        range("gcd(n^5 - 5, (n + 1)^5 - 5) == 1", 1, 3000),
        // To the last number that a range has.
        range("n > 0", i128::MAX - 5000, i128::MAX),
        range("n != 170141183460469231731687303715884105727", i128::MAX - 50, i128::MAX),
        range("n^2 > n or 7 // (n + 1) < 8", i128::MIN, i128::MIN + 50),
        // Some values without room in 256 bits, and one that is refused.
        range("n % 10000 != 0 or n^40 > n", 1, 70_000),
        range("n // (70000 - n) > -100000", 1, 90_000),
    ];
    for engine in engines() {
        for task in &tasks {
            assert!(GpuEngine::has_kernel(task), "{task:?}");
            assert_eq!(on_gpu(&engine, task), Some(on_cpu(task)), "{}: {task:?}", engine.variant());
        }
    }
}

#[test]
fn a_cancelled_range_ends_between_dispatches_and_the_engine_stays_in_service() {
    for engine in engines() {
        let control = Control::default();
        let task = range("n^5 % 30 == n % 30", 1, 1 << 30);
        let result = std::thread::scope(|scope| {
            let running = scope.spawn(|| engine.run(&task, &control));
            while control.permille() == 0 && !running.is_finished() {
                std::thread::yield_now();
            }
            control.cancel();
            running.join().expect("no panic")
        });
        assert!(matches!(result, Err(GpuError::Cancelled(_))), "{result:?}");
        assert!(engine.in_service());
    }
}

#[test]
fn a_body_without_a_kernel_is_left_alone() {
    for engine in engines() {
        let task = range("factorial(n) > 0", 1, 10);
        assert!(!GpuEngine::has_kernel(&task));
        assert!(matches!(engine.run(&task, &Control::default()), Err(GpuError::NoKernel)));
        assert!(engine.in_service());
    }
}
