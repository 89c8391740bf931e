//! How fast each engine finds residues: of integer expressions, and of the terms of pi's series.

use std::time::Instant;

use compute::{
    control::Control,
    engine::gpu::{GpuEngine, GpuError, multiplications_per_product},
    residues::{
        HypergeometricSeries, Program, SeriesResiduesError, Step, random_primes, residues, series_residues,
    },
};
use serde_json::{Value, json};

use crate::survey::{LONG_ENOUGH, RUNS, shown};

/// Moduli of 61 bits in each measurement of a series: as many as an audit looks through.
const SERIES_PRIMES: usize = 4;
/// Products that a term of pi's series takes.
const PRODUCTS_PER_TERM: u32 = 4;
/// Moduli of 61 bits in each measurement of expressions.
const EXPRESSION_PRIMES: usize = 64;
/// Most expressions, and most terms, in one measurement.
const EXPRESSIONS_MAX: u64 = 1 << 18;
/// See [`EXPRESSIONS_MAX`].
const TERMS_MAX: u64 = 1 << 34;

/// Both kernels on one engine.
#[derive(Debug, Clone)]
pub(crate) struct ResidueRates {
    engine: String,
    variant: String,
    /// Of expressions.
    residues_per_s: f64,
    /// Terms of a series, counted once for each modulus.
    terms_per_s: f64,
    /// Of the adapter's integer multiplications, by the series.
    share_of_peak: Option<f64>,
}

/// On the processor, with the threads of the caller's pool.
pub(crate) fn on_processor(engine: String, variant: String) -> Result<ResidueRates, SeriesResiduesError> {
    let control = Control::default();
    let primes = random_primes(b"worker bench", EXPRESSION_PRIMES);
    let residues_per_s = rate(EXPRESSIONS_MAX, |count| {
        residues(&expressions(count), &primes, &control).map(|rows| rows.len() * primes.len())
    })?;
    let (series, primes) = (HypergeometricSeries::chudnovsky(), &primes[..SERIES_PRIMES]);
    let terms_per_s = rate(TERMS_MAX, |terms| {
        series_residues(&series, 1..terms + 1, primes, &control).map(|_| counted(terms))
    })?;
    Ok(ResidueRates { engine, variant, residues_per_s, terms_per_s, share_of_peak: None })
}

/// On a GPU that does so many 32-bit operations a second at most.
pub(crate) fn on_gpu(engine: &GpuEngine, peak_operations_per_s: f64) -> Result<ResidueRates, GpuError> {
    let control = Control::default();
    let primes = random_primes(b"worker bench", EXPRESSION_PRIMES);
    let residues_per_s = rate(EXPRESSIONS_MAX, |count| {
        engine.residues(&expressions(count), &primes, &control).map(|rows| rows.len() * primes.len())
    })?;
    let (series, primes) = (HypergeometricSeries::chudnovsky(), &primes[..SERIES_PRIMES]);
    let terms_per_s = rate(TERMS_MAX, |terms| {
        engine.series_residues(&series, 1..terms + 1, primes, &control).map(|_| counted(terms))
    })?;
    let multiplications = PRODUCTS_PER_TERM * multiplications_per_product(engine.variant());
    Ok(ResidueRates {
        engine: engine.device_name().to_owned(),
        variant: engine.variant().to_string(),
        residues_per_s,
        terms_per_s,
        // Half of the peak's operations are multiplications.
        share_of_peak: Some(terms_per_s * f64::from(multiplications) / (peak_operations_per_s / 2.0)),
    })
}

fn counted(terms: u64) -> usize {
    usize::try_from(terms).unwrap_or(usize::MAX).saturating_mul(SERIES_PRIMES)
}

/// `k^(10^15) + 1` for so many k.
fn expressions(count: u64) -> Vec<Program> {
    let steps = |base: u64| {
        vec![
            Step::Constant(base.into()),
            Step::Power(1_000_000_000_000_000_u64.into()),
            Step::Constant(1.into()),
            Step::Add,
        ]
    };
    (2..count + 2).filter_map(|base| Program::new(steps(base)).ok()).collect()
}

