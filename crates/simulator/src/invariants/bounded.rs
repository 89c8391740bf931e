//! Nothing grows without a bound: timers, debts, leases and messages under way stay in proportion to the workers and to
//! the tasks.

use protocol::limits::SLOTS_MAX;
use verdict::Machine;

use super::Violation;
use crate::scenario::Scenario;

/// How many light tasks a slot holds.
const LIGHT_PER_SLOT: u64 = 64;
/// Messages and computations under way for each lease that a worker can hold: what orders, reports and cancels it, each
/// perhaps doubled.
const PLANNED_PER_LEASE: u64 = 16;
/// What is planned beside that: mishaps, and what each worker is about to do.
const PLANNED_BESIDE: u64 = 64;
/// What one worker is told of one task: that its ballots are safe, and what was accepted.
const ACTS_PER_WORKER: u64 = 4;

pub(super) fn check(
    machine: &Machine,
    scenario: &Scenario,
    planned: usize,
    waiting: usize,
) -> Result<(), Violation> {
    let sizes = machine.sizes();
    let workers = scenario.members.len() as u64;
    let leases_most = workers * u64::from(scenario.slots.min(SLOTS_MAX)) * LIGHT_PER_SLOT;
    let tasks = scenario.tasks();
    let bounds = [
        ("workers", sizes.workers as u64, workers),
        ("leases", sizes.leases as u64, leases_most),
        ("tallies", sizes.tallies as u64, tasks),
        // One for each lease, for each correction that waits for its acknowledgement, for each worker that is watched,
        // and for each task whose outcome or whose commitments are waited for.
        ("timers", sizes.timers as u64, leases_most + tasks * workers + workers + 2 * tasks),
        ("debts", sizes.debts as u64, tasks * workers),
        ("orders", sizes.outputs as u64, 0),
        // A verdict and what follows from it, for each worker that has voted or is told.
        ("orders that wait for the disk", waiting as u64, tasks * (ACTS_PER_WORKER * workers + 2)),
        (
            "events",
            planned as u64,
            leases_most * PLANNED_PER_LEASE + workers * PLANNED_BESIDE + tasks * workers,
        ),
    ];
    for (what, size, most) in bounds {
        if size > most {
            let what = format!("there are {size} {what}, and {most} are the most that can be needed");
            return Err(Violation { invariant: "nothing grows without a bound", what });
        }
    }
    Ok(())
}
