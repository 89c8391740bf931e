//! Texts that people write: job files, expressions, a file of them, names and tokens.

use protocol::{
    constant::Formula,
    domain::{Engine, FailureDomain},
    policy::Policy,
    report::{BallotReport, Dissent, DissenterReport, JobReport, JobState, TaskReport},
};

/// The job files of the menu, and one with every key of the policy.
pub const JOBS: [&str; 10] = [
    include_str!("../../../jobs/arithmetic.toml"),
    include_str!("../../../jobs/identities.toml"),
    include_str!("../../../jobs/pi-digits.toml"),
    include_str!("../../../jobs/sqrt2-digits.toml"),
    include_str!("../../../jobs/pi-hex-digits.toml"),
    include_str!("../../../jobs/pi-series.toml"),
    include_str!("../../../jobs/pi-audited.toml"),
    include_str!("../../../jobs/ln3-series.toml"),
    include_str!("../../../jobs/range-conjectures.toml"),
    STORY,
];

/// The job of [`super::decided::story`].
pub const STORY: &str = "name = \"small\"\ndescription = \"Four lines.\"\nkind = \"expressions\"\n\n[expressions]\nfile = \
                         \"lines.txt\"\nbatch = 1\nagree_digits = 20\n\n[policy]\ntolerate = 1\nquorum = 2\nreplicas = \
                         3\nmax_replicas = 9\ndistinct = [\"operator\"]\nelectorate = \"all\"\nsealed = true\nlease = \
                         \"5m\"\n";
/// Its file.
pub const STORY_LINES: &str =
    "# what everybody knows\n2 * 2 * 2 * 2 == 16\n1 + 1 == 2\n\nfor n in 1..=10: n <= 10\n2 ^ 8\n";

/// A file of expressions with everything that such a file may hold.
pub const LINES: &str = "\u{feff}# first\n1 + 1 == 2\n\n  pi > 3  \r\nfor k in 0..2^30: k % 2 == k % 2\nsqrt(2)^2 == 2\nfor n \
                         in -10..=10^7: n*n >= 0\n1.5e-3 // 7 < 2 ^ -1 and not is_prime(9)\n";

/// Expressions, and statements over ranges.
pub const EXPRESSIONS: [&str; 9] = [
    "2 * 2 * 2 * 2 == 16",
    "(1 + 2.5e-9) / -3 ^ 2 ^ 3 % 4 // 5!",
    "sin(pi)^2 + cos(pi)^2 == 1 and not (e < phi or ln2 >= catalan)",
    "1 < 2 <= 3 != 4 > euler_gamma",
    "gcd(12, lcm(4, 6), 8) == powmod(2, 10^30, 97) or is_prime(2^61 - 1)",
    "log(100) == log(8, 2) - root(27, 3) * binomial(10, 3) + fib(90) - zeta(3)",
    "for n in 1..=10^9: n^5 % 30 == n % 30",
    "for k in -2^7..(3 + 4) * 10: abs(k) >= floor(k / 2) + ceil(0.5)",
    "for Zahl_1 in 0 .. 1_000_000 : not Zahl_1 < 0",
];

/// Bodies of ranges over `n`.
pub const BODIES: [&str; 4] = [
    "n^5 % 30 == n % 30",
    "n*(n + 1) // 2 >= n and not n < 0",
    "is_prime(n^2 + n + 41)",
    "-n^2 <= abs(n) != 10",
];

/// Names of things, as flags and files have them.
pub const NAMES: [&str; 8] = [
    "pi",
    "sqrt(2)",
    "golden-ratio",
    "catalan",
    "bellard",
    "0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "bbp",
];

/// A report, as a client reads it.
#[must_use]
pub fn report() -> JobReport {
    let domain = FailureDomain {
        operator: "alice".to_owned(),
        engine: Engine::Gpu,
        formula: Formula::GaussLegendre,
        device: "a card".to_owned(),
        build: "0.1.0".to_owned(),
    };
    let ballot = BallotReport {
        name: "w1".to_owned(),
        worker: "ab".repeat(32),
        replica: 0,
        domain: domain.clone(),
        digest: "cd".repeat(32),
        compute_s: 0.5,
        standing: "agrees".to_owned(),
        audit: None,
        late: false,
    };
    let place = Some("decimal 317".to_owned());
    let dissent =
        Dissent { task_index: 0, domain: Some(domain), place, fault: None, corrected_after_s: Some(0.25) };
    let dissenter = DissenterReport {
        name: "w2".to_owned(),
        worker: "ef".repeat(32),
        operator: "bob".to_owned(),
        dissents: 1,
        corrected: 1,
        equivocations: 0,
        quarantined: None,
        broken_seals: 0,
        where_first: vec![dissent],
    };
    let verdict = TaskReport {
        index: 0,
        task: "12".repeat(32),
        summary: "1 decimal of pi".to_owned(),
        verdict: "accepted".to_owned(),
        digest: Some("cd".repeat(32)),
        disputed: true,
        reason: None,
        elapsed_s: 1.0,
        ballots: vec![ballot],
    };
    JobReport {
        job: "pi-digits".to_owned(),
        job_id: "01".repeat(16),
        status: JobState::Reconciled,
        worth: "one worker".to_owned(),
        policy: Policy::default(),
        tasks: 1,
        accepted: 1,
        disputes: 1,
        dissenters: vec![dissenter],
        corrections: 1,
        elapsed_s: 2.0,
        compute_s: 0.5,
        audits: None,
        adaptive: None,
        verdicts: vec![verdict],
    }
}
