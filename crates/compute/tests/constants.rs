//! Digits of constants: known ones, those of MPFR, and each formula against the others.

use compute::{
    constants::{DigitsError, digits},
    control::Control,
};
use proptest::prelude::*;
use protocol::{
    constant::{Constant, Formula},
    limits::DECIMALS_MAX,
};
use rug::{Float, Integer, float};

/// The digits by each formula of the constant, which must all be the same.
fn agreed(constant: Constant, decimals: u64) -> String {
    let mut texts = constant.formulas().iter().map(|&formula| {
        match digits(constant, formula, decimals, &Control::default()) {
            Ok(text) => (formula, text),
            Err(error) => panic!("{constant} by {formula}: {error}"),
        }
    });
    let (first, text) = texts.next().unwrap();
    for (formula, other) in texts {
        assert!(text == other, "{first} and {formula} differ for {constant} at {decimals} decimals");
    }
    text
}

/// The digits by MPFR with 200 bits to spare, truncated.
fn by_mpfr(constant: Constant, decimals: u32) -> String {
    let precision = decimals * 10 / 3 + 200;
    let value = match constant {
        Constant::Pi => Float::with_val(precision, float::Constant::Pi),
        Constant::E => Float::with_val(precision, 1).exp(),
        Constant::Sqrt(n) => Float::with_val(precision, n).sqrt(),
        Constant::GoldenRatio => (Float::with_val(precision, 5).sqrt() + 1_u32) / 2_u32,
        Constant::Ln2 => Float::with_val(precision, float::Constant::Log2),
        Constant::Ln(n) => Float::with_val(precision, n).ln(),
        Constant::Zeta3 => Float::with_val(precision, Float::zeta_u(3)),
        Constant::Catalan => Float::with_val(precision, float::Constant::Catalan),
        Constant::EulerGamma => Float::with_val(precision, float::Constant::Euler),
        Constant::Lemniscate => {
            let root = Float::with_val(precision, 2).sqrt();
            Float::with_val(precision, float::Constant::Pi) / root.agm(&Float::with_val(precision, 1))
        }
        Constant::GammaThird => Float::with_val(precision, Float::with_val(precision, 1) / 3_u32).gamma(),
        Constant::GammaQuarter => Float::with_val(precision, 0.25).gamma(),
    };
    let scaled = value * Integer::from(Integer::u_pow_u(10, decimals));
    let whole = scaled.trunc().to_integer().unwrap().to_string();
    let places = decimals as usize;
    let padded = "0".repeat((places + 1).saturating_sub(whole.len())) + &whole;
    let (integer_part, fraction) = padded.split_at(padded.len() - places);
    if places == 0 { integer_part.to_owned() } else { format!("{integer_part}.{fraction}") }
}

const ALL: [Constant; 14] = [
    Constant::Pi,
    Constant::E,
    Constant::Sqrt(2),
    Constant::Sqrt(4_294_967_291),
    Constant::GoldenRatio,
    Constant::Ln2,
    Constant::Ln(3),
    Constant::Ln(4_294_967_291),
    Constant::Zeta3,
    Constant::Catalan,
    Constant::EulerGamma,
    Constant::Lemniscate,
    Constant::GammaThird,
    Constant::GammaQuarter,
];

#[test]
fn the_first_fifty_decimals_are_the_published_ones() {
    for (constant, expected) in [
        (Constant::Pi, "3.14159265358979323846264338327950288419716939937510"),
        (Constant::E, "2.71828182845904523536028747135266249775724709369995"),
        (Constant::Sqrt(2), "1.41421356237309504880168872420969807856967187537694"),
        (Constant::Sqrt(3), "1.73205080756887729352744634150587236694280525381038"),
        (Constant::GoldenRatio, "1.61803398874989484820458683436563811772030917980576"),
        (Constant::Ln2, "0.69314718055994530941723212145817656807550013436025"),
        (Constant::Ln(3), "1.09861228866810969139524523692252570464749055782274"),
        (Constant::Ln(10), "2.30258509299404568401799145468436420760110148862877"),
        (Constant::Zeta3, "1.20205690315959428539973816151144999076498629234049"),
        (Constant::Catalan, "0.91596559417721901505460351493238411077414937428167"),
        (Constant::EulerGamma, "0.57721566490153286060651209008240243104215933593992"),
        (Constant::Lemniscate, "2.62205755429211981046483958989111941368275495143162"),
        (Constant::GammaThird, "2.67893853470774763365569294097467764412868937795730"),
        (Constant::GammaQuarter, "3.62560990822190831193068515586767200299516768288006"),
    ] {
        assert_eq!(agreed(constant, 50), expected);
    }
}

