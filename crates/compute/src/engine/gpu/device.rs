//! One opened GPU: kernels are made once, buffers are used again, and whatever goes wrong is remembered.
//!
//! A kernel reads one buffer and writes one. [`Device::launch`] hands a dispatch to the GPU and returns at once, so that
//! several can be in flight; [`Device::land`] waits for one and brings its output. Before each dispatch the output is
//! filled with [`SENTINEL`], so that an element that a kernel did not write shows.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use super::{
    adapter::GpuAdapter,
    fault::GpuError,
    shader::{Shader, Variant, WORKGROUP_INVOCATIONS},
};

/// What stands in an output before a kernel writes it.
pub const SENTINEL: u32 = 0xa5c3_5a3c;
/// How long a dispatch may take before the device counts as lost. They are sized to take a tenth of a second, and a
/// software adapter may share its cores with much else.
const DISPATCH_TIMEOUT: Duration = Duration::from_mins(2);
/// Most buffers that are kept for the next dispatch.
const SLOTS_KEPT_MAX: usize = 16;
/// The most workgroup memory that a kernel takes, in bytes.
const WORKGROUP_STORAGE_BYTES: u32 = 64 * 32;

/// A kernel with its constants: what is compiled once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KernelName {
    /// Which text.
    pub(super) shader: Shader,
    /// The constants of the kernel `digit_extraction`.
    pub(super) digits: Option<DigitConstants>,
    /// The constants of the kernel `series_residues`.
    pub(super) series: Option<SeriesConstants>,
}

/// What is fixed when the kernel `digit_extraction` is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DigitConstants {
    /// `LIMBS`: 64-bit limbs in a fraction, 1 to 4.
    pub(super) limbs: u8,
    /// `NARROW`: whether every modulus is below 2^32.
    pub(super) narrow: bool,
}

/// What is fixed when the kernel `series_residues` is compiled: the coefficients of p, q, a and b, 0 for the polynomial
/// that is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeriesConstants(pub(super) [u8; 4]);

impl KernelName {
    /// The constants by their names in the shader.
    fn constants(self) -> Vec<(&'static str, f64)> {
        let mut constants = Vec::new();
        if let Some(DigitConstants { limbs, narrow }) = self.digits {
            constants.extend([("LIMBS", f64::from(limbs)), ("NARROW", f64::from(u8::from(narrow)))]);
        }
        if let Some(SeriesConstants(counts)) = self.series {
            let names = ["P_COEFFICIENTS", "Q_COEFFICIENTS", "A_COEFFICIENTS", "B_COEFFICIENTS"];
            constants.extend(names.into_iter().zip(counts.map(f64::from)));
        }
        constants
    }
}

/// An opened GPU.
#[derive(Debug)]
pub(super) struct Device {
    gpu: wgpu::Device,
    queue: wgpu::Queue,
    name: String,
    variant: Variant,
    layout: wgpu::BindGroupLayout,
    kernels: Mutex<BTreeMap<KernelName, wgpu::ComputePipeline>>,
    slots: Mutex<Vec<Slot>>,
    fault: Arc<Mutex<Option<GpuError>>>,
}

/// The buffers of one dispatch, with room for at least as much as it needs.
#[derive(Debug)]
struct Slot {
    input: wgpu::Buffer,
    output: wgpu::Buffer,
    readback: wgpu::Buffer,
}

/// A dispatch that the GPU has and that was not waited for.
#[derive(Debug)]
pub(super) struct Flight {
    slot: Slot,
    submission: wgpu::SubmissionIndex,
    mapped: mpsc::Receiver<Result<(), wgpu::BufferAsyncError>>,
    output_bytes: u64,
}

