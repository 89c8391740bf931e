//! The table `[policy]`: its values one by one, then whether they make sense together.

use std::time::Duration;

use super::{
    errors::Faults,
    fault::{JobFileFault, did_you_mean, quoted},
    section::{Field, Section, Text},
};
use crate::{
    domain::Axis,
    limits::{LEASE_MS_MAX, LEASE_MS_MIN, REPLICAS_MAX},
    policy::{Electorate, Mode, Policy, PolicyDraft, Ways},
};

/// Bounds on errors are kept in parts of a million million, shares of workers in parts of a million.
const PARTS_OF_ERROR: f64 = 1e12;
const PARTS_OF_FAULTY: f64 = 1e6;

/// Reads the policy of a job whose tasks can be computed in these ways.
pub(super) fn policy(section: Option<&Section<'_>>, ways: Ways, faults: &mut Faults) -> Option<Policy> {
    let Some(section) = section else { return PolicyDraft::default().resolve(ways).ok() };
    let max = u64::from(REPLICAS_MAX);
    let tolerate = section.integer("tolerate", 0..=(max - 1) / 2, "`tolerate = 1`", faults);
    let quorum = section.integer("quorum", 1..=max, "`quorum = 2`", faults);
    let replicas = section.integer("replicas", 1..=max, "`replicas = 3`", faults);
    let max_replicas = section.integer("max_replicas", 1..=max, "`max_replicas = 9`", faults);
    let distinct = distinct(section, faults);
    let electorate = electorate(section, faults);
    let sealed = section.boolean("sealed", "`sealed = true`", faults);
    let lease_ms = lease(section, faults);
    let audit = section.integer("audit", 0..=max, "`audit = 1`", faults);
    let mode = mode(section, faults);
    let adaptive = section.boolean("adaptive", "`adaptive = true`", faults);
    let error = section.parts("error", (1_000, 100_000_000_000), PARTS_OF_ERROR, "`error = 1e-6`", faults);
    let share = section.parts("faulty", (1, 450_000), PARTS_OF_FAULTY, "`faulty = 0.1`", faults);
    let numbers = [&tolerate, &quorum, &replicas, &max_replicas, &audit, &error, &share];
    let any_is_bad = numbers.iter().any(|field| field.is_bad())
        || distinct.is_bad()
        || electorate.is_bad()
        || sealed.is_bad()
        || mode.is_bad()
        || adaptive.is_bad()
        || lease_ms.is_bad();
    // What does not fit together is told only of values that are as the user meant them.
    if any_is_bad || faults.is_broken() {
        return None;
    }
    let number = |field: Field<u64>| field.good().and_then(|located| u32::try_from(located.value).ok());
    let draft = PolicyDraft {
        tolerate: number(tolerate),
        quorum: number(quorum),
        replicas: number(replicas),
        max_replicas: number(max_replicas),
        distinct: distinct.good().map(|located| located.value).unwrap_or_default(),
        electorate: electorate.good().map(|located| located.value),
        sealed: sealed.good().map(|located| located.value),
        lease_ms: lease_ms.good().map(|located| located.value),
        mode: mode.good().map(|located| located.value),
        audit: number(audit),
        adaptive: adaptive.good().map(|located| located.value),
        error_ppt: error.good().map(|located| located.value),
        faulty_ppm: number(share),
    };
    match draft.resolve(ways) {
        Ok(policy) => Some(policy),
        Err(contradictions) => {
            for fault in contradictions {
                let named = fault.keys().iter().copied().find(|key| section.has(key));
                faults.push(named.map_or(section.offset(), |key| section.offset_of(key)), fault);
            }
            None
        }
    }
}

fn distinct(section: &Section<'_>, faults: &mut Faults) -> Field<Vec<Axis>> {
    let names = Axis::ALL.map(Axis::name);
    section.strings("distinct", "`distinct = [\"formula\"]`", faults).and_then(|list, _| {
        let mut axes = Vec::with_capacity(list.texts.len());
        for Text { value, written } in &list.texts {
            if let Some(known) = Axis::ALL.into_iter().find(|known| known.name() == *value) {
                axes.push(known);
            } else {
                let help = did_you_mean(value, &names);
                let fault = JobFileFault::UnknownWord { key: "distinct", value: quoted(value), help };
                faults.push(written.start, fault);
            }
        }
        (list.are_all && axes.len() == list.texts.len()).then_some(axes)
    })
}

fn electorate(section: &Section<'_>, faults: &mut Faults) -> Field<Electorate> {
    let names = [Electorate::Sample.name(), Electorate::All.name()];
    section.string("electorate", "`electorate = \"sample\"`", faults).and_then(|value, offset| match value {
        "sample" => Some(Electorate::Sample),
        "all" => Some(Electorate::All),
        other => {
            let help = did_you_mean(other, &names);
            faults.push(offset, JobFileFault::UnknownWord { key: "electorate", value: quoted(other), help });
            None
        }
    })
}

fn mode(section: &Section<'_>, faults: &mut Faults) -> Field<Mode> {
    let names = [Mode::Replicated.name(), Mode::Audited.name()];
    section.string("mode", "`mode = \"audited\"`", faults).and_then(|value, offset| match value {
        "replicated" => Some(Mode::Replicated),
        "audited" => Some(Mode::Audited),
        other => {
            let help = did_you_mean(other, &names);
            faults.push(offset, JobFileFault::UnknownWord { key: "mode", value: quoted(other), help });
            None
        }
    })
}

fn lease(section: &Section<'_>, faults: &mut Faults) -> Field<u64> {
    let key = "lease";
    section.string(key, "`lease = \"60s\"`", faults).and_then(|value, offset| {
        let Ok(duration) = humantime::parse_duration(value) else {
            faults.push(offset, JobFileFault::Duration { key, value: quoted(value) });
            return None;
        };
        let lease_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        if (LEASE_MS_MIN..=LEASE_MS_MAX).contains(&lease_ms) {
            return Some(lease_ms);
        }
        let told = |ms| humantime::format_duration(Duration::from_millis(ms)).to_string();
        let (min, max) = (told(LEASE_MS_MIN), told(LEASE_MS_MAX));
        faults.push(offset, JobFileFault::DurationBounds { key, value: quoted(value), min, max });
        None
    })
}
