//! Numbers modulo two primes at once, which is all that an audit knows of long ones.

use rug::Integer;

use super::{AuditFault, witness::Long};
use crate::residues::{Modulus, StretchResidues, WordReducer, forms, forms_of_decimals, random_primes};

/// How many primes a challenge draws.
pub(super) const PRIMES: usize = 2;

/// A number modulo each prime, in Montgomery's form.
pub(super) type Form = [u64; PRIMES];

/// The primes of a challenge.
pub(super) struct Field([WordReducer; PRIMES]);

impl Field {
    /// The primes that follow from the seed of a challenge.
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        let primes = random_primes(seed, PRIMES);
        Self(std::array::from_fn(|place| WordReducer::new(primes[place])))
    }

    pub(super) fn primes(&self) -> [Modulus; PRIMES] {
        std::array::from_fn(|place| *self.0[place].modulus())
    }

    fn each(&self, operation: impl Fn(&WordReducer, usize) -> u64) -> Form {
        std::array::from_fn(|place| operation(&self.0[place], place))
    }

    pub(super) fn product(&self, a: Form, b: Form) -> Form {
        self.each(|reducer, place| reducer.modulus().product(a[place], b[place]))
    }

    pub(super) fn sum(&self, a: Form, b: Form) -> Form {
        self.each(|reducer, place| reducer.modulus().add(a[place], b[place]))
    }

    pub(super) fn difference(&self, a: Form, b: Form) -> Form {
        self.each(|reducer, place| reducer.modulus().subtract(a[place], b[place]))
    }

    /// `a / b`; a prime that divides b says nothing of the quotient.
    pub(super) fn quotient(&self, what: &'static str, a: Form, b: Form) -> Result<Form, AuditFault> {
        if let Some(place) = (0..PRIMES).find(|place| b[*place] == 0) {
            return Err(AuditFault::Divisor { what, prime: self.0[place].modulus().value() });
        }
        Ok(self.each(|reducer, place| reducer.modulus().product(a[place], inverse(reducer, b[place]))))
    }

    /// `2^exponent`, negative ones included: two divides none of the primes.
    pub(super) fn power_of_two(&self, exponent: i64) -> Form {
        self.each(|reducer, _| {
            let power = reducer.power_of_two(exponent.unsigned_abs());
            if exponent >= 0 { power } else { inverse(reducer, power) }
        })
    }

    /// `base^exponent`.
    pub(super) fn power(&self, base: u64, exponent: u64) -> Form {
        self.each(|reducer, _| reducer.modulus().power(reducer.modulus().enter(base), exponent))
    }

    /// `a 2^exponent`.
    pub(super) fn shifted(&self, a: Form, exponent: i64) -> Form {
        if exponent == 0 { a } else { self.product(a, self.power_of_two(exponent)) }
    }

    pub(super) fn word(&self, word: u64) -> Form {
        self.each(|reducer, _| reducer.modulus().enter(word))
    }

    pub(super) fn integer(&self, value: &Integer) -> Form {
        self.signed(forms(self.0.each_ref(), value.as_limbs()), *value < 0)
    }

    pub(super) fn long(&self, long: Long<'_>) -> Form {
        self.signed(self.magnitude(long), long.is_negative)
    }

    pub(super) fn magnitude(&self, long: Long<'_>) -> Form {
        self.words(long.words)
    }

    fn words(&self, words: &[[u8; 8]]) -> Form {
        forms(self.0.each_ref(), words)
    }

    fn signed(&self, form: Form, is_negative: bool) -> Form {
        if is_negative { self.difference([0; PRIMES], form) } else { form }
    }

    /// `floor(magnitude / 2^cut)` and what is cut off.
    pub(super) fn split(&self, long: Long<'_>, cut: u64) -> (Form, Form) {
        let zero = [0; PRIMES];
        let place = usize::try_from(cut / 64).unwrap_or(usize::MAX);
        let Some((low, [middle, high @ ..])) = long.words.split_at_checked(place) else {
            return (zero, self.magnitude(long));
        };
        let (middle, bits) = (u64::from_le_bytes(*middle), cut % 64);
        let (above, below) = (middle >> bits, middle & ((1 << bits) - 1));
        let (high, low) = (self.words(high), self.words(low));
        let up = self.power_of_two(64 - i64::try_from(bits).unwrap_or(0));
        let low_up = self.power_of_two(i64::try_from(cut - bits).unwrap_or(0));
        (
            self.sum(self.product(high, up), self.word(above)),
            self.sum(self.product(self.word(below), low_up), low),
        )
    }

    /// The number that decimal digits spell.
    pub(super) fn decimals(&self, digits: &[u8]) -> Form {
        forms_of_decimals(self.0.each_ref(), digits)
    }

    /// `B Q` and `T + plus B Q` of a stretch, from its residues modulo each prime.
    pub(super) fn sum_of_series(&self, residues: &[StretchResidues], plus: i64) -> (Form, Form) {
        let part = |get: fn(&StretchResidues) -> u64| {
            self.each(|reducer, place| {
                residues.get(place).map_or(0, |part| reducer.modulus().enter(get(part)))
            })
        };
        let denominator = self.product(part(|part| part.q), part(|part| part.b));
        let offset = self.product(denominator, self.integer(&plus.into()));
        (denominator, self.sum(part(|part| part.t), offset))
    }

    /// That both sides are the same.
    pub(super) fn hold(&self, what: &'static str, left: Form, right: Form) -> Result<(), AuditFault> {
        match (0..PRIMES).find(|place| left[*place] != right[*place]) {
            None => Ok(()),
            Some(place) => Err(AuditFault::Relation { what, prime: self.0[place].modulus().value() }),
        }
    }
}

/// `1 / a`, by Fermat's theorem.
fn inverse(reducer: &WordReducer, a: u64) -> u64 {
    reducer.modulus().power(a, reducer.modulus().value() - 2)
}
