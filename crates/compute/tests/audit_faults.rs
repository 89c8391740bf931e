//! A single wrong bit, planted anywhere in a computation whose own checks are off, is found by the audit.

use std::collections::BTreeMap;

use compute::{
    audit::{Finding, Processor, Witness, audit_by, is_auditable},
    control::{Control, FaultDrill, Site},
    engine::{EngineError, run_on_cpu_with_witness},
};
use protocol::{
    constant::{Constant, Formula},
    outcome::Outcome,
    series::{Hypergeometric, Polynomial, Ratio, SeriesFormula, Summand},
    task::Task,
};
use rayon::prelude::*;

const TRIALS: u64 = 10_000;
/// Sizes of the computations: one piece of decimals, several, and a few levels of merges.
const DECIMALS: [u64; 5] = [12, 50, 150, 420, 800];

const CONSTANTS: [Constant; 9] = [
    Constant::Pi,
    Constant::E,
    Constant::Sqrt(7),
    Constant::Sqrt(4_294_967_291),
    Constant::Ln2,
    Constant::Ln(10),
    Constant::Zeta3,
    Constant::Catalan,
    Constant::Lemniscate,
];

/// The digest of a counter: numbers that are the same in every run.
fn drawn(trial: u64, what: u64) -> u64 {
    let mut state = trial.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    for _ in 0..3 {
        state = (state ^ (state >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb) ^ (state >> 32);
    }
    state
}

/// A formula of a job's own that has everything: a root, a reciprocal and several series.
fn everything() -> SeriesFormula {
    let polynomial = |text| Polynomial::parse(text).unwrap();
    let series = |plus, p, q, a, b| Hypergeometric {
        first: 1,
        plus,
        p: polynomial(p),
        q: polynomial(q),
        a: polynomial(a),
        b: polynomial(b),
    };
    let ratio = |numerator, denominator| Ratio { numerator, denominator };
    SeriesFormula {
        times: ratio(7, 3),
        root: 11,
        inverts: true,
        summands: vec![
            Summand { times: ratio(-2, 5), series: series(-3, "-k", "9*(2*k+1)", "1", "1") },
            Summand { times: ratio(4, 3), series: series(2, "1", "k", "k^2+1", "2*k+1") },
            Summand { times: ratio(1, 9), series: series(1, "-(2*k-1)", "5*k", "3-k", "1") },
        ],
    }
}

/// What can be computed and audited.
fn computations() -> Vec<(Task, Formula)> {
    let mut all = Vec::new();
    for decimals in DECIMALS {
        for constant in CONSTANTS {
            let task = Task::Digits { constant, decimals };
            all.extend(constant.formulas().iter().map(|formula| (task.clone(), *formula)));
        }
        let formulas = Box::new([everything(), everything()]);
        let task = Task::Series { formulas, decimals };
        all.extend([(task.clone(), Formula::FirstSeries), (task, Formula::SecondSeries)]);
    }
    all.retain(|(task, formula)| is_auditable(task, *formula));
    all
}

/// What is known of a computation before anything is spoilt.
struct Sound {
    outcome: Outcome,
    /// How many results there are at each site.
    results: BTreeMap<&'static str, u64>,
}

fn blind(site: Site, number: u64, bit: u64) -> Control {
    Control::with_drill(FaultDrill { site, number, bit, repeats: true, noticed: false })
}

fn sound(task: &Task, formula: Formula) -> Sound {
    let mut results = BTreeMap::new();
    let mut outcomes = Site::ALL.map(|site| {
        let control = blind(site, u64::MAX, 0);
        let (outcome, _) = run_on_cpu_with_witness(task, formula, &control).unwrap();
        results.insert(site.name(), control.drilled_results());
        outcome
    });
    outcomes.rotate_left(1);
    let [outcome, others @ ..] = outcomes;
    assert!(others.iter().all(|other| *other == outcome));
    Sound { outcome, results }
}

/// What became of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The computation itself came to no end.
    NoOutcome,
    WrongAndFailed,
    RightAndPassed,
    /// The digits are right, and the fault is in the witness alone.
    RightAndFailed,
    WrongAndPassed,
}

fn trial(number: u64, computations: &[((Task, Formula), Sound)]) -> (&'static str, End) {
    let place = usize::try_from(drawn(number, 1) % computations.len() as u64).unwrap();
    let ((task, formula), sound) = &computations[place];
    let sites: Vec<Site> = Site::ALL.into_iter().filter(|site| sound.results[site.name()] > 0).collect();
    let which = usize::try_from(drawn(number, 2) % (sites.len() as u64 + 1)).unwrap();
    let seed: [u8; 32] = std::array::from_fn(|byte| drawn(number, 100 + byte as u64).to_le_bytes()[0]);
    let run = |control: &Control| run_on_cpu_with_witness(task, *formula, control);
    let (name, outcome, witness) = if let Some(site) = sites.get(which) {
        let control = blind(*site, drawn(number, 3) % sound.results[site.name()], drawn(number, 4));
        match run(&control) {
            Ok((outcome, witness)) => (site.name(), outcome.to_bytes(), witness),
            Err(EngineError::Cancelled(_)) => panic!("nobody cancelled"),
            Err(_) => return (site.name(), End::NoOutcome),
        }
    } else {
        let (outcome, witness) = run(&Control::default()).unwrap();
        let mut outcome = outcome.to_bytes();
        let bit = usize::try_from(drawn(number, 4) % (8 * outcome.len() as u64)).unwrap();
        outcome[bit / 8] ^= 1 << (bit % 8);
        ("stored outcome", outcome, witness)
    };
    let pieces = witness.as_ref().map(Witness::pieces);
    let evidence = (&outcome[..], pieces.as_deref());
    let finding = audit_by(&Processor, task, *formula, evidence, &seed, &Control::default()).unwrap();
    let end = match (outcome == sound.outcome.to_bytes(), finding) {
        (true, Finding::Passed { .. }) => End::RightAndPassed,
        (true, Finding::Failed(_)) => End::RightAndFailed,
        (false, Finding::Failed(_)) => End::WrongAndFailed,
        (false, Finding::Passed { .. }) => End::WrongAndPassed,
    };
    (name, end)
}

#[test]
fn a_single_wrong_bit_anywhere_is_caught_if_it_reaches_the_digits() {
    let computations: Vec<_> = computations()
        .into_par_iter()
        .map(|(task, formula)| {
            let sound = sound(&task, formula);
            ((task, formula), sound)
        })
        .collect();
    let ends: Vec<_> = (0..TRIALS).into_par_iter().map(|number| trial(number, &computations)).collect();
    let mut counts: BTreeMap<(&str, End), u64> = BTreeMap::new();
    for end in ends {
        *counts.entry(end).or_default() += 1;
    }
    println!("{counts:#?}");
    let count = |wanted: End| -> u64 {
        counts.iter().filter(|((_, end), _)| *end == wanted).map(|(_, count)| count).sum()
    };
    assert_eq!(count(End::WrongAndPassed), 0, "{counts:?}");
    // The trials are worth something: wrong digits came of faults at every site.
    for site in Site::ALL.map(Site::name).into_iter().chain(["stored outcome"]) {
        let caught = counts.get(&(site, End::WrongAndFailed)).copied().unwrap_or(0);
        assert!(caught >= 100, "only {caught} wrong outcomes by a fault at {site}: {counts:?}");
    }
    assert!(count(End::RightAndPassed) >= 10, "{counts:?}");
}
