//! The same job gives the same tasks everywhere, cut where the limits say; what is wrong in an expression file is
//! told by line.

use std::sync::Arc;

use proptest::prelude::*;
use protocol::{
    job::{JobFileErrors, JobSpec, ask_job_text},
    limits::{
        QUICK_EXPRESSION_BYTES_MAX, TASK_BYTES_MAX, TASK_KERNEL_RANGE_VALUES_MAX, TASK_RANGE_VALUES_MAX,
        TASK_TEXT_BYTES_MAX,
    },
    plan::Plan,
    task::{Task, TaskId},
};

/// Most expressions in one task, as a length.
const EXPRESSIONS_PER_TASK: usize = protocol::limits::TASK_EXPRESSIONS_MAX as usize;
const QUICK_PER_TASK: usize = EXPRESSIONS_PER_TASK * protocol::limits::QUICK_PER_EXPRESSION as usize;

fn file_job() -> JobSpec {
    let text = "name = \"lines\"\nkind = \"expressions\"\n[expressions]\nfile = \"sub/lines.txt\"\n";
    JobSpec::parse(text).expect("valid")
}

fn plan_of_file(text: &str) -> Result<Plan, JobFileErrors> {
    Plan::new(&file_job(), Some(Arc::from(text)))
}

fn plan_of(job: &str) -> Plan {
    Plan::new(&JobSpec::parse(job).expect("a valid job"), None).expect("a job without a file has a plan")
}

fn tasks(plan: &Plan) -> Vec<Task> {
    (0..plan.tasks()).map(|index| plan.task(index).expect("below the number of tasks")).collect()
}

fn batch_sizes(plan: &Plan) -> Vec<usize> {
    let size = |task| match task {
        Task::Expressions { expressions, .. } => expressions.len(),
        other => panic!("{other:?} is no batch"),
    };
    tasks(plan).into_iter().map(size).collect()
}

fn batch(expressions: &[&str]) -> Task {
    Task::Expressions { agree_digits: 100, expressions: expressions.iter().copied().collect() }
}

#[test]
fn digits_are_one_task() {
    let plan = plan_of("name='x'\nkind='digits'\n[digits]\nconstant='golden-ratio'\ndecimals=1234567");
    assert_eq!((plan.tasks(), plan.expressions()), (1, None));
    assert_eq!(plan.summary(0), "1,234,567 decimals of golden-ratio");
    assert_eq!((plan.task(1), plan.summary(1)), (None, String::new()));
}

#[test]
fn other_bytes_for_a_task_have_another_id_and_are_read_only_where_that_is_known() {
    let task = batch(&["1 == 1", "2 == 2"]);
    let canonical = task.to_bytes();
    // The list's length in three bytes instead of one.
    let place =
        canonical.iter().position(|byte| *byte == 0x92).expect("an array of two, which holds another one");
    let list = place + 1 + canonical[place + 1..].iter().position(|byte| *byte == 0x92).expect("the texts");
    let other = [&canonical[..list], &[0xdc, 0, 2], &canonical[list + 1..]].concat();
    assert!(Task::from_bytes(&other).is_err());
    assert_eq!(Task::from_bytes_with_their_id(&other), Ok(task.clone()));
    assert_eq!(Task::from_bytes_with_their_id(&canonical), Ok(task));
    assert_ne!(TaskId::of_bytes(&other), TaskId::of_bytes(&canonical));
    assert!(Task::from_bytes_with_their_id(&other[..other.len() - 1]).is_err());
}

