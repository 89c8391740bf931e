//! What a simulated worker does when something reaches it: takes leases, computes, casts, obeys, and lies as it was
//! planned to.

use protocol::{ballot::ReplicaId, bundle::Said, commitment::Salt};

use super::{
    Eavesdroppers, World,
    message::{CoordinatorSays, Event, Orders, Work, WorkerSays},
    worker::{Answer, Key, Stored, task_of},
};
use crate::{behaviour::Behaviour, decider::Decider, invariants::TaskKey, values};

/// How long a worker says that a computation took, in microseconds.
const COMPUTE_US: u64 = 10;
/// A worker computes up to this power of two of its leases in one go, and says what came out together.
const RUN_LOG2_MAX: u64 = 6;

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
            CoordinatorSays::Orders(orders) => self.obey_orders(number, *orders),
            CoordinatorSays::Fetch { job, index, digest } => {
                let stored = worker.stored.get(&(values::job_number(job), index));
                let holds = stored.is_some_and(|stored| stored.digest == digest);
                let given = holds && worker.member.behaviour != Behaviour::Withholds;
                worker.voice.say(WorkerSays::Outcome { job, index, given });
            }
            CoordinatorSays::Obtain { job, index, outcome } => self.prove(number, (job, index), outcome),
        }
    }

    fn obey_orders(&mut self, number: u32, orders: Orders) {
        let Orders { leases, reveals, cancels, counted, corrections } = orders;
        let leases: Vec<Work> = leases.into_iter().filter(|work| self.takes(number, work)).collect();
        if !leases.is_empty() {
            if self.workers[number as usize].member.behaviour != Behaviour::Pretends {
                self.compute(number, &leases);
            }
            self.plan_beat(number);
        }
        for replica in reveals {
            self.reveal(number, replica);
        }
        let worker = &mut self.workers[number as usize];
        for replica in cancels {
            worker.under_way.remove(&Key::of(&replica));
            worker.forget_answer(&replica);
        }
        for replica in counted {
            worker.forget_answer(&replica);
        }
        if !worker.member.obeys {
            return;
        }
        for (replica, accepted) in corrections {
            worker.stored.insert(task_of(&replica), Stored { digest: accepted, corrected: true });
            worker.voice.say(WorkerSays::Corrected(replica, accepted));
        }
    }

    /// Whether a worker takes a lease that it has not taken yet.
    fn takes(&mut self, number: u32, work: &Work) -> bool {
        let worker = &mut self.workers[number as usize];
        match worker.member.behaviour {
            Behaviour::Silent => return false,
            Behaviour::Conceals if !work.sealed => return false,
            Behaviour::Fails => {
                worker.voice.say(WorkerSays::Failed(work.replica));
                return false;
            }
            _ => {}
        }
        let key = Key::of(&work.replica);
        (!work.sealed || worker.sealed_leases.insert(key)) && worker.under_way.insert(key, *work).is_none()
    }

    /// Computations end after a while: some together, as a worker computes light tasks, others alone.
    fn compute(&mut self, number: u32, mut leases: &[Work]) {
        let life = self.workers[number as usize].life;
        let (shortest_us, longest_us) = self.scenario.compute_us;
        while !leases.is_empty() {
            let length = 1 << self.chance.among(0..=RUN_LOG2_MAX);
            let (run, rest) = leases.split_at(leases.len().min(length));
            let at_us = self.network.now_us() + self.chance.among(shortest_us..=longest_us);
            self.network.plan(at_us, Event::Computed { worker: number, life, run: run.to_vec() });
            leases = rest;
        }
    }

    /// Computations have ended.
    pub(super) fn computed(&mut self, number: u32, life: u32, run: Vec<Work>) {
        let worker = &self.workers[number as usize];
        if worker.life != life {
            return;
        }
        if worker.stalled_until_us > self.network.now_us() {
            return self.network.plan(worker.stalled_until_us, Event::Computed { worker: number, life, run });
        }
        let mut again = Vec::new();
        for work in run {
            if !self.workers[number as usize].under_way.contains_key(&Key::of(&work.replica)) {
                continue;
            }
            match self.answer(number, work) {
                Some(answer) => self.keep_and_say(number, answer),
                None => again.push(work),
            }
        }
        self.compute(number, &again);
    }

    /// What a worker will say about a replica; nothing while it waits for somebody whom it can copy.
    fn answer(&mut self, number: u32, work: Work) -> Option<Answer> {
        if let Some(test) = &work.audit {
            return Some(self.audit(number, work, test));
        }
        let truth = values::truth(work.replica.task);
        let wrong = |liar| values::lie(work.replica.task, liar);
        let (digest, contradiction) = match self.workers[number as usize].member.behaviour {
            Behaviour::LiesAlone | Behaviour::Forges => (wrong(number + 1), None),
            Behaviour::LiesTogether | Behaviour::Broken => (wrong(0), None),
            Behaviour::Equivocates => (truth, Some(wrong(number + 1))),
            Behaviour::Mixes if self.chance.happens(300_000) => (wrong(number + 1), None),
            Behaviour::Copies if !work.sealed => (*self.overheard.get(&TaskKey::of(&work.replica))?, None),
            _ => (truth, None),
        };
        Some(Answer { work, digest, contradiction })
    }

    fn keep_and_say(&mut self, number: u32, answer: Answer) {
        let worker = &mut self.workers[number as usize];
        let replica = answer.work.replica;
        worker.under_way.remove(&Key::of(&replica));
        if answer.work.audit.is_none() {
            worker.store(task_of(&replica), answer.digest);
        }
        if answer.work.sealed {
            return self.commit(number, answer);
        }
        // Who forges is thrown out for it, and would be for ever if it tried the same again.
        if worker.member.behaviour != Behaviour::Forges {
            worker.uncounted.insert(Key::of(&replica), answer);
        }
        self.cast(number, answer, None);
    }

    /// Casts what is to be cast about a replica. `salt` opens a commitment to it.
    pub(super) fn cast(&mut self, number: u32, answer: Answer, salt: Option<Salt>) {
        let voter = match self.workers[number as usize].member.behaviour {
            Behaviour::Forges => {
                let members = self.workers.len() as u64;
                u32::try_from(self.chance.among(0..=members - 1)).unwrap_or(number)
            }
            _ => number,
        };
        if self.eavesdroppers > Eavesdroppers::Nobody && answer.work.audit.is_none() {
            self.overheard.entry(TaskKey::of(&answer.work.replica)).or_insert(answer.digest);
        }
        let worker = &mut self.workers[number as usize];
        for digest in std::iter::once(answer.digest).chain(answer.contradiction) {
            let ballot = worker.ballot(voter, &answer.work, digest);
            worker.voice.cast(Said { ballot, salt, outcome: None, compute_us: COMPUTE_US });
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
            worker.voice.say(WorkerSays::Beat(under_way));
            self.plan_beat(number);
        }
    }

    /// The link is up again: what nobody counted is cast again, and what nobody asked for is committed to again.
    pub(super) fn cast_again(&mut self, number: u32) {
        let worker = &self.workers[number as usize];
        let uncounted: Vec<Answer> = worker.uncounted.values().copied().collect();
        let sealed =
            worker.envelopes.values().map(|envelope| (envelope.answer.work.replica, envelope.commitment));
        let sealed: Vec<_> = sealed.collect();
        for answer in uncounted {
            self.cast(number, answer, None);
        }
        let worker = &mut self.workers[number as usize];
        for (replica, commitment) in sealed {
            worker.voice.commit(replica, commitment);
        }
        if self.scenario.rhythm.is_some() {
            self.plan_beat(number);
        }
    }
}
