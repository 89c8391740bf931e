//! Who is there: each worker has one timer, set to the moment at which its silence would make it suspect.
//!
//! A word of the worker does not move the timer, which would cost something at each ballot: a timer that goes off too
//! early looks when it is due now, and is set again.

use protocol::{ballot::ReplicaId, identity::NodeId, report::Liveness};

use super::{Machine, Timer};
use crate::{input::Output, liveness::Watch};

impl Machine {
    /// Begins to watch a worker that has just joined.
    pub(super) fn watch(&mut self, id: NodeId, now_ms: u64) {
        self.unwatch(id);
        self.look_at_seals();
        let Some(rhythm) = self.config.liveness else { return };
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let watch = Watch::new(rhythm, now_ms);
        let due_ms = watch.suspect_at_ms();
        worker.watch = Some(watch);
        self.set_watch_timer(id, due_ms);
    }

    /// Stops to watch a worker that is not connected.
    pub(super) fn unwatch(&mut self, id: NodeId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.watch = None;
        if let Some(due_ms) = worker.watch_timer_ms.take() {
            self.timers.remove(&(due_ms, Timer::Liveness(id)));
        }
    }

    fn set_watch_timer(&mut self, id: NodeId, due_ms: u64) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if let Some(before_ms) = worker.watch_timer_ms.replace(due_ms) {
            self.timers.remove(&(before_ms, Timer::Liveness(id)));
        }
        self.timers.insert((due_ms, Timer::Liveness(id)));
    }

    fn set_liveness(&mut self, id: NodeId, liveness: Liveness) {
        self.roll.clear();
        let Some(worker) = self.workers.get_mut(&id) else { return };
        self.live -= u32::from(worker.is_elector());
        worker.liveness = liveness;
        self.live += u32::from(worker.is_elector());
        self.outputs.push_back(Output::Note { worker: id, liveness });
        if liveness != Liveness::Alive {
            self.crowds.remove(&id);
        }
        self.look_at_seals();
    }

    /// A worker said something. One that was suspect is alive again; one that was on standby is told what it missed.
    pub(super) fn heard(&mut self, id: NodeId, now_ms: u64) {
        if self.config.liveness.is_none() {
            return;
        }
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let Some(watch) = &mut worker.watch else { return };
        watch.heard(now_ms);
        let (before, due_ms) = (worker.liveness, watch.suspect_at_ms());
        if before == Liveness::Alive {
            return;
        }
        self.set_liveness(id, Liveness::Alive);
        self.set_watch_timer(id, due_ms);
        if before == Liveness::Standby {
            self.settle_debts(id, now_ms);
        }
        self.want_tests(id);
        self.wake(id);
    }

    /// The timer of a worker went off, which was due at `due_ms`.
    pub(super) fn liveness_due(&mut self, id: NodeId, due_ms: u64, now_ms: u64) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.watch_timer_ms = None;
        let Some(watch) = &mut worker.watch else { return };
        if let Some(rhythm) = self.config.liveness
            && now_ms.saturating_sub(due_ms) > rhythm.pause_ms()
        {
            // Nobody drove this machine when the timer was due, so nobody can have been heard: a coordinator that slept
            // does not blame its workers.
            watch.excuse(now_ms);
        }
        let (suspect_at_ms, standby_at_ms) = (watch.suspect_at_ms(), watch.standby_at_ms());
        match worker.liveness {
            Liveness::Alive if suspect_at_ms > now_ms => self.set_watch_timer(id, suspect_at_ms),
            Liveness::Suspect if standby_at_ms > now_ms => self.set_watch_timer(id, standby_at_ms),
            Liveness::Alive => {
                self.set_liveness(id, Liveness::Suspect);
                self.set_watch_timer(id, standby_at_ms.max(now_ms + 1));
            }
            Liveness::Suspect => {
                self.set_liveness(id, Liveness::Standby);
                self.stand_by(id, now_ms);
            }
            Liveness::Standby => {}
        }
    }

    /// A worker is away: what it was leased is free, and nobody waits for its acknowledgements.
    pub(super) fn stand_by(&mut self, id: NodeId, now_ms: u64) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.owes_inventory = true;
        }
        self.look_at_seals();
        self.drop_tests(id);
        self.free_leases_of(id, now_ms);
        self.lost_while_settling(id, now_ms);
        self.pardon_where_nobody_is_left();
    }

    /// A worker that was on standby says what it still computes: it keeps what nobody took over, and stops the rest.
    pub(super) fn take_inventory(&mut self, id: NodeId, under_way: &[(ReplicaId, u16)], now_ms: u64) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if !std::mem::take(&mut worker.owes_inventory) {
            return;
        }
        let is_freed =
            |replica: &ReplicaId| !worker.leases.contains(replica) && !worker.committed.contains(replica);
        let freed: Vec<ReplicaId> = under_way.iter().map(|(replica, _)| *replica).filter(is_freed).collect();
        self.resume_leases(id, &freed, now_ms);
    }
}
