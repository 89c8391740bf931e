//! Whatever bytes a job file holds, it is read or refused, never worse; and what is written is what was read.

use proptest::prelude::*;
use protocol::{
    constant::Constant,
    digit_extraction::HexConstant,
    domain::Axis,
    job::{ExpressionSource, JobSpec, Work},
    limits::{JOB_FILE_ERRORS_MAX, LEASE_MS_MAX, LEASE_MS_MIN},
    plan::Plan,
    policy::{Electorate, Mode, PolicyDraft},
};

const VALID: [&str; 2] = [
    "name = \"pi\"\ndescription = \"d\"\nkind = \"digits\"\n\n[digits]\nconstant = \"sqrt(2)\"\ndecimals = 1_000\n\n\
     [policy]\ntolerate = 1\nquorum = 2\nreplicas = 3\nmax_replicas = 9\ndistinct = [\"formula\"]\n\
     electorate = \"all\"\nlease = \"60s\"\n",
    "name = \"x\"\nkind = \"expressions\"\n[expressions]\ncheck = [\"2 * 2 == 4\", 'for n in 1..=10^3: n == n']\n\
     agree_digits = 100\n\n[policy]\nquorum = 3\n",
];

fn check(text: &str) -> Result<(), TestCaseError> {
    match JobSpec::parse(text) {
        Ok(spec) => {
            prop_assert_eq!(JobSpec::parse(&spec.to_toml()), Ok(spec.clone()));
            if !matches!(&spec.work, Work::Expressions { source: ExpressionSource::File(_), .. }) {
                prop_assert!(Plan::new(&spec, None).is_ok());
            }
        }
        Err(errors) => {
            let shown = errors.errors();
            prop_assert!((1..=JOB_FILE_ERRORS_MAX).contains(&shown.len()));
            prop_assert!(shown.is_sorted_by_key(|error| (error.line, error.column)));
            let lines = 1 + text.matches('\n').count();
            prop_assert!(shown.iter().all(|error| (1..=lines).contains(&error.line) && error.column >= 1));
            let rendered = errors.render("j");
            prop_assert!(!rendered.chars().any(|character| character.is_control() && character != '\n'));
            prop_assert!(rendered.len() < 2000 * JOB_FILE_ERRORS_MAX);
        }
    }
    Ok(())
}

fn axes() -> impl Strategy<Value = Vec<Axis>> {
    prop::sample::subsequence(vec![Axis::Operator, Axis::Engine, Axis::Device], 0..=3)
}

fn draft() -> impl Strategy<Value = PolicyDraft> {
    let number = |max| prop::option::of(0..max);
    let electorate = prop::option::of(prop_oneof![Just(Electorate::Sample), Just(Electorate::All)]);
    let lease_ms = prop::option::of(LEASE_MS_MIN..=LEASE_MS_MAX);
    let sealed = prop::option::of(any::<bool>());
    let mode = prop::option::of(prop_oneof![Just(Mode::Replicated), Just(Mode::Audited)]);
    let audits = (mode, number(4));
    (number(6_u32), number(9), number(12), number(16), axes(), electorate, sealed, lease_ms, audits).prop_map(
        |(
            tolerate,
            quorum,
            replicas,
            max_replicas,
            distinct,
            electorate,
            sealed,
            lease_ms,
            (mode, audit),
        )| PolicyDraft {
            tolerate,
            quorum: quorum.map(|quorum| quorum + 1),
            replicas: replicas.map(|replicas| replicas + 1),
            max_replicas: max_replicas.map(|max_replicas| max_replicas + 1),
            distinct,
            electorate,
            sealed,
            lease_ms,
            mode,
            audit,
            adaptive: None,
            error_ppt: None,
            faulty_ppm: None,
        },
    )
}

