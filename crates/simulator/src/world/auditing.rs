//! Audits in a world: what a prover hands out travels like everything else, and what an auditor finds follows from it.
//!
//! Nothing is computed here, so nothing is tested either. An honest audit passes exactly if the outcome is the task's truth
//! and its prover's proof holds; where no proof is asked for, the outcome speaks for itself.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{audit, digest::Digest, job::JobId, message::AuditOrder};
use verdict::{Input, Machine};

use super::{
    Stopped, World,
    message::{CoordinatorSays, Evidence, Test, Work, WorkerSays},
    worker::Answer,
};
use crate::{
    behaviour::{AsAuditor, AsProver, Behaviour},
    decider::Decider,
    invariants::TaskKey,
    values,
};

/// What the coordinator asked provers for, and what it got.
#[derive(Debug, Default)]
pub(super) struct Exhibits {
    /// Whom it asked, about which task, and whether for a proof.
    asked: BTreeMap<(u32, TaskKey), bool>,
    /// The outcomes that it got.
    outcomes: BTreeSet<(TaskKey, Digest)>,
    /// The provers whose proof does not hold.
    unsound: BTreeSet<(u32, TaskKey)>,
}

impl Exhibits {
    /// The coordinator crashed.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<D: Decider> World<D> {
    /// Asks a prover for what auditors need.
    pub(super) fn obtain(&mut self, task: TaskKey, order: &AuditOrder, witness: bool) -> Result<(), Stopped> {
        let number = values::worker_number(&order.prover);
        if self.sessions[number as usize].is_none() {
            return self.tell_withheld(number, task);
        }
        self.evidence.asked.insert((number, task), witness);
        let TaskKey { job, index } = task;
        self.say(number, CoordinatorSays::Obtain { job, index, outcome: order.outcome });
        Ok(())
    }

    /// A prover is asked for its evidence.
    pub(super) fn prove(&mut self, number: u32, (job, index): (JobId, u64), outcome: Digest) {
        let worker = &mut self.workers[number as usize];
        let stored = worker.stored.get(&(values::job_number(job), index));
        let gives = stored.is_some_and(|stored| stored.digest == outcome)
            && worker.member.behaviour != Behaviour::Withholds
            && worker.member.as_prover != AsProver::Withholds;
        let is_sound = worker.member.as_prover != AsProver::GivesBadProof;
        let evidence = gives.then_some(Evidence { outcome, is_sound });
        worker.voice.say(WorkerSays::Evidence { job, index, evidence });
    }

    /// A prover has answered.
    pub(super) fn hear_evidence(
        &mut self,
        number: u32,
        task: TaskKey,
        evidence: Option<Evidence>,
    ) -> Result<(), Stopped> {
        let Some(witness) = self.evidence.asked.remove(&(number, task)) else { return Ok(()) };
        let Some(evidence) = evidence else { return self.tell_withheld(number, task) };
        self.evidence.outcomes.insert((task, evidence.outcome));
        if witness && !evidence.is_sound {
            self.evidence.unsound.insert((number, task));
        }
        let TaskKey { job, index } = task;
        self.tell(Input::EvidenceHeld { job, index, prover: values::node_id(number) })
    }

    /// What was asked of a prover over a link that is gone is not answered any more.
    pub(super) fn fail_evidence_of(&mut self, number: u32) -> Result<(), Stopped> {
        let first = (number, TaskKey { job: JobId([0; 16]), index: 0 });
        let asked = self.evidence.asked.range(first..).take_while(|((worker, _), _)| *worker == number);
        let unanswered: Vec<TaskKey> = asked.map(|((_, task), _)| *task).collect();
        for task in unanswered {
            if self.evidence.asked.remove(&(number, task)).is_some() {
                self.tell_withheld(number, task)?;
            }
        }
        Ok(())
    }

    fn tell_withheld(&mut self, number: u32, task: TaskKey) -> Result<(), Stopped> {
        let TaskKey { job, index } = task;
        self.tell(Input::EvidenceWithheld { job, index, prover: values::node_id(number) })
    }

    /// What an auditor gets to see.
    pub(super) fn test(&self, task: TaskKey, order: &AuditOrder) -> Test {
        let prover = values::worker_number(&order.prover);
        let is_sound = !self.evidence.unsound.contains(&(prover, task));
        Test { prover, evidence: Evidence { outcome: order.outcome, is_sound } }
    }

    /// Whether the outcome that is accepted is here because it was tested.
    pub(super) fn was_obtained(&self, task: TaskKey, accepted: &Digest, machine: &Machine) -> bool {
        let tally = machine.job(task.job).and_then(|job| job.tally(task.index));
        self.evidence.outcomes.contains(&(task, *accepted))
            && tally.and_then(|tally| tally.decision()).is_some_and(|decision| decision.held)
    }

    /// What an auditor will say.
    pub(super) fn audit(&self, number: u32, work: Work, test: &Test) -> Answer {
        let Evidence { outcome, is_sound } = test.evidence;
        let is_true = outcome == values::truth(work.replica.task);
        let rejection = || audit::rejection(outcome, values::node_id(test.prover));
        let finding = |passes: bool| if passes { outcome } else { rejection() };
        let (digest, contradiction) = match self.workers[number as usize].member.as_auditor {
            AsAuditor::Honest => (finding(is_true && is_sound), None),
            AsAuditor::PassesAll => (outcome, None),
            AsAuditor::RejectsAll => (rejection(), None),
            AsAuditor::Inverts => (finding(!is_true), None),
            AsAuditor::SaysBoth => (outcome, Some(rejection())),
        };
        Answer { work, digest, contradiction }
    }
}
