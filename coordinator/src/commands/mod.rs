//! The commands of `coordinator`, one a file.

mod abandon;
mod ask;
mod bench;
mod ledger;
mod policies;
mod query;
mod serve;
mod session;
mod simulate;
mod submit;
mod summary;
mod telling;
mod token;
mod verify;

use std::{io, process::ExitCode};

use program::{Program, folders};
use tokio::runtime::{Builder, Runtime};

use crate::{
    arguments::{Arguments, BenchWhat, Command},
    exit::{CommandError, DONE},
};

/// The program, with what its settings are where nobody says.
pub const PROGRAM: Program = Program {
    table: "coordinator",
    log: "warn",
    computed: |key| (key == "state_dir").then(|| folders::state("coordinator").display().to_string()),
};

/// The threads that a command runs on. A question that goes to a coordinator elsewhere takes a few milliseconds, of
/// which threads that wake each other would be a good part; whatever serves, computes or writes much has them.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime(command: &Command) -> io::Result<Runtime> {
    let threads = match command {
        Command::Ask(arguments) => arguments.reach.coordinator.is_none(),
        Command::Verify(_)
        | Command::Status(_)
        | Command::Workers(_)
        | Command::Abandon(_)
        | Command::Revoke(_)
        | Command::Token(_)
        | Command::Ledger(_)
        | Command::Simulate(_)
        | Command::Completions { .. } => false,
        Command::Serve(_) | Command::Submit(_) | Command::Result(_) | Command::Bench(_) => true,
    };
    let mut builder = if threads { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    builder.enable_all().build()
}

/// Runs one command.
///
/// # Errors
/// [`CommandError`], which has the exit code.
pub async fn run(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Submit(arguments) => submit::run(arguments).await,
        Command::Ask(arguments) => Ok(ask::run(arguments).await),
        Command::Status(arguments) => query::status(arguments).await,
        Command::Workers(arguments) => query::workers(arguments).await,
        Command::Result(arguments) => submit::result(arguments).await,
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Abandon(arguments) => abandon::run(arguments).await,
        Command::Token(arguments) => token::issue(arguments),
        Command::Revoke(arguments) => token::revoke(arguments).await,
        Command::Ledger(arguments) => ledger::run(arguments.what),
        Command::Bench(arguments) => match arguments.what {
            BenchWhat::Agreement(arguments) => bench::agreement(arguments).await,
        },
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut PROGRAM.command::<Arguments>(),
                "coordinator",
                &mut std::io::stdout(),
            );
            Ok(ExitCode::from(DONE))
        }
    }
}
