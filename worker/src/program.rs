//! What the program does with its arguments, and the codes that it ends with.
//!
//! | code | means |
//! |---|---|
//! | 0 | done; stopped on request |
//! | 2 | usage, a bad token or job file, a GPU that is not there |
//! | 5 | the coordinator refused |
//! | 6 | a file or folder cannot be read or written |
//! | 7 | this machine computes wrongly |

use std::{process::ExitCode, sync::Arc};

use compute::engine::gpu::{GpuAdapter, GpuError};
use program::{Program, folders, interrupted};
use protocol::token::{Role, Token, TokenError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transport::ConnectionConfig;

use crate::{
    alone::{self, AloneError},
    arguments::{Arguments, Command, Join},
    config::{self, WorkerConfig},
    gpus::Gpus,
    misbehave::Misbehaviour,
    service::{self, WorkerError},
    survey::{self, SurveyError},
};

/// The program, with what its settings are where nobody says.
pub const PROGRAM: Program = Program {
    table: "worker",
    log: "info",
    computed: |key| match key {
        "state_dir" => Some(folders::state("worker").display().to_string()),
        "threads" => Some(config::threads_available().to_string()),
        "name" => Some(config::host_name()),
        _ => None,
    },
};

/// Why the program failed, in one sentence for its user.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// No token.
    #[error(
        "a worker needs a join token: give the line that `coordinator token --operator NAME` prints as --join TOKEN \
         or in QUORATE_JOIN"
    )]
    NoToken,
    /// A token that does not count.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A GPU was asked for that is not there, or does not compute.
    #[error("--gpu: {0}")]
    Gpu(#[from] GpuError),
    /// The drill needs a GPU.
    #[error("--misbehave: this drill is about a GPU, and none is in service; add --gpu")]
    NoGpuToFlip,
    /// The worker stopped.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// Computing alone failed.
    #[error(transparent)]
    Alone(#[from] AloneError),
    /// The machine could not be measured.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// The runtime.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
}

impl ProgramError {
    /// The code that the program ends with.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::NoToken
            | Self::Token(_)
            | Self::Gpu(_)
            | Self::NoGpuToFlip
            | Self::Survey(SurveyError::Gpu(_) | SurveyError::OutOfReach(_)) => 2,
            Self::Alone(error) => error.exit_code(),
            Self::Worker(WorkerError::Refused(_)) => 5,
            Self::Worker(WorkerError::Broken(_)) => 7,
            Self::Worker(_) | Self::Survey(_) | Self::Runtime(_) => 6,
        })
    }
}

/// Runs the program.
///
/// # Errors
/// [`ProgramError`], which has the exit code.
pub fn run(arguments: Arguments) -> Result<ExitCode, ProgramError> {
    match arguments.command {
        Some(Command::Compute(compute)) => Ok(alone::run(&compute)?),
        Some(Command::Gpus(gpus)) => Ok(survey::list_gpus(&gpus)?),
        Some(Command::Bench(bench)) => Ok(survey::bench(&bench)?),
        None => join(arguments.join),
    }
}

/// Runs many workers, until the first of them cannot go on.
async fn run_copies(
    config: &WorkerConfig,
    copies: usize,
    stop: &CancellationToken,
) -> Result<(), WorkerError> {
    let mut running = JoinSet::new();
    for number in 1..=copies {
        let name = format!("{}-{number}", config.name);
        let state_dir = config.state_dir.join(&name);
        let copy = WorkerConfig { state_dir, name, ..config.clone() };
        running.spawn(service::run(copy, stop.clone()));
    }
    while let Some(ended) = running.join_next().await {
        // A panic was printed when it happened.
        ended.unwrap_or(Ok(()))?;
    }
    Ok(())
}

fn join(arguments: Join) -> Result<ExitCode, ProgramError> {
    // Without --gpu no driver is even looked for.
    let adapters = if arguments.gpu.is_empty() { Vec::new() } else { GpuAdapter::choose(&arguments.gpu)? };
    let token = Token::from_text(&arguments.join.ok_or(ProgramError::NoToken)?)?;
    if token.grant.role != Role::Worker {
        return Err(TokenError::Role("client").into());
    }
    let gpus = Gpus::open(&adapters, arguments.misbehave);
    if arguments.misbehave.is_some_and(Misbehaviour::needs_gpu) && gpus.introductions().is_empty() {
        return Err(ProgramError::NoGpuToFlip);
    }
    let config = WorkerConfig {
        token,
        state_dir: arguments.state_dir.unwrap_or_else(|| folders::state("worker")),
        threads: arguments.threads.unwrap_or_else(config::threads_available),
        name: arguments.name.unwrap_or_else(config::host_name),
        gpus: Arc::new(gpus),
        checkpoint_every: arguments.checkpoint_every,
        misbehaviour: arguments.misbehave,
        outlives: true,
        connection: ConnectionConfig::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(ProgramError::Runtime)?;
    let result = runtime.block_on(async {
        let stop = CancellationToken::new();
        let on_signal = stop.clone();
        tokio::spawn(async move {
            interrupted().await;
            on_signal.cancel();
        });
        match arguments.copies {
            None => service::run(config, stop).await,
            Some(copies) => run_copies(&config, copies.get(), &stop).await,
        }
    });
    // A computation that does not notice its cancellation at once is not waited for.
    runtime.shutdown_background();
    result?;
    Ok(ExitCode::SUCCESS)
}
