//! Whoever is held back for a fault of its kind of device: an engine of another worker was wrong there twice, and it has not
//! answered a known task rightly since. Nobody gets into quarantine on the word of another, and no honest engine is held back
//! for ever.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    domain::Engine,
    fault::{DeviceKind, LocatedFault},
    ledger::Enrolment,
    standing::QuarantineReason,
};
use verdict::Machine;

use super::{Members, Violation};
use crate::{
    scenario::Scenario,
    values::{node_id, worker_name, worker_number},
};

const INVARIANT: &str = "an engine is held back for a fault of its kind, until its own answer";
const NOT_FOR_EVER: &str = "no honest engine is held back for ever";

/// What the log says of a kind of device that gave a wrong value.
#[derive(Debug, Default)]
struct Plain {
    /// Whose engines were wrong twice in the same way.
    wrong_twice: BTreeSet<u32>,
    /// Who has answered rightly since, or had done that very task.
    right: BTreeSet<u32>,
    /// Who has answered otherwise.
    wrong: BTreeSet<u32>,
}

/// What the log says of kinds of device.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    enrolled: BTreeMap<u32, Enrolment>,
    of: BTreeMap<DeviceKind, Plain>,
}

impl Kinds {
    pub(super) fn enrolled(&mut self, enrolment: &Enrolment) {
        self.enrolled.insert(worker_number(&enrolment.worker), enrolment.clone());
    }

    pub(super) fn located(&mut self, fault: &LocatedFault) {
        if fault.lasting().is_some() {
            let plain = self.of.entry(DeviceKind::in_domain(&fault.domain)).or_default();
            plain.wrong_twice.insert(worker_number(&fault.worker));
            plain.right.extend(fault.alike.iter().map(worker_number));
        }
    }

    fn kinds(&self, worker: u32, engine: Engine) -> impl Iterator<Item = DeviceKind> {
        let enrolment = self.enrolled.get(&worker);
        let engines = enrolment.into_iter().flat_map(|it| it.engines.iter().map(|own| (own, &it.build)));
        let own = engines.filter(move |(own, _)| own.engine == engine);
        own.map(|(own, build)| DeviceKind::of(own.engine, &own.device, build))
    }

    /// The kind for which an engine that is in no quarantine has to answer a known task.
    fn asks(&self, worker: u32, engine: Engine) -> Option<DeviceKind> {
        self.kinds(worker, engine).find(|kind| {
            let is_asked = |plain: &Plain| {
                let is_enough = kind.engine == Engine::Gpu || plain.wrong_twice.len() > 1;
                is_enough && !plain.right.contains(&worker)
            };
            self.of.get(kind).is_some_and(is_asked)
        })
    }

    pub(super) fn is_held(&self, worker: u32, engine: Engine) -> bool {
        self.asks(worker, engine).is_some()
    }

    /// An engine that is in no quarantine answered a known task.
    pub(super) fn tested(&mut self, worker: u32, engine: Engine, is_right: bool) {
        let Some(plain) = self.asks(worker, engine).and_then(|kind| self.of.get_mut(&kind)) else { return };
        let answered = if is_right { &mut plain.right } else { &mut plain.wrong };
        answered.insert(worker);
    }

    /// An engine has come back out of a quarantine.
    pub(super) fn readmitted(&mut self, worker: u32, engine: Engine) {
        let kinds: Vec<DeviceKind> = self.kinds(worker, engine).collect();
        for kind in kinds {
            self.of.remove(&kind);
        }
    }

    /// Whether an engine may be put in quarantine for this: for what it did itself.
    pub(super) fn has_grounds(&self, worker: u32, engine: Engine, reason: &QuarantineReason) -> bool {
        let mut plains = self.kinds(worker, engine).filter_map(|kind| self.of.get(&kind));
        match reason {
            QuarantineReason::Lasting(_) => plains.any(|plain| plain.wrong_twice.contains(&worker)),
            QuarantineReason::Kind { worker: other, .. } => {
                let other = worker_number(other);
                plains.any(|plain| plain.wrong_twice.contains(&other) && plain.wrong.contains(&worker))
            }
            _ => false,
        }
    }

    /// What the machine knows is what the log says, of engines that are in no quarantine.
    pub(super) fn check(
        &self,
        machine: &Machine,
        free: impl Fn(u32, Engine) -> bool,
    ) -> Result<(), Violation> {
        for worker in self.enrolled.keys() {
            for engine in [Engine::Cpu, Engine::Gpu].into_iter().filter(|engine| free(*worker, *engine)) {
                let known = machine.held_back(&node_id(*worker), engine).is_some();
                if known != self.is_held(*worker, engine) {
                    let (who, said) = (worker_name(*worker), if known { "is held back" } else { "is free" });
                    let what = format!("the {engine} of {who} {said}, and the log has {:?}", self.of);
                    return Err(Violation { invariant: INVARIANT, what });
                }
            }
        }
        Ok(())
    }

    /// At the end, whoever is here and honest is asked for what it can refute.
    pub(super) fn check_end(
        &self,
        machine: &Machine,
        scenario: &Scenario,
        members: &impl Members,
    ) -> Result<(), Violation> {
        if machine.jobs().all(|(_, job)| job.state().is_over()) {
            return Ok(());
        }
        for (number, member) in (0..).zip(&scenario.members) {
            let engine = member.engine;
            if !member.behaviour.is_faulty() && members.is_there(number) && self.is_held(number, engine) {
                let what = format!("the {engine} of {} was never asked", worker_name(number));
                return Err(Violation { invariant: NOT_FOR_EVER, what });
            }
        }
        Ok(())
    }
}
