//! The plot: rates and latencies against the number of checks in a task and the number of workers.

use std::{ops::Range, path::Path};

use plotters::{
    coord::Shift,
    prelude::{
        ChartBuilder, Circle, Color, DrawingArea, IntoDrawingArea, IntoLogRange, LineSeries, PathElement,
        SVGBackend, TextStyle,
    },
    style::{BLACK, Palette, Palette99, WHITE},
};
use serde::Serialize;

use super::load::{Latency, Rate};

/// Size in pixels.
const SIZE: (u32, u32) = (1200, 840);
const COSTS_SIZE: (u32, u32) = (1000, 1260);

/// One point of the sweep.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// How many checks one task has.
    pub batch: u32,
    /// How many workers there are.
    pub workers: u32,
    /// How fast checks were decided.
    pub rate: Rate,
    /// How long one task took.
    pub latency: Latency,
}

/// What a policy costs and lets through.
#[derive(Debug, Clone)]
pub struct CostPoint {
    /// Which.
    pub policy: String,
    /// How many of a hundred nodes collude.
    pub colluding: u32,
    /// Work beyond one computation of each task, in parts of one.
    pub overhead: f64,
    /// The share of wrong values.
    pub error: f64,
    /// Of so many tasks: where none is wrong, the error is drawn as one in as many.
    pub tasks: u64,
}

/// A line of a panel: its name and its points.
type Line = (&'static str, Vec<(f64, f64)>);
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Draws the points into an SVG file: those with the fewest workers against the checks in a task, and those with one check
/// in a task against the workers.
///
/// # Errors
/// When the file cannot be written.
pub fn draw(points: &[Point], title: &str, path: &Path) -> Drawn {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let root = root.titled(title, TextStyle::from(("sans-serif", 22)))?;
    let areas = root.split_evenly((2, 2));
    let workers = points.iter().map(|point| point.workers).min().unwrap_or(0);
    let of_batches: Vec<&Point> = points.iter().filter(|point| point.workers == workers).collect();
    let of_workers: Vec<&Point> = points.iter().filter(|point| point.batch == 1).collect();
    let batch = |point: &Point| f64::from(point.batch);
    let crew = |point: &Point| f64::from(point.workers);
    let [rate_by_batch, latency_by_batch, rate_by_workers, latency_by_workers] = &areas[..] else {
        return Ok(());
    };
    panel(rate_by_batch, ("checks decided a second", "checks in a task"), &rates(&of_batches, batch))?;
    panel(
        latency_by_batch,
        ("one task on an idle cluster, ms", "checks in a task"),
        &times(&of_batches, batch),
    )?;
    panel(rate_by_workers, ("checks decided a second, one in a task", "workers"), &rates(&of_workers, crew))?;
    panel(latency_by_workers, ("one check on an idle cluster, ms", "workers"), &times(&of_workers, crew))?;
    root.present()?;
    Ok(())
}

fn rates(points: &[&Point], place: impl Fn(&Point) -> f64) -> Vec<Line> {
    vec![("rate", points.iter().map(|point| (place(point), point.rate.checks_per_s)).collect())]
}

fn times(points: &[&Point], place: impl Fn(&Point) -> f64) -> Vec<Line> {
    let line =
        |of: fn(&Latency) -> f64| points.iter().map(|point| (place(point), of(&point.latency))).collect();
    vec![
        ("p50", line(|times| times.p50_ms)),
        ("p99", line(|times| times.p99_ms)),
        ("p99.9", line(|times| times.p999_ms)),
    ]
}

/// A range that holds all values, from one power of ten to another.
fn decades(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) =
        values.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), value| (low.min(value), high.max(value)));
    let low = 10_f64.powf(low.max(f64::MIN_POSITIVE).log10().floor());
    low..10_f64.powf(high.log10().ceil()).max(low * 10.0)
}

fn panel(area: &Area<'_>, (title, below): (&str, &str), lines: &[Line]) -> Drawn {
    let all = || lines.iter().flat_map(|(_, points)| points);
    let (x, y) = (decades(all().map(|point| point.0)), decades(all().map(|point| point.1)));
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption(title, ("sans-serif", 18))
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(x.log_scale(), y.log_scale())?;
    chart.configure_mesh().x_desc(below).light_line_style(BLACK.mix(0.04)).draw()?;
    for (number, (name, points)) in lines.iter().enumerate() {
        let color = Palette99::pick(number).to_rgba();
        let line = chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
        line.label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
    }
    if lines.len() > 1 {
        chart
            .configure_series_labels()
            .border_style(BLACK.mix(0.2))
            .background_style(WHITE.mix(0.8))
            .draw()?;
    }
    Ok(())
}

/// Draws overhead against error into an SVG file, a panel for each share of colluding nodes and a point for each policy and
/// way to lie.
///
/// # Errors
/// When the file cannot be written.
pub fn draw_costs(points: &[CostPoint], path: &Path) -> Drawn {
    let root = SVGBackend::new(path, COSTS_SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let shares: std::collections::BTreeSet<u32> = points.iter().map(|point| point.colluding).collect();
    for (share, area) in shares.iter().zip(root.split_evenly((shares.len(), 1))) {
        let here: Vec<&CostPoint> = points.iter().filter(|point| point.colluding == *share).collect();
        costs_panel(&area, *share, &here)?;
    }
    root.present()?;
    Ok(())
}

fn costs_panel(area: &Area<'_>, share: u32, points: &[&CostPoint]) -> Drawn {
    #[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
    let place = |point: &CostPoint| {
        let least = 1.0 / point.tasks.max(1) as f64;
        (point.overhead.max(0.01), point.error.max(least))
    };
    // The right decade is left to the legend.
    let least = points.iter().map(|point| place(point).1).fold(1.0, f64::min);
    let (x, y) = (0.01..100.0, decades([least, 1.0].into_iter()));
    let title = format!("{share} % of the nodes collude");
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption(title, ("sans-serif", 18))
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(x.log_scale(), y.log_scale())?;
    let below = "overhead: computations of a task beyond the first";
    chart
        .configure_mesh()
        .x_desc(below)
        .y_desc("wrong values (none: lowest)")
        .light_line_style(BLACK.mix(0.04))
        .draw()?;
    let mut policies: Vec<&str> = points.iter().map(|point| point.policy.as_str()).collect();
    policies.dedup();
    for (number, policy) in policies.into_iter().enumerate() {
        let color = Palette99::pick(number).to_rgba();
        let its = points.iter().filter(|point| point.policy == policy);
        let drawn = chart.draw_series(its.map(|point| Circle::new(place(point), 5, color.filled())))?;
        drawn.label(policy).legend(move |(x, y)| Circle::new((x + 8, y), 5, color.filled()));
    }
    chart.configure_series_labels().border_style(BLACK.mix(0.2)).background_style(WHITE.mix(0.8)).draw()?;
    Ok(())
}
