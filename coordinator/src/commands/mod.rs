//! The commands of `coordinator`, one a file.

mod abandon;
mod ask;
mod bench;
mod query;
mod serve;
mod session;
mod submit;
mod summary;
mod token;

use std::process::ExitCode;

use program::{Program, folders};

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
        Command::Abandon(arguments) => abandon::run(arguments).await,
        Command::Token(arguments) => token::issue(arguments),
        Command::Revoke(arguments) => token::revoke(arguments).await,
        Command::Bench(arguments) => match arguments.what {
            BenchWhat::Agreement(arguments) => bench::agreement(arguments).await,
        },
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
