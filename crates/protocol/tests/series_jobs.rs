//! Jobs that bring their own series: what is read, what is proven of it, and what is refused in which words.

use proptest::prelude::*;
use protocol::{
    constant::Formula,
    job::{JobSpec, Work},
    limits::{SERIES_GAIN_MIN, SERIES_TERMS_MAX},
    plan::Plan,
    series::{Convergence, Hypergeometric, Polynomial, Ratio, SeriesFault, SeriesFormula, Summand},
    task::Task,
};

const HEAD: &str = "name = \"x\"\nkind = \"series\"\n[series]\ndecimals = 1000\n";
const E: &str = "[series.first]\n[[series.first.sum]]\nplus = 1\np = \"1\"\nq = \"k\"\n";
const LN2: &str = "[series.second]\n[[series.second.sum]]\np = \"1\"\nq = \"2\"\nb = \"k\"\n";
const POLICY: &str = "[policy]\ndistinct = [\"formula\"]\n";

fn faults(text: &str) -> String {
    JobSpec::parse(text).unwrap_err().render("j")
}

#[test]
fn a_job_with_two_series_is_one_task_that_two_formulas_compute() {
    let spec = JobSpec::parse(&[HEAD, E, LN2, POLICY].concat()).unwrap();
    let Work::Series { formulas, decimals: 1000 } = &spec.work else { panic!("{spec:?}") };
    let summand = &formulas[0].summands[0];
    assert_eq!((summand.times, summand.series.first, summand.series.plus), (Ratio::ONE, 1, 1));
    assert!(summand.series.a.is_one() && summand.series.b.is_one());
    let plan = Plan::new(&spec, None).unwrap();
    assert_eq!(plan.tasks(), 1);
    assert_eq!(plan.summary(0), "1,000 decimals by two series of the job's own");
    let task = plan.task(0).unwrap();
    assert_eq!(task.formulas(), [Formula::FirstSeries, Formula::SecondSeries]);
    assert_eq!(Task::from_bytes(&task.to_bytes()).unwrap(), task);
}

#[test]
fn what_is_wrong_with_a_series_is_told_where_it_is_written() {
    let second =
        |sum: &str| faults(&[HEAD, E, "[series.second]\n[[series.second.sum]]\n", sum, POLICY].concat());
    for (sum, told) in [
        (
            "p = \"1\"\nq = \"1\"\n",
            "j:11:1: `sum`: the series is not proven to converge by a quarter of a bit a term",
        ),
        ("p = \"k^2\"\nq = \"1000*k\"\n", "j:11:1: `sum`: the series is not proven to converge"),
        ("p = \"1\"\nq = \"2*(k-7)\"\n", "j:11:1: `sum`: `q` is 0 at k = 7; begin after it with `first`"),
        ("p = \"1\"\nq = \"2\"\nb = \"k-3\"\n", "j:11:1: `sum`: `b` is 0 at k = 3;"),
        ("p = \"0\"\nq = \"2\"\n", "j:11:1: `sum`: `p` or `a` is 0 everywhere"),
        ("p = \"1\"\nq = \"2*k + 1/2\"\n", "j:13:5: `q`: not a polynomial in k; write whole numbers and `k`"),
        ("p = \"sin(k)\"\nq = \"2\"\n", "j:12:5: `p`: not a polynomial in k;"),
        ("p = \"1 < k\"\nq = \"2\"\n", "j:12:5: `p`: not a polynomial: expected a value, found a comparison"),
        ("p = \"n\"\nq = \"2\"\n", "j:12:5: `p`: not a polynomial: "),
        ("p = \"k^9\"\nq = \"2*k^9\"\n", "j:12:5: `p`: a polynomial is of degree above 8"),
        ("p = \"1\"\nq = \"10^40\"\n", "j:13:5: `q`: a coefficient has more than 96 bits"),
        ("p = \"1\"\nq = \"10^99999999999999\"\n", "j:13:5: `q`: "),
        ("p = \"1\"\nq = \"k - 10^20\"\n", "j:11:1: `sum`: the coefficients of `q` are too uneven to prove"),
        (
            "p = \"1\"\nq = \"2\"\ntimes = \"1/0\"\n",
            "j:14:9: `times` is `1/0`; write a whole number or a quotient",
        ),
        ("p = \"1\"\nq = \"2\"\nfirst = 70000\n", "j:14:9: `first` is 70000; it must be from 0 to 65536"),
        ("p = \"1\"\n", "j:11:1: missing key `q` in [series.second.sum]; add `q = "),
    ] {
        let found = second(sum);
        assert!(found.contains(told), "{sum}\n{found}");
    }
}

#[test]
fn a_job_of_two_equal_series_or_without_their_vote_is_refused() {
    let same = E.replace("first", "second");
    let told = faults(&[HEAD, E, &same, POLICY].concat());
    assert!(told.contains("both formulas sum the same series"), "{told}");
    let told = faults(&[HEAD, E, LN2].concat());
    assert!(told.contains("write `distinct = [\"formula\"]` in [policy]"), "{told}");
    let told = faults(&[HEAD, E, POLICY].concat());
    assert!(told.contains("missing key `second` in [series]"), "{told}");
    let nine = format!("[series.second]\n{}", "[[series.second.sum]]\np = \"1\"\nq = \"2\"\n".repeat(9));
    let told = faults(&[HEAD, E, &nine, POLICY].concat());
    assert!(told.contains("a formula sums 9 series; write at least 1 and at most 8"), "{told}");
}

