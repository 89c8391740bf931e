//! Accepted means durable: whatever anybody is told is in the synced part of the log at that moment, and a coordinator that
//! crashes afterwards comes back with the same verdict.

use protocol::{
    ballot::ReplicaId,
    digest::Digest,
    identity::NodeId,
    job::JobId,
    ledger::{Entry, Record as Written},
    report::JobState,
    verdict::Verdict,
};
use verdict::{Machine, tally::State};

use super::{Record, TaskKey, Violation, one_verdict};
use crate::values::{worker_name, worker_number};

const INVARIANT: &str = "accepted means durable";

fn fail(what: String) -> Result<(), Violation> {
    Err(Violation { invariant: INVARIANT, what })
}

/// These entries survive every crash from now on.
pub(super) fn synced(record: &mut Record, entries: &[Entry]) -> Result<(), Violation> {
    for entry in entries {
        match &entry.record {
            Written::Submitted(submitted) => {
                record.taken.insert(submitted.job);
            }
            Written::Decided(decided) => {
                let task = TaskKey { job: decided.job, index: decided.index };
                let seen = record.task_mut(task);
                one_verdict::check_synced(task, seen, &decided.verdict)?;
                seen.durable = Some(decided.verdict.clone());
                let doubled = decided.equivocations.iter().map(|[first, _]| &first.ballot.worker);
                let signed = decided.ballots.iter().chain(&decided.audits);
                let voters = signed.map(|counted| &counted.ballot.ballot.worker);
                seen.durable_voters.extend(voters.chain(doubled).map(worker_number));
            }
            Written::Late(counted) => {
                let said = &counted.ballot.ballot;
                record.task_mut(TaskKey::of(&said.replica)).durable_voters.push(worker_number(&said.worker));
            }
            Written::Tested(tested) => {
                let said = &tested.counted.ballot.ballot;
                record.task_mut(TaskKey::of(&said.replica)).durable_voters.push(worker_number(&said.worker));
            }
            Written::Over { job, state } => {
                record.over.insert(*job, *state);
            }
            Written::Founded { .. }
            | Written::Enrolled(_)
            | Written::Corrected { .. }
            | Written::Revoked { .. }
            | Written::Quarantined(_)
            | Written::Located(_)
            | Written::SealBroken(_)
            | Written::Readmitted { .. } => {}
        }
    }
    Ok(())
}

/// A client hears that its job is taken.
pub(super) fn check_taken(record: &Record, job: JobId) -> Result<(), Violation> {
    if record.taken.contains(&job) {
        return Ok(());
    }
    fail(format!("job {job} is said to be taken, and its submission is not synced"))
}

/// Somebody hears how a task was decided.
pub(super) fn check_announced(record: &Record, task: TaskKey, verdict: &Verdict) -> Result<(), Violation> {
    let durable = record.task(task).and_then(|seen| seen.durable.as_ref());
    if durable == Some(verdict) {
        return Ok(());
    }
    let index = task.index;
    fail(format!("task {index} is announced as {verdict:?}, and what is synced of it is {durable:?}"))
}

/// A dissenter hears what was accepted.
pub(super) fn check_corrected(
    record: &Record,
    replica: &ReplicaId,
    accepted: Digest,
) -> Result<(), Violation> {
    check_announced(record, TaskKey::of(replica), &Verdict::Accepted(accepted))
}

/// A worker hears that its ballot is safe.
pub(super) fn check_counted(record: &Record, worker: &NodeId, replica: &ReplicaId) -> Result<(), Violation> {
    let number = worker_number(worker);
    if record.task(TaskKey::of(replica)).is_some_and(|seen| seen.durable_voters.contains(&number)) {
        return Ok(());
    }
    let (who, index) = (worker_name(number), replica.index);
    fail(format!("{who} hears that its ballot on task {index} is safe, and it is not synced"))
}

/// A client hears that its job is over.
pub(super) fn check_over(record: &Record, job: JobId, state: JobState) -> Result<(), Violation> {
    if record.over.get(&job) == Some(&state) {
        return Ok(());
    }
    fail(format!("job {job} is said to be over, and that is not synced"))
}

/// The coordinator is back: whatever was told still holds.
pub(super) fn check_restarted(record: &Record, machine: &Machine) -> Result<(), Violation> {
    for (task, seen) in record.tasks() {
        let Some(told) = &seen.told else { continue };
        // The oldest jobs that are over are forgotten.
        let Some(job) = machine.job(task.job) else { continue };
        let holds = job.is_settled(task.index)
            || job.tally(task.index).is_some_and(|tally| match (tally.state(), told) {
                (State::Decided(decision) | State::Reconciled(decision), Verdict::Accepted(accepted)) => {
                    decision.accepted == *accepted
                }
                (State::Exhausted(verdict), told) => verdict == told,
                _ => false,
            });
        if !holds {
            let index = task.index;
            return fail(format!(
                "task {index} was told as {told:?}, and the coordinator came back without that"
            ));
        }
    }
    Ok(())
}
