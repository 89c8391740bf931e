//! A ballot is refused for what it says itself, never for the company in which it came: on a task that is there, not
//! sealed, and leased to its worker as this replica, there is nothing to refuse.

use protocol::ballot::ReplicaId;
use verdict::Machine;

use super::Violation;
use crate::values::{node_id, worker_name};

pub(super) fn check(worker: u32, replica: &ReplicaId, machine: &Machine) -> Result<(), Violation> {
    let Some(tally) = machine.job(replica.job).and_then(|job| job.tally(replica.index)) else {
        return Ok(());
    };
    let place = replica.number.checked_sub(tally.rules().first_number);
    let issued = place.and_then(|place| tally.issued().get(usize::try_from(place).ok()?));
    let was_leased = issued.is_some_and(|issued| issued.worker == node_id(worker));
    if !was_leased || tally.rules().sealed || tally.terms().id != replica.task {
        return Ok(());
    }
    let (who, index) = (worker_name(worker), replica.index);
    let what = format!("the ballot of {who} on task {index} is refused, and it was leased that replica");
    Err(Violation { invariant: "a ballot is refused for what it says itself", what })
}
