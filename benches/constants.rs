//! `cargo bench -p quorate-benches --bench constants`: pi against MPFR and against gmp-chudnovsky.
//!
//! Contenders, taking turns: our Chudnovsky on one thread and on two, MPFR's constant with its decimal string, and the
//! program that `QUORATE_PEER_GMP_CHUDNOVSKY` names, called with `DIGITS 0` (it then prints no digits).
//! `--digits N` (default 10 million), `--rounds R` (default 3), `--json`.

use std::{env, error::Error, process::ExitCode, time::Instant};

use compute::{constants::digits, control::Control};
use protocol::constant::{Constant, Formula};
use quorate_benches::{
    contender::{CONTENDER_FLAG, Measurement, peak_bytes, run_in_child, run_peer},
    timing::{Rounds, median},
};
use rug::{Float, float};
use serde::Serialize;

const PEER_VARIABLE: &str = "QUORATE_PEER_GMP_CHUDNOVSKY";
const USAGE: &str = "usage: constants [--digits N] [--rounds R] [--json]";

/// Contenders by column: our own by threads, then MPFR, then the peer.
const NAMES: [&str; 4] = ["quorate-1", "quorate-2", "mpfr", "gmp-chudnovsky"];
const ONE: usize = 0;
const TWO: usize = 1;
const MPFR: usize = 2;
const PEER: usize = 3;

#[derive(Debug)]
struct Arguments {
    digits: u32,
    rounds: usize,
    json: bool,
    contender: Option<String>,
}

impl Arguments {
    fn parse(words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut parsed = Self { digits: 10_000_000, rounds: 3, json: false, contender: None };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value; {USAGE}"));
            match word.as_str() {
                "--digits" => parsed.digits = value()?.replace('_', "").parse()?,
                "--rounds" => parsed.rounds = value()?.parse::<usize>()?.max(1),
                "--json" => parsed.json = true,
                CONTENDER_FLAG => parsed.contender = Some(value()?),
                // Cargo adds it to every benchmark.
                "--bench" => {}
                _ => return Err(format!("unknown argument {word}; {USAGE}").into()),
            }
        }
        Ok(parsed)
    }
}

fn main() -> ExitCode {
    let run = || {
        let arguments = Arguments::parse(env::args().skip(1))?;
        match &arguments.contender {
            Some(name) => {
                let measurement = measure(name, arguments.digits)?;
                println!("{}", serde_json::to_string(&measurement)?);
                Ok::<_, Box<dyn Error>>(())
            }
            None => compare(&arguments),
        }
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one of our contenders in this process.
fn measure(name: &str, decimals: u32) -> Result<Measurement, Box<dyn Error>> {
    let control = Control::default();
    let start = Instant::now();
    let text = match name {
        "quorate-1" => by_quorate(decimals, 1, &control)?,
        "quorate-2" => by_quorate(decimals, 2, &control)?,
        "mpfr" => by_mpfr(decimals, &control),
        _ => return Err(format!("unknown contender {name}").into()),
    };
    let seconds = start.elapsed().as_secs_f64();
    let phases =
        control.phases().iter().map(|phase| (phase.name.to_owned(), phase.elapsed.as_secs_f64())).collect();
    let digest = blake3::hash(text.as_bytes()).to_string();
    Ok(Measurement { seconds, phases, peak_bytes: peak_bytes(), digest })
}

/// pi by our fastest formula.
fn by_quorate(decimals: u32, threads: usize, control: &Control) -> Result<String, Box<dyn Error>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    Ok(pool.install(|| digits(Constant::Pi, Formula::Chudnovsky, u64::from(decimals), control))?)
}

/// pi as rug gives it: MPFR's constant, and MPFR's decimal string of one digit more than is kept.
fn by_mpfr(decimals: u32, control: &Control) -> String {
    let precision = u32::try_from(u64::from(decimals) * 3_322 / 1_000 + 64).unwrap_or(u32::MAX);
    let value = control.phase("constant", || Float::with_val(precision, float::Constant::Pi));
    control.phase("decimal string", || {
        let (_, mut text, _) = value.to_sign_string_exp(10, Some(decimals as usize + 11));
        text.truncate(decimals as usize + 1);
        text.insert(1, '.');
        text
    })
}

/// What one contender did over all rounds.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    median_seconds: f64,
    phases: Vec<(String, f64)>,
    peak_bytes_per_digit: Option<f64>,
}

/// One number that the house promises something about.
#[derive(Debug, Serialize)]
struct Ratio {
    what: &'static str,
    median: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    digits: u32,
    rounds: usize,
    same_digits: bool,
    contenders: Vec<Row>,
    ratios: Vec<Ratio>,
}

