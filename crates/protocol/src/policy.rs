//! How a job's tasks are voted on. Every key has a default, and a policy that contradicts itself cannot be made.
//!
//! The numbers hang together: f tolerated liars need a quorum of f + 1, so that they cannot win, and 2f + 1 replicas,
//! so that they cannot block. [`PolicyDraft::resolve`] fills in what was left out from what was said.

use serde::{Deserialize, Serialize};

use crate::domain::Axis;

/// The rules of the vote for one job, valid by construction of [`PolicyDraft::resolve`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How many lying or broken workers to survive (f).
    pub tolerate: u32,
    /// Agreeing ballots needed; default f + 1, at least 1.
    pub quorum: u32,
    /// Replicas leased at first; default 2f + 1, at least `quorum`.
    pub replicas: u32,
    /// Most replicas that a dispute may grow to; at least `replicas`.
    pub max_replicas: u32,
    /// Winning ballots must differ on these axes.
    pub distinct: Vec<Axis>,
    /// Who is asked.
    pub electorate: Electorate,
    /// Whether workers commit to their ballots before any is revealed.
    pub sealed: bool,
    /// How long a worker may go without a sign of progress, in milliseconds.
    pub lease_ms: u64,
}

/// Who is asked to cast a ballot on a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Electorate {
    /// As many workers as the policy has replicas.
    Sample,
    /// Every live worker; more than half of them must agree.
    All,
}

impl Electorate {
    /// The name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::All => "all",
        }
    }
}

/// A lease when the job file names none, in milliseconds.
pub const LEASE_MS_DEFAULT: u64 = 60_000;
/// `max_replicas` when the job file names none, unless `replicas` is more.
pub const MAX_REPLICAS_DEFAULT: u32 = 9;

impl Policy {
    /// The policy that survives `tolerate` faulty workers, everything else by default.
    #[must_use]
    pub fn tolerating(tolerate: u32) -> Self {
        let replicas = tolerate.saturating_mul(2).saturating_add(1);
        Self {
            tolerate,
            quorum: tolerate.saturating_add(1),
            replicas,
            max_replicas: replicas.max(MAX_REPLICAS_DEFAULT),
            distinct: Vec::new(),
            electorate: Electorate::Sample,
            sealed: false,
            lease_ms: LEASE_MS_DEFAULT,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::tolerating(1)
    }
}

/// A policy as far as somebody has said what they want.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyDraft {
    /// See [`Policy::tolerate`]. When left out: 1, or what the `quorum` or the `replicas` that were named allow.
    pub tolerate: Option<u32>,
    /// See [`Policy::quorum`]. When left out: `tolerate` + 1, or more than half of the `replicas` that were named.
    pub quorum: Option<u32>,
    /// See [`Policy::replicas`]. When left out: 2 · `tolerate` + 1, or `quorum` where that is more.
    pub replicas: Option<u32>,
    /// See [`Policy::max_replicas`]. When left out: 9, or as many as the other numbers need.
    pub max_replicas: Option<u32>,
    /// See [`Policy::distinct`].
    pub distinct: Vec<Axis>,
    /// See [`Policy::electorate`]; when left out a sample.
    pub electorate: Option<Electorate>,
    /// See [`Policy::sealed`]; when left out false.
    pub sealed: Option<bool>,
    /// See [`Policy::lease_ms`]; when left out [`LEASE_MS_DEFAULT`].
    pub lease_ms: Option<u64>,
}

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
        }
    }
}

/// In how many ways the tasks of a job can be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ways {
    /// By how many formulas.
    pub formulas: usize,
    /// On how many engines.
    pub engines: usize,
}

impl PolicyDraft {
    /// Fills in what was left out and checks that the whole makes sense for tasks that can be computed in these ways.
    ///
    /// # Errors
    /// Every [`PolicyFault`] there is.
    pub fn resolve(self, ways: Ways) -> Result<Policy, Vec<PolicyFault>> {
        let tolerate = match (self.tolerate, self.quorum, self.replicas) {
            (Some(tolerate), ..) => tolerate,
            (None, None, None) => 1,
            (None, Some(quorum), None) => quorum.saturating_sub(1),
            (None, None, Some(replicas)) => replicas.saturating_sub(1) / 2,
            // A quorum of q falls to q liars and is blocked when fewer than q honest ones are left.
            (None, Some(quorum), Some(replicas)) => {
                quorum.saturating_sub(1).min(replicas.saturating_sub(quorum))
            }
        };
        let majority = self.replicas.map_or(1, |replicas| replicas / 2 + 1);
        let quorum = self.quorum.unwrap_or(tolerate.saturating_add(1).max(majority));
        let replicas = self.replicas.unwrap_or(tolerate.saturating_mul(2).saturating_add(1).max(quorum));
        let needed = replicas.max(quorum.saturating_add(tolerate));
        let max_replicas = self.max_replicas.unwrap_or(needed.max(MAX_REPLICAS_DEFAULT));
        let policy = Policy {
            tolerate,
            quorum,
            replicas,
            max_replicas,
            distinct: self.distinct,
            electorate: self.electorate.unwrap_or(Electorate::Sample),
            sealed: self.sealed.unwrap_or(false),
            lease_ms: self.lease_ms.unwrap_or(LEASE_MS_DEFAULT),
        };
        let mut faults = policy.faults_of_numbers();
        faults.extend(policy.faults_of_distinct(ways));
        if faults.is_empty() { Ok(policy) } else { Err(faults) }
    }
}

impl Policy {
    fn faults_of_numbers(&self) -> Vec<PolicyFault> {
        let Self { tolerate, quorum, replicas, max_replicas, .. } = *self;
        let mut faults = Vec::new();
        if quorum <= tolerate {
            faults.push(PolicyFault::QuorumTolerated { quorum, tolerate });
        }
        if quorum > replicas {
            faults.push(PolicyFault::QuorumOverReplicas { quorum, replicas });
        } else if quorum <= replicas / 2
            && (quorum > tolerate || replicas != tolerate.saturating_mul(2).saturating_add(1))
        {
            // With the default replicas this only repeats the fault above.
            faults.push(PolicyFault::QuorumNoMajority { quorum, replicas });
        }
        if replicas > max_replicas {
            faults.push(PolicyFault::ReplicasOverMax { replicas, max_replicas });
        } else if max_replicas < quorum.saturating_add(tolerate) {
            faults.push(PolicyFault::MaxReplicasTooFew { max_replicas, quorum, tolerate });
        }
        faults
    }

    fn faults_of_distinct(&self, ways: Ways) -> Vec<PolicyFault> {
        let mut faults = Vec::new();
        for axis in Axis::ALL {
            let named = self.distinct.iter().filter(|other| **other == axis).count();
            if named > 1 {
                faults.push(PolicyFault::DistinctTwice { axis });
            }
            let values = match axis {
                Axis::Formula => ways.formulas,
                Axis::Engine => ways.engines,
                Axis::Operator | Axis::Device => usize::MAX,
            };
            if named > 0 && values < 2 {
                faults.push(PolicyFault::DistinctImpossible { axis });
            }
        }
        if !self.distinct.is_empty() && self.quorum == 1 {
            faults.push(PolicyFault::DistinctAlone);
        }
        faults
    }
}
