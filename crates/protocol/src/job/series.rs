//! Reading the table [series]: two formulas of the user's own, each a sum of hypergeometric series that provably converge.

use super::{
    Work,
    errors::Faults,
    fault::{JobFileFault, quoted},
    section::{Field, Keys, Located, Section},
};
use crate::{
    limits::{SERIES_DECIMALS_MAX, SERIES_FIRST_MAX, SERIES_POLYNOMIAL_BYTES_MAX, SERIES_SUMMANDS_MAX},
    series::{Hypergeometric, Polynomial, Ratio, SeriesFault, SeriesFormula, Summand},
};

pub(super) const KEYS: Keys = Keys { table: "series", known: &["decimals", "first", "second"] };

/// One of the two formulas.
struct FormulaKeys {
    formula: Keys,
    sum: Keys,
    key: &'static str,
}

const FORMULA: &[&str] = &["times", "root", "inverts", "sum"];
const SUM: &[&str] = &["times", "first", "plus", "p", "q", "a", "b"];
const FIRST: FormulaKeys = FormulaKeys {
    formula: Keys { table: "series.first", known: FORMULA },
    sum: Keys { table: "series.first.sum", known: SUM },
    key: "first",
};
const SECOND: FormulaKeys = FormulaKeys {
    formula: Keys { table: "series.second", known: FORMULA },
    sum: Keys { table: "series.second.sum", known: SUM },
    key: "second",
};

pub(super) fn read(section: &Section<'_>, faults: &mut Faults) -> Option<Work> {
    let example = "`decimals = 100_000`";
    let decimals = section.integer("decimals", 1..=SERIES_DECIMALS_MAX, example, faults);
    if decimals.is_absent() {
        section.missing("decimals", example, faults);
    }
    let decimals = decimals.good().map(|located| located.value);
    let first = formula(section, &FIRST, decimals, faults);
    let second = formula(section, &SECOND, decimals, faults);
    let (first, second) = (first?, second?);
    let is_shared = |summand: &Summand| second.summands.iter().any(|other| other.series == summand.series);
    if first.summands.iter().any(is_shared) {
        faults.push(section.offset_of("second"), JobFileFault::SharedSeries);
        return None;
    }
    Some(Work::Series { formulas: Box::new([first, second]), decimals: decimals? })
}

fn formula(
    section: &Section<'_>,
    keys: &FormulaKeys,
    decimals: Option<u64>,
    faults: &mut Faults,
) -> Option<SeriesFormula> {
    let table = section.table(keys.formula, faults);
    if table.is_absent() {
        section.missing(keys.key, "a table with a list of tables `sum`", faults);
    }
    let Located { value: table, offset } = table.good()?;
    let times = ratio(&table, faults);
    let root = table.integer("root", 1..=u64::from(u32::MAX), "`root = 10005`", faults);
    let root = or(root, Some(1));
    let inverts = or(table.boolean("inverts", "`inverts = true`", faults), Some(false));
    let sums = table.tables(keys.sum, faults);
    if sums.is_absent() {
        table.missing("sum", "a table in double brackets with `p`, `q`, `a` and `b`", faults);
    }
    let Located { value: sums, offset: sums_at } = sums.good()?;
    if sums.len() > SERIES_SUMMANDS_MAX {
        let fault = SeriesFault::Count { count: sums.len(), max: SERIES_SUMMANDS_MAX };
        faults.push(sums_at, JobFileFault::Series { key: "sum", fault });
        return None;
    }
    // Each is read, so that all of their mistakes are told.
    let summands: Vec<Option<Summand>> = sums.iter().map(|sum| summand(sum, decimals, faults)).collect();
    let formula = SeriesFormula {
        times: times?,
        root: u32::try_from(root?).ok()?,
        inverts: inverts?,
        summands: summands.into_iter().collect::<Option<_>>()?,
    };
    if let Err(fault) = formula.check(decimals?) {
        faults.push(offset, JobFileFault::Series { key: keys.key, fault });
        return None;
    }
    Some(formula)
}

fn summand(section: &Section<'_>, decimals: Option<u64>, faults: &mut Faults) -> Option<Summand> {
    let times = ratio(section, faults);
    let first = or(section.integer("first", 0..=SERIES_FIRST_MAX, "`first = 1`", faults), Some(1));
    let plus = or(section.signed_integer("plus", "`plus = 13591409`", faults), Some(0));
    let one = || Some(Polynomial::constant(1));
    let p = polynomial(section, "p", "`p = \"-(6*k-5)*(2*k-1)*(6*k-1)\"`", None, faults);
    let q = polynomial(section, "q", "`q = \"10939058860032000*k^3\"`", None, faults);
    let a = polynomial(section, "a", "`a = \"13591409+545140134*k\"`", one(), faults);
    let b = polynomial(section, "b", "`b = \"2*k+1\"`", one(), faults);
    let series = Hypergeometric { first: first?, plus: plus?, p: p?, q: q?, a: a?, b: b? };
    let summand = Summand { times: times?, series };
    // A fault of this one series is told at its own place.
    if let Err(fault) = SeriesFormula::sum_of(vec![summand.clone()]).check(decimals?) {
        faults.push(section.offset(), JobFileFault::Series { key: "sum", fault });
        return None;
    }
    Some(summand)
}

fn or<T>(field: Field<T>, absent: Option<T>) -> Option<T> {
    match field {
        Field::Absent => absent,
        Field::Bad => None,
        Field::Good(located) => Some(located.value),
    }
}

/// `times`, a fraction.
fn ratio(section: &Section<'_>, faults: &mut Faults) -> Option<Ratio> {
    let key = "times";
    let read = section.string(key, "`times = \"3/8\"`", faults).and_then(|value, offset| {
        let ratio = parse_ratio(value);
        if ratio.is_none() {
            faults.push(offset, JobFileFault::Fraction { key, value: quoted(value) });
        }
        ratio
    });
    or(read, Some(Ratio::ONE))
}

fn parse_ratio(text: &str) -> Option<Ratio> {
    let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
    let numerator: i64 = numerator.trim().replace('_', "").parse().ok()?;
    let denominator: u64 = denominator.trim().replace('_', "").parse().ok()?;
    (numerator != 0 && denominator != 0).then_some(Ratio { numerator, denominator })
}

fn polynomial(
    section: &Section<'_>,
    key: &'static str,
    example: &'static str,
    absent: Option<Polynomial>,
    faults: &mut Faults,
) -> Option<Polynomial> {
    let field = section.string(key, example, faults);
    if field.is_absent() && absent.is_none() {
        section.missing(key, example, faults);
    }
    let read = field.and_then(|text, offset| {
        let parsed = if text.len() > SERIES_POLYNOMIAL_BYTES_MAX {
            Err(SeriesFault::TooLong { bytes: text.len() })
        } else {
            Polynomial::parse(text)
        };
        parsed.map_err(|fault| faults.push(offset, JobFileFault::Series { key, fault })).ok()
    });
    or(read, absent)
}