/// The ids were worked out by another program: MessagePack by hand, BLAKE3's key derivation by its Python package.
#[test]
fn task_ids_are_the_same_on_every_machine_and_in_every_version() {
    let id = |plan: &Plan, index| TaskId::of(&plan.task(index).expect("there")).to_string();
    let digits = plan_of("name='x'\nkind='digits'\n[digits]\nconstant='pi'\ndecimals=1_000_000");
    assert_eq!(id(&digits, 0), "96f3a8f9bea58d6bf40b84e3bb5423343ce359b9d0f485799e8f0e924912839a");
    let mixed =
        plan_of_file("2 * 2 * 2 * 2 == 16\n2 + 2 == 5\nfor n in 1..=5000000: n^5 % 30 == n % 30\n1\n")
            .expect("valid");
    let ids: Vec<String> = (0..mixed.tasks()).map(|index| id(&mixed, index)).collect();
    assert_eq!(
        ids,
        [
            "aedafa8cf0b4d7d053c3975d6cc3107937b5838eeaf6e317085cfeb276299b74",
            "8044d544664d4441592d92ff45435c34adce4db0745e7e06ab420db273bfbc8c",
            "c471e34da5aed52c8610f1a1914c6edad42a0b11552240491fc2a8bc168f5cb4",
            "b8da33e04ebdacafb69d8d0bc1c933e31a2fbe29dcbb71b1524af22f14c85836"
        ]
    );
}

#[test]
fn blank_lines_and_comments_do_not_count_and_line_ends_may_be_anything() {
    let plan = plan_of_file("\u{feff}# first\r\n\r\n  1 == 1\t\r\n#2 == 2\n\n\n3 == 3").expect("valid");
    assert_eq!(tasks(&plan), [batch(&["1 == 1", "3 == 3"])]);
    assert_eq!(plan.expressions(), Some(2));
}

#[test]
fn a_range_whose_body_has_no_kernel_is_cut_into_shorter_pieces() {
    let values = i128::from(TASK_RANGE_VALUES_MAX);
    for (body, pieces) in [("n^2 >= 0", 1), ("sqrt(n^2) >= 0", 2)] {
        let plan = plan_of_file(&format!("for n in 0..={values}: {body}")).expect("valid");
        assert_eq!(plan.tasks(), pieces, "{body}");
        assert_eq!(plan.has_kernel(), pieces == 1, "{body}");
    }
    let Some(Task::Range { first, last, .. }) =
        plan_of_file(&format!("for n in 0..={values}: sqrt(n^2) >= 0")).expect("valid").task(1)
    else {
        panic!("a piece")
    };
    assert_eq!((first, last), (values, values));
}

#[test]
fn a_range_is_cut_into_pieces_between_the_batches_around_it() {
    let values = i128::from(TASK_KERNEL_RANGE_VALUES_MAX);
    let text = format!("1 == 1\n2 == 2\nfor n in -5..={}: n^2 >= 0\n3 == 3\n", values - 5);
    let plan = plan_of_file(&text).expect("valid");
    let piece = |first, last| Task::Range {
        agree_digits: 100,
        variable: "n".to_owned(),
        body: "n^2 >= 0".to_owned(),
        first,
        last,
    };
    let expected = [
        batch(&["1 == 1", "2 == 2"]),
        piece(-5, values - 6),
        piece(values - 5, values - 5),
        batch(&["3 == 3"]),
    ];
    assert_eq!(tasks(&plan), expected);
    assert_eq!(plan.expressions(), Some(4));
    let summaries: Vec<String> = (0..4).map(|index| plan.summary(index)).collect();
    let expected = [
        "expressions 1 to 2",
        "n = -5 to 4194298 of `n^2 >= 0`",
        "n = 4194299 to 4194299 of `n^2 >= 0`",
        "expression 4: `3 == 3`",
    ];
    assert_eq!(summaries, expected);
}

#[test]
fn ranges_at_the_ends_of_the_integers_are_cut_without_overflow() {
    let (least, most) = ("-(2^126) - 2^126", "2^126 - 1 + 2^126");
    for (first, last, pieces) in [
        (format!("{most} - 5"), most.to_owned(), 1),
        (format!("{most} - 5000000"), most.to_owned(), 2),
        (least.to_owned(), format!("{least} + 5000000"), 2),
    ] {
        let plan = plan_of(&ask_job_text(&format!("for n in {first}..={last}: n == n")));
        assert_eq!(plan.tasks(), pieces);
        let mut next = None;
        for task in tasks(&plan) {
            let Task::Range { first, last, .. } = task else { panic!("{task:?} is no range") };
            assert!(first <= last && next.is_none_or(|next| next == first));
            next = last.checked_add(1);
        }
        assert_eq!(next.is_none(), last == most, "the last value is in the last piece");
    }
    let errors =
        JobSpec::parse(&ask_job_text(&format!("for n in {least}..={most}: n == n"))).expect_err("too long");
    assert!(errors.to_string().contains("340282366920938463463374607431768211455 values"), "{errors}");
}

