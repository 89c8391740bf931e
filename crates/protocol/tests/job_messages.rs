//! Each mistake in a job file has one message, word for word: what, where, the value, the limit, the remedy.

use protocol::job::{JobFileFault, JobSpec};

const DIGITS: &str = "name = \"x\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = 10\n";

/// The only message about a text.
type Case = (&'static str, &'static str);

/// Whole files.
const WHOLE: &[Case] = &[
    (
        "name = \"x\"\nkind = \"digits\"\n",
        "j:1:1: missing key `digits`; add a table [digits] with `constant` and `decimals`",
    ),
    (
        "name = \"x\"\nkind = \"expressions\"\n",
        "j:1:1: missing key `expressions`; add a table [expressions] with `check` or `file`",
    ),
    (
        "name = \"x\"\nkind = \"digits\"\n[digits]\ndecimals = 1\n",
        "j:3:1: missing key `constant` in [digits]; add `constant = \"pi\"`",
    ),
    (
        "name = \"x\"\nkind = \"digits\"\n[digits]\nconstant = \"e\"\n",
        "j:3:1: missing key `decimals` in [digits]; add `decimals = 1_000_000`",
    ),
    ("name = \"x\"\nkind = \"digit\"\n", "j:2:8: `kind` is `digit`; did you mean `digits`?"),
    (
        "name = \"x\"\nkind = \"vote\"\n",
        "j:2:8: `kind` is `vote`; known are `digits`, `hex-digits`, `series` and `expressions`",
    ),
    (
        "name = \"\"\nkind = \"digits\"\n[digits]\nconstant = \"e\"\ndecimals = 1\n",
        "j:1:8: `name` is ``; use 1 to 64 lowercase letters, digits and `-`, the first a letter or a digit: it names the results folder",
    ),
    (
        "name = \"../etc\"\nkind = \"digits\"\n[digits]\nconstant = \"e\"\ndecimals = 1\n",
        "j:1:8: `name` is `../etc`; use 1 to 64 lowercase letters, digits and `-`, the first a letter or a digit: it names the results folder",
    ),
    (
        "name = \"x\"\nkind = \"digits\"\n[digits]\nconstant = \"sqrt(0)\"\ndecimals = 1\n",
        "j:4:12: sqrt(0) is out of bounds; the number under the root must be from 1 to 4294967295",
    ),
    (
        "name = \"x\"\nkind = \"digits\"\n[digits]\nconstant = \"ln3\"\ndecimals = 1\n",
        "j:4:12: no constant is named `ln3`; known are pi, e, sqrt(N), golden-ratio, ln2, ln(N), zeta(3), catalan, euler-gamma, lemniscate, gamma(1/3) and gamma(1/4); did you mean `ln2`?",
    ),
    (
        "name = \"x\"\nkind = \"digits\"\n[digits]\nconstant = \"e\"\ndecimals = 1e6\n",
        "j:5:12: `decimals` must be a whole number, not a number with a point; write `decimals = 1_000_000`",
    ),
    (
        "name = \"x\"\nkind = \"digits\"\n[digits]\nconstant = \"e\"\ndecimals = -1\n",
        "j:5:12: `decimals` is -1; it must be from 1 to 1000000000",
    ),
    (
        "name = \"x\"\nkind = \"digits\"\ndigits = 3\n",
        "j:3:1: `digits` must be a table, not a whole number; write a table: its name in brackets, then one key a line",
    ),
    ("name = \"x\nkind = \"digits\"\n", "j:1:10: not valid TOML: invalid basic string, expected `\"`"),
    (
        "name = \"x\"\nkind = \"digits\"\n[digits]\nconstant = \"e\"\ndecimals = 99999999999999999999999\n",
        "j:5:12: `decimals` is 99999999999999999999999; it must be from 1 to 1000000000",
    ),
];

/// Lines above a job of digits.
const ABOVE_DIGITS: &[Case] = &[
    (
        "description = \"a\\nb\"\n",
        "j:1:15: `description` has 3 bytes or several lines; write one line of at most 1024 bytes",
    ),
    (
        "colour = 1\n",
        "j:1:1: unknown key `colour`; known are `name`, `description`, `kind`, `digits`, `hex-digits`, `series`, `expressions` and `policy`",
    ),
    ("name = \"y\"\n", "j:2:1: not valid TOML: `name` is already there; keep one of the two"),
];

/// Lines below a job of digits.
const BELOW_DIGITS: &[Case] = &[(
    "[expressions]\ncheck = [\"1\"]\n",
    "j:6:1: [expressions] does not belong to a job of kind `digits`; remove it, or write `kind = \"expressions\"`",
)];

