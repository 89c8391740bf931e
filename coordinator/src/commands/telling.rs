//! Simulated rounds and campaigns in words: who said what, and how often which end was reached.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use protocol::{grouped::grouped, policy::Electorate, verdict::Verdict};
use serde_json::{Value, json};
use simulator::{
    Campaign, Scenario,
    story::{Round, Said, Story},
    values::worker_name,
};

/// How wide the name of a line is.
const NAME_WIDTH: usize = 12;

/// The nodes and rounds of a simulation as JSON.
pub(super) struct Told {
    pub(super) nodes: Vec<Value>,
    pub(super) rounds: Vec<Value>,
}

/// How many agreeing ballots a verdict needs at least.
pub(super) fn quorum(scenario: &Scenario) -> u32 {
    match scenario.policy.electorate {
        Electorate::Sample => scenario.policy.quorum,
        Electorate::All => scenario.policy.quorum.max(scenario.nodes() / 2 + 1),
    }
}

/// Who takes part, and how it is voted.
pub(super) fn cast_of_characters(scenario: &Scenario) -> String {
    let faulty: Vec<String> = (0..)
        .zip(&scenario.members)
        .filter(|(_, member)| member.behaviour.is_faulty())
        .map(|(number, member)| format!("{} {}", worker_name(number), member.behaviour.name()))
        .collect();
    let faulty = match faulty.len() {
        0 => "none is faulty".to_owned(),
        count => format!("{count} faulty ({})", faulty.join(", ")),
    };
    let who = match scenario.policy.electorate {
        Electorate::All => "everybody votes".to_owned(),
        Electorate::Sample => {
            format!("{} to {} are asked", scenario.policy.replicas, scenario.policy.max_replicas)
        }
    };
    format!(
        "{} nodes, {faulty}; {who}, {} must agree, and more than half of those who are asked",
        scenario.nodes(),
        quorum(scenario)
    )
}

/// Each round, readably.
pub(super) fn rounds(story: &Story) -> String {
    let mut text = String::new();
    for (number, (_, round)) in (1..).zip(story.rounds()) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\nround {number}\n{}", round_text(round, story));
    }
    text
}

fn round_text(round: &Round, story: &Story) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "  {name:<NAME_WIDTH$}{what}");
    };
    if let Some(first) = round.proposer() {
        line("proposed", format!("{}, by {}", shown(first), worker_name(first.worker)));
    }
    for said in &round.ballots {
        let behaviour = story.behaviours().get(said.worker as usize);
        let mut words = vec![shown(said)];
        words.extend(behaviour.filter(|b| b.is_faulty()).map(|b| format!("faulty: {}", b.name())));
        words.extend(said.is_late.then(|| "after the verdict".to_owned()));
        line(&worker_name(said.worker), words.join(", "));
    }
    for forger in &round.forgers {
        line(&worker_name(*forger), "a ballot that is not its own: refused".to_owned());
    }
    line("result", result(round));
    if matches!(round.result, Some(Verdict::Accepted(_))) {
        line("votes", votes(round));
    }
    line("found", names(&round.found));
    text
}

fn shown(said: &Said) -> String {
    format!("{}{}", said.digest.short(), if said.is_right { "" } else { " (wrong)" })
}

fn result(round: &Round) -> String {
    let after = milliseconds(round.decided_us);
    match &round.result {
        Some(Verdict::Accepted(digest)) if round.is_right => {
            format!("accepted {}, which is true, at {after}", digest.short())
        }
        Some(Verdict::Accepted(digest)) => format!("accepted {}, which is WRONG, at {after}", digest.short()),
        Some(Verdict::Undecided) => format!("undecided, at {after}"),
        Some(Verdict::Failed(reason)) => format!("failed, at {after}: {reason}"),
        None => "none: it was still open at the end".to_owned(),
    }
}

fn votes(round: &Round) -> String {
    let (votes, against, asked) = (round.votes, round.against, round.asked);
    let out = asked.saturating_sub(votes + against);
    let percent = 100.0 * f64::from(votes) / f64::from(asked.max(1));
    format!("{votes}/{asked} ({percent:.1} %), {against} against, {out} not waited for")
}

