//! What a simulated worker does when something reaches it: takes leases, computes, casts, obeys, and lies as it was
//! planned to.

use protocol::{ballot::ReplicaId, commitment::Salt};

use super::{
    Eavesdroppers, World,
    message::{CoordinatorSays, Event, Work, WorkerSays},
    worker::{Key, Said, Stored, task_of},
};
use crate::{behaviour::Behaviour, decider::Decider, invariants::TaskKey, network::Direction, values};

impl<D: Decider> World<D> {
    /// Something arrives from the coordinator over the worker's present session.
    pub(super) fn obey_coordinator(&mut self, number: u32, session: u64, message: CoordinatorSays) {
        let worker = &mut self.workers[number as usize];
        if worker.stalled_until_us > self.network.now_us() {
            // It reads when it is awake again.
            let event = Event::ToWorker { worker: number, session, message };
            return self.network.plan(worker.stalled_until_us, event);
        }
        match message {
            CoordinatorSays::Lease(work) => self.start(number, work),
            CoordinatorSays::Cancel(replica) => {
                let key = Key::of(&replica);
                worker.under_way.remove(&key);
                worker.uncounted.remove(&key);
                worker.envelopes.remove(&key);
            }
            CoordinatorSays::Counted(replica) => {
                let key = Key::of(&replica);
                worker.uncounted.remove(&key);
                worker.envelopes.remove(&key);
            }
            CoordinatorSays::Reveal(replica) => self.reveal(number, replica),
            CoordinatorSays::Correct(replica, accepted) => {
                if worker.member.obeys {
                    let stored = Stored { digest: accepted, corrected: true };
                    worker.stored.insert(task_of(&replica), stored);
                    self.say_to_coordinator(number, WorkerSays::Corrected(replica, accepted));
                }
            }
            CoordinatorSays::Fetch { job, index, digest } => {
                let holds = worker
                    .stored
                    .get(&(values::job_number(job), index))
                    .is_some_and(|stored| stored.digest == digest);
                let given = holds && worker.member.behaviour != Behaviour::Withholds;
                self.say_to_coordinator(number, WorkerSays::Outcome { job, index, given });
            }
        }
    }

    fn start(&mut self, number: u32, work: Work) {
        let worker = &mut self.workers[number as usize];
        match worker.member.behaviour {
            Behaviour::Silent => return,
            Behaviour::Conceals if !work.sealed => return,
            Behaviour::Fails => return self.say_to_coordinator(number, WorkerSays::Failed(work.replica)),
            _ => {}
        }
        if work.sealed && !worker.sealed_leases.insert(Key::of(&work.replica)) {
            return;
        }
        if worker.under_way.insert(Key::of(&work.replica), work).is_some() {
            return;
        }
        if worker.member.behaviour != Behaviour::Pretends {
            self.compute(number, work);
        }
        self.plan_beat(number);
    }

    /// The computation ends after a while.
    fn compute(&mut self, number: u32, work: Work) {
        let life = self.workers[number as usize].life;
        let (shortest_us, longest_us) = self.scenario.compute_us;
        let at_us = self.network.now_us() + self.chance.among(shortest_us..=longest_us);
        self.network.plan(at_us, Event::Computed { worker: number, life, work });
    }

    /// A computation has ended.
    pub(super) fn computed(&mut self, number: u32, life: u32, work: Work) {
        let worker = &mut self.workers[number as usize];
        if worker.life != life || !worker.under_way.contains_key(&Key::of(&work.replica)) {
            return;
        }
        if worker.stalled_until_us > self.network.now_us() {
            return self
                .network
                .plan(worker.stalled_until_us, Event::Computed { worker: number, life, work });
        }
        let task = TaskKey::of(&work.replica);
        let truth = values::truth(work.replica.task);
        let wrong = |liar| values::lie(work.replica.task, liar);
        let (digest, contradiction) = match worker.member.behaviour {
            Behaviour::LiesAlone | Behaviour::Forges => (wrong(number + 1), None),
            Behaviour::LiesTogether => (wrong(0), None),
            Behaviour::Equivocates => (truth, Some(wrong(number + 1))),
            Behaviour::Copies if !work.sealed => match self.overheard.get(&task) {
                Some(digest) => (*digest, None),
                // It has nothing to copy yet, and looks again later.
                None => return self.compute(number, work),
            },
            Behaviour::Honest
            | Behaviour::Copies
            | Behaviour::Replays
            | Behaviour::Withholds
            | Behaviour::Conceals => (truth, None),
            Behaviour::Silent | Behaviour::Pretends | Behaviour::Fails => return,
        };
        worker.under_way.remove(&Key::of(&work.replica));
        worker.store(task_of(&work.replica), digest);
        let said = Said { work, digest, contradiction };
        if work.sealed {
            return self.commit(number, said);
        }
        // Who forges is thrown out for it, and would be for ever if it tried the same again.
        if worker.member.behaviour != Behaviour::Forges {
            worker.uncounted.insert(Key::of(&work.replica), said);
        }
        self.cast(number, said, None);
    }

