//! What the machine knows of a worker: who runs it, what it computes with, how much it can take and has taken.

use std::{collections::BTreeSet, sync::Arc};

use protocol::{
    ballot::ReplicaId, domain::Engine, fault::DeviceKind, job::JobId, limits::SLOTS_MAX,
    message::EngineIntroduction, report::Liveness, task::Weight,
};

use crate::{liveness::Watch, machine::smoothed, standing::Shut};

/// How many light tasks weigh as much as a heavy one.
const LIGHT_PER_HEAVY: u32 = 64;
/// A worker is leased as many light tasks as it computes in so many microseconds, by its last ballots.
const LIGHT_AHEAD_US: u64 = 2_000_000;
/// And not fewer for each slot, so that it computes one while the next is on its way.
const LIGHT_MIN: u32 = 2;

/// The cost of a lease against a worker's capacity.
fn cost(weight: Weight) -> u32 {
    match weight {
        Weight::Light => 1,
        Weight::Heavy => LIGHT_PER_HEAVY,
    }
}

fn devices(engines: Vec<EngineIntroduction>) -> Vec<(Engine, Arc<str>)> {
    engines.into_iter().map(|introduced| (introduced.engine, introduced.device.into())).collect()
}

/// A worker, connected or not.
#[derive(Debug)]
pub struct Worker {
    pub(crate) operator: Arc<str>,
    /// What it computes with, and on which device.
    pub(crate) engines: Vec<(Engine, Arc<str>)>,
    /// Version of its program.
    build: Box<str>,
    pub(crate) connected: bool,
    pub(crate) liveness: Liveness,
    /// Which of its engines are in quarantine, or held back for a fault of their kind of device.
    pub(crate) shut: Shut,
    /// Which of them are only held back.
    pub(crate) held: Shut,
    /// How it is usually heard, while it is connected and where liveness is watched.
    pub(crate) watch: Option<Watch>,
    /// When the timer that looks after its liveness goes off.
    pub(crate) watch_timer_ms: Option<u64>,
    /// It was on standby and has not said since what it still computes.
    pub(crate) owes_inventory: bool,
    /// Verdicts that it missed and was told, and has not acknowledged: they come before new leases.
    pub(crate) catching_up: BTreeSet<(JobId, u64)>,
    /// Replicas under lease.
    pub(crate) leases: BTreeSet<ReplicaId>,
    /// Replicas that it has computed and committed to, and whose ballot is not in: they keep nobody from working.
    pub(crate) committed: BTreeSet<ReplicaId>,
    slots: u32,
    /// What its leases weigh, in light tasks.
    used: u32,
    /// How many of them are light.
    light: u32,
    /// How long light tasks take it, in microseconds, once a ballot has told.
    pace_us: Option<u64>,
    /// Counted ballots, dissents among them, and equivocations.
    pub(crate) ballots: u64,
    pub(crate) dissents: u64,
    pub(crate) equivocations: u64,
    pub(crate) broken_seals: u64,
}

/// What a worker's record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerRecord {
    /// Whether it is connected.
    pub connected: bool,
    /// Whether it is heard.
    pub liveness: Liveness,
    /// Replicas under lease.
    pub leases: u64,
    /// Ballots counted.
    pub ballots: u64,
    /// Of those, against an accepted digest.
    pub dissents: u64,
    /// Two different ballots for one replica.
    pub equivocations: u64,
    /// Seals that it broke.
    pub broken_seals: u64,
}

impl Worker {
    pub(crate) fn new(operator: String, engines: Vec<EngineIntroduction>, build: String, slots: u32) -> Self {
        Self {
            operator: operator.into(),
            engines: devices(engines),
            build: build.into(),
            connected: true,
            liveness: Liveness::Alive,
            shut: Shut::default(),
            held: Shut::default(),
            watch: None,
            watch_timer_ms: None,
            owes_inventory: false,
            catching_up: BTreeSet::new(),
            leases: BTreeSet::new(),
            committed: BTreeSet::new(),
            slots: slots.clamp(1, SLOTS_MAX),
            used: 0,
            light: 0,
            pace_us: None,
            ballots: 0,
            dissents: 0,
            equivocations: 0,
            broken_seals: 0,
        }
    }

    /// The worker came back, perhaps with other engines.
    pub(crate) fn rejoin(
        &mut self,
        operator: String,
        engines: Vec<EngineIntroduction>,
        build: String,
        slots: u32,
    ) {
        self.operator = operator.into();
        self.engines = devices(engines);
        self.build = build.into();
        self.slots = slots.clamp(1, SLOTS_MAX);
        self.connected = true;
        self.liveness = Liveness::Alive;
        self.owes_inventory = false;
    }

