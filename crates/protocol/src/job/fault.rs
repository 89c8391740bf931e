//! What can be wrong with a job, each as one sentence that names the value, the limit and the remedy.
//!
//! Values are quoted from the file, so they are shortened and stripped of control characters before anybody's
//! terminal sees them.

use crate::{
    constant::ConstantError,
    digit_extraction::{HexConstant, HexFormula},
    limits::{
        EXPRESSION_FILE_BYTES_MAX, EXPRESSIONS_MAX, JOB_FILE_BYTES_MAX, NAME_BYTES_MAX, TASK_BYTES_MAX,
        TASKS_MAX, TEXT_BYTES_MAX,
    },
    policy::PolicyFault,
    series::SeriesFault,
};

/// The most characters of a value from the file that a message repeats.
const QUOTED_CHARS_MAX: usize = 60;

/// One thing that is wrong with a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JobFileFault {
    /// The job file is too large.
    #[error(
        "the job file has {bytes} bytes and the limit is {JOB_FILE_BYTES_MAX}; put the expressions in a file of \
         their own, `file = \"lines.txt\"`"
    )]
    JobFileTooLong {
        /// Its size.
        bytes: usize,
    },
    /// The text is no TOML at this place.
    #[error("not valid TOML: {message}")]
    Toml {
        /// What the TOML parser says.
        message: String,
    },
    /// No version knows this key.
    #[error("unknown key `{key}`{place}; {help}")]
    UnknownKey {
        /// The key.
        key: String,
        /// ` in [policy]`, or nothing at the top.
        place: String,
        /// A near key, or all of them.
        help: String,
    },
    /// A key that must be there is not.
    #[error("missing key `{key}`{place}; add {example}")]
    Missing {
        /// The key.
        key: &'static str,
        /// ` in [digits]`, or nothing at the top.
        place: String,
        /// What to write.
        example: &'static str,
    },
    /// A value of another type.
    #[error("`{key}` must be {expected}, not {found}; write {example}")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What it must be, with its article.
        expected: &'static str,
        /// What it is, with its article.
        found: &'static str,
        /// What to write.
        example: &'static str,
    },
    /// A number out of its bounds.
    #[error("`{key}` is {value}; it must be from {min} to {max}")]
    OutOfBounds {
        /// The key.
        key: &'static str,
        /// What it is.
        value: String,
        /// The least it may be.
        min: u64,
        /// The most it may be.
        max: u64,
    },
    /// A word that is none of the few.
    #[error("`{key}` is `{value}`; {help}")]
    UnknownWord {
        /// The key.
        key: &'static str,
        /// The word.
        value: String,
        /// A near word, or all of them.
        help: String,
    },
    /// A name that cannot name a folder.
    #[error(
        "`name` is `{value}`; use 1 to {NAME_BYTES_MAX} lowercase letters, digits and `-`, the first a letter or a \
         digit: it names the results folder"
    )]
    Name {
        /// The name.
        value: String,
    },
    /// A description that is no line.
    #[error(
        "`description` has {bytes} bytes or several lines; write one line of at most {TEXT_BYTES_MAX} bytes"
    )]
    Description {
        /// Its size.
        bytes: usize,
    },
    /// The text names no constant.
    #[error("{error}{help}")]
    Constant {
        /// Why.
        error: ConstantError,
        /// A near name, or nothing.
        help: String,
    },
    /// A series that cannot be summed with a proof.
    #[error("`{key}`: {fault}")]
    Series {
        /// Where in the table.
        key: &'static str,
        /// What is wrong.
        fault: SeriesFault,
    },
    /// A fraction beside a series.
    #[error(
        "`{key}` is `{value}`; write a whole number or a quotient of two, such as \"3\" or \"-3/8\", and not 0"
    )]
    Fraction {
        /// The key.
        key: &'static str,
        /// What it is.
        value: String,
    },
    /// The two formulas are not independent.
    #[error(
        "both formulas sum the same series, so that they could only be wrong together; give two that share none"
    )]
    SharedSeries,
    /// A policy that does not ask for both formulas.
    #[error(
        "a job of kind `series` is worth what its two formulas are; write `distinct = [\"formula\"]` in [policy]"
    )]
    SeriesPolicy,
    /// A position that the formula does not reach.
    #[error(
        "`after` is {after}; the formula {formula} of {constant} reaches {reach}, where its denominators come to 2^63; \
         ask for an earlier position"
    )]
    OutOfReach {
        /// What was asked for.
        after: u64,
        /// Of which constant.
        constant: HexConstant,
        /// By which formula.
        formula: HexFormula,
        /// The last position that works.
        reach: u64,
    },
    /// Not a duration.
    #[error(
        "`{key}` is `{value}`, which is no duration; write a number with its unit, such as \"60s\" or \"5m\""
    )]
    Duration {
        /// The key.
        key: &'static str,
        /// What it is.
        value: String,
    },
    /// A share out of its bounds.
    #[error("`{key}` is {value}; it must be from {min} to {max}")]
    ShareBounds {
        /// The key.
        key: &'static str,
        /// What is there.
        value: String,
        /// The least that it may be.
        min: String,
        /// The most.
        max: String,
    },
    /// A duration out of its bounds.
    #[error("`{key}` is {value}; it must be from {min} to {max}")]
    DurationBounds {
        /// The key.
        key: &'static str,
        /// What it is.
        value: String,
        /// The shortest it may be.
        min: String,
        /// The longest it may be.
        max: String,
    },
    /// The policy contradicts itself.
    #[error(transparent)]
    Policy(#[from] PolicyFault),
    /// A table of the other kind.
    #[error("[{table}] does not belong to a job of kind `{kind}`; remove it, or write `kind = \"{table}\"`")]
    MisplacedTable {
        /// The table.
        table: &'static str,
        /// The kind of the job.
        kind: &'static str,
    },
    /// Both `check` and `file`.
    #[error("[expressions] has both `check` and `file`; keep one of them")]
    TwoSources,
    /// Neither `check` nor `file`.
    #[error(
        "[expressions] names no expressions; add `check = [\"2 * 2 * 2 * 2 == 16\"]` or `file = \"lines.txt\"`"
    )]
    NoSource,
    /// `check` is an empty list, or the file holds no expression.
    #[error("there is no expression in it; write at least one")]
    NoExpressions,
    /// A path that leaves the job file's folder.
    #[error(
        "`file` is `{value}`; write a path relative to the job file's folder, with `/` between names and without \
         `..`, of at most {TEXT_BYTES_MAX} bytes"
    )]
    FilePath {
        /// The path.
        value: String,
    },
    /// The job needs a file that was not handed in.
    #[error("the expressions are in `{file}`, and its text was not given; submit it with the job file")]
    FileNotGiven {
        /// The path.
        file: String,
    },
    /// The expression file is too large.
    #[error(
        "the file has {bytes} bytes and the limit is {EXPRESSION_FILE_BYTES_MAX}; split it into several jobs"
    )]
    FileTooLong {
        /// Its size.
        bytes: usize,
    },
    /// The text is no expression.
    #[error("not an expression: {message}")]
    Syntax {
        /// What the expression parser says.
        message: String,
        /// The expression with a caret under the place.
        excerpt: String,
    },
    /// Longer than a task may be.
    #[error(
        "the expression has {bytes} bytes and a task holds at most {TASK_BYTES_MAX}; write a shorter one"
    )]
    ExpressionTooLong {
        /// Its size.
        bytes: usize,
    },
    /// A range that is too long to be cut.
    #[error(
        "the range has {values} values, which is more than {TASKS_MAX} tasks of {values_max} values; \
         split it into several jobs"
    )]
    RangeTooLong {
        /// How many values.
        values: String,
        /// How many a task takes.
        values_max: u64,
    },
    /// More expressions than a job may have.
    #[error("the job has more than {EXPRESSIONS_MAX} expressions; split it into several jobs")]
    TooManyExpressions,
    /// More tasks than a job may have.
    #[error("the job has more than {TASKS_MAX} tasks; split it into several jobs")]
    TooManyTasks,
}

impl JobFileFault {
    /// Lines to show under the message: the expression with a caret under the place.
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        match self {
            Self::Syntax { excerpt, .. } => Some(excerpt),
            _ => None,
        }
    }
}

/// A value from a file, fit for a message: one line, no control characters, not too long.
pub(crate) fn quoted(value: &str) -> String {
    let mut text: String = value
        .chars()
        .take(QUOTED_CHARS_MAX)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    if value.chars().nth(QUOTED_CHARS_MAX).is_some() {
        text.push('…');
    }
    text
}

/// "did you mean `x`?" where a known word is near, else the list of the known words.
pub(crate) fn did_you_mean(word: &str, known: &[&str]) -> String {
    nearest(word, known)
        .map_or_else(|| format!("known are {}", listed(known)), |near| format!("did you mean `{near}`?"))
}

/// The known word nearest to `word`, where one is near enough to be meant.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // A word that is far longer than any known one is near to none, and the distance costs the product of lengths.
    if word.len() > QUOTED_CHARS_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).min(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
