//! A computation that is interrupted anywhere goes on where it was and gives the same bytes; a checkpoint that was changed in
//! any way is found out, or does no harm.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use compute::{
    checkpoint::{Checkpoints, Event, Shelf},
    constants::{DigitsError, digits, digits_with_witness},
    control::{Control, FaultDrill, Site},
};
use proptest::prelude::*;
use protocol::{
    constant::{Constant, Formula},
    digest::{Digest, Domain},
};

/// A shelf in memory that cuts the computation off after some pieces.
#[derive(Debug, Default)]
struct Memory {
    pieces: Mutex<BTreeMap<String, Vec<u8>>>,
    /// How many more pieces are kept before the computation is cut off.
    left: Mutex<u64>,
    control: Mutex<Control>,
    bytes_max: Option<u64>,
    told: Mutex<Vec<String>>,
}

impl Shelf for Memory {
    fn names(&self) -> Vec<String> {
        self.pieces.lock().unwrap().keys().cloned().collect()
    }

    fn read(&self, name: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
        let bytes = self.pieces.lock().unwrap().get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        assert!(bytes.len() as u64 <= bytes_max, "{name}: {} bytes, {bytes_max} expected", bytes.len());
        Ok(bytes)
    }

    fn write(
        &self,
        name: &str,
        bytes: u64,
        fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.bytes_max.is_some_and(|max| bytes > max) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut kept = Vec::new();
        fill(&mut kept)?;
        assert_eq!(kept.len() as u64, bytes, "a piece is as long as it says");
        self.pieces.lock().unwrap().insert(name.to_owned(), kept);
        let mut left = self.left.lock().unwrap();
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.control.lock().unwrap().cancel();
        }
        Ok(())
    }

    fn remove(&self, name: &str) {
        self.pieces.lock().unwrap().remove(name);
    }

    fn tell(&self, event: &Event<'_>) {
        let told = match event {
            Event::Resumed { kind, from, to } => format!("resumed {kind} {from} {to}"),
            Event::Kept { kind, from, to, .. } => format!("kept {kind} {from} {to}"),
            Event::Refused { fault, .. } => format!("refused: {fault}"),
            Event::Full { error } => format!("full: {error}"),
        };
        self.told.lock().unwrap().push(told);
    }
}

impl Memory {
    /// A shelf with these pieces, on which so many more are kept before the computation is cut off.
    fn with(pieces: BTreeMap<String, Vec<u8>>, left: u64) -> Arc<Self> {
        Arc::new(Self { pieces: Mutex::new(pieces), left: Mutex::new(left), ..Self::default() })
    }

    fn pieces(&self) -> BTreeMap<String, Vec<u8>> {
        self.pieces.lock().unwrap().clone()
    }

    fn told(&self, what: &str) -> usize {
        self.told.lock().unwrap().iter().filter(|line| line.starts_with(what)).count()
    }

    /// The control of a computation that uses this shelf.
    fn control(self: &Arc<Self>, every: Duration) -> Control {
        self.lend(Control::default(), every)
    }

    fn lend(self: &Arc<Self>, control: Control, every: Duration) -> Control {
        *self.control.lock().unwrap() = control.clone();
        control.keep_checkpoints(Checkpoints::new(self.clone(), every));
        control
    }
}

/// Computations of all kinds: trees, iterations, several of them at once.
const COMPUTATIONS: [(Constant, Formula, u64); 10] = [
    (Constant::Pi, Formula::Chudnovsky, 12_000),
    (Constant::Pi, Formula::GaussLegendre, 2_000),
    (Constant::Pi, Formula::ArcTangents, 2_000),
    (Constant::E, Formula::ContinuedFraction, 5_000),
    (Constant::E, Formula::FactorialSeries, 5_000),
    (Constant::Zeta3, Formula::AmdeberhanZeilberger, 2_000),
    (Constant::Catalan, Formula::Guillera, 1_500),
    (Constant::EulerGamma, Formula::BrentMcMillan, 1_000),
    (Constant::EulerGamma, Formula::Sweeney, 800),
    (Constant::GammaThird, Formula::GaussMean, 3_000),
];

type Computation = (Constant, Formula, u64);

fn plain((constant, formula, decimals): Computation) -> String {
    digits(constant, formula, decimals, &Control::default()).unwrap()
}

/// Computes with a shelf until it is done or cut off.
fn run(computation: Computation, shelf: &Arc<Memory>) -> Option<String> {
    let (constant, formula, decimals) = computation;
    match digits(constant, formula, decimals, &shelf.control(Duration::ZERO)) {
        Ok(text) => Some(text),
        Err(DigitsError::Cancelled(_)) => None,
        Err(other) => panic!("{computation:?}: {other}"),
    }
}

