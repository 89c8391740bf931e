//! From the command line to arguments that every layer has had its say in.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Command, CommandFactory, FromArgMatches};

use crate::{
    DEFAULT_CONFIG,
    file::{self, FileError, Place},
    folders,
    logging::{self, LogFormat},
    settings, table,
};

/// What a program says about itself.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The table of the configuration file that is its own: `coordinator` or `worker`.
    pub table: &'static str,
    /// Which logs it writes where nobody says otherwise.
    pub log: &'static str,
    /// The defaults that depend on the machine, by the key of their setting.
    pub computed: fn(&str) -> Option<String>,
}

// The arguments that both programs have. (As documentation, this would be printed as what the program is for.)
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings and logs")]
struct Shared {
    /// The configuration file; an empty name: none [default: quorate/config.toml in the user's configuration folder]
    #[arg(long, global = true, env = "QUORATE_CONFIG", value_name = "FILE")]
    config: Option<OsString>,
    /// Print each setting, its value, and where that comes from, and do nothing else
    #[arg(long, global = true)]
    print_config: bool,
    /// Print a configuration file with every setting, explained, at its default
    #[arg(long, global = true)]
    print_default_config: bool,
    /// How logs are written to standard error
    #[arg(long, global = true, env = "QUORATE_LOG_FORMAT", default_value = "human", value_enum)]
    log_format: LogFormat,
    /// Which logs are written, as `warn`, `info`, `worker=debug`
    #[arg(long, global = true, env = "QUORATE_LOG", default_value = "info", value_name = "FILTER",
          value_parser = logging::parse_filter)]
    log: String,
}

/// Why a program did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The command line; or help, which was asked for.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The configuration file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nobody reads what was to be printed.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

impl StartError {
    /// Tells the user, and gives the code to end with: 0 for help, 2 for what the user wrote, 6 for a file that cannot
    /// be read.
    pub fn report(self) -> ExitCode {
        match self {
            Self::Usage(error) => {
                // Where standard error is gone, nobody can be told.
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
            }
            other => {
                eprintln!("error: {other}");
                ExitCode::from(match other {
                    Self::File(FileError::Unreadable { .. }) | Self::Print(_) => 6,
                    _ => 2,
                })
            }
        }
    }
}

impl Program {
    /// The whole command line of the program whose own arguments are `A`.
    pub fn command<A: CommandFactory>(&self) -> Command {
        let command = Shared::augment_args(A::command());
        command.mut_arg("log", |arg| arg.default_value(self.log))
    }
}

/// Reads the command line, the environment and the configuration file, and starts logging. Nothing comes back where the
/// user asked to print the settings, which is done then.
///
/// # Errors
/// [`StartError`], which tells the user by [`StartError::report`].
pub fn start<A: CommandFactory + FromArgMatches>(program: &Program) -> Result<Option<A>, StartError> {
    start_with(program, &std::env::args_os().collect::<Vec<_>>())
}

fn start_with<A: CommandFactory + FromArgMatches>(
    program: &Program,
    arguments: &[OsString],
) -> Result<Option<A>, StartError> {
    let command = program.command::<A>();
    // Who asks for the settings need not say what else to do.
    if let Ok(matches) = relaxed(command.clone()).try_get_matches_from(arguments) {
        let shared = Shared::from_arg_matches(&matches)?;
        if shared.print_default_config {
            io::stdout().write_all(DEFAULT_CONFIG.as_bytes())?;
            return Ok(None);
        }
        if shared.print_config {
            print(program, &command, &matches, shared.config)?;
            return Ok(None);
        }
    }
    // What is wrong on the command line, and help, need no file.
    let matches = command.clone().try_get_matches_from(arguments)?;
    let place = place(Shared::from_arg_matches(&matches)?.config);
    let matches = match file::read(&place, program.table, &settings::of(&command))? {
        Some(file) => settings::with_defaults(command, &file.values).try_get_matches_from(arguments)?,
        None => matches,
    };
    let shared = Shared::from_arg_matches(&matches)?;
    logging::start(&shared.log, shared.log_format);
    Ok(Some(A::from_arg_matches(&matches)?))
}

fn relaxed(command: Command) -> Command {
    let command = command.subcommand_required(false).arg_required_else_help(false);
    command.mut_args(|arg| arg.required(false)).mut_subcommands(relaxed)
}

fn place(named: Option<OsString>) -> Place {
    match named {
        Some(name) if name.is_empty() => Place::Nowhere,
        Some(name) => Place::Named(PathBuf::from(name)),
        None => folders::config_file().map_or(Place::Nowhere, Place::Usual),
    }
}

fn print(
    program: &Program,
    command: &Command,
    matches: &clap::ArgMatches,
    named: Option<OsString>,
) -> Result<(), StartError> {
    let (settings, place) = (settings::of(command), place(named));
    let file = file::read(&place, program.table, &settings)?;
    let (path, told) = match (&place, &file) {
        (Place::Named(path) | Place::Usual(path), Some(_)) => (Some(path), path.display().to_string()),
        (Place::Named(path) | Place::Usual(path), None) => (None, format!("{} (not there)", path.display())),
        (Place::Nowhere, _) => (None, "(none)".to_owned()),
    };
    let both = path.map(PathBuf::as_path).zip(file.as_ref());
    let table = table::render(&settings, matches, both, program.computed);
    write!(io::stdout(), "configuration file: {told}\n\n{table}")?;
    Ok(())
}
