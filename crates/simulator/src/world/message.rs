//! What is said over a simulated link, and everything else that can happen in a world.

use protocol::{
    ballot::{ReplicaId, SignedBallot},
    commitment::{Commitment, Salt},
    constant::Formula,
    digest::Digest,
    domain::Engine,
    job::JobId,
};

use crate::scenario::Mishap;

/// What a worker says.
#[derive(Debug, Clone)]
pub(super) enum WorkerSays {
    /// A ballot, what opens the commitment to it on a sealed task, and who really signed it: in this network that stands
    /// in for the signature.
    Cast { ballot: Box<SignedBallot>, salt: Option<Box<Salt>>, signed_by: u32 },
    /// It has computed a replica of a sealed task.
    Committed(ReplicaId, Commitment),
    /// It cannot run a replica.
    Failed(ReplicaId),
    /// These replicas are under way.
    Beat(Vec<ReplicaId>),
    /// It holds the accepted outcome now.
    Corrected(ReplicaId, Digest),
    /// It hands out an outcome, or does not.
    Outcome { job: JobId, index: u64, given: bool },
}

/// What the coordinator says.
#[derive(Debug, Clone)]
pub(super) enum CoordinatorSays {
    Lease(Work),
    Cancel(ReplicaId),
    Reveal(ReplicaId),
    Counted(ReplicaId),
    Correct(ReplicaId, Digest),
    Fetch { job: JobId, index: u64, digest: Digest },
}

/// A replica, and how it is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) replica: ReplicaId,
    pub(super) engine: Engine,
    pub(super) formula: Formula,
    /// Whether a commitment comes before the ballot.
    pub(super) sealed: bool,
}

/// Something that happens. A `life`, of a worker or the coordinator, ends when it crashes, and what its former life had planned is void; so is
/// what was sent over an earlier `session` of its link.
#[derive(Debug, Clone)]
pub(super) enum Event {
    ToCoordinator {
        worker: u32,
        session: u64,
        message: WorkerSays,
    },
    ToWorker {
        worker: u32,
        session: u64,
        message: CoordinatorSays,
    },
    /// A computation ends.
    Computed {
        worker: u32,
        life: u32,
        work: Work,
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
