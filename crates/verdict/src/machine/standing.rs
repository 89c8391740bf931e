//! What verdicts say of workers, and what follows: an engine that was too often wrong is shut out, and let back later.
//!
//! Counts follow from verdicts and late ballots; that an engine is in quarantine, or back, is written down itself. So the
//! replay of a ledger gives the same standings, and a later version of the rules judges nobody anew for what is past. What
//! a crash cut off (a verdict is durable, the quarantine that followed is not) is made up for when the log was read.

use std::collections::BTreeSet;

use protocol::{
    digest::Digest,
    domain::Engine,
    identity::NodeId,
    job::JobId,
    ledger::Record,
    standing::{QuarantineReason, Quarantined},
};

use super::{Machine, parting::CLOSING_MAX};
use crate::{
    input::Output,
    standing::{Standing, Standings},
    tally::{Effect, State, Tally},
    worker::Worker,
};

/// What a tally says of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Right,
    Wrong,
    FailedAudit,
    Equivocated,
    /// What it answered first was accepted, on a task that it might have answered alone.
    Credit,
    /// What it answered first, on such a task, was disputed, and nobody won.
    Doubted,
}

/// What a tally whose vote is over says of those who took part. Where nothing was accepted it says nothing of answers.
fn findings(tally: &Tally) -> Vec<(NodeId, Engine, Finding)> {
    let mut found = Vec::new();
    if let Some(decision) = tally.decision() {
        let hearing = tally.hearing();
        for (worker, cast) in tally.ballots().iter().filter(|(_, cast)| !cast.late) {
            let said = cast.ballot.ballot();
            let is_struck = hearing.as_ref().is_some_and(|hearing| hearing.is_struck(worker));
            let is_right = said.digest == decision.accepted && !is_struck;
            let answer = if is_right { Finding::Right } else { Finding::Wrong };
            found.push((*worker, said.domain.engine, answer));
            if is_struck {
                found.push((*worker, said.domain.engine, Finding::FailedAudit));
            }
        }
    }
    if let (Some(decision), Some(_), Some((author, engine))) =
        (tally.decision(), tally.rules().adaptive, tally.author())
        && tally.ballots().get(&author).is_some_and(|cast| cast.ballot.ballot().digest == decision.accepted)
    {
        found.push((author, engine, Finding::Credit));
    }
    if let (State::Exhausted(_), true, Some(_), Some((author, engine))) =
        (tally.state(), tally.was_disputed(), tally.rules().adaptive, tally.author())
    {
        found.push((author, engine, Finding::Doubted));
    }
    let doubled = tally.equivocations().iter();
    found.extend(
        doubled.map(|(worker, [first, _])| (*worker, first.ballot.domain.engine, Finding::Equivocated)),
    );
    found
}

fn note(standings: &mut Standings, (worker, engine, finding): (NodeId, Engine, Finding)) {
    match finding {
        Finding::Right => standings.answered(worker, engine, true),
        Finding::Wrong => standings.answered(worker, engine, false),
        Finding::FailedAudit => standings.failed_audit(worker, engine),
        Finding::Credit => standings.credit(worker, engine),
        Finding::Doubted => standings.doubted(worker, engine),
        Finding::Equivocated => standings.equivocated(worker, engine),
    }
}

impl Machine {
    /// What is known of how often a worker is right.
    pub fn standing(&self, worker: &NodeId) -> Option<&Standing> {
        self.standings.get(worker)
    }

    /// What is known of how often each worker is right.
    pub fn standings(&self) -> &Standings {
        &self.standings
    }

    /// A verdict was written down: takes note of what it says of workers. Returns of whom.
    pub(super) fn note_verdict(&mut self, id: JobId, index: u64) -> BTreeSet<NodeId> {
        self.decided_count += 1;
        let decided_number = self.decided_count;
        let Some(tally) = self.tally_mut(id, index) else { return BTreeSet::new() };
        tally.decided_number = decided_number;
        let found = findings(tally);
        for finding in &found {
            note(&mut self.standings, *finding);
        }
        self.keep_answer(id, index);
        found.into_iter().map(|(worker, ..)| worker).collect()
    }

