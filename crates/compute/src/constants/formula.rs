//! What follows a series: the quotient of its two numbers, a rational, a square root, and the sum with other series.

use protocol::series::{Ratio, SeriesFormula, Summand};
use rayon::{join, prelude::*};
use rug::Integer;

use crate::control::Interrupted;

use super::{
    DigitsError,
    fixed::{Division, Fixed, Reals},
    long::Long,
    number::Number,
    reciprocal_root::{self, Steps},
    splitting::{Sum, sum},
};

/// Bits beyond those of the result to which series are summed: for results that are large, or reciprocals of small ones.
const MORE_BITS: u64 = 32;

/// What a formula went through, from the sums to the value: everything that an audit of it looks at.
pub(super) struct Steppings {
    pub(super) summands: Vec<Quotient>,
    /// The reciprocal of a sum of several series and the rest of its division.
    pub(super) reciprocal: Option<(Long, Long)>,
    /// The root, and what was cut off the product with it.
    pub(super) root: Option<(Steps, Long)>,
}

/// A sum of a series as a quotient.
pub(super) struct Quotient {
    pub(super) terms: u64,
    /// The bits of the dividend that did not enter the division, and the power of two beside it: the rest of it follows.
    pub(super) dividend_low: Integer,
    pub(super) dividend_twos: u64,
    pub(super) divisor: Number,
    /// None of a lone series, whose value is the quotient.
    pub(super) value: Option<Long>,
    pub(super) division: Division,
}

/// The value of a formula. Its error says how much of it is known; where a reciprocal is taken of something that cannot
/// be told from zero, nothing is.
pub(super) fn value(formula: &SeriesFormula, reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    Ok(value_and_steppings(formula, reals)?.0)
}

/// The value, and how it came about where `reals` keeps that.
pub(super) fn value_and_steppings(
    formula: &SeriesFormula,
    reals: &Reals<'_, '_>,
) -> Result<(Fixed, Option<Steppings>), DigitsError> {
    let control = reals.checks.control();
    let summed = control.phase("binary splitting", || sums(formula, reals))?;
    let (total, root) = control
        .phase("division and root", || join(|| total(formula, summed, reals), || root(formula.root, reals)));
    let (Total { value, summands, reciprocal }, root) = (total?, root?);
    control.check().map_err(Interrupted::from)?;
    control.set_permille(860);
    let (value, root) = match root {
        Some((root, steps)) => {
            let product = || reals.product_and_rest(&value, &root);
            let (value, low) = control.phase("multiplication", product)?;
            (value, steps.map(|steps| (steps, low)))
        }
        None => (value, None),
    };
    control.set_permille(880);
    let steppings = reals.keeps.then_some(Steppings { summands, reciprocal, root });
    Ok((value, steppings))
}

/// The sums, on as many threads as there are.
fn sums(formula: &SeriesFormula, reals: &Reals<'_, '_>) -> Result<Vec<(Ratio, Sum)>, DigitsError> {
    let bits = reals.bits + MORE_BITS;
    let each = |Summand { times, series }: &Summand| {
        let permille = (10, 740);
        Ok((*times, sum(series, (bits, reals.keeps), reals.checks, permille)?))
    };
    if let [only] = &formula.summands[..] {
        Ok(vec![each(only)?])
    } else {
        formula.summands.par_iter().map(each).collect()
    }
}

/// A sum of quotients.
struct Total {
    value: Fixed,
    /// Empty where nobody keeps them.
    summands: Vec<Quotient>,
    reciprocal: Option<(Long, Long)>,
}

/// The sum of all series or its reciprocal, times the rational.
fn total(
    formula: &SeriesFormula,
    sums: Vec<(Ratio, Sum)>,
    reals: &Reals<'_, '_>,
) -> Result<Total, Interrupted> {
    let is_alone = sums.len() == 1;
    let quotient = |(times, sum): (Ratio, Sum)| {
        let (mut above, mut below) = (Integer::from(times.numerator), Integer::from(times.denominator));
        if is_alone && formula.inverts {
            std::mem::swap(&mut above, &mut below);
        }
        if is_alone {
            above *= formula.times.numerator;
            below *= formula.times.denominator;
        }
        let Sum { numerator, denominator, terms } = sum;
        let (dividend, divisor) =
            if is_alone && formula.inverts { (denominator, numerator) } else { (numerator, denominator) };
        let (value, division) = reals.ratio((&dividend, &above), (&divisor, &below))?;
        let kept = reals.keeps.then(|| {
            let value = (!is_alone).then(|| value.value.clone());
            let dividend_twos = dividend.twos();
            let dividend_low = dividend.into_low_bits(division.cuts.0);
            Quotient { terms, dividend_low, dividend_twos, divisor, value, division }
        });
        Ok((value, kept))
    };
    let quotients: Result<Vec<_>, Interrupted> = sums.into_par_iter().map(quotient).collect();
    let (values, kept): (Vec<Fixed>, Vec<_>) = quotients?.into_iter().unzip();
    let summands = kept.into_iter().flatten().collect();
    let mut values = values.into_iter();
    let mut value = match values.next() {
        Some(first) => first,
        None => reals.integer(0)?,
    };
    if is_alone {
        return Ok(Total { value, summands, reciprocal: None });
    }
    for other in values {
        value = reals.sum(&value, &other, false)?;
    }
    let mut reciprocal = None;
    if formula.inverts {
        let rest;
        (value, rest) = reals.reciprocal(&value)?;
        reciprocal = reals.keeps.then(|| (value.value.clone(), rest));
    }
    let value = reals.times(&value, formula.times.numerator.into(), formula.times.denominator)?;
    Ok(Total { value, summands, reciprocal })
}

/// `sqrt(n)`; none for n = 1.
fn root(n: u32, reals: &Reals<'_, '_>) -> Result<Option<(Fixed, Option<Steps>)>, Interrupted> {
    if n == 1 {
        return Ok(None);
    }
    let (value, steps) = reciprocal_root::square_root(n, reals.bits, reals.checks)?;
    Ok(Some((Fixed { value, error: 2 }, reals.keeps.then_some(steps))))
}
