//! The descent through two traces: it ends at the node that was computed wrongly, after as many questions as the tree is deep,
//! and believes nothing that does not fit what was committed to.

use std::collections::BTreeMap;

use proptest::prelude::*;
use protocol::{
    digest::{Digest, Domain},
    trace::{
        Fingerprint, TraceChild, TraceHalves, TraceNode, TracePlace, TraceQuestion, TraceTop, TraceTree,
        answer,
    },
};
use verdict::locating::{Descent, FaultClass, Located, Parting, Step};

/// A trace of a few trees whose nodes are halved down to 256 terms.
#[derive(Clone)]
struct Worker {
    top: TraceTop,
    nodes: BTreeMap<TracePlace, TraceNode>,
    /// What it says when it is asked to compute a node again.
    again: Fingerprint,
}

/// The fingerprint of a right node.
fn right(place: TracePlace) -> Fingerprint {
    Fingerprint([place.from, place.to, u64::from(place.tree), 7])
}

impl Worker {
    /// `is_wrong` says at which nodes its fingerprints are not right.
    fn new(terms: &[u64], is_wrong: impl Fn(TracePlace) -> bool) -> Self {
        let mut nodes = BTreeMap::new();
        let tree = |(tree, terms): (u32, &u64)| {
            let root = grow(TracePlace { tree, from: 1, to: 1 + terms }, &is_wrong, &mut nodes);
            let identity = Digest::of(Domain::Trace, &tree.to_le_bytes());
            TraceTree { identity, from: 1, to: 1 + terms, root }
        };
        let trees = (0..).zip(terms).map(tree).collect();
        Self { top: TraceTop { trees }, nodes, again: Fingerprint([0; 4]) }
    }

    fn honest(terms: &[u64]) -> Self {
        Self::new(terms, |_| false)
    }

    /// All nodes with a term are wrong, from the node down to which it is traced.
    fn wrong_at(terms: &[u64], at: TracePlace) -> Self {
        Self::new(terms, |place| place.tree == at.tree && place.from <= at.from && at.to <= place.to)
    }

    fn says(&self, question: TraceQuestion) -> Option<Vec<u8>> {
        match question {
            TraceQuestion::Top => Some(answer(&self.top)),
            TraceQuestion::Node(place) => self.nodes.get(&place).map(answer),
            TraceQuestion::Again(_) => Some(answer(&self.again)),
        }
    }

    fn commitment(&self) -> Digest {
        self.top.commitment().expect("there are trees")
    }
}

fn grow(
    place: TracePlace,
    is_wrong: &impl Fn(TracePlace) -> bool,
    nodes: &mut BTreeMap<TracePlace, TraceNode>,
) -> TraceChild {
    let terms = place.to - place.from;
    let halves = (terms >= 512).then(|| {
        let middle = place.from + terms / 2;
        let left = grow(TracePlace { to: middle, ..place }, is_wrong, nodes);
        TraceHalves { middle, left, right: grow(TracePlace { from: middle, ..place }, is_wrong, nodes) }
    });
    let mut fingerprint = right(place);
    fingerprint.0[3] += u64::from(is_wrong(place));
    let node = TraceNode { from: place.from, to: place.to, fingerprint, halves };
    nodes.insert(place, node);
    node.as_child()
}

fn descend(winner: &Worker, dissenter: &Worker, committed: [Digest; 2]) -> Located {
    let mut descent = Descent::new(committed[0], committed[1]);
    for _ in 0..1_000 {
        match descent.step() {
            Step::AskBoth(question) => {
                descent.both_answered(winner.says(question).as_deref(), dissenter.says(question).as_deref());
            }
            Step::AskDissenter(question) => descent.dissenter_answered(dissenter.says(question).as_deref()),
            Step::Over(located) => return located,
        }
    }
    panic!("it does not end");
}

fn locate(winner: &Worker, dissenter: &Worker) -> Located {
    descend(winner, dissenter, [winner.commitment(), dissenter.commitment()])
}

/// The node of these two, at which they part.
fn node(place: TracePlace, trees: usize, both: [&Worker; 2]) -> Parting {
    let trees = u32::try_from(trees).expect("few");
    Parting::Node { place, trees, digests: both.map(|worker| worker.nodes[&place].digest()) }
}

/// As many terms as ten million digits of pi have.
const TERMS: u64 = 705_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_node_that_was_computed_wrongly_is_named_in_kilobytes(
        trees in prop::collection::vec(300_u64..40_000, 1..4),
        which in any::<prop::sample::Index>(),
    ) {
        let honest = Worker::honest(&trees);
        let places: Vec<TracePlace> = honest.nodes.keys().copied().collect();
        let at = places[which.index(places.len())];
        let mut broken = Worker::wrong_at(&trees, at);
        broken.again = broken.nodes[&at].fingerprint;
        let located = locate(&honest, &broken);
        prop_assert_eq!(located.parting, node(at, trees.len(), [&honest, &broken]));
        prop_assert_eq!(located.class, Some(FaultClass::Deterministic));
        prop_assert!(located.bytes < 8_192 && located.rounds < 12, "{:?}", located);
    }
}

