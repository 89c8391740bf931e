//! The budget that keeps an expression from costing more than it should, and the ways an evaluation can stop.
//!
//! Every operation is paid for *before* it runs, in units that are a pure function of the sizes of its operands. So a
//! bomb is refused in the moment it is met, and by every machine at the same place with the same words; nothing here
//! measures time. A unit is about a nanosecond on one core of an ordinary machine, but only the count matters.

use protocol::{
    limits::{EXACT_BITS_MAX, TEXT_BYTES_MAX},
    outcome::{Refusal, RefusalKind},
};
use rug::{Integer, Rational};

use crate::control::{Cancelled, Control};

/// Why an evaluation ends without a value.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The expression has no answer; the same everywhere.
    Refused(Box<Refusal>),
    /// Nobody waits for the answer any more.
    Cancelled(Cancelled),
}

impl From<Cancelled> for Stop {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

/// Stops with a refusal.
pub(super) fn refuse(kind: RefusalKind, message: impl Into<String>) -> Stop {
    Stop::Refused(Box::new(refusal(kind, message.into())))
}

/// A refusal with a message of bounded length.
pub(super) fn refusal(kind: RefusalKind, mut message: String) -> Refusal {
    if message.len() > TEXT_BYTES_MAX {
        let mut end = TEXT_BYTES_MAX - '…'.len_utf8();
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push('…');
    }
    Refusal { kind, message }
}

/// What an evaluation may still spend.
#[derive(Debug)]
pub(super) struct Work<'c> {
    control: &'c Control,
    limit: u64,
    left: u64,
}

impl<'c> Work<'c> {
    /// A budget of `limit` units that also listens for a cancellation.
    pub(super) fn new(limit: u64, control: &'c Control) -> Self {
        Self { control, limit, left: limit }
    }

    /// Pays for an operation that is about to run.
    pub(super) fn charge(&mut self, units: u64) -> Result<(), Stop> {
        self.control.check()?;
        match self.left.checked_sub(units) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(refuse(
                RefusalKind::Work,
                format!(
                    "the expression needs more than the limit of {} units of work; split it or make its numbers \
                     smaller",
                    self.limit
                ),
            )),
        }
    }
}

/// Refuses a value that could need more than the limit of bits; `what` names the operation and its operands.
pub(super) fn check_bits(bits: u128, what: impl FnOnce() -> String) -> Result<(), Stop> {
    if bits <= u128::from(EXACT_BITS_MAX) {
        return Ok(());
    }
    let message = format!(
        "{} could need {} bits, more than the limit of {EXACT_BITS_MAX}; make the numbers smaller",
        what(),
        rounded(bits)
    );
    Err(refuse(RefusalKind::Size, message))
}

/// A count for a message; estimates stop counting at 64 bits.
fn rounded(bits: u128) -> String {
    if bits < 1_000_000_000_000 {
        bits.to_string()
    } else if bits < u128::from(u64::MAX) {
        format!("about 2^{}", bits.ilog2())
    } else {
        "more than 2^63".to_owned()
    }
}

/// The size of an integer in bits, without its sign.
pub(super) fn integer_bits(value: &Integer) -> u64 {
    u64::from(value.significant_bits())
}

/// The size of a rational in bits.
pub(super) fn bits(value: &Rational) -> u64 {
    integer_bits(value.numer()) + integer_bits(value.denom())
}

fn limbs(bits: u64) -> u64 {
    bits / 64 + 1
}

/// The price of touching every bit once or twice.
pub(super) fn linear_units(bits: u64) -> u64 {
    10 + limbs(bits)
}

/// The price of multiplying or dividing numbers of this size.
pub(super) fn product_units(bits: u64) -> u64 {
    let limbs = limbs(bits);
    20 + 10 * limbs * u64::from(limbs.ilog2())
}

/// The price of a greatest common divisor of numbers of this size.
pub(super) fn gcd_units(bits: u64) -> u64 {
    40 + product_units(bits).saturating_mul(u64::from(limbs(bits).ilog2() + 1))
}

/// The price of an elementary function or a constant to this many bits.
pub(super) fn elementary_units(bits: u64) -> u64 {
    let limbs = limbs(bits);
    2_000 + product_units(bits).saturating_mul(8 + 3 * u64::from(limbs.ilog2()))
}

/// A number for a message: whole where it is short, described where it is long.
pub(super) fn shown(value: &Rational) -> String {
    const BITS_WHOLE: u64 = 100;
    if bits(value) <= BITS_WHOLE {
        let is_plain = *value.denom() == 1 && *value >= 0;
        if is_plain { value.to_string() } else { format!("({value})") }
    } else if *value.denom() == 1 {
        format!("(an integer of {} bits)", integer_bits(value.numer()))
    } else {
        format!("(a fraction of {} bits)", bits(value))
    }
}
