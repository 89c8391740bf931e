//! The GPU engine, level by level: shaders without any adapter; then, on every adapter of this machine and in both
//! variants, known answers, odd sizes, and equality of kernel, CPU twin and arbitrary-precision arithmetic.
//!
//! `QUORATE_GPU_TESTS=skip` lets the levels that need an adapter pass without one; otherwise a missing one fails.

mod adapters;
mod arithmetic;
mod audits;
mod digits;
mod integers;
mod positions;
mod ranges;
mod residues;
mod service;
mod shaders;
