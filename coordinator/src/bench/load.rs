//! The load: checks sent as fast as they are taken, and checks asked one after the other.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use protocol::{job::ask_job_text, report::JobState};
use serde::Serialize;

use crate::{client::Client, exit::CommandError};

/// The check that is measured.
pub const CHECK: &str = "2 * 2 * 2 * 2 == 16";

/// How fast checks were decided.
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
    /// Processor time of this process for one check, in microseconds, where the system tells it: of the coordinator, all
    /// workers and the client, where the cluster is in this process.
    pub cpu_us_per_check: Option<f64>,
}

/// A distribution of times.
#[derive(Debug, Clone, Serialize)]
pub struct Latency {
    /// How many checks.
    pub items: u32,
    /// The median, in milliseconds.
    pub p50_ms: f64,
    /// The 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// The 999th of 1000, in milliseconds.
    pub p999_ms: f64,
    /// The longest, in milliseconds.
    pub max_ms: f64,
}

/// How each job is voted on.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How many checks one task has.
    pub batch: u32,
    /// Whether workers commit to their ballots first.
    pub sealed: bool,
}

impl Terms {
    pub(super) fn job_text(self) -> String {
        let Self { batch, sealed } = self;
        format!(
            "name = \"bench\"\nkind = \"expressions\"\n[expressions]\nfile = \"checks.txt\"\nbatch = {batch}\n\
             [policy]\ntolerate = 1\nsealed = {sealed}\n"
        )
    }
}

/// Sends `checks` checks in one job, and waits for the last verdict.
///
/// # Errors
/// [`CommandError`] when the connection breaks, or a check is not accepted.
pub async fn rate(client: &Client, checks: u32, terms: Terms) -> Result<Rate, CommandError> {
    let lines = format!("{CHECK}\n").repeat(checks as usize);
    let cpu_before_s = cpu_s();
    let started = Instant::now();
    let job = client.submit(&terms.job_text(), Some(lines.into())).await?;
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

/// The run of the median rate.
#[must_use]
pub fn median(mut rates: Vec<Rate>) -> Option<Rate> {
    rates.sort_by(|one, other| one.checks_per_s.total_cmp(&other.checks_per_s));
    let middle = rates.len() / 2;
    (!rates.is_empty()).then(|| rates.swap_remove(middle))
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

/// Asks one task after the other, each of `batch` checks, from submission to its result in the client's hands.
///
/// # Errors
/// [`CommandError`] when the connection breaks, or a task has no accepted outcome.
pub async fn latency(client: &Client, items: u32, terms: Terms) -> Result<Latency, CommandError> {
    let text = terms.job_text();
    let lines = Bytes::from(format!("{CHECK}\n").repeat(terms.batch as usize));
    let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)
        .map_err(|error| CommandError::Broken(error.to_string()))?;
    let alone = ask_job_text(CHECK);
    for _ in 0..items {
        let started = Instant::now();
        let (_, _, mut result) = if terms.batch == 1 && !terms.sealed {
            client.run(&alone, None, |_| {}).await?
        } else {
            client.run(&text, Some(lines.clone()), |_| {}).await?
        };
        for _ in 0..result.tasks {
            let outcome = result.next_outcome(1 << 16).await?;
            outcome.ok_or_else(|| CommandError::Broken("a verdict came without its outcome".to_owned()))?;
        }
        times.saturating_record(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    let ms = |us: u64| Duration::from_micros(us).as_secs_f64() * 1e3;
    let at = |quantile| ms(times.value_at_quantile(quantile));
    Ok(Latency { items, p50_ms: at(0.5), p99_ms: at(0.99), p999_ms: at(0.999), max_ms: ms(times.max()) })
}
