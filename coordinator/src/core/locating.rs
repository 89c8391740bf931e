//! Locating faults: once a dissenter is told, its way to the outcome is compared with that of a winner by the same formula.
//!
//! The comparison is an errand beside the correction, which does not wait for it, with a bound on its time. What it found
//! stands in the ledger and so in the job's report, for which the end of a job waits that long at most; what follows for
//! engines is the machine's. The coordinator computes nothing: it asks the questions of [`verdict::locating`], and compares
//! answers.

use std::time::Duration;

use protocol::{
    ballot::ReplicaId,
    digest::Digest,
    fault::{ALIKE_MAX, DeviceKind, FaultClass, LocatedFault, Parting, Stretch},
    identity::NodeId,
    limits::TRACE_ANSWER_BYTES_MAX,
    message::BlobName,
    report::FaultReport,
    trace::TraceQuestion,
};
use tracing::{info, warn};
use transport::{Connection, blob};
use verdict::{
    Input,
    locating::{Descent, Located, Step},
};

use super::{Core, Event, report::PLACES_MAX};

/// How long a descent may take, with what is computed again.
const LOCATING_MAX: Duration = Duration::from_secs(30);
/// How many descents of one job are under way at once.
const LOCATING_AT_ONCE_MAX: usize = 16;

/// What is known of a dissenter's fault.
#[derive(Debug, Clone)]
pub(crate) enum FaultSearch {
    /// The two are being asked.
    UnderWay,
    /// It is over.
    Found(Box<LocatedFault>),
}

impl Core {
    /// Finds out where the computation of a dissenter went wrong, if it and a winner by the same formula committed to theirs.
    pub(super) fn locate(&mut self, dissenter: NodeId, replica: ReplicaId, accepted: Digest) {
        let (job, index) = (replica.job, replica.index);
        let Some(tally) = self.machine.job(job).and_then(|job| job.tally(index)) else { return };
        let Some(cast) = tally.ballots().get(&dissenter) else { return };
        let ballot = cast.ballot.ballot().clone();
        let Some(of_dissenter) = ballot.trace.as_deref().copied() else { return };
        let formula = ballot.domain.formula;
        let said = tally.ballots().values().map(|cast| cast.ballot.ballot());
        let right: Vec<_> =
            said.filter(|said| said.digest == accepted && said.domain.formula == formula).collect();
        let kind = DeviceKind::in_domain(&ballot.domain);
        let alike = right.iter().filter(|said| DeviceKind::in_domain(&said.domain) == kind);
        let alike: Vec<NodeId> = alike.map(|said| said.worker).take(ALIKE_MAX).collect();
        let winner = right.iter().find_map(|said| {
            let connection = self.peers.get(&said.worker)?.connection.clone();
            Some((said.worker, *said.trace.as_deref()?, connection))
        });
        let Some((winner, of_winner, winners)) = winner else { return };
        let Some(dissenters) = self.peers.get(&dissenter).map(|peer| peer.connection.clone()) else { return };
        let (Some(sender), Some(record)) = (self.sender.upgrade(), self.jobs.get_mut(&job)) else { return };
        let under_way =
            record.faults.values().filter(|search| matches!(search, FaultSearch::UnderWay)).count();
        let known = record.faults.range((dissenter, 0)..=(dissenter, u64::MAX)).count();
        let is_known = record.faults.contains_key(&(dissenter, index));
        if is_known || known >= PLACES_MAX || under_way >= LOCATING_AT_ONCE_MAX {
            return;
        }
        record.faults.insert((dissenter, index), FaultSearch::UnderWay);
        let asked = Asked {
            winner: (winners, accepted),
            dissenter: (dissenters, ballot.digest),
            of_winner,
            of_dissenter,
        };
        let task = replica.task;
        tokio::spawn(async move {
            let Located { parting, class, rounds, bytes } = asked.run().await;
            let domain = ballot.domain;
            let fault = LocatedFault {
                worker: dissenter,
                domain,
                job,
                index,
                task,
                accepted,
                winner,
                parting,
                class,
                rounds,
                bytes,
                alike,
            };
            // The owner is gone only when the coordinator stops.
            let _ = sender.send(Event::Located(Box::new(fault))).await;
        });
    }

