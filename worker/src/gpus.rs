//! The GPUs of a worker: opened and tested before the first lease, shared by its tasks, and given up when they fail.
//!
//! A task without a kernel, or for which no GPU is left, is the CPU's; its ballot then says so. A GPU that was lost is
//! opened again after a pause, a few times, and must pass its known answers again; one that computed something wrong
//! stays out for good.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use compute::{
    control::{Cancelled, Control},
    engine::gpu::{GpuAdapter, GpuChoice, GpuEngine, GpuError},
};
use protocol::{domain::Engine, message::EngineIntroduction, outcome::Outcome, task::Task};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::misbehave::Misbehaviour;

/// How often a GPU is opened again in the life of a worker.
const REOPENINGS_MAX: u32 = 5;
/// The pause before the first of them; each later one is [`PAUSE_GROWTH`] times as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// By how much pauses grow: the last is above four minutes.
const PAUSE_GROWTH: u32 = 4;

/// The GPUs that a worker opened.
#[derive(Debug, Default)]
pub struct Gpus {
    seats: Vec<Seat>,
    drill: Option<Misbehaviour>,
    /// Whether the drill has taken a GPU away.
    drilled: AtomicBool,
    /// Wakes whoever opens GPUs again.
    left: Notify,
}

/// One GPU, in service or not.
#[derive(Debug)]
struct Seat {
    /// As it stands in ballots.
    device: String,
    state: Mutex<SeatState>,
    running: AtomicUsize,
}

#[derive(Debug)]
struct SeatState {
    /// Replaced by another when it has failed and the GPU came back.
    engine: Arc<GpuEngine>,
    reopenings: u32,
    /// The pause before it is to be opened again, where it has failed and may come back.
    pause: Option<Duration>,
}

impl Seat {
    fn new(engine: GpuEngine) -> Self {
        let device = engine.device_name().to_owned();
        let state = Mutex::new(SeatState { engine: Arc::new(engine), reopenings: 0, pause: None });
        Self { device, state, running: AtomicUsize::new(0) }
    }

