//! The programs as their users run them: real processes, real QUIC on loopback, real files.

mod adaptive;
mod audits;
mod bad_input;
mod bundles;
mod certificates;
mod checkpoints;
mod crashes;
mod failures;
mod gpu;
mod hostile;
mod jobs;
mod locating;
mod questions;
mod ranges;
mod sealed;
mod settings;
mod votes;
