//! How a job's tasks are voted on. Every key has a default, and a policy that contradicts itself cannot be made.
//!
//! The numbers hang together: f tolerated liars need a quorum of f + 1, so that they cannot win, and 2f + 1 replicas,
//! so that they cannot block. [`PolicyDraft::resolve`] fills in what was left out from what was said.

use serde::{Deserialize, Serialize};

use crate::{
    adaptive::Adaptive,
    audit::AuditRule,
    constant::Formula,
    domain::{Axis, Engine},
    limits::REPLICAS_MAX,
    task::Audits,
};

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
    /// What is audited. (Left out of the canonical bytes where nothing is.)
    #[serde(default, skip_serializing_if = "Auditing::is_nothing")]
    pub auditing: Auditing,
}

/// What is audited before it is accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auditing {
    /// Whether all compute, or one does and the others audit.
    pub mode: Mode,
    /// Audits that an outcome must pass; 0 for none, and in audited mode for as many as the quorum leaves to auditors.
    pub audit: u32,
    /// What adaptive replication keeps, where it is asked for. (Left out of the canonical bytes where it is not.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<Adaptive>,
}

impl Auditing {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What a worker is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Each computes the task.
    #[default]
    Replicated,
    /// One computes it, and the others test what came out by random challenges.
    Audited,
}

impl Mode {
    /// The name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Replicated => "replicated",
            Self::Audited => "audited",
        }
    }
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
/// The bound on wrong values when the job file names none, in parts per million million.
pub const ERROR_PPT_DEFAULT: u64 = 1_000_000;
/// The share of answers that may lie together when the job file names none, in parts per million.
pub const FAULTY_PPM_DEFAULT: u32 = 350_000;
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
            auditing: Auditing::default(),
        }
    }

    /// How many workers it takes to decide a task of which nobody is known yet, where all of them agree.
    #[must_use]
    pub fn workers_needed(&self) -> u32 {
        self.auditing.adaptive.map_or(self.replicas, |rule| rule.check(0).checkers.saturating_add(1))
    }

    /// How audits decide; none where there are none.
    #[must_use]
    pub fn audit_rule(&self) -> Option<AuditRule> {
        let Auditing { mode, audit, .. } = self.auditing;
        let is_alone = mode == Mode::Audited;
        let others = if is_alone { self.quorum.saturating_sub(1) } else { 0 };
        let passes = audit.max(others);
        (passes > 0).then_some(AuditRule { passes, rejections: self.quorum, is_alone })
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
    /// See [`Auditing::mode`]; when left out replicated.
    pub mode: Option<Mode>,
    /// See [`Auditing::audit`]; when left out 0.
    pub audit: Option<u32>,
    /// See [`Auditing::adaptive`]; when left out none.
    pub adaptive: Option<bool>,
    /// See [`Adaptive::error_ppt`]; when left out [`ERROR_PPT_DEFAULT`].
    pub error_ppt: Option<u64>,
    /// See [`Adaptive::faulty_ppm`]; when left out [`FAULTY_PPM_DEFAULT`].
    pub faulty_ppm: Option<u32>,
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

/// In how many ways the tasks of a job can be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ways {
    /// By how many formulas.
    pub formulas: usize,
    /// On how many engines.
    pub engines: usize,
    /// By how many formulas whose outcome can be audited.
    pub audited: usize,
}

impl Ways {
    /// The ways of a task.
    #[must_use]
    pub fn of(formulas: &[Formula], engines: &[Engine], audits: Audits) -> Self {
        let audited = formulas.iter().filter(|formula| audits.cover(**formula)).count();
        Self { formulas: formulas.len(), engines: engines.len(), audited }
    }
}

