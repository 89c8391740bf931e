//! The programs as their users run them: real processes, real QUIC on loopback, real files.

mod bad_input;
mod failures;
mod gpu;
mod jobs;
mod questions;
mod votes;
