//! Where a dissenter's outcome parts from the accepted one, in words for a report.

use super::{Piece, Plan, shown, texts};
use crate::outcome::{Outcome, RangeAnswer};

impl Plan {
    /// Where `other` parts from `accepted` on the task with this number: "decimal 317", "expression 4: `…`" with the
    /// number that the expression has in the whole job, "n = 341 of `…`". None where they are equal, or where there
    /// is no such task.
    #[must_use]
    pub fn describe_difference(&self, index: u64, accepted: &Outcome, other: &Outcome) -> Option<String> {
        if accepted == other {
            return None;
        }
        Some(match (self.piece(index)?, accepted, other) {
            (
                Piece::Digits { .. } | Piece::Series { .. },
                Outcome::Digits(accepted),
                Outcome::Digits(other),
            ) => first_digit(accepted, other),
            (Piece::Batch { unit, source, .. }, Outcome::Answers(accepted), Outcome::Answers(other)) => {
                let same =
                    accepted.iter().zip(other).take_while(|(accepted, other)| accepted == other).count();
                match texts(source, unit).nth(same) {
                    Some(text) if same < accepted.len().min(other.len()) => {
                        format!("expression {}: `{}`", unit.first_expression as usize + same + 1, shown(text))
                    }
                    _ => format!("{} answers instead of {}", other.len(), accepted.len()),
                }
            }
            (Piece::Range { text, unit, range, .. }, Outcome::Range(accepted), Outcome::Range(other)) => {
                let body = shown(&text[range.body]);
                match place(accepted).into_iter().chain(place(other)).min() {
                    Some(value) if place(accepted) != place(other) || !same_kind(accepted, other) => {
                        format!("{} = {value} of `{body}`", shown(&range.variable))
                    }
                    _ => format!("the values of expression {}: `{body}`", unit.first_expression + 1),
                }
            }
            (Piece::HexTerms { task, .. }, Outcome::HexSum(_), Outcome::HexSum(_)) => {
                format!("the sum of terms {} to {}", task.first_term, task.end_term - 1)
            }
            (_, _, Outcome::Digits(_)) => "digits where none were asked for".to_owned(),
            (_, _, Outcome::Answers(_)) => "a list of answers where none was asked for".to_owned(),
            (_, _, Outcome::HexSum(_)) => "a sum of terms where none was asked for".to_owned(),
            (_, _, Outcome::Range(_)) => "the answer of a range where none was asked for".to_owned(),
        })
    }
}

fn same_kind(accepted: &RangeAnswer, other: &RangeAnswer) -> bool {
    std::mem::discriminant(accepted) == std::mem::discriminant(other)
}

/// The value of the variable that an answer names.
fn place(answer: &RangeAnswer) -> Option<i128> {
    match answer {
        RangeAnswer::AllTrue { .. } => None,
        RangeAnswer::Counterexample { value, .. }
        | RangeAnswer::Unsettled { value, .. }
        | RangeAnswer::Refused { value, .. } => Some(*value),
    }
}

fn first_digit(accepted: &str, other: &str) -> String {
    let same = accepted.bytes().zip(other.bytes()).take_while(|(accepted, other)| accepted == other).count();
    if same == accepted.len().min(other.len()) {
        return format!("{} characters instead of {}", other.len(), accepted.len());
    }
    match accepted.find('.') {
        Some(point) if same > point => format!("decimal {}", same - point),
        _ => "the integer part".to_owned(),
    }
}
