//! Functions of exact arguments: those of number theory, which are exact or nothing, and the special cases in which
//! an elementary function has a rational value that people expect to see.

use protocol::{expression::Function, limits::ROOT_DEGREE_MAX, outcome::RefusalKind};
use rug::{Complete, Float, Integer, Rational, ops::Pow};

use super::{
    exact::perfect_root,
    work::{
        Stop, Work, bits, check_bits, gcd_units, integer_bits, linear_units, product_units, refuse, shown,
    },
};

/// Applies a function to exact arguments; `None` where the value is not a rational, or is not known to be one.
pub(super) fn call(
    work: &mut Work<'_>,
    function: Function,
    arguments: &[Rational],
) -> Result<Option<Rational>, Stop> {
    match (function, arguments) {
        (Function::Abs, [x]) => Ok(Some(x.abs_ref().complete())),
        (Function::Floor, [x]) => {
            work.charge(product_units(bits(x)))?;
            Ok(Some(x.floor_ref().complete()))
        }
        (Function::Ceil, [x]) => {
            work.charge(product_units(bits(x)))?;
            Ok(Some(x.ceil_ref().complete()))
        }
        (Function::Sqrt, [x]) => root(work, function, x, 2),
        (Function::Root, [x, degree]) => {
            let degree = root_degree(degree)?;
            root(work, function, x, degree)
        }
        (Function::Ln | Function::Log10 | Function::LogBase, [x, base @ ..]) => {
            logarithm(work, function, x, base.first())
        }
        (Function::Gcd | Function::Lcm, [a, b]) => {
            let (a, b) = (integer(function, a)?, integer(function, b)?);
            if function == Function::Gcd { gcd(work, a, b) } else { lcm(work, a, b) }
                .map(|value| Some(value.into()))
        }
        (Function::Factorial, [n]) => factorial(work, integer(function, n)?).map(|value| Some(value.into())),
        (Function::Fib, [n]) => fibonacci(work, integer(function, n)?).map(|value| Some(value.into())),
        (Function::Binomial, [n, k]) => {
            binomial(work, integer(function, n)?, integer(function, k)?).map(|value| Some(value.into()))
        }
        (Function::PowMod, [base, exponent, modulus]) => {
            let (base, exponent) = (integer(function, base)?, integer(function, exponent)?);
            power_modulo(work, base, exponent, integer(function, modulus)?).map(|value| Some(value.into()))
        }
        (Function::Zeta, [n]) => zeta_argument(n).map(|_| None),
        (_, [x]) => special_value(function, x),
        // The parser has counted the arguments.
        _ => {
            Err(refuse(RefusalKind::Type, format!("`{}` has the wrong number of arguments", function.name())))
        }
    }
}

/// The integer that an argument must be.
fn integer(function: Function, argument: &Rational) -> Result<&Integer, Stop> {
    if *argument.denom() == 1 {
        return Ok(argument.numer());
    }
    let message = format!(
        "`{}` needs integers, but got {}; round it with floor or ceil",
        function.name(),
        shown(argument)
    );
    Err(refuse(RefusalKind::Type, message))
}

fn undefined(message: String) -> Stop {
    refuse(RefusalKind::Undefined, message)
}

/// The degree of `root(x, n)`.
pub(super) fn root_degree(degree: &Rational) -> Result<u32, Stop> {
    let degree = integer(Function::Root, degree)?;
    match degree.to_u32() {
        Some(degree @ 1..=ROOT_DEGREE_MAX) => Ok(degree),
        _ => Err(undefined(format!(
            "`root` needs a degree from 1 to {ROOT_DEGREE_MAX}, but got {}; use one of those",
            shown(&degree.into())
        ))),
    }
}

/// The argument of `zeta(n)`.
pub(super) fn zeta_argument(n: &Rational) -> Result<u32, Stop> {
    match integer(Function::Zeta, n)?.to_u32() {
        Some(n) if n >= 2 => Ok(n),
        _ => {
            let message = format!("`zeta` needs an integer from 2 to {}, but got {}", u32::MAX, shown(n));
            Err(undefined(message))
        }
    }
}

