//! Hostile bytes for every decoder and parser: what a peer, a file or a pasted line may bring.
//!
//! A [`Target`] is a plain function from bytes, with seeds that our own encoders made and a bound on its memory. The same
//! targets run as ordinary tests (`fuzz/tests/`), which mutate the seeds by [`mutation::Mutator`], and under libFuzzer
//! (`fuzz/libfuzzer/`). A target panics where a promise is broken: beside "no panic" that is, wherever an encoding is
//! canonical, that what decodes encodes to the same bytes again.
#![forbid(unsafe_code)]

pub mod mutation;
pub mod seeds;
pub mod targets;

mod memory;

pub use memory::MemoryBound;

/// Longest input that is tried, in bytes: a frame and its length. What may be longer is the same decoder, with more of
/// the same.
pub const INPUT_BYTES_MAX: usize = protocol::limits::FRAME_BYTES_MAX + transport::frame::LENGTH_BYTES;

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It is a value.
    Value,
    /// It was refused, with an error that can be shown.
    Refused,
}

/// A decoder or a parser under attack.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is that of its libFuzzer binary, too.
    pub name: &'static str,
    /// Reads the input, and panics where a promise is broken.
    pub read: fn(&[u8]) -> Reading,
    /// Inputs that are values, all of them.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How much memory an input may take at once.
    pub memory: MemoryBound,
}

/// The target with this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    targets::ALL.iter().find(|target| target.name == name)
}
