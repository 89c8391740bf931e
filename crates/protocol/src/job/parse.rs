//! From the text of a job file to a [`JobSpec`], or to everything that is wrong with it.

use std::path::{Component, Path};

use toml::de::DeTable;

use super::{
    ExpressionSource, JobSpec, Work,
    errors::{Faults, JobFileErrors},
    expression::{Reading, read},
    fault::{JobFileFault, did_you_mean, nearest, quoted},
    hex_digits,
    policy::policy,
    section::{Field, Keys, Located, Section, Text, Texts},
    series,
};
use crate::{
    constant::{Constant, ConstantError},
    domain::Axis,
    limits::{
        AGREE_DIGITS_MAX, DECIMALS_MAX, EXPRESSIONS_MAX, JOB_FILE_BYTES_MAX, JOB_FILE_RECOVERY_BYTES_MAX,
        NAME_BYTES_MAX, TASK_EXPRESSIONS_MAX, TASKS_MAX, TEXT_BYTES_MAX,
    },
    policy::Ways,
};

/// To how many significant digits sides are compared when the job file does not say.
pub const AGREE_DIGITS_DEFAULT: u32 = 100;

const TOP: Keys = Keys {
    table: "",
    known: &["name", "description", "kind", "digits", "hex-digits", "series", "expressions", "policy"],
};
const DIGITS: Keys = Keys { table: "digits", known: &["constant", "decimals"] };
const EXPRESSIONS: Keys = Keys { table: "expressions", known: &["check", "file", "agree_digits", "batch"] };
const POLICY: Keys = Keys {
    table: "policy",
    known: &[
        "tolerate",
        "quorum",
        "replicas",
        "max_replicas",
        "distinct",
        "electorate",
        "sealed",
        "lease",
        "mode",
        "audit",
        "adaptive",
        "error",
        "faulty",
    ],
};

const CHECK_EXAMPLE: &str = "`check = [\"2 * 2 * 2 * 2 == 16\"]`";

/// What a job is about, as its key `kind` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Digits,
    HexDigits,
    Series,
    Expressions,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Digits, Self::HexDigits, Self::Series, Self::Expressions];

    /// The name, which is that of its table as well.
    fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::HexDigits => "hex-digits",
            Self::Series => "series",
            Self::Expressions => "expressions",
        }
    }

    /// What to add where the table is missing.
    fn example(self) -> &'static str {
        match self {
            Self::Digits => "a table [digits] with `constant` and `decimals`",
            Self::HexDigits => "a table [hex-digits] with `constant`, `after` and `digits`",
            Self::Series => {
                "a table [series] with `decimals`, and [series.first] and [series.second] with a formula each"
            }
            Self::Expressions => "a table [expressions] with `check` or `file`",
        }
    }
}

impl JobSpec {
    /// Reads a job file of at most [`JOB_FILE_BYTES_MAX`] bytes. The format is described in `docs/jobs.md`.
    ///
    /// # Errors
    /// [`JobFileErrors`] names everything that is wrong at once.
    pub fn parse(text: &str) -> Result<Self, JobFileErrors> {
        let mut faults = Faults::default();
        if text.len() > JOB_FILE_BYTES_MAX {
            faults.push(0, JobFileFault::JobFileTooLong { bytes: text.len() });
            return Err(faults.into_errors(text, None));
        }
        let table = toml_table(text, &mut faults);
        let spec = if faults.has_broken_heading(text) { None } else { job(text, &table, &mut faults) };
        match spec {
            Some(spec) if faults.is_empty() => Ok(spec),
            _ => Err(faults.into_errors(text, None)),
        }
    }
}

/// The text as TOML, as far as it is TOML.
fn toml_table<'t>(text: &'t str, faults: &mut Faults) -> DeTable<'t> {
    // A first reading keeps one error, whatever the text; only of a small file it is worth to gather them all,
    // because each takes a hundred times the memory of the byte that caused it.
    let first = match DeTable::parse(text) {
        Ok(table) => return table.into_inner(),
        Err(error) => error,
    };
    let (table, errors) = if text.len() <= JOB_FILE_RECOVERY_BYTES_MAX {
        let (table, errors) = DeTable::parse_recoverable(text);
        (table.into_inner(), errors)
    } else {
        (DeTable::new(), vec![first])
    };
    let told = errors.iter().map(|error| {
        let span = error.span().unwrap_or(text.len()..text.len());
        let message = match (error.message(), text.get(span.clone())) {
            ("duplicate key", Some(key)) => {
                format!("`{}` is already there; keep one of the two", quoted(key))
            }
            (message, _) => message.to_owned(),
        };
        (span.start, message)
    });
    faults.push_toml(text, told);
    table
}