#[test]
fn the_body_of_a_range_is_an_expression_by_itself() {
    for body in
        ["(n) == (n)", " ( n == n ) ", "not (n == 1) or (n == n)", "-n < (n + 1)", "is_prime(n) or n > 0"]
    {
        let plan = plan_of(&ask_job_text(&format!("for n in 1..=9:{body}")));
        let Some(Task::Range { variable, body, .. }) = plan.task(0) else { panic!("{body} makes a range") };
        assert!(protocol::expression::parse_body(&body, &variable).is_ok(), "{body}");
        assert_eq!(body.matches('(').count(), body.matches(')').count(), "{body}");
    }
}

#[test]
fn batches_end_at_their_number_of_expressions_and_take_more_of_quick_ones() {
    for (line, most) in [("1!=2\n", EXPRESSIONS_PER_TASK), ("1==1\n", QUICK_PER_TASK)] {
        for (lines, expected) in
            [(1, vec![1]), (most, vec![most]), (most + 1, vec![most, 1]), (2 * most, vec![most; 2])]
        {
            assert_eq!(batch_sizes(&plan_of_file(&line.repeat(lines)).expect("valid")), expected);
        }
    }
}

#[test]
fn quick_expressions_are_short_ones_of_numbers_and_signs_and_fill_a_part_of_a_batch() {
    let sizes = |text: &str| batch_sizes(&plan_of_file(text).expect("valid"));
    let long = |bytes: usize| format!("{}1\n", "1+".repeat(bytes / 2));
    for (quick, text) in [
        (true, "(1.5 - 2) * 3 % 4 // 5 / 6 <= 7 < 8 > 0 >= 0 == 0".to_owned()),
        (true, long(QUICK_EXPRESSION_BYTES_MAX - 2)),
        (false, long(QUICK_EXPRESSION_BYTES_MAX)),
        (false, "2^2 == 4".to_owned()),
        (false, "3! == 6".to_owned()),
        (false, "1 != 2".to_owned()),
        (false, "1e3 == 1".to_owned()),
        (false, "pi < 4".to_owned()),
        (false, "1 == 1 and 2 == 2".to_owned()),
        (false, "1 ==\t1".to_owned()),
    ] {
        // With so many of either kind, one more of its own kind decides whether the batch is full.
        let half = EXPRESSIONS_PER_TASK / 2;
        let text = format!("{}{}{text}\n", "1 != 2\n".repeat(half), "1==1\n".repeat(QUICK_PER_TASK / 2 - 1));
        let held = half + QUICK_PER_TASK / 2 - 1;
        assert_eq!(sizes(&text), if quick { vec![held + 1] } else { vec![held, 1] }, "{text}");
    }
}

#[test]
fn quick_expressions_fill_a_part_of_a_batchs_bytes() {
    let long = format!("{}\n", "1".repeat(QUICK_EXPRESSION_BYTES_MAX));
    let most = QUICK_PER_TASK * TASK_TEXT_BYTES_MAX / EXPRESSIONS_PER_TASK / QUICK_EXPRESSION_BYTES_MAX;
    assert!(most < QUICK_PER_TASK);
    let plan = plan_of_file(&long.repeat(most + 1)).expect("valid");
    assert_eq!(batch_sizes(&plan), [most, 1]);
}

