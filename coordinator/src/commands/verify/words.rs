//! What a certificate proves, in sentences: what, by whom, under which assumption, and what it leaves open.

use std::{fmt::Write as _, path::Path, time::Duration};

use protocol::{
    adaptive::Adaptive,
    certificate::{Findings, WorkerFindings},
    identity::NodeId,
    policy::Mode,
};
use serde_json::json;

use super::{Compared, Verified};

/// How many workers are listed one by one.
const WORKERS_SHOWN_MAX: usize = 50;

pub(super) fn to_json(verified: &Verified) -> serde_json::Value {
    let value = verified.value.as_ref().map(|(path, compared)| {
        let bytes = match compared {
            Compared::Same { bytes } => Some(*bytes),
            Compared::Differs(_) => None,
        };
        json!({ "file": path, "bytes": bytes })
    });
    json!({
        "holds": true,
        "findings": verified.findings,
        "value": value,
        "rechecked_tasks": verified.rechecked,
        "assumes": assumptions(&verified.findings),
        "does_not_prove": LIMITS,
    })
}

pub(super) fn to_text(verified: &Verified, file: &Path) -> String {
    let found = &verified.findings;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} holds: job {} ({})", file.display(), found.name, found.job);
    let mut section = |title: &str, sentences: &[String]| {
        if !sentences.is_empty() {
            let _ = writeln!(text, "{title}:");
        }
        for sentence in sentences {
            let _ = writeln!(text, "  - {sentence}");
        }
    };
    section("proven", &proven(verified));
    section("by", &by_whom(found));
    section("if", &assumptions(found));
    section("not proven", &LIMITS.map(str::to_owned));
    if let Some(value) = &verified.value_beside {
        let _ = writeln!(
            text,
            "to compare the value: coordinator verify {} --value {}",
            file.display(),
            value.display()
        );
    }
    text
}

fn proven(verified: &Verified) -> Vec<String> {
    let found = &verified.findings;
    let mut sentences = vec![how_many(found)];
    if let (Some(quorum), Some(together)) = (found.quorum_min, found.wrong_together_min) {
        let is_alone = found.policy.auditing.mode == Mode::Audited;
        sentences.push(if let Some(rule) = found.policy.auditing.adaptive {
            adaptively(found, rule)
        } else if is_alone {
            format!(
                "each accepted digest was signed by at least {quorum} different workers, as the policy asks: by one that \
                 computed it, and by others that tested it"
            )
        } else {
            format!(
                "each accepted digest has at least {quorum} agreeing ballots of different workers, which the policy asks \
                 for, and more than half of those that were counted"
            )
        });
        sentences.extend(audits(found));
        sentences.push(match together {
            0 | 1 if found.policy.auditing.adaptive.is_some() => {
                "a single worker that is wrong would have been enough for a wrong value where it answered alone: what speaks \
                 against that is its record, for which the coordinator vouches"
                    .to_owned()
            }
            0 | 1 => "a single worker that is wrong would have been enough for a wrong value: nobody checked it".to_owned(),
            _ => format!(
                "for a wrong value at least {together} workers would have had to be wrong together, and in the same way"
            ),
        });
        sentences.extend(differences(found));
    }
    if found.disputed > 0 || found.corrections > 0 {
        sentences.push(format!(
            "disputed: {}; outvoted ballots that their workers have taken back: {}",
            tasks(found.disputed),
            found.corrections
        ));
    }
    match &verified.value {
        Some((path, Compared::Same { bytes })) => {
            sentences.push(format!("{} is the accepted value, all {bytes} bytes of it", path.display()));
        }
        Some((_, Compared::Differs(_))) | None => {}
    }
    if let Some(count) = verified.rechecked {
        sentences.push(format!("computed again on this machine, {} gave the same digests", tasks(count)));
    }
    sentences
}

/// What stands behind the values of adaptive replication.
fn adaptively(found: &Findings, rule: Adaptive) -> String {
    format!(
        "accepted digests that several workers signed, with a lead of at least {} where others signed something else: {}; that a \
         single worker signed: {}",
        rule.lead(),
        found.accepted.saturating_sub(found.alone),
        found.alone
    )
}

/// What the audits show, where there were any.
fn audits(found: &Findings) -> Option<String> {
    let passed = found.audits_min?;
    let count = if passed == 1 { "1 audit".to_owned() } else { format!("{passed} audits") };
    let worth = match found.audit_error_log2 {
        Some(log2) => format!(
            "; wrong digits pass one by an honest auditor with a probability below 2^{log2}, as docs/audits.md shows"
        ),
        None => "; each computed some members again, and says nothing of the others".to_owned(),
    };
    Some(format!(
        "each accepted outcome passed at least {count}: tests by challenges that their auditors drew and signed{worth}"
    ))
}

