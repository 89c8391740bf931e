//! What can go wrong with a GPU, each with what to do about it.

use crate::control::Cancelled;

/// Why a GPU cannot be used, or did not compute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// There is none.
    #[error(
        "no GPU adapter was found; install a Vulkan driver (mesa-vulkan-drivers brings a software one), or leave \
         --gpu out to compute on the processor"
    )]
    NoAdapter,
    /// There is none of that name or number.
    #[error("no GPU adapter is `{wanted}`; known are {known}")]
    NoSuchAdapter {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// The driver gives no device.
    #[error("{device} cannot be opened: {reason}; update its driver, or choose another with --gpu=NAME")]
    Unusable {
        /// Which adapter.
        device: String,
        /// What the driver said.
        reason: String,
    },
    /// The adapter's limits are too low for a kernel.
    #[error(
        "{device} offers {limit} = {offered}, and the kernels need {needed}; choose another with --gpu=NAME"
    )]
    Limit {
        /// Which adapter.
        device: String,
        /// Which limit.
        limit: &'static str,
        /// What the adapter has.
        offered: u64,
        /// What the kernels need.
        needed: u64,
    },
    /// The device went away.
    #[error(
        "{device} was lost ({reason}); it may be too hot, overclocked or reset by its driver: look into the system's \
         log"
    )]
    Lost {
        /// Which.
        device: String,
        /// What the driver said.
        reason: String,
    },
    /// The device did not answer.
    #[error(
        "{device} did not finish a dispatch within {waited_s} s; look into the system's log, and lower its clocks if it \
         happens again"
    )]
    Stalled {
        /// Which.
        device: String,
        /// How long it was waited for, in seconds.
        waited_s: u64,
    },
    /// The device has no memory left.
    #[error("{device} is out of memory; end other programs that use it")]
    OutOfMemory {
        /// Which.
        device: String,
    },
    /// wgpu or the driver refused what a kernel asked for.
    #[error(
        "{device} refused a kernel: {reason}; please report this with the adapter and its driver's version"
    )]
    Invalid {
        /// Which.
        device: String,
        /// What was said.
        reason: String,
    },
    /// A kernel computed something wrong.
    #[error(
        "{device} failed the known-answer test of {kernel}: {difference}; its results cannot be trusted: check its \
         memory and clocks, and update its driver"
    )]
    WrongAnswer {
        /// Which.
        device: String,
        /// Which kernel.
        kernel: &'static str,
        /// What came out, and what should have.
        difference: String,
    },
    /// It left service before.
    #[error("{device} is out of service since an earlier error; restart the worker to use it again")]
    OutOfService {
        /// Which.
        device: String,
    },
    /// There is no kernel for this task.
    #[error("no GPU kernel computes this task")]
    NoKernel,
    /// Nobody waits for it any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl GpuError {
    /// Whether the device is not to be trusted with anything more.
    pub fn ends_service(&self) -> bool {
        !matches!(self, Self::Cancelled(_) | Self::NoKernel)
    }

    /// Whether another try to open the device may help: nothing that it computed was wrong, and no kernel was refused.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Lost { .. } | Self::Stalled { .. } | Self::OutOfMemory { .. } | Self::Unusable { .. }
        )
    }
}
