//! `coordinator serve`: a coordinator until Ctrl-C.

use std::process::ExitCode;

use program::interrupted;
use tokio_util::sync::CancellationToken;
use transport::{blob::Neighbours, identity};
use verdict::{Config, liveness::Rhythm};

use crate::{
    arguments::Serve,
    exit::{CommandError, DONE},
    ledger::Durability,
    server::{self, ServeError},
    state,
};

pub(super) async fn run(arguments: Serve) -> Result<ExitCode, CommandError> {
    let state_dir = state::coordinator_dir(arguments.state.state_dir.as_deref());
    let key = identity::load_or_create(&state_dir)?;
    let stop = CancellationToken::new();
    let heartbeat_ms = u64::try_from(arguments.heartbeat.as_millis()).unwrap_or(u64::MAX);
    let rhythm = Rhythm::new(heartbeat_ms, arguments.suspicion);
    let config = Config { liveness: Some(rhythm), ..Config::default() };
    let mut server = server::start(
        &key,
        arguments.listen,
        &state_dir,
        Durability::Synced,
        config,
        &Neighbours::default(),
        &stop,
    )?;
    server::log_start(server.address, &key);
    let advertised = arguments.advertise.unwrap_or_else(|| server.address.to_string());
    state::write_address(&state_dir, &advertised)
        .map_err(|source| ServeError::State { path: state_dir.display().to_string(), source })?;
    println!(
        "coordinator {} listening on {} (state in {})",
        key.node_id().short(),
        server.address,
        state_dir.display()
    );
    println!("let workers join: coordinator token --operator NAME");
    if server.address.ip().is_unspecified() && advertised == server.address.to_string() {
        eprintln!(
            "tokens will name {advertised}, which other machines cannot reach; start with --advertise HOST:PORT"
        );
    }
    let failed = tokio::select! {
        () = interrupted() => {
            eprintln!("stopping");
            None
        }
        failed = &mut server.failed => failed.ok(),
    };
    stop.cancel();
    server.tasks.wait().await;
    match failed {
        Some(error) => Err(CommandError::LedgerStopped(error)),
        None => Ok(ExitCode::from(DONE)),
    }
}
