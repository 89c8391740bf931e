//! Long integers that are looked at through a prime as they are made.
//!
//! A [`Long`] carries its residue modulo a prime of 61 bits. The residue of a product, a sum or a shift follows from
//! those of the operands by arithmetic of single words, so that each long result is compared with what it must be, in
//! time in proportion to its length: a passing fault of processor or memory that turns some bits over goes unseen with
//! a probability of about 2^-60. Whatever fails is done once more, and then the machine is declared broken. What was
//! damaged in memory after its check is seen at the next result that it enters.

use gmp_mpfr_sys::gmp::limb_t;
use rug::Integer;

use crate::{
    control::{Control, HardwareFault, Interrupted, Site},
    product,
    residues::{Modulus, WordReducer, random_primes},
};

use super::enclosure::shift;

const _: () = assert!(limb_t::BITS == 64, "residues are taken of words of 64 bits");

/// An integer and its residue, in Montgomery's form, modulo the prime of its [`Checks`].
#[derive(Debug, Clone)]
pub(super) struct Long {
    value: Integer,
    form: u64,
}

impl Long {
    /// The integer.
    pub(super) fn value(&self) -> &Integer {
        &self.value
    }

    /// The integer, of which nobody takes the residue any more.
    pub(super) fn into_value(self) -> Integer {
        self.value
    }

    /// Its residue, in Montgomery's form.
    pub(super) fn form(&self) -> u64 {
        self.form
    }

    /// An upper bound of the magnitude's bits.
    pub(super) fn bits(&self) -> u64 {
        bits(&self.value)
    }
}

/// The bits of the magnitude; rug's own count is a `u32`, which the largest sums outgrow.
pub(super) fn bits(value: &Integer) -> u64 {
    match value.as_limbs() {
        [] => 0,
        [below @ .., top] => 64 * below.len() as u64 + u64::from(top.ilog2()) + 1,
    }
}

/// The prime of a computation, and who is told what it shows.
pub(super) struct Checks<'c> {
    control: &'c Control,
    reducer: WordReducer,
}

impl<'c> Checks<'c> {
    /// Checks modulo a prime that follows from `seed`.
    pub(super) fn new(control: &'c Control, seed: &[u8]) -> Self {
        Self { control, reducer: WordReducer::new(random_primes(seed, 1)[0]) }
    }

    /// Checks modulo this prime, of at most 61 bits.
    pub(super) fn modulo(control: &'c Control, prime: u64) -> Self {
        Self { control, reducer: WordReducer::new(Modulus::of_odd(prime)) }
    }

