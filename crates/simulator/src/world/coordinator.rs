//! The coordinator of a world: it drives the decider with what arrives, and does what the decider says, as the real one
//! does around the same machine. What tells anybody that something is decided waits for the disk.

use protocol::{
    ballot::{AuthenticBallot, Ballot, SignedBallot},
    bundle::Said,
    constant::Formula,
    domain::Engine,
    identity::Signature,
    job::JobId,
    ledger::{Record, Submitted},
    report::Liveness,
    task::{Audits, Weight},
};
use verdict::{Input, Output, TEST_NUMBERS, TaskTerms, Tasks};

use super::{
    Stopped, World,
    message::{Bundle, CoordinatorSays, Event, Orders, Work, WorkerSays},
};
use crate::{
    decider::Decider,
    gate::Act,
    invariants::TaskKey,
    network::{Direction, Sent},
    scenario::Scenario,
    values,
};

/// The engines of every simulated task.
const ENGINES: &[Engine] = &[Engine::Cpu, Engine::Gpu];
/// The formulas of a task that has one.
const ONE_FORMULA: &[Formula] = &[Formula::Direct];
/// The formulas of a task that has two.
const TWO_FORMULAS: &[Formula] = &[Formula::Chudnovsky, Formula::GaussLegendre];

/// How long a client waits before it submits its job again, in microseconds.
const SUBMIT_AGAIN_US: u64 = 500_000;

/// The tasks of a simulated job.
struct SimulatedTasks {
    job: JobId,
    count: u64,
    formulas: &'static [Formula],
    audits: Audits,
}

impl Tasks for SimulatedTasks {
    fn count(&self) -> u64 {
        self.count
    }

    fn terms(&self, index: u64) -> TaskTerms {
        TaskTerms {
            id: values::task_id(self.job, index),
            formulas: self.formulas,
            engines: ENGINES,
            weight: Weight::Light,
            audits: self.audits,
        }
    }
}

/// The tasks of a job, as they are planned.
pub(super) fn tasks(scenario: &Scenario, job: JobId) -> Box<dyn Tasks> {
    // Where there are two formulas, one of them sums a series: then an audit needs a proof beside the outcome.
    let (formulas, audits) =
        if scenario.two_formulas { (TWO_FORMULAS, Audits::Residues) } else { (ONE_FORMULA, Audits::Members) };
    let count = scenario.jobs.get(values::job_number(job) as usize).map_or(0, |planned| planned.tasks);
    Box::new(SimulatedTasks { job, count, formulas, audits })
}

impl<D: Decider> World<D> {
    /// What the coordinator's clock says.
    pub(super) fn coordinator_ms(&self) -> u64 {
        self.network.now_us() / 1000 + self.clock_ahead_ms
    }

    /// When the decider wants to be woken, in the world's time.
    pub(super) fn wake_us(&self) -> Option<u64> {
        let at_ms = self.decider.next_timeout_ms().filter(|_| self.up)?;
        Some(at_ms.saturating_sub(self.clock_ahead_ms).saturating_mul(1000))
    }

    /// A client submits a job, for the first time or because it never heard that it is taken.
    pub(super) fn submit(&mut self, number: u32) -> Result<(), Stopped> {
        if !self.up {
            self.network.plan(self.network.now_us() + SUBMIT_AGAIN_US, Event::Submit { job: number });
            return Ok(());
        }
        let job = values::job_id(number);
        self.jobs_submitted = self.jobs_submitted.max(number + 1);
        if self.is_taken(job) {
            return Ok(());
        }
        let policy = self.scenario.policy.clone();
        let tasks = tasks(&self.scenario, job);
        let record = Record::Submitted(Submitted {
            job,
            nonce: [0; 16],
            submitter: values::node_id(u32::MAX),
            policy: policy.clone(),
            text: String::new(),
            file: None,
        });
        self.write_down(record)?;
        self.tell(Input::JobSubmitted { job, policy, tasks })?;
        self.when_durable(Act::Taken(job))
    }

    /// Tells the decider, and does what follows. What cannot be was said by somebody faulty, or too late.
    pub(super) fn tell(&mut self, input: Input) -> Result<(), Stopped> {
        self.tell_and(input, |_| ())
    }

    /// Tells the decider, notes what happened if it could be, and does what follows.
    fn tell_and(&mut self, input: Input, note: impl FnOnce(&mut Self)) -> Result<(), Stopped> {
        if !self.up {
            return Ok(());
        }
        let now_ms = self.coordinator_ms();
        self.invariants.time(now_ms);
        match self.decider.handle(input, now_ms) {
            Ok(()) => note(self),
            Err(_) => self.counts.rejected += 1,
        }
        self.obey()
    }

