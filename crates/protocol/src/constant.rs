//! The constants whose digits can be asked for, and the formulas that yield each.
//!
//! Every constant has at least two independent formulas, so that `distinct = ["formula"]` means something: two
//! computations that share no series and still agree on every digit.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::limits::SQRT_RADICAND_MAX;

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
    /// ln 2: 144 artanh(1/251) + 54 artanh(1/449) - 38 artanh(1/4801) + 62 artanh(1/8749).
    MachinFourTerm,
}

impl Formula {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Direct,
        Self::Chudnovsky,
        Self::GaussLegendre,
        Self::FactorialSeries,
        Self::ContinuedFraction,
        Self::IntegerRoot,
        Self::PellSeries,
        Self::MachinThreeTerm,
        Self::MachinFourTerm,
    ];

    /// The name in files, reports and on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Chudnovsky => "chudnovsky",
            Self::GaussLegendre => "gauss-legendre",
            Self::FactorialSeries => "factorial-series",
            Self::ContinuedFraction => "continued-fraction",
            Self::IntegerRoot => "integer-root",
            Self::PellSeries => "pell-series",
            Self::MachinThreeTerm => "machin-three-term",
            Self::MachinFourTerm => "machin-four-term",
        }
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
            Self::Pi => &[Formula::Chudnovsky, Formula::GaussLegendre],
            Self::E => &[Formula::FactorialSeries, Formula::ContinuedFraction],
            Self::Sqrt(_) | Self::GoldenRatio => &[Formula::IntegerRoot, Formula::PellSeries],
            Self::Ln2 => &[Formula::MachinThreeTerm, Formula::MachinFourTerm],
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pi => f.write_str("pi"),
            Self::E => f.write_str("e"),
            Self::Sqrt(n) => write!(f, "sqrt({n})"),
            Self::GoldenRatio => f.write_str("golden-ratio"),
            Self::Ln2 => f.write_str("ln2"),
        }
    }
}

/// Why a text names no constant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstantError {
    /// Not a known name.
    #[error("no constant is named `{0}`; known are pi, e, sqrt(N), golden-ratio and ln2")]
    Unknown(String),
    /// The radicand is out of bounds.
    #[error("sqrt({0}) is out of bounds; the number under the root must be from 1 to {SQRT_RADICAND_MAX}")]
    Radicand(String),
}

impl FromStr for Constant {
    type Err = ConstantError;

    fn from_str(text: &str) -> Result<Self, ConstantError> {
        match text {
            "pi" => Ok(Self::Pi),
            "e" => Ok(Self::E),
            "golden-ratio" => Ok(Self::GoldenRatio),
            "ln2" => Ok(Self::Ln2),
            _ => {
                let radicand = text
                    .strip_prefix("sqrt(")
                    .and_then(|rest| rest.strip_suffix(')'))
                    .ok_or_else(|| ConstantError::Unknown(text.to_owned()))?;
                match radicand.parse::<u32>() {
                    Ok(n) if n >= 1 => Ok(Self::Sqrt(n)),
                    _ => Err(ConstantError::Radicand(radicand.to_owned())),
                }
            }
        }
    }
}
