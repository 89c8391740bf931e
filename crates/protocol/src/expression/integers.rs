//! A first look at a text: integers, `+ - * / // % ^ !`, comparisons, and, or, not, and nothing else.
//!
//! Most checks that people send in bulk are made of these, and they are read in one pass that builds nothing: whoever
//! reads says what an [`IntegerAlgebra`] makes of each operation. Nothing at all is enough to know that a text is an
//! expression; 128-bit integers are enough to answer it.
//!
//! The look never says that a text is wrong. Whatever it does not know (a name, a decimal, a mistake, more nesting than
//! is usual) ends it, and the grammar is asked, which has the last word and all the messages. What it does take means
//! what the grammar says, which a test holds equal.

use super::{BinaryOperator, Comparison};
use crate::limits::EXPRESSION_BYTES_MAX;

/// Deepest nesting that the first look follows, so that it needs little of the stack; far below the grammar's own.
const DEPTH_MAX: u32 = 32;

/// Longer texts are first searched for what the look does not know: to give up near the end of one costs much.
const SHORT_BYTES_MAX: usize = 64;

/// Two formulas joined by a word, or by the next link of a chain of comparisons, which is an `and`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connective {
    /// True where both are.
    And,
    /// True where one is.
    Or,
}

/// What operations on numbers and formulas make, for [`read_integers`]. Operands come before operators, and from left to
/// right. An operation that gives no number ends the look.
pub trait IntegerAlgebra {
    /// What stands for a number.
    type Number: Copy;
    /// What stands for a formula.
    type Truth: Copy;

    /// A number as it is written.
    fn integer(&mut self, value: i128) -> Self::Number;
    /// Unary minus.
    fn negate(&mut self, operand: Self::Number) -> Option<Self::Number>;
    /// `n!`
    fn factorial(&mut self, operand: Self::Number) -> Option<Self::Number>;
    /// An operator between two numbers.
    fn binary(
        &mut self,
        operator: BinaryOperator,
        left: Self::Number,
        right: Self::Number,
    ) -> Option<Self::Number>;
    /// Two numbers compared.
    fn compare(&mut self, operator: Comparison, left: Self::Number, right: Self::Number) -> Self::Truth;
    /// The opposite of a formula.
    fn not(&mut self, operand: Self::Truth) -> Self::Truth;
    /// What follows, up to the [`IntegerAlgebra::join`] that goes with it, is the right side of a connective.
    fn begin_right(&mut self, connective: Connective, left: Self::Truth);
    /// Both sides of a connective are there.
    fn join(&mut self, connective: Connective, left: Self::Truth, right: Self::Truth) -> Self::Truth;
}

/// What a text was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntegerReading<N, T> {
    /// A value: it holds no comparison.
    Value(N),
    /// A claim.
    Claim(T),
}

/// Reads a text with an algebra. `None` says nothing about the text: ask [`super::parse`].
pub fn read_integers<A: IntegerAlgebra>(
    text: &str,
    algebra: &mut A,
) -> Option<IntegerReading<A::Number, A::Truth>> {
    if text.len() > EXPRESSION_BYTES_MAX || (text.len() > SHORT_BYTES_MAX && !is_familiar(text.as_bytes())) {
        return None;
    }
    let mut reader = Reader { bytes: text.as_bytes(), at: 0, depth: 0, algebra };
    reader.skip_space();
    let operand = reader.expression(0)?;
    if reader.at < reader.bytes.len() {
        return None;
    }
    Some(match operand {
        Operand::Number(number) => IntegerReading::Value(number),
        Operand::Truth { truth, .. } => IntegerReading::Claim(truth),
    })
}

/// Whether every byte is one that the look may know: none of a decimal, a separator or a name.
fn is_familiar(bytes: &[u8]) -> bool {
    let is_known = |byte: u8| {
        let is_sign = (byte <= b'>' && byte != b'.') || byte == b'^';
        is_sign | matches!(byte, b'a' | b'n' | b'd' | b'o' | b'r' | b't')
    };
    // No early end: like this, many bytes are looked at in one instruction.
    bytes.iter().fold(true, |is_familiar, &byte| is_familiar & is_known(byte))
}

