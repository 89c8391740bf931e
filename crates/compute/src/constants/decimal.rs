//! From an enclosure in bits to proven decimals, in two independent ways.
//!
//! The fast way never divides. A fraction is multiplied by `10^h`: the fraction that remains gives the lower half of
//! the digits, and the fraction one had, cut to half its length, gives the upper half. Both halves go on alone, on two
//! threads if there are two. The other way multiplies by `10^decimals` once and leaves the rest to GMP.

use rayon::join;
use rug::Integer;

use crate::{
    audit::margin_bits,
    control::{Interrupted, Site},
};

use super::{
    DigitsError,
    enclosure::{Enclosure, WIDTH_MAX, shift},
    long::{Checks, Long, bits},
    progress::Progress,
};

/// An upper bound of `log2(10)` = 3.32192809488736… in units of `10^-9`.
const BITS_PER_DIGIT_E9: u64 = 3_321_928_095;
/// Bits beyond the last digit. An error of one unit of the last bit is 2^-64 units of the last digit.
const GUARD_BITS: u64 = 64;
/// Digits beyond those asked for: they decide whether the digits asked for are proven.
const TAIL_DIGITS: u64 = 16;
/// Digits of the pieces that are converted directly, at most.
const LEAF_DIGITS_MAX: u64 = 384;
/// Pieces of fewer digits stay on one thread.
const PARALLEL_DIGITS: u64 = 20_000;
/// Pieces of fewer digits are not followed further down, if that is asked for: what is left of them is found at once.
const FOLLOWED_DIGITS_MIN: u64 = 20_000;
/// Numbers of fewer digits are left to GMP whole.
const PARALLEL_DIVISION_DIGITS: u64 = 200_000;

/// Most digits beyond those asked for. Where so many more are all nines or all zeros, more of them would hardly help.
const TAIL_DIGITS_MAX: u64 = 2_048;

/// How the last digits came about: at each level of the way down to them, and what was left in the end.
pub(super) struct Descent {
    pub(super) steps: Vec<Step>,
    /// `F 5^m` modulo `2^(bits - m)`, of the last piece and its m digits up to the last that was asked for.
    pub(super) rest: Long,
}

/// A piece `F` of `bits` bits gave up its upper `digits` digits: `F 5^digits` modulo `2^(bits - digits)` is what is left of it.
/// Without its `cut` lowest bits, which are `low`, that is the next piece.
pub(super) struct Step {
    pub(super) digits: u64,
    pub(super) cut: u64,
    pub(super) low: Long,
}

/// Whether nothing that is at most `width 5^digits` makes a carry out of `point` bits when it is added.
fn leaves_room(rest: &Long, point: u64, (digits, width): (u64, u64)) -> bool {
    let from = margin_bits(digits, width);
    let high = Integer::from(rest.value() >> shift(from));
    from < point && bits(&(high + 1_u32)) <= point - from
}

/// Whether decimals are all that is asked for, or how they came about as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Text,
    TextAndDescent,
}

/// Decimals, and how they came about if that was asked for.
pub(super) type Decimals = (String, Option<Descent>);

/// Computes an enclosure and reads its decimals off by [`Ladder`], with more of them until they are proven.
pub(super) fn prove_by_fractions<P>(
    decimals: u32,
    wanted: Wanted,
    checks: &Checks<'_>,
    mut enclose: impl FnMut(u32) -> Result<(Enclosure, P), DigitsError>,
) -> Result<(Decimals, P), DigitsError> {
    let control = checks.control();
    let mut tail = TAIL_DIGITS;
    while tail <= TAIL_DIGITS_MAX {
        control.check().map_err(Interrupted::from)?;
        let ladder = Ladder::new(u64::from(decimals) + tail, checks);
        let (enclosure, parts) = enclose(ladder.bits())?;
        let proven = control.phase("decimal string", || ladder.read(enclosure, decimals, wanted))?;
        if let Some(text) = proven {
            return Ok((text, parts));
        }
        tail *= 2;
    }
    Err(DigitsError::Unsettled)
}

