//! The last words of `submit` and `result`: what was accepted, by whom, who dissented, and where it is written.

use std::{fmt::Write as _, time::Duration};

use protocol::{
    job::JobId,
    report::{AdaptiveReport, AuditsReport, DissenterReport, FaultReport, JobState},
};
use serde_json::json;

use crate::results::Written;

pub(super) fn print_detached(name: &str, id: JobId, as_json: bool) {
    if as_json {
        println!("{}", json!({ "job": name, "job_id": id.to_string(), "status": "running" }));
    } else {
        println!("job {name} runs as {id}");
        println!("its results, when it is over: coordinator result {id}");
    }
}

pub(super) fn print(written: &Written, elapsed: Duration, as_json: bool) {
    if as_json {
        println!("{}", to_json(written, elapsed));
    } else {
        print!("{}", to_text(written, elapsed));
    }
}

fn to_json(written: &Written, elapsed: Duration) -> serde_json::Value {
    let report = &written.report;
    let counts = &written.counts;
    json!({
        "job": report.job,
        "job_id": report.job_id,
        "status": report.status,
        "tasks": report.tasks,
        "accepted": report.accepted,
        "disputes": report.disputes,
        "dissenters": report.dissenters,
        "corrections": report.corrections,
        "elapsed_s": elapsed.as_secs_f64(),
        "compute_s": report.compute_s,
        "audits": report.audits,
        "adaptive": report.adaptive,
        "worth": report.worth,
        "answers": {
            "true": counts.true_count,
            "false": counts.false_count,
            "agrees": counts.agrees,
            "values": counts.values,
            "refused": counts.refused,
            "undecided": counts.undecided,
        },
        "output": written.folder,
        "moved_aside": written.moved_aside,
    })
}

fn to_text(written: &Written, elapsed: Duration) -> String {
    let report = &written.report;
    let mut text = String::new();
    let state = match report.status {
        JobState::Reconciled => "accepted",
        JobState::Incomplete => "incomplete",
        JobState::Abandoned => "abandoned",
        JobState::Running | JobState::Correcting => "running",
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}: {state}, {} of {} tasks, in {:.1} s ({:.1} s of computing)",
        report.job,
        report.accepted,
        report.tasks,
        elapsed.as_secs_f64(),
        report.compute_s
    );
    if let (1, [verdict]) = (report.tasks, &report.verdicts[..]) {
        let _ = writeln!(text, "{}", verdict.summary);
        for ballot in &verdict.ballots {
            let digest = &ballot.digest[..ballot.digest.len().min(16)];
            let late = if ballot.late { ", late" } else { "" };
            let _ = writeln!(
                text,
                "  {:<16} {digest}…  {}, {}, {:.2} s  {}{late}",
                ballot.name, ballot.domain.engine, ballot.domain.formula, ballot.compute_s, ballot.standing
            );
        }
    }
    if let Some(audits) = &report.audits {
        let _ = writeln!(text, "{}", audits_text(audits));
    }
    if let Some(adaptive) = &report.adaptive {
        let _ = writeln!(text, "{}", adaptive_text(adaptive));
    }
    let counts = &written.counts;
    if counts.total() > 0 {
        let named = [
            (counts.true_count, "true"),
            (counts.false_count, "false"),
            (counts.agrees, "agree to the digits asked for"),
            (counts.values, "values"),
            (counts.refused, "refused"),
            (counts.undecided, "undecided"),
        ];
        let parts: Vec<String> = named
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        let _ = writeln!(text, "answers: {}", parts.join(", "));
    }
    for verdict in report.verdicts.iter().filter(|verdict| verdict.verdict != "accepted").take(5) {
        let reason = verdict.reason.as_deref().unwrap_or("no reason is known");
        let _ =
            writeln!(text, "task {} ({}) is {}: {reason}", verdict.index, verdict.summary, verdict.verdict);
    }
    for dissenter in &report.dissenters {
        write_dissenter(&mut text, dissenter);
    }
    let _ = writeln!(text, "worth: {}", report.worth);
    if let Some(aside) = &written.moved_aside {
        let _ = writeln!(text, "an earlier result was moved to {}", aside.display());
    }
    let _ = writeln!(text, "written: {}", written.folder.join("value.txt").display());
    text
}

/// How many stand behind the values, and what that cost.
fn adaptive_text(adaptive: &AdaptiveReport) -> String {
    let AdaptiveReport { alone, checked, overhead, reopened } = adaptive;
    let percent = 100.0 * overhead;
    let mut text = format!(
        "adaptive: values by one worker {alone}, by several {checked}; {percent:.1} % more computations than one for each"
    );
    if *reopened > 0 {
        let _ =
            write!(text, "; {reopened} answers were opened again, as their worker was caught at a wrong one");
    }
    text
}

/// What the audits came to, and what they spared.
fn audits_text(audits: &AuditsReport) -> String {
    let AuditsReport { passes, rejections, audit_s, recomputing_s } = audits;
    let mut text = format!("audits: {passes} passed, {rejections} failed, {audit_s:.2} s of computing");
    // Of less than that the clock says nothing.
    if *recomputing_s >= 0.01 {
        let percent = 100.0 * audit_s / recomputing_s;
        let _ = write!(
            text,
            ", {percent:.1} % of the {recomputing_s:.2} s that computing it again would have taken"
        );
    }
    text
}

/// Where the computation went wrong.
fn write_fault(text: &mut String, fault: &FaultReport) {
    let FaultReport { formula, place, class, meaning, compared_with, rounds, bytes, .. } = fault;
    let class = class.as_ref().map(|class| format!("{class}: ")).unwrap_or_default();
    let _ = write!(
        text,
        "\n  its fault by {formula}: {place} ({class}{meaning}; compared with {compared_with}, {rounds} questions, {bytes} bytes)"
    );
}

/// Who was outvoted, on how much, with what, and where first.
fn write_dissenter(text: &mut String, dissenter: &DissenterReport) {
    let _ = write!(
        text,
        "dissenter: {} ({}, operator {})",
        dissenter.name,
        &dissenter.worker[..8],
        dissenter.operator
    );
    if dissenter.dissents > 0 {
        let _ = write!(text, ": wrong on {}, corrected on {}", dissenter.dissents, dissenter.corrected);
    }
    if dissenter.equivocations > 0 {
        let _ = write!(text, ": cast two different ballots {} times", dissenter.equivocations);
    }
    if dissenter.broken_seals > 0 {
        let _ = write!(text, ": broke its seal on {}", dissenter.broken_seals);
    }
    if let Some(domain) = dissenter.where_first.first().and_then(|dissent| dissent.domain.as_ref()) {
        let _ = write!(text, ", by {} on {}", domain.engine, domain.device);
    }
    if let Some(place) = dissenter.where_first.first().and_then(|dissent| dissent.place.as_ref()) {
        let _ = write!(text, ", first at {place}");
    }
    if let Some(reason) = &dissenter.quarantined {
        let _ = write!(text, "; in quarantine ({reason})");
    }
    if let Some(fault) = dissenter.where_first.iter().find_map(|dissent| dissent.fault.as_ref()) {
        write_fault(text, fault);
    }
    text.push('\n');
}
