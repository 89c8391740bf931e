//! What goes wrong with workers and links, and how it is noticed and mended.

use super::{Stopped, World, message::Event};
use crate::{decider::Decider, scenario::Mishap};

/// How long a worker waits before it tries to be connected again, in microseconds.
const RETRY_US: (u64, u64) = (200_000, 2_000_000);

impl<D: Decider> World<D> {
    pub(super) fn mishap(&mut self, number: u32, mishap: Mishap) {
        let now_us = self.network.now_us();
        match mishap {
            Mishap::Crash(restarts_after_us) => {
                let worker = &mut self.workers[number as usize];
                if !worker.runs {
                    return;
                }
                worker.crash();
                self.counts.crashes += 1;
                let life = worker.life;
                self.network.plan(now_us + restarts_after_us, Event::Restart { worker: number, life });
                self.fall_silent(number);
            }
            Mishap::Stall(for_us) => {
                let worker = &mut self.workers[number as usize];
                worker.stalled_until_us = worker.stalled_until_us.max(now_us + for_us);
                if for_us >= self.network.silence_us() {
                    self.fall_silent(number);
                }
            }
            Mishap::CutOff(direction, for_us) => {
                self.network.cut(number, direction, true);
                self.network.plan(now_us + for_us, Event::Lifted { worker: number, direction });
            }
        }
    }

    /// The coordinator will notice that nothing comes from a worker any more.
    fn fall_silent(&mut self, worker: u32) {
        if let Some(session) = self.sessions[worker as usize] {
            let at_us = self.network.now_us() + self.network.silence_us();
            self.network.plan(at_us, Event::Silence { worker, session });
        }
    }

    /// Both ends notice that nothing comes over a session, unless they gave it up before.
    pub(super) fn silence(&mut self, number: u32, session: u64) -> Result<(), Stopped> {
        if self.workers[number as usize].session == Some(session) {
            self.link_down(number);
        }
        if self.sessions[number as usize] == Some(session) {
            return self.worker_out(number);
        }
        Ok(())
    }

    /// The worker's end of its link is gone; it tries again.
    pub(super) fn link_down(&mut self, number: u32) {
        self.workers[number as usize].session = None;
        self.try_later(number);
    }

    fn try_later(&mut self, number: u32) {
        let life = self.workers[number as usize].life;
        let (shortest_us, longest_us) = RETRY_US;
        let at_us = self.network.now_us() + self.chance.among(shortest_us..=longest_us);
        self.network.plan(at_us, Event::Connect { worker: number, life });
    }

    pub(super) fn restart(&mut self, number: u32, life: u32) {
        let worker = &mut self.workers[number as usize];
        if worker.life == life && !worker.runs {
            worker.runs = true;
            self.network.plan(self.network.now_us(), Event::Connect { worker: number, life });
        }
    }

    /// A worker tries to be connected.
    pub(super) fn connect(&mut self, number: u32, life: u32) -> Result<(), Stopped> {
        let worker = &self.workers[number as usize];
        if worker.life != life || !worker.runs || worker.session.is_some() {
            return Ok(());
        }
        if worker.stalled_until_us > self.network.now_us() {
            self.network.plan(worker.stalled_until_us, Event::Connect { worker: number, life });
            return Ok(());
        }
        if !self.up || !self.network.connect(number) {
            self.try_later(number);
            return Ok(());
        }
        self.sessions_made += 1;
        let session = self.sessions_made;
        let worker = &mut self.workers[number as usize];
        worker.session = Some(session);
        worker.sealed_leases.clear();
        self.worker_in(number, session)?;
        self.cast_again(number);
        Ok(())
    }

    /// From now on nothing goes wrong: partitions are lifted, and whoever stalled or crashed is back.
    pub(super) fn calm(&mut self) {
        let now_us = self.network.now_us();
        self.is_calm = true;
        self.network.calm();
        for worker in &mut self.workers {
            worker.stalled_until_us = now_us;
            if !worker.runs {
                self.network.plan(now_us, Event::Restart { worker: worker.number, life: worker.life });
            }
        }
    }
}
