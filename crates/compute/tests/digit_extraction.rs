//! Hexadecimal digits at any position, against what is known of them by other means, and every path against the
//! reference.

use compute::{
    constants,
    control::Control,
    digit_extraction::{HexSumError, Path, partial_sum, partial_sum_by, reference_sum},
};
use proptest::prelude::*;
use protocol::{
    constant::{Constant, Formula},
    digit_extraction::{
        DigitSeries, Fraction, HexConstant, HexFormula, HexTerms, HexTermsFault, HexWindow, SeriesComponent,
    },
};
use rug::{Float, Integer, float, integer::Order};

/// The window of digits, every task summed by `sum`.
fn window(
    (constant, formula): (HexConstant, HexFormula),
    after: u64,
    digits: u32,
    sum: impl Fn(&HexTerms) -> Fraction,
) -> String {
    let series = constant.series(formula).expect("a formula of the constant");
    let window = HexWindow::new(series, after, digits, 32);
    let mut total = Fraction::zero(window.fraction_bits());
    for index in 0..window.tasks() {
        assert!(total.add(&sum(&window.task(index).expect("a task"))));
    }
    window.digits(&total).expect("settled")
}

fn by_reference(task: &HexTerms) -> Fraction {
    reference_sum(task).expect("a valid task")
}

fn by_fastest(task: &HexTerms) -> Fraction {
    partial_sum(task, &Control::default()).expect("a valid task")
}

/// Each constant with each of its formulas.
fn all_formulas() -> impl Iterator<Item = (HexConstant, HexFormula)> {
    HexConstant::ALL
        .into_iter()
        .flat_map(|constant| constant.formulas().iter().map(move |formula| (constant, *formula)))
}

/// A constant by MPFR.
fn by_mpfr(constant: HexConstant, bits: u32) -> Float {
    match constant {
        HexConstant::Pi => Float::with_val(bits, float::Constant::Pi),
        HexConstant::Ln2 => Float::with_val(bits, float::Constant::Log2),
        HexConstant::PiSquared => Float::with_val(bits, float::Constant::Pi).square(),
        HexConstant::Catalan => Float::with_val(bits, float::Constant::Catalan),
    }
}

/// `count` hexadecimal digits of a constant after the first `after`, from its value.
fn digits_by_mpfr(constant: HexConstant, after: u32, count: u32) -> String {
    let value = by_mpfr(constant, 4 * (after + count) + 128);
    let scaled = Float::with_val(value.prec(), value << (4 * (after + count)));
    let (whole, _) = scaled.to_integer_round(float::Round::Down).expect("finite");
    let window = whole.keep_bits(4 * count);
    format!("{:0>width$}", window.to_string_radix(16).to_uppercase(), width = count as usize)
}

#[test]
fn the_digits_after_0_are_the_first_after_the_point() {
    let known = [
        (HexConstant::Pi, "243F6A8885A308D313198A2E03707344"),
        (HexConstant::Ln2, "B17217F7D1CF79ABC9E3B39803F2F6AF"),
        (HexConstant::PiSquared, "DE9E64DF22EF2D256E26CD9808C1AC70"),
        (HexConstant::Catalan, "EA7CB89F409AE845215822E37D32D0C6"),
    ];
    for (constant, digits) in known {
        for formula in constant.formulas() {
            assert_eq!(window((constant, *formula), 0, 32, by_reference), digits, "{constant} by {formula}");
            assert_eq!(window((constant, *formula), 0, 32, by_fastest), digits, "{constant} by {formula}");
        }
    }
}

#[test]
fn each_series_is_its_constant_to_200_digits() {
    let bits = 800;
    for (constant, formula) in all_formulas() {
        let series = constant.series(formula).expect("a formula of the constant");
        let mut sum = Float::new(bits);
        for k in 0..=bits / series.bits_per_term {
            for component in &series.components {
                let base = Integer::from(component.step) * k + component.start;
                let mut term = Float::with_val(bits, component.coefficient.unsigned_abs());
                term /= rug::ops::Pow::pow(base, component.power);
                term <<= component.exponent - i32::try_from(series.bits_per_term * k).expect("small");
                if component.is_negative(u64::from(k)) { sum -= term } else { sum += term }
            }
        }
        let difference = Float::with_val(bits, sum - by_mpfr(constant, bits)).abs();
        assert!(difference < Float::with_val(bits, Float::i_exp(1, -700)), "{constant} by {formula}");
    }
}

