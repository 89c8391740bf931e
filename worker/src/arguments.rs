//! The command line, as plain data: nothing happens here.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use compute::engine::gpu::GpuChoice;
use program::parse_name;
use protocol::constant::Formula;

use crate::misbehave::Misbehaviour;

/// Computes tasks of a Quorate cluster and signs what it found.
#[derive(Debug, Parser)]
#[command(name = "worker", version, about, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// Something else than joining a cluster.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to join a cluster.
    #[command(flatten)]
    pub join: Join,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compute a job alone on this machine, without a cluster and without a vote, and print the time of each phase
    Compute(Compute),
    /// List the GPUs of this machine: name, type, driver, which kernels they run and how fast
    Gpus(ListGpus),
    /// Measure each kernel on each engine of this machine, and how much of an adapter's integer peak it reaches
    Bench(Bench),
}

/// How to join a cluster.
#[derive(Debug, Args)]
pub struct Join {
    /// The token that `coordinator token` printed
    #[arg(long, env = "QUORATE_JOIN", value_name = "TOKEN", hide_env_values = true)]
    pub join: Option<String>,
    /// Use the GPU for what has a kernel, and the processor for the rest. Without a name every hardware GPU is used (a
    /// software one where there is no other); `worker gpus` lists names and numbers. May be given several times
    #[arg(long, value_name = "NAME|INDEX", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub gpu: Vec<GpuChoice>,
    /// Where the worker keeps its key and its outcomes [default: quorate/worker in the user's state folder]
    #[arg(long, env = "QUORATE_WORKER_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// How many threads compute [default: all]
    #[arg(long, env = "QUORATE_THREADS", value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// How much computing a crash may cost: a long computation keeps what it has finished after each such time. 0s: as
    /// often as there is something to keep
    #[arg(long, env = "QUORATE_CHECKPOINT_EVERY", default_value = "10s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub checkpoint_every: Duration,
    /// The worker's name for people [default: the host's name]
    #[arg(long, env = "QUORATE_WORKER_NAME", value_parser = parse_name)]
    pub name: Option<String>,
    /// A drill: misbehave on purpose, to watch the cluster outvote and correct this worker (wrong-always,
    /// wrong-sometimes=P, wrong-after=N, wrong-formula=NAME, silent, slow=DURATION, equivocate, replay, gpu-bit-flip, gpu-lost,
    /// lying-auditor, series-bit-flip, series-bit-flip=lasting, broken-memory)
    #[arg(long, value_name = "KIND")]
    pub misbehave: Option<Misbehaviour>,
    /// A load for the coordinator: so many workers in this process, each with a key and a connection of its own
    #[arg(long, value_name = "N", hide = true)]
    pub copies: Option<NonZeroUsize>,
}

/// `compute`.
#[derive(Debug, Args)]
pub struct Compute {
    /// The job file
    pub job: PathBuf,
    /// By which formula [default: the fastest]
    #[arg(long, value_parser = parse_formula)]
    pub formula: Option<Formula>,
    /// How many threads compute [default: all]
    #[arg(long, env = "QUORATE_THREADS", value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Where to keep what is finished of a long computation, and to look for what an earlier run left there [default: nowhere]
    #[arg(long, value_name = "DIR")]
    pub checkpoints: Option<PathBuf>,
    /// How much computing a crash may cost, with --checkpoints
    #[arg(long, env = "QUORATE_CHECKPOINT_EVERY", default_value = "10s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub checkpoint_every: Duration,
    /// Where to write the value [default: nowhere]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `gpus`.
#[derive(Debug, Args)]
pub struct ListGpus {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// Which GPUs [default: every hardware GPU, or the software one where there is no other]
    #[arg(long, value_name = "NAME|INDEX")]
    pub gpu: Vec<GpuChoice>,
    /// How many threads of the processor [default: all]
    #[arg(long, env = "QUORATE_THREADS", value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// The position of the digits: after so many hexadecimal digits of pi
    #[arg(long, default_value_t = 100_000_000, value_parser = clap::value_parser!(u64).range(..=10_000_000_000_000_000))]
    pub after: u64,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

fn parse_formula(text: &str) -> Result<Formula, String> {
    let known = Formula::ALL;
    known.into_iter().find(|formula| formula.name() == text).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|formula| formula.name()).collect();
        format!("no formula is named `{text}`; known are {}", names.join(", "))
    })
}
