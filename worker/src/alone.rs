//! `worker compute`: a job computed on this machine alone, the baseline against which agreement is measured.
//!
//! The same plan, the same engine, the same outcome bytes as in a cluster; no replicas, no vote, no signature.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use compute::{control::Control, engine};
use protocol::{
    constant::Formula,
    job::{ExpressionSource, JobSpec, Work},
    outcome::Outcome,
    plan::{AnswerCounts, Plan, ResultAssembler},
    task::{Task, TaskId},
};
use serde_json::json;

use crate::{arguments::Compute, checkpoints::CheckpointStore, config};

/// Why nothing was computed.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// The job file is wrong.
    #[error("{0}")]
    Job(String),
    /// A file.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read`, `write` or `keep checkpoints in`.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file for the value is there.
    #[error("{} exists; name another file with --out, or remove it", .0.display())]
    Exists(PathBuf),
    /// The formula does not yield this.
    #[error("the job's tasks are not computed by {formula}; use {known}")]
    Formula {
        /// Which.
        formula: Formula,
        /// Those that do.
        known: String,
    },
    /// The engine could not.
    #[error("task {index} has no outcome: {reason}")]
    Engine {
        /// Its number.
        index: u64,
        /// Why.
        reason: String,
    },
    /// The threads.
    #[error("cannot start the computing threads: {0}; try fewer with --threads")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

impl AloneError {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Job(_) | Self::Formula { .. } | Self::Exists(_) => 2,
            Self::Engine { .. } => 3,
            Self::File { .. } | Self::Threads(_) => 6,
        }
    }
}

/// What one job took.
struct Timing {
    phases: Vec<(&'static str, Duration)>,
    elapsed: Duration,
    counts: AnswerCounts,
    digests: Vec<String>,
}

pub(crate) fn run(arguments: &Compute) -> Result<ExitCode, AloneError> {
    let (spec, plan) = read_job(&arguments.job)?;
    let threads = arguments.threads.unwrap_or_else(config::threads_available);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build()?;
    let timing = compute_all(&plan, arguments, &pool)?;
    if arguments.json {
        println!("{}", to_json(&spec, &plan, &timing, threads.get()));
    } else {
        print(&spec, &plan, &timing, arguments.out.as_deref());
    }
    Ok(ExitCode::SUCCESS)
}

/// Computes one task as `worker compute` does, by the fastest formula, with as many threads as this machine has; returns the
/// canonical bytes of its outcome.
///
/// # Errors
/// [`AloneError::Engine`] when this machine cannot; the task's number is zero then.
pub fn outcome_of(task: &Task) -> Result<Vec<u8>, AloneError> {
    let formula = task.formulas().first().copied().unwrap_or(Formula::Direct);
    let outcome = engine::run_on_cpu(task, formula, &Control::default());
    let outcome = outcome.map_err(|error| AloneError::Engine { index: 0, reason: error.to_string() })?;
    Ok(outcome.to_bytes())
}

fn read_job(path: &Path) -> Result<(JobSpec, Plan), AloneError> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|source| AloneError::File {
            action: "read",
            path: path.to_owned(),
            source,
        })
    };
    let shown = path.display().to_string();
    let spec = JobSpec::parse(&read(path)?).map_err(|errors| AloneError::Job(errors.render(&shown)))?;
    let file: Option<Arc<str>> = match &spec.work {
        Work::Expressions { source: ExpressionSource::File(name), .. } => {
            Some(read(&path.parent().unwrap_or(Path::new("")).join(name))?.into())
        }
        Work::Expressions { .. } | Work::Digits { .. } | Work::HexDigits { .. } | Work::Series { .. } => None,
    };
    let plan = Plan::new(&spec, file).map_err(|errors| AloneError::Job(errors.render(&shown)))?;
    Ok((spec, plan))
}

