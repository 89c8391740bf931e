//! Computing: leases wait for a slot, run on the worker's own thread pool, and come back as outcomes to be signed.
//!
//! A small task costs less than a thread's sleep and waking, so light tasks stand in one line ([`line`]) from which the
//! threads of the pool take them, and what they found is handed on in bundles. A heavy task, one for a GPU, and one that is
//! too long for a lease each has a tokio task that waits for what it needs.

mod audit;
mod line;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use compute::{
    audit::Witness,
    control::{Control, HardwareFault},
    engine::{self, EngineError},
    trace::Trace,
};
use protocol::{
    audit::Audited,
    ballot::ReplicaId,
    constant::Formula,
    digest::Digest,
    domain::Engine,
    limits::{INLINE_OUTCOME_BYTES_MAX, TASK_BYTES_MAX},
    message::{BlobName, EngineIntroduction, Lease},
    outcome::Outcome,
    task::{Task, TaskId, Weight},
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc, oneshot},
};
use transport::{Connection, blob};

use line::Line;

use crate::{
    checkpoints::CheckpointStore,
    config::WorkerConfig,
    gpus::{Gpus, OnGpu},
    misbehave::{self, Misbehaviour},
    store::{OutcomeStore, Role, StoreError},
};

/// How many light tasks share the slot of a heavy one; coordinators lease by the same measure.
pub const LIGHT_PER_HEAVY: u32 = 64;

/// So few light tasks that come together may be computed at once.
const AT_ONCE_MAX: usize = 2;
/// What is longer takes longer to read than to wake a computing thread.
const AT_ONCE_BYTES_MAX: usize = 2 * 1024;

/// The end of a computation.
#[derive(Debug)]
pub struct Completed {
    /// Which replica.
    pub replica: ReplicaId,
    /// What came out.
    pub result: Result<Computed, NotComputed>,
}

/// An outcome that is computed and stored.
#[derive(Debug)]
pub struct Computed {
    /// Its canonical bytes, where they are so few that they travel with the ballot.
    pub short: Option<Vec<u8>>,
    /// Their digest.
    pub digest: Digest,
    /// A second, different digest for the same replica: only a drill has one.
    pub contradiction: Option<Digest>,
    /// By which method.
    pub formula: Formula,
    /// By which engine it was really computed, whatever the lease asked for.
    pub engine: EngineIntroduction,
    /// How long the computation took.
    pub elapsed: Duration,
    /// The commitment to the way on which it was computed, where that can be asked for.
    pub trace: Option<Digest>,
    /// What was tested, where nothing was computed: then there is no outcome, and the digest says what was found.
    pub audited: Option<Audited>,
}

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotComputed {
    /// Nobody wanted it any more.
    Cancelled,
    /// It cannot be computed here.
    Failed(String),
    /// This machine computes wrongly.
    Broken(HardwareFault),
}

/// A replica that is to be computed, beside its task.
#[derive(Debug)]
struct Work {
    replica: ReplicaId,
    way: (Engine, Formula),
    /// Whether to keep what an audit needs.
    witness: bool,
    control: Control,
}

/// The task in a lease, whose bytes must have its id.
fn read_task(id: TaskId, bytes: &[u8]) -> Result<Task, NotComputed> {
    if TaskId::of_bytes(bytes) != id {
        return Err(NotComputed::Failed("the task's bytes do not have the task's id".to_owned()));
    }
    read_fetched_task(bytes)
}

/// A task that was fetched by its id, and so has it.
fn read_fetched_task(bytes: &[u8]) -> Result<Task, NotComputed> {
    Task::from_bytes_with_their_id(bytes).map_err(|error| NotComputed::Failed(error.to_string()))
}

/// The task of a lease: in it, or fetched.
async fn obtain_task(
    id: TaskId,
    bytes: Option<Vec<u8>>,
    connection: &Connection,
) -> Result<Task, NotComputed> {
    if let Some(bytes) = bytes {
        return read_task(id, &bytes);
    }
    let fetched = blob::fetch(connection, BlobName::Task(id.0), TASK_BYTES_MAX as u64).await;
    let not_arrived = |error| NotComputed::Failed(format!("the task did not arrive: {error}"));
    read_fetched_task(&fetched.map_err(not_arrived)?)
}

fn panicked() -> NotComputed {
    NotComputed::Failed("the computation panicked; please report this task".to_owned())
}

/// Runs leases.
#[derive(Debug, Clone)]
pub struct Executor {
    pool: Arc<rayon::ThreadPool>,
    slots: Arc<Semaphore>,
    store: Arc<OutcomeStore>,
    checkpoints: Arc<CheckpointStore>,
    gpus: Arc<Gpus>,
    misbehaviour: Option<Misbehaviour>,
    /// How many outcomes there were, for a drill that turns after so many.
    outcomes: Arc<AtomicU64>,
    completed: mpsc::Sender<Vec<Completed>>,
    line: Arc<Line>,
    runtime: Handle,
}

