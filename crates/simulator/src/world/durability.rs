//! The coordinator's disk and its crashes: what is written down, what waits for it, and how a new life begins.
//!
//! The coordinator may crash between any two things that it does: where is drawn, counted in things done. What was not
//! synced is lost, or a part of it; connections, leases and whatever waited to be told are gone. The next life reads the
//! log into a new machine, and workers and clients come again.

use std::collections::BTreeSet;

use protocol::{
    digest::Digest,
    job::JobId,
    ledger::{Enrolment, Entry, Record},
    verdict::Verdict,
};

use super::{Counts, Stopped, World, config, coordinator, message::Event};
use crate::{
    chance::machine_seed,
    decider::Decider,
    gate::Act,
    invariants::{TaskKey, is_wrong},
    scenario::CoordinatorCrash,
    values,
};

/// The version of every worker's program: an empty one takes no memory in a ballot.
pub(super) const BUILD: &str = "";
/// How far ahead of the world's the coordinator's clock may be after a restart, in milliseconds.
const CLOCK_AHEAD_MS_MAX: u64 = 120_000;

impl<D: Decider> World<D> {
    /// Appends a record; a sync that makes it durable comes later.
    pub(super) fn write_down(&mut self, record: Record) -> Result<(), Stopped> {
        if let Record::Decided(decided) = &record {
            let task = TaskKey { job: decided.job, index: decided.index };
            let machine = self.decider.machine();
            let held = match &decided.verdict {
                Verdict::Accepted(accepted) => {
                    self.scenario.inline_outcomes || self.was_obtained(task, accepted, machine)
                }
                Verdict::Undecided | Verdict::Failed(_) => false,
            };
            self.invariants.decided(decided, held, &self.scenario, machine)?;
            if let Some(story) = &mut self.story {
                story.verdict(task, &decided.verdict, machine, self.network.now_us());
            }
        }
        self.invariants.written(&record)?;
        self.counts.records += 1;
        self.disk.append(self.coordinator_ms(), record);
        Ok(())
    }

    /// Does something as soon as everything that it rests on is synced.
    pub(super) fn when_durable(&mut self, act: Act) -> Result<(), Stopped> {
        match self.gate.pass(act, &self.disk) {
            Some(act) if self.up => self.perform(act),
            _ => Ok(()),
        }
    }

    fn perform(&mut self, act: Act) -> Result<(), Stopped> {
        match act {
            Act::Output(output) => self.execute(output),
            Act::Taken(job) => Ok(self.invariants.taken(job)?),
        }
    }

    /// Syncs what has gathered, unless a sync is under way.
    pub(super) fn sync(&mut self) {
        if self.up && self.disk.begin_sync() {
            let (shortest_us, longest_us) = self.scenario.sync_us;
            let at_us = self.network.now_us() + self.disk_chance.among(shortest_us..=longest_us);
            self.network.plan(at_us, Event::Synced { life: self.life });
        }
    }

    /// A sync has ended: what waited for it is done.
    pub(super) fn synced(&mut self, life: u32) -> Result<(), Stopped> {
        if life != self.life || !self.up {
            return Ok(());
        }
        self.counts.syncs += 1;
        let entries = self.disk.end_sync();
        count_verdicts(&mut self.counts, entries);
        self.invariants.synced(entries)?;
        while !self.crashes_now()? {
            let Some(act) = self.gate.next(&self.disk) else { break };
            self.perform(act)?;
        }
        Ok(())
    }

    /// A worker that the log does not know is written down.
    pub(super) fn enrol(&mut self, number: u32) -> Result<(), Stopped> {
        if !self.up || !self.enrolled.insert(number) {
            return Ok(());
        }
        let worker = &self.workers[number as usize];
        let enrolment = Enrolment {
            worker: values::node_id(number),
            name: values::worker_name(number),
            operator: worker.member.operator.clone(),
            engines: worker.engines(),
            build: BUILD.to_owned(),
        };
        self.write_down(Record::Enrolled(enrolment))
    }

    /// Whether the coordinator knows the job.
    pub(super) fn is_taken(&self, job: JobId) -> bool {
        self.decider.machine().job(job).is_some()
    }

    /// Whether the coordinator crashes before the next thing that it does.
    pub(super) fn crashes_now(&mut self) -> Result<bool, Stopped> {
        self.acts += 1;
        let is_due = |crash: &CoordinatorCrash| crash.after_acts < self.acts;
        if !self.up || self.is_calm || !self.crashes.last().is_some_and(is_due) {
            return Ok(!self.up);
        }
        if let Some(crash) = self.crashes.pop() {
            self.crash_coordinator(crash)?;
        }
        Ok(true)
    }

