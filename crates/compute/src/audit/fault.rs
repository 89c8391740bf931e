//! Why an outcome did not pass its audit: which relation failed, in words.

use protocol::series::SeriesFault;

/// What an audit found wrong with an outcome or its witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// The bytes are no outcome of such a task.
    #[error("the outcome is not in the form of its task: {reason}")]
    Outcome {
        /// What is wrong.
        reason: String,
    },
    /// There is no witness where one is needed.
    #[error("no witness came with the outcome, and without one it cannot be audited")]
    NoWitness,
    /// More bytes than any witness of the task has.
    #[error("the witness has {bytes} bytes, more than the limit of {limit} for this task")]
    WitnessTooLong {
        /// How many it has.
        bytes: u64,
        /// How many it may have.
        limit: u64,
    },
    /// A part of the witness is missing, malformed or out of bounds.
    #[error("the witness is malformed or out of bounds at its `{what}`")]
    Witness {
        /// Which part.
        what: &'static str,
    },
    /// No audit of this task is known.
    #[error("outcomes of this task by this formula cannot be audited")]
    NotAuditable,
    /// The series of the task cannot be summed by anybody.
    #[error(transparent)]
    Series(#[from] SeriesFault),
    /// A sum was cut off too early, or too late to be true.
    #[error("series {series} was summed over {terms} terms, which do not suffice or are far too many")]
    Terms {
        /// Which series, from 1.
        series: usize,
        /// How many terms.
        terms: u64,
    },
    /// What is divided by is a multiple of a prime, where nothing can be said of the quotient.
    #[error(
        "the {what} is a multiple of the prime {prime}; a number that was not made for it almost never is"
    )]
    Divisor {
        /// Which divisor.
        what: &'static str,
        /// Of which prime.
        prime: u64,
    },
    /// Both sides of an equation differ.
    #[error("the {what} does not hold modulo the prime {prime}")]
    Relation {
        /// Which relation.
        what: &'static str,
        /// Modulo which prime.
        prime: u64,
    },
    /// The numbers are right and prove too little.
    #[error("what the numbers prove is too coarse for the digits: the {what} is too large")]
    TooCoarse {
        /// Which error.
        what: &'static str,
    },
    /// The digits are not proven: their neighbours are possible, too.
    #[error("the last digit is not proven: what follows it is all nines as far as the witness goes")]
    NotProven,
    /// The decimals are not those of the constant.
    #[error(
        "after {after} hexadecimal digits the decimals have {claimed}, and the constant has {computed}, by another series"
    )]
    Hexadecimal {
        /// How many digits come before.
        after: u64,
        /// What follows from the decimals.
        claimed: String,
        /// What was computed.
        computed: String,
    },
    /// A member's answer is another one.
    #[error("the answer to expression {number} is `{claimed}`, and `{computed}` was computed")]
    Answer {
        /// Which expression, from 1.
        number: u64,
        /// What the outcome says.
        claimed: String,
        /// What is so.
        computed: String,
    },
    /// As many answers as expressions.
    #[error("the outcome has {answers} answers to {expressions} expressions")]
    Count {
        /// Answers.
        answers: u64,
        /// Expressions.
        expressions: u64,
    },
    /// A value of a range's variable says otherwise.
    #[error("the outcome says `{claimed}`, and at {value} the answer is `{computed}`")]
    Value {
        /// The value of the variable.
        value: i128,
        /// What the outcome says.
        claimed: String,
        /// What is so.
        computed: String,
    },
}
