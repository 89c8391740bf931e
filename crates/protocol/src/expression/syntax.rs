//! What an expression is once it is parsed: two flat lists, never a tree of boxes.
//!
//! Arithmetic is a list of [`Step`]s in postfix order, so that whoever evaluates it needs a stack of values and no
//! recursion, and a sum of ten thousand terms is as harmless to evaluate and to drop as a sum of two. Truth is a list
//! of [`Formula`]s over stretches of those steps; `and`, `or` and `not` point back at earlier formulas. That arithmetic
//! and truth never mix (`(1 < 2) + 3`) is settled here, by the types.

use std::ops::Range;

/// What a text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// One expression.
    Plain(Expression),
    /// One expression for every value of a variable.
    Range(RangeStatement),
}

/// `for VARIABLE in FIRST..=LAST: BODY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeStatement {
    /// The variable's name.
    pub variable: String,
    /// The first value.
    pub first: i128,
    /// The last value, included, not below `first`.
    pub last: i128,
    /// Where the body stands in the text.
    pub body_span: Range<usize>,
    /// The body, which always is a formula.
    pub body: Expression,
}

/// A parsed expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    pub(super) steps: Vec<Step>,
    pub(super) formulas: Vec<Formula>,
}

impl Expression {
    /// The arithmetic, in postfix order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The formulas, operands before operators; the last is the whole. Empty where the expression is a value.
    #[must_use]
    pub fn formulas(&self) -> &[Formula] {
        &self.formulas
    }

    /// Whether the expression is a value and not a claim: it holds no comparison.
    #[must_use]
    pub fn is_value(&self) -> bool {
        self.formulas.is_empty()
    }

    /// The steps of one term.
    #[must_use]
    pub fn term(&self, term: Term) -> &[Step] {
        &self.steps[term.first as usize..term.end as usize]
    }

    /// Whether the variable of a range occurs.
    #[must_use]
    pub fn uses_variable(&self) -> bool {
        self.steps.contains(&Step::Variable)
    }
}

/// A stretch of steps that leaves exactly one value on the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Its first step.
    pub first: u32,
    /// One past its last step.
    pub end: u32,
}

/// One step of arithmetic; operands are taken from the stack, the result goes onto it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A small integer.
    Integer(u64),
    /// Any other number.
    Number(Box<Number>),
    /// A named constant.
    Constant(NamedConstant),
    /// The variable of the range.
    Variable,
    /// Unary minus.
    Negate,
    /// An operator between two values.
    Binary(BinaryOperator),
    /// A function of as many values as [`Function::arity`] says.
    Call(Function),
}

/// A number as it was written: `digits` times ten to the power `exponent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// Decimal digits without separators and without leading zeros; at least one.
    pub digits: String,
    /// The power of ten, saturated at the ends of its type.
    pub exponent: i64,
}

/// A constant that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamedConstant {
    /// The circle's circumference over its diameter.
    Pi,
    /// The base of the natural logarithm.
    E,
    /// The golden ratio.
    Phi,
    /// The natural logarithm of 2.
    Ln2,
    /// Catalan's constant.
    Catalan,
    /// Euler's constant.
    EulerGamma,
}

impl NamedConstant {
    /// Every constant.
    pub const ALL: [Self; 6] = [Self::Pi, Self::E, Self::Phi, Self::Ln2, Self::Catalan, Self::EulerGamma];

    /// Its name in the language.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pi => "pi",
            Self::E => "e",
            Self::Phi => "phi",
            Self::Ln2 => "ln2",
            Self::Catalan => "catalan",
            Self::EulerGamma => "euler_gamma",
        }
    }
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOperator {
    /// `a + b`
    Add,
    /// `a - b`
    Subtract,
    /// `a * b`
    Multiply,
    /// `a / b`, exact
    Divide,
    /// `a // b`, the floor of the quotient
    FloorDivide,
    /// `a % b`, which is `a - b * (a // b)`: it has the sign of `b`
    Modulo,
    /// `a ^ b`
    Power,
}

impl BinaryOperator {
    /// How it is written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Modulo => "%",
            Self::Power => "^",
        }
    }
}

/// A function of numbers whose value is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// Square root.
    Sqrt,
    /// `root(x, n)`: the n-th root of x.
    Root,
    /// Exponential function.
    Exp,
    /// Natural logarithm.
    Ln,
    /// `log(x)`: logarithm to base 10.
    Log10,
    /// `log(x, b)`: logarithm to base b.
    LogBase,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Tangent.
    Tan,
    /// Inverse sine.
    Asin,
    /// Inverse cosine.
    Acos,
    /// Inverse tangent.
    Atan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Hyperbolic tangent.
    Tanh,
    /// Absolute value.
    Abs,
    /// The largest integer not above.
    Floor,
    /// The smallest integer not below.
    Ceil,
    /// Greatest common divisor (of two; `gcd(a, b, c)` is two calls).
    Gcd,
    /// Least common multiple (of two; `lcm(a, b, c)` is two calls).
    Lcm,
    /// `factorial(n)` and `n!`.
    Factorial,
    /// `binomial(n, k)`.
    Binomial,
    /// `powmod(a, b, m)`: a to the power b modulo m.
    PowMod,
    /// The n-th Fibonacci number.
    Fib,
    /// Riemann's zeta function at an integer from 2 up.
    Zeta,
}

impl Function {
    /// How many values it takes from the stack.
    #[must_use]
    pub fn arity(self) -> usize {
        match self {
            Self::PowMod => 3,
            Self::Root | Self::LogBase | Self::Gcd | Self::Lcm | Self::Binomial => 2,
            _ => 1,
        }
    }

    /// Its name in the language.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqrt => "sqrt",
            Self::Root => "root",
            Self::Exp => "exp",
            Self::Ln => "ln",
            Self::Log10 | Self::LogBase => "log",
            Self::Sin => "sin",
            Self::Cos => "cos",
            Self::Tan => "tan",
            Self::Asin => "asin",
            Self::Acos => "acos",
            Self::Atan => "atan",
            Self::Sinh => "sinh",
            Self::Cosh => "cosh",
            Self::Tanh => "tanh",
            Self::Abs => "abs",
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::Gcd => "gcd",
            Self::Lcm => "lcm",
            Self::Factorial => "factorial",
            Self::Binomial => "binomial",
            Self::PowMod => "powmod",
            Self::Fib => "fib",
            Self::Zeta => "zeta",
        }
    }
}

/// Something that is true or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formula {
    /// Two terms compared.
    Compare {
        /// How.
        operator: Comparison,
        /// The left side.
        left: Term,
        /// The right side.
        right: Term,
    },
    /// Whether an integer is prime.
    IsPrime(Term),
    /// The opposite of an earlier formula.
    Not(u32),
    /// Both of two earlier formulas; the right is looked at only if the left is not false.
    And(u32, u32),
    /// One of two earlier formulas; the right is looked at only if the left is not true.
    Or(u32, u32),
}

/// How two terms are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Whether two sides that stand in this order satisfy the comparison.
    #[must_use]
    pub fn accepts(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}
