//! The host's side of the kernels `residues` and `series_residues`: programs, stretches and moduli go out in dispatches,
//! residues come back and are joined.
//!
//! How much goes out at once follows the pace of each kernel; a stretch is cut over the invocations and joined again in
//! order, which changes no residue. Programs that the kernel has no room for are the twin's.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::PoisonError,
    time::{Duration, Instant},
};

use rayon::prelude::*;
use rug::{Integer, integer::Order};

use super::{
    GpuEngine,
    device::{Flight, KernelName, SeriesConstants},
    fault::GpuError,
    pace::Pace,
    shader::{Shader, WORKGROUP_INVOCATIONS},
};
use crate::{
    control::Control,
    residues::{self, HypergeometricSeries, Modulus, Program, Step, StretchResidues, check_stretch},
};

/// How many dispatches the GPU has at once.
const IN_FLIGHT_MAX: usize = 3;
/// Workgroups that a stretch is spread over before invocations take more terms: enough for the largest GPU.
const WORKGROUPS_AIMED_AT: u32 = 4096;
/// Fewest terms that are worth the beginning of an invocation.
const TERMS_PER_INVOCATION_MIN: u32 = 64;
/// Most moduli in one dispatch of a series.
const MODULI_AT_ONCE_MAX: usize = 4096;
/// Most residues in one dispatch of programs.
const RESIDUES_AT_ONCE_MAX: usize = 1 << 20;
/// Most pairs of 32-bit words that one dispatch of programs reads.
const PAIRS_MAX: usize = 1 << 20;
/// Most values on a kernel's stack, as in the shader.
const DEPTH_MAX: usize = 32;
/// Most products of a program that the kernel runs: no invocation can be cut.
const PRODUCTS_MAX: u64 = 1 << 15;
/// Words of 32 bits in a [`StretchResidues`].
const SUM_WORDS: usize = 8;

/// How much each kernel gets at once: products of programs, and terms times moduli of series.
#[derive(Debug, Default)]
pub(super) struct ResiduePaces {
    programs: Pace,
    series: Pace,
}

impl GpuEngine {
    /// The residue of each program modulo each of `moduli`, as [`residues::residues`] gives them.
    ///
    /// # Errors
    /// [`GpuError::Cancelled`] changes nothing; after any other the engine is out of service.
    pub fn residues(
        &self,
        programs: &[Program],
        moduli: &[Modulus],
        control: &Control,
    ) -> Result<Vec<Vec<u64>>, GpuError> {
        self.ready(control)?;
        let mut rows = vec![vec![0; moduli.len()]; programs.len()];
        let (fitting, others): (Vec<usize>, Vec<usize>) =
            (0..programs.len()).partition(|number| programs.get(*number).is_some_and(fits));
        let chosen: Vec<&Program> = fitting.iter().filter_map(|number| programs.get(*number)).collect();
        let mut next = Place { program: 0, modulus: 0 };
        let mut in_flight: VecDeque<(Block, Flight)> = VecDeque::new();
        let mut landed = Instant::now();
        while (next.program < chosen.len() && !moduli.is_empty()) || !in_flight.is_empty() {
            control.check()?;
            if next.program < chosen.len() && in_flight.len() < IN_FLIGHT_MAX {
                if in_flight.is_empty() {
                    landed = Instant::now();
                }
                let block =
                    Block::next(&chosen, moduli.len(), next, self.residue_pace(|paces| paces.programs));
                in_flight.push_back((block.clone(), self.launch_programs(&chosen, moduli, &block)?));
                next = block.end(moduli.len());
            } else if let Some((block, flight)) = in_flight.pop_front() {
                let words = self.device.land(flight)?;
                self.learn_residues(|paces| &mut paces.programs, block.products, landed.elapsed());
                landed = Instant::now();
                for (number, residues) in fitting[block.programs.clone()]
                    .iter()
                    .zip(words.chunks_exact(2 * block.moduli.len().max(1)))
                {
                    let (pairs, _) = residues.as_chunks::<2>();
                    for (residue, pair) in rows[*number][block.moduli.clone()].iter_mut().zip(pairs) {
                        *residue = joined_pair(*pair);
                    }
                }
                control.set_permille(permille(block.programs.end, chosen.len()).min(999));
            }
        }
        let left: Vec<Program> = others.iter().filter_map(|number| programs.get(*number).cloned()).collect();
        if !left.is_empty() {
            for (number, row) in others.iter().zip(residues::residues(&left, moduli, control)?) {
                rows[*number] = row;
            }
        }
        self.turn_a_bit(rows.first_mut().and_then(|row| row.first_mut()));
        control.set_permille(1000);
        Ok(rows)
    }

