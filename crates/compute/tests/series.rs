//! Series that a job brings: the same digits as the house's own formulas, and clear words for what has none.

use compute::{
    constants::{DigitsError, digits, series_digits},
    control::Control,
    engine::run_on_cpu,
};
use proptest::prelude::*;
use protocol::{
    constant::{Constant, Formula},
    outcome::Outcome,
    series::{Hypergeometric, Polynomial, Ratio, SeriesFault, SeriesFormula, Summand},
    task::Task,
};
use rug::{Float, Integer, Rational};

fn series((first, plus): (u64, i64), p: &str, q: &str, a: &str, b: &str) -> Hypergeometric {
    let [p, q, a, b] = [p, q, a, b].map(|text| Polynomial::parse(text).unwrap());
    Hypergeometric { first, plus, p, q, a, b }
}

fn single(series: Hypergeometric) -> SeriesFormula {
    SeriesFormula::sum_of(vec![Summand { times: Ratio::ONE, series }])
}

fn by_series(formula: &SeriesFormula, decimals: u64) -> Result<String, DigitsError> {
    let first = series_digits(formula, decimals, true, &Control::default());
    let second = series_digits(formula, decimals, false, &Control::default());
    assert_eq!(first, second, "both ways from bits to decimals agree");
    first
}

#[test]
fn series_of_a_job_give_the_digits_of_the_constants() {
    let pi = SeriesFormula {
        times: Ratio { numerator: 426_880, denominator: 1 },
        root: 10_005,
        inverts: true,
        ..single(series(
            (1, 13_591_409),
            "-(6*k-5)*(2*k-1)*(6*k-1)",
            "10939058860032000*k^3",
            "13591409+545140134*k",
            "1",
        ))
    };
    let expected = digits(Constant::Pi, Formula::GaussLegendre, 5_000, &Control::default()).unwrap();
    assert_eq!(by_series(&pi, 5_000), Ok(expected));
    // MPFR's own: ln 2 = 3/4 sum of (-1)^k k!^2 / (2^k (2k+1)!).
    let ln2 = SeriesFormula {
        times: Ratio { numerator: 3, denominator: 4 },
        ..single(series((1, 1), "-k", "4*(2*k+1)", "1", "1"))
    };
    let expected = digits(Constant::Ln2, Formula::MachinSmall, 3_000, &Control::default()).unwrap();
    assert_eq!(by_series(&ln2, 3_000), Ok(expected));
    // 1 / e as the reciprocal of the series of e, and as its own.
    let reciprocal = SeriesFormula { inverts: true, ..single(series((1, 1), "1", "k", "1", "1")) };
    let alternating = single(series((1, 1), "-1", "k", "1", "1"));
    assert_eq!(by_series(&reciprocal, 2_000), by_series(&alternating, 2_000));
}

#[test]
fn terms_that_grow_before_they_fall_are_kept_long_enough() {
    // e^-1000 times 10^435 is 5.07…; the terms reach 10^433 on both sides of zero.
    let text = by_series(&single(series((1, 1), "-1000", "k", "1", "1")), 500).unwrap();
    let value = Float::with_val(4_000, -1000).exp() * Integer::from(Integer::u_pow_u(10, 500));
    let expected = value.trunc().to_integer().unwrap();
    assert_eq!(text, format!("0.{:0>500}", expected.to_string()));
}

#[test]
fn a_short_decimal_fraction_and_zero_are_told_and_not_waited_for() {
    let half = single(series((1, 0), "1", "3", "1", "1"));
    assert_eq!(by_series(&half, 10), Err(DigitsError::Unsettled));
    let minus_half = single(series((1, -1), "1", "3", "1", "1"));
    assert_eq!(by_series(&minus_half, 10), Err(DigitsError::NotPositive));
    // 1 / 0: the sum of 1 / 2^k less 1.
    let nothing = SeriesFormula { inverts: true, ..single(series((1, -1), "1", "2", "1", "1")) };
    assert_eq!(by_series(&nothing, 10), Err(DigitsError::Unsettled));
}

