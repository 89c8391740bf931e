//! What a worker needs to know before it starts.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use protocol::{
    domain::Engine,
    limits::{NAME_BYTES_MAX, SLOTS_MAX},
    message::EngineIntroduction,
    token::Token,
};
use transport::ConnectionConfig;

use crate::{gpus::Gpus, misbehave::Misbehaviour};

/// Everything that decides how a worker runs.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Where to join, and the proof that it may.
    pub token: Token,
    /// Where its key and its outcomes are.
    pub state_dir: PathBuf,
    /// How many threads compute.
    pub threads: NonZeroUsize,
    /// Its name for people.
    pub name: String,
    /// The GPUs that it opened.
    pub gpus: Arc<Gpus>,
    /// How much computing may be lost in a crash; with zero, checkpoints are kept as often as there is something to keep.
    pub checkpoint_every: Duration,
    /// A drill, if any.
    pub misbehaviour: Option<Misbehaviour>,
    /// Whether its outcomes must outlive it; else they stay in memory as far as there is room.
    pub outlives: bool,
    /// How its connection behaves.
    pub connection: ConnectionConfig,
}

impl WorkerConfig {
    /// How many heavy tasks it computes at once: each uses all threads where it can, so a few keep them busy.
    pub fn slots(&self) -> u32 {
        u32::try_from(self.threads.get()).unwrap_or(SLOTS_MAX).clamp(1, SLOTS_MAX)
    }

    /// What it computes with now: the GPUs in service, and the processor.
    pub fn engines(&self) -> Vec<EngineIntroduction> {
        engines(&self.gpus)
    }

    /// The version that its ballots name.
    pub fn build() -> String {
        format!("quorate {}", env!("CARGO_PKG_VERSION"))
    }
}

/// The GPUs in service, and the processor.
pub(crate) fn engines(gpus: &Gpus) -> Vec<EngineIntroduction> {
    let mut engines = gpus.introductions();
    engines.push(EngineIntroduction { engine: Engine::Cpu, device: compute::engine::processor_name() });
    engines
}

/// How many threads this machine offers.
pub fn threads_available() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The host's name, which is a worker's name where none is given.
pub fn host_name() -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let told = told.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let mut name: String =
        told.trim().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    name.truncate(NAME_BYTES_MAX);
    if name.is_empty() { "worker".to_owned() } else { name }
}
