//! What a computation of digits leaves for an audit; `crate::audit` says what it is for and reads it.

use crate::audit::{Witness, Writer};

use super::{
    decimal::Descent,
    fixed::Guards,
    formula::{Quotient, Steppings},
};

/// The witness of digits that were computed so. The numbers become its parts.
pub(super) fn witness(guards: Guards, steppings: Steppings, descent: Descent) -> Witness {
    let mut writer = Writer::default();
    writer.field(guards.bits);
    writer.field(guards.guard);
    let has_guards = steppings.summands.len() == 1 || steppings.root.is_some();
    for Quotient { terms, dividend_low, dividend_twos, divisor, value, division } in steppings.summands {
        writer.field(terms);
        writer.field(dividend_twos);
        writer.long(dividend_low);
        let twos = divisor.twos();
        writer.long(divisor.mantissa.into_value());
        writer.field(twos);
        writer.field(division.cuts.0);
        writer.field(division.cuts.1);
        if let Some(value) = value {
            writer.long(value.into_value());
        }
        writer.long(division.rest.into_value());
    }
    if let Some((quotient, rest)) = steppings.reciprocal {
        writer.long(quotient.into_value());
        writer.long(rest.into_value());
    }
    if let Some((steps, low)) = steppings.root {
        writer.field(steps.width);
        for number in [steps.inverse, steps.defect, steps.lost, low] {
            writer.long(number.into_value());
        }
    }
    if has_guards {
        writer.long(guards.below.into_value());
    }
    writer.field(descent.steps.len() as u64);
    for step in descent.steps {
        writer.field(step.digits);
        writer.field(step.cut);
        writer.long(step.low.into_value());
    }
    writer.long(descent.rest.into_value());
    writer.finish()
}
