//! What is noted of workers and goes to the log: how they are heard, what they broke, and what they said that could not be.

use protocol::{
    ballot::ReplicaId, domain::Engine, identity::NodeId, limits::REJECTED_WORDS_MAX, report::Liveness,
    standing::QuarantineReason,
};
use tracing::{info, warn};
use transport::CloseCode;
use verdict::SealFault;

use super::Core;

impl Core {
    pub(super) fn note(&self, worker: NodeId, liveness: Liveness) {
        let name = self.known.get(&worker).map_or("", |known| known.name.as_str());
        let worker = worker.short();
        match liveness {
            Liveness::Alive => info!(%worker, %name, "a worker is alive again"),
            Liveness::Suspect => {
                info!(%worker, %name, "a worker is suspect: it is silent, and gets no new leases");
            }
            Liveness::Standby => {
                warn!(%worker, %name, "a worker is on standby: it is silent, and its leases go to others");
            }
        }
    }

    pub(super) fn note_quarantine(&self, worker: NodeId, engine: Engine, reason: &QuarantineReason) {
        let name = self.known.get(&worker).map_or("", |known| known.name.as_str());
        let worker = worker.short();
        warn!(
            %worker, %name, %engine, %reason,
            "an engine of a worker is in quarantine: it gets no leases that count until it has answered known tasks rightly"
        );
    }

    pub(super) fn note_readmission(&self, worker: NodeId, engine: Engine) {
        let name = self.known.get(&worker).map_or("", |known| known.name.as_str());
        let worker = worker.short();
        info!(%worker, %name, %engine, "an engine of a worker has answered known tasks rightly, and is let back as a new one");
    }

    pub(super) fn seal_broken(&mut self, worker: NodeId, replica: ReplicaId, fault: SealFault) {
        let name = self.known.get(&worker).map_or("", |known| known.name.as_str());
        warn!(worker = %worker.short(), %name, index = replica.index, %fault, "a worker broke a seal");
        self.note_rejection(worker, &fault.to_string());
    }

    /// A word was rejected. Some are late and nobody's fault; a worker of which many are loses its connection.
    pub(super) fn note_rejection(&mut self, worker: NodeId, reason: &str) {
        let Some(peer) = self.peers.get_mut(&worker) else { return };
        peer.rejected += 1;
        if peer.rejected == REJECTED_WORDS_MAX {
            let said = format!(
                "{REJECTED_WORDS_MAX} words of this worker were rejected, which is the limit; the last because {reason}"
            );
            warn!(worker = %worker.short(), reason = %said, "a worker says too much that cannot be; its connection is closed");
            peer.connection.close(CloseCode::BadInput, &said);
        }
    }
}