fn job(text: &str, table: &DeTable<'_>, faults: &mut Faults) -> Option<JobSpec> {
    let top = Section::open(TOP, table, 0, faults);
    let name = name(&top, faults);
    let description = description(&top, faults);
    let kind = kind(&top, faults);
    let digits = top.table(DIGITS, faults);
    let hex_digits = top.table(hex_digits::KEYS, faults);
    let series = top.table(series::KEYS, faults);
    let expressions = top.table(EXPRESSIONS, faults);
    if let Some(kind) = kind {
        tables_of_kind(&top, kind, faults);
    }
    // Tables of all kinds are read even where only one belongs: their mistakes are mistakes either way.
    let digits_work = digits.good().and_then(|section| self::digits(&section.value, faults));
    let hex_digits_work = hex_digits.good().and_then(|section| hex_digits::read(&section.value, faults));
    let series_work = series.good().and_then(|section| series::read(&section.value, faults));
    let expressions_work =
        expressions.good().and_then(|section| self::expressions(text, &section.value, faults));
    // Decimals have two formulas or more; a window of hexadecimal digits names its one, and has a GPU kernel.
    let (work, formulas, engines, audited) = match kind {
        Some(Kind::HexDigits) => (hex_digits_work, 1, 2, 0),
        Some(Kind::Expressions) => {
            let engines = expressions_work.as_ref().map_or(2, engines_of_expressions);
            (expressions_work, 1, engines, 1)
        }
        Some(Kind::Series) => (series_work, 2, 1, 2),
        Some(Kind::Digits) | None => {
            let audited = digits_work.as_ref().map_or(1, audited_formulas);
            (digits_work, 2, 1, audited)
        }
    };
    let section = match top.table(POLICY, faults) {
        Field::Bad => return None,
        Field::Absent => None,
        Field::Good(section) => Some(section.value),
    };
    let policy = policy(section.as_ref(), Ways { formulas, engines, audited }, faults)?;
    if kind == Some(Kind::Series) && !policy.distinct.contains(&Axis::Formula) {
        let place = section.as_ref().map_or(top.offset_of("series"), Section::offset);
        faults.push(place, JobFileFault::SeriesPolicy);
    }
    Some(JobSpec { name: name?, description: description?, work: work?, policy })
}

/// By how many formulas digits can be computed that can be audited.
fn audited_formulas(work: &Work) -> usize {
    let Work::Digits { constant, .. } = work else { return 1 };
    constant.formulas().iter().filter(|formula| formula.sums_series()).count()
}

/// On how many engines some task of the job can be computed. What a file holds is not known here; a task of it that has
/// one engine is content with that one.
fn engines_of_expressions(work: &Work) -> usize {
    let Work::Expressions { source: ExpressionSource::Inline(texts), .. } = work else { return 2 };
    let has_kernel = |text: &String| matches!(read(text), Ok(Reading::Ranged(range)) if range.has_kernel);
    if texts.iter().any(has_kernel) { 2 } else { 1 }
}

/// Notes that the table of the job's kind is missing, or that another kind's is there.
fn tables_of_kind(top: &Section<'_>, kind: Kind, faults: &mut Faults) {
    if !top.has(kind.name()) {
        top.missing(kind.name(), kind.example(), faults);
    }
    for other in Kind::ALL.into_iter().filter(|other| *other != kind && top.has(other.name())) {
        let fault = JobFileFault::MisplacedTable { table: other.name(), kind: kind.name() };
        faults.push(top.offset_of(other.name()), fault);
    }
}

fn name(top: &Section<'_>, faults: &mut Faults) -> Option<String> {
    let example = "`name = \"pi-digits\"`";
    let name = top.string("name", example, faults);
    if name.is_absent() {
        top.missing("name", example, faults);
    }
    let Located { value, offset } = name.good()?;
    let is_valid = (1..=NAME_BYTES_MAX).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !value.starts_with('-');
    if !is_valid {
        faults.push(offset, JobFileFault::Name { value: quoted(value) });
    }
    is_valid.then(|| value.to_owned())
}

fn description(top: &Section<'_>, faults: &mut Faults) -> Option<String> {
    let field = top.string("description", "`description = \"One line for people.\"`", faults);
    let read = field.and_then(|value, offset| {
        let is_valid = value.len() <= TEXT_BYTES_MAX && !value.chars().any(char::is_control);
        if !is_valid {
            faults.push(offset, JobFileFault::Description { bytes: value.len() });
        }
        is_valid.then(|| value.to_owned())
    });
    match read {
        Field::Absent => Some(String::new()),
        Field::Bad => None,
        Field::Good(located) => Some(located.value),
    }
}

fn kind(top: &Section<'_>, faults: &mut Faults) -> Option<Kind> {
    let example = "`kind = \"digits\"`, `\"hex-digits\"`, `\"series\"` or `\"expressions\"`";
    let kind = top.string("kind", example, faults);
    if kind.is_absent() {
        top.missing("kind", example, faults);
    }
    let Located { value, offset } = kind.good()?;
    let known = Kind::ALL.into_iter().find(|known| known.name() == value);
    if known.is_none() {
        let help = did_you_mean(value, &Kind::ALL.map(Kind::name));
        faults.push(offset, JobFileFault::UnknownWord { key: "kind", value: quoted(value), help });
    }
    known
}