    /// P, Q, B and T of the terms in `stretch` modulo each of `moduli`, as [`residues::series_residues`] gives them.
    ///
    /// # Errors
    /// [`GpuError::NoKernel`] for a stretch that is out of bounds, and [`GpuError::Cancelled`], change nothing; after any
    /// other the engine is out of service.
    pub fn series_residues(
        &self,
        series: &HypergeometricSeries,
        stretch: Range<u64>,
        moduli: &[Modulus],
        control: &Control,
    ) -> Result<Vec<StretchResidues>, GpuError> {
        self.ready(control)?;
        check_stretch(stretch.start, stretch.end).map_err(|_| GpuError::NoKernel)?;
        let mut sums = Vec::with_capacity(moduli.len());
        for some in moduli.chunks(MODULI_AT_ONCE_MAX) {
            let all = (sums.len(), moduli.len());
            sums.extend(self.stretch_residues(series, stretch.clone(), some, control, all)?);
        }
        self.turn_a_bit(sums.first_mut().map(|sum| &mut sum.t));
        control.set_permille(1000);
        Ok(sums)
    }

    fn stretch_residues(
        &self,
        series: &HypergeometricSeries,
        stretch: Range<u64>,
        moduli: &[Modulus],
        control: &Control,
        (moduli_done, moduli_all): (usize, usize),
    ) -> Result<Vec<StretchResidues>, GpuError> {
        let table = SeriesTable::new(series, moduli);
        let mut sums = vec![StretchResidues::EMPTY; moduli.len()];
        let mut in_flight: VecDeque<(Cut, Flight)> = VecDeque::new();
        let (mut next, mut landed) = (stretch.start, Instant::now());
        while next < stretch.end || !in_flight.is_empty() {
            control.check()?;
            if next < stretch.end && in_flight.len() < IN_FLIGHT_MAX {
                if in_flight.is_empty() {
                    landed = Instant::now();
                }
                let items = self.residue_pace(|paces| paces.series).items();
                let cut =
                    Cut::new(next, stretch.end - next, moduli.len(), items, self.device.workgroups_max());
                in_flight.push_back((cut, self.launch_stretch(&table, cut)?));
                next += u64::from(cut.terms);
            } else if let Some((cut, flight)) = in_flight.pop_front() {
                let words = self.device.land(flight)?;
                self.learn_residues(|paces| &mut paces.series, cut.items(), landed.elapsed());
                landed = Instant::now();
                let pieces = words.chunks_exact(SUM_WORDS * cut.pieces as usize);
                for ((sum, modulus), pieces) in sums.iter_mut().zip(moduli).zip(pieces) {
                    *sum = sum.joined(all_joined(pieces, modulus), modulus);
                }
                let terms_done = cut.first + u64::from(cut.terms) - stretch.start;
                let part = u128::from(terms_done) * 1000 / u128::from(stretch.end - stretch.start);
                let part = usize::try_from(part).unwrap_or(1000) * moduli.len();
                control.set_permille(permille(1000 * moduli_done + part, 1000 * moduli_all).min(999));
            }
        }
        Ok(sums)
    }

    fn ready(&self, control: &Control) -> Result<(), GpuError> {
        control.check()?;
        self.device.check().map_err(|_| GpuError::OutOfService { device: self.device_name().to_owned() })
    }

    fn launch_programs(
        &self,
        programs: &[&Program],
        moduli: &[Modulus],
        block: &Block,
    ) -> Result<Flight, GpuError> {
        let input = batch_bytes(&programs[block.programs.clone()], &moduli[block.moduli.clone()]);
        let count = block.programs.len() * block.moduli.len();
        let kernel = KernelName { shader: Shader::Residues, digits: None, series: None };
        self.device.launch(kernel, &input, 8 * count as u64, workgroups(count))
    }

    fn launch_stretch(&self, table: &SeriesTable, cut: Cut) -> Result<Flight, GpuError> {
        let count = table.moduli * cut.pieces as usize;
        let kernel =
            KernelName { shader: Shader::SeriesResidues, digits: None, series: Some(table.constants) };
        let output_bytes = (count * SUM_WORDS * 4) as u64;
        self.device.launch(kernel, &table.bytes_of(cut), output_bytes, workgroups(count))
    }