/// The pieces that are there when a computation is cut off after so many were kept.
fn cut_off(computation: Computation, after: u64) -> BTreeMap<String, Vec<u8>> {
    let shelf = Memory::with(BTreeMap::new(), after);
    run(computation, &shelf);
    shelf.pieces()
}

#[test]
fn each_kind_of_computation_keeps_pieces_and_goes_on_from_them() {
    for computation in COMPUTATIONS {
        let shelf = Memory::with(cut_off(computation, 3), u64::MAX);
        assert!(!shelf.pieces().is_empty(), "{computation:?}");
        assert_eq!(run(computation, &shelf), Some(plain(computation)), "{computation:?}");
        assert!(shelf.told("resumed") > 0, "{computation:?}: {:?}", shelf.told);
        assert_eq!(shelf.told("refused"), 0, "{computation:?}: {:?}", shelf.told);
    }
}

#[test]
fn a_finished_tree_is_one_piece_and_is_not_summed_again() {
    let computation = COMPUTATIONS[0];
    let first = Memory::with(BTreeMap::new(), u64::MAX);
    run(computation, &first).expect("nobody cuts it off");
    assert!(first.told("kept") > 3);
    assert_eq!(first.pieces().len(), 1, "{:?}", first.pieces().keys());
    let second = Memory::with(first.pieces(), u64::MAX);
    assert_eq!(run(computation, &second), Some(plain(computation)));
    assert_eq!((second.told("resumed"), second.told("kept")), (1, 0));
}

/// Chudnovsky's series, the fraction of e, and the sums of Bessel functions.
#[test]
fn a_tree_that_has_left_pieces_leaves_its_whole_however_little_was_lost_since() {
    for computation in [COMPUTATIONS[0], COMPUTATIONS[3], COMPUTATIONS[7]] {
        let (constant, formula, decimals) = computation;
        let seldom = |shelf: &Arc<Memory>| {
            digits(constant, formula, decimals, &shelf.control(Duration::from_hours(1))).unwrap()
        };
        let second = Memory::with(cut_off(computation, 3), u64::MAX);
        seldom(&second);
        assert!(second.told("resumed") > 0, "{computation:?}");
        assert_eq!(second.told("kept"), 1, "{computation:?}: {:?}", second.told);
        let third = Memory::with(second.pieces(), u64::MAX);
        assert_eq!(seldom(&third), plain(computation));
        assert_eq!((third.told("resumed"), third.told("kept")), (1, 0), "{computation:?}: {:?}", third.told);
    }
    // One that has left none is too short to leave any.
    let short = Memory::with(BTreeMap::new(), u64::MAX);
    let (constant, formula, decimals) = COMPUTATIONS[0];
    digits(constant, formula, decimals, &short.control(Duration::from_hours(1))).unwrap();
    assert_eq!(short.told("kept"), 0);
}

#[test]
fn pieces_of_another_precision_or_formula_are_left_alone() {
    let pieces = cut_off(COMPUTATIONS[0], 3);
    for other in [(Constant::Pi, Formula::Chudnovsky, 12_001), (Constant::Pi, Formula::Ramanujan, 12_000)] {
        let shelf = Memory::with(pieces.clone(), u64::MAX);
        assert_eq!(run(other, &shelf), Some(plain(other)));
        assert_eq!((shelf.told("resumed"), shelf.told("refused")), (0, 0), "{other:?}");
    }
}

#[test]
fn a_piece_that_belongs_elsewhere_is_refused() {
    let pieces = cut_off(COMPUTATIONS[0], 4);
    let mut names: Vec<String> = pieces.keys().cloned().collect();
    assert!(names.len() > 1, "{names:?}");
    names.rotate_left(1);
    let swapped = names.into_iter().zip(pieces.into_values()).collect();
    let shelf = Memory::with(swapped, u64::MAX);
    assert_eq!(run(COMPUTATIONS[0], &shelf), Some(plain(COMPUTATIONS[0])));
    assert!(shelf.told("refused: it belongs to another computation") > 1, "{:?}", shelf.told);
}

#[test]
fn a_computation_that_costs_little_keeps_nothing() {
    let shelf = Memory::with(BTreeMap::new(), u64::MAX);
    let control = shelf.control(Duration::from_hours(1));
    digits(Constant::Pi, Formula::Chudnovsky, 20_000, &control).unwrap();
    assert_eq!(shelf.told("kept"), 0);
}

