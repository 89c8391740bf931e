//! The audits in a certificate: each is a worker's own signature over what it tested, and they are counted by the same rule
//! as in the vote ([`Hearing`]).

use std::collections::BTreeSet;

use super::{
    CertificateFault,
    check::{Checking, count, least},
};
use crate::{audit::Hearing, ballot::Ballot, digest::Digest, identity::NodeId, ledger::Decided, task::Task};

impl Checking {
    /// Each audit is signed, is of an outcome that somebody computed here, and is its worker's only one of that prover.
    pub(super) fn audits(&mut self, decided: &Decided) -> Result<(), CertificateFault> {
        let index = decided.index;
        let mut numbers: BTreeSet<u32> =
            decided.ballots.iter().map(|counted| counted.ballot.ballot.replica.number).collect();
        let mut made: BTreeSet<(NodeId, NodeId)> = BTreeSet::new();
        for counted in &decided.audits {
            let ballot = &counted.ballot.ballot;
            let worker = ballot.worker;
            let no_audit = CertificateFault::NoAudit { index, worker };
            let Some(audited) = ballot.audit else { return Err(no_audit) };
            let is_prover =
                |computed: &Ballot| computed.worker == audited.prover && computed.digest == audited.outcome;
            let is_of_somebody = decided.ballots.iter().any(|counted| is_prover(&counted.ballot.ballot));
            let says_something = ballot.digest == audited.outcome || ballot.digest == audited.rejection();
            if !is_of_somebody || !says_something || !made.insert((worker, audited.prover)) {
                return Err(no_audit);
            }
            if !numbers.insert(ballot.replica.number) {
                return Err(CertificateFault::ReplicaTwice { index, number: ballot.replica.number });
            }
            self.authentic(&counted.ballot, index, decided.task)?;
            self.note_audit(ballot);
        }
        Ok(())
    }

    pub(super) fn note_audit(&mut self, ballot: &Ballot) {
        self.findings.audits += 1;
        self.worker(ballot).audits += 1;
    }

    /// The rules of a vote with audits: see [`Hearing`].
    pub(super) fn accept_audited(
        &mut self,
        decided: &Decided,
        accepted: Digest,
        task: &Task,
    ) -> Result<(), CertificateFault> {
        let Some(rule) = self.policy.audit_rule() else { return Ok(()) };
        let (index, quorum) = (decided.index, decided.quorum);
        let ballots = || decided.ballots.iter().map(|counted| &counted.ballot.ballot);
        let audits = || decided.audits.iter().map(|counted| &counted.ballot.ballot);
        let hearing = Hearing::new(rule, ballots(), audits());
        if !hearing.has_passed(&accepted) {
            return Err(CertificateFault::NotAudited { index, needed: rule.passes });
        }
        let supporters = hearing.supporters(&accepted);
        let agreeing = count(supporters.iter());
        if agreeing < quorum {
            return Err(CertificateFault::TooFew { index, agreeing, quorum });
        }
        let computed = || ballots().filter(|ballot| ballot.digest == accepted);
        let winners = || {
            let signed = ballots().chain(audits());
            signed.filter(|ballot| ballot.digest == accepted && supporters.contains(&ballot.worker))
        };
        if hearing.asks_for_majority() {
            let (agreeing, ballots) = (count(computed()), count(ballots()));
            if agreeing < quorum {
                return Err(CertificateFault::TooFew { index, agreeing, quorum });
            }
            if 2 * u64::from(agreeing) <= u64::from(ballots) {
                return Err(CertificateFault::NoMajority { index, agreeing, ballots });
            }
            self.differ(&computed(), index, quorum, task)?;
        } else {
            self.differ(&winners(), index, quorum, task)?;
        }
        if self.findings.trusted.workers {
            let trusted: BTreeSet<NodeId> = supporters.intersection(&self.trust).copied().collect();
            if count(trusted.iter()) < quorum {
                let trusted = count(trusted.iter());
                return Err(CertificateFault::Untrusted { index, trusted, quorum });
            }
            let trusted_winners = || winners().filter(|ballot| trusted.contains(&ballot.worker));
            self.differ(&trusted_winners(), index, quorum, task)?;
        }
        let passed = ballots()
            .filter(|ballot| ballot.digest == accepted && !hearing.is_struck(&ballot.worker))
            .map(|ballot| hearing.audits_of(&ballot.worker).0)
            .max()
            .unwrap_or(0);
        self.findings.audits_min = Some(least(self.findings.audits_min, passed));
        self.note_accepted(task, &winners(), quorum, agreeing);
        Ok(())
    }
}
