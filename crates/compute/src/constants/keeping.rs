//! Numbers of a tree or of an iteration on their way to a checkpoint and back.
//!
//! Each number goes with the residue that it had when it was made, so that what memory lost before it was written is seen
//! when it is read. Whoever takes a piece also looks at its mathematics modulo a prime that is drawn from the digest of the
//! piece: nobody knew it when the numbers were made, and no fault that passed the prime of the computation passes it.

use std::time::Duration;

use crate::{
    checkpoint::{Piece, PieceFault, StoredNumber, Work},
    residues::{Modulus, WordReducer, random_primes},
};

use super::{
    long::{Checks, Long},
    number::Number,
};

/// Fewer terms than this are computed again: a name, a digest and a file would cost more.
pub(super) const KEPT_TERMS_MIN: u64 = 128;

/// The pieces of one tree or iteration; none where nobody keeps any.
pub(super) struct Keeping<'c>(Option<(Work<'c>, WordReducer)>);

/// What a piece held.
pub(super) struct Taken {
    pub(super) words: Vec<u64>,
    pub(super) numbers: Vec<Number>,
    /// The prime through which its mathematics is looked at.
    pub(super) fresh: WordReducer,
}

/// What is put into a piece.
pub(super) struct Kept<'n> {
    pub(super) words: Vec<u64>,
    pub(super) numbers: Vec<&'n Number>,
}

impl<'c> Keeping<'c> {
    /// Nothing is kept, and nothing is taken.
    pub(super) const NONE: Self = Self(None);

    /// For the work of a kind with these parameters, which say all that its numbers depend on.
    pub(super) fn new(checks: &Checks<'c>, kind: &'static str, parameters: std::fmt::Arguments<'_>) -> Self {
        let work = checks.control().checkpoints().map(|checkpoints| {
            let work =
                checkpoints.work(kind, format_args!("modulo {}, {parameters}", checks.prime().value()));
            (work, checks.reducer().clone())
        });
        Self(work)
    }

    /// What an earlier run left for `from..to`, if `check` makes something of it. No number is longer than `bits_max`, and
    /// there are at most so many words.
    pub(super) fn take<T>(
        &self,
        range: (u64, u64),
        (bits_max, words_max): (u64, u64),
        checks: &Checks<'_>,
        check: impl FnOnce(Taken) -> Result<T, PieceFault>,
    ) -> Option<T> {
        const NUMBERS_MAX: u64 = 8;
        let (work, _) = self.0.as_ref()?;
        let bytes_max =
            (bits_max / 8 + 8).saturating_mul(NUMBERS_MAX).saturating_add(words_max.saturating_mul(8));
        work.take(range, bytes_max, |Piece { words, numbers }, seed| {
            let number = |StoredNumber { value, form, twos, error }: StoredNumber| {
                let mantissa = checks.short(value);
                // With its power of two, which nothing else vouches for where a number was cut.
                if checks.form_of_shifted(&mantissa, twos) != form {
                    return Err(PieceFault::Residue);
                }
                if mantissa.bits() > bits_max
                    || twos > bits_max
                    || error.is_some_and(|error| error > bits_max)
                {
                    return Err(PieceFault::Malformed);
                }
                Ok(Number { mantissa, exponent: twos, error })
            };
            let numbers = numbers.into_iter().map(number).collect::<Result<Vec<_>, _>>()?;
            check(Taken { words, numbers, fresh: WordReducer::new(random_primes(seed, 1)[0]) })
        })
    }

    /// How far the state of an iteration is that an earlier run left.
    pub(super) fn furthest(&self) -> Option<u64> {
        self.0.as_ref()?.0.furthest()
    }

    /// Keeps a piece for `from..to` if otherwise too much computing would be lost with it, or if it is all that its work
    /// comes to and that has left pieces; then nothing would be lost any more.
    pub(super) fn keep<'n>(
        &self,
        (range, is_whole): ((u64, u64), bool),
        lost: &mut Duration,
        kept: impl FnOnce() -> Kept<'n>,
    ) {
        let is_due = |work: &Work<'_>| work.is_due(*lost) || is_whole && work.has_pieces();
        let Some((work, reducer)) = self.0.as_ref().filter(|(work, _)| is_due(work)) else { return };
        let Kept { words, numbers } = kept();
        let numbers = numbers.into_iter().map(|Number { mantissa, exponent, error }| StoredNumber {
            value: mantissa.value(),
            form: reducer.modulus().product(mantissa.form(), reducer.power_of_two(*exponent)),
            twos: *exponent,
            error: *error,
        });
        work.keep(range, &Piece { words, numbers: numbers.collect() });
        *lost = Duration::ZERO;
    }
}

impl Taken {
    /// The prime.
    pub(super) fn prime(&self) -> &Modulus {
        self.fresh.modulus()
    }

    /// The form of a number in the piece, modulo the prime.
    pub(super) fn form(&self, number: &Number) -> u64 {
        let form = self.fresh.form(number.mantissa.value().as_limbs());
        let form = self.prime().product(form, self.fresh.power_of_two(number.exponent));
        if *number.mantissa.value() < 0 { self.prime().subtract(0, form) } else { form }
    }

    /// The numbers, if there are so many.
    pub(super) fn numbers<const N: usize>(self) -> Result<[Number; N], PieceFault> {
        self.numbers.try_into().map_err(|_| PieceFault::Malformed)
    }
}

/// Long integers as the numbers of a piece.
pub(super) fn exact<const N: usize>(longs: [&Long; N]) -> [Number; N] {
    longs.map(|long| Number::exact(long.clone(), 0))
}
