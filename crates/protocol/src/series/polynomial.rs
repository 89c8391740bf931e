//! Polynomials in the index of a series, kept as the products in which they are written.
//!
//! `-(6*k - 5) * (2*k - 1) * (6*k - 1)` says more than its coefficients: whoever sums the series finds common divisors
//! of numerators and denominators by factoring numbers like `6 k - 5`, and not their products.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::SeriesFault;
use crate::{
    expression::{BinaryOperator, Step, parse_value},
    limits::{SERIES_COEFFICIENT_BITS_MAX, SERIES_DEGREE_MAX, SERIES_FACTORS_MAX},
};

/// The name of the index in the text of a polynomial.
pub const INDEX_NAME: &str = "k";

/// `constant * product of factor^power`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Polynomial {
    /// The factor that does not depend on the index.
    pub constant: i128,
    /// The others, each of degree 1 or more.
    pub factors: Vec<Factor>,
}

/// A factor of a [`Polynomial`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// Its coefficients, the constant one first; the last is not zero.
    pub coefficients: Vec<i128>,
    /// How often it occurs, at least once.
    pub power: u8,
}

impl Factor {
    /// Its degree, without the power.
    #[must_use]
    pub fn degree(&self) -> u32 {
        u32::try_from(self.coefficients.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Its value modulo 2^128; what is not zero there is not zero.
    fn wrapping_at(&self, k: u64) -> i128 {
        let k = i128::from(k);
        self.coefficients
            .iter()
            .rev()
            .fold(0, |value: i128, coefficient| value.wrapping_mul(k).wrapping_add(*coefficient))
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.coefficients == [0, 1] {
            f.write_str(INDEX_NAME)?;
        } else {
            f.write_str("(")?;
            for (place, coefficient) in self.coefficients.iter().enumerate() {
                match (place, *coefficient < 0) {
                    (0, true) => write!(f, "-{}", coefficient.unsigned_abs())?,
                    (0, false) => write!(f, "{coefficient}")?,
                    (1, true) => write!(f, " - {}*{INDEX_NAME}", coefficient.unsigned_abs())?,
                    (1, false) => write!(f, " + {coefficient}*{INDEX_NAME}")?,
                    (_, true) => write!(f, " - {}*{INDEX_NAME}^{place}", coefficient.unsigned_abs())?,
                    (_, false) => write!(f, " + {coefficient}*{INDEX_NAME}^{place}")?,
                }
            }
            f.write_str(")")?;
        }
        if self.power > 1 { write!(f, "^{}", self.power) } else { Ok(()) }
    }
}

/// The product as it can be parsed again.
impl fmt::Display for Polynomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.constant)?;
        self.factors.iter().try_for_each(|factor| write!(f, "*{factor}"))
    }
}

impl Polynomial {
    /// The polynomial that is the same everywhere.
    #[must_use]
    pub fn constant(constant: i128) -> Self {
        Self { constant, factors: Vec::new() }
    }

    /// Reads whole numbers and `k`, joined by `+ - * ^` and parentheses.
    ///
    /// # Errors
    /// [`SeriesFault`] when the text is no polynomial with integer coefficients, or is over a bound.
    pub fn parse(text: &str) -> Result<Self, SeriesFault> {
        let expression = parse_value(text, INDEX_NAME)
            .map_err(|error| SeriesFault::Syntax { message: error.to_string() })?;
        let mut stack: Vec<Self> = Vec::new();
        for step in expression.steps() {
            let value = match step {
                Step::Integer(value) => Self::constant(i128::from(*value)),
                Step::Number(number) => Self::constant(whole_number(&number.digits, number.exponent)?),
                Step::Variable => {
                    Self { constant: 1, factors: vec![Factor { coefficients: vec![0, 1], power: 1 }] }
                }
                Step::Negate => {
                    let mut value = stack.pop().ok_or(SeriesFault::NoPolynomial)?;
                    value.constant = value.constant.checked_neg().ok_or(SeriesFault::Coefficient)?;
                    value
                }
                Step::Binary(operator) => {
                    let right = stack.pop().ok_or(SeriesFault::NoPolynomial)?;
                    let left = stack.pop().ok_or(SeriesFault::NoPolynomial)?;
                    left.combined(*operator, right)?
                }
                Step::Constant(_) | Step::Call(_) => return Err(SeriesFault::NoPolynomial),
            };
            stack.push(value);
        }
        let polynomial = stack.pop().ok_or(SeriesFault::NoPolynomial)?;
        polynomial.check()?;
        Ok(polynomial)
    }

    fn combined(self, operator: BinaryOperator, right: Self) -> Result<Self, SeriesFault> {
        match operator {
            BinaryOperator::Add => self.plus(&right, 1),
            BinaryOperator::Subtract => self.plus(&right, -1),
            BinaryOperator::Multiply => self.times(right),
            BinaryOperator::Power if right.factors.is_empty() => self.powered(right.constant),
            _ => Err(SeriesFault::NoPolynomial),
        }
    }