/// Whether the first look is enough to know that a text is an expression.
pub(crate) fn is_of_integers(text: &str) -> bool {
    read_integers(text, &mut Recognition).is_some()
}

/// Makes nothing of anything.
struct Recognition;

impl IntegerAlgebra for Recognition {
    type Number = ();
    type Truth = ();

    fn integer(&mut self, _: i128) {}
    fn negate(&mut self, (): ()) -> Option<()> {
        Some(())
    }
    fn factorial(&mut self, (): ()) -> Option<()> {
        Some(())
    }
    fn binary(&mut self, _: BinaryOperator, (): (), (): ()) -> Option<()> {
        Some(())
    }
    fn compare(&mut self, _: Comparison, (): (), (): ()) {}
    fn not(&mut self, (): ()) {}
    fn begin_right(&mut self, _: Connective, (): ()) {}
    fn join(&mut self, _: Connective, (): (), (): ()) {}
}

enum Operand<A: IntegerAlgebra> {
    Number(A::Number),
    /// `tail` is the right side of the last comparison, while a chain may still go on from it.
    Truth {
        truth: A::Truth,
        tail: Option<A::Number>,
    },
}

impl<A: IntegerAlgebra> Operand<A> {
    #[inline]
    fn number(self) -> Option<A::Number> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    #[inline]
    fn truth(self) -> Option<A::Truth> {
        if let Self::Truth { truth, .. } = self { Some(truth) } else { None }
    }
}

/// An operator between two operands.
#[derive(Clone, Copy)]
enum Infix {
    Binary(BinaryOperator),
    Comparison(Comparison),
    Connective(Connective),
}

impl Infix {
    /// How tightly it binds, as in the grammar.
    #[inline]
    fn power(self) -> u8 {
        match self {
            Self::Connective(Connective::Or) => 10,
            Self::Connective(Connective::And) => 20,
            Self::Comparison(_) => 40,
            Self::Binary(BinaryOperator::Add | BinaryOperator::Subtract) => 50,
            Self::Binary(BinaryOperator::Power) => 80,
            Self::Binary(_) => 60,
        }
    }
}

/// See [`Infix::power`].
const NOT_POWER: u8 = 30;
const MINUS_POWER: u8 = 70;

struct Reader<'t, 'a, A> {
    bytes: &'t [u8],
    at: usize,
    depth: u32,
    algebra: &'a mut A,
}

impl<A: IntegerAlgebra> Reader<'_, '_, A> {
    /// Reads as far as operators bind at least as tightly as `power_min`.
    fn expression(&mut self, power_min: u8) -> Option<Operand<A>> {
        let mut left = self.operand()?;
        while let Some((operator, bytes)) = self.infix() {
            let power = operator.power();
            if power < power_min {
                break;
            }
            self.skip(bytes);
            left = match operator {
                Infix::Binary(BinaryOperator::Power) => {
                    let base = left.number()?;
                    let exponent = self.nested(power)?.number()?;
                    Operand::Number(self.algebra.binary(BinaryOperator::Power, base, exponent)?)
                }
                Infix::Binary(operator) => {
                    let left = left.number()?;
                    let right = self.expression(power + 1)?.number()?;
                    Operand::Number(self.algebra.binary(operator, left, right)?)
                }
                Infix::Comparison(operator) => {
                    let right = self.expression(power + 1)?.number()?;
                    let truth = self.comparison(operator, &left, right)?;
                    Operand::Truth { truth, tail: Some(right) }
                }
                Infix::Connective(connective) => {
                    let left = left.truth()?;
                    self.algebra.begin_right(connective, left);
                    let right = self.expression(power + 1)?.truth()?;
                    Operand::Truth { truth: self.algebra.join(connective, left, right), tail: None }
                }
            };
        }
        Some(left)
    }

