//! The workers that have room, in crowds from which one is drawn at a time.
//!
//! One crowd looks for work: whatever is in it may find a task that fits. The others are idle: nothing that is open fits
//! them, so they are asked only about tasks to which something happens, each once. They are kept apart by what they
//! could compute at all, so that a task is not offered to workers that lack its engine. Whatever happens to a worker or
//! to a task costs the same, however many others there are.

use std::collections::BTreeMap;

use protocol::{domain::Engine, identity::NodeId, task::Weight};

use crate::{lots::Lots, worker::Worker};

/// The crowd that looks for work.
const LOOKING: usize = 0;
/// How many kinds of idle workers there are: with a CPU, a GPU or both, and with room for a heavy task or not.
const KINDS: usize = 8;

/// Who has room.
#[derive(Debug, Default)]
pub(crate) struct Crowds {
    groups: [Crowd; 1 + KINDS],
    /// The crowd of each worker that is in one, and its place there.
    places: BTreeMap<NodeId, (usize, usize)>,
    /// How many of them are idle.
    idle: usize,
}

/// Those who had their turn stand before the others.
#[derive(Debug, Default)]
struct Crowd {
    members: Vec<NodeId>,
    had_turn: usize,
}

/// Whose turn may be next: a bit for each crowd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn(u32);

impl Turn {
    /// That of whoever looks for work.
    pub(crate) fn of_looking() -> Self {
        Self(1 << LOOKING)
    }

    /// Everybody's.
    pub(crate) fn of_all() -> Self {
        Self((1 << (1 + KINDS)) - 1)
    }

    /// That of everybody who may be able to compute a task of this weight by one of these engines.
    pub(crate) fn of_able(engines: &[Engine], weight: Weight) -> Self {
        let wanted = engines.iter().fold(0, |mask, engine| mask | engine_bit(*engine));
        let is_able = |kind: &usize| kind & wanted != 0 && (weight == Weight::Light || kind & HEAVY_BIT != 0);
        Self((0..KINDS).filter(is_able).fold(1 << LOOKING, |crowds, kind| crowds | 1 << (1 + kind)))
    }

    /// The crowds that take part, in their order.
    fn crowds(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let next = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(next)
        })
    }
}

const HEAVY_BIT: usize = 4;

fn engine_bit(engine: Engine) -> usize {
    match engine {
        Engine::Cpu => 1,
        Engine::Gpu => 2,
    }
}

fn kind_of(worker: &Worker) -> usize {
    let engines = worker.open_engines().fold(0, |mask, (engine, _)| mask | engine_bit(*engine));
    engines | if worker.has_room(Weight::Heavy) { HEAVY_BIT } else { 0 }
}

impl Crowds {
    /// A worker may find something.
    pub(crate) fn look(&mut self, id: NodeId) {
        self.put(id, LOOKING);
    }

    /// Nothing fits this worker.
    pub(crate) fn idle(&mut self, id: NodeId, worker: &Worker) {
        self.put(id, 1 + kind_of(worker));
    }

    /// A worker has taken something, and has room left: an idle one stays idle.
    pub(crate) fn stay(&mut self, id: NodeId, worker: &Worker) {
        match self.places.get(&id) {
            Some((LOOKING, _)) => {}
            Some(_) => self.idle(id, worker),
            None => self.look(id),
        }
    }

    /// A worker has room, more than before perhaps: an idle one looks again if that lets it compute more.
    pub(crate) fn wake(&mut self, id: NodeId, worker: &Worker) {
        match self.places.get(&id) {
            Some((crowd, _)) if *crowd == 1 + kind_of(worker) => {}
            _ => self.look(id),
        }
    }

    /// Whether anybody is idle.
    pub(crate) fn any_idle(&self) -> bool {
        self.idle > 0
    }

    fn put(&mut self, id: NodeId, crowd: usize) {
        match self.places.get(&id) {
            Some((place, _)) if *place == crowd => return,
            Some(_) => self.remove(&id),
            None => {}
        }
        self.idle += usize::from(crowd != LOOKING);
        self.places.insert(id, (crowd, self.groups[crowd].members.len()));
        self.groups[crowd].members.push(id);
    }

    /// A worker has no room, or is not asked.
    pub(crate) fn remove(&mut self, id: &NodeId) {
        let Some((number, mut place)) = self.places.remove(id) else { return };
        self.idle -= usize::from(number != LOOKING);
        let crowd = &mut self.groups[number];
        if place < crowd.had_turn {
            crowd.had_turn -= 1;
            crowd.members.swap(place, crowd.had_turn);
            self.places.insert(crowd.members[place], (number, place));
            place = crowd.had_turn;
        }
        crowd.members.swap_remove(place);
        if let Some(moved) = crowd.members.get(place) {
            self.places.insert(*moved, (number, place));
        }
        self.places.remove(id);
    }

    /// Draws one of those whose turn it is and who did not have it; it has had its turn then.
    pub(crate) fn draw(&mut self, turn: Turn, lots: &mut Lots) -> Option<NodeId> {
        let waiting_in = |number: usize| self.groups[number].members.len() - self.groups[number].had_turn;
        let waiting: usize = turn.crowds().map(waiting_in).sum();
        if waiting == 0 {
            return None;
        }
        let mut drawn = usize::try_from(lots.below(waiting as u64)).unwrap_or(0);
        for number in turn.crowds() {
            let crowd = &mut self.groups[number];
            let waiting = crowd.members.len() - crowd.had_turn;
            if drawn < waiting {
                let (place, next) = (crowd.had_turn + drawn, crowd.had_turn);
                crowd.members.swap(place, next);
                crowd.had_turn += 1;
                let id = crowd.members[next];
                if place != next {
                    self.places.insert(crowd.members[place], (number, place));
                    self.places.insert(id, (number, next));
                }
                return Some(id);
            }
            drawn -= waiting;
        }
        None
    }

    /// Nobody had a turn.
    pub(crate) fn begin_round(&mut self, turn: Turn) {
        for number in turn.crowds() {
            self.groups[number].had_turn = 0;
        }
    }
}
