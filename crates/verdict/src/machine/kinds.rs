//! What a located fault means: for the engine whose fault it is, and for all others of its kind of device.
//!
//! The engine itself is put in quarantine on its own word: it computed the value again, and it was wrong again. Others of the
//! kind ([`crate::kinds`]) are held back until they have answered one known task, those that join later too. They are given it at
//! once, so an honest one is back after a task, and whatever waits for it is decided. Which engines are held back follows from
//! what is written down: faults, the answers to known tasks, and who was let back.

use protocol::{
    domain::Engine,
    fault::{DeviceKind, LocatedFault},
    identity::NodeId,
    ledger::Record,
    standing::QuarantineReason,
};

use super::Machine;
use crate::{
    input::{Output, Rejected},
    kinds::{Case, Cases, Known},
    standing::Shut,
    worker::Worker,
};

impl Machine {
    /// It was looked for where the computation of a dissenter went wrong.
    pub(super) fn fault_located(&mut self, fault: Box<LocatedFault>) -> Result<(), Rejected> {
        let LocatedFault { worker, job, index, .. } = *fault;
        if !self.workers.contains_key(&worker) {
            return Err(Rejected::UnknownWorker(worker));
        }
        let record = self.jobs.get(&job).ok_or(Rejected::UnknownJob(job))?;
        let is_its = index < record.task_count();
        if !is_its || record.terms(index).is_none_or(|terms| terms.id != fault.task) {
            return Err(Rejected::UnknownTask { job, index });
        }
        self.note_located(&fault);
        self.outputs.push_back(Output::Record(Box::new(Record::Located(fault))));
        self.to_judge.insert((worker, job));
        Ok(())
    }

    /// A located fault is written down.
    pub(super) fn note_located(&mut self, fault: &LocatedFault) {
        let Some(stretch) = fault.lasting().filter(|_| self.config.quarantines) else { return };
        let engine = fault.domain.engine;
        self.standings.failed(fault.worker, engine, QuarantineReason::Lasting(stretch));
        let (case, gone) = self.cases.note(fault, stretch);
        for worker in fault.alike.iter().filter(|worker| **worker != fault.worker) {
            self.standings.cleared(*worker, engine, case);
        }
        self.look_at_kind(&DeviceKind::in_domain(&fault.domain));
        if let Some(kind) = gone {
            self.look_at_kind(&kind);
        }
    }

    /// The engines of a kind are held back, or are not any more.
    fn look_at_kind(&mut self, kind: &DeviceKind) {
        let is_of_it = |worker: &Worker| worker.kinds(kind.engine).any(|own| own == *kind);
        let of_it: Vec<NodeId> =
            self.workers.iter().filter(|(_, worker)| is_of_it(worker)).map(|(id, _)| *id).collect();
        for id in of_it {
            self.take_standing(id);
        }
    }

    /// The case for which an engine has to answer a known task before it gets leases that count. One that is in quarantine
    /// has more to answer.
    pub fn held_back(&self, id: &NodeId, engine: Engine) -> Option<&Case> {
        let worker = self.workers.get(id).filter(|_| !self.cases.is_empty())?;
        let record = self.standings.get(id).map(|standing| *standing.with(engine)).unwrap_or_default();
        let case = self.case_of(worker, engine).filter(|case| case.number > record.cleared)?;
        record.quarantine.is_none().then_some(case)
    }

    /// The case that holds some engine of a worker back.
    pub(super) fn case_that_holds(&self, id: &NodeId) -> Option<&Case> {
        [Engine::Cpu, Engine::Gpu].into_iter().find_map(|engine| self.held_back(id, engine))
    }

    /// The kinds of device of which engines have to answer a known task.
    pub fn cases(&self) -> &Cases {
        &self.cases
    }

    /// The newest open case of a worker's devices whose task can be given out.
    fn case_of(&self, worker: &Worker, engine: Engine) -> Option<&Case> {
        if self.cases.is_empty() {
            return None;
        }
        let cases = worker.kinds(engine).filter_map(|kind| self.cases.get(&kind));
        let is_askable = |case: &&Case| case.is_open && self.jobs.contains_key(&case.known.job);
        cases.filter(is_askable).max_by_key(|case| case.number)
    }

    /// The task at which a fault of its kind of device was located, for an engine that is held back, or in quarantine and has
    /// answered nothing rightly yet.
    pub(super) fn known_of_case(&self, id: &NodeId, engine: Engine) -> Option<Known> {
        let worker = self.workers.get(id).filter(|_| !self.cases.is_empty())?;
        match self.standings.get(id).and_then(|standing| standing.with(engine).quarantine) {
            None => self.held_back(id, engine).map(|case| case.known),
            Some(quarantine) if quarantine.right_in_a_row > 0 => None,
            // Its own fault may be the only one of its kind.
            Some(_) => {
                let mut cases = worker.kinds(engine).filter_map(|kind| self.cases.get(&kind));
                cases.find(|case| self.jobs.contains_key(&case.known.job)).map(|case| case.known)
            }
        }
    }

    /// The engines of a worker that are held back, and all that get no leases that count.
    pub(super) fn shut_of(&self, id: &NodeId) -> [Shut; 2] {
        let held = [Engine::Cpu, Engine::Gpu]
            .into_iter()
            .fold(Shut::default(), |shut, engine| shut.with(engine, self.held_back(id, engine).is_some()));
        let shut = self.standings.shut(id);
        let all = [Engine::Cpu, Engine::Gpu]
            .into_iter()
            .fold(shut, |shut, engine| shut.with(engine, held.has(engine)));
        [held, all]
    }

    /// An engine answered a known task: where it was held back, it is not any more, or is to be in quarantine.
    pub(super) fn note_kind_test(&mut self, worker: NodeId, engine: Engine, is_right: bool) {
        let Some(case) = self.held_back(&worker, engine).copied() else { return };
        if is_right {
            self.standings.cleared(worker, engine, case.number);
            self.take_standing(worker);
        } else {
            let reason = QuarantineReason::Kind { worker: case.first, stretch: case.stretch };
            self.standings.failed(worker, engine, reason);
        }
    }

    /// An engine has come back out of a quarantine: engines of its kind need answer nothing any more.
    pub(super) fn close_cases_of(&mut self, id: &NodeId, engine: Engine) {
        let Some(worker) = self.workers.get(id).filter(|_| !self.cases.is_empty()) else { return };
        let kinds: Vec<DeviceKind> = worker.kinds(engine).collect();
        for kind in kinds {
            if self.cases.close(&kind) {
                self.look_at_kind(&kind);
            }
        }
    }

    /// Whether some worker could take a seat once it has answered the task for which it is held back, and may yet.
    pub(super) fn may_be_released(&self, id: &NodeId) -> bool {
        [Engine::Cpu, Engine::Gpu].into_iter().any(|engine| {
            self.held_back(id, engine).is_some()
                && self.testing.get(&(*id, engine)).is_none_or(|testing| !testing.has_failed_often())
        })
    }
}
