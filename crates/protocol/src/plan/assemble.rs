//! Writing a job's result while its outcomes come in, task by task, in the order of the plan.
//!
//! Digits are written as they are, without an end of line. Expressions make one line each, in the order of the job:
//! the answer, a tab, the expression. The pieces of a range make one line when the last of them is in. Hexadecimal
//! digits are written when the last partial sum is in, and only where the sum proves them.

use std::{
    fmt::{self, Write as _},
    io::{self, Write},
};

use super::{
    Kind, Plan,
    cut::Shape,
    range::{Class, JoinedRange},
    texts,
};
use crate::{
    digit_extraction::{Fraction, HexWindow},
    outcome::{Answer, Outcome},
};

/// What stands where a task was not accepted.
const UNDECIDED: &str = "undecided";

/// How many expressions ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AnswerCounts {
    /// Proven.
    pub true_count: u64,
    /// Disproven.
    pub false_count: u64,
    /// Sides that agree to the digits that were asked for.
    pub agrees: u64,
    /// Expressions without a comparison, or digits.
    pub values: u64,
    /// Refused by every worker alike.
    pub refused: u64,
    /// Not accepted.
    pub undecided: u64,
}

impl AnswerCounts {
    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.true_count + self.false_count + self.agrees + self.values + self.refused + self.undecided
    }

    fn add(&mut self, class: Class) {
        *match class {
            Class::True => &mut self.true_count,
            Class::False => &mut self.false_count,
            Class::Agrees => &mut self.agrees,
            Class::Value => &mut self.values,
            Class::Refused => &mut self.refused,
            Class::Undecided => &mut self.undecided,
        } += 1;
    }
}

/// Makes the text of a job's result from the outcomes of its tasks.
#[derive(Debug)]
pub struct ResultAssembler<'p> {
    plan: &'p Plan,
    /// Number of the unit that the next outcome belongs to.
    unit: usize,
    /// How many of that unit's outcomes are in.
    pieces: u32,
    range: JoinedRange,
    /// The sum of the partial sums; none once one of them was not accepted.
    sum: Option<Fraction>,
    next_task: u64,
    counts: AnswerCounts,
}

impl<'p> ResultAssembler<'p> {
    /// An assembler that waits for task 0.
    #[must_use]
    pub fn new(plan: &'p Plan) -> Self {
        let counts = AnswerCounts::default();
        let sum = match &plan.0 {
            Kind::HexDigits { window, .. } => Some(Fraction::zero(window.fraction_bits())),
            Kind::Digits { .. } | Kind::Series { .. } | Kind::Expressions { .. } => None,
        };
        Self { plan, unit: 0, pieces: 0, range: JoinedRange::default(), sum, next_task: 0, counts }
    }

    /// The number of the task whose outcome is to be pushed next.
    #[must_use]
    pub fn next_task(&self) -> u64 {
        self.next_task
    }

    /// Takes in the accepted outcome of the next task, none where it has none. Outcomes beyond the last task are
    /// ignored.
    ///
    /// # Errors
    /// What writing to `out` says.
    pub fn push(&mut self, outcome: Option<&Outcome>, out: &mut impl Write) -> io::Result<()> {
        if self.next_task >= self.plan.tasks() {
            return Ok(());
        }
        self.next_task += 1;
        match &self.plan.0 {
            Kind::Digits { .. } | Kind::Series { .. } => self.push_digits(outcome, out),
            Kind::HexDigits { window, .. } => self.push_hex_sum(window, outcome, out),
            Kind::Expressions { .. } => self.push_expressions(outcome, out),
        }
    }

    /// As [`ResultAssembler::push`], of an outcome that is these digits.
    ///
    /// # Errors
    /// As [`ResultAssembler::push`].
    pub fn push_text(&mut self, digits: &str, out: &mut impl Write) -> io::Result<()> {
        match &self.plan.0 {
            Kind::Digits { .. } | Kind::Series { .. } if self.next_task < self.plan.tasks() => {
                self.next_task += 1;
                self.write_digits(digits, out)
            }
            _ => self.push(Some(&Outcome::Digits(digits.to_owned())), out),
        }
    }

    fn write_digits(&mut self, digits: &str, out: &mut impl Write) -> io::Result<()> {
        self.counts.add(Class::Value);
        out.write_all(digits.as_bytes())
    }

    /// The next `count` tasks have no accepted outcome.
    ///
    /// # Errors
    /// What writing to `out` says.
    pub fn skip(&mut self, count: u64, out: &mut impl Write) -> io::Result<()> {
        let mut left = count.min(self.plan.tasks() - self.next_task);
        while left > 0 {
            // One piece that is missing spoils a range or a sum as much as many.
            let together = match &self.plan.0 {
                Kind::Digits { .. } | Kind::Series { .. } => 1,
                Kind::HexDigits { .. } => left,
                Kind::Expressions { units, .. } => match units.get(self.unit).map(|unit| unit.shape) {
                    Some(Shape::Range(pieces)) => {
                        let together = u32::try_from(left).unwrap_or(u32::MAX).min(pieces - self.pieces);
                        self.pieces += together - 1;
                        u64::from(together)
                    }
                    Some(Shape::Batch(_)) | None => 1,
                },
            };
            self.next_task += together - 1;
            self.push(None, out)?;
            left -= together;
        }
        Ok(())
    }

