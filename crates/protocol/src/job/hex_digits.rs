//! Reading the table [hex-digits]: a window of hexadecimal digits, by a formula of its constant, at a position that
//! the formula reaches.

use super::{
    Work,
    errors::Faults,
    fault::{JobFileFault, did_you_mean, quoted},
    section::{Field, Keys, Located, Section},
};
use crate::{
    digit_extraction::{HexConstant, HexFormula},
    limits::{HEX_AFTER_MAX, HEX_DIGITS_MAX, HEX_GUARD_BITS_MAX, HEX_GUARD_BITS_MIN},
};

/// How many bits a window of hexadecimal digits has to spare when the job file does not say.
pub const HEX_GUARD_BITS_DEFAULT: u32 = 32;

pub(super) const KEYS: Keys =
    Keys { table: "hex-digits", known: &["constant", "formula", "after", "digits", "guard_bits"] };

pub(super) fn read(section: &Section<'_>, faults: &mut Faults) -> Option<Work> {
    let constant = constant(section, faults);
    let formula = formula(section, constant, faults);
    let after_example = "`after = 1_000_000`: the digits that follow the first million after the point";
    let after = section.integer("after", 0..=HEX_AFTER_MAX, after_example, faults);
    if after.is_absent() {
        section.missing("after", after_example, faults);
    }
    let after = after.good();
    let digits_example = "`digits = 32`";
    let digits = section.integer("digits", 1..=u64::from(HEX_DIGITS_MAX), digits_example, faults);
    if digits.is_absent() {
        section.missing("digits", digits_example, faults);
    }
    let guard_bounds = u64::from(HEX_GUARD_BITS_MIN)..=u64::from(HEX_GUARD_BITS_MAX);
    let guard_bits = match section.integer("guard_bits", guard_bounds, "`guard_bits = 32`", faults) {
        Field::Absent => Some(HEX_GUARD_BITS_DEFAULT),
        Field::Bad => None,
        Field::Good(located) => u32::try_from(located.value).ok(),
    };
    let (constant, formula) = (constant?, formula?);
    let Located { value: after, offset } = after?;
    let reach = constant.series(formula)?.after_max();
    if after > reach {
        faults.push(offset, JobFileFault::OutOfReach { after, constant, formula, reach });
        return None;
    }
    let digits = u32::try_from(digits.good()?.value).ok()?;
    Some(Work::HexDigits { constant, formula, after, digits, guard_bits: guard_bits? })
}

fn constant(section: &Section<'_>, faults: &mut Faults) -> Option<HexConstant> {
    let example = "`constant = \"pi\"`";
    let field = section.string("constant", example, faults);
    if field.is_absent() {
        section.missing("constant", example, faults);
    }
    let Located { value, offset } = field.good()?;
    let read = value.parse().ok();
    if read.is_none() {
        let help = did_you_mean(value, &HexConstant::ALL.map(HexConstant::name));
        faults.push(offset, JobFileFault::UnknownWord { key: "constant", value: quoted(value), help });
    }
    read
}

/// The formula that the table names, or the fastest; none where the constant is unknown.
fn formula(section: &Section<'_>, constant: Option<HexConstant>, faults: &mut Faults) -> Option<HexFormula> {
    let field = section.string("formula", "`formula = \"bellard\"`", faults);
    let known = constant.map_or(&HexFormula::ALL[..], HexConstant::formulas);
    match field {
        Field::Absent => known.first().copied().filter(|_| constant.is_some()),
        Field::Bad => None,
        Field::Good(Located { value, offset }) => {
            let read = known.iter().copied().find(|formula| formula.name() == value);
            if read.is_none() {
                let names: Vec<&str> = known.iter().map(|formula| formula.name()).collect();
                let help = did_you_mean(value, &names);
                faults.push(offset, JobFileFault::UnknownWord { key: "formula", value: quoted(value), help });
            }
            read
        }
    }
}
