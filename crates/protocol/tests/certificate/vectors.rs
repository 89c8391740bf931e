//! The certificates in `tests/vectors`, against which verifiers in other languages are tried: they are what this program
//! writes today, and `docs/certificate.md` quotes their digests.
//!
//! After a change of the format, `QUORATE_WRITE_VECTORS=1 cargo test -p quorate-protocol --test certificate` writes them
//! anew, and the test says what the page must quote.

use std::{fs, path::PathBuf};

use protocol::{
    digest::{Digest, Domain},
    digit_extraction::{HexConstant, SeriesComponent},
    expression::parse_body,
    identity::SecretKey,
    ledger::{Decided, Record},
    outcome::Outcome,
    task::TaskId,
};

use crate::{
    check,
    story::{DIGITS_VALUE, Story, adaptive, coordinator, digits, expressions, node},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn compare(name: &str, bytes: &[u8]) {
    let path = root().join("tests").join("vectors").join(name);
    if std::env::var_os("QUORATE_WRITE_VECTORS").is_some() {
        fs::write(&path, bytes).expect("the folder is there");
    }
    let kept = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(kept == bytes, "{name} is not what this program writes; see the top of this file");
}

/// Names everything at once that the page does not quote.
fn quoted_on_the_page(quotes: &[(&str, String)]) {
    let page = root().join("../../docs/certificate.md");
    let page = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let missing = quotes.iter().filter(|(_, text)| !page.contains(text.as_str()));
    let missing: Vec<String> = missing.map(|(what, text)| format!("{what}: {text}")).collect();
    assert!(missing.is_empty(), "docs/certificate.md must quote\n{}", missing.join("\n"));
}

fn first_decided(story: &Story) -> &Decided {
    let mut found = None;
    for record in &story.records {
        if let Record::Decided(decided) = record {
            found = found.or(Some(decided));
        }
    }
    found.expect("a verdict")
}

#[test]
fn the_committed_certificates_are_what_is_written_today() {
    compare("digits.quorate", &digits().certificate());
    compare("digits-value.txt", DIGITS_VALUE.as_bytes());
    compare("expressions.quorate", &expressions().certificate());
    compare("adaptive.quorate", &adaptive().certificate());
}

#[test]
fn the_page_quotes_the_digests_of_the_worked_example() {
    let story = digits();
    let bytes = story.certificate();
    let (_, entries, head) = story.ledger();
    check(&bytes).expect("a good certificate");
    let decided = first_decided(&story);
    let ballot = &decided.ballots[0].ballot;
    let task = story.plan.task(0).expect("a task");
    quoted_on_the_page(&[
        ("the length", bytes.len().to_string()),
        ("the coordinator's key", coordinator().node_id().to_string()),
        ("the keys of workers", node(1).to_string()),
        ("the keys of workers", node(2).to_string()),
        ("the job's id", story.job.to_string()),
        ("the task", hex(&task.to_bytes())),
        ("the task's id", TaskId::of(&task).to_string()),
        ("the outcome", hex(&Outcome::Digits(DIGITS_VALUE.to_owned()).to_bytes())),
        ("the accepted digest", ballot.ballot.digest.to_string()),
        ("the signed digest of a ballot", ballot.ballot.signing_digest().to_string()),
        ("a ballot's signature", hex(&ballot.signature.0)),
        ("the ledger's root", head.head.tree.root.to_string()),
        ("the head's signature", hex(&head.signature.0)),
        ("a leaf", protocol::merkle::leaf_digest(&entries[0].1).to_string()),
        (
            "what the coordinator signs",
            Digest::of(Domain::JobCertificate, &bytes[..bytes.len() - 64]).to_string(),
        ),
        ("the signature at the end", hex(&bytes[bytes.len() - 64..])),
    ]);
}

#[test]
fn the_page_has_the_series_of_every_formula() {
    let mut quotes = Vec::new();
    for constant in HexConstant::ALL {
        for formula in constant.formulas() {
            let series = constant.series(*formula).expect("its formula");
            let component =
                |c: &SeriesComponent| format!("({}, {}, {}, {})", c.coefficient, c.exponent, c.step, c.start);
            let components: Vec<String> = series.components.iter().map(component).collect();
            let first = &series.components[0];
            let alternates = if first.alternates { "yes" } else { "no" };
            let (bits, power) = (series.bits_per_term, first.power);
            let row = format!(
                "| {constant}, {formula} | {bits} | {power} | {alternates} | {} |",
                components.join(" ")
            );
            quotes.push(("a series", row));
        }
    }
    quoted_on_the_page(&quotes);
}

/// The bounds as the page has them; `verify.py` answers the same.
#[test]
fn bodies_of_ranges_have_a_kernel_where_the_page_says_so() {
    let chain = |sides: usize| vec!["n"; sides].join(" < ");
    let nots = |count: usize| format!("{}n > 0", "not ".repeat(count));
    let third =
        |levels: usize| format!("powmod(n, n, {}n{}) > 0", "n + (".repeat(levels), ")".repeat(levels));
    let joined = |values: usize| format!("gcd({}) > 0", vec!["n"; values].join(", "));
    for (body, has_kernel) in [
        ("n > 1.5e3".to_owned(), true),
        ("n > 1.0".to_owned(), false),
        ("n > 1e38".to_owned(), true),
        ("n > 0e39".to_owned(), false),
        ("n < 170141183460469231731687303715884105727".to_owned(), true),
        ("n < 170141183460469231731687303715884105728".to_owned(), false),
        ("n! > 1".to_owned(), false),
        (chain(16), true),
        (chain(17), false),
        (nots(29), true),
        (nots(30), false),
        (third(5), true),
        (third(6), false),
        (joined(128), true),
        (joined(129), false),
    ] {
        let parsed = parse_body(&body, "n").expect("a body");
        assert_eq!(parsed.has_kernel(), has_kernel, "{body}");
    }
}

#[test]
fn the_page_names_the_context_of_every_digest_in_a_certificate() {
    let contexts = [
        "quorate 2026 task",
        "quorate 2026 outcome",
        "quorate 2026 ballot",
        "quorate 2026 bundle",
        "quorate 2026 ledger head",
        "quorate 2026 job certificate",
        "quorate 2026 job",
        "quorate 2026 expression file",
    ];
    quoted_on_the_page(&contexts.map(|context| ("a context", format!("`{context}`"))));
    // The keys are those of 32 equal bytes, so that anybody can sign the same again.
    assert_eq!(coordinator().node_id(), SecretKey::from_seed(&[100; 32]).node_id());
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