#[test]
fn what_came_over_the_wire_is_checked_before_it_is_summed() {
    let diverging = single(series((1, 0), "1", "1", "1", "1"));
    assert_eq!(by_series(&diverging, 10), Err(DigitsError::Series(SeriesFault::Diverges)));
    let zero = single(series((0, 0), "1", "2*k", "1", "1"));
    assert_eq!(by_series(&zero, 10), Err(DigitsError::Series(SeriesFault::Zero { name: "q", k: 0 })));
    let good = single(series((1, 0), "1", "2", "1", "k"));
    assert!(matches!(by_series(&good, u64::MAX), Err(DigitsError::TooManyDecimals { .. })));
    let none = SeriesFormula::sum_of(Vec::new());
    assert!(matches!(by_series(&none, 10), Err(DigitsError::Series(SeriesFault::Count { count: 0, .. }))));
}

#[test]
fn steep_factors_and_negative_ones_are_summed_like_any_other() {
    // sqrt(1 + x) for x = 1/4, with factors of a thousand million and common divisors that nobody looks up; and the same
    // plainly: the quotient of successive terms is -(2k-3) / (8k).
    let plain = series((1, 1), "-(2*k-3)", "8*k", "1", "1");
    let steep =
        series((1, 1), "(3-2*k)*(1000000007*k+5)*(17*k-3)", "-8*k*(-1000000007*k-5)*(17*k-3)", "1", "1");
    let expected = by_series(&single(plain), 3_000).unwrap();
    assert!(expected.starts_with("1.118033988749894848"));
    assert_eq!(by_series(&single(steep), 3_000), Ok(expected));
}

#[test]
fn a_task_of_series_is_computed_by_the_formula_of_the_lease() {
    let ln2 = single(series((1, 0), "1", "2", "1", "k"));
    let e = single(series((1, 1), "1", "k", "1", "1"));
    let task = Task::Series { formulas: Box::new([ln2, e]), decimals: 20 };
    let by = |formula| run_on_cpu(&task, formula, &Control::default()).unwrap();
    assert_eq!(by(Formula::FirstSeries), Outcome::Digits("0.69314718055994530941".to_owned()));
    assert_eq!(by(Formula::SecondSeries), Outcome::Digits("2.71828182845904523536".to_owned()));
}

#[test]
fn a_sum_that_is_a_short_decimal_fraction_is_not_told_as_digits() {
    // 17/5: however many terms are summed, the digits may still be 3.3999... or 3.4000...
    let series = series((0, 3), "2*k + 4", "47*k + 29", "9*k + 5", "k + 2");
    assert_eq!(by_series(&single(series), 100), Err(DigitsError::Unsettled));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Against the plain sum of exact fractions.
    #[test]
    fn any_series_has_the_digits_of_its_plain_sum(
        p in (1_i64..=9, -5_i64..=5), q in (20_i64..=99, 1_i64..=50), a in (0_i64..=9, 1_i64..=9),
        b in (0_i64..=9, 1_i64..=9), first in 0_u64..5, plus in 3_i64..9, sign in prop::bool::ANY,
    ) {
        let sign = if sign { "-" } else { "" };
        let text = |(slope, constant): (i64, i64)| format!("({slope}*k + {constant})");
        let series = series((first, plus), &format!("{sign}{}", text(p)), &text(q), &text(a), &text(b));
        let at = |(slope, constant): (i64, i64), k: u64| Rational::from(slope * i64::try_from(k).unwrap() + constant);
        // A sum that ends is a fraction, and may be a short decimal one.
        prop_assume!((first..first + 300).all(|k| at(p, k) != 0));
        let (mut factor, mut sum) = (Rational::from(1), Rational::from(plus));
        for k in first..first + 300 {
            factor *= at(p, k) / at(q, k);
            if sign == "-" {
                factor = -factor;
            }
            sum += at(a, k) * &factor / at(b, k);
        }
        prop_assume!(sum > 0);
        let scaled = sum * Rational::from(Integer::from(Integer::u_pow_u(10, 100)));
        let whole = scaled.trunc().numer().to_string();
        let padded = format!("{whole:0>101}");
        let (integer_part, fraction) = padded.split_at(padded.len() - 100);
        if ["9", "0"].iter().any(|digit| fraction.ends_with(&digit.repeat(50))) {
            // The whole sum is a short decimal fraction, from which no further terms tell it apart.
            prop_assert_eq!(by_series(&single(series), 100), Err(DigitsError::Unsettled));
            return Ok(());
        }
        prop_assert_eq!(by_series(&single(series), 100), Ok(format!("{integer_part}.{fraction}")));
    }
}
