//! Errands: what takes its time, in a task of its own, and comes back to the owner as an event.

use std::{collections::BTreeMap, sync::Arc};

use protocol::{
    ballot::ReplicaId, digest::Digest, identity::NodeId, job::JobId, message::BlobName, outcome::Outcome,
    plan::Plan,
};
use transport::{Connection, blob};

use super::{Core, Event, outbox::Order, report::PLACES_MAX};
use crate::outcomes::AcceptedOutcomes;

impl Core {
    /// Fetches the accepted outcome from a worker that voted for it, and keeps it.
    pub(super) fn fetch(&self, worker: NodeId, job: JobId, index: u64, digest: Digest) {
        let (Some(sender), Some(record)) = (self.sender.upgrade(), self.jobs.get(&job)) else { return };
        let connection = self.peers.get(&worker).map(|peer| peer.connection.clone());
        let outcomes = Arc::clone(&self.outcomes);
        let plan = Arc::clone(&record.plan);
        tokio::spawn(async move {
            let result = match connection {
                Some(connection) => fetch_and_keep(&connection, &outcomes, &plan, index, digest).await,
                None => Err("it is not connected".to_owned()),
            };
            // The owner is gone only when the coordinator stops.
            let _ = sender.send(Event::Fetched { job, index, worker, result: result.map(|()| digest) }).await;
        });
    }

    /// Finds out where a dissenter's outcome parts from the accepted one, for the report, before it is corrected.
    pub(super) fn compare(&mut self, worker: NodeId, replica: ReplicaId, accepted: Digest) {
        let index = replica.index;
        let cast = self.machine.job(replica.job).and_then(|job| job.tally(index));
        let said =
            cast.and_then(|tally| tally.ballots().get(&worker)).map(|cast| cast.ballot.ballot().digest);
        let (Some(record), Some(said), Some(sender)) =
            (self.jobs.get_mut(&replica.job), said, self.sender.upgrade())
        else {
            return self.order(worker, Order::correct(replica, accepted));
        };
        // Once it is known where the two part, the bytes are not needed again.
        let inline = record.inline.get_mut(&index).and_then(|outcomes| outcomes.remove(&said));
        if record.inline.get(&index).is_some_and(BTreeMap::is_empty) {
            record.inline.remove(&index);
        }
        let connection = self.peers.get(&worker).map(|peer| peer.connection.clone());
        let told = record.places.range((worker, 0)..=(worker, u64::MAX)).count();
        let known = told >= PLACES_MAX || record.places.contains_key(&(worker, index));
        let (outcomes, plan) = (Arc::clone(&self.outcomes), Arc::clone(&record.plan));
        tokio::spawn(async move {
            let place = if known {
                None
            } else {
                let other = match (inline, connection) {
                    (Some(bytes), _) => Some(bytes.into()),
                    (None, Some(connection)) => {
                        let limit_bytes = plan.outcome_bytes_max(index);
                        blob::fetch(&connection, BlobName::Outcome(said), limit_bytes).await.ok()
                    }
                    (None, None) => None,
                };
                let find = move || place_of_difference(&outcomes, &plan, index, accepted, &other?);
                tokio::task::spawn_blocking(find).await.ok().flatten()
            };
            // The owner is gone only when the coordinator stops.
            let _ = sender.send(Event::Compared { worker, replica, accepted, place }).await;
        });
    }
}

pub(super) async fn fetch_and_keep(
    connection: &Connection,
    outcomes: &Arc<AcceptedOutcomes>,
    plan: &Plan,
    index: u64,
    digest: Digest,
) -> Result<(), String> {
    let limit_bytes = plan.outcome_bytes_max(index);
    let bytes = blob::fetch(connection, BlobName::Outcome(digest), limit_bytes)
        .await
        .map_err(|error| error.to_string())?;
    let outcomes = Arc::clone(outcomes);
    let kept = tokio::task::spawn_blocking(move || outcomes.put(digest, bytes)).await;
    kept.map_err(|error| error.to_string())?.map_err(|error| format!("it cannot be kept: {error}"))
}

fn place_of_difference(
    outcomes: &AcceptedOutcomes,
    plan: &Plan,
    index: u64,
    accepted: Digest,
    other: &[u8],
) -> Option<String> {
    let accepted = outcomes.get(&accepted)?;
    let decode = |bytes: &[u8]| Outcome::from_bytes(bytes, bytes.len()).ok();
    match decode(other) {
        Some(other) => plan.describe_difference(index, &decode(&accepted)?, &other),
        None => Some("it is not a well-formed outcome".to_owned()),
    }
}
