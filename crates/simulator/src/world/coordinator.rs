//! The coordinator of a world: it drives the decider with what arrives, and does what the decider says, as the real one
//! does around the same machine.

use protocol::{
    ballot::{AuthenticBallot, SignedBallot},
    constant::Formula,
    domain::Engine,
    job::JobId,
    message::EngineIntroduction,
    task::Weight,
};
use verdict::{Input, Output, TaskTerms, Tasks};

use super::{
    Stopped, World,
    message::{CoordinatorSays, Event, WorkerSays},
};
use crate::{
    decider::Decider,
    invariants::TaskKey,
    network::{Direction, Sent},
    values,
};

/// The engines of every simulated task.
const ENGINES: &[Engine] = &[Engine::Cpu, Engine::Gpu];
/// The formulas of a task that has one.
const ONE_FORMULA: &[Formula] = &[Formula::Direct];
/// The formulas of a task that has two.
const TWO_FORMULAS: &[Formula] = &[Formula::Chudnovsky, Formula::GaussLegendre];

/// The tasks of a simulated job.
struct SimulatedTasks {
    job: JobId,
    count: u64,
    formulas: &'static [Formula],
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
        }
    }
}

impl<D: Decider> World<D> {
    /// What the coordinator's clock says.
    pub(super) fn coordinator_ms(&self) -> u64 {
        self.network.now_us() / 1000 + self.clock_ahead_ms
    }

    /// When the decider wants to be woken, in the world's time.
    pub(super) fn wake_us(&self) -> Option<u64> {
        let at_ms = self.decider.next_timeout_ms()?;
        Some(at_ms.saturating_sub(self.clock_ahead_ms).saturating_mul(1000))
    }

    pub(super) fn submit(&mut self, number: u32) -> Result<(), Stopped> {
        let job = values::job_id(number);
        let formulas = if self.scenario.two_formulas { TWO_FORMULAS } else { ONE_FORMULA };
        let count = self.scenario.jobs.get(number as usize).map_or(0, |planned| planned.tasks);
        let tasks = Box::new(SimulatedTasks { job, count, formulas });
        self.jobs_submitted += 1;
        self.tell(Input::JobSubmitted { job, policy: self.scenario.policy.clone(), tasks })
    }

    /// Tells the decider, and does what follows. What cannot be was said by somebody faulty, or too late.
    pub(super) fn tell(&mut self, input: Input) -> Result<(), Stopped> {
        let now_ms = self.coordinator_ms();
        if self.decider.handle(input, now_ms).is_err() {
            self.counts.rejected += 1;
        }
        self.obey(false)
    }

    /// Lets the decider do what is due.
    pub(super) fn wake(&mut self) -> Result<(), Stopped> {
        self.decider.handle_timeout(self.coordinator_ms());
        self.obey(false)
    }

    /// A worker is connected over a new session; the one before, if any, is closed.
    pub(super) fn worker_in(&mut self, number: u32, session: u64) -> Result<(), Stopped> {
        self.sessions[number as usize] = Some(session);
        self.fail_fetches_of(number)?;
        let worker = &self.workers[number as usize];
        let engine = EngineIntroduction { engine: worker.member.engine, device: worker.device() };
        let joined = Input::WorkerJoined {
            worker: values::node_id(number),
            operator: worker.member.operator.clone(),
            engines: vec![engine],
            slots: self.scenario.slots,
            resumes: worker.resumes(),
        };
        self.tell(joined)
    }