#[test]
fn six_nines_of_pi_stand_at_the_feynman_point() {
    let pi = agreed(Constant::Pi, 770);
    let places = pi.strip_prefix("3.").unwrap();
    assert_eq!(&places[758..770], "134999999837");
    // Cut inside the nines, the digits stay nines: nothing is rounded.
    assert!(agreed(Constant::Pi, 764).ends_with("134999"));
}

#[test]
fn a_million_decimals_of_pi_end_as_published() {
    let pi = digits(Constant::Pi, Formula::Chudnovsky, 1_000_000, &Control::default()).unwrap();
    assert_eq!(pi.len(), 1_000_002);
    assert!(pi.ends_with("5779458151"));
    // The count of each digit among the first million decimals (Kanada's table).
    let mut counts = [0; 10];
    for byte in &pi.as_bytes()[2..] {
        counts[usize::from(byte - b'0')] += 1;
    }
    assert_eq!(counts, [99_959, 99_758, 100_026, 100_229, 100_230, 100_359, 99_548, 99_800, 99_985, 100_106]);
}

#[test]
fn all_formulas_and_mpfr_agree_on_a_hundred_thousand_decimals() {
    for constant in ALL {
        let text = agreed(constant, 100_000);
        // MPFR's gamma function would take hours; the jobs' tests know these digits.
        if !matches!(constant, Constant::GammaThird | Constant::GammaQuarter) {
            assert!(text == by_mpfr(constant, 100_000), "{constant}");
        }
    }
}

#[test]
fn few_decimals_are_truncated_and_none_leave_the_point_out() {
    for (constant, expected) in [
        (Constant::Pi, ["3", "3.1", "3.14"]),
        (Constant::E, ["2", "2.7", "2.71"]),
        (Constant::Sqrt(2), ["1", "1.4", "1.41"]),
        (Constant::Sqrt(4), ["2", "2.0", "2.00"]),
        (Constant::Sqrt(u32::MAX), ["65535", "65535.9", "65535.99"]),
        (Constant::GoldenRatio, ["1", "1.6", "1.61"]),
        (Constant::Ln2, ["0", "0.6", "0.69"]),
        (Constant::Zeta3, ["1", "1.2", "1.20"]),
        (Constant::Catalan, ["0", "0.9", "0.91"]),
        (Constant::EulerGamma, ["0", "0.5", "0.57"]),
        (Constant::Lemniscate, ["2", "2.6", "2.62"]),
        (Constant::GammaThird, ["2", "2.6", "2.67"]),
        (Constant::GammaQuarter, ["3", "3.6", "3.62"]),
    ] {
        for (decimals, text) in expected.into_iter().enumerate() {
            assert_eq!(agreed(constant, decimals as u64), text);
        }
    }
}

#[test]
fn roots_of_squares_are_exact() {
    for root in [1_u32, 2, 3, 10, 255, 256, 46_340, 65_535] {
        for decimals in [1, 2, 300, 2_500_u16] {
            assert_eq!(
                agreed(Constant::Sqrt(root * root), u64::from(decimals)),
                format!("{root}.{}", "0".repeat(usize::from(decimals)))
            );
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    for constant in ALL {
        for &formula in constant.formulas() {
            let with = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| digits(constant, formula, 60_000, &Control::default())).unwrap()
            };
            assert!(with(1) == with(3), "{constant} by {formula}");
        }
    }
}

#[test]
fn what_is_out_of_bounds_is_refused_in_words() {
    let refusal = |constant, formula, decimals| {
        digits(constant, formula, decimals, &Control::default()).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(Constant::Pi, Formula::Chudnovsky, DECIMALS_MAX + 1),
        "1000000001 decimals are out of bounds; ask for at most 1000000000"
    );
    assert_eq!(
        refusal(Constant::Pi, Formula::Chudnovsky, u64::MAX),
        "18446744073709551615 decimals are out of bounds; ask for at most 1000000000"
    );
    assert_eq!(
        refusal(Constant::E, Formula::Chudnovsky, 10),
        "the formula `chudnovsky` does not compute e; use `factorial-series` or `continued-fraction`"
    );
    assert_eq!(
        refusal(Constant::Sqrt(0), Formula::IntegerRoot, 10),
        "sqrt(0) is out of bounds; the number under the root must be from 1 to 4294967295"
    );
}

