//! The table: constants as data. Each entry is what a job file of kind `series` would say.
//!
//! That an entry converges, and how fast, is proven from its coefficients by the code that reads it
//! ([`protocol::series::Convergence`]); that it is the constant is its author's theorem, and the tests compare it with the
//! other formulas and with MPFR.

use protocol::series::{Hypergeometric, Polynomial, Ratio, SeriesFault, SeriesFormula, Summand};

use super::logarithm::arc;

/// One series of four polynomials and what stands before the sum.
fn series(
    (first, plus): (u64, i64),
    (p, q): (&str, &str),
    (a, b): (&str, &str),
) -> Result<Hypergeometric, SeriesFault> {
    let [p, q, a, b] = [p, q, a, b].map(Polynomial::parse);
    Ok(Hypergeometric { first, plus, p: p?, q: q?, a: a?, b: b? })
}

fn single(times: Ratio, series: Hypergeometric) -> SeriesFormula {
    SeriesFormula { times, ..SeriesFormula::sum_of(vec![Summand { times: Ratio::ONE, series }]) }
}

const fn ratio(numerator: i64, denominator: u64) -> Ratio {
    Ratio { numerator, denominator }
}

/// pi: 47.11 bits a term (D. V. and G. V. Chudnovsky, 1988).
///
/// `1 / pi = 12 / C^(3/2) * sum of (-1)^k (6k)! (A + B k) / ((3k)! k!^3 C^(3k))`, C = 640320.
pub(super) fn chudnovsky() -> Result<SeriesFormula, SeriesFault> {
    let series = series(
        (1, 13_591_409),
        ("-(6*k-5)*(2*k-1)*(6*k-1)", "10939058860032000*k^3"),
        ("13591409+545140134*k", "1"),
    )?;
    Ok(SeriesFormula { root: 10_005, inverts: true, ..single(ratio(426_880, 1), series) })
}

/// pi: 26.5 bits a term (Ramanujan, "Modular equations and approximations to pi", 1914).
///
/// `1 / pi = 2 sqrt(2) / 9801 * sum of (4k)! (1103 + 26390 k) / (k!^4 396^(4k))`; `1 / (2 sqrt(2)) = sqrt(2) / 4`.
pub(super) fn ramanujan() -> Result<SeriesFormula, SeriesFault> {
    let series = series((1, 1_103), ("(4*k-3)*(2*k-1)*(4*k-1)", "3073907232*k^3"), ("1103+26390*k", "1"))?;
    Ok(SeriesFormula { root: 2, inverts: true, ..single(ratio(9_801, 4), series) })
}

/// pi: arc tangents of 11.7, 15.8, 18.8 and 27.3 bits a term (Stormer, 1896).
///
/// `pi = 176 arctan(1/57) + 28 arctan(1/239) - 48 arctan(1/682) + 96 arctan(1/12943)`.
pub(super) fn arc_tangents() -> SeriesFormula {
    let tangents = [(176, 57), (28, 239), (-48, 682), (96, 12_943)];
    let summand = |(times, x)| Summand { times: ratio(times, x), series: arc(1, x, -1) };
    SeriesFormula::sum_of(tangents.map(summand).to_vec())
}

/// e: the sum of 1 / k! (Euler, 1748).
pub(super) fn factorials() -> Result<SeriesFormula, SeriesFault> {
    Ok(single(Ratio::ONE, series((1, 1), ("1", "k"), ("1", "1"))?))
}

/// ln 2: 11.92 bits a term (Zuniga, "Log(2) (2024-ii)", published as a formula of y-cruncher and on mathoverflow.net,
/// question 463436, where a beta integral proves it; also "Fast Ramanujan-type series for logarithms. Part I", 2025).
///
/// `720 ln 2 = sum of (598 k + 499) product over j = 1..k of j (2j - 1) / (216 (6j + 1) (6j + 5))`.
///
/// *Proof.* With `v = s (1 - s^2) / 24`, the beta integrals of `s^4 v^(2k)` and `s^2 (1 - s^2) v^(2k)` over s from 0 to 1 are
/// the product times `(2k + 3) / 15` and `(2k + 1) 2 / 15`, so that the term is that of `(15 / 2) (s^4 + 199 s^2) v^(2k)`, and
/// the sum that of `(15 / 2) (s^4 + 199 s^2) / (1 - v^2)`. As `576 (1 - v^2) = (9 - s^2) (s^4 + 7 s^2 + 64)`, this is `720`
/// times the derivative of `ln((3 + s) / (3 - s)) - 16 artanh(v)`, which is 0 at s = 0 and `ln 2` at s = 1. A test compares
/// terms and derivative in exact fractions.
pub(super) fn zuniga() -> Result<SeriesFormula, SeriesFault> {
    let series = series((1, 499), ("k*(2*k-1)", "216*(6*k+1)*(6*k+5)"), ("598*k+499", "1"))?;
    Ok(single(ratio(1, 720), series))
}