fn root(
    work: &mut Work<'_>,
    function: Function,
    x: &Rational,
    degree: u32,
) -> Result<Option<Rational>, Stop> {
    if *x < 0 && degree.is_multiple_of(2) {
        let message = format!("`{}` of the negative number {} is not real", function.name(), shown(x));
        return Err(undefined(message));
    }
    perfect_root(work, x, degree)
}

/// A logarithm that is an integer: ln(1), log(1000), log(1/8, 2).
fn logarithm(
    work: &mut Work<'_>,
    function: Function,
    x: &Rational,
    base: Option<&Rational>,
) -> Result<Option<Rational>, Stop> {
    if *x <= 0 {
        let message =
            format!("`{}` of {} is not defined; its argument must be positive", function.name(), shown(x));
        return Err(undefined(message));
    }
    if let Some(base) = base
        && (*base <= 0 || *base == 1)
    {
        let message =
            format!("`log` to base {} is not defined; the base must be positive and not 1", shown(base));
        return Err(undefined(message));
    }
    if *x == 1 {
        return Ok(Some(Rational::new()));
    }
    if function == Function::Ln {
        return Ok(None);
    }
    let base = base.cloned().unwrap_or_else(|| Rational::from(10));
    // Both above 1: log(1/x) = -log(x), and a base below 1 turns the sign again.
    let is_negative = (*x < 1) != (base < 1);
    let x = if *x < 1 { x.recip_ref().complete() } else { x.clone() };
    let base = if base < 1 { base.recip() } else { base };
    let Some(exponent) = integer_logarithm(work, &x, &base)? else { return Ok(None) };
    let exponent = Rational::from(exponent);
    Ok(Some(if is_negative { -exponent } else { exponent }))
}

/// The k with base^k = x, both above 1, where there is one: the nearest integer to the quotient of the logarithms is
/// the only candidate, and is tried exactly.
fn integer_logarithm(work: &mut Work<'_>, x: &Rational, base: &Rational) -> Result<Option<u32>, Stop> {
    const PRECISION_BITS: u32 = 128;
    let quotient =
        Float::with_val(PRECISION_BITS, x.numer()).ln() / Float::with_val(PRECISION_BITS, base.numer()).ln();
    let candidate = quotient.round();
    let Some(candidate) = candidate.to_integer().and_then(|candidate| candidate.to_u32()) else {
        return Ok(None);
    };
    let size = u64::from(candidate).saturating_mul(bits(base));
    work.charge(linear_units(bits(x)) + 3 * product_units(size))?;
    Ok((Rational::from(base.pow(candidate)) == *x).then_some(candidate))
}

fn gcd(work: &mut Work<'_>, a: &Integer, b: &Integer) -> Result<Integer, Stop> {
    work.charge(gcd_units(integer_bits(a).max(integer_bits(b))))?;
    Ok(a.gcd_ref(b).complete())
}

fn lcm(work: &mut Work<'_>, a: &Integer, b: &Integer) -> Result<Integer, Stop> {
    let size = integer_bits(a) + integer_bits(b);
    check_bits(u128::from(size), || format!("`lcm({}, {})`", shown(&a.into()), shown(&b.into())))?;
    work.charge(gcd_units(integer_bits(a).max(integer_bits(b))) + 3 * product_units(size))?;
    Ok(a.lcm_ref(b).complete())
}

fn factorial(work: &mut Work<'_>, n: &Integer) -> Result<Integer, Stop> {
    let name = || format!("`{}!`", shown(&n.into()));
    if *n < 0 {
        return Err(undefined(format!("{} is not defined for a negative number", name())));
    }
    // n! < n^n / 2^n for n above 6, by Stirling; below that it is checked by hand.
    let digits = u128::from(integer_bits(n).max(1) - 1);
    let size = n.to_u64().map_or(u128::from(u64::MAX), |n| u128::from(n) * digits + 1);
    check_bits(size, name)?;
    let (Some(n), Ok(size)) = (n.to_u32(), u64::try_from(size)) else {
        return Err(refuse(RefusalKind::Size, format!("{} is too large", name())));
    };
    work.charge(8 * product_units(size))?;
    Ok(Integer::factorial(n).complete())
}

