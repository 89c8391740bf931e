//! Logs, on standard error, for people or for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Which logs are written, as a filter that is known to be good.
pub(crate) fn parse_filter(text: &str) -> Result<String, String> {
    let reason = |error| format!("it is no log filter ({error}); write `warn`, `info` or `worker=debug`");
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(reason)
}

/// Starts logging.
pub(crate) fn start(filter: &str, format: LogFormat) {
    // The filter was checked when the setting was read.
    let filter = EnvFilter::new(filter);
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let logs = logs.with_ansi(std::io::stderr().is_terminal());
    // A second start in one process changes nothing.
    let _ = match format {
        LogFormat::Human => logs.with_target(false).try_init(),
        LogFormat::Json => logs.json().try_init(),
    };
}
