//! The grammar: winnow's Pratt parser over our operands, writing postfix steps as it folds.
//!
//! The parser folds operands before operators, which is the postfix order; so building an expression is pushing onto
//! two lists. Only nesting recurses (parentheses, prefix operators, `^` to the right), and each of those counts
//! towards [`EXPRESSION_DEPTH_MAX`]; chains to the left are loops.

use std::ops::Range;

use winnow::{Parser, combinator::expression, stream::Location};

use super::{
    Expression, Formula, NamedConstant, RefusalKind, Step, Term,
    call::{Callee, call},
    operator::{infix, postfix, prefix},
    token::{
        Input, Parsed, at_keyword, expected, fail, no_match, number, require, rest, shortened, take_sign,
        word,
    },
};
use crate::limits::EXPRESSION_DEPTH_MAX;

/// What an operand may begin with, for messages.
pub(super) const OPERAND: &str = "a number, a name, `(` or `-`";

/// What has been built so far.
#[derive(Debug)]
pub(super) struct Builder<'t> {
    variable: Option<&'t str>,
    depth: usize,
    /// Where the last token that was read ends, white space after it left out.
    pub(super) token_end: usize,
    pub(super) steps: Vec<Step>,
    formulas: Vec<Formula>,
}

impl<'t> Builder<'t> {
    /// Nothing yet, with the name of the variable where the expression has one.
    pub(super) fn new(variable: Option<&'t str>) -> Self {
        Self { variable, depth: 0, token_end: 0, steps: Vec::new(), formulas: Vec::new() }
    }

    /// Forgets what was built and goes on with a variable.
    pub(super) fn restart(&mut self, variable: Option<&'t str>) -> Expression {
        let built = std::mem::replace(self, Self::new(variable));
        Expression { steps: built.steps, formulas: built.formulas }
    }

    pub(super) fn steps_len(&self) -> u32 {
        index(self.steps.len())
    }

    pub(super) fn push_formula(&mut self, formula: Formula) -> u32 {
        self.formulas.push(formula);
        index(self.formulas.len() - 1)
    }
}

/// Each entry comes of at least one byte of a text that is far shorter than 2^32.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// An operand of the Pratt parser: where its steps or its formula are, and where it stands in the text.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub(super) kind: OperandKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum OperandKind {
    Number(Term),
    /// A formula; `tail` is the right side of the last comparison, while a chain may still go on from it.
    Truth {
        formula: u32,
        tail: Option<Term>,
    },
}

impl Operand {
    /// Where it stands in the text.
    pub(super) fn span(&self) -> Range<usize> {
        self.start..self.end
    }

    pub(super) fn number(&self) -> Parsed<Term> {
        match self.kind {
            OperandKind::Number(term) => Ok(term),
            OperandKind::Truth { .. } => {
                let message = "expected a number, found something that is true or false".to_owned();
                fail(RefusalKind::Type, self.span(), message)
            }
        }
    }

    pub(super) fn truth(&self) -> Parsed<u32> {
        match self.kind {
            OperandKind::Truth { formula, .. } => Ok(formula),
            OperandKind::Number(_) => {
                let message =
                    "expected a comparison, found a number (compare it with something, as in `x != 0`)"
                        .to_owned();
                fail(RefusalKind::Type, self.span(), message)
            }
        }
    }
}

/// Parses as much of the input as is an expression.
pub(super) fn any_expression(input: &mut Input<'_>) -> Parsed<Operand> {
    expression(operand).prefix(prefix).postfix(postfix).infix(infix).parse_next(input)
}

/// Parses as much of the input as is a value, and says where it stands.
pub(super) fn value(input: &mut Input<'_>) -> Parsed<Range<usize>> {
    let operand = any_expression(input)?;
    operand.number()?;
    Ok(operand.span())
}

/// Whether the operand is a formula; its place is for a message that says it should be one.
pub(super) fn require_truth(operand: &Operand) -> Parsed<()> {
    operand.truth().map(|_| ())
}

pub(super) fn enter(input: &mut Input<'_>) -> Parsed<()> {
    input.state.depth += 1;
    if input.state.depth > EXPRESSION_DEPTH_MAX {
        let start = input.current_token_start();
        let message = format!("nested deeper than the limit of {EXPRESSION_DEPTH_MAX}; split the expression");
        return fail(RefusalKind::Depth, start..start + 1, message);
    }
    Ok(())
}

pub(super) fn leave(input: &mut Input<'_>) {
    input.state.depth -= 1;
}

fn operand(input: &mut Input<'_>) -> Parsed<Operand> {
    let start = input.current_token_start();
    match rest(input).bytes().next() {
        Some(b'0'..=b'9') => {
            let step = number(input)?;
            Ok(push_value(input, step, start))
        }
        Some(b'(') => parenthesised(input, start),
        Some(first) if (first.is_ascii_alphabetic() || first == b'_') && !at_keyword(input, "not") => {
            named(input, start)
        }
        _ => no_match(),
    }
}

/// A step that takes nothing from the stack.
fn push_value(input: &mut Input<'_>, step: Step, start: usize) -> Operand {
    let first = input.state.steps_len();
    input.state.steps.push(step);
    let term = Term { first, end: first + 1 };
    Operand { kind: OperandKind::Number(term), start, end: input.state.token_end }
}

fn parenthesised(input: &mut Input<'_>, start: usize) -> Parsed<Operand> {
    enter(input)?;
    take_sign(input, 1);
    let mut inner = any_expression(input)?;
    require(input, ")", "an operator or `)`")?;
    leave(input);
    if let OperandKind::Truth { tail, .. } = &mut inner.kind {
        *tail = None;
    }
    Ok(Operand { kind: inner.kind, start, end: input.state.token_end })
}

fn named(input: &mut Input<'_>, start: usize) -> Parsed<Operand> {
    if at_keyword(input, "for") {
        let message = "a range `for … in …:` may only stand at the very start".to_owned();
        return fail(RefusalKind::Syntax, start..start + 3, message);
    }
    if ["and", "or", "in"].iter().any(|keyword| at_keyword(input, keyword)) {
        return expected(input, OPERAND);
    }
    let (name, span) = word(input)?;
    if Some(name) == input.state.variable {
        return Ok(push_value(input, Step::Variable, start));
    }
    if let Some(constant) = NamedConstant::ALL.into_iter().find(|constant| constant.name() == name) {
        return Ok(push_value(input, Step::Constant(constant), start));
    }
    if let Some(callee) = Callee::named(name) {
        return call(input, &callee, start);
    }
    let hint = if rest(input).starts_with('(') { "function" } else { "constant or variable" };
    let message = format!("`{}` is no known {hint}", shortened(name));
    fail(RefusalKind::Syntax, span, message)
}

/// Whether a variable may have this name: a word that means nothing yet.
pub(super) fn is_reserved(name: &str) -> bool {
    ["and", "or", "not", "for", "in"].contains(&name)
        || NamedConstant::ALL.iter().any(|constant| constant.name() == name)
        || Callee::named(name).is_some()
}