    /// Ends the result: tasks whose outcomes did not come count as undecided.
    ///
    /// # Errors
    /// What writing to `out` says.
    pub fn finish(mut self, out: &mut impl Write) -> io::Result<AnswerCounts> {
        self.skip(u64::MAX, out)?;
        out.flush()?;
        Ok(self.counts)
    }

    fn push_digits(&mut self, outcome: Option<&Outcome>, out: &mut impl Write) -> io::Result<()> {
        if let Some(Outcome::Digits(text)) = outcome {
            self.write_digits(text, out)
        } else {
            self.counts.add(Class::Undecided);
            writeln!(out, "{UNDECIDED}")
        }
    }

    fn push_hex_sum(
        &mut self,
        window: &HexWindow,
        outcome: Option<&Outcome>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let is_added = match (&mut self.sum, outcome) {
            (Some(sum), Some(Outcome::HexSum(part))) => sum.add(part),
            _ => false,
        };
        if !is_added {
            self.sum = None;
        }
        if self.next_task < self.plan.tasks() {
            return Ok(());
        }
        match self.sum.as_ref().map(|sum| window.digits(sum)) {
            Some(Ok(digits)) => {
                self.counts.add(Class::Value);
                return out.write_all(digits.as_bytes());
            }
            Some(Err(unsettled)) => writeln!(out, "{UNDECIDED}: {unsettled}")?,
            None => writeln!(out, "{UNDECIDED}")?,
        }
        self.counts.add(Class::Undecided);
        Ok(())
    }

    fn push_expressions(&mut self, outcome: Option<&Outcome>, out: &mut impl Write) -> io::Result<()> {
        let Kind::Expressions { source, units, .. } = &self.plan.0 else { return Ok(()) };
        let Some(unit) = units.get(self.unit) else { return Ok(()) };
        match unit.shape {
            Shape::Batch(_) => {
                let answers = match outcome {
                    Some(Outcome::Answers(answers)) => answers.as_slice(),
                    _ => &[],
                };
                for (number, text) in texts(source, unit).enumerate() {
                    let answer = answers.get(number);
                    self.counts.add(answer.map_or(Class::Undecided, class_of));
                    match answer {
                        Some(answer) => write_line(out, answer, text)?,
                        None => write_line(out, &UNDECIDED, text)?,
                    }
                }
                self.unit += 1;
            }
            Shape::Range(pieces) => {
                self.range.join(outcome);
                self.pieces += 1;
                if self.pieces == pieces {
                    let range = std::mem::take(&mut self.range);
                    self.counts.add(range.class());
                    write_line(out, &range, texts(source, unit).next().unwrap_or_default())?;
                    self.pieces = 0;
                    self.unit += 1;
                }
            }
        }
        Ok(())
    }
}

fn class_of(answer: &Answer) -> Class {
    match answer {
        Answer::True { .. } => Class::True,
        Answer::False { .. } => Class::False,
        Answer::Agrees { .. } => Class::Agrees,
        Answer::Value { .. } => Class::Value,
        Answer::Refused(_) => Class::Refused,
    }
}

fn write_line(out: &mut impl Write, answer: &impl fmt::Display, expression: &str) -> io::Result<()> {
    let mut line = OneLine { out, written: Ok(()) };
    // Whatever goes wrong is in `written`.
    let _ = write!(line, "{answer}");
    line.written?;
    out.write_all(b"\t")?;
    let mut line = OneLine { out, written: Ok(()) };
    let _ = line.write_str(expression);
    line.written?;
    out.write_all(b"\n")
}

/// Writes texts so that they break no line and no column: control characters become blanks.
struct OneLine<'o, O> {
    out: &'o mut O,
    written: io::Result<()>,
}

impl<O: Write> OneLine<'_, O> {
    fn write(&mut self, text: &str) -> io::Result<()> {
        let is_harmless = |byte: &u8| matches!(byte, b' '..=b'~');
        if text.as_bytes().iter().all(is_harmless) {
            return self.out.write_all(text.as_bytes());
        }
        let shown = |character: char| if character.is_control() { ' ' } else { character };
        let text: String = text.chars().map(shown).collect();
        self.out.write_all(text.as_bytes())
    }
}

impl<O: Write> fmt::Write for OneLine<'_, O> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.written = self.write(text);
        if self.written.is_ok() { Ok(()) } else { Err(fmt::Error) }
    }
}
