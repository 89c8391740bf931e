//! Where the faults of dissenters are located in a world with traces: an errand beside the correction, as the real one, that
//! takes a while and is lost when the coordinator crashes.

use protocol::{
    ballot::ReplicaId,
    digest::Digest,
    fault::{ALIKE_MAX, DeviceKind, FaultClass, LocatedFault, Parting},
    identity::NodeId,
    trace::TracePlace,
};
use verdict::Input;

use super::{Stopped, World, message::Event};
use crate::{decider::Decider, devices::class_of, scenario::Traces, values};

/// It takes so many times as long as the longest computation, at most.
const TIMES_MAX: u64 = 2;
/// The terms at which every fault of these worlds is.
const PLACE: TracePlace = TracePlace { tree: 0, from: 561, to: 1_072 };

impl<D: Decider> World<D> {
    /// A dissenter is corrected: it is looked for where its computation went wrong, once.
    pub(super) fn locate(&mut self, dissenter: NodeId, replica: &ReplicaId, accepted: Digest) {
        let (job, index) = (replica.job, replica.index);
        let number = values::worker_number(&dissenter);
        if self.scenario.traces == Traces::LeftOut || self.located.contains(&(number, job, index)) {
            return;
        }
        let Some(tally) = self.decider.machine().job(job).and_then(|job| job.tally(index)) else { return };
        let Some(wrong) = tally.ballots().get(&dissenter).map(|cast| cast.ballot.ballot()) else { return };
        let kind = DeviceKind::in_domain(&wrong.domain);
        let said = tally.ballots().values().map(|cast| cast.ballot.ballot());
        let right =
            said.filter(|said| said.digest == accepted && said.domain.formula == wrong.domain.formula);
        let right: Vec<_> = right.collect();
        let Some(winner) = right.first().map(|said| said.worker) else { return };
        let alike = right.iter().filter(|said| DeviceKind::in_domain(&said.domain) == kind);
        let fault = LocatedFault {
            worker: dissenter,
            domain: wrong.domain.clone(),
            job,
            index,
            task: replica.task,
            accepted,
            winner,
            parting: Parting::Node { place: PLACE, trees: 1, digests: [accepted, wrong.digest] },
            class: None,
            rounds: 1,
            bytes: 1,
            alike: alike.map(|said| said.worker).take(ALIKE_MAX).collect(),
        };
        self.located.insert((number, job, index));
        let (shortest_us, longest_us) = self.scenario.compute_us;
        let at_us = self.network.now_us() + self.chance.among(shortest_us..=TIMES_MAX * longest_us);
        self.network.plan(at_us, Event::Located { life: self.life, fault: Box::new(fault) });
    }

    /// The errand has ended.
    pub(super) fn fault_located(&mut self, life: u32, mut fault: Box<LocatedFault>) -> Result<(), Stopped> {
        if life != self.life || !self.up {
            return Ok(());
        }
        let number = values::worker_number(&fault.worker);
        let worker = &self.workers[number as usize];
        let class = match worker.session {
            Some(_) => class_of(worker.member.behaviour, &mut self.chance),
            None => FaultClass::Unanswered,
        };
        fault.class = Some(class);
        self.counts.faults_located += 1;
        self.tell(Input::FaultLocated(fault))
    }
}
