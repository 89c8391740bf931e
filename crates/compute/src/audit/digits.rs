//! The audit of digits: the whole computation as relations between integers, modulo primes that nobody foresaw.
//!
//! Nothing long is multiplied or divided here. What a witness claims is a chain of integers from the sum of the series
//! to the digits; each link is an equation, which is tested modulo two random primes, or a bound, which follows from
//! lengths. `docs/audits.md` derives both. Errors are written as `2^e` units of the last bit, and only the `e` is kept.

use protocol::series::{Convergence, Hypergeometric, SeriesFormula};
use rug::Integer;

use super::{
    AuditFault, SeriesSums, Stop,
    claims::{Claims, Division, RootClaim, SeriesClaim},
    decimals::{Text, read_back},
    field::{Field, Form},
    tail,
};
use crate::{control::Control, residues::HypergeometricSeries};

/// Of the primes from 2^60 to 2^61 there are more than two to this: 2^54.5.
const PRIMES_LOG2: i64 = 54;

/// A long number whose residues are known, in units of `2^-bits`, with its error.
struct Value {
    form: Form,
    /// Its magnitude is below two to this.
    length: i64,
    /// It is at most `2^error` units off.
    error: i64,
    /// What it is when the guards are cut off (rounded down), where it is known whole.
    above_guard: Option<Form>,
}

/// What the recurrence of a series comes to.
struct Summed {
    /// `B Q`.
    below: Form,
    /// `T + plus B Q`.
    above: Form,
}

/// The digits that are audited.
pub(super) struct Asked<'a> {
    /// How they were computed.
    pub(super) formula: &'a SeriesFormula,
    /// How many there are.
    pub(super) decimals: u64,
    /// The digits.
    pub(super) text: &'a str,
}

/// Audits digits by a witness whose powers of two are at most `exponent_max`; the answer is log2 of the probability that
/// wrong ones pass.
pub(super) fn audit(
    asked: &Asked<'_>,
    (witness, exponent_max): (&[&[u8]], u64),
    seed: &[u8; 32],
    sums: &dyn SeriesSums,
    control: &Control,
) -> Result<i64, Stop> {
    let Asked { formula, decimals, text } = *asked;
    formula.check(decimals).map_err(AuditFault::Series)?;
    let text = Text::read(text, decimals)?;
    let claims = Claims::read(formula, witness, exponent_max)?;
    if claims.bits > super::bits_max(decimals) || claims.guard == 0 || claims.guard >= claims.bits {
        return Err(AuditFault::Witness { what: "bits" }.into());
    }
    let field = Field::new(seed);
    let audit = Audit { formula, claims: &claims, field: &field, sums, control };
    let (sums, series_bits) = audit.sums()?;
    let value = audit.value(&sums, text.log2_at_most())?;
    let value = match &claims.root {
        Some(root) => audit.times_root(root, &value)?,
        None => value,
    };
    if value.error >= signed(claims.guard) {
        return Err(AuditFault::TooCoarse { what: "error of the value" }.into());
    }
    let above_guard = match value.above_guard {
        Some(known) => known,
        None => audit.without_guards(value.form)?,
    };
    // floor(value / 2^guard) - 1 is at most three units below the number.
    let low = field.difference(above_guard, field.word(1));
    read_back(&claims, low, &text, &field)?;
    let bytes = witness.iter().map(|piece| piece.len()).sum();
    Ok(error_log2(relation_bits(&claims, bytes, text.whole_digits()) + series_bits))
}

/// No relation is between longer numbers, but for what the recurrence of a series adds: where nothing is divided by, each side is
/// made of numbers of the witness, none of them more than twice, of powers of two that it names, of the digits and a power of
/// five, which are no longer than the bits behind the point, and of a few words.
fn relation_bits(claims: &Claims<'_>, witness_bytes: usize, whole_digits: usize) -> i64 {
    let fields = claims.series.iter().map(|claim| {
        signed(claim.dividend_twos) + signed(claim.divisor.twos) + signed(claim.cuts.0) + signed(claim.cuts.1)
    });
    let fields: i64 = fields.sum::<i64>() + 8 * signed(claims.bits);
    let lengths = 8 * witness_bytes + 4 * whole_digits;
    2 * (i64::try_from(lengths).unwrap_or(i64::MAX / 64) + fields) + 1024
}