    /// Lets the decider do what is due.
    pub(super) fn wake(&mut self) -> Result<(), Stopped> {
        let now_ms = self.coordinator_ms();
        self.invariants.time(now_ms);
        self.decider.handle_timeout(now_ms);
        self.obey()
    }

    /// A worker is connected over a new session; the one before, if any, is closed.
    pub(super) fn worker_in(&mut self, number: u32, session: u64) -> Result<(), Stopped> {
        self.drop_orders(number);
        self.sessions[number as usize] = Some(session);
        self.fail_fetches_of(number)?;
        self.enrol(number)?;
        self.invariants.joined(number, self.acknowledged_by_ms());
        let worker = &self.workers[number as usize];
        let joined = Input::WorkerJoined {
            worker: values::node_id(number),
            operator: worker.member.operator.clone(),
            engines: worker.engines(),
            build: super::durability::BUILD.to_owned(),
            slots: self.scenario.slots,
            resumes: worker.resumes(),
        };
        self.tell(joined)?;
        self.fail_evidence_of(number)
    }

    /// A worker's link is gone.
    pub(super) fn worker_out(&mut self, number: u32) -> Result<(), Stopped> {
        self.sessions[number as usize] = None;
        self.drop_orders(number);
        self.fail_fetches_of(number)?;
        self.invariants.gone(number);
        self.tell(Input::WorkerLost { worker: values::node_id(number) })?;
        self.fail_evidence_of(number)
    }

    /// Until when a worker that is back can learn what it missed.
    fn acknowledged_by_ms(&self) -> u64 {
        self.coordinator_ms() + self.scenario.policy.lease_ms
    }

    /// What was asked of a worker over a link that is gone is not answered any more.
    fn fail_fetches_of(&mut self, number: u32) -> Result<(), Stopped> {
        let first = (number, JobId([0; 16]), 0);
        let unanswered: Vec<_> =
            self.fetches.range(first..).take_while(|(worker, ..)| *worker == number).copied().collect();
        for fetch in unanswered {
            self.fetches.remove(&fetch);
            let (_, job, index) = fetch;
            self.tell(Input::OutcomeWithheld { job, index, worker: values::node_id(number) })?;
        }
        Ok(())
    }

    /// Something arrives from a worker over a session: whatever follows the word that costs it the session is lost with
    /// it.
    pub(super) fn open(
        &mut self,
        number: u32,
        session: u64,
        envelope: Vec<WorkerSays>,
    ) -> Result<(), Stopped> {
        for message in envelope {
            if self.sessions[number as usize] == Some(session) {
                self.hear(number, message)?;
            }
        }
        Ok(())
    }

    fn hear(&mut self, number: u32, message: WorkerSays) -> Result<(), Stopped> {
        let worker = values::node_id(number);
        match message {
            WorkerSays::Cast(bundle) => self.hear_bundle(number, bundle),
            WorkerSays::Committed(commitments) => {
                commitments.into_iter().try_for_each(|(replica, commitment)| {
                    self.tell(Input::Committed { worker, replica, commitment })
                })
            }
            WorkerSays::Failed(replica) => {
                self.tell(Input::ReplicaFailed { worker, replica, reason: "it fails".to_owned() })
            }
            WorkerSays::Beat(replicas) => {
                let under_way = replicas.into_iter().map(|replica| (replica, 500)).collect();
                self.tell(Input::Heartbeat { worker, under_way })
            }
            WorkerSays::Corrected(replica, digest) => {
                let input = Input::CorrectionAcknowledged { worker, replica, digest };
                self.tell_and(input, |world| world.invariants.acknowledged(TaskKey::of(&replica), number))
            }
            WorkerSays::Evidence { job, index, evidence } => {
                self.hear_evidence(number, TaskKey { job, index }, evidence)
            }
            WorkerSays::Outcome { job, index, given } => {
                if !self.fetches.remove(&(number, job, index)) {
                    return Ok(());
                }
                if !given {
                    return self.tell(Input::OutcomeWithheld { job, index, worker });
                }
                self.tell_and(Input::OutcomeHeld { job, index }, |world| {
                    world.invariants.held(TaskKey { job, index });
                })
            }
        }
    }

