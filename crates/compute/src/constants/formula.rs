//! What follows a series: the quotient of its two numbers, a rational, a square root, and the sum with other series.

use protocol::series::{Ratio, SeriesFormula, Summand};
use rayon::{join, prelude::*};

use crate::control::{Interrupted, Site};

use super::{
    DigitsError,
    fixed::{Fixed, Reals},
    long::Checks,
    number::Number,
    reciprocal_root,
    splitting::{Sum, sum},
};

/// Bits beyond those of the result to which series are summed: for results that are large, or reciprocals of small ones.
const MORE_BITS: u64 = 32;

/// The value of a formula. Its error says how much of it is known; where a reciprocal is taken of something that cannot
/// be told from zero, nothing is.
pub(super) fn value(formula: &SeriesFormula, reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    let control = reals.checks.control();
    let summed = control.phase("binary splitting", || sums(formula, reals))?;
    let (value, root) = control.phase("division and root", || {
        join(|| quotient(formula, summed, reals), || root(formula.root, reals))
    });
    let (value, root) = (value?, root?);
    control.check().map_err(Interrupted::from)?;
    control.set_permille(860);
    let value = match root {
        Some(root) => control.phase("multiplication", || reals.product(&value, &root))?,
        None => value,
    };
    control.set_permille(880);
    Ok(value)
}

/// The sums, on as many threads as there are.
fn sums(formula: &SeriesFormula, reals: &Reals<'_, '_>) -> Result<Vec<(Ratio, Sum)>, DigitsError> {
    let bits = reals.bits + MORE_BITS;
    let each = |Summand { times, series }: &Summand| {
        let permille = (10, 740);
        Ok((*times, sum(series, bits, reals.checks, permille)?))
    };
    if let [only] = &formula.summands[..] {
        Ok(vec![each(only)?])
    } else {
        formula.summands.par_iter().map(each).collect()
    }
}

/// The sum of all series or its reciprocal, times the rational.
fn quotient(
    formula: &SeriesFormula,
    sums: Vec<(Ratio, Sum)>,
    reals: &Reals<'_, '_>,
) -> Result<Fixed, Interrupted> {
    let wide = |ratio: Ratio| (i128::from(ratio.numerator), i128::from(ratio.denominator));
    let (above, below) = wide(formula.times);
    if let [(times, Sum { numerator, denominator })] = &sums[..] {
        let (times_above, times_below) = wide(*times);
        return if formula.inverts {
            ratio((denominator, above * times_below), (numerator, below * times_above), reals)
        } else {
            ratio((numerator, above * times_above), (denominator, below * times_below), reals)
        };
    }
    let values: Result<Vec<Fixed>, Interrupted> = sums
        .into_par_iter()
        .map(|(times, Sum { numerator, denominator })| {
            let (times_above, times_below) = wide(times);
            ratio((&numerator, times_above), (&denominator, times_below), reals)
        })
        .collect();
    let mut total = reals.integer(0)?;
    for value in values? {
        total = reals.sum(&total, &value, false)?;
    }
    let total = if formula.inverts { reals.reciprocal(&total)? } else { total };
    reals.times(&total, above, formula.times.denominator)
}

/// `n above / (d below)`; where the divisor may be zero, nothing is known of it.
fn ratio(
    (n, above): (&Number, i128),
    (d, below): (&Number, i128),
    reals: &Reals<'_, '_>,
) -> Result<Fixed, Interrupted> {
    let checks = reals.checks;
    let n = n.times_word(above, checks, Site::Division)?;
    let d = d.times_word(below, checks, Site::Division)?;
    if d.bits_at_least().is_none() {
        return Ok(Fixed { value: checks.short(0), error: u64::MAX });
    }
    let (n, d) = if *d.mantissa.value() < 0 { (negated(&n, checks), negated(&d, checks)) } else { (n, d) };
    reals.ratio(n, d)
}

fn negated(number: &Number, checks: &Checks<'_>) -> Number {
    Number { mantissa: checks.negated(&number.mantissa), ..*number }
}

/// `sqrt(n)`; none for n = 1.
fn root(n: u32, reals: &Reals<'_, '_>) -> Result<Option<Fixed>, Interrupted> {
    if n == 1 {
        return Ok(None);
    }
    let value = reciprocal_root::square_root(n, reals.bits, reals.checks)?;
    Ok(Some(Fixed { value, error: 2 }))
}