/// Computes an enclosure and lets GMP read both its ends, with more bits until they agree.
pub(super) fn prove_by_gmp<P>(
    decimals: u32,
    wanted: Wanted,
    checks: &Checks<'_>,
    mut enclose: impl FnMut(u32) -> Result<(Enclosure, P), DigitsError>,
) -> Result<(Decimals, P), DigitsError> {
    let control = checks.control();
    let mut guard = GUARD_BITS;
    while guard <= digit_bits(TAIL_DIGITS_MAX) {
        control.check().map_err(Interrupted::from)?;
        let bits = narrow(digit_bits(u64::from(decimals)) + guard);
        let (enclosure, parts) = enclose(bits)?;
        let read = || read_by_gmp(enclosure, bits, (decimals, wanted), checks);
        let proven = control.phase("decimal string", read)?;
        if let Some(text) = proven {
            return Ok((text, parts));
        }
        guard *= 2;
    }
    Err(DigitsError::Unsettled)
}

/// The decimals of an enclosure by GMP's conversion, if both its ends have the same.
///
/// The ends are `low / 2^bits` and `(low + width) / 2^bits`, and `floor(end * 10^decimals)` is the digit string of an
/// end. `floor` is monotone, so that equal ends prove every number between them.
fn read_by_gmp(
    enclosure: Enclosure,
    bits: u32,
    (decimals, wanted): (u32, Wanted),
    checks: &Checks<'_>,
) -> Result<Option<Decimals>, Interrupted> {
    const SITE: Site = Site::RadixConversion;
    let power = power_of_five(decimals.into(), checks)?;
    checks.control().check()?;
    // 10^decimals / 2^bits = 5^decimals / 2^(bits - decimals), and bits > 3 decimals.
    let point = u64::from(bits - decimals);
    let low = checks.product(SITE, &enclosure.low, &power)?;
    let width = checks.product(SITE, &power, &checks.short(enclosure.width))?;
    let units = u64::from(enclosure.width);
    drop((power, enclosure));
    let high = checks.sum(SITE, (&width, 0), &low, false)?;
    drop(width);
    let (low, high) = join(|| checks.split(SITE, &low, point), || checks.cut(SITE, &high, point));
    let ((low, rest), high) = (low?, high?);
    let is_proven = low.value() == high.value();
    let keeps = wanted == Wanted::TextAndDescent;
    if !is_proven || keeps && !leaves_room(&rest, point, (decimals.into(), units)) {
        return Ok(None);
    }
    drop(high);
    checks.control().check()?;
    let mut text = String::new();
    write_by_division(low, u64::from(decimals) + 1, checks, &mut text)?;
    let width = decimals as usize;
    // The integer part has no zeros in front of it but its last digit.
    let zeros = text.bytes().take(text.len() - width - 1).take_while(|digit| *digit == b'0').count();
    text.drain(..zeros);
    if width > 0 {
        text.insert(text.len() - width, '.');
    }
    Ok(Some((text, keeps.then(|| Descent { steps: Vec::new(), rest }))))
}

/// `5^exponent`, by squaring.
fn power_of_five(exponent: u64, checks: &Checks<'_>) -> Result<Long, Interrupted> {
    const SITE: Site = Site::RadixConversion;
    let mut power = checks.short(1);
    for bit in (0..u64::BITS - exponent.leading_zeros()).rev() {
        power = checks.square(SITE, &power)?;
        if exponent >> bit & 1 == 1 {
            power = checks.product(SITE, &power, &checks.short(5))?;
        }
    }
    Ok(power)
}

/// Writes the digits of a number that is not negative, at least so many, with zeros in front: halves by division for as
/// many threads as there are, and GMP's conversion for what is left.
fn write_by_division(
    number: Long,
    digits: u64,
    checks: &Checks<'_>,
    text: &mut String,
) -> Result<(), Interrupted> {
    if digits < PARALLEL_DIVISION_DIGITS || rayon::current_num_threads() == 1 {
        let written = checks.decimals(&number)?;
        let missing = usize::try_from(digits).unwrap_or(0).saturating_sub(written.len());
        text.extend(std::iter::repeat_n('0', missing));
        text.push_str(&written);
        return Ok(());
    }
    let low_digits = digits / 2;
    let power = checks.shifted(Site::RadixConversion, &power_of_five(low_digits, checks)?, low_digits)?;
    let (high, low) = checks.quotient_and_rest(Site::RadixConversion, &number, &power)?;
    drop((number, power));
    checks.control().check()?;
    let mut low_text = String::new();
    let (upper, lower) = join(
        || write_by_division(high, digits - low_digits, checks, text),
        || write_by_division(low, low_digits, checks, &mut low_text),
    );
    upper.and(lower)?;
    text.push_str(&low_text);
    Ok(())
}

