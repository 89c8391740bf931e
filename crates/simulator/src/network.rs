//! The network and the virtual clock: a queue of what will happen, in the order in which it will.
//!
//! A link is a connection between a worker and the coordinator, one at a time. As over QUIC, a message that is lost
//! takes everything behind it in its direction along: the link is dead there, and both ends notice after a silence.
//! More than QUIC would, the network may double messages and let them overtake each other.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::chance::{Chance, Purpose};

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the coordinator.
    ToWorker,
    /// To the coordinator.
    ToCoordinator,
}

/// What the network does to messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Of a million messages, so many are lost.
    pub lost_per_million: u32,
    /// Of a million messages, so many arrive twice.
    pub doubled_per_million: u32,
    /// The shortest and the longest way, in microseconds.
    pub delay_us: (u64, u64),
    /// Whether a message may overtake an earlier one.
    pub reorders: bool,
    /// How long both ends of a dead link take to notice, in microseconds.
    pub silence_us: u64,
}

impl Weather {
    /// Everything arrives, soon, once and in order.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            lost_per_million: 0,
            doubled_per_million: 0,
            delay_us: (100, 500),
            reorders: false,
            silence_us: 5_000_000,
        }
    }
}

/// One direction of a link.
#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    /// Nothing arrives any more before there is a new link.
    dead: bool,
    /// How many partitions lie across it.
    cuts: u32,
    /// When the last message arrives.
    last_us: u64,
}

/// When something will happen, and where it waits for that. Of two things at the same time, the one that was planned
/// first comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Planned {
    at_us: u64,
    sequence: u64,
    slot: usize,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It will arrive.
    Once,
    /// It will arrive twice.
    Twice,
    /// It was lost, and the link with it: its ends notice after [`Weather::silence_us`].
    Lost,
    /// The link was dead already.
    IntoNothing,
}

/// The queue and the links.
#[derive(Debug)]
pub struct Network<Event> {
    queue: BinaryHeap<Reverse<Planned>>,
    /// What is planned; a queue is sorted faster without it.
    events: Vec<Option<Event>>,
    /// The slots of `events` that are empty.
    vacant: Vec<usize>,
    sequence: u64,
    now_us: u64,
    weather: Weather,
    links: Vec<[Lane; 2]>,
    chance: Chance,
}

impl<Event: Clone> Network<Event> {
    /// A network of so many links, none of them up.
    #[must_use]
    pub fn new(seed: u64, weather: Weather, links: usize) -> Self {
        Self {
            queue: BinaryHeap::new(),
            events: Vec::new(),
            vacant: Vec::new(),
            sequence: 0,
            now_us: 0,
            weather,
            links: vec![[Lane::default(); 2]; links],
            chance: Chance::new(seed, Purpose::Network),
        }
    }

    /// The time of the world, in microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// How long both ends of a dead link take to notice, in microseconds.
    #[must_use]
    pub fn silence_us(&self) -> u64 {
        self.weather.silence_us
    }

    /// How many things are planned.
    #[must_use]
    pub fn planned(&self) -> usize {
        self.queue.len()
    }

    /// When the next thing happens, in microseconds.
    #[must_use]
    pub fn next_us(&self) -> Option<u64> {
        self.queue.peek().map(|Reverse(planned)| planned.at_us)
    }

    /// Lets the next thing happen.
    pub fn take_next(&mut self) -> Option<Event> {
        let Reverse(planned) = self.queue.pop()?;
        self.now_us = self.now_us.max(planned.at_us);
        self.vacant.push(planned.slot);
        self.events.get_mut(planned.slot)?.take()
    }

    /// Lets time pass until `at_us`, before which nothing is planned.
    pub fn wait_until(&mut self, at_us: u64) {
        self.now_us = self.now_us.max(at_us);
    }

    /// Plans something that no network stands between.
    pub fn plan(&mut self, at_us: u64, event: Event) {
        self.sequence += 1;
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        if let Some(place) = self.events.get_mut(slot) {
            *place = Some(event);
        }
        let planned = Planned { at_us: at_us.max(self.now_us), sequence: self.sequence, slot };
        self.queue.push(Reverse(planned));
    }

    /// Sends a message over a link that is up.
    pub fn send(&mut self, link: u32, direction: Direction, message: Event) -> Sent {
        let Some(lane) = self.links.get_mut(link as usize).map(|lanes| &mut lanes[direction as usize]) else {
            return Sent::IntoNothing;
        };
        if lane.dead {
            return Sent::IntoNothing;
        }
        if lane.cuts > 0 || self.chance.happens(self.weather.lost_per_million) {
            lane.dead = true;
            return Sent::Lost;
        }
        let (shortest_us, longest_us) = self.weather.delay_us;
        let mut arrives_us = self.now_us + self.chance.among(shortest_us..=longest_us);
        if !self.weather.reorders {
            arrives_us = arrives_us.max(lane.last_us);
            lane.last_us = arrives_us;
        }
        if self.chance.happens(self.weather.doubled_per_million) {
            let again_us = arrives_us + self.chance.among(0..=4 * longest_us);
            self.plan(again_us, message.clone());
            self.plan(arrives_us, message);
            return Sent::Twice;
        }
        self.plan(arrives_us, message);
        Sent::Once
    }

    /// Makes a link anew, if nothing lies across it.
    pub fn connect(&mut self, link: u32) -> bool {
        let Some(lanes) = self.links.get_mut(link as usize) else { return false };
        if lanes.iter().any(|lane| lane.cuts > 0) || self.chance.happens(self.weather.lost_per_million) {
            return false;
        }
        for lane in lanes {
            lane.dead = false;
        }
        true
    }

    /// Lays a partition across one direction of a link, or both, or lifts it.
    pub fn cut(&mut self, link: u32, direction: Option<Direction>, begins: bool) {
        let Some(lanes) = self.links.get_mut(link as usize) else { return };
        for (number, lane) in lanes.iter_mut().enumerate() {
            if direction.is_none_or(|direction| direction as usize == number) {
                lane.cuts = if begins { lane.cuts + 1 } else { lane.cuts.saturating_sub(1) };
            }
        }
    }

    /// From now on nothing is lost, doubled or reordered.
    pub fn calm(&mut self) {
        self.weather = Weather {
            delay_us: self.weather.delay_us,
            silence_us: self.weather.silence_us,
            ..Weather::calm()
        };
        for lane in self.links.iter_mut().flatten() {
            lane.cuts = 0;
        }
    }
}
