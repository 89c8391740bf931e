//! `cargo bench -p quorate-benches --bench ask`: how long a question takes on a running cluster.
//!
//! A coordinator and three workers run as processes of their own on loopback; `coordinator ask` is run again and again
//! as a process, and timed from its start to its end. What the client says of its own time, from the question to the
//! result in its hands without start and handshake, is shown beside it.
//! `--questions N` (default 200), `--json`.

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use quorate_benches::{
    program::{Background, build, command, run},
    timing::quantile,
};
use serde::Serialize;
use serde_json::Value;

const USAGE: &str = "usage: ask [--questions N] [--json]";
const QUESTION: &str = "2 * 2 * 2 * 2 == 16";
/// What the house promises of the median, in milliseconds.
const P50_MS_MAX: f64 = 5.0;
/// Questions before those that are counted.
const WARM_UP: usize = 10;

struct Arguments {
    questions: usize,
    json: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut parsed = Self { questions: 200, json: false };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--questions" => {
                    let value = words.next().ok_or_else(|| format!("{word} needs a value; {USAGE}"))?;
                    parsed.questions = value.parse::<usize>()?.max(1);
                }
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
    match Arguments::parse(env::args().skip(1)).and_then(|arguments| measure(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Some quantiles.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names carry the unit into the JSON")]
struct Times {
    p50_ms: Option<f64>,
    p90_ms: Option<f64>,
    p99_ms: Option<f64>,
}

impl Times {
    fn of(mut milliseconds: Vec<f64>) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        let at = |fraction| quantile(&milliseconds, fraction);
        Self { p50_ms: at(0.5), p90_ms: at(0.9), p99_ms: at(0.99) }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    question: &'static str,
    questions: usize,
    process: Times,
    inside: Times,
    promised_p50_ms: f64,
}

fn measure(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    build()?;
    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start(folder.path())?;
    let (mut process, mut inside) = (Vec::new(), Vec::new());
    for number in 0..WARM_UP + arguments.questions {
        let mut ask = cluster.client("ask")?;
        ask.arg(QUESTION).arg("--json");
        let start = Instant::now();
        // Exit code 0: the answer is `true`.
        let printed = run(&mut ask)?;
        let elapsed = start.elapsed();
        if number >= WARM_UP {
            let said: Value = serde_json::from_slice(&printed)?;
            process.push(elapsed.as_secs_f64() * 1e3);
            inside.extend(said["elapsed_ms"].as_f64());
        }
    }
    let report = Report {
        question: QUESTION,
        questions: arguments.questions,
        process: Times::of(process),
        inside: Times::of(inside),
        promised_p50_ms: P50_MS_MAX,
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn print(report: &Report) {
    let shown = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{ms:.2}"));
    println!(
        "coordinator ask \"{}\", {} times, 3 workers, loopback, milliseconds",
        report.question, report.questions
    );
    for (name, times) in [("whole process", &report.process), ("inside, once connected", &report.inside)] {
        let [p50, p90, p99] = [times.p50_ms, times.p90_ms, times.p99_ms].map(shown);
        println!("  {name:24} p50 {p50:>7}   p90 {p90:>7}   p99 {p99:>7}");
    }
    println!("  promised: p50 of the whole process under {:.0}", report.promised_p50_ms);
}

/// A coordinator and three workers; they end with it.
struct Cluster {
    address: String,
    state_dir: PathBuf,
    _programs: Vec<Background>,
}

impl Cluster {
    fn start(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let state_dir = folder.join("coordinator");
        let mut serve = command("coordinator")?;
        serve.args(["serve", "--listen", "127.0.0.1:0", "--state-dir"]).arg(&state_dir);
        let (coordinator, line) = Background::start(&mut serve, "listening on ")?;
        let address = line.split_once("listening on ").and_then(|(_, rest)| rest.split_whitespace().next());
        let address = address.ok_or("the coordinator does not say where it listens")?.to_owned();
        let mut token = command("coordinator")?;
        token.args(["token", "--operator", "bench", "--state-dir"]).arg(&state_dir);
        let token = String::from_utf8(run(&mut token)?)?;
        let mut programs = vec![coordinator];
        for number in 1..=3 {
            let mut worker = command("worker")?;
            worker.args(["--threads", "1", "--name", &format!("bench-{number}"), "--log", "info"]);
            worker.args(["--join", token.trim(), "--state-dir"]).arg(folder.join(format!("worker-{number}")));
            programs.push(Background::start(&mut worker, "joined")?.0);
        }
        Ok(Self { address, state_dir, _programs: programs })
    }

    /// A command of `coordinator` that talks to the cluster.
    fn client(&self, name: &str) -> Result<Command, Box<dyn Error>> {
        let mut client = command("coordinator")?;
        client.args([name, "--coordinator", &self.address, "--state-dir"]).arg(&self.state_dir);
        Ok(client)
    }
}
