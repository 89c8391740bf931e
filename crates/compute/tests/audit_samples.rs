//! Answers to expressions and ranges: those that are right pass, and wrong ones are found among the members drawn.

use compute::{
    audit::{AuditFault, Finding, Strength, audit, is_auditable},
    control::Control,
    engine::run_on_cpu,
};
use protocol::{
    constant::Formula,
    outcome::{Answer, Checksum, Outcome, RangeAnswer, Refusal, RefusalKind},
    task::Task,
};

fn audited(task: &Task, outcome: &Outcome, seed: [u8; 32]) -> Finding {
    audit(task, Formula::Direct, &outcome.to_bytes(), None, &seed, &Control::default()).unwrap()
}

fn right(task: &Task) -> Outcome {
    assert!(is_auditable(task, Formula::Direct));
    run_on_cpu(task, Formula::Direct, &Control::default()).unwrap()
}

fn expressions(texts: impl IntoIterator<Item = String>) -> Task {
    let texts: Vec<String> = texts.into_iter().collect();
    Task::Expressions { agree_digits: 20, expressions: texts.iter().map(String::as_str).collect() }
}

fn range(body: &str, first: i128, last: i128) -> Task {
    Task::Range { agree_digits: 20, variable: "n".to_owned(), body: body.to_owned(), first, last }
}

fn strength(finding: Finding) -> Strength {
    match finding {
        Finding::Passed { strength } => strength,
        Finding::Failed(fault) => panic!("{fault}"),
    }
}

#[test]
fn right_answers_pass_and_the_strength_counts_members() {
    let few = expressions(["1 + 1", "pi < 22 / 7", "1 / 0 == 1", "sin(", "2 == 3"].map(str::to_owned));
    assert_eq!(strength(audited(&few, &right(&few), [1; 32])), Strength::Sampled { checked: 5, members: 5 });
    let many = expressions((0..200).map(|n| format!("{n}^2 == {}", n * n)));
    let Strength::Sampled { checked: 1..=8, members: 200 } = strength(audited(&many, &right(&many), [1; 32]))
    else {
        panic!("not as many as are drawn")
    };
}

#[test]
fn a_wrong_answer_is_found_when_it_is_drawn() {
    let task = expressions((0..16).map(|n| format!("{n} + 1 == {}", n + 1)));
    let Outcome::Answers(mut answers) = right(&task) else { panic!("no answers") };
    answers[5] = Answer::False { parts_after: None, checksum: Checksum([0; 16]) };
    let outcome = Outcome::Answers(answers);
    let caught = (0..100_u8).filter(|byte| {
        matches!(audited(&task, &outcome, [*byte; 32]), Finding::Failed(AuditFault::Answer { number: 6, .. }))
    });
    // Half of the members are drawn, with repetitions: 1 - (15/16)^8 = 0.40.
    let caught = caught.count();
    assert!((20..=60).contains(&caught), "{caught} of 100");
}

#[test]
fn an_answer_with_another_checksum_is_wrong() {
    let task = expressions(["6 * 7 == 42".to_owned()]);
    let outcome = Outcome::Answers(vec![Answer::True { checksum: Checksum([1; 16]) }]);
    assert!(matches!(audited(&task, &outcome, [0; 32]), Finding::Failed(AuditFault::Answer { .. })));
}

#[test]
fn another_number_of_answers_fails() {
    let task = expressions((0..3).map(|n| format!("{n} == {n}")));
    let Outcome::Answers(mut answers) = right(&task) else { panic!("no answers") };
    answers.pop();
    let finding = audited(&task, &Outcome::Answers(answers), [0; 32]);
    assert_eq!(finding, Finding::Failed(AuditFault::Count { answers: 2, expressions: 3 }));
}

#[test]
fn right_answers_for_ranges_pass_whatever_they_say() {
    for (body, first, last) in [
        ("n^5 % 30 == n % 30", -5_000, 5_000),
        ("n^2 + n + 41 > 0 and is_prime(n^2 + n + 41)", 0, 1_000),
        ("1 / (n - 300) != 2", 0, 1_000),
        ("sin(n)^2 + cos(n)^2 == 1", 1, 100),
        ("n == n", 7, 7),
        ("n <", 0, 1_000),
        ("n == n", i128::MAX - 1_000, i128::MAX),
        ("n == n", i128::MIN, i128::MIN + 1_000),
    ] {
        let task = range(body, first, last);
        for byte in 0..5 {
            let Strength::Sampled { checked, members } = strength(audited(&task, &right(&task), [byte; 32]))
            else {
                panic!("no count")
            };
            assert!(checked >= 1 && u128::from(checked) <= members, "{checked} of {members} for {body}");
        }
    }
}

#[test]
fn wrong_answers_for_ranges_fail() {
    let checksum = Checksum([0; 16]);
    let refusal = Refusal { kind: RefusalKind::Undefined, message: "no".to_owned() };
    let all_true = RangeAnswer::AllTrue { checksum };
    let counterexample = |value| RangeAnswer::Counterexample { value, checksum };
    for (body, wrong) in [
        // The last, the first, and every other value is false.
        ("n != 1000", all_true.clone()),
        ("n != 0", all_true.clone()),
        ("n % 2 == 0", all_true.clone()),
        ("1 / n > 0", all_true),
        // True at the value; false before it; outside the range.
        ("n < 500", counterexample(499)),
        ("n % 3 == 0", counterexample(301)),
        ("n < 500", counterexample(-1)),
        ("n < 500", counterexample(1_001)),
        ("n < 500", RangeAnswer::Unsettled { value: 500, digits: 20, checksum }),
        ("n < 500", RangeAnswer::Refused { value: 500, refusal: refusal.clone() }),
        ("1 / (n - 500) != 2", RangeAnswer::Refused { value: 500, refusal }),
    ] {
        let finding = audited(&range(body, 0, 1_000), &Outcome::Range(wrong.clone()), [9; 32]);
        assert!(matches!(finding, Finding::Failed(_)), "{body}: {wrong}: {finding:?}");
    }
}
