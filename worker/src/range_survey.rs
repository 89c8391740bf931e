//! How many values a second each engine of this machine checks of a range: as tasks are run, and by the kernel's CPU twin.
//!
//! The body is one whose values never leave 64 bits, because its power is taken modulo a constant: the least that a
//! kernel can have to do for a value that is worth checking.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use compute::{
    control::Control,
    engine::{
        self,
        gpu::{GpuEngine, GpuError},
    },
    range_check::{Program, Width, range_check},
};
use protocol::{constant::Formula, expression::parse_body, task::Task};
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::survey::{SurveyError, shown};

/// What is checked for every n from 1 on.
const BODY: &str = "n^5 % 30 == n % 30";
/// A run that takes at least this long is a measurement.
const LONG_ENOUGH: Duration = Duration::from_millis(400);
/// The best of so many counts: whatever else the machine does can only slow a run down.
const RUNS: u32 = 3;
/// Values that a thread takes at a time of the twin's.
const CHUNK_VALUES: i128 = 1 << 12;
/// Values of the first, shortest run.
const FIRST_VALUES: i128 = 1 << 14;
/// No run has more values: sums of them count in 64 bits, and a broken clock ends somewhere.
const VALUES_MAX: i128 = 1 << 50;

/// One engine.
pub(crate) struct RangeRow {
    engine: String,
    variant: String,
    values_per_s: f64,
}

/// The processor's rates: its quick way as tasks are run, and the twin, each on one thread and on all.
pub(crate) fn on_processor(threads: usize) -> Result<Vec<RangeRow>, SurveyError> {
    let mut rows = Vec::new();
    for threads in [1, threads] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let run = |task: &Task| {
            pool.install(|| engine::run_on_cpu(task, Formula::Direct, &Control::default())).map(|_| ())
        };
        let values_per_s = rate(|last| run(&task(last)))?;
        rows.push(row(engine::processor_name(), named("", threads), values_per_s));
        let program = parse_body(BODY, "n").ok().and_then(|body| Program::compile(&body));
        let Some(program) = program else { continue };
        let Ok(values_per_s) = rate(|last| {
            pool.install(|| twin(&program, last));
            Ok::<(), Infallible>(())
        });
        rows.push(row(engine::processor_name(), named("twin, ", threads), values_per_s));
    }
    Ok(rows)
}

/// The rate of one GPU.
pub(crate) fn on_gpu(engine: &GpuEngine) -> Result<RangeRow, GpuError> {
    let values_per_s = rate(|last| engine.run(&task(last), &Control::default()).map(|_| ()))?;
    Ok(row(engine.device_name().to_owned(), engine.variant().to_string(), values_per_s))
}

fn row(engine: String, variant: String, values_per_s: f64) -> RangeRow {
    RangeRow { engine, variant, values_per_s }
}

fn named(what: &str, threads: usize) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    format!("{what}{threads} thread{plural}")
}

fn task(last: i128) -> Task {
    Task::Range { agree_digits: 100, variable: "n".to_owned(), body: BODY.to_owned(), first: 1, last }
}

fn twin(program: &Program, last: i128) {
    let chunks = u64::try_from(last / CHUNK_VALUES).unwrap_or(0);
    let sum = (0..=chunks).into_par_iter().map(|chunk| {
        let first = 1 + i128::from(chunk) * CHUNK_VALUES;
        let values = first..=last.min(first + CHUNK_VALUES - 1);
        let terms = values.filter_map(|value| range_check(program, Width::One, value));
        terms.fold(0_u128, |sum, (_, term)| sum.wrapping_add(term))
    });
    // Without a use, nothing would be computed.
    std::hint::black_box(sum.reduce(|| 0, u128::wrapping_add));
}

/// Values a second, from ranges that grow until one takes long enough.
fn rate<E>(run: impl Fn(i128) -> Result<(), E>) -> Result<f64, E> {
    let (mut last, mut best, mut runs) = (FIRST_VALUES, 0.0_f64, 0);
    while runs < RUNS && last < VALUES_MAX {
        let start = Instant::now();
        run(last)?;
        let elapsed = start.elapsed();
        if elapsed >= LONG_ENOUGH {
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let measured = last as f64 / elapsed.as_secs_f64();
            best = best.max(measured);
            runs += 1;
        } else {
            last *= 2;
        }
    }
    Ok(best)
}

/// Ratios are to the twin, on one thread and on all.
fn ratios(rows: &[RangeRow], row: &RangeRow) -> [f64; 2] {
    let mut twins = rows.iter().filter(|row| row.variant.starts_with("twin"));
    let one = twins.next().map_or(f64::NAN, |twin| twin.values_per_s);
    let all = twins.next_back().map_or(one, |twin| twin.values_per_s);
    [row.values_per_s / one, row.values_per_s / all]
}

pub(crate) fn print(rows: &[RangeRow]) {
    println!("range_check: `{BODY}` from 1 on; ratios are to the kernel's CPU twin");
    println!("{:<44}{:<18}{:>12}{:>12}{:>12}", "engine", "variant", "n/s", "/1 thread", "/all");
    for row in rows {
        let [one, all] = ratios(rows, row);
        println!(
            "{:<44}{:<18}{:>12}{one:>12.2}{all:>12.2}",
            row.engine,
            row.variant,
            shown(row.values_per_s)
        );
    }
}

pub(crate) fn json(rows: &[RangeRow]) -> Vec<Value> {
    let row = |row: &RangeRow| {
        let [one, all] = ratios(rows, row);
        json!({
            "kernel": "range_check",
            "body": BODY,
            "engine": row.engine,
            "variant": row.variant,
            "values_per_s": row.values_per_s,
            "ratio_to_one_thread_of_the_twin": one,
            "ratio_to_all_threads_of_the_twin": all,
        })
    };
    rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_grow_until_a_run_is_long_and_ratios_are_to_the_twin() {
        let tried = std::cell::RefCell::new(Vec::new());
        let failed = rate(|last| {
            tried.borrow_mut().push(last);
            if last > 4 * FIRST_VALUES { Err("enough") } else { Ok(()) }
        });
        assert_eq!(failed, Err("enough"));
        assert_eq!(*tried.borrow(), [1, 2, 4, 8].map(|times| times * FIRST_VALUES));
        let rates =
            [("1 thread", 8.0), ("twin, 1 thread", 2.0), ("2 threads", 16.0), ("twin, 2 threads", 4.0)];
        let rows: Vec<RangeRow> =
            rates.iter().map(|(variant, rate)| row("cpu".to_owned(), (*variant).to_owned(), *rate)).collect();
        assert_eq!(ratios(&rows, &rows[2]).map(f64::to_bits), [8.0, 4.0].map(f64::to_bits));
    }
}
