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

/// The most that each kind of thing may be in a world.
#[derive(Debug)]
pub(super) struct Bounds {
    workers: u64,
    leases: u64,
    tallies: u64,
    timers: u64,
    debts: u64,
    waiting: u64,
    events: u64,
}

impl Bounds {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let workers = scenario.members.len() as u64;
        let leases = workers * u64::from(scenario.slots.min(SLOTS_MAX)) * LIGHT_PER_SLOT;
        let tasks = scenario.tasks();
        Self {
            workers,
            leases,
            tallies: tasks,
            // One for each lease, for each correction that waits for its acknowledgement, for each worker that is watched,
            // for each engine that is tested, and for each task whose outcome or whose commitments are waited for.
            timers: leases + tasks * workers + 3 * workers + 2 * tasks,
            debts: tasks * workers,
            // A verdict and what follows from it, for each worker that has voted or is told.
            waiting: tasks * (ACTS_PER_WORKER * workers + 2),
            events: leases * PLANNED_PER_LEASE + workers * PLANNED_BESIDE + tasks * workers,
        }
    }

    pub(super) fn check(&self, machine: &Machine, planned: usize, waiting: usize) -> Result<(), Violation> {
        let sizes = machine.sizes();
        let kinds = [
            ("workers", sizes.workers, self.workers),
            ("leases", sizes.leases, self.leases),
            ("tallies", sizes.tallies, self.tallies),
            ("timers", sizes.timers, self.timers),
            ("debts", sizes.debts, self.debts),
            ("orders", sizes.outputs, 0),
            ("orders that wait for the disk", waiting, self.waiting),
            ("events", planned, self.events),
        ];
        for (what, size, most) in kinds {
            if size as u64 > most {
                let what = format!("there are {size} {what}, and {most} are the most that can be needed");
                return Err(Violation { invariant: "nothing grows without a bound", what });
            }
        }
        Ok(())
    }
}
