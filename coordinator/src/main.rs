//! The program `coordinator`: reads its settings, runs one command, and ends with that command's exit code.

use std::process::ExitCode;

use coordinator::commands::{self, PROGRAM};

/// Many small values are made on one thread and dropped on another, which the system's allocator is slow at: single checks
/// took about a tenth less processor time with this one, and another tenth less without huge pages, which are cleared whole
/// and used in part.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<ExitCode> {
    let arguments = match program::start::<coordinator::arguments::Arguments>(&PROGRAM) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return Ok(ExitCode::SUCCESS),
        Err(error) => return Ok(error.report()),
    };
    let runtime = commands::runtime(&arguments.command)?;
    let result = runtime.block_on(commands::run(arguments.command));
    // Nothing that still blocks a thread is waited for: what had to be finished is.
    runtime.shutdown_background();
    Ok(result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        error.exit_code()
    }))
}