fn fibonacci(work: &mut Work<'_>, n: &Integer) -> Result<Integer, Stop> {
    let name = || format!("`fib({})`", shown(&n.into()));
    if *n < 0 {
        return Err(undefined(format!("{} is not defined for a negative number", name())));
    }
    // log2 of the golden ratio is 0.6942…
    let size = n.to_u64().map_or(u128::from(u64::MAX), |n| u128::from(n) * 7 / 10 + 2);
    check_bits(size, name)?;
    let (Some(n), Ok(size)) = (n.to_u32(), u64::try_from(size)) else {
        return Err(refuse(RefusalKind::Size, format!("{} is too large", name())));
    };
    work.charge(6 * product_units(size))?;
    Ok(Integer::fibonacci(n).complete())
}

/// Zero where k is above n, as for subsets.
fn binomial(work: &mut Work<'_>, n: &Integer, k: &Integer) -> Result<Integer, Stop> {
    let name = || format!("`binomial({}, {})`", shown(&n.into()), shown(&k.into()));
    if *n < 0 || *k < 0 {
        return Err(undefined(format!("{} is not defined for negative numbers", name())));
    }
    if k > n {
        return Ok(Integer::new());
    }
    let other = Integer::from(n - k);
    let k = if other < *k { &other } else { k };
    if k.is_zero() {
        return Ok(Integer::from(1));
    }
    // C(n, k) is below 2^n and below (e * n / k)^k.
    let per_factor = u128::from(integer_bits(n) - integer_bits(k) + 3);
    let by_factors = k.to_u64().map_or(u128::MAX, |k| u128::from(k) * per_factor);
    let size = by_factors.min(n.to_u64().map_or(u128::MAX, u128::from)).min(u128::from(u64::MAX));
    check_bits(size, name)?;
    let (Some(k), Ok(size)) = (k.to_u32(), u64::try_from(size)) else {
        return Err(refuse(RefusalKind::Size, format!("{} is too large", name())));
    };
    match n.to_u32() {
        // GMP sieves the prime factors of the result.
        Some(n) if k > n / 16 => {
            work.charge(20 * u64::from(n) + 8 * product_units(size))?;
            Ok(Integer::binomial_u(n, k).complete())
        }
        // A quotient of two products of k factors; GMP's way for two small numbers would be quadratic in them.
        _ => {
            work.charge(1_000 * u64::from(k) + 12 * product_units(size))?;
            Ok(n.binomial_ref(k).complete())
        }
    }
}

fn power_modulo(
    work: &mut Work<'_>,
    base: &Integer,
    exponent: &Integer,
    modulus: &Integer,
) -> Result<Integer, Stop> {
    if *modulus <= 0 {
        let message = format!("`powmod` needs a positive modulus, but got {}", shown(&modulus.into()));
        return Err(undefined(message));
    }
    let size = integer_bits(modulus);
    work.charge(2 * product_units(integer_bits(base).max(size)) + gcd_units(size))?;
    work.charge((integer_bits(exponent) + 1).saturating_mul(3 * product_units(size)))?;
    match base.pow_mod_ref(exponent, modulus) {
        // A negative exponent may give the inverse with either sign.
        Some(power) => Ok(power.complete().modulo(modulus)),
        None => Err(undefined(format!(
            "`powmod` with the negative exponent {} needs a base that has an inverse modulo {}",
            shown(&exponent.into()),
            shown(&modulus.into())
        ))),
    }
}

/// The arguments at which an elementary function has a rational value: 0 for most, 1 for acos.
fn special_value(function: Function, x: &Rational) -> Result<Option<Rational>, Stop> {
    if matches!(function, Function::Asin | Function::Acos) && x.cmp_abs(&Rational::from(1)).is_gt() {
        let message = format!("`{}` of {} is not defined; it takes -1 to 1", function.name(), shown(x));
        return Err(undefined(message));
    }
    let value = match function {
        Function::Exp | Function::Cos | Function::Cosh if x.is_zero() => 1,
        Function::Sin | Function::Tan | Function::Asin | Function::Atan | Function::Sinh | Function::Tanh
            if x.is_zero() =>
        {
            0
        }
        Function::Acos if *x == 1 => 0,
        _ => return Ok(None),
    };
    Ok(Some(Rational::from(value)))
}
