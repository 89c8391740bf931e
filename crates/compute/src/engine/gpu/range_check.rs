//! The host's side of the kernel `range_check`: stretches of a range go out in dispatches, and what the kernel leaves is the
//! processor's, so that the answer is exact whatever the body.
//!
//! Dispatches are taken in order, workgroup by workgroup. One whose values are all true adds its sum. The few values that a
//! workgroup lists as left are computed here; where there are more, its whole stretch is. A workgroup with a false value
//! is dispatched once more up to the smallest, which ends the walk. Where much of a dispatch was left, so is
//! all that follows: the kernel would only be in the way.

use std::{collections::VecDeque, time::Instant};

use protocol::{expression::parse_body, limits::AGREE_DIGITS_MAX, outcome::RangeAnswer, task::Task};

use super::{
    GpuEngine,
    device::{Constants, Flight, IntegerConstants, KernelName},
    fault::GpuError,
    pace::Pace,
    shader::{Shader, WORKGROUP_INVOCATIONS},
};
use crate::{
    control::Control,
    expression::{End, Stretch, Walk},
    range_check::{LISTED_MAX, Program, Width},
};

/// How many dispatches the GPU has at once: one runs while the next waits and the one before is brought in.
const IN_FLIGHT_MAX: usize = 3;
/// Workgroups that a dispatch is spread over before invocations take more values: enough for the largest GPU.
const WORKGROUPS_AIMED_AT: u32 = 8192;
/// Values that an invocation takes at least, so that summing up within a workgroup does not count.
const VALUES_PER_INVOCATION_MIN: u32 = 16;
/// A task is given up where more than one value in so many of a dispatch was computed here.
const LEFT_SHARE_MAX: u64 = 4;
/// Words of 32 bits before the program.
pub(super) const HEAD_WORDS: usize = 8;
/// Words of 32 bits that a workgroup writes.
pub(super) const FOUND_WORDS: usize = 6 + LISTED_MAX;

/// What one dispatch computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dispatch {
    first: i128,
    values: u32,
    values_per_invocation: u32,
}

impl Dispatch {
    fn new(first: i128, values: u32, workgroups_max: u32) -> Self {
        let invocations = WORKGROUP_INVOCATIONS * WORKGROUPS_AIMED_AT.min(workgroups_max);
        let values_per_invocation = values.div_ceil(invocations).max(VALUES_PER_INVOCATION_MIN);
        Self { first, values, values_per_invocation }
    }

    fn values_per_workgroup(self) -> u32 {
        WORKGROUP_INVOCATIONS * self.values_per_invocation
    }

    fn workgroups(self) -> u32 {
        self.values.div_ceil(self.values_per_workgroup()).max(1)
    }

    /// A value by its place.
    fn value(self, place: u32) -> i128 {
        self.first + i128::from(place)
    }
}

/// What a workgroup found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    sum: u128,
    /// Places in the dispatch.
    first_false: Option<u32>,
    left: u32,
    listed: Vec<u32>,
}

impl Found {
    fn read(words: &[u32]) -> Self {
        let at = |place: usize| words.get(place).copied().unwrap_or_default();
        let sum = (0..4).rev().fold(0_u128, |sum, place| sum << 32 | u128::from(at(place)));
        let left = at(5);
        let count = usize::try_from(left).unwrap_or(LISTED_MAX).min(LISTED_MAX);
        let mut listed: Vec<u32> = (0..count).map(|place| at(6 + place)).collect();
        listed.sort_unstable();
        Self { sum, first_false: Some(at(4)).filter(|place| *place != u32::MAX), left, listed }
    }
}

/// A body on its way through a range.
struct Run<'a> {
    engine: &'a GpuEngine,
    program: &'a Program,
    code: Vec<u32>,
    walk: Walk<'a>,
    control: &'a Control,
    /// Values of the last dispatch that were computed here.
    left: u64,
}

