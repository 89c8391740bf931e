//! What this machine can do: its GPUs, and how fast each engine runs each kernel.
//!
//! Rates are measured as tasks are run, with everything around the kernel. An integer peak stands beside them, so that one
//! sees how much of the adapter a kernel uses.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use compute::{
    control::Control,
    engine::{
        self,
        gpu::{GpuAdapter, GpuChoice, GpuEngine, GpuError, multiplications_per_term},
    },
    residues::SeriesResiduesError,
};
use protocol::{
    constant::Formula,
    digit_extraction::{HexConstant, HexTerms},
    task::Task,
};
use serde_json::{Value, json};

use crate::{
    arguments::{Bench, ListGpus},
    config,
    residue_rates::{self, ResidueRates},
};

/// A run that takes at least this long is a measurement.
pub(crate) const LONG_ENOUGH: Duration = Duration::from_millis(400);
/// The best of so many counts: whatever else the machine does can only slow a run down.
pub(crate) const RUNS: u32 = 3;
/// The position for the rates of `worker gpus`.
const LISTED_AFTER: u64 = 100_000_000;
/// The width of the fractions, in bits.
const FRACTION_BITS: u32 = 128;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// A GPU.
    #[error("{0}")]
    Gpu(#[from] GpuError),
    /// The processor.
    #[error("the processor did not compute: {0}")]
    Processor(#[from] engine::EngineError),
    /// The processor, at residues.
    #[error("the processor did not find residues: {0}")]
    Residues(#[from] SeriesResiduesError),
    /// The threads.
    #[error("cannot start the computing threads: {0}; try fewer with --threads")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// No task to measure with.
    #[error("no series of pi reaches the position after {0} digits; give a smaller --after")]
    OutOfReach(u64),
}

pub(crate) fn list_gpus(arguments: &ListGpus) -> Result<ExitCode, SurveyError> {
    let adapters = GpuAdapter::all();
    if adapters.is_empty() {
        return Err(GpuError::NoAdapter.into());
    }
    let mut listed = Vec::new();
    for adapter in &adapters {
        let rate = GpuEngine::open(adapter).and_then(|engine| gpu_rate(&engine, LISTED_AFTER));
        if arguments.json {
            listed.push(adapter_json(adapter, &rate));
        } else {
            print_adapter(adapter, &rate);
        }
    }
    if arguments.json {
        println!("{}", json!({ "after": LISTED_AFTER, "adapters": listed }));
    }
    Ok(ExitCode::SUCCESS)
}

fn print_adapter(adapter: &GpuAdapter, rate: &Result<f64, GpuError>) {
    println!("{}  {} ({})", adapter.index(), adapter.name(), adapter.kind());
    println!("   driver    {}", adapter.driver());
    println!("   kernels   {}", variants(adapter).join(", "));
    for (name, value) in adapter.limits() {
        println!("   {name} {value}");
    }
    match rate {
        Ok(rate) => println!(
            "   digit_extraction {} terms/s (pi after {LISTED_AFTER} digits); known answers right",
            shown(*rate)
        ),
        Err(error) => println!("   out of service: {error}"),
    }
}

fn adapter_json(adapter: &GpuAdapter, rate: &Result<f64, GpuError>) -> Value {
    let limits: serde_json::Map<String, Value> =
        adapter.limits().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "index": adapter.index(),
        "name": adapter.name(),
        "device": adapter.device_name(),
        "type": adapter.kind(),
        "driver": adapter.driver(),
        "variants": variants(adapter),
        "limits": limits,
        "digit_extraction_terms_per_s": rate.as_ref().ok(),
        "error": rate.as_ref().err().map(ToString::to_string),
    })
}

fn variants(adapter: &GpuAdapter) -> Vec<String> {
    adapter.variants().iter().map(ToString::to_string).collect()
}

/// One kernel on one engine.
struct Row {
    engine: String,
    variant: String,
    terms_per_s: f64,
    /// Of the adapter's integer multiplications.
    share_of_peak: Option<f64>,
}

