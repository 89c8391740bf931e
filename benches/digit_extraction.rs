//! `cargo bench -p quorate-benches --bench digit_extraction`: terms a second of each path on one thread, and of the
//! crate pihex at the same position; both sum the same seven components of Bellard's formula, and a term is one
//! component at one k.
//!
//! Contenders take turns, and rates are of processor time: pihex starts a thread for each component. It can be asked
//! for whole windows only, which ends being possible soon after 10^6 digits. Elsewhere its loop stands in for it:
//! pihex's power and sum, transcribed here, over the same stretch of terms as ours; at the first position both are
//! measured, so that one sees that they agree. `--rounds R` (default 3), `--json`, and `--digits AFTER`, which prints the
//! 32 digits of pi after so many by each formula instead.

use std::{
    env,
    error::Error,
    hint::black_box,
    ops::{Div, Mul, Rem},
    process::ExitCode,
    time::Instant,
};

use compute::{
    control::Control,
    digit_extraction::{Path, partial_sum, partial_sum_by},
};
use protocol::digit_extraction::{DigitSeries, Fraction, HexConstant, HexFormula, HexTerms, HexWindow};
use quorate_benches::timing::Rounds;
use serde::Serialize;

const USAGE: &str = "usage: digit_extraction [--rounds R] [--json] [--digits AFTER]";
/// After how many digits the terms are summed; the last is beyond what registers of 52-bit limbs take.
const POSITIONS: [u64; 6] =
    [1_000_000, 100_000_000, 1_000_000_000, 10_000_000_000, 10_000_000_000_000, 1_000_000_000_000_000];
/// Where the crate pihex itself is measured: it evaluates a whole series, so it needs a small one.
const PIHEX_AFTER: u64 = POSITIONS[0];
/// Terms of each component that the loop of pihex sums in one round.
const PIHEX_TERMS: u64 = 1 << 14;
/// Terms of each component that a path sums in one round.
const TERMS: u64 = 1 << 18;

/// How long a contender runs at least.
const SECONDS_MIN: f64 = 0.5;

/// One contender at one position.
#[derive(Debug, Serialize)]
struct Row {
    contender: String,
    after: u64,
    terms_per_second: f64,
    /// Of terms a second, in the same round, to pihex's loop at the same position.
    ratio_to_pihex: f64,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut rounds, mut is_json) = (3, false);
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value; {USAGE}"));
        match word.as_str() {
            "--rounds" => rounds = value()?.parse::<usize>()?.max(1),
            "--json" => is_json = true,
            "--digits" => return print_digits(value()?.replace('_', "").parse()?),
            // Cargo adds it to every benchmark.
            "--bench" => {}
            _ => return Err(format!("unknown argument {word}; {USAGE}").into()),
        }
    }
    let rows = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()?
        .install(|| compare(rounds).map_err(|error| error.to_string()))?;
    if is_json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("pi by Bellard's formula, one thread, medians of {rounds} rounds");
        for Row { contender, after, terms_per_second, ratio_to_pihex } in &rows {
            let millions = terms_per_second / 1e6;
            println!(
                "{contender:13} after {after:16}  {millions:9.2} million terms/s  {ratio_to_pihex:7.1} x pihex"
            );
        }
    }
    Ok(())
}

/// Seconds per term of each contender, in turns.
fn compare(rounds: usize) -> Result<Vec<Row>, Box<dyn Error>> {
    let series = HexConstant::Pi.series(HexFormula::Bellard).ok_or("no such formula")?;
    let contenders: Vec<(Path, u64)> =
        Path::available().iter().flat_map(|path| POSITIONS.map(|after| (*path, after))).collect();
    let mut times = Rounds::default();
    for _ in 0..rounds {
        let mut seconds = Vec::new();
        for after in POSITIONS {
            seconds.push(Some(pihex_loop_seconds_per_term(after)?));
        }
        seconds.push(Some(pihex_seconds_per_term()?));
        for (path, after) in &contenders {
            seconds.push(Some(seconds_per_term(*path, &series, *after)?));
        }
        times.push(seconds);
    }
    let row = |contender: String, after, column| {
        let terms_per_second = 1.0 / times.median(column).unwrap_or(f64::NAN);
        let same_place = POSITIONS.iter().position(|position| *position == after);
        let ratio_to_pihex = same_place.and_then(|place| times.ratio(place, column)).unwrap_or(f64::NAN);
        Row { contender, after, terms_per_second, ratio_to_pihex }
    };
    let mut rows = vec![row("pihex".to_owned(), PIHEX_AFTER, POSITIONS.len())];
    for (column, after) in POSITIONS.iter().enumerate() {
        rows.push(row("pihex's loop".to_owned(), *after, column));
    }
    for (column, (path, after)) in (POSITIONS.len() + 1..).zip(&contenders) {
        rows.push(row(path.to_string(), *after, column));
    }
    Ok(rows)
}

