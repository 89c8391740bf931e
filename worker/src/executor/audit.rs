//! Audits: somebody else's outcome is fetched, with what it gave along, and tested by a challenge that is drawn only then.
//! A worker that was asked for its GPU sums series there; where that is not to be had, the processor does it, and the ballot
//! says so.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use compute::{
    audit::{self, Finding, Processor, SeriesSums},
    control::Control,
    residues::{HypergeometricSeries, Modulus, SeriesResiduesError, StretchResidues},
};
use protocol::{
    audit::Audited,
    constant::Formula,
    domain::Engine,
    message::{AuditOrder, BlobName, EngineIntroduction},
    task::Task,
};
use tracing::{info, warn};
use transport::{
    Connection,
    blob::{self, BlobError},
};

use super::{Computed, Executor, NotComputed, Work, obtain_task};
use crate::{gpus::Gpus, misbehave::Misbehaviour};

/// An outcome that is to be tested, and what it takes.
struct Evidence {
    task: Task,
    order: AuditOrder,
    outcome: Bytes,
    /// In the pieces in which it lies.
    witness: Option<Vec<Bytes>>,
}

impl Executor {
    /// Fetches what is to be tested, and tests it as soon as there is a slot.
    pub(super) async fn audit(
        self,
        work: Work,
        order: AuditOrder,
        bytes: Option<Vec<u8>>,
        connection: Connection,
    ) -> Result<Computed, NotComputed> {
        let failed =
            |what: &str, error: BlobError| NotComputed::Failed(format!("the {what} did not arrive: {error}"));
        let task = obtain_task(work.replica.task, bytes, &connection).await?;
        let name = BlobName::Outcome(order.outcome);
        let outcome = blob::fetch(&connection, name, task.outcome_bytes_max()).await;
        let outcome = outcome.map_err(|error| failed("outcome to be audited", error))?;
        let witness = if task.audits().need_witness() {
            let name = BlobName::Witness(order.outcome, order.prover);
            let pieces = blob::fetch_pieces(&connection, name, task.witness_bytes_max()).await;
            Some(pieces.map_err(|error| failed("witness of the outcome to be audited", error))?)
        } else {
            None
        };
        let weight = task.weight();
        let engine = work.way.0;
        let evidence = Evidence { task, order, outcome, witness };
        let executor = self.clone();
        self.in_slot(weight, engine, move || executor.test(&evidence, &work)).await
    }

    fn test(&self, evidence: &Evidence, work: &Work) -> Result<Computed, NotComputed> {
        let Evidence { task, order, outcome, witness } = evidence;
        work.control.check().map_err(|_| NotComputed::Cancelled)?;
        let start = Instant::now();
        // Nobody could foresee these: all that they test is here already.
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| {
            NotComputed::Failed(format!("no random bytes for the challenge of an audit: {error}"))
        })?;
        let sums = Sums { gpus: (work.way.0 == Engine::Gpu).then_some(&*self.gpus), by: Mutex::default() };
        let pieces: Option<Vec<&[u8]>> =
            witness.as_ref().map(|pieces| pieces.iter().map(|piece| &**piece).collect());
        let evidence = (&**outcome, pieces.as_deref());
        let finding =
            self.pool.install(|| audit::audit_by(&sums, task, order.formula, evidence, &seed, &work.control));
        let finding = finding.map_err(|error| match error {
            audit::AuditError::Cancelled(_) => NotComputed::Cancelled,
        })?;
        let elapsed = start.elapsed();
        let (prover, index) = (order.prover.short(), work.replica.index);
        let is_right = match finding {
            Finding::Passed { .. } => {
                info!(%prover, index, ?elapsed, "an outcome passed its audit");
                true
            }
            Finding::Failed(fault) => {
                warn!(%prover, index, %fault, "an outcome failed its audit");
                false
            }
        };
        let audited = Audited { outcome: order.outcome, prover: order.prover, seed };
        let says_right = is_right != (self.misbehaviour == Some(Misbehaviour::LyingAuditor));
        Ok(Computed {
            short: None,
            digest: if says_right { order.outcome } else { audited.rejection() },
            contradiction: None,
            formula: Formula::Audit,
            engine: sums.engine(),
            elapsed,
            trace: None,
            audited: Some(audited),
        })
    }
}

/// Where the series of one audit are summed.
struct Sums<'g> {
    /// The GPUs, where one is asked for.
    gpus: Option<&'g Gpus>,
    by: Mutex<By>,
}

/// Who summed.
#[derive(Default)]
enum By {
    #[default]
    Nobody,
    /// A GPU, each of them.
    Gpu(String),
    /// The processor, at least one of them.
    Processor,
}

impl Sums<'_> {
    fn engine(self) -> EngineIntroduction {
        match self.by.into_inner().unwrap_or_else(PoisonError::into_inner) {
            By::Gpu(device) => EngineIntroduction { engine: Engine::Gpu, device },
            By::Nobody | By::Processor => {
                EngineIntroduction { engine: Engine::Cpu, device: compute::engine::processor_name() }
            }
        }
    }
}

impl SeriesSums for Sums<'_> {
    fn series_residues(
        &self,
        series: &HypergeometricSeries,
        stretch: Range<u64>,
        moduli: &[Modulus],
        control: &Control,
    ) -> Result<Vec<StretchResidues>, SeriesResiduesError> {
        let on_gpu = match self.gpus {
            Some(gpus) => {
                gpus.on_a_gpu(|engine| engine.series_residues(series, stretch.clone(), moduli, control))?
            }
            None => None,
        };
        let mut by = self.by.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((residues, device)) = on_gpu {
            if !matches!(*by, By::Processor) {
                *by = By::Gpu(device);
            }
            return Ok(residues);
        }
        *by = By::Processor;
        drop(by);
        Processor.series_residues(series, stretch, moduli, control)
    }
}
