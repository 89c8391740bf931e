//! The program `worker`: joins a cluster and computes for it, or computes a job alone.

use std::process::ExitCode;

use worker::program::{self, PROGRAM};

fn main() -> ExitCode {
    let arguments = match ::program::start(&PROGRAM) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return error.report(),
    };
    program::run(arguments).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        error.exit_code()
    })
}