/// Items a second, the best of some runs; sizes grow until a run takes long enough, or to `size_max`.
fn rate<E>(size_max: u64, run: impl Fn(u64) -> Result<usize, E>) -> Result<f64, E> {
    let (mut size, mut best, mut runs) = (1 << 6, 0.0_f64, 0);
    while runs < RUNS {
        let start = Instant::now();
        let items = run(size)?;
        let elapsed = start.elapsed();
        if elapsed >= LONG_ENOUGH || size >= size_max {
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let measured = items as f64 / elapsed.as_secs_f64();
            best = best.max(measured);
            runs += 1;
        } else {
            size *= 2;
        }
    }
    Ok(best)
}

/// A table; the first row is what the others are measured against.
pub(crate) fn print(rows: &[ResidueRates]) {
    println!("residues: k^(10^15) + 1 modulo {EXPRESSION_PRIMES} primes of 61 bits");
    print_column(rows, "residues/s", |row| row.residues_per_s, |_| None);
    println!("series_residues: terms of pi's Chudnovsky series modulo {SERIES_PRIMES} primes of 61 bits");
    print_column(rows, "terms/s", |row| row.terms_per_s, |row| row.share_of_peak);
}

fn print_column(
    rows: &[ResidueRates],
    unit: &str,
    rate: impl Fn(&ResidueRates) -> f64,
    share: impl Fn(&ResidueRates) -> Option<f64>,
) {
    println!("{:<44}{:<12}{unit:>12}{:>12}{:>12}{:>8}", "engine", "variant", "/1 thread", "/all", "peak");
    let (one, all) = (rows.first().map_or(1.0, &rate), rows.get(1).map_or(1.0, &rate));
    for row in rows {
        let share = share(row).map_or_else(String::new, |share| format!("{:.1} %", share * 100.0));
        let (engine, variant, rate) = (&row.engine, &row.variant, rate(row));
        println!(
            "{engine:<44}{variant:<12}{:>12}{:>12.2}{:>12.2}{share:>8}",
            shown(rate),
            rate / one,
            rate / all
        );
    }
}

/// The same for machines.
pub(crate) fn to_json(rows: &[ResidueRates]) -> Vec<Value> {
    let (one, all) = (rows.first(), rows.get(1));
    let ratio = |row: &ResidueRates, to: Option<&ResidueRates>, rate: fn(&ResidueRates) -> f64| {
        to.map(|to| rate(row) / rate(to))
    };
    let of_expressions: fn(&ResidueRates) -> f64 = |row| row.residues_per_s;
    let of_terms: fn(&ResidueRates) -> f64 = |row| row.terms_per_s;
    let values = rows.iter().flat_map(|row| {
        [
            json!({
                "kernel": "residues",
                "engine": row.engine,
                "variant": row.variant,
                "residues_per_s": row.residues_per_s,
                "ratio_to_one_thread": ratio(row, one, of_expressions),
                "ratio_to_all_threads": ratio(row, all, of_expressions),
            }),
            json!({
                "kernel": "series_residues",
                "engine": row.engine,
                "variant": row.variant,
                "terms_per_s": row.terms_per_s,
                "ratio_to_one_thread": ratio(row, one, of_terms),
                "ratio_to_all_threads": ratio(row, all, of_terms),
                "share_of_integer_peak": row.share_of_peak,
            }),
        ]
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_has_a_rate_for_both_kernels() {
        let rates = on_processor("here".to_owned(), "1 thread".to_owned()).expect("in bounds");
        assert!(rates.residues_per_s > 0.0 && rates.terms_per_s > 0.0);
        let rows = to_json(&[rates.clone(), rates]);
        let kernels: Vec<_> = rows.iter().map(|row| row["kernel"].clone()).collect();
        assert_eq!(kernels, ["residues", "series_residues", "residues", "series_residues"]);
        assert!(rows.iter().all(|row| row["ratio_to_one_thread"] == json!(1.0)));
    }
}
