//! Formulas of the BBP type as data: which constants have one, and the numbers in it.
//!
//! A constant with such a formula has digits that can be worked out at any place without those before it: multiply the
//! series by 16^N and drop the integer part of every term on its own, which modular powers make cheap.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::HexTermsFault;

/// A constant whose hexadecimal digits can be asked for at any position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HexConstant {
    /// 3.243F6A88… in base 16.
    Pi,
    /// The natural logarithm of 2, 0.B17217F7…
    Ln2,
    /// The square of pi, 9.DE9E64DF…
    PiSquared,
    /// Catalan's constant, 1 - 1/9 + 1/25 - …, 0.EA7CB89F…
    Catalan,
}

/// A formula of the BBP type, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HexFormula {
    /// pi: F. Bellard, "A new formula to compute the n'th binary digit of pi" (1997); seven terms for ten bits.
    Bellard,
    /// pi, and pi^2: D. Bailey, P. Borwein, S. Plouffe, "On the rapid computation of various polylogarithmic
    /// constants", Mathematics of Computation 66 (1997); four terms for four bits, and five for six.
    Bbp,
    /// ln 2: the sum of 1/(k 2^k), Mercator's series (1668) at -1/2; one term a bit.
    Mercator,
    /// Catalan's constant: D. Broadhurst, "Polylogarithmic ladders, hypergeometric series and the ten millionth digits
    /// of zeta(3) and zeta(5)" (1998), as D. Bailey's "A compendium of BBP-type formulas" prints it; seventeen terms
    /// for twelve bits.
    Broadhurst,
}

/// A series S = sum over k >= 0, over the components, of sign * a * 2^(d - c*k) / (n*k + m)^p.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DigitSeries {
    /// c: by how many bits the terms shrink from one k to the next, 1 to [`DigitSeries::BITS_PER_TERM_MAX`].
    pub bits_per_term: u32,
    /// What is summed for each k, at most [`DigitSeries::COMPONENTS_MAX`].
    pub components: Vec<SeriesComponent>,
}

/// One component of a [`DigitSeries`]: its term number k is `sign * coefficient * 2^(exponent - c*k) / (step*k + start)^power`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SeriesComponent {
    /// a: not zero, at most [`SeriesComponent::COEFFICIENT_MAX`] in magnitude.
    pub coefficient: i32,
    /// d: the power of two at k = 0, at most [`SeriesComponent::EXPONENT_MAX`] in magnitude.
    pub exponent: i32,
    /// n: 1 to [`SeriesComponent::DENOMINATOR_MAX`].
    pub step: u32,
    /// m: 1 to [`SeriesComponent::DENOMINATOR_MAX`].
    pub start: u32,
    /// p: 1 or 2.
    pub power: u32,
    /// Whether the sign is (-1)^k; otherwise it is 1.
    pub alternates: bool,
}

impl SeriesComponent {
    /// Largest magnitude of a coefficient.
    pub const COEFFICIENT_MAX: u32 = 1 << 16;
    /// Largest magnitude of the power of two at k = 0.
    pub const EXPONENT_MAX: u32 = 64;
    /// Largest step and start of a denominator.
    pub const DENOMINATOR_MAX: u32 = 1 << 16;
    /// Largest power of a denominator.
    pub const POWER_MAX: u32 = 2;

    /// The denominator (n*k + m)^p; none where it does not stay below 2^63.
    #[must_use]
    pub fn denominator(&self, k: u64) -> Option<u64> {
        let base = u64::from(self.step).checked_mul(k)?.checked_add(u64::from(self.start))?;
        base.checked_pow(self.power).filter(|denominator| *denominator < 1 << 63)
    }

    /// Whether term number k is subtracted.
    #[must_use]
    pub fn is_negative(&self, k: u64) -> bool {
        (self.coefficient < 0) != (self.alternates && k % 2 == 1)
    }
}

impl DigitSeries {
    /// Most bits by which terms shrink.
    pub const BITS_PER_TERM_MAX: u32 = 64;
    /// Most components.
    pub const COMPONENTS_MAX: usize = 64;

