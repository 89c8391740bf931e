//! A simulated worker: what it has under way, what it committed to, what nobody counted yet, and what it
//! stored.
//!
//! It keeps to what the real one does: a broken link stops no computation, ballots are cast again until they are counted,
//! and a restart forgets everything but the stored outcomes.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    audit::Audited,
    ballot::{Ballot, ReplicaId},
    commitment::{Commitment, Salt},
    digest::Digest,
    domain::{Engine, FailureDomain},
    limits::RESUMES_MAX,
    message::EngineIntroduction,
};

use super::{
    durability::BUILD,
    message::{Bundle, Work},
    voice::Voice,
};
use crate::{scenario::Member, values};

/// A replica, as a worker finds it again: whole ids are slow to compare, and these are ordered like them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    task: (u32, u64),
    number: u32,
}

impl Key {
    pub(super) fn of(replica: &ReplicaId) -> Self {
        Self { task: task_of(replica), number: replica.number }
    }
}

/// A task, as a worker finds it again.
pub(super) fn task_of(replica: &ReplicaId) -> (u32, u64) {
    (values::job_number(replica.job), replica.index)
}

/// What a worker said about a replica.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) work: Work,
    pub(super) digest: Digest,
    /// What else it said about the same replica.
    pub(super) contradiction: Option<Digest>,
}

/// A ballot of a sealed task, until it is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope {
    pub(super) answer: Answer,
    pub(super) salt: Salt,
    /// What it sent: not always that which the ballot and the salt would open.
    pub(super) commitment: Commitment,
}

/// An outcome on a worker's disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) digest: Digest,
    /// Whether it was put there by a correction.
    pub(super) corrected: bool,
}

fn device_of(engine: Engine, number: u32) -> String {
    match number {
        0 => format!("{engine} device"),
        number => format!("{engine} device {number}"),
    }
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) number: u32,
    pub(super) member: Member,
    device: String,
    /// Whether it has a processor beside what else it computes with: audits are work for one.
    has_processor: bool,
    /// Whether the process runs.
    pub(super) runs: bool,
    /// Counts its restarts.
    pub(super) life: u32,
    /// The link that it believes to be up.
    pub(super) session: Option<u64>,
    /// Before this time it does nothing.
    pub(super) stalled_until_us: u64,
    pub(super) under_way: BTreeMap<Key, Work>,
    pub(super) uncounted: BTreeMap<Key, Answer>,
    pub(super) envelopes: BTreeMap<Key, Envelope>,
    /// The leases of sealed tasks that came over this link: one that the network doubled must not make it commit twice.
    pub(super) sealed_leases: BTreeSet<Key>,
    /// The first commitment that it ever made, for those who use it again.
    pub(super) first_commitment: Option<Commitment>,
    /// The outcomes on its disk; a correction is never overwritten by what it computes itself.
    pub(super) stored: BTreeMap<(u32, u64), Stored>,
    /// Whether a heartbeat is planned.
    pub(super) beats: bool,
    /// What it is about to say.
    pub(super) voice: Voice,
    /// The last bundle that it sent, for those who send it again, or something out of it.
    pub(super) last_sent: Option<Bundle>,
}

impl Worker {
    pub(super) fn new(number: u32, member: Member, has_processor: bool) -> Self {
        Self {
            number,
            device: device_of(member.engine, member.device),
            has_processor,
            member,
            runs: true,
            life: 0,
            session: None,
            stalled_until_us: 0,
            under_way: BTreeMap::new(),
            uncounted: BTreeMap::new(),
            envelopes: BTreeMap::new(),
            sealed_leases: BTreeSet::new(),
            first_commitment: None,
            stored: BTreeMap::new(),
            beats: false,
            voice: Voice::default(),
            last_sent: None,
        }
    }

    /// What it computes with, as it introduces itself.
    pub(super) fn engines(&self) -> Vec<EngineIntroduction> {
        let own = EngineIntroduction { engine: self.member.engine, device: self.device.clone() };
        let adds_processor = self.has_processor && self.member.engine != Engine::Cpu;
        let processor = adds_processor
            .then(|| EngineIntroduction { engine: Engine::Cpu, device: device_of(Engine::Cpu, 0) });
        std::iter::once(own).chain(processor).collect()
    }

    /// The process dies.
    pub(super) fn crash(&mut self) {
        self.runs = false;
        self.life += 1;
        self.session = None;
        self.stalled_until_us = 0;
        self.under_way.clear();
        self.uncounted.clear();
        self.envelopes.clear();
        self.beats = false;
        self.voice = Voice::default();
        self.last_sent = None;
    }

    /// Keeps what it computed.
    pub(super) fn store(&mut self, task: (u32, u64), digest: Digest) {
        let stored = self.stored.entry(task).or_insert(Stored { digest, corrected: false });
        if !stored.corrected {
            stored.digest = digest;
        }
    }

    /// Nobody waits for what it has to say about a replica.
    pub(super) fn forget_answer(&mut self, replica: &ReplicaId) {
        let key = Key::of(replica);
        self.uncounted.remove(&key);
        self.envelopes.remove(&key);
    }

    /// The replicas that it names when it is connected again.
    pub(super) fn resumes(&self) -> Vec<ReplicaId> {
        let uncounted = self.uncounted.values().map(|answer| answer.work.replica);
        let envelopes = self.envelopes.values().map(|envelope| envelope.answer.work.replica);
        uncounted.chain(self.replicas_under_way()).chain(envelopes).take(RESUMES_MAX).collect()
    }

    /// What it computes.
    pub(super) fn replicas_under_way(&self) -> impl Iterator<Item = ReplicaId> {
        self.under_way.values().map(|work| work.replica)
    }

    /// A ballot in the name of `voter`.
    pub(super) fn ballot(&self, voter: u32, work: &Work, digest: Digest) -> Ballot {
        // Nobody looks at the challenge here: what an audit finds is known.
        let audit = work.audit.map(|test| Audited {
            outcome: test.evidence.outcome,
            prover: values::node_id(test.prover),
            seed: [0; 32],
        });
        let domain = FailureDomain {
            operator: self.member.operator.clone(),
            engine: work.engine,
            formula: work.formula,
            device: if work.engine == self.member.engine {
                self.device.clone()
            } else {
                device_of(work.engine, 0)
            },
            build: BUILD.to_owned(),
        };
        Ballot { replica: work.replica, worker: values::node_id(voter), digest, domain, audit, trace: None }
    }
}
