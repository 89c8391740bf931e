//! Drives the real programs as processes, for the end-to-end tests.
//!
//! Nothing here sleeps: a test waits for a line that a process prints, for its end, or for a command's answer, each
//! with a bound. A process that a test started is ended, by its own handle, when the test is over.

pub mod cluster;
pub mod process;
pub mod relay;