    /// Casts what is to be cast about a replica, and whatever else the worker is up to. `salt` opens a commitment to it.
    pub(super) fn cast(&mut self, number: u32, said: Said, salt: Option<&Salt>) {
        let behaviour = self.workers[number as usize].member.behaviour;
        let members = self.workers.len() as u64;
        let voter = match behaviour {
            Behaviour::Forges => u32::try_from(self.chance.among(0..=members - 1)).unwrap_or(number),
            _ => number,
        };
        for digest in std::iter::once(said.digest).chain(said.contradiction) {
            let ballot = self.workers[number as usize].ballot(voter, &said.work, digest);
            if self.eavesdroppers > Eavesdroppers::Nobody {
                self.overheard.entry(TaskKey::of(&said.work.replica)).or_insert(digest);
            }
            if behaviour == Behaviour::Replays {
                let earlier = self.workers[number as usize].last_sent.replace(ballot.clone());
                let of_another = self.last_sent.clone().filter(|_| self.chance.happens(50_000));
                for old in earlier.into_iter().chain(of_another) {
                    let signed_by = values::worker_number(&old.ballot.worker);
                    self.say_to_coordinator(number, WorkerSays::Cast { ballot: old, salt: None, signed_by });
                }
            }
            if self.eavesdroppers == Eavesdroppers::Replay {
                self.last_sent = Some(ballot.clone());
            }
            let salt = salt.copied().map(Box::new);
            self.say_to_coordinator(number, WorkerSays::Cast { ballot, salt, signed_by: number });
        }
    }

    /// Heartbeats come in the rhythm by which workers are watched, or else as leases need them. Who is silent is silent.
    pub(super) fn plan_beat(&mut self, number: u32) {
        let worker = &mut self.workers[number as usize];
        if !worker.beats && worker.member.behaviour != Behaviour::Silent {
            worker.beats = true;
            self.beats_planned += 1;
            let pause_ms = match self.scenario.rhythm {
                Some(rhythm) => rhythm.heartbeat_ms(),
                None => self.scenario.policy.lease_ms / 4,
            };
            let at_us = self.network.now_us() + pause_ms * 1000;
            self.network.plan(at_us, Event::Beat { worker: number, life: worker.life });
        }
    }

    /// Says what is under way; where nobody is watched, only as long as anything is.
    pub(super) fn beat(&mut self, number: u32, life: u32) {
        let worker = &mut self.workers[number as usize];
        if worker.life == life && worker.stalled_until_us > self.network.now_us() {
            return self.network.plan(worker.stalled_until_us, Event::Beat { worker: number, life });
        }
        self.beats_planned -= 1;
        if worker.life != life {
            return;
        }
        worker.beats = false;
        let is_watched = self.scenario.rhythm.is_some() && worker.session.is_some();
        let under_way: Vec<ReplicaId> = worker.replicas_under_way().collect();
        if is_watched || !under_way.is_empty() {
            self.say_to_coordinator(number, WorkerSays::Beat(under_way));
            self.plan_beat(number);
        }
    }

    /// The link is up again: what nobody counted is cast again, and what nobody asked for is committed to again.
    pub(super) fn cast_again(&mut self, number: u32) {
        let worker = &self.workers[number as usize];
        let uncounted: Vec<Said> = worker.uncounted.values().copied().collect();
        let sealed =
            worker.envelopes.values().map(|envelope| (envelope.said.work.replica, envelope.commitment));
        let sealed: Vec<_> = sealed.collect();
        for said in uncounted {
            self.cast(number, said, None);
        }
        for (replica, commitment) in sealed {
            self.say_to_coordinator(number, WorkerSays::Committed(replica, commitment));
        }
        if self.scenario.rhythm.is_some() {
            self.plan_beat(number);
        }
    }

    pub(super) fn say_to_coordinator(&mut self, number: u32, message: WorkerSays) {
        let Some(session) = self.workers[number as usize].session else { return };
        let event = Event::ToCoordinator { worker: number, session, message };
        let sent = self.network.send(number, Direction::ToCoordinator, event);
        self.note_sent(sent, number, session);
    }
}
