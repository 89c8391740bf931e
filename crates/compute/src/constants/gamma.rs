//! The lemniscate constant and the gamma function at 1/3 and 1/4: each once by the arithmetic-geometric mean, and once by
//! series that need none.

use protocol::series::{Factor, Hypergeometric, Polynomial, Ratio, SeriesFormula, Summand};
use rayon::join;

use super::{
    DigitsError,
    fixed::{Fixed, Reals},
    formula, mean, table,
};

/// The lemniscate constant `2.622…` as `pi / M(1, sqrt(2))`, M being the arithmetic-geometric mean (Gauss, 1799).
pub(super) fn lemniscate_by_mean(reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    let control = reals.checks.control();
    let (pi, mean) = join(
        || formula::value(&table::chudnovsky()?, reals),
        || {
            control.phase("iteration", || {
                let root = reals.square_root(&reals.integer(2)?)?;
                Ok::<_, DigitsError>(mean::mean(&root, &reals.integer(1)?, reals)?)
            })
        },
    );
    let lemniscate = reals.quotient(&pi?, &mean?)?;
    control.set_permille(860);
    Ok(lemniscate)
}

/// The lemniscate constant as a sum of lengths of arcs: `4 arcsl(1/2) + 2 arcsl(7/23)` (Gauss; Todd, "The lemniscate
/// constants", 1975), where
///
/// ```text
/// arcsl(x) = x (1 + sum over k >= 1 of x^(4k) / (4k + 1) * product over j <= k of (2j - 1) / (2j))
/// ```
pub(super) fn lemniscate_arcs() -> SeriesFormula {
    let arc = |times: i64, above: i128, below: u64| {
        let linear = |constant, slope| Factor { coefficients: vec![constant, slope], power: 1 };
        let series = Hypergeometric {
            first: 1,
            plus: 1,
            p: Polynomial { constant: above.pow(4), factors: vec![linear(-1, 2)] },
            q: Polynomial { constant: 2 * i128::from(below).pow(4), factors: vec![linear(0, 1)] },
            a: Polynomial::constant(1),
            b: Polynomial { constant: 1, factors: vec![linear(1, 4)] },
        };
        Summand { times: Ratio { numerator: times, denominator: below }, series }
    };
    SeriesFormula::sum_of(vec![arc(4, 1, 2), arc(14, 7, 23)])
}

/// `Gamma(1/4) = sqrt(2 L sqrt(2 pi))` with L the lemniscate constant by its mean.
pub(super) fn quarter_by_mean(reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    let control = reals.checks.control();
    let (pi, mean) = join(
        || formula::value(&table::chudnovsky()?, reals),
        || {
            let root = reals.square_root(&reals.integer(2)?)?;
            Ok::<_, DigitsError>(mean::mean(&root, &reals.integer(1)?, reals)?)
        },
    );
    let (pi, mean) = (pi?, mean?);
    control.phase("roots", || {
        let (lemniscate, root) =
            join(|| reals.quotient(&pi, &mean), || reals.square_root(&reals.scaled(&pi, 1)?));
        let value = reals.square_root(&reals.scaled(&reals.product(&lemniscate?, &root?)?, 1)?)?;
        control.set_permille(860);
        Ok(value)
    })
}

/// `Gamma(1/4)^4 = 32 pi^3 / sqrt(33) * sum over k >= 0 of (6k)! / ((3k)! k!^3 66^(3k))` (Brown, "Algorithms for period
/// matrices and the gamma function", 2009), with pi by Ramanujan's series.
pub(super) fn quarter_by_series(reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    let control = reals.checks.control();
    let (pi, sum) = join(
        || formula::value(&table::ramanujan()?, reals),
        || formula::value(&table::brown_quarter()?, reals),
    );
    let (pi, sum) = (pi?, sum?);
    control.phase("roots", || {
        // 1 / sqrt(33) = sqrt(33) / 33.
        let (cube, root) =
            join(|| reals.product(&reals.square(&pi)?, &pi), || reals.square_root(&reals.integer(33)?));
        let fourth = reals.product(&reals.product(&cube?, &sum)?, &root?)?;
        let value = reals.square_root(&reals.square_root(&reals.times(&fourth, 32, 33)?)?)?;
        control.set_permille(860);
        Ok(value)
    })
}

/// `Gamma(1/3)^3 = 2^(4/3) pi^2 / (3^(1/4) M(1, cos(pi/12)))`, from the elliptic integral of modulus `sin(pi/12)`
/// (Borwein and Borwein, "Pi and the AGM", 1987), with `cos(pi/12) = sqrt(2 + sqrt(3)) / 2`.
pub(super) fn third_by_mean(reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    let control = reals.checks.control();
    let mean = || {
        let root = reals.square_root(&reals.integer(3)?)?;
        let cosine = reals.square_root(&reals.sum(&root, &reals.integer(2)?, false)?)?;
        let mean = mean::mean(&reals.integer(1)?, &reals.scaled(&cosine, -1)?, reals)?;
        Ok::<_, DigitsError>(reals.product(&mean, &reals.square_root(&root)?)?)
    };
    let (pi, below) = join(|| formula::value(&table::chudnovsky()?, reals), mean);
    let (pi, below) = (pi?, below?);
    control.phase("roots", || {
        let (ratio, root) =
            join(|| reals.quotient(&reals.square(&pi)?, &below), || reals.cube_root(&reals.integer(16)?));
        let value = reals.cube_root(&reals.product(&ratio?, &root?)?)?;
        control.set_permille(860);
        Ok(value)
    })
}

/// `Gamma(1/3)^6 = 12 pi^4 / sqrt(10) * sum over k >= 0 of (-1)^k (6k)! / ((3k)! k!^3 3^k 160^(3k))` (Brown, 2009, as
/// above), with pi by Ramanujan's series.
pub(super) fn third_by_series(reals: &Reals<'_, '_>) -> Result<Fixed, DigitsError> {
    let control = reals.checks.control();
    let (pi, sum) = join(
        || formula::value(&table::ramanujan()?, reals),
        || formula::value(&table::brown_third()?, reals),
    );
    let (pi, sum) = (pi?, sum?);
    control.phase("roots", || {
        let (fourth, root) =
            join(|| reals.square(&reals.square(&pi)?), || reals.square_root(&reals.integer(10)?));
        let sixth = reals.times(&reals.product(&reals.product(&fourth?, &sum)?, &root?)?, 12, 10)?;
        let value = reals.cube_root(&reals.square_root(&sixth)?)?;
        control.set_permille(860);
        Ok(value)
    })
}