#[test]
fn no_constant_takes_the_formula_of_another() {
    let formulas = ALL.iter().flat_map(|constant| constant.formulas()).copied().chain([Formula::Direct]);
    for formula in formulas {
        for constant in ALL.into_iter().filter(|constant| !constant.formulas().contains(&formula)) {
            let result = digits(constant, formula, 5, &Control::default());
            assert_eq!(result, Err(DigitsError::ForeignFormula { constant, formula }));
        }
    }
}

#[test]
fn a_cancelled_computation_does_not_start() {
    let control = Control::default();
    control.cancel();
    for constant in ALL {
        for &formula in constant.formulas() {
            assert!(matches!(digits(constant, formula, 1_000, &control), Err(DigitsError::Cancelled(_))));
        }
    }
}

/// Uncancelled, each of these would go on for seconds and return digits.
#[test]
fn a_running_computation_stops_when_it_is_cancelled() {
    for (constant, formula) in [
        (Constant::Pi, Formula::Chudnovsky),
        (Constant::Pi, Formula::GaussLegendre),
        (Constant::E, Formula::FactorialSeries),
        (Constant::E, Formula::ContinuedFraction),
        (Constant::Sqrt(2), Formula::PellSeries),
        (Constant::Ln2, Formula::MachinThreeTerm),
    ] {
        let control = Control::default();
        let result = std::thread::scope(|scope| {
            let running = scope.spawn(|| digits(constant, formula, 10_000_000, &control));
            while control.permille() < 20 && !running.is_finished() {
                std::thread::yield_now();
            }
            control.cancel();
            running.join().unwrap()
        });
        assert!(matches!(result, Err(DigitsError::Cancelled(_))), "{constant} by {formula}");
    }
}

#[test]
fn a_computation_tells_its_phases_and_that_it_is_done() {
    let control = Control::default();
    digits(Constant::Pi, Formula::Chudnovsky, 10_000, &control).unwrap();
    let names: Vec<_> = control.phases().iter().map(|phase| phase.name).collect();
    assert_eq!(names, ["binary splitting", "division and root", "multiplication", "decimal string"]);
    assert_eq!(control.permille(), 1000);
    for constant in ALL {
        for &formula in constant.formulas() {
            let control = Control::default();
            digits(constant, formula, 100, &control).unwrap();
            assert_eq!(control.permille(), 1000);
            assert_eq!(control.phases().last().unwrap().name, "decimal string", "{constant} by {formula}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_formula_gives_the_digits_of_mpfr(decimals in 0_u32..3_000) {
        for constant in [Constant::Pi, Constant::E, Constant::GoldenRatio, Constant::Ln2] {
            prop_assert_eq!(agreed(constant, u64::from(decimals)), by_mpfr(constant, decimals));
        }
    }

    #[test]
    fn every_logarithm_has_the_digits_of_mpfr(
        n in prop_oneof![3_u32..=1_000, 3..=u32::MAX],
        decimals in 0_u32..1_500,
    ) {
        prop_assert_eq!(agreed(Constant::Ln(n), u64::from(decimals)), by_mpfr(Constant::Ln(n), decimals));
    }

    #[test]
    fn every_root_has_the_digits_of_mpfr(
        n in prop_oneof![1_u32..=1_000, 1..=u32::MAX, (1_u32..=65_535).prop_map(|root| (root * root - 1).max(1))],
        decimals in 0_u32..3_000,
    ) {
        prop_assert_eq!(agreed(Constant::Sqrt(n), u64::from(decimals)), by_mpfr(Constant::Sqrt(n), decimals));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn the_rarer_constants_have_the_digits_of_mpfr(decimals in 0_u32..1_000) {
        for constant in [
            Constant::Zeta3,
            Constant::Catalan,
            Constant::EulerGamma,
            Constant::Lemniscate,
            Constant::GammaThird,
            Constant::GammaQuarter,
        ] {
            prop_assert_eq!(agreed(constant, u64::from(decimals)), by_mpfr(constant, decimals));
        }
    }
}
