//! The audit of answers: some members, drawn at random, are computed again.

use protocol::{
    outcome::{Answer, RangeAnswer},
    texts::Texts,
};

use super::{AuditFault, Stop, Strength, draw::Draw};
use crate::{control::Control, expression};

/// Expressions of a batch that are computed again.
const EXPRESSIONS: u64 = 8;
/// Values of a range, beside its ends and the one that the outcome names.
const VALUES: u64 = 32;

/// Audits the answers to a batch of expressions.
pub(super) fn expressions(
    texts: &Texts,
    agree_digits: u32,
    answers: &[Answer],
    seed: &[u8; 32],
    control: &Control,
) -> Result<Strength, Stop> {
    let (members, claimed) = (texts.len() as u64, answers.len() as u64);
    if members != claimed {
        return Err(AuditFault::Count { answers: claimed, expressions: members }.into());
    }
    let mut draw = Draw::new(seed);
    let mut chosen: Vec<u64> = if members <= EXPRESSIONS {
        (0..members).collect()
    } else {
        let draws = (0..EXPRESSIONS).map(|_| draw.below(members.into()));
        draws.filter_map(|number| u64::try_from(number).ok()).collect()
    };
    chosen.sort_unstable();
    chosen.dedup();
    let mut wanted = chosen.iter().copied().peekable();
    for ((text, answer), number) in texts.iter().zip(answers).zip(0..) {
        if wanted.next_if_eq(&number).is_none() {
            continue;
        }
        let computed = expression::answer(text, agree_digits, control)?;
        if computed != *answer {
            let (claimed, computed) = (answer.to_string(), computed.to_string());
            return Err(AuditFault::Answer { number: number + 1, claimed, computed }.into());
        }
    }
    Ok(Strength::Sampled { checked: chosen.len() as u64, members: members.into() })
}

/// A range task.
pub(super) struct RangeTask<'t> {
    pub(super) agree_digits: u32,
    pub(super) variable: &'t str,
    pub(super) body: &'t str,
    pub(super) first: i128,
    pub(super) last: i128,
}

/// What an answer says of the values before and after the one that it names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    True,
    TrueOrOpen,
}

impl RangeTask<'_> {
    /// The answer for a part of the range.
    fn answer(&self, first: i128, last: i128, control: &Control) -> Result<RangeAnswer, Stop> {
        Ok(expression::answer_range(self.body, self.variable, first, last, self.agree_digits, control)?)
    }

    /// Audits an answer.
    pub(super) fn audit(
        &self,
        claimed: &RangeAnswer,
        seed: &[u8; 32],
        control: &Control,
    ) -> Result<Strength, Stop> {
        let members =
            if self.first > self.last { 0 } else { self.last.abs_diff(self.first).saturating_add(1) };
        let mut examiner = Examiner { task: self, claimed, draw: Draw::new(seed), control };
        if members <= u128::from(VALUES) {
            let computed = self.answer(self.first, self.last, control)?;
            if computed != *claimed {
                return Err(examiner.fault(self.first, &computed));
            }
            let checked = u64::try_from(members).unwrap_or(0);
            return Ok(Strength::Sampled { checked, members });
        }
        let (first, last) = (self.first, self.last);
        let mut checked = 0;
        // Of what follows a counterexample or a refusal nothing is said.
        let (before, named, after) = match claimed {
            RangeAnswer::AllTrue { .. } => ((last, Allowed::True), None, false),
            RangeAnswer::Unsettled { value, .. } => ((*value, Allowed::True), Some(*value), true),
            RangeAnswer::Counterexample { value, .. } | RangeAnswer::Refused { value, .. } => {
                ((*value, Allowed::TrueOrOpen), Some(*value), false)
            }
        };
        if let Some(value) = named {
            if !(first..=last).contains(&value) {
                let reason = format!("the value {value} is not in the range");
                return Err(AuditFault::Outcome { reason }.into());
            }
            examiner.check_named(value)?;
            checked += 1;
        }
        let (end, allowed) = before;
        // Up to the end of an all-true range, and before a value that is named.
        let before_last = if named.is_some() { end.checked_sub(1) } else { Some(end) };
        if let Some(before_last) = before_last.filter(|before_last| *before_last >= first) {
            checked += examiner.check_some(first, before_last, allowed)?;
        }
        if after && end < last {
            checked += examiner.check_some(end + 1, last, Allowed::TrueOrOpen)?;
        }
        Ok(Strength::Sampled { checked, members })
    }
}

struct Examiner<'c> {
    task: &'c RangeTask<'c>,
    claimed: &'c RangeAnswer,
    draw: Draw,
    control: &'c Control,
}

impl Examiner<'_> {
    fn fault(&self, value: i128, computed: &RangeAnswer) -> Stop {
        let (claimed, computed) = (self.claimed.to_string(), computed.to_string());
        AuditFault::Value { value, claimed, computed }.into()
    }

    /// That the value which the answer names is what it says.
    fn check_named(&mut self, value: i128) -> Result<(), Stop> {
        let computed = self.task.answer(value, value, self.control)?;
        let is_so = match (self.claimed, &computed) {
            (RangeAnswer::Counterexample { .. }, RangeAnswer::Counterexample { .. }) => true,
            (RangeAnswer::Refused { refusal, .. }, RangeAnswer::Refused { refusal: own, .. }) => {
                refusal == own
            }
            (RangeAnswer::Unsettled { digits, .. }, RangeAnswer::Unsettled { digits: own, .. }) => {
                digits == own
            }
            _ => false,
        };
        if is_so { Ok(()) } else { Err(self.fault(value, &computed)) }
    }

    /// The first, the last and some values in between, each once.
    fn check_some(&mut self, first: i128, last: i128, allowed: Allowed) -> Result<u64, Stop> {
        let width = last.abs_diff(first);
        let mut values: Vec<i128> =
            (0..VALUES).map(|_| first.wrapping_add_unsigned(self.draw.below(width))).collect();
        values.extend([first, last]);
        values.sort_unstable();
        values.dedup();
        for value in &values {
            let computed = self.task.answer(*value, *value, self.control)?;
            let is_so = match computed {
                RangeAnswer::AllTrue { .. } => true,
                RangeAnswer::Unsettled { .. } => allowed == Allowed::TrueOrOpen,
                RangeAnswer::Counterexample { .. } | RangeAnswer::Refused { .. } => false,
            };
            if !is_so {
                return Err(self.fault(*value, &computed));
            }
        }
        Ok(values.len() as u64)
    }
}
