//! The GPUs of a worker: opened and tested before the first lease, shared by its tasks, and given up when they fail.
//!
//! A task without a kernel, or for which no GPU is left, is the CPU's; its ballot then says so.

use std::sync::atomic::{AtomicUsize, Ordering};

use compute::{
    control::{Cancelled, Control},
    engine::gpu::{GpuAdapter, GpuChoice, GpuEngine, GpuError},
};
use protocol::{domain::Engine, message::EngineIntroduction, outcome::Outcome, task::Task};
use tracing::{info, warn};

use crate::misbehave::Misbehaviour;

/// The GPUs that a worker opened.
#[derive(Debug, Default)]
pub struct Gpus {
    seats: Vec<Seat>,
    drill: Option<Misbehaviour>,
}

#[derive(Debug)]
struct Seat {
    engine: GpuEngine,
    running: AtomicUsize,
}

/// An outcome that a GPU computed.
#[derive(Debug)]
pub struct OnGpu {
    /// What came out.
    pub outcome: Outcome,
    /// Adapter and driver.
    pub device: String,
}

impl Gpus {
    /// Opens adapters, with a drill or without. One that cannot be used is left out with a warning;
    /// the worker then computes on the others, or on the CPU alone.
    pub fn open(adapters: &[GpuAdapter], drill: Option<Misbehaviour>) -> Self {
        let mut seats = Vec::new();
        for adapter in adapters {
            match GpuEngine::open(adapter) {
                Ok(engine) => {
                    let bit_flip = drill == Some(Misbehaviour::GpuBitFlip);
                    let engine = if bit_flip { engine.with_bit_flip() } else { engine };
                    info!(
                        device = engine.device_name(), driver = adapter.driver(), kernels = %engine.variant(),
                        "a GPU is in service: its known-answer tests passed"
                    );
                    seats.push(Seat { engine, running: AtomicUsize::new(0) });
                }
                Err(error) => {
                    warn!(%error, "a GPU is not taken into service; its tasks are computed on the CPU");
                }
            }
        }
        Self { seats, drill }
    }

    /// Opens every hardware GPU of this machine, or the software one where there is no other; none where there is
    /// neither.
    pub fn best() -> Self {
        let adapters = GpuAdapter::choose(&[GpuChoice::Best]).unwrap_or_default();
        Self::open(&adapters, None)
    }

    /// How those in service are introduced.
    pub fn introductions(&self) -> Vec<EngineIntroduction> {
        let in_service = self.seats.iter().filter(|seat| seat.engine.in_service());
        let introduction = |seat: &Seat| EngineIntroduction {
            engine: Engine::Gpu,
            device: seat.engine.device_name().to_owned(),
        };
        in_service.map(introduction).collect()
    }

    /// Computes a task on the GPU in service that has the least to do; none where no GPU can.
    ///
    /// # Errors
    /// [`Cancelled`] when nobody waits for it any more.
    pub fn run(&self, task: &Task, control: &Control) -> Result<Option<OnGpu>, Cancelled> {
        if !GpuEngine::has_kernel(task) {
            return Ok(None);
        }
        // After a GPU that fails comes the next one.
        while let Some(seat) = self
            .seats
            .iter()
            .filter(|seat| seat.engine.in_service())
            .min_by_key(|seat| seat.running.load(Ordering::Relaxed))
        {
            seat.running.fetch_add(1, Ordering::Relaxed);
            if self.drill == Some(Misbehaviour::GpuLost) {
                seat.engine.destroy();
            }
            let result = seat.engine.run(task, control);
            seat.running.fetch_sub(1, Ordering::Relaxed);
            match result {
                Ok(outcome) => {
                    return Ok(Some(OnGpu { outcome, device: seat.engine.device_name().to_owned() }));
                }
                Err(GpuError::Cancelled(cancelled)) => return Err(cancelled),
                Err(GpuError::NoKernel) => return Ok(None),
                Err(error) => {
                    warn!(%error, "a GPU leaves service; the worker goes on without it");
                    if seat.engine.in_service() {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use protocol::constant::Constant;

    use super::*;

    #[test]
    fn without_a_gpu_every_task_is_left_to_the_cpu() {
        let none = Gpus::default();
        let task = Task::Digits { constant: Constant::Pi, decimals: 5 };
        assert!(none.introductions().is_empty());
        assert!(matches!(none.run(&task, &Control::default()), Ok(None)));
    }
}
