//! From the outcomes of tasks back to the result of the job, and to the words for where an outcome parts from it.
#![expect(clippy::unnecessary_wraps, reason = "outcomes stand in lists beside tasks that have none")]

use std::sync::Arc;

use proptest::prelude::*;
use protocol::{
    job::{JobSpec, ask_job_text},
    limits::TASK_KERNEL_RANGE_VALUES_MAX,
    outcome::{Answer, Checksum, Outcome, RangeAnswer, Refusal, RefusalKind},
    plan::{AnswerCounts, Plan, ResultAssembler},
};

const CHECKSUM: Checksum = Checksum([7; 16]);

fn plan_of_lines(text: &str) -> Plan {
    let job = "name = \"lines\"\nkind = \"expressions\"\n[expressions]\nfile = \"lines.txt\"\n";
    Plan::new(&JobSpec::parse(job).expect("valid"), Some(Arc::from(text))).expect("valid lines")
}

fn plan_of_digits() -> Plan {
    let job = "name = \"x\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = 8\n";
    Plan::new(&JobSpec::parse(job).expect("valid"), None).expect("valid")
}

/// A range of so many pieces.
fn plan_of_range(pieces: u64) -> Plan {
    let last = pieces * TASK_KERNEL_RANGE_VALUES_MAX;
    let plan = plan_of_lines(&format!("for n in 1..={last}: n > 0"));
    assert_eq!(plan.tasks(), pieces);
    plan
}

fn result(plan: &Plan, outcomes: &[Option<Outcome>]) -> (String, AnswerCounts) {
    let mut text = Vec::new();
    let mut assembler = ResultAssembler::new(plan);
    for outcome in outcomes {
        assembler.push(outcome.as_ref(), &mut text).expect("memory takes everything");
    }
    let counts = assembler.finish(&mut text).expect("memory takes everything");
    (String::from_utf8(text).expect("text"), counts)
}

fn refusal() -> Refusal {
    Refusal { kind: RefusalKind::Undefined, message: "division by zero".to_owned() }
}

fn true_answer() -> Answer {
    Answer::True { checksum: CHECKSUM }
}

fn all_true() -> Option<Outcome> {
    Some(Outcome::Range(RangeAnswer::AllTrue { checksum: CHECKSUM }))
}

fn counterexample(value: i128) -> Option<Outcome> {
    Some(Outcome::Range(RangeAnswer::Counterexample { value, checksum: CHECKSUM }))
}

fn unsettled(value: i128) -> Option<Outcome> {
    Some(Outcome::Range(RangeAnswer::Unsettled { value, digits: 100, checksum: CHECKSUM }))
}

fn refused(value: i128) -> Option<Outcome> {
    Some(Outcome::Range(RangeAnswer::Refused { value, refusal: refusal() }))
}

#[test]
fn digits_are_written_as_they_are() {
    let digits = Outcome::Digits("3.14159265".to_owned());
    let counts = AnswerCounts { values: 1, ..AnswerCounts::default() };
    assert_eq!(result(&plan_of_digits(), &[Some(digits)]), ("3.14159265".to_owned(), counts));
    let counts = AnswerCounts { undecided: 1, ..AnswerCounts::default() };
    assert_eq!(result(&plan_of_digits(), &[None]), ("undecided\n".to_owned(), counts));
}

#[test]
fn digits_that_are_handed_in_as_text_are_taken_as_the_outcome_that_they_are() {
    let digits = "3.14159265";
    for plan in [plan_of_digits(), plan_of_lines("1 < 2\n3 < 4\n"), plan_of_range(2)] {
        let mut text = Vec::new();
        let mut assembler = ResultAssembler::new(&plan);
        // One more than there are tasks.
        for _ in 0..=plan.tasks() {
            assembler.push_text(digits, &mut text).expect("memory takes everything");
        }
        let counts = assembler.finish(&mut text).expect("memory takes everything");
        let outcomes =
            vec![Some(Outcome::Digits(digits.to_owned())); usize::try_from(plan.tasks()).expect("few")];
        assert_eq!((String::from_utf8(text).expect("text"), counts), result(&plan, &outcomes));
    }
}

