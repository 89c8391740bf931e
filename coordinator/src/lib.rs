//! The coordinator: plans, leases, counts, certifies, and never computes a task.
//!
//! [`server`] accepts connections, `worker_link` and `client_link` check what arrives on them, and [`core`] owns the
//! vote: it drives the pure machine of the `verdict` crate. [`client`] and [`commands`] are the other side: what the
//! command line does with a coordinator, or with the [`embedded`] cluster that it starts where none is configured.
#![forbid(unsafe_code)]

pub mod admission;
pub mod arguments;
pub mod at_hand;
pub mod bench;
pub mod certificate;
pub mod client;
mod client_link;
pub mod commands;
pub mod core;
pub mod display;
pub mod embedded;
pub mod exit;
pub mod ledger;
pub mod long_tasks;
pub mod outcomes;
pub mod results;
pub mod server;
mod shared_text;
pub mod state;
pub mod witnesses;
mod worker_link;
