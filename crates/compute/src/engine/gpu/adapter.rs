//! The GPUs of this machine: which there are, and which one is meant.
//!
//! A software adapter (Mesa's lavapipe) is one like any other, but chosen only where there is nothing else or where it
//! is named.

use std::{collections::BTreeMap, convert::Infallible, fmt, str::FromStr};

use protocol::limits::NAME_BYTES_MAX;

use super::{fault::GpuError, shader::Variant};

/// Which GPU is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuChoice {
    /// Every hardware adapter; the software ones where there is no other.
    Best,
    /// The adapter with this number in the list.
    Index(usize),
    /// The adapters whose name contains this, in any case of letters.
    Name(String),
}

impl FromStr for GpuChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.parse() {
            _ if text.is_empty() => Self::Best,
            Ok(index) => Self::Index(index),
            Err(_) => Self::Name(text.to_owned()),
        })
    }
}

impl fmt::Display for GpuChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best => Ok(()),
            Self::Index(index) => index.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// An adapter: a GPU as one of the system's drivers offers it.
#[derive(Debug, Clone)]
pub struct GpuAdapter {
    adapter: wgpu::Adapter,
    info: wgpu::AdapterInfo,
    index: usize,
    device_name: String,
}

impl GpuAdapter {
    /// All of them, the real ones first; an adapter's place is its number. A GPU that several interfaces offer is
    /// listed once. OpenGL is not asked: it adds no GPU that computes this, and some drivers of it complain about
    /// displays on the user's terminal.
    pub fn all() -> Vec<Self> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        // Validation layers, where they are installed, are for those who write drivers; wgpu validates by itself.
        descriptor.flags = wgpu::InstanceFlags::empty();
        descriptor.backends = wgpu::Backends::PRIMARY;
        let instance = wgpu::Instance::new(descriptor);
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
        let mut found: Vec<(wgpu::AdapterInfo, wgpu::Adapter)> = Vec::new();
        for adapter in adapters {
            let info = adapter.get_info();
            let same = |(known, _): &(wgpu::AdapterInfo, _)| is_same_device(known, &info);
            if !found.iter().any(same) {
                found.push((info, adapter));
            }
        }
        found.sort_by_key(|(info, _)| rank(info.device_type));
        let device_names = numbered(found.iter().map(|(info, _)| device_name(info)).collect());
        let adapter = |(index, ((info, adapter), device_name))| Self { adapter, info, index, device_name };
        found.into_iter().zip(device_names).enumerate().map(adapter).collect()
    }

    /// Those that are meant by any of the choices, each once.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`] where there is none at all, [`GpuError::NoSuchAdapter`] where a choice means none.
    pub fn choose(choices: &[GpuChoice]) -> Result<Vec<Self>, GpuError> {
        let all = Self::all();
        let names: Vec<String> = all.iter().map(Self::name).collect();
        let is_hardware: Vec<bool> = all.iter().map(Self::is_hardware).collect();
        let mut meant = Vec::new();
        for choice in choices {
            meant.extend(places(choice, &names, &is_hardware)?);
        }
        meant.sort_unstable();
        meant.dedup();
        Ok(meant.into_iter().filter_map(|place| all.get(place).cloned()).collect())
    }

    /// Its number, which changes when adapters come or go.
    pub fn index(&self) -> usize {
        self.index
    }

    /// What the driver calls it.
    pub fn name(&self) -> String {
        self.info.name.clone()
    }

    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub fn kind(&self) -> &'static str {
        match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        }
    }

    /// Whether a GPU stands behind it.
    pub fn is_hardware(&self) -> bool {
        self.info.device_type != wgpu::DeviceType::Cpu
    }

    /// The driver, its version, and the interface through which it is used.
    pub fn driver(&self) -> String {
        let words = [self.info.driver.as_str(), self.info.driver_info.as_str()];
        let named: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        format!("{} ({})", named.join(" "), self.info.backend)
    }

    /// How it stands in ballots: name and driver, within the limit of a name. Equal cards are numbered.
    pub fn device_name(&self) -> String {
        self.device_name.clone()
    }

    /// Which variants of the kernels it runs, the better first.
    pub fn variants(&self) -> &'static [Variant] {
        if self.adapter.features().contains(wgpu::Features::SHADER_INT64) {
            &[Variant::Native, Variant::Base]
        } else {
            &[Variant::Base]
        }
    }

    /// The limits that matter here, by their names in WebGPU.
    pub fn limits(&self) -> [(&'static str, u64); 5] {
        let limits = self.adapter.limits();
        [
            ("maxBufferSize", limits.max_buffer_size),
            ("maxStorageBufferBindingSize", limits.max_storage_buffer_binding_size),
            ("maxComputeWorkgroupsPerDimension", limits.max_compute_workgroups_per_dimension.into()),
            ("maxComputeInvocationsPerWorkgroup", limits.max_compute_invocations_per_workgroup.into()),
            ("maxComputeWorkgroupStorageSize", limits.max_compute_workgroup_storage_size.into()),
        ]
    }

    pub(super) fn wgpu(&self) -> &wgpu::Adapter {
        &self.adapter
    }
}