    /// One comparison, or the next link of a chain.
    #[inline]
    fn comparison(&mut self, operator: Comparison, left: &Operand<A>, right: A::Number) -> Option<A::Truth> {
        match *left {
            Operand::Number(left) => Some(self.algebra.compare(operator, left, right)),
            Operand::Truth { truth, tail: Some(tail) } => {
                self.algebra.begin_right(Connective::And, truth);
                let link = self.algebra.compare(operator, tail, right);
                Some(self.algebra.join(Connective::And, truth, link))
            }
            Operand::Truth { tail: None, .. } => None,
        }
    }

    /// Reads one level deeper.
    fn nested(&mut self, power_min: u8) -> Option<Operand<A>> {
        if self.depth == DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let operand = self.expression(power_min)?;
        self.depth -= 1;
        Some(operand)
    }

    #[inline]
    fn operand(&mut self) -> Option<Operand<A>> {
        let mut operand = match *self.bytes.get(self.at)? {
            b'0'..=b'9' => {
                let value = self.integer()?;
                Operand::Number(self.algebra.integer(value))
            }
            b'(' => {
                self.skip(1);
                let inner = self.nested(0)?;
                if self.bytes.get(self.at) != Some(&b')') {
                    return None;
                }
                self.skip(1);
                match inner {
                    Operand::Truth { truth, .. } => Operand::Truth { truth, tail: None },
                    number @ Operand::Number(_) => number,
                }
            }
            b'-' => {
                self.skip(1);
                let operand = self.nested(MINUS_POWER)?.number()?;
                Operand::Number(self.algebra.negate(operand)?)
            }
            b'n' if self.is_at_word(b"not") => {
                self.skip(3);
                let operand = self.nested(NOT_POWER)?.truth()?;
                Operand::Truth { truth: self.algebra.not(operand), tail: None }
            }
            _ => return None,
        };
        while self.is_at_factorial() {
            let number = operand.number()?;
            self.skip(1);
            operand = Operand::Number(self.algebra.factorial(number)?);
        }
        Some(operand)
    }

    /// A number of digits only, below 2^127.
    #[inline]
    fn integer(&mut self) -> Option<i128> {
        // So many digits fit 64 bits, whatever they are.
        const SHORT_DIGITS: usize = 19;
        let rest = self.bytes.get(self.at..)?;
        let mut short = 0_u64;
        let mut digits = 0;
        while let Some(&digit @ b'0'..=b'9') = rest.get(digits)
            && digits < SHORT_DIGITS
        {
            short = short * 10 + u64::from(digit - b'0');
            digits += 1;
        }
        let mut value = i128::from(short);
        while let Some(&digit @ b'0'..=b'9') = rest.get(digits) {
            value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
            digits += 1;
        }
        if rest.get(digits).is_some_and(|&next| is_word(next) || next == b'.') {
            return None;
        }
        self.skip(digits);
        Some(value)
    }

    /// The operator that stands here, and its length.
    #[inline]
    fn infix(&self) -> Option<(Infix, usize)> {
        use BinaryOperator as B;
        use Comparison as C;
        let next = |bytes: usize| self.bytes.get(self.at + bytes).copied();
        let is_double = |second: u8| next(1) == Some(second);
        Some(match next(0)? {
            b'+' => (Infix::Binary(B::Add), 1),
            b'-' => (Infix::Binary(B::Subtract), 1),
            b'*' => (Infix::Binary(B::Multiply), 1),
            b'/' if is_double(b'/') => (Infix::Binary(B::FloorDivide), 2),
            b'/' => (Infix::Binary(B::Divide), 1),
            b'%' => (Infix::Binary(B::Modulo), 1),
            b'^' => (Infix::Binary(B::Power), 1),
            b'=' if is_double(b'=') => (Infix::Comparison(C::Equal), 2),
            b'!' if is_double(b'=') => (Infix::Comparison(C::NotEqual), 2),
            b'<' if is_double(b'=') => (Infix::Comparison(C::LessOrEqual), 2),
            b'>' if is_double(b'=') => (Infix::Comparison(C::GreaterOrEqual), 2),
            b'<' => (Infix::Comparison(C::Less), 1),
            b'>' => (Infix::Comparison(C::Greater), 1),
            b'a' if self.is_at_word(b"and") => (Infix::Connective(Connective::And), 3),
            b'o' if self.is_at_word(b"or") => (Infix::Connective(Connective::Or), 2),
            _ => return None,
        })
    }

