//! `coordinator simulate --policies`: what each policy costs and lets through, as a table and as a plot.

use std::{ops::RangeInclusive, process::ExitCode};

use protocol::adaptive::Adaptive;
use serde::Serialize;
use simulator::lean::{Lean, LeanReport, Lying, Replication};

use crate::{
    arguments::Simulate,
    bench::plot,
    exit::{CommandError, DONE},
};

/// The shares of nodes that collude, in percent.
const SHARES: [u32; 3] = [1, 10, 35];
/// How many nodes there are, where none are asked for.
const NODES: u32 = 100;
/// Fewer could not check what a new one has answered.
const NODES_BOUNDS: RangeInclusive<u32> = 20..=10_000;
/// The bounds of adaptive replication, in parts per million million.
const BOUNDS_PPT: [u64; 4] = [1_000_000_000, 100_000_000, 10_000_000, 1_000_000];

/// A row of the table: one policy, one share.
#[derive(Debug, Clone, Serialize)]
struct Row {
    policy: String,
    /// In percent.
    colluding: u32,
    /// The bound that it is to keep, where it has one.
    bound: Option<f64>,
    /// Each way to lie.
    ways: Vec<Way>,
}

#[derive(Debug, Clone, Serialize)]
struct Way {
    lying: &'static str,
    overhead: f64,
    error: f64,
    accepted: u64,
    wrong: u64,
    undecided: u64,
    reopened: u64,
    quarantines: u64,
    honest_quarantines: u64,
}

impl Way {
    fn of(lying: Lying, report: &LeanReport) -> Self {
        Self {
            lying: lying.name(),
            overhead: report.overhead(),
            error: report.error(),
            accepted: report.accepted,
            wrong: report.wrong,
            undecided: report.undecided,
            reopened: report.reopened,
            quarantines: report.quarantines,
            honest_quarantines: report.honest_quarantines,
        }
    }
}

pub(super) fn run(arguments: &Simulate) -> Result<ExitCode, CommandError> {
    let nodes = arguments.nodes.unwrap_or(NODES);
    if !NODES_BOUNDS.contains(&nodes) {
        let (least, most) = (NODES_BOUNDS.start(), NODES_BOUNDS.end());
        return Err(CommandError::Input(format!(
            "policies are compared with {least} to {most} nodes, and --nodes says {nodes}; name such a number, or leave it out"
        )));
    }
    if let Some(path) = &arguments.plot {
        // A file that cannot be written is told before a minute of work.
        std::fs::File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|source| CommandError::File { action: "write", path: path.clone(), source })?;
    }
    let mut rows = Vec::new();
    if !arguments.json {
        println!(
            "{:<20}{:>10}{:>22}{:>14}{:>12}  worst where they lie",
            "policy", "colluding", "overhead", "wrong", "undecided"
        );
    }
    for share in SHARES {
        for (policy, bound, replication) in policies(share) {
            let row = row(arguments, nodes, share, (policy, bound), replication);
            if !arguments.json {
                println!("{}", told(&row));
            }
            rows.push(row);
        }
    }
    if arguments.json {
        println!("{}", serde_json::json!(rows));
    }
    if let Some(path) = &arguments.plot {
        let points = rows.iter().flat_map(|row| {
            row.ways.iter().map(|way| plot::CostPoint {
                policy: row.policy.clone(),
                colluding: row.colluding,
                overhead: way.overhead,
                error: way.error,
                tasks: arguments.tasks,
            })
        });
        plot::draw_costs(&points.collect::<Vec<_>>(), path)
            .map_err(|error| CommandError::Input(format!("cannot draw {}: {error}", path.display())))?;
    }
    Ok(ExitCode::from(DONE))
}

/// The policies; adaptive replication assumes the share that there is.
fn policies(share: u32) -> Vec<(String, Option<f64>, Replication)> {
    let mut policies = vec![
        ("replicated, f = 1".to_owned(), None, Replication::Replicated(1)),
        ("replicated, f = 2".to_owned(), None, Replication::Replicated(2)),
        ("audited".to_owned(), None, Replication::Audited),
    ];
    for error_ppt in BOUNDS_PPT {
        let rule = Adaptive { faulty_ppm: share * 10_000, error_ppt };
        let bound = rule.error_share();
        policies.push((format!("adaptive, {bound:e}"), Some(bound), Replication::Adaptive(rule)));
    }
    policies
}

fn row(
    arguments: &Simulate,
    workers: u32,
    share: u32,
    (policy, bound): (String, Option<f64>),
    replication: Replication,
) -> Row {
    let ways = Lying::ALL.map(|lying| {
        let faulty = (workers * share).div_ceil(100);
        let lean = Lean { workers, faulty, tasks: arguments.tasks, replication, lying, seed: arguments.seed };
        Way::of(lying, &lean.run())
    });
    Row { policy, colluding: share, bound, ways: ways.to_vec() }
}

fn told(row: &Row) -> String {
    let least = row.ways.iter().map(|way| way.overhead).fold(f64::INFINITY, f64::min);
    let most = row.ways.iter().map(|way| way.overhead).fold(0.0, f64::max);
    let undecided = row.ways.iter().map(|way| way.undecided).max().unwrap_or(0);
    let worst = row.ways.iter().max_by(|a, b| a.error.total_cmp(&b.error));
    let (error, lying) = worst.map_or((0.0, ""), |way| (way.error, way.lying));
    format!(
        "{:<20}{:>8} %{:>22}{:>14}{undecided:>12}  {}",
        row.policy,
        row.colluding,
        format!("{:.1} to {:.1} %", 100.0 * least, 100.0 * most),
        told_share(error),
        if error > 0.0 { lying } else { "" },
    )
}

/// Large shares in percent, small ones as powers of ten.
fn told_share(share: f64) -> String {
    match share {
        0.0 => "none".to_owned(),
        share if share >= 0.001 => format!("{:.1} %", 100.0 * share),
        share => format!("{share:.1e}"),
    }
}
