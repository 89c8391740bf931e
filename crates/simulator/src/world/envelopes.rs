//! Sealed tasks on the worker's side: a ballot goes into an envelope, and comes out when the coordinator asks for it.

use protocol::{
    ballot::ReplicaId,
    commitment::{Commitment, Salt},
};

use super::{
    Eavesdroppers, World,
    message::WorkerSays,
    worker::{Answer, Envelope, Key},
};
use crate::{behaviour::Behaviour, decider::Decider, invariants::TaskKey};

impl<D: Decider> World<D> {
    /// Commits to what is to be said about a replica, or to something else.
    pub(super) fn commit(&mut self, number: u32, answer: Answer) {
        let replica = answer.work.replica;
        let salt = Salt(self.chance.bytes());
        let worker = &mut self.workers[number as usize];
        let own = Commitment::to(&worker.ballot(number, &answer.work, answer.digest), &salt);
        let task = TaskKey::of(&replica);
        let commitment = match worker.member.behaviour {
            Behaviour::Replays => *worker.first_commitment.get_or_insert(own),
            Behaviour::Copies => self.overheard_commitments.get(&task).copied().unwrap_or(own),
            _ => own,
        };
        worker.envelopes.insert(Key::of(&replica), Envelope { answer, salt, commitment });
        if self.eavesdroppers > Eavesdroppers::Nobody {
            self.overheard_commitments.entry(task).or_insert(commitment);
        }
        self.workers[number as usize].voice.commit(replica, commitment);
    }

    /// Opens an envelope.
    pub(super) fn reveal(&mut self, number: u32, replica: ReplicaId) {
        let worker = &self.workers[number as usize];
        if worker.member.behaviour == Behaviour::Conceals {
            return;
        }
        let forges = worker.member.behaviour == Behaviour::Forges;
        match worker.envelopes.get(&Key::of(&replica)).copied() {
            Some(envelope) => {
                // Who forges is thrown out for it, and would be for ever if it tried the same again.
                if forges {
                    self.workers[number as usize].envelopes.remove(&Key::of(&replica));
                }
                self.cast(number, envelope.answer, Some(envelope.salt));
            }
            None => self.workers[number as usize].voice.say(WorkerSays::Failed(replica)),
        }
    }
}