/// Lets the contenders take turns and prints what came out.
fn compare(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let peer = env::var(PEER_VARIABLE).ok().filter(|path| !path.is_empty());
    let digits = arguments.digits;
    let child_arguments = ["--digits".to_owned(), digits.to_string()];
    let mut rounds = Rounds::default();
    let mut without_string = Rounds::default();
    let mut measured: [Vec<Measurement>; 3] = Default::default();
    for _ in 0..arguments.rounds {
        let mut seconds = Vec::new();
        for (name, measurements) in NAMES.iter().zip(&mut measured) {
            let measurement = run_in_child(name, &child_arguments)?;
            seconds.push(Some(measurement.seconds));
            measurements.push(measurement);
        }
        let peer_seconds = match &peer {
            Some(program) => Some(run_peer(program, &[&digits.to_string(), "0"])?.0),
            None => None,
        };
        seconds.push(peer_seconds);
        rounds.push(seconds);
        let bare = |column: usize| measured[column].last().map(|last| last.seconds - string_seconds(last));
        without_string.push(vec![bare(ONE), bare(TWO), bare(MPFR), peer_seconds]);
    }
    let report = report(arguments, &rounds, &without_string, &measured);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report, peer.is_some());
    }
    if report.same_digits { Ok(()) } else { Err("the contenders computed different digits".into()) }
}

fn string_seconds(measurement: &Measurement) -> f64 {
    measurement.phases.iter().filter(|(name, _)| name == "decimal string").map(|(_, seconds)| seconds).sum()
}

fn report(
    arguments: &Arguments,
    rounds: &Rounds,
    without_string: &Rounds,
    measured: &[Vec<Measurement>; 3],
) -> Report {
    let digests = measured.iter().flatten().map(|measurement| &measurement.digest);
    let same_digits = digests.clone().all(|digest| Some(digest) == digests.clone().next());
    let contenders = NAMES.iter().enumerate().filter_map(|(column, &name)| {
        let measurements = measured.get(column).map_or(&[][..], Vec::as_slice);
        Some(Row {
            name,
            median_seconds: rounds.median(column)?,
            phases: median_phases(measurements),
            peak_bytes_per_digit: measurements
                .iter()
                .filter_map(|measurement| measurement.peak_bytes)
                .max()
                .map(|peak| kibibytes_as_bytes(peak >> 10) / f64::from(arguments.digits)),
        })
    });
    let ratios = [
        ("mpfr / quorate-1, both with the decimal string", rounds.ratio(MPFR, ONE)),
        ("mpfr / quorate-2, both with the decimal string", rounds.ratio(MPFR, TWO)),
        ("gmp-chudnovsky without the decimal string / quorate-2 with it", rounds.ratio(PEER, TWO)),
        ("quorate-1 / quorate-2", rounds.ratio(ONE, TWO)),
        ("quorate-1 without the decimal string / gmp-chudnovsky", without_string.ratio(ONE, PEER)),
        ("quorate-1 with the decimal string / gmp-chudnovsky without", rounds.ratio(ONE, PEER)),
    ];
    Report {
        digits: arguments.digits,
        rounds: arguments.rounds,
        same_digits,
        contenders: contenders.collect(),
        ratios: ratios
            .into_iter()
            .filter_map(|(what, median)| Some(Ratio { what, median: median? }))
            .collect(),
    }
}

/// The median of each phase, in the order of the first run.
fn median_phases(measurements: &[Measurement]) -> Vec<(String, f64)> {
    let Some(first) = measurements.first() else { return Vec::new() };
    let times = |name: &str| {
        let of_name = measurements.iter().flat_map(|m| &m.phases).filter(|(other, _)| other == name);
        median(of_name.map(|(_, seconds)| *seconds).collect()).unwrap_or(0.0)
    };
    first.phases.iter().map(|(name, _)| (name.clone(), times(name))).collect()
}

fn print(report: &Report, has_peer: bool) {
    println!("pi, {} decimals, medians of {} rounds", report.digits, report.rounds);
    for row in &report.contenders {
        let memory = row
            .peak_bytes_per_digit
            .map_or(String::new(), |bytes| format!("  {bytes:.1} bytes/digit at peak"));
        println!("{:16} {:9.3} s{memory}", row.name, row.median_seconds);
        for (name, seconds) in &row.phases {
            println!("    {name:20} {seconds:9.3} s");
        }
    }
    for Ratio { what, median } in &report.ratios {
        println!("{median:6.2}  {what}");
    }
    if !has_peer {
        println!("set {PEER_VARIABLE} to a binary of gmp-chudnovsky to run it side by side");
    }
}

/// Bytes as a float; a peak is known to the kibibyte anyway.
fn kibibytes_as_bytes(kibibytes: u64) -> f64 {
    f64::from(u32::try_from(kibibytes).unwrap_or(u32::MAX)) * 1024.0
}
