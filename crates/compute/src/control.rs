//! The thread between a computation and whoever waits for it: a way to stop it, to see how far it is, and to learn
//! where its time went.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

/// The computation was stopped on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the computation was cancelled")]
pub struct Cancelled;

/// Shared between the computation and its owner; clones are the same thing.
#[derive(Debug, Clone, Default)]
pub struct Control(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    permille: AtomicU16,
    phases: Mutex<Vec<Phase>>,
}

/// A named stretch of a computation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// What was done.
    pub name: &'static str,
    /// How long it took, wall-clock.
    pub elapsed: Duration,
}

impl Control {
    /// Asks the computation to stop at its next check.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    /// Called by the computation between steps of at most some hundred milliseconds.
    ///
    /// # Errors
    /// [`Cancelled`] once [`Control::cancel`] was called.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.0.cancelled.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }

    /// Says how far the computation is, in thousandths; it never goes back.
    pub fn set_permille(&self, permille: u16) {
        self.0.permille.fetch_max(permille.min(1000), Ordering::Relaxed);
    }

    /// How far the computation is, in thousandths.
    pub fn permille(&self) -> u16 {
        self.0.permille.load(Ordering::Relaxed)
    }

    /// Runs `work` as a named phase and records how long it took. Phases of one computation follow each other.
    pub fn phase<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let value = work();
        let phase = Phase { name, elapsed: start.elapsed() };
        self.0.phases.lock().unwrap_or_else(PoisonError::into_inner).push(phase);
        value
    }

    /// The phases so far, in order.
    pub fn phases(&self) -> Vec<Phase> {
        self.0.phases.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
