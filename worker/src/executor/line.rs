//! The line of light tasks: threads of the pool take from its front until it is empty, and hand on what they found
//! together.
//!
//! What is found is held back only as long as it takes nobody's time: while tasks of the same job follow that take
//! microseconds. Whoever finds the line empty hands on at once, so a lone task waits for nothing.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use protocol::{limits::FRAME_ITEMS_MAX, task::Weight};

use super::{Completed, Executor, Work, panicked, read_task};

/// A thread gives way to whatever else waits for the pool after this long.
const TURN: Duration = Duration::from_millis(5);
/// Longest that anything is held back between two tasks.
const HOLD: Duration = Duration::from_micros(500);
/// A task that took longer than this is followed by handing on: the next one may take as long.
const QUICK: Duration = Duration::from_micros(100);

/// Light tasks that wait, and how many threads take from them.
#[derive(Debug)]
pub(super) struct Line {
    threads: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    work: VecDeque<(Work, Vec<u8>)>,
    runners: usize,
}

impl Line {
    pub(super) fn new(threads: NonZeroUsize) -> Self {
        Self { threads: threads.get(), waiting: Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts replicas at the end, each with its task's bytes; returns how many more threads should [`run`].
    pub(super) fn join(&self, more: Vec<(Work, Vec<u8>)>) -> usize {
        let mut waiting = self.waiting();
        waiting.work.extend(more);
        let runners = waiting.work.len().min(self.threads).max(waiting.runners);
        let started = runners - waiting.runners;
        waiting.runners = runners;
        started
    }

    /// Whether nobody waits, and nobody computes.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting().runners == 0
    }

    /// The replica at the front; when there is none, whoever asks runs no more.
    fn next(&self) -> Option<(Work, Vec<u8>)> {
        let mut waiting = self.waiting();
        let work = waiting.work.pop_front();
        if work.is_none() {
            waiting.runners -= 1;
        }
        work
    }
}

/// Takes from the line until it is empty, or its turn is over and another one begins behind whatever waits for the pool.
pub(super) fn run(executor: Executor) {
    let began = Instant::now();
    let mut held: Vec<Completed> = Vec::new();
    let (mut told, mut last_took) = (began, Duration::ZERO);
    while let Some((work, bytes)) = executor.line.next() {
        let is_alike = held.last().is_none_or(|last| last.replica.job == work.replica.job);
        let may_hold = is_alike && last_took < QUICK && told.elapsed() < HOLD;
        if held.len() >= FRAME_ITEMS_MAX || !may_hold {
            hand_on(&executor, &mut held);
            told = Instant::now();
        }
        let start = Instant::now();
        held.extend(compute(&executor, work, &bytes));
        last_took = start.elapsed();
        if began.elapsed() > TURN {
            hand_on(&executor, &mut held);
            let pool = executor.pool.clone();
            return pool.spawn_fifo(move || run(executor));
        }
    }
    hand_on(&executor, &mut held);
}

fn hand_on(executor: &Executor, held: &mut Vec<Completed>) {
    if !held.is_empty() {
        // The owner is gone only when the worker stops.
        let _ = executor.completed.blocking_send(std::mem::take(held));
    }
}

/// Computes a light task here and now; nothing comes of a heavy one yet: it goes on to wait for a slot.
fn compute(executor: &Executor, work: Work, bytes: &[u8]) -> Option<Completed> {
    let replica = work.replica;
    let result = match read_task(replica.task, bytes) {
        Ok(task) if task.weight() == Weight::Heavy => {
            let executor = executor.clone();
            executor.clone().end_alone(work, |work| async move { executor.execute(task, work).await });
            return None;
        }
        Ok(task) => {
            let computed = || executor.compute(&task, &work);
            // The panic was printed where it happened; the thread goes on with the next task.
            catch_unwind(AssertUnwindSafe(computed)).unwrap_or_else(|_| Err(panicked()))
        }
        Err(error) => Err(error),
    };
    Some(Completed { replica, result })
}
