//! A worker: computes what it is leased, signs what it found, and obeys verdicts that carry a valid certificate.
//!
//! [`service::run`] is the whole life of a worker in a cluster; the coordinator runs the same in its embedded cluster.
//! One owner ([`service`]) holds the state; [`link`] keeps the connection, [`executor`] computes, [`correction`]
//! fetches and checks what was accepted instead, [`gpus`] holds the GPUs. [`alone`] computes a job without any
//! cluster, [`survey`] says what this machine can do.
#![forbid(unsafe_code)]

pub mod alone;
mod answers;
pub mod arguments;
pub mod checkpoints;
pub mod config;
pub mod correction;
pub mod envelope;
pub mod executor;
pub mod gpus;
pub mod link;
pub mod misbehave;
pub mod program;
mod quorums;
mod range_survey;
mod residue_rates;
pub mod service;
pub mod store;
pub mod survey;
pub mod traces;
mod voice;