    /// A worker's link is gone.
    pub(super) fn worker_out(&mut self, number: u32) -> Result<(), Stopped> {
        self.sessions[number as usize] = None;
        self.fail_fetches_of(number)?;
        self.tell(Input::WorkerLost { worker: values::node_id(number) })
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

    /// Something arrives from a worker over its present session.
    pub(super) fn hear(&mut self, number: u32, message: WorkerSays) -> Result<(), Stopped> {
        let worker = values::node_id(number);
        match message {
            WorkerSays::Cast { ballot, signed_by } => self.hear_ballot(number, *ballot, signed_by),
            WorkerSays::Failed(replica) => {
                self.invariants.lease_ended(&replica);
                self.tell(Input::ReplicaFailed { worker, replica, reason: "it fails".to_owned() })
            }
            WorkerSays::Beat(replicas) => {
                let under_way = replicas.into_iter().map(|replica| (replica, 500)).collect();
                self.tell(Input::Heartbeat { worker, under_way })
            }
            WorkerSays::Corrected(replica, digest) => {
                self.tell(Input::CorrectionAcknowledged { worker, replica, digest })
            }
            WorkerSays::Outcome { job, index, given } => {
                if !self.fetches.remove(&(number, job, index)) {
                    return Ok(());
                }
                self.tell(if given {
                    Input::OutcomeHeld { job, index }
                } else {
                    Input::OutcomeWithheld { job, index, worker }
                })
            }
        }
    }

    /// A ballot in another's name, or one that its worker has not signed, costs its sender the connection.
    fn hear_ballot(&mut self, from: u32, signed: SignedBallot, signed_by: u32) -> Result<(), Stopped> {
        let ballot = &signed.ballot;
        if values::worker_number(&ballot.worker) != from || signed_by != from {
            self.counts.forgeries += 1;
            if let Some(story) = &mut self.story {
                story.forgery(ballot.replica, from);
            }
            return self.close(from);
        }
        let (replica, digest) = (ballot.replica, ballot.digest);
        let now_ms = self.coordinator_ms();
        if let Some(story) = &mut self.story {
            story.ballot(replica, from, digest, self.network.now_us());
        }
        let input = Input::BallotCast {
            ballot: AuthenticBallot::assume_authentic(signed),
            outcome_held: self.scenario.inline_outcomes,
            compute_us: 10,
        };
        if self.decider.handle(input, now_ms).is_ok() {
            self.counts.ballots += 1;
            self.invariants.ballot_taken(TaskKey::of(&replica), from, replica.number, digest);
        } else {
            self.counts.rejected += 1;
        }
        self.obey(true)
    }

    /// Ends a worker's connection because of what it sent; it will try again.
    fn close(&mut self, number: u32) -> Result<(), Stopped> {
        let session = self.sessions[number as usize];
        if self.workers[number as usize].session == session {
            self.link_down(number);
        }
        self.worker_out(number)
    }

    /// Does everything that the decider has ordered, because of a ballot or of something else.
    fn obey(&mut self, by_ballot: bool) -> Result<(), Stopped> {
        while let Some(output) = self.decider.poll_output() {
            match output {
                Output::Lease { worker, replica, engine, formula, .. } => {
                    let work = super::message::Work { replica, engine, formula };
                    let number = values::worker_number(&worker);
                    self.counts.leases += 1;
                    self.invariants.leased(&replica, number, self.sessions[number as usize]);
                    self.say(number, CoordinatorSays::Lease(work));
                }
                Output::Cancel { worker, replica } => {
                    if by_ballot {
                        self.invariants.cancelled(replica);
                    } else {
                        self.invariants.lease_ended(&replica);
                    }
                    self.say(values::worker_number(&worker), CoordinatorSays::Cancel(replica));
                }
                Output::Counted { worker, replica } => {
                    self.say(values::worker_number(&worker), CoordinatorSays::Counted(replica));
                }
                Output::Correct { worker, replica, accepted } => {
                    self.counts.corrections += 1;
                    self.say(values::worker_number(&worker), CoordinatorSays::Correct(replica, accepted));
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
                Output::Record(_)
                | Output::Reveal { .. }
                | Output::SealBroken { .. }
                | Output::Note { .. } => {}
                Output::Announce { job, index, verdict } => self.announced(job, index, &verdict)?,
                Output::JobOver { .. } => {
                    self.jobs_over += 1;
                    if self.scenario.in_turn && self.jobs_submitted < self.jobs_planned() {
                        self.network.plan(self.network.now_us(), Event::Submit { job: self.jobs_submitted });
                    }
                }
            }
        }
        self.invariants.orders_done();
        Ok(())
    }

    fn say(&mut self, number: u32, message: CoordinatorSays) {
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
