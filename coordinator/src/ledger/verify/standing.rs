//! Who is in quarantine: an engine is put there once and for a reason that the log bears out, answers known tasks only while
//! it is there or is held back for a fault of its kind of device, and is let back after as many right answers in a row as it
//! takes. Nobody is put there on the word of another.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    domain::Engine,
    fault::{DeviceKind, LocatedFault, Stretch},
    identity::NodeId,
    ledger::Record,
    standing::{QuarantineReason, Quarantined, Tested},
};
use verdict::standing::RIGHT_NEEDED;

/// What the entries so far say of one engine of a worker.
#[derive(Debug, Clone, Copy, Default)]
struct SoFar {
    in_quarantine: bool,
    right_in_a_row: u32,
    /// The first fault, since it was let in or back, that came out the same when it was computed again.
    lasting: Option<Stretch>,
    /// Whether it answered a known task wrongly that it was given for a fault of its kind.
    failed_for_kind: bool,
    /// Whether it revealed another ballot than the one that it had committed to.
    broke_seal: bool,
}

/// What the entries so far say of quarantines.
#[derive(Debug, Default)]
pub(super) struct Standings {
    of: BTreeMap<(NodeId, Engine), SoFar>,
    /// Whose engines of a kind ever had a fault that came out the same again, and the faults.
    kinds: BTreeMap<DeviceKind, BTreeSet<NodeId>>,
    faults: BTreeSet<(NodeId, Engine, String)>,
}

impl Standings {
    /// Takes the next record; says what is wrong with it.
    pub(super) fn take(&mut self, record: &Record, faults: &mut Vec<String>) {
        match record {
            Record::Quarantined(quarantined) => self.quarantined(quarantined, faults),
            Record::Tested(tested) => self.tested(tested, faults),
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
            Record::Located(fault) => self.located(fault),
            Record::SealBroken(broken) => {
                // It is about the key, and so about every engine behind it.
                for engine in [Engine::Cpu, Engine::Gpu] {
                    let worker = broken.ballot.ballot.worker;
                    self.of.entry((worker, engine)).or_default().broke_seal = true;
                }
            }
            _ => {}
        }
    }

    fn located(&mut self, fault: &LocatedFault) {
        let Some(stretch) = fault.lasting() else { return };
        let (worker, engine) = (fault.worker, fault.domain.engine);
        self.kinds.entry(DeviceKind::in_domain(&fault.domain)).or_default().insert(worker);
        self.faults.insert((worker, engine, stretch.to_string()));
        let so_far = self.of.entry((worker, engine)).or_default();
        if !so_far.in_quarantine {
            so_far.lasting.get_or_insert(stretch);
        }
    }

    fn quarantined(&mut self, quarantined: &Quarantined, faults: &mut Vec<String>) {
        let Quarantined { worker, engine, reason, .. } = quarantined;
        let so_far = self.of.entry((*worker, *engine)).or_default();
        let who = worker.short();
        if so_far.in_quarantine {
            faults.push(format!("worker {who} is put in quarantine, and was there before"));
        }
        let has_grounds = match reason {
            QuarantineReason::Lasting(stretch) => so_far.lasting == Some(*stretch),
            QuarantineReason::Kind { worker: other, stretch } => {
                so_far.failed_for_kind && self.faults.contains(&(*other, *engine, stretch.to_string()))
            }
            QuarantineReason::BrokeSeal => so_far.broke_seal,
            // These follow from verdicts, by rules that may change: they judge nobody anew.
            QuarantineReason::Equivocated
            | QuarantineReason::WrongInARow(_)
            | QuarantineReason::ErrorRate { .. } => true,
        };
        if !has_grounds {
            faults.push(format!(
                "worker {who} is put in quarantine because {reason}, and no entry bears that out"
            ));
        }
        *so_far = SoFar { in_quarantine: true, ..SoFar::default() };
    }

    fn tested(&mut self, tested: &Tested, faults: &mut Vec<String>) {
        let ballot = &tested.counted.ballot.ballot;
        let engine = ballot.domain.engine;
        let so_far = self.of.entry((ballot.worker, engine)).or_default();
        if so_far.in_quarantine {
            so_far.right_in_a_row = if tested.is_right() { so_far.right_in_a_row + 1 } else { 0 };
            return;
        }
        // A worker with several cards may answer by another one than that which is in question.
        let needed = if engine == Engine::Cpu { 2 } else { 1 };
        let is_asked = |(kind, workers): (&DeviceKind, &BTreeSet<NodeId>)| {
            kind.engine == engine && workers.len() >= needed
        };
        if !self.kinds.iter().any(is_asked) {
            let who = ballot.worker.short();
            faults.push(format!("worker {who} is given a known task, and is in no quarantine"));
        }
        so_far.failed_for_kind = !tested.is_right();
    }
}
