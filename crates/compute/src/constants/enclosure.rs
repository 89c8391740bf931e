//! Two numbers that hold a constant between them, and the sizes in which all formulas count.

use rug::Integer;

/// `low <= x * 2^bits <= low + width` for the constant `x` and the `bits` that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Enclosure {
    /// The lower end in units of `2^-bits`.
    pub(super) low: Integer,
    /// The distance of the upper end in the same units; at most [`WIDTH_MAX`].
    pub(super) width: u32,
}

/// The widest enclosure that a formula returns.
pub(super) const WIDTH_MAX: u32 = 8;

/// The bits of a positive number, within 64 above: counted in limbs, because rug's own count is a `u32`, which the
/// largest sums outgrow.
pub(super) fn bits_at_most(number: &Integer) -> u64 {
    number.significant_digits::<u64>() as u64 * 64
}

/// Cuts the low end of a positive number off, so that at least `bits` significant bits stay, and says how many bits
/// went. With `0 <= number - kept * 2^cut < 2^cut` and `kept >= 2^(bits - 1)`, the relative error lies in
/// `[0, 2^(1 - bits))`.
pub(super) fn keep_leading(number: &mut Integer, bits: u64) -> u64 {
    let cut = bits_at_most(number).saturating_sub(bits + 64);
    *number >>= shift(cut);
    cut
}

/// `2^bits * numerator / denominator` rounded down, for a positive fraction; a negative `bits` divides.
///
/// Exact, except that both are first cut to `keep` leading bits: the quotient before rounding is `q (1 + r)` with
/// `|r| < 2^(2 - keep)`, where `q` is the exact one.
pub(super) fn quotient(mut numerator: Integer, mut denominator: Integer, bits: u64, keep: u64) -> Integer {
    let numerator_cut = keep_leading(&mut numerator, keep);
    let denominator_cut = keep_leading(&mut denominator, keep);
    let up = bits + numerator_cut;
    if up >= denominator_cut {
        numerator <<= shift(up - denominator_cut);
    } else {
        denominator <<= shift(denominator_cut - up);
    }
    numerator /= denominator;
    numerator
}

/// A bit count as a shift. The limits of the house keep every number far below what an address can hold.
pub(super) fn shift(bits: u64) -> usize {
    usize::try_from(bits).unwrap_or(usize::MAX)
}