/// Answers a task whose body has a kernel.
///
/// # Errors
/// Whatever is wrong with the device, and [`GpuError::NoKernel`] where the task is no such range.
pub(super) fn answer(engine: &GpuEngine, task: &Task, control: &Control) -> Result<RangeAnswer, GpuError> {
    let Task::Range { agree_digits, variable, body, first, last } = task else {
        return Err(GpuError::NoKernel);
    };
    let digits = (*agree_digits).clamp(1, AGREE_DIGITS_MAX);
    let expression = parse_body(body, variable).map_err(|_| GpuError::NoKernel)?;
    let program = Program::compile(&expression).ok_or(GpuError::NoKernel)?;
    let walk = Walk::new(&expression, digits, control);
    let code = program.to_words();
    let mut run = Run { engine, program: &program, code, walk, control, left: 0 };
    let mut total = run.walk_range(*first, *last)?;
    if engine.bit_flip {
        // The drill: one bit of what the kernel handed back.
        total.sum ^= 1 << 40;
    }
    control.set_permille(1000);
    Ok(total.answer(digits))
}

impl Run<'_> {
    fn walk_range(&mut self, first: i128, last: i128) -> Result<Stretch, GpuError> {
        let mut total = Stretch::default();
        let mut in_flight: VecDeque<(Dispatch, Flight)> = VecDeque::new();
        let mut pace = Pace::default();
        let mut next = Some(first).filter(|first| *first <= last);
        let mut landed = Instant::now();
        loop {
            self.control.check()?;
            if let Some(start) = next
                && in_flight.len() < IN_FLIGHT_MAX
            {
                if in_flight.is_empty() {
                    landed = Instant::now();
                }
                let beyond = u64::try_from(last.abs_diff(start)).unwrap_or(u64::MAX);
                let values = u32::try_from(beyond).unwrap_or(u32::MAX).saturating_add(1).min(pace.items());
                let dispatch = Dispatch::new(start, values, self.engine.device.workgroups_max());
                in_flight.push_back((dispatch, self.launch(dispatch)?));
                next = Some(dispatch.value(values - 1)).filter(|done| *done < last).map(|done| done + 1);
                continue;
            }
            let Some((dispatch, flight)) = in_flight.pop_front() else { break };
            let words = self.engine.device.land(flight)?;
            pace.learn(dispatch.values, landed.elapsed());
            landed = Instant::now();
            self.left = 0;
            total.append(self.settle(dispatch, &words)?);
            if total.end.is_some() {
                break;
            }
            self.tell_progress(first, dispatch.value(dispatch.values - 1), last);
            // What follows would be left as well, and a ballot must not name an engine that did a part of the work.
            if self.left * LEFT_SHARE_MAX > u64::from(dispatch.values) {
                return Err(GpuError::NoKernel);
            }
        }
        Ok(total)
    }

    fn tell_progress(&self, first: i128, done: i128, last: i128) {
        let part = done.abs_diff(first).saturating_mul(1000).checked_div(last.abs_diff(first).max(1));
        let permille = part.and_then(|part| u16::try_from(part).ok()).unwrap_or(999);
        self.control.set_permille(permille.min(999));
    }

    fn launch(&self, dispatch: Dispatch) -> Result<Flight, GpuError> {
        let width = self.program.width(dispatch.first, dispatch.value(dispatch.values.saturating_sub(1)));
        launch(self.engine, self.program, &self.code, width, dispatch)
    }

    /// What a dispatch that has landed came to, with what it left.
    fn settle(&mut self, dispatch: Dispatch, words: &[u32]) -> Result<Stretch, GpuError> {
        let mut total = Stretch::default();
        let mut first = 0;
        for found in words.chunks_exact(FOUND_WORDS).map(Found::read) {
            let values = dispatch.values_per_workgroup().min(dispatch.values - first);
            total.append(self.settle_workgroup(dispatch, first, values, &found)?);
            if total.end.is_some() {
                break;
            }
            first += values;
        }
        Ok(total)
    }

    fn settle_workgroup(
        &mut self,
        dispatch: Dispatch,
        first: u32,
        values: u32,
        found: &Found,
    ) -> Result<Stretch, GpuError> {
        let start = dispatch.value(first);
        if found.left == 0 && found.first_false.is_none() {
            return Ok(Stretch { sum: found.sum, ..Stretch::default() });
        }
        if found.listed.len() < usize::try_from(found.left).unwrap_or(usize::MAX) {
            self.left += u64::from(values);
            return Ok(self.walk.stretch(start, dispatch.value(first + values - 1))?);
        }
        let false_at = found.first_false.map(|place| dispatch.value(place));
        let mut left = Stretch::default();
        for value in found.listed.iter().map(|place| dispatch.value(*place)) {
            if false_at.is_some_and(|false_at| false_at < value) || left.end.is_some() {
                break;
            }
            self.left += 1;
            left.append(self.walk.chunk(value, value)?);
        }
        match (left.end.take(), false_at) {
            (None, None) => Ok(Stretch { sum: left.sum.wrapping_add(found.sum), ..left }),
            // The sum of what comes before the end is not known yet.
            (Some((value, end)), _) => {
                let before = self.sum_of(dispatch, start, value.abs_diff(start))?;
                Ok(Stretch {
                    sum: left.sum.wrapping_add(before),
                    open_at: left.open_at,
                    end: Some((value, end)),
                })
            }
            (None, Some(value)) => {
                let before = self.sum_of(dispatch, start, value.abs_diff(start) + 1)?;
                let end = Some((value, End::False));
                Ok(Stretch { sum: left.sum.wrapping_add(before), open_at: left.open_at, end })
            }
        }
    }

    /// The kernel's part of the sum of the first few values of a workgroup.
    fn sum_of(&self, dispatch: Dispatch, start: i128, values: u128) -> Result<u128, GpuError> {
        let values = u32::try_from(values).unwrap_or(u32::MAX).min(dispatch.values_per_workgroup());
        if values == 0 {
            return Ok(0);
        }
        let again = Dispatch { first: start, values, ..dispatch };
        let words = self.engine.device.land(self.launch(again)?)?;
        Ok(Found::read(&words).sum)
    }
}