impl PolicyDraft {
    /// Fills in what was left out and checks that the whole makes sense for tasks that can be computed in these ways.
    ///
    /// # Errors
    /// Every [`PolicyFault`] there is.
    pub fn resolve(self, ways: Ways) -> Result<Policy, Vec<PolicyFault>> {
        let adaptive = self.adaptive.unwrap_or(false).then(|| Adaptive {
            faulty_ppm: self.faulty_ppm.unwrap_or(FAULTY_PPM_DEFAULT),
            error_ppt: self.error_ppt.unwrap_or(ERROR_PPT_DEFAULT),
        });
        if let Some(adaptive) = adaptive {
            return self.resolve_adaptive(adaptive);
        }
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
            auditing: Auditing {
                mode: self.mode.unwrap_or_default(),
                audit: self.audit.unwrap_or(0),
                adaptive: None,
            },
        };
        let mut faults = policy.faults_of_numbers();
        let named = [("error", self.error_ppt.is_some()), ("faulty", self.faulty_ppm.is_some())];
        faults.extend(named.iter().filter(|(_, is)| *is).map(|(key, _)| PolicyFault::NotAdaptive { key }));
        faults.extend(policy.faults_of_distinct(ways));
        faults.extend(policy.faults_of_audits(ways));
        if faults.is_empty() { Ok(policy) } else { Err(faults) }
    }
}

impl PolicyDraft {
    /// One worker answers, and how many check it follows from what it has behind it.
    fn resolve_adaptive(self, adaptive: Adaptive) -> Result<Policy, Vec<PolicyFault>> {
        let numbers =
            [("tolerate", self.tolerate, 0), ("quorum", self.quorum, 1), ("replicas", self.replicas, 1)];
        let mut faults: Vec<PolicyFault> = numbers
            .into_iter()
            .filter_map(|(key, named, own)| Some((key, named.filter(|value| *value != own)?)))
            .map(|(key, value)| PolicyFault::AdaptiveNumber { key, value })
            .collect();
        let others = [
            ("sealed", self.sealed == Some(true)),
            ("electorate", self.electorate == Some(Electorate::All)),
            ("distinct", !self.distinct.is_empty()),
            ("mode", self.mode == Some(Mode::Audited)),
            ("audit", self.audit.is_some_and(|audits| audits > 0)),
        ];
        faults.extend(others.iter().filter(|(_, is)| *is).map(|(key, _)| PolicyFault::AdaptiveWith { key }));
        let lead = adaptive.lead();
        let max_replicas =
            self.max_replicas.unwrap_or(lead.saturating_mul(4).clamp(MAX_REPLICAS_DEFAULT, REPLICAS_MAX));
        if max_replicas <= lead {
            faults.push(PolicyFault::AdaptiveLead { max_replicas, lead });
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Policy {
            tolerate: 0,
            quorum: 1,
            replicas: 1,
            max_replicas,
            distinct: Vec::new(),
            electorate: Electorate::Sample,
            sealed: false,
            lease_ms: self.lease_ms.unwrap_or(LEASE_MS_DEFAULT),
            auditing: Auditing { adaptive: Some(adaptive), ..Auditing::default() },
        })
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

    fn faults_of_audits(&self, ways: Ways) -> Vec<PolicyFault> {
        let Auditing { mode, audit, .. } = self.auditing;
        let is_alone = mode == Mode::Audited;
        if audit == 0 && !is_alone {
            return Vec::new();
        }
        let mut faults = Vec::new();
        if ways.audited == 0 {
            faults.push(PolicyFault::AuditImpossible { key: if is_alone { "mode" } else { "audit" } });
        }
        if self.audit_rule().is_none() {
            faults.push(PolicyFault::AuditedByNobody);
        }
        if audit >= self.max_replicas {
            faults.push(PolicyFault::AuditOverMax { audit, max_replicas: self.max_replicas });
        }
        let compute_only = self.distinct.iter().filter(|axis| matches!(axis, Axis::Engine | Axis::Formula));
        faults.extend(
            compute_only.filter(|_| is_alone).map(|axis| PolicyFault::AuditedDistinct { axis: *axis }),
        );
        if self.sealed {
            faults.push(PolicyFault::AuditWith { key: "sealed" });
        }
        if self.electorate == Electorate::All {
            faults.push(PolicyFault::AuditWith { key: "electorate" });
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
