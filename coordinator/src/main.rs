//! The program `coordinator`: parses its arguments, runs one command, and ends with that command's exit code.

use std::process::ExitCode;

use clap::Parser;
use coordinator::{arguments::Arguments, commands, logging};

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    logging::start(&arguments.log, arguments.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(commands::run(arguments.command));
    // Nothing that still blocks a thread is waited for: what had to be finished is.
    runtime.shutdown_background();
    Ok(result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        error.exit_code()
    }))
}