fn work() -> impl Strategy<Value = Work> {
    let constant = prop_oneof![
        Just(Constant::Pi),
        Just(Constant::E),
        (1..=u32::MAX).prop_map(Constant::Sqrt),
        Just(Constant::GoldenRatio),
        Just(Constant::Ln2),
        (3..=u32::MAX).prop_map(Constant::Ln),
        Just(Constant::Zeta3),
        Just(Constant::GammaQuarter),
    ];
    let digits = (constant, 1..=1_000_000_000_u64)
        .prop_map(|(constant, decimals)| Work::Digits { constant, decimals });
    let expression = (0..100_u32, "[ \t\n]{0,3}").prop_map(|(n, blanks)| format!("{n} +{blanks}1"));
    let inline = prop::collection::vec(expression, 1..5).prop_map(ExpressionSource::Inline);
    let file = "[a-zé\"' ]{1,9}(/[a-z0-9.]{0,2}[a-z])?".prop_map(ExpressionSource::File);
    let batch = prop::option::of(1..=1024_u16);
    let expressions = (1..=10_000_u32, batch, prop_oneof![inline, file])
        .prop_map(|(agree_digits, batch, source)| Work::Expressions { agree_digits, batch, source });
    let hex_digits = (0..4_usize, 0..=300_000_000_u64, 1..=32_u32, 8..=64_u32).prop_map(
        |(number, after, digits, guard_bits)| {
            let constant = HexConstant::ALL[number];
            let formula = constant.formulas()[constant.formulas().len() - 1];
            Work::HexDigits { constant, formula, after, digits, guard_bits }
        },
    );
    prop_oneof![digits, hex_digits, expressions]
}

/// Tasks that can be computed in one way only, as expressions are.
const WAYS: protocol::policy::Ways = protocol::policy::Ways { formulas: 1, engines: 1, audited: 1 };

/// The same, with as many as can be audited.
fn ways(work: &Work) -> protocol::policy::Ways {
    let audited = match work {
        Work::HexDigits { .. } => 0,
        Work::Digits { constant, .. } => constant.formulas().iter().filter(|f| f.sums_series()).count(),
        Work::Expressions { .. } | Work::Series { .. } => 1,
    };
    protocol::policy::Ways { audited, ..WAYS }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_written_job_is_read_back(
        name in "[a-z0-9][a-z0-9-]{0,63}",
        description in "[^\\p{Cc}]{0,200}",
        work in work(),
        draft in draft(),
    ) {
        if let Ok(policy) = draft.resolve(ways(&work)) {
            let spec = JobSpec { name, description, work, policy };
            prop_assert_eq!(JobSpec::parse(&spec.to_toml()), Ok(spec));
        }
    }

    #[test]
    fn a_policy_that_is_accepted_is_safe_and_can_be_met(draft in draft()) {
        if let Ok(policy) = draft.clone().resolve(WAYS) {
            prop_assert!(policy.quorum > policy.tolerate, "those who lie cannot decide alone");
            prop_assert!(policy.quorum <= policy.replicas && policy.replicas <= policy.max_replicas);
            prop_assert!(2 * policy.quorum > policy.replicas, "two quorums of the first replicas share a worker");
            prop_assert!(policy.quorum + policy.tolerate <= policy.max_replicas, "those who lie cannot block");
            prop_assert_eq!(draft.tolerate.unwrap_or(policy.tolerate), policy.tolerate);
            prop_assert_eq!(draft.quorum.unwrap_or(policy.quorum), policy.quorum);
            prop_assert_eq!(draft.replicas.unwrap_or(policy.replicas), policy.replicas);
            prop_assert_eq!(draft.max_replicas.unwrap_or(policy.max_replicas), policy.max_replicas);
        }
    }

    #[test]
    fn leaving_everything_but_one_number_out_is_never_a_contradiction(number in 1..=499_u32, which in 0..3) {
        let mut draft = PolicyDraft::default();
        match which {
            0 => draft.tolerate = Some(number),
            1 => draft.quorum = Some(number),
            _ => draft.replicas = Some(number),
        }
        prop_assert!(draft.clone().resolve(WAYS).is_ok(), "{draft:?}");
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\PC|[\n\r\t\"'\\[\\]={}#.,0-9]|name|kind|policy|digits|check){0,120}") {
        check(&text)?;
    }

    #[test]
    fn no_damage_to_a_valid_file_makes_the_parser_panic(
        which in 0..VALID.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, "[\\PC\n\"'\\[\\]=#\\\\-]{0,3}"), 1..6),
    ) {
        let mut text: Vec<char> = VALID[which].chars().collect();
        for (place, removed, inserted) in edits {
            let start = place.index(text.len() + 1);
            let end = (start + removed).min(text.len());
            text.splice(start..end, inserted.chars());
        }
        check(&text.into_iter().collect::<String>())?;
    }
}