    /// Checks every bound that is said at the fields.
    ///
    /// # Errors
    /// [`HexTermsFault::Series`] names the field.
    pub fn check(&self) -> Result<(), HexTermsFault> {
        let fits = |what, value: u64, min: u64, max: u64| {
            if (min..=max).contains(&value) {
                Ok(())
            } else {
                Err(HexTermsFault::Series { what, value, min, max })
            }
        };
        let denominator_max = u64::from(SeriesComponent::DENOMINATOR_MAX);
        fits("bits_per_term", u64::from(self.bits_per_term), 1, u64::from(Self::BITS_PER_TERM_MAX))?;
        fits("the number of components", self.components.len() as u64, 1, Self::COMPONENTS_MAX as u64)?;
        for component in &self.components {
            let magnitude = u64::from(component.coefficient.unsigned_abs());
            fits("a coefficient's magnitude", magnitude, 1, u64::from(SeriesComponent::COEFFICIENT_MAX))?;
            let exponent = u64::from(component.exponent.unsigned_abs());
            fits("an exponent's magnitude", exponent, 0, u64::from(SeriesComponent::EXPONENT_MAX))?;
            fits("a denominator's step", u64::from(component.step), 1, denominator_max)?;
            fits("a denominator's start", u64::from(component.start), 1, denominator_max)?;
            fits(
                "a denominator's power",
                u64::from(component.power),
                1,
                u64::from(SeriesComponent::POWER_MAX),
            )?;
        }
        Ok(())
    }

    /// The sum of the coefficients' magnitudes: by at most so many units in the last place all terms of one k are off.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.components.iter().map(|component| u64::from(component.coefficient.unsigned_abs())).sum()
    }

    /// How many k have a term that is not zero when the first `after` hexadecimal digits are skipped and
    /// `fraction_bits` bits are kept. Every later term is below one unit in the last place, and all of them together
    /// are below twice [`DigitSeries::weight`] such units.
    #[must_use]
    pub fn terms(&self, after: u64, fraction_bits: u32) -> u64 {
        // 2^(F + 4N + d - c*k) < 1, and so below every denominator, from this k on.
        let largest =
            self.components.iter().map(|component| i128::from(component.exponent)).max().unwrap_or(0);
        let bits = (4 * i128::from(after) + i128::from(fraction_bits) + largest).max(0);
        u64::try_from(bits / i128::from(self.bits_per_term.max(1)) + 1).unwrap_or(u64::MAX)
    }

    /// The largest position for which every denominator stays below 2^63, whatever the width of the fraction, and
    /// that is within [`crate::limits::HEX_AFTER_MAX`].
    #[must_use]
    pub fn after_max(&self) -> u64 {
        let fits = |after: u64| {
            let last = self.terms(after, super::HexTerms::FRACTION_BITS_MAX);
            self.components.iter().all(|component| component.denominator(last).is_some())
        };
        let (mut low, mut high) = (0, crate::limits::HEX_AFTER_MAX);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if fits(middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }
}

impl HexConstant {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pi, Self::Ln2, Self::PiSquared, Self::Catalan];

    /// The name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pi => "pi",
            Self::Ln2 => "ln2",
            Self::PiSquared => "pi-squared",
            Self::Catalan => "catalan",
        }
    }

    /// The formulas for it, the fastest first.
    #[must_use]
    pub fn formulas(self) -> &'static [HexFormula] {
        match self {
            Self::Pi => &[HexFormula::Bellard, HexFormula::Bbp],
            Self::Ln2 => &[HexFormula::Mercator],
            Self::PiSquared => &[HexFormula::Bbp],
            Self::Catalan => &[HexFormula::Broadhurst],
        }
    }

    /// The series of the fastest formula.
    #[must_use]
    pub fn fastest_series(self) -> DigitSeries {
        match self {
            Self::Pi => pi_by_bellard(),
            Self::Ln2 => ln2_by_mercator(),
            Self::PiSquared => pi_squared_by_bbp(),
            Self::Catalan => catalan_by_broadhurst(),
        }
    }

    /// The series of a formula; none where the formula is not for this constant.
    #[must_use]
    pub fn series(self, formula: HexFormula) -> Option<DigitSeries> {
        Some(match (self, formula) {
            (Self::Pi, HexFormula::Bellard) => pi_by_bellard(),
            (Self::Pi, HexFormula::Bbp) => pi_by_bbp(),
            (Self::Ln2, HexFormula::Mercator) => ln2_by_mercator(),
            (Self::PiSquared, HexFormula::Bbp) => pi_squared_by_bbp(),
            (Self::Catalan, HexFormula::Broadhurst) => catalan_by_broadhurst(),
            _ => return None,
        })
    }
}

