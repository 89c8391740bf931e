//! Agreement throughput: how many majority verdicts a second, and how long one takes.
//!
//! Three figures. *Single*: a job whose every check is a task of its own, so that each verdict costs its own leases,
//! signatures and tally. *Batched*: many checks in a task. *Latency*: one check after the other on an idle cluster,
//! from submission to the result in the client's hands.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    arguments::BenchAgreement,
    client::Client,
    embedded::{Composition, EmbeddedCluster},
    exit::CommandError,
};
use protocol::{job::ask_job_text, report::JobState};

/// The check that is measured.
const CHECK: &str = "2 * 2 * 2 * 2 == 16";

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// The check.
    pub check: &'static str,
    /// How many workers.
    pub workers: u32,
    /// How many checks in one task, where they are batched.
    pub batch: u32,
    /// Each check its own task.
    pub single: Rate,
    /// Many checks a task.
    pub batched: Rate,
    /// One check at a time.
    pub latency: Latency,
}

/// A rate.
#[derive(Debug, Serialize)]
pub struct Rate {
    /// How many checks.
    pub items: u32,
    /// In how long, in seconds.
    pub elapsed_s: f64,
    /// Checks a second.
    pub per_s: f64,
}

/// A distribution of times.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// How many checks.
    pub items: u32,
    /// The median, in milliseconds.
    pub p50_ms: f64,
    /// The 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// The longest, in milliseconds.
    pub max_ms: f64,
}

/// Measures agreement on a fresh embedded cluster.
///
/// # Errors
/// [`CommandError`] when the cluster does not start or a verdict is not the expected one.
pub async fn measure(arguments: &BenchAgreement) -> Result<Figures, CommandError> {
    let workers = arguments.workers.get();
    let cluster = EmbeddedCluster::start(Composition { workers, liar: false, gpu: false }).await?;
    let client = Client::connect(&cluster.target()).await?;
    let items = arguments.items.get();
    let batch = arguments.batch.get();
    // A first run finds threads, caches and congestion windows cold.
    rate(&client, items.min(1000), 1).await?;
    let single = rate(&client, items, 1).await?;
    let batched = rate(&client, items.max(batch), batch).await?;
    let latency = latency(&client, arguments.singles.get()).await?;
    client.close().await;
    cluster.stop().await;
    Ok(Figures { check: CHECK, workers, batch, single, batched, latency })
}

/// A job file of `count` checks, `batch` of them in each task.
fn job_text(batch: u32) -> String {
    format!(
        "name = \"bench\"\nkind = \"expressions\"\n[expressions]\nfile = \"checks.txt\"\nbatch = {batch}\n[policy]\ntolerate = 1\n"
    )
}

async fn rate(client: &Client, items: u32, batch: u32) -> Result<Rate, CommandError> {
    // The position makes each text, and so each task, a different one.
    let lines: String = (0..items).map(|_| format!("{CHECK}\n")).collect();
    let started = Instant::now();
    let job = client.submit(&job_text(batch), Some(lines.into_bytes())).await?;
    let progress = client.watch(job, |_| {}).await?;
    let elapsed_s = started.elapsed().as_secs_f64();
    if progress.state != JobState::Reconciled {
        return Err(CommandError::Broken(format!(
            "{} of {} checks were not accepted",
            progress.unaccepted, items
        )));
    }
    Ok(Rate { items, elapsed_s, per_s: f64::from(items) / elapsed_s })
}

async fn latency(client: &Client, items: u32) -> Result<Latency, CommandError> {
    let text = ask_job_text(CHECK);
    let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)
        .map_err(|error| CommandError::Broken(error.to_string()))?;
    for _ in 0..items {
        let started = Instant::now();
        let job = client.submit(&text, None).await?;
        client.watch(job, |_| {}).await?;
        let mut result = client.result(job).await?;
        for _ in 0..result.tasks {
            result.next_outcome(1 << 16).await?;
        }
        times.saturating_record(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    let ms = |us: u64| Duration::from_micros(us).as_secs_f64() * 1e3;
    Ok(Latency {
        items,
        p50_ms: ms(times.value_at_quantile(0.5)),
        p99_ms: ms(times.value_at_quantile(0.99)),
        max_ms: ms(times.max()),
    })
}
