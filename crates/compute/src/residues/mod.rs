//! Large numbers seen through small primes: residues of integer expressions and of hypergeometric series.
//!
//! A number of a billion digits has a residue of one word modulo each prime, and sums and products of numbers have
//! those of their residues. So what binary splitting computes in hours can be looked at in seconds, term by term
//! ([`series_residues`]), and two towers of powers that fit no memory can be told apart ([`residues`]). Different
//! residues prove that numbers differ. Equal ones prove nothing by themselves; for primes that were drawn at random
//! *after* a claim was made, `docs/kernels.md` bounds the probability that a wrong claim passes.
//!
//! These are the CPU twins of the GPU kernels of the same names.

mod ladder;
mod modulus;
mod prime;
mod program;
mod program_residues;
mod reference;
mod series;
mod series_residues;
#[cfg(target_arch = "x86_64")]
mod series_vectors;
mod stretch;
#[cfg(target_arch = "x86_64")]
mod vectors;
mod words;

pub use modulus::{MODULUS_MAX, Modulus, ModulusError};
pub use prime::{RANDOM_PRIME_BITS, RANDOM_PRIMES_MAX, is_prime, random_primes};
pub use program::{PROGRAM_BITS_MAX, Program, ProgramError, STEPS_MAX, Step};
pub use program_residues::residues;
pub(crate) use program_residues::residues_side_by_side;
pub use reference::{reference_residue, reference_series_residues};
pub(crate) use series::check_stretch;
pub use series::{
    COEFFICIENT_BITS_MAX, COEFFICIENTS_MAX, HypergeometricSeries, INDEX_END_MAX, Polynomial, SeriesError,
};
pub(crate) use series_residues::ReducedSeries;
pub use series_residues::{SeriesResiduesError, series_residues};
pub use stretch::StretchResidues;
pub(crate) use words::{WordReducer, forms, forms_of_decimals};