impl Executor {
    /// An executor with the configuration's threads and GPUs that takes at most as many heavy tasks at once as it has
    /// slots, or [`LIGHT_PER_HEAVY`] light ones in the place of each. Waiting happens on `runtime`.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn new(
        config: &WorkerConfig,
        store: Arc<OutcomeStore>,
        completed: mpsc::Sender<Vec<Completed>>,
        runtime: Handle,
    ) -> Result<Self, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(config.threads.get())
            .thread_name(|number| format!("compute-{number}"))
            // The panic was printed where it happened, and whoever waits for the outcome sees that none comes.
            .panic_handler(|_| {})
            .build()?;
        let slots = Arc::new(Semaphore::new((config.slots() * LIGHT_PER_HEAVY) as usize));
        let gpus = Arc::clone(&config.gpus);
        let checkpoints = CheckpointStore::open(&config.state_dir, config.checkpoint_every);
        let line = Arc::new(Line::new(config.threads));
        let (pool, misbehaviour) = (Arc::new(pool), config.misbehaviour);
        store.traces().compute_on(Arc::clone(&pool), misbehaviour);
        let outcomes = Arc::default();
        Ok(Self { pool, slots, store, checkpoints, gpus, misbehaviour, outcomes, completed, line, runtime })
    }

    /// From now on, what is cancelled was not given up: the worker stops, and its checkpoints wait for it.
    pub fn keep_checkpoints(&self) {
        self.checkpoints.keep_all();
    }

    /// Starts on leases; their ends arrive on the channel, but for those that are returned: a lone task that takes
    /// microseconds is computed at once. `connection` is asked for a task that is too long for a lease.
    pub fn start(&self, leases: Vec<(Lease, Control)>, connection: &Connection) -> Vec<Completed> {
        let (mut in_line, mut alone) = (Vec::with_capacity(leases.len()), Vec::new());
        let is_delayed = matches!(self.misbehaviour, Some(Misbehaviour::Slow(_)));
        for (lease, control) in leases {
            let Lease { replica, engine, formula, task, audit, witness, .. } = lease;
            let work = Work { replica, way: (engine, formula), witness, control };
            if let Some(order) = audit {
                let (executor, connection) = (self.clone(), connection.clone());
                self.end_alone(work, |work| executor.audit(work, order, task, connection));
                continue;
            }
            match task {
                Some(bytes) if engine == Engine::Cpu && !is_delayed => in_line.push((work, bytes)),
                task => alone.push((work, task)),
            }
        }
        let mut at_once = Vec::new();
        if in_line.len() <= AT_ONCE_MAX && self.line.is_empty() {
            in_line.retain(|(work, bytes)| {
                let completed = self.compute_at_once(work, bytes);
                let is_left = completed.is_none();
                at_once.extend(completed);
                is_left
            });
        }
        for (work, bytes) in alone {
            let (executor, connection) = (self.clone(), connection.clone());
            self.end_alone(
                work,
                |work| async move { executor.fetch_and_execute(work, bytes, connection).await },
            );
        }
        for _ in 0..self.line.join(in_line) {
            let executor = self.clone();
            self.pool.spawn_fifo(move || line::run(executor));
        }
        at_once
    }

    /// The end of a task that takes less time than to wake a computing thread.
    fn compute_at_once(&self, work: &Work, bytes: &[u8]) -> Option<Completed> {
        let Work { replica, way: (_, formula), .. } = *work;
        if bytes.len() > AT_ONCE_BYTES_MAX {
            return None;
        }
        let task = read_task(replica.task, bytes).ok()?;
        let start = Instant::now();
        let truth = engine::run_at_once(&task)?;
        let elapsed = start.elapsed();
        let engine = EngineIntroduction { engine: Engine::Cpu, device: engine::processor_name() };
        Some(Completed {
            replica,
            result: self.keep(truth, (replica.task, Role::of(&task)), formula, engine, elapsed),
        })
    }

    /// Hands on what one computation has ended with, once it has.
    fn end_alone<F>(&self, work: Work, end: impl FnOnce(Work) -> F)
    where
        F: Future<Output = Result<Computed, NotComputed>> + Send + 'static,
    {
        let (replica, completed) = (work.replica, self.completed.clone());
        let end = end(work);
        self.runtime.spawn(async move {
            let result = end.await;
            // The owner is gone only when the worker stops.
            let _ = completed.send(vec![Completed { replica, result }]).await;
        });
    }

    async fn fetch_and_execute(
        &self,
        work: Work,
        bytes: Option<Vec<u8>>,
        connection: Connection,
    ) -> Result<Computed, NotComputed> {
        let task = obtain_task(work.replica.task, bytes, &connection).await?;
        drop(connection);
        self.execute(task, work).await
    }

    /// Computes a task as soon as there is a slot for it.
    async fn execute(&self, task: Task, work: Work) -> Result<Computed, NotComputed> {
        let executor = self.clone();
        let (weight, engine) = (task.weight(), work.way.0);
        self.in_slot(weight, engine, move || executor.compute(&task, &work)).await
    }

    /// Runs something as soon as there is a slot for it.
    async fn in_slot(
        &self,
        weight: Weight,
        engine: Engine,
        run: impl FnOnce() -> Result<Computed, NotComputed> + Send + 'static,
    ) -> Result<Computed, NotComputed> {
        let share = match weight {
            Weight::Light => 1,
            Weight::Heavy => LIGHT_PER_HEAVY,
        };
        let _slot = self.slots.acquire_many(share).await.map_err(|_| NotComputed::Cancelled)?;
        let (done, computed) = oneshot::channel();
        let work = move || {
            // Whoever waited is gone only when the worker stops.
            let _ = done.send(run());
        };
        match engine {
            Engine::Cpu => self.pool.spawn_fifo(work),
            // Waiting for a GPU is no work for a computing thread.
            Engine::Gpu => drop(tokio::task::spawn_blocking(work)),
        }
        let computed = computed.await.map_err(|_| panicked())??;
        if let Some(Misbehaviour::Slow(delay)) = self.misbehaviour {
            tokio::time::sleep(delay).await;
        }
        Ok(computed)
    }

    fn compute(&self, task: &Task, work: &Work) -> Result<Computed, NotComputed> {
        let Work { replica, way: (engine, formula), witness: wants_witness, ref control } = *work;
        let id = replica.task;
        control.check().map_err(|_| NotComputed::Cancelled)?;
        let is_long =
            matches!(task, Task::Digits { .. } | Task::Series { .. }) && task.weight() == Weight::Heavy;
        // They go when the outcome is stored, or nobody wants it any more.
        let _keeper = is_long.then(|| self.checkpoints.lend(control, &id, formula));
        let trace = Trace::default();
        if is_long {
            control.keep_trace(trace.clone());
        }
        let start = Instant::now();
        let on_gpu = match engine {
            Engine::Gpu => self.gpus.run(task, control).map_err(|_| NotComputed::Cancelled)?,
            Engine::Cpu => None,
        };
        let (truth, witness, engine) = if let Some(OnGpu { outcome, device }) = on_gpu {
            (outcome, None, EngineIntroduction { engine: Engine::Gpu, device })
        } else {
            let (outcome, witness) = self.compute_on_cpu(task, formula, wants_witness, control)?;
            let device = engine::processor_name();
            (outcome, witness, EngineIntroduction { engine: Engine::Cpu, device })
        };
        let elapsed = start.elapsed();
        let mut computed = self.keep(truth, (id, Role::of(task)), formula, engine, elapsed)?;
        computed.trace = self.store.traces().keep(computed.digest, trace);
        if let Some(witness) = witness {
            let pieces = witness.into_parts().into_iter().map(Bytes::from_owner).collect();
            let kept = self.store.put_witness(computed.digest, pieces);
            kept.map_err(|error: StoreError| NotComputed::Failed(error.to_string()))?;
        }
        Ok(computed)
    }

    /// Stores what was computed, or what a drill makes of it.
    fn keep(
        &self,
        truth: Outcome,
        (id, role): (TaskId, Role),
        formula: Formula,
        engine: EngineIntroduction,
        elapsed: Duration,
    ) -> Result<Computed, NotComputed> {
        let others = self.outcomes.fetch_add(1, Ordering::Relaxed);
        let lies = self.misbehaviour.is_some_and(|kind| kind.lies_about(&id, formula, others));
        let outcome = if lies { misbehave::falsified(&truth) } else { truth };
        let contradiction = (self.misbehaviour == Some(Misbehaviour::Equivocate))
            .then(|| Outcome::digest_of_bytes(&misbehave::falsified(&outcome).to_bytes()));
        let bytes = outcome.into_bytes();
        let digest = Outcome::digest_of_bytes(&bytes);
        let short = (bytes.len() <= INLINE_OUTCOME_BYTES_MAX).then(|| bytes.clone());
        let kept = self.store.put(id, role, digest, bytes);
        kept.map_err(|error| NotComputed::Failed(error.to_string()))?;
        Ok(Computed { short, digest, contradiction, formula, engine, elapsed, trace: None, audited: None })
    }

    fn compute_on_cpu(
        &self,
        task: &Task,
        formula: Formula,
        wants_witness: bool,
        control: &Control,
    ) -> Result<(Outcome, Option<Witness>), NotComputed> {
        let computed = self.pool.install(|| {
            if wants_witness {
                engine::run_on_cpu_with_witness(task, formula, control)
            } else {
                engine::run_on_cpu(task, formula, control).map(|outcome| (outcome, None))
            }
        });
        computed.map_err(|error| match error {
            EngineError::Cancelled(_) => NotComputed::Cancelled,
            EngineError::Hardware(fault) => NotComputed::Broken(fault),
            other @ (EngineError::Digits(_) | EngineError::HexTerms(_)) => {
                NotComputed::Failed(other.to_string())
            }
        })
    }
}