fn digits(section: &Section<'_>, faults: &mut Faults) -> Option<Work> {
    let constant_example = "`constant = \"pi\"`";
    let constant = section.string("constant", constant_example, faults);
    if constant.is_absent() {
        section.missing("constant", constant_example, faults);
    }
    let constant = constant.good().and_then(|Located { value, offset }| {
        let read = value.parse::<Constant>();
        read.map_err(|error| faults.push(offset, constant_fault(value, error))).ok()
    });
    let decimals_example = "`decimals = 1_000_000`";
    let decimals = section.integer("decimals", 1..=DECIMALS_MAX, decimals_example, faults);
    if decimals.is_absent() {
        section.missing("decimals", decimals_example, faults);
    }
    let decimals = decimals.good()?.value;
    Some(Work::Digits { constant: constant?, decimals })
}

fn constant_fault(value: &str, error: ConstantError) -> JobFileFault {
    let (error, help) = match error {
        ConstantError::Unknown(_) => {
            let near = nearest(value, &Constant::NAMES);
            let help = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            (ConstantError::Unknown(quoted(value)), help)
        }
        ConstantError::Argument(argument) => (ConstantError::Argument(quoted(&argument)), String::new()),
        ConstantError::Radicand(radicand) => (ConstantError::Radicand(quoted(&radicand)), String::new()),
    };
    JobFileFault::Constant { error, help }
}

fn expressions(text: &str, section: &Section<'_>, faults: &mut Faults) -> Option<Work> {
    let check = section.strings("check", CHECK_EXAMPLE, faults);
    let file = section.string("file", "`file = \"lines.txt\"`", faults);
    let agree_digits =
        section.integer("agree_digits", 1..=u64::from(AGREE_DIGITS_MAX), "`agree_digits = 100`", faults);
    let agree_digits = match agree_digits {
        Field::Absent => Some(AGREE_DIGITS_DEFAULT),
        Field::Bad => None,
        Field::Good(located) => u32::try_from(located.value).ok(),
    };
    let batch = section.integer("batch", 1..=u64::from(TASK_EXPRESSIONS_MAX), "`batch = 1024`", faults);
    let batch = match batch {
        Field::Absent => Some(None),
        Field::Bad => None,
        Field::Good(located) => u16::try_from(located.value).ok().map(Some),
    };
    if !check.is_absent() && !file.is_absent() {
        let later = section.offset_of("check").max(section.offset_of("file"));
        faults.push(later, JobFileFault::TwoSources);
    }
    if check.is_absent() && file.is_absent() && !faults.is_broken() {
        faults.push(section.offset(), JobFileFault::NoSource);
    }
    let check = check.good().and_then(|located| inline(text, &located, faults));
    let file = file.good().and_then(|located| file_path(located, faults));
    let source = check.map(ExpressionSource::Inline).or(file.map(ExpressionSource::File));
    Some(Work::Expressions { agree_digits: agree_digits?, batch: batch?, source: source? })
}

fn inline(text: &str, check: &Located<Texts<'_>>, faults: &mut Faults) -> Option<Vec<String>> {
    let Texts { texts, are_all } = &check.value;
    if texts.is_empty() && *are_all {
        faults.push(check.offset, JobFileFault::NoExpressions);
        return None;
    }
    if texts.len() > EXPRESSIONS_MAX {
        faults.push(check.offset, JobFileFault::TooManyExpressions);
        return None;
    }
    let mut range_tasks: u64 = 0;
    let mut are_read = *are_all;
    for expression in texts {
        match read(expression.value) {
            Ok(reading) => range_tasks = range_tasks.saturating_add(reading.pieces()),
            Err((at, fault)) => {
                are_read = false;
                faults.push(place_of(text, expression, at), fault);
            }
        }
    }
    if range_tasks.saturating_add(texts.len() as u64) > TASKS_MAX {
        faults.push(check.offset, JobFileFault::TooManyTasks);
        return None;
    }
    are_read.then(|| texts.iter().map(|expression| expression.value.to_owned()).collect())
}

/// Where byte `at` of a string's value is written: exact for a string without escapes, else the string's beginning.
fn place_of(text: &str, string: &Text<'_>, at: usize) -> usize {
    let written = &text[string.written.clone()];
    let start = string.written.start;
    // The value of a string without escapes stands in the file as it is, after one quote or three and a newline.
    match written.find(string.value) {
        Some(lead) if written.len() - string.value.len() <= 2 * lead && lead <= 5 => start + lead + at,
        _ => start,
    }
}

fn file_path(path: Located<&str>, faults: &mut Faults) -> Option<String> {
    let value = path.value;
    let is_plain = !value.is_empty()
        && value.len() <= TEXT_BYTES_MAX
        && !value.ends_with('/')
        && !value.chars().any(|character| character.is_control() || matches!(character, '\\' | ':'))
        && Path::new(value).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_plain {
        faults.push(path.offset, JobFileFault::FilePath { value: quoted(value) });
    }
    is_plain.then(|| value.to_owned())
}
