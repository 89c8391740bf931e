//! Located faults: where the computation of a dissenter went wrong and what kind of fault it was, as it is written down.
//!
//! Two workers that disagree about a sum of series are compared down to one node ([`crate::trace`]). What was found is about
//! that node, and about the kind of device that computed it. The words are neutral: what came out is known, why is not.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    constant::Formula,
    digest::Digest,
    domain::{Engine, FailureDomain},
    grouped::grouped,
    identity::NodeId,
    job::JobId,
    task::TaskId,
    trace::TracePlace,
};

/// Of so many workers it is written down that they computed rightly what a dissenter with the same kind of device did not.
pub const ALIKE_MAX: usize = 64;

/// What kind of fault it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultClass {
    /// Computed again, the node is right: a passing fault of the machine.
    Transient,
    /// Computed again, it is wrong in the same way: the engine on this device is broken.
    Deterministic,
    /// What the worker says now fits neither what it committed to nor the accepted way.
    Dishonest,
    /// The worker did not answer.
    Unanswered,
}

impl FaultClass {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Deterministic => "deterministic",
            Self::Dishonest => "dishonest",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Where two computations part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parting {
    /// At this node, whose halves agree, or of which no halves are traced.
    Node {
        /// Which.
        place: TracePlace,
        /// How many series the formula has.
        trees: u32,
        /// The digests of the node to which the winner and the dissenter are committed by their ballots.
        digests: [Digest; 2],
    },
    /// After the series, whose sums agree: in a division, a root, or on the way to decimals, or in what was handed in.
    AfterTheSeries,
    /// Nobody knows: the traces are not of the same computation, or the one that won does not fit or was not given.
    Unknown,
}

/// Some terms of a series of a formula, as they are named in sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stretch {
    /// The formula.
    pub formula: Formula,
    /// Which terms of which of its series.
    pub place: TracePlace,
    /// How many series it has.
    pub trees: u32,
}

impl Stretch {
    /// The terms, without the formula.
    #[must_use]
    pub fn terms(&self) -> String {
        let TracePlace { tree, from, to } = self.place;
        let terms = format!("terms {} to {}", grouped(from), grouped(to.saturating_sub(1)));
        if self.trees > 1 {
            format!("{terms} of series {} of {}", u64::from(tree) + 1, self.trees)
        } else {
            terms
        }
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.terms(), self.formula)
    }
}

/// What is known of the fault of a worker that was outvoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocatedFault {
    /// Whose.
    pub worker: NodeId,
    /// With what it computed.
    pub domain: FailureDomain,
    /// Of which job.
    pub job: JobId,
    /// The task's number.
    pub index: u64,
    /// The task.
    pub task: TaskId,
    /// What was accepted.
    pub accepted: Digest,
    /// With whom it was compared.
    pub winner: NodeId,
    /// Where the two part.
    pub parting: Parting,
    /// What kind of fault it was; none where nothing was computed again.
    pub class: Option<FaultClass>,
    /// How many times somebody was asked and has answered, both together counted once.
    pub rounds: u32,
    /// How many bytes the questions and the answers had.
    pub bytes: u64,
    /// Others with the same kind of device who computed this task rightly by the same formula, at most [`ALIKE_MAX`].
    pub alike: Vec<NodeId>,
}

impl LocatedFault {
    /// The terms that came out wrong, and wrong again in the same way when they were computed again, if it was so.
    #[must_use]
    pub fn lasting(&self) -> Option<Stretch> {
        match (self.class, self.parting) {
            (Some(FaultClass::Deterministic), Parting::Node { place, trees, .. }) => {
                Some(Stretch { formula: self.domain.formula, place, trees })
            }
            _ => None,
        }
    }
}

/// What engines have in common that are wrong in the same way when it is: for a GPU the device and its driver; for a
/// processor its model and the version of the program, which brings the arithmetic along.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceKind {
    /// Which engine.
    pub engine: Engine,
    device: String,
    /// Empty for a GPU.
    build: String,
}

impl DeviceKind {
    /// The kind of an engine that introduces itself so. Equal cards of one machine, which are numbered, are of one kind.
    #[must_use]
    pub fn of(engine: Engine, device: &str, build: &str) -> Self {
        let is_number =
            |rest: &str| !rest.is_empty() && rest.chars().all(|character| character.is_ascii_digit());
        let (device, build) = match engine {
            Engine::Cpu => (device, build),
            Engine::Gpu => {
                let bare = device.rsplit_once(" #").filter(|(_, rest)| is_number(rest));
                (bare.map_or(device, |(bare, _)| bare), "")
            }
        };
        Self { engine, device: device.to_owned(), build: build.to_owned() }
    }

    /// The kind of what cast a ballot.
    #[must_use]
    pub fn in_domain(domain: &FailureDomain) -> Self {
        Self::of(domain.engine, &domain.device, &domain.build)
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.engine, self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_a_card_with_its_driver_or_a_processor_with_its_program() {
        let kind = |engine, device, build| DeviceKind::of(engine, device, build);
        let card = kind(Engine::Gpu, "a card, 1.2", "0.1.0");
        assert_eq!(card, kind(Engine::Gpu, "a card, 1.2 #2", "0.2.0"), "the second card of a machine");
        assert_ne!(card, kind(Engine::Gpu, "a card, 1.3", "0.1.0"), "another driver");
        assert_ne!(card, kind(Engine::Gpu, "a card, 1.2 #x", "0.1.0"), "another name");
        assert_ne!(kind(Engine::Cpu, "a card, 1.2", ""), card, "another engine");
        let processor = kind(Engine::Cpu, "a processor #2", "0.1.0");
        assert_ne!(processor, kind(Engine::Cpu, "a processor #2", "0.2.0"), "another program");
        assert_ne!(processor, kind(Engine::Cpu, "a processor", "0.1.0"), "another model");
    }

    #[test]
    fn terms_are_named_as_people_count_them() {
        let stretch = |from, to, trees| Stretch {
            formula: Formula::Chudnovsky,
            place: TracePlace { tree: 1, from, to },
            trees,
        };
        assert_eq!(stretch(561, 1_072, 1).to_string(), "terms 561 to 1,071 by chudnovsky");
        assert_eq!(stretch(0, 1_048_576, 3).terms(), "terms 0 to 1,048,575 of series 2 of 3");
    }
}