#[test]
fn expressions_make_one_line_each_in_the_order_of_the_job() {
    let plan = plan_of_lines(
        "2 * 2 == 4\n2 == 5\npi == 22/7\n# none\nsqrt(2)^2 == 2\n30!\npi\n1 / 0\nfor n in 1..=9: n < 9\n6 == 6",
    );
    let answers = vec![
        true_answer(),
        Answer::False { parts_after: None, checksum: CHECKSUM },
        Answer::False { parts_after: Some(3), checksum: CHECKSUM },
        Answer::Agrees { digits: 100, checksum: CHECKSUM },
        Answer::Value { text: "265252859812191058636308480000000".to_owned(), exact: true },
        Answer::Value { text: "3.14159…".to_owned(), exact: false },
        Answer::Refused(refusal()),
    ];
    let outcomes = [Some(Outcome::Answers(answers)), counterexample(9), None];
    let text = "true\t2 * 2 == 4\n\
                false\t2 == 5\n\
                false (the sides part after 3 significant digits)\tpi == 22/7\n\
                agrees to 100 digits\tsqrt(2)^2 == 2\n\
                265252859812191058636308480000000\t30!\n\
                3.14159…\tpi\n\
                refused: division by zero\t1 / 0\n\
                false (smallest counterexample 9)\tfor n in 1..=9: n < 9\n\
                undecided\t6 == 6\n";
    let counts =
        AnswerCounts { true_count: 1, false_count: 3, agrees: 1, values: 2, refused: 1, undecided: 1 };
    assert_eq!(result(&plan, &outcomes), (text.to_owned(), counts));
    assert_eq!(counts.total(), 9);
}

#[test]
fn the_pieces_of_a_range_are_joined() {
    let piece = i128::from(TASK_KERNEL_RANGE_VALUES_MAX);
    let plan = plan_of_range(3);
    let joined = |outcomes: [Option<Outcome>; 3]| {
        let (text, counts) = result(&plan, &outcomes);
        let (answer, expression) = text.trim_end().split_once('\t').expect("two columns");
        assert_eq!(expression, format!("for n in 1..={}: n > 0", 3 * piece));
        assert_eq!(counts.total(), 1);
        answer.to_owned()
    };
    assert_eq!(joined([all_true(), all_true(), all_true()]), "true");
    assert_eq!(
        joined([all_true(), counterexample(piece + 2), counterexample(2 * piece + 1)]),
        format!("false (smallest counterexample {})", piece + 2)
    );
    assert_eq!(
        joined([counterexample(5), None, refused(2 * piece + 1)]),
        "false (smallest counterexample 5)"
    );
    let not_settled = format!("false (counterexample {}; not every smaller value is settled)", 2 * piece + 1);
    for below in [None, unsettled(7), refused(7)] {
        assert_eq!(joined([below, all_true(), counterexample(2 * piece + 1)]), not_settled);
    }
    assert_eq!(
        joined([all_true(), unsettled(piece + 1), refused(2 * piece + 1)]),
        format!("agrees to 100 digits (at {})", piece + 1)
    );
    assert_eq!(joined([refused(4), unsettled(piece + 1), None]), "refused (at 4): division by zero");
    assert_eq!(joined([all_true(), None, refused(2 * piece + 1)]), "undecided");
}

#[test]
fn tasks_whose_outcomes_never_come_are_undecided() {
    let plan = plan_of_lines(&format!(
        "1 == 1\n2 == 2\nfor n in 1..={}: n > 0\n3 == 3",
        2 * TASK_KERNEL_RANGE_VALUES_MAX
    ));
    assert_eq!(plan.tasks(), 4);
    let outcomes = [Some(Outcome::Answers(vec![true_answer(), true_answer()])), all_true()];
    let (text, counts) = result(&plan, &outcomes);
    assert!(
        text.starts_with("true\t1 == 1\ntrue\t2 == 2\nundecided\tfor n")
            && text.ends_with("undecided\t3 == 3\n")
    );
    assert_eq!((counts.true_count, counts.undecided), (2, 2));
}

