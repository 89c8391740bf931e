//! A cluster of real processes on loopback: one coordinator, workers that join with tokens, commands of a client.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, command, run};

/// A coordinator process and its workers, in a temporary folder.
pub struct Cluster {
    folder: TempDir,
    address: String,
    coordinator: Process,
    workers: usize,
}

/// How a worker is started.
#[derive(Debug, Clone, Default)]
pub struct WorkerSpec<'a> {
    /// Its name, which also names its state directory.
    pub name: &'a str,
    /// Who runs it.
    pub operator: &'a str,
    /// A drill.
    pub misbehave: Option<&'a str>,
    /// Whether it computes on this machine's GPU.
    pub gpu: bool,
    /// How much computing may be lost in a crash, if not what is usual.
    pub checkpoint_every: Option<&'a str>,
    /// Where it finds the coordinator, if not where that listens.
    pub through: Option<String>,
}

impl Cluster {
    /// Starts a coordinator on a port that the system gives.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (coordinator, address) = serve(folder.path(), "127.0.0.1:0");
        Self { folder, address, coordinator, workers: 0 }
    }

    /// Kills the coordinator as a power cut would, and starts it again where it was.
    ///
    /// # Panics
    /// When it does not start.
    pub fn crash_coordinator(&mut self) {
        self.coordinator.kill();
        (self.coordinator, _) = serve(self.folder.path(), &self.address);
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The temporary folder of everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The state directory of a worker.
    #[must_use]
    pub fn worker_dir(&self, name: &str) -> PathBuf {
        self.folder.path().join("workers").join(name)
    }

    /// The coordinator's process.
    pub fn coordinator(&mut self) -> &mut Process {
        &mut self.coordinator
    }

    /// A client's command on this cluster.
    #[must_use]
    pub fn client(&self, arguments: &[&str]) -> Command {
        let mut client = command("coordinator");
        client
            .args(arguments)
            .args(["--coordinator", &self.address, "--state-dir"])
            .arg(self.folder.path().join("coordinator"))
            .current_dir(self.folder.path());
        client
    }

    /// A token.
    ///
    /// # Panics
    /// When none is printed.
    #[must_use]
    pub fn token(&self, operator: &str, more: &[&str]) -> String {
        let output = run(command("coordinator")
            .args(["token", "--operator", operator, "--state-dir"])
            .arg(self.folder.path().join("coordinator"))
            .args(more));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Starts a worker without waiting for it.
    #[must_use]
    pub fn spawn_worker(&self, spec: &WorkerSpec<'_>) -> Process {
        let through: Vec<&str> =
            spec.through.iter().flat_map(|address| ["--address", address.as_str()]).collect();
        let token = self.token(spec.operator, &through);
        let mut worker = command("worker");
        worker.args([
            "--join",
            &token,
            "--name",
            spec.name,
            "--threads",
            "2",
            "--log",
            "worker=debug",
            "--state-dir",
        ]);
        worker.arg(self.worker_dir(spec.name));
        worker.args(spec.misbehave.iter().flat_map(|kind| ["--misbehave", kind]));
        worker.args(spec.checkpoint_every.iter().flat_map(|every| ["--checkpoint-every", every]));
        worker.args(spec.gpu.then_some("--gpu"));
        Process::start(&mut worker)
    }

    /// Starts a worker and waits until it has joined.
    pub fn worker(&mut self, spec: &WorkerSpec<'_>) -> Process {
        let mut worker = self.spawn_worker(spec);
        worker.wait_for("joined");
        self.workers += 1;
        worker
    }

    /// Starts honest workers, each of an operator of its own.
    pub fn honest_workers(&mut self, names: &[&str]) -> Vec<Process> {
        names
            .iter()
            .map(|name| self.worker(&WorkerSpec { name, operator: name, ..WorkerSpec::default() }))
            .collect()
    }

    /// Writes a job file.
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn job_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.toml"));
        std::fs::write(&path, text).expect("the folder is writable");
        path
    }

    /// Starts to submit a job, with results in `out` in the cluster's folder.
    ///
    /// # Panics
    /// When the path is not UTF-8.
    #[must_use]
    pub fn submit(&self, job: &Path) -> Process {
        let out = self.folder.path().join("out");
        let [job, out] = [job, &out].map(|path| path.to_str().expect("a temporary folder is UTF-8"));
        Process::start(&mut self.client(&["submit", job, "--out", out, "--json"]))
    }

    /// Runs a client's command to its end.
    #[must_use]
    pub fn ask(&self, arguments: &[&str]) -> Output {
        run(&mut self.client(arguments))
    }

    /// What `coordinator workers --json` says of a worker.
    ///
    /// # Panics
    /// When it is not known.
    #[must_use]
    pub fn worker_status(&self, name: &str) -> Value {
        let told = self.ask(&["workers", "--json"]);
        let workers: Vec<Value> = serde_json::from_slice(&told.stdout).expect("JSON");
        workers.into_iter().find(|worker| worker["name"] == name).expect("it is known")
    }

    /// Asks `coordinator workers` about a worker until it is as the test waits for.
    ///
    /// # Panics
    /// When that does not happen in time.
    pub fn wait_for_worker(&self, name: &str, is_reached: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + crate::process::PATIENCE;
        loop {
            let status = self.worker_status(name);
            if is_reached(&status) {
                return status;
            }
            assert!(std::time::Instant::now() < deadline, "{name} never came so far: {status}");
        }
    }

    /// The results of [`Cluster::submit`].
    ///
    /// # Panics
    /// When there are none.
    #[must_use]
    pub fn results(&self) -> Results {
        Results::read(&self.folder.path().join("out"))
    }
}

/// Starts a coordinator; returns it and where it listens.
fn serve(folder: &Path, listen: &str) -> (Process, String) {
    let mut coordinator = Process::start(
        command("coordinator")
            .args(["serve", "--listen", listen, "--log", "info", "--state-dir"])
            .arg(folder.join("coordinator")),
    );
    let line = coordinator.wait_for("listening on 127.0.0.1:");
    let address = line
        .split_whitespace()
        .find(|word| word.starts_with("127.0.0.1:"))
        .expect("the line names the address")
        .to_owned();
    (coordinator, address)
}

/// A results folder, read.
#[derive(Debug)]
pub struct Results {
    /// `value.txt`.
    pub value: String,
    /// `report.json`.
    pub report: Value,
    /// `ballots.json`.
    pub ballots: Value,
}

impl Results {
    /// Reads a results folder.
    ///
    /// # Panics
    /// When a file of it is missing.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let json = |name: &str| serde_json::from_str(&read(name)).expect("it is JSON");
        Self { value: read("value.txt"), report: json("report.json"), ballots: json("ballots.json") }
    }
}

/// The last line of what a command printed, as JSON.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn last_json(printed: &str) -> Value {
    let line = printed.lines().rev().find(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in:\n{printed}"))
}
