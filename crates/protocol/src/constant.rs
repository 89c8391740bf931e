//! The constants whose digits can be asked for, and the formulas that yield each.
//!
//! Every constant has at least two independent formulas, so that `distinct = ["formula"]` means something: two
//! computations that share no series and still agree on every digit.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::limits::{LN_ARGUMENT_MAX, SQRT_RADICAND_MAX};

/// A constant whose decimal digits a job may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Constant {
    /// 3.14159…
    Pi,
    /// 2.71828…
    E,
    /// The square root of a positive integer; perfect squares are allowed and give zeros.
    Sqrt(u32),
    /// 1.61803…
    GoldenRatio,
    /// 0.69314…
    Ln2,
    /// The natural logarithm of an integer of 3 or more; that of 2 is [`Constant::Ln2`].
    Ln(u32),
    /// 1.20205…, the sum of 1/k^3 (Apéry's constant).
    Zeta3,
    /// 0.91596…, the sum of (-1)^k/(2k+1)^2.
    Catalan,
    /// 0.57721…, the limit of the harmonic numbers less the logarithm.
    EulerGamma,
    /// 2.62205…, half the length of the lemniscate whose points have the product of distances 1/2 from its foci.
    Lemniscate,
    /// 2.67893…, the gamma function at 1/3.
    GammaThird,
    /// 3.62560…, the gamma function at 1/4.
    GammaQuarter,
}

/// A way to compute something. `Direct` stands where only one way exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Formula {
    /// The only way this kind of task is computed.
    Direct,
    /// pi: the Chudnovsky brothers' series (1988), by binary splitting.
    Chudnovsky,
    /// pi: the Gauss-Legendre iteration of arithmetic-geometric means (Brent and Salamin, 1976).
    GaussLegendre,
    /// e: the sum of 1/k!, by binary splitting.
    FactorialSeries,
    /// e: its regular continued fraction [2; 1, 2, 1, 1, 4, 1, …] (Euler, 1737), by a product tree of matrices.
    ContinuedFraction,
    /// sqrt(n), golden ratio: one integer square root.
    IntegerRoot,
    /// sqrt(n), golden ratio: a convergent p/q of the continued fraction, p^2 - n q^2 = m small (Pell), then the
    /// binomial series of sqrt(1 - m/p^2) by binary splitting; no long root is taken.
    PellSeries,
    /// ln 2: 18 artanh(1/26) - 2 artanh(1/4801) + 8 artanh(1/8749).
    MachinThreeTerm,
    /// ln n: artanh of 1/251, 1/449, 1/4801 and 1/8749, which give the logarithms of the primes to 7.
    MachinFourTerm,
    /// pi: Ramanujan's series of 1914 with 396^4, by binary splitting.
    Ramanujan,
    /// pi: Stormer's sum of arc tangents of 1/57, 1/239, 1/682 and 1/12943 (1896).
    ArcTangents,
    /// ln 2, ln n: artanh of 1/31, 1/49 and 1/161, which give the logarithms of the primes to 5.
    MachinSmall,
    /// zeta(3): Wedeniwski's series (1998).
    Wedeniwski,
    /// zeta(3): Amdeberhan and Zeilberger's series (1997).
    AmdeberhanZeilberger,
    /// Catalan's constant: the Pilehroods' series (2010).
    Pilehrood,
    /// Catalan's constant: Guillera's series (2008).
    Guillera,
    /// Euler's constant: the quotient of Bessel functions of Brent and `McMillan` (1980).
    BrentMcMillan,
    /// Euler's constant: Sweeney's exponential integral (1963).
    Sweeney,
    /// Lemniscate constant, gamma(1/3), gamma(1/4): an arithmetic-geometric mean, and pi by the Chudnovskys' series.
    GaussMean,
    /// Lemniscate constant: Gauss' sum of two arcs of the curve, by series.
    LemniscateArcs,
    /// gamma(1/3), gamma(1/4): Brown's series (2009), and pi by Ramanujan's.
    Brown,
    /// The first formula of a job of kind `series`.
    FirstSeries,
    /// The second formula of a job of kind `series`.
    SecondSeries,
    /// None: what another worker computed was tested by a random challenge.
    Audit,
    /// ln 2: Zuniga's series (2024).
    Zuniga,
}

/// Every formula and its name.
const NAMES: [(Formula, &str); 25] = [
    (Formula::Direct, "direct"),
    (Formula::Chudnovsky, "chudnovsky"),
    (Formula::GaussLegendre, "gauss-legendre"),
    (Formula::FactorialSeries, "factorial-series"),
    (Formula::ContinuedFraction, "continued-fraction"),
    (Formula::IntegerRoot, "integer-root"),
    (Formula::PellSeries, "pell-series"),
    (Formula::MachinThreeTerm, "machin-three-term"),
    (Formula::MachinFourTerm, "machin-four-term"),
    (Formula::Ramanujan, "ramanujan"),
    (Formula::ArcTangents, "arc-tangents"),
    (Formula::MachinSmall, "machin-small"),
    (Formula::Wedeniwski, "wedeniwski"),
    (Formula::AmdeberhanZeilberger, "amdeberhan-zeilberger"),
    (Formula::Pilehrood, "pilehrood"),
    (Formula::Guillera, "guillera"),
    (Formula::BrentMcMillan, "brent-mcmillan"),
    (Formula::Sweeney, "sweeney"),
    (Formula::GaussMean, "gauss-mean"),
    (Formula::LemniscateArcs, "lemniscate-arcs"),
    (Formula::Brown, "brown"),
    (Formula::FirstSeries, "first-series"),
    (Formula::SecondSeries, "second-series"),
    (Formula::Audit, "audit"),
    (Formula::Zuniga, "zuniga"),
];

