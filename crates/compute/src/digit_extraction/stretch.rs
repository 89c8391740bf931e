//! The terms of one component that are summed by powers: everything a path needs to know of them.

use protocol::digit_extraction::{HexTerms, SeriesComponent};

/// From which odd denominators on 2^63 is less than 2^51 times the denominator, with room to spare.
const SIX_BITS_FROM: u64 = 1 << 14;

/// One component of a task whose [`HexTerms::check`] has passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// F + 4N + d.
    top: u64,
    bits_per_term: u64,
    pub(super) step: u64,
    pub(super) start: u64,
    pub(super) is_squared: bool,
    /// 64-bit limbs of the fraction.
    pub(super) limbs: usize,
}

impl Stretch {
    /// The component, and the k before which it may be summed by powers: up to there the exponent, less the twos of a
    /// denominator below 2^63, is not below the width of the fraction.
    pub(super) fn new(task: &HexTerms, component: &SeriesComponent) -> (Self, u64) {
        let stretch = Self {
            top: u64::try_from(task.exponent(component, 0)).unwrap_or(0),
            bits_per_term: u64::from(task.series.bits_per_term),
            step: u64::from(component.step),
            start: u64::from(component.start),
            is_squared: component.power == 2,
            limbs: task.limbs(),
        };
        let spare = stretch.top.saturating_sub(u64::from(task.fraction_bits) + 64);
        let end = spare / stretch.bits_per_term;
        (stretch, end.clamp(task.first_term, task.end_term))
    }

    /// F + 4N + d - c*k.
    #[inline]
    pub(super) fn exponent(&self, k: u64) -> u64 {
        self.top - self.bits_per_term * k
    }

    /// (n*k + m)^p.
    #[inline]
    pub(super) fn denominator(&self, k: u64) -> u64 {
        let base = self.step * k + self.start;
        if self.is_squared { base * base } else { base }
    }

    /// Bits of the denominator at k; no earlier one has more.
    pub(super) fn denominator_bits(&self, k: u64) -> u32 {
        64 - self.denominator(k).leading_zeros()
    }

    /// How many of the first bits of an exponent, from the k on, one reduction in doubles does: 2 to the power of what
    /// they say must be below 2^51 times the odd part of the denominator.
    pub(super) fn head_bits(&self, first: u64) -> u32 {
        // Where the start has fewer twos than the step, all denominators have as many as the first.
        let is_even_alike = self.start.trailing_zeros() < self.step.trailing_zeros();
        let denominator = self.denominator(first);
        let is_large = is_even_alike && denominator >> denominator.trailing_zeros() >= SIX_BITS_FROM;
        if is_large { 6 } else { 5 }
    }
}