    /// A descent has ended: the machine writes down what was found, and judges by it.
    pub(super) fn located(&mut self, fault: Box<LocatedFault>) {
        let (worker, index, device) = (fault.worker.short(), fault.index, &fault.domain.device);
        let place = place(&fault);
        if fault.class.is_some() {
            warn!(%worker, index, %device, %place, kind = ?fault.class.map(FaultClass::name), rounds = fault.rounds,
                  bytes = fault.bytes, "a fault was located");
        } else {
            info!(%worker, index, %place, "no fault was located in a sum of series");
        }
        self.note_fault(&fault);
        self.tell_or_log(Input::FaultLocated(fault));
    }

    /// A report tells where a dissenter of its job went wrong.
    pub(super) fn note_fault(&mut self, fault: &LocatedFault) {
        if let Some(record) = self.jobs.get_mut(&fault.job) {
            let found = FaultSearch::Found(Box::new(fault.clone()));
            record.faults.insert((fault.worker, fault.index), found);
        }
    }
}

/// Where a fault is, in words.
fn place(fault: &LocatedFault) -> String {
    match fault.parting {
        Parting::Node { place, trees, .. } => Stretch { formula: fault.domain.formula, place, trees }.terms(),
        Parting::AfterTheSeries => "after the series, whose sums agree".to_owned(),
        Parting::Unknown => "not found, as the two computations cannot be compared".to_owned(),
    }
}

/// What a report says of a fault.
pub(super) fn report(fault: &LocatedFault, compared_with: String) -> FaultReport {
    let LocatedFault { domain, parting, class, rounds, bytes, .. } = fault;
    let device = &domain.device;
    let meaning = match class {
        Some(FaultClass::Transient) => {
            "computed again it is right: a passing fault of the machine".to_owned()
        }
        Some(FaultClass::Deterministic) => {
            format!("computed again it is wrong in the same way: {} on {device} is broken", domain.engine)
        }
        Some(FaultClass::Dishonest) => {
            "what the worker says now does not fit what it signed: it does not tell the truth".to_owned()
        }
        Some(FaultClass::Unanswered) => "the worker did not answer in time".to_owned(),
        None => "nothing was computed again".to_owned(),
    };
    FaultReport {
        formula: domain.formula.name().to_owned(),
        place: place(fault),
        digests: match parting {
            Parting::Node { digests, .. } => Some(digests.map(|digest| digest.to_string())),
            Parting::AfterTheSeries | Parting::Unknown => None,
        },
        class: class.map(|class| class.name().to_owned()),
        meaning,
        compared_with,
        rounds: *rounds,
        bytes: *bytes,
    }
}

/// Two workers, the outcomes that they voted for, and what they committed to.
struct Asked {
    winner: (Connection, Digest),
    dissenter: (Connection, Digest),
    of_winner: Digest,
    of_dissenter: Digest,
}

impl Asked {
    async fn run(self) -> Located {
        let mut descent = Descent::new(self.of_winner, self.of_dissenter);
        let deadline = tokio::time::Instant::now() + LOCATING_MAX;
        let ask = async |(connection, outcome): &(Connection, Digest), question: TraceQuestion| {
            let name = BlobName::Trace(*outcome, question);
            let answer = blob::fetch(connection, name, TRACE_ANSWER_BYTES_MAX);
            tokio::time::timeout_at(deadline, answer).await.ok()?.ok()
        };
        loop {
            match descent.step() {
                Step::AskBoth(question) => {
                    let (right, wrong) =
                        tokio::join!(ask(&self.winner, question), ask(&self.dissenter, question));
                    descent.both_answered(right.as_deref(), wrong.as_deref());
                }
                Step::AskDissenter(question) => {
                    let again = ask(&self.dissenter, question).await;
                    descent.dissenter_answered(again.as_deref());
                }
                Step::Over(located) => return located,
            }
        }
    }
}