/// The steps of the divide and conquer: pieces of `leaf_digits * 2^level` digits for every level.
///
/// A piece of `m` digits is a fraction `F / 2^b`, with `b` the entry of `bits` for its level, and stands for the
/// integer `N` of `m` digits with `F / 2^b = (N + rho) / 10^m`. The *place* `rho` tells how far from the next digit
/// string the fraction is; all pieces but the last of all have it within `[1/4, 3/4]`, so that no error can move them
/// into a neighbour.
struct Ladder<'l, 'c> {
    checks: &'l Checks<'c>,
    leaf_digits: u64,
    /// For each level, the bits behind the point of a piece; one more than there are steps.
    bits: Vec<u64>,
    /// For each step from `h` to `2 h` digits: `5^h`.
    powers: Vec<Long>,
    /// For each step: `floor(2^bits / 10^h)`, the value of one unit of the last digit, within a factor `1 - 2^-60`.
    units: Vec<i128>,
}

impl<'l, 'c> Ladder<'l, 'c> {
    /// A ladder for at least `digits` digits.
    fn new(digits: u64, checks: &'l Checks<'c>) -> Self {
        let mut levels = 0;
        while digits.div_ceil(1 << levels) > LEAF_DIGITS_MAX {
            levels += 1;
        }
        let leaf_digits = digits.div_ceil(1 << levels);
        let mut bits = vec![digit_bits(leaf_digits) + GUARD_BITS];
        for level in 0..levels {
            let next = bits[level] + digit_bits(leaf_digits << level);
            bits.push(next);
        }
        Self { checks, leaf_digits, bits, powers: Vec::new(), units: Vec::new() }
    }

    /// The bits behind the point that the enclosure must have.
    fn bits(&self) -> u32 {
        narrow(self.bits.last().copied().unwrap_or(GUARD_BITS))
    }

    /// The digits behind the point that come out; those beyond the ones asked for prove them.
    fn digits(&self) -> u64 {
        self.leaf_digits << (self.bits.len() - 1)
    }

    /// The powers of five and the units, from the bottom up: by squaring.
    fn climb(&mut self) -> Result<(), Interrupted> {
        for level in 0..self.bits.len() - 1 {
            self.checks.control().check()?;
            let power = match self.powers.last() {
                Some(last) => self.checks.square(Site::RadixConversion, last)?,
                None => power_of_five(self.leaf_digits, self.checks)?,
            };
            // 2^b / 10^h = 2^(b - h) / 5^h. Its 64 to 64 + 2 + level bits are exact to 2^-100 with 200 bits of 5^h.
            let point = self.bits[level] - (self.leaf_digits << level);
            let cut = power.bits().saturating_sub(200);
            let leading = Integer::from(power.value() >> shift(cut));
            if leading == 0 {
                // No power of five is zero but that of a machine that computes wrongly.
                return Err(self.checks.fault(Site::RadixConversion).into());
            }
            let unit = (Integer::from(1) << shift(point - cut)) / leading;
            self.units.push(unit.to_i128_wrapping());
            self.powers.push(power);
        }
        Ok(())
    }

