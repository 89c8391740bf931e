//! Failure domains: what could make several workers wrong together.
//!
//! Three ballots from one broken driver agree perfectly. So each ballot states where it comes from, and a policy can
//! ask that winning ballots differ on named axes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{constant::Formula, policy::Ways};

/// How a task is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// On the processor, by GMP and MPFR.
    Cpu,
    /// On a GPU, by integer-only compute shaders.
    Gpu,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        })
    }
}

/// What one ballot depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureDomain {
    /// Who runs the worker, as its join token says.
    pub operator: String,
    /// What computed.
    pub engine: Engine,
    /// By which method.
    pub formula: Formula,
    /// Processor, or GPU and driver.
    pub device: String,
    /// Version of the worker.
    pub build: String,
}

/// An axis of the failure domain on which a policy can ask winners to differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Who runs the worker.
    Operator,
    /// CPU or GPU.
    Engine,
    /// The method.
    Formula,
    /// The processor or GPU.
    Device,
}

impl Axis {
    /// All axes, in the order of their names in messages.
    pub const ALL: [Self; 4] = [Self::Operator, Self::Engine, Self::Formula, Self::Device];

    /// The name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Engine => "engine",
            Self::Formula => "formula",
            Self::Device => "device",
        }
    }

    /// How many different values `quorum` winners must show where a policy names this axis: as many as there are winners,
    /// or as the axis has for a task that can be computed in these ways.
    #[must_use]
    pub fn values_needed(self, quorum: u32, ways: Ways) -> u32 {
        let at_most = |values: usize| quorum.min(u32::try_from(values).unwrap_or(u32::MAX));
        match self {
            Self::Operator | Self::Device => quorum,
            Self::Engine => at_most(ways.engines),
            Self::Formula => at_most(ways.formulas),
        }
    }

    /// This axis' value in a domain.
    #[must_use]
    pub fn value_in(self, domain: &FailureDomain) -> String {
        match self {
            Self::Operator => domain.operator.clone(),
            Self::Engine => domain.engine.to_string(),
            Self::Formula => domain.formula.to_string(),
            Self::Device => domain.device.clone(),
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
