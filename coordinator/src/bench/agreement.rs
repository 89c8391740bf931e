//! Agreement throughput: how many majority verdicts a second, and how long one takes.
//!
//! Three figures. *Single*: a job whose every check is a task of its own, so that each verdict costs its own leases,
//! ballots and tally. *Batched*: many checks in a task. The two take turns, and the median run of each counts.
//! *Latency*: one check after the other on an idle cluster, from submission to the result in the client's hands.

use serde::Serialize;

use super::load::{self, CHECK, Latency, Rate, Terms};
use crate::{
    arguments::{BenchAgreement, BenchPart},
    client::{Client, Target},
    embedded::{Composition, EmbeddedCluster},
    exit::CommandError,
    ledger::Durability,
    state,
};

/// So many times more checks are sent in batches, where each costs far less.
const BATCHED_MORE: u32 = 20;

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// The check.
    pub check: &'static str,
    /// How many workers; none where the cluster was there before.
    pub workers: Option<u32>,
    /// How many checks in one task, where they are batched.
    pub batch: u32,
    /// Whether workers committed to each ballot first.
    pub sealed: bool,
    /// Whether the ledger was on the disk; none where the cluster was there before.
    pub durable: Option<bool>,
    /// Each check its own task.
    pub single: Option<Rate>,
    /// Many checks a task.
    pub batched: Option<Rate>,
    /// One check at a time.
    pub latency: Option<Latency>,
}

/// Measures agreement on a fresh embedded cluster, or on the one that the user named.
///
/// # Errors
/// [`CommandError`] when the cluster does not start or a verdict is not the expected one.
pub async fn measure(arguments: &BenchAgreement) -> Result<Figures, CommandError> {
    if let Some(text) = &arguments.coordinator {
        let coordinator_dir = state::coordinator_dir(arguments.state.state_dir.as_deref());
        let target = Target::resolve(text, &coordinator_dir, &state::client_dir())?;
        return measure_at(&target, arguments, None).await;
    }
    let workers = arguments.workers.get();
    let durability = if arguments.durable { Durability::Synced } else { Durability::Memory };
    let cluster = EmbeddedCluster::start(Composition { durability, ..Composition::of(workers) }).await?;
    let figures = measure_at(&cluster.target(), arguments, Some(workers)).await;
    cluster.stop().await;
    figures
}

async fn measure_at(
    target: &Target,
    arguments: &BenchAgreement,
    workers: Option<u32>,
) -> Result<Figures, CommandError> {
    let client = Client::connect(target).await?;
    let (items, batch, sealed) = (arguments.items.get(), arguments.batch.get(), arguments.sealed);
    let wants = |part| arguments.only.is_none_or(|only| only == part);
    // A first run finds threads, caches and congestion windows cold.
    load::rate(&client, items.min(1000), Terms { batch: 1, sealed }).await?;
    let (mut single, mut batched) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds.get() {
        if wants(BenchPart::Single) {
            single.push(load::rate(&client, items, Terms { batch: 1, sealed }).await?);
        }
        if wants(BenchPart::Batched) {
            let checks = items.saturating_mul(BATCHED_MORE).max(batch);
            batched.push(load::rate(&client, checks, Terms { batch, sealed }).await?);
        }
    }
    let latency = if wants(BenchPart::Latency) {
        Some(load::latency(&client, arguments.singles.get()).await?)
    } else {
        None
    };
    client.close().await;
    Ok(Figures {
        check: CHECK,
        workers,
        batch,
        sealed,
        durable: workers.map(|_| arguments.durable),
        single: load::median(single),
        batched: load::median(batched),
        latency,
    })
}
