//! `cargo bench -p quorate-benches --bench overhead`: what agreement costs over computing the same replicas alone.
//!
//! In turns: a job of digits of pi on the embedded cluster, all three replicas of which must vote; and `worker compute`
//! of exactly the replicas that voted, by the same formulas on as many threads. Compared is the CPU time of the whole
//! processes, from their start to their end: joining, hashing, signing, transport, the vote and the written results.
//! `--decimals N` (default 2 million), `--rounds R` (default 5), `--json`.

use std::{env, error::Error, fs, path::Path, process::ExitCode, thread};

use quorate_benches::{
    program::{self, build, command, run_timed},
    timing::Rounds,
};
use serde::Serialize;
use serde_json::Value;

const USAGE: &str = "usage: overhead [--decimals N] [--rounds R] [--json]";
/// What the house promises.
const RATIO_MAX: f64 = 1.10;
/// The columns.
const CLUSTER: usize = 0;
const ALONE: usize = 1;
/// Replicas of the one task, all of which must vote.
const REPLICAS: usize = 3;

struct Arguments {
    decimals: u64,
    rounds: usize,
    json: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut parsed = Self { decimals: 2_000_000, rounds: 5, json: false };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value; {USAGE}"));
            match word.as_str() {
                "--decimals" => parsed.decimals = value()?.replace('_', "").parse()?,
                "--rounds" => parsed.rounds = value()?.parse::<usize>()?.max(1),
                "--json" => parsed.json = true,
                // Cargo adds it to every benchmark.
                "--bench" => {}
                _ => return Err(format!("unknown argument {word}; {USAGE}").into()),
            }
        }
        Ok(parsed)
    }
}

fn main() -> ExitCode {
    match Arguments::parse(env::args().skip(1)).and_then(|arguments| compare(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What came out.
#[derive(Debug, Serialize)]
struct Report {
    decimals: u64,
    rounds: usize,
    formulas: Vec<String>,
    cluster_cpu_s: Option<f64>,
    alone_cpu_s: Option<f64>,
    ratio: Option<f64>,
    promised: f64,
}

fn compare(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    build()?;
    let folder = tempfile::tempdir()?;
    let job = folder.path().join("pi.toml");
    fs::write(&job, job_text(arguments.decimals))?;
    let mut rounds = Rounds::default();
    let mut formulas = Vec::new();
    for round in 0..arguments.rounds {
        let (replicas, cluster_s) = on_the_cluster(&job, &folder.path().join(format!("round-{round}")))?;
        let mut alone_s = 0.0;
        for replica in &replicas {
            alone_s += alone(&job, replica)?;
        }
        rounds.push(vec![Some(cluster_s), Some(alone_s)]);
        formulas = replicas.into_iter().map(|replica| replica.formula).collect();
    }
    let report = Report {
        decimals: arguments.decimals,
        rounds: arguments.rounds,
        formulas,
        cluster_cpu_s: rounds.median(CLUSTER),
        alone_cpu_s: rounds.median(ALONE),
        ratio: rounds.ratio(CLUSTER, ALONE),
        promised: RATIO_MAX,
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn job_text(decimals: u64) -> String {
    format!(
        "name = \"overhead\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = {decimals}\n[policy]\n\
         tolerate = 1\nquorum = {REPLICAS}\nreplicas = {REPLICAS}\ndistinct = [\"formula\"]\n"
    )
}

/// A replica that voted.
struct Replica {
    formula: String,
    digest: String,
}

/// Runs the job on the embedded cluster; returns its replicas and the CPU seconds.
fn on_the_cluster(job: &Path, out: &Path) -> Result<(Vec<Replica>, f64), Box<dyn Error>> {
    let (_, seconds) =
        run_timed(command("coordinator")?.arg("submit").arg(job).arg("--out").arg(out).arg("--json"))?;
    let report: Value = serde_json::from_slice(&fs::read(out.join("report.json"))?)?;
    let ballots = report["verdicts"][0]["ballots"].as_array().ok_or("the report has no ballots")?;
    let text =
        |value: &Value| value.as_str().map(str::to_owned).ok_or("the report lacks a formula or digest");
    let replicas = ballots
        .iter()
        .map(|ballot| {
            Ok(Replica { formula: text(&ballot["domain"]["formula"])?, digest: text(&ballot["digest"])? })
        })
        .collect::<Result<Vec<_>, &str>>()?;
    if replicas.len() != REPLICAS {
        return Err(format!("{} replicas voted instead of {REPLICAS}", replicas.len()).into());
    }
    Ok((replicas, seconds))
}

/// Computes one replica alone; returns the CPU seconds.
fn alone(job: &Path, replica: &Replica) -> Result<f64, Box<dyn Error>> {
    let Replica { formula, digest } = replica;
    // As many threads as each of the embedded workers has.
    let threads = (thread::available_parallelism()?.get() / REPLICAS).max(1).to_string();
    let mut compute = program::command("worker")?;
    compute.arg("compute").arg(job).args(["--formula", formula, "--threads", &threads, "--json"]);
    let (printed, seconds) = run_timed(&mut compute)?;
    let printed: Value = serde_json::from_slice(&printed)?;
    if printed["digests"][0].as_str() != Some(digest.as_str()) {
        return Err(format!("{formula} alone gives another outcome than in the cluster").into());
    }
    Ok(seconds)
}

fn print(report: &Report) {
    let shown = |seconds: Option<f64>| seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.3}"));
    println!("pi, {} decimals, CPU seconds, medians of {} rounds", report.decimals, report.rounds);
    println!("{:>9}  embedded cluster, whole process", shown(report.cluster_cpu_s));
    println!("{:>9}  the same replicas alone: {}", shown(report.alone_cpu_s), report.formulas.join(", "));
    println!("{:>9}  cluster / alone (promised: at most {:.2})", shown(report.ratio), report.promised);
}
