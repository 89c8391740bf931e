//! Agreement throughput: how many majority verdicts a second, and how long one takes.
//!
//! Three figures. *Single*: a job whose every check is a task of its own, so that each verdict costs its own leases,
//! signatures and tally. *Batched*: many checks in a task. The two take turns, and the median run of each counts.
//! *Latency*: one check after the other on an idle cluster, from submission to the result in the client's hands.

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
/// How often each rate is measured.
const ROUNDS: usize = 3;
/// So many times more checks are sent in batches, where each costs far less.
const BATCHED_MORE: u32 = 20;

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

/// The median run of a rate.
#[derive(Debug, Clone, Serialize)]
pub struct Rate {
    /// How many checks.
    pub checks: u32,
    /// In how many tasks, each of which was voted on.
    pub tasks: u64,
    /// In how long, from submission to the last verdict, in seconds.
    pub elapsed_s: f64,
    /// Checks decided a second.
    pub checks_per_s: f64,
    /// Tasks decided a second.
    pub tasks_per_s: f64,
    /// Processor time of the coordinator, all workers and the client for one check, in microseconds, where the system
    /// tells it.
    pub cpu_us_per_check: Option<f64>,
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
    let (mut single, mut batched) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        single.push(rate(&client, items, 1).await?);
        batched.push(rate(&client, items.saturating_mul(BATCHED_MORE).max(batch), batch).await?);
    }
    let (single, batched) = (median(single), median(batched));
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

/// The run of the median rate.
fn median(mut rates: Vec<Rate>) -> Rate {
    rates.sort_by(|one, other| one.checks_per_s.total_cmp(&other.checks_per_s));
    rates.swap_remove(rates.len() / 2)
}

async fn rate(client: &Client, checks: u32, batch: u32) -> Result<Rate, CommandError> {
    let lines = format!("{CHECK}\n").repeat(checks as usize);
    let cpu_before_s = cpu_s();
    let started = Instant::now();
    let job = client.submit(&job_text(batch), Some(lines.into_bytes())).await?;
    let progress = client.watch(job, |_| {}).await?;
    let elapsed_s = started.elapsed().as_secs_f64();
    let cpu_us = cpu_s().zip(cpu_before_s).map(|(after_s, before_s)| (after_s - before_s) * 1e6);
    if progress.state != JobState::Reconciled {
        return Err(CommandError::Broken(format!(
            "{} of {} tasks were not accepted",
            progress.unaccepted, progress.tasks
        )));
    }
    // The sizes of tasks are bounded, so there are far fewer than 2^32.
    let tasks = u32::try_from(progress.tasks).unwrap_or(u32::MAX);
    Ok(Rate {
        checks,
        tasks: progress.tasks,
        elapsed_s,
        checks_per_s: f64::from(checks) / elapsed_s,
        tasks_per_s: f64::from(tasks) / elapsed_s,
        cpu_us_per_check: cpu_us.map(|us| us / f64::from(checks)),
    })
}

/// Processor time of this process so far, in seconds; Linux tells it, in hundredths.
fn cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; the times in user and in system mode are the 12th and 13th word
    // after it (proc(5)).
    let mut words = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut hundredths = || words.next()?.parse::<u32>().ok();
    Some((f64::from(hundredths()?) + f64::from(hundredths()?)) / 100.0)
}

async fn latency(client: &Client, items: u32) -> Result<Latency, CommandError> {
    let text = ask_job_text(CHECK);
    let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)
        .map_err(|error| CommandError::Broken(error.to_string()))?;
    for _ in 0..items {
        let started = Instant::now();
        let (_, _, mut result) = client.run(&text, None, |_| {}).await?;
        for _ in 0..result.tasks {
            let outcome = result.next_outcome(1 << 16).await?;
            outcome.ok_or_else(|| CommandError::Broken("a verdict came without its outcome".to_owned()))?;
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
