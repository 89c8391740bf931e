//! What a computation of digits leaves for an audit, as bytes; `crate::audit` says what it is for and reads it.

use rug::Integer;

use crate::audit::Writer;

use super::{decimal::Descent, fixed::Guards, formula::Steppings, number::Number};

/// The witness of digits that were computed so.
pub(super) fn witness(guards: &Guards, steppings: &Steppings, descent: &Descent) -> Vec<u8> {
    let mut writer = Writer::with_capacity(usize::try_from(guards.bits / 6).unwrap_or(0));
    writer.field(guards.bits);
    writer.field(guards.guard);
    for (sum, quotient, division) in &steppings.summands {
        writer.field(sum.terms);
        scaled(&mut writer, &sum.numerator);
        scaled(&mut writer, &sum.denominator);
        writer.field(division.cuts.0);
        writer.field(division.cuts.1);
        writer.long(quotient.value());
        writer.long(division.rest.value());
    }
    if let Some((quotient, rest)) = &steppings.reciprocal {
        writer.long(quotient.value());
        writer.long(rest.value());
    }
    if let Some((steps, low)) = &steppings.root {
        writer.field(steps.width);
        let numbers = [&steps.inverse, &steps.defect, &steps.change, &steps.lost, low, &guards.below];
        for number in numbers {
            writer.long(number.value());
        }
    }
    writer.field(descent.steps.len() as u64);
    for step in &descent.steps {
        writer.field(step.digits);
        writer.field(step.cut);
        writer.long(step.theta.value());
    }
    writer.long(descent.rest.value());
    writer.finish()
}

fn scaled(writer: &mut Writer, number: &Number) {
    let mantissa: &Integer = number.mantissa.value();
    writer.long(mantissa);
    writer.field(if mantissa.is_zero() { 0 } else { number.exponent });
}
