//! A ballot comes in: what its worker may claim, what the tally makes of it, and what is noted of it for the time that
//! comes.

use protocol::{
    ballot::AuthenticBallot,
    identity::NodeId,
    ledger::{CountedBallot, Record},
};

use super::Machine;
use crate::{
    input::{Output, Rejected},
    tally::Effect,
};

impl Machine {
    pub(super) fn ballot_cast(
        &mut self,
        ballot: AuthenticBallot,
        outcome_held: bool,
        compute_us: u64,
        now_ms: u64,
    ) -> Result<(), Rejected> {
        let said = ballot.ballot();
        let (worker, replica, digest) = (said.worker, said.replica, said.digest);
        let tally = self.jobs.get(&replica.job).and_then(|job| job.tally(replica.index));
        let leased = tally.and_then(|tally| tally.replica(replica.number));
        let age_ms = leased.map(|issued| issued.age_ms(now_ms));
        let order = leased.and_then(|issued| issued.audit);
        let leased = leased.map(|issued| issued.formula);
        let record = self.workers.get(&worker).ok_or(Rejected::UnknownWorker(worker))?;
        let domain = &said.domain;
        let engine = domain.engine;
        let has_engine = record.has_device(engine, &domain.device);
        if *domain.operator != *record.operator
            || leased != Some(domain.formula)
            || !has_engine
            || !Self::keeps_to(said, order)
        {
            let claim = format!(
                "operator `{}`, engine {} on `{}`, formula {}",
                domain.operator, domain.engine, domain.device, domain.formula
            );
            return Err(Rejected::Domain { worker, claim });
        }
        self.end_lease(replica, worker);
        let Some(tally) = self.tally_mut(replica.job, replica.index) else { return Ok(()) };
        if tally.is_no_check(&worker, replica.number) {
            self.outputs.push_back(Output::Cancel { worker, replica });
            return Ok(());
        }
        let (was_open, was_disputed) = (tally.is_open(), tally.was_disputed());
        let weight = tally.terms().weight;
        let late = (!was_open).then(|| CountedBallot { ballot: ballot.signed().clone(), compute_us });
        let effect = tally.cast(ballot, outcome_held, compute_us);
        let newly_disputed = tally.was_disputed() && !was_disputed;
        if newly_disputed && let Some(job) = self.jobs.get_mut(&replica.job) {
            job.disputes += 1;
        }
        self.note_ballot(worker, effect);
        if effect == Effect::Equivocated {
            self.note_two_faced(worker, replica.job, replica.index, was_open);
        }
        self.note_pace(worker, weight, compute_us);
        self.note_age(replica.job, age_ms, now_ms);
        if let Some(late) = late {
            if effect != Effect::Repeated {
                self.outputs.push_back(Output::Record(Box::new(Record::Late(late))));
                if order.is_none() || effect == Effect::Equivocated {
                    self.note_late((replica.job, replica.index), (worker, engine), digest, effect);
                    self.to_judge.insert((worker, replica.job));
                }
            }
            self.outputs.push_back(Output::Counted { worker, replica });
        }
        if effect == Effect::Counted && !was_open && order.is_none() {
            self.late_ballot(worker, replica, digest, outcome_held, now_ms);
        }
        self.evaluate(replica.job, replica.index, now_ms);
        Ok(())
    }

    pub(super) fn note_ballot(&mut self, worker: NodeId, effect: Effect) {
        if let Some(record) = self.workers.get_mut(&worker) {
            match effect {
                Effect::Counted => record.ballots += 1,
                Effect::Equivocated => record.equivocations += 1,
                Effect::Repeated => {}
            }
        }
    }
}
