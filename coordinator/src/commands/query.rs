//! `coordinator status` and `workers`: who is there and what is going on.

use std::process::ExitCode;

use protocol::{
    report::{JobStatus, WorkerStatus},
    standing::QuarantineStatus,
};

use super::session;
use crate::{
    arguments::Query,
    exit::{CommandError, DONE},
};

pub(super) async fn status(arguments: Query) -> Result<ExitCode, CommandError> {
    let client = session::client(&arguments.reach).await?;
    let jobs = client.jobs().await?;
    client.close().await;
    if arguments.json {
        println!("{}", serde_json::json!(jobs));
    } else if jobs.is_empty() {
        println!("no jobs; submit one with `coordinator submit jobs/pi-digits.toml`");
    } else {
        print_jobs(&jobs);
    }
    Ok(ExitCode::from(DONE))
}

fn print_jobs(jobs: &[JobStatus]) {
    println!("{:<14}{:<24}{:<12}{:>15}  {:>8}  {:>9}", "id", "name", "state", "accepted", "disputes", "age");
    for job in jobs {
        let progress = &job.progress;
        let state = serde_json::json!(progress.state);
        let state = state.as_str().unwrap_or_default();
        let accepted = format!("{}/{}", progress.accepted, progress.tasks);
        println!(
            "{:<14}{:<24}{:<12}{:>15}  {:>8}  {:>7} s",
            &job.job.to_string()[..12],
            job.name,
            state,
            accepted,
            progress.disputes,
            job.age_ms / 1000
        );
        if let Some(waiting) = &progress.waiting {
            println!("{:<14}waiting: {waiting}", "");
        }
    }
}

pub(super) async fn workers(arguments: Query) -> Result<ExitCode, CommandError> {
    let client = session::client(&arguments.reach).await?;
    let workers = client.workers().await?;
    client.close().await;
    if arguments.json {
        println!("{}", serde_json::json!(workers));
    } else if workers.is_empty() {
        println!("no workers; let one join with a token of `coordinator token --operator NAME`");
    } else {
        print_workers(&workers);
    }
    Ok(ExitCode::from(DONE))
}

fn print_workers(workers: &[WorkerStatus]) {
    println!(
        "{:<10}{:<20}{:<16}{:<14}{:>7}{:>9}{:>9}  engines",
        "key", "name", "operator", "state", "leases", "ballots", "dissents"
    );
    for worker in workers {
        println!(
            "{:<10}{:<20}{:<16}{:<14}{:>7}{:>9}{:>9}  {}",
            worker.worker.short(),
            worker.name,
            worker.operator,
            if worker.connected { worker.liveness.name() } else { "gone" },
            worker.leases,
            worker.ballots,
            worker.dissents,
            worker.engines.join(", ")
        );
        for standing in &worker.standing {
            if let Some(QuarantineStatus { reason, right_in_a_row, needed }) = &standing.quarantine {
                let engine = standing.engine;
                println!(
                    "{:<10}{engine} in quarantine: {reason}; {right_in_a_row} of {needed} known tasks answered rightly",
                    ""
                );
            }
            if let Some(reason) = &standing.awaits_test {
                let engine = standing.engine;
                println!(
                    "{:<10}{engine} has a known task to answer before it gets leases that count: {reason}",
                    ""
                );
            }
        }
    }
}
