//! A job file is read whole or refused whole, and a refusal says everything that is wrong, where, and what to do.

use protocol::{
    constant::Constant,
    domain::Axis,
    job::{ExpressionSource, JobFileErrors, JobSpec, Work, ask_job_text},
    limits::JOB_FILE_BYTES_MAX,
    policy::{Electorate, Policy},
};

const DIGITS: &str = "name = \"x\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = 10\n";
const EXPRESSIONS: &str = "name = \"x\"\nkind = \"expressions\"\n[expressions]\n";

fn parsed(text: &str) -> JobSpec {
    JobSpec::parse(text).unwrap_or_else(|errors| panic!("{}", errors.render("job.toml")))
}

fn refused(text: &str) -> JobFileErrors {
    JobSpec::parse(text).expect_err("the job file must be refused")
}

fn messages(text: &str) -> Vec<String> {
    refused(text).render("j").lines().map(str::to_owned).collect()
}

fn digits_with_policy(policy: &str) -> String {
    format!("{DIGITS}[policy]\n{policy}")
}

fn expressions_with(keys: &str) -> String {
    format!("{EXPRESSIONS}{keys}")
}

#[test]
fn a_job_of_digits_is_read_with_every_default() {
    let expected = JobSpec {
        name: "x".to_owned(),
        description: String::new(),
        work: Work::Digits { constant: Constant::Pi, decimals: 10 },
        policy: Policy::tolerating(1),
    };
    assert_eq!(parsed(DIGITS), expected);
}

#[test]
fn every_key_of_a_job_of_expressions_is_read() {
    let text = "name = \"all-keys-9\"\ndescription = \"what it is\"\nkind = \"expressions\"\n\
                [expressions]\ncheck = [\"1 == 1\", 'for n in 1..=3: n == n']\nagree_digits = 50\nbatch = 7\n\
                [policy]\ntolerate = 2\nquorum = 4\nreplicas = 6\nmax_replicas = 0x10\n\
                distinct = [\"operator\", \"device\"]\nelectorate = \"all\"\nsealed = true\nlease = \"1m 30s\"\n";
    let check = vec!["1 == 1".to_owned(), "for n in 1..=3: n == n".to_owned()];
    let expected = JobSpec {
        name: "all-keys-9".to_owned(),
        description: "what it is".to_owned(),
        work: Work::Expressions { agree_digits: 50, batch: Some(7), source: ExpressionSource::Inline(check) },
        policy: Policy {
            tolerate: 2,
            quorum: 4,
            replicas: 6,
            max_replicas: 16,
            distinct: vec![Axis::Operator, Axis::Device],
            electorate: Electorate::All,
            sealed: true,
            lease_ms: 90_000,
            ..Policy::default()
        },
    };
    assert_eq!(parsed(text), expected);
    assert_eq!(parsed(&expected.to_toml()), expected, "what is written is what was read");
}

#[test]
fn an_expression_file_is_named_by_a_path_below_the_job_file() {
    let spec = parsed(&expressions_with("file = \"lists/lines.txt\"\n"));
    let source = ExpressionSource::File("lists/lines.txt".to_owned());
    assert_eq!(spec.work, Work::Expressions { agree_digits: 100, batch: None, source });
}

