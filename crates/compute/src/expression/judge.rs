//! Judges single comparisons, exactly or by enclosures, for any expression: the general way, which everything else
//! must agree with.

use std::collections::BTreeMap;

use protocol::{
    expression::{Expression, Formula},
    outcome::RefusalKind,
};

use super::{
    circuit::{Circuit, Question, Truth},
    enclosed::precision_bits_max,
    evidence::Evidence,
    prime,
    relation::{Relation, exact_parts_after, relate},
    term::{Value, evaluate},
    work::{Stop, Work, refuse},
};

/// Evaluates one expression, at one value of the variable where it has one.
pub(super) struct Judge<'e, 'c, E> {
    expression: &'e Expression,
    variable: Option<i128>,
    digits: u32,
    precision_bits_max: u32,
    work: Work<'c>,
    evidence: E,
    /// Where wanted: after how many digits the sides of a comparison part.
    parts_after: Option<BTreeMap<u32, u32>>,
}

impl<'e, 'c, E: Evidence> Judge<'e, 'c, E> {
    /// `digits` are those to which sides are compared.
    pub(super) fn new(
        expression: &'e Expression,
        variable: Option<i128>,
        digits: u32,
        work: Work<'c>,
        evidence: E,
    ) -> Self {
        let precision_bits_max = precision_bits_max(digits);
        Self { expression, variable, digits, precision_bits_max, work, evidence, parts_after: None }
    }

    /// Also counts the digits after which the sides of a failing comparison part.
    pub(super) fn with_parts(mut self) -> Self {
        self.parts_after = Some(BTreeMap::new());
        self
    }

    /// Runs the whole formula.
    pub(super) fn run(&mut self, circuit: &Circuit, stack: &mut Vec<Truth>) -> Result<Truth, Stop> {
        circuit.run(stack, |formula, question| self.judge(formula, question))
    }

    /// The text of an expression that is a value, and whether it is the whole value.
    pub(super) fn value(&mut self) -> Result<(String, bool), Stop> {
        let value =
            evaluate(&mut self.work, self.expression.steps(), self.variable, self.precision_bits_max)?;
        super::digits::value_text(&mut self.work, &value, self.digits, self.precision_bits_max)
    }

    /// What was taken in.
    pub(super) fn evidence(&self) -> &E {
        &self.evidence
    }

    /// After how many digits the sides of this comparison part, if it was judged and they do.
    pub(super) fn parts_after(&self, formula: u32) -> Option<u32> {
        self.parts_after.as_ref()?.get(&formula).copied()
    }

    fn judge(&mut self, formula: u32, question: &Question) -> Result<Truth, Stop> {
        match *question {
            Question::Compare { operator, left, right } => {
                let left = self.side(left)?;
                let right = self.side(right)?;
                let relation = relate(&mut self.work, &left, &right, self.digits, self.precision_bits_max)?;
                let (Relation::Exact(ordering) | Relation::Apart { ordering, .. }) = relation else {
                    return Ok(Truth::Open);
                };
                let is_true = operator.accepts(ordering);
                self.note_parts(formula, is_true, relation, &left, &right)?;
                Ok(if is_true { Truth::True } else { Truth::False(Some(formula)) })
            }
            Question::IsPrime(term) => {
                let value = self.side(term)?;
                let integer = match &value {
                    Value::Exact(value) if *value.denom() == 1 => value.numer(),
                    _ => {
                        let message = "`is_prime` needs an integer; round its argument with floor or ceil";
                        return Err(refuse(RefusalKind::Type, message));
                    }
                };
                let is_prime = prime::is_prime(&mut self.work, integer)?;
                self.evidence.verdict(is_prime);
                Ok(if is_prime { Truth::True } else { Truth::False(None) })
            }
        }
    }

    /// Evaluates a side and takes it in as evidence.
    fn side(&mut self, term: protocol::expression::Term) -> Result<Value, Stop> {
        let steps = self.expression.term(term);
        let value = evaluate(&mut self.work, steps, self.variable, self.precision_bits_max)?;
        self.evidence.side(&mut self.work, &value, self.precision_bits_max)?;
        Ok(value)
    }

    /// Counts the digits to which two different sides agree, where this comparison may decide a "false".
    fn note_parts(
        &mut self,
        formula: u32,
        is_true: bool,
        relation: Relation,
        left: &Value,
        right: &Value,
    ) -> Result<(), Stop> {
        let is_negated = self.expression.formulas().get(formula as usize + 1) == Some(&Formula::Not(formula));
        if is_true && !is_negated {
            return Ok(());
        }
        let Some(parts) = &mut self.parts_after else { return Ok(()) };
        let count = match (relation, left, right) {
            (Relation::Apart { parts_after, .. }, ..) => parts_after,
            (Relation::Exact(ordering), Value::Exact(left), Value::Exact(right)) if ordering.is_ne() => {
                exact_parts_after(&mut self.work, left, right)?
            }
            _ => return Ok(()),
        };
        parts.insert(formula, count);
        Ok(())
    }
}
