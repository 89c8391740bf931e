//! `cargo bench -p quorate-benches --bench isolation`: what a bad worker costs the others.
//!
//! A coordinator with its ledger on the disk and three workers run as processes of their own, and a fourth one is a hundred
//! times slower than they are, or stops reading in the middle (the process is stopped). Checks of a task of their own, and
//! checks in batches, are decided as fast as they are taken; each rate is that of a fresh cluster, and the four kinds of
//! clusters take turns. `--rounds N` (default 5), `--items N` (default 20000), `--json`.

use std::{
    env,
    error::Error,
    process::{Command, ExitCode},
};

use quorate_benches::{
    cluster::{Cluster, Part},
    program::{build, run},
    timing::median,
};
use serde::Serialize;

const USAGE: &str = "usage: isolation [--rounds N] [--items N] [--json]";
/// A batch of 1,000 checks takes a worker about a quarter of a millisecond.
const SLOW: &str = "slow=25ms";
/// How much less than without the bad worker the others may decide.
const LOSS_MAX: f64 = 0.05;

/// What the fourth worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fourth {
    Absent,
    Honest,
    Slow,
    Stopped,
}

const FOURTHS: [Fourth; 4] = [Fourth::Absent, Fourth::Honest, Fourth::Slow, Fourth::Stopped];

#[derive(Debug, Serialize)]
struct Row {
    fourth: Fourth,
    single_per_s: Option<f64>,
    batched_per_s: Option<f64>,
}

struct Arguments {
    rounds: usize,
    items: u32,
    json: bool,
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, Box<dyn Error>> {
    let mut parsed = Arguments { rounds: 5, items: 20_000, json: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value; {USAGE}"));
        match word.as_str() {
            "--rounds" => parsed.rounds = value()?.parse::<usize>()?.max(1),
            "--items" => parsed.items = value()?.parse::<u32>()?.max(1000),
            "--json" => parsed.json = true,
            // Cargo adds it to every benchmark.
            "--bench" => {}
            _ => return Err(format!("unknown argument {word}; {USAGE}").into()),
        }
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    match parse(env::args().skip(1)).and_then(|arguments| measure(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    build()?;
    let mut rates = vec![(Vec::new(), Vec::new()); FOURTHS.len()];
    for _ in 0..arguments.rounds {
        for (fourth, (single, batched)) in FOURTHS.into_iter().zip(&mut rates) {
            single.push(rate(fourth, Part::Single, arguments.items)?);
            batched.push(rate(fourth, Part::Batched, arguments.items)?);
        }
    }
    let rows = FOURTHS.into_iter().zip(rates).map(|(fourth, (single, batched))| Row {
        fourth,
        single_per_s: median(single),
        batched_per_s: median(batched),
    });
    let rows: Vec<Row> = rows.collect();
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print(&rows, arguments.rounds);
    }
    Ok(())
}

/// The rate of a fresh cluster.
fn rate(fourth: Fourth, part: Part, items: u32) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut cluster = Cluster::start(folder.path())?;
    for _ in 0..3 {
        cluster.add_worker(&[])?;
    }
    match fourth {
        Fourth::Absent => {}
        Fourth::Honest => drop(cluster.add_worker(&[])?),
        Fourth::Slow => drop(cluster.add_worker(&["--misbehave", SLOW])?),
        Fourth::Stopped => {
            let id = cluster.add_worker(&[])?;
            run(Command::new("kill").args(["-STOP", &id.to_string()]))?;
        }
    }
    cluster.rate(part, items)
}

fn print(rows: &[Row], rounds: usize) {
    println!(
        "checks decided a second, ledger on the disk, medians of {rounds}; in brackets against three workers alone"
    );
    let baseline = rows.first();
    for row in rows {
        let name = match row.fourth {
            Fourth::Absent => "three workers",
            Fourth::Honest => "and a fourth, as good",
            Fourth::Slow => "and one a hundred times slower",
            Fourth::Stopped => "and one that stops reading",
        };
        let shown = |of: fn(&Row) -> Option<f64>| {
            let (rate, alone) = (of(row).unwrap_or(0.0), baseline.and_then(of).unwrap_or(0.0));
            format!("{rate:>9.0} ({:.2})", rate / alone)
        };
        println!(
            "  {name:32} single {}   batched {}",
            shown(|row| row.single_per_s),
            shown(|row| row.batched_per_s)
        );
    }
    println!("  promised: not below {:.2}", 1.0 - LOSS_MAX);
}
