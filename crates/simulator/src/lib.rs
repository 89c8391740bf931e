//! The same machine as in a real coordinator, in a world where nothing can be trusted and everything can be repeated.
//!
//! A [`world`] has one machine, a virtual clock, a [`disk`] that loses what was not synced when the coordinator crashes, a
//! [`network`] that loses, doubles, delays and reorders, and workers that crash, stall and lie as a [`scenario`] says. The scenario is drawn from a seed, so a seed is all that it takes to see
//! a failure again. [`invariants`] look at every step; a [`campaign`] runs world after world and counts; a [`story`] tells
//! people what happened in each round. There is no clock, no thread and no randomness of its own here: a million votes
//! are a pure function of a number.
#![forbid(unsafe_code)]

pub mod behaviour;
pub mod campaign;
pub mod chance;
pub mod decider;
mod devices;
pub mod disk;
mod gate;
pub mod invariants;
pub mod lean;
pub mod network;
pub mod options;
pub mod scenario;
pub mod statistics;
pub mod story;
pub mod values;
pub mod world;

pub use campaign::{Campaign, Totals};
pub use decider::Decider;
pub use invariants::Violation;
pub use options::Options;
pub use scenario::Scenario;
pub use world::{World, WorldReport};
