//! A tally as it stands in the ledger once it has ended, and as it is made again from there.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    ballot::{AuthenticBallot, ReplicaId},
    identity::NodeId,
    job::JobId,
    ledger::{CountedBallot, Decided},
    verdict::Verdict,
};

use super::{Cast, Correction, Decision, Rules, State, Tally, trials::Trials};
use crate::input::TaskTerms;

impl Tally {
    /// What is written down when the vote has ended in `verdict`.
    pub(crate) fn to_record(&self, job: JobId, index: u64, verdict: Verdict) -> Decided {
        let counted =
            |cast: &Cast| CountedBallot { ballot: cast.ballot.signed().clone(), compute_us: cast.compute_us };
        Decided {
            job,
            index,
            task: self.terms.id,
            verdict,
            quorum: self.rules.quorum,
            opened_ms: self.opened_ms,
            disputed: self.disputed,
            ballots: self.ballots.values().map(counted).collect(),
            equivocations: self.equivocations.values().cloned().collect(),
            audits: self.audits().iter().filter(|cast| !cast.late).map(counted).collect(),
        }
    }

    /// Who has voted, equivocators included, and as which replica.
    pub(crate) fn voters(&self) -> impl Iterator<Item = (NodeId, ReplicaId)> {
        let all = self.ballots.values().chain(self.audits()).map(|cast| cast.ballot.ballot());
        let counted = all.map(|said| (said.worker, said.replica));
        let doubled = self.equivocations.iter().filter(|(worker, _)| !self.ballots.contains_key(worker));
        counted.chain(doubled.map(|(worker, [first, _])| (*worker, first.ballot.replica)))
    }

    /// The vote that ended as `record` says. Its dissenters are still to be told.
    pub(crate) fn restored(terms: TaskTerms, rules: Rules, record: &Decided, decided_ms: u64) -> Self {
        // The ledger's hashes vouch for what was checked before it was written.
        let authentic = |counted: &CountedBallot| {
            let ballot = Box::new(AuthenticBallot::assume_authentic(counted.ballot.clone()));
            let cast = Cast { ballot, compute_us: counted.compute_us, late: false, outcome_held: false };
            (counted.ballot.ballot.worker, cast)
        };
        let ballots: BTreeMap<NodeId, Cast> = record.ballots.iter().map(authentic).collect();
        let audits = record.audits.iter().map(|counted| authentic(counted).1).collect();
        let trials = rules.audit.map(|rule| Box::new(Trials::restored(rule, audits)));
        let equivocations = record.equivocations.iter().map(|pair| (pair[0].ballot.worker, pair.clone()));
        let state = match &record.verdict {
            Verdict::Accepted(accepted) => State::Decided(Decision {
                accepted: *accepted,
                decided_ms,
                held: false,
                corrections: ballots
                    .iter()
                    .filter(|(_, cast)| cast.ballot.ballot().digest != *accepted)
                    .map(|(worker, _)| (*worker, Correction::Unheard))
                    .collect(),
                asked: BTreeSet::new(),
                rerun: false,
            }),
            ended @ (Verdict::Undecided | Verdict::Failed(_)) => State::Exhausted(ended.clone()),
        };
        Self {
            terms,
            trials,
            seats: u32::try_from(ballots.len()).unwrap_or(u32::MAX),
            rules: Rules { quorum: record.quorum, ..rules },
            issued: Vec::new(),
            ballots,
            equivocations: equivocations.collect(),
            excused: BTreeSet::new(),
            expired: BTreeMap::new(),
            pardoned: 0,
            failures: Vec::new(),
            broken_seals: BTreeMap::new(),
            reveal_due_ms: None,
            // Who was asked in the former life is not known: late ballots may follow in the ledger.
            closes_ms: Some(decided_ms),
            is_closed: false,
            decided_number: 0,
            disputed: record.disputed,
            opened_ms: record.opened_ms,
            state,
        }
    }
}
