//! Where the processor time of a verdict goes: each stage does its part of the same verdicts alone, on one thread.
//!
//! The words are those of a real vote: a job of single checks, three workers, leases and ballots in bundles, a verdict by
//! the second ballot and a third one that is late. Only the outcomes are made up. What the cluster takes beyond the
//! stages is transport, computing, scheduling and the client.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use protocol::{
    ballot::{AuthenticBallot, Ballot, ReplicaId},
    bundle::{BallotBundle, Said},
    codec,
    digest::{Digest, Domain},
    domain::{Engine, FailureDomain},
    identity::{NodeId, SecretKey},
    job::{JobId, JobSpec},
    ledger::{Entry, Record},
    limits::FRAME_BYTES_MAX,
    message::{CoordinatorMessage, EngineIntroduction, Lease, WorkerMessage},
    plan::Plan,
};
use serde::Serialize;
use verdict::{Config, Input, Machine, Output, TaskTerms, Tasks};

use super::load::{CHECK, Terms};
use crate::{
    exit::CommandError,
    ledger::{Batch, Durability, Ledger},
};

/// How many verdicts are taken apart.
const VERDICTS: u32 = 4096;
/// How many entries go into one commit.
const COMMIT_ENTRIES: usize = 256;

/// Processor time of each stage for one verdict, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Stages {
    /// How many leases or ballots stood in one frame.
    pub bundle: u32,
    /// Messages to bytes and back, tasks included.
    pub codec_us: f64,
    /// Digests, trees and signatures, made and checked.
    pub crypto_us: f64,
    /// The machine: who is asked, and what the ballots decide.
    pub tally_us: f64,
    /// Writing down, on the disk or in memory as the cluster did.
    pub ledger_us: f64,
}

/// Takes verdicts apart whose ballots come `bundle` at a time.
///
/// # Errors
/// [`CommandError`] when the ledger cannot be written.
pub fn measure(bundle: u32, durability: Durability, folder: &Path) -> Result<Stages, CommandError> {
    let broken = |error: &dyn std::fmt::Display| CommandError::Broken(error.to_string());
    let key = SecretKey::from_seed(&[1; 32]);
    let mut ledger = Ledger::open(folder, &key, durability).map_err(|error| broken(&error))?;
    let mut vote = Vote::new().map_err(|error| broken(&error))?;
    let mut stages = Stages { bundle, ..Stages::default() };
    let mut entries: Vec<Entry> = Vec::new();
    while vote.decided < VERDICTS {
        let before = vote.decided;
        for worker in 0..vote.workers.len() {
            vote.turn(worker, bundle as usize, &mut stages).map_err(|error| broken(&error))?;
        }
        entries.append(&mut vote.entries);
        while entries.len() >= COMMIT_ENTRIES {
            let rest = entries.split_off(COMMIT_ENTRIES);
            let batch = Batch { entries: std::mem::replace(&mut entries, rest), ..Batch::default() };
            let written = timed(&mut stages.ledger_us, || ledger.append(&batch));
            written.map_err(|error| broken(&error))?;
        }
        if vote.decided == before && vote.workers.iter().all(|worker| worker.leases.is_empty()) {
            return Err(broken(&"the vote came to a stop"));
        }
    }
    let verdicts = f64::from(vote.decided);
    for sum in [&mut stages.codec_us, &mut stages.crypto_us, &mut stages.tally_us, &mut stages.ledger_us] {
        *sum /= verdicts;
    }
    Ok(stages)
}

/// Does something, and adds the processor time that it took.
fn timed<T>(sum_us: &mut f64, work: impl FnOnce() -> T) -> T {
    let before_us = processor_us();
    let done = work();
    *sum_us += processor_us() - before_us;
    done
}

/// Processor time of this thread so far, in microseconds; of the process where the system does not tell threads apart,
/// and nothing where it does not tell at all.
fn processor_us() -> f64 {
    #[cfg(unix)]
    {
        use nix::sys::resource::{UsageWho, getrusage};
        #[cfg(target_os = "linux")]
        let who = UsageWho::RUSAGE_THREAD;
        #[cfg(not(target_os = "linux"))]
        let who = UsageWho::RUSAGE_SELF;
        let Ok(usage) = getrusage(who) else { return 0.0 };
        let times = [usage.user_time(), usage.system_time()];
        times.iter().map(|time| to_f64(time.tv_sec()) * 1e6 + to_f64(time.tv_usec())).sum()
    }
    #[cfg(not(unix))]
    0.0
}

#[cfg(unix)]
#[expect(
    clippy::cast_precision_loss,
    reason = "seconds and microseconds of processor time are far below 2^53"
)]
fn to_f64(time: i64) -> f64 {
    time as f64
}

/// A vote on single checks without a network.
struct Vote {
    machine: Machine,
    plan: Arc<Plan>,
    workers: Vec<Voter>,
    by_id: BTreeMap<NodeId, usize>,
    entries: Vec<Entry>,
    decided: u32,
}

struct Voter {
    key: SecretKey,
    domain: FailureDomain,
    leases: Vec<Lease>,
    counted: Vec<ReplicaId>,
}

struct Planned(Arc<Plan>);