    /// Ballots under one signature: one in another's name, or a signature of another, makes the whole bundle a forgery and
    /// costs its sender the connection. Otherwise each ballot counts, or does not, by itself.
    fn hear_bundle(&mut self, from: u32, bundle: Bundle) -> Result<(), Stopped> {
        let Bundle { ballots, signed_by } = bundle;
        let is_its_own =
            |said: &Said<Ballot>| signed_by == from && values::worker_number(&said.ballot.worker) == from;
        if !ballots.iter().all(is_its_own) {
            self.counts.forgeries += 1;
            if let Some(story) = &mut self.story {
                for forged in ballots.iter().filter(|said| !is_its_own(said)) {
                    story.forgery(forged.ballot.replica, from);
                }
            }
            return self.close(from);
        }
        self.counts.bundles += 1;
        self.decider.bundle_arrives(&ballots);
        ballots.into_iter().try_for_each(|said| self.hear_ballot(from, said))
    }

    fn hear_ballot(&mut self, from: u32, said: Said<Ballot>) -> Result<(), Stopped> {
        let Said { ballot, salt, compute_us, .. } = said;
        let (replica, digest) = (ballot.replica, ballot.digest);
        let audit = ballot.audit;
        let is_test = replica.number >= TEST_NUMBERS;
        if let Some(story) = self.story.as_mut().filter(|_| audit.is_none() && !is_test) {
            story.ballot(replica, from, digest, self.network.now_us());
        }
        let signed = SignedBallot { ballot, bundle: None, signature: Signature([0; 64]) };
        let ballot = AuthenticBallot::assume_authentic(signed);
        let outcome_held = self.scenario.inline_outcomes;
        let input = match salt {
            Some(salt) => Input::BallotRevealed { ballot, salt, outcome_held, compute_us },
            None => Input::BallotCast { ballot, outcome_held, compute_us },
        };
        let rejected_before = self.counts.rejected;
        let tally = self.decider.machine().job(replica.job).and_then(|job| job.tally(replica.index));
        let next_number = tally.map_or(0, |tally| {
            let leased = u32::try_from(tally.issued().len()).unwrap_or(u32::MAX);
            tally.rules().first_number.saturating_add(leased)
        });
        self.tell_and(input, |world| {
            // Taken in, but without a vote, is the ballot of a broken seal, and one on a task that is settled.
            if is_test {
                world.counts.tests += 1;
                return;
            }
            let tally = world.decider.machine().job(replica.job).and_then(|job| job.tally(replica.index));
            if tally.is_some_and(|tally| !tally.broken_seals().contains_key(&values::node_id(from))) {
                world.counts.ballots += 1;
                let task = TaskKey::of(&replica);
                match audit {
                    None => {
                        let numbers = (replica.number, next_number);
                        world.invariants.ballot_taken(task, from, numbers, digest);
                    }
                    Some(audited) => {
                        world.counts.audits += 1;
                        world.counts.rejections += u64::from(digest != audited.outcome);
                        world.invariants.audit_taken(task, from, replica.number, (digest, &audited));
                    }
                }
            }
        })?;
        if self.counts.rejected > rejected_before {
            self.invariants.refused(from, &replica, self.decider.machine())?;
        }
        Ok(())
    }

    /// Ends a worker's connection because of what it sent; it will try again.
    fn close(&mut self, number: u32) -> Result<(), Stopped> {
        let session = self.sessions[number as usize];
        if self.workers[number as usize].session == session {
            self.link_down(number);
        }
        self.worker_out(number)
    }

    /// Does everything that the decider has ordered, or lets it wait for the disk.
    pub(super) fn obey(&mut self) -> Result<(), Stopped> {
        while self.up && !self.crashes_now()? {
            let Some(output) = self.decider.poll_output() else { break };
            match output {
                Output::Record(record) => self.write_down(*record)?,
                telling @ (Output::Announce { .. }
                | Output::Correct { .. }
                | Output::Counted { .. }
                | Output::Quarantine { .. }
                | Output::Readmit { .. }
                | Output::JobOver { .. }) => self.when_durable(Act::Output(telling))?,
                silent => self.execute(silent)?,
            }
        }
        Ok(())
    }

    /// What was ordered in this turn leaves, an envelope for each worker, and what was written down is synced.
    pub(super) fn end_turn(&mut self) -> Result<(), Stopped> {
        while !self.addressed.is_empty() && !self.crashes_now()? {
            let Some(number) = self.addressed.pop_first() else { break };
            let orders = self.outboxes[number as usize].take();
            self.say(number, CoordinatorSays::Orders(Box::new(orders)));
        }
        self.sync();
        Ok(())
    }

