//! `coordinator bench agreement`: runs the measurement and prints it.

use std::process::ExitCode;

use crate::{
    arguments::BenchAgreement,
    bench::agreement::{self, Figures},
    exit::{CommandError, DONE},
};

pub(super) async fn agreement(arguments: BenchAgreement) -> Result<ExitCode, CommandError> {
    let figures = agreement::measure(&arguments).await?;
    if arguments.json {
        println!("{}", serde_json::json!(figures));
    } else {
        print(&figures);
    }
    Ok(ExitCode::from(DONE))
}

fn print(figures: &Figures) {
    println!(
        "check `{}` on {} workers, majority of three, real QUIC on loopback",
        figures.check, figures.workers
    );
    let single = &figures.single;
    println!(
        "  single, each its own task  {:>12.0} verdicts/s   ({} in {:.2} s)",
        single.per_s, single.items, single.elapsed_s
    );
    let batched = &figures.batched;
    println!(
        "  batched, {:>5} a task      {:>12.0} verdicts/s   ({} in {:.2} s)",
        figures.batch, batched.per_s, batched.items, batched.elapsed_s
    );
    let latency = &figures.latency;
    println!(
        "  one verdict, idle cluster  p50 {:.2} ms   p99 {:.2} ms   max {:.2} ms   ({} asked)",
        latency.p50_ms, latency.p99_ms, latency.max_ms, latency.items
    );
}
