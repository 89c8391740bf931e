//! From what a job file names to a whole policy: what is left out follows from what is named, and what contradicts itself is
//! told, all of it at once.

use super::{
    Auditing, ERROR_PPT_DEFAULT, Electorate, FAULTY_PPM_DEFAULT, LEASE_MS_DEFAULT, MAX_REPLICAS_DEFAULT,
    Mode, Policy, PolicyFault,
};
use crate::{
    adaptive::Adaptive,
    constant::Formula,
    domain::{Axis, Engine},
    limits::REPLICAS_MAX,
    task::Audits,
};

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
