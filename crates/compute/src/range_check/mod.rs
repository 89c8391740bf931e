//! The body of a range as a small program on integers of fixed width, and the CPU twin of the kernel that runs it.
//!
//! [`Program::compile`] turns a body into instructions for an accumulator and a stack. Running it at one value of the variable
//! either gives what the general way gives (truth, and the value's part of the checksum), or leaves the value to the
//! general way: where an integer has no room in 64, 128 or 256 bits, where an operation is undefined, or where it is one that
//! only the general way knows. Nothing is ever rounded or wrapped, so which values are left is a matter of speed alone.
//!
//! The kernel is `shaders/range_check.wgsl`. docs/kernels.md has the definitions.

mod compile;
mod program;
mod twin;
mod wide;

pub(crate) use program::{LISTED_MAX, halves, reciprocal};
pub use program::{Program, Width};
pub use twin::range_check;
pub use wide::Wide;
pub(crate) use wide::{shift_left, shift_right};
