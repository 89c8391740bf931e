//! Locating faults: once a dissenter is told, its way to the outcome is compared with that of a winner by the same formula.
//!
//! The comparison is an errand beside the correction, which does not wait for it, with a bound on its time. What it found
//! stands in the job's report, for which the end of a job waits that long at most. The coordinator computes nothing: it asks
//! the questions of [`verdict::locating`], and compares answers.

use std::time::Duration;

use protocol::{
    ballot::{Ballot, ReplicaId},
    digest::Digest,
    identity::NodeId,
    job::JobId,
    limits::TRACE_ANSWER_BYTES_MAX,
    message::BlobName,
    report::FaultReport,
    trace::TraceQuestion,
};
use tracing::{info, warn};
use transport::{Connection, blob};
use verdict::locating::{Descent, FaultClass, Located, Parting, Step};

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
    Found(Box<FaultReport>),
}

/// The end of a descent.
#[derive(Debug)]
pub struct LocatedFault {
    /// Who dissented.
    pub dissenter: NodeId,
    /// Of which job.
    pub job: JobId,
    /// The task's number.
    pub index: u64,
    /// With what the dissenter computed, and what it voted for.
    pub ballot: Box<Ballot>,
    /// Against whom it was compared.
    pub winner: NodeId,
    /// What was found.
    pub located: Located,
}

impl Core {
    /// Finds out where the computation of a dissenter went wrong, if it and a winner by the same formula committed to theirs.
    pub(super) fn locate(&mut self, dissenter: NodeId, replica: ReplicaId, accepted: Digest) {
        let (job, index) = (replica.job, replica.index);
        let Some(tally) = self.machine.job(job).and_then(|job| job.tally(index)) else { return };
        let Some(cast) = tally.ballots().get(&dissenter) else { return };
        let ballot = cast.ballot.ballot().clone();
        let Some(of_dissenter) = ballot.trace.as_deref().copied() else { return };
        let said = tally.ballots().values().map(|cast| cast.ballot.ballot());
        let winner = said.filter(|said| said.digest == accepted).find_map(|said| {
            let is_alike = said.domain.formula == ballot.domain.formula;
            let connection = self.peers.get(&said.worker).filter(|_| is_alike)?.connection.clone();
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
        tokio::spawn(async move {
            let located = asked.run().await;
            let ballot = Box::new(ballot);
            let found = LocatedFault { dissenter, job, index, ballot, winner, located };
            // The owner is gone only when the coordinator stops.
            let _ = sender.send(Event::Located(found)).await;
        });
    }

    /// A descent has ended: whoever judges workers by their faults hears of it here.
    pub(super) fn located(&mut self, found: LocatedFault) {
        let LocatedFault { dissenter, job, index, ballot, winner, located } = found;
        let name = self.known.get(&winner).map_or_else(|| winner.short(), |known| known.name.clone());
        let report = report(&located, &ballot, name);
        let (worker, device) = (dissenter.short(), &ballot.domain.device);
        if located.class.is_some() {
            warn!(%worker, index, %device, place = %report.place, kind = ?report.class, rounds = report.rounds, bytes = report.bytes,
                  "a fault was located");
        } else {
            info!(%worker, index, place = %report.place, "no fault was located in a sum of series");
        }
        if let Some(record) = self.jobs.get_mut(&job) {
            record.faults.insert((dissenter, index), FaultSearch::Found(Box::new(report)));
        }
    }
}

/// What a report says of a fault.
fn report(located: &Located, ballot: &Ballot, compared_with: String) -> FaultReport {
    let Located { parting, class, rounds, bytes } = *located;
    let place = match parting {
        Parting::Node { place, trees } => {
            let terms = format!("terms {} to {}", grouped(place.from), grouped(place.to.saturating_sub(1)));
            if trees > 1 { format!("{terms} of series {} of {trees}", place.tree + 1) } else { terms }
        }
        Parting::AfterTheSeries => "after the series, whose sums agree".to_owned(),
        Parting::Unknown => "not found, as the two computations cannot be compared".to_owned(),
    };
    let device = &ballot.domain.device;
    let meaning = match class {
        Some(FaultClass::Transient) => {
            "computed again it is right: a passing fault of the machine".to_owned()
        }
        Some(FaultClass::Deterministic) => {
            format!(
                "computed again it is wrong in the same way: {} on {device} is broken",
                ballot.domain.engine
            )
        }
        Some(FaultClass::Dishonest) => {
            "what the worker says now does not fit what it signed: it does not tell the truth".to_owned()
        }
        Some(FaultClass::Unanswered) => "the worker did not answer in time".to_owned(),
        None => "nothing was computed again".to_owned(),
    };
    FaultReport {
        formula: ballot.domain.formula.name().to_owned(),
        place,
        class: class.map(|class| class.name().to_owned()),
        meaning,
        compared_with,
        rounds,
        bytes,
    }
}

/// A number in groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