fn milliseconds(us: u64) -> String {
    format!("{}.{} ms", us / 1000, us % 1000 / 100)
}

fn names(workers: &BTreeSet<u32>) -> String {
    if workers.is_empty() {
        return "nobody".to_owned();
    }
    workers.iter().map(|worker| worker_name(*worker)).collect::<Vec<_>>().join(", ")
}

/// Whom the ballots of all rounds convict.
pub(super) fn found_in_all(story: &Story) -> String {
    let found: BTreeSet<u32> = story.rounds().flat_map(|(_, round)| round.found.iter().copied()).collect();
    let faulty = story.behaviours().iter().filter(|behaviour| behaviour.is_faulty()).count();
    let right = |worker: &&u32| story.behaviours().get(**worker as usize).is_some_and(|b| b.is_faulty());
    format!("{} ({} of {faulty})", names(&found), found.iter().filter(right).count())
}

/// The same as JSON.
pub(super) fn to_json(scenario: &Scenario, story: &Story) -> Told {
    let nodes = (0..).zip(&scenario.members).map(|(number, member)| {
        json!({
            "name": worker_name(number),
            "behaviour": member.behaviour.name(),
            "faulty": member.behaviour.is_faulty(),
            "operator": member.operator,
        })
    });
    Told { nodes: nodes.collect(), rounds: story.rounds().map(|(_, round)| round_json(round)).collect() }
}

fn round_json(round: &Round) -> Value {
    let said = |said: &Said| {
        json!({
            "node": worker_name(said.worker),
            "digest": said.digest.to_string(),
            "right": said.is_right,
            "at_us": said.at_us,
            "late": said.is_late,
        })
    };
    let (result, digest) = match &round.result {
        Some(Verdict::Accepted(digest)) => ("accepted", Some(digest.to_string())),
        Some(Verdict::Undecided) => ("undecided", None),
        Some(Verdict::Failed(_)) => ("failed", None),
        None => ("open", None),
    };
    json!({
        "proposed_by": round.proposer().map(|first| worker_name(first.worker)),
        "ballots": round.ballots.iter().map(said).collect::<Vec<_>>(),
        "result": result,
        "accepted": digest,
        "right": round.is_right,
        "votes": round.votes,
        "against": round.against,
        "asked": round.asked,
        "percent": 100.0 * f64::from(round.votes) / f64::from(round.asked.max(1)),
        "decided_us": round.decided_us,
        "faulty_found": round.found.iter().map(|worker| worker_name(*worker)).collect::<Vec<_>>(),
    })
}