#[test]
fn everything_wrong_is_reported_at_once_in_the_order_of_the_file() {
    let text = "nam = \"A b\"\nname = \"A b\"\nkind = \"digits\"\n[digits]\nconstant = \"pie\"\ndecimls = 3\n\
                decimals = 0\n[policy]\nquorum = \"2\"\nadaptive = 1\ndistinct = [\"formular\", 3]\nlease = 60\n";
    assert_eq!(
        messages(text),
        [
            "j:1:1: unknown key `nam`; did you mean `name`?",
            "j:2:8: `name` is `A b`; use 1 to 64 lowercase letters, digits and `-`, the first a letter or a digit: \
             it names the results folder",
            "j:5:12: no constant is named `pie`; known are pi, e, sqrt(N), golden-ratio, ln2, ln(N), zeta(3), catalan, euler-gamma, lemniscate, gamma(1/3) and gamma(1/4)",
            "j:6:1: unknown key `decimls` in [digits]; did you mean `decimals`?",
            "j:7:12: `decimals` is 0; it must be from 1 to 1000000000",
            "j:9:10: `quorum` must be a whole number, not a string; write `quorum = 2`",
            "j:10:12: `adaptive` must be true or false, not a whole number; write `adaptive = true`",
            "j:11:13: `distinct` is `formular`; did you mean `formula`?",
            "j:11:25: `distinct` must be a list of strings, not a list with a whole number in it; write `distinct = \
             [\"formula\"]`",
            "j:12:9: `lease` must be a string, not a whole number; write `lease = \"60s\"`",
        ]
    );
}

#[test]
fn sealed_is_true_or_false_and_nothing_else() {
    let text =
        "name = \"x\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = 5\n[policy]\nsealed = 1\n";
    let expected = "j:7:10: `sealed` must be true or false, not a whole number; write `sealed = true`";
    assert_eq!(messages(text), [expected]);
}

#[test]
fn an_empty_file_is_told_what_it_lacks() {
    let expected = [
        "j:1:1: missing key `name`; add `name = \"pi-digits\"`",
        "j:1:1: missing key `kind`; add `kind = \"digits\"`, `\"hex-digits\"`, `\"series\"` or `\"expressions\"`",
    ];
    assert_eq!(messages(""), expected);
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let text = format!("{DIGITS}#{}", "x".repeat(JOB_FILE_BYTES_MAX));
    let message = "j:1:1: the job file has 4194371 bytes and the limit is 4194304; put the expressions in a file of \
                   their own, `file = \"lines.txt\"`";
    assert_eq!(messages(&text), [message]);
}

#[test]
fn a_syntax_error_is_shown_under_its_place() {
    let text = expressions_with("check = [\n    \"1 == 1\",\n    \"2 * * 2\",\n]\n");
    let expected = "jobs/x.toml:6:10: not an expression: expected a number, a name, `(` or `-`, found `*`\n      \
                    | 2 * * 2\n      |     ^";
    assert_eq!(refused(&text).render("jobs/x.toml"), expected);
}

#[test]
fn the_place_of_a_syntax_error_is_exact_in_every_string_without_escapes() {
    for (written, column) in [("'1 +'", 14), ("\"\"\"1 +\"\"\"", 16), ("\"\\u0031 +\"", 10)] {
        let error = &refused(&expressions_with(&format!("check = [{written}]\n"))).errors()[0].clone();
        assert_eq!((error.line, error.column), (4, column), "in {written}");
    }
}

#[test]
fn columns_count_characters() {
    let error = &refused(&expressions_with("check = [\"1\"] # é\n'ключ' = 1 \nfile = 3")).errors()[0].clone();
    assert_eq!((error.line, error.column), (5, 1));
    let text = "name = \"x\"\nkind = \"digits\"\ndigits = { 'é' = 1, constant = \"e\", decimals = 0 }\n";
    let columns: Vec<usize> = refused(text).errors().iter().map(|error| error.column).collect();
    assert_eq!(columns, [12, 48]);
}

#[test]
fn expressions_over_a_bound_are_no_mistake_because_their_refusal_is_voted_on() {
    let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let long = format!("1{}", " + 1".repeat(50_000));
    for expression in ["9^9^9^9", "(10^9)!", "1/0", "(1 < 2) + 3", &deep, &long] {
        let spec = parsed(&ask_job_text(expression));
        let source = ExpressionSource::Inline(vec![expression.to_owned()]);
        assert_eq!(spec.work, Work::Expressions { agree_digits: 100, batch: None, source });
    }
}