    fn residue_pace(&self, which: impl Fn(&ResiduePaces) -> Pace) -> Pace {
        which(&self.residue_paces.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn learn_residues(&self, which: impl Fn(&mut ResiduePaces) -> &mut Pace, items: u64, elapsed: Duration) {
        let mut paces = self.residue_paces.lock().unwrap_or_else(PoisonError::into_inner);
        which(&mut paces).learn(u32::try_from(items).unwrap_or(u32::MAX), elapsed);
    }

    /// The drill: one bit of what a kernel handed back.
    fn turn_a_bit(&self, residue: Option<&mut u64>) {
        if self.bit_flip
            && let Some(residue) = residue
        {
            *residue ^= 1;
        }
    }
}

fn workgroups(invocations: usize) -> u32 {
    u32::try_from(invocations).unwrap_or(u32::MAX).div_ceil(WORKGROUP_INVOCATIONS)
}

fn permille(done: usize, all: usize) -> u16 {
    u16::try_from(done * 1000 / all.max(1)).unwrap_or(1000)
}

fn joined_pair([low, high]: [u32; 2]) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// Whether the kernel has room for a program.
fn fits(program: &Program) -> bool {
    program.depth() <= DEPTH_MAX && program.products() <= PRODUCTS_MAX && pairs(program) <= PAIRS_MAX / 4
}

/// How many pairs a program takes in a batch.
fn pairs(program: &Program) -> usize {
    let words = program.steps().iter().map(|step| match step {
        Step::Constant(value) | Step::Power(value) => value.significant_digits::<u64>(),
        _ => 0,
    });
    1 + 2 * program.steps().len() + words.sum::<usize>()
}

#[derive(Debug, Clone, Copy)]
struct Place {
    program: usize,
    modulus: usize,
}

/// What one dispatch of programs computes: either several programs modulo all, or one modulo some.
#[derive(Debug, Clone)]
struct Block {
    programs: Range<usize>,
    moduli: Range<usize>,
    products: u64,
}

impl Block {
    /// The next block from a place on, at least one residue.
    fn next(programs: &[&Program], moduli: usize, from: Place, pace: Pace) -> Self {
        let most = u64::from(pace.items());
        let cost = |program: usize| programs.get(program).map_or(1, |program| program.products().max(1));
        let first = cost(from.program);
        if from.modulus > 0 || first * moduli as u64 > most || moduli > RESIDUES_AT_ONCE_MAX {
            let some = usize::try_from(most / first).unwrap_or(1).clamp(1, RESIDUES_AT_ONCE_MAX);
            let end = moduli.min(from.modulus + some);
            let products = first * (end - from.modulus) as u64;
            return Self { programs: from.program..from.program + 1, moduli: from.modulus..end, products };
        }
        let (mut end, mut products, mut held) = (from.program, 0, 0);
        while let Some(program) = programs.get(end) {
            let more = cost(end) * moduli as u64;
            held += pairs(program);
            let is_full = products + more > most
                || held > PAIRS_MAX
                || (end + 1 - from.program) * moduli > RESIDUES_AT_ONCE_MAX;
            if is_full && end > from.program {
                break;
            }
            products += more;
            end += 1;
        }
        Self { programs: from.program..end, moduli: 0..moduli, products }
    }

    /// Where the block that follows begins.
    fn end(&self, moduli: usize) -> Place {
        if self.moduli.end < moduli {
            Place { program: self.programs.start, modulus: self.moduli.end }
        } else {
            Place { program: self.programs.end, modulus: 0 }
        }
    }
}

/// A `Batch` as the shader lays it out.
fn batch_bytes(programs: &[&Program], moduli: &[Modulus]) -> Vec<u8> {
    let mut table: Vec<[u32; 2]> = Vec::new();
    let (mut steps, mut words): (Vec<[u32; 2]>, Vec<u64>) = (Vec::new(), Vec::new());
    for program in programs {
        let first = index(steps.len() / 2);
        for step in program.steps() {
            let from = index(words.len());
            let mut take = |value: &Integer| words.extend(value.to_digits::<u64>(Order::Msf));
            let what = match step {
                Step::Constant(value) => {
                    take(value);
                    [0, u32::from(*value < 0)]
                }
                Step::Add => [1, 0],
                Step::Subtract => [2, 0],
                Step::Multiply => [3, 0],
                Step::Negate => [4, 0],
                Step::Power(exponent) => {
                    take(exponent);
                    [5, 0]
                }
            };
            steps.extend([what, [from, index(words.len())]]);
        }
        table.push([first, index(steps.len() / 2)]);
    }
    let programs_at = 3 * moduli.len();
    let steps_at = programs_at + table.len();
    let words_at = steps_at + steps.len();
    let header = [programs.len(), moduli.len(), programs_at, steps_at, words_at, 0].map(index);
    let mut bytes: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(moduli.iter().flat_map(modulus_words).flat_map(u64::to_le_bytes));
    bytes.extend(table.iter().chain(&steps).flatten().flat_map(|word| word.to_le_bytes()));
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes
}

/// Places in a batch, which [`PAIRS_MAX`] and the other bounds keep far below 2^32.
fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

fn modulus_words(modulus: &Modulus) -> [u64; 3] {
    [modulus.value(), modulus.inverse(), modulus.square()]
}

/// A series modulo some numbers, as the kernel reads it.
struct SeriesTable {
    constants: SeriesConstants,
    moduli: usize,
    rows: Vec<u8>,
}

impl SeriesTable {
    fn new(series: &HypergeometricSeries, moduli: &[Modulus]) -> Self {
        let polynomials = series.polynomials();
        // The polynomial that is 1 has no coefficient there, and the one that is zero a zero.
        let counts = polynomials.map(|polynomial| {
            let count = polynomial.coefficients().len().max(1);
            if polynomial.is_one() { 0 } else { u8::try_from(count).unwrap_or(u8::MAX) }
        });
        let mut rows = Vec::new();
        for modulus in moduli {
            rows.extend(modulus_words(modulus).into_iter().flat_map(u64::to_le_bytes));
            for (polynomial, count) in polynomials.iter().zip(counts) {
                let forms = polynomial.coefficients().iter().map(|coefficient| modulus.form_of(coefficient));
                let padded = forms.chain(std::iter::repeat(0)).take(count.into());
                rows.extend(padded.flat_map(u64::to_le_bytes));
            }
        }
        Self { constants: SeriesConstants(counts), moduli: moduli.len(), rows }
    }

    fn bytes_of(&self, cut: Cut) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24 + self.rows.len());
        bytes.extend(cut.first.to_le_bytes());
        let words = [cut.terms, cut.terms_per_invocation, cut.pieces, index(self.moduli)];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(&self.rows);
        bytes
    }
}