#[test]
fn what_the_dissenter_computes_again_says_what_kind_of_fault_it_was() {
    let honest = Worker::honest(&[TERMS]);
    let at = *honest.nodes.keys().rfind(|place| place.to - place.from < 512).expect("a leaf");
    let broken = Worker::wrong_at(&[TERMS], at);
    for (again, class) in [
        (right(at), FaultClass::Transient),
        (broken.nodes[&at].fingerprint, FaultClass::Deterministic),
        (Fingerprint([9; 4]), FaultClass::Dishonest),
    ] {
        let located = locate(&honest, &Worker { again, ..broken.clone() });
        assert_eq!(located.parting, node(at, 1, [&honest, &broken]));
        assert_eq!(located.class, Some(class));
        assert!(located.bytes < 8_192 && located.rounds < 20, "{located:?}");
    }
}

#[test]
fn where_the_sums_agree_the_fault_came_after_them() {
    let honest = Worker::honest(&[TERMS, 5_000]);
    let located = locate(&honest, &honest);
    assert_eq!((located.parting, located.class, located.rounds), (Parting::AfterTheSeries, None, 1));
}

#[test]
fn traces_of_other_computations_are_not_compared() {
    let located = locate(&Worker::honest(&[5_000]), &Worker::honest(&[6_000]));
    assert_eq!((located.parting, located.class), (Parting::Unknown, None));
}

#[test]
fn a_dissenter_whose_answers_do_not_fit_its_ballot_is_dishonest_and_a_winner_proves_nothing() {
    let honest = Worker::honest(&[5_000]);
    let at = *honest.nodes.keys().rfind(|place| place.to - place.from < 512).expect("a leaf");
    let broken = Worker::wrong_at(&[5_000], at);
    let elsewhere = Digest::of(Domain::Trace, b"elsewhere");
    let class = descend(&honest, &broken, [honest.commitment(), elsewhere]).class;
    assert_eq!(class, Some(FaultClass::Dishonest));
    let unfit = descend(&honest, &broken, [elsewhere, broken.commitment()]);
    assert_eq!((unfit.parting, unfit.class), (Parting::Unknown, None));
    // It commits to one tree and answers from another, below the root.
    for place in broken.nodes.keys().filter(|place| place.from <= at.from && at.to <= place.to) {
        let mut liar = broken.clone();
        liar.nodes.insert(*place, honest.nodes[place]);
        let located = locate(&honest, &liar);
        assert_eq!(located.class, Some(FaultClass::Dishonest), "{place:?}");
        assert!(matches!(located.parting, Parting::Node { place: parted, .. } if parted == *place));
    }
}

#[test]
fn whoever_does_not_answer_ends_it() {
    let honest = Worker::honest(&[5_000]);
    let at = *honest.nodes.keys().rfind(|place| place.to - place.from < 512).expect("a leaf");
    let broken = Worker::wrong_at(&[5_000], at);
    for (place, node) in broken.nodes.iter().filter(|(place, _)| place.from <= at.from && at.to <= place.to) {
        let mut silent = broken.clone();
        silent.nodes.remove(place);
        assert_eq!(locate(&honest, &silent).class, Some(FaultClass::Unanswered), "{node:?}");
        let mut gone = honest.clone();
        gone.nodes.remove(place);
        assert_eq!(locate(&gone, &broken).class, None);
    }
}

#[test]
fn a_worker_that_went_on_from_a_checkpoint_is_compared_down_to_what_it_took() {
    let honest = Worker::honest(&[TERMS]);
    let at = *honest.nodes.keys().rfind(|place| place.to - place.from < 512).expect("a leaf");
    let broken = Worker::wrong_at(&[TERMS], at);
    let covers = |place: &&TracePlace| place.from <= at.from && at.to <= place.to;
    let taken = *broken.nodes.keys().filter(covers).nth(3).expect("the tree is deep");
    let is_below = |place: &TracePlace| place.from >= taken.from && place.to <= taken.to && *place != taken;
    let mut nodes = BTreeMap::new();
    let root = without(&broken, TracePlace { tree: 0, from: 1, to: 1 + TERMS }, taken, &mut nodes);
    let mut top = broken.top.clone();
    top.trees[0].root = root;
    assert!(!nodes.keys().any(is_below));
    let resumed = Worker { top, nodes, again: right(taken) };
    let located = locate(&honest, &resumed);
    assert_eq!(located.parting, node(taken, 1, [&honest, &resumed]));
    assert_eq!(located.class, Some(FaultClass::Transient));
}

/// The tree without what is below a node.
fn without(
    worker: &Worker,
    place: TracePlace,
    taken: TracePlace,
    nodes: &mut BTreeMap<TracePlace, TraceNode>,
) -> TraceChild {
    let mut node = worker.nodes[&place];
    node.halves = node.halves.filter(|_| place != taken).map(|halves| {
        let middle = halves.middle;
        let left = without(worker, TracePlace { to: middle, ..place }, taken, nodes);
        TraceHalves {
            middle,
            left,
            right: without(worker, TracePlace { from: middle, ..place }, taken, nodes),
        }
    });
    nodes.insert(place, node);
    node.as_child()
}