/// Name and driver, within the limit of a name.
fn device_name(info: &wgpu::AdapterInfo) -> String {
    let mut name = info.name.split(" (").next().unwrap_or_default().trim().to_owned();
    for part in [&info.driver, &info.driver_info] {
        // What says the compiler of the driver's compiler says nothing of the device.
        let part = part.split(" (").next().unwrap_or_default().trim();
        if !part.is_empty() && !name.contains(part) {
            name = format!("{name}, {part}");
        }
    }
    name.retain(|character| !character.is_control());
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    if name.is_empty() { "an unnamed GPU".to_owned() } else { name }
}

/// The same names, of which the second that is equal to an earlier one ends with ` #2`, the third with ` #3`.
fn numbered(names: Vec<String>) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let number = |mut name: String| {
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            let suffix = format!(" #{times}");
            name.truncate(name.floor_char_boundary(NAME_BYTES_MAX - suffix.len()));
            name.push_str(&suffix);
        }
        name
    };
    names.into_iter().map(number).collect()
}

fn rank(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

/// Two interfaces to one device; two equal cards differ in their place on the bus.
fn is_same_device(one: &wgpu::AdapterInfo, other: &wgpu::AdapterInfo) -> bool {
    one.backend != other.backend
        && one.vendor == other.vendor
        && one.device == other.device
        && (one.device_pci_bus_id == other.device_pci_bus_id
            || one.device_pci_bus_id.is_empty()
            || other.device_pci_bus_id.is_empty())
}

/// The places in the list that a choice means.
fn places(choice: &GpuChoice, names: &[String], is_hardware: &[bool]) -> Result<Vec<usize>, GpuError> {
    if names.is_empty() {
        return Err(GpuError::NoAdapter);
    }
    let any_hardware = is_hardware.contains(&true);
    let is_meant = |place: usize, name: &str| match choice {
        GpuChoice::Best => !any_hardware || is_hardware.get(place) == Some(&true),
        GpuChoice::Index(index) => *index == place,
        GpuChoice::Name(part) => name.to_lowercase().contains(&part.to_lowercase()),
    };
    let meant: Vec<usize> = names
        .iter()
        .enumerate()
        .filter(|(place, name)| is_meant(*place, name))
        .map(|(place, _)| place)
        .collect();
    if meant.is_empty() {
        let known: Vec<String> =
            names.iter().enumerate().map(|(place, name)| format!("{place} ({name})")).collect();
        return Err(GpuError::NoSuchAdapter { wanted: choice.to_string(), known: known.join(", ") });
    }
    Ok(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn choice(text: &str) -> GpuChoice {
        match text.parse() {
            Ok(choice) => choice,
            Err(never) => match never {},
        }
    }

    #[test]
    fn without_a_name_all_real_gpus_are_meant_and_software_only_where_there_is_none() {
        let both = names(&["Big GPU", "Small GPU", "llvmpipe"]);
        assert_eq!(places(&GpuChoice::Best, &both, &[true, true, false]), Ok(vec![0, 1]));
        assert_eq!(places(&GpuChoice::Best, &names(&["llvmpipe"]), &[false]), Ok(vec![0]));
    }

    #[test]
    fn a_number_means_a_place_and_a_text_a_part_of_a_name() {
        let all = names(&["Big GPU", "Small GPU", "llvmpipe"]);
        let hardware = [true, true, false];
        assert_eq!(places(&choice("2"), &all, &hardware), Ok(vec![2]));
        assert_eq!(places(&choice("LLVM"), &all, &hardware), Ok(vec![2]));
        assert_eq!(places(&choice("gpu"), &all, &hardware), Ok(vec![0, 1]));
        assert_eq!(choice(""), GpuChoice::Best);
    }

    #[test]
    fn equal_cards_are_told_apart_by_numbers_within_the_limit_of_a_name() {
        let cards = names(&["Big GPU, driver 1", "Small GPU", "Big GPU, driver 1", "Big GPU, driver 1"]);
        let told_apart = ["Big GPU, driver 1", "Small GPU", "Big GPU, driver 1 #2", "Big GPU, driver 1 #3"];
        assert_eq!(numbered(cards), told_apart);
        let long = "x".repeat(NAME_BYTES_MAX);
        let [first, second] = &numbered(vec![long.clone(), long.clone()])[..] else { panic!("two names") };
        assert_eq!(first, &long);
        assert!(second.len() == NAME_BYTES_MAX && second.ends_with("x #2"), "{second}");
    }

    #[test]
    fn a_choice_that_means_nothing_is_refused_with_what_there_is() {
        let error = places(&choice("7"), &names(&["llvmpipe"]), &[false]).expect_err("one adapter");
        assert_eq!(error.to_string(), "no GPU adapter is `7`; known are 0 (llvmpipe)");
        let error = places(&GpuChoice::Best, &[], &[]).expect_err("no adapter");
        assert!(error.to_string().starts_with("no GPU adapter was found; install"), "{error}");
    }
}
