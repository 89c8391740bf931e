//! Audits: the evidence that auditors need is obtained from its prover, and kept while they test it.

use std::sync::Arc;

use protocol::{
    digest::Digest,
    identity::NodeId,
    job::JobId,
    message::{AuditOrder, BlobName},
    plan::Plan,
};
use tracing::{info, warn};
use transport::{Connection, blob};
use verdict::Input;

use super::{Core, Event, errands::fetch_and_keep};
use crate::{outcomes::AcceptedOutcomes, witnesses::Witnesses};

/// What came of an errand for evidence.
#[derive(Debug)]
pub struct Obtained {
    /// Of which job.
    pub job: JobId,
    /// The task's number.
    pub index: u64,
    /// Which outcome, and whose.
    pub order: AuditOrder,
    /// Whether the outcome was fetched, and not here before; or why there is nothing.
    pub result: Result<bool, String>,
}

impl Core {
    /// Gets what auditors need: the outcome, where it did not come along with its ballot, and the witness.
    pub(super) fn obtain(&mut self, job: JobId, index: u64, order: AuditOrder, witness: bool) {
        self.keep_inline(job, index, order.outcome);
        let (Some(sender), Some(record)) = (self.sender.upgrade(), self.jobs.get_mut(&job)) else { return };
        let is_here = record.kept.contains(&order.outcome);
        if is_here && !witness {
            return self.tell_or_log(Input::EvidenceHeld { job, index, prover: order.prover });
        }
        if witness {
            record.witnesses.entry(index).or_default().push((order.outcome, order.prover));
        }
        let errand = Errand {
            connection: self.peers.get(&order.prover).map(|peer| peer.connection.clone()),
            outcomes: Arc::clone(&self.outcomes),
            witnesses: Arc::clone(&self.witnesses),
            plan: Arc::clone(&record.plan),
            index,
            order,
        };
        tokio::spawn(async move {
            let result = errand.run(is_here, witness).await;
            // The owner is gone only when the coordinator stops.
            let _ = sender.send(Event::Obtained(Obtained { job, index, order, result })).await;
        });
    }

    pub(super) fn obtained(&mut self, obtained: Obtained) {
        let Obtained { job, index, order, result } = obtained;
        let AuditOrder { outcome, prover, .. } = order;
        match result {
            Ok(was_fetched) => {
                if was_fetched {
                    self.keep_fetched(job, outcome);
                }
                info!(prover = %prover.short(), index, "an outcome is audited");
                self.tell_or_log(Input::EvidenceHeld { job, index, prover });
            }
            Err(reason) => {
                warn!(worker = %prover.short(), index, %reason, "a worker did not hand out what an audit needs");
                self.tell_or_log(Input::EvidenceWithheld { job, index, prover });
            }
        }
        if self.machine.job(job).is_none_or(|job| job.tally(index).is_none_or(|tally| !tally.is_open())) {
            // Whoever announced the verdict has forgotten what was here then; this came later.
            self.forget_witnesses(job, index);
            self.witnesses.remove(outcome, prover);
        }
    }

    /// Nobody audits this task any more.
    pub(super) fn forget_witnesses(&mut self, job: JobId, index: u64) {
        let given = self.jobs.get_mut(&job).and_then(|record| record.witnesses.remove(&index));
        for (outcome, prover) in given.into_iter().flatten() {
            self.witnesses.remove(outcome, prover);
        }
    }
}

/// A way to a prover, and what is to be brought back.
struct Errand {
    connection: Option<Connection>,
    outcomes: Arc<AcceptedOutcomes>,
    witnesses: Arc<Witnesses>,
    plan: Arc<Plan>,
    index: u64,
    order: AuditOrder,
}

impl Errand {
    /// Returns whether the outcome was fetched.
    async fn run(self, is_here: bool, witness: bool) -> Result<bool, String> {
        let Self { connection, outcomes, witnesses, plan, index, order } = self;
        let connection = connection.ok_or_else(|| "it is not connected".to_owned())?;
        let AuditOrder { outcome, prover, .. } = order;
        if witness {
            let limit_bytes = plan.task(index).map_or(0, |task| task.witness_bytes_max());
            fetch_witness(&connection, witnesses, (outcome, prover), limit_bytes).await?;
        }
        if !is_here {
            fetch_and_keep(&connection, &outcomes, &plan, index, outcome).await?;
        }
        Ok(!is_here)
    }
}

async fn fetch_witness(
    connection: &Connection,
    witnesses: Arc<Witnesses>,
    (outcome, prover): (Digest, NodeId),
    limit_bytes: u64,
) -> Result<(), String> {
    let name = BlobName::Witness(outcome, prover);
    let pieces =
        blob::fetch_pieces(connection, name, limit_bytes).await.map_err(|error| error.to_string())?;
    let kept = tokio::task::spawn_blocking(move || witnesses.put(outcome, prover, pieces)).await;
    kept.map_err(|error| error.to_string())?.map_err(|error| format!("it cannot be kept: {error}"))
}
