//! Kinds of device that gave a wrong value, and the same one again when they computed it again.
//!
//! A driver that is broken is broken on every machine that has it, so a fault of one engine is a question to all of its
//! kind. But whoever joins may claim any device: the word of one worker puts nobody else out. It opens a *case*, and in a case
//! each engine of the kind has to answer one task whose answer is known, first of all the very task at which the fault was
//! located, before it gets further leases that count. Who answers rightly goes on; who does not is put in quarantine, on its
//! own word. The case is closed when an engine of the kind has come all the way back out of a quarantine.
//!
//! Processors fail one by one, and many machines have the same: there it takes two workers to open a case.

use std::collections::BTreeMap;

use protocol::{
    constant::Formula,
    digest::Digest,
    domain::Engine,
    fault::{DeviceKind, LocatedFault, Stretch},
    identity::NodeId,
    job::JobId,
};

/// How many cases are kept; the oldest go first.
const CASES_MAX: usize = 64;

/// A task at which a fault was located.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Of which job.
    pub job: JobId,
    /// The task's number.
    pub index: u64,
    /// What was accepted.
    pub accepted: Digest,
    /// By which formula it was computed.
    pub formula: Formula,
}

/// What is known of a kind of device that gave a wrong value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Counts the cases: an engine that has answered rightly in one is asked again in a later one.
    pub number: u64,
    /// Whose engine gave the value.
    pub first: NodeId,
    /// Which value.
    pub stretch: Stretch,
    /// At which task.
    pub known: Known,
    /// Whether engines of the kind have to answer a known task: a processor's first fault is noted only.
    pub is_open: bool,
}

/// The cases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cases {
    of: BTreeMap<DeviceKind, Case>,
    numbered: u64,
}

impl Cases {
    /// The case of a kind, noted or open.
    #[must_use]
    pub fn get(&self, kind: &DeviceKind) -> Option<&Case> {
        self.of.get(kind)
    }

    /// Whether a job is kept for the task that it gives to engines of some kind.
    #[must_use]
    pub fn needs(&self, job: &JobId) -> bool {
        self.of.values().any(|case| case.known.job == *job)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// A fault was located that came out the same when it was computed again. Returns the number of the case, and the kind of
    /// one that went for it.
    pub(crate) fn note(&mut self, fault: &LocatedFault, stretch: Stretch) -> (u64, Option<DeviceKind>) {
        let kind = DeviceKind::in_domain(&fault.domain);
        if let Some(case) = self.of.get_mut(&kind) {
            case.is_open |= case.first != fault.worker;
            return (case.number, None);
        }
        let mut gone = None;
        if self.of.len() >= CASES_MAX {
            gone = self.of.iter().min_by_key(|(_, case)| case.number).map(|(kind, _)| kind.clone());
            self.of.retain(|kind, _| Some(kind) != gone.as_ref());
        }
        self.numbered += 1;
        let (job, index, accepted, formula) = (fault.job, fault.index, fault.accepted, fault.domain.formula);
        let known = Known { job, index, accepted, formula };
        let is_open = kind.engine != Engine::Cpu;
        let (number, first) = (self.numbered, fault.worker);
        self.of.insert(kind, Case { number, first, stretch, known, is_open });
        (number, gone)
    }

    /// An engine of the kind has come back out of a quarantine; whether there was a case.
    pub(crate) fn close(&mut self, kind: &DeviceKind) -> bool {
        self.of.remove(kind).is_some()
    }
}
