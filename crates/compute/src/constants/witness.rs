//! What a computation of digits leaves for an audit, as bytes; `crate::audit` says what it is for and reads it.

use crate::audit::Writer;

use super::{
    decimal::Descent,
    fixed::Guards,
    formula::{Quotient, Steppings},
    long::Long,
    number::Number,
};

/// The witness of digits that were computed so.
pub(super) fn witness(guards: &Guards, steppings: &Steppings, descent: &Descent) -> Vec<u8> {
    let mut writer = Writer::with_capacity(room_words(guards, steppings, descent));
    writer.field(guards.bits);
    writer.field(guards.guard);
    for Quotient { terms, dividend, divisor, value, division } in &steppings.summands {
        writer.field(*terms);
        writer.field(twos(dividend));
        writer.low_bits(dividend.mantissa.value(), division.cuts.0);
        writer.long(divisor.mantissa.value());
        writer.field(twos(divisor));
        writer.field(division.cuts.0);
        writer.field(division.cuts.1);
        if let Some(value) = value {
            writer.long(value.value());
        }
        writer.long(division.rest.value());
    }
    if let Some((quotient, rest)) = &steppings.reciprocal {
        writer.long(quotient.value());
        writer.long(rest.value());
    }
    if let Some((steps, low)) = &steppings.root {
        writer.field(steps.width);
        for number in [&steps.inverse, &steps.defect, &steps.lost, low] {
            writer.long(number.value());
        }
    }
    if steppings.summands.len() == 1 || steppings.root.is_some() {
        writer.long(guards.below.value());
    }
    writer.field(descent.steps.len() as u64);
    for step in &descent.steps {
        writer.field(step.digits);
        writer.field(step.cut);
        writer.low_bits(step.theta.value(), step.cut);
    }
    writer.long(descent.rest.value());
    writer.finish()
}

/// The power of two that was taken out of a number.
fn twos(number: &Number) -> u64 {
    if number.mantissa.value().is_zero() { 0 } else { number.exponent }
}

/// Words of a witness, or some more: a number has a word in front of it, and what is cut off is no longer than it says.
fn room_words(guards: &Guards, steppings: &Steppings, descent: &Descent) -> usize {
    let long = |number: &Long| number.value().as_limbs().len() + 1;
    let low = |bits: u64| usize::try_from(bits / 64).unwrap_or(0) + 2;
    let of_quotients = steppings.summands.iter().map(|Quotient { divisor, value, division, .. }| {
        let numbers = [Some(&divisor.mantissa), value.as_ref(), Some(&division.rest)];
        low(division.cuts.0) + 5 + numbers.into_iter().flatten().map(long).sum::<usize>()
    });
    let of_reciprocal = steppings.reciprocal.iter().map(|(quotient, rest)| long(quotient) + long(rest));
    let of_root = steppings.root.iter().map(|(steps, cut)| {
        1 + [&steps.inverse, &steps.defect, &steps.lost, cut].into_iter().map(long).sum::<usize>()
    });
    let of_steps = descent.steps.iter().map(|step| 2 + low(step.cut));
    let parts = of_quotients.chain(of_reciprocal).chain(of_root).chain(of_steps);
    3 + long(&guards.below) + long(&descent.rest) + parts.sum::<usize>()
}
