//! How a job's tasks are voted on. Every key has a default; the parser lives in [`crate::job`].

use serde::{Deserialize, Serialize};

use crate::domain::Axis;

/// The rules of the vote for one job, valid by construction of the job parser.
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

impl Policy {
    /// The policy that survives `tolerate` faulty workers, everything else by default.
    #[must_use]
    pub fn tolerating(tolerate: u32) -> Self {
        let replicas = 2 * tolerate + 1;
        Self {
            tolerate,
            quorum: tolerate + 1,
            replicas,
            max_replicas: replicas.max(9),
            distinct: Vec::new(),
            electorate: Electorate::Sample,
            lease_ms: 60_000,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::tolerating(1)
    }
}