    /// The decimals of an enclosure at [`Ladder::bits`] bits, if both its ends have the same.
    ///
    /// Let `D` be the digits that come out and `S` their number. Reading only ever rounds down, by less than one unit
    /// of the last bit a level (see [`Ladder::split`]) and at the end by less than one unit of the last digit. One
    /// unit of the last bit is at most `2^-64` units of the last digit, so with at most 30 levels and a width of at
    /// most 8 the constant `x` satisfies `S <= x * 10^D < S + 1 + 38 * 2^-64 < S + 2`. So the leading digits are
    /// those of `x` unless adding 2 carries out of the tail.
    fn read(
        mut self,
        enclosure: Enclosure,
        decimals: u32,
        wanted: Wanted,
    ) -> Result<Option<Decimals>, Interrupted> {
        debug_assert!(enclosure.width <= WIDTH_MAX);
        let units = u64::from(enclosure.width);
        self.climb()?;
        let (whole, fraction) =
            self.checks.split(Site::RadixConversion, &enclosure.low, u64::from(self.bits()))?;
        drop(enclosure);
        let integer_part = whole.value().to_string_radix(10);
        let (digits, decimals) = (shift(self.digits()), decimals as usize);
        let mut text = vec![b'0'; integer_part.len() + 1 + digits];
        let (head, places) = text.split_at_mut(integer_part.len() + 1);
        head[..integer_part.len()].copy_from_slice(integer_part.as_bytes());
        head[integer_part.len()] = b'.';
        let progress = Progress::tree(self.checks.control(), 1 << (self.bits.len() - 1), 880, 1000);
        let mut lowest = Lowest { beyond: self.digits() - decimals as u64, steps: Vec::new(), last: None };
        let keeps = wanted == Wanted::TextAndDescent;
        let followed = keeps.then_some(&mut lowest);
        self.write(self.bits.len() - 1, fraction, places, (&progress, followed))?;
        if !tail_allows(&places[decimals..]) {
            return Ok(None);
        }
        let Lowest { steps, last, .. } = lowest;
        let mut descent = None;
        if let Some(Last { rest, point, digits }) = last {
            let width = units + steps.len() as u64;
            if !leaves_room(&rest, point, (digits, width)) {
                return Ok(None);
            }
            descent = Some(Descent { steps, rest });
        }
        text.truncate(integer_part.len() + if decimals > 0 { 1 + decimals } else { 0 });
        Ok(Some((String::from_utf8(text).expect("digits and a point are ASCII"), descent)))
    }

