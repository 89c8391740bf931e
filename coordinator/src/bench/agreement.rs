//! Agreement throughput: how many majority verdicts a second, how long one takes, and what it costs.
//!
//! *Single*: a job whose every check is a task of its own, so that each verdict costs its own leases, ballots and tally.
//! *Batched*: many checks in a task. The two take turns, and the median run of each counts. *Latency*: one check after the
//! other on an idle cluster, from submission to the result in the client's hands. Beside the single rate stand the bytes
//! on the wire and the processor time of each stage.

use protocol::report::WorkerStatus;
use serde::Serialize;

use super::{
    load::{self, CHECK, Latency, Rate, Terms},
    plot::{self, Point},
    stages::{self, Stages},
};
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
/// The batches of a plot.
const SWEEP_BATCHES: [u32; 6] = [1, 4, 16, 64, 256, 1024];
/// The numbers of workers of a plot.
const SWEEP_WORKERS: [u32; 4] = [3, 10, 30, 100];
/// Of the checks of an ordinary measurement, so many less are sent for one point of a plot.
const SWEEP_LESS: u32 = 4;

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
    /// What went over the wire for it.
    pub wire: Option<Wire>,
    /// Where its processor time went.
    pub stages: Option<Stages>,
    /// Many checks a task.
    pub batched: Option<Rate>,
    /// One check at a time.
    pub latency: Option<Latency>,
    /// The points of the plot.
    pub sweep: Vec<Point>,
}

/// What the coordinator and its workers said to each other for single checks.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Wire {
    /// Bytes of UDP's payload for one verdict, both ways, all workers together.
    pub bytes_per_verdict: f64,
    /// Ballots in one frame.
    pub ballots_per_bundle: f64,
}

/// Measures agreement on a fresh embedded cluster, or on the one that the user named.
///
/// # Errors
/// [`CommandError`] when the cluster does not start or a verdict is not the expected one.
pub async fn measure(arguments: &BenchAgreement) -> Result<Figures, CommandError> {
    if let Some(text) = &arguments.coordinator {
        let coordinator_dir = state::coordinator_dir(arguments.state.state_dir.as_deref());
        let target = Target::resolve(text, &coordinator_dir, &state::client_dir())?;
        return on_the_runtime(target, arguments, None).await;
    }
    let workers = arguments.workers.get();
    let cluster = EmbeddedCluster::start(composition(arguments, workers)).await?;
    let figures = on_the_runtime(cluster.target(), arguments, Some(workers)).await;
    let folder = cluster.folder().join("stages");
    let mut figures = match figures {
        Ok(figures) => figures,
        Err(error) => {
            cluster.stop().await;
            return Err(error);
        }
    };
    if let Some(wire) = figures.wire {
        let bundle = nearest(wire.ballots_per_bundle);
        let durability = durability(arguments);
        let taken_apart = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&folder).ok();
            stages::measure(bundle, durability, &folder)
        });
        figures.stages = taken_apart.await.ok().transpose()?;
    }
    cluster.stop().await;
    if let Some(path) = &arguments.plot {
        figures.sweep = sweep(arguments).await?;
        let title = format!("Quorate: `{CHECK}`, majority of three, signed, on one machine");
        plot::draw(&figures.sweep, &title, path)
            .map_err(|error| CommandError::Broken(format!("{} cannot be drawn: {error}", path.display())))?;
    }
    Ok(figures)
}

/// Measures in a task of its own: what the main thread waits for is waited for by one thread more.
async fn on_the_runtime(
    target: Target,
    arguments: &BenchAgreement,
    workers: Option<u32>,
) -> Result<Figures, CommandError> {
    let arguments = arguments.clone();
    let measured = tokio::spawn(async move { measure_at(&target, &arguments, workers).await });
    measured.await.map_err(|error| CommandError::Broken(error.to_string()))?
}

fn durability(arguments: &BenchAgreement) -> Durability {
    if arguments.durable { Durability::Synced } else { Durability::Memory }
}

fn composition(arguments: &BenchAgreement, workers: u32) -> Composition {
    Composition { durability: durability(arguments), ..Composition::of(workers) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
fn nearest(ballots: f64) -> u32 {
    ballots.round().max(1.0) as u32
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
    let (mut single, mut batched, mut wires) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds.get() {
        if wants(BenchPart::Single) {
            let before = client.workers().await?;
            single.push(load::rate(&client, items, Terms { batch: 1, sealed }).await?);
            wires.push(wire(&before, &client.workers().await?, items));
        }
        if wants(BenchPart::Batched) {
            let checks = items.saturating_mul(BATCHED_MORE).max(batch);
            batched.push(load::rate(&client, checks, Terms { batch, sealed }).await?);
        }
    }
    let latency = if wants(BenchPart::Latency) {
        Some(load::latency(&client, arguments.singles.get(), Terms { batch: 1, sealed }).await?)
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
        wire: wires.pop(),
        stages: None,
        batched: load::median(batched),
        latency,
        sweep: Vec::new(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^53")]
fn wire(before: &[WorkerStatus], after: &[WorkerStatus], verdicts: u32) -> Wire {
    let sum = |of: fn(&WorkerStatus) -> u64| {
        let total = |workers: &[WorkerStatus]| workers.iter().map(of).sum::<u64>();
        total(after).saturating_sub(total(before)) as f64
    };
    let bytes = sum(|worker| worker.sent_bytes) + sum(|worker| worker.received_bytes);
    Wire {
        bytes_per_verdict: bytes / f64::from(verdicts),
        ballots_per_bundle: sum(|worker| worker.ballots) / sum(|worker| worker.bundles).max(1.0),
    }
}

/// Measures rates and latencies with other batches, and with other numbers of workers.
async fn sweep(arguments: &BenchAgreement) -> Result<Vec<Point>, CommandError> {
    let of_batches = SWEEP_BATCHES.map(|batch| (batch, SWEEP_WORKERS[0]));
    let of_workers = SWEEP_WORKERS.map(|workers| (1, workers));
    let mut points = Vec::new();
    for (batch, workers) in of_batches.into_iter().chain(of_workers.into_iter().skip(1)) {
        let cluster = EmbeddedCluster::start(composition(arguments, workers)).await?;
        let point = point(&cluster.target(), arguments, batch, workers).await;
        cluster.stop().await;
        points.push(point?);
    }
    Ok(points)
}

async fn point(
    target: &Target,
    arguments: &BenchAgreement,
    batch: u32,
    workers: u32,
) -> Result<Point, CommandError> {
    let client = Client::connect(target).await?;
    let terms = Terms { batch, sealed: arguments.sealed };
    let checks = (arguments.items.get() / SWEEP_LESS).max(1).saturating_mul(batch.min(BATCHED_MORE));
    load::rate(&client, (checks / 10).max(1), terms).await?;
    let rate = load::rate(&client, checks, terms).await?;
    let latency = load::latency(&client, (arguments.singles.get() / SWEEP_LESS).max(1), terms).await?;
    client.close().await;
    Ok(Point { batch, workers, rate, latency })
}
