//! Who may answer alone: in an adaptive job a value that rests on one ballot is told only after a check of that worker has passed,
//! and being outvoted anywhere takes that away. The lots that chose the checks do not stand in the log; that there was one does.

use std::collections::BTreeSet;

use protocol::{identity::NodeId, ledger::Decided, verdict::Verdict};

/// Those who have agreed with others in an adaptive job, and were not outvoted since.
#[derive(Debug, Default)]
pub(super) struct Checked {
    passed: BTreeSet<NodeId>,
}

impl Checked {
    /// Takes the next verdict, of an adaptive job or another; says what is wrong with it.
    pub(super) fn take(&mut self, decided: &Decided, is_adaptive: bool, faults: &mut Vec<String>) {
        let Verdict::Accepted(accepted) = decided.verdict else { return };
        let ballots = || decided.ballots.iter().map(|counted| &counted.ballot.ballot);
        if let (true, [alone]) = (is_adaptive, decided.ballots.as_slice()) {
            let worker = alone.ballot.ballot.worker;
            if !self.passed.contains(&worker) {
                let (index, who) = (decided.index, worker.short());
                faults.push(format!(
                    "task {index} rests on the ballot of worker {who} alone, and no check of it passed before"
                ));
            }
            return;
        }
        for ballot in ballots() {
            if ballot.digest != accepted {
                self.passed.remove(&ballot.worker);
            } else if is_adaptive {
                self.passed.insert(ballot.worker);
            }
        }
    }
}
