//! Functions: which names there are, how many arguments each takes, and what a call becomes.

use super::{
    Formula, Function, RefusalKind, Step, Term,
    grammar::{Operand, OperandKind, any_expression, enter, leave},
    token::{Input, Parsed, expected, fail, require, rest, take_sign},
};

/// A name that is followed by arguments.
pub(super) struct Callee {
    name: &'static str,
    kind: CalleeKind,
}

enum CalleeKind {
    /// Exactly as many arguments as the function takes.
    Fixed(Function),
    /// Two or more arguments, combined from the left.
    Folded(Function),
    /// One argument, or two for the second function.
    Either(Function, Function),
    /// One argument; a formula.
    IsPrime,
}

impl Callee {
    pub(super) fn named(name: &str) -> Option<Self> {
        use Function as F;
        let function = match name {
            "is_prime" => return Some(Self { name: "is_prime", kind: CalleeKind::IsPrime }),
            "log" => return Some(Self { name: "log", kind: CalleeKind::Either(F::Log10, F::LogBase) }),
            "gcd" => return Some(Self { name: "gcd", kind: CalleeKind::Folded(F::Gcd) }),
            "lcm" => return Some(Self { name: "lcm", kind: CalleeKind::Folded(F::Lcm) }),
            "sqrt" => F::Sqrt,
            "root" => F::Root,
            "exp" => F::Exp,
            "ln" => F::Ln,
            "sin" => F::Sin,
            "cos" => F::Cos,
            "tan" => F::Tan,
            "asin" => F::Asin,
            "acos" => F::Acos,
            "atan" => F::Atan,
            "sinh" => F::Sinh,
            "cosh" => F::Cosh,
            "tanh" => F::Tanh,
            "abs" => F::Abs,
            "floor" => F::Floor,
            "ceil" => F::Ceil,
            "factorial" => F::Factorial,
            "binomial" => F::Binomial,
            "powmod" => F::PowMod,
            "fib" => F::Fib,
            "zeta" => F::Zeta,
            _ => return None,
        };
        Some(Self { name: function.name(), kind: CalleeKind::Fixed(function) })
    }
}

pub(super) fn call(input: &mut Input<'_>, callee: &Callee, start: usize) -> Parsed<Operand> {
    if !rest(input).starts_with('(') {
        return expected(input, &format!("`(` after `{}`", callee.name));
    }
    enter(input)?;
    take_sign(input, 1);
    let first = input.state.steps_len();
    let mut arguments = 0;
    loop {
        any_expression(input)?.number()?;
        arguments += 1;
        if let CalleeKind::Folded(function) = callee.kind
            && arguments > 1
        {
            input.state.steps.push(Step::Call(function));
        }
        if !rest(input).starts_with(',') {
            break;
        }
        take_sign(input, 1);
    }
    require(input, ")", "an operator, `,` or `)`")?;
    leave(input);
    let span = start..input.state.token_end;
    let wrong = |takes: &str| {
        let message = format!("`{}` takes {takes}, found {arguments}", callee.name);
        fail(RefusalKind::Syntax, span.clone(), message)
    };
    let is_prime = match callee.kind {
        CalleeKind::Fixed(function) if arguments == function.arity() => {
            input.state.steps.push(Step::Call(function));
            false
        }
        CalleeKind::Fixed(function) => {
            return wrong(
                ["no argument", "one argument", "two arguments", "three arguments"][function.arity()],
            );
        }
        CalleeKind::Folded(_) if arguments >= 2 => false,
        CalleeKind::Folded(_) => return wrong("two arguments or more"),
        CalleeKind::Either(one, two) if arguments <= 2 => {
            input.state.steps.push(Step::Call(if arguments == 1 { one } else { two }));
            false
        }
        CalleeKind::Either(..) => return wrong("one argument or two"),
        CalleeKind::IsPrime if arguments == 1 => true,
        CalleeKind::IsPrime => return wrong("one argument"),
    };
    let term = Term { first, end: input.state.steps_len() };
    let kind = if is_prime {
        OperandKind::Truth { formula: input.state.push_formula(Formula::IsPrime(term)), tail: None }
    } else {
        OperandKind::Number(term)
    };
    Ok(Operand { kind, start: span.start, end: span.end })
}
