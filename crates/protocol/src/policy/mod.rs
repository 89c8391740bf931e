//! How a job's tasks are voted on. Every key has a default, and a policy that contradicts itself cannot be made.
//!
//! The numbers hang together: f tolerated liars need a quorum of f + 1, so that they cannot win, and 2f + 1 replicas,
//! so that they cannot block. [`PolicyDraft::resolve`] fills in what was left out from what was said.

mod draft;
mod fault;

use serde::{Deserialize, Serialize};

pub use self::{
    draft::{PolicyDraft, Ways},
    fault::PolicyFault,
};
use crate::{adaptive::Adaptive, audit::AuditRule, domain::Axis};

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
