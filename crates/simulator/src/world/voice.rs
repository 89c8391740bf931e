//! What a simulated worker is about to say: it gathers while the worker's turn lasts, and leaves as one envelope.
//!
//! Ballots are one bundle under one signature. Liars add to it what must not harm the good ballots in it: doubles, old
//! ballots, and ballots about what others were leased.

use protocol::{
    ballot::{Ballot, ReplicaId},
    bundle::Said,
    commitment::Commitment,
};

use super::{
    Eavesdroppers, World,
    message::{Bundle, Event, WorkerSays},
};
use crate::{behaviour::Behaviour, decider::Decider, network::Direction, values};

/// How often somebody sends a whole bundle of another again, in a million.
const OF_ANOTHER_PER_MILLION: u32 = 50_000;
/// How often something is added to a bundle, in a million.
const ADDED_PER_MILLION: u32 = 250_000;

/// What has gathered.
#[derive(Debug, Default)]
pub(super) struct Voice {
    ballots: Vec<Said<Ballot>>,
    commitments: Vec<(ReplicaId, Commitment)>,
    others: Vec<WorkerSays>,
}

impl Voice {
    pub(super) fn cast(&mut self, said: Said<Ballot>) {
        self.ballots.push(said);
    }

    pub(super) fn commit(&mut self, replica: ReplicaId, commitment: Commitment) {
        self.commitments.push((replica, commitment));
    }

    /// Whatever is no ballot and no commitment.
    pub(super) fn say(&mut self, message: WorkerSays) {
        self.others.push(message);
    }

    fn is_empty(&self) -> bool {
        self.ballots.is_empty() && self.commitments.is_empty() && self.others.is_empty()
    }
}

impl<D: Decider> World<D> {
    /// A worker's turn is over: everything that it said leaves together, if it has a link.
    pub(super) fn let_out(&mut self, number: u32) {
        let worker = &mut self.workers[number as usize];
        if worker.voice.is_empty() {
            return;
        }
        // The room for what gathers stays where it is.
        let ballots: Vec<_> = worker.voice.ballots.drain(..).collect();
        let commitments: Vec<_> = worker.voice.commitments.drain(..).collect();
        let others = std::mem::take(&mut worker.voice.others);
        let Some(session) = worker.session else { return };
        let mut envelope = others;
        if !ballots.is_empty() {
            self.add_bundle(number, ballots, &mut envelope);
        }
        if !commitments.is_empty() {
            envelope.push(WorkerSays::Committed(commitments));
        }
        let event = Event::ToCoordinator { worker: number, session, envelope };
        let sent = self.network.send(number, Direction::ToCoordinator, event);
        self.note_sent(sent, number, session);
    }

    /// Signs what is to be cast, and whatever else the worker is up to.
    fn add_bundle(&mut self, number: u32, mut ballots: Vec<Said<Ballot>>, envelope: &mut Vec<WorkerSays>) {
        let behaviour = self.workers[number as usize].member.behaviour;
        if behaviour == Behaviour::Mixes {
            self.mix(number, &mut ballots);
        }
        let bundle = Bundle { ballots, signed_by: number };
        if matches!(behaviour, Behaviour::Mixes | Behaviour::Replays) {
            let earlier = self.workers[number as usize].last_sent.replace(bundle.clone());
            let of_another = self.last_sent.clone().filter(|_| self.chance.happens(OF_ANOTHER_PER_MILLION));
            if behaviour == Behaviour::Replays {
                envelope.extend(earlier.into_iter().chain(of_another).map(WorkerSays::Cast));
            }
        }
        if self.eavesdroppers == Eavesdroppers::Replay {
            self.last_sent = Some(bundle.clone());
        }
        envelope.push(WorkerSays::Cast(bundle));
    }

    /// Puts among good ballots one of them a second time, an old one, and one about what another worker was leased.
    fn mix(&mut self, number: u32, ballots: &mut Vec<Said<Ballot>>) {
        let mut others = Vec::new();
        let own = self.workers[number as usize].last_sent.as_ref();
        for source in [
            Some(&*ballots),
            own.map(|bundle| &bundle.ballots),
            self.last_sent.as_ref().map(|bundle| &bundle.ballots),
        ] {
            let Some(source) = source.filter(|source| !source.is_empty()) else { continue };
            if self.chance.happens(ADDED_PER_MILLION) {
                let drawn = usize::try_from(self.chance.among(0..=source.len() as u64 - 1)).unwrap_or(0);
                others.extend(source.get(drawn).cloned());
            }
        }
        for mut said in others {
            said.ballot.worker = values::node_id(number);
            let place = usize::try_from(self.chance.among(0..=ballots.len() as u64)).unwrap_or(0);
            ballots.insert(place, said);
        }
    }
}
