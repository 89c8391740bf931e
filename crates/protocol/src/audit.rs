//! Audits: an outcome that somebody computed is tested by others at a small part of its cost, and what they find counts.
//!
//! A worker that audits draws a challenge once it holds the outcome, and what its *prover* gave along with it; so nobody
//! could have prepared for it. Its ballot names prover, outcome and challenge. One that finds the outcome right votes for
//! the outcome's digest; one that finds it wrong votes for a digest that stands for this rejection, and for nothing else.
//!
//! A rejection is about a prover, not about an outcome: whoever computed rightly and gave a bad proof takes nobody along.
//! The rules here are those of the tally and of whoever checks a certificate: [`Hearing`] counts, and says who is struck
//! out and what may be accepted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    ballot::Ballot,
    codec,
    digest::{Digest, Domain},
    identity::NodeId,
};

/// What an audit was about, as its ballot says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Audited {
    /// The digest of the outcome that was tested.
    pub outcome: Digest,
    /// Whose it is.
    pub prover: NodeId,
    /// What the challenge follows from: bytes that the auditor drew when it held everything else.
    #[serde(with = "crate::hexadecimal")]
    pub seed: [u8; 32],
}

impl Audited {
    /// The digest of a ballot that rejects the outcome.
    #[must_use]
    pub fn rejection(&self) -> Digest {
        rejection(self.outcome, self.prover)
    }
}

/// log2 of a bound on the probability that wrong digits pass one audit, whatever outcome and witness are.
///
/// The auditor draws two primes of 61 bits, of which there are more than 2^54. Wrong digits break an equation between whole
/// numbers, all of them together of at most `2^12 (decimals + 2048)` bits, as witnesses are bounded; a number of so many
/// bits that is not zero has at most a sixtieth as many prime divisors of that size, and both primes must be among them.
/// `docs/audits.md` has the equations.
#[must_use]
pub fn error_log2(decimals: u64) -> i32 {
    let bits = u128::from(decimals.saturating_add(2048)) << 12;
    let divisors_log2 = i32::try_from((bits / 60 + 1).ilog2() + 1).unwrap_or(128);
    2 * (divisors_log2 - PRIMES_LOG2).min(0)
}

/// There are more than two to this power primes of 61 bits.
const PRIMES_LOG2: i32 = 54;

/// The digest that stands for "the outcome with this digest, as this prover gave it, fails its audit".
#[must_use]
pub fn rejection(outcome: Digest, prover: NodeId) -> Digest {
    Digest::of(Domain::Rejection, &codec::encode(&(outcome, prover)))
}

/// How many audits say what, by the policy of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditRule {
    /// Audits that must pass; at least 1.
    pub passes: u32,
    /// Audits that must fail, and be more than those that pass, for a prover to be struck out: the quorum, so that those who
    /// lie cannot do it alone.
    pub rejections: u32,
    /// Whether one computes and the others audit.
    pub is_alone: bool,
}

/// The audits of one prover's outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heard {
    outcome: Digest,
    passes: BTreeSet<NodeId>,
    rejections: BTreeSet<NodeId>,
}

impl Heard {
    fn of(outcome: Digest) -> Self {
        Self { outcome, passes: BTreeSet::new(), rejections: BTreeSet::new() }
    }

    fn is_struck(&self, rule: &AuditRule) -> bool {
        count(&self.rejections) >= rule.rejections && self.rejections.len() > self.passes.len()
    }

    fn has_passed(&self, rule: &AuditRule) -> bool {
        count(&self.passes) >= rule.passes && self.passes.len() > self.rejections.len()
    }
}

/// What ballots and audits on one task come to.
#[derive(Debug, Clone)]
pub struct Hearing {
    rule: AuditRule,
    /// By whoever computed.
    provers: BTreeMap<NodeId, Heard>,
}

impl Hearing {
    /// Counts the ballots of those who computed, and of those who audited.
    #[must_use]
    pub fn new<'b>(
        rule: AuditRule,
        ballots: impl IntoIterator<Item = &'b Ballot>,
        audits: impl IntoIterator<Item = &'b Ballot>,
    ) -> Self {
        let computed = ballots.into_iter().filter(|ballot| ballot.audit.is_none());
        let mut provers: BTreeMap<NodeId, Heard> =
            computed.map(|ballot| (ballot.worker, Heard::of(ballot.digest))).collect();
        for ballot in audits {
            let Some(audited) = ballot.audit else { continue };
            let Some(heard) = provers.get_mut(&audited.prover) else { continue };
            // Nobody vouches for itself, and an audit of something else says nothing.
            if heard.outcome != audited.outcome || ballot.worker == audited.prover {
                continue;
            }
            if ballot.digest == audited.outcome {
                heard.passes.insert(ballot.worker);
            } else if ballot.digest == audited.rejection() {
                heard.rejections.insert(ballot.worker);
            }
        }
        Self { rule, provers }
    }

    /// Whether enough audits reject what this worker computed: its ballot counts for nothing.
    #[must_use]
    pub fn is_struck(&self, prover: &NodeId) -> bool {
        self.provers.get(prover).is_some_and(|heard| heard.is_struck(&self.rule))
    }

    /// Whether anybody was struck out.
    #[must_use]
    pub fn has_struck(&self) -> bool {
        self.provers.values().any(|heard| heard.is_struck(&self.rule))
    }

    /// Whether an outcome with this digest passed its audits, by a prover that stands.
    #[must_use]
    pub fn has_passed(&self, outcome: &Digest) -> bool {
        self.standing(outcome).any(|(_, heard)| heard.has_passed(&self.rule))
    }

    /// How many audits of this prover's outcome passed, and how many failed.
    #[must_use]
    pub fn audits_of(&self, prover: &NodeId) -> (u32, u32) {
        self.provers.get(prover).map_or((0, 0), |heard| (count(&heard.passes), count(&heard.rejections)))
    }

    /// Those who signed for this digest: whoever computed it and stands, and whoever audited it and found it right.
    #[must_use]
    pub fn supporters(&self, outcome: &Digest) -> BTreeSet<NodeId> {
        self.standing(outcome)
            .flat_map(|(prover, heard)| heard.passes.iter().copied().chain([*prover]))
            .collect()
    }

    /// Whether the rule of the audits is kept for this digest: it passed, and `quorum` different workers signed for it.
    #[must_use]
    pub fn is_carried(&self, outcome: &Digest, quorum: u32) -> bool {
        self.has_passed(outcome) && count(&self.supporters(outcome)) >= quorum
    }

    /// Whether a digest needs a quorum of workers who computed it; otherwise whoever passes wins, as a minority that
    /// passes beats a majority that fails.
    #[must_use]
    pub fn asks_for_majority(&self) -> bool {
        !self.rule.is_alone && !self.has_struck()
    }

    fn standing(&self, outcome: &Digest) -> impl Iterator<Item = (&NodeId, &Heard)> {
        self.provers
            .iter()
            .filter(move |(_, heard)| heard.outcome == *outcome && !heard.is_struck(&self.rule))
    }
}

fn count<T>(set: &BTreeSet<T>) -> u32 {
    u32::try_from(set.len()).unwrap_or(u32::MAX)
}