#[test]
fn an_accepted_outcome_of_another_shape_counts_as_undecided() {
    let plan = plan_of_lines("1 == 1\n2 == 2\nfor n in 1..=9: n < 9");
    let short = Outcome::Answers(vec![true_answer()]);
    let (text, counts) = result(&plan, &[Some(short), Some(Outcome::Digits("3.1".to_owned())), all_true()]);
    assert_eq!(text, "true\t1 == 1\nundecided\t2 == 2\nundecided\tfor n in 1..=9: n < 9\n");
    assert_eq!(counts.total(), 3);
}

#[test]
fn no_text_of_an_answer_or_an_expression_breaks_a_line() {
    let plan = Plan::new(&JobSpec::parse(&ask_job_text("1 <\n\t2")).expect("valid"), None).expect("valid");
    let answer = Answer::Value { text: "1\n2\t\u{1b}[31m".to_owned(), exact: true };
    let (text, _) = result(&plan, &[Some(Outcome::Answers(vec![answer]))]);
    assert_eq!(text, "1 2  [31m\t1 <  2\n");
}

#[test]
fn the_place_of_a_wrong_digit_is_named() {
    let plan = plan_of_digits();
    let digits = |text: &str| Outcome::Digits(text.to_owned());
    let place = |other: &str| plan.describe_difference(0, &digits("3.14159265"), &digits(other));
    assert_eq!(place("3.14159265"), None);
    assert_eq!(place("3.24159265").as_deref(), Some("decimal 1"));
    assert_eq!(place("3.14159266").as_deref(), Some("decimal 8"));
    assert_eq!(place("4.14159265").as_deref(), Some("the integer part"));
    assert_eq!(place("3,14159265").as_deref(), Some("the integer part"));
    assert_eq!(place("3.1415").as_deref(), Some("6 characters instead of 10"));
    assert_eq!(place("").as_deref(), Some("0 characters instead of 10"));
    let other = plan.describe_difference(0, &digits("3.1"), &Outcome::Answers(Vec::new()));
    assert_eq!(other.as_deref(), Some("a list of answers where none was asked for"));
    assert_eq!(plan.describe_difference(1, &digits("3.1"), &digits("3.2")), None, "there is no such task");
}

#[test]
fn a_wrong_answer_is_named_by_the_number_of_its_expression_in_the_job() {
    let plan = plan_of_lines("for n in 1..=9: n > 0\n1 == 1\n2 == 2\n3 == 3");
    let answers = |wrong: &[usize]| {
        let answer = |number| {
            if wrong.contains(&number) {
                Answer::False { parts_after: None, checksum: CHECKSUM }
            } else {
                true_answer()
            }
        };
        Outcome::Answers((0..3).map(answer).collect())
    };
    let place = |other: &Outcome| plan.describe_difference(1, &answers(&[]), other);
    assert_eq!(place(&answers(&[1, 2])).as_deref(), Some("expression 3: `2 == 2`"));
    assert_eq!(place(&Outcome::Answers(vec![true_answer()])).as_deref(), Some("1 answers instead of 3"));
    let mut other = vec![true_answer(); 3];
    other[2] = Answer::True { checksum: Checksum([8; 16]) };
    assert_eq!(place(&Outcome::Answers(other)).as_deref(), Some("expression 4: `3 == 3`"));
}

#[test]
fn a_wrong_value_of_a_range_is_named() {
    let plan = plan_of_lines("1 == 1\nfor n in 1..=9: n > 0");
    let place = |accepted: Option<Outcome>, other: Option<Outcome>| {
        plan.describe_difference(1, &accepted.expect("given"), &other.expect("given"))
    };
    assert_eq!(place(all_true(), counterexample(4)).as_deref(), Some("n = 4 of `n > 0`"));
    assert_eq!(place(counterexample(6), all_true()).as_deref(), Some("n = 6 of `n > 0`"));
    assert_eq!(place(counterexample(6), counterexample(5)).as_deref(), Some("n = 5 of `n > 0`"));
    assert_eq!(place(counterexample(6), unsettled(6)).as_deref(), Some("n = 6 of `n > 0`"));
    let other_values = Some(Outcome::Range(RangeAnswer::AllTrue { checksum: Checksum([8; 16]) }));
    assert_eq!(place(all_true(), other_values).as_deref(), Some("the values of expression 2: `n > 0`"));
}

