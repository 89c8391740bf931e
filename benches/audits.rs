//! `cargo bench -p quorate-benches --bench audits`: what an audit of digits costs against computing them.
//!
//! Contenders, taking turns, on one thread: the digits alone, and the digits with the witness that an audit needs. The
//! second then audits its own outcome, as any other worker would. Times are CPU times, of program and system.
//! `--digits N` (default 10 million), `--constant C` (default pi), `--formula F` (default the fastest), `--rounds R`
//! (default 3), `--json`.

use std::{env, error::Error, process::ExitCode};

use compute::{
    audit::{Finding, Processor, Strength, audit_by},
    control::Control,
    engine::{run_on_cpu, run_on_cpu_with_witness},
};
use protocol::{
    constant::{Constant, Formula},
    task::Task,
};
use quorate_benches::{
    contender::{CONTENDER_FLAG, Measurement, peak_bytes, run_in_child},
    program::own_cpu_s,
    timing::{Rounds, median},
};
use serde::Serialize;

const USAGE: &str = "usage: audits [--digits N] [--constant C] [--formula F] [--rounds R] [--json]";
/// Audits of one outcome, each with another seed.
const AUDITS: u8 = 5;
const ALONE: &str = "digits alone";
const WITNESSED: &str = "digits with a witness";
const AUDIT: &str = "one audit";
const WITNESS_BYTES: &str = "witness bytes";
const ERROR_BITS: &str = "bits of certainty";

#[derive(Debug)]
struct Arguments {
    digits: u64,
    constant: Constant,
    formula: Option<Formula>,
    rounds: usize,
    json: bool,
    contender: Option<String>,
}