fn launch(
    engine: &GpuEngine,
    program: &Program,
    code: &[u32],
    width: Width,
    dispatch: Dispatch,
) -> Result<Flight, GpuError> {
    let words = u8::try_from(width.words()).unwrap_or(4);
    let number_theory = Some(program.uses_number_theory());
    let kernel = KernelName {
        shader: Shader::RangeCheck,
        constants: Constants::Integers(IntegerConstants { words, number_theory }),
    };
    let mut input = Vec::with_capacity(4 * (HEAD_WORDS + code.len()));
    input.extend(dispatch.first.to_le_bytes());
    let head = [dispatch.values, dispatch.values_per_invocation, program.instruction_count(), 0];
    input.extend(head.iter().chain(code).flat_map(|word| word.to_le_bytes()));
    let workgroups = dispatch.workgroups();
    let output_bytes = u64::from(workgroups) * FOUND_WORDS as u64 * 4;
    engine.device.launch(kernel, &input, output_bytes, workgroups)
}

/// What the workgroups of one dispatch found, without anything that follows from it: for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeFound {
    /// The sum of what the settled values add.
    pub sum: u128,
    /// The smallest value at which the body is false.
    pub first_false: Option<i128>,
    /// How many values were left to the processor.
    pub left: u64,
    /// The first few of them that came in each workgroup, ascending.
    pub listed: Vec<i128>,
}

/// Runs a program at `values` values from `first` on, in one dispatch: for tests of odd sizes and of every width, and for
/// known answers. The width must be at least [`Program::least_width`] for the values.
///
/// # Errors
/// Whatever is wrong with the device.
pub fn check_in_one_dispatch(
    engine: &GpuEngine,
    program: &Program,
    width: Width,
    first: i128,
    values: u32,
) -> Result<RangeFound, GpuError> {
    let dispatch = Dispatch::new(first, values, engine.device.workgroups_max());
    let flight = launch(engine, program, &program.to_words(), width, dispatch)?;
    let words = engine.device.land(flight)?;
    let mut all = RangeFound { sum: 0, first_false: None, left: 0, listed: Vec::new() };
    for found in words.chunks_exact(FOUND_WORDS).map(Found::read) {
        all.sum = all.sum.wrapping_add(found.sum);
        all.first_false = all.first_false.or(found.first_false.map(|place| dispatch.value(place)));
        all.left += u64::from(found.left);
        all.listed.extend(found.listed.iter().map(|place| dispatch.value(*place)));
    }
    Ok(all)
}
