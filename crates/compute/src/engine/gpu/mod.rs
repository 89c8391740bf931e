//! The GPU engine: integer-only kernels whose results are the CPU's, bit for bit, on every vendor's device.
//!
//! [`GpuAdapter`] lists what this machine has, [`GpuEngine`] is one opened adapter that has proven itself by known
//! answers. It is blocking, and may be called from several threads. Once something goes wrong with its device, it leaves
//! service for good: what it is asked afterwards fails, and its worker computes on the CPU.

mod adapter;
mod device;
mod digit_extraction;
mod fault;
pub mod integer_arithmetic;
mod known_answers;
mod pace;
mod peak;
mod range_check;
mod range_check_answers;
mod residues;
mod shader;
pub mod word_arithmetic;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use protocol::{domain::Engine, outcome::Outcome, task::Task};

use crate::{control::Control, range_check::Width};

use device::Device;
use digit_extraction::Rhythm;
use integer_arithmetic::{IntegerOperands, IntegerResults};
use residues::ResiduePaces;
use word_arithmetic::{Operands, Results};

pub use adapter::{GpuAdapter, GpuChoice};
pub use device::SENTINEL;
pub use digit_extraction::sum_in_one_dispatch;
pub use fault::GpuError;
pub use peak::{IntegerPeak, multiplications_per_product, multiplications_per_term};
pub use range_check::{RangeFound, check_in_one_dispatch};
pub use shader::{Shader, Variant, WORKGROUP_INVOCATIONS};

/// One GPU in service.
#[derive(Debug)]
pub struct GpuEngine {
    device: Device,
    rhythm: Mutex<Rhythm>,
    residue_paces: Mutex<ResiduePaces>,
    bit_flip: bool,
}

impl GpuEngine {
    /// Opens an adapter with the best variant that passes the known-answer tests of every kernel. A 64-bit variant that
    /// fails where the base variant passes is a driver's fault that is left behind.
    ///
    /// # Errors
    /// [`GpuError`] where no variant works.
    pub fn open(adapter: &GpuAdapter) -> Result<Self, GpuError> {
        let mut failed = None;
        for variant in adapter.variants() {
            match Self::open_variant(adapter, *variant) {
                Ok(engine) => return Ok(engine),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.unwrap_or(GpuError::NoAdapter))
    }

    /// Opens an adapter with this variant.
    ///
    /// # Errors
    /// [`GpuError`] where the adapter lacks what the variant needs, or fails a known answer.
    pub fn open_variant(adapter: &GpuAdapter, variant: Variant) -> Result<Self, GpuError> {
        let device = Device::open(adapter, variant)?;
        let engine =
            Self { device, rhythm: Mutex::default(), residue_paces: Mutex::default(), bit_flip: false };
        engine.check_known_answers()?;
        Ok(engine)
    }

    /// The same engine with a drill: one bit of a kernel's result is turned after the known answers were right, as by a
    /// fault that comes later.
    #[must_use]
    pub fn with_bit_flip(mut self) -> Self {
        self.bit_flip = true;
        self
    }

    /// Adapter and driver, as they stand in ballots.
    pub fn device_name(&self) -> &str {
        self.device.name()
    }

    /// Which variant of the kernels it runs.
    pub fn variant(&self) -> Variant {
        self.device.variant()
    }

    /// Whether nothing has gone wrong with its device.
    pub fn in_service(&self) -> bool {
        self.device.check().is_ok()
    }

    /// Whether there is a kernel for this task.
    pub fn has_kernel(task: &Task) -> bool {
        task.engines().contains(&Engine::Gpu)
    }

    /// Computes a task.
    ///
    /// # Errors
    /// [`GpuError::NoKernel`] and [`GpuError::Cancelled`] change nothing; after any other the engine is out of service.
    pub fn run(&self, task: &Task, control: &Control) -> Result<Outcome, GpuError> {
        control.check()?;
        self.device.check().map_err(|_| GpuError::OutOfService { device: self.device_name().to_owned() })?;
        match task {
            Task::HexTerms(terms) => Ok(Outcome::HexSum(digit_extraction::sum(self, terms, control)?)),
            Task::Range { .. } => Ok(Outcome::Range(range_check::answer(self, task, control)?)),
            Task::Digits { .. } | Task::Series { .. } | Task::Expressions { .. } => Err(GpuError::NoKernel),
        }
    }

    /// Computes every routine of the shared arithmetic, as [`word_arithmetic::word_arithmetic`] does on the processor.
    ///
    /// # Errors
    /// Whatever is wrong with the device.
    pub fn word_arithmetic(&self, operands: &[Operands]) -> Result<Vec<Results>, GpuError> {
        word_arithmetic::on_gpu(&self.device, operands)
    }

    /// Computes every routine of the shared wide integers, as [`integer_arithmetic::integer_arithmetic`] does on the
    /// processor.
    ///
    /// # Errors
    /// Whatever is wrong with the device.
    pub fn integer_arithmetic(
        &self,
        operands: &[IntegerOperands],
        width: Width,
    ) -> Result<Vec<IntegerResults>, GpuError> {
        integer_arithmetic::on_gpu(&self.device, operands, width)
    }

    /// Terms of digit extraction per second so far, with the time between dispatches; none before the first.
    pub fn measured_rate(&self) -> Option<f64> {
        let rhythm = self.rhythm.lock().unwrap_or_else(PoisonError::into_inner);
        let (terms, seconds) = rhythm.measured;
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = terms as f64 / seconds;
        (terms > 0).then_some(rate)
    }

    /// Gives the device back to the driver, as a driver does that resets it; the engine is out of service.
    pub fn destroy(&self) {
        self.device.destroy();
    }

    fn pace(&self) -> pace::Pace {
        self.rhythm.lock().unwrap_or_else(PoisonError::into_inner).pace
    }

    fn learn(&self, terms: u32, elapsed: Duration) {
        let mut rhythm = self.rhythm.lock().unwrap_or_else(PoisonError::into_inner);
        rhythm.pace.learn(terms, elapsed);
        rhythm.measured.0 += u64::from(terms);
        rhythm.measured.1 += elapsed.as_secs_f64();
    }
}