    fn plus(&self, right: &Self, sign: i128) -> Result<Self, SeriesFault> {
        let (mut sum, right) = (self.expanded()?, right.expanded()?);
        sum.resize(sum.len().max(right.len()), 0);
        for (left, right) in sum.iter_mut().zip(&right) {
            let addend = right.checked_mul(sign).ok_or(SeriesFault::Coefficient)?;
            *left = left.checked_add(addend).ok_or(SeriesFault::Coefficient)?;
        }
        while sum.len() > 1 && sum.last() == Some(&0) {
            sum.pop();
        }
        Ok(match &sum[..] {
            [] => Self::constant(0),
            [constant] => Self::constant(*constant),
            _ => Self { constant: 1, factors: vec![Factor { coefficients: sum, power: 1 }] },
        })
    }

    fn times(mut self, right: Self) -> Result<Self, SeriesFault> {
        self.constant = self.constant.checked_mul(right.constant).ok_or(SeriesFault::Coefficient)?;
        for factor in right.factors {
            match self.factors.iter_mut().find(|known| known.coefficients == factor.coefficients) {
                Some(known) => {
                    known.power = known.power.checked_add(factor.power).ok_or(SeriesFault::Degree)?;
                }
                None => self.factors.push(factor),
            }
        }
        if self.factors.len() > SERIES_FACTORS_MAX || self.degree() > SERIES_DEGREE_MAX {
            return Err(SeriesFault::Degree);
        }
        Ok(self)
    }

    fn powered(mut self, exponent: i128) -> Result<Self, SeriesFault> {
        let exponent = u32::try_from(exponent).map_err(|_| SeriesFault::NoPolynomial)?;
        if exponent == 0 {
            return Ok(Self::constant(1));
        }
        self.constant = self.constant.checked_pow(exponent).ok_or(SeriesFault::Coefficient)?;
        for factor in &mut self.factors {
            let power = u32::from(factor.power).checked_mul(exponent).ok_or(SeriesFault::Degree)?;
            factor.power = u8::try_from(power).map_err(|_| SeriesFault::Degree)?;
        }
        if self.degree() > SERIES_DEGREE_MAX { Err(SeriesFault::Degree) } else { Ok(self) }
    }

    /// The coefficients, the constant one first.
    ///
    /// # Errors
    /// [`SeriesFault::Coefficient`] where one does not fit 127 bits.
    pub fn expanded(&self) -> Result<Vec<i128>, SeriesFault> {
        let mut product = vec![self.constant];
        for factor in &self.factors {
            for _ in 0..factor.power {
                let mut next = vec![0_i128; product.len() + factor.coefficients.len() - 1];
                for (place, left) in product.iter().enumerate() {
                    for (other, right) in factor.coefficients.iter().enumerate() {
                        let term = left.checked_mul(*right).ok_or(SeriesFault::Coefficient)?;
                        let sum = next[place + other].checked_add(term);
                        next[place + other] = sum.ok_or(SeriesFault::Coefficient)?;
                    }
                }
                product = next;
            }
        }
        Ok(product)
    }

    /// The degree; 0 for the zero polynomial as well.
    #[must_use]
    pub fn degree(&self) -> u32 {
        let degrees = self.factors.iter().map(|factor| factor.degree().saturating_mul(factor.power.into()));
        degrees.fold(0, u32::saturating_add)
    }

    /// Whether it is 1 everywhere.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.constant == 1 && self.factors.is_empty()
    }

    /// Whether it is 0 everywhere.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.constant == 0
    }

    /// Whether its value at `k` is certainly not zero; what is zero modulo 2^128 counts as zero.
    #[must_use]
    pub fn is_not_zero_at(&self, k: u64) -> bool {
        self.constant != 0 && self.factors.iter().all(|factor| factor.wrapping_at(k) != 0)
    }

    /// Checks every bound: what came over the wire was never parsed.
    ///
    /// # Errors
    /// [`SeriesFault::Degree`] and [`SeriesFault::Coefficient`].
    pub fn check(&self) -> Result<(), SeriesFault> {
        let is_small = |coefficient: &i128| {
            i128::BITS - coefficient.unsigned_abs().leading_zeros() <= SERIES_COEFFICIENT_BITS_MAX
        };
        let degree_max = SERIES_DEGREE_MAX as usize;
        if self.factors.len() > SERIES_FACTORS_MAX {
            return Err(SeriesFault::Degree);
        }
        for Factor { coefficients, power } in &self.factors {
            if !(2..=degree_max + 1).contains(&coefficients.len()) || *power == 0 {
                return Err(SeriesFault::Degree);
            }
            if coefficients.last() == Some(&0) || !coefficients.iter().all(is_small) {
                return Err(SeriesFault::Coefficient);
            }
        }
        if self.degree() > SERIES_DEGREE_MAX {
            return Err(SeriesFault::Degree);
        }
        if is_small(&self.constant) { Ok(()) } else { Err(SeriesFault::Coefficient) }
    }
}

/// A whole number as it was written.
pub(super) fn whole_number(digits: &str, exponent: i64) -> Result<i128, SeriesFault> {
    let number: i128 = digits.parse().map_err(|_| SeriesFault::Coefficient)?;
    if number == 0 {
        return Ok(0);
    }
    let exponent = u32::try_from(exponent).map_err(|_| SeriesFault::NoPolynomial)?;
    10_i128.checked_pow(exponent).and_then(|power| number.checked_mul(power)).ok_or(SeriesFault::Coefficient)
}
