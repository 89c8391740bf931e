//! What a witness of digits says, number by number, as it lies in its bytes.
//!
//! In this order: the bits behind the point and how many of them are guards; of each series its count of terms, the low end
//! of the dividend, the divisor, and the rest of their division, with the quotient where there are several series; the
//! reciprocal where a sum of several is inverted; root and product where there is a root; what was cut off as guards, where
//! that does not follow; and the steps from bits to decimals. What follows from these modulo a prime is not said.

use protocol::series::SeriesFormula;

use super::{
    AuditFault,
    witness::{Long, Reader},
};

/// Steps from bits to decimals, at most: each halves what is left.
const STEPS_MAX: u64 = 40;

/// See the head of this file. Fields are those of the engine, as it writes them.
pub(super) struct Claims<'w> {
    /// Bits behind the point of quotients, roots and products.
    pub(super) bits: u64,
    /// How many of them are cut off before the decimals are read.
    pub(super) guard: u64,
    pub(super) series: Vec<SeriesClaim<'w>>,
    pub(super) reciprocal: Option<Division<'w>>,
    pub(super) root: Option<RootClaim<'w>>,
    /// The guards of the value; none where it is a sum of quotients, which are known whole.
    pub(super) below: Option<Long<'w>>,
    pub(super) steps: Vec<StepClaim<'w>>,
    /// What is left when the last digits are taken out.
    pub(super) rest: Long<'w>,
}

pub(super) struct SeriesClaim<'w> {
    pub(super) terms: u64,
    /// The power of two that was taken out of the dividend.
    pub(super) dividend_twos: u64,
    /// Those bits of the rest of it that did not enter the division.
    pub(super) low: Long<'w>,
    pub(super) divisor: Scaled<'w>,
    /// Low bits of the dividend's and the divisor's mantissa that did not enter the division.
    pub(super) cuts: (u64, u64),
    /// None of a lone series: there it follows from the others.
    pub(super) quotient: Option<Long<'w>>,
    pub(super) rest: Long<'w>,
}

/// `mantissa 2^twos`.
#[derive(Clone, Copy)]
pub(super) struct Scaled<'w> {
    pub(super) mantissa: Long<'w>,
    pub(super) twos: u64,
}

pub(super) struct Division<'w> {
    pub(super) quotient: Long<'w>,
    pub(super) rest: Long<'w>,
}

/// `s0 = n y`, `s0^2 + defect = n 4^width`, `s = s0 2^k + (defect y - lost) 2^-c`; and of the product `z s` what is below the
/// bits.
pub(super) struct RootClaim<'w> {
    pub(super) width: u64,
    pub(super) inverse: Long<'w>,
    pub(super) defect: Long<'w>,
    pub(super) lost: Long<'w>,
    pub(super) low: Long<'w>,
}

/// `F 5^digits = (the digits that come out) 2^point + (the next F) 2^cut + low`.
pub(super) struct StepClaim<'w> {
    pub(super) digits: u64,
    pub(super) cut: u64,
    pub(super) low: Long<'w>,
}

impl<'w> Claims<'w> {
    pub(super) fn read(
        formula: &SeriesFormula,
        witness: &'w [&'w [u8]],
        field_max: u64,
    ) -> Result<Self, AuditFault> {
        let mut reader = Reader::new(witness, field_max)?;
        let bits = reader.field("bits")?;
        let guard = reader.field("guard bits")?;
        let is_alone = formula.summands.len() == 1;
        let series = formula.summands.iter().map(|_| SeriesClaim::read(&mut reader, is_alone));
        let series = series.collect::<Result<_, _>>()?;
        let inverts_sum = formula.inverts && !is_alone;
        let reciprocal = inverts_sum.then(|| Division::read(&mut reader)).transpose()?;
        let root = (formula.root != 1).then(|| RootClaim::read(&mut reader)).transpose()?;
        let has_guards = is_alone || root.is_some();
        let below = has_guards.then(|| reader.magnitude("guards of the value")).transpose()?;
        let count = reader.field("steps")?;
        if count > STEPS_MAX {
            return Err(AuditFault::Witness { what: "steps" });
        }
        let steps = (0..count).map(|_| StepClaim::read(&mut reader)).collect::<Result<_, _>>()?;
        let rest = reader.magnitude("rest of the digits")?;
        reader.end()?;
        Ok(Self { bits, guard, series, reciprocal, root, below, steps, rest })
    }
}

impl<'w> SeriesClaim<'w> {
    fn read(reader: &mut Reader<'w>, is_alone: bool) -> Result<Self, AuditFault> {
        Ok(Self {
            terms: reader.field("terms")?,
            dividend_twos: reader.field("power of two of the dividend")?,
            low: reader.long("low end of the dividend")?,
            divisor: Scaled::read(reader, "divisor")?,
            cuts: (reader.field("cut of the dividend")?, reader.field("cut of the divisor")?),
            quotient: (!is_alone).then(|| reader.long("quotient")).transpose()?,
            rest: reader.long("rest of the quotient")?,
        })
    }
}

impl<'w> Scaled<'w> {
    fn read(reader: &mut Reader<'w>, what: &'static str) -> Result<Self, AuditFault> {
        Ok(Self { mantissa: reader.long(what)?, twos: reader.field(what)? })
    }
}

impl<'w> Division<'w> {
    fn read(reader: &mut Reader<'w>) -> Result<Self, AuditFault> {
        Ok(Self { quotient: reader.long("reciprocal")?, rest: reader.long("rest of the reciprocal")? })
    }
}

impl<'w> RootClaim<'w> {
    fn read(reader: &mut Reader<'w>) -> Result<Self, AuditFault> {
        Ok(Self {
            width: reader.field("width of the root")?,
            inverse: reader.magnitude("reciprocal root")?,
            defect: reader.long("defect of the root")?,
            lost: reader.long("rest of the root")?,
            low: reader.magnitude("low part of the product")?,
        })
    }
}

impl<'w> StepClaim<'w> {
    fn read(reader: &mut Reader<'w>) -> Result<Self, AuditFault> {
        Ok(Self {
            digits: reader.field("digits of a step")?,
            cut: reader.field("cut of a step")?,
            low: reader.magnitude("low part of a step")?,
        })
    }
}
