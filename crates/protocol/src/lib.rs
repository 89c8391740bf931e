//! What is said in a Quorate cluster: the vocabulary that everything else shares.
//!
//! A job file becomes a [`job::JobSpec`], the spec becomes a [`plan::Plan`] of [`task::Task`]s, a worker turns a
//! task into an [`outcome::Outcome`] and signs a [`ballot::Ballot`] over its digest, and the ballots become a
//! [`verdict::Verdict`]. This crate holds those types, their canonical bytes, their limits and nothing that acts:
//! no clock, no randomness, no I/O. Whatever it decodes is bounded before it allocates ([`limits`], [`codec`]).
#![forbid(unsafe_code)]

pub mod adaptive;
pub mod audit;
pub mod ballot;
pub mod bundle;
pub mod certificate;
pub mod codec;
pub mod commitment;
pub mod constant;
pub mod digest;
pub mod digit_extraction;
pub mod domain;
pub mod expression;
pub mod fault;
pub mod grouped;
mod hexadecimal;
pub mod identity;
pub mod job;
pub mod ledger;
pub mod limits;
pub mod merkle;
pub mod message;
pub mod outcome;
pub mod plan;
pub mod policy;
pub mod report;
pub mod series;
pub mod standing;
pub mod task;
pub mod texts;
pub mod token;
pub mod trace;
pub mod verdict;