/// The table of a campaign.
pub(super) fn campaign(campaign: &Campaign, elapsed: Duration) -> String {
    let totals = campaign.totals();
    let counts = &totals.counts;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<36}{value:>14}");
    };
    line("referendums", grouped(totals.referendums));
    line("in worlds", grouped(totals.worlds));
    line("referendums per second", grouped(per_second(totals.referendums, elapsed)));
    line("accepted", grouped(counts.accepted));
    line("undecided", grouped(counts.undecided));
    line("open at the end of their world", grouped(counts.unfinished));
    line("disputes", grouped(counts.disputes));
    line("wrong accepted, fault bound kept", grouped(totals.wrong_within_bound));
    line("wrong accepted, fault bound broken", grouped(counts.wrong - totals.wrong_within_bound));
    line("referendums with the bound broken", grouped(totals.beyond_bound));
    line("leases", grouped(counts.leases));
    line("ballots counted", grouped(counts.ballots));
    line("jobs with audits", grouped(counts.audited_jobs));
    line("audits answered", grouped(counts.audits));
    line("audits that found something wrong", grouped(counts.rejections));
    line("forged bundles refused", grouped(counts.forgeries));
    line("corrections sent", grouped(counts.corrections));
    line("envelopes lost, with their link", grouped(counts.lost));
    line("envelopes doubled", grouped(counts.doubled));
    line("worker crashes", grouped(counts.crashes));
    line("workers put on standby", grouped(counts.standbys));
    line("broken seals", grouped(counts.broken_seals));
    line("faulty nodes put in quarantine", grouped(counts.quarantines));
    line("honest nodes put in quarantine", grouped(counts.honest_quarantines));
    line("answers to known tasks", grouped(counts.tests));
    line("nodes let back", grouped(counts.readmissions));
    line("faults located", grouped(counts.faults_located));
    line("coordinator crashes", grouped(counts.coordinator_crashes));
    line("records written", grouped(counts.records));
    line("syncs", grouped(counts.syncs));
    line("records lost, not synced", grouped(counts.records_lost));
    line("records read again after a crash", grouped(counts.replayed));
    line("worlds that violated an invariant", grouped(totals.violated));
    if let Some(expected) = campaign.expectation() {
        let rate = &totals.wrong_rate;
        let deviation =
            rate.deviation_from(expected.rate).map(|by| format!(", {by:+.2} standard errors off"));
        let _ = write!(
            text,
            "\n{:.3} % of verdicts are wrong; chance gives {:.3} % where {} replicas decide and each worker colludes with \
             p = {}{}\n",
            100.0 * rate.rate(),
            100.0 * expected.rate,
            expected.replicas,
            expected.collude,
            deviation.unwrap_or_default()
        );
    }
    for failure in &totals.failures {
        let _ = write!(
            text,
            "\nviolated in the world of seed {}: {}\n  see it again: coordinator {}\n",
            failure.seed, failure.violation, failure.reproduced_by
        );
    }
    text
}

/// The same as JSON.
pub(super) fn campaign_json(campaign: &Campaign, elapsed: Duration) -> Value {
    let totals = campaign.totals();
    let counts = &totals.counts;
    let failures = totals.failures.iter().map(|failure| {
        json!({
            "seed": failure.seed,
            "violation": failure.violation.to_string(),
            "command": format!("coordinator {}", failure.reproduced_by),
        })
    });
    let expectation = campaign.expectation().map(|expected| {
        json!({
            "replicas": expected.replicas,
            "collude": expected.collude,
            "rate": expected.rate,
            "measured": totals.wrong_rate.rate(),
            "standard_error": totals.wrong_rate.standard_error(),
            "standard_errors_off": totals.wrong_rate.deviation_from(expected.rate),
        })
    });
    json!({
        "referendums": totals.referendums,
        "worlds": totals.worlds,
        "elapsed_s": elapsed.as_secs_f64(),
        "referendums_per_second": per_second(totals.referendums, elapsed),
        "accepted": counts.accepted,
        "undecided": counts.undecided,
        "open": counts.unfinished,
        "disputes": counts.disputes,
        "wrong_accepted_bound_kept": totals.wrong_within_bound,
        "wrong_accepted_bound_broken": counts.wrong - totals.wrong_within_bound,
        "referendums_bound_broken": totals.beyond_bound,
        "leases": counts.leases,
        "ballots": counts.ballots,
        "audited_jobs": counts.audited_jobs,
        "audits": counts.audits,
        "failed_audits": counts.rejections,
        "forgeries_refused": counts.forgeries,
        "corrections": counts.corrections,
        "messages_lost": counts.lost,
        "messages_doubled": counts.doubled,
        "crashes": counts.crashes,
        "standbys": counts.standbys,
        "broken_seals": counts.broken_seals,
        "quarantines": counts.quarantines,
        "honest_quarantines": counts.honest_quarantines,
        "tests": counts.tests,
        "readmissions": counts.readmissions,
        "faults_located": counts.faults_located,
        "coordinator_crashes": counts.coordinator_crashes,
        "records": counts.records,
        "syncs": counts.syncs,
        "records_lost": counts.records_lost,
        "records_replayed": counts.replayed,
        "worlds_violated": totals.violated,
        "failures": failures.collect::<Vec<_>>(),
        "wrong_verdicts": expectation,
    })
}

fn per_second(count: u64, elapsed: Duration) -> u64 {
    let elapsed_us = elapsed.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / elapsed_us).unwrap_or(u64::MAX)
}