    /// A ballot came after the verdict and was written down. It counts here while its task is among the last ones that were
    /// decided: of older ones a machine that is made again knows no more what was accepted.
    pub(super) fn note_late(
        &mut self,
        (id, index): (JobId, u64),
        (worker, engine): (NodeId, Engine),
        digest: Digest,
        effect: Effect,
    ) {
        let decided_count = self.decided_count;
        let Some(tally) = self.tally_mut(id, index) else { return };
        let is_recent = decided_count.saturating_sub(tally.decided_number) < CLOSING_MAX as u64;
        let Some(decision) = tally.decision().filter(|_| is_recent) else { return };
        let finding = match effect {
            Effect::Counted if decision.accepted == digest => Finding::Right,
            Effect::Counted => Finding::Wrong,
            Effect::Equivocated => Finding::Equivocated,
            Effect::Repeated => return,
        };
        note(&mut self.standings, (worker, engine, finding));
    }

    /// A worker revealed another ballot than the one that it had committed to.
    pub(super) fn note_broken_seal(&mut self, worker: NodeId, engine: Engine) {
        self.standings.broke_seal(worker, engine);
    }

    /// Looks at those of whom something was noted since it was looked last.
    pub(super) fn judge_noted(&mut self, now_ms: u64) {
        while let Some((worker, job)) = self.to_judge.pop_first() {
            self.judge(worker, Some(job), now_ms);
        }
    }

    /// Puts those engines of a worker in quarantine that are to be.
    fn judge(&mut self, worker: NodeId, job: Option<JobId>, now_ms: u64) {
        if !self.config.quarantines {
            return;
        }
        for engine in [Engine::Cpu, Engine::Gpu] {
            let fault = self.standings.get(&worker).and_then(|standing| standing.with(engine).fault());
            if let Some(reason) = fault {
                let record = Record::Quarantined(Quarantined { worker, engine, reason, job });
                self.outputs.push_back(Output::Record(Box::new(record)));
                self.outputs.push_back(Output::Quarantine { worker, engine, reason });
                self.trials.insert(super::Trial::Caught(worker));
                self.shut_out(worker, engine, reason);
                self.free_leases_on(worker, engine, now_ms);
            }
        }
    }

    /// The log was read: whoever is to be in quarantine and is not, because a crash came between, is put there.
    pub(super) fn judge_all(&mut self, now_ms: u64) {
        let is_due = |standing: &Standing| {
            [Engine::Cpu, Engine::Gpu].into_iter().any(|engine| standing.with(engine).fault().is_some())
        };
        let due: Vec<NodeId> =
            self.standings.iter().filter(|(_, standing)| is_due(standing)).map(|(id, _)| *id).collect();
        for worker in due {
            self.judge(worker, None, now_ms);
        }
    }

    /// An engine is in quarantine.
    pub(super) fn shut_out(&mut self, worker: NodeId, engine: Engine, reason: QuarantineReason) {
        self.standings.quarantine(worker, engine, reason);
        self.take_standing(worker);
    }

    /// An engine is back.
    pub(super) fn let_back(&mut self, worker: NodeId, engine: Engine) {
        self.standings.readmit(worker, engine);
        self.close_cases_of(&worker, engine);
        self.take_standing(worker);
    }

    /// What is known of the worker changed: it may be asked for less or for more.
    pub(super) fn take_standing(&mut self, id: NodeId) {
        let [held, shut] = self.shut_of(&id);
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if (worker.held, worker.shut) == (held, shut) {
            return;
        }
        self.live -= u32::from(worker.is_elector());
        (worker.held, worker.shut) = (held, shut);
        self.live += u32::from(worker.is_elector());
        self.look_anew(id);
        self.look_at_seals();
        self.pardon_where_nobody_is_left();
        if self.config.electorate_closed {
            let hungry =
                self.jobs.iter().flat_map(|(id, job)| job.hungry.indices().map(move |index| (*id, index)));
            self.suspects.extend(hungry);
        }
        self.want_tests(id);
    }

    /// The leases that a worker has for an engine end; what it says about them still counts, and nobody waits for it.
    fn free_leases_on(&mut self, id: NodeId, engine: Engine, now_ms: u64) {
        let leases =
            |worker: &Worker| -> Vec<_> { worker.leases.iter().chain(&worker.committed).copied().collect() };
        for replica in self.workers.get(&id).map(leases).unwrap_or_default() {
            let Some(tally) = self.tally_mut(replica.job, replica.index) else { continue };
            if tally.replica(replica.number).is_some_and(|issued| issued.engine == engine) {
                self.end_lease(replica, id);
                self.outputs.push_back(Output::Cancel { worker: id, replica });
                self.evaluate(replica.job, replica.index, now_ms);
            }
        }
    }
}
