//! Our own programs as children: found beside the benchmark, run without the user's settings, and their CPU time.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Sender, channel},
    thread,
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};

/// Builds `coordinator` and `worker` in the release profile; nothing happens where they are up to date.
///
/// # Errors
/// When cargo cannot be run or the build fails.
pub fn build() -> Result<(), Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--release", "-p", "quorate-coordinator", "-p", "quorate-worker"]);
    let status = command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).status()?;
    if status.success() { Ok(()) } else { Err(format!("the programs cannot be built: {status}").into()) }
}

/// A command that runs one of our programs, which stands beside the benchmark's folder, without the user's settings.
///
/// # Errors
/// When the program was not built.
pub fn command(name: &str) -> Result<Command, Box<dyn Error>> {
    let own = env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).ok_or("the benchmark stands in no folder")?;
    let path: PathBuf = folder.join(name);
    if !path.exists() {
        return Err(format!("{} is missing; run this with `cargo bench`", path.display()).into());
    }
    let mut command = Command::new(path);
    for (key, _) in env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("QUORATE_")) {
        command.env_remove(key);
    }
    command.stdin(Stdio::null());
    Ok(command)
}

/// Runs a command to its end; returns what it printed.
///
/// # Errors
/// When it cannot be started or fails.
pub fn run(command: &mut Command) -> Result<Vec<u8>, Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{} failed with {}: {errors}", command.get_program().display(), output.status).into())
}

/// Runs a command to its end; returns what it printed and the CPU seconds that it took, all its threads together.
///
/// # Errors
/// When it cannot be started or fails.
pub fn run_timed(command: &mut Command) -> Result<(Vec<u8>, f64), Box<dyn Error>> {
    let before = children_cpu_s()?;
    let printed = run(command)?;
    Ok((printed, children_cpu_s()? - before))
}

/// CPU seconds, in the program and in the system for it, of this process so far.
///
/// # Errors
/// When the system does not tell.
pub fn own_cpu_s() -> Result<f64, Box<dyn Error>> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// CPU seconds, in the program and in the system for it, of all children that have ended.
fn children_cpu_s() -> Result<f64, Box<dyn Error>> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

#[expect(clippy::cast_precision_loss, reason = "2^53 seconds and microseconds are enough")]
fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// A program that runs beside the benchmark and ends with it.
#[derive(Debug)]
pub struct Background(Child);

impl Background {
    /// Starts a command and waits until it prints a line with `text`, which is returned as well.
    ///
    /// # Errors
    /// When it cannot be started, or ends without such a line.
    pub fn start(command: &mut Command, text: &str) -> Result<(Self, String), Box<dyn Error>> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (sender, lines) = channel();
        if let Some(output) = child.stdout.take() {
            listen(output, sender.clone());
        }
        if let Some(errors) = child.stderr.take() {
            listen(errors, sender);
        }
        let program = Self(child);
        match lines.iter().find(|line| line.contains(text)) {
            Some(line) => Ok((program, line)),
            None => {
                Err(format!("{} ended without a line with `{text}`", command.get_program().display()).into())
            }
        }
    }
}

/// Passes on lines, and goes on reading when nobody wants them any more, so that the program never waits.
fn listen(output: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody listens once the line that was waited for is there.
            let _ = lines.send(line);
        }
    });
}

impl Background {
    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
