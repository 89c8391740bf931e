//! The exit codes, and the errors behind them: one table for every command.
//!
//! | code | means |
//! |---|---|
//! | 0 | done; for `ask`: true; for `verify`: everything that was asked for holds |
//! | 1 | for `ask`: false; for `verify`: the certificate, the value or a task does not hold; for `ledger verify` and `ledger consistency`: no |
//! | 2 | usage, a bad job file or expression; for `ask`: anything that is neither true nor false |
//! | 3 | the job ended with tasks undecided or failed |
//! | 4 | the coordinator cannot be reached, or the connection broke for good |
//! | 5 | the coordinator refused |
//! | 6 | a file or folder cannot be read or written |
//! | 130 | interrupted |

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use transport::{ConnectError, FrameError, ListenError, StreamError, identity::IdentityError};

use crate::{ledger::LedgerError, server::ServeError};

/// Done, or true.
pub const DONE: u8 = 0;
/// False, or not proven.
pub const FALSE: u8 = 1;
/// Usage, bad input, or neither true nor false.
pub const NEITHER: u8 = 2;
/// Tasks are undecided or failed.
pub const INCOMPLETE: u8 = 3;
/// The coordinator cannot be reached.
pub const UNREACHABLE: u8 = 4;
/// The coordinator refused.
pub const REFUSED: u8 = 5;
/// Files.
pub const FILES: u8 = 6;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Why a command failed, in one sentence for its user.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// What the user gave is wrong.
    #[error("{0}")]
    Input(String),
    /// The coordinator said no.
    #[error("{0}")]
    Refused(String),
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke.
    #[error("the connection to the coordinator broke: {0}; is it still running?")]
    Broken(String),
    /// A file.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read`, `write` and the like.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The coordinator's own start.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The ledger stopped a coordinator that ran.
    #[error(transparent)]
    LedgerStopped(#[from] Arc<LedgerError>),
    /// A worker of the embedded cluster did not start.
    #[error("the embedded cluster did not start: {0}")]
    Embedded(String),
    /// A certificate, a value or a task does not hold.
    #[error("{0}")]
    Unproven(String),
    /// Ctrl-C.
    #[error("interrupted; nothing was written")]
    Interrupted,
}

impl CommandError {
    /// The code that a program ends with.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Unproven(_) => FALSE,
            Self::Input(_) => NEITHER,
            Self::Connect(_) | Self::Broken(_) => UNREACHABLE,
            Self::Refused(_) => REFUSED,
            Self::File { .. }
            | Self::Identity(_)
            | Self::Serve(_)
            | Self::Ledger(_)
            | Self::LedgerStopped(_)
            | Self::Embedded(_) => FILES,
            Self::Interrupted => INTERRUPTED,
        })
    }
}

impl From<StreamError> for CommandError {
    fn from(error: StreamError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<FrameError> for CommandError {
    fn from(error: FrameError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<ListenError> for CommandError {
    fn from(error: ListenError) -> Self {
        Self::Serve(error.into())
    }
}