impl HexFormula {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bellard, Self::Bbp, Self::Mercator, Self::Broadhurst];

    /// The name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bellard => "bellard",
            Self::Bbp => "bbp",
            Self::Mercator => "mercator",
            Self::Broadhurst => "broadhurst",
        }
    }
}

/// A text that names none of the few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown name")]
pub struct UnknownName;

impl FromStr for HexConstant {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|constant| constant.name() == text).ok_or(UnknownName)
    }
}

impl FromStr for HexFormula {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|formula| formula.name() == text).ok_or(UnknownName)
    }
}

impl fmt::Display for HexConstant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for HexFormula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The components with these (coefficient, exponent, step, start), all with one power and one sign rule.
fn series(bits_per_term: u32, power: u32, alternates: bool, rows: &[(i32, i32, u32, u32)]) -> DigitSeries {
    let component = |&(coefficient, exponent, step, start): &(i32, i32, u32, u32)| SeriesComponent {
        coefficient,
        exponent,
        step,
        start,
        power,
        alternates,
    };
    DigitSeries { bits_per_term, components: rows.iter().map(component).collect() }
}

/// pi = 2^-6 sum `(-1)^k` 2^(-10k) (-2^5/(4k+1) - 1/(4k+3) + 2^8/(10k+1) - 2^6/(10k+3) - 2^2/(10k+5) - 2^2/(10k+7) +
/// 1/(10k+9)).
fn pi_by_bellard() -> DigitSeries {
    let rows = [
        (-1, -1, 4, 1),
        (-1, -6, 4, 3),
        (1, 2, 10, 1),
        (-1, 0, 10, 3),
        (-1, -4, 10, 5),
        (-1, -4, 10, 7),
        (1, -6, 10, 9),
    ];
    series(10, 1, true, &rows)
}

/// pi = sum 16^-k (4/(8k+1) - 2/(8k+4) - 1/(8k+5) - 1/(8k+6)), with the powers of two taken out of the even
/// denominators.
fn pi_by_bbp() -> DigitSeries {
    series(4, 1, false, &[(1, 2, 8, 1), (-1, -1, 2, 1), (-1, 0, 8, 5), (-1, -1, 4, 3)])
}

/// ln 2 = sum over k >= 0 of 2^(-1-k)/(k+1).
fn ln2_by_mercator() -> DigitSeries {
    series(1, 1, false, &[(1, -1, 1, 1)])
}

/// pi^2 = 9/8 sum 64^-k (16/(6k+1)^2 - 24/(6k+2)^2 - 8/(6k+3)^2 - 6/(6k+4)^2 + 1/(6k+5)^2), with the powers of two
/// taken out of the even denominators.
fn pi_squared_by_bbp() -> DigitSeries {
    let rows = [(9, 1, 6, 1), (-27, -2, 3, 1), (-9, 0, 6, 3), (-27, -4, 3, 2), (9, -3, 6, 5)];
    series(6, 2, false, &rows)
}

/// 2^10 G = sum over k of 4096^-k times the sum over j of `a_j / (24k+j)^2`, with
///
/// ```text
/// j    1     2      3     4    5    6     8    9   10  12  13  15  16 17  18 20  21
/// a 3072 -3072 -23040 12288 -768 9216 10368 2496 -192 768 -48 360 648 12 168 48 -39
/// ```
///
/// and here with common factors taken out of coefficients and denominators.
fn catalan_by_broadhurst() -> DigitSeries {
    let rows = [
        (3, 0, 24, 1),
        (-3, -2, 12, 1),
        (-5, -1, 8, 1),
        (3, -2, 6, 1),
        (-3, -2, 24, 5),
        (1, -2, 4, 1),
        (81, -9, 3, 1),
        (39, -4, 24, 9),
        (-3, -6, 12, 5),
        (3, -6, 6, 3),
        (-3, -6, 24, 13),
        (5, -7, 8, 5),
        (81, -13, 3, 2),
        (3, -8, 24, 17),
        (21, -9, 12, 9),
        (3, -10, 6, 5),
        (-39, -10, 24, 21),
    ];
    series(12, 2, false, &rows)
}