fn how_many(found: &Findings) -> String {
    let mut sentence = format!("accepted: {} of {}", found.accepted, tasks(found.tasks));
    for (count, what) in [
        (found.undecided, "ended without a majority"),
        (found.failed, "could be run by no worker"),
        (found.open, "are open"),
    ] {
        if count > 0 {
            let _ = write!(sentence, ", {count} {what}");
        }
    }
    if found.over.is_none() {
        sentence.push_str("; the ledger does not say that the job was over");
    }
    sentence
}

fn tasks(count: u64) -> String {
    if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") }
}

fn differences(found: &Findings) -> Vec<String> {
    let named = |alike: bool| {
        let axes = found.spread.iter().filter(|spread| (spread.values_min <= 1) == alike);
        axes.map(|spread| spread.axis).collect::<Vec<_>>().join(", ")
    };
    let (different, alike) = (named(false), named(true));
    let mut sentences = Vec::new();
    if !different.is_empty() {
        sentences.push(format!("on every accepted task those who agreed differ in {different}, as they say"));
    }
    if !alike.is_empty() {
        sentences.push(format!(
            "on some task those who agreed have the same {alike}: an error in that would have made them wrong together"
        ));
    }
    sentences
}

fn by_whom(found: &Findings) -> Vec<String> {
    let mut sentences: Vec<String> = found.workers.iter().take(WORKERS_SHOWN_MAX).map(worker).collect();
    if let Some(more) = found.workers.len().checked_sub(WORKERS_SHOWN_MAX).filter(|more| *more > 0) {
        sentences.push(format!("{more} more workers; --json names them all"));
    }
    sentences.push(format!(
        "coordinator {}{}: its ledger of {} entries, signed at {}, holds the job",
        found.coordinator,
        if found.trusted.coordinator { ", which you trust" } else { "" },
        found.ledger.size,
        time(found.head_at_ms)
    ));
    sentences
}

fn worker(found: &WorkerFindings) -> String {
    let operators: Vec<&str> = found.operators.iter().map(String::as_str).collect();
    let mut sentence = format!("worker {} of {}", found.worker, operators.join(" and "));
    if found.trusted {
        sentence.push_str(", which you trust");
    }
    let agreed = found.agreed > 0 || found.audits == 0;
    let first = if agreed { format!("agreed on {}", tasks(found.agreed)) } else { String::new() };
    let _ = write!(sentence, ": {first}");
    if found.audits > 0 {
        let comma = if agreed { ", " } else { "" };
        let plural = if found.audits == 1 { "" } else { "s" };
        let _ = write!(sentence, "{comma}made {} audit{plural}", found.audits);
    }
    for (count, what) in [
        (found.dissented, "outvoted on"),
        (found.corrected, "corrected on"),
        (found.undecided, "voted without a result on"),
        (found.equivocated, "signed two different answers on"),
    ] {
        if count > 0 {
            let _ = write!(sentence, ", {what} {count}");
        }
    }
    sentence
}

/// What is left to the file's own word, and how to change that.
fn assumptions(found: &Findings) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(rule) = found.policy.auditing.adaptive {
        let (error, percent) = (rule.error_share(), rule.faulty_percent());
        sentences.push(format!(
            "workers that lie together were at most {percent} % of those there at any time and gave at most {percent} % of all answers, \
             and the coordinator drew its checks by the rule of docs/policy.md: then of all that it accepts a share of at most \
             {error:e} is expected to be wrong"
        ));
    }
    if found.trusted.workers {
        sentences.push(
            "the workers whose keys you named do not lie together: they alone make up the quorum of each task".to_owned(),
        );
    } else {
        sentences.push(
            "these keys are different workers: they are taken from the certificate itself; compare them with those \
             that their owners publish, and name them with --trust"
                .to_owned(),
        );
    }
    if !found.trusted.coordinator {
        let key: NodeId = found.coordinator;
        sentences.push(format!(
            "the coordinator's key {key} is the right one: it is taken from the certificate itself as well"
        ));
    }
    sentences
}

/// What no certificate proves.
const LIMITS: [&str; 4] = [
    "that the value is true: it is what so many workers signed, and whoever has the same fault agrees",
    "what operators, engines, devices and builds are: operators are called as the coordinator enrolled them, and the \
     rest is what the workers say of themselves",
    "when it happened: all times are by the coordinator's clock",
    "that nothing was left out: a coordinator can withhold ballots, but it cannot make them up",
];

fn time(ms: u64) -> String {
    let at = std::time::UNIX_EPOCH.checked_add(Duration::from_millis(ms));
    at.map_or_else(|| format!("{ms} ms"), |at| humantime::format_rfc3339_seconds(at).to_string())
}
