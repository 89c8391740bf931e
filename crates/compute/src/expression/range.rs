//! One expression for every integer of a range, on all cores, with one answer that no schedule can change.
//!
//! The range is walked upwards: the first value for which the expression is false, or is refused, ends it; values for
//! which it only agrees are remembered, and the first of them is named if nothing ends it. Chunks are computed in any
//! order and put together in theirs, and the sum behind the checksum commutes, so neither threads nor chunks show.

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::{
    expression::Expression,
    limits::RANGE_VALUE_WORK_UNITS_MAX,
    outcome::{RangeAnswer, Refusal},
};
use rayon::prelude::*;

use super::{
    circuit::{Circuit, Truth},
    evidence::{MixedEvidence, range_checksum},
    fast::FastBody,
    judge::Judge,
    work::{Stop, Work},
};
use crate::control::{Cancelled, Control};

/// Values that one thread takes at a time.
const CHUNK_VALUES: u64 = 1 << 12;
/// Chunks that are spread over the threads at a time; progress is told after each such wave.
const WAVE_CHUNKS: u64 = 256;

/// A body and a range for it.
#[derive(Debug)]
pub(crate) struct Walk<'e> {
    expression: &'e Expression,
    circuit: Circuit,
    fast: Option<FastBody>,
    digits: u32,
    control: &'e Control,
}

/// What a stretch of the range came to.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    pub(crate) sum: u128,
    pub(crate) open_at: Option<i128>,
    pub(crate) end: Option<(i128, End)>,
}

/// Why a walk ends before the range does.
#[derive(Debug)]
pub(crate) enum End {
    False,
    Refused(Refusal),
}

impl<'e> Walk<'e> {
    pub(crate) fn new(expression: &'e Expression, digits: u32, control: &'e Control) -> Self {
        let circuit = Circuit::compile(expression);
        let fast = FastBody::compile(expression, &circuit);
        Self { expression, circuit, fast, digits, control }
    }

    /// The same walk without the quick way, which must make no difference.
    #[cfg(test)]
    pub(super) fn without_fast(mut self) -> Self {
        self.fast = None;
        self
    }

    /// Answers for every value from `first` to `last`, both included.
    pub(super) fn answer(&self, first: i128, last: i128) -> Result<RangeAnswer, Cancelled> {
        Ok(self.stretch(first, last)?.answer(self.digits))
    }

    /// Walks from `first` to `last`, both included, or to where the walk ends.
    pub(crate) fn stretch(&self, first: i128, last: i128) -> Result<Stretch, Cancelled> {
        let mut total = Stretch::default();
        let mut next = Some(first).filter(|first| *first <= last);
        while let Some(start) = next {
            self.control.check()?;
            let wave_last =
                start.checked_add(i128::from(WAVE_CHUNKS * CHUNK_VALUES - 1)).unwrap_or(last).min(last);
            total.append(self.wave(start, wave_last)?);
            self.tell_progress(first, wave_last, last);
            next = if total.end.is_none() && wave_last < last { Some(wave_last + 1) } else { None };
        }
        Ok(total)
    }

    fn tell_progress(&self, first: i128, done: i128, last: i128) {
        // Halved before they are subtracted, so that no range is too wide; a thousandth needs no better.
        let (width, part) = ((last / 2 - first / 2).unsigned_abs(), (done / 2 - first / 2).unsigned_abs());
        let permille = part / (width / 1000).max(1);
        self.control.set_permille(u16::try_from(permille).unwrap_or(1000));
    }

    /// A part of the range that is spread over the threads.
    fn wave(&self, first: i128, last: i128) -> Result<Stretch, Cancelled> {
        let chunks = u64::try_from((last - first) / i128::from(CHUNK_VALUES)).unwrap_or(0) + 1;
        let lowest_end = AtomicU64::new(u64::MAX);
        let stretches: Result<Vec<Stretch>, Cancelled> = (0..chunks)
            .into_par_iter()
            .map(|chunk| {
                if chunk > lowest_end.load(Ordering::Relaxed) {
                    // Nobody will look at it: an earlier chunk has ended the walk.
                    return Ok(Stretch::default());
                }
                let start = first + i128::from(chunk * CHUNK_VALUES);
                let stretch =
                    self.chunk(start, start.saturating_add(i128::from(CHUNK_VALUES - 1)).min(last))?;
                if stretch.end.is_some() {
                    lowest_end.fetch_min(chunk, Ordering::Relaxed);
                }
                Ok(stretch)
            })
            .collect();
        let mut total = Stretch::default();
        for stretch in stretches? {
            total.append(stretch);
        }
        Ok(total)
    }