/// The terms of one dispatch of a series.
#[derive(Debug, Clone, Copy)]
struct Cut {
    first: u64,
    terms: u32,
    terms_per_invocation: u32,
    pieces: u32,
    moduli: u32,
}

impl Cut {
    fn new(first: u64, terms_left: u64, moduli: usize, items: u32, workgroups_max: u32) -> Self {
        let moduli = index(moduli).max(1);
        let terms = (items / moduli).max(TERMS_PER_INVOCATION_MIN);
        let terms = u32::try_from(terms_left).unwrap_or(u32::MAX).min(terms);
        let invocations = WORKGROUP_INVOCATIONS * WORKGROUPS_AIMED_AT.min(workgroups_max);
        let pieces = (invocations / moduli).clamp(1, terms.div_ceil(TERMS_PER_INVOCATION_MIN));
        let terms_per_invocation = terms.div_ceil(pieces);
        Self { first, terms, terms_per_invocation, pieces: terms.div_ceil(terms_per_invocation), moduli }
    }

    fn items(self) -> u64 {
        u64::from(self.terms) * u64::from(self.moduli)
    }
}

/// The pieces of one modulus, joined in their order.
fn all_joined(words: &[u32], modulus: &Modulus) -> StretchResidues {
    words
        .par_chunks_exact(SUM_WORDS)
        .with_min_len(1024)
        .map(|words| {
            let (pairs, _) = words.as_chunks::<2>();
            let at = |place: usize| pairs.get(place).copied().map_or(0, joined_pair);
            StretchResidues { p: at(0), q: at(1), b: at(2), t: at(3) }
        })
        .reduce(|| StretchResidues::EMPTY, |left, right| left.joined(right, modulus))
}
