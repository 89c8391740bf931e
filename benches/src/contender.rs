//! One contender, measured in a process of its own: the benchmark calls itself again with the contender's name, and the
//! child answers with one line of JSON.

use std::{
    env,
    error::Error,
    process::{Command, Stdio},
    time::Instant,
};

use serde::{Deserialize, Serialize};

/// The argument before the name of the contender that a child is to run.
pub const CONTENDER_FLAG: &str = "--contender";

/// What a child found out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measurement {
    /// Seconds from the first instruction of the computation to the digits in memory, wall-clock.
    pub seconds: f64,
    /// Name and seconds of each phase, in order.
    pub phases: Vec<(String, f64)>,
    /// The most memory that the process held, in bytes, where the system tells.
    pub peak_bytes: Option<u64>,
    /// BLAKE3 of what was computed, to see that all contenders computed the same.
    pub digest: String,
}

/// Runs `contender` of this very program in a child, with `arguments` behind.
///
/// # Errors
/// When the child cannot be started, fails, or answers with something else.
pub fn run_in_child(contender: &str, arguments: &[String]) -> Result<Measurement, Box<dyn Error>> {
    let output = Command::new(env::current_exe()?)
        .arg(CONTENDER_FLAG)
        .arg(contender)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the contender {contender} failed with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Wall-clock seconds of another program, from its start to its end, and what it printed.
///
/// # Errors
/// When it cannot be started or fails.
pub fn run_peer(program: &str, arguments: &[&str]) -> Result<(f64, String), Box<dyn Error>> {
    let start = Instant::now();
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output();
    let seconds = start.elapsed().as_secs_f64();
    let output = output.map_err(|error| format!("{program} cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} failed with {}", output.status).into());
    }
    Ok((seconds, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The most memory that this process has held so far, in bytes; Linux tells it (`VmHWM`), other systems give `None`.
#[must_use]
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