    /// In `5!==120` the first sign is the factorial's, in `5 != 3` it is not.
    #[inline]
    fn is_at_factorial(&self) -> bool {
        let next = |bytes: usize| self.bytes.get(self.at + bytes).copied();
        next(0) == Some(b'!') && (next(1) != Some(b'=') || next(2) == Some(b'='))
    }

    #[inline]
    fn is_at_word(&self, word: &[u8]) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        rest.starts_with(word) && rest.get(word.len()).is_none_or(|&next| !is_word(next))
    }

    /// Goes over a token and the white space after it.
    #[inline]
    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        self.skip_space();
    }

    #[inline]
    fn skip_space(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }
}

#[inline]
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expression::{Expression, Formula, Function, Number, Statement, Step, Term, parse};

    /// Builds what the grammar builds.
    #[derive(Default)]
    struct Building {
        steps: Vec<Step>,
        formulas: Vec<Formula>,
    }

    impl Building {
        fn push(&mut self, first: Option<Term>, step: Step) -> Term {
            let first = first.map_or(self.steps.len(), |term| term.first as usize);
            self.steps.push(step);
            Term { first: u32::try_from(first).unwrap(), end: u32::try_from(self.steps.len()).unwrap() }
        }

        fn formula(&mut self, formula: Formula) -> u32 {
            self.formulas.push(formula);
            u32::try_from(self.formulas.len()).unwrap() - 1
        }
    }

    impl IntegerAlgebra for Building {
        type Number = Term;
        type Truth = u32;

        fn integer(&mut self, value: i128) -> Term {
            let step = match u64::try_from(value) {
                Ok(value) => Step::Integer(value),
                Err(_) => Step::Number(Box::new(Number { digits: value.to_string(), exponent: 0 })),
            };
            self.push(None, step)
        }
        fn negate(&mut self, operand: Term) -> Option<Term> {
            Some(self.push(Some(operand), Step::Negate))
        }
        fn factorial(&mut self, operand: Term) -> Option<Term> {
            Some(self.push(Some(operand), Step::Call(Function::Factorial)))
        }
        fn binary(&mut self, operator: BinaryOperator, left: Term, right: Term) -> Option<Term> {
            assert_eq!(left.end, right.first, "the operands are neighbours");
            Some(self.push(Some(left), Step::Binary(operator)))
        }
        fn compare(&mut self, operator: Comparison, left: Term, right: Term) -> u32 {
            self.formula(Formula::Compare { operator, left, right })
        }
        fn not(&mut self, operand: u32) -> u32 {
            self.formula(Formula::Not(operand))
        }
        fn begin_right(&mut self, _: Connective, _: u32) {}
        fn join(&mut self, connective: Connective, left: u32, right: u32) -> u32 {
            self.formula(match connective {
                Connective::And => Formula::And(left, right),
                Connective::Or => Formula::Or(left, right),
            })
        }
    }

    fn first_look(text: &str) -> Option<Expression> {
        let mut building = Building::default();
        let reading = read_integers(text, &mut building)?;
        let Building { steps, formulas } = building;
        assert_eq!(matches!(reading, IntegerReading::Value(_)), formulas.is_empty(), "{text}");
        Some(Expression { steps, formulas })
    }

    /// Signs and words of which the look knows most, and a few that it must leave alone.
    fn tokens() -> impl Strategy<Value = Vec<&'static str>> {
        let token = prop::sample::select(vec![
            "0",
            "1",
            "2",
            "007",
            "18446744073709551616",
            "170141183460469231731687303715884105727",
            "(",
            "(",
            ")",
            ")",
            "+",
            "-",
            "*",
            "/",
            "//",
            "%",
            "^",
            "!",
            "==",
            "!=",
            "<",
            "<=",
            ">",
            ">=",
            "=",
            " ",
            " ",
            " and ",
            " or ",
            " not ",
            "and",
            "or",
            "not",
            "\t",
            "1.5",
            "1_0",
            "1e2",
            "n",
            "..",
            "é",
            "\u{b}",
            "**",
            "!==",
        ]);
        prop::collection::vec(token, 0..14)
    }

    /// Well-formed texts, so that deep ones occur too.
    fn formula() -> impl Strategy<Value = String> {
        let leaf = (0_u64..30).prop_map(|value| value.to_string());
        let term = leaf.prop_recursive(4, 12, 2, |inner| {
            let operator = prop::sample::select(vec!["+", " - ", "*", "/", "//", " % ", "^", " ^ -"]);
            prop_oneof![
                4 => (inner.clone(), operator, inner.clone()).prop_map(|(a, operator, b)| format!("{a}{operator}{b}")),
                1 => inner.clone().prop_map(|a| format!("-{a}")),
                1 => inner.clone().prop_map(|a| format!("{a}!")),
                2 => inner.prop_map(|a| format!("({a})")),
            ]
        });
        let comparison = prop::sample::select(vec![" == ", " != ", "<", " <=", "> ", ">="]);
        let links = prop::collection::vec((comparison, term.clone()), 1..3);
        let claim = (term, links).prop_map(|(first, links)| {
            links.into_iter().fold(first, |text, (operator, term)| text + operator + &term)
        });
        claim.prop_recursive(3, 8, 2, |inner| {
            let connective = prop::sample::select(vec!["and", "or"]);
            prop_oneof![
                3 => (inner.clone(), connective, inner.clone()).prop_map(|(a, word, b)| format!("{a} {word} {b}")),
                1 => inner.clone().prop_map(|a| format!("not {a}")),
                1 => inner.prop_map(|a| format!("({a})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn what_the_first_look_takes_is_what_the_grammar_reads(tokens in tokens()) {
            let text = tokens.concat();
            if let Some(expression) = first_look(&text) {
                prop_assert_eq!(parse(&text), Ok(Statement::Plain(expression)), "{}", text);
            }
            prop_assert_eq!(is_of_integers(&text), first_look(&text).is_some());
        }

        #[test]
        fn every_formula_of_integers_is_read_and_as_the_grammar_does(text in formula()) {
            prop_assert_eq!(first_look(&text).map(Statement::Plain), parse(&text).ok(), "{}", text);
        }
    }

    #[test]
    fn what_is_not_of_integers_is_left_to_the_grammar() {
        for text in [
            "",
            "pi",
            "1.5",
            "1e3",
            "1_000",
            "1 +",
            "(1",
            "1)",
            "1 = 1",
            "2 ** 3",
            "(1 < 2) < 3",
            "1 + (1 < 2)",
            "1 and 2",
            "-(1 == 1)",
            "not 1",
            "(1 == 1)!",
            "gcd(2, 4)",
            "for n in 1..2: 1 == 1",
            "340282366920938463463374607431768211456",
        ] {
            assert_eq!(first_look(text), None, "{text}");
        }
        let nested = |levels: usize| format!("{}1{}", "(".repeat(levels), ")".repeat(levels));
        assert!(first_look(&nested(32)).is_some() && first_look(&nested(33)).is_none());
        let long = |signs: usize| format!("{}1", "1+".repeat(signs));
        assert!(first_look(&long(EXPRESSION_BYTES_MAX / 2 - 1)).is_some());
        assert!(first_look(&long(EXPRESSION_BYTES_MAX / 2)).is_none());
    }
}