    fn crash_coordinator(&mut self, crash: CoordinatorCrash) -> Result<(), Stopped> {
        let now_us = self.network.now_us();
        self.up = false;
        self.life += 1;
        self.counts.coordinator_crashes += 1;
        self.keep_outcomes(crash.outcomes_kept_per_million);
        let (synced, appended) = (self.disk.synced(), self.disk.appended());
        let unsynced = u64::try_from(appended - synced).unwrap_or(u64::MAX);
        let kept = if crash.loses_all { 0 } else { self.disk_chance.among(0..=unsynced) };
        let lost = self.disk.crash(usize::try_from(kept).unwrap_or(usize::MAX));
        self.counts.records_lost += lost as u64;
        let kept = self.disk.entries().get(synced..).unwrap_or_default();
        count_verdicts(&mut self.counts, kept);
        let outcomes = &self.outcomes_kept;
        self.invariants.crashed(self.disk.entries(), kept, |digest| outcomes.contains(digest))?;
        self.gate.clear();
        self.fetches.clear();
        self.evidence.clear();
        self.located.clear();
        for worker in 0..self.scenario.nodes() {
            self.drop_orders(worker);
            if let Some(session) = self.sessions[worker as usize].take() {
                let at_us = now_us + self.disk_chance.among(0..=self.network.silence_us());
                self.network.plan(at_us, Event::Silence { worker, session });
            }
        }
        self.network.plan(now_us + crash.down_us, Event::CoordinatorBack { life: self.life });
        Ok(())
    }

    /// Of the outcomes that the coordinator holds, so many in a million are there after the crash.
    fn keep_outcomes(&mut self, per_million: u32) {
        let tasks = self.invariants.record().tasks();
        let held = tasks.filter(|(_, seen)| seen.held).filter_map(|(_, seen)| match seen.verdict() {
            Some(Verdict::Accepted(accepted)) => Some(*accepted),
            _ => None,
        });
        self.outcomes_kept = held.filter(|_| self.disk_chance.happens(per_million)).collect();
    }

    /// The coordinator begins again from its log.
    pub(super) fn coordinator_back(&mut self, life: u32) -> Result<(), Stopped> {
        if life != self.life || self.up {
            return Ok(());
        }
        if !self.is_calm && self.disk_chance.happens(250_000) {
            self.clock_ahead_ms = self.disk_chance.among(0..=CLOCK_AHEAD_MS_MAX);
        }
        // As the real one: it is never earlier than in the last entry.
        let at_ms = self.network.now_us() / 1000;
        self.clock_ahead_ms = self.clock_ahead_ms.max(self.disk.last_ms().saturating_sub(at_ms));
        let mut decider = (self.make)(config(&self.scenario), machine_seed(self.scenario.seed, life));
        let (scenario, outcomes) = (&self.scenario, &self.outcomes_kept);
        let replayed = self.disk.entries().iter().enumerate().try_for_each(|(position, entry)| {
            let plan =
                |submitted: &protocol::ledger::Submitted| Some(coordinator::tasks(scenario, submitted.job));
            let holds = |_, digest: &Digest| outcomes.contains(digest);
            decider.replay(entry, plan, holds).map_err(|error| (position, error))
        });
        self.counts.replayed += self.disk.entries().len() as u64;
        decider.resume(at_ms + self.clock_ahead_ms);
        self.decider = decider;
        self.invariants.restarted(self.decider.machine(), replayed)?;
        self.up = true;
        self.acts = 0;
        self.obey()?;
        if self.up {
            self.invariants.resumed(self.decider.machine())?;
        }
        self.clients_look();
        Ok(())
    }

    /// Clients submit again what the log does not know.
    fn clients_look(&mut self) {
        let (mut taken, mut over) = (BTreeSet::new(), 0);
        self.enrolled.clear();
        for entry in self.disk.entries() {
            match &entry.record {
                Record::Submitted(submitted) => drop(taken.insert(values::job_number(submitted.job))),
                Record::Over { .. } => over += 1,
                Record::Located(fault) => {
                    self.located.insert((values::worker_number(&fault.worker), fault.job, fault.index));
                }
                Record::Enrolled(enrolment) => {
                    self.enrolled.insert(values::worker_number(&enrolment.worker));
                }
                _ => {}
            }
        }
        for job in (0..self.jobs_submitted).filter(|job| !taken.contains(job)) {
            self.network.plan(self.network.now_us(), Event::Submit { job });
        }
        if over == self.jobs_submitted {
            self.submit_next();
        }
    }
}

fn count_verdicts(counts: &mut Counts, entries: &[Entry]) {
    for entry in entries {
        let Record::Decided(decided) = &entry.record else { continue };
        match decided.verdict {
            Verdict::Accepted(_) => counts.accepted += 1,
            Verdict::Undecided | Verdict::Failed(_) => counts.undecided += 1,
        }
        let task = TaskKey { job: decided.job, index: decided.index };
        counts.wrong += u64::from(is_wrong(task, &decided.verdict));
    }
}
