//! Who was let in, and as what: every ballot is of a worker that was enrolled before, with the operator and an engine of
//! that worker's, and who was locked out stays out.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    ballot::SignedBallot,
    domain::FailureDomain,
    identity::NodeId,
    ledger::{Enrolment, Record},
    message::EngineIntroduction,
};

/// What the entries so far say of workers.
#[derive(Debug, Default)]
pub(super) struct Enrolled {
    /// As what each of them ever came.
    workers: BTreeMap<NodeId, Vec<(String, Vec<EngineIntroduction>)>>,
    revoked: BTreeSet<NodeId>,
}

impl Enrolled {
    /// Takes the next record; says what is wrong with it.
    pub(super) fn take(&mut self, record: &Record, faults: &mut Vec<String>) {
        match record {
            Record::Enrolled(enrolment) => self.enrol(enrolment, faults),
            Record::Revoked { node } => {
                self.revoked.insert(*node);
            }
            _ => {}
        }
        for signed in ballots_in(record) {
            self.check("a ballot", signed.ballot.worker, &signed.ballot.domain, faults);
        }
        if let Record::Located(fault) = record {
            self.check("a located fault", fault.worker, &fault.domain, faults);
        }
    }

    fn enrol(&mut self, enrolment: &Enrolment, faults: &mut Vec<String>) {
        let Enrolment { worker, operator, engines, .. } = enrolment;
        let who = worker.short();
        if !worker.is_sound() {
            faults.push(format!(
                "worker {who} is enrolled, and its key is none that only its owner can sign with"
            ));
        }
        if engines.is_empty() {
            faults.push(format!("worker {who} is enrolled without an engine"));
        }
        if self.revoked.contains(worker) {
            faults.push(format!("worker {who} is enrolled, and its key was revoked before"));
        }
        let known = self.workers.entry(*worker).or_default();
        if !known.iter().any(|before| (&before.0, &before.1) == (operator, engines)) {
            known.push((operator.clone(), engines.clone()));
        }
    }

    /// Whether `what` is of a worker with this operator and engine.
    fn check(&self, what: &str, worker: NodeId, domain: &FailureDomain, faults: &mut Vec<String>) {
        let who = worker.short();
        let Some(known) = self.workers.get(&worker) else {
            return faults.push(format!("{what} is of worker {who}, which was not enrolled"));
        };
        let is_it = |(operator, engines): &(String, Vec<EngineIntroduction>)| {
            let of =
                |known: &EngineIntroduction| known.engine == domain.engine && known.device == domain.device;
            *operator == domain.operator && engines.iter().any(of)
        };
        if !known.iter().any(is_it) {
            let (operator, engine, device) = (&domain.operator, domain.engine, &domain.device);
            faults.push(format!(
                "{what} of worker {who} claims operator `{operator}` and {engine} on `{device}`, and it was never \
                 enrolled with those"
            ));
        }
    }
}

/// The ballots in a record.
pub(super) fn ballots_in(record: &Record) -> Vec<&SignedBallot> {
    match record {
        Record::Decided(decided) => {
            let counted = decided.ballots.iter().chain(&decided.audits).map(|counted| &counted.ballot);
            counted.chain(decided.equivocations.iter().flatten()).collect()
        }
        Record::Late(counted) => vec![&counted.ballot],
        Record::Tested(tested) => vec![&tested.counted.ballot],
        Record::SealBroken(broken) => vec![&broken.ballot],
        _ => Vec::new(),
    }
}
