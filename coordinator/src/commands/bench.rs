//! `coordinator bench agreement`: runs the measurement and prints it.

use std::process::ExitCode;

use crate::{
    arguments::BenchAgreement,
    bench::{
        agreement::{self, Figures},
        load::Rate,
    },
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
    let cluster = match (figures.workers, figures.durable) {
        (Some(workers), Some(true)) => format!("{workers} workers in this process, ledger on the disk"),
        (Some(workers), _) => format!("{workers} workers in this process, ledger in memory"),
        (None, _) => "the cluster's workers".to_owned(),
    };
    let sealed = if figures.sealed { ", sealed ballots" } else { "" };
    println!("check `{}` on {cluster}{sealed}, majority of three, signed, over QUIC", figures.check);
    if let Some(rate) = &figures.single {
        print_rate("single, each its own task", rate);
        print_cost(figures, rate);
    }
    if let Some(rate) = &figures.batched {
        print_rate(&format!("batched, {} a task", figures.batch), rate);
    }
    if let Some(latency) = &figures.latency {
        println!(
            "  {:<26}p50 {:.2} ms   p99 {:.2} ms   p99.9 {:.2} ms   max {:.2} ms   ({} asked)",
            "one verdict, idle cluster",
            latency.p50_ms,
            latency.p99_ms,
            latency.p999_ms,
            latency.max_ms,
            latency.items
        );
    }
}

/// What one single verdict costs.
fn print_cost(figures: &Figures, rate: &Rate) {
    if let Some(wire) = &figures.wire {
        println!(
            "    on the wire {:.0} bytes a verdict, {:.1} ballots a frame",
            wire.bytes_per_verdict, wire.ballots_per_bundle
        );
    }
    if let (Some(stages), Some(total_us)) = (&figures.stages, rate.cpu_us_per_check) {
        let staged_us = stages.codec_us + stages.crypto_us + stages.tally_us + stages.ledger_us;
        println!(
            "    processor time a verdict: codec {:.1} us, crypto {:.1} us, tally {:.1} us, ledger {:.1} us, the rest \
             (transport, computing, scheduling, client) {:.1} us",
            stages.codec_us,
            stages.crypto_us,
            stages.tally_us,
            stages.ledger_us,
            (total_us - staged_us).max(0.0)
        );
    }
}

fn print_rate(name: &str, rate: &Rate) {
    let cpu = rate.cpu_us_per_check.map(|us| format!("   {us:.1} us of processor time a check"));
    println!(
        "  {name:<26}{:>9.0} checks/s {:>8.0} tasks/s   ({} checks in {:.2} s){}",
        rate.checks_per_s,
        rate.tasks_per_s,
        rate.checks,
        rate.elapsed_s,
        cpu.unwrap_or_default()
    );
}