    /// Whether it is there, as far as anybody knows: connected and not on standby.
    pub(crate) fn is_present(&self) -> bool {
        self.connected && self.liveness != Liveness::Standby
    }

    /// Whether it is heard as it should be.
    pub(crate) fn is_alive(&self) -> bool {
        self.connected && self.liveness == Liveness::Alive
    }

    /// Whether it has this engine.
    pub(crate) fn has_engine(&self, engine: Engine) -> bool {
        self.engines.iter().any(|(own, _)| *own == engine)
    }

    /// Whether it has this engine on this device.
    pub(crate) fn has_device(&self, engine: Engine, device: &str) -> bool {
        self.engines.iter().any(|(own, on)| *own == engine && **on == *device)
    }

    /// The kinds of device on which it has this engine.
    pub(crate) fn kinds(&self, engine: Engine) -> impl Iterator<Item = DeviceKind> {
        let own = self.engines.iter().filter(move |(own, _)| *own == engine);
        own.map(|(engine, device)| DeviceKind::of(*engine, device, &self.build))
    }

    /// The engines that get leases that count.
    pub(crate) fn open_engines(&self) -> impl Iterator<Item = &(Engine, Arc<str>)> {
        self.engines.iter().filter(|(engine, _)| !self.shut.has(*engine))
    }

    /// Whether it belongs to electorates: it is alive, and some engine of it gets leases that count.
    pub(crate) fn is_elector(&self) -> bool {
        self.is_alive() && self.open_engines().next().is_some()
    }

    /// Whether it is asked at all: it is an elector, and knows every verdict that it missed.
    pub(crate) fn takes_leases(&self) -> bool {
        self.is_elector() && self.catching_up.is_empty()
    }

    /// Whether a task of this weight may be leased to it now. A heavy task needs a free slot; light ones share them, and
    /// are no more than it computes soon: a slow worker holds few, which others would wait for.
    pub(crate) fn has_room(&self, weight: Weight) -> bool {
        let is_soon_done = weight == Weight::Heavy || self.light < self.light_max();
        self.takes_leases() && is_soon_done && self.used + cost(weight) <= self.slots * LIGHT_PER_HEAVY
    }

    fn light_max(&self) -> u32 {
        let at_once = u64::from(self.slots);
        let ahead = at_once.saturating_mul(LIGHT_AHEAD_US) / self.pace_us.unwrap_or(0).max(1);
        let (least, most) = (self.slots * LIGHT_MIN, self.slots * LIGHT_PER_HEAVY);
        u32::try_from(ahead).unwrap_or(u32::MAX).clamp(least, most)
    }

    /// A light task took it so long.
    pub(crate) fn note_pace(&mut self, compute_us: u64) {
        let pace_us = self.pace_us.unwrap_or(compute_us);
        self.pace_us = Some(smoothed(pace_us, compute_us));
    }

    /// It is leased a replica; whether it was not before.
    pub(crate) fn take(&mut self, replica: ReplicaId, weight: Weight) -> bool {
        let is_new = self.leases.insert(replica);
        if is_new {
            self.used += cost(weight);
            self.light += u32::from(weight == Weight::Light);
        }
        is_new
    }

    /// It has computed a replica, which waits for others; whether it was leased that.
    pub(crate) fn commit(&mut self, replica: ReplicaId, weight: Weight) -> bool {
        let was_leased = self.release(&replica, weight);
        self.committed.insert(replica);
        was_leased
    }

    /// A replica is over for it; whether it was leased that.
    pub(crate) fn release(&mut self, replica: &ReplicaId, weight: Weight) -> bool {
        self.committed.remove(replica);
        let was_leased = self.leases.remove(replica);
        if was_leased {
            self.used = self.used.saturating_sub(cost(weight));
            self.light = self.light.saturating_sub(u32::from(weight == Weight::Light));
        }
        was_leased
    }

    pub(crate) fn record(&self) -> WorkerRecord {
        WorkerRecord {
            connected: self.connected,
            liveness: self.liveness,
            leases: (self.leases.len() + self.committed.len()) as u64,
            ballots: self.ballots,
            dissents: self.dissents,
            equivocations: self.equivocations,
            broken_seals: self.broken_seals,
        }
    }
}