#[test]
fn windows_at_small_positions_are_those_of_mpfr() {
    for after in [1, 7, 100, 1000, 4097] {
        for (constant, formula) in all_formulas() {
            let known = digits_by_mpfr(constant, after, 32);
            let digits = window((constant, formula), u64::from(after), 32, by_fastest);
            assert_eq!(digits, known, "{constant} by {formula} after {after}");
        }
    }
}

#[test]
fn pi_after_a_million_is_the_same_by_both_formulas_and_by_mpfr() {
    let known = digits_by_mpfr(HexConstant::Pi, 1_000_000, 32);
    // Bailey, Borwein and Plouffe (1997) print 26C65E52CB4593 as what begins with digit number 10^6: ours after 999999.
    let published = window((HexConstant::Pi, HexFormula::Bellard), 999_999, 14, by_fastest);
    assert_eq!(published, "26C65E52CB4593");
    assert_eq!(known[..13], published[1..]);
    for formula in HexConstant::Pi.formulas() {
        assert_eq!(window((HexConstant::Pi, *formula), 1_000_000, 32, by_fastest), known, "{formula}");
    }
}

#[test]
fn pi_after_a_million_is_that_of_chudnovskys_decimals_in_base_16() {
    // 16^1,000,020 is below 10^1,204,145, and an error of 10^-1,204,200 is far behind the digits.
    let (after, count, decimals) = (1_000_000, 20, 1_204_200);
    let text =
        constants::digits(Constant::Pi, Formula::Chudnovsky, decimals, &Control::default()).expect("digits");
    let fraction: Integer = text.strip_prefix("3.").expect("pi").parse().expect("decimals");
    let scaled: Integer = fraction << (4 * (after + count));
    let scaled: Integer = scaled / Integer::from(Integer::u_pow_u(10, 1_204_200));
    let known = format!("{:0>20}", scaled.keep_bits(4 * count).to_string_radix(16).to_uppercase());
    for formula in HexConstant::Pi.formulas() {
        let digits = window((HexConstant::Pi, *formula), u64::from(after), count, by_fastest);
        assert_eq!(digits, known, "{formula}");
    }
}

/// The 32 digits of pi after so many, which both formulas must give, and which must hold what Bailey, Borwein and
/// Plouffe (1997) print as what begins with the digit of that number: ours after one digit less.
fn assert_published(after: u64, published: &str) {
    let [bellard, bbp] = [HexFormula::Bellard, HexFormula::Bbp]
        .map(|formula| window((HexConstant::Pi, formula), after, 32, by_fastest));
    assert_eq!(bellard, bbp, "after {after}");
    assert_eq!(bellard[..13], published[1..], "after {after}");
}

#[test]
fn pi_after_ten_million_is_the_same_by_both_formulas_and_as_published() {
    assert_published(10_000_000, "17AF5863EFED8D");
}

#[test]
#[ignore = "long: seconds with AVX2, minutes without"]
fn pi_after_a_hundred_million_is_the_same_by_both_formulas_and_as_published() {
    assert_published(100_000_000, "ECB840E21926EC");
}

#[test]
#[ignore = "long: minutes with AVX2, most of an hour without"]
fn pi_after_a_thousand_million_is_the_same_by_both_formulas_and_as_published() {
    assert_published(1_000_000_000, "85895585A0428B");
}

#[test]
fn a_task_that_nobody_can_compute_is_refused_and_a_cancelled_one_stops() {
    let series = HexConstant::Pi.fastest_series();
    let good = HexTerms { series, after: 1000, first_term: 0, end_term: 300, fraction_bits: 128 };
    let control = Control::default();
    let bad = HexTerms { fraction_bits: 96, ..good.clone() };
    assert_eq!(partial_sum(&bad, &control), Err(HexSumError::Fault(HexTermsFault::FractionBits(96))));
    let mut steep = good.clone();
    steep.series.components[0].power = 2;
    steep.first_term = 1 << 40;
    steep.end_term = steep.first_term + 1;
    let fault = HexTermsFault::Denominator(1 << 40);
    assert_eq!(partial_sum(&steep, &control), Err(HexSumError::Fault(fault)));
    control.cancel();
    assert!(matches!(partial_sum(&good, &control), Err(HexSumError::Cancelled(_))));
}

