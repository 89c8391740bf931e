//! What is decided: one sans-I/O machine that leases replicas, counts ballots and announces verdicts.
//!
//! Past facts go in with the time they happened ([`Input`], [`Machine::handle`]), imperatives come out
//! ([`Output`], [`Machine::poll_output`]), and the machine says when it wants to be woken
//! ([`Machine::next_timeout_ms`]). It reads no clock and does no I/O, and the [`lots`] that it draws come from a seed that
//! it is given, so the same seed and inputs give the same outputs, byte for byte; the coordinator and the simulator are
//! two drivers of the same thing.
//!
//! The vote on one task is a [`tally`]; who is asked next is [`dispatch`]ed; a [`job`] is a row of tallies opened
//! lazily; [`liveness`] says who is still there, [`standing`] who was right,
//! [`kinds`] which devices are in question; [`machine`] holds them together.
#![forbid(unsafe_code)]

mod crowds;
pub mod dispatch;
mod hungry;
pub mod input;
pub mod job;
pub mod kinds;
pub mod liveness;
pub mod locating;
pub mod lots;
pub mod machine;
mod settled;
pub mod standing;
pub mod tally;
pub mod worker;

pub use input::{Input, Output, Rejected, SealFault, TaskTerms, Tasks};
pub use machine::{Config, Machine, ReplayError, TEST_NUMBERS};
