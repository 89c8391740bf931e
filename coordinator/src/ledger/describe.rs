//! Entries in a line of words, for people.

use std::collections::BTreeSet;

use protocol::{
    fault::{LocatedFault, Parting, Stretch},
    ledger::{CountedBallot, Decided, Enrolment, Record},
    standing::Quarantined,
    verdict::Verdict,
};

/// What happened, in one line without a control character.
pub fn describe(record: &Record) -> String {
    let line = match record {
        Record::Founded { coordinator, version } => {
            format!("founded     by coordinator {coordinator}, version {version}")
        }
        Record::Enrolled(Enrolment { worker, name, operator, engines, build }) => {
            let devices: BTreeSet<String> =
                engines.iter().map(|engine| format!("{} ({})", engine.engine, engine.device)).collect();
            let devices: Vec<String> = devices.into_iter().collect();
            let (worker, devices) = (worker.short(), devices.join(", "));
            format!("enrolled    worker {worker} `{name}` of {operator}, build {build}: {devices}")
        }
        Record::Submitted(submitted) => {
            let file = submitted.file.map(|file| format!(", expression file {}", file.short()));
            let (job, bytes, file) = (submitted.job, submitted.text.len(), file.unwrap_or_default());
            let by = submitted.submitter.short();
            format!("submitted   job {job} by {by}, {bytes} bytes{file}")
        }
        Record::Decided(decided) => describe_decided(decided),
        Record::Late(CountedBallot { ballot, .. }) => {
            let ballot = &ballot.ballot;
            let (job, index) = (ballot.replica.job, ballot.replica.index);
            let (worker, digest) = (ballot.worker.short(), ballot.digest.short());
            format!("late        job {job} task {index}: worker {worker} for {digest}")
        }
        Record::Corrected { job, index, worker, accepted } => {
            let (worker, accepted) = (worker.short(), accepted.short());
            format!("corrected   job {job} task {index}: worker {worker} now holds {accepted}")
        }
        Record::Over { job, state } => {
            let state = serde_json::json!(state);
            format!("over        job {job}: {}", state.as_str().unwrap_or_default())
        }
        Record::Revoked { node } => format!("revoked     key {node}"),
        Record::Quarantined(Quarantined { worker, engine, reason, .. }) => {
            format!("quarantined {engine} of worker {}: {reason}", worker.short())
        }
        Record::Tested(tested) => {
            let ballot = &tested.counted.ballot.ballot;
            let (worker, engine, index) = (ballot.worker.short(), ballot.domain.engine, ballot.replica.index);
            let how = if tested.is_right() { "rightly" } else { "otherwise" };
            format!("tested      {engine} of worker {worker} answered known task {index} {how}")
        }
        Record::Readmitted { worker, engine } => {
            format!("readmitted  {engine} of worker {}", worker.short())
        }
        Record::Located(fault) => describe_located(fault),
        Record::SealBroken(broken) => {
            let ballot = &broken.ballot.ballot;
            let (job, index) = (ballot.replica.job, ballot.replica.index);
            let (worker, commitment) = (ballot.worker.short(), broken.commitment.0.short());
            format!("seal broken job {job} task {index}: worker {worker} had committed to {commitment}")
        }
    };
    line.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn describe_located(fault: &LocatedFault) -> String {
    let LocatedFault { worker, job, index, domain, winner, parting, class, rounds, bytes, .. } = fault;
    let place = match *parting {
        Parting::Node { place, trees, digests: [right, wrong] } => {
            let stretch = Stretch { formula: domain.formula, place, trees };
            format!("{stretch}, {} and {}", wrong.short(), right.short())
        }
        Parting::AfterTheSeries => format!("after the series of {}", domain.formula),
        Parting::Unknown => "nowhere, as the two cannot be compared".to_owned(),
    };
    let class = class.map_or(String::new(), |class| format!("{}; ", class.name()));
    let (worker, winner, engine) = (worker.short(), winner.short(), domain.engine);
    format!(
        "located     job {job} task {index}: {engine} of worker {worker} and worker {winner} part at {place} ({class}{rounds} \
         questions, {bytes} bytes)"
    )
}

fn describe_decided(decided: &Decided) -> String {
    let Decided { job, index, quorum, ballots, .. } = decided;
    let of = ballots.len();
    let verdict = match &decided.verdict {
        Verdict::Accepted(digest) => {
            let agree = ballots.iter().filter(|counted| counted.ballot.ballot.digest == *digest).count();
            format!("accepted {}, {agree} of {of} ballots agree, quorum {quorum}", digest.short())
        }
        Verdict::Undecided => format!("undecided after {of} ballots, quorum {quorum}"),
        Verdict::Failed(reason) => format!("failed: {reason}"),
    };
    let disputed = if decided.disputed { ", disputed" } else { "" };
    let equivocations = match decided.equivocations.len() {
        0 => String::new(),
        count => format!(", {count} equivocations"),
    };
    format!("decided     job {job} task {index}: {verdict}{disputed}{equivocations}")
}