fn series(p: &str, q: &str, a: &str, b: &str) -> Hypergeometric {
    let [p, q, a, b] = [p, q, a, b].map(|text| Polynomial::parse(text).unwrap());
    Hypergeometric { first: 1, plus: 0, p, q, a, b }
}

#[test]
fn the_gain_of_a_series_is_proven_and_near_the_truth() {
    for (p, q, bits) in [
        ("-(6*k-5)*(2*k-1)*(6*k-1)", "10939058860032000*k^3", 47.11),
        ("-k^5*(2*k-1)^3", "24*(3*k+1)*(3*k+2)*(4*k+1)^3*(4*k+3)^3", 16.75),
        ("1", "841", 9.715),
    ] {
        let convergence = Convergence::of(&series(p, q, "1", "1")).unwrap();
        let gain = f64::from(i32::try_from(convergence.gain).unwrap()) / 65536.0;
        assert!(gain <= bits + 0.01 && gain > bits - 0.2, "{p} / {q}: {gain}");
    }
    // What converges better and better is counted from the least.
    assert!(Convergence::of(&series("1", "k", "1", "1")).unwrap().gain >= 8 << 16);
}

#[test]
fn a_series_that_would_take_too_many_terms_is_refused() {
    let slow = series("1", "2", "1", "1");
    assert!(slow.terms(1_000).unwrap() > 1_000);
    let fault = slow.terms(2 * SERIES_TERMS_MAX).unwrap_err();
    assert!(matches!(fault, SeriesFault::TooSlow { terms } if terms > SERIES_TERMS_MAX));
}

/// Polynomials as people write them.
fn polynomial() -> impl Strategy<Value = String> {
    let linear = (1..=9_i64, -9..=9_i64).prop_map(|(slope, constant)| format!("({slope}*k + {constant})"));
    let factor = prop_oneof![
        linear.clone(),
        Just("k".to_owned()),
        (1..=9_i64, -99..=99_i64, -9..=9_i64).prop_map(|(a, b, c)| format!("({a}*k^2 - {b} + {c}*k)")),
        (linear, 2..=2_u8).prop_map(|(linear, power)| format!("{linear}^{power}")),
    ];
    (prop::collection::vec(factor, 0..4), -1_000_000_i64..=1_000_000)
        .prop_map(|(factors, constant)| [&[constant.to_string()], &factors[..]].concat().join("*"))
}

proptest! {
    #[test]
    fn a_written_polynomial_is_read_back(text in polynomial()) {
        let polynomial = Polynomial::parse(&text).unwrap();
        prop_assert_eq!(Polynomial::parse(&polynomial.to_string()), Ok(polynomial));
    }

    /// The bounds hold at indices past the settled one: |p / q| and |a / b| in exact 128-bit integers.
    #[test]
    fn proven_bounds_hold_at_every_index(p in polynomial(), q in polynomial(), a in polynomial(), more in 0_u64..1_000) {
        let series = series(&p, &q, &a, "k");
        if let Ok(convergence) = Convergence::of(&series) {
            let k = (1_u64 << convergence.settled_log2) + more;
            let [p, q, a] = [&series.p, &series.q, &series.a].map(|polynomial| {
                let coefficients = polynomial.expanded().unwrap();
                coefficients.iter().rev().fold(0_i128, |value, next| value * i128::from(k) + next).unsigned_abs()
            });
            prop_assert!(convergence.gain >= SERIES_GAIN_MIN);
            #[expect(clippy::cast_precision_loss, reason = "a comparison to a thousandth")]
            let log2 = |number: u128| (number.max(1) as f64).log2() * 65536.0;
            let gain = i32::try_from(convergence.gain).unwrap();
            if p > 0 {
                prop_assert!(log2(q) - log2(p) >= f64::from(gain) - 70.0);
            }
            let weight = i32::try_from(convergence.weight).unwrap();
            let k_wide = u128::from(k);
            let growth = f64::from(convergence.growth) * log2(k_wide);
            prop_assert!(log2(a) - log2(k_wide) <= f64::from(weight) + growth + 70.0);
        }
    }

    #[test]
    fn a_written_job_of_series_is_read_back(
        plus: i64, numerator in 1_i64.., denominator in 1_u64.., root in 1_u32.., inverts: bool, p in polynomial(),
    ) {
        let formula = |text: &str, more: u64| {
            let q = Polynomial { constant: 1 << 80, ..Polynomial::parse("k^8").unwrap() };
            let times = Ratio { numerator: -numerator, denominator: denominator - 1 + more };
            let p = Polynomial::parse(text).unwrap();
            let series = Hypergeometric { first: more, plus, p, q, a: Polynomial::constant(1), b: Polynomial::constant(7) };
            SeriesFormula { times, root, inverts, summands: vec![Summand { times, series: series.clone() }] }
        };
        let formulas = Box::new([formula(&p, 1), formula("5", 2)]);
        let head = JobSpec::parse(&[HEAD, E, LN2, POLICY].concat()).unwrap();
        if formulas.iter().all(|formula| formula.check(77).is_ok()) {
            let spec = JobSpec { work: Work::Series { formulas, decimals: 77 }, ..head };
            prop_assert_eq!(JobSpec::parse(&spec.to_toml()), Ok(spec));
        }
    }
}
