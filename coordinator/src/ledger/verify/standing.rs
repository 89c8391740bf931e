//! Who is in quarantine: an engine is put there once and for a reason that the log bears out, answers known tasks only while
//! it is there, and is let back after as many right answers in a row as it takes.

use std::collections::BTreeMap;

use protocol::{domain::Engine, identity::NodeId, ledger::Record};
use verdict::standing::RIGHT_NEEDED;

/// What the entries so far say of one engine of a worker.
#[derive(Debug, Clone, Copy, Default)]
struct SoFar {
    in_quarantine: bool,
    right_in_a_row: u32,
}

/// What the entries so far say of quarantines.
#[derive(Debug, Default)]
pub(super) struct Standings {
    of: BTreeMap<(NodeId, Engine), SoFar>,
}

impl Standings {
    /// Takes the next record; says what is wrong with it.
    pub(super) fn take(&mut self, record: &Record, faults: &mut Vec<String>) {
        match record {
            Record::Quarantined(quarantined) => {
                let so_far = self.of.entry((quarantined.worker, quarantined.engine)).or_default();
                if so_far.in_quarantine {
                    let who = quarantined.worker.short();
                    faults.push(format!("worker {who} is put in quarantine, and was there before"));
                }
                *so_far = SoFar { in_quarantine: true, right_in_a_row: 0 };
            }
            Record::Tested(tested) => {
                let ballot = &tested.counted.ballot.ballot;
                let so_far = self.of.entry((ballot.worker, ballot.domain.engine)).or_default();
                if !so_far.in_quarantine {
                    let who = ballot.worker.short();
                    faults.push(format!("worker {who} is given a known task, and is in no quarantine"));
                }
                so_far.right_in_a_row = if tested.is_right() { so_far.right_in_a_row + 1 } else { 0 };
            }
            Record::Readmitted { worker, engine } => {
                let so_far = self.of.entry((*worker, *engine)).or_default();
                if !so_far.in_quarantine || so_far.right_in_a_row < RIGHT_NEEDED {
                    let (who, right) = (worker.short(), so_far.right_in_a_row);
                    faults.push(format!(
                        "worker {who} is let back after {right} right answers in a row, and it takes {RIGHT_NEEDED}"
                    ));
                }
                *so_far = SoFar::default();
            }
            _ => {}
        }
    }
}
