//! One target under a number of inputs: caught, measured, and named where it breaks.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use fuzz::{Reading, Target, mutation::Mutator};
use nix::time::{ClockId, clock_gettime};

/// Most processor time for an input, in the long tests.
const TIME_MAX: Duration = Duration::from_millis(100);
/// Most bytes of an input that a message shows.
const SHOWN_BYTES_MAX: usize = 600;

pub(crate) struct Trial {
    target: &'static Target,
    watches_time: bool,
}

impl Trial {
    pub(crate) fn of(name: &str) -> Self {
        let target = fuzz::target(name).unwrap_or_else(|| panic!("no target is named {name}"));
        Self { target, watches_time: false }
    }

    pub(crate) fn watching_time(self) -> Self {
        Self { watches_time: true, ..self }
    }

    /// Feeds the seeds, which are values all, and then so many inputs.
    pub(crate) fn run(&self, inputs: u64) {
        let seeds = (self.target.seeds)();
        assert!(!seeds.is_empty(), "{} has no seed", self.target.name);
        for seed in &seeds {
            // Once before it is measured: what is made at the first use is nobody's cost.
            assert_eq!((self.target.read)(seed), Reading::Value, "a seed was refused: {}", shown(seed));
            self.try_one("a seed", seed);
        }
        let mut mutator = Mutator::new(seeds, 1);
        let mut values = 0;
        let mut slowest = (Duration::ZERO, 0);
        let mut largest = (0, 0, 0);
        for number in 0..inputs {
            let input = mutator.next_input();
            let (reading, bytes, time) = self.try_one(&format!("input {number}"), &input);
            values += u64::from(reading == Reading::Value);
            slowest = slowest.max((time, number));
            largest = largest.max((bytes, input.len(), number));
        }
        assert!(values < inputs, "no input was damaged");
        println!(
            "{}: {inputs} inputs, {values} of them values; most memory {} bytes (input {} of {} bytes); slowest {} us \
             (input {})",
            self.target.name,
            largest.0,
            largest.2,
            largest.1,
            slowest.0.as_micros(),
            slowest.1
        );
    }

    /// Tries one input; whoever breaks it is told which it was.
    fn try_one(&self, which: &str, input: &[u8]) -> (Reading, usize, Duration) {
        let name = self.target.name;
        let (reading, bytes, mut time) = self.measure(which, input);
        let bytes_max = self.target.memory.bytes_max(input.len());
        assert!(
            bytes <= bytes_max,
            "{name}, {which}: {} bytes took {bytes} bytes of memory, over {bytes_max}: {}",
            input.len(),
            shown(input)
        );
        if self.watches_time && time > TIME_MAX {
            // The machine may have stumbled; an input that is slow is slow again.
            time = (0..3).map(|_| self.measure(which, input).2).fold(time, Duration::min);
            assert!(time <= TIME_MAX, "{name}, {which} takes {time:?}: {}", shown(input));
        }
        (reading, bytes, time)
    }

    fn measure(&self, which: &str, input: &[u8]) -> (Reading, usize, Duration) {
        let mut result = None;
        let begin = processor_time();
        let memory = allocation_counter::measure(|| {
            result = Some(catch_unwind(AssertUnwindSafe(|| (self.target.read)(input))));
        });
        let time = processor_time().saturating_sub(begin);
        let Some(Ok(reading)) = result else {
            panic!("{}, {which} panics: {}", self.target.name, shown(input));
        };
        (reading, usize::try_from(memory.bytes_max).unwrap_or(usize::MAX), time)
    }
}

/// Of this thread.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the thread has a clock").into()
}

/// The input as a byte string of Rust.
fn shown(input: &[u8]) -> String {
    let mut text = format!("b\"{}\"", input[..input.len().min(SHOWN_BYTES_MAX)].escape_ascii());
    if input.len() > SHOWN_BYTES_MAX {
        let _ = write!(text, "… ({} bytes)", input.len());
    }
    text
}