#[test]
fn batches_end_at_their_bytes_of_text() {
    let half = format!("{}\n", "1".repeat(TASK_TEXT_BYTES_MAX / 2));
    let over_half = format!("1{half}");
    let over_all = format!("{}\n", "1".repeat(TASK_TEXT_BYTES_MAX + 1));
    let one = "1!=2";
    let sizes = |text: String| batch_sizes(&plan_of_file(&text).expect("valid"));
    assert_eq!(sizes(format!("{half}{half}{one}\n")), [2, 1]);
    assert_eq!(sizes(format!("{half}{over_half}")), [1, 1]);
    let sizes = sizes(format!("{one}\n{over_all}{one}\n{one}\n"));
    assert_eq!(sizes, [1, 1, 2], "a longer expression is a task of its own");
}

#[test]
fn an_expression_that_no_task_can_hold_is_told_by_line() {
    let long = "1".repeat(TASK_BYTES_MAX);
    let errors = plan_of_file(&format!("1\n{long}\n")).expect_err("too long");
    assert_eq!(
        errors.render("jobs/x.toml"),
        "jobs/sub/lines.txt:2:1: the expression has 4194304 bytes and a task holds at most 4194304; write a shorter \
         one"
    );
    let plan = plan_of_file(&long[..TASK_BYTES_MAX - 2000]).expect("it fits");
    let bytes = plan.task(0).expect("there").to_bytes();
    assert!(Task::from_bytes(&bytes).is_ok(), "{} bytes", bytes.len());
}

#[test]
fn syntax_errors_are_told_by_line_with_a_caret() {
    let errors = plan_of_file("# squares\n\n  2 * * 2\n1 == 1\n3 +\n").expect_err("not all are expressions");
    let expected = "sub/lines.txt:3:7: not an expression: expected a number, a name, `(` or `-`, found `*`\n      \
                    | 2 * * 2\n      |     ^\n\
                    sub/lines.txt:5:4: not an expression: expected a number, a name, `(` or `-`, found the end\n      \
                    | 3 +\n      |    ^";
    assert_eq!(errors.render("x.toml"), expected);
    assert_eq!(errors.to_string(), expected);
    assert_eq!(errors.expression_file(), Some("sub/lines.txt"));
}

#[test]
fn of_many_syntax_errors_the_first_twenty_are_shown() {
    let errors = plan_of_file(&"1 ==\n".repeat(10_000)).expect_err("none is an expression");
    assert_eq!((errors.errors().len(), errors.more()), (20, 9_980));
}

#[test]
fn a_file_without_expressions_and_a_file_that_is_not_there_are_errors() {
    let render = |plan: Result<Plan, JobFileErrors>| plan.expect_err("no plan").render("j.toml");
    let empty = "sub/lines.txt:1:1: there is no expression in it; write at least one";
    assert_eq!(render(plan_of_file("# nothing\n\n")), empty);
    let missing = "j.toml:1:1: the expressions are in `sub/lines.txt`, and its text was not given; submit it with the \
                   job file";
    assert_eq!(render(Plan::new(&file_job(), None)), missing);
}

#[test]
fn too_many_tasks_are_an_error_before_they_are_made() {
    let range = "for n in 1..=16 * 10^14: n == n\n";
    let errors = plan_of_file(&range.repeat(4)).expect_err("4 * 380 million tasks");
    let expected = "sub/lines.txt:3:1: the job has more than 1000000000 tasks; split it into several jobs";
    assert_eq!(errors.render("x.toml"), expected);
    let inline = format!(
        "name='x'\nkind='expressions'\n[expressions]\ncheck=['''{range}''','{r}','{r}']",
        r = range.trim()
    );
    let errors = JobSpec::parse(&inline).expect_err("too many tasks");
    assert!(errors.to_string().contains("the job has more than 1000000000 tasks"), "{errors}");
}

#[test]
fn a_million_lines_are_planned() {
    let lines: Vec<String> = (0..1_000_000).map(|n| format!("{n} + 1 == {}", n + 1)).collect();
    let text = lines.join("\n");
    let plan = plan_of_file(&text).expect("valid");
    assert_eq!(plan.expressions(), Some(1_000_000));
    assert_eq!(plan.tasks(), 123);
    let Some(Task::Expressions { expressions, .. }) = plan.task(122) else {
        panic!("the last task is a batch")
    };
    assert_eq!(expressions.iter().last(), Some("999999 + 1 == 1000000"));
    assert_eq!(plan.summary(122), "expressions 999425 to 1000000");
}

