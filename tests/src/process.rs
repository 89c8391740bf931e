//! A started program: its lines as they come, its end, and no way to outlive the test.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for anything before it fails.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// The path of one of our programs, built beside the test.
///
/// # Panics
/// When it was not built: `make test` builds it first.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("tests are in target/PROFILE/deps");
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing; `cargo build --workspace --bins` makes it", path.display());
    path
}

/// A command without any of the user's own settings: no variable and no configuration file.
#[must_use]
pub fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("QUORATE_")) {
        command.env_remove(key);
    }
    command.env("QUORATE_CONFIG", "").stdin(Stdio::null());
    command
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started.
pub fn run(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

/// A program that runs beside the test.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    /// Starts a command and listens to its output and its errors.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (sender, lines) = channel();
        let output = child.stdout.take().expect("it is piped");
        let errors = child.stderr.take().expect("it is piped");
        let to_output = sender.clone();
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|l| to_output.send(l))
        });
        thread::spawn(move || {
            BufReader::new(errors).lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for a line that contains `text`, and returns it.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn wait_for(&mut self, text: &str) -> String {
        self.wait_for_any(&[text])
    }

    /// As [`Process::wait_for`], for a line with any of these texts.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn wait_for_any(&mut self, texts: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if texts.iter().any(|text| line.contains(text)) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let texts = texts.join("` or `");
                    panic!("no line with `{texts}`; there was:\n{}", self.seen.join("\n"))
                }
            }
        }
    }

    /// The memory that it holds, in KiB.
    ///
    /// # Panics
    /// When the system does not tell.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("a running process has a status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it tells its memory");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
    }

    /// Asks it to stop as Ctrl-C does.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// Stops it in the middle of whatever it does, as a machine that sleeps, until [`Process::go_on`].
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn stop(&self) {
        self.signal("STOP");
    }

    /// Lets it go on after [`Process::stop`].
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        // `kill` is in every shell, and not on every machine.
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(sent.is_ok_and(|status| status.success()), "our own child can be signalled");
    }

    /// Ends it as a power cut would: SIGKILL, no goodbye.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// Waits for its end; returns the exit code and everything it printed.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait(self) -> (Option<i32>, String) {
        self.wait_within(PATIENCE)
    }

    /// As [`Process::wait`], for one that has much to do.
    ///
    /// # Panics
    /// When it does not end within `patience`.
    pub fn wait_within(mut self, patience: Duration) -> (Option<i32>, String) {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("it does not end; it said:\n{}", self.seen.join("\n"))
                }
            }
        }
        let status = self.child.wait().expect("our own child can be waited for");
        (status.code(), std::mem::take(&mut self.seen).join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