/// Seconds for one term, in the middle of the series: the exponents are then the average ones.
fn seconds_per_term(path: Path, series: &DigitSeries, after: u64) -> Result<f64, Box<dyn Error>> {
    let fraction_bits = 192;
    let middle = series.terms(after, fraction_bits) / 2;
    let first_term = middle.saturating_sub(TERMS / 2);
    let task =
        HexTerms { series: series.clone(), after, first_term, end_term: first_term + TERMS, fraction_bits };
    let control = Control::default();
    let before = processor_seconds()?;
    let mut evaluations = 0;
    let mut seconds = 0.0;
    // The clock ticks in hundredths of a second.
    while seconds < SECONDS_MIN {
        black_box(partial_sum_by(path, &task, &control)?);
        evaluations += task.evaluations();
        seconds = processor_seconds()? - before;
    }
    Ok(seconds / as_float(evaluations))
}

/// Seconds of one processor for one term of pihex.
fn pihex_seconds_per_term() -> Result<f64, Box<dyn Error>> {
    let before = processor_seconds()?;
    black_box(pihex::bellard::pihex(PIHEX_AFTER));
    let seconds = processor_seconds()? - before;
    Ok(seconds / as_float(7 * (2 * PIHEX_AFTER + 2) / 5))
}

/// Seconds for one term of pihex's loop in the middle of its series: `series_sum` and `pow_mod` of pihex 0.1.9,
/// Copyright (c) 2017-2026 itchyny, MIT licence, for the seven components in turn.
fn pihex_loop_seconds_per_term(after: u64) -> Result<f64, Box<dyn Error>> {
    let first = ((2 * after + 2) / 5 / 2).saturating_sub(PIHEX_TERMS / 2);
    let before = processor_seconds()?;
    let (mut seconds, mut terms) = (0.0, 0);
    while seconds < SECONDS_MIN {
        for (step, start) in [(4, 1), (4, 3), (10, 1), (10, 3), (10, 5), (10, 7), (10, 9)] {
            let sum = (first..first + PIHEX_TERMS)
                .map(|k| {
                    let denominator = step * k + start;
                    let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
                    sign * as_float(pihex_power(4, 2 * after - 3 - 5 * k, denominator))
                        / as_float(denominator)
                })
                .fold(0.0, |sum: f64, term| (sum + term).fract());
            black_box(sum);
        }
        terms += 7 * PIHEX_TERMS;
        seconds = processor_seconds()? - before;
    }
    Ok(seconds / as_float(terms))
}

fn pihex_power(base: u64, exponent: u64, modulus: u64) -> u64 {
    if base < 100 && modulus < 400_000_000 {
        pihex_power_inner(base, exponent, modulus)
    } else {
        let power = pihex_power_inner(u128::from(base), u128::from(exponent), u128::from(modulus));
        // Below the modulus.
        u64::try_from(power).unwrap_or(u64::MAX)
    }
}

fn pihex_power_inner<T>(base: T, exponent: T, modulus: T) -> T
where
    T: Copy + PartialEq + Mul<Output = T> + Div<Output = T> + Rem<Output = T> + From<u64>,
{
    if exponent == 0.into() {
        if modulus == 1.into() { 0.into() } else { 1.into() }
    } else if exponent == 1.into() {
        base % modulus
    } else {
        let half = pihex_power_inner(base, exponent / 2.into(), modulus);
        if exponent % 2.into() == 0.into() { (half * half) % modulus } else { (half * half * base) % modulus }
    }
}

/// Processor time of all threads of this process so far, ended ones included; from Linux, in hundredths of a second.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat has another form")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok());
    let both = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
    Ok(both.ok_or("/proc/self/stat has another form")? / 100.0)
}

/// The digits by each formula of pi, with the time that each took.
fn print_digits(after: u64) -> Result<(), Box<dyn Error>> {
    for formula in HexConstant::Pi.formulas() {
        let series = HexConstant::Pi.series(*formula).ok_or("no such formula")?;
        let window = HexWindow::new(series, after, 32, 32);
        let mut sum = Fraction::zero(window.fraction_bits());
        let start = Instant::now();
        for index in 0..window.tasks() {
            let task = window.task(index).ok_or("no such task")?;
            sum.add(&partial_sum(&task, &Control::default())?);
        }
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{} after {after} by {formula}, {} tasks, {seconds:.2} s",
            window.digits(&sum)?,
            window.tasks()
        );
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "rates need three digits")]
fn as_float(number: u64) -> f64 {
    number as f64
}