impl Device {
    /// Opens an adapter with all its limits, for one variant of the kernels.
    ///
    /// # Errors
    /// [`GpuError::Unusable`] and [`GpuError::Limit`].
    pub(super) fn open(adapter: &GpuAdapter, variant: Variant) -> Result<Self, GpuError> {
        let name = adapter.device_name();
        let limits = adapter.wgpu().limits();
        check_limits(&name, &limits)?;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("quorate"),
            required_features: variant.features(),
            required_limits: limits,
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = pollster::block_on(adapter.wgpu().request_device(&descriptor))
            .map_err(|error| GpuError::Unusable { device: name.clone(), reason: error.to_string() })?;
        let fault = Arc::new(Mutex::new(None));
        listen(&device, &name, &fault);
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &[storage_entry(0, true), storage_entry(1, false)],
        });
        let (kernels, slots) = (Mutex::default(), Mutex::default());
        Ok(Self { gpu: device, queue, name, variant, layout, kernels, slots, fault })
    }

    /// How it stands in ballots.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Which variant of the kernels it runs.
    pub(super) fn variant(&self) -> Variant {
        self.variant
    }

    /// Most workgroups in one dispatch.
    pub(super) fn workgroups_max(&self) -> u32 {
        self.gpu.limits().max_compute_workgroups_per_dimension
    }

    /// Whether it works as far as is known.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub(super) fn check(&self) -> Result<(), GpuError> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.clone().map_or(Ok(()), Err)
    }

    /// Remembers what went wrong unless something did before, and returns what went wrong first.
    pub(super) fn fail(&self, error: GpuError) -> GpuError {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.get_or_insert(error).clone()
    }

    /// Gives the device back: what is asked of it afterwards fails as on a device that was lost.
    pub(super) fn destroy(&self) {
        self.gpu.destroy();
    }

    /// Hands `workgroups` workgroups of a kernel to the GPU, with `input` (not empty, whole words) to read and
    /// `output_bytes` (more than 0, whole words) to write.
    ///
    /// # Errors
    /// Whatever is wrong with the device.
    pub(super) fn launch(
        &self,
        kernel: KernelName,
        input: &[u8],
        output_bytes: u64,
        workgroups: u32,
    ) -> Result<Flight, GpuError> {
        self.check()?;
        let pipeline = self.kernel(kernel)?;
        let slot = self.slot(input.len() as u64, output_bytes);
        self.queue.write_buffer(&slot.input, 0, input);
        let words = usize::try_from(output_bytes / 4).unwrap_or(usize::MAX);
        self.queue.write_buffer(&slot.output, 0, &SENTINEL.to_le_bytes().repeat(words));
        let bound = self.gpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.layout,
            entries: &[bound(0, &slot.input, input.len() as u64), bound(1, &slot.output, output_bytes)],
        });
        let mut encoder = self.gpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bound, &[]);
            pass.dispatch_workgroups(workgroups, 1, 1);
        }
        encoder.copy_buffer_to_buffer(&slot.output, 0, &slot.readback, 0, output_bytes);
        let submission = self.queue.submit([encoder.finish()]);
        self.check()?;
        let (told, mapped) = mpsc::sync_channel(1);
        slot.readback.slice(..output_bytes).map_async(wgpu::MapMode::Read, move |result| {
            // Whoever launched it may have gone.
            let _ = told.send(result);
        });
        Ok(Flight { slot, submission, mapped, output_bytes })
    }

    /// Waits for a dispatch and brings its output as words.
    ///
    /// # Errors
    /// Whatever is wrong with the device.
    pub(super) fn land(&self, flight: Flight) -> Result<Vec<u32>, GpuError> {
        let Flight { slot, submission, mapped, output_bytes } = flight;
        let wait =
            wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(DISPATCH_TIMEOUT) };
        let polled = self.gpu.poll(wait);
        self.check()?;
        let lost = |reason: String| self.fail(GpuError::Lost { device: self.name.clone(), reason });
        match polled {
            Ok(_) => {}
            Err(wgpu::PollError::Timeout) => {
                let waited_s = DISPATCH_TIMEOUT.as_secs();
                return Err(self.fail(GpuError::Stalled { device: self.name.clone(), waited_s }));
            }
            // A device that was lost meanwhile never took the submission.
            Err(error) => return Err(lost(error.to_string())),
        }
        match mapped.recv_timeout(DISPATCH_TIMEOUT) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(lost(error.to_string())),
            Err(_) => return Err(lost("its output never arrived".to_owned())),
        }
        let view = slot.readback.slice(..output_bytes).get_mapped_range();
        let view = view.map_err(|error| lost(error.to_string()))?;
        let (chunks, _) = view.as_chunks::<4>();
        let words = chunks.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        drop(view);
        slot.readback.unmap();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() < SLOTS_KEPT_MAX {
            slots.push(slot);
        }
        Ok(words)
    }

    /// The kernel, compiled at its first use.
    fn kernel(&self, name: KernelName) -> Result<wgpu::ComputePipeline, GpuError> {
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = kernels.get(&name) {
            return Ok(pipeline.clone());
        }
        let module = self.gpu.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name.shader.name()),
            source: wgpu::ShaderSource::Wgsl(name.shader.source(self.variant).into()),
        });
        let layout = self.gpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&self.layout)],
            immediate_size: 0,
        });
        let constants = name.constants();
        let pipeline = self.gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name.shader.name()),
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                ..wgpu::PipelineCompilationOptions::default()
            },
            cache: None,
        });
        self.check()?;
        kernels.insert(name, pipeline.clone());
        Ok(pipeline)
    }

    /// Buffers from an earlier dispatch where some are large enough, else new ones.
    fn slot(&self, input_bytes: u64, output_bytes: u64) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |slot: &Slot| slot.input.size() >= input_bytes && slot.output.size() >= output_bytes;
        if let Some(place) = slots.iter().position(fits) {
            return slots.swap_remove(place);
        }
        let buffer = |size: u64, usage| {
            let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
            self.gpu.create_buffer(&descriptor)
        };
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        Slot {
            input: buffer(input_bytes, storage),
            output: buffer(output_bytes, storage | wgpu::BufferUsages::COPY_SRC),
            readback: buffer(output_bytes, wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ),
        }
    }
}

