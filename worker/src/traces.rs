//! On which way this worker came to its outcomes, for the coordinator that asks where two workers part.
//!
//! Traces are some hundred kilobytes each, and asked for soon after the verdict or never: the last few stay in memory. One
//! question at a time computes anything.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use compute::{control::Control, trace::Trace};
use protocol::{digest::Digest, trace::TraceQuestion};
use tokio::sync::Semaphore;
use tracing::{info, warn};

use crate::misbehave::Misbehaviour;

/// How many traces are kept; the oldest go first.
const TRACES_MAX: usize = 16;

/// The traces of a worker's last outcomes.
#[derive(Debug)]
pub struct Traces {
    kept: Mutex<VecDeque<(Digest, Trace)>>,
    /// Where nodes are computed again, and how this worker misbehaves meanwhile.
    place: OnceLock<(Arc<rayon::ThreadPool>, Option<Misbehaviour>)>,
    computing: Semaphore,
}

impl Default for Traces {
    fn default() -> Self {
        Self { kept: Mutex::default(), place: OnceLock::new(), computing: Semaphore::new(1) }
    }
}

impl Traces {
    /// Says where nodes are computed again. Before that, none are.
    pub fn compute_on(&self, pool: Arc<rayon::ThreadPool>, misbehaviour: Option<Misbehaviour>) {
        let _ = self.place.set((pool, misbehaviour));
    }

    /// Keeps the trace of the outcome with this digest, and gives the commitment to it; none where nothing was traced.
    pub fn keep(&self, outcome: Digest, trace: Trace) -> Option<Digest> {
        let commitment = trace.top().commitment()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| *known != outcome);
        kept.push_back((outcome, trace));
        if kept.len() > TRACES_MAX {
            kept.pop_front();
        }
        Some(commitment)
    }

    /// The answer to a question about the outcome with this digest; none where there is none, or somebody else's question
    /// is being computed.
    ///
    /// # Errors
    /// When the computation ended without an answer.
    pub async fn answer(&self, outcome: Digest, question: TraceQuestion) -> io::Result<Option<Vec<u8>>> {
        let found = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.iter().find(|(known, _)| *known == outcome).map(|(_, trace)| trace.clone())
        };
        let Some(trace) = found else { return Ok(None) };
        let TraceQuestion::Again(place) = question else {
            return trace.answer(question, &Control::default()).map_err(io::Error::other);
        };
        let (Some((pool, misbehaviour)), Ok(_turn)) = (self.place.get(), self.computing.try_acquire()) else {
            return Ok(None);
        };
        info!(outcome = %outcome.short(), from = place.from, to = place.to, "computing a part of an outcome again");
        let control = misbehaviour.and_then(Misbehaviour::control_again).unwrap_or_default();
        let (done, answered) = tokio::sync::oneshot::channel();
        pool.spawn_fifo(move || {
            // Whoever asked may have gone.
            let _ = done.send(trace.answer(question, &control));
        });
        let answered = answered.await.map_err(io::Error::other)?;
        answered
            .inspect_err(|error| warn!(%error, "a part of an outcome cannot be computed again"))
            .map_err(io::Error::other)
    }
}
