//! What is said over a simulated link, and everything else that can happen in a world.
//!
//! As over a real link, nothing travels alone: whatever one side has to say to the other at the end of a turn is one
//! envelope, and what the network does to a message it does to the whole of it.

use protocol::{
    ballot::{Ballot, ReplicaId},
    bundle::Said,
    commitment::Commitment,
    constant::Formula,
    digest::Digest,
    domain::Engine,
    fault::LocatedFault,
    job::JobId,
};

use crate::scenario::Mishap;

/// Ballots under one signature.
#[derive(Debug, Clone)]
pub(super) struct Bundle {
    pub(super) ballots: Vec<Said<Ballot>>,
    /// Who really signed them: in this network that stands in for the signature.
    pub(super) signed_by: u32,
}

/// What a worker says.
#[derive(Debug, Clone)]
pub(super) enum WorkerSays {
    /// Ballots, with what opens the commitments to them on sealed tasks.
    Cast(Bundle),
    /// It has computed replicas of sealed tasks.
    Committed(Vec<(ReplicaId, Commitment)>),
    /// It cannot run a replica.
    Failed(ReplicaId),
    /// These replicas are under way.
    Beat(Vec<ReplicaId>),
    /// It holds the accepted outcome now.
    Corrected(ReplicaId, Digest),
    /// It hands out an outcome, or does not.
    Outcome { job: JobId, index: u64, given: bool },
    /// It hands out what auditors need, or does not.
    Evidence { job: JobId, index: u64, evidence: Option<Evidence> },
}

/// What a prover hands out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    pub(super) outcome: Digest,
    /// Whether the proof of it holds.
    pub(super) is_sound: bool,
}

/// What an auditor is to test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Test {
    pub(super) prover: u32,
    pub(super) evidence: Evidence,
}

/// What the coordinator says.
#[derive(Debug, Clone)]
pub(super) enum CoordinatorSays {
    Orders(Box<Orders>),
    /// Over a stream of its own.
    Fetch {
        job: JobId,
        index: u64,
        digest: Digest,
    },
    /// Over a stream of its own, too: what auditors need of this outcome.
    Obtain {
        job: JobId,
        index: u64,
        outcome: Digest,
    },
}

/// What the coordinator orders of one worker in one turn. The kinds stand in the order in which the worker obeys them: a
/// replica is leased before it is revealed, and cancelled or counted after either.
#[derive(Debug, Clone, Default)]
pub(super) struct Orders {
    pub(super) leases: Vec<Work>,
    pub(super) reveals: Vec<ReplicaId>,
    pub(super) cancels: Vec<ReplicaId>,
    pub(super) counted: Vec<ReplicaId>,
    pub(super) corrections: Vec<(ReplicaId, Digest)>,
}

impl Orders {
    /// Takes out what has gathered; the room for it stays here.
    pub(super) fn take(&mut self) -> Self {
        Self {
            leases: self.leases.drain(..).collect(),
            reveals: self.reveals.drain(..).collect(),
            cancels: self.cancels.drain(..).collect(),
            counted: self.counted.drain(..).collect(),
            corrections: self.corrections.drain(..).collect(),
        }
    }
}

/// A replica, and how it is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) replica: ReplicaId,
    pub(super) engine: Engine,
    pub(super) formula: Formula,
    /// Whether a commitment comes before the ballot.
    pub(super) sealed: bool,
    /// What to test instead of computing.
    pub(super) audit: Option<Test>,
}

/// Something that happens. A `life`, of a worker or the coordinator, ends when it crashes, and what its former life had planned is void; so is
/// what was sent over an earlier `session` of its link.
#[derive(Debug, Clone)]
pub(super) enum Event {
    ToCoordinator {
        worker: u32,
        session: u64,
        envelope: Vec<WorkerSays>,
    },
    ToWorker {
        worker: u32,
        session: u64,
        message: CoordinatorSays,
    },
    /// Computations end, one right after the other.
    Computed {
        worker: u32,
        life: u32,
        run: Vec<Work>,
    },
    /// It is time to say what is under way.
    Beat {
        worker: u32,
        life: u32,
    },
    /// A worker tries to be connected.
    Connect {
        worker: u32,
        life: u32,
    },
    /// Both ends notice that nothing comes over this session any more.
    Silence {
        worker: u32,
        session: u64,
    },
    /// A fault was located.
    Located {
        life: u32,
        fault: Box<LocatedFault>,
    },
    /// A sync of the coordinator's disk ends.
    Synced {
        life: u32,
    },
    /// The coordinator is back after a crash.
    CoordinatorBack {
        life: u32,
    },
    /// A job comes in.
    Submit {
        job: u32,
    },
    /// Something goes wrong with a worker.
    Mishap {
        worker: u32,
        mishap: Mishap,
    },
    /// A worker that crashed is back.
    Restart {
        worker: u32,
        life: u32,
    },
    /// A partition is lifted.
    Lifted {
        worker: u32,
        direction: Option<crate::network::Direction>,
    },
    /// The coordinator's clock jumps.
    ClockJump {
        ahead_ms: u64,
    },
    /// Nothing goes wrong any more.
    Calm,
}