/// zeta(3): 16.7 bits a term (Wedeniwski, 1998, after Amdeberhan and Zeilberger's method).
///
/// `24 zeta(3) = sum of (-1)^k ((2k+1)! (2k)! k!)^3 A(k) / ((3k+2)! (4k+3)!^3)`.
pub(super) fn wedeniwski() -> Result<SeriesFormula, SeriesFault> {
    let series = series(
        (1, 12_463),
        ("-k^5*(2*k-1)^3", "24*(3*k+1)*(3*k+2)*(4*k+1)^3*(4*k+3)^3"),
        ("126392*k^5+412708*k^4+531578*k^3+336367*k^2+104000*k+12463", "1"),
    )?;
    Ok(single(ratio(1, 10_368), series))
}

/// zeta(3): 10 bits a term (Amdeberhan and Zeilberger, "Hypergeometric series acceleration via the WZ method", 1997).
///
/// `64 zeta(3) = sum of (-1)^k k!^10 (205 k^2 + 250 k + 77) / (2k+1)!^5`.
pub(super) fn amdeberhan_zeilberger() -> Result<SeriesFormula, SeriesFault> {
    let series = series((1, 77), ("-k^5", "32*(2*k+1)^5"), ("205*k^2+250*k+77", "1"))?;
    Ok(single(ratio(1, 64), series))
}

/// Catalan's constant: 7.5 bits a term (Pilehrood and Pilehrood, "Series acceleration formulas for beta values", 2010).
///
/// `64 G = sum over k >= 1 of 256^k (580k^2 - 184k + 15) / (k^3 (2k-1) C(6k,3k) C(6k,4k) C(4k,2k))`, here from k + 1.
pub(super) fn pilehrood() -> Result<SeriesFormula, SeriesFault> {
    let series = series((1, 411), ("32*k^3*(2*k-1)", "9*(6*k+1)^2*(6*k+5)^2"), ("580*k^2+976*k+411", "1"))?;
    Ok(single(ratio(1, 450), series))
}

/// Catalan's constant: 3 bits a term (Guillera, "Hypergeometric identities for 10 extended Ramanujan-type series", 2008).
///
/// `2 G = sum of (-8)^k (3k+2) / ((2k+1)^3 C(2k,k)^3)`.
pub(super) fn guillera() -> Result<SeriesFormula, SeriesFault> {
    Ok(single(ratio(1, 2), series((1, 2), ("-k^3", "(2*k+1)^3"), ("3*k+2", "1"))?))
}

/// The series in [`super::gamma::quarter_by_series`]: 7.4 bits a term.
pub(super) fn brown_quarter() -> Result<SeriesFormula, SeriesFault> {
    let series = series((1, 1), ("(6*k-5)*(2*k-1)*(6*k-1)", "11979*k^3"), ("1", "1"))?;
    Ok(single(Ratio::ONE, series))
}

/// The series in [`super::gamma::third_by_series`]: 12.8 bits a term.
pub(super) fn brown_third() -> Result<SeriesFormula, SeriesFault> {
    let series = series((1, 1), ("-(6*k-5)*(2*k-1)*(6*k-1)", "512000*k^3"), ("1", "1"))?;
    Ok(single(Ratio::ONE, series))
}

#[cfg(test)]
mod tests {
    use rug::{Integer, Rational, ops::Pow};

    use super::*;

    /// The integral of `s^(2 a) v^(2 k)` over s from 0 to 1, for `v = s (1 - s^2) / 24`.
    fn beta_integral(a: u32, k: u32) -> Rational {
        let expanded = |place: u32| {
            let binomial = Rational::from(Integer::from(2 * k).binomial(place));
            let signed = if place.is_multiple_of(2) { binomial } else { -binomial };
            signed / (2 * a + 2 * k + 2 * place + 1)
        };
        (0..=2 * k).map(expanded).sum::<Rational>() / Integer::from(24).pow(2 * k)
    }

    #[test]
    fn each_term_of_zunigas_series_is_the_integral_that_its_proof_says() {
        let formula = zuniga().unwrap();
        let series = &formula.summands[0].series;
        let at = |polynomial: &Polynomial, k: u32| {
            let coefficients = polynomial.expanded().unwrap();
            Rational::from(
                coefficients.iter().rev().fold(0, |value, coefficient| value * i128::from(k) + coefficient),
            )
        };
        let mut product = Rational::from(1);
        for k in 0..60 {
            let addend = if k == 0 {
                Rational::from(series.plus)
            } else {
                product *= at(&series.p, k) / at(&series.q, k);
                at(&series.a, k) / at(&series.b, k) * &product
            };
            let integral = (beta_integral(2, k) + beta_integral(1, k) * 199) * Rational::from((15, 2));
            assert_eq!(addend, integral, "term {k}");
        }
    }

    #[test]
    fn the_integrand_of_zunigas_series_is_the_derivative_that_its_proof_says() {
        // Numerators and denominators are of degree 8 at most: equal at 20 points, they are equal.
        for numerator in 1..=20 {
            let s = Rational::from((numerator, 23));
            let square = Rational::from(s.square_ref());
            let v: Rational = s * (Rational::from(1) - &square) / 24;
            let v_slope = (Rational::from(1) - Rational::from(&square * 3)) / 24;
            let rest = Rational::from(1) - v.square();
            let integrand = Rational::from((15, 2))
                * (Rational::from(square.square_ref()) + &square * Rational::from(199))
                / &rest;
            let derivative = Rational::from(6) / (Rational::from(9) - square) - v_slope * 16 / rest;
            assert_eq!(integrand, derivative * 720);
        }
    }
}
