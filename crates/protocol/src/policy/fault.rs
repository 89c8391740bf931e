//! How a policy contradicts itself: each fault with what to change, and the keys of the job file that it is about.

use crate::domain::Axis;

/// How a policy contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// The liars that the policy is to survive could decide alone.
    #[error(
        "`quorum` is {quorum} and `tolerate` is {tolerate}, so those who lie could decide alone; set `quorum` to at \
         least {}",
        tolerate.saturating_add(1)
    )]
    QuorumTolerated {
        /// The quorum.
        quorum: u32,
        /// The tolerated liars.
        tolerate: u32,
    },
    /// The quorum cannot be reached by the first replicas.
    #[error(
        "`quorum` is {quorum}, which `replicas` = {replicas} cannot reach; set `replicas` to at least {quorum}, or \
         `quorum` to at most {replicas}"
    )]
    QuorumOverReplicas {
        /// The quorum.
        quorum: u32,
        /// The replicas.
        replicas: u32,
    },
    /// A minority of the replicas would be a quorum.
    #[error(
        "`quorum` is {quorum}, which is not more than half of `replicas` = {replicas}; set `quorum` to at least {}",
        replicas / 2 + 1
    )]
    QuorumNoMajority {
        /// The quorum.
        quorum: u32,
        /// The replicas.
        replicas: u32,
    },
    /// More replicas than a dispute may have.
    #[error(
        "`replicas` is {replicas}, which is more than `max_replicas` = {max_replicas}; set `max_replicas` to at \
         least {replicas}"
    )]
    ReplicasOverMax {
        /// The replicas.
        replicas: u32,
        /// Their bound.
        max_replicas: u32,
    },
    /// The tolerated liars could keep every dispute undecided.
    #[error(
        "`max_replicas` is {max_replicas}, where `tolerate` = {tolerate} who lie leave no `quorum` of {quorum}; set \
         `max_replicas` to at least {}",
        quorum.saturating_add(*tolerate)
    )]
    MaxReplicasTooFew {
        /// The bound.
        max_replicas: u32,
        /// The quorum.
        quorum: u32,
        /// The tolerated liars.
        tolerate: u32,
    },
    /// An axis is named twice.
    #[error("`distinct` names `{axis}` twice; name it once")]
    DistinctTwice {
        /// The axis.
        axis: Axis,
    },
    /// All ballots on such a task share the axis' only value.
    #[error("`distinct` names `{axis}`, and the tasks of this kind of job have only one; remove it")]
    DistinctImpossible {
        /// The axis.
        axis: Axis,
    },
    /// A single winning ballot differs from nothing.
    #[error(
        "`distinct` asks winning ballots to differ, and `quorum` = 1 needs only one; set `quorum` to at least 2, \
         or remove `distinct`"
    )]
    DistinctAlone,
    /// Audits of what cannot be audited.
    #[error(
        "`{key}` asks for audits, and nothing that computes this can be audited: decimals by series can, and expressions and \
         ranges; remove it"
    )]
    AuditImpossible {
        /// The key that asks for them.
        key: &'static str,
    },
    /// A lone worker that nobody audits.
    #[error(
        "`mode` is \"audited\" and `quorum` is 1, so that nobody would audit; set `quorum` to at least 2, or `audit` to at least 1"
    )]
    AuditedByNobody,
    /// More audits than there may be workers on a task.
    #[error(
        "`audit` is {audit}, and `max_replicas` = {max_replicas} leaves no worker to be asked after a failed one; set `max_replicas` to at \
         least {}",
        audit.saturating_add(1)
    )]
    AuditOverMax {
        /// The audits.
        audit: u32,
        /// The bound.
        max_replicas: u32,
    },
    /// Auditors do not differ there.
    #[error(
        "`distinct` names `{axis}` and `mode` is \"audited\": auditors do not compute, so that they cannot differ there; remove \
         it, or set `mode` to \"replicated\" and `audit` to at least 1"
    )]
    AuditedDistinct {
        /// The axis.
        axis: Axis,
    },
    /// Two ways to vote that do not go together.
    #[error("`{key}` and audits do not go together: an auditor must see what it tests; remove one of them")]
    AuditWith {
        /// The other key.
        key: &'static str,
    },
    /// Numbers that adaptive replication chooses itself.
    #[error(
        "`adaptive` chooses for each task how many compute it, and `{key}` is {value}; remove `{key}`, or `adaptive`"
    )]
    AdaptiveNumber {
        /// The key.
        key: &'static str,
        /// What it says.
        value: u32,
    },
    /// Ways to vote that adaptive replication does not know.
    #[error("`adaptive` and `{key}` do not go together; remove one of them")]
    AdaptiveWith {
        /// The other key.
        key: &'static str,
    },
    /// A bound without adaptive replication.
    #[error("`{key}` is for adaptive replication, which is off; set `adaptive = true`, or remove `{key}`")]
    NotAdaptive {
        /// The key.
        key: &'static str,
    },
    /// A dispute could never be decided.
    #[error(
        "`max_replicas` is {max_replicas}, and a dispute is decided by a lead of {lead} ballots; set `max_replicas` to at least {}, \
         or leave it out",
        lead.saturating_add(1)
    )]
    AdaptiveLead {
        /// The bound.
        max_replicas: u32,
        /// The lead.
        lead: u32,
    },
}

impl PolicyFault {
    /// The keys that the fault is about, the one to look at first before the others.
    #[must_use]
    pub fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::QuorumTolerated { .. } => &["quorum", "tolerate", "replicas"],
            Self::QuorumOverReplicas { .. } | Self::QuorumNoMajority { .. } => {
                &["quorum", "replicas", "tolerate"]
            }
            Self::ReplicasOverMax { .. } => &["replicas", "max_replicas"],
            Self::MaxReplicasTooFew { .. } => &["max_replicas", "quorum", "tolerate"],
            Self::DistinctTwice { .. } | Self::DistinctImpossible { .. } | Self::DistinctAlone => {
                &["distinct"]
            }
            Self::AuditImpossible { .. } | Self::AuditedByNobody => &["mode", "audit"],
            Self::AuditOverMax { .. } => &["audit", "max_replicas"],
            Self::AuditedDistinct { .. } => &["distinct", "mode"],
            Self::AuditWith { .. } => &["sealed", "electorate"],
            Self::AdaptiveNumber { key: "quorum", .. } => &["quorum", "adaptive"],
            Self::AdaptiveNumber { key: "replicas", .. } => &["replicas", "adaptive"],
            Self::AdaptiveNumber { .. } => &["tolerate", "adaptive"],
            Self::AdaptiveWith { .. } => &["sealed", "electorate", "distinct", "mode", "audit", "adaptive"],
            Self::NotAdaptive { key: "faulty" } => &["faulty"],
            Self::NotAdaptive { .. } => &["error"],
            Self::AdaptiveLead { .. } => &["max_replicas"],
        }
    }
}