/// What the definition says of one term, by long integers.
fn by_definition(task: &HexTerms) -> Fraction {
    let mut sum = Integer::new();
    for component in &task.series.components {
        for k in task.first_term..task.end_term {
            let denominator = Integer::from(component.denominator(k).expect("checked"));
            let exponent = task.exponent(component, k);
            let Ok(exponent) = u32::try_from(exponent) else { continue };
            let term = (Integer::from(1) << exponent) / denominator * component.coefficient.unsigned_abs();
            if component.is_negative(k) { sum -= term } else { sum += term }
        }
    }
    let mut limbs = vec![0; task.limbs()];
    sum.keep_bits(task.fraction_bits).write_digits(&mut limbs, Order::Lsf);
    Fraction::from_limbs(&limbs)
}

/// A component whose denominators, from some k on, are anywhere up to 2^63.
fn component() -> impl Strategy<Value = SeriesComponent> {
    let size = || prop_oneof![1_u32..16, Just(1 << 16), 1_u32..=1 << 16];
    let coefficient = prop_oneof![Just(1), Just(-1), -65_536_i32..=-1, 1_i32..=65_536];
    (coefficient, -64_i32..=64, size(), size(), 1_u32..=2, any::<bool>()).prop_map(
        |(coefficient, exponent, step, start, power, alternates)| SeriesComponent {
            coefficient,
            exponent,
            step,
            start,
            power,
            alternates,
        },
    )
}

/// Tasks around every edge: small k, denominators near 2^32, 2^48, 2^50, 2^52, 2^60 and 2^63, and the tail.
fn task() -> impl Strategy<Value = HexTerms> {
    let edges = prop_oneof![
        Just(4_u32),
        Just(16),
        Just(24),
        Just(26),
        Just(32),
        Just(44),
        Just(47),
        Just(48),
        Just(50),
        Just(51),
        Just(52),
        Just(53),
        Just(60),
        Just(63)
    ];
    // Near the tail of the series exponents are short; far before it each takes dozens of squarings.
    let spares = prop_oneof![0_u64..2_000, 0_u64..1_000_000_000_000_000];
    (component(), edges, 0_u64..200, 1_u64..200, 1_u32..=64, 1_u32..=4, spares).prop_map(
        |(component, edge, back, count, bits_per_term, limbs, spare)| {
            // The largest k whose denominator stays below 2^edge, and some steps back from it.
            let (mut low, mut high) = (0_u64, 1 << 55);
            while low < high {
                let middle = low + (high - low).div_ceil(2);
                let is_below = component.denominator(middle).is_some_and(|value| value >> edge == 0);
                if is_below { low = middle } else { high = middle - 1 }
            }
            let last = low.saturating_sub(back).min(9_000_000_000_000_000 / u64::from(bits_per_term));
            let first_term = last.saturating_sub(count);
            let after = (u64::from(bits_per_term) * last / 4 + spare).saturating_sub(500);
            HexTerms {
                series: DigitSeries { bits_per_term, components: vec![component] },
                after,
                first_term,
                end_term: last + 1,
                fraction_bits: 64 * limbs,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_path_gives_the_bytes_of_the_reference(task in task()) {
        let known = reference_sum(&task).expect("a valid task");
        for path in Path::available() {
            let sum = partial_sum_by(*path, &task, &Control::default()).expect("a valid task");
            prop_assert_eq!(&sum, &known, "{}", path);
        }
    }

    #[test]
    fn the_reference_is_the_definition(
        component in component(),
        after in 0_u64..500,
        first_term in 0_u64..100,
        count in 1_u64..30,
        limbs in 1_u32..=4,
    ) {
        let series = DigitSeries { bits_per_term: 3, components: vec![component] };
        let end_term = first_term + count;
        let task = HexTerms { series, after, first_term, end_term, fraction_bits: 64 * limbs };
        prop_assert_eq!(reference_sum(&task).expect("a valid task"), by_definition(&task));
    }
}

/// Long stretches reach what single rounds do not: chunks, flushes of the sums, and both kinds of remainder.
#[test]
fn long_stretches_are_the_same_on_every_path() {
    for (constant, formula) in all_formulas() {
        let series = constant.series(formula).expect("a formula of the constant");
        let after = 300_000;
        let end_term = series.terms(after, 192).min(70_013);
        let task = HexTerms { series, after, first_term: 3, end_term, fraction_bits: 192 };
        let known = by_reference(&task);
        for path in Path::available() {
            let sum = partial_sum_by(*path, &task, &Control::default());
            assert_eq!(sum.as_ref(), Ok(&known), "{constant} by {formula} on {path}");
        }
    }
}