impl Arguments {
    fn parse(words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut parsed = Self {
            digits: 10_000_000,
            constant: Constant::Pi,
            formula: None,
            rounds: 3,
            json: false,
            contender: None,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value; {USAGE}"));
            match word.as_str() {
                "--digits" => parsed.digits = value()?.replace('_', "").parse()?,
                "--constant" => parsed.constant = value()?.parse()?,
                "--formula" => {
                    let name = value()?;
                    let known = Formula::ALL.into_iter().find(|formula| formula.name() == name);
                    parsed.formula = Some(known.ok_or_else(|| format!("no formula is named {name}"))?);
                }
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

    fn formula(&self) -> Formula {
        self.formula.or_else(|| self.constant.formulas().first().copied()).unwrap_or(Formula::Direct)
    }
}

fn main() -> ExitCode {
    let run = || {
        let arguments = Arguments::parse(env::args().skip(1))?;
        match &arguments.contender {
            Some(name) => {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
                let measured = pool.install(|| measure(name, &arguments).map_err(|error| error.to_string()));
                println!("{}", serde_json::to_string(&measured?)?);
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

/// Runs one contender in this process.
fn measure(name: &str, arguments: &Arguments) -> Result<Measurement, Box<dyn Error>> {
    let task = Task::Digits { constant: arguments.constant, decimals: arguments.digits };
    let formula = arguments.formula();
    let control = Control::default();
    let start = own_cpu_s()?;
    let (outcome, witness) = match name {
        ALONE => (run_on_cpu(&task, formula, &control)?, None),
        WITNESSED => run_on_cpu_with_witness(&task, formula, &control)?,
        _ => return Err(format!("unknown contender {name}").into()),
    };
    let seconds = own_cpu_s()? - start;
    let outcome = outcome.to_bytes();
    let mut phases = Vec::new();
    if let Some(witness) = witness {
        let (mut audits, mut error_bits) = (Vec::new(), 0);
        let pieces = witness.pieces();
        for number in 0..AUDITS {
            let start = own_cpu_s()?;
            let evidence = (&outcome[..], Some(&pieces[..]));
            let finding = audit_by(&Processor, &task, formula, evidence, &[number; 32], &control)?;
            audits.push(own_cpu_s()? - start);
            match finding {
                Finding::Passed { strength: Strength::ErrorBelow { log2 } } => {
                    error_bits = i32::try_from(-log2)?;
                }
                other => return Err(format!("the audit came to {other:?}").into()),
            }
        }
        phases.push((AUDIT.to_owned(), median(audits).unwrap_or(0.0)));
        phases.push((WITNESS_BYTES.to_owned(), f64::from(u32::try_from(witness.length_bytes())?)));
        phases.push((ERROR_BITS.to_owned(), f64::from(error_bits)));
    }
    let digest = blake3::hash(&outcome).to_string();
    Ok(Measurement { seconds, phases, peak_bytes: peak_bytes(), digest })
}

#[derive(Debug, Serialize)]
struct Report {
    constant: String,
    formula: String,
    digits: u64,
    rounds: usize,
    alone_cpu_s: Option<f64>,
    witnessed_cpu_s: Option<f64>,
    audit_cpu_s: Option<f64>,
    witness_bytes: Option<f64>,
    error_bits: Option<f64>,
    audit_to_alone: Option<f64>,
    witnessed_to_alone: Option<f64>,
    witnessed_and_two_audits_to_alone: Option<f64>,
    same_digits: bool,
}

/// Lets the contenders take turns and prints what came out.
fn compare(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let (constant, formula) = (arguments.constant.to_string(), arguments.formula().to_string());
    let digits = arguments.digits.to_string();
    let child_arguments =
        ["--digits", &digits, "--constant", &constant, "--formula", &formula].map(str::to_owned);
    let (mut rounds, mut sizes, mut error_bits) = (Rounds::default(), Vec::new(), Vec::new());
    let mut same_digits = true;
    for _ in 0..arguments.rounds {
        let alone = run_in_child(ALONE, &child_arguments)?;
        let witnessed = run_in_child(WITNESSED, &child_arguments)?;
        same_digits &= alone.digest == witnessed.digest;
        let of = |name: &str| {
            witnessed.phases.iter().find(|(phase, _)| phase == name).map_or(0.0, |(_, value)| *value)
        };
        sizes.push(of(WITNESS_BYTES));
        error_bits.push(of(ERROR_BITS));
        let audited = witnessed.seconds + 2.0 * of(AUDIT);
        let row = [alone.seconds, witnessed.seconds, of(AUDIT), audited];
        rounds.push(row.map(Some).to_vec());
    }
    let report = Report {
        constant,
        formula,
        digits: arguments.digits,
        rounds: arguments.rounds,
        alone_cpu_s: rounds.median(0),
        witnessed_cpu_s: rounds.median(1),
        audit_cpu_s: rounds.median(2),
        witness_bytes: median(sizes),
        error_bits: median(error_bits),
        audit_to_alone: rounds.ratio(2, 0),
        witnessed_to_alone: rounds.ratio(1, 0),
        witnessed_and_two_audits_to_alone: rounds.ratio(3, 0),
        same_digits,
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    if same_digits { Ok(()) } else { Err("the contenders computed different digits".into()) }
}

fn print(report: &Report) {
    let known = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let Report { constant, formula, digits, rounds, .. } = report;
    println!(
        "{constant} by {formula}, {digits} decimals, CPU times on one thread, medians of {rounds} rounds"
    );
    println!("{:9.3} s  digits alone", known(report.alone_cpu_s));
    println!(
        "{:9.3} s  digits with a witness of {:.0} bytes",
        known(report.witnessed_cpu_s),
        known(report.witness_bytes)
    );
    println!(
        "{:9.3} s  one audit; a wrong outcome passes with a probability of at most 2^-{}",
        known(report.audit_cpu_s),
        known(report.error_bits)
    );
    println!("{:9.4}    one audit / digits alone", known(report.audit_to_alone));
    println!("{:9.4}    with a witness / alone", known(report.witnessed_to_alone));
    println!(
        "{:9.4}    with a witness and two audits / alone",
        known(report.witnessed_and_two_audits_to_alone)
    );
}
