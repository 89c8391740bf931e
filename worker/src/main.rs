//! The program `worker`: joins a cluster and computes for it, or computes a job alone.

use std::process::ExitCode;

use clap::Parser;
use worker::{arguments::Arguments, logging, program};

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    logging::start(&arguments.log, arguments.log_format)?;
    Ok(program::run(arguments).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        error.exit_code()
    }))
}
