//! The tests of the house: what ARCHITECTURE.md promises about the code itself, kept by reading it.
//!
//! Each rule is a pure function from text or metadata to [`complaint::Complaint`]s; beside it stand a test that runs it
//! over this repository and a test that feeds it a sample which must be caught. A complaint says what to do. An
//! exception is a line in `complaint::EXCEPTIONS` with its reason, and fails once nothing needs it any more.

mod arrows;
mod bans;
mod complaint;
mod jobs;
mod machine_paths;
mod manifests;
mod pages;
mod purity;
mod repository;
mod rust_source;
mod setup;
mod shaders;
mod shape;