/// WebGPU's baseline is more than enough; a driver below it is refused in words instead of in a kernel.
fn check_limits(device: &str, limits: &wgpu::Limits) -> Result<(), GpuError> {
    let needs = [
        (
            "maxComputeInvocationsPerWorkgroup",
            limits.max_compute_invocations_per_workgroup,
            WORKGROUP_INVOCATIONS,
        ),
        ("maxComputeWorkgroupSizeX", limits.max_compute_workgroup_size_x, WORKGROUP_INVOCATIONS),
        (
            "maxComputeWorkgroupStorageSize",
            limits.max_compute_workgroup_storage_size,
            WORKGROUP_STORAGE_BYTES,
        ),
        ("maxStorageBuffersPerShaderStage", limits.max_storage_buffers_per_shader_stage, 2),
        ("maxComputeWorkgroupsPerDimension", limits.max_compute_workgroups_per_dimension, 1024),
    ];
    for (limit, offered, needed) in needs {
        if offered < needed {
            let (offered, needed) = (offered.into(), needed.into());
            return Err(GpuError::Limit { device: device.to_owned(), limit, offered, needed });
        }
    }
    Ok(())
}

/// Keeps the first thing that goes wrong with a device, whoever notices it.
fn listen(device: &wgpu::Device, name: &str, fault: &Arc<Mutex<Option<GpuError>>>) {
    let keep = |fault: &Mutex<Option<GpuError>>, error: GpuError| {
        fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    };
    let (kept, named) = (Arc::clone(fault), name.to_owned());
    device.set_device_lost_callback(move |reason, message| {
        let reason = if message.is_empty() { format!("{reason:?}") } else { message };
        keep(&kept, GpuError::Lost { device: named.clone(), reason });
    });
    let (kept, named) = (Arc::clone(fault), name.to_owned());
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        let device = named.clone();
        let error = match error {
            wgpu::Error::OutOfMemory { .. } => GpuError::OutOfMemory { device },
            other => GpuError::Invalid { device, reason: one_line(&other.to_string()) },
        };
        keep(&kept, error);
    }));
}

/// wgpu explains itself over many lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn storage_entry(binding: u32, read_only: bool) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    }
}

fn bound(binding: u32, buffer: &wgpu::Buffer, bytes: u64) -> wgpu::BindGroupEntry<'_> {
    let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
        buffer,
        offset: 0,
        size: std::num::NonZeroU64::new(bytes),
    });
    wgpu::BindGroupEntry { binding, resource }
}
