//! The thread between a computation and whoever waits for it: a way to stop it, to see how far it is, to learn where its
//! time went, and to hear that the machine computes wrongly.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rug::Integer;

use crate::{checkpoint::Checkpoints, trace::Trace};

/// The computation was stopped on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the computation was cancelled")]
pub struct Cancelled;

/// Where a long computation looks at its numbers through a prime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Site {
    /// The first few terms of a stretch of a series, or the first steps of a product tree.
    Leaf,
    /// Two neighbouring stretches become one.
    Merge,
    /// A long quotient.
    Division,
    /// A long root.
    Root,
    /// A long product, sum or shift that is none of the others.
    Arithmetic,
    /// From bits to decimals.
    RadixConversion,
}

impl Site {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Leaf, Self::Merge, Self::Division, Self::Root, Self::Arithmetic, Self::RadixConversion];

    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leaf => "first terms of a stretch",
            Self::Merge => "merge of two stretches",
            Self::Division => "division",
            Self::Root => "root",
            Self::Arithmetic => "arithmetic",
            Self::RadixConversion => "radix conversion",
        }
    }
}

/// This machine computed the same thing wrongly twice: its processor or its memory is broken, or runs too fast or too hot.
///
/// Whoever sees this must not trust the machine with anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this machine computes wrongly: the result of a {} failed its check modulo the prime {prime}, and so did its \
     repetition; take the machine out of service and test its memory and processor",
    site.name()
)]
pub struct HardwareFault {
    /// Where.
    pub site: Site,
    /// The prime.
    pub prime: u64,
}

/// Why a computation with checks ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// Nobody waits for it any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The machine is broken.
    #[error(transparent)]
    Hardware(#[from] HardwareFault),
}

/// A drill: one bit of a result is turned over before it is checked, as a broken machine would do.
///
/// With `repeats`, the repetition is spoilt as well. Every check of the engine can be exercised so, in a test or by an
/// operator who wants to see that a fault is noticed; the default of a [`Control`] is no drill. Where `noticed` is false,
/// the engine's own checks are off, so that what lies beyond them (a vote, an audit) can be exercised, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultDrill {
    /// Whose results are spoilt.
    pub site: Site,
    /// The result that is spoilt, counted from 0.
    pub number: u64,
    /// The bit, counted from the lowest; beyond the result's length, the length is taken off as often as it fits.
    pub bit: u64,
    /// Whether the repetition is spoilt, too.
    pub repeats: bool,
    /// Whether the engine looks at its results at all.
    pub noticed: bool,
}

/// A drill: one bit of the T of the stretch with a certain term is turned over where no check of the engine sees it, in
/// whatever series has that term. It is for what lies beyond the engine's checks: a vote, an audit, the search for the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesDrill {
    /// The index of the term.
    pub term: u64,
    /// The bit, counted from the lowest; beyond the length of T, the length is taken off as often as it fits.
    pub bit: u64,
}

/// Shared between the computation and its owner; clones are the same thing.
#[derive(Debug, Clone, Default)]
pub struct Control(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    permille: AtomicU16,
    phases: Mutex<Vec<Phase>>,
    drill: Option<FaultDrill>,
    /// Results so far at the site of the drill.
    results: AtomicU64,
    failed_checks: AtomicU64,
    checkpoints: OnceLock<Checkpoints>,
    trace: OnceLock<Trace>,
    series_drill: Option<SeriesDrill>,
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
    /// A control under which one result is spoilt.
    pub fn with_drill(drill: FaultDrill) -> Self {
        Self(Arc::new(State { drill: Some(drill), ..State::default() }))
    }

    /// A control under which a stretch of each series is spoilt.
    pub fn with_series_drill(drill: SeriesDrill) -> Self {
        Self(Arc::new(State { series_drill: Some(drill), ..State::default() }))
    }

    /// Notes on which way series are summed. Said twice, the first holds.
    pub fn keep_trace(&self, trace: Trace) {
        let _ = self.0.trace.set(trace);
    }

    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.0.trace.get()
    }

    /// The bit of T to be turned over, if the terms `from <= k < to` have the term of a drill.
    pub(crate) fn spoils_terms(&self, from: u64, to: u64) -> Option<u64> {
        let drill = self.0.series_drill.as_ref()?;
        (from <= drill.term && drill.term < to).then_some(drill.bit)
    }

    /// Keeps what the computation has finished, and uses what an earlier run left, where the computation knows how. Said
    /// twice, the first holds.
    pub fn keep_checkpoints(&self, checkpoints: Checkpoints) {
        let _ = self.0.checkpoints.set(checkpoints);
    }

    pub(crate) fn checkpoints(&self) -> Option<&Checkpoints> {
        self.0.checkpoints.get()
    }

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

    /// How many results failed their check so far, those that were right when repeated included. A machine on which
    /// this is not zero deserves a look.
    pub fn failed_checks(&self) -> u64 {
        self.0.failed_checks.load(Ordering::Relaxed)
    }

    /// How many results there were so far at the site of the drill.
    pub fn drilled_results(&self) -> u64 {
        self.0.results.load(Ordering::Relaxed)
    }

    pub(crate) fn note_failed_check(&self) {
        self.0.failed_checks.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives the number of the next result at `site` if the drill is about it.
    pub(crate) fn next_result(&self, site: Site) -> Option<u64> {
        let drill = self.0.drill.as_ref().filter(|drill| drill.site == site)?;
        let number = self.0.results.fetch_add(1, Ordering::Relaxed);
        (number == drill.number).then_some(drill.bit)
    }

    /// Whether the drill asks that no result is looked at.
    pub(crate) fn is_blind(&self) -> bool {
        self.0.drill.as_ref().is_some_and(|drill| !drill.noticed)
    }

    /// Turns a bit over, if the drill says so; `bit` is what [`Control::next_result`] gave for this result.
    pub(crate) fn spoil(&self, bit: Option<u64>, is_repetition: bool, result: &mut Integer) {
        let (Some(bit), Some(drill)) = (bit, &self.0.drill) else { return };
        if !is_repetition || drill.repeats {
            turn_over(bit, result);
        }
    }
}

/// Turns a bit over, within the number's length.
pub(crate) fn turn_over(bit: u64, number: &mut Integer) {
    let length = u64::from(number.significant_bits()).max(1);
    let place = u32::try_from(bit % length).unwrap_or(0);
    let is_set = number.get_bit(place);
    number.set_bit(place, !is_set);
}
