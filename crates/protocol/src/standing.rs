//! A worker's record of correctness, as it is written down and told: when an engine of a worker is put in quarantine, what
//! it answers there to tasks whose answer is known, and that it is back.
//!
//! The words are neutral on purpose: that answers differed is known, why they did is not.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ballot::SignedBallot,
    commitment::{Commitment, Salt},
    digest::Digest,
    domain::Engine,
    fault::Stretch,
    identity::NodeId,
    job::JobId,
    ledger::CountedBallot,
};

/// Why an engine of a worker is in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuarantineReason {
    /// It signed two different ballots for one replica. This is about the key, so about every engine behind it.
    Equivocated,
    /// So many answers, one after the other, differ from what was accepted.
    WrongInARow(u32),
    /// So many of its answers differ from what was accepted that its error rate is above the limit, by its lower bound.
    ErrorRate {
        /// The answers that differ.
        wrong: u64,
        /// Of so many since it began, or was last let back.
        answers: u64,
    },
    /// On a sealed task it revealed another ballot than the one that it had committed to. This is about the key, too.
    BrokeSeal,
    /// It computed these terms again, and they came out wrong in the same way.
    Lasting(Stretch),
    /// An engine of the same kind computed these terms wrongly twice, and this one did not answer a known task rightly.
    Kind {
        /// Whose engine that was.
        worker: NodeId,
        /// Which terms.
        stretch: Stretch,
    },
}

impl QuarantineReason {
    /// Why an engine is held back that is in no quarantine: one of its kind, of that worker, was wrong there.
    #[must_use]
    pub fn awaited(worker: NodeId, stretch: &Stretch) -> String {
        format!("its kind of device gave a wrong value for {stretch} on worker {}", worker.short())
    }
}

impl fmt::Display for QuarantineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equivocated => f.write_str("it signed two different ballots for one replica"),
            Self::WrongInARow(answers) => {
                write!(f, "its last {answers} answers differ from what was accepted")
            }
            Self::ErrorRate { wrong, answers } => {
                write!(f, "{wrong} of its {answers} answers differ from what was accepted")
            }
            Self::BrokeSeal => {
                f.write_str("it revealed another ballot than the one that it had committed to")
            }
            Self::Lasting(stretch) => {
                write!(
                    f,
                    "its {stretch} differ from what was accepted, and came out the same when computed again"
                )
            }
            Self::Kind { worker, stretch } => write!(
                f,
                "{}, and its own answer to a known task differs from what was accepted",
                Self::awaited(*worker, stretch)
            ),
        }
    }
}

/// An engine of a worker gets no more leases that count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Whose.
    pub worker: NodeId,
    /// Which of its engines.
    pub engine: Engine,
    /// Why.
    pub reason: QuarantineReason,
    /// The job after whose verdict it was; none where it was found when the log was read again.
    pub job: Option<JobId>,
}

/// A ballot of a sealed task that is not what its worker had committed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenSeal {
    /// The ballot.
    pub ballot: SignedBallot,
    /// What was to open the commitment to it.
    pub salt: Salt,
    /// What the worker had committed to, by the word of the coordinator.
    pub commitment: Commitment,
}

impl BrokenSeal {
    /// Whether ballot and salt open the commitment: then nothing was broken.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.commitment.opens_to(&self.ballot.ballot, &self.salt)
    }
}

/// What an engine in quarantine, or one of a kind that gave a wrong value elsewhere, answered to a task whose answer is
/// known. It counts in no tally.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// The answer.
    pub counted: CountedBallot,
    /// What had been accepted.
    pub accepted: Digest,
}

impl Tested {
    /// Whether the answer is what had been accepted.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.counted.ballot.ballot.digest == self.accepted
    }
}

/// The record of one engine of a worker, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStanding {
    /// Which engine.
    pub engine: Engine,
    /// Ballots for what was accepted.
    pub confirmed: u64,
    /// Ballots against it.
    pub dissents: u64,
    /// How often auditors rejected what it had computed, as many as it takes to strike a ballot out.
    pub failed_audits: u64,
    /// Two different ballots for one replica.
    pub equivocations: u64,
    /// Ballots that were not what it had committed to.
    pub broken_seals: u64,
    /// The mean of the error rate, in parts per million, by what it answered since it began or was last let back.
    pub error_ppm: u32,
    /// A bound that the error rate is below with a probability of 95 %.
    pub error_ppm_max: u32,
    /// Whether it is in quarantine, and how far it is on the way back.
    pub quarantine: Option<QuarantineStatus>,
    /// Why it gets no leases that count before it has answered a known task rightly, where it is in no quarantine.
    #[serde(default)]
    pub awaits_test: Option<String>,
}

/// An engine in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineStatus {
    /// Why, in words.
    pub reason: String,
    /// How many tasks whose answer is known it has answered rightly, one after the other.
    pub right_in_a_row: u32,
    /// How many it takes to be let back.
    pub needed: u32,
}