    /// A stretch that is computed in one go, on the thread of the caller.
    pub(crate) fn chunk(&self, first: i128, last: i128) -> Result<Stretch, Cancelled> {
        self.control.check()?;
        let mut stretch = Stretch::default();
        let mut stack = Vec::new();
        for value in first..=last {
            let quick = self.fast.as_ref().and_then(|fast| fast.answer(&self.circuit, &mut stack, value));
            let (truth, term) = match quick {
                Some((is_true, term)) => (if is_true { Truth::True } else { Truth::False(None) }, term),
                None => match self.general(&mut stack, value) {
                    Ok(answer) => answer,
                    Err(Stop::Cancelled(cancelled)) => return Err(cancelled),
                    Err(Stop::Refused(refusal)) => {
                        stretch.end = Some((value, End::Refused(*refusal)));
                        break;
                    }
                },
            };
            stretch.sum = stretch.sum.wrapping_add(term);
            match truth {
                Truth::True => {}
                Truth::Open => stretch.open_at = stretch.open_at.or(Some(value)),
                Truth::False(_) => {
                    stretch.end = Some((value, End::False));
                    break;
                }
            }
        }
        Ok(stretch)
    }

    fn general(&self, stack: &mut Vec<Truth>, value: i128) -> Result<(Truth, u128), Stop> {
        let work = Work::new(RANGE_VALUE_WORK_UNITS_MAX, self.control);
        let mut judge =
            Judge::new(self.expression, Some(value), self.digits, work, MixedEvidence::new(value));
        let truth = judge.run(&self.circuit, stack)?;
        Ok((truth, judge.evidence().term()))
    }
}

impl Stretch {
    /// What a range is that this stretch is the whole of.
    pub(crate) fn answer(self, digits: u32) -> RangeAnswer {
        let checksum = range_checksum(self.sum);
        match (self.end, self.open_at) {
            (Some((value, End::False)), _) => RangeAnswer::Counterexample { value, checksum },
            (Some((value, End::Refused(refusal))), _) => RangeAnswer::Refused { value, refusal },
            (None, Some(value)) => RangeAnswer::Unsettled { value, digits, checksum },
            (None, None) => RangeAnswer::AllTrue { checksum },
        }
    }

    /// Puts the stretch that follows behind this one, unless this one has ended the walk.
    pub(crate) fn append(&mut self, next: Self) {
        if self.end.is_none() {
            self.sum = self.sum.wrapping_add(next.sum);
            self.open_at = self.open_at.or(next.open_at);
            self.end = next.end;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::expression::parse_body;

    use super::*;

    /// Random terms over a variable, of all that the quick way knows and some that it does not.
    fn term() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            4 => Just("n".to_owned()),
            3 => (0_u64..40).prop_map(|value| value.to_string()),
            1 => Just("170141183460469231731687303715884105727".to_owned()),
            1 => Just("18446744073709551615".to_owned()),
            1 => Just("1.5".to_owned()),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let binary = prop::sample::select(vec!["+", "-", "*", "/", "//", "%", "^"]);
            let unary = prop::sample::select(vec!["-", "abs", "floor", "ceil", "sqrt", "fib", "factorial"]);
            let pair = prop::sample::select(vec!["gcd", "lcm", "binomial"]);
            prop_oneof![
                6 => (inner.clone(), binary, inner.clone()).prop_map(|(a, operator, b)| format!("({a}) {operator} ({b})")),
                2 => (unary, inner.clone()).prop_map(|(function, a)| format!("{function}({a})")),
                2 => (pair, inner.clone(), inner.clone()).prop_map(|(function, a, b)| format!("{function}({a}, {b})")),
                1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("powmod({a}, {b}, {c})")),
            ]
        })
    }

    fn body() -> impl Strategy<Value = String> {
        let comparison = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
        let atom = prop_oneof![
            4 => (term(), comparison, term()).prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
            1 => term().prop_map(|a| format!("is_prime({a})")),
        ];
        atom.prop_recursive(2, 4, 2, |inner| {
            let connective = prop::sample::select(vec!["and", "or"]);
            prop_oneof![
                (inner.clone(), connective, inner.clone())
                    .prop_map(|(a, word, b)| format!("({a}) {word} ({b})")),
                inner.prop_map(|a| format!("not ({a})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_quick_way_and_the_general_way_give_the_same_answer(
            body in body(),
            first in prop_oneof![-20_i128..20, Just(i128::MAX - 3), Just(i128::MIN), Just(1_i128 << 62)],
            count in 0_i128..12,
        ) {
            let expression = parse_body(&body, "n").unwrap();
            let control = Control::default();
            let last = first.saturating_add(count);
            let quick = Walk::new(&expression, 20, &control).answer(first, last);
            let general = Walk::new(&expression, 20, &control).without_fast().answer(first, last);
            prop_assert_eq!(quick, general, "{}", body);
        }
    }

    #[test]
    fn integer_bodies_have_a_quick_way_and_it_is_taken() {
        let control = Control::default();
        for (body, is_quick) in [
            ("n^5 % 30 == n % 30", true),
            ("is_prime(n^2 + n + 41) or gcd(n, 6) > 1 and powmod(2, n, 7) != 3", true),
            ("n + 1.5 > n", false),
            ("sin(n) < 2", false),
        ] {
            let expression = parse_body(body, "n").unwrap();
            let walk = Walk::new(&expression, 20, &control);
            assert_eq!(walk.fast.is_some(), is_quick, "{body}");
            if let Some(fast) = &walk.fast {
                assert!(fast.answer(&walk.circuit, &mut Vec::new(), 12).is_some(), "{body}");
            }
        }
    }
}
