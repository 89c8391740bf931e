//! The elementary functions of intervals.
//!
//! Monotone functions take their ends to ends. Sine and cosine take the middle, and widen it by the radius: neither
//! changes faster than its argument.

use protocol::{expression::Function, limits::TRIGONOMETRIC_BITS_MAX};
use rug::{Float, float::Round};

use super::interval::{Interval, Side, Trouble};

type Result<T> = std::result::Result<T, Trouble>;

/// Applies a function of one argument; `degree` is that of a root.
pub(super) fn apply(function: Function, degree: u32, x: Interval) -> Result<Interval> {
    match function {
        Function::Abs => Ok(x.absolute()),
        Function::Sqrt | Function::Root => root(degree, x),
        Function::Exp => Ok(rising(x, |end, round| {
            end.exp_round(round);
        })),
        Function::Ln | Function::Log10 => {
            let x = positive(x)?;
            Ok(rising(x, |end, round| {
                if function == Function::Ln {
                    end.ln_round(round)
                } else {
                    end.log10_round(round)
                };
            }))
        }
        Function::Sin | Function::Cos | Function::Tan => trigonometric(function, &x),
        Function::Asin | Function::Acos => inverse_trigonometric(function, x),
        Function::Atan => Ok(rising(x, |end, round| {
            end.atan_round(round);
        })),
        Function::Sinh => Ok(rising(x, |end, round| {
            end.sinh_round(round);
        })),
        Function::Tanh => Ok(rising(x, |end, round| {
            end.tanh_round(round);
        })),
        Function::Cosh => Ok(rising(x.absolute(), |end, round| {
            end.cosh_round(round);
        })),
        _ => Err(Trouble::Undefined("a function of exact arguments got one that is not")),
    }
}

/// A power with any exponent, of a positive base.
pub(super) fn power(base: Interval, exponent: &Interval) -> Result<Interval> {
    let logarithm = apply(Function::Ln, 0, base)?.checked()?;
    apply(Function::Exp, 0, logarithm.product(exponent).checked()?)
}

/// A logarithm to a base.
pub(super) fn logarithm(x: Interval, base: Interval) -> Result<Interval> {
    apply(Function::Ln, 0, x)?.quotient(&apply(Function::Ln, 0, base)?)
}

fn rising(mut x: Interval, function: impl Fn(&mut Float, Round)) -> Interval {
    function(&mut x.low, Round::Down);
    function(&mut x.high, Round::Up);
    x
}

fn positive(x: Interval) -> Result<Interval> {
    match x.side() {
        Side::Positive => Ok(x),
        Side::Negative => Err(Trouble::Undefined("a logarithm or power of a negative number")),
        Side::AroundZero => {
            Err(Trouble::Unclear("a logarithm or power of a number that cannot be told from zero"))
        }
    }
}

fn root(degree: u32, x: Interval) -> Result<Interval> {
    if degree.is_multiple_of(2) {
        match x.side() {
            Side::Negative => return Err(Trouble::Undefined("an even root of a negative number")),
            Side::AroundZero if x.low < 0 => {
                return Err(Trouble::Unclear("an even root of a number that cannot be told from zero"));
            }
            _ => {}
        }
    }
    Ok(rising(x, |end, round| {
        if degree == 2 {
            end.sqrt_round(round)
        } else {
            end.root_round(degree, round)
        };
    }))
}

/// Sine, cosine or tangent.
fn trigonometric(function: Function, x: &Interval) -> Result<Interval> {
    let is_large = |end: &Float| {
        end.get_exp().is_some_and(|exponent| i64::from(exponent) > i64::from(TRIGONOMETRIC_BITS_MAX))
    };
    if is_large(&x.low) || is_large(&x.high) {
        return Err(if x.least_exponent() > TRIGONOMETRIC_BITS_MAX {
            Trouble::Huge("the argument of sin, cos or tan is above 2^1024")
        } else {
            Trouble::Unclear("an argument of sin, cos or tan whose size cannot be told")
        });
    }
    if function == Function::Tan {
        return trigonometric(Function::Sin, x)?.quotient(&trigonometric(Function::Cos, x)?);
    }
    let bits = x.bits();
    let middle = Float::with_val(bits, &x.low + &x.high) / 2_u32;
    let above = Float::with_val_round(bits, &x.high - &middle, Round::Up).0;
    let below = Float::with_val_round(bits, &middle - &x.low, Round::Up).0;
    let radius = if above > below { above } else { below };
    let end = |round: Round| {
        let mut value = middle.clone();
        if function == Function::Sin {
            value.sin_round(round)
        } else {
            value.cos_round(round)
        };
        value
    };
    let low = Float::with_val_round(bits, end(Round::Down) - &radius, Round::Down).0;
    let high = Float::with_val_round(bits, end(Round::Up) + &radius, Round::Up).0;
    Ok(Interval {
        low: if low < -1 { Float::with_val(bits, -1) } else { low },
        high: if high > 1 { Float::with_val(bits, 1) } else { high },
    })
}