impl Formula {
    /// All of them.
    pub const ALL: [Self; NAMES.len()] = {
        let mut all = [Self::Direct; NAMES.len()];
        let mut place = 0;
        while place < NAMES.len() {
            all[place] = NAMES[place].0;
            place += 1;
        }
        all
    };

    /// Whether what this formula yields can be audited: it sums series, whose terms anybody can look at through primes.
    /// Means, continued fractions and roots cannot.
    #[must_use]
    pub fn sums_series(self) -> bool {
        match self {
            Self::Chudnovsky
            | Self::Ramanujan
            | Self::ArcTangents
            | Self::FactorialSeries
            | Self::MachinThreeTerm
            | Self::MachinFourTerm
            | Self::MachinSmall
            | Self::Wedeniwski
            | Self::AmdeberhanZeilberger
            | Self::Pilehrood
            | Self::Guillera
            | Self::LemniscateArcs
            | Self::Zuniga
            | Self::FirstSeries
            | Self::SecondSeries => true,
            Self::Direct
            | Self::GaussLegendre
            | Self::ContinuedFraction
            | Self::IntegerRoot
            | Self::PellSeries
            | Self::BrentMcMillan
            | Self::Sweeney
            | Self::GaussMean
            | Self::Brown
            | Self::Audit => false,
        }
    }

    /// The name in files, reports and on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(formula, _)| *formula == self).map_or("direct", |(_, name)| name)
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Constant {
    /// The formulas that yield this constant, the fastest first.
    #[must_use]
    pub fn formulas(self) -> &'static [Formula] {
        match self {
            Self::Pi => {
                &[Formula::Chudnovsky, Formula::GaussLegendre, Formula::Ramanujan, Formula::ArcTangents]
            }
            Self::E => &[Formula::FactorialSeries, Formula::ContinuedFraction],
            Self::Sqrt(_) | Self::GoldenRatio => &[Formula::IntegerRoot, Formula::PellSeries],
            Self::Ln2 => &[Formula::Zuniga, Formula::MachinThreeTerm, Formula::MachinSmall],
            Self::Ln(_) => &[Formula::MachinFourTerm, Formula::MachinSmall],
            Self::Zeta3 => &[Formula::Wedeniwski, Formula::AmdeberhanZeilberger],
            Self::Catalan => &[Formula::Pilehrood, Formula::Guillera],
            Self::EulerGamma => &[Formula::BrentMcMillan, Formula::Sweeney],
            Self::Lemniscate => &[Formula::GaussMean, Formula::LemniscateArcs],
            Self::GammaThird | Self::GammaQuarter => &[Formula::GaussMean, Formula::Brown],
        }
    }
}

/// The constants whose name is a word.
const WORDS: [(Constant, &str); 10] = [
    (Constant::Pi, "pi"),
    (Constant::E, "e"),
    (Constant::GoldenRatio, "golden-ratio"),
    (Constant::Ln2, "ln2"),
    (Constant::Zeta3, "zeta(3)"),
    (Constant::Catalan, "catalan"),
    (Constant::EulerGamma, "euler-gamma"),
    (Constant::Lemniscate, "lemniscate"),
    (Constant::GammaThird, "gamma(1/3)"),
    (Constant::GammaQuarter, "gamma(1/4)"),
];

impl Constant {
    /// The names, for messages.
    pub const NAMES: [&'static str; WORDS.len() + 2] = {
        let mut names = ["sqrt(2)"; WORDS.len() + 2];
        names[1] = "ln(3)";
        let mut place = 0;
        while place < WORDS.len() {
            names[place + 2] = WORDS[place].1;
            place += 1;
        }
        names
    };
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqrt(n) => write!(f, "sqrt({n})"),
            Self::Ln(n) => write!(f, "ln({n})"),
            word => f.write_str(WORDS.iter().find(|(known, _)| known == word).map_or("", |(_, name)| name)),
        }
    }
}

/// Why a text names no constant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstantError {
    /// Not a known name.
    #[error(
        "no constant is named `{0}`; known are pi, e, sqrt(N), golden-ratio, ln2, ln(N), zeta(3), catalan, euler-gamma, \
         lemniscate, gamma(1/3) and gamma(1/4)"
    )]
    Unknown(String),
    /// The radicand is out of bounds.
    #[error("sqrt({0}) is out of bounds; the number under the root must be from 1 to {SQRT_RADICAND_MAX}")]
    Radicand(String),
    /// The argument of the logarithm is out of bounds.
    #[error("ln({0}) is out of bounds; its number must be from 2 to {LN_ARGUMENT_MAX}")]
    Argument(String),
}

impl FromStr for Constant {
    type Err = ConstantError;

    fn from_str(text: &str) -> Result<Self, ConstantError> {
        if let Some((word, _)) = WORDS.iter().find(|(_, name)| *name == text) {
            return Ok(*word);
        }
        let within = |name: &str| text.strip_prefix(name)?.strip_suffix(')');
        if let Some(radicand) = within("sqrt(") {
            return match radicand.parse::<u32>() {
                Ok(n @ 1..) => Ok(Self::Sqrt(n)),
                _ => Err(ConstantError::Radicand(radicand.to_owned())),
            };
        }
        let argument = within("ln(").ok_or_else(|| ConstantError::Unknown(text.to_owned()))?;
        match argument.parse::<u32>() {
            Ok(2) => Ok(Self::Ln2),
            Ok(n @ 3..) => Ok(Self::Ln(n)),
            _ => Err(ConstantError::Argument(argument.to_owned())),
        }
    }
}