    /// Writes the digits of a piece at `level`; the piece that ends where all of them end may be followed.
    fn write(
        &self,
        level: usize,
        fraction: Long,
        places: &mut [u8],
        (progress, mut followed): (&Progress<'_>, Option<&mut Lowest>),
    ) -> Result<(), Interrupted> {
        let digits = self.leaf_digits << level;
        // Down to where the rest is found at once; the lower half must have digits that were asked for.
        if let Some(lowest) = followed.take_if(|lowest| {
            lowest.last.is_none() && (digits < FOLLOWED_DIGITS_MIN || digits / 2 < 2 * lowest.beyond)
        }) {
            lowest.last = Some(self.last_of(level, &fraction, digits - lowest.beyond)?);
        }
        let Some(below) = level.checked_sub(1) else {
            self.write_leaf(&fraction, places)?;
            return Ok(progress.merged(1)?);
        };
        let (upper, lower, low) = self.split(below, &fraction)?;
        drop(fraction);
        if let Some(lowest) = &mut followed {
            let point = self.bits[level] - digits / 2;
            let cut = point - self.bits[below];
            lowest.steps.push(Step { digits: digits / 2, cut, low });
        } else {
            drop(low);
        }
        progress.merged(1 << level)?;
        let (upper_places, lower_places) = places.split_at_mut(places.len() / 2);
        let write_upper = || self.write(below, upper, upper_places, (progress, None));
        if digits < PARALLEL_DIGITS {
            write_upper()?;
            return self.write(below, lower, lower_places, (progress, followed));
        }
        let write_lower = || self.write(below, lower, lower_places, (progress, followed));
        let (upper, lower) = join(write_upper, write_lower);
        upper.and(lower)
    }

    /// What is left of a piece when `digits` digits are taken out of it.
    fn last_of(&self, level: usize, fraction: &Long, digits: u64) -> Result<Last, Interrupted> {
        const SITE: Site = Site::RadixConversion;
        let power = power_of_five(digits, self.checks)?;
        let point = self.bits[level] - digits;
        let product = self.checks.product(SITE, fraction, &power)?;
        let (_, rest) = self.checks.split(SITE, &product, point)?;
        Ok(Last { rest, point, digits })
    }

    /// Halves a piece of `2 h` digits into its upper and its lower `h` digits.
    ///
    /// With `F / 2^B = (N + rho) / 10^(2h)` and `N = q * 10^h + r`, let `theta = (r + rho) / 10^h`, the fraction of
    /// `F * 10^h / 2^B`; it is the lower piece, with the same place `rho`. The upper piece is
    /// `(q + theta) / 10^h = F / 2^B`, cut to `b` bits, plus `(1/2 - theta) / 10^h` to bring its place to 1/2.
    ///
    /// Errors. Lower: `F * 5^h` is exact; cutting it to `b` bits drops less than one unit of the last bit, and what `F`
    /// had lost before, counted in last bits, does not grow: `10^h * 2^(b - B) <= 1` by the choice of the bits. Upper:
    /// the cut drops less than one unit of the last bit, `2^-64` units of the last digit; `theta` is known to `2^-16`
    /// and the unit to `2^-60`. So its place is within `2^-15` of 1/2, and the 30 levels below, which take at most
    /// `30 * 2^-64` from it, leave it within `[1/4, 3/4]`.
    ///
    /// The third number is what was cut off the lower piece.
    fn split(&self, below: usize, fraction: &Long) -> Result<(Long, Long, Long), Interrupted> {
        const SITE: Site = Site::RadixConversion;
        let half_digits = self.leaf_digits << below;
        let (whole_bits, half_bits) = (self.bits[below + 1], self.bits[below]);
        let upper = self.checks.cut(SITE, fraction, whole_bits - half_bits)?;

        // F * 10^h / 2^B = F * 5^h / 2^(B - h): what F has above B - h bits contributes integers only.
        let point = whole_bits - half_digits;
        let (_, fraction) = self.checks.split(SITE, fraction, point)?;
        let product = self.checks.product(SITE, &fraction, &self.powers[below])?;
        drop(fraction);
        let (_, whole_theta) = self.checks.split(SITE, &product, point)?;
        drop(product);
        let (lower, low) = self.checks.split(SITE, &whole_theta, point - half_bits)?;
        drop(whole_theta);

        let theta = Integer::from(lower.value() >> shift(half_bits - 16));
        let change = ((Integer::from(1 << 15) - theta) * self.units[below]) >> 16_u32;
        let change = self.checks.short(change);
        let upper = self.checks.sum(SITE, (&upper, 0), &change, false)?;
        Ok((upper, lower, low))
    }

    /// Writes the digits of a smallest piece: `floor(F * 10^m / 2^b)`.
    fn write_leaf(&self, fraction: &Long, places: &mut [u8]) -> Result<(), Interrupted> {
        const SITE: Site = Site::RadixConversion;
        let power = self.checks.short(Integer::from(Integer::u_pow_u(10, narrow(self.leaf_digits))));
        let number = self.checks.cut(SITE, &self.checks.product(SITE, &power, fraction)?, self.bits[0])?;
        let text = self.checks.decimals(&number)?;
        if text.len() > places.len() {
            // Only a machine that computes wrongly finds more digits in a fraction than there are.
            return Err(self.checks.fault(SITE).into());
        }
        let (padding, rest) = places.split_at_mut(places.len() - text.len());
        padding.fill(b'0');
        rest.copy_from_slice(text.as_bytes());
        Ok(())
    }
}

/// The pieces that end where all digits end.
struct Lowest {
    /// Digits beyond those that were asked for.
    beyond: u64,
    steps: Vec<Step>,
    last: Option<Last>,
}

/// See [`Descent::rest`].
struct Last {
    rest: Long,
    point: u64,
    digits: u64,
}

/// Whether 2 can be added to the number that `tail` spells without a carry out of it.
fn tail_allows(tail: &[u8]) -> bool {
    match tail {
        [nines @ .., last] => nines.iter().any(|&digit| digit != b'9') || *last < b'8',
        [] => false,
    }
}

/// `ceil(digits * log2(10))`, or one more: `2^that >= 10^digits`.
fn digit_bits(digits: u64) -> u64 {
    u64::try_from((u128::from(digits) * u128::from(BITS_PER_DIGIT_E9)).div_ceil(1_000_000_000))
        .unwrap_or(u64::MAX)
}

/// A count that [`DECIMALS_MAX`](protocol::limits::DECIMALS_MAX) keeps below 2^32: 3.33 bits a digit.
fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;
    use crate::control::Control;