fn compute_all(plan: &Plan, arguments: &Compute, pool: &rayon::ThreadPool) -> Result<Timing, AloneError> {
    let checkpoints = open_checkpoints(arguments)?;
    let failed = |source| AloneError::File {
        action: "write",
        path: arguments.out.clone().unwrap_or_default(),
        source,
    };
    let mut out: Box<dyn Write> = match &arguments.out {
        Some(path) if path.exists() => return Err(AloneError::Exists(path.clone())),
        Some(path) => Box::new(BufWriter::new(File::create_new(path).map_err(failed)?)),
        None => Box::new(std::io::sink()),
    };
    let started = Instant::now();
    let mut assembler = ResultAssembler::new(plan);
    let mut phases: Vec<(&'static str, Duration)> = Vec::new();
    let mut digests = Vec::new();
    for index in 0..plan.tasks() {
        let Some(task) = plan.task(index) else { break };
        let formulas = task.formulas();
        let formula = arguments.formula.or(formulas.first().copied()).unwrap_or(Formula::Direct);
        if !formulas.contains(&formula) {
            let known: Vec<&str> = formulas.iter().map(|formula| formula.name()).collect();
            return Err(AloneError::Formula { formula, known: known.join(" or ") });
        }
        let control = Control::default();
        let _keeper = checkpoints.as_ref().map(|store| store.lend(&control, &TaskId::of(&task), formula));
        let outcome = pool.install(|| engine::run_on_cpu(&task, formula, &control));
        let outcome = outcome.map_err(|error| AloneError::Engine { index, reason: error.to_string() })?;
        for phase in control.phases() {
            match phases.iter_mut().find(|(name, _)| *name == phase.name) {
                Some((_, total)) => *total += phase.elapsed,
                None => phases.push((phase.name, phase.elapsed)),
            }
        }
        if digests.len() < 1000 {
            digests.push(Outcome::digest_of_bytes(&outcome.to_bytes()).to_string());
        }
        assembler.push(Some(&outcome), &mut out).map_err(failed)?;
    }
    let counts = assembler.finish(&mut out).map_err(failed)?;
    out.flush().map_err(failed)?;
    Ok(Timing { phases, elapsed: started.elapsed(), counts, digests })
}

/// The checkpoints that were asked for; a folder that takes none is told before anything is computed.
fn open_checkpoints(arguments: &Compute) -> Result<Option<Arc<CheckpointStore>>, AloneError> {
    let Some(folder) = &arguments.checkpoints else { return Ok(None) };
    let store = CheckpointStore::open(folder, arguments.checkpoint_every);
    let failed = |source| AloneError::File { action: "keep checkpoints in", path: folder.clone(), source };
    store.try_out().map_err(failed)?;
    Ok(Some(store))
}

fn print(spec: &JobSpec, plan: &Plan, timing: &Timing, out: Option<&Path>) {
    let what = if plan.tasks() == 1 { plan.summary(0) } else { format!("{} tasks", plan.tasks()) };
    println!("{}: {what}, computed alone (no replicas, no vote)", spec.name);
    for (name, elapsed) in &timing.phases {
        println!("  {name:<24}{:>10.3} s", elapsed.as_secs_f64());
    }
    println!("  {:<24}{:>10.3} s", "total", timing.elapsed.as_secs_f64());
    let counts = &timing.counts;
    if counts.total() > 0 {
        println!(
            "  answers: {} true, {} false, {} agree to the digits asked for, {} values, {} refused",
            counts.true_count, counts.false_count, counts.agrees, counts.values, counts.refused
        );
    }
    if let [digest] = &timing.digests[..] {
        println!("  digest {digest}");
    }
    if let Some(out) = out {
        println!("  written: {}", out.display());
    }
}

fn to_json(spec: &JobSpec, plan: &Plan, timing: &Timing, threads: usize) -> serde_json::Value {
    let phases: Vec<_> = timing
        .phases
        .iter()
        .map(|(name, elapsed)| json!({ "name": name, "elapsed_s": elapsed.as_secs_f64() }))
        .collect();
    json!({
        "job": spec.name,
        "tasks": plan.tasks(),
        "threads": threads,
        "elapsed_s": timing.elapsed.as_secs_f64(),
        "phases": phases,
        "digests": timing.digests,
    })
}