#[test]
fn a_full_shelf_costs_the_checkpoint_and_nothing_else() {
    let shelf = Arc::new(Memory { bytes_max: Some(100), ..Memory::default() });
    assert_eq!(run(COMPUTATIONS[0], &shelf), Some(plain(COMPUTATIONS[0])));
    assert_eq!((shelf.told("full"), shelf.told("kept")), (1, 0));
}

/// The machine computed wrongly, nobody saw it, and it wrote down what it had.
#[test]
fn wrong_numbers_that_were_kept_are_seen_through_another_prime() {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for (computation, site) in [0, 3, 5, 7].map(|which| (COMPUTATIONS[which], Site::Merge)) {
        for number in [0, 1, 5] {
            let (constant, formula, decimals) = computation;
            let first = Memory::with(BTreeMap::new(), 1);
            let drill = FaultDrill { site, number, bit: 40, repeats: true, noticed: false };
            let control = first.lend(Control::with_drill(drill), Duration::ZERO);
            let cut_off = threads.install(|| digits(constant, formula, decimals, &control));
            assert!(matches!(cut_off, Err(DigitsError::Cancelled(_))));
            let second = Memory::with(first.pieces(), u64::MAX);
            assert_eq!(run(computation, &second), Some(plain(computation)));
            let told = second.told.lock().unwrap();
            let is_refused = |line: &String| line.ends_with("not those of the computation, modulo a prime");
            assert!(told.iter().any(is_refused), "{computation:?}, {number}: {told:?}");
        }
    }
}

#[test]
fn a_witness_is_the_same_after_an_interruption() {
    let (constant, formula, decimals) = COMPUTATIONS[0];
    let whole = digits_with_witness(constant, formula, decimals, &Control::default()).unwrap();
    let first = Memory::with(BTreeMap::new(), 5);
    let cut_off = digits_with_witness(constant, formula, decimals, &first.control(Duration::ZERO));
    assert!(matches!(cut_off, Err(DigitsError::Cancelled(_))));
    let second = Memory::with(first.pieces(), u64::MAX);
    let resumed = digits_with_witness(constant, formula, decimals, &second.control(Duration::ZERO));
    assert_eq!(resumed, Ok(whole));
    assert!(second.told("resumed") > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Cut off again and again, each time after some more pieces.
    #[test]
    fn a_computation_that_is_interrupted_anywhere_gives_the_same_bytes(
        which in 0..COMPUTATIONS.len(),
        cuts in prop::collection::vec(1_u64..12, 1..6),
    ) {
        let computation = COMPUTATIONS[which];
        let mut pieces = BTreeMap::new();
        for cut in cuts {
            let shelf = Memory::with(pieces, cut);
            if let Some(text) = run(computation, &shelf) {
                prop_assert_eq!(text, plain(computation));
            }
            prop_assert_eq!(shelf.told("refused"), 0);
            pieces = shelf.pieces();
        }
        let shelf = Memory::with(pieces, u64::MAX);
        prop_assert_eq!(run(computation, &shelf), Some(plain(computation)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A byte is changed or the end is missing, and the digest may have been made to fit again: whatever is used afterwards
    /// is right.
    #[test]
    fn a_damaged_piece_is_refused_and_never_gets_into_the_digits(
        which in prop::sample::select(vec![0_usize, 1, 3, 7]),
        place in any::<prop::sample::Index>(),
        piece in any::<prop::sample::Index>(),
        change in 1_u8..,
        (is_cut, is_sealed_again) in any::<(bool, bool)>(),
    ) {
        let computation = COMPUTATIONS[which];
        let mut pieces = cut_off(computation, 3);
        let name = pieces.keys().nth(piece.index(pieces.len())).unwrap().clone();
        let bytes = pieces.get_mut(&name).unwrap();
        let place = place.index(bytes.len());
        if is_cut {
            bytes.truncate(place);
        } else {
            bytes[place] ^= change;
        }
        if is_sealed_again && bytes.len() >= 32 {
            let sealed = bytes.len() - 32;
            let digest = Digest::of(Domain::Checkpoint, &bytes[..sealed]);
            bytes[sealed..].copy_from_slice(&digest.0);
        }
        let shelf = Memory::with(pieces, u64::MAX);
        prop_assert_eq!(run(computation, &shelf), Some(plain(computation)));
        // Bits of a bound that is better than it need be do no harm.
        prop_assert!(shelf.told("refused") == 1 || is_sealed_again, "{:?}", shelf.told);
    }
}