#[test]
fn broken_toml_hides_no_other_mistake_and_invents_none() {
    let text = "name = \"x\"\nkind = \"digits\"\n[digits]\nconstant = pi\ndecimals = 0\n[policy]\nquorum =\nadaptive = 1\n";
    assert_eq!(
        messages(text),
        [
            "j:4:12: not valid TOML: string values must be quoted, expected literal string",
            "j:5:12: `decimals` is 0; it must be from 1 to 1000000000",
            "j:7:9: not valid TOML: string values must be quoted, expected literal string",
            "j:8:12: `adaptive` must be true or false, not a whole number; write `adaptive = true`",
        ]
    );
    assert_eq!(
        messages("name = \"x\"\nkind = \"digits\"\n[digits\nconstant = \"pi\"\n"),
        ["j:3:8: not valid TOML: unclosed table, expected `]`"],
        "the keys under a broken heading may belong to another table"
    );
}

#[test]
fn only_the_first_twenty_mistakes_are_shown_and_the_rest_is_counted() {
    let keys: Vec<String> = (0..25).map(|number| format!("zzzz{number:02} = 1")).collect();
    let errors = refused(&format!("{}\n{DIGITS}", keys.join("\n")));
    assert_eq!((errors.errors().len(), errors.more()), (20, 5));
    assert_eq!(
        errors.errors().iter().map(|error| error.line).collect::<Vec<_>>(),
        (1..=20).collect::<Vec<_>>()
    );
    assert!(errors.render("j").ends_with("\nand 5 more errors"));
    let errors = refused(&"\u{1}\n".repeat(50_000));
    assert_eq!((errors.errors().len(), errors.more()), (20, 49_980));
}

#[test]
fn values_in_messages_are_short_and_carry_no_control_characters() {
    let text = format!(
        "name = \"\\u001b[31m{}\"\nkind = \"digits\"\n[digits]\nconstant=\"e\"\ndecimals=1\n",
        "A".repeat(5000)
    );
    let shown = refused(&text).render("j");
    assert!(shown.len() < 300 && !shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn what_a_policy_leaves_out_follows_from_what_it_says() {
    for (policy, expected) in [
        ("", (1, 2, 3, 9)),
        ("tolerate = 0", (0, 1, 1, 9)),
        ("tolerate = 2", (2, 3, 5, 9)),
        ("tolerate = 6", (6, 7, 13, 13)),
        ("quorum = 3", (2, 3, 5, 9)),
        ("replicas = 7", (3, 4, 7, 9)),
        ("replicas = 2\nquorum = 2", (0, 2, 2, 9)),
        ("replicas = 2\nquorum = 2\ntolerate = 1", (1, 2, 2, 9)),
        ("replicas = 5\nquorum = 3", (2, 3, 5, 9)),
        ("quorum = 1\nreplicas = 1", (0, 1, 1, 9)),
        ("tolerate = 1\nreplicas = 5", (1, 3, 5, 9)),
        ("tolerate = 499", (499, 500, 999, 999)),
    ] {
        let Policy { tolerate, quorum, replicas, max_replicas, .. } =
            parsed(&digits_with_policy(policy)).policy;
        assert_eq!((tolerate, quorum, replicas, max_replicas), expected, "of {policy:?}");
    }
}

#[test]
fn ask_makes_a_valid_job_of_any_expression() {
    for expression in ["2 * 2 * 2 * 2 == 16", "1 <\n\t2", "for n in 1..=9: n == n"] {
        let spec = parsed(&ask_job_text(expression));
        assert_eq!(spec.name, "ask");
        assert_eq!(spec.policy, Policy::default());
        let source = ExpressionSource::Inline(vec![expression.to_owned()]);
        assert_eq!(spec.work, Work::Expressions { agree_digits: 100, batch: None, source });
    }
    let errors = refused(&ask_job_text("\"]\nname = \"\\u{1}'''"));
    assert_eq!(errors.errors().len(), 1, "quotes and escapes stay inside the string: {errors}");
    assert!(errors.to_string().contains("not an expression"), "{errors}");
}
