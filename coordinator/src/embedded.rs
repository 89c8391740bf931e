//! The embedded cluster: a coordinator and its workers in this process, over real QUIC on loopback.
//!
//! It is the same code as the real thing, but that they hand each other blobs by way of the memory that they share. What it
//! cannot give is independence: one machine, one operator.

pub mod recheck;

use std::{net::Ipv4Addr, num::NonZeroUsize, path::Path, sync::Arc, time::Duration};

use protocol::{
    identity::SecretKey,
    token::{Grant, Role, Token},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transport::{ConnectionConfig, blob::Neighbours, identity};
use verdict::{Config, liveness::Rhythm};
use worker::{
    checkpoints::CHECKPOINT_EVERY_DEFAULT, config::WorkerConfig, gpus::Gpus, misbehave::Misbehaviour,
};

use crate::{
    admission::unix_now_s,
    client::{Client, Target},
    exit::CommandError,
    ledger::Durability,
    server::{self, Server},
};

/// How long the workers may take to join.
const JOIN_TIMEOUT: Duration = Duration::from_secs(30);

/// A cluster in this process.
pub struct EmbeddedCluster {
    server: Server,
    workers: JoinSet<Result<(), worker::service::WorkerError>>,
    stop_workers: CancellationToken,
    stop: CancellationToken,
    key: SecretKey,
    gpus: Vec<String>,
    neighbours: Neighbours,
    // Removed when the cluster is gone.
    folder: tempfile::TempDir,
}

/// Of what an embedded cluster is made.
#[derive(Debug, Clone, Copy)]
pub struct Composition {
    /// Honest workers.
    pub workers: u32,
    /// Whether one more worker is always wrong.
    pub liar: bool,
    /// Whether the first worker computes on this machine's GPUs, where there are any.
    pub gpu: bool,
    /// Where the ledger is. Its folder is removed with the cluster; only a measurement wants it on the disk.
    pub durability: Durability,
}

impl Composition {
    /// Honest workers on the processor, and a ledger in memory.
    #[must_use]
    pub fn of(workers: u32) -> Self {
        Self { workers, liar: false, gpu: false, durability: Durability::Memory }
    }
}

impl EmbeddedCluster {
    /// Starts a coordinator and its workers, and waits until all have joined.
    ///
    /// # Errors
    /// [`CommandError`] when a part does not start.
    pub async fn start(composition: Composition) -> Result<Self, CommandError> {
        let folder = tempfile::Builder::new().prefix("quorate-").tempdir().map_err(|source| {
            CommandError::File { action: "make a folder in", path: std::env::temp_dir(), source }
        })?;
        let stop = CancellationToken::new();
        let coordinator_dir = folder.path().join("coordinator");
        let key = identity::load_or_create(&coordinator_dir)?;
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        let config =
            Config { electorate_closed: true, liveness: Some(Rhythm::default()), ..Config::default() };
        let (durability, neighbours) = (composition.durability, Neighbours::default());
        let server = server::start(&key, listen, &coordinator_dir, durability, config, &neighbours, &stop)?;
        let stop_workers = stop.child_token();
        let gpus = if composition.gpu { open_gpus().await } else { Gpus::default() };
        let names = gpus.introductions().into_iter().map(|engine| engine.device).collect();
        let workers = JoinSet::new();
        let mut cluster = Self { server, workers, stop_workers, stop, key, gpus: names, neighbours, folder };
        let (mut gpus, no_gpus) = (Arc::new(gpus), Arc::new(Gpus::default()));
        let total = composition.workers + u32::from(composition.liar);
        let threads = worker::config::threads_available().get() / composition.workers.max(1) as usize;
        let threads = NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN);
        // Who joins first is asked first: the liar, so that the drill shows something.
        if composition.liar {
            let misbehaviour = Some(Misbehaviour::WrongAlways);
            cluster.add_worker("embedded-liar".to_owned(), threads, Arc::clone(&no_gpus), misbehaviour);
            cluster.wait_for_workers_in_time(1).await?;
        }
        for number in 1..=composition.workers {
            let gpus = std::mem::replace(&mut gpus, Arc::clone(&no_gpus));
            cluster.add_worker(format!("embedded-{number}"), threads, gpus, None);
        }
        cluster.wait_for_workers_in_time(total).await?;
        Ok(cluster)
    }

    fn add_worker(
        &mut self,
        name: String,
        threads: NonZeroUsize,
        gpus: Arc<Gpus>,
        misbehaviour: Option<Misbehaviour>,
    ) {
        let grant = Grant {
            role: Role::Worker,
            operator: "embedded".to_owned(),
            expires_unix_s: unix_now_s() + 24 * 3600,
        };
        let config = WorkerConfig {
            token: Token::issue(self.server.address.to_string(), &self.key, grant),
            state_dir: self.folder.path().join(&name),
            threads,
            name,
            gpus,
            checkpoint_every: CHECKPOINT_EVERY_DEFAULT,
            misbehaviour,
            connection: ConnectionConfig {
                neighbours: self.neighbours.clone(),
                ..ConnectionConfig::default()
            },
            outlives: false,
        };
        self.workers.spawn(worker::service::run(config, self.stop_workers.child_token()));
    }

    async fn wait_for_workers_in_time(&mut self, total: u32) -> Result<(), CommandError> {
        let joined = tokio::time::timeout(JOIN_TIMEOUT, self.wait_for_workers(total)).await;
        joined.map_err(|_| {
            CommandError::Embedded(format!("not all {total} workers joined within {JOIN_TIMEOUT:?}"))
        })?
    }

    async fn wait_for_workers(&mut self, total: u32) -> Result<(), CommandError> {
        let client = Client::connect(&self.target()).await?;
        loop {
            if let Some(Ok(Err(error))) = self.workers.try_join_next() {
                return Err(CommandError::Embedded(error.to_string()));
            }
            let workers = client.workers().await?;
            if workers.iter().filter(|worker| worker.connected).count() >= total as usize {
                client.close().await;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The GPUs of its first worker, by name and driver.
    pub fn gpus(&self) -> &[String] {
        &self.gpus
    }

    /// How a client reaches it.
    pub fn target(&self) -> Target {
        Target {
            address: self.server.address.to_string(),
            coordinator: self.key.node_id(),
            key: self.key.clone(),
            credential: None,
            neighbours: self.neighbours.clone(),
        }
    }

    /// Where its state is, until it stops.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the workers, then the coordinator, and removes their state.
    pub async fn stop(mut self) {
        self.stop_workers.cancel();
        while self.workers.join_next().await.is_some() {}
        self.stop.cancel();
        self.server.tasks.wait().await;
    }
}

/// Opening a GPU compiles and tests its kernels, which takes a second; none is opened where that fails.
async fn open_gpus() -> Gpus {
    tokio::task::spawn_blocking(Gpus::best).await.unwrap_or_default()
}