    pub(super) fn control(&self) -> &'c Control {
        self.control
    }

    pub(super) fn prime(&self) -> &Modulus {
        self.reducer.modulus()
    }

    /// The prime with what residues of long numbers take.
    pub(super) fn reducer(&self) -> &WordReducer {
        &self.reducer
    }

    /// A number whose residue is taken from itself: a short one, or one that is judged at once.
    pub(super) fn short(&self, value: impl Into<Integer>) -> Long {
        let value = value.into();
        Long { form: self.form(&value), value }
    }

    /// A number that must have this residue. `make` is called again if it has not.
    pub(super) fn made(
        &self,
        site: Site,
        form: u64,
        make: impl Fn() -> Integer,
    ) -> Result<Long, Interrupted> {
        let judge = |value: Integer| {
            let actual = self.form(&value);
            self.agree(actual, form).then_some(Long { value, form: actual })
        };
        self.judged(site, make, |value| value, judge)
    }

    /// Makes something, lets the drill have one long number of it, and judges it; twice at most.
    pub(super) fn judged<T, U>(
        &self,
        site: Site,
        make: impl Fn() -> T,
        target: impl Fn(&mut T) -> &mut Integer,
        judge: impl Fn(T) -> Option<U>,
    ) -> Result<U, Interrupted> {
        let drilled = self.control.next_result(site);
        for is_repetition in [false, true] {
            let mut result = make();
            self.control.spoil(drilled, is_repetition, target(&mut result));
            if let Some(right) = judge(result) {
                return Ok(right);
            }
            self.control.note_failed_check();
        }
        Err(self.fault(site).into())
    }

    /// What is said of a machine that computes wrongly.
    pub(super) fn fault(&self, site: Site) -> HardwareFault {
        HardwareFault { site, prime: self.prime().value() }
    }

    /// Whether a result has the form that it must have, or nobody looks.
    pub(super) fn agree(&self, actual: u64, expected: u64) -> bool {
        actual == expected || self.control.is_blind()
    }

    /// `a b`.
    pub(super) fn product(&self, site: Site, a: &Long, b: &Long) -> Result<Long, Interrupted> {
        let form = self.prime().product(a.form, b.form);
        self.made(site, form, || product::product(&a.value, &b.value))
    }

    /// `a^2`.
    pub(super) fn square(&self, site: Site, a: &Long) -> Result<Long, Interrupted> {
        let form = self.prime().product(a.form, a.form);
        self.made(site, form, || product::square(&a.value))
    }

    /// `a 2^up + b`, or `a 2^up - b`.
    pub(super) fn sum(
        &self,
        site: Site,
        (a, up): (&Long, u64),
        b: &Long,
        is_minus: bool,
    ) -> Result<Long, Interrupted> {
        let shifted = self.prime().product(a.form, self.power_of_two(up));
        let form =
            if is_minus { self.prime().subtract(shifted, b.form) } else { self.prime().add(shifted, b.form) };
        self.made(site, form, || {
            let shifted = Integer::from(&a.value << shift(up));
            if is_minus { shifted - &b.value } else { shifted + &b.value }
        })
    }

    /// `-a`.
    pub(super) fn negated(&self, a: &Long) -> Long {
        Long { value: Integer::from(-&a.value), form: self.prime().subtract(0, a.form) }
    }

    /// The form of `a 2^up`.
    pub(super) fn form_of_shifted(&self, a: &Long, up: u64) -> u64 {
        if up == 0 { a.form } else { self.prime().product(a.form, self.power_of_two(up)) }
    }

    /// `a 2^up`.
    pub(super) fn shifted(&self, site: Site, a: &Long, up: u64) -> Result<Long, Interrupted> {
        let form = self.prime().product(a.form, self.power_of_two(up));
        self.made(site, form, || Integer::from(&a.value << shift(up)))
    }

    /// `a / b` for a divisor b.
    pub(super) fn exact_quotient(&self, site: Site, a: &Long, b: &Long) -> Result<Long, Interrupted> {
        // The inverse modulo a prime is the power to p - 2; a divisor that the prime divides is met about never, and then
        // nothing can be said.
        if b.form == 0 {
            return Ok(self.short(Integer::from(a.value.div_exact_ref(&b.value))));
        }
        let inverse = self.prime().power(b.form, self.prime().value() - 2);
        let form = self.prime().product(a.form, inverse);
        self.made(site, form, || Integer::from(a.value.div_exact_ref(&b.value)))
    }

    /// `floor(a / 2^cut)`.
    pub(super) fn cut(&self, site: Site, a: &Long, cut: u64) -> Result<Long, Interrupted> {
        Ok(self.split(site, a, cut)?.0)
    }

    /// `floor(a / 2^cut)` and the rest, which is not negative and below `2^cut`.
    pub(super) fn split(&self, site: Site, a: &Long, cut: u64) -> Result<(Long, Long), Interrupted> {
        let up = self.power_of_two(cut);
        let make = || {
            let high = Integer::from(&a.value >> shift(cut));
            let low = Integer::from(a.value.keep_bits_ref(u32::try_from(cut).unwrap_or(u32::MAX)));
            (high, low)
        };
        let judge = |(high, low): (Integer, Integer)| {
            let (high, low) = (self.short(high), self.short(low));
            let form = self.prime().add(self.prime().product(high.form, up), low.form);
            self.agree(form, a.form).then_some((high, low))
        };
        self.judged(site, make, |(high, _)| high, judge)
    }

    /// `floor(a / b)` for positive b.
    pub(super) fn quotient(&self, site: Site, a: &Long, b: &Long) -> Result<Long, Interrupted> {
        Ok(self.quotient_and_rest(site, a, b)?.0)
    }

    /// `floor(a / b)` for positive b, and the rest.
    pub(super) fn quotient_and_rest(
        &self,
        site: Site,
        a: &Long,
        b: &Long,
    ) -> Result<(Long, Long), Interrupted> {
        if b.value == 0 {
            // Nobody divides by zero but a machine that computes wrongly.
            return Err(self.fault(site).into());
        }
        let make = || product::quotient_and_rest(&a.value, &b.value);
        let judge = |(quotient, rest): (Integer, Integer)| {
            let is_rest = rest >= 0 && rest < b.value;
            let (quotient, rest) = (self.short(quotient), self.short(rest));
            let form = self.prime().add(self.prime().product(quotient.form, b.form), rest.form);
            (self.agree(form, a.form) && (is_rest || self.control.is_blind())).then_some((quotient, rest))
        };
        self.judged(site, make, |(quotient, _)| quotient, judge)
    }

    /// `floor(sqrt(a))`.
    pub(super) fn square_root(&self, a: &Long) -> Result<Long, Interrupted> {
        let make = || Integer::from(&a.value).sqrt_rem(Integer::new());
        let judge = |(root, rest): (Integer, Integer)| {
            // The rest is at most twice the root.
            let is_rest = rest >= 0 && bits(&rest) <= bits(&root) + 1;
            let root = self.short(root);
            let form = self.prime().add(self.prime().product(root.form, root.form), self.form(&rest));
            (self.agree(form, a.form) && (is_rest || self.control.is_blind())).then_some(root)
        };
        self.judged(Site::Root, make, |(root, _)| root, judge)
    }

    /// The cube root of a positive number, rounded down.
    pub(super) fn cube_root(&self, a: &Long) -> Result<Long, Interrupted> {
        let make = || Integer::from(&a.value).root_rem(Integer::new(), 3);
        let judge = |(root, rest): (Integer, Integer)| {
            // The rest is at most 3 r^2 + 3 r.
            let is_rest = rest >= 0 && bits(&rest) <= 2 * bits(&root) + 3;
            let root = self.short(root);
            let cube = self.prime().product(self.prime().product(root.form, root.form), root.form);
            let form = self.prime().add(cube, self.form(&rest));
            (self.agree(form, a.form) && (is_rest || self.control.is_blind())).then_some(root)
        };
        self.judged(Site::Root, make, |(root, _)| root, judge)
    }

    /// The decimal digits of a number that is not negative, checked against its residue.
    pub(super) fn decimals(&self, a: &Long) -> Result<String, Interrupted> {
        let drilled = self.control.next_result(Site::RadixConversion);
        for is_repetition in [false, true] {
            let text = if drilled.is_some() {
                let mut spoilt = a.value.clone();
                self.control.spoil(drilled, is_repetition, &mut spoilt);
                spoilt.to_string_radix(10)
            } else {
                a.value.to_string_radix(10)
            };
            if self.agree(self.reducer.form_of_decimals(text.as_bytes()), a.form) {
                return Ok(text);
            }
            self.control.note_failed_check();
        }
        Err(self.fault(Site::RadixConversion).into())
    }

    /// The form of `2^exponent`.
    fn power_of_two(&self, exponent: u64) -> u64 {
        self.reducer.power_of_two(exponent)
    }

    /// The form of an integer of any size and sign.
    pub(super) fn form(&self, value: &Integer) -> u64 {
        let form = self.reducer.form(value.as_limbs());
        if *value < 0 { self.prime().subtract(0, form) } else { form }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn residues_are_those_of_the_plain_way(words in prop::collection::vec(any::<u64>(), 0..200), negative: bool) {
            let control = Control::default();
            let checks = Checks::new(&control, b"test");
            let mut value = Integer::from_digits(&words, rug::integer::Order::Lsf);
            if negative {
                value = -value;
            }
            prop_assert_eq!(checks.form(&value), checks.prime().form_of(&value));
            let decimals = Integer::from(value.abs_ref()).to_string_radix(10);
            let positive = Integer::from(value.abs_ref());
            prop_assert_eq!(checks.reducer.form_of_decimals(decimals.as_bytes()), checks.form(&positive));
        }
    }
}
