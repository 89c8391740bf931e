//! Operators: how each is written, how tightly it binds, and which step or formula it becomes.
//!
//! The binding powers are 10 for `or`, 20 `and`, 30 `not`, 40 comparisons, 50 sums, 60 products, 70 unary minus,
//! 80 powers and 90 the factorial.

use winnow::combinator::{Infix, Postfix, Prefix};

use super::{
    BinaryOperator, Comparison, Formula, Function, Step, Term,
    grammar::{OPERAND, Operand, OperandKind, enter, leave},
    token::{Failure, Input, Parsed, at_keyword, expected, no_match, rest, take_sign},
};

type Error = winnow::error::ErrMode<Failure>;

pub(super) fn prefix<'t>(input: &mut Input<'t>) -> Parsed<Prefix<Input<'t>, Operand, Error>> {
    if rest(input).starts_with('-') {
        enter(input)?;
        take_sign(input, 1);
        return Ok(Prefix(70, |input, operand| {
            leave(input);
            let term = operand.number()?;
            input.state.steps.push(Step::Negate);
            Ok(arithmetic(input, term, &operand, &operand))
        }));
    }
    if at_keyword(input, "not") {
        enter(input)?;
        take_sign(input, 3);
        return Ok(Prefix(30, |input, operand| {
            leave(input);
            let formula = Formula::Not(operand.truth()?);
            Ok(logic(input, formula, &operand, &operand))
        }));
    }
    expected(input, OPERAND)
}

pub(super) fn postfix<'t>(input: &mut Input<'t>) -> Parsed<Postfix<Input<'t>, Operand, Error>> {
    // `5 != 3` compares; in `5!==120` the first sign is the factorial's.
    let bytes = rest(input).as_bytes();
    if bytes.first() != Some(&b'!') || (bytes.get(1) == Some(&b'=') && bytes.get(2) != Some(&b'=')) {
        return no_match();
    }
    take_sign(input, 1);
    Ok(Postfix(90, |input, operand| {
        let term = operand.number()?;
        input.state.steps.push(Step::Call(Function::Factorial));
        Ok(arithmetic(input, term, &operand, &operand))
    }))
}

pub(super) fn infix<'t>(input: &mut Input<'t>) -> Parsed<Infix<Input<'t>, Operand, Error>> {
    use BinaryOperator as B;
    use Comparison as C;
    let bytes = rest(input).as_bytes();
    let (length, operator): (usize, Infix<Input<'t>, Operand, Error>) = match bytes {
        [b'+', ..] => (1, Infix::Left(50, |input, left, right| binary(input, B::Add, &left, &right))),
        [b'-', ..] => (1, Infix::Left(50, |input, left, right| binary(input, B::Subtract, &left, &right))),
        [b'*', b'*', ..] => {
            return expected(input, "one operator (a power is written `^`)");
        }
        [b'*', ..] => (1, Infix::Left(60, |input, left, right| binary(input, B::Multiply, &left, &right))),
        [b'/', b'/', ..] => {
            (2, Infix::Left(60, |input, left, right| binary(input, B::FloorDivide, &left, &right)))
        }
        [b'/', ..] => (1, Infix::Left(60, |input, left, right| binary(input, B::Divide, &left, &right))),
        [b'%', ..] => (1, Infix::Left(60, |input, left, right| binary(input, B::Modulo, &left, &right))),
        [b'^', ..] => {
            enter(input)?;
            let power = Infix::Right(80, |input, left: Operand, right: Operand| {
                leave(input);
                binary(input, B::Power, &left, &right)
            });
            (1, power)
        }
        [b'=', b'=', ..] => {
            (2, Infix::Left(40, |input, left, right| compare(input, C::Equal, &left, &right)))
        }
        [b'!', b'=', ..] => {
            (2, Infix::Left(40, |input, left, right| compare(input, C::NotEqual, &left, &right)))
        }
        [b'<', b'=', ..] => {
            (2, Infix::Left(40, |input, left, right| compare(input, C::LessOrEqual, &left, &right)))
        }
        [b'>', b'=', ..] => {
            (2, Infix::Left(40, |input, left, right| compare(input, C::GreaterOrEqual, &left, &right)))
        }
        [b'<', ..] => (1, Infix::Left(40, |input, left, right| compare(input, C::Less, &left, &right))),
        [b'>', ..] => (1, Infix::Left(40, |input, left, right| compare(input, C::Greater, &left, &right))),
        _ if at_keyword(input, "and") => {
            (3, Infix::Left(20, |input, left, right| both(input, &left, &right)))
        }
        _ if at_keyword(input, "or") => {
            (2, Infix::Left(10, |input, left, right| either(input, &left, &right)))
        }
        _ => return no_match(),
    };
    take_sign(input, length);
    Ok(operator)
}

/// The operand made of steps from `first` to the newest.
fn arithmetic(input: &Input<'_>, first: Term, left: &Operand, right: &Operand) -> Operand {
    let term = Term { first: first.first, end: input.state.steps_len() };
    Operand { kind: OperandKind::Number(term), start: left.start, end: right.end }
}

fn logic(input: &mut Input<'_>, formula: Formula, left: &Operand, right: &Operand) -> Operand {
    let formula = input.state.push_formula(formula);
    Operand { kind: OperandKind::Truth { formula, tail: None }, start: left.start, end: right.end }
}

fn binary(
    input: &mut Input<'_>,
    operator: BinaryOperator,
    left: &Operand,
    right: &Operand,
) -> Parsed<Operand> {
    let first = left.number()?;
    right.number()?;
    input.state.steps.push(Step::Binary(operator));
    Ok(arithmetic(input, first, left, right))
}

fn both(input: &mut Input<'_>, left: &Operand, right: &Operand) -> Parsed<Operand> {
    let formula = Formula::And(left.truth()?, right.truth()?);
    Ok(logic(input, formula, left, right))
}

fn either(input: &mut Input<'_>, left: &Operand, right: &Operand) -> Parsed<Operand> {
    let formula = Formula::Or(left.truth()?, right.truth()?);
    Ok(logic(input, formula, left, right))
}

/// One comparison, or the next link of a chain: `a < b < c` is `a < b and b < c`.
fn compare(input: &mut Input<'_>, operator: Comparison, left: &Operand, right: &Operand) -> Parsed<Operand> {
    let right_term = right.number()?;
    let formula = if let OperandKind::Truth { formula, tail: Some(tail) } = left.kind {
        let link = input.state.push_formula(Formula::Compare { operator, left: tail, right: right_term });
        input.state.push_formula(Formula::And(formula, link))
    } else {
        let left_term = left.number()?;
        input.state.push_formula(Formula::Compare { operator, left: left_term, right: right_term })
    };
    let kind = OperandKind::Truth { formula, tail: Some(right_term) };
    Ok(Operand { kind, start: left.start, end: right.end })
}