/// Lines of the table `[hex-digits]`.
const HEX_DIGITS: &[Case] = &[
    (
        "",
        "j:3:1: missing key `constant` in [hex-digits]; add `constant = \"pi\"`\n\
         j:3:1: missing key `after` in [hex-digits]; add `after = 1_000_000`: the digits that follow the first million after the point\n\
         j:3:1: missing key `digits` in [hex-digits]; add `digits = 32`",
    ),
    (
        "constant = \"e\"\nafter = 1\ndigits = 8\n",
        "j:4:12: `constant` is `e`; known are `pi`, `ln2`, `pi-squared` and `catalan`",
    ),
    (
        "constant = \"catalan\"\nformula = \"bbp\"\nafter = 1\ndigits = 8\n",
        "j:5:11: `formula` is `bbp`; known are `broadhurst`",
    ),
    (
        "constant = \"pi\"\nformula = \"belard\"\nafter = 1\ndigits = 8\n",
        "j:5:11: `formula` is `belard`; did you mean `bellard`?",
    ),
    (
        "constant = \"pi\"\nafter = 10_000_000_000_000_001\ndigits = 33\nguard_bits = 7\n",
        "j:5:9: `after` is 10000000000000001; it must be from 0 to 10000000000000000\n\
         j:6:10: `digits` is 33; it must be from 1 to 32\n\
         j:7:14: `guard_bits` is 7; it must be from 8 to 64",
    ),
    (
        "constant = \"pi-squared\"\nafter = 1_000_000_000\ndigits = 8\n",
        "j:5:9: `after` is 1000000000; the formula bbp of pi-squared reaches 759250059, where its denominators come to 2^63; ask for an earlier position",
    ),
    (
        "constant = \"pi\"\nafter = 1\ndigits = 8\n[policy]\ndistinct = [\"formula\"]\n",
        "j:8:1: `distinct` names `formula`, and the tasks of this kind of job have only one; remove it",
    ),
];

/// Lines of the table `[expressions]`.
const EXPRESSIONS: &[Case] = &[
    (
        "",
        "j:3:1: [expressions] names no expressions; add `check = [\"2 * 2 * 2 * 2 == 16\"]` or `file = \"lines.txt\"`",
    ),
    ("check = []\n", "j:4:9: there is no expression in it; write at least one"),
    ("check = [\"1\"]\nfile = \"x\"\n", "j:5:1: [expressions] has both `check` and `file`; keep one of them"),
    (
        "check = \"1 == 1\"\n",
        "j:4:9: `check` must be a list of strings, not a string; write `check = [\"2 * 2 * 2 * 2 == 16\"]`",
    ),
    (
        "check = [\"1\"]\n[policy]\ndistinct = [\"engine\"]\n",
        "j:6:1: `distinct` names `engine`, and the tasks of this kind of job have only one; remove it",
    ),
    (
        "check = [\"1\"]\nagree_digits = 10_001\n",
        "j:5:16: `agree_digits` is 10001; it must be from 1 to 10000",
    ),
    (
        "file = \"../x\"\n",
        "j:4:8: `file` is `../x`; write a path relative to the job file's folder, with `/` between names and without `..`, of at most 1024 bytes",
    ),
    (
        "file = \"/etc/passwd\"\n",
        "j:4:8: `file` is `/etc/passwd`; write a path relative to the job file's folder, with `/` between names and without `..`, of at most 1024 bytes",
    ),
    (
        "check = [\"for n in 1..=10^16: n == n\"]\n",
        "j:4:11: the range has 10000000000000000 values, which is more than 1000000000 tasks of 4194304 values; split it into several jobs",
    ),
    (
        "check = [\"for n in 1..=10^15: sqrt(n) > 0\"]\n",
        "j:4:11: the range has 1000000000000000 values, which is more than 1000000000 tasks of 262144 values; split it into several jobs",
    ),
    (
        "check = [\"1\"]\n[policy]\ndistinct = [\"formula\"]\n",
        "j:6:1: `distinct` names `formula`, and the tasks of this kind of job have only one; remove it",
    ),
];