/// What the pieces of a range say, told plainly: each by whether it is decided, and its first value that is not true.
fn plain_answer(pieces: &[Option<Outcome>]) -> &'static str {
    let is_counterexample =
        |piece: &&Option<Outcome>| matches!(piece, Some(Outcome::Range(RangeAnswer::Counterexample { .. })));
    if pieces.iter().any(|piece| is_counterexample(&piece)) {
        return "false";
    }
    pieces
        .iter()
        .find_map(|piece| match piece {
            Some(Outcome::Range(RangeAnswer::AllTrue { .. })) => None,
            Some(Outcome::Range(RangeAnswer::Unsettled { .. })) => Some("agrees"),
            Some(Outcome::Range(RangeAnswer::Refused { .. })) => Some("refused"),
            _ => Some("undecided"),
        })
        .unwrap_or("true")
}

proptest! {
    #[test]
    fn joining_pieces_says_what_all_pieces_together_say(kinds in prop::collection::vec(0..12_u8, 4)) {
        let pieces: Vec<Option<Outcome>> = kinds.iter().enumerate().map(|(number, kind)| {
            let value = i128::try_from(number).expect("small") * i128::from(TASK_KERNEL_RANGE_VALUES_MAX) + 1;
            match kind {
                0 => None,
                1 => counterexample(value),
                2 => unsettled(value),
                3 => refused(value),
                _ => all_true(),
            }
        }).collect();
        let (text, counts) = result(&plan_of_range(4), &pieces);
        prop_assert!(text.starts_with(plain_answer(&pieces)), "{text} of {pieces:?}");
        prop_assert_eq!(counts.total(), 1);
        prop_assert_eq!(text.contains("smallest"), kinds.iter().find(|kind| **kind < 4) == Some(&1));
    }

    #[test]
    fn tasks_without_an_outcome_are_skipped_as_if_they_came_one_after_the_other(
        kinds in prop::collection::vec(0..3_u8, 10),
    ) {
        let pieces = 4;
        let range = format!("for n in 1..={}: n > 0", pieces * TASK_KERNEL_RANGE_VALUES_MAX);
        let plan = plan_of_lines(&format!("1 < 2\n{range}\n3 < 4\n{range}\n"));
        prop_assert_eq!(plan.tasks(), kinds.len() as u64);
        let outcomes: Vec<Option<Outcome>> = (0..).zip(&kinds).map(|(index, kind)| match (kind, index) {
            (0, _) => None,
            (_, 0 | 5) => Some(Outcome::Answers(vec![true_answer()])),
            _ => all_true(),
        }).collect();
        let mut text = Vec::new();
        let mut assembler = ResultAssembler::new(&plan);
        for together in outcomes.chunk_by(|one, next| one.is_none() && next.is_none()) {
            match &together[0] {
                None => assembler.skip(together.len() as u64, &mut text),
                outcome => assembler.push(outcome.as_ref(), &mut text),
            }.expect("memory takes everything");
        }
        let counts = assembler.finish(&mut text).expect("memory takes everything");
        prop_assert_eq!((String::from_utf8(text).expect("text"), counts), result(&plan, &outcomes));
    }
}

#[test]
fn a_billion_tasks_without_outcomes_make_a_result_at_once() {
    let plan = plan_of_range(protocol::limits::TASKS_MAX);
    let (text, counts) = result(&plan, &[all_true()]);
    assert!(text.starts_with("undecided\t"), "{text}");
    assert_eq!(counts.undecided, 1);
}
