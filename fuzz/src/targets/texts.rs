//! What people write or paste: job files, expressions, files of them, tokens, names; and what programs write as JSON.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use protocol::{
    constant::Constant,
    digest::{Digest, Domain},
    digit_extraction::{HexConstant, HexFormula},
    expression::{self, Expression, ParseError, Statement},
    identity::NodeId,
    job::{ExpressionSource, JobFileErrors, JobId, JobSpec, Work},
    ledger::SignedHead,
    limits::{JOB_FILE_ERRORS_MAX, TEXT_BYTES_MAX},
    merkle::MerkleTree,
    plan::Plan,
    report::JobReport,
    token::{Role, Token},
};

use super::{MemoryBound, Reading, TWICE, Target, encoded, reading, refused, seeds};

pub(super) const JOB_FILES: Target = Target {
    name: "job_files",
    read: |bytes| job_file(&String::from_utf8_lossy(bytes)),
    seeds: || texts(&seeds::texts::JOBS),
    memory: MemoryBound::TOML.and(MemoryBound::EXPRESSION).and(MemoryBound::TEXT),
};
pub(super) const EXPRESSIONS: Target = Target {
    name: "expressions",
    read: |bytes| statement(&String::from_utf8_lossy(bytes)),
    seeds: || texts(&seeds::texts::EXPRESSIONS),
    memory: MemoryBound::EXPRESSION.and(MemoryBound::TEXT),
};
pub(super) const RANGE_BODIES: Target = Target {
    name: "range_bodies",
    read: |bytes| body(&String::from_utf8_lossy(bytes)),
    seeds: || texts(&seeds::texts::BODIES),
    memory: MemoryBound::EXPRESSION.and(MemoryBound::TEXT),
};
pub(super) const EXPRESSION_FILES: Target = Target {
    name: "expression_files",
    read: |bytes| expression_file(&String::from_utf8_lossy(bytes)),
    seeds: || texts(&[seeds::texts::LINES, include_str!("../../../jobs/expressions.txt")]),
    memory: MemoryBound::EXPRESSION.and(MemoryBound::TEXT),
};
pub(super) const TOKENS: Target = Target {
    name: "tokens",
    read: |bytes| token(&String::from_utf8_lossy(bytes)),
    seeds: token_seeds,
    memory: TWICE.and(MemoryBound::TEXT),
};
pub(super) const TOKEN_CONTENTS: Target = Target {
    name: "token_contents",
    read: |bytes| token(&token_text(bytes)),
    seeds: || encoded(&tokens()),
    memory: TWICE.and(MemoryBound::TEXT),
};
pub(super) const NAMES: Target = Target {
    name: "names",
    read: |bytes| name(&String::from_utf8_lossy(bytes)),
    seeds: || texts(&seeds::texts::NAMES),
    memory: MemoryBound::TEXT,
};
pub(super) const REPORTS: Target = Target {
    name: "reports",
    read: |bytes| reading(&serde_json::from_slice::<JobReport>(bytes)),
    seeds: || serde_json::to_vec(&seeds::texts::report()).into_iter().collect(),
    memory: TWICE.and(MemoryBound::TEXT),
};
pub(super) const PRINTED_HEADS: Target = Target {
    name: "printed_heads",
    read: |bytes| reading(&serde_json::from_slice::<SignedHead>(bytes)),
    seeds: || serde_json::to_vec(&seeds::decided::head(&MerkleTree::new([vec![1]]))).into_iter().collect(),
    memory: MemoryBound::TEXT,
};

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A good job is the same when it was written and read again; a bad one has a screenful of errors at most.
fn job_file(text: &str) -> Reading {
    match JobSpec::parse(text) {
        Ok(spec) => {
            let names_a_file =
                matches!(&spec.work, Work::Expressions { source: ExpressionSource::File(_), .. });
            assert!(names_a_file || Plan::new(&spec, None).is_ok(), "a job without a plan: {spec:?}");
            assert_eq!(
                JobSpec::parse(&spec.to_toml()),
                Ok(spec),
                "a job is not what it was when it is written again"
            );
            Reading::Value
        }
        Err(errors) => wrong_file(&errors),
    }
}

fn wrong_file(errors: &JobFileErrors) -> Reading {
    let count = errors.errors().len();
    assert!((1..=JOB_FILE_ERRORS_MAX).contains(&count), "{count} errors are shown");
    let shown = errors.render("a folder/job.toml");
    assert!(!shown.chars().any(|character| character.is_control() && character != '\n'), "{shown:?}");
    refused(errors)
}