    /// Nobody is there any more to send what was ordered of this worker.
    pub(super) fn drop_orders(&mut self, number: u32) {
        if self.addressed.remove(&number) {
            self.outboxes[number as usize] = Orders::default();
        }
    }

    /// Where orders gather until the turn ends; none for a worker that is not connected.
    fn outbox(&mut self, number: u32) -> Option<&mut Orders> {
        self.sessions[number as usize]?;
        self.addressed.insert(number);
        Some(&mut self.outboxes[number as usize])
    }

    /// Does what the decider has ordered.
    pub(super) fn execute(&mut self, output: Output) -> Result<(), Stopped> {
        match output {
            Output::Record(record) => self.write_down(*record)?,
            Output::Lease { worker, replica, engine, formula, sealed, audit, .. } => {
                let audit = audit.map(|order| self.test(TaskKey::of(&replica), &order));
                let work = Work { replica, engine, formula, sealed, audit };
                self.counts.leases += 1;
                self.invariants.leased(&worker, &replica, engine, self.decider.machine())?;
                if let Some(orders) = self.outbox(values::worker_number(&worker)) {
                    orders.leases.push(work);
                }
            }
            Output::Cancel { worker, replica } => {
                if let Some(orders) = self.outbox(values::worker_number(&worker)) {
                    orders.cancels.push(replica);
                }
            }
            Output::Reveal { worker, replica } => {
                if let Some(orders) = self.outbox(values::worker_number(&worker)) {
                    orders.reveals.push(replica);
                }
            }
            Output::Counted { worker, replica } => {
                self.invariants.counted(&worker, &replica)?;
                if let Some(orders) = self.outbox(values::worker_number(&worker)) {
                    orders.counted.push(replica);
                }
            }
            Output::Correct { worker, replica, accepted } => {
                self.counts.corrections += 1;
                self.invariants.corrected(&replica, accepted)?;
                self.locate(worker, &replica, accepted);
                if let Some(orders) = self.outbox(values::worker_number(&worker)) {
                    orders.corrections.push((replica, accepted));
                }
            }
            Output::Fetch { worker, job, index, digest } => {
                let number = values::worker_number(&worker);
                if self.sessions[number as usize].is_some() {
                    self.fetches.insert((number, job, index));
                    self.say(number, CoordinatorSays::Fetch { job, index, digest });
                } else {
                    // The real errand fails at once, too.
                    self.tell(Input::OutcomeWithheld { job, index, worker })?;
                }
            }
            Output::Obtain { job, index, order, witness } => {
                self.obtain(TaskKey { job, index }, &order, witness)?;
            }
            Output::SealBroken { .. } => self.counts.broken_seals += 1,
            Output::Quarantine { worker, .. } => {
                let member = self.scenario.members.get(values::worker_number(&worker) as usize);
                if member.is_some_and(|member| member.behaviour.is_faulty()) {
                    self.counts.quarantines += 1;
                } else {
                    self.counts.honest_quarantines += 1;
                }
            }
            Output::Readmit { .. } => self.counts.readmissions += 1,
            Output::Note { worker, liveness } => {
                self.counts.standbys += u64::from(liveness == Liveness::Standby);
                self.invariants.noted(&worker, liveness, self.acknowledged_by_ms());
            }
            Output::Announce { job, index, verdict } => {
                self.invariants.announced(TaskKey { job, index }, &verdict)?;
            }
            Output::JobOver { job, state } => {
                self.invariants.over(job, state)?;
                self.submit_next();
            }
        }
        Ok(())
    }

    /// Where jobs come in turn, the next one comes when those before it are over.
    pub(super) fn submit_next(&mut self) {
        if self.scenario.in_turn && self.jobs_submitted < self.jobs_planned() {
            self.network.plan(self.network.now_us(), Event::Submit { job: self.jobs_submitted });
        }
    }

    pub(super) fn say(&mut self, number: u32, message: CoordinatorSays) {
        let Some(session) = self.sessions[number as usize] else { return };
        let event = Event::ToWorker { worker: number, session, message };
        let sent = self.network.send(number, Direction::ToWorker, event);
        self.note_sent(sent, number, session);
    }

    /// Counts what the network did; a dead link is noticed after a silence.
    pub(super) fn note_sent(&mut self, sent: Sent, worker: u32, session: u64) {
        match sent {
            Sent::Once | Sent::IntoNothing => {}
            Sent::Twice => self.counts.doubled += 1,
            Sent::Lost => {
                self.counts.lost += 1;
                let at_us = self.network.now_us() + self.network.silence_us();
                self.network.plan(at_us, Event::Silence { worker, session });
            }
        }
    }
}