    /// An enclosure of `numerator / denominator`, as tight as the bits allow.
    fn enclose(numerator: &Integer, denominator: &Integer, bits: u32, checks: &Checks<'_>) -> Enclosure {
        Enclosure { low: checks.short(Integer::from(numerator << bits) / denominator), width: 1 }
    }

    #[test]
    fn digits_that_the_enclosure_does_not_prove_are_computed_again_with_more_bits() {
        let control = Control::default();
        let checks = Checks::new(&control, b"decimal");
        let denominator = Integer::from(1) << 200_u32;
        for (off, expected) in [(1, "0.5"), (-1, "0.4")] {
            let numerator = (Integer::from(1) << 199_u32) + off;
            let calls = Cell::new(0);
            let wide = |bits| {
                calls.set(calls.get() + 1);
                let Enclosure { low, .. } = enclose(&numerator, &denominator, bits, &checks);
                Ok((Enclosure { low: checks.short(low.value() - Integer::from(1)), width: 3 }, ()))
            };
            assert_eq!(prove_by_fractions(1, Wanted::Text, &checks, wide).unwrap().0.0, expected);
            assert!(calls.replace(0) > 1);
            assert_eq!(prove_by_gmp(1, Wanted::Text, &checks, wide).unwrap().0.0, expected);
            assert!(calls.get() > 1);
        }
    }

    #[test]
    fn digits_that_no_enclosure_proves_are_given_up() {
        let control = Control::default();
        let checks = Checks::new(&control, b"decimal");
        // Around one half, whatever the bits.
        let around = |bits: u32| {
            let half = Integer::from(1) << (bits - 1);
            Ok((Enclosure { low: checks.short(half - 1), width: 2 }, ()))
        };
        assert_eq!(prove_by_fractions(1, Wanted::Text, &checks, around).err(), Some(DigitsError::Unsettled));
        assert_eq!(prove_by_gmp(1, Wanted::Text, &checks, around).err(), Some(DigitsError::Unsettled));
    }

    #[test]
    fn an_exact_fraction_ends_in_zeros() {
        let control = Control::default();
        let checks = Checks::new(&control, b"decimal");
        let exact =
            |bits: u32| Ok((Enclosure { low: checks.short(Integer::from(3) << (bits - 1)), width: 0 }, ()));
        for decimals in [0, 1, 2, 500, 2_000] {
            let text = prove_by_fractions(decimals, Wanted::Text, &checks, exact).unwrap().0.0;
            assert_eq!(text, prove_by_gmp(decimals, Wanted::Text, &checks, exact).unwrap().0.0);
            let expected =
                if decimals == 0 { "1".to_owned() } else { format!("1.{:0<1$}", 5, decimals as usize) };
            assert_eq!(text, expected);
        }
    }

    /// Decimals in which a carry has far to run: runs of one digit, nines and zeros above all.
    fn runs() -> impl Strategy<Value = String> {
        let run = (
            prop_oneof![Just('9'), Just('0'), Just('9'), Just('0'), prop::char::range('0', '9')],
            1_usize..400,
        );
        prop::collection::vec(run, 1..30)
            .prop_map(|runs| runs.into_iter().map(|(digit, count)| digit.to_string().repeat(count)).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn both_ways_read_back_the_decimals_that_made_the_number(places in runs(), whole in 0_u32..70_000) {
            let text = format!("{whole}.{places}");
            let decimals = u32::try_from(places.len()).unwrap();
            // Half a unit above the digits: neither end of the enclosure can leave them.
            let numerator: Integer = format!("{whole}{places}5").parse().unwrap();
            let denominator = Integer::from(Integer::u_pow_u(10, decimals + 1));
            let control = Control::default();
            let checks = Checks::new(&control, b"decimal");
            let enclose = |bits| Ok((enclose(&numerator, &denominator, bits, &checks), ()));
            prop_assert_eq!(&prove_by_fractions(decimals, Wanted::Text, &checks, enclose).unwrap().0.0, &text);
            prop_assert_eq!(&prove_by_gmp(decimals, Wanted::Text, &checks, enclose).unwrap().0.0, &text);
        }
    }
}
