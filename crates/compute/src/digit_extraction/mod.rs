//! Hexadecimal digits of a constant at any position: the CPU twin of the GPU kernel `digit_extraction`.
//!
//! A task asks for the sum modulo 1 of a stretch of a BBP-type series, each term truncated on its own
//! ([`protocol::digit_extraction::HexTerms`]). [`reference_sum`] does what the definition says by long division, and is
//! what everything else is held to.

mod reference;

pub use reference::reference_sum;
