//! What is accepted was carried by its audits, where the policy asks for some: enough of them passed, more than failed, for
//! somebody who computed it and whom auditors did not strike out, and a quorum of different workers signed for it.
//!
//! The count is a plain one over what was taken, worker by worker, and knows nothing of the tally's.

use std::collections::BTreeSet;

use protocol::{digest::Digest, policy::Mode};

use super::{TaskRecord, Violation};
use crate::scenario::Scenario;

const INVARIANT: &str = "what is accepted passed its audits";

/// What the audits of an accepted outcome come to.
#[derive(Debug)]
pub(super) struct Trial {
    /// The most audits that one prover who stands passed, with those that failed.
    best: Option<(usize, usize)>,
    passes_needed: usize,
    /// Those who signed for the outcome: who computed it and stands, and who found it right.
    pub(super) signers: BTreeSet<u32>,
    /// Whether those who computed it must be a majority, too.
    pub(super) needs_majority: bool,
}

impl Trial {
    /// Counts; nothing where nothing is audited.
    pub(super) fn of(record: &TaskRecord, accepted: &Digest, scenario: &Scenario) -> Option<Self> {
        let auditing = scenario.policy.auditing;
        let quorum = scenario.policy.quorum as usize;
        let is_alone = auditing.mode == Mode::Audited;
        if !is_alone && auditing.audit == 0 {
            return None;
        }
        let others = if is_alone { quorum - 1 } else { 0 };
        let passes_needed = others.max(auditing.audit as usize);
        let (mut best, mut signers, mut is_anybody_struck) = (None, BTreeSet::new(), false);
        for (prover, outcome) in record.ballots() {
            let (passes, failures) = heard_of(record, prover, &outcome);
            if failures.len() >= quorum && failures.len() > passes.len() {
                is_anybody_struck = true;
                continue;
            }
            if outcome != *accepted {
                continue;
            }
            let heard = (passes.len(), failures.len());
            let is_carried =
                |(passes, failures): (usize, usize)| passes >= passes_needed && passes > failures;
            if best.is_none() || is_carried(heard) {
                best = Some(heard);
            }
            signers.insert(prover);
            signers.extend(passes);
        }
        Some(Self { best, passes_needed, signers, needs_majority: !is_alone && !is_anybody_struck })
    }

    /// Whether the outcome may be accepted.
    pub(super) fn check(&self, index: u64, quorum: usize) -> Result<(), Violation> {
        let fail = |what: String| Err(Violation { invariant: INVARIANT, what });
        let (passes, failures) = self.best.unwrap_or_default();
        let needed = self.passes_needed;
        if passes < needed || passes <= failures {
            return fail(format!(
                "task {index} is accepted with {passes} audits for it and {failures} against; {needed} are asked for"
            ));
        }
        let signed = self.signers.len();
        if signed < quorum {
            return fail(format!(
                "task {index} is accepted with {signed} signatures, and the quorum is {quorum}"
            ));
        }
        Ok(())
    }
}

/// Which workers found right what a prover computed, and which found it wrong; nobody is heard about itself.
fn heard_of(record: &TaskRecord, prover: u32, outcome: &Digest) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let about = record.findings().iter().filter(|finding| {
        finding.prover == prover && finding.auditor != prover && finding.outcome == *outcome
    });
    let (mut passes, mut failures) = (BTreeSet::new(), BTreeSet::new());
    for finding in about {
        if finding.passes {
            passes.insert(finding.auditor)
        } else {
            failures.insert(finding.auditor)
        };
    }
    (passes, failures)
}
