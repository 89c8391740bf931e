//! From bits back to decimals: that the digits are those of the number, and that no neighbours are.
//!
//! A fraction `F / 2^B` times `10^h` has the next h digits before its point, and `F 10^h / 2^B = F 5^h / 2^(B - h)`. So
//! each step is `F 5^h = digits 2^(B - h) + theta`, and the next one has theta, cut to fewer bits. Cutting only ever
//! takes away, so that the number lies from F to a few units above it all the way. Of theta only what is cut off is in the
//! witness: the F of each step follows from the one before.

use super::{
    AuditFault,
    claims::Claims,
    field::{Field, Form},
    witness::Long,
};

/// Upper bounds of log2(10) and log2(5) in units of 2^-40.
const LOG2_10: u128 = 3_652_498_566_965;
const LOG2_5: u128 = 2_552_986_939_189;

/// Digits that are looked at together.
const PIECE_DIGITS: usize = 4096;

/// The digits of an outcome: those before the point and those behind it.
pub(super) struct Text<'t> {
    whole: &'t [u8],
    places: &'t [u8],
}

impl<'t> Text<'t> {
    pub(super) fn read(text: &'t str, decimals: u64) -> Result<Self, AuditFault> {
        let (whole, places) = match text.split_once('.') {
            Some((whole, places)) if !places.is_empty() => (whole.as_bytes(), places.as_bytes()),
            None => (text.as_bytes(), &b""[..]),
            Some(_) => return Err(malformed("no digit follows the point")),
        };
        if places.len() as u64 != decimals {
            return Err(malformed("it has another number of decimals"));
        }
        // All are looked at, as many at a time as the processor likes.
        let is_digits = |part: &[u8]| {
            let others = |piece: &[u8]| {
                piece.iter().fold(0, |others, byte| others | u8::from(byte.wrapping_sub(b'0') > 9))
            };
            part.chunks(PIECE_DIGITS).fold(0, |any, piece| any | others(piece)) == 0
        };
        if !is_digits(whole) || !is_digits(places) {
            return Err(malformed("it has other characters than digits and a point"));
        }
        match whole {
            [] => Err(malformed("no digit stands before the point")),
            [b'0', _, ..] => Err(malformed("it begins with a zero too many")),
            _ => Ok(Self { whole, places }),
        }
    }
}

impl Text<'_> {
    /// How many digits stand before the point.
    pub(super) fn whole_digits(&self) -> usize {
        self.whole.len()
    }

    /// Every number with these digits is below two to this.
    pub(super) fn log2_at_most(&self) -> i64 {
        match self.whole {
            b"0" => {
                let zeros = self.places.iter().take_while(|digit| **digit == b'0').count();
                -signed(u64::try_from((zeros as u128 * (LOG2_10 - 1)) >> 40).unwrap_or(0))
            }
            whole => signed(logarithm(whole.len() as u64, LOG2_10)),
        }
    }
}

fn malformed(reason: &str) -> AuditFault {
    AuditFault::Outcome { reason: reason.to_owned() }
}

/// That the number, which is at least `low / 2^(bits - guard)` and at most three units more, has these digits.
pub(super) fn read_back(
    claims: &Claims<'_>,
    low: Form,
    text: &Text<'_>,
    field: &Field,
) -> Result<(), AuditFault> {
    let mut fraction = low;
    let mut bits = claims.bits - claims.guard;
    // The number is at most so many units above the fraction.
    let mut width: u64 = 3;
    let mut places = text.places;
    let mut before = field.decimals(text.whole);
    for step in &claims.steps {
        let wrong = AuditFault::Witness { what: "step from bits to decimals" };
        let count = usize::try_from(step.digits).map_err(|_| wrong.clone())?;
        let (taken, left) = places.split_at_checked(count).ok_or(wrong.clone())?;
        let point = bits.checked_sub(step.digits).ok_or(wrong.clone())?;
        let next_bits = point.checked_sub(step.cut).ok_or(wrong.clone())?;
        if taken.is_empty() || left.is_empty() || step.low.bits() > signed(step.cut) {
            return Err(wrong);
        }
        let digits = field.sum(field.product(before, field.power(10, step.digits)), field.decimals(taken));
        let theta = left_over(field, fraction, step.digits, (digits, point));
        fraction = field.shifted(field.difference(theta, field.long(step.low)), -signed(step.cut));
        // A unit becomes 10^digits as large, and is counted in larger ones.
        let growth = signed(logarithm(step.digits, LOG2_10)) - (signed(bits) - signed(next_bits));
        let grown =
            u32::try_from(growth.max(0)).ok().and_then(|places| width.checked_mul(1 << places.min(40)));
        width = grown.filter(|_| growth <= 40).and_then(|width| width.checked_add(1)).ok_or(wrong)?;
        bits = next_bits;
        places = left;
        before = field.word(0);
    }
    let digits = places.len() as u64;
    let point = bits.checked_sub(digits).ok_or(AuditFault::Witness { what: "last step to decimals" })?;
    let places_up = field.power(10, digits);
    let last = field.sum(field.product(before, places_up), field.decimals(places));
    let rest = left_over(field, fraction, digits, (last, point));
    field.hold("way from the series to the decimals", rest, field.long(claims.rest))?;
    if leaves_room(claims.rest, point, digits, width) { Ok(()) } else { Err(AuditFault::NotProven) }
}

/// `fraction 5^count - digits 2^point`.
fn left_over(field: &Field, fraction: Form, count: u64, (digits, point): (Form, u64)) -> Form {
    let scaled = field.product(fraction, field.power(5, count));
    field.difference(scaled, field.shifted(digits, signed(point)))
}

/// Whether `rest + width 5^digits < 2^point`, so that no carry reaches the digits; nearly sharp.
fn leaves_room(rest: Long<'_>, point: u64, digits: u64, width: u64) -> bool {
    // width 5^digits <= 2^from.
    let from = margin_bits(digits, width);
    let has_zero = (from..point).any(|place| !rest.bit(place));
    rest.bits() <= signed(point) && has_zero
}

/// `width 5^digits <= 2^that`.
pub(crate) fn margin_bits(digits: u64, width: u64) -> u64 {
    logarithm(digits, LOG2_5) + u64::from(u64::BITS - width.leading_zeros())
}

/// `digits log2(base)`, rounded up.
fn logarithm(digits: u64, base: u128) -> u64 {
    u64::try_from((u128::from(digits) * base).div_ceil(1 << 40)).unwrap_or(u64::MAX)
}

fn signed(bits: u64) -> i64 {
    i64::try_from(bits).unwrap_or(i64::MAX / 64)
}
