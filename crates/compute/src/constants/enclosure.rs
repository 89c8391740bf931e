//! Two numbers that hold a constant between them, and the sizes in which all formulas count.

use super::long::Long;

/// `low <= x * 2^bits <= low + width` for the constant `x` and the `bits` that were asked for.
#[derive(Debug, Clone)]
pub(super) struct Enclosure {
    /// The lower end in units of `2^-bits`.
    pub(super) low: Long,
    /// The distance of the upper end in the same units; at most [`WIDTH_MAX`].
    pub(super) width: u32,
}

/// The widest enclosure that a formula returns.
pub(super) const WIDTH_MAX: u32 = 8;

/// A bit count as a shift. The limits of the house keep every number far below what an address can hold.
pub(super) fn shift(bits: u64) -> usize {
    usize::try_from(bits).unwrap_or(usize::MAX)
}
