//! Adaptive replication: whom a task is offered to once somebody has answered it is drawn by lot.
//!
//! Seats go to whoever has room, and room comes with an answer. So those who lie together could hold answers back, say
//! them the moment a lie of theirs is to be checked, and be the first at its seats, however few they are. Therefore as
//! many workers as there are vacant seats are drawn among all who could take one, busy or not, and only they may. Where some of
//! them find no time, as many again are drawn; where nobody is left to be drawn, whoever comes may take a seat.

use std::collections::BTreeMap;

use protocol::{identity::NodeId, job::JobId};

use super::{Machine, Timer};
use crate::{dispatch, tally::Tally, worker::Worker};

/// More are drawn after so many times as long as the job's replicas usually take.
const PATIENCE_FACTOR: u64 = 2;
/// But not before this time, in milliseconds.
const PATIENCE_MS_MIN: u64 = 1000;
/// How many draws may miss for each seat before all workers are looked at.
const MISSES_MAX: usize = 16;

/// Whether a worker that is alive may take a seat, once it has room.
fn could_come(workers: &BTreeMap<NodeId, Worker>, tally: &Tally, id: &NodeId) -> bool {
    let worker = workers.get(id).filter(|worker| worker.is_alive());
    worker.is_some_and(|worker| dispatch::place(tally, id, worker).is_ok())
}

impl Machine {
    /// A task has vacant seats: where somebody has answered it, draws who may take them.
    pub(super) fn invite(&mut self, id: JobId, index: u64, now_ms: u64) {
        let Some(tally) = self.jobs.get(&id).and_then(|job| job.tally(index)) else { return };
        if !tally.is_by_invitation() {
            return;
        }
        let coming = tally.invited().filter(|worker| could_come(&self.workers, tally, worker)).count();
        let missing = (tally.vacant_seats() as usize).saturating_sub(coming);
        if missing > 0 {
            self.invite_more(id, index, missing);
        }
        let patience_ms = self.patience_ms(id);
        let Some(tally) = self.tally_mut(id, index) else { return };
        if tally.is_by_invitation() && tally.await_invited(now_ms.saturating_add(patience_ms)) {
            self.timers.insert((now_ms.saturating_add(patience_ms), Timer::Invite(id, index)));
        }
    }

    /// Those who were drawn have had time to come.
    pub(super) fn invitation_due(&mut self, id: JobId, index: u64, now_ms: u64) {
        let Some(tally) = self.tally_mut(id, index) else { return };
        tally.invited_until();
        let vacant = tally.vacant_seats() as usize;
        if !tally.is_open() || vacant == 0 || !tally.is_by_invitation() {
            return;
        }
        self.invite_more(id, index, vacant);
        self.evaluate(id, index, now_ms);
    }

    /// Nobody is invited to a task whose vote is over.
    pub(super) fn forget_invitations(&mut self, id: JobId, index: u64) {
        if let Some(at_ms) = self.tally_mut(id, index).and_then(Tally::invited_until) {
            self.timers.remove(&(at_ms, Timer::Invite(id, index)));
        }
    }

    fn patience_ms(&self, id: JobId) -> u64 {
        let usual_ms = self.jobs.get(&id).and_then(|job| job.usual_ms).unwrap_or(0);
        usual_ms.saturating_mul(PATIENCE_FACTOR).max(PATIENCE_MS_MIN)
    }

    /// Draws so many of those who could take a seat and were not drawn before. Where there are no more than that, the seats
    /// are for anybody.
    fn invite_more(&mut self, id: JobId, index: u64, missing: usize) {
        if self.roll.is_empty() {
            let alive = self.workers.iter().filter(|(_, worker)| worker.is_alive());
            self.roll = alive.map(|(id, _)| *id).collect();
        }
        let Some(tally) = self.jobs.get(&id).and_then(|job| job.tally(index)) else { return };
        let mut drawn: Vec<NodeId> = Vec::new();
        let workers = &self.workers;
        let fits = |worker: &NodeId, drawn: &[NodeId]| {
            !drawn.contains(worker) && !tally.is_invited(worker) && could_come(workers, tally, worker)
        };
        let mut misses = MISSES_MAX.saturating_mul(missing);
        while drawn.len() < missing && misses > 0 {
            let place = usize::try_from(self.lots.below(self.roll.len() as u64)).unwrap_or(0);
            match self.roll.get(place).filter(|worker| fits(worker, &drawn)) {
                Some(worker) => drawn.push(*worker),
                None => misses -= 1,
            }
        }
        let mut is_for_all = false;
        if drawn.len() < missing {
            let mut left: Vec<NodeId> =
                self.roll.iter().filter(|worker| fits(worker, &drawn)).copied().collect();
            self.lots.shuffle(&mut left);
            left.truncate(missing - drawn.len());
            drawn.extend(left);
            is_for_all = drawn.len() < missing;
        }
        if let Some(tally) = self.tally_mut(id, index) {
            tally.invite(drawn, is_for_all);
        }
    }
}