pub(crate) fn bench(arguments: &Bench) -> Result<ExitCode, SurveyError> {
    let threads = arguments.threads.unwrap_or_else(config::threads_available).get();
    let one = cpu_rate(1, arguments.after)?;
    let all = cpu_rate(threads, arguments.after)?;
    let processor = engine::processor_name();
    let mut rows = vec![
        Row {
            engine: processor.clone(),
            variant: "1 thread".to_owned(),
            terms_per_s: one,
            share_of_peak: None,
        },
        Row {
            engine: processor,
            variant: format!("{threads} threads"),
            terms_per_s: all,
            share_of_peak: None,
        },
    ];
    let mut residue_rows = vec![residue_rates_of(1)?, residue_rates_of(threads)?];
    let mut peaks = Vec::new();
    for adapter in chosen(&arguments.gpu)? {
        for variant in adapter.variants() {
            let engine = GpuEngine::open_variant(&adapter, *variant)?;
            let peak = engine.measure_integer_peak()?.operations_per_s;
            let terms_per_s = gpu_rate(&engine, arguments.after)?;
            let limbs = FRACTION_BITS / u64::BITS;
            let (modulus, bits) = middle(arguments.after).ok_or(SurveyError::OutOfReach(arguments.after))?;
            let multiplications = multiplications_per_term(*variant, modulus, bits, limbs);
            // Half of the peak's operations are multiplications.
            let share = terms_per_s * f64::from(multiplications) / (peak / 2.0);
            rows.push(Row {
                engine: engine.device_name().to_owned(),
                variant: variant.to_string(),
                terms_per_s,
                share_of_peak: Some(share),
            });
            residue_rows.push(residue_rates::on_gpu(&engine, peak)?);
            peaks.push((engine.device_name().to_owned(), variant.to_string(), peak));
        }
    }
    if arguments.json {
        let mut report = bench_json(arguments.after, one, all, &rows, &peaks);
        if let Some(rates) = report["rates"].as_array_mut() {
            rates.extend(residue_rates::to_json(&residue_rows));
        }
        println!("{report}");
    } else {
        print_bench(arguments.after, one, all, &rows, &peaks);
        residue_rates::print(&residue_rows);
    }
    Ok(ExitCode::SUCCESS)
}

fn residue_rates_of(threads: usize) -> Result<ResidueRates, SurveyError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let variant = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    Ok(pool.install(|| residue_rates::on_processor(engine::processor_name(), variant))?)
}

/// A machine without any GPU still has a processor to measure, unless a GPU was named.
fn chosen(choices: &[GpuChoice]) -> Result<Vec<GpuAdapter>, GpuError> {
    if !choices.is_empty() {
        return GpuAdapter::choose(choices);
    }
    match GpuAdapter::choose(&[GpuChoice::Best]) {
        Err(GpuError::NoAdapter) => Ok(Vec::new()),
        other => other,
    }
}

fn print_bench(after: u64, one: f64, all: f64, rows: &[Row], peaks: &[(String, String, f64)]) {
    println!("digit_extraction: pi after {after} hexadecimal digits, fractions of {FRACTION_BITS} bits");
    println!(
        "{:<44}{:<12}{:>12}{:>12}{:>12}{:>8}",
        "engine", "variant", "terms/s", "/1 thread", "/all", "peak"
    );
    for row in rows {
        let share = row.share_of_peak.map_or_else(String::new, |share| format!("{:.1} %", share * 100.0));
        println!(
            "{:<44}{:<12}{:>12}{:>12.2}{:>12.2}{share:>8}",
            row.engine,
            row.variant,
            shown(row.terms_per_s),
            row.terms_per_s / one,
            row.terms_per_s / all
        );
    }
    for (engine, variant, peak) in peaks {
        println!("integer peak: {engine} ({variant}): {} 32-bit operations/s", shown(*peak));
    }
}

