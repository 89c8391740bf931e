//! A coordinator, its ledger on the disk, and workers, as processes of their own on loopback; they end with it.

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::program::{Background, command, run};

/// A cluster that runs.
#[derive(Debug)]
pub struct Cluster {
    address: String,
    state_dir: PathBuf,
    token: String,
    folder: PathBuf,
    coordinator: Background,
    workers: Vec<Background>,
}

impl Cluster {
    /// A coordinator without workers, whose state is in `folder`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let state_dir = folder.join("coordinator");
        let mut serve = command("coordinator")?;
        serve.args(["serve", "--listen", "127.0.0.1:0", "--state-dir"]).arg(&state_dir);
        let (coordinator, line) = Background::start(&mut serve, "listening on ")?;
        let address = line.split_once("listening on ").and_then(|(_, rest)| rest.split_whitespace().next());
        let address = address.ok_or("the coordinator does not say where it listens")?.to_owned();
        let mut token = command("coordinator")?;
        token.args(["token", "--operator", "bench", "--state-dir"]).arg(&state_dir);
        let token = String::from_utf8(run(&mut token)?)?.trim().to_owned();
        Ok(Self { address, state_dir, token, folder: folder.to_owned(), coordinator, workers: Vec::new() })
    }

    /// What workers join with.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The process of the coordinator.
    #[must_use]
    pub fn coordinator_id(&self) -> u32 {
        self.coordinator.id()
    }

    /// Adds a worker with one thread and these further arguments, and waits until it has joined; returns its process.
    ///
    /// # Errors
    /// When it does not join.
    pub fn add_worker(&mut self, arguments: &[&str]) -> Result<u32, Box<dyn Error>> {
        let name = format!("bench-{}", self.workers.len() + 1);
        let mut worker = command("worker")?;
        worker.args(["--threads", "1", "--name", &name, "--log", "info", "--join", &self.token]);
        worker.arg("--state-dir").arg(self.folder.join(&name)).args(arguments);
        let (worker, _) = Background::start(&mut worker, "joined")?;
        let id = worker.id();
        self.workers.push(worker);
        Ok(id)
    }

    /// A command of `coordinator` that talks to the cluster.
    ///
    /// # Errors
    /// When the program was not built.
    pub fn client(&self, words: &[&str]) -> Result<Command, Box<dyn Error>> {
        let mut client = command("coordinator")?;
        client.args(words).args(["--coordinator", &self.address, "--state-dir"]).arg(&self.state_dir);
        Ok(client)
    }

    /// Checks decided a second, each its own task or 1,000 in one, in one run of so many.
    ///
    /// # Errors
    /// When the load cannot be run.
    pub fn rate(&self, part: Part, items: u32) -> Result<f64, Box<dyn Error>> {
        let items = items.to_string();
        let only = match part {
            Part::Single => "single",
            Part::Batched => "batched",
        };
        let words = ["bench", "agreement", "--only", only, "--rounds", "1", "--json", "--items", &items];
        let said: Value = serde_json::from_slice(&run(&mut self.client(&words)?)?)?;
        Ok(said[only]["checks_per_s"].as_f64().ok_or("the load says no rate")?)
    }
}

/// What a load consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Each check a task of its own.
    Single,
    /// 1,000 checks a task.
    Batched,
}