/// Lines of the table `[policy]` of a job of digits.
const POLICY: &[Case] = &[
    ("quorum = 0\n", "j:7:10: `quorum` is 0; it must be from 1 to 1000"),
    ("tolerate = 500\n", "j:7:12: `tolerate` is 500; it must be from 0 to 499"),
    ("electorate = \"al\"\n", "j:7:14: `electorate` is `al`; did you mean `all`?"),
    (
        "lease = \"60\"\n",
        "j:7:9: `lease` is `60`, which is no duration; write a number with its unit, such as \"60s\" or \"5m\"",
    ),
    ("lease = \"2days\"\n", "j:7:9: `lease` is 2days; it must be from 1s to 1day"),
    ("error = 2\n", "j:7:9: `error` is 2; it must be from 1e-9 to 1e-1"),
    (
        "error = \"small\"\n",
        "j:7:9: `error` must be a number between 0 and 1, not a string; write `error = 1e-6`",
    ),
    ("faulty = 0.5\n", "j:7:10: `faulty` is 0.5; it must be from 1e-6 to 4.5e-1"),
    ("error = nan\n", "j:7:9: `error` is nan; it must be from 1e-9 to 1e-1"),
    (
        "adaptive = 1\n",
        "j:7:12: `adaptive` must be true or false, not a whole number; write `adaptive = true`",
    ),
    (
        "error = 1e-3\n",
        "j:7:1: `error` is for adaptive replication, which is off; set `adaptive = true`, or remove `error`",
    ),
    (
        "adaptive = true\nquorum = 2\n",
        "j:8:1: `adaptive` chooses for each task how many compute it, and `quorum` is 2; remove `quorum`, or `adaptive`",
    ),
    (
        "adaptive = true\nmode = \"audited\"\n",
        "j:8:1: `adaptive` and `mode` do not go together; remove one of them",
    ),
    (
        "adaptive = true\nmax_replicas = 27\n",
        "j:8:1: `max_replicas` is 27, and a dispute is decided by a lead of 27 ballots; set `max_replicas` to at least 28, or \
         leave it out",
    ),
    ("audits = 2\n", "j:7:1: unknown key `audits` in [policy]; did you mean `audit`?"),
    ("leese = \"60s\"\n", "j:7:1: unknown key `leese` in [policy]; did you mean `lease`?"),
    (
        "quorum = 1\ntolerate = 1\n",
        "j:7:1: `quorum` is 1 and `tolerate` is 1, so those who lie could decide alone; set `quorum` to at least 2",
    ),
    (
        "replicas = 3\nquorum = 4\n",
        "j:8:1: `quorum` is 4, which `replicas` = 3 cannot reach; set `replicas` to at least 4, or `quorum` to at most 3",
    ),
    (
        "replicas = 5\nquorum = 2\n",
        "j:8:1: `quorum` is 2, which is not more than half of `replicas` = 5; set `quorum` to at least 3",
    ),
    (
        "replicas = 7\nmax_replicas = 5\n",
        "j:7:1: `replicas` is 7, which is more than `max_replicas` = 5; set `max_replicas` to at least 7",
    ),
    (
        "tolerate = 1\nquorum = 3\nreplicas = 3\nmax_replicas = 3\n",
        "j:10:1: `max_replicas` is 3, where `tolerate` = 1 who lie leave no `quorum` of 3; set `max_replicas` to at least 4",
    ),
    (
        "distinct = [\"formula\", \"operator\", \"formula\"]\n",
        "j:7:1: `distinct` names `formula` twice; name it once",
    ),
    (
        "distinct = [\"operator\"]\nquorum = 1\nreplicas = 1\n",
        "j:7:1: `distinct` asks winning ballots to differ, and `quorum` = 1 needs only one; set `quorum` to at least 2, or remove `distinct`",
    ),
    (
        "mode = \"audited\"\nquorum = 1\nreplicas = 1\n",
        "j:7:1: `mode` is \"audited\" and `quorum` is 1, so that nobody would audit; set `quorum` to at least 2, or `audit` to at least 1",
    ),
    ("mode = \"audit\"\n", "j:7:8: `mode` is `audit`; did you mean `audited`?"),
    (
        "audit = 9\n",
        "j:7:1: `audit` is 9, and `max_replicas` = 9 leaves no worker to be asked after a failed one; set `max_replicas` to at least 10",
    ),
    (
        "audit = 1\nsealed = true\n",
        "j:8:1: `sealed` and audits do not go together: an auditor must see what it tests; remove one of them",
    ),
    (
        "mode = \"audited\"\ndistinct = [\"formula\"]\n",
        "j:8:1: `distinct` names `formula` and `mode` is \"audited\": auditors do not compute, so that they cannot differ there; \
         remove it, or set `mode` to \"replicated\" and `audit` to at least 1",
    ),
];

fn check(cases: &[Case], file: impl Fn(&str) -> String) {
    for (lines, message) in cases {
        let text = file(lines);
        let errors = JobSpec::parse(&text).expect_err("the job file must be refused");
        assert_eq!(errors.render("j"), *message, "of the job file\n{text}");
    }
}

#[test]
fn each_mistake_in_a_whole_file_has_its_message() {
    check(WHOLE, str::to_owned);
    check(ABOVE_DIGITS, |lines| format!("{lines}{DIGITS}"));
    check(BELOW_DIGITS, |lines| format!("{DIGITS}{lines}"));
}

#[test]
fn each_mistake_in_a_window_of_hexadecimal_digits_has_its_message() {
    check(HEX_DIGITS, |lines| format!("name = \"x\"\nkind = \"hex-digits\"\n[hex-digits]\n{lines}"));
}

#[test]
fn each_mistake_in_the_expressions_has_its_message() {
    check(EXPRESSIONS, |lines| format!("name = \"x\"\nkind = \"expressions\"\n[expressions]\n{lines}"));
}

#[test]
fn each_mistake_in_a_policy_has_its_message() {
    check(POLICY, |lines| format!("{DIGITS}[policy]\n{lines}"));
}

/// Reaching these takes hundreds of megabytes; what they say is shown all the same.
#[test]
fn the_messages_of_the_largest_limits_name_value_limit_and_remedy() {
    assert_eq!(
        JobFileFault::FileTooLong { bytes: 300_000_000 }.to_string(),
        "the file has 300000000 bytes and the limit is 268435456; split it into several jobs"
    );
    assert_eq!(
        JobFileFault::TooManyExpressions.to_string(),
        "the job has more than 10000000 expressions; split it into several jobs"
    );
}