fn statement(text: &str) -> Reading {
    match expression::parse(text) {
        Ok(Statement::Plain(expression)) => sound(&expression),
        Ok(Statement::Range(range)) => {
            assert!(range.first <= range.last, "{} to {}", range.first, range.last);
            let body = &text[range.body_span.clone()];
            let reread = expression::parse_body(body, &range.variable);
            assert_eq!(reread.as_ref(), Ok(&range.body), "a body means something else alone: {body:?}");
            sound(&range.body)
        }
        Err(error) => no_expression(&error, text),
    }
}

fn body(text: &str) -> Reading {
    match expression::parse_body(text, "n") {
        Ok(expression) => {
            let _ = expression.has_kernel();
            sound(&expression)
        }
        Err(error) => no_expression(&error, text),
    }
}

/// Each step takes from the stack what is there, and one value is left of each term.
fn sound(expression: &Expression) -> Reading {
    use expression::Step;
    let depth = |steps: &[Step]| {
        steps.iter().try_fold(0_usize, |depth, step| match step {
            Step::Integer(_) | Step::Number(_) | Step::Constant(_) | Step::Variable => Some(depth + 1),
            Step::Negate => (depth >= 1).then_some(depth),
            Step::Binary(_) => (depth >= 2).then(|| depth - 1),
            Step::Call(_) => Some(depth),
        })
    };
    let has_calls = expression.steps().iter().any(|step| matches!(step, Step::Call(_)));
    if expression.is_value() && !has_calls {
        assert_eq!(depth(expression.steps()), Some(1), "{expression:?}");
    }
    Reading::Value
}

/// The place is in the text, and can be shown.
fn no_expression(error: &ParseError, text: &str) -> Reading {
    let span = &error.span;
    assert!(span.start <= span.end, "{span:?}");
    assert!(error.message.len() <= TEXT_BYTES_MAX, "a message of {} bytes", error.message.len());
    let shown = error.render(text);
    assert_eq!(shown.lines().count(), 4, "{shown:?}");
    refused(error)
}

/// A file of expressions is cut into tasks, and each task is what it says.
fn expression_file(text: &str) -> Reading {
    let Ok(spec) = JobSpec::parse(seeds::texts::STORY) else { return Reading::Refused };
    let plan = match Plan::new(&spec, Some(Arc::from(text))) {
        Ok(plan) => plan,
        Err(errors) => return wrong_file(&errors),
    };
    let tasks = plan.tasks();
    assert!(tasks >= 1 && plan.expressions().is_some_and(|count| count >= 1));
    for index in [0, tasks / 2, tasks - 1] {
        assert!(plan.task(index).is_some() && !plan.summary(index).is_empty(), "task {index} of {tasks}");
    }
    assert!(plan.task(tasks).is_none() && plan.task(u64::MAX).is_none());
    Reading::Value
}

fn tokens() -> [Token; 2] {
    let client = Token { address: "127.0.0.1:4747".to_owned(), ..seeds::messages::token(Role::Client) };
    [seeds::messages::token(Role::Worker), client]
}

fn token_seeds() -> Vec<Vec<u8>> {
    tokens().iter().map(|token| token.to_text().into_bytes()).collect()
}

/// A token of these bytes whose checksum is right, so that they are decoded.
fn token_text(content: &[u8]) -> String {
    let checksum = Digest::of(Domain::Token, content).0;
    let bytes = [content, &checksum[..4]].concat();
    format!("quorate1.{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
}

fn token(text: &str) -> Reading {
    let result = Token::from_text(text);
    if let Ok(token) = &result {
        assert_eq!(Token::from_text(&token.to_text()).as_ref(), Ok(token));
        let _ = token.socket_address();
    }
    reading(&result)
}

/// Names of constants and formulas, keys and ids.
fn name(text: &str) -> Reading {
    let constant = text.parse::<Constant>();
    if let Err(error) = &constant {
        refused(error);
    }
    let known = [
        constant.is_ok_and(|constant| constant.to_string().parse() == Ok(constant)),
        text.parse::<HexConstant>().is_ok(),
        text.parse::<HexFormula>().is_ok(),
        JobId::from_hex(text).is_some_and(|id| id.to_string() == text),
        Digest::from_hex(text).is_some_and(|digest| digest.to_string() == text),
        NodeId::from_hex(text).is_some_and(|node| node.to_string() == text),
    ];
    if known.contains(&true) { Reading::Value } else { Reading::Refused }
}
