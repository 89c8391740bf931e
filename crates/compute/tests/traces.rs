//! On which way a sum of series was computed: every run has the same trace, and a wrong stretch shows from its leaf to the root.

use compute::{
    constants::digits,
    control::{Control, SeriesDrill},
    trace::Trace,
};
use protocol::{
    constant::{Constant, Formula},
    trace::{Fingerprint, TraceNode, TracePlace, TraceQuestion, TraceTop, read_answer},
};

const DRILL: SeriesDrill = SeriesDrill { term: 1_000, bit: 17 };

fn traced(control: &Control, constant: Constant, formula: Formula, decimals: u64) -> Trace {
    let trace = Trace::default();
    control.keep_trace(trace.clone());
    digits(constant, formula, decimals, control).unwrap();
    trace
}

fn node(trace: &Trace, place: TracePlace) -> TraceNode {
    let answer = trace.answer(TraceQuestion::Node(place), &Control::default()).unwrap().unwrap();
    read_answer(&answer).unwrap()
}

fn again(trace: &Trace, place: TracePlace, control: &Control) -> Fingerprint {
    read_answer(&trace.answer(TraceQuestion::Again(place), control).unwrap().unwrap()).unwrap()
}

fn root(top: &TraceTop, tree: u32) -> TracePlace {
    let traced = &top.trees[tree as usize];
    TracePlace { tree, from: traced.from, to: traced.to }
}

#[test]
fn the_same_computation_has_the_same_trace_whatever_the_number_of_threads() {
    for (constant, formula, trees) in [
        (Constant::Pi, Formula::Chudnovsky, 1),
        (Constant::Pi, Formula::ArcTangents, 4),
        (Constant::GammaQuarter, Formula::Brown, 2),
    ] {
        let top = traced(&Control::default(), constant, formula, 10_000).top();
        let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let alone = threads.install(|| traced(&Control::default(), constant, formula, 10_000).top());
        assert_eq!(top, alone);
        assert_eq!((top.trees.len(), top.commitment().is_some()), (trees, true));
    }
}

#[test]
fn what_has_no_series_has_no_trace() {
    let top = traced(&Control::default(), Constant::Sqrt(7), Formula::IntegerRoot, 1_000).top();
    assert_eq!((top.trees.len(), top.commitment()), (0, None));
}

#[test]
fn a_wrong_stretch_differs_on_the_way_from_the_root_to_its_terms_and_nowhere_else() {
    let right = traced(&Control::default(), Constant::Pi, Formula::Chudnovsky, 40_000);
    let wrong = traced(&Control::with_series_drill(DRILL), Constant::Pi, Formula::Chudnovsky, 40_000);
    let mut open = vec![root(&right.top(), 0)];
    let mut leaves = Vec::new();
    while let Some(place) = open.pop() {
        let (one, other) = (node(&right, place), node(&wrong, place));
        let has_term = place.from <= DRILL.term && DRILL.term < place.to;
        assert_eq!(one.fingerprint != other.fingerprint, has_term, "{place:?}");
        assert_eq!(again(&right, place, &Control::default()), one.fingerprint, "{place:?}");
        match one.halves {
            Some(halves) => {
                let middle = halves.middle;
                open.extend([TracePlace { to: middle, ..place }, TracePlace { from: middle, ..place }]);
            }
            None => leaves.push(place),
        }
    }
    assert!(leaves.iter().all(|leaf| (256..1024).contains(&(leaf.to - leaf.from))), "{leaves:?}");
    let spoilt = leaves.iter().find(|leaf| leaf.from <= DRILL.term && DRILL.term < leaf.to).unwrap();
    let wrong_again = again(&wrong, *spoilt, &Control::with_series_drill(DRILL));
    assert_eq!(wrong_again, node(&wrong, *spoilt).fingerprint);
    assert_eq!(again(&wrong, *spoilt, &Control::default()), node(&right, *spoilt).fingerprint);
}

#[test]
fn a_place_that_is_no_node_has_no_answer() {
    let trace = traced(&Control::default(), Constant::Pi, Formula::Chudnovsky, 20_000);
    let whole = root(&trace.top(), 0);
    for place in [
        TracePlace { tree: 1, ..whole },
        TracePlace { from: 0, ..whole },
        TracePlace { to: u64::MAX, ..whole },
        TracePlace { from: whole.to, to: whole.from, ..whole },
    ] {
        for question in [TraceQuestion::Node(place), TraceQuestion::Again(place)] {
            assert_eq!(trace.answer(question, &Control::default()), Ok(None));
        }
    }
}