fn inverse_trigonometric(function: Function, x: Interval) -> Result<Interval> {
    if x.low > 1 || x.high < -1 {
        return Err(Trouble::Undefined("asin or acos of a number outside -1 to 1"));
    }
    if x.low < -1 || x.high > 1 {
        return Err(Trouble::Unclear("asin or acos of a number that cannot be told from -1 or 1"));
    }
    if function == Function::Asin {
        return Ok(rising(x, |end, round| {
            end.asin_round(round);
        }));
    }
    let (mut low, mut high) = (x.high, x.low);
    low.acos_round(Round::Down);
    high.acos_round(Round::Up);
    Ok(Interval { low, high })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rug::Rational;

    use super::*;

    const BITS: u32 = 64;
    const MANY_BITS: u32 = 400;

    /// Every function, with the value that MPFR has for it to many more digits, rounded to nearest.
    fn reference(function: Function, x: &Float) -> Float {
        let x = x.clone();
        match function {
            Function::Sqrt => x.sqrt(),
            Function::Root => x.root(5),
            Function::Exp => x.exp(),
            Function::Ln => x.ln(),
            Function::Log10 => x.log10(),
            Function::Sin => x.sin(),
            Function::Cos => x.cos(),
            Function::Tan => x.tan(),
            Function::Asin => x.asin(),
            Function::Acos => x.acos(),
            Function::Atan => x.atan(),
            Function::Sinh => x.sinh(),
            Function::Cosh => x.cosh(),
            Function::Tanh => x.tanh(),
            Function::Abs => x.abs(),
            other => panic!("{other:?}"),
        }
    }

    const ALL: [Function; 15] = [
        Function::Sqrt,
        Function::Root,
        Function::Exp,
        Function::Ln,
        Function::Log10,
        Function::Sin,
        Function::Cos,
        Function::Tan,
        Function::Asin,
        Function::Acos,
        Function::Atan,
        Function::Sinh,
        Function::Cosh,
        Function::Tanh,
        Function::Abs,
    ];

    proptest! {
        #[test]
        fn the_interval_holds_the_value_of_every_point_inside(
            function in prop::sample::select(ALL.to_vec()),
            numerator in -4000_i64..4000,
            denominator in 1_i64..1000,
            width in 0_u32..1000,
            inside in 0_u32..=1000,
        ) {
            let low = Rational::from((numerator, denominator));
            let high = &low + Rational::from((width, 100_000));
            let point = &low + Rational::from(&high - &low) * Rational::from((inside, 1000));
            let x = Interval {
                low: Float::with_val_round(BITS, &low, Round::Down).0,
                high: Float::with_val_round(BITS, &high, Round::Up).0,
            };
            let degree = if function == Function::Sqrt { 2 } else { 5 };
            if let Ok(y) = apply(function, degree, x) {
                let value = reference(function, &Float::with_val(MANY_BITS, &point));
                prop_assert!(y.low <= value && value <= y.high, "{:?}({}) = {} not in {:?}", function, point, value, y);
            }
        }

        #[test]
        fn arithmetic_holds_the_result_for_every_pair_inside(
            ends in prop::array::uniform4(-50_i32..50),
            inside in prop::array::uniform2(0_u32..=10),
            exponent in -5_i32..6,
        ) {
            let interval = |a: i32, b: i32| Interval {
                low: Float::with_val(BITS, a.min(b)),
                high: Float::with_val(BITS, a.max(b)),
            };
            let point = |x: &Interval, part: u32| {
                Float::with_val(MANY_BITS, &x.high - &x.low) * part / 10_u32 + &x.low
            };
            let (x, y) = (interval(ends[0], ends[1]), interval(ends[2], ends[3]));
            let (a, b) = (point(&x, inside[0]), point(&y, inside[1]));
            let holds = |z: &Interval, value: &Float| z.low <= *value && *value <= z.high;
            prop_assert!(holds(&x.sum(&y), &Float::with_val(MANY_BITS, &a + &b)));
            prop_assert!(holds(&x.difference(&y), &Float::with_val(MANY_BITS, &a - &b)));
            prop_assert!(holds(&x.product(&y), &Float::with_val(MANY_BITS, &a * &b)));
            if let Ok(z) = x.quotient(&y) {
                prop_assert!(z.low <= Float::with_val(MANY_BITS, &a / &b) && Float::with_val(BITS, &a / &b) <= z.high);
            }
            if let Ok(z) = x.clone().integer_power(&exponent.into()) {
                let power = Float::with_val(MANY_BITS, rug::ops::Pow::pow(&a, exponent));
                prop_assert!(power.is_nan() || z.low <= Float::with_val(BITS, &power) && Float::with_val(BITS, &power) <= z.high);
            }
        }
    }

    #[test]
    fn more_bits_make_the_interval_narrower() {
        for function in ALL {
            let width = |bits: u32| {
                let x = Interval::of_rational(bits, &Rational::from((2, 3)));
                let y = apply(function, 5, x).unwrap();
                Float::with_val(bits, &y.high - &y.low)
            };
            assert!(width(512) < Float::with_val(64, 1) >> 480, "{function:?}");
        }
    }
}