/// Lines of every kind that a file may hold.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0..1000_u32).prop_map(|n| format!("{n} * 2 == {}", 2 * n)),
        1 => Just(String::new()),
        1 => Just("  # comment".to_owned()),
        1 => (1_u32..5, 0_u32..1_000_000).prop_map(|(a, b)| format!("for k in {a}..={}: k > 0", a + b)),
        1 => (0_usize..60_000).prop_map(|n| format!(" 1{} ", " ".repeat(n))),
        1 => (20_000_usize..60_000).prop_map(|n| "1".repeat(n)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_expression_is_in_exactly_one_place_in_order(lines in prop::collection::vec(line(), 1..200)) {
        let kept: Vec<&str> = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        prop_assume!(!kept.is_empty());
        let plan = plan_of_file(&lines.join("\n")).expect("valid lines");
        let again = plan_of_file(&lines.join("\r\n")).expect("valid lines");
        prop_assert_eq!(plan.expressions(), Some(kept.len() as u64));
        let mut seen: Vec<String> = Vec::new();
        let mut open_range: Option<(String, i128)> = None;
        for index in 0..plan.tasks() {
            let task = plan.task(index).expect("there");
            prop_assert_eq!(again.task(index), Some(task.clone()));
            prop_assert_eq!(plan.task_bytes(index), Some(task.to_bytes()));
            match task {
                Task::Expressions { expressions, .. } => {
                    // Of these lines, the long ones alone are not quick.
                    let parts = |text: &str| if text.len() <= QUICK_EXPRESSION_BYTES_MAX { 1 } else { 8 };
                    let held: usize = expressions.iter().map(parts).sum();
                    prop_assert!((1..=QUICK_PER_TASK).contains(&held));
                    let bytes: usize = expressions.iter().map(|text| text.len() * parts(text)).sum();
                    prop_assert!(expressions.len() == 1 || bytes <= 8 * TASK_TEXT_BYTES_MAX);
                    seen.extend(expressions.iter().map(str::to_owned));
                }
                Task::Range { variable, body, first, last, .. } => {
                    prop_assert!(last - first < i128::from(TASK_KERNEL_RANGE_VALUES_MAX));
                    let begin = match open_range.take() {
                        Some((begin, end)) if end == first => begin,
                        _ => first.to_string(),
                    };
                    let whole = format!("for {variable} in {begin}..={last}: {body}");
                    if kept.get(seen.len()) == Some(&whole.as_str()) {
                        seen.push(whole);
                    } else {
                        open_range = Some((begin, last + 1));
                    }
                }
                Task::Digits { .. } | Task::Series { .. } | Task::HexTerms(_) => prop_assert!(false, "no digits were asked for"),
            }
        }
        prop_assert_eq!(seen, kept);
        prop_assert_eq!(plan.task(plan.tasks()), None);
    }

    #[test]
    fn no_text_makes_the_planner_panic(text in "(\\PC|\n|\r|\t|for |in|[0-9.=:#]){0,200}") {
        if let Ok(plan) = plan_of_file(&text) {
            for index in 0..plan.tasks().min(20) {
                prop_assert!(plan.task(index).is_some());
                prop_assert!(!plan.summary(index).is_empty());
            }
        }
    }
}

#[test]
fn a_job_says_how_many_expressions_a_task_holds_at_most() {
    for (batch, sizes) in [(1, vec![1; 5]), (2, vec![2, 2, 1]), (5, vec![5]), (1024, vec![5])] {
        let text = format!(
            "name = \"j\"\nkind = \"expressions\"\n[expressions]\nbatch = {batch}\ncheck = {:?}\n",
            vec!["1 == 1"; 5]
        );
        let spec = JobSpec::parse(&text).expect("valid");
        assert_eq!(batch_sizes(&Plan::new(&spec, None).expect("valid")), sizes);
    }
}
