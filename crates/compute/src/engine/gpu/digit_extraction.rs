//! The host's side of the kernel `digit_extraction`: stretches of terms go out in dispatches, partial sums come back.
//!
//! The kernel takes the terms whose power of two is large; the last few, whose power sinks below one, are the CPU's.
//! Sums wrap, so neither the cut nor the order in which dispatches end changes a bit.

use std::{collections::VecDeque, ops::Range, time::Instant};

use protocol::digit_extraction::{DigitSeries, Fraction, HexTerms, SeriesComponent};

use super::{
    GpuEngine,
    device::{DigitConstants, Flight, KernelName},
    fault::GpuError,
    pace::Pace,
    shader::{Shader, WORKGROUP_INVOCATIONS},
};
use crate::{control::Control, digit_extraction::reference_sum};

/// How many dispatches the GPU has at once: one runs while the next waits and the one before is brought in.
const IN_FLIGHT_MAX: usize = 3;
/// Workgroups that a dispatch is spread over before invocations take more than one term: enough for the largest GPU.
const WORKGROUPS_AIMED_AT: u32 = 8192;
/// The least power of two that the kernel takes: the even part of a denominator below 2^63 is taken off it.
const EXPONENT_MIN: i128 = 63;
/// Words of 32 bits in one partial sum.
const SUM_WORDS: usize = 8;

/// What one dispatch computes; fields as in the shader's `Stretch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    base: u64,
    exponent: u64,
    step: u32,
    bits_per_term: u32,
    power: u32,
    alternates: bool,
    parity: u32,
    terms: u32,
    terms_per_invocation: u32,
    /// Which of the compiled kernels computes it.
    constants: DigitConstants,
}

/// Words of 32 bits in a [`Stretch`] as the shader lays it out.
pub(super) const STRETCH_WORDS: usize = 12;

impl Stretch {
    /// The terms from `first` on; none where a number leaves its type, which no checked task brings about.
    fn new(
        task: &HexTerms,
        component: &SeriesComponent,
        first: u64,
        terms: u32,
        workgroups_max: u32,
    ) -> Option<Self> {
        let invocations = WORKGROUP_INVOCATIONS * WORKGROUPS_AIMED_AT.min(workgroups_max);
        let last = component.denominator(first.checked_add(terms.saturating_sub(1).into())?)?;
        let narrow = u32::try_from(last).is_ok();
        let radix_bits = if narrow { u32::BITS } else { u64::BITS };
        let exponent = task.exponent(component, first) - i128::from(radix_bits);
        Some(Self {
            base: u64::from(component.step).checked_mul(first)?.checked_add(component.start.into())?,
            exponent: u64::try_from(exponent).ok()?,
            step: component.step,
            bits_per_term: task.series.bits_per_term,
            power: component.power,
            alternates: component.alternates,
            parity: u32::from(first % 2 == 1),
            terms,
            terms_per_invocation: terms.div_ceil(invocations).max(1),
            constants: DigitConstants { limbs: u8::try_from(task.limbs()).ok()?, narrow },
        })
    }

    fn workgroups(&self) -> u32 {
        self.terms.div_ceil(self.terms_per_invocation).div_ceil(WORKGROUP_INVOCATIONS).max(1)
    }

    fn to_bytes(self) -> Vec<u8> {
        let exponent_bits = u64::BITS - self.exponent.leading_zeros();
        let mut bytes = Vec::with_capacity(STRETCH_WORDS * 4);
        bytes.extend(self.base.to_le_bytes());
        bytes.extend(self.exponent.to_le_bytes());
        let words = [
            self.step,
            self.bits_per_term,
            self.power,
            u32::from(self.alternates),
            self.parity,
            self.terms,
            self.terms_per_invocation,
            exponent_bits,
        ];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes
    }
}

/// Sums the terms of a checked task.
///
/// # Errors
/// Whatever is wrong with the device, and [`GpuError::NoKernel`] for a task that is out of bounds.
pub(super) fn sum(engine: &GpuEngine, task: &HexTerms, control: &Control) -> Result<Fraction, GpuError> {
    task.check().map_err(|_| GpuError::NoKernel)?;
    let mut total = vec![0_u64; task.limbs()];
    let mut progress = Progress { control, done: 0, all: task.evaluations().max(1) };
    for component in &task.series.components {
        let end = end_of_kernel(task, component);
        let first = task.first_term.min(end);
        let mut part = sum_of_component(engine, task, component, first..end, &mut progress)?;
        multiply(&mut part, component.coefficient);
        add(&mut total, &part);
        if end < task.end_term {
            add(&mut total, &tail(task, component, end)?);
        }
    }
    control.set_permille(1000);
    Ok(Fraction::from_limbs(&total))
}

/// The first k, within the task, that is left to the CPU.
fn end_of_kernel(task: &HexTerms, component: &SeriesComponent) -> u64 {
    let at_zero = task.exponent(component, 0) - i128::from(task.fraction_bits);
    let enough = at_zero - EXPONENT_MIN;
    if enough < 0 {
        return task.first_term;
    }
    let terms = enough / i128::from(task.series.bits_per_term.max(1)) + 1;
    u64::try_from(terms).unwrap_or(u64::MAX).clamp(task.first_term, task.end_term)
}