/// log2 of the probability that a number of so many bits, which is not zero, is so modulo two random primes: at most
/// `bits / 60` primes from 2^60 on divide it.
fn error_log2(bits: i64) -> i64 {
    let divisors = i64::from((bits / 60 + 1).unsigned_abs().ilog2()) + 1;
    2 * (divisors - PRIMES_LOG2)
}

struct Audit<'a, 'w> {
    formula: &'a SeriesFormula,
    claims: &'a Claims<'w>,
    field: &'a Field,
    sums: &'a dyn SeriesSums,
    control: &'a Control,
}

impl Audit<'_, '_> {
    /// What the series come to, and the bits of the longest number of their recurrences.
    fn sums(&self) -> Result<(Vec<Summed>, i64), Stop> {
        let (mut sums, mut longest) = (Vec::new(), 0);
        for (number, (summand, claim)) in (1..).zip(self.formula.summands.iter().zip(&self.claims.series)) {
            let terms = claim.terms;
            let series = &summand.series;
            let wrong_terms = AuditFault::Terms { series: number, terms };
            let (Ok(usual), true) = (series.terms(self.claims.bits + 64), terms > 0) else {
                return Err(wrong_terms.into());
            };
            if terms / 4 > usual {
                return Err(wrong_terms.into());
            }
            let primes = self.field.primes();
            let stretch = series.first..series.first + terms;
            let residues = self
                .sums
                .series_residues(&HypergeometricSeries::from(series), stretch, &primes, self.control)
                .map_err(|error| Stop::of_series(&error, wrong_terms))?;
            let (below, above) = self.field.sum_of_series(&residues, series.plus);
            sums.push(Summed { below, above });
            longest = longest.max(sum_bits(series, terms));
        }
        Ok((sums, longest))
    }

    /// The sum or its reciprocal, times the rational; numbers with these digits are below `2^number_log2`.
    fn value(&self, sums: &[Summed], number_log2: i64) -> Result<Value, Stop> {
        let ([first, others @ ..], [sum, ..]) = (&self.claims.series[..], sums) else {
            return Err(AuditFault::NotAuditable.into());
        };
        // If all relations hold, the digits tell how large the value is: below (F_0 + 2) 2^guard.
        let length = (signed(self.claims.bits) + number_log2 + 2).max(signed(self.claims.guard) + 3);
        if others.is_empty() {
            let (form, error) = self.quotient(1, (first, sum), length)?;
            return Ok(Value { form, length, error, above_guard: None });
        }
        let mut total = Integer::new();
        let mut error = i64::MIN;
        for (number, given) in (1..).zip(self.claims.series.iter().zip(sums)) {
            let (_, own) = self.quotient(number, given, length)?;
            total += given.0.quotient.map_or_else(Integer::new, |quotient| quotient.integer());
            error = larger(error, own);
        }
        if let Some(division) = &self.claims.reciprocal {
            error = self.reciprocal(&total, error, division)?;
            total = division.quotient.integer();
        }
        let times = self.formula.times;
        total *= times.numerator;
        error = larger(error + self::length(&times.numerator.into()), 0);
        if times.denominator != 1 {
            total = total.div_rem_floor(Integer::from(times.denominator)).0;
        }
        let guard = usize::try_from(self.claims.guard).unwrap_or(usize::MAX);
        let above_guard = Some(self.field.integer(&Integer::from(&total >> guard)));
        Ok(Value { form: self.field.integer(&total), length: self::length(&total), error, above_guard })
    }

    /// A value without its guards, which are what the witness says they are.
    fn without_guards(&self, value: Form) -> Result<Form, AuditFault> {
        let guard = signed(self.claims.guard);
        let below = self.claims.below.filter(|below| below.bits() <= guard);
        let below = below.ok_or(AuditFault::Witness { what: "guards of the value" })?;
        Ok(self.field.shifted(self.field.difference(value, self.field.long(below)), -guard))
    }

