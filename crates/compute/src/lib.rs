//! What is true: the engines that turn a task into its one canonical outcome.
//!
//! [`constants`] proves decimal digits by two independent formulas each, [`expression`] answers expressions exactly or
//! by enclosures, [`residues`] looks at large numbers through small primes, [`engine`] runs whole tasks with them, and
//! [`audit`] tests what came of it. Everything runs on the rayon pool of whoever calls, can be stopped between steps, tells
//! its progress ([`control::Control`]), and where it is long leaves what it takes to go on after a crash ([`checkpoint`]).

pub mod audit;
pub mod checkpoint;
pub mod constants;
pub mod control;
pub mod digit_extraction;
pub mod engine;
pub mod expression;
mod product;
pub mod range_check;
pub mod residues;
pub mod trace;
