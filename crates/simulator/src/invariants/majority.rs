//! What is accepted has its proof: ballots of a quorum of different workers, more than half of all ballots that count
//! or may still come, spread as the policy asks, and the certificate says the same.
//!
//! This holds beyond the fault bound, too: too many liars may win, but never without the votes.

use std::collections::BTreeSet;

use protocol::{domain::Axis, ledger::Decided, policy::Electorate, verdict::Verdict};
use verdict::{Machine, tally::Tally};

use super::{TaskKey, TaskRecord, Violation, audits};
use crate::scenario::Scenario;

const INVARIANT: &str = "quorum and majority";

pub(super) fn check(
    task: TaskKey,
    record: &TaskRecord,
    decided: &Decided,
    scenario: &Scenario,
    machine: &Machine,
) -> Result<(), Violation> {
    let Verdict::Accepted(accepted) = &decided.verdict else { return Ok(()) };
    let index = task.index;
    // Each worker has one ballot there.
    let agreeing = || record.ballots().filter(|(_, digest)| digest == accepted).map(|(worker, _)| worker);
    let (votes, all) = (agreeing().count(), record.ballots().count());
    let quorum = scenario.policy.quorum as usize;
    let fail = |what: String| Err(Violation { invariant: INVARIANT, what });
    let trial = audits::Trial::of(record, accepted, scenario);
    if let Some(trial) = &trial {
        trial.check(index, quorum)?;
    }
    // Where one computes alone, or somebody was struck out, audits carry what is accepted, and no majority.
    let needs_majority = trial.as_ref().is_none_or(|trial| trial.needs_majority);
    if needs_majority && votes < quorum {
        return fail(format!("task {index} is accepted with {votes} ballots, and the quorum is {quorum}"));
    }
    let tally = machine.job(task.job).and_then(|job| job.tally(index));
    // A replica that is run after the verdict, for its outcome, changes no vote.
    let computing = |tally: &Tally| tally.outstanding().filter(|(_, issued)| issued.audit.is_none()).count();
    let out = tally.filter(|tally| tally.is_open()).map_or(0, computing);
    if needs_majority && 2 * votes <= all + out {
        let what =
            format!("task {index} is accepted with {votes} of {all} ballots, and {out} may still come");
        return fail(what);
    }
    if scenario.policy.electorate == Electorate::Sample && scenario.policy.distinct.contains(&Axis::Operator)
    {
        let signers: BTreeSet<u32> = match &trial {
            Some(trial) if !needs_majority => trial.signers.clone(),
            _ => agreeing().collect(),
        };
        let operators: BTreeSet<&str> = signers
            .into_iter()
            .filter_map(|worker| scenario.members.get(worker as usize))
            .map(|member| member.operator.as_str())
            .collect();
        if operators.len() < quorum {
            let count = operators.len();
            return fail(format!(
                "task {index} is accepted by {count} operators, and {quorum} are asked for"
            ));
        }
    }
    let written = decided.ballots.len();
    if written != all {
        return fail(format!("the log has {written} ballots on task {index}, and {all} were counted"));
    }
    let (written, heard) = (decided.audits.len(), record.findings().len());
    if written != heard {
        return fail(format!("the log has {written} audits on task {index}, and {heard} were counted"));
    }
    // What a certificate is made of, looked at where it lies.
    let Some((tally, decision)) = tally.and_then(|tally| Some((tally, tally.decision()?))) else {
        return fail(format!("task {index} is accepted without a certificate"));
    };
    let winning = tally.timely().filter(|signed| signed.ballot.digest == decision.accepted).count();
    let dissenting = tally.timely().count() - winning;
    if decision.accepted != *accepted || winning != votes || winning + dissenting != all {
        return fail(format!(
            "the certificate of task {index} has {winning} ballots for and {dissenting} against; {votes} of {all} were \
             cast for what is accepted"
        ));
    }
    Ok(())
}
