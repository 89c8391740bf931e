//! What both programs do before they do anything of their own.
//!
//! [`start`] reads the command line, the environment and the configuration file, each of which speaks louder than the
//! one after it, and starts logging. A *setting* is an argument that has an environment variable; nothing else makes
//! it one, so a new setting is declared once, beside its flag, and is at once a variable and a key of the file.
//! [`folders`], [`parse_name`] and [`interrupted`] are the rest of what the programs share.
#![forbid(unsafe_code)]

mod fault;
mod file;
pub mod folders;
mod logging;
mod name;
mod settings;
mod signal;
mod start;
mod table;

pub use name::parse_name;
pub use signal::interrupted;
pub use start::{Program, StartError, start};

/// The commented default configuration file: every setting of both programs, each with its default.
pub const DEFAULT_CONFIG: &str = include_str!("config.toml");