impl Tasks for Planned {
    fn count(&self) -> u64 {
        self.0.tasks()
    }

    fn terms(&self, index: u64) -> TaskTerms {
        self.0.task(index).as_ref().map_or_else(TaskTerms::impossible, TaskTerms::of)
    }
}

impl Vote {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let spec = JobSpec::parse(&Terms { batch: 1, sealed: false }.job_text())?;
        let plan =
            Arc::new(Plan::new(&spec, Some(format!("{CHECK}\n").repeat(2 * VERDICTS as usize).into()))?);
        let mut machine = Machine::new(Config::default(), [7; 32]);
        let mut workers = Vec::new();
        for number in 2..5 {
            let key = SecretKey::from_seed(&[number; 32]);
            let domain = FailureDomain {
                operator: "bench".to_owned(),
                engine: Engine::Cpu,
                formula: protocol::constant::Formula::Direct,
                device: "a processor of this machine".to_owned(),
                build: env!("CARGO_PKG_VERSION").to_owned(),
            };
            let engine = EngineIntroduction { engine: Engine::Cpu, device: domain.device.clone() };
            let joined = Input::WorkerJoined {
                worker: key.node_id(),
                operator: domain.operator.clone(),
                engines: vec![engine],
                build: domain.build.clone(),
                slots: 8,
                resumes: Vec::new(),
            };
            machine.handle(joined, 0)?;
            workers.push(Voter { key, domain, leases: Vec::new(), counted: Vec::new() });
        }
        let by_id = workers.iter().enumerate().map(|(place, voter)| (voter.key.node_id(), place)).collect();
        let tasks = Box::new(Planned(Arc::clone(&plan)));
        machine.handle(Input::JobSubmitted { job: JobId([1; 16]), policy: spec.policy, tasks }, 0)?;
        let mut vote = Self { machine, plan, workers, by_id, entries: Vec::new(), decided: 0 };
        vote.obey();
        Ok(vote)
    }

    /// One worker hears what was said to it, and casts a bundle.
    fn turn(
        &mut self,
        worker: usize,
        bundle: usize,
        stages: &mut Stages,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let Voter { key, domain, leases, counted } = &mut self.workers[worker];
        let mut leases: Vec<Lease> = leases.drain(..leases.len().min(bundle)).collect();
        let replicas = std::mem::take(counted);
        if leases.is_empty() {
            return Ok(());
        }
        let plan = &self.plan;
        timed(&mut stages.codec_us, || {
            for lease in &mut leases {
                lease.task = plan.task(lease.replica.index).map(|task| task.to_bytes());
            }
            there_and_back(&CoordinatorMessage::Lease(leases.clone()))?;
            there_and_back(&CoordinatorMessage::Counted { replicas })
        })?;
        let said = leases.iter().map(|lease| {
            let digest = Digest::of(Domain::Outcome, &lease.replica.index.to_le_bytes());
            let ballot = Ballot {
                replica: lease.replica,
                worker: key.node_id(),
                digest,
                domain: domain.clone(),
                audit: None,
                trace: None,
            };
            Said { ballot, salt: None, outcome: Some(vec![0; 24]), compute_us: 1 }
        });
        let said = said.collect();
        let signed = timed(&mut stages.crypto_us, || BallotBundle::sign(said, key));
        let message = WorkerMessage::Cast(signed);
        let WorkerMessage::Cast(heard) = timed(&mut stages.codec_us, || there_and_back(&message))? else {
            return Ok(());
        };
        let opened = timed(&mut stages.crypto_us, || heard.open(key.node_id()))?;
        timed(&mut stages.tally_us, || opened.into_iter().try_for_each(|said| self.cast(said)))?;
        Ok(())
    }

    fn cast(&mut self, said: Said<AuthenticBallot>) -> Result<(), verdict::Rejected> {
        let Said { ballot, compute_us, .. } = said;
        self.machine.handle(Input::BallotCast { ballot, outcome_held: true, compute_us }, 1)?;
        self.obey();
        Ok(())
    }

    fn obey(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Record(record) => {
                    self.decided += u32::from(matches!(*record, Record::Decided(_)));
                    self.entries.push(Entry { at_ms: 1, record: *record });
                }
                Output::Lease {
                    worker,
                    replica,
                    engine,
                    formula,
                    lease_ms,
                    quorum,
                    sealed,
                    audit,
                    witness,
                } => {
                    let task = None;
                    let lease =
                        Lease { replica, engine, formula, lease_ms, quorum, sealed, audit, witness, task };
                    if let Some(place) = self.by_id.get(&worker) {
                        self.workers[*place].leases.push(lease);
                    }
                }
                Output::Counted { worker, replica } => {
                    if let Some(place) = self.by_id.get(&worker) {
                        self.workers[*place].counted.push(replica);
                    }
                }
                // A task that is decided is computed and said all the same: it is under way when the word comes.
                _ => {}
            }
        }
    }
}

fn there_and_back<T: Serialize + serde::de::DeserializeOwned>(message: &T) -> Result<T, codec::DecodeError> {
    codec::decode("message", &codec::encode(message), FRAME_BYTES_MAX)
}