fn tail(task: &HexTerms, component: &SeriesComponent, first_term: u64) -> Result<Vec<u64>, GpuError> {
    let series = DigitSeries { bits_per_term: task.series.bits_per_term, components: vec![*component] };
    let rest = HexTerms { series, first_term, ..task.clone() };
    Ok(reference_sum(&rest).map_err(|_| GpuError::NoKernel)?.limbs())
}

struct Progress<'a> {
    control: &'a Control,
    done: u64,
    all: u64,
}

impl Progress<'_> {
    fn add(&mut self, terms: u32) {
        self.done += u64::from(terms);
        let permille = u128::from(self.done) * 1000 / u128::from(self.all);
        self.control.set_permille(u16::try_from(permille).unwrap_or(999).min(999));
    }
}

fn sum_of_component(
    engine: &GpuEngine,
    task: &HexTerms,
    component: &SeriesComponent,
    terms: Range<u64>,
    progress: &mut Progress<'_>,
) -> Result<Vec<u64>, GpuError> {
    let mut total = vec![0_u64; task.limbs()];
    let mut in_flight: VecDeque<(u32, Flight)> = VecDeque::new();
    let mut next = terms.start;
    let mut landed = Instant::now();
    while next < terms.end || !in_flight.is_empty() {
        progress.control.check()?;
        if next < terms.end && in_flight.len() < IN_FLIGHT_MAX {
            if in_flight.is_empty() {
                landed = Instant::now();
            }
            let count = terms.end - next;
            let count = u32::try_from(count).unwrap_or(u32::MAX).min(engine.pace().items());
            let stretch = Stretch::new(task, component, next, count, engine.device.workgroups_max())
                .ok_or(GpuError::NoKernel)?;
            in_flight.push_back((count, launch(engine, stretch)?));
            next += u64::from(count);
        } else if let Some((count, flight)) = in_flight.pop_front() {
            let words = engine.device.land(flight)?;
            engine.learn(count, landed.elapsed());
            landed = Instant::now();
            gather(&mut total, &words);
            progress.add(count);
        }
    }
    if engine.bit_flip
        && let Some(highest) = total.last_mut()
    {
        // The drill: one bit of what the kernel handed back.
        *highest ^= 1 << 40;
    }
    Ok(total)
}

fn launch(engine: &GpuEngine, stretch: Stretch) -> Result<Flight, GpuError> {
    let kernel =
        KernelName { shader: Shader::DigitExtraction, digits: Some(stretch.constants), series: None };
    let workgroups = stretch.workgroups();
    let output_bytes = u64::from(workgroups) * SUM_WORDS as u64 * 4;
    engine.device.launch(kernel, &stretch.to_bytes(), output_bytes, workgroups)
}

/// Adds the partial sums of the workgroups.
fn gather(total: &mut [u64], words: &[u32]) {
    for sum in words.chunks_exact(SUM_WORDS) {
        let (pairs, _) = sum.as_chunks::<2>();
        let limbs: Vec<u64> =
            pairs.iter().map(|[low, high]| u64::from(*low) | u64::from(*high) << 32).collect();
        add(total, &limbs);
    }
}

/// Adds modulo 2^(64 n), where n is the length of `total`.
fn add(total: &mut [u64], other: &[u64]) {
    let mut carry = false;
    for (limb, more) in total.iter_mut().zip(other) {
        let (sum, over) = limb.overflowing_add(*more);
        let (sum, over_again) = sum.overflowing_add(u64::from(carry));
        (*limb, carry) = (sum, over || over_again);
    }
}

/// Multiplies modulo 2^(64 n), where n is the length of `limbs`.
fn multiply(limbs: &mut [u64], by: i32) {
    let mut carry = 0_u64;
    for limb in limbs.iter_mut() {
        let (low, high) = limb.carrying_mul(by.unsigned_abs().into(), carry);
        (*limb, carry) = (low, high);
    }
    if by < 0 {
        for limb in limbs.iter_mut() {
            *limb = !*limb;
        }
        let mut one = vec![0; limbs.len()];
        if let Some(lowest) = one.first_mut() {
            *lowest = 1;
        }
        add(limbs, &one);
    }
}

/// Sums `terms` terms of one component without learning or progress, in one dispatch: for tests of odd sizes.
///
/// # Errors
/// Whatever is wrong with the device, and [`GpuError::NoKernel`] where a term is out of the kernel's bounds.
pub fn sum_in_one_dispatch(
    engine: &GpuEngine,
    task: &HexTerms,
    component: &SeriesComponent,
    terms: u32,
) -> Result<Vec<u32>, GpuError> {
    let stretch = Stretch::new(task, component, task.first_term, terms, engine.device.workgroups_max())
        .ok_or(GpuError::NoKernel)?;
    engine.device.land(launch(engine, stretch)?)
}

/// How the engine keeps the pace of a kernel.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    pub(super) pace: Pace,
    /// Terms and seconds since the start, for the rate.
    pub(super) measured: (u64, f64),
}
