//! Right outcomes pass their audits, and wrong ones do not.

use compute::{
    audit::{AuditFault, Finding, Processor, Strength, audit, audit_by, is_auditable, witness_bytes_max},
    control::Control,
    engine::{run_on_cpu, run_on_cpu_with_witness},
};
use proptest::prelude::*;
use protocol::{
    constant::{Constant, Formula},
    outcome::Outcome,
    series::{Hypergeometric, Polynomial, Ratio, SeriesFormula, Summand},
    task::Task,
};
use rug::{Integer, integer::Order};

/// One of each kind, and some with larger numbers.
fn constants() -> impl Iterator<Item = Constant> {
    let named = Constant::NAMES.into_iter().map(|name| name.parse().unwrap());
    named.chain([Constant::Sqrt(4_294_967_291), Constant::Ln(1_000_003)])
}

/// Every task of a constant's digits with an audit.
fn auditable(decimals: u64) -> Vec<(Task, Formula)> {
    let pairs =
        constants().flat_map(|constant| constant.formulas().iter().map(move |formula| (constant, *formula)));
    pairs
        .map(|(constant, formula)| (Task::Digits { constant, decimals }, formula))
        .filter(|(task, formula)| is_auditable(task, *formula))
        .collect()
}

fn computed(task: &Task, formula: Formula) -> (String, Vec<u8>) {
    match run_on_cpu_with_witness(task, formula, &Control::default()).unwrap() {
        (Outcome::Digits(text), Some(witness)) => (text, witness.to_bytes()),
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

#[test]
fn a_witness_says_the_same_in_the_parts_in_which_it_was_left_and_in_one_piece() {
    let control = Control::default();
    for (task, formula) in auditable(40_000) {
        let (outcome, witness) = run_on_cpu_with_witness(&task, formula, &control).unwrap();
        let (outcome, witness) = (outcome.to_bytes(), witness.unwrap());
        let pieces = witness.pieces();
        assert!(pieces.len() > 1, "{task:?} by {formula}");
        let whole = witness.to_bytes();
        assert_eq!(witness.length_bytes(), whole.len() as u64);
        let by_parts = |outcome: &[u8], pieces: &[&[u8]]| {
            audit_by(&Processor, &task, formula, (outcome, Some(pieces)), &[7; 32], &control).unwrap()
        };
        let in_one = audit(&task, formula, &outcome, Some(&whole), &[7; 32], &control).unwrap();
        assert!(matches!(in_one, Finding::Passed { .. }), "{in_one:?}");
        assert_eq!(by_parts(&outcome, &pieces), in_one);
        let with_empty: Vec<&[u8]> = pieces.iter().flat_map(|piece| [&[][..], piece, &[]]).collect();
        assert_eq!(by_parts(&outcome, &with_empty), in_one);
        // Cut within a number or a word, a piece missing, or one too many.
        let (head, tail) = whole.split_at(whole.len() / 16 * 8);
        for damaged in [&[head, tail][..], &[&whole[..9], &whole[9..]], &pieces[1..], &[&whole, &[0; 8]]] {
            assert!(matches!(failed(by_parts(&outcome, damaged)), AuditFault::Witness { .. }));
        }
    }
}

/// The text with the digit at `place`, counted from the last, made another one.
fn with_digit(text: &str, place: usize, up: u8) -> String {
    let digits = text.bytes().rev().filter(u8::is_ascii_digit).count();
    let wanted = place % digits;
    let mut bytes: Vec<u8> = text.bytes().rev().collect();
    let byte = bytes.iter_mut().filter(|byte| byte.is_ascii_digit()).nth(wanted).unwrap();
    *byte = b'0' + (*byte - b'0' + up) % 10;
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

/// Polynomials of degree 1 to 3, as products.
fn polynomial(slopes: std::ops::RangeInclusive<i64>) -> impl Strategy<Value = String> {
    let linear = (slopes, -9_i64..=9).prop_map(|(slope, constant)| format!("({slope}*k + {constant})"));
    prop_oneof![
        3 => linear.clone(),
        1 => (linear.clone(), linear.clone()).prop_map(|(left, right)| format!("{left}*{right}")),
        1 => (linear, 1_i64..50).prop_map(|(linear, constant)| format!("{linear}^2 + {constant}*k")),
    ]
}

/// Series of all shapes, some of which do not converge or have zeros below the line.
fn summand() -> impl Strategy<Value = Summand> {
    let ratio = (prop_oneof![-99_i64..=-1, 1_i64..=99], 1_u64..100);
    let numbers = (0_u64..100, -9_i64..=9, prop::bool::ANY);
    let polynomials = (polynomial(1..=9), polynomial(11..=60), polynomial(0..=9), polynomial(0..=9));
    (ratio, numbers, polynomials).prop_map(
        |((numerator, denominator), (first, plus, has_b), (p, q, a, b))| {
            let q = format!("{q}*(1000*k+{first})");
            let [p, q, a] = [p, q, a].map(|text| Polynomial::parse(&text).unwrap());
            let b = if has_b { Polynomial::parse(&b).unwrap() } else { Polynomial::constant(1) };
            let series = Hypergeometric { first, plus, p, q, a, b };
            Summand { times: Ratio { numerator, denominator }, series }
        },
    )
}

fn series_formula() -> impl Strategy<Value = SeriesFormula> {
    let root = prop_oneof![Just(1_u32), 2_u32..100, any::<u32>()];
    let times = (prop_oneof![-9_i64..=-1, 1_i64..=i64::MAX], 1_u64..u64::MAX);
    (times, root, any::<bool>(), prop::collection::vec(summand(), 1..4)).prop_map(
        |((numerator, denominator), root, inverts, summands)| SeriesFormula {
            times: Ratio { numerator, denominator },
            root: root.max(1),
            inverts,
            summands,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn right_digits_of_any_series_pass_and_wrong_ones_fail(
        formulas in (series_formula(), series_formula()),
        decimals in prop_oneof![0_u64..30, 0_u64..900],
        place: usize,
        up in 1_u8..10,
        seed: [u8; 32],
    ) {
        let task = Task::Series { formulas: Box::new([formulas.0, formulas.1]), decimals };
        for formula in [Formula::FirstSeries, Formula::SecondSeries] {
            let control = Control::default();
            let plain = run_on_cpu(&task, formula, &control);
            let witnessed = run_on_cpu_with_witness(&task, formula, &control);
            let (Ok(plain), Ok((Outcome::Digits(text), Some(witness)))) = (&plain, &witnessed) else {
                prop_assume!(plain.is_err() && witnessed.is_err());
                continue;
            };
            prop_assert_eq!(plain, &Outcome::Digits(text.clone()));
            let witness = witness.to_bytes();
            let right = audited(&task, formula, text, &witness, seed);
            let passes = matches!(right, Finding::Passed { .. });
            prop_assert!(passes, "{:?}", right);
            failed(audited(&task, formula, &with_digit(text, place, up), &witness, seed));
        }
    }
}

#[test]
fn terms_that_grow_before_they_fall_are_audited_as_well() {
    let [p, q, one] = ["-1000", "k", "1"].map(|text| Polynomial::parse(text).unwrap());
    let series = Hypergeometric { first: 1, plus: 1, p, q, a: one.clone(), b: one };
    let formula = SeriesFormula::sum_of(vec![Summand { times: Ratio::ONE, series }]);
    let task = Task::Series { formulas: Box::new([formula.clone(), formula]), decimals: 700 };
    for formula in [Formula::FirstSeries, Formula::SecondSeries] {
        let (text, witness) = computed(&task, formula);
        let finding = audited(&task, formula, &text, &witness, [7; 32]);
        assert!(matches!(finding, Finding::Passed { .. }), "{finding:?}");
    }
}

/// A task and formula with everything that a witness can have in it, but steps to decimals.
fn pi(decimals: u64) -> (Task, Formula) {
    (Task::Digits { constant: Constant::Pi, decimals }, Formula::Chudnovsky)
}

fn failed(finding: Finding) -> AuditFault {
    match finding {
        Finding::Failed(fault) => fault,
        Finding::Passed { .. } => panic!("it passes"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn bytes_that_are_no_witness_fail_without_a_panic(
        which: prop::sample::Index,
        bytes in prop::collection::vec(prop_oneof![3 => Just(0_u8), 2 => any::<u8>(), 1 => Just(255)], 0..400),
    ) {
        let all = auditable(20);
        let (task, formula) = which.get(&all);
        let (text, _) = computed(task, *formula);
        failed(audited(task, *formula, &text, &bytes, [3; 32]));
    }

    #[test]
    fn a_damaged_witness_never_lets_wrong_digits_pass_and_never_panics(
        decimals in prop_oneof![0_u64..60, 350_u64..500, Just(25_000_u64)],
        which: prop::sample::Index,
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>(), 0_u8..4), 1..4),
        cut: Option<prop::sample::Index>,
        wrong: bool,
    ) {
        let all = auditable(decimals);
        let (task, formula) = which.get(&all);
        let (mut text, witness) = computed(task, *formula);
        let mut words: Vec<u64> =
            witness.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        for (place, value, how) in damages {
            let place = place.index(words.len());
            words[place] = match how {
                0 => value,
                1 => value % 100,
                2 => words[place] ^ (1 << (value % 64)),
                _ => words[place].wrapping_add(1),
            };
        }
        if let Some(cut) = cut {
            words.truncate(cut.index(words.len()));
        }
        let witness: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        if wrong {
            text = with_digit(&text, 0, 1);
        }
        let finding = audited(task, *formula, &text, &witness, [5; 32]);
        prop_assert!(!wrong || matches!(finding, Finding::Failed(_)));
    }
}

#[test]
fn an_outcome_in_another_form_fails() {
    let (task, formula) = pi(30);
    let (text, witness) = computed(&task, formula);
    for wrong in
        ["", "3", "3.", ".14", "-3.14", "03.14", "3.14e7", "NaN"].map(str::to_owned).into_iter().chain([
            format!("{text}0"),
            text[..text.len() - 1].to_owned(),
            format!("0{text}"),
            text.replace('.', ","),
            text.replace('4', "\u{664}"),
        ])
    {
        let fault = failed(audited(&task, formula, &wrong, &witness, [1; 32]));
        assert!(matches!(fault, AuditFault::Outcome { .. }), "{wrong}: {fault}");
    }
    let control = Control::default();
    let other_kind = Outcome::Answers(Vec::new()).to_bytes();
    let finding = audit(&task, formula, &other_kind, Some(&witness), &[1; 32], &control).unwrap();
    assert!(matches!(failed(finding), AuditFault::Outcome { .. }));
    let outcome = Outcome::Digits(text).to_bytes();
    let finding = audit(&task, formula, &outcome, None, &[1; 32], &control).unwrap();
    assert_eq!(failed(finding), AuditFault::NoWitness);
    let long = vec![0; usize::try_from(witness_bytes_max(&task, formula)).unwrap() + 8];
    let finding = audit(&task, formula, &outcome, Some(&long), &[1; 32], &control).unwrap();
    assert!(matches!(failed(finding), AuditFault::WitnessTooLong { .. }));
}

#[test]
fn digits_and_witness_of_another_task_fail() {
    let (task, formula) = pi(200);
    for (other, other_formula) in auditable(200) {
        if (&other, other_formula) == (&task, formula) {
            continue;
        }
        let (text, witness) = computed(&other, other_formula);
        failed(audited(&task, formula, &text, &witness, [2; 32]));
    }
    let (text, witness) = computed(&pi(199).0, formula);
    failed(audited(&task, formula, &text, &witness, [2; 32]));
}

/// Whoever takes one from the last digit can mend the equation of the conversion, but not its bound.
#[test]
fn a_wrong_last_digit_with_a_mended_rest_fails_for_its_bound() {
    let (task, formula) = (Task::Digits { constant: Constant::Ln2, decimals: 40 }, Formula::MachinSmall);
    let (text, witness) = computed(&task, formula);
    let words: Vec<u64> = witness.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let point = words[0] - words[1] - 40;
    // The rest stands last, behind the count of its words.
    let count = (0..words.len()).find(|count| words[words.len() - 1 - count] == 2 * *count as u64).unwrap();
    let (before, rest) = words.split_at(words.len() - count);
    let mended = Integer::from_digits(rest, Order::Lsf) + (Integer::from(1) << u32::try_from(point).unwrap());
    let mended = mended.to_digits::<u64>(Order::Lsf);
    let mut forged = before.to_vec();
    *forged.last_mut().unwrap() = 2 * mended.len() as u64;
    forged.extend(mended);
    let forged: Vec<u8> = forged.iter().flat_map(|word| word.to_le_bytes()).collect();
    assert!(text.ends_with(|last: char| last != '0'));
    let fault = failed(audited(&task, formula, &with_digit(&text, 0, 9), &forged, [4; 32]));
    assert_eq!(fault, AuditFault::NotProven);
}

#[test]
fn formulas_that_are_no_sums_of_series_are_not_audited() {
    let control = Control::default();
    for (constant, formula) in [
        (Constant::Pi, Formula::GaussLegendre),
        (Constant::E, Formula::ContinuedFraction),
        (Constant::Sqrt(2), Formula::IntegerRoot),
        (Constant::Sqrt(49), Formula::PellSeries),
        (Constant::EulerGamma, Formula::Sweeney),
        (Constant::GammaThird, Formula::Brown),
    ] {
        let task = Task::Digits { constant, decimals: 50 };
        assert!(!is_auditable(&task, formula));
        let (outcome, witness) = run_on_cpu_with_witness(&task, formula, &control).unwrap();
        assert_eq!(witness, None);
        let finding = audit(&task, formula, &outcome.to_bytes(), None, &[1; 32], &control).unwrap();
        assert_eq!(failed(finding), AuditFault::NotAuditable);
    }
}

#[test]
fn a_cancelled_audit_ends() {
    let (task, formula) = pi(10);
    let control = Control::default();
    control.cancel();
    assert!(audit(&task, formula, &[], None, &[0; 32], &control).is_err());
}