    /// The quotient of a series, which is as long as it says or, of a lone one, shorter than `length_max`, and how far it may be
    /// off. Of a lone series it is the whole sum, with the rational in front and perhaps upside down.
    fn quotient(
        &self,
        number: usize,
        (claim, sum): (&SeriesClaim<'_>, &Summed),
        length_max: i64,
    ) -> Result<(Form, i64), Stop> {
        let (formula, field) = (self.formula, self.field);
        let summand = &formula.summands[number - 1];
        let is_alone = claim.quotient.is_none();
        let inverts = is_alone && formula.inverts;
        let (mut above, mut below) =
            (Integer::from(summand.times.numerator), Integer::from(summand.times.denominator));
        let (mut over, mut under) = (sum.above, sum.below);
        if inverts {
            std::mem::swap(&mut above, &mut below);
            std::mem::swap(&mut over, &mut under);
        }
        if is_alone {
            above *= formula.times.numerator;
            below *= formula.times.denominator;
        }
        let too_coarse = || Stop::from(AuditFault::TooCoarse { what: "cut before a division" });
        let (cut, divisor) = (signed(claim.cuts.0), claim.divisor);
        let d_bits = divisor.mantissa.bits() - signed(claim.cuts.1);
        if d_bits < 1 || (claim.cuts.1 > 0 && d_bits < 4) {
            return Err(too_coarse());
        }
        if claim.low.bits() > cut {
            return Err(AuditFault::Witness { what: "low end of the dividend" }.into());
        }
        // The dividend is what it must be beside this divisor: (n 2^cut + low) 2^twos.
        let ratio = field.quotient("denominator of a sum", over, under)?;
        let twos = signed(divisor.twos) - signed(claim.dividend_twos);
        let dividend = field.product(field.shifted(field.long(divisor.mantissa), twos), ratio);
        let n = field.shifted(field.difference(dividend, field.long(claim.low)), -cut);
        let d = field.split(divisor.mantissa, claim.cuts.1).0;
        let d = if divisor.mantissa.is_negative { field.difference(field.word(0), d) } else { d };
        // n above 2^up = z d below + r.
        let up = signed(self.claims.bits) + cut - signed(claim.cuts.1) - twos;
        let left = field.shifted(field.product(n, field.integer(&above)), up.max(0));
        let divisor = field.shifted(field.product(d, field.integer(&below)), (-up).max(0));
        let whole = field.difference(left, field.long(claim.rest));
        let (form, own_length) = match claim.quotient {
            Some(quotient) => {
                let form = field.long(quotient);
                field.hold("quotient", whole, field.product(form, divisor))?;
                (form, quotient.bits())
            }
            None => (field.quotient("divisor", whole, divisor)?, length_max),
        };
        // |d| >= 2^(that), as it stands in the relation.
        let d_least = d_bits - 1 + length(&below) - 1 + (-up).max(0);
        let of_rest = if claim.rest.is_zero() { i64::MIN } else { claim.rest.bits() - d_least };
        // What was cut off the dividend is less than one of its units.
        let of_low = if cut == 0 { i64::MIN } else { length(&above) + up.max(0) - d_least };
        let size = larger(own_length, larger(of_rest, of_low));
        // A relative error of 2^(1 - bits) of the divisor, twice for its quotient.
        let of_cut = if claim.cuts.1 == 0 { i64::MIN } else { size + 2 - d_bits };
        let coefficient = (length(&above), length(&below));
        let of_tail = self.tail_error(number, claim.terms, (inverts, size), coefficient)?;
        Ok((form, larger(larger(of_rest, of_tail), larger(of_low, of_cut))))
    }

    /// What the terms that were left out add to a quotient of about this size, in front of which stands a rational of such
    /// lengths.
    fn tail_error(
        &self,
        number: usize,
        terms: u64,
        (inverts, size): (bool, i64),
        (above, below): (i64, i64),
    ) -> Result<i64, Stop> {
        let series = &self.formula.summands[number - 1].series;
        let convergence = Convergence::of(series).map_err(AuditFault::Series)?;
        let last = series.first + terms - 1;
        // The terms that are left out must be where the proof of convergence holds.
        if (last + 1) >> convergence.settled_log2 == 0 {
            return Err(AuditFault::Terms { series: number, terms }.into());
        }
        let left_out = tail::left_out_log2(series, &convergence, last, self.control)?;
        let Some(left_out) = left_out else { return Ok(i64::MIN) };
        let bits = signed(self.claims.bits);
        if !inverts {
            return Ok(left_out + bits + above - below + 1);
        }
        // Relative to the sum, whose reciprocal times the rational is below 2^(size + 1 - bits).
        let relative = left_out + size + 1 - bits + below - above + 1;
        if relative > -2 {
            return Err(AuditFault::Terms { series: number, terms }.into());
        }
        // Half as much again for what the cuts make of the quotient.
        Ok(size + relative + 2)
    }

    /// That `4^bits = |total| quotient + rest`, and how far the reciprocal may be off.
    fn reciprocal(&self, total: &Integer, error: i64, division: &Division<'_>) -> Result<i64, Stop> {
        let (field, bits) = (self.field, signed(self.claims.bits));
        let Division { quotient, rest } = division;
        let size = length(total);
        if error > size - 3 {
            return Err(AuditFault::TooCoarse { what: "error of the sum whose reciprocal is taken" }.into());
        }
        if !quotient.is_zero() && quotient.is_negative != (*total < 0) {
            return Err(AuditFault::Witness { what: "sign of the reciprocal" }.into());
        }
        let magnitude = field.integer(&Integer::from(total.abs_ref()));
        let product = field.product(magnitude, field.magnitude(*quotient));
        field.hold("reciprocal", field.power_of_two(2 * bits), field.sum(product, field.long(*rest)))?;
        let of_rest = if rest.is_zero() { i64::MIN } else { rest.bits() - (size - 1) };
        Ok(larger(of_rest, error.saturating_add(2 * bits + 1 - 2 * (size - 1))))
    }

    /// That the root is right, and the product with it.
    fn times_root(&self, claim: &RootClaim<'_>, value: &Value) -> Result<Value, Stop> {
        let (field, bits, width) = (self.field, signed(self.claims.bits), signed(claim.width));
        let n = Integer::from(self.formula.root);
        let lost_places = 3 * width + 1 - bits;
        if width > bits || lost_places < 0 || claim.inverse.is_zero() {
            return Err(AuditFault::Witness { what: "width of the root" }.into());
        }
        let start = field.product(field.integer(&n), field.magnitude(claim.inverse));
        let square = field.sum(field.product(start, start), field.long(claim.defect));
        field.hold("root", square, field.shifted(field.integer(&n), 2 * width))?;
        let step = field.product(field.long(claim.defect), field.magnitude(claim.inverse));
        let change = field.shifted(field.difference(step, field.long(claim.lost)), -lost_places);
        let root = field.sum(field.shifted(start, bits - width), change);
        // s0 = sqrt(n) 2^width (1 + e) with |e| <= |defect| / (n 4^width).
        let relative = claim.defect.bits() - 2 * width - (length(&n) - 1);
        if relative > -2 {
            return Err(AuditFault::TooCoarse { what: "error of the root" }.into());
        }
        // 2 e^2 sqrt(n) 2^bits, and what the last cut lost.
        let of_root = larger(2 * relative + 1 + 16 + bits, claim.lost.bits() - lost_places);
        // z s = cut 2^bits + low.
        if claim.low.bits() > bits {
            return Err(AuditFault::Witness { what: "low part of the product" }.into());
        }
        let product = field.product(value.form, root);
        let cut = field.shifted(field.difference(product, field.long(claim.low)), -bits);
        // |s| < 2^(bits + 17); the product of both errors is less than either.
        let size = larger(value.length, value.error) - bits;
        let error = larger(larger(value.error, 0) + 17, larger(of_root, 0) + larger(size, 0));
        Ok(Value { form: cut, length: value.length, error: error + 1, above_guard: None })
    }
}

/// The bits of numerator and denominator as the plain recurrence makes them, from above.
fn sum_bits(series: &Hypergeometric, terms: u64) -> i64 {
    signed(super::sum_bits(series, terms))
}

/// The error of a sum of two: `2^a + 2^b <= 2^(max + 1)`.
fn larger(a: i64, b: i64) -> i64 {
    if a == i64::MIN || b == i64::MIN { a.max(b) } else { a.max(b) + 1 }
}

fn length(value: &Integer) -> i64 {
    match value.as_limbs() {
        [] => 0,
        [below @ .., top] => {
            64 * i64::try_from(below.len()).unwrap_or(i64::MAX / 64)
                + i64::from(u64::BITS - top.leading_zeros())
        }
    }
}

/// Fields of a witness are far below 2^63.
fn signed(field: u64) -> i64 {
    i64::try_from(field).unwrap_or(i64::MAX / 64)
}
