//! Why nothing happens: one sentence for people about the first task that waits for a worker which is not here.

use std::collections::BTreeSet;

use protocol::{
    domain::{Axis, Engine},
    standing::QuarantineReason,
};

use super::Machine;
use crate::{
    dispatch::{self, Unfit},
    job::Job,
    tally::Tally,
    worker::Worker,
};

/// How many values a sentence names; the rest are counted.
const VALUES_MAX: usize = 3;

impl Machine {
    /// Why the first hungry task of a job waits, when it is not only for a busy worker.
    pub(super) fn waiting_reason(&self, job: &Job) -> Option<String> {
        let alive: Vec<_> = self.workers.iter().filter(|(_, worker)| worker.is_alive()).collect();
        if alive.is_empty() && job.wants_workers() {
            return Some(match self.workers.values().filter(|worker| worker.connected).count() {
                0 => "no worker is connected".to_owned(),
                1 => "no worker is alive: 1 is connected and not heard".to_owned(),
                silent => format!("no worker is alive: {silent} are connected and not heard"),
            });
        }
        if let Some(index) = job.unheld.first().filter(|_| job.all_decided()) {
            return Some(format!("task {index} is decided, and its outcome has not arrived yet"));
        }
        let index = job.hungry.first()?;
        let tally = job.tally(index)?;
        let (mut missing, mut shut) = (None, Vec::new());
        for (id, worker) in &alive {
            match dispatch::place(tally, id, worker) {
                Ok(_) => return None,
                Err(Unfit::NotDistinct(axis)) => missing = missing.or(Some(axis)),
                Err(Unfit::Quarantined) => shut.push(**id),
                Err(Unfit::Asked) => {}
            }
        }
        let workers: Vec<&Worker> = alive.into_iter().map(|(_, worker)| worker).collect();
        let cases: Vec<_> = shut.iter().filter_map(|id| self.case_that_holds(id)).collect();
        if let Some(case) = cases.first() {
            let reason = QuarantineReason::awaited(case.first, &case.stretch);
            return Some(waits_for_test(index, cases.len(), workers.len(), &reason));
        }
        let first_shut = shut.first().and_then(|id| self.standings.get(id));
        let reason = first_shut.and_then(|standing| {
            let mut records = [Engine::Cpu, Engine::Gpu].into_iter().map(|engine| standing.with(engine));
            records.find_map(|record| record.quarantine).map(|quarantine| quarantine.reason)
        });
        Some(match (reason, missing) {
            (Some(reason), _) => waits_for_way_back(index, shut.len(), workers.len(), &reason),
            (None, Some(axis)) => waits_for_another(index, axis, &workers),
            (None, None) => waits_for_more(index, workers.len(), tally),
        })
    }
}

/// Some of those who could be asked are held back.
fn waits_for_test(index: u64, held: usize, workers: usize, reason: &str) -> String {
    let who = match (held, workers) {
        (1, 1) => "the one here has".to_owned(),
        (held, workers) => format!("{held} of the {workers} here have"),
    };
    format!("task {index} waits for another worker: {who} a known task to answer first ({reason})")
}

/// Some of those who could be asked are in quarantine.
fn waits_for_way_back(index: u64, shut: usize, workers: usize, reason: &QuarantineReason) -> String {
    let who = match (shut, workers) {
        (1, 1) => "the one here is in quarantine".to_owned(),
        (shut, workers) if shut == workers => format!("all {workers} here are in quarantine"),
        (1, workers) => format!("1 of the {workers} here is in quarantine"),
        (shut, workers) => format!("{shut} of the {workers} here are in quarantine"),
    };
    let why = if shut == 1 { format!("{reason}") } else { format!("of one of them, {reason}") };
    format!("task {index} waits for another worker: {who} ({why}) until it has answered known tasks rightly")
}

/// No worker here would differ on an axis from those that have a seat.
fn waits_for_another(index: u64, axis: Axis, workers: &[&Worker]) -> String {
    let values: BTreeSet<String> = workers
        .iter()
        .flat_map(|worker| match axis {
            Axis::Operator => vec![worker.operator.to_string()],
            Axis::Engine => worker.engines.iter().map(|(engine, _)| engine.to_string()).collect(),
            Axis::Device => worker.engines.iter().map(|(_, device)| device.to_string()).collect(),
            // Whoever is here can compute by every formula: no worker is refused for it.
            Axis::Formula => Vec::new(),
        })
        .collect();
    let (whom, share) = match axis {
        Axis::Operator => ("a worker of another operator", "of"),
        Axis::Engine => ("a worker with another engine", "on"),
        Axis::Device => ("a worker with another device", "on"),
        Axis::Formula => ("a worker with another formula", "by"),
    };
    let here = match (workers.len(), values.len()) {
        (1, _) => "the one here is".to_owned(),
        (count, 1) => format!("the {count} here are all"),
        (count, _) => format!("the {count} here are"),
    };
    format!(
        "task {index} waits for {whom}: {here} {share} {}",
        listed(&values.into_iter().collect::<Vec<_>>())
    )
}

/// Every worker here has been asked.
fn waits_for_more(index: u64, workers: usize, tally: &Tally) -> String {
    let more = match tally.vacant_seats() {
        1 => "another worker".to_owned(),
        vacant => format!("{vacant} more workers"),
    };
    let asked = if workers == 1 {
        "the one here was asked".to_owned()
    } else {
        format!("all {workers} here were asked")
    };
    let waits = format!("task {index} waits for {more}: {asked}");
    match tally.too_much_alike() {
        Some((axis, values, needed)) => format!(
            "{waits}, and the ballots that agree have the {axis} {}, where {needed} different ones must agree",
            listed(&values)
        ),
        None if tally.trust().is_some() && tally.was_disputed() => {
            format!("{waits}, and no answer leads by enough")
        }
        None if tally.trust().is_some() => format!("{waits}, and others are to check what was answered"),
        None if tally.was_disputed() => format!("{waits}, and no answer has a majority"),
        None => waits,
    }
}

/// `a`, `a` and `b`, or the first few and how many more.
fn listed(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().take(VALUES_MAX).map(|value| format!("`{value}`")).collect();
    match (values.len(), &quoted[..]) {
        (count, _) if count > VALUES_MAX => format!("{} and {} more", quoted.join(", "), count - VALUES_MAX),
        (_, [first @ .., last]) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => quoted.concat(),
    }
}
