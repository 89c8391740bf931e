//! The trace of a computation: fingerprints of the nodes of its binary splittings, and the way to compute one node again.
//!
//! Every long number carries its residue modulo the prime of the computation, so that a fingerprint costs nothing but a place
//! to put it. Nodes are noted from some hundreds of terms up, and from more where there would be too many.
//! [`protocol::trace`] says what is committed to and how it is asked for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::{
    digest::{Digest, Domain},
    limits::TRACE_TREES_MAX,
    series::Hypergeometric,
    trace::{Fingerprint, TraceHalves, TraceNode, TracePlace, TraceQuestion, TraceTop, TraceTree, answer},
};

use crate::{
    constants::fingerprint_again,
    control::{Control, Interrupted},
};

/// Nodes of fewer terms are not noted.
const NOTED_TERMS_MIN: u64 = 256;
/// About as many leaves as a tree has at most.
const LEAVES_MAX: u64 = 4096;

/// The trace of one computation. Clones are the same thing.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<BTreeMap<Digest, NotedTree>>>);

/// What a sum of a series depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SumTerms {
    pub(crate) series: Hypergeometric,
    pub(crate) count: u64,
    pub(crate) keep: u64,
    pub(crate) prime: u64,
}

#[derive(Debug)]
struct NotedTree {
    terms: SumTerms,
    nodes: BTreeMap<(u64, u64), TraceNode>,
}

/// The nodes of a sum that is under way.
#[derive(Debug)]
pub(crate) struct Noting {
    trace: Trace,
    terms: SumTerms,
    least: u64,
    fingerprints: Mutex<BTreeMap<(u64, u64), (Fingerprint, u64)>>,
}

impl SumTerms {
    fn identity(&self) -> Digest {
        let Self { series, count, keep, prime } = self;
        let words =
            format!("{} {series:?}, {count} terms, {keep} bits, modulo {prime}", env!("CARGO_PKG_VERSION"));
        Digest::of(Domain::Trace, words.as_bytes())
    }
}

impl Noting {
    /// Whether nodes of so many terms are noted.
    pub(crate) fn notes(&self, terms: u64) -> bool {
        terms >= self.least
    }

    /// Notes a node, and where its halves meet; they may be noted or not.
    pub(crate) fn note(&self, (from, to): (u64, u64), middle: u64, fingerprint: Fingerprint) {
        let mut noted = self.fingerprints.lock().unwrap_or_else(PoisonError::into_inner);
        noted.insert((from, to), (fingerprint, middle));
    }

    /// The sum stands: it becomes a part of the trace.
    pub(crate) fn finish(self) {
        let Self { trace, terms, fingerprints, .. } = self;
        let fingerprints = fingerprints.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut shortest: Vec<_> = fingerprints.into_iter().collect();
        // What is below a node is shorter.
        shortest.sort_by_key(|((from, to), _)| to - from);
        let mut nodes: BTreeMap<(u64, u64), TraceNode> = BTreeMap::new();
        for ((from, to), (fingerprint, middle)) in shortest {
            let (left, right) = (nodes.get(&(from, middle)), nodes.get(&(middle, to)));
            let halves = left.zip(right).map(|(left, right)| TraceHalves {
                middle,
                left: left.as_child(),
                right: right.as_child(),
            });
            nodes.insert((from, to), TraceNode { from, to, fingerprint, halves });
        }
        if !nodes.is_empty() {
            trace.trees().insert(terms.identity(), NotedTree { terms, nodes });
        }
    }
}

impl Trace {
    /// Begins to note a sum.
    pub(crate) fn sum(&self, terms: SumTerms) -> Noting {
        let least = NOTED_TERMS_MIN.max(terms.count / LEAVES_MAX);
        Noting { trace: self.clone(), terms, least, fingerprints: Mutex::default() }
    }

    fn trees(&self) -> MutexGuard<'_, BTreeMap<Digest, NotedTree>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its trees.
    pub fn top(&self) -> TraceTop {
        let tree = |(identity, tree): (&Digest, &NotedTree)| {
            let (from, to) = (tree.terms.series.first, tree.terms.series.first + tree.terms.count);
            let root = tree.nodes.get(&(from, to))?.as_child();
            Some(TraceTree { identity: *identity, from, to, root })
        };
        TraceTop { trees: self.trees().iter().filter_map(tree).take(TRACE_TREES_MAX + 1).collect() }
    }

    /// The answer to a question, in bytes; none where there is none. A node that is computed again takes as long as its terms
    /// do, on the rayon pool of the caller, under `control`.
    ///
    /// # Errors
    /// [`Interrupted`] when `control` is cancelled, or the machine computes wrongly and notices it.
    pub fn answer(&self, question: TraceQuestion, control: &Control) -> Result<Option<Vec<u8>>, Interrupted> {
        match question {
            TraceQuestion::Top => Ok(Some(answer(&self.top()))),
            TraceQuestion::Node(place) => Ok(self.find(place).map(|(_, node)| answer(&node))),
            TraceQuestion::Again(place) => {
                let Some((terms, _)) = self.find(place) else { return Ok(None) };
                let again = fingerprint_again(&terms, (place.from, place.to), control)?;
                Ok(again.map(|fingerprint| answer(&fingerprint)))
            }
        }
    }

    fn find(&self, place: TracePlace) -> Option<(SumTerms, TraceNode)> {
        let trees = self.trees();
        let tree = trees.values().nth(usize::try_from(place.tree).ok()?)?;
        let node = tree.nodes.get(&(place.from, place.to))?;
        Some((tree.terms.clone(), *node))
    }
}