    fn with_state<T>(&self, change: impl FnOnce(&mut SeatState) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn engine(&self) -> Arc<GpuEngine> {
        self.with_state(|state| Arc::clone(&state.engine))
    }

    /// Says that an engine has left service, and whether it will be tried again. Of several tasks that meet the same
    /// fault the first settles it.
    fn leave(&self, failed: &Arc<GpuEngine>, error: &GpuError) {
        self.with_state(|state| {
            if Arc::ptr_eq(&state.engine, failed) && state.pause.is_none() {
                state.pause = pause_after(error, state.reopenings);
                if let Some(pause) = state.pause {
                    let again_in = humantime::format_duration(pause);
                    warn!(%error, %again_in, "a GPU leaves service; it will be opened and tested again");
                } else {
                    warn!(
                        %error,
                        "a GPU leaves service until the worker is started again; the worker goes on without it"
                    );
                }
            }
        });
    }
}

/// How long to wait before a GPU is opened again; none where it stays out.
fn pause_after(error: &GpuError, reopenings: u32) -> Option<Duration> {
    let may_return = error.may_pass() && reopenings < REOPENINGS_MAX;
    may_return.then(|| FIRST_PAUSE * PAUSE_GROWTH.pow(reopenings))
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
            match open(adapter, drill) {
                Ok(engine) => {
                    info!(
                        device = engine.device_name(), driver = adapter.driver(), kernels = %engine.variant(),
                        "a GPU is in service: its known-answer tests passed"
                    );
                    seats.push(Seat::new(engine));
                }
                Err(error) => {
                    warn!(%error, "a GPU is not taken into service; its tasks are computed on the CPU");
                }
            }
        }
        Self { seats, drill, ..Self::default() }
    }

    /// Opens every hardware GPU of this machine, or the software one where there is no other; none where there is
    /// neither.
    pub fn best() -> Self {
        let adapters = GpuAdapter::choose(&[GpuChoice::Best]).unwrap_or_default();
        Self::open(&adapters, None)
    }

    /// How those in service are introduced.
    pub fn introductions(&self) -> Vec<EngineIntroduction> {
        let in_service = self.seats.iter().filter(|seat| seat.engine().in_service());
        let introduction =
            |seat: &Seat| EngineIntroduction { engine: Engine::Gpu, device: seat.device.clone() };
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
        let done = self.on_a_gpu(|engine| engine.run(task, control))?;
        Ok(done.map(|(outcome, device)| OnGpu { outcome, device }))
    }

    /// Does something on the GPU in service that has the least to do, and says which it was; none where no GPU can.
    ///
    /// # Errors
    /// [`Cancelled`] when nobody waits for it any more.
    pub fn on_a_gpu<T>(
        &self,
        work: impl Fn(&GpuEngine) -> Result<T, GpuError>,
    ) -> Result<Option<(T, String)>, Cancelled> {
        // After a GPU that fails comes the next one.
        while let Some((seat, engine)) = self
            .seats
            .iter()
            .map(|seat| (seat, seat.engine()))
            .filter(|(_, engine)| engine.in_service())
            .min_by_key(|(seat, _)| seat.running.load(Ordering::Relaxed))
        {
            seat.running.fetch_add(1, Ordering::Relaxed);
            if self.drill == Some(Misbehaviour::GpuLost) && !self.drilled.swap(true, Ordering::Relaxed) {
                engine.destroy();
            }
            let result = work(&engine);
            seat.running.fetch_sub(1, Ordering::Relaxed);
            match result {
                Ok(done) => return Ok(Some((done, seat.device.clone()))),
                Err(GpuError::Cancelled(cancelled)) => return Err(cancelled),
                Err(GpuError::NoKernel) => return Ok(None),
                Err(error) => {
                    // A task that came after the fault is told of it, and not of what it was.
                    if !matches!(error, GpuError::OutOfService { .. }) {
                        seat.leave(&engine, &error);
                        self.left.notify_one();
                    }
                    if engine.in_service() {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Opens GPUs that have failed again, each after its pause, until `stop` is cancelled, and tells `returned` of each
    /// that is in service again.
    pub(crate) async fn keep(self: Arc<Self>, returned: mpsc::Sender<()>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.left.notified() => {}
            }
            while let Some((place, pause)) = self.next_to_open() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                let gpus = Arc::clone(&self);
                // Drivers block, and so do known answers.
                let is_back = tokio::task::spawn_blocking(move || gpus.open_again(place)).await;
                // A driver that panics has said so, and is not asked again.
                if !is_back.unwrap_or_else(|_| self.give_up(place)) {
                    continue;
                }
                if returned.send(()).await.is_err() {
                    return;
                }
            }
        }
    }

    /// The GPU out of service whose pause is the shortest.
    fn next_to_open(&self) -> Option<(usize, Duration)> {
        let pauses = self.seats.iter().map(|seat| seat.with_state(|state| state.pause)).enumerate();
        pauses.filter_map(|(place, pause)| Some((place, pause?))).min_by_key(|(_, pause)| *pause)
    }

    fn give_up(&self, place: usize) -> bool {
        if let Some(seat) = self.seats.get(place) {
            seat.with_state(|state| state.pause = None);
        }
        false
    }

    /// Opens a GPU again, as another device; whether it is in service now.
    fn open_again(&self, place: usize) -> bool {
        let Some(seat) = self.seats.get(place) else { return false };
        // The driver may have been reset: the list of adapters is made anew.
        let adapter = GpuAdapter::all().into_iter().find(|adapter| adapter.device_name() == seat.device);
        let opened = match adapter {
            Some(adapter) => open(&adapter, self.drill),
            None => Err(GpuError::Unusable {
                device: seat.device.clone(),
                reason: "its driver does not list it any more".to_owned(),
            }),
        };
        seat.with_state(|state| {
            state.reopenings += 1;
            match opened {
                Ok(engine) => {
                    info!(
                        device = seat.device, kernels = %engine.variant(),
                        "a GPU is in service again: its known-answer tests passed"
                    );
                    state.engine = Arc::new(engine);
                    state.pause = None;
                    true
                }
                Err(error) => {
                    state.pause = pause_after(&error, state.reopenings);
                    if let Some(pause) = state.pause {
                        let again_in = humantime::format_duration(pause);
                        warn!(%error, %again_in, "a GPU cannot return to service yet");
                    } else {
                        warn!(%error, "a GPU stays out of service until the worker is started again");
                    }
                    false
                }
            }
        })
    }
}

fn open(adapter: &GpuAdapter, drill: Option<Misbehaviour>) -> Result<GpuEngine, GpuError> {
    let engine = GpuEngine::open(adapter)?;
    Ok(if drill == Some(Misbehaviour::GpuBitFlip) { engine.with_bit_flip() } else { engine })
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

    #[test]
    fn a_lost_gpu_is_tried_a_few_times_with_growing_pauses_and_a_wrong_one_never() {
        let device = "Big GPU".to_owned();
        let lost = GpuError::Lost { device: device.clone(), reason: "reset".to_owned() };
        let pauses: Vec<Option<u64>> =
            (0..7).map(|tries| pause_after(&lost, tries).map(|pause| pause.as_secs())).collect();
        assert_eq!(pauses, [Some(1), Some(4), Some(16), Some(64), Some(256), None, None]);
        let wrong =
            GpuError::WrongAnswer { device, kernel: "digit_extraction", difference: "a bit".to_owned() };
        assert_eq!(pause_after(&wrong, 0), None);
    }
}