fn bench_json(after: u64, one: f64, all: f64, rows: &[Row], peaks: &[(String, String, f64)]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "kernel": "digit_extraction",
                "engine": row.engine,
                "variant": row.variant,
                "terms_per_s": row.terms_per_s,
                "ratio_to_one_thread": row.terms_per_s / one,
                "ratio_to_all_threads": row.terms_per_s / all,
                "share_of_integer_peak": row.share_of_peak,
            })
        })
        .collect();
    let peaks: Vec<Value> = peaks
        .iter()
        .map(|(engine, variant, peak)| json!({ "engine": engine, "variant": variant, "operations_per_s": peak }))
        .collect();
    json!({ "after": after, "fraction_bits": FRACTION_BITS, "rates": rows, "integer_peaks": peaks })
}

/// Terms of pi's fastest series around its middle, or all of it: what an average task of a job there looks like.
fn sample(after: u64, terms: u64) -> Option<HexTerms> {
    let series = HexConstant::Pi.fastest_series();
    let all = series.terms(after, FRACTION_BITS);
    let terms = terms.clamp(1, all);
    let first_term = (all - terms) / 2;
    let task =
        HexTerms { series, after, first_term, end_term: first_term + terms, fraction_bits: FRACTION_BITS };
    task.check().is_ok().then_some(task)
}

/// The largest modulus in the middle of the series at a position, and the length of the power of two there.
fn middle(after: u64) -> Option<(u64, u32)> {
    let task = sample(after, 1)?;
    let first = task.first_term;
    let moduli = task.series.components.iter().filter_map(|component| component.denominator(first));
    let exponents = task.series.components.iter().map(|component| task.exponent(component, first));
    let longest = u64::try_from(exponents.max()?).unwrap_or(0);
    Some((moduli.max()?, u64::BITS - longest.leading_zeros()))
}

fn gpu_rate(engine: &GpuEngine, after: u64) -> Result<f64, GpuError> {
    rate(after, |task| engine.run(task, &Control::default()).map(|_| ())).unwrap_or(Err(GpuError::NoKernel))
}

fn cpu_rate(threads: usize, after: u64) -> Result<f64, SurveyError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let run = |task: &Task| {
        pool.install(|| engine::run_on_cpu(task, Formula::Direct, &Control::default())).map(|_| ())
    };
    Ok(rate(after, run).ok_or(SurveyError::OutOfReach(after))??)
}

/// Terms a second, from tasks that grow until one takes long enough, or the whole series is in it.
fn rate<E>(after: u64, run: impl Fn(&Task) -> Result<(), E>) -> Option<Result<f64, E>> {
    let mut terms = 1 << 12;
    let mut best = 0.0_f64;
    let mut runs = 0;
    while runs < RUNS {
        let sampled = sample(after, terms)?;
        let evaluations = sampled.evaluations();
        let is_whole = sampled.end_term - sampled.first_term < terms;
        let task = Task::HexTerms(sampled);
        let start = Instant::now();
        if let Err(error) = run(&task) {
            return Some(Err(error));
        }
        let elapsed = start.elapsed();
        if elapsed >= LONG_ENOUGH || is_whole {
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let measured = evaluations as f64 / elapsed.as_secs_f64();
            best = best.max(measured);
            runs += 1;
        } else {
            terms *= 2;
        }
    }
    Some(Ok(best))
}

/// Three figures and a power of ten that people count in.
pub(crate) fn shown(value: f64) -> String {
    let (scaled, unit) = match value {
        _ if value >= 1e12 => (value / 1e12, "T"),
        _ if value >= 1e9 => (value / 1e9, "G"),
        _ if value >= 1e6 => (value / 1e6, "M"),
        _ if value >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    format!("{scaled:.2} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_shown_in_units_that_people_count_in() {
        let texts = [999.0, 1_500.0, 2e6, 25e9, 16.7e12].map(shown);
        assert_eq!(texts, ["999.00 ", "1.50 k", "2.00 M", "25.00 G", "16.70 T"]);
    }

    #[test]
    fn samples_stay_within_the_series_and_the_bounds() {
        let whole = sample(0, 1 << 20).map(|task| (task.first_term, task.end_term));
        assert_eq!(whole, Some((0, HexConstant::Pi.fastest_series().terms(0, FRACTION_BITS))));
        assert_eq!(sample(100_000_000, 1 << 10).map(|task| task.evaluations()), Some(7 << 10));
        assert!(sample(u64::MAX, 1).is_none());
    }
}
